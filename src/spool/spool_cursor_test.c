/* SPDX-License-Identifier: Apache-2.0 */
/* What a cursor asks of the disk, and makes of one that does not give all of a segment: reads are
 * wrapped by the linker. */
#include "spool/fixture.h"

#include <errno.h>

#define BLOCK 4096
#define LONG  40000 /* bytes of a record; several blocks */

ssize_t __real_pread64(int fd, void *out, size_t len, off64_t at);
ssize_t __wrap_pread64(int fd, void *out, size_t len, off64_t at);

/* For this test alone, and looked at by its thread only. */
static struct {
    off64_t bad;            /* where a block begins that cannot be read; 0: all can */
    struct fixture *append; /* when the second read has met it: one more comes then */
    unsigned met;
    size_t asked; /* bytes, of all reads */
} disk;

/* As disks do: what stands before the bad block is given first. */
ssize_t __wrap_pread64(int fd, void *out, size_t len, off64_t at)
{
    disk.asked += len;
    if (disk.bad == 0 || at >= disk.bad + BLOCK || at + (off64_t)len <= disk.bad)
        return __real_pread64(fd, out, len, at);
    if (at < disk.bad)
        return __real_pread64(fd, out, (size_t)(disk.bad - at), at);
    if (++disk.met == 2 && disk.append)
        fixture_append_some(disk.append, 3, 3);
    errno = EIO;
    return -1;
}

static int setup(void **state)
{
    disk.bad = 0;
    disk.append = NULL;
    disk.met = 0;
    disk.asked = 0;
    return fixture_setup(state);
}

/* No byte of it is what stands for one that cannot be read. */
static struct str long_data(struct fixture *x)
{
    char *bytes = arena_alloc(x->arena, LONG);

    memset(bytes, 'x', LONG);
    return str_make(bytes, LONG);
}

static size_t read_all(struct fixture *x, struct spool_cursor *c, uint64_t first)
{
    struct spool_record *r = NULL;
    size_t count = 0;

    assert_int_equal(spool_read(c, x->arena, 1 << 20, &r, &count, &x->fail), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(r[i].seq, first + i);
    return count;
}

static void a_segment_is_read_once(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c = fixture_cursor(x, "sink");
    struct str data = long_data(x);

    for (int i = 0; i < 5; i++)
        assert_int_equal(fixture_append(x, data), 0);
    assert_int_equal(read_all(x, c, 1), 5);
    assert_in_range(disk.asked, 5 * LONG, 6 * LONG);
    spool_cursor_close(&c);
}

static void a_block_that_cannot_be_read_costs_the_record_it_is_in(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c = fixture_cursor(x, "sink");
    struct str data = long_data(x);

    for (int i = 0; i < 5; i++)
        assert_int_equal(fixture_append(x, data), 0);
    disk.bad = (3 * LONG / BLOCK + 2) * (off64_t)BLOCK; /* in the fourth */
    assert_int_equal(read_all(x, c, 1), 3);
    assert_int_equal(fixture_next(x, c, &data), UINT64_MAX);
    assert_non_null(strstr(x->fail.message, "4 to 4"));
    assert_int_equal(read_all(x, c, 5), 1);
    fixture_expect_end(x, c);
    spool_cursor_close(&c);
}

static void what_comes_while_a_cursor_looks_for_the_next_record_is_not_passed_over(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c = fixture_cursor(x, "sink");
    struct str data = long_data(x);

    fixture_append_some(x, 1, 1);
    assert_int_equal(fixture_append(x, data), 0);
    fixture_expect(x, c, 1, 1);
    disk.bad = BLOCK;
    disk.append = x;
    assert_int_equal(fixture_next(x, c, &data), UINT64_MAX);
    assert_true(disk.met >= 2);
    fixture_expect(x, c, 3, 3);
    fixture_expect_end(x, c);
    spool_cursor_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_segment_is_read_once, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_block_that_cannot_be_read_costs_the_record_it_is_in,
                                        setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
            what_comes_while_a_cursor_looks_for_the_next_record_is_not_passed_over, setup,
            fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
