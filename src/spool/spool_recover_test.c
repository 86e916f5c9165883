/* SPDX-License-Identifier: Apache-2.0 */
/* What a start makes of files that a crash, or a bad disk, has left. */
#include "spool/fixture.h"

#define FIRST "00000000000000000001.seg"

int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);

/* The machine does not crash here, and thousands of starts are to be quick. */
int __wrap_fsync(int fd)
{
    (void)fd;
    return 0;
}

int __wrap_fdatasync(int fd)
{
    return __wrap_fsync(fd);
}

static struct str load(struct fixture *x, const char *name)
{
    char path[512];
    char *bytes = arena_alloc(x->arena, 65536);

    fixture_path(x, name, path);

    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, 65536);

    assert_true(n >= 0);
    close(fd);
    return str_make(bytes, (size_t)n);
}

static void save(struct fixture *x, const char *name, struct str bytes)
{
    char path[512];

    fixture_path(x, name, path);

    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.p, bytes.len), bytes.len);
    close(fd);
}

static void begin_again(struct fixture *x)
{
    spool_close(&x->spool);
    fixture_files(x, "", true);
}

/* Changes one bit of the first segment. */
static void flip(struct fixture *x, size_t bit)
{
    struct str whole = load(x, FIRST);

    assert_true(bit / 8 < whole.len);
    ((char *)(uintptr_t)whole.p)[bit / 8] ^= (char)(1 << bit % 8);
    save(x, FIRST, whole);
}

/* Overwrites one character of that text in the first segment. */
static void spoil(struct fixture *x, const char *text, size_t at)
{
    struct str whole = load(x, FIRST);
    char *found = memmem(whole.p, whole.len, text, strlen(text));

    assert_non_null(found);
    found[at] = 'X';
    save(x, FIRST, whole);
}

/* 100 records in many segments; closed again. */
static void fill_segments(struct fixture *x)
{
    x->options.segment_bytes = 4096;
    fixture_open(x);
    fixture_append_some(x, 1, 100);
    spool_close(&x->spool);
}

/* So many records, of which so many are read and committed; closed again. */
static void append_and_commit(struct fixture *x, uint64_t count, uint64_t committed)
{
    struct spool_cursor *c = fixture_cursor(x, "sink");

    fixture_append_some(x, 1, count);
    fixture_expect(x, c, 1, committed);
    assert_int_equal(spool_commit(c, &x->fail), 0);
    spool_cursor_close(&c);
    spool_close(&x->spool);
}

static void expect_from_mark(struct fixture *x, uint64_t from, uint64_t to)
{
    struct spool_cursor *c = fixture_cursor(x, "sink");

    fixture_expect(x, c, from, to);
    spool_cursor_close(&c);
}

static void a_torn_header_leaves_an_empty_spool(void **state)
{
    struct fixture *x = *state;

    fixture_append_some(x, 1, 1);
    spool_close(&x->spool);

    struct str whole = load(x, FIRST);

    for (size_t len = 0; len <= SEGMENT_HEADER_LEN; len++) {
        save(x, FIRST, str_first(whole, len));
        fixture_open(x);
        fixture_append_some(x, 1, 3);
        expect_from_mark(x, 1, 3);
        begin_again(x);
    }
}

/* Of the batch that a crash tore, a later part may be whole. */
static void what_was_synced_with_a_torn_record_goes_with_it(void **state)
{
    struct fixture *x = *state;
    uint8_t frame[SEGMENT_FRAME_LEN];
    struct segment_header h = {0};
    struct buf torn;

    fixture_append_some(x, 1, 2);
    spool_close(&x->spool);
    buf_init_arena(&torn, x->arena, 65536);
    buf_put_str(&torn, load(x, FIRST));
    assert_true(segment_get_header(buf_str(&torn), &h));
    for (uint64_t seq = 3; seq <= 5; seq++) {
        struct segment_record rec = {.r = {.seq = seq, .data = STR("abc")}, .batch = 3};

        segment_put_frame(h.salt, &rec, frame);
        if (seq == 4)
            frame[30] ^= 1;
        buf_put(&torn, frame, sizeof(frame));
        buf_put_str(&torn, rec.r.data);
    }
    save(x, FIRST, buf_str(&torn));
    fixture_open(x);

    struct spool_cursor *c = fixture_cursor(x, "sink");
    struct str data = {0};

    fixture_expect(x, c, 1, 2);
    assert_int_equal(fixture_next(x, c, &data), 3);
    fixture_expect_end(x, c);
    fixture_append_some(x, 4, 4);
    fixture_expect(x, c, 4, 4);
    spool_cursor_close(&c);
}

static void damage_among_acknowledged_records_is_told_and_passed_over(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c;
    struct str data = {0};

    fixture_append_some(x, 1, 9);
    spool_close(&x->spool);

    size_t before = load(x, FIRST).len;

    spoil(x, "record 4", 7);
    fixture_open(x);
    fixture_append_some(x, 10, 11);
    c = fixture_cursor(x, "sink");
    fixture_expect(x, c, 1, 3);
    assert_int_equal(fixture_next(x, c, &data), UINT64_MAX);
    fixture_expect(x, c, 5, 11);
    fixture_expect_end(x, c);
    assert_int_equal(load(x, FIRST).len, before);
    spool_cursor_close(&c);
}

