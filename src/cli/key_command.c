/* SPDX-License-Identifier: Apache-2.0 */
/* muster key create, list, revoke. */
#include "cli/ask.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/expiry.h"
#include "cli/output.h"

#include "base/caller.h"
#include "codec/json_writer.h"
#include "codec/url.h"

#define PATH_MAX_BYTES ((size_t)8192)

static const struct output_column columns[] = {
    {"ID", "id"},           {"TENANT", "tenant"},       {"LABEL", "label"},
    {"ROLE", "role"},       {"SCOPES", "scopes"},       {"CREATED", "created"},
    {"EXPIRES", "expires"}, {"LAST USED", "last_used"}, {"REVOKED", "revoked"},
};

/* As the query, when --tenant was given. */
static void put_tenant(struct buf *path, const struct args *args)
{
    const char *tenant = args_find(args, "tenant");

    if (!tenant)
        return;
    buf_put_str(path, STR("?tenant="));
    url_put_encoded(path, str_of(tenant));
}

static bool check_role(struct cli *cli, const char *role, enum exit_code *code)
{
    enum role parsed;

    if (!role || role_parse(str_of(role), &parsed) == 0)
        return true;
    *code = cli_fail(cli, EXIT_CODE_USAGE, "--role is %s, %s, %s or %s, not \"%.64s\"",
                     role_name(ROLE_ADMIN), role_name(ROLE_EDITOR), role_name(ROLE_VIEWER),
                     role_name(ROLE_AGENT), role);
    return false;
}

/* The request of key create. False: *code is how to end. */
static bool make_create(struct cli *cli, const struct args *args, struct buf *body,
                        enum exit_code *code)
{
    static const char *const texts[] = {"tenant", "label", "role"};
    const char *expires = args_find(args, "expires");
    struct json_writer w;
    struct fail f;
    size_t count;
    const char **scopes = args_list(cli->arena, args, "scope", &count);

    if (!check_role(cli, args_find(args, "role"), code))
        return false;

    json_writer_init(&w, body);
    json_obj_begin(&w);
    for (size_t i = 0; i < COUNTOF(texts); i++) {
        const char *value = args_find(args, texts[i]);

        if (value)
            json_key_str(&w, str_of(texts[i]), str_of(value));
    }
    if (count > 0) {
        json_key(&w, STR("scopes"));
        json_arr_begin(&w);
        for (size_t i = 0; i < count; i++)
            json_str(&w, str_of(scopes[i]));
        json_arr_end(&w);
    }
    if (expires) {
        struct str at;

        if (expiry_parse(cli->arena, str_of(expires), clock_wall_us(cli->clock), &at, &f) < 0) {
            *code = cli_fail(cli, EXIT_CODE_USAGE, "--expires: %s", f.message);
            return false;
        }
        json_key_str(&w, STR("expires"), at);
    }
    json_obj_end(&w);
    return true;
}

static const struct args_flag create_flags[] = {
    {"label", ARGS_VALUE, "TEXT", "What the key is for; shown in lists."},
    {"role", ARGS_VALUE, "admin|editor|viewer|agent",
     "What the key may do; viewer when not given."},
    {"tenant", ARGS_VALUE, "NAME", "Whose key it is; the caller's own tenant when not given."},
    {"expires", ARGS_VALUE, "TIME",
     "When it ends: 2027-01-31T00:00:00Z, or 90d, 12h from now. Never, when not given."},
    {"scope", ARGS_LIST, "SCOPE", "Narrows the role to this right, such as collectors:read."},
    OUTPUT_FLAG,
};

static enum exit_code run_create(struct ask *ask)
{
    static const struct output_column shown[] = {
        {"token", "token"},   {"id", "id"},           {"secret", "secret"},
        {"tenant", "tenant"}, {"label", "label"},     {"role", "role"},
        {"scopes", "scopes"}, {"created", "created"}, {"expires", "expires"},
    };
    struct cli *cli = ask->cli;
    enum exit_code code;
    struct buf body;
    struct json_value *answer = NULL;

