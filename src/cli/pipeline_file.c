/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pipeline_file.h"

#include <string.h>

#include "cli/fleet.h"
#include "cli/input.h"

#define TEXT_BYTES_MAX ((size_t)128 << 20)

static const struct {
    const char *suffix;
    const char *type;
} kinds[] = {
    {".alloy", "CONFIG_TYPE_ALLOY"},
    {".river", "CONFIG_TYPE_ALLOY"},
    {".yaml", "CONFIG_TYPE_OTEL"},
    {".yml", "CONFIG_TYPE_OTEL"},
};

/* What a pipeline may have, by both of its names. A member that is none would be passed over by the
 * server, and a mistyped "matchers" is not to be passed over. */
static const struct {
    const char *name;
    const char *other; /* the name in .proto */
    bool server;       /* only the server says it */
} members[] = {
    {"name", "name", false},
    {"contents", "contents", false},
    {"matchers", "matchers", false},
    {"createdAt", "created_at", true},
    {"updatedAt", "updated_at", true},
    {"enabled", "enabled", false},
    {"id", "id", true},
    {"metadata", "metadata", false},
    {"source", "source", false},
    {"configType", "config_type", false},
};

struct reading {
    struct cli *cli;
    const struct args *args;
    struct pipeline_file *files;
    size_t count;
    size_t cap;
};

static void add(struct reading *r, const struct pipeline_file *file)
{
    if (r->count == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 16;
        struct pipeline_file *more = arena_new_array(r->cli->arena, struct pipeline_file, cap);

        if (r->count > 0)
            memcpy(more, r->files, r->count * sizeof(*more));
        r->files = more;
        r->cap = cap;
    }
    r->files[r->count++] = *file;
}

/* ---- JSON ---- */

static bool refuse(struct cli *cli, const char *path, const char *why, enum exit_code *code)
{
    *code = cli_fail(cli, EXIT_CODE_USAGE, "%s: %s", path, why);
    return false;
}

/* Members under the names that answers have; unknown ones are refused. */
static bool take_members(struct cli *cli, const char *path, struct json_value *pipeline,
                         enum exit_code *code)
{
    for (struct json_value *v = pipeline->first; v; v = v->next) {
        bool known = false;

        for (size_t i = 0; i < COUNTOF(members); i++) {
            if (!str_eq(v->key, str_of(members[i].name)) &&
                !str_eq(v->key, str_of(members[i].other)))
                continue;
            v->key = str_of(members[i].name);
            known = true;
        }
        if (!known) {
            *code = cli_fail(cli, EXIT_CODE_USAGE, "%s: a pipeline has no \"%.*s\"", path,
                             STR_ARG(str_first(v->key, 64)));
            return false;
        }
    }
    return true;
}

static bool add_pipeline(struct reading *r, const char *path, struct json_value *pipeline,
                         enum exit_code *code)
{
    struct pipeline_file file = {.path = path, .pipeline = pipeline};

    if (pipeline->kind != JSON_KIND_OBJECT)
        return refuse(r->cli, path, "a pipeline is a JSON object", code);
    if (!take_members(r->cli, path, pipeline, code))
        return false;
    file.name = fleet_text(pipeline, "name");
    if (file.name.len == 0)
        return refuse(r->cli, path, "a pipeline without a name", code);
    add(r, &file);
    return true;
}

static bool read_json(struct reading *r, const char *path, struct str text, enum exit_code *code)
{
    static const struct json_limits limits = {.bytes = INPUT_BYTES_MAX};
    struct json_value *root, *list;
    struct fail f;

    if (json_parse(r->cli->arena, text, &limits, &root, &f) < 0)
        return refuse(r->cli, path, f.message, code);
    list = json_find(root, STR("pipelines"));
    if (!list || root->count > 1)
        return add_pipeline(r, path, root, code);
    if (list->kind != JSON_KIND_ARRAY)
        return refuse(r->cli, path, "\"pipelines\" is a list", code);
    for (struct json_value *v = list->first; v; v = v->next)
        if (!add_pipeline(r, path, v, code))
            return false;
    return true;
}

/* ---- contents ---- */

static struct json_value *list_of(struct arena *a, const char *const *items, size_t count)
{
    struct json_value *list = json_new_array(a);

    for (size_t i = 0; i < count; i++)
        json_append(list, json_new_str(a, str_of(items[i])));
    return list;
}

static void add_contents(struct reading *r, const char *path, const char *suffix, const char *type,
                         struct str text)
{
    struct arena *a = r->cli->arena;
    const char *slash = strrchr(path, '/'), *name = args_find(r->args, "name");
    struct str base = str_of(slash ? slash + 1 : path);
    struct pipeline_file file = {
        .path = path, .pipeline = json_new_object(a), .contents_only = true};
    size_t count;
    const char **matchers = args_list(a, r->args, "matcher", &count);

    base.len -= strlen(suffix);
    file.name = name ? str_of(name) : base;
    json_set(file.pipeline, STR("name"), json_new_str(a, file.name));
    json_set(file.pipeline, STR("contents"), json_new_str(a, text));
    json_set(file.pipeline, STR("configType"), json_new_str(a, str_of(type)));
    if (count > 0)
        json_set(file.pipeline, STR("matchers"), list_of(a, matchers, count));
    add(r, &file);
}

