/* SPDX-License-Identifier: Apache-2.0 */
/* The text of several pipelines, each in a scope of its own. Contents stand in it byte for byte,
 * without another indentation: the lines of a raw string are part of its value. */
#include "core/alloy_config.h"

#include <string.h>

#include "base/buf.h"
#include "base/map.h"
#include "codec/alloy.h"
#include "codec/unicode.h"
#include "codec/utf8.h"

#define NONE "// muster: 0 pipelines\n"

/* --- labels --- */

/* Agents give a declared label precedence over everything whose name begins with it, at any depth:
 * a pipeline called "prometheus" would take all the components of that family away. An export,
 * again, could not be referred to by a label that the language gives to its own functions. */
static const struct str reserved[] = {
    /* families of components */
    STR_INIT("beyla"),
    STR_INIT("database_observability"),
    STR_INIT("discovery"),
    STR_INIT("faro"),
    STR_INIT("local"),
    STR_INIT("loki"),
    STR_INIT("mimir"),
    STR_INIT("otelcol"),
    STR_INIT("prometheus"),
    STR_INIT("pyroscope"),
    STR_INIT("remote"),
    /* blocks of the language and services of the agent */
    STR_INIT("argument"),
    STR_INIT("declare"),
    STR_INIT("export"),
    STR_INIT("foreach"),
    STR_INIT("import"),
    STR_INIT("logging"),
    STR_INIT("tracing"),
    STR_INIT("cluster"),
    STR_INIT("http"),
    STR_INIT("labelstore"),
    STR_INIT("livedebugging"),
    STR_INIT("otel"),
    STR_INIT("remotecfg"),
    STR_INIT("ui"),
    /* words and functions */
    STR_INIT("false"),
    STR_INIT("null"),
    STR_INIT("true"),
    STR_INIT("array"),
    STR_INIT("coalesce"),
    STR_INIT("concat"),
    STR_INIT("constants"),
    STR_INIT("convert"),
    STR_INIT("encoding"),
    STR_INIT("env"),
    STR_INIT("file"),
    STR_INIT("format"),
    STR_INIT("join"),
    STR_INIT("json_decode"),
    STR_INIT("json_path"),
    STR_INIT("map"),
    STR_INIT("module_path"),
    STR_INIT("nonsensitive"),
    STR_INIT("replace"),
    STR_INIT("split"),
    STR_INIT("string"),
    STR_INIT("sys"),
    STR_INIT("targets"),
    STR_INIT("to_lower"),
    STR_INIT("to_upper"),
    STR_INIT("trim"),
    STR_INIT("trim_prefix"),
    STR_INIT("trim_space"),
    STR_INIT("trim_suffix"),
    STR_INIT("yaml_decode"),
};

static bool is_reserved(struct str label)
{
    for (size_t i = 0; i < COUNTOF(reserved); i++) {
        if (str_eq(label, reserved[i]))
            return true;
    }
    return false;
}

/* A name as an identifier: what may not stand in one becomes '_', and a digit gets one in front. */
static struct str sanitize(struct arena *a, struct str name)
{
    struct buf b;

    buf_init_arena(&b, a, name.len + 1);
    for (size_t at = 0; at < name.len;) {
        struct str left = str_skip(name, at);
        size_t n = utf8_char_len(left);
        uint32_t point = n ? utf8_decode(left, n) : 0;
        bool digit = unicode_is_digit(point);

        if (digit && at == 0)
            buf_put_byte(&b, '_');
        if (digit || point == '_' || unicode_is_letter(point))
            buf_put(&b, left.p, n);
        else
            buf_put_byte(&b, '_');
        at += MAX(n, (size_t)1);
    }
    return b.len ? buf_str(&b) : STR("_");
}

struct label_of {
    struct str text;
    bool suffixed;
};

static void add_suffix(struct arena *a, struct label_of *label, int64_t id)
{
    label->text = arena_printf(a, "%.*s_%lld", STR_ARG(label->text), (long long)id);
    label->suffixed = true;
}

