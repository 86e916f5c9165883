/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded engine when the kernel says that a sync failed: this program's own fdatasync() and
 * fsync() come before the C library's, and fail while the flag is up. */
#include "store/fixture.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "core/collector.h"

static atomic_int failing; /* the errno, or 0; only a process-wide switch can reach the engine */

__attribute__((visibility("default"))) int fdatasync(int fd);
__attribute__((visibility("default"))) int fsync(int fd);

int fdatasync(int fd)
{
    if (atomic_load(&failing)) {
        errno = atomic_load(&failing);
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return fdatasync(fd);
}

static void note_fatal(void *arg, const char *message)
{
    (void)message;
    ++*(int *)arg;
}

static int write_one(struct store_tx *tx, void *arg, struct fail *f)
{
    struct fixture *x = arg;
    struct collector c = {.tenant = x->tenant.id, .kind = COLLECTOR_HOSTED};

    return collector_create(tx, NULL, &c, f);
}

static void fail_once(struct fixture *x, int error)
{
    struct store_health h;
    int fatals = 0;

    store_close(&x->store);
    x->options.fatal = note_fatal;
    x->options.fatal_arg = &fatals;
    assert_int_equal(fixture_open(x), 0);
    assert_int_equal(fixture_write(x, write_one, x), 0);

    atomic_store(&failing, error);
    assert_int_equal(fixture_write(x, write_one, x), -1);
    atomic_store(&failing, 0);
    assert_int_equal(fatals, 1);
    store_health(x->store, &h);
    assert_int_equal(h.state, STORE_FAILED);
    assert_int_equal(fixture_write(x, write_one, x), -1);
    assert_string_equal(x->fail.reason, "store_failed");
    fixture_assert_clean(x);
    store_close(&x->store);
}

static void a_sync_that_fails_is_fatal(void **state)
{
    fail_once(*state, EIO);
}

static void a_sync_that_fails_for_lack_of_space_is_fatal_too(void **state)
{
    fail_once(*state, ENOSPC);
}

static void a_store_whose_files_cannot_be_synced_does_not_open(void **state)
{
    struct fixture *x = *state;

    atomic_store(&failing, EIO);

    int r = fixture_open(x);

    atomic_store(&failing, 0);
    assert_int_equal(r, -1);
    assert_string_equal(x->fail.reason, "io_error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_sync_that_fails_is_fatal),
        FIXTURE_TEST(a_sync_that_fails_for_lack_of_space_is_fatal_too),
        FIXTURE_CLOSED_TEST(a_store_whose_files_cannot_be_synced_does_not_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
