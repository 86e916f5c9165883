/* SPDX-License-Identifier: Apache-2.0 */
/* muster agents list, get, watch, explain. */
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/fleet.h"
#include "cli/output.h"

#include "codec/base64.h"

#define PAGE_SIZE  1000
#define LINE_MAX_  ((size_t)1 << 20)
#define COUNT_MAX_ UINT64_C(1000000000)

#define MATCHER_FLAG                                                                               \
    {                                                                                              \
        "matcher", ARGS_LIST, "MATCHER",                                                           \
            "Only agents whose attributes fulfill it, such as env=prod or 'name=~\"db.*\"'; all "  \
            "that are given must hold."                                                            \
    }

static const struct {
    const char *word;
    const char *name;
} statuses[] = {
    {"none", "AGENT_STATUS_UNSPECIFIED"}, {"unset", "AGENT_STATUS_UNSET"},
    {"applied", "AGENT_STATUS_APPLIED"},  {"applying", "AGENT_STATUS_APPLYING"},
    {"failed", "AGENT_STATUS_FAILED"},
};

/* What people ask first of an agent: does it live? */
static struct str liveness(const struct json_value *agent)
{
    if (fleet_text(agent, "inactiveSince").len > 0)
        return STR("inactive");
    return fleet_text(agent, "lastSeenAt").len > 0 ? STR("active") : STR("never seen");
}

static void set(struct cli *cli, struct json_value *row, const char *key, struct str value)
{
    json_set(row, str_of(key), json_new_str(cli->arena, value));
}

static void describe(struct cli *cli, const struct json_value *agent, struct json_value *row)
{
    set(cli, row, "id", fleet_text(agent, "id"));
    set(cli, row, "name", fleet_text(agent, "name"));
    set(cli, row, "type", fleet_word(cli->arena, agent, "type", "AGENT_TYPE_"));
    set(cli, row, "enabled", fleet_is_true(agent, "enabled") ? STR("true") : STR("false"));
    set(cli, row, "state", liveness(agent));
    set(cli, row, "last seen", fleet_text(agent, "lastSeenAt"));
    set(cli, row, "status", fleet_word(cli->arena, agent, "status", "AGENT_STATUS_"));
}

/* ---- list ---- */

static bool put_statuses(struct cli *cli, const struct args *args, struct json_writer *w,
                         enum exit_code *code)
{
    size_t count;
    const char **words = args_list(cli->arena, args, "status", &count);

    if (count == 0)
        return true;
    json_key(w, STR("statuses"));
    json_arr_begin(w);
    for (size_t i = 0; i < count; i++) {
        const char *name = NULL;

        for (size_t k = 0; k < COUNTOF(statuses); k++)
            if (str_eq(str_of(words[i]), str_of(statuses[k].word)))
                name = statuses[k].name;
        if (!name) {
            *code = cli_fail(cli, EXIT_CODE_USAGE,
                             "--status is none, unset, applied, applying or failed, not \"%.64s\"",
                             words[i]);
            return false;
        }
        json_str(w, str_of(name));
    }
    json_arr_end(w);
    return true;
}

/* The request of one page. False: *code is how to end. */
static bool make_list(struct cli *cli, const struct args *args, struct str token, struct buf *body,
                      enum exit_code *code)
{
    bool active = args_is_on(args, "active"), inactive = args_is_on(args, "inactive");
    size_t count;
    const char **matchers = args_list(cli->arena, args, "matcher", &count);
    struct json_writer w;

    if (active && inactive) {
        *code = cli_fail(cli, EXIT_CODE_USAGE, "--active and --inactive exclude each other");
        return false;
    }
    buf_init_arena(body, cli->arena, FLEET_BODY_MAX);
    json_writer_init(&w, body);
    json_obj_begin(&w);
    fleet_put_list(&w, "matchers", matchers, count);
    if (!put_statuses(cli, args, &w, code))
        return false;
    if (active || inactive)
        json_key_bool(&w, STR("active"), active);
    json_key_i64(&w, STR("pageSize"), PAGE_SIZE);
    if (token.len > 0)
        json_key_str(&w, STR("pageToken"), token);
    json_obj_end(&w);
    return true;
}

