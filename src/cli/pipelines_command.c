/* SPDX-License-Identifier: Apache-2.0 */
/* muster pipelines list, get, apply, delete, diff, revisions, preview. */
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/fleet.h"
#include "cli/output.h"
#include "cli/pipeline_file.h"
#include "cli/text_diff.h"

#define FILES_MAX  ((size_t)100000)
#define SHOWN_MAX  10000
#define SHOWN_IDS  20
#define DIFF_BYTES ((size_t)256 << 20)

static void set(struct cli *cli, struct json_value *row, const char *key, struct str value)
{
    json_set(row, str_of(key), json_new_str(cli->arena, value));
}

/* ---- finding one ---- */

/* The id of the pipeline of that name. *id stays empty when there is none. */
static enum exit_code find_id(struct ask *c, struct str name, struct str *id)
{
    struct buf body = fleet_request(c->cli, "name", name);
    struct json_value *answer = NULL;
    enum exit_code code = client_ask(c->client, "POST", STR(PIPELINE_SERVICE "GetPipelineID"),
                                     buf_str(&body), &answer);

    *id = STR("");
    if (code == EXIT_CODE_NOT_FOUND)
        return EXIT_CODE_OK;
    if (code == EXIT_CODE_OK)
        *id = fleet_text(answer, "id");
    return code;
}

static enum exit_code no_such(struct ask *c, struct str name)
{
    return cli_fail(c->cli, EXIT_CODE_NOT_FOUND, "there is no pipeline \"%.*s\"", STR_ARG(name));
}

/* *out stays NULL when there is none. */
static enum exit_code find(struct ask *c, struct str name, struct json_value **out)
{
    struct str id;
    enum exit_code code = find_id(c, name, &id);
    struct buf body;

    *out = NULL;
    if (code != EXIT_CODE_OK || id.len == 0)
        return code;
    body = fleet_request(c->cli, "id", id);
    code = client_ask(c->client, "POST", STR(PIPELINE_SERVICE "GetPipeline"), buf_str(&body), out);
    return code == EXIT_CODE_NOT_FOUND ? EXIT_CODE_OK : code; /* deleted in between */
}

/* ---- list ---- */

static void describe(struct cli *cli, const struct json_value *pipeline, struct json_value *row)
{
    const struct json_value *source = json_find(pipeline, STR("source"));

    set(cli, row, "id", fleet_text(pipeline, "id"));
    set(cli, row, "name", fleet_text(pipeline, "name"));
    set(cli, row, "type", fleet_word(cli->arena, pipeline, "configType", "CONFIG_TYPE_"));
    set(cli, row, "enabled", fleet_is_true(pipeline, "enabled") ? STR("true") : STR("false"));
    set(cli, row, "matchers", output_cell(cli->arena, pipeline, "matchers"));
    set(cli, row, "source", fleet_word(cli->arena, source, "type", "SOURCE_TYPE_"));
    set(cli, row, "created", fleet_text(pipeline, "createdAt"));
    set(cli, row, "updated", fleet_text(pipeline, "updatedAt"));
}

/* "env=prod,team=a": each k=v. */
static bool put_matching(struct ask *c, struct json_writer *w, enum exit_code *code)
{
    size_t count;
    const char **texts = args_list(c->cli->arena, &c->args, "matching", &count);
    struct json_value *map = json_new_object(c->cli->arena);

    for (size_t i = 0; i < count; i++) {
        struct str rest = str_of(texts[i]);

        while (rest.len > 0) {
            struct str value = str_cut(&rest, ','), key;

            if (str_index(value, '=') <= 0) {
                *code = cli_fail(c->cli, EXIT_CODE_USAGE,
                                 "--matching is NAME=VALUE,..., not \"%.64s\"", texts[i]);
                return false;
            }
            key = str_cut(&value, '=');
            set(c->cli, map, arena_cstr(c->cli->arena, key), value);
        }
    }
    if (map->count > 0) {
        json_key(w, STR("localAttributes"));
        json_put_value(w, map);
    }
    return true;
}

static enum exit_code print_list(struct ask *c, const struct json_value *answer)
{
    static const struct output_column columns[] = {
        {"ID", "id"},
        {"NAME", "name"},
        {"TYPE", "type"},
        {"ENABLED", "enabled"},
        {"SOURCE", "source"},
        {"UPDATED", "updated"},
        {"MATCHERS", "matchers"},
    };
    struct json_value *rows = json_new_array(c->cli->arena);

