/* SPDX-License-Identifier: Apache-2.0 */
/* /api/v1/collectors/{id}/sources. Documents are checked on a worker; the write lane looks again at
 * what may have changed meanwhile, seals secrets and writes. Doors follow after the commit. */
#include "api/sumologic/internal.h"

#include "api/sumologic/source_doc.h"
#include "api/sumologic/source_json.h"

#define SOURCES_MAX 1000

/* What a collector's sources hold together: all of them are read to look for a port, and go in one
 * answer. */
#define SOURCES_BYTES (14 << 20)

/* --- what the path names --- */

/* Sources of a file on the agent's own disk are not ours to change. */
static int check_mode(const struct sumo_collector *col, struct fail *f)
{
    if (col->is_hosted || !col->agent.sources_local)
        return 0;
    return fail_reason(f, CODE_PERMISSION_DENIED, "sources_local",
                       "The sources of this collector are managed by local JSON files.");
}

static int source_id(const struct call *c, int64_t *out, struct fail *f)
{
    if (sumo_id(call_param(c, STR("source")), out))
        return 0;
    return fail_reason(f, CODE_NOT_FOUND, "no_such_source", "there is no such source");
}

static bool is_alive(const struct call *c, const struct sumo_collector *col)
{
    return col->is_hosted || sumo_is_alive(sumo_app(c), col, sumo_now_us(c));
}

static struct source_view view_of(const struct call *c, const struct sumo_collector *col,
                                  bool is_download)
{
    return (struct source_view){.is_download = is_download,
                                .is_alive = is_alive(c, col),
                                .base_url = is_download ? STR("") : sumo_base_url(c)};
}

static void put_one(const struct call *c, struct json_writer *w, struct arena *a,
                    const struct source_doc *doc, int64_t id, struct source_view *view)
{
    view->id = id;
    view->stats = (struct inlet_stats){0};
    if (!view->is_download && (doc->type->flags & SOURCE_URL) != 0)
        inlets_stats(sumo_app(c)->inlets, c->caller->tenant, id, &view->stats);
    source_doc_put(w, a, doc, view);
}

/* {"source":{...}} */
static void answer_one(struct call *c, const struct sumo_collector *col,
                       const struct source_doc *doc, int64_t id, bool is_download)
{
    struct source_view view = view_of(c, col, is_download);
    struct json_writer w;

    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    if (is_download)
        json_key_str(&w, STR("api.version"), STR("v1"));
    json_key(&w, STR("source"));
    put_one(c, &w, c->arena, doc, id, &view);
    json_obj_end(&w);
}

/* --- list --- */

struct listing {
    struct call *c;
    struct arena *scratch; /* of one row */
    struct json_writer w;
    struct source_view view;
    struct sumo_page page;
    size_t seen;
    struct fail *f;
    int result;
};

static bool list_one(void *arg, const struct source *row)
{
    struct listing *l = arg;
    struct source_doc doc = {0};

    if (l->seen++ < l->page.offset)
        return true;
    if (l->page.limit-- == 0)
        return false;
    arena_reset(l->scratch);
    l->result = source_doc_decode(l->scratch, row, &doc, l->f);
    if (l->result < 0)
        return false;
    put_one(l->c, &l->w, l->scratch, &doc, row->id, &l->view);
    return !l->c->out.overflow;
}

static int list_all(struct listing *l, struct store_tx *tx, const struct sumo_collector *col)
{
    struct call *c = l->c;

    l->view = view_of(c, col, l->view.is_download);
    json_writer_init(&l->w, &c->out);
    json_obj_begin(&l->w);
    if (l->view.is_download)
        json_key_str(&l->w, STR("api.version"), STR("v1"));
    json_key(&l->w, STR("sources"));
    json_arr_begin(&l->w);
    if (source_each(tx, c->caller->tenant, col->id, list_one, l, l->f) < 0 || l->result < 0)
        return -1;
    json_arr_end(&l->w);
    json_obj_end(&l->w);
    if (c->out.overflow)
        return fail_reason(l->f, CODE_INVALID_ARGUMENT, "bad_limit",
                           "The answer would be too large: ask for less by limit and offset.");
    return 0;
}

int sumo_sources_list(struct call *c, struct fail *f)
{
    struct listing l = {.c = c, .f = f};
    struct sumo_collector col = {0};
    struct store_tx *tx = NULL;

    if (store_read_open(sumo_app(c)->store, c->arena, &tx, f) < 0)
        return -1;
    l.scratch = arena_new(4096);

    int rc = sumo_collector_at(c, tx, "id", &col, f);

    if (rc == 0 && (sumo_query_bool(c, "download", &l.view.is_download, f) < 0 ||
                    sumo_page(c, SUMO_PAGE_MAX, &l.page, f) < 0))
        rc = -1;
    if (rc == 0)
        rc = list_all(&l, tx, &col);
    store_read_close(&tx);
    arena_free(&l.scratch);
    return rc;
}

/* --- get --- */