    buf_init_arena(&body, cli->arena, 1 << 20);
    if (!make_create(cli, &ask->args, &body, &code))
        return code;
    code = ask_open_own(ask);
    if (code == EXIT_CODE_OK)
        code = client_call(ask->client, "POST", STR("/admin/v1/keys"), buf_str(&body), &answer);
    if (code != EXIT_CODE_OK)
        return code;
    return output_made(cli, ask->json, shown, COUNTOF(shown), answer);
}

/* A key that may do all that its role allows says so in one word; the list would be too wide. */
static void shorten_scopes(struct cli *cli, const struct json_value *keys)
{
    for (struct json_value *key = keys->first; key; key = key->next) {
        struct json_value *list = json_find(key, STR("scopes"));
        const struct json_value *name = json_find(key, STR("role"));
        const struct json_value *tenant = json_find(key, STR("tenant"));
        uint32_t scopes = 0, all, scope;
        enum role role;

        if (!list || !name || role_parse(name->text, &role) < 0)
            continue;
        for (const struct json_value *item = list->first; item; item = item->next) {
            if (scope_parse(item->text, &scope) == 0)
                scopes |= scope;
        }
        all = role_scopes(role);
        if (tenant && !str_eq(tenant->text, STR("default")))
            all &= ~SCOPES_OPERATOR;
        if (scopes == all)
            json_set(key, STR("scopes"), json_new_str(cli->arena, STR("all of the role")));
    }
}

static const struct args_flag list_flags[] = {
    {"tenant", ARGS_VALUE, "NAME", "Whose keys; the caller's own tenant when not given."},
    OUTPUT_FLAG,
};

static enum exit_code run_list(struct ask *ask)
{
    struct cli *cli = ask->cli;
    struct json_value *keys = json_new_array(cli->arena);
    enum exit_code code = ask_open_own(ask);
    struct buf path;

    if (code != EXIT_CODE_OK)
        return code;
    buf_init_arena(&path, cli->arena, PATH_MAX_BYTES);
    buf_put_str(&path, STR("/admin/v1/keys"));
    put_tenant(&path, &ask->args);
    code = client_list(ask->client, buf_str(&path), "keys", keys);
    if (code != EXIT_CODE_OK)
        return code;
    if (!ask->json)
        shorten_scopes(cli, keys);
    return output_list(cli, ask->json, columns, COUNTOF(columns), "keys", keys);
}

static const struct args_flag revoke_flags[] = {
    {"tenant", ARGS_VALUE, "NAME", "Whose key; the caller's own tenant when not given."},
    OUTPUT_FLAG,
};

static enum exit_code run_revoke(struct ask *ask)
{
    struct cli *cli = ask->cli;
    const char *id = ask->args.operands[0];
    struct json_value *answer = NULL;
    enum exit_code code;
    struct buf path;

    buf_init_arena(&path, cli->arena, PATH_MAX_BYTES);
    buf_put_str(&path, STR("/admin/v1/keys/"));
    url_put_encoded(&path, str_of(id));
    put_tenant(&path, &ask->args);
    if (path.overflow || id[0] == '\0')
        return cli_fail(cli, EXIT_CODE_USAGE, "that is not a key's id");
    code = ask_open_own(ask);
    if (code == EXIT_CODE_OK)
        code = client_call(ask->client, "DELETE", buf_str(&path), STR(""), &answer);
    if (code != EXIT_CODE_OK)
        return code;
    if (ask->json)
        return output_json(cli, answer ? answer : json_new_object(cli->arena));
    return cli_print(cli, arena_printf(cli->arena, "key %s is revoked\n", id));
}

const struct cli_command key_commands[KEY_COMMAND_COUNT] = {
    {.name = "create",
     .usage = "[flags]",
     .text = "Creates a key and prints its token, which is shown only this once.",
     .ask = ASK(run_create, create_flags, 0, 0)},
    {.name = "list",
     .usage = "[flags]",
     .text = "Lists keys, without their secrets.",
     .ask = ASK(run_list, list_flags, 0, 0)},
    {.name = "revoke",
     .usage = "ID [flags]",
     .text = "Ends a key at once; requests with it are refused from then on.",
     .ask = ASK(run_revoke, revoke_flags, 1, 1)},
};
