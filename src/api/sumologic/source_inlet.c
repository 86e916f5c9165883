/* SPDX-License-Identifier: Apache-2.0 */
/* Doors: what a source with a URL of its own and its collector say to the receiver. Pure but for
 * what is called at start and after commits. */
#include "api/sumologic/internal.h"

#include "api/sumologic/received.h"
#include "api/sumologic/source_doc.h"
#include "api/sumologic/source_json.h"
#include "api/sumologic/source_rules.h"

#define METADATA_MAX 65536
#define FIELDS_MAX   4096 /* of one line; what is more is left out */

static void put_line(struct buf *out, const char *name, struct str value)
{
    if (value.len == 0)
        return;
    buf_put_str(out, str_of(name));
    buf_put_byte(out, '=');
    received_put_text(out, value);
    buf_put_byte(out, '\n');
}

/* "fields=team=a, tier=gold" */
static void put_fields(struct buf *out, const struct attributes *fields)
{
    size_t from = out->len;

    for (size_t i = 0; i < fields->count; i++) {
        const struct label *field = &fields->items[i];

        if (out->len - from + field->key.len + field->value.len > FIELDS_MAX)
            continue;
        buf_put_str(out, out->len == from ? STR("fields=") : STR(", "));
        received_put_text(out, field->key);
        buf_put_byte(out, '=');
        received_put_text(out, field->value);
    }
    if (out->len > from)
        buf_put_byte(out, '\n');
}

static struct attributes fields_of(struct arena *a, const struct json_value *map)
{
    struct attributes fields = {0};

    if (!map || map->kind != JSON_KIND_OBJECT)
        return fields;
    fields.items = arena_new_array(a, struct label, map->count);
    json_foreach (v, map)
        fields.items[fields.count++] = (struct label){v->key, v->text};
    return fields;
}

static struct str metadata_of(struct arena *a, const struct json_value *tree)
{
    struct attributes fields = fields_of(a, json_find(tree, STR("fields")));
    struct buf out;

    buf_init_arena(&out, a, METADATA_MAX);
    put_line(&out, "host", source_text(tree, "hostName"));
    put_line(&out, "name", source_text(tree, "name"));
    put_line(&out, "category", source_text(tree, "category"));
    put_fields(&out, &fields);
    return buf_str(&out);
}

struct str sumo_collector_metadata(struct arena *a, const struct profile *profile,
                                   const struct attributes *fields)
{
    struct buf out;

    buf_init_arena(&out, a, METADATA_MAX);
    put_line(&out, "category", profile->category);
    put_fields(&out, fields);
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
