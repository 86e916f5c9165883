/* SPDX-License-Identifier: Apache-2.0 */
/* A verdict on YAML. libyaml reads it and knows its grammar; what it leaves to its caller is here:
 * one document, a mapping at the top, keys that are text and stand once, aliases that mean
 * something, bounds. Nothing is built, so aliases cost nothing. */
#include "codec/yaml.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/buf.h"
#include "base/map.h"
#include "codec/utf8.h"

#define TAGS_MAX 64

struct anchor {
    bool open; /* its node has not ended yet */
};

struct frame {
    uint64_t number; /* of the mapping or sequence: no two have the same */
    bool mapping;
    bool has_key; /* mapping: the key was read, its value comes next */
    struct anchor *anchor;
};

struct reader {
    struct arena *arena;
    struct fail *fail;
    struct str text;
    yaml_parser_t parser;
    struct frame frames[YAML_MAX_DEPTH];
    unsigned depth;
    unsigned nodes;
    unsigned documents;
    uint64_t frame_count;
    struct map *keys;    /* the mapping's number and the key, to anything */
    struct map *anchors; /* name to struct anchor */
    struct buf key;
};

static int refuse(struct reader *r, yaml_mark_t mark, const char *why)
{
    return fail_reason(r->fail, CODE_INVALID_ARGUMENT, "bad_yaml", "line %zu, column %zu: %s",
                       mark.line + 1, mark.column + 1, why);
}

/* Where a byte stands, for what libyaml is not asked about. */
static yaml_mark_t mark_of(struct str text, size_t at)
{
    yaml_mark_t mark = {.index = at};
    struct str before = str_first(text, at);

    while (before.len > 0) {
        ptrdiff_t newline = str_index(before, '\n');

        if (newline < 0) {
            mark.column = utf8_count(before);
            break;
        }
        mark.line++;
        before = str_skip(before, (size_t)newline + 1);
    }
    return mark;
}

/* What libyaml said. */
static int refuse_parser(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    const char *why = p->problem ? p->problem : "this is not YAML";

    if (p->error == YAML_MEMORY_ERROR)
        abort(); /* as everywhere when memory runs out */
    if (p->error == YAML_READER_ERROR)
        return refuse(r, mark_of(r->text, p->problem_offset), why);
    return refuse(r, p->problem_mark, why);
}

static struct str scalar_text(const yaml_event_t *e)
{
    return str_make(e->data.scalar.value, e->data.scalar.length);
}

static int check_key(struct reader *r, const yaml_event_t *e, uint64_t mapping)
{
    struct str text;

    if (e->type != YAML_SCALAR_EVENT)
        return refuse(r, e->start_mark, "the key of a mapping must be text");
    text = scalar_text(e);
    buf_clear(&r->key);
    buf_put(&r->key, &mapping, sizeof(mapping));
    buf_put_str(&r->key, text);
    if (!map_put(r->keys, buf_str(&r->key), r))
        return 0;
    text = str_first(text, 80);
    text.len = utf8_valid_len(text);
    return fail_reason(r->fail, CODE_INVALID_ARGUMENT, "bad_yaml",
                       "line %zu, column %zu: the key \"%.*s\" stands twice in this mapping",
                       e->start_mark.line + 1, e->start_mark.column + 1, STR_ARG(text));
}

static const yaml_char_t *anchor_of(const yaml_event_t *e)
{
    if (e->type == YAML_SCALAR_EVENT)
        return e->data.scalar.anchor;
    if (e->type == YAML_SEQUENCE_START_EVENT)
        return e->data.sequence_start.anchor;
    return e->type == YAML_MAPPING_START_EVENT ? e->data.mapping_start.anchor : NULL;
}

/* NULL when the node has none. A name may be given again; the later node has it then. */
static struct anchor *define_anchor(struct reader *r, const yaml_event_t *e)
{
    const yaml_char_t *name = anchor_of(e);
    struct anchor *anchor;

    if (!name)
        return NULL;
    anchor = arena_new_type(r->arena, struct anchor);
    map_put(r->anchors, str_of((const char *)name), anchor);
    return anchor;
}

static int check_alias(struct reader *r, const yaml_event_t *e)
{
    const struct anchor *anchor = map_get(r->anchors, str_of((const char *)e->data.alias.anchor));

    if (!anchor)
        return refuse(r, e->start_mark, "this alias has no anchor before it");
    if (anchor->open)
        return refuse(r, e->start_mark, "this alias stands within what it refers to");
    return 0;
}

