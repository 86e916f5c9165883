/* SPDX-License-Identifier: Apache-2.0 */
#include "spool/fixture.h"

#include <sys/resource.h>
#include <sys/stat.h>

static void what_goes_in_comes_out(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c = fixture_cursor(x, "sink");
    struct spool_record *r = NULL;
    size_t count = 0;

    assert_int_equal(fixture_append(x, STR("some data")), 0);
    assert_int_equal(spool_read(c, x->arena, 4096, &r, &count, &x->fail), 0);
    assert_int_equal(count, 1);
    assert_int_equal(r->tenant, 7);
    assert_int_equal(r->collector, 100);
    assert_int_equal(r->source, 101);
    assert_int_equal(r->received_us, 1234);
    assert_int_equal(r->seq, 1);
    assert_true(str_eq(r->type, STR("text/plain")));
    assert_true(str_eq(r->metadata, STR("host=web\n")));
    assert_true(str_eq(r->data, STR("some data")));
    spool_cursor_close(&c);
}

static void records_come_in_the_order_of_their_numbers(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c = fixture_cursor(x, "sink");

    fixture_append_some(x, 1, 20);
    fixture_expect(x, c, 1, 20);
    fixture_expect_end(x, c);
    fixture_append_some(x, 21, 22);
    fixture_expect(x, c, 21, 22);
    spool_cursor_close(&c);
}

static void several_records_are_read_at_once(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c = fixture_cursor(x, "sink");
    struct spool_record *r = NULL;
    size_t count = 0;

    fixture_append_some(x, 1, 50);
    assert_int_equal(spool_read(c, x->arena, 1 << 20, &r, &count, &x->fail), 0);
    assert_int_equal(count, 50);
    for (size_t i = 0; i < count; i++)
        assert_true(str_eq(r[i].data, fixture_text(x, i + 1)));
    spool_cursor_close(&c);
}

static void records_longer_than_a_segment_and_empty_ones_are_kept(void **state)
{
    struct fixture *x = *state;
    char *big = calloc(1, 20000);
    struct spool_cursor *c;
    struct str data = {0};

    assert_non_null(big);
    memset(big, 'b', 20000);
    spool_close(&x->spool);
    x->options.segment_bytes = 4096;
    x->options.total_bytes = 1 << 20;
    fixture_open(x);
    c = fixture_cursor(x, "sink");
    assert_int_equal(fixture_append(x, str_make(big, 20000)), 0);
    assert_int_equal(fixture_append(x, STR("")), 0);
    assert_int_equal(fixture_append(x, str_make(big, 20000)), 0);
    assert_int_equal(fixture_next(x, c, &data), 1);
    assert_int_equal(data.len, 20000);
    assert_int_equal(fixture_next(x, c, &data), 2);
    assert_int_equal(data.len, 0);
    assert_int_equal(fixture_next(x, c, &data), 3);
    assert_memory_equal(data.p, big, 20000);
    spool_cursor_close(&c);
    free(big);
}

static void a_record_that_no_segment_can_hold_is_refused(void **state)
{
    struct fixture *x = *state;
    struct sent s;

    assert_int_equal(sent_submit(x, &s, (struct str){"", SEGMENT_RECORD_MAX}), -1);
    assert_int_equal(x->fail.code, CODE_INVALID_ARGUMENT);

    /* Nor all of them together. */
    assert_int_equal(sent_submit(x, &s, (struct str){"", (size_t)x->options.total_bytes}), -1);
    assert_int_equal(x->fail.code, CODE_INVALID_ARGUMENT);
}

/* --- segments --- */

static void use_small_segments(struct fixture *x)
{
    spool_close(&x->spool);
    x->options.segment_bytes = 4096;
    x->options.total_bytes = 32768;
    fixture_open(x);
}

static void segments_are_dropped_once_every_cursor_has_passed_them(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *slow, *fast;
    struct spool_stats stats;

    use_small_segments(x);
    slow = fixture_cursor(x, "slow");
    fast = fixture_cursor(x, "fast");
    fixture_append_some(x, 1, 200);
    spool_stats(x->spool, &stats);
    assert_true(stats.segments > 3);
    assert_int_equal(fixture_files(x, ".seg", false), stats.segments);

    fixture_expect(x, fast, 1, 200);
    assert_int_equal(spool_commit(fast, &x->fail), 0);
    spool_stats(x->spool, &stats);
    assert_int_equal(stats.oldest_seq, 1);

    fixture_expect(x, slow, 1, 200);
    spool_stats(x->spool, &stats);
    assert_int_equal(stats.oldest_seq, 1);
    assert_int_equal(spool_commit(slow, &x->fail), 0);
    spool_stats(x->spool, &stats);
    assert_int_equal(stats.segments, 1);
    assert_true(stats.oldest_seq > 1);
    assert_int_equal(fixture_files(x, ".seg", false), 1);
    spool_cursor_close(&slow);
    spool_cursor_close(&fast);
}