    json_foreach (pipeline, fleet_list(c->cli->arena, answer, "pipelines")) {
        struct json_value *row = json_new_object(c->cli->arena);

        describe(c->cli, pipeline, row);
        json_append(rows, row);
    }
    return output_table(c->cli, columns, COUNTOF(columns), rows);
}

static const struct args_flag list_flags[] = {
    {"matching", ARGS_LIST, "NAME=VALUE,...",
     "Only pipelines whose matchers hold for these attributes."},
    TENANT_FLAG,
    OUTPUT_FLAG,
};

static enum exit_code run_list(struct ask *c)
{
    struct cli *cli = c->cli;
    enum exit_code code;
    struct json_writer w;
    struct json_value *answer = NULL;
    struct buf body;

    buf_init_arena(&body, cli->arena, FLEET_BODY_MAX);
    json_writer_init(&w, &body);
    json_obj_begin(&w);
    if (!put_matching(c, &w, &code))
        return code;
    json_obj_end(&w);
    code = ask_open(c);
    if (code == EXIT_CODE_OK)
        code = fleet_call(cli, c->client, STR(PIPELINE_SERVICE "ListPipelines"), &body, &answer);
    if (code != EXIT_CODE_OK)
        return code;
    if (!c->json)
        return print_list(c, answer);
    if (!json_find(answer, STR("pipelines"))) /* an empty list is left out on the wire */
        json_set(answer, STR("pipelines"), json_new_array(cli->arena));
    return output_json(cli, answer);
}

/* ---- get ---- */

static const struct args_flag get_flags[] = {
    {"contents", ARGS_SWITCH, NULL, "Prints the contents and nothing else."},
    TENANT_FLAG,
    OUTPUT_FLAG,
};

static enum exit_code run_get(struct ask *c)
{
    struct cli *cli = c->cli;
    struct str name = str_of(c->args.operands[0]);
    struct json_value *pipeline = NULL, *row = json_new_object(cli->arena);
    enum exit_code code = ask_open(c);

    if (code == EXIT_CODE_OK)
        code = find(c, name, &pipeline);
    if (code != EXIT_CODE_OK)
        return code;
    if (!pipeline)
        return no_such(c, name);
    if (args_is_on(&c->args, "contents"))
        return cli_print(cli, fleet_text(pipeline, "contents"));
    if (c->json)
        return output_json(cli, pipeline);
    describe(cli, pipeline, row);
    code = output_members(cli, row);
    if (code != EXIT_CODE_OK)
        return code;
    return fleet_print_text(
        cli, arena_printf(cli->arena, "\n%.*s", STR_ARG(fleet_text(pipeline, "contents"))));
}

/* ---- apply and diff ---- */

struct change {
    const struct pipeline_file *file;
    const struct json_value *stored; /* NULL: none */
    struct json_value *wanted;
    struct str before;
    struct str after;
    const char *outcome; /* "created", "updated", "unchanged" */
};

/* What is stored, and what the files make of it. */
static enum exit_code compare(struct ask *c, const struct pipeline_file *files, size_t count,
                              struct change *changes)
{
    struct arena *a = c->cli->arena;

    for (size_t i = 0; i < count; i++) {
        struct json_value *stored = NULL;
        enum exit_code code = find(c, files[i].name, &stored);
        struct change *change = &changes[i];

        if (code != EXIT_CODE_OK)
            return code;
        change->file = &files[i];
        change->stored = stored;
        change->wanted = pipeline_file_merge(a, &files[i], stored);
        change->before = stored ? pipeline_text(a, stored) : STR("");
        change->after = pipeline_text(a, change->wanted);
        change->outcome = !stored                                 ? "created"
                          : str_eq(change->before, change->after) ? "unchanged"
                                                                  : "updated";
    }
    return EXIT_CODE_OK;
}

static bool is_unchanged(const struct change *change)
{
    return change->stored && str_eq(change->before, change->after);
}

static enum exit_code upsert(struct ask *c, const struct change *change, bool validate_only)
{
    struct json_value *answer = NULL;
    struct json_writer w;
    struct buf body;
    enum exit_code code;

    buf_init_arena(&body, c->cli->arena, FLEET_BODY_MAX);
    json_writer_init(&w, &body);
    json_obj_begin(&w);
    json_key(&w, STR("pipeline"));
    json_put_value(&w, change->wanted);
    if (validate_only)
        json_key_bool(&w, STR("validateOnly"), true);
    json_obj_end(&w);
    code = fleet_call(c->cli, c->client, STR(PIPELINE_SERVICE "UpsertPipeline"), &body, &answer);
    if (code != EXIT_CODE_OK)
        return cli_fail(c->cli, code, "that was %s", change->file->path);
    return code;
}

