/* SPDX-License-Identifier: Apache-2.0 */
/* See event.h. */
#include "core/event.h"

#include "codec/json_writer.h"

#define EVENT_DATA_MAX (64u << 10)

int event_append(struct store_tx *tx, uint64_t tenant, const struct caller *by, const char *kind,
                 struct str subject, struct str data, struct fail *f)
{
    const struct event e = {
        .tenant = tenant,
        .kind = str_of(kind),
        .subject = subject,
        .actor = by ? by->key_id : STR(""),
        .at_us = store_tx_now(tx),
        .data = data,
    };

    return store_event_insert(tx, &e, f);
}

struct str event_data(struct arena *a, const char *key, struct str value)
{
    struct json_writer w;
    struct buf b;

    buf_init_arena(&b, a, EVENT_DATA_MAX);
    json_writer_init(&w, &b);
    json_obj_begin(&w);
    json_key_str(&w, str_of(key), value);
    json_obj_end(&w);
    return b.overflow ? STR("{}") : buf_str(&b);
}

int event_list(struct store_tx *tx, uint64_t tenant, int64_t after_seq, size_t limit,
               struct event **out, size_t *count, struct fail *f)
{
    return store_event_list(tx, tenant, after_seq, limit, out, count, f);
}

int event_prune(struct store_tx *tx, int64_t before_us, size_t limit, size_t *gone, struct fail *f)
{
    return store_event_prune(tx, before_us, limit, gone, f);
}