static void a_full_spool_refuses_until_it_was_read(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c;
    uint64_t n = 0, more;

    use_small_segments(x);
    c = fixture_cursor(x, "sink");
    while (fixture_append(x, fixture_text(x, n + 1)) == 0)
        n++;
    assert_int_equal(x->fail.code, CODE_RESOURCE_EXHAUSTED);
    assert_string_equal(x->fail.reason, "spool_full");
    assert_true(x->fail.retry_after_ms > 0);
    assert_true(n > 100);

    fixture_expect(x, c, 1, n);
    assert_int_equal(fixture_append(x, fixture_text(x, n + 1)), -1);
    assert_int_equal(spool_commit(c, &x->fail), 0);
    for (more = n + 1; more <= 2 * n; more++) {
        /* Room comes with a new segment, which the writer begins by itself. */
        while (fixture_append(x, fixture_text(x, more)) < 0)
            assert_string_equal(x->fail.reason, "spool_full");
        fixture_expect(x, c, more, more);
        assert_int_equal(spool_commit(c, &x->fail), 0);
    }
    spool_cursor_close(&c);
}

static void one_segment_that_fills_all_the_room_gives_way(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c;
    char big[3000];
    struct str data = {0};

    memset(big, 'b', sizeof(big));
    spool_close(&x->spool);
    x->options.segment_bytes = 4096;
    x->options.total_bytes = 4096;
    fixture_open(x);
    c = fixture_cursor(x, "sink");
    for (uint64_t n = 1; n <= 10; n++) {
        while (fixture_append(x, str_make(big, sizeof(big))) < 0)
            assert_string_equal(x->fail.reason, "spool_full");
        assert_int_equal(fixture_next(x, c, &data), n);
        assert_int_equal(spool_commit(c, &x->fail), 0);
    }
    spool_cursor_close(&c);
}

static void nothing_is_dropped_before_it_is_known_who_reads(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c;

    use_small_segments(x);
    fixture_append_some(x, 1, 200);
    spool_close(&x->spool);
    fixture_open(x);
    c = fixture_cursor(x, "sink");
    fixture_expect(x, c, 1, 200);
    spool_cursor_close(&c);
}

static void without_readers_data_goes_with_its_segment(void **state)
{
    struct fixture *x = *state;
    struct spool_stats stats;

    use_small_segments(x);
    assert_int_equal(spool_forget_others(x->spool, NULL, 0, &x->fail), 0);
    fixture_append_some(x, 1, 2000);
    spool_stats(x->spool, &stats);
    assert_int_equal(stats.next_seq, 2001);
    assert_true(stats.segments <= 2);
}

/* --- cursors --- */

static void a_cursor_goes_on_where_it_was_committed(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c = fixture_cursor(x, "sink");

    fixture_append_some(x, 1, 10);
    fixture_expect(x, c, 1, 4);
    assert_int_equal(spool_commit(c, &x->fail), 0);
    fixture_expect(x, c, 5, 8);
    spool_cursor_close(&c);
    spool_close(&x->spool);

    fixture_open(x);
    fixture_append_some(x, 11, 12);
    c = fixture_cursor(x, "sink");
    fixture_expect(x, c, 5, 12);
    fixture_expect_end(x, c);
    spool_cursor_close(&c);
}

static void a_cursor_opened_again_repeats_what_was_not_committed(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c = fixture_cursor(x, "sink"), *twice;

    fixture_append_some(x, 1, 3);
    fixture_expect(x, c, 1, 3);
    assert_int_equal(spool_cursor_open(x->spool, "sink", &twice, &x->fail), -1);
    assert_string_equal(x->fail.reason, "cursor_in_use");
    spool_cursor_close(&c);
    c = fixture_cursor(x, "sink");
    fixture_expect(x, c, 1, 3);
    spool_cursor_close(&c);
}

static void cursors_do_not_move_each_other(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *a = fixture_cursor(x, "a"), *b;

    fixture_append_some(x, 1, 5);
    fixture_expect(x, a, 1, 5);
    assert_int_equal(spool_commit(a, &x->fail), 0);
    b = fixture_cursor(x, "b");
    fixture_expect(x, b, 1, 5);
    spool_cursor_close(&a);
    spool_cursor_close(&b);
}

