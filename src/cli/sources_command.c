/* SPDX-License-Identifier: Apache-2.0 */
/* muster sources list, get, apply, delete, export. Every command names the collector first; list
 * tells of all of them without. */
#include "cli/commands.h"
#include "cli/fleet.h"
#include "cli/input.h"
#include "cli/managed.h"
#include "cli/output.h"

/* The first only where sources of several collectors are listed. */
static const struct output_column columns[] = {
    {"COLLECTOR", "collector"}, {"ID", "id"},
    {"NAME", "name"},           {"TYPE", "sourceType"},
    {"CONTENT", "contentType"}, {"ALIVE", "alive"},
    {"CATEGORY", "category"},   {"LAST DATA", "lastReceived"},
};

static const struct args_flag list_flags[] = {TENANT_FLAG, OUTPUT_FLAG};
static const struct args_flag plain_flags[] = {TENANT_FLAG};

static const struct args_flag apply_flags[] = {
    {.name = "file",
     .kind = ARGS_VALUE,
     .value = "FILE",
     .letter = "f",
     .text = "JSON with {\"source\":{...}}, {\"sources\":[...]} or one source; - reads standard "
             "input."},
    TENANT_FLAG,
};

static struct str sources_path(struct cli *cli, const struct managed *collector)
{
    return arena_printf(cli->arena, "%.*s/sources", STR_ARG(collector->path));
}

/* Where a table shows it: when data came last, if it ever did. */
static void show_received(struct cli *cli, struct json_value *source)
{
    const struct json_value *last =
        json_find(json_find(source, STR("receiver")), STR("lastReceived"));

    if (!last || last->kind != JSON_KIND_NUMBER)
        return;

    struct json_value *copy = arena_new_type(cli->arena, struct json_value);

    *copy = *last;
    json_set(source, STR("lastReceived"), copy);
    managed_show_time(cli, source, "lastReceived");
}

static enum exit_code no_source(struct cli *cli, const char *which)
{
    return cli_fail(cli, EXIT_CODE_NOT_FOUND, "the collector has no source \"%s\"", which);
}

/* ---- list, get ---- */

static enum exit_code list_one(struct ask *ask)
{
    struct cli *cli = ask->cli;
    struct json_value *list = json_new_array(cli->arena);
    struct managed collector = {0};
    enum exit_code code = managed_open(ask, &collector);

    if (code == EXIT_CODE_OK)
        code = managed_list(cli, ask->client, sources_path(cli, &collector), "sources", list);
    if (code != EXIT_CODE_OK)
        return code;
    for (struct json_value *source = list->first; source && !ask->json; source = source->next)
        show_received(cli, source);
    return output_list(cli, ask->json, columns + 1, COUNTOF(columns) - 1, "sources", list);
}

/* Collectors as the server tells of them, each with its sources; or a table of all sources. */
static enum exit_code print_all(const struct ask *ask, struct json_value *collectors)
{
    struct cli *cli = ask->cli;
    struct json_value *out = json_new_object(cli->arena), *rows = json_new_array(cli->arena);

    if (ask->json) {
        json_set(out, STR("collectors"), collectors);
        return output_json(cli, out);
    }
    json_foreach (collector, collectors) {
        struct json_value *sources = json_find(collector, STR("sources"));

        for (struct json_value *source = sources->first; source; source = source->next) {
            show_received(cli, source);
            json_set(source, STR("collector"),
                     json_new_str(cli->arena, fleet_text(collector, "name")));
        }
        client_move_items(sources, rows);
    }
    return output_table(cli, columns, COUNTOF(columns), rows);
}

/* Moves over those that are still there when they are asked for their sources. */
static enum exit_code load_sources(struct ask *ask, struct json_value *from, struct json_value *to)
{
    struct cli *cli = ask->cli;
    enum exit_code code = EXIT_CODE_OK;

    for (struct json_value *one = from->first, *next; one && code == EXIT_CODE_OK; one = next) {
        struct managed collector = {
            .path = arena_printf(cli->arena, MANAGED_ROOT "/%.*s", STR_ARG(managed_id(one)))};
        struct json_value *sources = json_new_array(cli->arena);

        next = one->next;
        one->next = NULL;
        code =
            managed_ask_list(cli, ask->client, sources_path(cli, &collector), "sources", sources);
        json_set(one, STR("sources"), sources);
        if (code == EXIT_CODE_OK)
            json_append(to, one);
        else if (code == EXIT_CODE_NOT_FOUND)
            code = EXIT_CODE_OK;
    }
    return code;
}