static void damage_in_an_older_segment_costs_one_record(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c;
    struct spool_stats stats;
    struct str data = {0};

    fill_segments(x);
    spoil(x, "record 7", 0);
    fixture_open(x);
    spool_stats(x->spool, &stats);
    assert_int_equal(stats.next_seq, 101);
    c = fixture_cursor(x, "sink");
    fixture_expect(x, c, 1, 6);
    assert_int_equal(fixture_next(x, c, &data), UINT64_MAX);
    fixture_expect(x, c, 8, 100);
    assert_int_equal(spool_commit(c, &x->fail), 0);
    spool_cursor_close(&c);
}

static void a_segment_that_is_gone_or_headless_is_passed_over(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c;
    struct str data = {0};
    char path[512];

    fill_segments(x);
    flip(x, (size_t)20 * 8);
    fixture_open(x);
    c = fixture_cursor(x, "sink");
    assert_int_equal(fixture_next(x, c, &data), UINT64_MAX);
    assert_true(fixture_next(x, c, &data) > 20);
    spool_cursor_close(&c);
    spool_close(&x->spool);

    fixture_path(x, FIRST, path);
    assert_int_equal(unlink(path), 0);
    fixture_open(x);
    c = fixture_cursor(x, "sink");
    assert_true(fixture_next(x, c, &data) > 20);
    spool_cursor_close(&c);
}

/* And a sink waits for more, instead of looking again and again. */
static void assert_nothing_more(struct fixture *x, struct spool_cursor *c)
{
    fixture_expect_end(x, c);
    assert_int_equal(c->seq, x->spool->next_seq);
}

/* A header of which only the salt is good does for reading. */
static void a_damaged_header_costs_nothing(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c;
    struct str data = {0};

    fill_segments(x);
    flip(x, 0);
    fixture_open(x);
    expect_from_mark(x, 1, 100);
    spool_close(&x->spool);

    /* The last one, too, whose numbers nobody knows at a start. */
    fixture_files(x, "", true);
    x->options.segment_bytes = 1 << 20;
    fixture_open(x);
    fixture_append_some(x, 1, 3);
    spool_close(&x->spool);
    flip(x, 0);
    fixture_open(x);
    c = fixture_cursor(x, "sink");
    fixture_expect(x, c, 1, 3);
    assert_nothing_more(x, c);
    assert_int_equal(fixture_append(x, STR("new")), 0);
    assert_true(fixture_next(x, c, &data) > 3);
    assert_true(str_eq(data, STR("new")));
    spool_cursor_close(&c);
}

static void numbers_that_are_missing_at_the_end_are_not_waited_for(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c;

    append_and_commit(x, 3, 3);
    flip(x, 0);
    fixture_open(x);
    c = fixture_cursor(x, "sink");
    assert_nothing_more(x, c);
    assert_int_equal(spool_cursor_waiting(c), 0);
    spool_cursor_close(&c);
}

/* Cursors differ, and the files they would read are gone. */
static void a_cursor_before_segments_that_are_gone_waits_for_new_data(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *slow = fixture_cursor(x, "slow"), *fast = fixture_cursor(x, "fast");

    fixture_append_some(x, 1, 5);
    fixture_expect(x, fast, 1, 5);
    assert_int_equal(spool_commit(fast, &x->fail), 0);
    spool_cursor_close(&slow);
    spool_cursor_close(&fast);
    spool_close(&x->spool);
    fixture_files(x, ".seg", true);
    fixture_open(x);
    slow = fixture_cursor(x, "slow");
    assert_nothing_more(x, slow);
    fixture_append_some(x, 6, 6);
    fixture_expect(x, slow, 6, 6);
    spool_cursor_close(&slow);
}

/* What was committed lies before it, what was not behind it: a cursor that begins there loses none.
 */
static void damage_that_is_passed_already_costs_nothing(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c;

    append_and_commit(x, 9, 5);
    spoil(x, "record 4", 0);
    fixture_open(x);
    c = fixture_cursor(x, "sink");
    fixture_expect(x, c, 6, 9);
    fixture_expect_end(x, c);
    spool_cursor_close(&c);
}

/* Wherever a file ends: what stands whole before the end is there, also at the start after the
 * next, and what comes then goes behind it. */
static void a_segment_cut_anywhere_keeps_what_stands_before(void **state)
{
    struct fixture *x = *state;
    size_t ends[4] = {0};

    for (uint64_t n = 1; n <= COUNTOF(ends); n++) {
        struct spool_stats stats;

        fixture_append_some(x, n, n);
        spool_stats(x->spool, &stats);
        ends[n - 1] = (size_t)stats.bytes;
    }
    spool_close(&x->spool);

    struct str whole = load(x, FIRST);

    assert_int_equal(whole.len, ends[COUNTOF(ends) - 1]);
    for (size_t len = 0; len <= whole.len; len++) {
        uint64_t kept = 0;

        while (kept < COUNTOF(ends) && ends[kept] <= len)
            kept++;
        begin_again(x);
        save(x, FIRST, str_first(whole, len));
        for (uint64_t start = 1; start <= 3; start++) {
            fixture_open(x);
            fixture_append_some(x, kept + start, kept + start);

            struct spool_cursor *c = fixture_cursor(x, "sink");

            fixture_expect(x, c, 1, kept + start);
            fixture_expect_end(x, c);
            spool_cursor_close(&c);
            spool_close(&x->spool);
        }
    }
}

