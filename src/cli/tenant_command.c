/* SPDX-License-Identifier: Apache-2.0 */
/* muster tenant create, list, delete. */
#include "cli/ask.h"
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

static enum exit_code run_create(struct ask *ask)
{
    struct cli *cli = ask->cli;
    struct json_value *answer = NULL;
    struct json_writer w;
    struct buf body;
    enum exit_code code;

    buf_init_arena(&body, cli->arena, 1 << 20);
    json_writer_init(&w, &body);
    json_obj_begin(&w);
    json_key_str(&w, STR("name"), str_of(ask->args.operands[0]));
    json_obj_end(&w);
    code = ask_open_own(ask);
    if (code == EXIT_CODE_OK)
        code = client_call(ask->client, "POST", STR("/admin/v1/tenants"), buf_str(&body), &answer);
    if (code != EXIT_CODE_OK)
        return code;
    return output_made(cli, ask->json, columns, COUNTOF(columns), answer);
}

static enum exit_code run_list(struct ask *ask)
{
    struct cli *cli = ask->cli;
    struct json_value *tenants = json_new_array(cli->arena);
    enum exit_code code = ask_open_own(ask);

    if (code == EXIT_CODE_OK)
        code = client_list(ask->client, STR("/admin/v1/tenants"), "tenants", tenants);
    if (code != EXIT_CODE_OK)
        return code;
    return output_list(cli, ask->json, columns, COUNTOF(columns), "tenants", tenants);
}

static enum exit_code run_delete(struct ask *ask)
{
    struct cli *cli = ask->cli;
    const char *name = ask->args.operands[0];
    struct json_value *answer = NULL, *gone = json_new_object(cli->arena);
    enum exit_code code;
    struct buf path;

    buf_init_arena(&path, cli->arena, 8192);
    buf_put_str(&path, STR("/admin/v1/tenants/"));
    url_put_encoded(&path, str_of(name));
    if (path.overflow || name[0] == '\0')
        return cli_fail(cli, EXIT_CODE_USAGE, "that is not a tenant's name");
    code = ask_open_own(ask);
    if (code == EXIT_CODE_OK)
        code = client_call(ask->client, "DELETE", buf_str(&path), STR(""), &answer);
    if (code != EXIT_CODE_OK)
        return code;
    if (!ask->json)
        return cli_print(cli, arena_printf(cli->arena, "tenant %s is deleted\n", name));
    json_set(gone, STR("name"), json_new_str(cli->arena, str_of(name)));
    json_set(gone, STR("deleted"), json_new_bool(cli->arena, true));
    return output_json(cli, gone);
}

const struct cli_command tenant_commands[TENANT_COMMAND_COUNT] = {
    {.name = "create",
     .usage = "NAME [flags]",
     .text = "Creates a tenant.",
     .ask = ASK(run_create, own_flags, 1, 1)},
    {.name = "list",
     .usage = "[flags]",
     .text = "Lists tenants.",
     .ask = ASK(run_list, own_flags, 0, 0)},
    {.name = "delete",
     .usage = "NAME [flags]",
     .text = "Deletes a tenant with everything that belongs to it, for good.",
     .ask = ASK(run_delete, own_flags, 1, 1)},
};