static void a_forgotten_cursor_holds_nothing_back(void **state)
{
    struct fixture *x = *state;
    const char *const keep[] = {"kept"};
    struct spool_cursor *c, *other;
    struct spool_stats stats;

    use_small_segments(x);
    other = fixture_cursor(x, "other");
    c = fixture_cursor(x, "kept");
    spool_cursor_close(&other);
    fixture_append_some(x, 1, 200);
    fixture_expect(x, c, 1, 200);
    assert_int_equal(spool_commit(c, &x->fail), 0);
    spool_stats(x->spool, &stats);
    assert_int_equal(stats.oldest_seq, 1);
    assert_int_equal(fixture_files(x, ".cursor", false), 2);

    assert_int_equal(spool_forget_others(x->spool, keep, 1, &x->fail), 0);
    spool_stats(x->spool, &stats);
    assert_int_equal(stats.segments, 1);
    assert_int_equal(fixture_files(x, ".cursor", false), 1);
    spool_cursor_close(&c);
}

/* As on a full disk, where only what is let go makes room for a mark. */
static void what_was_delivered_makes_room_though_its_mark_cannot_be_written(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c;
    struct spool_stats stats;
    char path[512];

    use_small_segments(x);
    c = fixture_cursor(x, "sink");
    fixture_append_some(x, 1, 200);
    fixture_expect(x, c, 1, 199);
    fixture_path(x, "sink.cursor.new", path);
    assert_int_equal(mkdir(path, 0700), 0); /* in the way of the file that is to be renamed */
    assert_int_equal(spool_commit(c, &x->fail), -1);
    spool_stats(x->spool, &stats);
    assert_int_equal(stats.segments, 1);
    spool_cursor_close(&c);
    spool_close(&x->spool);

    /* Then the old mark is before all there is. */
    fixture_open(x);
    c = fixture_cursor(x, "sink");
    fixture_expect(x, c, stats.oldest_seq, 200);
    assert_int_equal(spool_commit(c, &x->fail), -1);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(spool_commit(c, &x->fail), 0);
    spool_cursor_close(&c);
    spool_close(&x->spool);
    fixture_open(x);
    c = fixture_cursor(x, "sink");
    fixture_expect_end(x, c);
    spool_cursor_close(&c);
}

/* Takes all descriptors but `left`; how many it took, in fds. */
static size_t take_descriptors(int *fds, size_t cap, size_t left)
{
    size_t n = 0;
    int fd;

    while (n < cap && (fd = dup(STDERR_FILENO)) >= 0)
        fds[n++] = fd;
    assert_true(n < cap && n >= left);
    while (left-- > 0)
        close(fds[--n]);
    return n;
}

