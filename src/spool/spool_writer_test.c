/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that fails: write and sync are wrapped by the linker. And many threads that append. */
#include "spool/fixture.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/uio.h>

ssize_t __real_pwritev64(int fd, const struct iovec *parts, int count, off64_t at);
ssize_t __wrap_pwritev64(int fd, const struct iovec *parts, int count, off64_t at);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

/* For this test alone; the writer's thread looks at it while the test waits for it. */
static struct {
    _Atomic int write_error;
    _Atomic int sync_error;
    _Atomic bool half;        /* a write that fails has written half of it */
    _Atomic bool fail_second; /* the next write of several records begins to fail so */
    _Atomic unsigned syncs;
    pthread_mutex_t hold; /* taken by each sync */
    pthread_mutex_t lock; /* guards syncing */
    pthread_cond_t cond;
    bool syncing;
} disk = {
    .hold = PTHREAD_MUTEX_INITIALIZER,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .cond = PTHREAD_COND_INITIALIZER,
};

ssize_t __wrap_pwritev64(int fd, const struct iovec *parts, int count, off64_t at)
{
    if (disk.fail_second && count > 4) {
        disk.fail_second = false;
        disk.half = true;
        disk.write_error = ENOSPC;
    }
    if (disk.write_error != 0 && disk.half) {
        disk.half = false;
        return __real_pwritev64(fd, parts, (count + 1) / 2, at);
    }
    if (disk.write_error != 0) {
        errno = disk.write_error;
        return -1;
    }
    return __real_pwritev64(fd, parts, count, at);
}

int __wrap_fdatasync(int fd)
{
    disk.syncs++;
    pthread_mutex_lock(&disk.lock);
    disk.syncing = true;
    pthread_cond_signal(&disk.cond);
    pthread_mutex_unlock(&disk.lock);
    pthread_mutex_lock(&disk.hold);
    pthread_mutex_unlock(&disk.hold);
    if (disk.sync_error != 0) {
        errno = disk.sync_error;
        return -1;
    }
    return __real_fdatasync(fd);
}

static int setup(void **state)
{
    disk.write_error = 0;
    disk.sync_error = 0;
    disk.half = false;
    disk.fail_second = false;
    disk.syncs = 0;
    disk.syncing = false;
    return fixture_setup(state);
}

static void a_full_disk_acknowledges_nothing_and_keeps_what_was(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c;

    fixture_append_some(x, 1, 3);
    for (int half = 0; half <= 1; half++) {
        disk.half = half == 1;
        disk.write_error = ENOSPC;
        assert_int_equal(fixture_append(x, STR("refused")), -1);
        assert_int_equal(x->fail.code, CODE_UNAVAILABLE);
        assert_string_equal(x->fail.reason, "disk_full");
    }
    assert_int_equal(x->fatal, 0);

    disk.write_error = 0;
    fixture_append_some(x, 4, 5);
    spool_close(&x->spool);
    fixture_open(x);
    c = fixture_cursor(x, "sink");
    fixture_expect(x, c, 1, 5);
    fixture_expect_end(x, c);
    spool_cursor_close(&c);
}

/* Sends while the writer syncs something else, so that they make one batch. */
static void send_together(struct fixture *x, struct sent *sent, size_t count)
{
    struct sent first;

    disk.syncing = false;
    pthread_mutex_lock(&disk.hold);
    assert_int_equal(sent_submit(x, &first, fixture_text(x, 2)), 0);
    pthread_mutex_lock(&disk.lock);
    while (!disk.syncing)
        pthread_cond_wait(&disk.cond, &disk.lock);
    pthread_mutex_unlock(&disk.lock);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(sent_submit(x, &sent[i], STR("x")), 0);
    pthread_mutex_unlock(&disk.hold);
    assert_int_equal(sent_wait(&first), 0);
}

/* The first of two is whole on the disk when the write of the second fails. */
static void what_was_refused_does_not_come_back_after_a_crash(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c;
    struct spool_stats stats;
    struct sent sent[2];
    struct stat st;
    char path[512];

    fixture_append_some(x, 1, 1);
    disk.fail_second = true;
    send_together(x, sent, COUNTOF(sent));
    for (size_t i = 0; i < COUNTOF(sent); i++)
        assert_int_equal(sent_wait(&sent[i]), -1);
    disk.write_error = 0;

    /* At once, not only when the spool is closed well. */
    fixture_path(x, "00000000000000000001.seg", path);
    spool_stats(x->spool, &stats);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, stats.bytes);
    spool_close(&x->spool);
    fixture_open(x);
    c = fixture_cursor(x, "sink");
    fixture_expect(x, c, 1, 2);
    fixture_expect_end(x, c);
    spool_cursor_close(&c);
}

