/* SPDX-License-Identifier: Apache-2.0 */
/* muster token create, list, show, activate, deactivate, delete: installation tokens, with which
 * collectors register themselves. */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/fleet.h"
#include "cli/output.h"

#include "codec/base64.h"
#include "codec/json_writer.h"

#define ROOT      "/api/v1/tokens"
#define BODY_MAX_ ((size_t)64 << 10)

static const struct output_column columns[] = {
    {"ID", "id"},
    {"NAME", "name"},
    {"STATUS", "status"},
    {"VERSION", "version"},
    {"CREATED", "createdAt"},
    {"MODIFIED", "modifiedAt"},
    {"BY", "modifiedBy"},
    {"DESCRIPTION", "description"},
};

static const struct output_column shown[] = {
    {"installation_token", "encodedTokenAndUrl"},
    {"token", "token"},
    {"id", "id"},
    {"name", "name"},
    {"description", "description"},
    {"status", "status"},
    {"version", "version"},
    {"created", "createdAt"},
    {"created_by", "createdBy"},
    {"modified", "modifiedAt"},
    {"modified_by", "modifiedBy"},
};

#define URL_FLAG                                                                                   \
    {                                                                                              \
        "url", ARGS_VALUE, "URL",                                                                  \
            "What the installation token says of this server; sumologic.public_url, or the "       \
            "address "                                                                             \
            "that was asked, when not given. Collectors go by their own settings."                 \
    }

/* The flags of a command that takes one token's name. */
struct ask {
    struct args args;
    struct client *client;
    bool json;
};

static bool begin(struct cli *cli, const struct cli_command *self, const struct args_flag *own,
                  size_t own_count, size_t operands, int argc, char *const *argv, struct ask *out,
                  enum exit_code *code)
{
    size_t count;
    const struct args_flag *flags = client_flags_with(cli->arena, own, own_count, &count);

    if (!cli_args(cli, self, flags, count, operands, operands, argc, argv, &out->args, code) ||
        !output_is_json(cli, &out->args, &out->json, code))
        return false;
    if (operands > 0 && out->args.operands[0][0] == '\0') {
        *code = cli_fail(cli, EXIT_CODE_USAGE, "that is no token's name");
        return false;
    }
    out->client = client_new(cli, &out->args, code);
    return out->client != NULL;
}

static enum exit_code load_all(struct cli *cli, struct client *client,
                               const struct json_value **out)
{
    struct json_value *answer = NULL;
    struct fail f;
    enum exit_code code = client_call(client, "GET", STR(ROOT), STR(""), &answer);

    if (code == EXIT_CODE_OK && json_get_array(answer, "data", out, &f) != 1)
        return cli_fail(cli, EXIT_CODE_FAILURE, "the server's answer is no list of tokens");
    return code;
}

/* By name, else by id. */
static enum exit_code find(struct cli *cli, struct client *client, const char *which,
                           const struct json_value **out)
{
    static const char *const keys[] = {"name", "id"};
    const struct json_value *all = NULL;
    enum exit_code code = load_all(cli, client, &all);

    if (code != EXIT_CODE_OK)
        return code;
    for (size_t k = 0; k < COUNTOF(keys); k++) {
        json_foreach (token, all) {
            if (str_eq(fleet_text(token, keys[k]), str_of(which))) {
                *out = token;
                return EXIT_CODE_OK;
            }
        }
    }
    return cli_fail(cli, EXIT_CODE_NOT_FOUND, "there is no installation token \"%s\"", which);
}

static struct str path_of(struct cli *cli, const struct json_value *token)
{
    return arena_printf(cli->arena, ROOT "/%.*s", STR_ARG(fleet_text(token, "id")));
}

/* With --url the text is made anew. */
static enum exit_code print_one(struct cli *cli, const struct ask *ask, struct json_value *token)
{
    const char *url = args_find(&ask->args, "url");

    if (token && url) {
        struct str both =
            arena_printf(cli->arena, "%.*s%s", STR_ARG(fleet_text(token, "token")), url);

        json_set(token, STR("encodedTokenAndUrl"),
                 json_new_str(cli->arena, base64_encode(cli->arena, BASE64_STD, both)));
    }
    return output_made(cli, ask->json, shown, COUNTOF(shown), token);
}

static enum exit_code run_create(struct cli *cli, const struct cli_command *self, int argc,
                                 char *const *argv)
{
    static const struct args_flag own[] = {
        {"description", ARGS_VALUE, "TEXT", "What the token is for."},
        {"inactive", ARGS_SWITCH, NULL, "Nobody can register with it until it is activated."},
        URL_FLAG,
        OUTPUT_FLAG,
    };
    struct json_value *answer = NULL;
    struct json_writer w;
    struct ask ask = {0};
    enum exit_code code;
    struct buf body;

    if (!begin(cli, self, own, COUNTOF(own), 1, argc, argv, &ask, &code))
        return code;

    const char *description = args_find(&ask.args, "description");

    buf_init_arena(&body, cli->arena, BODY_MAX_);
    json_writer_init(&w, &body);
    json_obj_begin(&w);
    json_key_str(&w, STR("type"), STR("CollectorRegistration"));
    json_key_str(&w, STR("name"), str_of(ask.args.operands[0]));
    if (description)
        json_key_str(&w, STR("description"), str_of(description));
    json_key_str(&w, STR("status"),
                 args_is_on(&ask.args, "inactive") ? STR("Inactive") : STR("Active"));
    json_obj_end(&w);
    code = client_call(ask.client, "POST", STR(ROOT), buf_str(&body), &answer);
    client_free(&ask.client);
    return code == EXIT_CODE_OK ? print_one(cli, &ask, answer) : code;
}

