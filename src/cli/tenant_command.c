/* SPDX-License-Identifier: Apache-2.0 */
/* muster tenant create, list, delete. */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/output.h"

#include "codec/json_writer.h"
#include "codec/url.h"

static const struct args_flag own_flags[] = {OUTPUT_FLAG};

static const struct output_column columns[] = {
    {"NAME", "name"},
    {"ID", "id"},
    {"CREATED", "created"},
};

/* What the three commands share: arguments in, one call, the answer out. */
static enum exit_code call(struct cli *cli, const struct args *args, const char *method,
                           struct str path, struct str body, struct json_value **answer)
{
    enum exit_code code;
    struct client *client = client_new(cli, args, &code);

    if (!client)
        return code;
    code = client_call(client, method, path, body, answer);
    client_free(&client);
    return code;
}

static bool parse(struct cli *cli, const struct cli_command *self, size_t operands, int argc,
                  char *const *argv, struct args *args, bool *json, enum exit_code *code)
{
    size_t count;
    const struct args_flag *flags =
        client_flags_with(cli->arena, own_flags, COUNTOF(own_flags), &count);

    return cli_args(cli, self, flags, count, operands, operands, argc, argv, args, code) &&
           output_is_json(cli, args, json, code);
}

static enum exit_code run_create(struct cli *cli, const struct cli_command *self, int argc,
                                 char *const *argv)
{
    struct args args;
    enum exit_code code;
    bool json;
    struct json_writer w;
    struct buf body;
    struct json_value *answer = NULL;

    if (!parse(cli, self, 1, argc, argv, &args, &json, &code))
        return code;
    buf_init_arena(&body, cli->arena, 1 << 20);
    json_writer_init(&w, &body);
    json_obj_begin(&w);
    json_key_str(&w, STR("name"), str_of(args.operands[0]));
    json_obj_end(&w);
    code = call(cli, &args, "POST", STR("/admin/v1/tenants"), buf_str(&body), &answer);
    if (code != EXIT_CODE_OK)
        return code;
    return output_made(cli, json, columns, COUNTOF(columns), answer);
}

static enum exit_code run_list(struct cli *cli, const struct cli_command *self, int argc,
                               char *const *argv)
{
    struct args args;
    enum exit_code code;
    bool json;

    if (!parse(cli, self, 0, argc, argv, &args, &json, &code))
        return code;

    struct client *client = client_new(cli, &args, &code);
    struct json_value *tenants = json_new_array(cli->arena);

    if (!client)
        return code;
    code = client_list(client, STR("/admin/v1/tenants"), "tenants", tenants);
    client_free(&client);
    if (code != EXIT_CODE_OK)
        return code;
    if (!json)
        return output_table(cli, columns, COUNTOF(columns), tenants);

    struct json_value *all = json_new_object(cli->arena);

    json_set(all, STR("tenants"), tenants);
    return output_json(cli, all);
}

static enum exit_code run_delete(struct cli *cli, const struct cli_command *self, int argc,
                                 char *const *argv)
{
    struct args args;
    enum exit_code code;
    bool json;
    struct buf path;
    struct json_value *answer = NULL;

    if (!parse(cli, self, 1, argc, argv, &args, &json, &code))
        return code;
    buf_init_arena(&path, cli->arena, 8192);
    buf_put_str(&path, STR("/admin/v1/tenants/"));
    url_put_encoded(&path, str_of(args.operands[0]));
    if (path.overflow || args.operands[0][0] == '\0')
        return cli_fail(cli, EXIT_CODE_USAGE, "that is not a tenant's name");
    code = call(cli, &args, "DELETE", buf_str(&path), STR(""), &answer);
    if (code != EXIT_CODE_OK)
        return code;
    if (json) {
        struct json_value *gone = json_new_object(cli->arena);

        json_set(gone, STR("name"), json_new_str(cli->arena, str_of(args.operands[0])));
        json_set(gone, STR("deleted"), json_new_bool(cli->arena, true));
        return output_json(cli, gone);
    }
    return cli_print(cli, arena_printf(cli->arena, "tenant %s is deleted\n", args.operands[0]));
}

const struct cli_command tenant_commands[TENANT_COMMAND_COUNT] = {
    {.name = "create", .usage = "NAME [flags]", .text = "Creates a tenant.", .run = run_create},
    {.name = "list", .usage = "[flags]", .text = "Lists tenants.", .run = run_list},
    {.name = "delete",
     .usage = "NAME [flags]",
     .text = "Deletes a tenant with everything that belongs to it, for good.",
     .run = run_delete},
};
