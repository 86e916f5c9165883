/* SPDX-License-Identifier: Apache-2.0 */
/* See collector.h. */
#include "core/collector.h"

#include "base/id.h"
#include "base/number.h"
#include "base/random.h"
#include "codec/json_writer.h"
#include "core/event.h"
#include "core/tenant.h"

static const char *const kind_names[COLLECTOR_KIND_COUNT] = {
    [COLLECTOR_AGENT] = "agent",
    [COLLECTOR_HOSTED] = "hosted",
    [COLLECTOR_PLUGIN] = "plugin",
    [COLLECTOR_CAPTURE] = "capture",
};

const char *collector_kind_name(enum collector_kind kind)
{
    return kind_names[kind];
}

int collector_kind_parse(struct str name, enum collector_kind *out)
{
    for (size_t i = 0; i < COLLECTOR_KIND_COUNT; i++) {
        if (str_eq(name, str_of(kind_names[i]))) {
            *out = (enum collector_kind)i;
            return 0;
        }
    }
    return -1;
}

static int refuse(struct fail *f, const char *reason, const char *field, const char *message)
{
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, reason, "%s", message));
    return fail_field(f, "%s", field);
}

static int check(const struct collector *c, struct fail *f)
{
    if (c->ext_id.len > COLLECTOR_EXT_ID_MAX || c->space.len > COLLECTOR_EXT_ID_MAX)
        return refuse(f, "bad_id", "id", "the id is too long");
    if (c->name.len > COLLECTOR_NAME_MAX)
        return refuse(f, "bad_name", "name", "the name is too long");
    if (c->body.len > COLLECTOR_BODY_MAX)
        return refuse(f, "too_large", "body", "the collector is too large");
    return 0;
}

static int tell(struct store_tx *tx, const struct caller *by, const struct collector *c,
                const char *kind, struct fail *f)
{
    struct json_writer w;
    struct buf data;
    char id[NUMBER_TEXT_MAX];

    buf_init_arena(&data, store_tx_arena(tx), 8192);
    json_writer_init(&w, &data);
    json_obj_begin(&w);
    json_key_str(&w, STR("kind"), str_of(kind_names[c->kind]));
    json_key_str(&w, STR("id"), c->ext_id);
    json_key_str(&w, STR("name"), c->name);
    json_key_i64(&w, STR("revision"), c->revision);
    json_obj_end(&w);
    return event_append(tx, c->tenant, by, kind, str_make(id, number_print_i64(c->id, id)),
                        buf_str(&data), f);
}

static int name_taken(struct fail *f)
{
    IGNORE(fail_reason(f, CODE_ALREADY_EXISTS, "name_taken",
                       "there is a collector of that name already"));
    return fail_field(f, "name");
}

int collector_check_name(struct store_tx *tx, const struct collector *c, struct fail *f)
{
    struct collector other = {0};

    if (!c->unique_name || c->name.len == 0)
        return 0;
    if (store_collector_get_name(tx, c->tenant, c->kind, c->name, &other, f) == 0)
        return other.id == c->id ? 0 : name_taken(f);
    return f->code == CODE_NOT_FOUND ? 0 : -1;
}

static int taken(struct store_tx *tx, const struct collector *c, struct fail *f)
{
    if (collector_check_name(tx, c, f) < 0)
        return -1;
    IGNORE(
        fail_reason(f, CODE_ALREADY_EXISTS, "id_taken", "there is a collector of that id already"));
    return fail_field(f, "id");
}

/* The number as text; with a tail that nobody can guess where somebody chose that text before. */
static int own_ext_id(struct store_tx *tx, struct collector *c, struct fail *f)
{
    struct arena *a = store_tx_arena(tx);
    struct collector other = {0};
    unsigned char tail[8];
    char hex[2 * sizeof(tail)];

    c->ext_id = arena_printf(a, "%lld", (long long)c->id);
    if (store_collector_get_ext(tx, c->tenant, c->kind, c->space, c->ext_id, &other, f) < 0)
        return f->code == CODE_NOT_FOUND ? 0 : -1;
    random_bytes(tail, sizeof(tail));
    hex_print(tail, sizeof(tail), hex);
    c->ext_id = arena_printf(a, "%lld-%.*s", (long long)c->id, (int)sizeof(hex), hex);
    return 0;
}

int collector_insert(struct store_tx *tx, const struct caller *by, struct collector *c,
                     const char *event, struct fail *f)
{
    struct collector row = *c;

    if (tenant_check_id(tx, c->tenant, f) < 0)
        return -1;
    row.id = store_next_id(tx);
    row.revision = 1;
    row.created_us = store_tx_now(tx);
    row.updated_us = row.created_us;
    if (row.ext_id.len == 0 && own_ext_id(tx, &row, f) < 0)
        return -1;
    if (store_collector_insert(tx, &row, f) < 0)
        return f->code == CODE_ALREADY_EXISTS ? taken(tx, &row, f) : -1;
    if (tell(tx, by, &row, event, f) < 0)
        return -1;
    *c = row;
    return 0;
}