static enum exit_code list_all(struct ask *ask)
{
    struct cli *cli = ask->cli;
    struct json_value *all = json_new_array(cli->arena), *kept = json_new_array(cli->arena);
    enum exit_code code = ask_open(ask);

    if (code == EXIT_CODE_OK)
        code = managed_list(cli, ask->client, STR(MANAGED_ROOT), "collectors", all);
    if (code == EXIT_CODE_OK)
        code = load_sources(ask, all, kept);
    return code == EXIT_CODE_OK ? print_all(ask, kept) : code;
}

static enum exit_code run_list(struct ask *ask)
{
    return ask->args.operand_count > 0 ? list_one(ask) : list_all(ask);
}

static enum exit_code run_get(struct ask *ask)
{
    const char *which = ask->args.operands[1];
    struct managed collector = {0}, source = {0};
    bool found = false;
    enum exit_code code = managed_open(ask, &collector);

    if (code == EXIT_CODE_OK)
        code = managed_source(ask->cli, ask->client, &collector, str_of(which), &found, &source);
    if (code != EXIT_CODE_OK)
        return code;
    return found ? output_json(ask->cli, source.members) : no_source(ask->cli, which);
}

/* ---- apply ---- */

/* A document has {"source":{...}}, {"sources":[...]}, or a source's members themselves. */
static bool read_sources(struct cli *cli, const char *path, struct json_value *list,
                         enum exit_code *code)
{
    struct json_value *root = NULL, *one, *many;
    struct str text = {0};
    struct fail f;

    if (!input_read(cli, path, &text, code))
        return false;
    if (json_parse(cli->arena, text, NULL, &root, &f) < 0 || root->kind != JSON_KIND_OBJECT) {
        *code = cli_fail(cli, EXIT_CODE_REFUSED, "%s is no JSON object%s%s", path, root ? "" : ": ",
                         root ? "" : f.message);
        return false;
    }
    one = json_find(root, STR("source"));
    many = json_find(root, STR("sources"));
    if (many && many->kind == JSON_KIND_ARRAY)
        client_move_items(many, list);
    else
        json_append(list, one ? one : root);
    json_foreach (source, list) {
        if (source->kind == JSON_KIND_OBJECT)
            continue;
        *code = cli_fail(cli, EXIT_CODE_REFUSED, "%s holds something that is no source", path);
        return false;
    }
    return true;
}

/* By its name; that of some types stands in their configuration. */
static struct str name_of(const struct json_value *source)
{
    struct str name = fleet_text(source, "name");

    return name.len > 0 ? name : fleet_text(json_find(source, STR("config")), "name");
}

/* "source in is created", and where its data goes when it has an address of its own. */
static enum exit_code tell(struct cli *cli, struct str name, const struct json_value *now,
                           const char *what)
{
    struct str url = fleet_text(now, "url");

    return fleet_print_text(cli,
                            arena_printf(cli->arena, "source %.*s is %s%s%.*s", STR_ARG(name), what,
                                         url.len > 0 ? "; it takes data at " : "", STR_ARG(url)));
}

static enum exit_code apply_one(struct ask *ask, const struct managed *collector,
                                struct json_value *source)
{
    struct cli *cli = ask->cli;
    struct managed stored = {0};
    struct json_value *answer = NULL, *now = NULL;
    struct str name = name_of(source);
    bool found = false;
    enum exit_code code = managed_source(cli, ask->client, collector, name, &found, &stored);

    if (code != EXIT_CODE_OK)
        return code;
    if (found) {
        struct str id = managed_id(stored.members);
        int64_t number = 0;

        if (json_num_i64(id, &number) < 0)
            return cli_fail(cli, EXIT_CODE_FAILURE, "the server's answer makes no sense");
        json_set(source, STR("id"), json_new_i64(cli->arena, number));
        stored.members = source;
        code = managed_replace(cli, ask->client, &stored, "source", &now);
    } else {
        code = client_call(ask->client, "POST", sources_path(cli, collector),
                           managed_body(cli, "source", source), &answer);
        if (code == EXIT_CODE_OK)
            code = managed_inner(cli, answer, "source", &now);
    }
    return code == EXIT_CODE_OK ? tell(cli, name, now, found ? "written" : "created") : code;
}

