/* SPDX-License-Identifier: Apache-2.0 */
/* What a look at the spool's files finds, of one that is open and of one that is not. */
#include "spool/spool_audit.h"

#include "spool/fixture.h"

#define FIRST "00000000000000000001.seg"
#define MANY  100 /* records; several segments of SPOOL_SEGMENT_LO */

struct told {
    struct audit audit;
    struct spool_totals totals;
};

static struct told look(struct fixture *x)
{
    struct told t = {.audit.arena = x->arena};

    assert_int_equal(spool_audit(x->dir, x->spool, &t.audit, &t.totals, &x->fail), 0);
    return t;
}

static void expect_fine(struct fixture *x, uint64_t records)
{
    struct told t = look(x);

    for (size_t i = 0; i < t.audit.findings.count; i++)
        print_error("%s\n", t.audit.findings.items[i]);
    assert_int_equal(t.audit.findings.count, 0);
    assert_int_equal(t.audit.notes.count, 0);
    assert_int_equal(t.totals.records, records);
}

/* One line with that in it. */
static void expect_line(const struct audit_lines *lines, const char *part)
{
    assert_int_equal(lines->count, 1);
    if (!strstr(lines->items[0], part))
        print_error("%s\n", lines->items[0]);
    assert_non_null(strstr(lines->items[0], part));
}

static void expect_finding(struct fixture *x, const char *part)
{
    struct told t = look(x);

    expect_line(&t.audit.findings, part);
    assert_int_equal(t.audit.notes.count, 0);
}

static void expect_note(struct fixture *x, const char *part)
{
    struct told t = look(x);

    expect_line(&t.audit.notes, part);
    assert_int_equal(t.audit.findings.count, 0);
}