/* A failed sync may leave in memory what never came to the disk. Later data does not stand behind
 * it.
 */
static void a_start_begins_a_new_segment(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c;

    fixture_append_some(x, 1, 2);
    spool_close(&x->spool);

    size_t before = load(x, FIRST).len;

    fixture_open(x);
    fixture_append_some(x, 3, 4);
    assert_int_equal(load(x, FIRST).len, before);
    expect_from_mark(x, 1, 4);
    spool_close(&x->spool);

    /* The last of the old one is gone after all: nothing else is. */
    save(x, FIRST, str_first(load(x, FIRST), before - 1));
    fixture_open(x);
    c = fixture_cursor(x, "sink");
    fixture_expect(x, c, 1, 1);

    struct str data = {0};

    assert_int_equal(fixture_next(x, c, &data), UINT64_MAX);
    fixture_expect(x, c, 3, 4);
    spool_cursor_close(&c);
}

/* Whatever bit a disk changes: a start goes well, no record comes out that did not go in, and at
 * most the one that was hit is missing, but for the salt and the last one, which may pass for torn.
 */
static void no_changed_bit_passes_for_data(void **state)
{
    struct fixture *x = *state;

    fixture_append_some(x, 1, 3);
    spool_close(&x->spool);

    struct str whole = load(x, FIRST);

    for (size_t bit = 0; bit < whole.len * 8; bit++) {
        bool salt = bit / 8 >= 16 && bit / 8 < 24;

        save(x, FIRST, whole);
        flip(x, bit);
        fixture_open(x);

        struct spool_cursor *c = fixture_cursor(x, "sink");
        struct str data = {0};
        uint64_t n;
        unsigned found = 0;

        while ((n = fixture_next(x, c, &data)) != 0) {
            assert_true(n == UINT64_MAX || (n <= 3 && str_eq(data, fixture_text(x, n))));
            found += n != UINT64_MAX;
        }
        assert_true(found >= 2 || salt);
        spool_cursor_close(&c);
        begin_again(x);
    }
}

static void numbers_go_on_after_all_was_deleted(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c;

    append_and_commit(x, 5, 5);
    fixture_files(x, ".seg", true);
    fixture_open(x);
    c = fixture_cursor(x, "sink");
    fixture_append_some(x, 6, 7);
    fixture_expect(x, c, 6, 7);
    spool_cursor_close(&c);
}

static void a_damaged_cursor_begins_again(void **state)
{
    struct fixture *x = *state;

    append_and_commit(x, 5, 5);

    struct str mark = load(x, "sink.cursor");
    struct str long_one = {arena_alloc(x->arena, 5000), 5000};

    for (size_t len = 0; len <= mark.len; len++) {
        save(x, "sink.cursor", len < mark.len ? str_first(mark, len) : long_one);
        fixture_open(x);
        expect_from_mark(x, 1, 5);
        spool_close(&x->spool);
    }
}

static void files_of_others_are_left_alone(void **state)
{
    struct fixture *x = *state;

    fixture_append_some(x, 1, 2);
    spool_close(&x->spool);
    save(x, "notes.txt", STR("mine"));
    save(x, "1.seg", STR("mine"));
    save(x, "sink.cursor.new", STR("half"));
    fixture_open(x);
    assert_true(str_eq(load(x, "notes.txt"), STR("mine")));
    assert_true(str_eq(load(x, "1.seg"), STR("mine")));
    fixture_append_some(x, 3, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_torn_header_leaves_an_empty_spool),
        FIXTURE_TEST(what_was_synced_with_a_torn_record_goes_with_it),
        FIXTURE_TEST(damage_among_acknowledged_records_is_told_and_passed_over),
        FIXTURE_CLOSED_TEST(damage_in_an_older_segment_costs_one_record),
        FIXTURE_CLOSED_TEST(a_segment_that_is_gone_or_headless_is_passed_over),
        FIXTURE_TEST(a_segment_cut_anywhere_keeps_what_stands_before),
        FIXTURE_TEST(a_start_begins_a_new_segment),
        FIXTURE_CLOSED_TEST(a_damaged_header_costs_nothing),
        FIXTURE_TEST(numbers_that_are_missing_at_the_end_are_not_waited_for),
        FIXTURE_TEST(a_cursor_before_segments_that_are_gone_waits_for_new_data),
        FIXTURE_TEST(damage_that_is_passed_already_costs_nothing),
        FIXTURE_TEST(no_changed_bit_passes_for_data),
        FIXTURE_TEST(numbers_go_on_after_all_was_deleted),
        FIXTURE_TEST(a_damaged_cursor_begins_again),
        FIXTURE_TEST(files_of_others_are_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