static int open_frame(struct reader *r, const yaml_event_t *e, struct anchor *anchor)
{
    if (r->depth == YAML_MAX_DEPTH)
        return refuse(r, e->start_mark, "this nests too deep");
    if (anchor)
        anchor->open = true;
    r->frames[r->depth++] = (struct frame){.number = r->frame_count++,
                                           .mapping = e->type == YAML_MAPPING_START_EVENT,
                                           .anchor = anchor};
    return 0;
}

/* A node begins: a key, a value, an item or the whole. */
static int on_node(struct reader *r, const yaml_event_t *e)
{
    struct frame *top = r->depth ? &r->frames[r->depth - 1] : NULL;
    struct anchor *anchor;

    if (++r->nodes > YAML_MAX_NODES)
        return refuse(r, e->start_mark, "the text has too many values");
    if (!top && e->type == YAML_SCALAR_EVENT && e->data.scalar.length == 0)
        return refuse(r, e->start_mark, "the text is empty");
    if (!top && e->type != YAML_MAPPING_START_EVENT)
        return refuse(r, e->start_mark, "the text must be a mapping (\"key: value\" lines)");
    if (top && top->mapping && !top->has_key && check_key(r, e, top->number) < 0)
        return -1;
    if (top && top->mapping)
        top->has_key = !top->has_key;
    if (e->type == YAML_ALIAS_EVENT)
        return check_alias(r, e);
    anchor = define_anchor(r, e);
    return e->type == YAML_SCALAR_EVENT ? 0 : open_frame(r, e, anchor);
}

static int on_end(struct reader *r)
{
    struct frame *top = &r->frames[--r->depth];

    if (top->anchor)
        top->anchor->open = false;
    return 0;
}

static int on_event(struct reader *r, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++r->documents > 1)
            return refuse(r, e->start_mark, "a second document begins; only one is allowed");
        return 0;
    case YAML_STREAM_END_EVENT:
        if (r->documents == 0)
            return refuse(r, e->start_mark, "the text is empty");
        return 0;
    case YAML_ALIAS_EVENT:
    case YAML_SCALAR_EVENT:
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT: return on_node(r, e);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return on_end(r);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT: break;
    }
    return 0;
}

static int read_events(struct reader *r)
{
    bool done = false;

    while (!done) {
        yaml_event_t event;
        int verdict;

        if (!yaml_parser_parse(&r->parser, &event))
            return refuse_parser(r);
        done = event.type == YAML_STREAM_END_EVENT;
        verdict = on_event(r, &event);
        yaml_event_delete(&event);
        if (verdict < 0)
            return -1;
    }
    return 0;
}

/* libyaml compares each with all before it, and with each tag that follows. */
static int check_directives(struct reader *r)
{
    struct str rest = r->text;
    unsigned count = 0;
    const char *found;

    while (rest.len > 0 && (found = memmem(rest.p, rest.len, "%TAG", 4))) {
        size_t at = (size_t)(found - r->text.p);

        if (++count > TAGS_MAX)
            return refuse(r, mark_of(r->text, at), "the text has too many %TAG directives");
        rest = str_skip(r->text, at + 4);
    }
    return 0;
}

int yaml_check(struct arena *a, struct str text, struct fail *f)
{
    struct reader r = {.arena = a, .fail = f, .text = text};
    size_t valid;
    int result;

    if (text.len > YAML_MAX_BYTES)
        return refuse(&r, (yaml_mark_t){0}, "the text is too long");
    valid = utf8_valid_len(text);
    if (valid < text.len)
        return refuse(&r, mark_of(text, valid), "this is not valid UTF-8");
    if (check_directives(&r) < 0)
        return -1;
    if (!yaml_parser_initialize(&r.parser))
        abort();
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.len ? text.p : ""),
                                 text.len);
    r.keys = map_new();
    r.anchors = map_new();
    buf_init(&r.key, YAML_MAX_BYTES + sizeof(uint64_t));
    result = read_events(&r);
    buf_done(&r.key);
    map_free(&r.anchors);
    map_free(&r.keys);
    yaml_parser_delete(&r.parser);
    return result;
}
