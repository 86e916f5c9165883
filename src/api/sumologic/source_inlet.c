/* SPDX-License-Identifier: Apache-2.0 */
/* Doors: what a source with a URL of its own and its collector say to the receiver. Pure but for
 * what is called at start and after commits. */
#include "api/sumologic/internal.h"

#include "api/sumologic/source_doc.h"
#include "api/sumologic/source_json.h"
#include "api/sumologic/source_rules.h"

#define METADATA_MAX 65536
#define FIELDS_MAX   4096 /* of one line; what is more is left out */

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

/* "fields=team=a, tier=gold": one after the other, and an end if there were any. */
struct fields_line {
    struct buf *out;
    size_t from;
};

static void put_field(struct fields_line *l, struct str key, struct str value)
{
    if (l->out->len - l->from + key.len + value.len > FIELDS_MAX)
        return;
    buf_put_str(l->out, l->out->len == l->from ? STR("fields=") : STR(", "));
    put_value(l->out, key);
    buf_put_byte(l->out, '=');
    put_value(l->out, value);
}

static void end_fields(struct fields_line *l)
{
    if (l->out->len > l->from)
        buf_put_byte(l->out, '\n');
}

static void put_fields(struct buf *out, const struct json_value *fields)
{
    struct fields_line l = {out, out->len};

    if (!fields || fields->kind != JSON_KIND_OBJECT)
        return;
    json_foreach (v, fields)
        put_field(&l, v->key, v->text);
    end_fields(&l);
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

struct str sumo_collector_metadata(struct arena *a, const struct profile *profile,
                                   const struct attributes *fields)
{
    struct buf out;
    struct fields_line l = {&out, 0};

    buf_init_arena(&out, a, METADATA_MAX);
    put_line(&out, "category", profile->category);
    l.from = out.len;
    for (size_t i = 0; i < fields->count; i++)
        put_field(&l, fields->items[i].key, fields->items[i].value);
    end_fields(&l);
    return buf_str(&out);
}

struct description {
    struct inlets *inlets;
    uint64_t tenant;
    int64_t collector;
    struct str metadata;
};

static void describe(void *arg)
{
    const struct description *d = arg;

    inlets_put_collector(d->inlets, d->tenant, d->collector, d->metadata);
}

void sumo_inlets_follow(const struct call *c, const struct hosted *h)
{
    struct arena *a = store_tx_arena(c->tx);
    struct description *d = arena_new_type(a, struct description);

    *d = (struct description){
        .inlets = sumo_app(c)->inlets,
        .tenant = h->row.tenant,
        .collector = h->row.id,
        .metadata = sumo_collector_metadata(a, &h->profile, &h->fields),
    };
    store_on_commit(c->tx, describe, d);
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

/* Sources come collector by collector. */
struct loading {
    struct inlets *inlets;
    struct store_tx *tx;
    struct arena *scratch; /* of one row */
    uint64_t tenant;       /* of the collector before */
    int64_t collector;
    struct fail *fail;
    bool failed;
};

/* A source that nobody has, in a damaged file, takes data all the same. */
static bool load_collector(struct loading *l, const struct source *row)
{
    struct hosted h = {0};

    l->tenant = row->tenant;
    l->collector = row->collector;
    if (hosted_get(l->tx, row->tenant, row->collector, &h, l->fail) < 0) {
        l->failed = l->fail->code != CODE_NOT_FOUND;
        return !l->failed;
    }
    inlets_put_collector(l->inlets, row->tenant, row->collector,
                         sumo_collector_metadata(l->scratch, &h.profile, &h.fields));
    return true;
}

static bool load_one(void *arg, const struct source *row)
{
    struct loading *l = arg;
    struct inlet inlet;

    arena_reset(l->scratch);
    if (!sumo_source_inlet(l->scratch, row, &inlet))
        return true;
    inlets_put(l->inlets, &inlet);
    return (l->tenant == row->tenant && l->collector == row->collector) || load_collector(l, row);
}

int sumologic_load(struct sumologic_app *app, struct fail *f)
{
    struct loading l = {.inlets = app->inlets, .scratch = arena_new(4096), .fail = f};
    struct arena *a = arena_new(4096);
    int rc = store_read_open(app->store, a, &l.tx, f);

    if (rc == 0) {
        rc = source_load(l.tx, load_one, &l, f);
        store_read_close(&l.tx);
    }
    arena_free(&l.scratch);
    arena_free(&a);
    return l.failed ? -1 : rc;
}
