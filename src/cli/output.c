/* SPDX-License-Identifier: Apache-2.0 */
/* From the server's JSON to what is printed. */
#include "cli/output.h"

#include <assert.h>
#include <string.h>

#include "cli/table.h"
#include "codec/json_writer.h"

#define OUTPUT_MAX ((size_t)256 << 20)

bool output_is_json(struct cli *cli, const struct args *args, bool *json, enum exit_code *code)
{
    const char *value = args_find(args, "output");

    *json = value && strcmp(value, "json") == 0;
    if (!value || *json || strcmp(value, "table") == 0)
        return true;
    *code = cli_fail(cli, EXIT_CODE_USAGE, "--output is table or json, not \"%.64s\"", value);
    return false;
}

enum exit_code output_json(struct cli *cli, const struct json_value *v)
{
    struct json_writer w;
    struct buf out;

    buf_init(&out, OUTPUT_MAX);
    json_writer_init_indented(&w, &out, 2);
    json_put_value(&w, v);
    buf_put_byte(&out, '\n');

    enum exit_code code = cli_print(cli, buf_str(&out));

    buf_done(&out);
    return code;
}

static struct str scalar(const struct json_value *v)
{
    switch (v->kind) {
    case JSON_KIND_STRING:
    case JSON_KIND_NUMBER: return v->text;
    case JSON_KIND_BOOL: return v->boolean ? STR("true") : STR("false");
    case JSON_KIND_NULL:
    case JSON_KIND_ARRAY:
    case JSON_KIND_OBJECT: break;
    }
    return STR("");
}

struct str output_cell(struct arena *a, const struct json_value *object, const char *key)
{
    const struct json_value *v = json_find(object, str_of(key));
    struct buf list;

    if (!v)
        return STR("");
    if (v->kind != JSON_KIND_ARRAY)
        return scalar(v);
    buf_init_arena(&list, a, 65536);
    json_foreach (item, v) {
        if (list.len > 0)
            buf_put_byte(&list, ',');
        buf_put_str(&list, scalar(item));
    }
    return buf_str(&list);
}

static enum exit_code print(struct cli *cli, const struct table *t)
{
    struct buf out;

    buf_init(&out, OUTPUT_MAX);
    table_print(t, &out);

    enum exit_code code = cli_print(cli, buf_str(&out));

    buf_done(&out);
    return code;
}

enum exit_code output_table(struct cli *cli, const struct output_column *columns, size_t count,
                            const struct json_value *rows)
{
    const char *titles[TABLE_COLUMNS_MAX];
    struct str cells[TABLE_COLUMNS_MAX];

    assert(count <= TABLE_COLUMNS_MAX);
    for (size_t i = 0; i < count; i++)
        titles[i] = columns[i].title;

    struct table *t = table_new(cli->arena, titles, count);

    json_foreach (row, rows) {
        for (size_t i = 0; i < count; i++)
            cells[i] = output_cell(cli->arena, row, columns[i].key);
        table_row(t, cells);
    }
    return print(cli, t);
}

static const char *const member_titles[] = {"FIELD", "VALUE"};

enum exit_code output_members(struct cli *cli, const struct json_value *object)
{
    struct table *t = table_new(cli->arena, member_titles, COUNTOF(member_titles));

    json_foreach (member, object) {
        const char *key = arena_cstr(cli->arena, member->key);

        table_row(t, (struct str[]){member->key, output_cell(cli->arena, object, key)});
    }
    return print(cli, t);
}

enum exit_code output_object(struct cli *cli, const struct output_column *columns, size_t count,
                             const struct json_value *object)
{
    struct table *t = table_new(cli->arena, member_titles, COUNTOF(member_titles));

    for (size_t i = 0; i < count; i++)
        table_row(t, (struct str[]){str_of(columns[i].key),
                                    output_cell(cli->arena, object, columns[i].key)});
    return print(cli, t);
}

enum exit_code output_list(struct cli *cli, bool json, const struct output_column *columns,
                           size_t count, const char *member, struct json_value *list)
{
    struct json_value *out = json_new_object(cli->arena);

    if (!json)
        return output_table(cli, columns, count, list);
    json_set(out, str_of(member), list);
    return output_json(cli, out);
}

enum exit_code output_made(struct cli *cli, bool json, const struct output_column *columns,
                           size_t count, const struct json_value *answer)
{
    if (!answer || answer->kind != JSON_KIND_OBJECT)
        return cli_fail(cli, EXIT_CODE_FAILURE,
                        "the server does not tell what it made; is it a Muster server?");
    return json ? output_json(cli, answer) : output_object(cli, columns, count, answer);
}
