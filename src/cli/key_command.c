/* SPDX-License-Identifier: Apache-2.0 */
/* muster key create, list, revoke. */
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

static enum exit_code run_create(struct cli *cli, const struct cli_command *self, int argc,
                                 char *const *argv)
{
    static const struct args_flag own[] = {
        {"label", ARGS_VALUE, "TEXT", "What the key is for; shown in lists."},
        {"role", ARGS_VALUE, "admin|editor|viewer|agent",
         "What the key may do; viewer when not given."},
        {"tenant", ARGS_VALUE, "NAME", "Whose key it is; the caller's own tenant when not given."},
        {"expires", ARGS_VALUE, "TIME",
         "When it ends: 2027-01-31T00:00:00Z, or 90d, 12h from now. Never, when not given."},
        {"scope", ARGS_LIST, "SCOPE", "Narrows the role to this right, such as collectors:read."},
        OUTPUT_FLAG,
    };
    static const struct output_column shown[] = {
        {"token", "token"},   {"id", "id"},           {"secret", "secret"},
        {"tenant", "tenant"}, {"label", "label"},     {"role", "role"},
        {"scopes", "scopes"}, {"created", "created"}, {"expires", "expires"},
    };
    struct args args;
    enum exit_code code;
    size_t count;
    const struct args_flag *flags = client_flags_with(cli->arena, own, COUNTOF(own), &count);
    struct buf body;
    bool json;
    struct json_value *answer;

    if (!cli_args(cli, self, flags, count, 0, 0, argc, argv, &args, &code) ||
        !output_is_json(cli, &args, &json, &code))
        return code;
    buf_init_arena(&body, cli->arena, 1 << 20);
    if (!make_create(cli, &args, &body, &code))
        return code;

    struct client *client = client_new(cli, &args, &code);

    if (!client)
        return code;
    code = client_call(client, "POST", STR("/admin/v1/keys"), buf_str(&body), &answer);
    client_free(&client);
    if (code != EXIT_CODE_OK)
        return code;
    return output_made(cli, json, shown, COUNTOF(shown), answer);
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

static enum exit_code run_list(struct cli *cli, const struct cli_command *self, int argc,
                               char *const *argv)
{
    static const struct args_flag own[] = {
        {"tenant", ARGS_VALUE, "NAME", "Whose keys; the caller's own tenant when not given."},
        OUTPUT_FLAG,
    };
    struct args args;
    enum exit_code code;
    size_t count;
    const struct args_flag *flags = client_flags_with(cli->arena, own, COUNTOF(own), &count);
    struct buf path;
    bool json;

    if (!cli_args(cli, self, flags, count, 0, 0, argc, argv, &args, &code) ||
        !output_is_json(cli, &args, &json, &code))
        return code;

    struct client *client = client_new(cli, &args, &code);
    struct json_value *keys = json_new_array(cli->arena);

    if (!client)
        return code;
    buf_init_arena(&path, cli->arena, PATH_MAX_BYTES);
    buf_put_str(&path, STR("/admin/v1/keys"));
    put_tenant(&path, &args);
    code = client_list(client, buf_str(&path), "keys", keys);
    client_free(&client);
    if (code != EXIT_CODE_OK)
        return code;
    if (!json) {
        shorten_scopes(cli, keys);
        return output_table(cli, columns, COUNTOF(columns), keys);
    }

    struct json_value *all = json_new_object(cli->arena);

    json_set(all, STR("keys"), keys);
    return output_json(cli, all);
}

static enum exit_code run_revoke(struct cli *cli, const struct cli_command *self, int argc,
                                 char *const *argv)
{
    static const struct args_flag own[] = {
        {"tenant", ARGS_VALUE, "NAME", "Whose key; the caller's own tenant when not given."},
        OUTPUT_FLAG,
    };
    struct args args;
    enum exit_code code;
    size_t count;
    const struct args_flag *flags = client_flags_with(cli->arena, own, COUNTOF(own), &count);
    struct buf path;
    bool json;
    struct json_value *answer;

    if (!cli_args(cli, self, flags, count, 1, 1, argc, argv, &args, &code) ||
        !output_is_json(cli, &args, &json, &code))
        return code;
    buf_init_arena(&path, cli->arena, PATH_MAX_BYTES);
    buf_put_str(&path, STR("/admin/v1/keys/"));
    url_put_encoded(&path, str_of(args.operands[0]));
    put_tenant(&path, &args);
    if (path.overflow || args.operands[0][0] == '\0')
        return cli_fail(cli, EXIT_CODE_USAGE, "that is not a key's id");

    struct client *client = client_new(cli, &args, &code);

    if (!client)
        return code;
    code = client_call(client, "DELETE", buf_str(&path), STR(""), &answer);
    client_free(&client);
    if (code != EXIT_CODE_OK)
        return code;
    if (json)
        return output_json(cli, answer ? answer : json_new_object(cli->arena));
    return cli_print(cli, arena_printf(cli->arena, "key %s is revoked\n", args.operands[0]));
}

const struct cli_command key_commands[KEY_COMMAND_COUNT] = {
    {.name = "create",
     .usage = "[flags]",
     .text = "Creates a key and prints its token, which is shown only this once.",
     .run = run_create},
    {.name = "list",
     .usage = "[flags]",
     .text = "Lists keys, without their secrets.",
     .run = run_list},
    {.name = "revoke",
     .usage = "ID [flags]",
     .text = "Ends a key at once; requests with it are refused from then on.",
     .run = run_revoke},
};
