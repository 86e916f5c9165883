/* SPDX-License-Identifier: Apache-2.0 */
/* Counters, gauges and histograms, shown as Prometheus text. Made at start-up, bumped from any
 * thread with relaxed atomics, spread over cache lines by thread where they are hot. */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"

struct metrics;        /* the registry */
struct metric_counter; /* one time series of a counter */
struct metric_gauge;
struct metric_histogram;

struct metrics *metrics_new(void) RETURNS_NONNULL;
void metrics_free(struct metrics **m);

/* One time series. `labels` is the text between the braces, already escaped ("code=\"200\""), or
 * "" for none. Asking again for the same name and labels gives the same series. The help text
 * of the first call counts. Start-up or rare paths: takes a lock. */
struct metric_counter *metrics_counter(struct metrics *m, const char *name, const char *help,
                                       const char *labels) RETURNS_NONNULL;
struct metric_gauge *metrics_gauge(struct metrics *m, const char *name, const char *help,
                                   const char *labels) RETURNS_NONNULL;

/* Buckets of seconds from 50 us to 30 s unless bounds are given (ascending, +Inf is implied). */
struct metric_histogram *metrics_histogram(struct metrics *m, const char *name, const char *help,
                                           const char *labels, const double *bounds, size_t count)
    RETURNS_NONNULL;

void counter_add(struct metric_counter *c, uint64_t n);
uint64_t counter_get(const struct metric_counter *c);
void gauge_set(struct metric_gauge *g, int64_t v);
void gauge_add(struct metric_gauge *g, int64_t n);
int64_t gauge_get(const struct metric_gauge *g);
void histogram_observe(struct metric_histogram *h, double value);

/* Called before each rendering, to set gauges that are read on demand (memory, say). */
void metrics_on_render(struct metrics *m, void (*fn)(void *arg), void *arg);

/* Families sorted by name, series in order of creation. */
void metrics_render(struct metrics *m, struct buf *out);

#endif
