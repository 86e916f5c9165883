/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/fleet.h"

#include <string.h>

enum exit_code fleet_call(struct cli *cli, struct client *c, struct str path,
                          const struct buf *body, struct json_value **answer)
{
    enum exit_code code;

    if (body->overflow)
        return cli_fail(cli, EXIT_CODE_USAGE, "that is more than a request may hold");
    code = client_call(c, "POST", path, buf_str(body), answer);
    if (code == EXIT_CODE_OK && (!*answer || (*answer)->kind != JSON_KIND_OBJECT))
        return cli_fail(cli, EXIT_CODE_FAILURE,
                        "the server's answer makes no sense; is it a Muster server?");
    return code;
}

struct buf fleet_request(struct cli *cli, const char *member, struct str text)
{
    struct json_writer w;
    struct buf body;

    buf_init_arena(&body, cli->arena, FLEET_BODY_MAX);
    json_writer_init(&w, &body);
    json_obj_begin(&w);
    json_key_str(&w, str_of(member), text);
    json_obj_end(&w);
    return body;
}

void fleet_put_list(struct json_writer *w, const char *member, const char *const *items,
                    size_t count)
{
    if (count == 0)
        return;
    json_key(w, str_of(member));
    json_arr_begin(w);
    for (size_t i = 0; i < count; i++)
        json_str(w, str_of(items[i]));
    json_arr_end(w);
}

struct str fleet_word(struct arena *a, const struct json_value *object, const char *member,
                      const char *prefix)
{
    struct str name = fleet_text(object, member);
    char *word;

    if (str_starts_with(name, str_of(prefix)))
        name = str_skip(name, strlen(prefix));
    if (str_eq(name, STR("UNSPECIFIED")))
        return STR("");
    word = arena_cstr(a, name);
    for (char *p = word; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return str_make(word, name.len);
}

bool fleet_is_true(const struct json_value *object, const char *member)
{
    const struct json_value *v = json_find(object, str_of(member));

    return v && v->kind == JSON_KIND_BOOL && v->boolean;
}

struct str fleet_text(const struct json_value *object, const char *member)
{
    const struct json_value *v = json_find(object, str_of(member));

    if (!v || (v->kind != JSON_KIND_STRING && v->kind != JSON_KIND_NUMBER))
        return STR("");
    return v->text;
}

const struct json_value *fleet_list(struct arena *a, const struct json_value *object,
                                    const char *member)
{
    const struct json_value *v = json_find(object, str_of(member));

    return v && v->kind == JSON_KIND_ARRAY ? v : json_new_array(a);
}

enum exit_code fleet_print_text(struct cli *cli, struct str text)
{
    struct buf out;

    buf_init_arena(&out, cli->arena, text.len + 1);
    buf_put_str(&out, text);
    if (text.len > 0 && text.p[text.len - 1] != '\n')
        buf_put_byte(&out, '\n');
    for (size_t i = 0; i < out.len; i++) {
        uint8_t c = out.data[i];

        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
            out.data[i] = '?';
    }
    return cli_print(cli, buf_str(&out));
}
