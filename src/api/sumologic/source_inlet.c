/* SPDX-License-Identifier: Apache-2.0 */
/* Doors: what a source with a URL of its own says to the receiver. Pure but for the load at start.
 */
#include "api/sumologic/internal.h"

#include "api/sumologic/source_doc.h"
#include "api/sumologic/source_json.h"
#include "api/sumologic/source_rules.h"

#define METADATA_MAX 65536

/* Of one line: what would begin another is a blank. */
static void put_value(struct buf *out, struct str value)
{
    size_t from = out->len;

    buf_put_str(out, value);
    for (size_t i = from; i < out->len; i++)
        if (out->data[i] < ' ' || out->data[i] == 0x7f)
            out->data[i] = ' ';
}

static void put_line(struct buf *out, const char *name, struct str value)
{
    if (value.len == 0)
        return;
    buf_put_str(out, str_of(name));
    buf_put_byte(out, '=');
    put_value(out, value);
    buf_put_byte(out, '\n');
}

/* "fields=team=a, tier=gold" */
static void put_fields(struct buf *out, const struct json_value *fields)
{
    const char *before = "fields=";

    if (!fields || fields->kind != JSON_KIND_OBJECT || fields->count == 0)
        return;
    json_foreach (v, fields) {
        buf_put_str(out, str_of(before));
        put_value(out, v->key);
        buf_put_byte(out, '=');
        put_value(out, v->text);
        before = ", ";
    }
    buf_put_byte(out, '\n');
}

static struct str metadata_of(struct arena *a, const struct json_value *tree)
{
    struct buf out;

    buf_init_arena(&out, a, METADATA_MAX);
    put_line(&out, "host", source_text(tree, "hostName"));
    put_line(&out, "name", source_text(tree, "name"));
    put_line(&out, "category", source_text(tree, "category"));
    put_fields(&out, json_find(tree, STR("fields")));
    return buf_str(&out);
}

bool sumo_source_inlet(struct arena *a, const struct source *row, struct inlet *out)
{
    struct source_doc doc = {0};
    struct fail ignored;
    size_t count = 0;

    if (source_doc_decode(a, row, &doc, &ignored) < 0 || (doc.type->flags & SOURCE_URL) == 0 ||
        source_doc_token(&doc).len == 0)
        return false;
    *out = (struct inlet){
        .tenant = row->tenant,
        .collector = row->collector,
        .source = row->id,
        .code = source_doc_token(&doc),
        .metadata = metadata_of(a, doc.tree),
        .hash = source_hash_of(doc.tree),
    };
    out->boundary = source_boundary_of(doc.tree, &out->prefix);
    out->rules = source_rules_of(a, json_find(doc.tree, STR("filters")), &count);
    out->rule_count = count;
    return true;
}

struct loading {
    struct inlets *inlets;
    struct arena *scratch; /* of one row */
};

static bool load_one(void *arg, const struct source *row)
{
    struct loading *l = arg;
    struct inlet inlet;

    arena_reset(l->scratch);
    if (sumo_source_inlet(l->scratch, row, &inlet))
        inlets_put(l->inlets, &inlet);
    return true;
}

int sumologic_load(struct sumologic_app *app, struct fail *f)
{
    struct loading l = {.inlets = app->inlets, .scratch = arena_new(4096)};
    struct arena *a = arena_new(4096);
    struct store_tx *tx = NULL;
    int rc = store_read_open(app->store, a, &tx, f);

    if (rc == 0) {
        rc = source_load(tx, load_one, &l, f);
        store_read_close(&tx);
    }
    arena_free(&l.scratch);
    arena_free(&a);
    return rc;
}