int sumo_sources_get(struct call *c, struct fail *f)
{
    struct sumo_collector col = {0};
    struct source row = {0};
    struct source_doc doc = {0};
    struct store_tx *tx = NULL;
    int64_t id = 0;
    bool is_download = false;

    if (store_read_open(sumo_app(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = sumo_collector_at(c, tx, "id", &col, f);

    if (rc == 0)
        rc = source_id(c, &id, f);
    if (rc == 0)
        rc = source_get(tx, c->caller->tenant, col.id, id, &row, f);
    store_read_close(&tx);
    if (rc < 0 || sumo_query_bool(c, "download", &is_download, f) < 0 ||
        source_doc_decode(c->arena, &row, &doc, f) < 0)
        return -1;
    if (!sumo_etag_is_known(c, source_doc_etag(c->arena, &doc)))
        answer_one(c, &col, &doc, id, is_download);
    return 0;
}

/* --- what create and update share --- */

/* What the worker found out. */
struct change {
    int64_t collector;
    int64_t source;   /* update */
    int64_t revision; /* update: that it was made for */
    const struct json_value *body;
    struct source_doc doc;
};

struct door {
    struct inlets *inlets;
    struct inlet inlet;
};

static void door_open(void *arg)
{
    struct door *d = arg;

    inlets_put(d->inlets, &d->inlet);
}

static void door_close(void *arg)
{
    struct door *d = arg;

    inlets_remove(d->inlets, d->inlet.tenant, d->inlet.source);
}

/* False: the source has no door. */
static bool doors_follow(const struct call *c, const struct source *row)
{
    struct door *d = arena_new_type(store_tx_arena(c->tx), struct door);

    d->inlets = sumo_app(c)->inlets;
    if (!sumo_source_inlet(store_tx_arena(c->tx), row, &d->inlet))
        return false;
    store_on_commit(c->tx, door_open, d);
    return true;
}

/* Two that listen on one port. */
struct port_search {
    struct arena *scratch;
    int64_t except;
    struct str protocol;
    int64_t port;
    bool found;
};

static bool port_compare(void *arg, const struct source *row)
{
    struct port_search *s = arg;
    const struct source_type *type = source_type_find(row->type);
    struct source_doc doc = {0};
    struct str protocol = {NULL, 0};
    struct fail ignored;
    int64_t port = 0;

    if (row->id == s->except || !type || (type->flags & SOURCE_LISTENS) == 0)
        return true;
    arena_reset(s->scratch);
    if (source_doc_decode(s->scratch, row, &doc, &ignored) == 0 &&
        source_doc_listens(&doc, &protocol, &port))
        s->found = port == s->port && str_eq(protocol, s->protocol);
    return !s->found;
}

static int check_port(const struct call *c, int64_t collector, int64_t source,
                      const struct source_doc *doc, struct fail *f)
{
    struct port_search s = {.except = source};

    if (!source_doc_listens(doc, &s.protocol, &s.port))
        return 0;
    s.scratch = arena_new(4096);

    int rc = source_each(c->tx, c->caller->tenant, collector, port_compare, &s, f);

    arena_free(&s.scratch);
    if (rc == 0 && s.found)
        rc = fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid", "Error validating source.");
    return rc;
}

/* With so much more, of so many more sources. */
static int check_room(const struct call *c, int64_t collector, int64_t sources, int64_t bytes,
                      struct fail *f)
{
    int64_t count = 0, held = 0;

    if (source_count(c->tx, c->caller->tenant, collector, &count, &held, f) < 0)
        return -1;
    if (count + sources > SOURCES_MAX)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "too_many_sources",
                           "A collector can have at most %d sources.", SOURCES_MAX);
    if (bytes > 0 && held + bytes > SOURCES_BYTES)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "too_many_sources",
                           "The sources of a collector can have at most %d bytes together.",
                           SOURCES_BYTES);
    return 0;
}

/* --- create --- */

static int create_write(struct call *c, struct fail *f)
{
    const struct change *change = c->carry;
    struct arena *a = store_tx_arena(c->tx);
    struct sumo_collector col = {0};
    struct source row = {0};

    if (sumo_collector_get(c, c->tx, change->collector, &col, f) < 0 || check_mode(&col, f) < 0 ||
        check_port(c, col.id, 0, &change->doc, f) < 0)
        return -1;

    int64_t id = store_next_id(c->tx);
    struct source_doc doc = source_doc_seal(a, sumo_app(c)->master, id, &change->doc, NULL);

    row = (struct source){.tenant = c->caller->tenant,
                          .collector = col.id,
                          .type = str_of(doc.type->name),
                          .name = source_doc_name(&doc)};
    if (source_doc_encode(a, &doc, &row.body, f) < 0 ||
        check_room(c, col.id, 1, (int64_t)row.body.len, f) < 0 ||
        source_create_as(c->tx, c->caller, id, &row, f) < 0)
        return -1;
    if (doors_follow(c, &row)) /* then the collector is a hosted one */
        sumo_inlets_follow(c, &col.hosted);
    sumo_etag(c, source_doc_etag(c->arena, &doc));
    c->status = 201;
    http_resp_add(c->x, STR("location"),
                  arena_printf(c->arena, "/api/v1/collectors/%lld/sources/%lld", (long long)col.id,
                               (long long)id));
    answer_one(c, &col, &doc, id, false);
    return 0;
}

int sumo_sources_create(struct call *c, struct fail *f)
{
    struct change *change = arena_new_type(c->arena, struct change);
    const struct json_value *request = NULL;
    struct sumo_collector col = {0};

    if (sumo_collector_at(c, NULL, "id", &col, f) < 0 || check_mode(&col, f) < 0 ||
        sumo_body(c, "source", &request, f) < 0 ||
        source_doc_take(c->arena, request, col.is_hosted, sumo_now_us(c), NULL, &change->doc, f) <
            0)
        return -1;
    change->collector = col.id;
    c->carry = change;
    return call_move(c, LANE_WRITE, create_write);
}

/* --- update --- */

/* Against the row as it stands: the tag that the client saw, then the members. */
static int update_take(const struct call *c, struct arena *a, const struct sumo_collector *col,
                       const struct source *row, struct change *change, struct source_doc *stored,
                       struct fail *f)
{
    const struct json_value *request = NULL;

    if (source_doc_decode(a, row, stored, f) < 0 ||
        sumo_if_match(c, source_doc_etag(a, stored), f) < 0 ||
        sumo_member(change->body, "source", &request, f) < 0 ||
        sumo_body_id(request, row->id, "source_body_id", f) < 0 ||
        source_doc_take(a, request, col->is_hosted, sumo_now_us(c), stored, &change->doc, f) < 0)
        return -1;
    change->revision = row->revision;
    return 0;
}

static int update_row(struct call *c, const struct source_doc *doc, struct source *row,
                      struct fail *f)
{
    struct source new = *row;

    new.name = source_doc_name(doc);
    if (source_doc_encode(store_tx_arena(c->tx), doc, &new.body, f) < 0)
        return -1;
    if (str_eq(new.body, row->body) && str_eq(new.name, row->name))
        return 0;
    if (check_room(c, row->collector, 0, (int64_t) new.body.len - (int64_t)row->body.len, f) < 0 ||
        source_update(c->tx, c->caller, &new, f) < 0)
        return -1;
    *row = new;
    doors_follow(c, row);
    return 0;
}

static int update_write(struct call *c, struct fail *f)
{
    struct change change = *(const struct change *)c->carry; /* this may run twice */
    struct arena *a = store_tx_arena(c->tx);
    struct sumo_collector col = {0};
    struct source row = {0};
    struct source_doc stored = {0};

    if (sumo_collector_get(c, c->tx, change.collector, &col, f) < 0 ||
        source_get(c->tx, c->caller->tenant, col.id, change.source, &row, f) < 0 ||
        check_mode(&col, f) < 0)
        return -1;
    if (row.revision == change.revision ? source_doc_decode(a, &row, &stored, f) < 0
                                        : update_take(c, a, &col, &row, &change, &stored, f) < 0)
        return -1;
    if (check_port(c, col.id, row.id, &change.doc, f) < 0)
        return -1;

    struct source_doc doc = source_doc_seal(a, sumo_app(c)->master, row.id, &change.doc, &stored);

    if (update_row(c, &doc, &row, f) < 0)
        return -1;
    sumo_etag(c, source_doc_etag(c->arena, &doc));
    answer_one(c, &col, &doc, row.id, false);
    return 0;
}

int sumo_sources_update(struct call *c, struct fail *f)
{
    struct change *change = arena_new_type(c->arena, struct change);
    struct sumo_collector col = {0};
    struct source row = {0};
    struct source_doc stored = {0};
    struct store_tx *tx = NULL;

    if (store_read_open(sumo_app(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = sumo_collector_at(c, tx, "id", &col, f);

    if (rc == 0)
        rc = source_id(c, &change->source, f);
    if (rc == 0)
        rc = source_get(tx, c->caller->tenant, col.id, change->source, &row, f);
    store_read_close(&tx);
    if (rc < 0 || check_mode(&col, f) < 0 || sumo_body(c, NULL, &change->body, f) < 0 ||
        update_take(c, c->arena, &col, &row, change, &stored, f) < 0)
        return -1;
    change->collector = col.id;
    c->carry = change;
    return call_move(c, LANE_WRITE, update_write);
}

/* --- delete --- */

int sumo_sources_delete(struct call *c, struct fail *f)
{
    struct door *d = arena_new_type(store_tx_arena(c->tx), struct door);
    struct sumo_collector col = {0};
    struct source row = {0};
    int64_t id = 0;

    if (sumo_collector_at(c, c->tx, "id", &col, f) < 0 || source_id(c, &id, f) < 0 ||
        source_get(c->tx, c->caller->tenant, col.id, id, &row, f) < 0 || check_mode(&col, f) < 0 ||
        source_delete(c->tx, c->caller, c->caller->tenant, col.id, id, row.revision, f) < 0)
        return -1;
    d->inlets = sumo_app(c)->inlets;
    d->inlet.tenant = c->caller->tenant;
    d->inlet.source = id;
    store_on_commit(c->tx, door_close, d);
    return 0;
}