/* All pages. */
static enum exit_code fetch(struct ask *ask, struct json_value *agents)
{
    struct cli *cli = ask->cli;
    enum exit_code code;
    struct str token = STR("");
    struct buf body;

    if (!make_list(cli, &ask->args, token, &body, &code))
        return code;
    code = ask_open(ask);
    if (code != EXIT_CODE_OK)
        return code;
    do {
        struct json_value *answer = NULL;
        struct str last = token;

        code = fleet_call(cli, ask->client, STR(FLEET_SERVICE "ListAgents"), &body, &answer);
        if (code != EXIT_CODE_OK)
            return code;
        client_move_items(fleet_list(cli->arena, answer, "agents"), agents);
        token = fleet_text(answer, "nextPageToken");
        if (token.len > 0 && str_eq(token, last))
            return cli_fail(cli, EXIT_CODE_FAILURE, "the server gives the same page again");
    } while (token.len > 0 && make_list(cli, &ask->args, token, &body, &code));
    return code;
}

static const struct args_flag list_flags[] = {
    MATCHER_FLAG,
    {"status", ARGS_LIST, "STATUS",
     "Only agents that last reported this of their configuration: none (never reported), "
     "unset, applied, applying or failed. May be repeated: any of them."},
    {"active", ARGS_SWITCH, NULL, "Only agents that live, or were never seen."},
    {"inactive", ARGS_SWITCH, NULL, "Only agents that said good-bye or fell silent."},
    TENANT_FLAG,
    OUTPUT_FLAG,
};

static enum exit_code run_list(struct ask *ask)
{
    static const struct output_column columns[] = {
        {"ID", "id"},           {"NAME", "name"},           {"TYPE", "type"},
        {"STATE", "state"},     {"LAST SEEN", "last seen"}, {"STATUS", "status"},
        {"ENABLED", "enabled"},
    };
    struct cli *cli = ask->cli;
    struct json_value *agents = json_new_array(cli->arena), *out;
    enum exit_code code = fetch(ask, agents);

    if (code != EXIT_CODE_OK)
        return code;
    if (ask->json) {
        out = json_new_object(cli->arena);
        json_set(out, STR("agents"), agents);
        return output_json(cli, out);
    }
    out = json_new_array(cli->arena);
    json_foreach (agent, agents) {
        struct json_value *row = json_new_object(cli->arena);

        describe(cli, agent, row);
        json_append(out, row);
    }
    return output_table(cli, columns, COUNTOF(columns), out);
}

/* ---- get ---- */

static void put_attributes(struct cli *cli, const struct json_value *agent, const char *member,
                           const char *what, struct json_value *row)
{
    const struct json_value *map = json_find(agent, str_of(member));

    if (!map || map->kind != JSON_KIND_OBJECT)
        return;
    json_foreach (attribute, map) {
        struct str key = arena_printf(cli->arena, "%s %.*s", what, STR_ARG(attribute->key));

        json_set(row, key, json_new_str(cli->arena, attribute->text));
    }
}

static enum exit_code print_files(struct cli *cli, const struct json_value *answer)
{
    json_foreach (file, fleet_list(cli->arena, answer, "effectiveConfig")) {
        struct str body = STR(""), name = fleet_text(file, "name");

        if (base64_decode_lenient(cli->arena, fleet_text(file, "body"), &body) < 0)
            return cli_fail(cli, EXIT_CODE_FAILURE, "the server sent a file that is not base64");

        enum exit_code code =
            fleet_print_text(cli, arena_printf(cli->arena, "\neffective configuration%s%.*s:\n%.*s",
                                               name.len ? " " : "", STR_ARG(name), STR_ARG(body)));

        if (code != EXIT_CODE_OK)
            return code;
    }
    return EXIT_CODE_OK;
}