static int open_file(const struct fixture *x, const char *name)
{
    char path[512];
    int fd;

    fixture_path(x, name, path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static off_t size_of(const struct fixture *x, const char *name)
{
    int fd = open_file(x, name);
    off_t size = lseek(fd, 0, SEEK_END);

    close(fd);
    return size;
}

static void cut(const struct fixture *x, const char *name, off_t size)
{
    int fd = open_file(x, name);

    assert_int_equal(ftruncate(fd, size), 0);
    close(fd);
}

static void flip(const struct fixture *x, const char *name, off_t at)
{
    int fd = open_file(x, name);
    uint8_t byte = 0;

    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

/* Where in the first segment that text stands. */
static off_t find(struct fixture *x, const char *text)
{
    off_t size = size_of(x, FIRST);
    char *bytes = arena_alloc(x->arena, (size_t)size);
    int fd = open_file(x, FIRST);

    assert_int_equal(read(fd, bytes, (size_t)size), size);
    close(fd);

    const char *found = memmem(bytes, (size_t)size, text, strlen(text));

    assert_non_null(found);
    return found - bytes;
}

static void drop(const struct fixture *x, const char *name)
{
    char path[512];

    fixture_path(x, name, path);
    assert_int_equal(unlink(path), 0);
}

static void fill(struct fixture *x)
{
    x->options.segment_bytes = SPOOL_SEGMENT_LO;
    fixture_open(x);
    fixture_append_some(x, 1, MANY);
    assert_true(fixture_files(x, ".seg", false) > 2);
}

/* A sink that has come so far. */
static void pass(struct fixture *x, uint64_t records)
{
    struct spool_cursor *c = fixture_cursor(x, "sink");

    fixture_expect(x, c, 1, records);
    assert_int_equal(spool_commit(c, &x->fail), 0);
    spool_cursor_close(&c);
}

static void a_sound_spool_is_fine_open_or_not(void **state)
{
    struct fixture *x = *state;

    expect_fine(x, 0); /* not even a folder */
    fill(x);
    expect_fine(x, MANY);
    pass(x, 10);
    expect_fine(x, MANY);
    spool_close(&x->spool);
    expect_fine(x, MANY);
}

static void records_larger_than_what_is_read_at_once_are_fine(void **state)
{
    struct fixture *x = *state;
    size_t len = (size_t)3 << 20;
    char *data = arena_alloc(x->arena, len);

    memset(data, 'x', len);
    x->options.queue_bytes = len * 2;
    fixture_open(x);
    fixture_append_some(x, 1, 3);
    assert_int_equal(fixture_append(x, str_make(data, len)), 0);
    assert_int_equal(fixture_append(x, str_make(data, len)), 0);
    fixture_append_some(x, 6, 9);
    expect_fine(x, 9);
    spool_close(&x->spool);
    expect_fine(x, 9);
}

static void every_changed_byte_of_a_segment_is_found(void **state)
{
    struct fixture *x = *state;

    fill(x);
    spool_close(&x->spool);

    off_t size = size_of(x, FIRST);

    for (off_t at = 0; at < size; at++) {
        if (at >= 36 && at < SEGMENT_HEADER_LEN) /* of the header, nothing is there */
            continue;
        flip(x, FIRST, at);
        expect_finding(x, "spool/" FIRST " is damaged");
        flip(x, FIRST, at);
        arena_reset(x->arena);
    }
    expect_fine(x, MANY);
}

static void a_finding_says_which_records_are_lost(void **state)
{
    struct fixture *x = *state;
    char line[128];

    fill(x);
    flip(x, FIRST, find(x, "record 7"));

    off_t frame = find(x, "record 6") + (off_t)strlen("record 6");

    snprintf(line, sizeof(line), "is damaged at byte %lld: record 7 cannot be delivered",
             (long long)frame);
    expect_finding(x, line);
    spool_close(&x->spool);
    expect_finding(x, line);
}

static void several_stretches_of_damage_are_found(void **state)
{
    struct fixture *x = *state;
    struct told t;

    fill(x);
    flip(x, FIRST, find(x, "record 3"));
    flip(x, FIRST, find(x, "record 7"));
    flip(x, FIRST, find(x, "record 8"));
    t = look(x);
    assert_int_equal(t.audit.findings.count, 2);
    assert_non_null(strstr(t.audit.findings.items[0], ": record 3 cannot"));
    assert_non_null(strstr(t.audit.findings.items[1], ": records 7 to 8 cannot"));
    assert_int_equal(t.totals.records, MANY - 3);
}

static void a_segment_that_was_cut_is_found(void **state)
{
    struct fixture *x = *state;

    fill(x);

    off_t size = size_of(x, FIRST);
    off_t whole = find(x, "record 5") + (off_t)strlen("record 5");

    cut(x, FIRST, size - 1);
    expect_finding(x, "were acknowledged: its end is missing");
    spool_close(&x->spool);
    expect_finding(x, "spool/" FIRST " is damaged at byte");
    cut(x, FIRST, whole); /* between two records */
    expect_finding(x, "the segment before it ends before record 6");
    cut(x, FIRST, 0);
    expect_finding(x, "its header is not what was written");
}

static void a_segment_that_is_gone_is_found(void **state)
{
    struct fixture *x = *state;

    fill(x);
    pass(x, 1);
    drop(x, FIRST);
    expect_finding(x, "spool/" FIRST " cannot be opened");
    spool_close(&x->spool);
    expect_note(x, "spool/sink.cursor is at record 2, but the oldest there is is ");
}

static void a_torn_end_is_a_note_and_a_damaged_one_a_finding(void **state)
{
    struct fixture *x = *state;
    struct told t;

    fixture_open(x);
    fixture_append_some(x, 1, 9);
    spool_close(&x->spool);

    off_t size = size_of(x, FIRST);

    cut(x, FIRST, size - 1);
    expect_note(x, "ends in a torn record");
    assert_int_equal(look(x).totals.records, 8);
    cut(x, FIRST, size - 1);
    flip(x, FIRST, find(x, "record 4"));
    t = look(x);
    expect_line(&t.audit.findings, ": record 4 cannot be delivered");
    expect_line(&t.audit.notes, "ends in a torn record");
    cut(x, FIRST, SEGMENT_HEADER_LEN - 1);
    expect_note(x, "was begun when a crash came");
}

static void what_a_sink_had_before_the_end_went_missing_is_told(void **state)
{
    struct fixture *x = *state;

    fixture_open(x);
    fixture_append_some(x, 1, 9);
    pass(x, 9);
    spool_close(&x->spool);
    cut(x, FIRST, find(x, "record 5") + (off_t)strlen("record 5"));
    expect_finding(x, "spool/sink.cursor is at record 10, but the segments end before record 6");
}

static void a_damaged_cursor_is_found(void **state)
{
    struct fixture *x = *state;

    fixture_open(x);
    fixture_append_some(x, 1, 3);
    pass(x, 2);
    flip(x, "sink.cursor", 14);
    expect_finding(x, "spool/sink.cursor is damaged");
    spool_close(&x->spool);
    expect_finding(x, "spool/sink.cursor is damaged");
}

/* Behind whole records, in a segment that another one follows. */
static void bytes_behind_the_last_record_are_found(void **state)
{
    struct fixture *x = *state;
    int fd;

    fill(x);
    spool_close(&x->spool);
    fd = open_file(x, FIRST);
    assert_int_equal(pwrite(fd, "more", 4, size_of(x, FIRST)), 4);
    close(fd);
    expect_finding(x, ", behind its last record");
}

static void nothing_is_changed(void **state)
{
    struct fixture *x = *state;

    fixture_open(x);
    fixture_append_some(x, 1, 9);
    spool_close(&x->spool);

    off_t size = size_of(x, FIRST);

    cut(x, FIRST, size - 1);
    (void)look(x);
    assert_int_equal(size_of(x, FIRST), size - 1);
    assert_int_equal(fixture_files(x, "", false), 1);
}

/* What is written after the walk began is not looked at: it may be half there. */
static void an_open_spool_is_looked_at_as_far_as_it_was_acknowledged(void **state)
{
    struct fixture *x = *state;
    int fd;

    fixture_open(x);
    fixture_append_some(x, 1, 9);
    fd = open_file(x, FIRST);
    assert_int_equal(pwrite(fd, "half a record", 13, size_of(x, FIRST)), 13);
    close(fd);
    expect_fine(x, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_CLOSED_TEST(a_sound_spool_is_fine_open_or_not),
        FIXTURE_CLOSED_TEST(records_larger_than_what_is_read_at_once_are_fine),
        FIXTURE_CLOSED_TEST(every_changed_byte_of_a_segment_is_found),
        FIXTURE_CLOSED_TEST(a_finding_says_which_records_are_lost),
        FIXTURE_CLOSED_TEST(several_stretches_of_damage_are_found),
        FIXTURE_CLOSED_TEST(a_segment_that_was_cut_is_found),
        FIXTURE_CLOSED_TEST(a_segment_that_is_gone_is_found),
        FIXTURE_CLOSED_TEST(a_torn_end_is_a_note_and_a_damaged_one_a_finding),
        FIXTURE_CLOSED_TEST(what_a_sink_had_before_the_end_went_missing_is_told),
        FIXTURE_CLOSED_TEST(a_damaged_cursor_is_found),
        FIXTURE_CLOSED_TEST(bytes_behind_the_last_record_are_found),
        FIXTURE_CLOSED_TEST(nothing_is_changed),
        FIXTURE_CLOSED_TEST(an_open_spool_is_looked_at_as_far_as_it_was_acknowledged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