/* Gives the id to all labels that stand twice and do not have it yet. True when there were any.
 * Labels that have it never equal each other, as their ends differ; so this ends. */
static bool separate(struct arena *a, const struct alloy_part *parts, struct label_of *labels,
                     size_t count)
{
    CLEANUP(map_free) struct map *first = map_new();
    bool *clashes = arena_new_array(a, bool, count);
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        struct label_of *other = map_get(first, labels[i].text);

        if (!other) {
            map_put(first, labels[i].text, &labels[i]);
            continue;
        }
        clashes[i] = true;
        clashes[other - labels] = true;
    }
    for (size_t i = 0; i < count; i++) {
        if (!clashes[i] || labels[i].suffixed)
            continue;
        add_suffix(a, &labels[i], parts[i].id);
        any = true;
    }
    return any;
}

static struct label_of *label_parts(struct arena *a, const struct alloy_part *parts, size_t count)
{
    struct label_of *labels = arena_new_array(a, struct label_of, count);

    for (size_t i = 0; i < count; i++) {
        labels[i].text = sanitize(a, parts[i].name);
        if (is_reserved(labels[i].text))
            add_suffix(a, &labels[i], parts[i].id);
    }
    while (separate(a, parts, labels, count))
        continue;
    return labels;
}

/* --- the text --- */

struct writer {
    struct buf out;
    const struct alloy_part *parts;
    const struct label_of *labels;
    size_t count;
    const struct label *attributes; /* sorted by key */
    size_t attribute_count;
};

/* Text that stands for itself between backticks. */
static bool is_raw(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '`' || s.p[i] == '\r' || s.p[i] == '\0')
            return false;
    }
    return utf8_is_valid(s) && !memmem(s.p, s.len, "\xef\xbb\xbf", 3);
}

/* The key of an object. Agents take what stands between its quotes as it is, escapes included; so a
 * key with something to escape goes between backticks, where that is possible. */
static void put_key(struct buf *out, struct str key)
{
    size_t before = out->len;

    alloy_quote(out, key);
    if (out->len - before == key.len + 2 || !is_raw(key))
        return;
    out->len = before;
    buf_put_byte(out, '`');
    buf_put_str(out, key);
    buf_put_byte(out, '`');
}

static void put_optional_argument(struct buf *out, const char *name)
{
    buf_printf(out, "\targument \"%s\" {\n\t\toptional = true\n\t\tdefault  = {}\n\t}\n", name);
}

static void put_declare(struct writer *w, size_t i)
{
    const struct alloy_part *part = &w->parts[i];
    const struct alloy_facts *facts = part->facts;

    buf_put_str(&w->out, STR("declare \""));
    buf_put_str(&w->out, w->labels[i].text);
    buf_put_str(&w->out, STR("\" {\n"));
    if (facts->attributes != ATTRIBUTES_UNUSED && !facts->declares_attributes)
        put_optional_argument(&w->out, "attributes");
    if (facts->uses_exports && !facts->declares_exports_argument)
        put_optional_argument(&w->out, "pipeline_exports");
    buf_put_str(&w->out, part->contents);
    if (!str_ends_with(part->contents, STR("\n"))) /* it may end within a comment */
        buf_put_byte(&w->out, '\n');
    buf_put_str(&w->out, STR("}\n"));
}

static bool has_key(const struct str *keys, size_t count, struct str key)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(key, keys[middle]);

        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

/* Opens an object at its first field, separates the others. */
static void put_field(struct buf *out, bool *open, struct str key)
{
    buf_put_str(out, *open ? STR(", ") : STR("{ "));
    *open = true;
    put_key(out, key);
    buf_put_str(out, STR(" = "));
}

static void put_object_end(struct buf *out, bool open)
{
    buf_put_str(out, open ? STR(" }") : STR("{}"));
}

