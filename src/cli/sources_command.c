/* SPDX-License-Identifier: Apache-2.0 */
/* muster sources list, get, apply, delete, export. */
#include "cli/commands.h"
#include "cli/fleet.h"
#include "cli/input.h"
#include "cli/managed.h"
#include "cli/output.h"

static const struct output_column columns[] = {
    {"ID", "id"},           {"NAME", "name"},
    {"TYPE", "sourceType"}, {"CONTENT", "contentType"},
    {"ALIVE", "alive"},     {"CATEGORY", "category"},
};

static struct str sources_path(struct cli *cli, const struct managed *collector)
{
    return arena_printf(cli->arena, "%.*s/sources", STR_ARG(collector->path));
}

static enum exit_code no_source(struct cli *cli, const char *which)
{
    return cli_fail(cli, EXIT_CODE_NOT_FOUND, "the collector has no source \"%s\"", which);
}

/* ---- list ---- */

static enum exit_code run_list(struct cli *cli, const struct cli_command *self, int argc,
                               char *const *argv)
{
    static const struct args_flag own[] = {OUTPUT_FLAG};
    struct args args;
    enum exit_code code;
    size_t count;
    const struct args_flag *flags = client_flags_with(cli->arena, own, COUNTOF(own), &count);
    struct json_value *list = json_new_array(cli->arena), *out = json_new_object(cli->arena);
    struct managed collector = {0};
    bool json;

    if (!cli_args(cli, self, flags, count, 1, 1, argc, argv, &args, &code) ||
        !output_is_json(cli, &args, &json, &code))
        return code;

    struct client *client = managed_open(cli, &args, &collector, &code);

    if (!client)
        return code;
    code = managed_list(cli, client, sources_path(cli, &collector), "sources", list);
    client_free(&client);
    if (code != EXIT_CODE_OK)
        return code;
    if (!json)
        return output_table(cli, columns, COUNTOF(columns), list);
    json_set(out, STR("sources"), list);
    return output_json(cli, out);
}

/* ---- get ---- */