int collector_create(struct store_tx *tx, const struct caller *by, struct collector *c,
                     struct fail *f)
{
    if (check(c, f) < 0)
        return -1;
    return collector_insert(tx, by, c, "collector.created", f);
}

static int missing(struct fail *f)
{
    if (f->code != CODE_NOT_FOUND)
        return -1;
    return fail_reason(f, CODE_NOT_FOUND, "no_such_collector", "there is no such collector");
}

int collector_get(struct store_tx *tx, uint64_t tenant, int64_t id, struct collector *out,
                  struct fail *f)
{
    return store_collector_get(tx, tenant, id, out, f) < 0 ? missing(f) : 0;
}

int collector_get_ext(struct store_tx *tx, uint64_t tenant, enum collector_kind kind,
                      struct str space, struct str ext_id, struct collector *out, struct fail *f)
{
    return store_collector_get_ext(tx, tenant, kind, space, ext_id, out, f) < 0 ? missing(f) : 0;
}

int collector_get_name(struct store_tx *tx, uint64_t tenant, enum collector_kind kind,
                       struct str name, struct collector *out, struct fail *f)
{
    return store_collector_get_name(tx, tenant, kind, name, out, f) < 0 ? missing(f) : 0;
}

struct gathering {
    struct arena *arena;
    struct collector *rows;
    size_t count;
    size_t room;
};

static bool gather(void *arg, const struct collector *c)
{
    struct gathering *g = arg;

    if (g->count == g->room) {
        size_t room = g->room ? g->room * 2 : 16;
        struct collector *rows = arena_new_array(g->arena, struct collector, room);

        if (g->count > 0)
            memcpy(rows, g->rows, g->count * sizeof(*rows));
        g->rows = rows;
        g->room = room;
    }

    struct collector *row = &g->rows[g->count++];

    *row = *c;
    row->space = arena_str(g->arena, c->space);
    row->ext_id = arena_str(g->arena, c->ext_id);
    row->name = arena_str(g->arena, c->name);
    row->labels = arena_str(g->arena, c->labels);
    row->body = arena_str(g->arena, c->body);
    return true;
}

int collector_list(struct store_tx *tx, uint64_t tenant, const struct collector_filter *filter,
                   struct collector **out, size_t *count, int64_t *total, struct fail *f)
{
    struct gathering g = {.arena = store_tx_arena(tx)};

    if (store_collector_each(tx, tenant, filter, gather, &g, total, f) < 0)
        return -1;
    *out = g.rows;
    *count = g.count;
    return 0;
}

int collector_count(struct store_tx *tx, uint64_t tenant, const struct collector_filter *filter,
                    int64_t *out, struct fail *f)
{
    return store_collector_each(tx, tenant, filter, NULL, NULL, out, f);
}

static int mismatch(struct fail *f)
{
    if (f->code != CODE_ABORTED)
        return -1;
    return fail_reason(f, CODE_ABORTED, "revision_mismatch",
                       "the collector was changed meanwhile; read it again");
}

int collector_replace(struct store_tx *tx, const struct caller *by, struct collector *c,
                      const char *event, struct fail *f)
{
    int64_t from = c->revision++;

    if (store_collector_update(tx, c, from, f) < 0)
        return mismatch(f);
    return tell(tx, by, c, event, f);
}

int collector_update(struct store_tx *tx, const struct caller *by, struct collector *c,
                     struct fail *f)
{
    struct collector row;

    if (check(c, f) < 0 || collector_get(tx, c->tenant, c->id, &row, f) < 0)
        return -1;
    if (c->revision && c->revision != row.revision) {
        f->code = CODE_ABORTED;
        return mismatch(f);
    }

    row.name = c->name;
    row.unique_name = c->unique_name;
    if (collector_check_name(tx, &row, f) < 0)
        return -1;
    row.labels = c->labels;
    row.last_seen_us = MAX(c->last_seen_us, row.last_seen_us);
    row.body = c->body;
    row.updated_us = MAX(store_tx_now(tx), row.updated_us);
    if (collector_replace(tx, by, &row, "collector.updated", f) < 0)
        return -1;
    *c = row;
    return 0;
}

int collector_remove(struct store_tx *tx, const struct caller *by, const struct collector *c,
                     const char *event, struct fail *f)
{
    if (store_collector_delete(tx, c->tenant, c->id, f) < 0)
        return missing(f);
    return tell(tx, by, c, event, f);
}

int collector_delete(struct store_tx *tx, const struct caller *by, uint64_t tenant, int64_t id,
                     int64_t revision, struct fail *f)
{
    struct collector row;

    if (collector_get(tx, tenant, id, &row, f) < 0)
        return -1;
    if (revision && revision != row.revision) {
        f->code = CODE_ABORTED;
        return mismatch(f);
    }
    return collector_remove(tx, by, &row, "collector.deleted", f);
}