/* A file may hold many: what is refused is told with the name of its source. */
static enum exit_code apply_all(struct ask *ask, const struct managed *collector,
                                const struct json_value *list)
{
    struct cli *cli = ask->cli;
    const char *command = cli->name;
    enum exit_code code = EXIT_CODE_OK;

    for (struct json_value *source = list->first; source && code == EXIT_CODE_OK;
         source = source->next) {
        struct str name = name_of(source);

        if (name.len > 0)
            cli->name = arena_cstr(
                cli->arena, arena_printf(cli->arena, "%s: source %.*s", command, STR_ARG(name)));
        code = apply_one(ask, collector, source);
        cli->name = command;
    }
    return code;
}

static enum exit_code run_apply(struct ask *ask)
{
    struct json_value *list = json_new_array(ask->cli->arena);
    const char *path = args_find(&ask->args, "file");
    struct managed collector = {0};
    enum exit_code code;

    if (!path)
        return cli_fail(ask->cli, EXIT_CODE_USAGE, "say which file: -f FILE");
    if (!read_sources(ask->cli, path, list, &code))
        return code;
    code = managed_open(ask, &collector);
    return code == EXIT_CODE_OK ? apply_all(ask, &collector, list) : code;
}

/* ---- delete, export ---- */

static enum exit_code delete_one(struct ask *ask, const struct managed *collector,
                                 const char *which)
{
    struct managed source = {0};
    struct json_value *answer = NULL;
    bool found = false;
    enum exit_code code =
        managed_source(ask->cli, ask->client, collector, str_of(which), &found, &source);

    if (code == EXIT_CODE_OK && !found)
        code = no_source(ask->cli, which);
    if (code == EXIT_CODE_OK)
        code = client_call(ask->client, "DELETE", source.path, STR(""), &answer);
    if (code != EXIT_CODE_OK)
        return code;
    return fleet_print_text(ask->cli, arena_printf(ask->cli->arena, "source %s is deleted", which));
}

static enum exit_code run_delete(struct ask *ask)
{
    struct managed collector = {0};
    enum exit_code code = managed_open(ask, &collector);

    for (size_t i = 1; i < ask->args.operand_count && code == EXIT_CODE_OK; i++)
        code = delete_one(ask, &collector, ask->args.operands[i]);
    return code;
}

static enum exit_code run_export(struct ask *ask)
{
    struct cli *cli = ask->cli;
    struct managed collector = {0};
    struct json_value *answer = NULL;
    enum exit_code code = managed_open(ask, &collector);

    if (code == EXIT_CODE_OK)
        code = client_call(
            ask->client, "GET",
            arena_printf(cli->arena, "%.*s?download=true", STR_ARG(sources_path(cli, &collector))),
            STR(""), &answer);
    if (code != EXIT_CODE_OK)
        return code;
    return answer ? output_json(cli, answer)
                  : cli_fail(cli, EXIT_CODE_FAILURE, "the server's answer is empty");
}

const struct cli_command source_commands[SOURCE_COMMAND_COUNT] = {
    {.name = "list",
     .usage = "[COLLECTOR] [flags]",
     .text = "Lists the sources of a collector, given by its name or number; without one, those of "
             "all collectors.",
     .ask = ASK(run_list, list_flags, 0, 1)},
    {.name = "get",
     .usage = "COLLECTOR SOURCE [flags]",
     .text = "Prints one source as JSON.",
     .ask = ASK(run_get, plain_flags, 2, 2)},
    {.name = "apply",
     .usage = "COLLECTOR -f FILE [flags]",
     .text = "Creates the sources in a file, or replaces the one of that name.",
     .ask = ASK(run_apply, apply_flags, 1, 1)},
    {.name = "delete",
     .usage = "COLLECTOR SOURCE... [flags]",
     .text = "Deletes sources.",
     .ask = ASK(run_delete, plain_flags, 2, 1001)},
    {.name = "export",
     .usage = "COLLECTOR [flags]",
     .text = "Prints all sources as one document that apply reads.",
     .ask = ASK(run_export, plain_flags, 1, 1)},
};