static enum exit_code print_agent(struct cli *cli, const struct args *args,
                                  const struct json_value *answer)
{
    const struct json_value *agent = json_find(answer, STR("agent"));
    struct str error = fleet_text(answer, "statusError");
    struct json_value *row = json_new_object(cli->arena);
    enum exit_code code;

    describe(cli, agent, row);
    set(cli, row, "status at", fleet_text(agent, "statusAt"));
    set(cli, row, "inactive since", fleet_text(agent, "inactiveSince"));
    set(cli, row, "created", fleet_text(agent, "createdAt"));
    set(cli, row, "updated", fleet_text(agent, "updatedAt"));
    put_attributes(cli, agent, "localAttributes", "local", row);
    put_attributes(cli, agent, "remoteAttributes", "remote", row);
    code = output_members(cli, row);
    if (code == EXIT_CODE_OK && error.len > 0)
        code = fleet_print_text(cli,
                                arena_printf(cli->arena, "\nstatus error:\n%.*s", STR_ARG(error)));
    if (code == EXIT_CODE_OK && args_is_on(args, "config"))
        code = print_files(cli, answer);
    return code;
}

/* What get and explain share: one agent's id, one call. */
static enum exit_code ask_about(struct ask *ask, struct str path, struct json_value **answer)
{
    const char *id = ask->args.operands[0];
    struct buf body = fleet_request(ask->cli, "id", str_of(id));
    enum exit_code code;

    if (id[0] == '\0')
        return cli_fail(ask->cli, EXIT_CODE_USAGE, "that is not an agent's id");
    code = ask_open(ask);
    return code == EXIT_CODE_OK ? fleet_call(ask->cli, ask->client, path, &body, answer) : code;
}

static const struct args_flag get_flags[] = {
    {"config", ARGS_SWITCH, NULL,
     "Also prints the configuration that the agent said it runs with."},
    TENANT_FLAG,
    OUTPUT_FLAG,
};

static enum exit_code run_get(struct ask *ask)
{
    struct json_value *answer = NULL;
    enum exit_code code = ask_about(ask, STR(FLEET_SERVICE "GetAgent"), &answer);

    if (code != EXIT_CODE_OK)
        return code;
    return ask->json ? output_json(ask->cli, answer) : print_agent(ask->cli, &ask->args, answer);
}

/* ---- watch ---- */

struct watching {
    struct cli *cli;
    bool json;
    uint64_t left; /* changes to print; 0: without end */
    enum exit_code code;
};

/* "changed  id  applied  name", or one line of JSON. */
static bool on_change(void *arg, const struct json_value *change)
{
    struct watching *w = arg;
    struct arena *a = arena_new(4096);
    struct str kind = fleet_word(a, change, "kind", "KIND_");
    struct str id = fleet_text(change, "id");
    const struct json_value *agent = json_find(change, STR("agent"));
    struct buf line;

    buf_init_arena(&line, a, LINE_MAX_);
    if (w->json) {
        struct json_writer writer;

        json_writer_init(&writer, &line);
        json_put_value(&writer, change);
    } else if (agent) {
        struct str status = fleet_word(a, agent, "status", "AGENT_STATUS_");

        buf_printf(&line, "%-8.*s %.*s  %.*s  %.*s", STR_ARG(kind), STR_ARG(id),
                   STR_ARG(status.len ? status : STR("-")), STR_ARG(liveness(agent)));
    } else if (id.len > 0) {
        buf_printf(&line, "%-8.*s %.*s", STR_ARG(kind), STR_ARG(id));
    } else {
        buf_printf(&line, "%-8.*s changes came faster than they were read; list again",
                   STR_ARG(kind));
    }
    buf_put_byte(&line, '\n');
    for (size_t i = 0; i + 1 < line.len; i++)
        if (line.data[i] < 0x20 || line.data[i] == 0x7f)
            line.data[i] = '?';
    w->code = cli_print(w->cli, buf_str(&line));
    arena_free(&a);
    return w->code == EXIT_CODE_OK && (w->left == 0 || --w->left > 0);
}

