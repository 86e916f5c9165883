/* SPDX-License-Identifier: Apache-2.0 */
/* See registry.h: how memory is loaded, measured and watched. */
#include "core/registry.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/heap.h"
#include "core/realms.h"
#include "core/registry_internal.h"

#define TENANTS_A_PAGE   256
#define PIPELINES_A_PAGE 32 /* a body may be big */

/* --- metrics --- */

/* The agents count, counters want what came in addition. */
static void add_growth(struct metric_counter *c, uint64_t total)
{
    uint64_t known = counter_get(c);

    if (total > known)
        counter_add(c, total - known);
}

static void on_render(void *arg)
{
    struct registry *r = arg;
    struct registry_metrics *m = &r->metrics;
    int64_t now_us = clock_wall_us(r->clock);
    struct agents_stats sum = {0};
    size_t pipelines = 0;
    struct realm *realm = NULL;

    for (uint64_t after = 0; realms_next(r->realms, after, &realm); after = realm->tenant) {
        struct agents_stats one = {0};

        agents_stats(realm->agents, now_us, (int64_t)word_get(&r->inactive_after_us), &one);
        sum.agents += one.agents;
        sum.active += one.active;
        sum.memory_bytes += one.memory_bytes;
        sum.polls_unchanged += one.polls_unchanged;
        sum.polls_slow += one.polls_slow;
        pipelines += pipelines_count(realm->pipelines);
    }
    gauge_set(m->agents, (int64_t)sum.agents);
    gauge_set(m->active, (int64_t)sum.active);
    gauge_set(m->memory, (int64_t)sum.memory_bytes);
    gauge_set(m->pipelines, (int64_t)pipelines);
    add_growth(m->polls_unchanged, sum.polls_unchanged);
    add_growth(m->polls_slow, sum.polls_slow);
}

static void make_metrics(struct registry *r, struct metrics *m)
{
    static const char polls[] = "Polls of agents, by whether memory alone could answer.";

    r->metrics = (struct registry_metrics){
        .agents = metrics_gauge(m, "muster_agents", "Agents that are known.", ""),
        .active = metrics_gauge(m, "muster_agents_active", "Agents that were heard of lately.", ""),
        .memory = metrics_gauge(m, "muster_agents_memory_bytes", "Memory of agents, about.", ""),
        .pipelines = metrics_gauge(m, "muster_pipelines", "Pipelines that are stored.", ""),
        .polls_unchanged =
            metrics_counter(m, "muster_agent_polls_total", polls, "outcome=\"unchanged\""),
        .polls_slow = metrics_counter(m, "muster_agent_polls_total", polls, "outcome=\"slow\""),
    };
    metrics_on_render(m, on_render, r);
}

/* --- life --- */

struct registry *registry_new(const struct registry_options *o)
{
    struct registry *r = heap_new_type(struct registry);

    r->store = o->store;
    r->clock = o->clock;
    r->log = o->log;
    r->realms = realms_new(&o->pipelines);
    pthread_mutex_init(&r->tenants_lock, NULL);
    pthread_mutex_init(&r->watch_lock, NULL);
    if (o->metrics)
        make_metrics(r, o->metrics);
    return r;
}

void registry_free(struct registry **registry)
{
    struct registry *r = *registry;

    if (!r)
        return;
    realms_free(&r->realms);
    number_index_done(&r->tenants);
    pthread_mutex_destroy(&r->tenants_lock);
    pthread_mutex_destroy(&r->watch_lock);
    free(r);
    *registry = NULL;
}

struct realm *registry_realm(struct registry *r, uint64_t tenant)
{
    return realms_get(r->realms, tenant);
}

void registry_add_tenant(struct registry *r, uint64_t tenant)
{
    pthread_mutex_lock(&r->tenants_lock);
    number_index_add(&r->tenants, (int64_t)tenant, 0);
    pthread_mutex_unlock(&r->tenants_lock);
}

bool registry_has_tenant(struct registry *r, uint64_t tenant)
{
    uint32_t nothing;

    pthread_mutex_lock(&r->tenants_lock);

    bool found = tenant <= INT64_MAX && number_index_find(&r->tenants, (int64_t)tenant, &nothing);

    pthread_mutex_unlock(&r->tenants_lock);
    return found;
}

bool registry_next(struct registry *r, uint64_t after, struct realm **out)
{
    return realms_next(r->realms, after, out);
}

/* --- loading --- */

struct loading {
    struct registry *registry;
    struct realm *realm; /* of the last row: they come by tenant */
    struct arena *arena; /* of one row */
    struct fail *fail;
    bool failed;
};