/* Everything is checked before anything is written. */
static enum exit_code write_changes(struct ask *c, const struct change *changes, size_t count)
{
    bool dry = args_is_on(&c->args, "dry-run");
    enum exit_code code = EXIT_CODE_OK;

    for (size_t i = 0; i < count && code == EXIT_CODE_OK; i++)
        if (dry || (count > 1 && !is_unchanged(&changes[i])))
            code = upsert(c, &changes[i], true);
    for (size_t i = 0; i < count && code == EXIT_CODE_OK && !dry; i++)
        if (!is_unchanged(&changes[i]))
            code = upsert(c, &changes[i], false);
    return code;
}

static enum exit_code print_changes(struct ask *c, const struct change *changes, size_t count)
{
    struct json_value *rows = json_new_array(c->cli->arena), *all = json_new_object(c->cli->arena);
    bool dry = args_is_on(&c->args, "dry-run");
    struct buf out;

    buf_init_arena(&out, c->cli->arena, DIFF_BYTES);
    for (size_t i = 0; i < count; i++) {
        struct json_value *row = json_new_object(c->cli->arena);

        set(c->cli, row, "name", changes[i].file->name);
        set(c->cli, row, "outcome", str_of(changes[i].outcome));
        json_append(rows, row);
        buf_printf(&out, "pipeline %.*s is %s%s\n", STR_ARG(changes[i].file->name),
                   changes[i].outcome, dry ? " (dry run)" : "");
    }
    json_set(all, STR("pipelines"), rows);
    json_set(all, STR("dryRun"), json_new_bool(c->cli->arena, dry));
    return c->json ? output_json(c->cli, all) : fleet_print_text(c->cli, buf_str(&out));
}

/* Files and what is stored of them. NULL: *code is how to end. */
static struct change *load(struct ask *c, size_t *count, enum exit_code *code)
{
    struct pipeline_file *files = NULL;
    struct change *changes;

    if (!pipeline_files_read(c->cli, &c->args, &files, count, code))
        return NULL;
    *code = ask_open(c);
    if (*code != EXIT_CODE_OK)
        return NULL;
    changes = arena_new_array(c->cli->arena, struct change, *count);
    *code = compare(c, files, *count, changes);
    return *code == EXIT_CODE_OK ? changes : NULL;
}

static const struct args_flag apply_flags[] = {
    PIPELINE_FILE_FLAG,
    PIPELINE_NAME_FLAG,
    PIPELINE_MATCHER_FLAG,
    {"dry-run", ARGS_SWITCH, NULL, "The server checks all of it, and stores nothing."},
    TENANT_FLAG,
    OUTPUT_FLAG,
};

static enum exit_code run_apply(struct ask *c)
{
    size_t count = 0;
    enum exit_code code;
    struct change *changes = load(c, &count, &code);

    if (!changes)
        return code;
    code = write_changes(c, changes, count);
    return code == EXIT_CODE_OK ? print_changes(c, changes, count) : code;
}

static const struct args_flag diff_flags[] = {PIPELINE_FILE_FLAG, PIPELINE_NAME_FLAG,
                                              PIPELINE_MATCHER_FLAG, TENANT_FLAG};

static enum exit_code run_diff(struct ask *c)
{
    struct cli *cli = c->cli;
    size_t count = 0;
    enum exit_code code;
    struct change *changes = load(c, &count, &code);
    bool differs = false;
    struct buf out;

    if (!changes)
        return code;
    buf_init_arena(&out, cli->arena, DIFF_BYTES);
    for (size_t i = 0; i < count; i++) {
        struct str stored = changes[i].stored ? arena_printf(cli->arena, "stored/%.*s",
                                                             STR_ARG(changes[i].file->name))
                                              : STR("/dev/null");

        differs |= text_diff(cli->arena, changes[i].before, arena_cstr(cli->arena, stored),
                             changes[i].after, changes[i].file->path, &out);
    }
    code = fleet_print_text(cli, buf_str(&out));
    return code == EXIT_CODE_OK && differs ? EXIT_CODE_DIFFERS : code;
}

/* ---- delete ---- */

static enum exit_code delete_all(struct ask *c, const char *const *names, size_t count)
{
    const char **ids = arena_new_array(c->cli->arena, const char *, count);
    struct json_value *answer = NULL;
    struct json_writer w;
    struct buf body;