/* Neither the writer, which goes to a new segment, nor a reader takes that for a broken disk. */
static void too_few_descriptors_cost_nothing(void **state)
{
    struct fixture *x = *state;
    struct rlimit limit, low;
    struct spool_cursor *c;
    struct str data = {0};
    int fds[256];
    size_t taken;

    c = fixture_cursor(x, "sink");
    fixture_append_some(x, 1, 2);
    spool_cursor_close(&c);
    spool_close(&x->spool);
    fixture_open(x);
    c = fixture_cursor(x, "sink");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = (struct rlimit){MIN(limit.rlim_cur, (rlim_t)200), limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);

    taken = take_descriptors(fds, COUNTOF(fds), 0);

    int result = fixture_append(x, fixture_text(x, 3));
    struct spool_record *r = NULL;
    size_t count = 0;
    int read_result = spool_read(c, x->arena, 1, &r, &count, &x->fail);
    enum code code = x->fail.code;

    close(fds[--taken]);

    int result_of_one = fixture_append(x, fixture_text(x, 3));

    while (taken > 0)
        close(fds[--taken]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(result, -1);
    assert_int_equal(read_result, -1);
    assert_int_not_equal(code, CODE_DATA_LOSS);
    assert_int_equal(result_of_one, 0);
    assert_int_equal(x->fatal, 0);
    fixture_expect(x, c, 1, 3);
    assert_int_equal(fixture_next(x, c, &data), 0);
    spool_cursor_close(&c);
}

static void names_that_are_no_file_names_are_refused(void **state)
{
    struct fixture *x = *state;
    static const char *const names[] = {"", ".", "..", "a/b", ".hidden", "a b", "\xc3\xa4"};
    struct spool_cursor *c;

    for (size_t i = 0; i < COUNTOF(names); i++) {
        assert_int_equal(spool_cursor_open(x->spool, names[i], &c, &x->fail), -1);
        assert_int_equal(x->fail.code, CODE_INVALID_ARGUMENT);
    }
}

/* --- waiting --- */

static void waiting_ends_when_there_is_data(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c = fixture_cursor(x, "sink");

    fixture_append_some(x, 1, 1);
    spool_wait(c, INT64_MAX);
    fixture_expect(x, c, 1, 1);
    spool_wake(x->spool);
    spool_wait(c, INT64_MAX);
    spool_wait(c, clock_mono_us(x->clock));
    spool_cursor_close(&c);
}

/* --- the bound of what waits, and group commit --- */

/* Holds the writer in its first done() until it is let go. */
struct gate {
    struct spool_append append;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t cond;
    bool reached;
    bool open;
};

static void gate_done(struct spool_append *a, int result, const struct fail *f)
{
    struct gate *g = CONTAINER_OF(a, struct gate, append);

    (void)f;
    assert_int_equal(result, 0);
    pthread_mutex_lock(&g->lock);
    g->reached = true;
    pthread_cond_broadcast(&g->cond);
    while (!g->open)
        pthread_cond_wait(&g->cond, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void gate_close(struct fixture *x, struct gate *g)
{
    *g = (struct gate){.append = {.record = {.data = STR("gate")}, .done = gate_done}};
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->cond, NULL);
    assert_int_equal(spool_submit(x->spool, &g->append, &x->fail), 0);
    pthread_mutex_lock(&g->lock);
    while (!g->reached)
        pthread_cond_wait(&g->cond, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void gate_open(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->open = true;
    pthread_cond_broadcast(&g->cond);
    pthread_mutex_unlock(&g->lock);
}

static void what_waits_for_the_disk_is_bounded(void **state)
{
    struct fixture *x = *state;
    struct gate g;
    struct sent sent[100];
    size_t taken = 0;

    spool_close(&x->spool);
    x->options.queue_bytes = 2000;
    fixture_open(x);
    gate_close(x, &g);
    while (taken < COUNTOF(sent) && sent_submit(x, &sent[taken], STR("a hundred bytes or so")) == 0)
        taken++;
    assert_true(taken > 10 && taken < 30);
    assert_int_equal(x->fail.code, CODE_UNAVAILABLE);
    assert_string_equal(x->fail.reason, "spool_busy");
    gate_open(&g);
    for (size_t i = 0; i < taken; i++)
        assert_int_equal(sent_wait(&sent[i]), 0);
    assert_int_equal(fixture_append(x, STR("again")), 0);
}

static void what_waited_is_acknowledged_in_order(void **state)
{
    struct fixture *x = *state;
    struct gate g;
    struct sent sent[40];

    gate_close(x, &g);
    for (size_t i = 0; i < COUNTOF(sent); i++)
        assert_int_equal(sent_submit(x, &sent[i], STR("x")), 0);
    gate_open(&g);
    for (size_t i = 0; i < COUNTOF(sent); i++) {
        assert_int_equal(sent_wait(&sent[i]), 0);
        assert_int_equal(sent[i].append.record.seq, i + 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(what_goes_in_comes_out),
        FIXTURE_TEST(records_come_in_the_order_of_their_numbers),
        FIXTURE_TEST(several_records_are_read_at_once),
        FIXTURE_TEST(records_longer_than_a_segment_and_empty_ones_are_kept),
        FIXTURE_TEST(a_record_that_no_segment_can_hold_is_refused),
        FIXTURE_TEST(segments_are_dropped_once_every_cursor_has_passed_them),
        FIXTURE_TEST(a_full_spool_refuses_until_it_was_read),
        FIXTURE_TEST(one_segment_that_fills_all_the_room_gives_way),
        FIXTURE_TEST(nothing_is_dropped_before_it_is_known_who_reads),
        FIXTURE_TEST(without_readers_data_goes_with_its_segment),
        FIXTURE_TEST(a_cursor_goes_on_where_it_was_committed),
        FIXTURE_TEST(a_cursor_opened_again_repeats_what_was_not_committed),
        FIXTURE_TEST(cursors_do_not_move_each_other),
        FIXTURE_TEST(a_forgotten_cursor_holds_nothing_back),
        FIXTURE_TEST(what_was_delivered_makes_room_though_its_mark_cannot_be_written),
        FIXTURE_TEST(too_few_descriptors_cost_nothing),
        FIXTURE_TEST(names_that_are_no_file_names_are_refused),
        FIXTURE_TEST(waiting_ends_when_there_is_data),
        FIXTURE_TEST(what_waits_for_the_disk_is_bounded),
        FIXTURE_TEST(what_waited_is_acknowledged_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