static bool load_agent(void *arg, const struct collector *row)
{
    struct loading *l = arg;
    struct agent agent = {0};

    arena_reset(l->arena);
    if (agent_decode(l->arena, row, &agent, l->fail) < 0) {
        fail_detail(l->fail, "agent %lld of tenant %llu", (long long)row->id,
                    (unsigned long long)row->tenant);
        l->failed = true;
        return false;
    }
    if (!l->realm || l->realm->tenant != row->tenant)
        l->realm = registry_realm(l->registry, row->tenant);
    agents_put(l->realm->agents, &agent);
    return true;
}

static int load_agents(struct registry *r, struct fail *f)
{
    struct arena *a = arena_new(4096);
    struct loading l = {.registry = r, .arena = arena_new(4096), .fail = f};
    struct store_tx *tx;
    int result = store_read_open(r->store, a, &tx, f);

    if (result == 0) {
        result = store_collector_load(tx, 1u << COLLECTOR_AGENT, load_agent, &l, f);
        store_read_close(&tx);
    }
    arena_free(&l.arena);
    arena_free(&a);
    return l.failed ? -1 : result;
}

void registry_warn(struct registry *r, const struct pipeline *row, const struct fail *f)
{
    log_warn(r->log, "pipeline cannot be used", KV_UINT("tenant", row->tenant),
             KV_SLICE("pipeline", row->name), KV_STR("why", f->message));
}

static void load_pipeline(struct registry *r, const struct pipeline *row)
{
    struct fail f = {0};

    if (pipelines_put(registry_realm(r, row->tenant)->pipelines, row, &f) < 0)
        registry_warn(r, row, &f);
}

/* The pipelines of a tenant above *after, which moves on to the last of them. */
static int load_page(struct registry *r, uint64_t tenant, int64_t *after, size_t *count,
                     struct fail *f)
{
    struct arena *a = arena_new(4096);
    struct pipeline *rows = NULL;
    struct store_tx *tx;
    int result = store_read_open(r->store, a, &tx, f);

    *count = 0;
    if (result == 0) {
        result = store_pipeline_list(tx, tenant, *after, PIPELINES_A_PAGE, &rows, count, f);
        for (size_t i = 0; result == 0 && i < *count; i++) {
            load_pipeline(r, &rows[i]);
            *after = rows[i].id;
        }
        store_read_close(&tx);
    }
    arena_free(&a);
    return result;
}

static int load_pipelines(struct registry *r, uint64_t tenant, struct fail *f)
{
    int64_t after = 0;
    size_t count;

    do {
        if (load_page(r, tenant, &after, &count, f) < 0)
            return -1;
    } while (count == PIPELINES_A_PAGE);
    return 0;
}

/* Tenants above *after, which moves on to the last of them. */
static int load_tenants(struct registry *r, uint64_t *after, size_t *count, struct fail *f)
{
    struct arena *a = arena_new(4096);
    struct tenant *tenants = NULL;
    struct store_tx *tx;
    int result = store_read_open(r->store, a, &tx, f);

    *count = 0;
    if (result == 0) {
        result = store_tenant_list(tx, *after, TENANTS_A_PAGE, &tenants, count, f);
        store_read_close(&tx);
    }
    for (size_t i = 0; result == 0 && i < *count; i++) {
        *after = tenants[i].id;
        registry_add_tenant(r, tenants[i].id);
        result = load_pipelines(r, tenants[i].id, f);
    }
    arena_free(&a);
    return result;
}

void registry_inactive_after(struct registry *r, int64_t after_us)
{
    word_set(&r->inactive_after_us, (uint64_t)after_us);
}

int registry_load(struct registry *r, struct fail *f)
{
    uint64_t after = 0;
    size_t count;

    do {
        if (load_tenants(r, &after, &count, f) < 0)
            return -1;
    } while (count == TENANTS_A_PAGE);
    return load_agents(r, f);
}

/* --- watchers --- */

void registry_watch(struct registry *r, struct registry_watcher *w)
{
    pthread_mutex_lock(&r->watch_lock);
    w->next = r->watchers;
    w->prev = &r->watchers;
    if (w->next)
        w->next->prev = &w->next;
    r->watchers = w;
    pthread_mutex_unlock(&r->watch_lock);
}

void registry_unwatch(struct registry *r, struct registry_watcher *w)
{
    pthread_mutex_lock(&r->watch_lock);
    if (w->prev) {
        *w->prev = w->next;
        if (w->next)
            w->next->prev = w->prev;
        w->next = NULL;
        w->prev = NULL;
    }
    pthread_mutex_unlock(&r->watch_lock);
}

void registry_tell(struct registry *r, uint64_t tenant, struct str id, bool deleted)
{
    pthread_mutex_lock(&r->watch_lock);
    for (struct registry_watcher *w = r->watchers; w; w = w->next)
        w->fn(w, tenant, id, deleted);
    pthread_mutex_unlock(&r->watch_lock);
}