    for (size_t i = 0; i < count; i++) {
        struct str id;
        enum exit_code code = find_id(c, str_of(names[i]), &id);

        if (code != EXIT_CODE_OK)
            return code;
        if (id.len == 0)
            return no_such(c, str_of(names[i]));
        ids[i] = arena_cstr(c->cli->arena, id);
    }
    buf_init_arena(&body, c->cli->arena, FLEET_BODY_MAX);
    json_writer_init(&w, &body);
    json_obj_begin(&w);
    fleet_put_list(&w, "ids", ids, count);
    json_obj_end(&w);
    return fleet_call(c->cli, c->client, STR(PIPELINE_SERVICE "BulkDeletePipelines"), &body,
                      &answer);
}

static const struct args_flag delete_flags[] = {TENANT_FLAG, OUTPUT_FLAG};

static enum exit_code run_delete(struct ask *c)
{
    struct cli *cli = c->cli;
    struct json_value *gone = json_new_object(cli->arena), *names = json_new_array(cli->arena);
    enum exit_code code = ask_open(c);
    struct buf out;

    if (code == EXIT_CODE_OK)
        code = delete_all(c, c->args.operands, c->args.operand_count);
    if (code != EXIT_CODE_OK)
        return code;
    buf_init_arena(&out, cli->arena, DIFF_BYTES);
    for (size_t i = 0; i < c->args.operand_count; i++) {
        json_append(names, json_new_str(cli->arena, str_of(c->args.operands[i])));
        buf_printf(&out, "pipeline %s is deleted\n", c->args.operands[i]);
    }
    json_set(gone, STR("deleted"), names);
    return c->json ? output_json(cli, gone) : fleet_print_text(cli, buf_str(&out));
}

/* ---- revisions ---- */

static enum exit_code print_revisions(struct ask *c, const struct json_value *answer)
{
    static const struct output_column columns[] = {
        {"REVISION", "revision"}, {"OPERATION", "operation"}, {"AT", "at"},
        {"NAME", "name"},         {"ENABLED", "enabled"},     {"MATCHERS", "matchers"},
    };
    struct cli *cli = c->cli;
    struct json_value *rows = json_new_array(cli->arena);

    json_foreach (revision, fleet_list(cli->arena, answer, "pipelineRevisions")) {
        struct json_value *row = json_new_object(cli->arena);
        const struct json_value *snapshot = json_find(revision, STR("snapshot"));

        describe(cli, snapshot, row);
        set(cli, row, "revision", fleet_text(revision, "revisionId"));
        set(cli, row, "operation", fleet_word(cli->arena, revision, "operation", ""));
        set(cli, row, "at", fleet_text(revision, "createdAt"));
        json_append(rows, row);
    }
    return output_table(cli, columns, COUNTOF(columns), rows);
}

static enum exit_code ask_revisions(struct ask *c, struct json_value **answer)
{
    struct str id;
    struct buf body;
    enum exit_code code;

    if (c->args.operand_count == 0) {
        buf_init_arena(&body, c->cli->arena, 16);
        buf_put_str(&body, STR("{}"));
        return fleet_call(c->cli, c->client, STR(PIPELINE_SERVICE "ListPipelinesRevisions"), &body,
                          answer);
    }
    code = find_id(c, str_of(c->args.operands[0]), &id);
    if (code != EXIT_CODE_OK)
        return code;
    if (id.len == 0)
        return no_such(c, str_of(c->args.operands[0]));
    body = fleet_request(c->cli, "id", id);
    return fleet_call(c->cli, c->client, STR(PIPELINE_SERVICE "ListPipelineRevisions"), &body,
                      answer);
}

static const struct args_flag revisions_flags[] = {TENANT_FLAG, OUTPUT_FLAG};

static enum exit_code run_revisions(struct ask *c)
{
    struct json_value *answer = NULL;
    enum exit_code code = ask_open(c);

    if (code == EXIT_CODE_OK)
        code = ask_revisions(c, &answer);
    if (code != EXIT_CODE_OK)
        return code;
    return c->json ? output_json(c->cli, answer) : print_revisions(c, answer);
}

/* ---- preview ---- */

static enum exit_code ask_preview(struct ask *c, const struct change *change,
                                  struct json_value **answer)
{
    const char *agent = args_find(&c->args, "agent");
    struct json_writer w;
    struct buf body;

