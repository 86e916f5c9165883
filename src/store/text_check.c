/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the texts are those that the agents refer to, each counted as often as it is referred to,
 * and each what its hash says. Part of the verification: this is where rows have to be understood,
 * which SQL cannot. Memory grows with the number of different texts, not of agents. */
#include <stdio.h>

#include "base/map.h"
#include "core/agent.h"
#include "store/store_internal.h"

struct text_check {
    const struct sql_driver *driver;
    struct sql_conn *conn;
    struct arena *row;    /* of one row, reset for each */
    struct arena *counts; /* what the map points to */
    struct map *refs;     /* tenant and hash: how many references were met */
    void (*line)(void *arg, const char *text);
    void *arg;
};

struct text_key {
    uint64_t tenant;
    uint8_t hash[TEXT_HASH_LEN];
};

struct text_count {
    int64_t refs;
};

static void tell(struct text_check *k, const char *what, uint64_t tenant, struct str subject)
{
    char hex[17] = "";

    for (size_t i = 0; i < 8 && i < subject.len; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned)(uint8_t)subject.p[i]);

    struct str text =
        arena_printf(k->row, "%s: tenant %llu, hash %s", what, (unsigned long long)tenant, hex);

    k->line(k->arg, arena_cstr(k->row, text));
}

static void count(struct text_check *k, uint64_t tenant, const struct text_ref *ref)
{
    struct text_key key = {.tenant = tenant};
    struct str bytes = str_make(&key, sizeof(key));
    struct text_count *n;

    if (!ref->set)
        return;
    memcpy(key.hash, ref->hash, sizeof(key.hash));
    n = map_get(k->refs, bytes);
    if (!n) {
        n = arena_new_type(k->counts, struct text_count);
        map_put(k->refs, bytes, n);
    }
    n->refs++;
}

static int read_agents(struct text_check *k)
{
    const struct sql_driver *d = k->driver;
    struct sql_cursor *q;
    enum sql_step step;

    if (d->query(k->conn, SQL_CHECK_AGENTS, NULL, 0, &q) < 0)
        return -1;
    while ((step = d->step(q)) == SQL_ROW) {
        struct collector row = {
            .tenant = (uint64_t)d->column_int(q, 0),
            .kind = COLLECTOR_AGENT,
            .id = d->column_int(q, 1),
            .labels = d->column_str(q, 2),
            .body = d->column_str(q, 3),
        };
        struct agent a = {0};
        struct fail why = {0};

        arena_reset(k->row);
        if (agent_decode(k->row, &row, &a, &why) == 0) {
            count(k, row.tenant, &a.status_error);
            count(k, row.tenant, &a.effective_config);
            continue;
        }

        struct str text = arena_printf(k->row, "agent that cannot be read: tenant %llu, id %lld",
                                       (unsigned long long)row.tenant, (long long)row.id);

        k->line(k->arg, arena_cstr(k->row, text));
    }
    d->finish(q);
    return step == SQL_DONE ? 0 : -1;
}

static void check_text(struct text_check *k, uint64_t tenant, struct str hash, int64_t refs,
                       struct str content)
{
    struct text_ref real = text_ref_of(content);
    struct text_key key = {.tenant = tenant};
    struct text_count *met;

    if (hash.len != sizeof(key.hash)) {
        tell(k, "text with an impossible hash", tenant, hash);
        return;
    }
    memcpy(key.hash, hash.p, sizeof(key.hash));
    met = map_remove(k->refs, str_make(&key, sizeof(key)));
    if (!real.set)
        tell(k, "text that is not there", tenant, hash);
    else if (memcmp(real.hash, key.hash, sizeof(key.hash)) != 0)
        tell(k, "text that is not what its hash says", tenant, hash);
    if (refs != (met ? met->refs : 0))
        tell(k, "text with a wrong count of references", tenant, hash);
    else if (!met)
        tell(k, "text that nobody refers to", tenant, hash);
}

static int read_texts(struct text_check *k)
{
    const struct sql_driver *d = k->driver;
    struct sql_cursor *q;
    enum sql_step step;

    if (d->query(k->conn, SQL_CHECK_TEXTS, NULL, 0, &q) < 0)
        return -1;
    while ((step = d->step(q)) == SQL_ROW) {
        arena_reset(k->row);
        check_text(k, (uint64_t)d->column_int(q, 0), d->column_str(q, 1), d->column_int(q, 2),
                   d->column_str(q, 3));
    }
    d->finish(q);
    return step == SQL_DONE ? 0 : -1;
}

/* References to texts of which there is no row at all. */
static void tell_lost(struct text_check *k)
{
    struct text_key key;
    struct str bytes;
    void *value;
    size_t at = 0;

    arena_reset(k->row);
    while (map_next(k->refs, &at, &bytes, &value)) {
        memcpy(&key, bytes.p, sizeof(key));
        tell(k, "text that an agent refers to is gone", key.tenant,
             str_make(key.hash, sizeof(key.hash)));
    }
}

int text_check(const struct sql_driver *d, struct sql_conn *c,
               void (*line)(void *arg, const char *text), void *arg)
{
    struct text_check k = {
        .driver = d,
        .conn = c,
        .row = arena_new(4096),
        .counts = arena_new(4096),
        .refs = map_new(),
        .line = line,
        .arg = arg,
    };
    int r = read_agents(&k);

    if (r == 0)
        r = read_texts(&k);
    if (r == 0)
        tell_lost(&k);
    map_free(&k.refs);
    arena_free(&k.counts);
    arena_free(&k.row);
    return r;
}