static void a_failed_sync_is_fatal_and_acknowledges_nothing(void **state)
{
    struct fixture *x = *state;
    struct spool_cursor *c = fixture_cursor(x, "sink");

    fixture_append_some(x, 1, 1);
    disk.sync_error = EIO;
    assert_int_equal(fixture_append(x, STR("lost")), -1);
    assert_int_equal(x->fail.code, CODE_UNAVAILABLE);
    assert_int_equal(x->fatal, 1);

    disk.sync_error = 0;
    assert_int_equal(fixture_append(x, STR("too late")), -1);
    assert_string_equal(x->fail.reason, "spool_failed");
    fixture_expect(x, c, 1, 1);
    fixture_expect_end(x, c);
    spool_cursor_close(&c);
}

static void a_write_that_fails_for_good_is_fatal(void **state)
{
    struct fixture *x = *state;

    disk.write_error = EIO;
    assert_int_equal(fixture_append(x, STR("lost")), -1);
    assert_int_equal(x->fatal, 1);
    disk.write_error = 0;
    assert_int_equal(fixture_append(x, STR("too late")), -1);
}

/* --- many at a time --- */

#define THREADS 8
#define EACH    200

struct sender {
    struct fixture *x;
    pthread_t thread;
    unsigned number;
    uint64_t seqs[EACH];
};

static void *send_all(void *arg)
{
    struct sender *s = arg;

    for (unsigned i = 0; i < EACH; i++) {
        struct sent sent;
        struct fail f;
        char text[32];
        int n = snprintf(text, sizeof(text), "%u %u", s->number, i);

        sent = (struct sent){
            .append = {.record = {.tenant = s->number, .data = str_make(text, (size_t)n)},
                       .done = sent_done}};
        pthread_mutex_init(&sent.lock, NULL);
        pthread_cond_init(&sent.cond, NULL);
        if (spool_submit(s->x->spool, &sent.append, &f) == 0 && sent_wait(&sent) == 0)
            s->seqs[i] = sent.append.record.seq;
    }
    return NULL;
}

static void *read_all(void *arg)
{
    struct spool_cursor *c = arg;
    struct arena *a = arena_new(4096);
    uint64_t next = 1;

    while (next <= THREADS * EACH) {
        struct spool_record *r = NULL;
        size_t count = 0;
        struct fail f;

        assert_int_equal(spool_read(c, a, 4096, &r, &count, &f), 0);
        if (count == 0)
            spool_wait(c, INT64_MAX);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(r[i].seq, next++);
        assert_int_equal(spool_commit(c, &f), 0);
        arena_reset(a);
    }
    arena_free(&a);
    return NULL;
}

static void many_threads_share_a_sync_and_each_keeps_its_order(void **state)
{
    struct fixture *x = *state;
    struct sender *senders = calloc(THREADS, sizeof(*senders));
    struct spool_cursor *c;
    pthread_t reader;

    assert_non_null(senders);
    spool_close(&x->spool);
    x->options.segment_bytes = 16384;
    fixture_open(x);
    c = fixture_cursor(x, "sink");
    assert_int_equal(pthread_create(&reader, NULL, read_all, c), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        senders[i].x = x;
        senders[i].number = i + 1;
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
    assert_int_equal(pthread_join(reader, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++)
        for (unsigned k = 0; k < EACH; k++)
            assert_true(senders[i].seqs[k] > (k == 0 ? 0 : senders[i].seqs[k - 1]));
    assert_true(disk.syncs <= THREADS * EACH);
    spool_cursor_close(&c);
    free(senders);
}

static void what_waits_together_is_synced_once(void **state)
{
    struct fixture *x = *state;
    struct sent sent[30];

    fixture_append_some(x, 1, 1);
    disk.syncs = 0;
    send_together(x, sent, COUNTOF(sent));
    for (size_t i = 0; i < COUNTOF(sent); i++)
        assert_int_equal(sent_wait(&sent[i]), 0);
    assert_int_equal(disk.syncs, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_full_disk_acknowledges_nothing_and_keeps_what_was, setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(what_was_refused_does_not_come_back_after_a_crash, setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_failed_sync_is_fatal_and_acknowledges_nothing, setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_write_that_fails_for_good_is_fatal, setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(many_threads_share_a_sync_and_each_keeps_its_order, setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(what_waits_together_is_synced_once, setup,
                                        fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