    buf_init_arena(&body, c->cli->arena, FLEET_BODY_MAX);
    json_writer_init(&w, &body);
    json_obj_begin(&w);
    json_key(&w, STR("pipeline"));
    json_put_value(&w, change->wanted);
    if (agent)
        json_key_str(&w, STR("agentId"), str_of(agent));
    json_key_i64(&w, STR("maxIds"), c->json ? SHOWN_MAX : SHOWN_IDS);
    json_obj_end(&w);
    return fleet_call(c->cli, c->client, STR(FLEET_SERVICE "PreviewPipeline"), &body, answer);
}

/* "gained 3: a, b, c" */
static void put_ids(struct ask *c, const struct json_value *answer, const char *count_member,
                    const char *member, struct buf *out)
{
    const struct json_value *ids = fleet_list(c->cli->arena, answer, member);
    struct str text = fleet_text(answer, count_member);
    uint64_t count = 0;

    IGNORE(str_to_u64(text, &count)); /* left out on the wire when it is 0 */
    buf_printf(out, "%-8s %zu", member, (size_t)count);
    json_foreach (id, ids)
        buf_printf(out, "%s%.*s", id == ids->first ? ": " : ", ", STR_ARG(id->text));
    if (count > ids->count)
        buf_printf(out, " and %zu more", (size_t)(count - ids->count));
    buf_put_byte(out, '\n');
}

static enum exit_code print_preview(struct ask *c, const struct json_value *answer)
{
    struct buf out;

    buf_init_arena(&out, c->cli->arena, DIFF_BYTES);
    put_ids(c, answer, "matchedCount", "matched", &out);
    put_ids(c, answer, "gainedCount", "gained", &out);
    put_ids(c, answer, "lostCount", "lost", &out);
    if (args_find(&c->args, "agent"))
        buf_printf(&out, "\n%.*s", STR_ARG(fleet_text(answer, "content")));
    return fleet_print_text(c->cli, buf_str(&out));
}

static const struct args_flag preview_flags[] = {
    PIPELINE_FILE_FLAG,
    PIPELINE_NAME_FLAG,
    PIPELINE_MATCHER_FLAG,
    {"agent", ARGS_VALUE, "ID", "Also prints the configuration that this agent would get."},
    TENANT_FLAG,
    OUTPUT_FLAG,
};

static enum exit_code run_preview(struct ask *c)
{
    struct json_value *answer = NULL;
    size_t count = 0;
    enum exit_code code;
    struct change *changes = load(c, &count, &code);

    if (!changes)
        return code;
    if (count != 1)
        return cli_fail(c->cli, EXIT_CODE_USAGE, "preview takes one pipeline, not %zu", count);
    code = ask_preview(c, &changes[0], &answer);
    if (code != EXIT_CODE_OK)
        return code;
    return c->json ? output_json(c->cli, answer) : print_preview(c, answer);
}

const struct cli_command pipeline_commands[PIPELINE_COMMAND_COUNT] = {
    {.name = "list",
     .usage = "[flags]",
     .text = "Lists pipelines.",
     .ask = ASK(run_list, list_flags, 0, 0)},
    {.name = "get",
     .usage = "NAME [flags]",
     .text = "Shows one pipeline, with its contents.",
     .ask = ASK(run_get, get_flags, 1, 1)},
    {.name = "apply",
     .usage = "-f FILE... [flags]",
     .text = "Creates or replaces the pipelines in the files, by name. Nothing is written when the "
             "server refuses one of them.",
     .ask = ASK(run_apply, apply_flags, 0, FILES_MAX)},
    {.name = "delete",
     .usage = "NAME... [flags]",
     .text = "Deletes pipelines, all of them or none.",
     .ask = ASK(run_delete, delete_flags, 1, FILES_MAX)},
    {.name = "diff",
     .usage = "-f FILE... [flags]",
     .text = "Shows what apply would change, as a unified diff. The exit code is 0 when nothing "
             "would, 16 when something would.",
     .ask = ASK(run_diff, diff_flags, 0, FILES_MAX)},
    {.name = "revisions",
     .usage = "[NAME] [flags]",
     .text = "Lists the revisions of a pipeline, or of all.",
     .ask = ASK(run_revisions, revisions_flags, 0, 1)},
    {.name = "preview",
     .usage = "-f FILE [flags]",
     .text = "Tells which agents a pipeline would match, gain and lose, without storing it.",
     .ask = ASK(run_preview, preview_flags, 0, FILES_MAX)},
};