/* Keys that the contents do not ask for are left out, since to an agent the absent key of a map is
 * null: so agents that differ in other attributes only still get the same bytes. */
static void put_attributes(struct writer *w, const struct alloy_facts *facts)
{
    bool open = false;

    buf_put_str(&w->out, STR("\tattributes = "));
    for (size_t i = 0; i < w->attribute_count && facts->attributes != ATTRIBUTES_UNUSED; i++) {
        const struct label *attribute = &w->attributes[i];

        if (facts->attributes == ATTRIBUTES_BY_KEY &&
            !has_key(facts->keys, facts->key_count, attribute->key))
            continue;
        put_field(&w->out, &open, attribute->key);
        alloy_quote(&w->out, attribute->value);
    }
    put_object_end(&w->out, open);
    buf_put_byte(&w->out, '\n');
}

static void put_exports_of(struct writer *w, size_t i)
{
    const struct alloy_facts *facts = w->parts[i].facts;
    bool open = false;

    for (size_t j = 0; j < facts->export_count; j++) {
        put_field(&w->out, &open, facts->exports[j]);
        buf_put_str(&w->out, w->labels[i].text);
        buf_put_str(&w->out, STR(".default."));
        buf_put_str(&w->out, facts->exports[j]);
    }
    put_object_end(&w->out, open);
}

/* Exports of the others. Where the contents name pipelines, only of those: else two pipelines that
 * export something and use a third one's exports would refer to each other, and agents refuse a
 * circle. One that is really in the texts is left for the agent to report. */
static void put_pipeline_exports(struct writer *w, size_t user)
{
    const struct alloy_facts *facts = w->parts[user].facts;
    bool open = false;

    buf_put_str(&w->out, STR("\tpipeline_exports = "));
    for (size_t i = 0; i < w->count && facts->uses_exports; i++) {
        if (i == user || w->parts[i].facts->export_count == 0)
            continue;
        if (facts->exports_use == ATTRIBUTES_BY_KEY &&
            !has_key(facts->exporters, facts->exporter_count, w->parts[i].name))
            continue;
        put_field(&w->out, &open, w->parts[i].name);
        put_exports_of(w, i);
    }
    put_object_end(&w->out, open);
    buf_put_byte(&w->out, '\n');
}

static void put_instance(struct writer *w, size_t i)
{
    const struct alloy_facts *facts = w->parts[i].facts;
    bool attributes = facts->attributes != ATTRIBUTES_UNUSED || facts->declares_attributes;
    bool exports = facts->uses_exports || facts->declares_exports_argument;

    buf_put_str(&w->out, w->labels[i].text);
    buf_put_str(&w->out, STR(" \"default\" {"));
    if (attributes || exports)
        buf_put_byte(&w->out, '\n');
    if (attributes)
        put_attributes(w, facts);
    if (exports)
        put_pipeline_exports(w, i);
    buf_put_str(&w->out, STR("}\n"));
}

struct str alloy_config_render(struct arena *a, const struct alloy_part *parts, size_t count,
                               const struct label *attributes, size_t attribute_count)
{
    struct writer w = {.parts = parts, .count = count, .attributes = attributes};
    size_t expected = sizeof(NONE);

    if (count == 0)
        return alloy_config_none();
    w.attribute_count = attribute_count;
    w.labels = label_parts(a, parts, count);
    for (size_t i = 0; i < count; i++)
        expected += parts[i].contents.len + 2 * w.labels[i].text.len + 128;
    buf_init_arena(&w.out, a, SIZE_MAX / 2);
    IGNORE(buf_reserve(&w.out, expected));
    buf_printf(&w.out, "// muster: %zu %s\n", count, count == 1 ? "pipeline" : "pipelines");
    for (size_t i = 0; i < count; i++) {
        put_declare(&w, i);
        put_instance(&w, i);
    }
    return buf_str(&w.out);
}

struct str alloy_config_none(void)
{
    return STR(NONE);
}