static bool read_one(struct reading *r, const char *path, enum exit_code *code)
{
    struct str text;

    if (!input_read(r->cli, path, &text, code))
        return false;
    for (size_t i = 0; i < COUNTOF(kinds); i++) {
        if (str_ends_with(str_of(path), str_of(kinds[i].suffix))) {
            add_contents(r, path, kinds[i].suffix, kinds[i].type, text);
            return true;
        }
    }
    if (strcmp(path, "-") != 0 && !str_ends_with(str_of(path), STR(".json")))
        return refuse(r->cli, path, "is neither .json nor .alloy, .river, .yaml or .yml", code);
    return read_json(r, path, text, code);
}

static bool check(const struct reading *r, enum exit_code *code)
{
    size_t contents = 0, matchers;

    IGNORE(args_list(r->cli->arena, r->args, "matcher", &matchers));
    for (size_t i = 0; i < r->count; i++) {
        contents += r->files[i].contents_only;
        for (size_t k = 0; k < i; k++)
            if (str_eq(r->files[i].name, r->files[k].name))
                return refuse(r->cli, r->files[i].path, "that name comes twice", code);
    }
    if (args_find(r->args, "name") && (contents != 1 || r->count != 1)) {
        *code = cli_fail(r->cli, EXIT_CODE_USAGE, "--name goes with one file of contents");
        return false;
    }
    if (matchers > 0 && contents == 0) {
        *code = cli_fail(r->cli, EXIT_CODE_USAGE, "--matcher goes with files of contents");
        return false;
    }
    return true;
}

bool pipeline_files_read(struct cli *cli, const struct args *args, struct pipeline_file **out,
                         size_t *count, enum exit_code *code)
{
    struct reading r = {.cli = cli, .args = args};
    size_t named;
    const char **paths = args_list(cli->arena, args, "file", &named);

    for (size_t i = 0; i < named; i++)
        if (!read_one(&r, paths[i], code))
            return false;
    for (size_t i = 0; i < args->operand_count; i++)
        if (!read_one(&r, args->operands[i], code))
            return false;
    if (r.count == 0) {
        *code = cli_fail(cli, EXIT_CODE_USAGE,
                         named + args->operand_count > 0 ? "there is no pipeline in the files"
                                                         : "give files: -f FILE");
        return false;
    }
    if (!check(&r, code))
        return false;
    *out = r.files;
    *count = r.count;
    return true;
}

/* ---- what they say ---- */

static struct json_value *copy(struct arena *a, const struct json_value *v)
{
    struct json_value *out = arena_new_type(a, struct json_value);

    *out = *v;
    out->first = out->last = out->next = NULL;
    out->count = 0;
    json_foreach (item, v) {
        struct json_value *inner = copy(a, item);

        if (v->kind == JSON_KIND_ARRAY)
            json_append(out, inner);
        else
            json_set(out, item->key, inner);
    }
    return out;
}

static void overlay(struct arena *a, struct json_value *onto, const struct json_value *pipeline)
{
    for (size_t i = 0; i < COUNTOF(members); i++) {
        const struct json_value *v = json_find(pipeline, str_of(members[i].name));

        if (v && !members[i].server)
            json_set(onto, str_of(members[i].name), copy(a, v));
    }
}

struct json_value *pipeline_file_merge(struct arena *a, const struct pipeline_file *file,
                                       const struct json_value *stored)
{
    struct json_value *out = json_new_object(a);

    if (file->contents_only && stored)
        overlay(a, out, stored);
    overlay(a, out, file->pipeline);
    return out;
}

static void put_source(struct arena *a, const struct json_value *pipeline, struct buf *out)
{
    const struct json_value *source = json_find(pipeline, STR("source"));
    struct str type = fleet_word(a, source, "type", "SOURCE_TYPE_");
    struct str space = fleet_text(source, "namespace");

    if (type.len > 0 || space.len > 0)
        buf_printf(out, "source: %.*s %.*s\n", STR_ARG(type), STR_ARG(space));
}

struct str pipeline_text(struct arena *a, const struct json_value *pipeline)
{
    const struct json_value *enabled = json_find(pipeline, STR("enabled"));
    const struct json_value *metadata = json_find(pipeline, STR("metadata"));
    struct str type = fleet_word(a, pipeline, "configType", "CONFIG_TYPE_");
    struct buf out;

    buf_init_arena(&out, a, TEXT_BYTES_MAX);
    buf_printf(&out, "name: %.*s\n", STR_ARG(fleet_text(pipeline, "name")));
    buf_printf(&out, "type: %.*s\n", STR_ARG(type.len ? type : STR("alloy")));
    buf_printf(&out, "enabled: %s\n",
               enabled && enabled->kind == JSON_KIND_BOOL && !enabled->boolean ? "false" : "true");
    json_foreach (matcher, fleet_list(a, pipeline, "matchers"))
        buf_printf(&out, "matcher: %.*s\n", STR_ARG(matcher->text));
    put_source(a, pipeline, &out);
    if (metadata && metadata->kind == JSON_KIND_OBJECT && metadata->count > 0) {
        struct json_writer w;

        buf_put_str(&out, STR("metadata: "));
        json_writer_init(&w, &out);
        json_put_value(&w, metadata);
        buf_put_byte(&out, '\n');
    }
    buf_put_str(&out, STR("contents:\n"));
    buf_put_str(&out, fleet_text(pipeline, "contents"));
    return buf_str(&out);
}