static const struct args_flag watch_flags[] = {
    MATCHER_FLAG,
    {"count", ARGS_VALUE, "N", "Ends after so many changes; without it ^C ends."},
    TENANT_FLAG,
    {"output", ARGS_VALUE, "table|json", "A line of words a change, or a line of JSON."},
};

static enum exit_code run_watch(struct ask *ask)
{
    struct cli *cli = ask->cli;
    struct watching w = {.cli = cli, .json = ask->json, .code = EXIT_CODE_OK};
    const char *limit = args_find(&ask->args, "count");
    size_t count;
    const char **matchers = args_list(cli->arena, &ask->args, "matcher", &count);
    struct json_writer writer;
    enum exit_code code;
    struct buf body;

    if (limit && (str_to_u64(str_of(limit), &w.left) < 0 || w.left < 1 || w.left > COUNT_MAX_))
        return cli_fail(cli, EXIT_CODE_USAGE, "--count is a number from 1 on, not \"%.64s\"",
                        limit);
    buf_init_arena(&body, cli->arena, FLEET_BODY_MAX);
    json_writer_init(&writer, &body);
    json_obj_begin(&writer);
    fleet_put_list(&writer, "matchers", matchers, count);
    json_obj_end(&writer);
    code = ask_open(ask);
    if (code == EXIT_CODE_OK)
        code = client_watch(ask->client, STR(FLEET_SERVICE "WatchAgents"), buf_str(&body),
                            on_change, &w);
    return w.code != EXIT_CODE_OK ? w.code : code;
}

/* ---- explain ---- */

static const struct args_flag explain_flags[] = {
    {"content", ARGS_SWITCH, NULL, "Also prints the configuration that the agent gets."},
    TENANT_FLAG,
    OUTPUT_FLAG,
};

static enum exit_code run_explain(struct ask *ask)
{
    static const struct output_column columns[] = {
        {"PIPELINE", "name"},
        {"SELECTED", "selected"},
        {"WHY", "why"},
        {"MATCHER", "matcher"},
    };
    struct cli *cli = ask->cli;
    struct json_value *answer = NULL, *rows = json_new_array(cli->arena);
    enum exit_code code = ask_about(ask, STR(FLEET_SERVICE "ExplainAgent"), &answer);

    if (code != EXIT_CODE_OK)
        return code;
    if (ask->json)
        return output_json(cli, answer);
    json_foreach (verdict, fleet_list(cli->arena, answer, "verdicts")) {
        struct json_value *row = json_new_object(cli->arena);

        set(cli, row, "name", fleet_text(verdict, "name"));
        set(cli, row, "selected", fleet_is_true(verdict, "selected") ? STR("yes") : STR("no"));
        set(cli, row, "why", fleet_text(verdict, "why"));
        set(cli, row, "matcher", fleet_text(verdict, "matcher"));
        json_append(rows, row);
    }
    code = output_table(cli, columns, COUNTOF(columns), rows);
    if (code == EXIT_CODE_OK && args_is_on(&ask->args, "content"))
        code = fleet_print_text(
            cli, arena_printf(cli->arena, "\n%.*s", STR_ARG(fleet_text(answer, "content"))));
    return code;
}

const struct cli_command agent_commands[AGENT_COMMAND_COUNT] = {
    {.name = "list",
     .usage = "[flags]",
     .text = "Lists agents, by id.",
     .ask = ASK(run_list, list_flags, 0, 0)},
    {.name = "get",
     .usage = "ID [flags]",
     .text = "Shows one agent: its attributes, its state, and how it fares.",
     .ask = ASK(run_get, get_flags, 1, 1)},
    {.name = "watch",
     .usage = "[flags]",
     .text = "Prints changes of agents as they happen, a line each, until ^C.",
     .ask = ASK(run_watch, watch_flags, 0, 0)},
    {.name = "explain",
     .usage = "ID [flags]",
     .text = "Tells for each pipeline whether the agent gets it, and which matcher decided.",
     .ask = ASK(run_explain, explain_flags, 1, 1)},
};
