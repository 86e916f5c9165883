/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics: adding up over threads, the text form. */
#include "base/metric.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>

static void assert_renders(struct metrics *m, const char *want)
{
    struct buf out;

    buf_init(&out, SIZE_MAX);
    metrics_render(m, &out);
    buf_put_byte(&out, '\0');
    assert_string_equal((const char *)out.data, want);
    buf_done(&out);
}

static void families_are_sorted_and_series_in_order_of_creation(void **state)
{
    struct metrics *m = metrics_new();

    (void)state;
    counter_add(metrics_counter(m, "b_total", "Second.", "code=\"500\""), 2);
    counter_add(metrics_counter(m, "b_total", "Ignored.", "code=\"200\""), 3);
    gauge_set(metrics_gauge(m, "a", "First.", ""), -4);
    assert_renders(m,
                   "# HELP a First.\n"
                   "# TYPE a gauge\n"
                   "a -4\n"
                   "# HELP b_total Second.\n"
                   "# TYPE b_total counter\n"
                   "b_total{code=\"500\"} 2\n"
                   "b_total{code=\"200\"} 3\n");
    metrics_free(&m);
    assert_null(m);
}

static void help_text_is_escaped(void **state)
{
    struct metrics *m = metrics_new();

    (void)state;
    metrics_gauge(m, "a", "One\\two\nthree \"four\".", "");
    assert_renders(m, "# HELP a One\\\\two\\nthree \"four\".\n# TYPE a gauge\na 0\n");
    metrics_free(&m);
}

static void same_name_and_labels_are_the_same_series(void **state)
{
    struct metrics *m = metrics_new();
    struct metric_counter *c = metrics_counter(m, "a_total", "A.", "x=\"1\"");

    (void)state;
    assert_ptr_equal(metrics_counter(m, "a_total", "A.", "x=\"1\""), c);
    assert_ptr_not_equal(metrics_counter(m, "a_total", "A.", "x=\"2\""), c);
    assert_ptr_equal(metrics_gauge(m, "g", "G.", ""), metrics_gauge(m, "g", "G.", ""));
    metrics_free(&m);
}

static void buckets_count_up_to_their_bounds(void **state)
{
    static const double bounds[] = {0.5, 1, 1048576};
    struct metrics *m = metrics_new();
    struct metric_histogram *h = metrics_histogram(m, "h", "H.", "op=\"put\"", bounds, 3);

    (void)state;
    histogram_observe(h, 0.5);
    histogram_observe(h, 0.75);
    histogram_observe(h, 2);
    histogram_observe(h, 2000000);
    histogram_observe(h, (double)NAN);
    histogram_observe(h, (double)INFINITY);
    assert_renders(m,
                   "# HELP h H.\n"
                   "# TYPE h histogram\n"
                   "h_bucket{op=\"put\",le=\"0.5\"} 1\n"
                   "h_bucket{op=\"put\",le=\"1\"} 2\n"
                   "h_bucket{op=\"put\",le=\"1048576\"} 3\n"
                   "h_bucket{op=\"put\",le=\"+Inf\"} 4\n"
                   "h_sum{op=\"put\"} 2000003.25\n"
                   "h_count{op=\"put\"} 4\n");
    metrics_free(&m);
}

static void bounds_of_time_span_50_us_to_30_s(void **state)
{
    struct metrics *m = metrics_new();
    struct buf out;

    (void)state;
    histogram_observe(metrics_histogram(m, "h", "H.", "", NULL, 0), 0.0001);
    buf_init(&out, SIZE_MAX);
    metrics_render(m, &out);
    buf_put_byte(&out, '\0');
    assert_non_null(strstr((char *)out.data,
                           "h_bucket{le=\"5e-05\"} 0\n"
                           "h_bucket{le=\"0.0001\"} 1\n"));
    assert_non_null(strstr((char *)out.data,
                           "h_bucket{le=\"30\"} 1\n"
                           "h_bucket{le=\"+Inf\"} 1\n"
                           "h_sum 0.0001\nh_count 1\n"));
    buf_done(&out);
    metrics_free(&m);
}

struct shared {
    struct metric_counter *c;
    struct metric_gauge *g;
    struct metric_histogram *h;
};

#define THREADS 12 /* more than there are shards */
#define ROUNDS  2000

static void *bump(void *arg)
{
    struct shared *s = arg;

    for (int i = 0; i < ROUNDS; i++) {
        counter_add(s->c, 2);
        gauge_add(s->g, i % 2 ? 1 : -2);
        histogram_observe(s->h, 0.25);
    }
    return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
    struct metrics *m = metrics_new();
    struct shared s = {
        .c = metrics_counter(m, "c_total", "C.", ""),
        .g = metrics_gauge(m, "g", "G.", ""),
        .h = metrics_histogram(m, "h", "H.", "", (const double[]){1}, 1),
    };
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, bump, &s), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(counter_get(s.c), THREADS * ROUNDS * 2);
    assert_int_equal(gauge_get(s.g), -THREADS * ROUNDS / 2);
    assert_renders(m,
                   "# HELP c_total C.\n"
                   "# TYPE c_total counter\n"
                   "c_total 48000\n"
                   "# HELP g G.\n"
                   "# TYPE g gauge\n"
                   "g -12000\n"
                   "# HELP h H.\n"
                   "# TYPE h histogram\n"
                   "h_bucket{le=\"1\"} 24000\n"
                   "h_bucket{le=\"+Inf\"} 24000\n"
                   "h_sum 6000\n"
                   "h_count 24000\n");
    metrics_free(&m);
}

static void set_to_seven(void *arg)
{
    struct metrics *m = arg;

    gauge_set(metrics_gauge(m, "late", "Made by the hook.", ""), 7);
}

static void hooks_run_before_rendering_and_may_make_series(void **state)
{
    struct metrics *m = metrics_new();

    (void)state;
    metrics_on_render(m, set_to_seven, m);
    assert_renders(m, "# HELP late Made by the hook.\n# TYPE late gauge\nlate 7\n");
    metrics_free(&m);
}

static void output_past_the_ceiling_is_told(void **state)
{
    struct metrics *m = metrics_new();
    struct buf out;

    (void)state;
    metrics_gauge(m, "a", "A.", "");
    buf_init(&out, 10);
    metrics_render(m, &out);
    assert_true(out.overflow);
    buf_done(&out);
    metrics_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_are_sorted_and_series_in_order_of_creation),
        cmocka_unit_test(help_text_is_escaped),
        cmocka_unit_test(same_name_and_labels_are_the_same_series),
        cmocka_unit_test(buckets_count_up_to_their_bounds),
        cmocka_unit_test(bounds_of_time_span_50_us_to_30_s),
        cmocka_unit_test(nothing_is_lost_between_threads),
        cmocka_unit_test(hooks_run_before_rendering_and_may_make_series),
        cmocka_unit_test(output_past_the_ceiling_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
