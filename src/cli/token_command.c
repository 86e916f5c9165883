/* SPDX-License-Identifier: Apache-2.0 */
/* muster token create, list, show, activate, deactivate, delete: installation tokens, with which
 * collectors register themselves. */
#include "cli/ask.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/fleet.h"
#include "cli/output.h"

#include "codec/base64.h"
#include "codec/json_writer.h"
#include "codec/url.h"

#define ROOT      "/api/v1/tokens"
#define BODY_MAX_ ((size_t)64 << 10)
#define KEY_CHARS 14 /* of a token; the rest is secret */

static const struct output_column columns[] = {
    {"ID", "id"},
    {"NAME", "name"},
    {"STATUS", "status"},
    {"KEY", "key"},
    {"CREATED", "createdAt"},
    {"BY", "createdBy"},
    {"MODIFIED", "modifiedAt"},
    {"DESCRIPTION", "description"},
};

/* One token, under the names that its reader knows: the first is what a collector is given. */
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
            "What the installation token says of this server; sumologic.public_url, or an "        \
            "address of the server, when not given. Collectors go by their own settings."          \
    }

static const struct args_flag create_flags[] = {
    {"description", ARGS_VALUE, "TEXT", "What the token is for."},
    {"inactive", ARGS_SWITCH, NULL, "Nobody can register with it until it is activated."},
    URL_FLAG,
    TENANT_FLAG,
    OUTPUT_FLAG,
};

static const struct args_flag show_flags[] = {URL_FLAG, TENANT_FLAG, OUTPUT_FLAG};
static const struct args_flag plain_flags[] = {TENANT_FLAG, OUTPUT_FLAG};

/* Opens the client when what was asked for makes sense: a name is one, and --url is a URL. */
static enum exit_code begin(struct ask *ask)
{
    const char *url = args_find(&ask->args, "url");
    struct url parsed;
    struct fail f;

    if (ask->args.operand_count > 0 && ask->args.operands[0][0] == '\0')
        return cli_fail(ask->cli, EXIT_CODE_USAGE, "that is no token's name");
    if (url && url_parse(ask->cli->arena, str_of(url), &parsed, &f) < 0)
        return cli_fail(ask->cli, EXIT_CODE_USAGE, "--url: %s", f.message);
    return ask_open(ask);
}

/* Moves all tokens into a list. */
static enum exit_code load_all(struct cli *cli, struct client *client, struct json_value *list)
{
    struct json_value *answer = NULL;
    const struct json_value *all = NULL;
    struct fail f;
    enum exit_code code = client_call(client, "GET", STR(ROOT), STR(""), &answer);

    if (code == EXIT_CODE_OK && json_get_array(answer, "data", &all, &f) != 1)
        return cli_fail(cli, EXIT_CODE_FAILURE, "the server's answer is no list of tokens");
    if (code == EXIT_CODE_OK)
        client_move_items(all, list);
    return code;
}