static enum exit_code run_get(struct cli *cli, const struct cli_command *self, int argc,
                              char *const *argv)
{
    struct args args;
    enum exit_code code;
    size_t count;
    const struct args_flag *flags = client_flags_with(cli->arena, NULL, 0, &count);
    struct managed collector = {0}, source = {0};
    bool found = false;

    if (!cli_args(cli, self, flags, count, 2, 2, argc, argv, &args, &code))
        return code;

    struct client *client = managed_open(cli, &args, &collector, &code);

    if (!client)
        return code;
    code = managed_source(cli, client, &collector, str_of(args.operands[1]), &found, &source);
    client_free(&client);
    if (code != EXIT_CODE_OK)
        return code;
    return found ? output_json(cli, source.members) : no_source(cli, args.operands[1]);
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
    if (many && many->kind == JSON_KIND_ARRAY) {
        for (struct json_value *item = many->first, *next; item; item = next) {
            next = item->next;
            item->next = NULL;
            json_append(list, item);
        }
    } else {
        json_append(list, one ? one : root);
    }
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

static enum exit_code apply_one(struct cli *cli, struct client *client,
                                const struct managed *collector, struct json_value *source)
{
    struct managed stored = {0};
    struct json_value *answer = NULL, *now = NULL;
    struct str name = name_of(source);
    bool found = false;
    enum exit_code code = managed_source(cli, client, collector, name, &found, &stored);

    if (code != EXIT_CODE_OK)
        return code;
    if (found) {
        struct str id = managed_id(stored.members);
        int64_t number = 0;

        if (json_num_i64(id, &number) < 0)
            return cli_fail(cli, EXIT_CODE_FAILURE, "the server's answer makes no sense");
        json_set(source, STR("id"), json_new_i64(cli->arena, number));
        stored.members = source;
        code = managed_replace(cli, client, &stored, "source", &now);
    } else {
        code = client_call(client, "POST", sources_path(cli, collector),
                           managed_body(cli, "source", source), &answer);
    }
    if (code != EXIT_CODE_OK)
        return code;
    return fleet_print_text(cli, arena_printf(cli->arena, "source %.*s is %s", STR_ARG(name),
                                              found ? "written" : "created"));
}

static enum exit_code run_apply(struct cli *cli, const struct cli_command *self, int argc,
                                char *const *argv)
{
    static const struct args_flag own[] = {
        {.name = "file",
         .kind = ARGS_VALUE,
         .value = "FILE",
         .letter = "f",
         .text = "JSON with {\"source\":{...}}, {\"sources\":[...]} or one source; - reads "
                 "standard input."},
    };
    struct args args;
    enum exit_code code;
    size_t count;
    const struct args_flag *flags = client_flags_with(cli->arena, own, COUNTOF(own), &count);
    struct json_value *list = json_new_array(cli->arena);
    struct managed collector = {0};

    if (!cli_args(cli, self, flags, count, 1, 1, argc, argv, &args, &code))
        return code;

    const char *path = args_find(&args, "file");

    if (!path)
        return cli_fail(cli, EXIT_CODE_USAGE, "say which file: -f FILE");
    if (!read_sources(cli, path, list, &code))
        return code;

    struct client *client = managed_open(cli, &args, &collector, &code);

    if (!client)
        return code;
    for (struct json_value *source = list->first; source && code == EXIT_CODE_OK;
         source = source->next)
        code = apply_one(cli, client, &collector, source);
    client_free(&client);
    return code;
}

/* ---- delete ---- */

static enum exit_code run_delete(struct cli *cli, const struct cli_command *self, int argc,
                                 char *const *argv)
{
    struct args args;
    enum exit_code code;
    size_t count;
    const struct args_flag *flags = client_flags_with(cli->arena, NULL, 0, &count);
    struct managed collector = {0};

    if (!cli_args(cli, self, flags, count, 2, 1001, argc, argv, &args, &code))
        return code;

    struct client *client = managed_open(cli, &args, &collector, &code);

    if (!client)
        return code;
    for (size_t i = 1; i < args.operand_count && code == EXIT_CODE_OK; i++) {
        struct managed source = {0};
        struct json_value *answer = NULL;
        bool found = false;

        code = managed_source(cli, client, &collector, str_of(args.operands[i]), &found, &source);
        if (code == EXIT_CODE_OK && !found)
            code = no_source(cli, args.operands[i]);
        if (code == EXIT_CODE_OK)
            code = client_call(client, "DELETE", source.path, STR(""), &answer);
        if (code == EXIT_CODE_OK)
            code = fleet_print_text(
                cli, arena_printf(cli->arena, "source %s is deleted", args.operands[i]));
    }
    client_free(&client);
    return code;
}

/* ---- export ---- */

static enum exit_code run_export(struct cli *cli, const struct cli_command *self, int argc,
                                 char *const *argv)
{
    struct args args;
    enum exit_code code;
    size_t count;
    const struct args_flag *flags = client_flags_with(cli->arena, NULL, 0, &count);
    struct managed collector = {0};
    struct json_value *answer = NULL;

    if (!cli_args(cli, self, flags, count, 1, 1, argc, argv, &args, &code))
        return code;

    struct client *client = managed_open(cli, &args, &collector, &code);

    if (!client)
        return code;
    code = client_call(
        client, "GET",
        arena_printf(cli->arena, "%.*s?download=true", STR_ARG(sources_path(cli, &collector))),
        STR(""), &answer);
    client_free(&client);
    if (code != EXIT_CODE_OK)
        return code;
    return answer ? output_json(cli, answer)
                  : cli_fail(cli, EXIT_CODE_FAILURE, "the server's answer is empty");
}

const struct cli_command source_commands[SOURCE_COMMAND_COUNT] = {
    {.name = "list",
     .usage = "COLLECTOR [flags]",
     .text = "Lists the sources of a collector, given by its name or number.",
     .run = run_list},
    {.name = "get",
     .usage = "COLLECTOR SOURCE [flags]",
     .text = "Prints one source as JSON.",
     .run = run_get},
    {.name = "apply",
     .usage = "COLLECTOR -f FILE [flags]",
     .text = "Creates the sources in a file, or writes them where there is one of that name.",
     .run = run_apply},
    {.name = "delete",
     .usage = "COLLECTOR SOURCE... [flags]",
     .text = "Deletes sources.",
     .run = run_delete},
    {.name = "export",
     .usage = "COLLECTOR [flags]",
     .text = "Prints all sources as one document that apply reads.",
     .run = run_export},
};
