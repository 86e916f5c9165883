/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/managed.h"

#include "cli/fleet.h"
#include "codec/json_writer.h"
#include "codec/rfc3339.h"
#include "codec/url.h"

#define PAGE      1000
#define PATH_MAX_ ((size_t)16384)
#define BODY_MAX  ((size_t)4 << 20)

struct str managed_id(const struct json_value *members)
{
    return fleet_text(members, "id");
}

enum exit_code managed_inner(struct cli *cli, const struct json_value *answer, const char *kind,
                             struct json_value **out)
{
    struct json_value *inner = json_find(answer, str_of(kind));

    if (!inner || inner->kind != JSON_KIND_OBJECT)
        return cli_fail(cli, EXIT_CODE_FAILURE, "the server's answer tells of no %s", kind);
    *out = inner;
    return EXIT_CODE_OK;
}

static enum exit_code get(struct cli *cli, struct client *c, struct str path, const char *kind,
                          struct managed *out)
{
    struct json_value *answer = NULL;
    struct str tag = STR("");
    enum exit_code code = client_get_tagged(c, path, &tag, &answer);

    if (code != EXIT_CODE_OK)
        return code;
    *out = (struct managed){.path = path, .tag = tag};
    return managed_inner(cli, answer, kind, &out->members);
}

static bool is_number(struct str s)
{
    uint64_t n;

    return str_to_u64(s, &n) == 0 && n > 0;
}

static struct str name_path(struct cli *cli, struct str name)
{
    struct buf out;

    buf_init_arena(&out, cli->arena, PATH_MAX_);
    buf_put_str(&out, STR(MANAGED_ROOT "/name/"));
    url_put_encoded(&out, name);
    return buf_str(&out);
}

/* What is a number may be a name too, of another collector: neither is meant for sure. */
static enum exit_code by_number(struct cli *cli, struct client *c, const char *which,
                                struct managed *out)
{
    struct managed named = {0};
    enum exit_code code =
        get(cli, c, arena_printf(cli->arena, MANAGED_ROOT "/%s", which), "collector", out);

    if (code != EXIT_CODE_OK)
        return code;
    code = get(cli, c, name_path(cli, str_of(which)), "collector", &named);
    if (code == EXIT_CODE_NOT_FOUND ||
        (code == EXIT_CODE_OK && str_eq(managed_id(named.members), managed_id(out->members))))
        return EXIT_CODE_OK;
    if (code != EXIT_CODE_OK)
        return code;
    return cli_fail(cli, EXIT_CODE_USAGE,
                    "%s is the number of the collector \"%.*s\" and the name of number %.*s; say "
                    "which by its name or number",
                    which, STR_ARG(fleet_text(out->members, "name")),
                    STR_ARG(managed_id(named.members)));
}

enum exit_code managed_collector(struct cli *cli, struct client *c, const char *which,
                                 struct managed *out)
{
    enum exit_code code = EXIT_CODE_NOT_FOUND;
    struct str name = str_of(which);

    if (name.len == 0)
        return cli_fail(cli, EXIT_CODE_USAGE, "that is no collector's name");
    if (is_number(name))
        code = by_number(cli, c, which, out);
    if (code == EXIT_CODE_NOT_FOUND)
        code = get(cli, c, name_path(cli, name), "collector", out);
    if (code == EXIT_CODE_NOT_FOUND)
        return cli_fail(cli, code, "there is no collector \"%s\"", which);
    if (code == EXIT_CODE_OK)
        out->path =
            arena_printf(cli->arena, MANAGED_ROOT "/%.*s", STR_ARG(managed_id(out->members)));
    return code;
}

enum exit_code managed_open(struct ask *ask, struct managed *collector)
{
    enum exit_code code = ask_open(ask);

    if (code != EXIT_CODE_OK)
        return code;
    return managed_collector(ask->cli, ask->client, ask->args.operands[0], collector);
}

typedef enum exit_code (*ask_fn)(struct client *c, const char *method, struct str path,
                                 struct str body, struct json_value **answer);

static enum exit_code load_pages(struct cli *cli, struct client *c, ask_fn ask, struct str path,
                                 const char *member, struct json_value *list)
{
    char mark = str_index(path, '?') < 0 ? '?' : '&';

    for (size_t offset = 0;; offset += PAGE) {
        struct json_value *answer = NULL;
        const struct json_value *page = NULL;
        struct fail f;
        struct str at = arena_printf(cli->arena, "%.*s%climit=%d&offset=%zu", STR_ARG(path), mark,
                                     PAGE, offset);
        enum exit_code code = ask(c, "GET", at, STR(""), &answer);

        if (code != EXIT_CODE_OK)
            return code;
        if (!answer || json_get_array(answer, member, &page, &f) != 1)
            return cli_fail(cli, EXIT_CODE_FAILURE, "the server's answer is no list of %s", member);

        client_move_items(page, list);
        if (page->count < PAGE)
            return EXIT_CODE_OK;
    }
}

enum exit_code managed_list(struct cli *cli, struct client *c, struct str path, const char *member,
                            struct json_value *list)
{
    return load_pages(cli, c, client_call, path, member, list);
}

enum exit_code managed_ask_list(struct cli *cli, struct client *c, struct str path,
                                const char *member, struct json_value *list)
{
    return load_pages(cli, c, client_ask, path, member, list);
}

enum exit_code managed_source(struct cli *cli, struct client *c, const struct managed *collector,
                              struct str which, bool *found, struct managed *out)
{
    struct str sources = arena_printf(cli->arena, "%.*s/sources", STR_ARG(collector->path));
    struct json_value *list = json_new_array(cli->arena);
    enum exit_code code = managed_list(cli, c, sources, "sources", list);

    *found = false;
    if (code != EXIT_CODE_OK)
        return code;
    json_foreach (source, list) {
        struct str id = managed_id(source);

        if (!str_eq(fleet_text(source, "name"), which) && !str_eq(id, which))
            continue;
        code = get(cli, c, arena_printf(cli->arena, "%.*s/%.*s", STR_ARG(sources), STR_ARG(id)),
                   "source", out);
        *found = code == EXIT_CODE_OK;
        return code == EXIT_CODE_NOT_FOUND ? EXIT_CODE_OK : code;
    }
    return EXIT_CODE_OK;
}

struct str managed_body(struct cli *cli, const char *kind, const struct json_value *members)
{
    struct json_writer w;
    struct buf out;

    buf_init_arena(&out, cli->arena, BODY_MAX);
    json_writer_init(&w, &out);
    json_obj_begin(&w);
    json_key(&w, str_of(kind));
    json_put_value(&w, members);
    json_obj_end(&w);
    return buf_str(&out);
}

enum exit_code managed_replace(struct cli *cli, struct client *c, const struct managed *entity,
                               const char *kind, struct json_value **out)
{
    struct json_value *answer = NULL;
    enum exit_code code = client_put_tagged(c, entity->path, entity->tag,
                                            managed_body(cli, kind, entity->members), &answer);

    return code == EXIT_CODE_OK ? managed_inner(cli, answer, kind, out) : code;
}

void managed_show_time(struct cli *cli, struct json_value *members, const char *member)
{
    struct json_value *v = json_find(members, str_of(member));
    int64_t ms = 0, us = 0;

    if (!v || v->kind != JSON_KIND_NUMBER || json_num_i64(v->text, &ms) < 0 ||
        __builtin_mul_overflow(ms, 1000, &us))
        return;
    v->kind = JSON_KIND_STRING;
    v->text = ms == 0 ? STR("") : rfc3339_us(cli->arena, us, RFC3339_MILLIS);
}
