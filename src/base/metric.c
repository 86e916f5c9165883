/* SPDX-License-Identifier: Apache-2.0 */
/* Counters, gauges and histograms, shown as Prometheus text. Series live as long as the registry.
 * Hot values are kept once per shard, each shard on cache lines of its own; a thread always uses
 * the same shard, and a reader adds them up. All value atomics are relaxed: each number stands for
 * itself and publishes nothing. */
#include "base/metric.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/map.h"
#include "base/number.h"

#define SHARDS     8
#define LINE_BYTES 64

enum metric_type {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_HISTOGRAM,
};

static const char *const type_names[] = {
    [METRIC_COUNTER] = "counter",
    [METRIC_GAUGE] = "gauge",
    [METRIC_HISTOGRAM] = "histogram",
};

struct series {
    struct series *next; /* in order of creation */
    char *labels;
    enum metric_type type;
};

struct metric_counter {
    struct series series;
    struct {
        alignas(LINE_BYTES) _Atomic(uint64_t) value;
    } shards[SHARDS];
};

struct metric_gauge {
    struct series series;
    _Atomic(int64_t) value;
};

struct metric_histogram {
    struct series series;
    double *bounds;
    size_t count; /* of bounds; there is one bucket more, for what lies above them all */
    size_t stride;
    _Atomic(uint64_t) *cells; /* per shard: the bits of the sum, then the buckets */
};

struct family {
    struct family *next; /* sorted by name */
    char *name;
    char *help;
    enum metric_type type;
    struct series *first;
    struct series **last;
};

struct hook {
    struct hook *next;
    void (*fn)(void *arg);
    void *arg;
};

struct metrics {
    pthread_mutex_t lock; /* guards all below */
    struct family *families;
    struct map *by_key; /* "name{labels}" to struct series */
    struct hook *hooks;
    struct hook **last_hook;
};

static const double default_bounds[] = {
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
    0.05,    0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30,
};

/* Threads take shards in turn; the number stays with the thread. */
static unsigned my_shard(void)
{
    static _Atomic(unsigned) threads;
    static _Thread_local unsigned mine; /* one more than the shard; 0: none yet */

    if (mine == 0)
        mine = 1 + atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % SHARDS;
    return mine - 1;
}

static void *lines_alloc(size_t size)
{
    size_t whole = (size + LINE_BYTES - 1) & ~(size_t)(LINE_BYTES - 1);
    void *p = aligned_alloc(LINE_BYTES, whole);

    if (!p)
        abort();
    return memset(p, 0, whole);
}

struct metrics *metrics_new(void)
{
    struct metrics *m = heap_new_type(struct metrics);

    pthread_mutex_init(&m->lock, NULL);
    m->by_key = map_new();
    m->last_hook = &m->hooks;
    return m;
}

static void series_free(struct series *s)
{
    if (s->type == METRIC_HISTOGRAM) {
        struct metric_histogram *h = CONTAINER_OF(s, struct metric_histogram, series);

        free(h->bounds);
        free(h->cells);
    }
    free(s->labels);
    free(s); /* the first member of each kind */
}

static void family_free(struct family *f)
{
    while (f->first) {
        struct series *s = f->first;

        f->first = s->next;
        series_free(s);
    }
    free(f->name);
    free(f->help);
    free(f);
}

void metrics_free(struct metrics **metrics)
{
    struct metrics *m = *metrics;

    if (!m)
        return;
    while (m->families) {
        struct family *f = m->families;

        m->families = f->next;
        family_free(f);
    }
    while (m->hooks) {
        struct hook *h = m->hooks;

        m->hooks = h->next;
        free(h);
    }
    map_free(&m->by_key);
    pthread_mutex_destroy(&m->lock);
    free(m);
    *metrics = NULL;
}

static struct family *family_get(struct metrics *m, const char *name, const char *help,
                                 enum metric_type type)
{
    struct family **at = &m->families;

    while (*at && strcmp((*at)->name, name) < 0)
        at = &(*at)->next;
    if (*at && strcmp((*at)->name, name) == 0) {
        assert((*at)->type == type);
        return *at;
    }

    struct family *f = heap_new_type(struct family);

    f->name = heap_cstr(str_of(name));
    f->help = heap_cstr(str_of(help));
    f->type = type;
    f->last = &f->first;
    f->next = *at;
    *at = f;
    return f;
}

static struct series *counter_new(void)
{
    return &((struct metric_counter *)lines_alloc(sizeof(struct metric_counter)))->series;
}

static struct series *gauge_new(void)
{
    return &heap_new_type(struct metric_gauge)->series;
}

