/* SPDX-License-Identifier: Apache-2.0 */
/* See source.h. */
#include "core/source.h"

#include "base/number.h"
#include "core/collector.h"
#include "core/event.h"

static int refuse(struct fail *f, const char *reason, const char *field, const char *message)
{
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, reason, "%s", message));
    return fail_field(f, "%s", field);
}

static int check(const struct source *src, struct fail *f)
{
    if (src->name.len == 0 || src->name.len > SOURCE_NAME_MAX)
        return refuse(f, "bad_name", "name", "the name is empty or too long");
    if (src->type.len > SOURCE_TYPE_MAX)
        return refuse(f, "bad_type", "type", "the type is too long");
    if (src->body.len > SOURCE_BODY_MAX)
        return refuse(f, "too_large", "body", "the source is too large");
    return 0;
}

static int tell(struct store_tx *tx, const struct caller *by, const struct source *src,
                const char *kind, struct fail *f)
{
    char id[NUMBER_TEXT_MAX];

    return event_append(tx, src->tenant, by, kind, str_make(id, number_print_i64(src->id, id)),
                        event_data(store_tx_arena(tx), "name", src->name), f);
}

static int taken(struct fail *f)
{
    if (f->code != CODE_ALREADY_EXISTS)
        return -1;
    IGNORE(fail_reason(f, CODE_ALREADY_EXISTS, "name_taken",
                       "the collector has a source of that name already"));
    return fail_field(f, "name");
}

static int missing(struct fail *f)
{
    if (f->code != CODE_NOT_FOUND)
        return -1;
    return fail_reason(f, CODE_NOT_FOUND, "no_such_source", "there is no such source");
}

static int mismatch(struct fail *f)
{
    return fail_reason(f, CODE_ABORTED, "revision_mismatch",
                       "the source was changed meanwhile; read it again");
}

int source_create_as(struct store_tx *tx, const struct caller *by, int64_t id, struct source *src,
                     struct fail *f)
{
    struct collector owner;
    struct source row = *src;

    if (check(src, f) < 0 || collector_get(tx, src->tenant, src->collector, &owner, f) < 0)
        return -1;
    if (owner.kind != COLLECTOR_AGENT && owner.kind != COLLECTOR_HOSTED)
        return fail_reason(f, CODE_FAILED_PRECONDITION, "no_sources",
                           "this kind of collector holds no sources");
    row.id = id;
    row.revision = 1;
    row.created_us = store_tx_now(tx);
    row.updated_us = row.created_us;
    if (store_source_insert(tx, &row, f) < 0)
        return taken(f);
    if (tell(tx, by, &row, "source.created", f) < 0)
        return -1;
    *src = row;
    return 0;
}

int source_create(struct store_tx *tx, const struct caller *by, struct source *src, struct fail *f)
{
    return source_create_as(tx, by, store_next_id(tx), src, f);
}

int source_get(struct store_tx *tx, uint64_t tenant, int64_t collector, int64_t id,
               struct source *out, struct fail *f)
{
    return store_source_get(tx, tenant, collector, id, out, f) < 0 ? missing(f) : 0;
}

int source_get_name(struct store_tx *tx, uint64_t tenant, int64_t collector, struct str name,
                    struct source *out, struct fail *f)
{
    return store_source_get_name(tx, tenant, collector, name, out, f) < 0 ? missing(f) : 0;
}

int source_list(struct store_tx *tx, uint64_t tenant, int64_t collector, int64_t after,
                size_t limit, struct source **out, size_t *count, struct fail *f)
{
    return store_source_list(tx, tenant, collector, after, limit, out, count, f);
}

int source_each(struct store_tx *tx, uint64_t tenant, int64_t collector,
                bool (*fn)(void *arg, const struct source *src), void *arg, struct fail *f)
{
    return store_source_each(tx, tenant, collector, fn, arg, f);
}

int source_count(struct store_tx *tx, uint64_t tenant, int64_t collector, int64_t *out,
                 int64_t *bytes, struct fail *f)
{
    return store_source_count(tx, tenant, collector, out, bytes, f);
}

int source_load(struct store_tx *tx, bool (*fn)(void *arg, const struct source *src), void *arg,
                struct fail *f)
{
    return store_source_load(tx, fn, arg, f);
}

int source_update(struct store_tx *tx, const struct caller *by, struct source *src, struct fail *f)
{
    struct source row;
    struct source other;

    if (check(src, f) < 0 || source_get(tx, src->tenant, src->collector, src->id, &row, f) < 0)
        return -1;
    if (src->revision && src->revision != row.revision)
        return mismatch(f);
    if (!str_eq(src->name, row.name)) {
        if (store_source_get_name(tx, src->tenant, src->collector, src->name, &other, f) == 0) {
            f->code = CODE_ALREADY_EXISTS;
            return taken(f);
        }
        if (f->code != CODE_NOT_FOUND)
            return -1;
    }

    int64_t from = row.revision;

    row.type = src->type;
    row.name = src->name;
    row.body = src->body;
    row.revision = from + 1;
    row.updated_us = MAX(store_tx_now(tx), row.updated_us);
    if (store_source_update(tx, &row, from, f) < 0)
        return f->code == CODE_ABORTED ? mismatch(f) : taken(f);
    if (tell(tx, by, &row, "source.updated", f) < 0)
        return -1;
    *src = row;
    return 0;
}

int source_delete(struct store_tx *tx, const struct caller *by, uint64_t tenant, int64_t collector,
                  int64_t id, int64_t revision, struct fail *f)
{
    struct source row;

    if (source_get(tx, tenant, collector, id, &row, f) < 0)
        return -1;
    if (revision && revision != row.revision)
        return mismatch(f);
    if (store_source_delete(tx, tenant, collector, id, f) < 0)
        return missing(f);
    return tell(tx, by, &row, "source.deleted", f);
}
