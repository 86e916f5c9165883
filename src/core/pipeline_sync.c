/* SPDX-License-Identifier: Apache-2.0 */
/* Making the pipelines of one source what the source says. Declared in pipeline.h. Inside a write
 * transaction. */
#include <stdlib.h>

#include "core/pipeline.h"

#define PAGE 100 /* rows read at a time */

struct sync {
    struct store_tx *tx;
    struct registry *registry;
    const struct caller *by;
    uint64_t tenant;
    int32_t source_type;
    struct str source_namespace;
    const struct pipeline_draft **drafts; /* by name */
    size_t count;
};

static int by_name(const void *a, const void *b)
{
    const struct pipeline_draft *const *x = a;
    const struct pipeline_draft *const *y = b;

    return str_cmp((*x)->name, (*y)->name);
}

static int index_drafts(struct sync *s, const struct pipeline_draft *drafts, struct fail *f)
{
    s->drafts = arena_calloc(store_tx_arena(s->tx), s->count, sizeof(struct pipeline_draft *));
    for (size_t i = 0; i < s->count; i++)
        s->drafts[i] = &drafts[i];
    qsort(s->drafts, s->count, sizeof(*s->drafts), by_name);
    for (size_t i = 1; i < s->count; i++) {
        if (by_name(&s->drafts[i - 1], &s->drafts[i]) == 0) {
            IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "duplicate_name",
                               "the name of a pipeline comes twice"));
            return fail_field(f, "pipelines");
        }
    }
    return 0;
}

static bool is_listed(const struct sync *s, struct str name)
{
    const struct pipeline_draft key = {.name = name};
    const struct pipeline_draft *wanted = &key;

    return bsearch(&wanted, s->drafts, s->count, sizeof(*s->drafts), by_name) != NULL;
}

static int apply(struct sync *s, const struct pipeline_draft *draft, struct fail *f)
{
    struct pipeline_spec spec = *draft->spec;
    struct pipeline p = {.tenant = s->tenant, .name = draft->name, .enabled = draft->enabled};
    struct pipeline was = {0};

    spec.has_source = true;
    spec.source_type = s->source_type;
    spec.source_namespace = s->source_namespace;
    if (pipeline_spec_encode(store_tx_arena(s->tx), &spec, &p.body, f) < 0)
        return -1;
    if (pipeline_get_name(s->tx, s->tenant, draft->name, &was, f) < 0)
        return f->code == CODE_NOT_FOUND ? pipeline_create(s->tx, s->registry, s->by, &p, f) : -1;
    if (was.enabled == p.enabled && str_eq(was.body, p.body))
        return 0;
    p.id = was.id;
    return pipeline_update(s->tx, s->registry, s->by, &p, f);
}

/* A row that cannot be read belongs to no source: it stays. */
static bool is_ours(const struct sync *s, const struct pipeline *row)
{
    struct pipeline_spec spec = {0};
    struct fail ignored;

    return pipeline_spec_decode(store_tx_arena(s->tx), row->body, &spec, &ignored) == 0 &&
           spec.has_source && spec.source_type == s->source_type &&
           str_eq(spec.source_namespace, s->source_namespace);
}

static int delete_unlisted(struct sync *s, struct fail *f)
{
    struct pipeline *rows;
    int64_t after = 0;
    size_t n;

    do {
        if (pipeline_list(s->tx, s->tenant, after, PAGE, &rows, &n, f) < 0)
            return -1;
        for (size_t i = 0; i < n; i++) {
            after = rows[i].id;
            if (is_listed(s, rows[i].name) || !is_ours(s, &rows[i]))
                continue;
            if (pipeline_delete(s->tx, s->registry, s->by, s->tenant, rows[i].id, 0, f) < 0)
                return -1;
        }
    } while (n == PAGE);
    return 0;
}

int pipeline_sync(struct store_tx *tx, struct registry *r, const struct caller *by, uint64_t tenant,
                  int32_t source_type, struct str source_namespace,
                  const struct pipeline_draft *drafts, size_t count, struct fail *f)
{
    struct sync s = {
        .tx = tx,
        .registry = r,
        .by = by,
        .tenant = tenant,
        .source_type = source_type,
        .source_namespace = source_namespace,
        .count = count,
    };

    if (source_type < 0)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_source", "there is no such source");
    if (index_drafts(&s, drafts, f) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (apply(&s, &drafts[i], f) < 0)
            return fail_field(f, "pipelines[%zu]", i);
    }
    return delete_unlisted(&s, f);
}