static struct series *histogram_new(const double *bounds, size_t count)
{
    struct metric_histogram *h = heap_new_type(struct metric_histogram);
    size_t per_line = LINE_BYTES / sizeof(h->cells[0]);

    if (!bounds || count == 0) {
        bounds = default_bounds;
        count = COUNTOF(default_bounds);
    }
    h->bounds = heap_new_array(double, count);
    memcpy(h->bounds, bounds, count * sizeof(*bounds));
    h->count = count;
    h->stride = (2 + count + per_line - 1) / per_line * per_line;
    h->cells = lines_alloc(SHARDS * h->stride * sizeof(h->cells[0]));
    for (size_t i = 1; i < count; i++)
        assert(bounds[i - 1] < bounds[i]);
    return &h->series;
}

static struct series *series_new(enum metric_type type, const double *bounds, size_t count)
{
    switch (type) {
    case METRIC_COUNTER: return counter_new();
    case METRIC_GAUGE: return gauge_new();
    case METRIC_HISTOGRAM: return histogram_new(bounds, count);
    }
    abort();
}

static struct series *series_get(struct metrics *m, enum metric_type type, const char *name,
                                 const char *help, const char *labels, const double *bounds,
                                 size_t count)
{
    struct buf key;

    buf_init(&key, SIZE_MAX);
    buf_put_str(&key, str_of(name));
    buf_put_byte(&key, '{');
    buf_put_str(&key, str_of(labels));

    pthread_mutex_lock(&m->lock);
    struct series *s = map_get(m->by_key, buf_str(&key));

    if (!s) {
        struct family *f = family_get(m, name, help, type);

        s = series_new(type, bounds, count);
        s->type = type;
        s->labels = heap_cstr(str_of(labels));
        *f->last = s;
        f->last = &s->next;
        IGNORE(map_put(m->by_key, buf_str(&key), s));
    }
    pthread_mutex_unlock(&m->lock);
    buf_done(&key);
    assert(s->type == type);
    return s;
}

struct metric_counter *metrics_counter(struct metrics *m, const char *name, const char *help,
                                       const char *labels)
{
    struct series *s = series_get(m, METRIC_COUNTER, name, help, labels, NULL, 0);

    return CONTAINER_OF(s, struct metric_counter, series);
}

struct metric_gauge *metrics_gauge(struct metrics *m, const char *name, const char *help,
                                   const char *labels)
{
    struct series *s = series_get(m, METRIC_GAUGE, name, help, labels, NULL, 0);

    return CONTAINER_OF(s, struct metric_gauge, series);
}

struct metric_histogram *metrics_histogram(struct metrics *m, const char *name, const char *help,
                                           const char *labels, const double *bounds, size_t count)
{
    struct series *s = series_get(m, METRIC_HISTOGRAM, name, help, labels, bounds, count);

    return CONTAINER_OF(s, struct metric_histogram, series);
}

void counter_add(struct metric_counter *c, uint64_t n)
{
    atomic_fetch_add_explicit(&c->shards[my_shard()].value, n, memory_order_relaxed);
}

uint64_t counter_get(const struct metric_counter *c)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < SHARDS; i++)
        sum += atomic_load_explicit(&c->shards[i].value, memory_order_relaxed);
    return sum;
}

void gauge_set(struct metric_gauge *g, int64_t v)
{
    atomic_store_explicit(&g->value, v, memory_order_relaxed);
}

void gauge_add(struct metric_gauge *g, int64_t n)
{
    atomic_fetch_add_explicit(&g->value, n, memory_order_relaxed);
}

int64_t gauge_get(const struct metric_gauge *g)
{
    return atomic_load_explicit(&g->value, memory_order_relaxed);
}

static double double_of(uint64_t bits)
{
    double v;

    memcpy(&v, &bits, sizeof(v));
    return v;
}