/* By name, else by id. */
static enum exit_code find(struct cli *cli, struct client *client, const char *which,
                           const struct json_value **out)
{
    static const char *const keys[] = {"name", "id"};
    struct json_value *all = json_new_array(cli->arena);
    enum exit_code code = load_all(cli, client, all);

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
static enum exit_code print_one(const struct ask *ask, struct json_value *token)
{
    struct cli *cli = ask->cli;
    const char *url = args_find(&ask->args, "url");
    struct json_value *row = json_new_object(cli->arena);

    if (!token || token->kind != JSON_KIND_OBJECT)
        return cli_fail(cli, EXIT_CODE_FAILURE, "the server's answer is no installation token");
    if (url) {
        struct str both =
            arena_printf(cli->arena, "%.*s%s", STR_ARG(fleet_text(token, "token")), url);

        json_set(token, STR("encodedTokenAndUrl"),
                 json_new_str(cli->arena, base64_encode(cli->arena, BASE64_STD, both)));
    }
    if (ask->json)
        return output_json(cli, token);
    for (size_t i = 0; i < COUNTOF(shown); i++)
        json_set(row, str_of(shown[i].title),
                 json_new_str(cli->arena, output_cell(cli->arena, token, shown[i].key)));
    return output_members(cli, row);
}

static enum exit_code run_create(struct ask *ask)
{
    struct cli *cli = ask->cli;
    const char *description = args_find(&ask->args, "description");
    struct json_value *answer = NULL;
    enum exit_code code = begin(ask);
    struct json_writer w;
    struct buf body;

    if (code != EXIT_CODE_OK)
        return code;
    buf_init_arena(&body, cli->arena, BODY_MAX_);
    json_writer_init(&w, &body);
    json_obj_begin(&w);
    json_key_str(&w, STR("type"), STR("CollectorRegistration"));
    json_key_str(&w, STR("name"), str_of(ask->args.operands[0]));
    if (description)
        json_key_str(&w, STR("description"), str_of(description));
    json_key_str(&w, STR("status"),
                 args_is_on(&ask->args, "inactive") ? STR("Inactive") : STR("Active"));
    json_obj_end(&w);
    code = client_call(ask->client, "POST", STR(ROOT), buf_str(&body), &answer);
    return code == EXIT_CODE_OK ? print_one(ask, answer) : code;
}

static enum exit_code run_list(struct ask *ask)
{
    struct cli *cli = ask->cli;
    struct json_value *all = json_new_array(cli->arena);
    enum exit_code code = begin(ask);

    if (code == EXIT_CODE_OK)
        code = load_all(cli, ask->client, all);
    if (code != EXIT_CODE_OK)
        return code;
    for (struct json_value *token = all->first; token && !ask->json; token = token->next)
        json_set(token, STR("key"),
                 json_new_str(cli->arena, str_first(fleet_text(token, "token"), KEY_CHARS)));
    return output_list(cli, ask->json, columns, COUNTOF(columns), "tokens", all);
}

/* One call about the token that the operand names. */
static enum exit_code call_named(struct ask *ask, const char *method, struct json_value **answer)
{
    const struct json_value *token = NULL;
    enum exit_code code = begin(ask);

    if (code == EXIT_CODE_OK)
        code = find(ask->cli, ask->client, ask->args.operands[0], &token);
    if (code == EXIT_CODE_OK)
        code = client_call(ask->client, method, path_of(ask->cli, token), STR(""), answer);
    return code;
}

static enum exit_code run_show(struct ask *ask)
{
    struct json_value *answer = NULL;
    enum exit_code code = call_named(ask, "GET", &answer);

    return code == EXIT_CODE_OK ? print_one(ask, answer) : code;
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

/* "installation token laptops is inactive", or what the server said. */
static enum exit_code tell(const struct ask *ask, struct json_value *answer, const char *what)
{
    struct cli *cli = ask->cli;

    if (ask->json)
        return output_json(cli, answer ? answer : json_new_object(cli->arena));
    return fleet_print_text(
        cli, arena_printf(cli->arena, "installation token %s is %s", ask->args.operands[0], what));
}

static enum exit_code change_status(struct ask *ask, const char *status, const char *what)
{
    struct json_value *answer = NULL;
    enum exit_code code = begin(ask);

    if (code == EXIT_CODE_OK)
        code = put_status(ask->cli, ask->client, ask->args.operands[0], status, &answer);
    return code == EXIT_CODE_OK ? tell(ask, answer, what) : code;
}

static enum exit_code run_activate(struct ask *ask)
{
    return change_status(ask, "Active", "active");
}

static enum exit_code run_deactivate(struct ask *ask)
{
    return change_status(ask, "Inactive", "inactive");
}

static enum exit_code run_delete(struct ask *ask)
{
    struct json_value *answer = NULL;
    enum exit_code code = call_named(ask, "DELETE", &answer);

    return code == EXIT_CODE_OK ? tell(ask, NULL, "deleted") : code;
}

const struct cli_command token_commands[TOKEN_COMMAND_COUNT] = {
    {.name = "create",
     .usage = "NAME [flags]",
     .text = "Creates an installation token and prints it.",
     .ask = ASK(run_create, create_flags, 1, 1)},
    {.name = "list",
     .usage = "[flags]",
     .text = "Lists installation tokens, without their secrets but with --output json.",
     .ask = ASK(run_list, plain_flags, 0, 0)},
    {.name = "show",
     .usage = "NAME|ID [flags]",
     .text = "Prints an installation token again.",
     .ask = ASK(run_show, show_flags, 1, 1)},
    {.name = "activate",
     .usage = "NAME|ID [flags]",
     .text = "Lets collectors register with it again.",
     .ask = ASK(run_activate, plain_flags, 1, 1)},
    {.name = "deactivate",
     .usage = "NAME|ID [flags]",
     .text = "Lets no more collectors register with it; those that did go on.",
     .ask = ASK(run_deactivate, plain_flags, 1, 1)},
    {.name = "delete",
     .usage = "NAME|ID [flags]",
     .text = "Deletes an installation token; collectors that registered with it go on.",
     .ask = ASK(run_delete, plain_flags, 1, 1)},
};