static enum exit_code run_list(struct cli *cli, const struct cli_command *self, int argc,
                               char *const *argv)
{
    static const struct args_flag own[] = {OUTPUT_FLAG};
    const struct json_value *all = NULL;
    struct ask ask = {0};
    enum exit_code code;

    if (!begin(cli, self, own, COUNTOF(own), 0, argc, argv, &ask, &code))
        return code;
    code = load_all(cli, ask.client, &all);
    client_free(&ask.client);
    if (code != EXIT_CODE_OK)
        return code;
    if (!ask.json)
        return output_table(cli, columns, COUNTOF(columns), all);

    struct json_value *root = json_new_object(cli->arena);
    struct json_value *list = arena_new_type(cli->arena, struct json_value);

    *list = *all;
    json_set(root, STR("tokens"), list);
    return output_json(cli, root);
}

static enum exit_code run_show(struct cli *cli, const struct cli_command *self, int argc,
                               char *const *argv)
{
    static const struct args_flag own[] = {URL_FLAG, OUTPUT_FLAG};
    const struct json_value *token = NULL;
    struct json_value *answer = NULL;
    struct ask ask = {0};
    enum exit_code code;

    if (!begin(cli, self, own, COUNTOF(own), 1, argc, argv, &ask, &code))
        return code;
    code = find(cli, ask.client, ask.args.operands[0], &token);
    if (code == EXIT_CODE_OK)
        code = client_call(ask.client, "GET", path_of(cli, token), STR(""), &answer);
    client_free(&ask.client);
    return code == EXIT_CODE_OK ? print_one(cli, &ask, answer) : code;
}

/* Counts only while the token is as it was found. */
static enum exit_code put_status(struct cli *cli, struct client *client, const char *which,
                                 const char *status, struct json_value **answer)
{
    static const char *const kept[] = {"name", "description", "version"};
    const struct json_value *token = NULL;
    enum exit_code code = find(cli, client, which, &token);
    struct json_writer w;
    struct buf body;

    if (code != EXIT_CODE_OK)
        return code;
    buf_init_arena(&body, cli->arena, BODY_MAX_);
    json_writer_init(&w, &body);
    json_obj_begin(&w);
    for (size_t i = 0; i < COUNTOF(kept); i++) {
        const struct json_value *v = json_find(token, str_of(kept[i]));

        if (!v)
            continue;
        json_key(&w, v->key);
        json_put_value(&w, v);
    }
    json_key_str(&w, STR("status"), str_of(status));
    json_obj_end(&w);
    return client_call(client, "PUT", path_of(cli, token), buf_str(&body), answer);
}

static enum exit_code change_status(struct cli *cli, const struct cli_command *self, int argc,
                                    char *const *argv, const char *status, const char *word)
{
    static const struct args_flag own[] = {OUTPUT_FLAG};
    struct json_value *answer = NULL;
    struct ask ask = {0};
    enum exit_code code;

    if (!begin(cli, self, own, COUNTOF(own), 1, argc, argv, &ask, &code))
        return code;
    code = put_status(cli, ask.client, ask.args.operands[0], status, &answer);
    client_free(&ask.client);
    if (code != EXIT_CODE_OK)
        return code;
    if (ask.json)
        return output_json(cli, answer ? answer : json_new_object(cli->arena));
    return fleet_print_text(
        cli, arena_printf(cli->arena, "installation token %s is %s", ask.args.operands[0], word));
}

static enum exit_code run_activate(struct cli *cli, const struct cli_command *self, int argc,
                                   char *const *argv)
{
    return change_status(cli, self, argc, argv, "Active", "active");
}

static enum exit_code run_deactivate(struct cli *cli, const struct cli_command *self, int argc,
                                     char *const *argv)
{
    return change_status(cli, self, argc, argv, "Inactive", "inactive");
}

static enum exit_code run_delete(struct cli *cli, const struct cli_command *self, int argc,
                                 char *const *argv)
{
    static const struct args_flag own[] = {OUTPUT_FLAG};
    const struct json_value *token = NULL;
    struct json_value *answer = NULL;
    struct ask ask = {0};
    enum exit_code code;

    if (!begin(cli, self, own, COUNTOF(own), 1, argc, argv, &ask, &code))
        return code;
    code = find(cli, ask.client, ask.args.operands[0], &token);
    if (code == EXIT_CODE_OK)
        code = client_call(ask.client, "DELETE", path_of(cli, token), STR(""), &answer);
    client_free(&ask.client);
    if (code != EXIT_CODE_OK)
        return code;
    if (ask.json)
        return output_json(cli, json_new_object(cli->arena));
    return fleet_print_text(
        cli, arena_printf(cli->arena, "installation token %s is deleted", ask.args.operands[0]));
}

const struct cli_command token_commands[TOKEN_COMMAND_COUNT] = {
    {.name = "create",
     .usage = "NAME [flags]",
     .text = "Creates an installation token and prints it.",
     .run = run_create},
    {.name = "list",
     .usage = "[flags]",
     .text = "Lists installation tokens, without their secrets but with --output json.",
     .run = run_list},
    {.name = "show",
     .usage = "NAME|ID [flags]",
     .text = "Prints an installation token again.",
     .run = run_show},
    {.name = "activate",
     .usage = "NAME|ID [flags]",
     .text = "Lets collectors register with it again.",
     .run = run_activate},
    {.name = "deactivate",
     .usage = "NAME|ID [flags]",
     .text = "Lets no more collectors register with it; those that did go on.",
     .run = run_deactivate},
    {.name = "delete",
     .usage = "NAME|ID [flags]",
     .text = "Deletes an installation token; collectors that registered with it go on.",
     .run = run_delete},
};