static uint64_t bits_of(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

/* The first bucket whose bound is not below the value. */
static size_t bucket_of(const struct metric_histogram *h, double value)
{
    size_t low = 0, high = h->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (h->bounds[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void histogram_observe(struct metric_histogram *h, double value)
{
    /* One NaN or infinity would spoil the sum for good. */
    if (!isfinite(value))
        return;

    _Atomic(uint64_t) *shard = h->cells + my_shard() * h->stride;
    uint64_t sum = atomic_load_explicit(&shard[0], memory_order_relaxed);

    atomic_fetch_add_explicit(&shard[1 + bucket_of(h, value)], 1, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&shard[0], &sum, bits_of(double_of(sum) + value),
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

void metrics_on_render(struct metrics *m, void (*fn)(void *arg), void *arg)
{
    struct hook *h = heap_new_type(struct hook);

    h->fn = fn;
    h->arg = arg;
    pthread_mutex_lock(&m->lock);
    *m->last_hook = h;
    m->last_hook = &h->next;
    pthread_mutex_unlock(&m->lock);
}

static void put_double(struct buf *out, double v)
{
    char text[NUMBER_TEXT_MAX];

    buf_put(out, text, number_print_double(v, text));
}

/* `le` is the bound of a bucket, or NULL. */
static void put_name(struct buf *out, const struct family *f, const char *suffix,
                     const struct series *s, const double *le)
{
    buf_put_str(out, str_of(f->name));
    buf_put_str(out, str_of(suffix));
    if (s->labels[0] != '\0' || le) {
        buf_put_byte(out, '{');
        buf_put_str(out, str_of(s->labels));
        if (le) {
            if (s->labels[0] != '\0')
                buf_put_byte(out, ',');
            buf_put_str(out, STR("le=\""));
            put_double(out, *le);
            buf_put_byte(out, '"');
        }
        buf_put_byte(out, '}');
    }
    buf_put_byte(out, ' ');
}

static void render_histogram(struct buf *out, const struct family *f,
                             const struct metric_histogram *h)
{
    double sum = 0;
    uint64_t total = 0;

    for (size_t i = 0; i < SHARDS; i++)
        sum += double_of(atomic_load_explicit(&h->cells[i * h->stride], memory_order_relaxed));
    for (size_t bucket = 0; bucket <= h->count; bucket++) {
        double le = bucket < h->count ? h->bounds[bucket] : (double)INFINITY;

        for (size_t i = 0; i < SHARDS; i++)
            total +=
                atomic_load_explicit(&h->cells[i * h->stride + 1 + bucket], memory_order_relaxed);
        put_name(out, f, "_bucket", &h->series, &le);
        buf_put_u64(out, total);
        buf_put_byte(out, '\n');
    }
    put_name(out, f, "_sum", &h->series, NULL);
    put_double(out, sum);
    buf_put_byte(out, '\n');
    /* From the buckets, so that it equals the last of them while others observe. */
    put_name(out, f, "_count", &h->series, NULL);
    buf_put_u64(out, total);
    buf_put_byte(out, '\n');
}

static void render_series(struct buf *out, const struct family *f, struct series *s)
{
    switch (s->type) {
    case METRIC_COUNTER:
        put_name(out, f, "", s, NULL);
        buf_put_u64(out, counter_get(CONTAINER_OF(s, struct metric_counter, series)));
        buf_put_byte(out, '\n');
        break;
    case METRIC_GAUGE:
        put_name(out, f, "", s, NULL);
        buf_put_i64(out, gauge_get(CONTAINER_OF(s, struct metric_gauge, series)));
        buf_put_byte(out, '\n');
        break;
    case METRIC_HISTOGRAM:
        render_histogram(out, f, CONTAINER_OF(s, struct metric_histogram, series));
        break;
    }
}

static void put_help(struct buf *out, const char *help)
{
    for (; *help; help++) {
        if (*help == '\n')
            buf_put_str(out, STR("\\n"));
        else if (*help == '\\')
            buf_put_str(out, STR("\\\\"));
        else
            buf_put_byte(out, (uint8_t)*help);
    }
}

static void render_family(struct buf *out, const struct family *f)
{
    buf_put_str(out, STR("# HELP "));
    buf_put_str(out, str_of(f->name));
    buf_put_byte(out, ' ');
    put_help(out, f->help);
    buf_put_str(out, STR("\n# TYPE "));
    buf_put_str(out, str_of(f->name));
    buf_put_byte(out, ' ');
    buf_put_str(out, str_of(type_names[f->type]));
    buf_put_byte(out, '\n');
    for (struct series *s = f->first; s; s = s->next)
        render_series(out, f, s);
}

/* Hooks run without the lock, so they may ask for series; a new hook only joins at the end. */
static void run_hooks(struct metrics *m)
{
    pthread_mutex_lock(&m->lock);
    struct hook *h = m->hooks;

    while (h) {
        pthread_mutex_unlock(&m->lock);
        h->fn(h->arg);
        pthread_mutex_lock(&m->lock);
        h = h->next;
    }
    pthread_mutex_unlock(&m->lock);
}

void metrics_render(struct metrics *m, struct buf *out)
{
    run_hooks(m);
    pthread_mutex_lock(&m->lock);
    for (const struct family *f = m->families; f; f = f->next)
        render_family(out, f);
    pthread_mutex_unlock(&m->lock);
}
