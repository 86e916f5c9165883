/* SPDX-License-Identifier: Apache-2.0 */
/* The log's way out: chain, gathering, threads, and descriptors that do not take lines. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define WALL_US (INT64_C(981173106) * 1000000 + 789012)
#define TS      "ts=2001-02-03T04:05:06.789012Z"

struct fixture {
    struct clock *clock;
    struct logger *logger;
    struct log log;
    int fd;
    char text[1 << 20];
};

static void start(struct fixture *x, int fd)
{
    assert_true(fd >= 0);
    x->fd = fd;
    x->clock = clock_new_manual(WALL_US, 0);
    x->logger = logger_new(fd, LOGFORMAT_LOGFMT, LOGLEVEL_INFO, x->clock);
    x->log = (struct log){.out = x->logger};
}

static void stop(struct fixture *x)
{
    logger_free(&x->logger);
    assert_null(x->logger);
    clock_free(&x->clock);
    close(x->fd);
}

static struct fixture *fixture_file(void)
{
    static struct fixture x;

    start(&x, memfd_create("log", MFD_CLOEXEC));
    return &x;
}

/* All that a file got so far. */
static const char *written(struct fixture *x)
{
    ssize_t n = pread(x->fd, x->text, sizeof(x->text) - 1, 0);

    assert_true(n >= 0);
    x->text[n] = '\0';
    return x->text;
}

/* All that lies in a pipe or socket. */
static const char *drain(struct fixture *x, int fd)
{
    size_t len = 0;
    ssize_t n;

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    while ((n = read(fd, x->text + len, sizeof(x->text) - 1 - len)) > 0)
        len += (size_t)n;
    x->text[len] = '\0';
    return x->text;
}

static void chain_comes_outermost_first_then_the_lines_own(void **state)
{
    struct fixture *x = fixture_file();
    const struct kv outer[] = {KV_STR("node", "n1")};
    const struct kv middle[] = {KV_INT("conn", 7), KV_STR("peer", "::1")};
    struct log process = {x->logger, NULL, outer, COUNTOF(outer)};
    struct log conn = {x->logger, &process, middle, COUNTOF(middle)};
    struct log request = {x->logger, &conn, NULL, 0};

    (void)state;
    log_info(&request, "served", KV_INT("code", 200));
    log_flush(x->logger);
    assert_string_equal(written(x), TS " level=info msg=served node=n1 conn=7 peer=::1 code=200\n");
    stop(x);
}

static void stamp_follows_the_clock(void **state)
{
    struct fixture *x = fixture_file();

    (void)state;
    log_info(&x->log, "a", KV_INT("n", 1));
    clock_advance(x->clock, 210987);
    log_info(&x->log, "b", KV_INT("n", 2));
    clock_advance(x->clock, 1);
    log_info(&x->log, "c", KV_INT("n", 3));
    log_flush(x->logger);
    assert_string_equal(written(x),
                        "ts=2001-02-03T04:05:06.789012Z level=info msg=a n=1\n"
                        "ts=2001-02-03T04:05:06.999999Z level=info msg=b n=2\n"
                        "ts=2001-02-03T04:05:07.000000Z level=info msg=c n=3\n");
    stop(x);
}

static void lines_gather_until_flushed_or_serious(void **state)
{
    struct fixture *x = fixture_file();

    (void)state;
    log_info(&x->log, "a", KV_INT("n", 1));
    assert_string_equal(written(x), "");
    log_warn(&x->log, "b", KV_INT("n", 2));
    assert_string_equal(written(x), TS " level=info msg=a n=1\n" TS " level=warn msg=b n=2\n");
    log_error(&x->log, "c", KV_INT("n", 3));
    assert_non_null(strstr(written(x), "level=error msg=c n=3\n"));
    stop(x);
}

static void level_decides_what_is_written(void **state)
{
    struct fixture *x = fixture_file();
    struct log silent = {0};

    (void)state;
    assert_false(log_wants(&x->log, LOGLEVEL_DEBUG));
    assert_true(log_wants(&x->log, LOGLEVEL_INFO));
    assert_false(log_wants(&silent, LOGLEVEL_ERROR));
    assert_false(log_wants(NULL, LOGLEVEL_ERROR));
    log_debug(&x->log, "no", KV_INT("n", 1));
    log_error(&silent, "no", KV_INT("n", 1));
    logger_set_level(x->logger, LOGLEVEL_OFF);
    log_error(&x->log, "no", KV_INT("n", 1));
    logger_set_level(x->logger, LOGLEVEL_DEBUG);
    log_debug(&x->log, "yes", KV_INT("n", 1));
    log_flush(x->logger);
    assert_string_equal(written(x), TS " level=debug msg=yes n=1\n");
    stop(x);
}

static void level_names_are_read(void **state)
{
    enum log_level level = LOGLEVEL_ERROR;

    (void)state;
    assert_int_equal(log_level_parse(STR("debug"), &level), 0);
    assert_int_equal(level, LOGLEVEL_DEBUG);
    assert_int_equal(log_level_parse(STR("off"), &level), 0);
    assert_int_equal(level, LOGLEVEL_OFF);
    assert_int_equal(log_level_parse(STR("loud"), &level), -1);
    assert_int_equal(log_level_parse(STR(""), &level), -1);
}

static void full_buffer_goes_out_by_itself_and_nothing_is_lost(void **state)
{
    struct fixture *x = fixture_file();
    const char *at;

    (void)state;
    for (int i = 0; i < 3000; i++)
        log_info(&x->log, "line", KV_INT("n", i));
    assert_true(strlen(written(x)) > 32768);
    log_flush(x->logger);
    at = written(x);
    for (int i = 0; i < 3000; i++) {
        char want[80];

        snprintf(want, sizeof(want), TS " level=info msg=line n=%d\n", i);
        assert_memory_equal(at, want, strlen(want));
        at += strlen(want);
    }
    assert_string_equal(at, "");
    stop(x);
}

static void freeing_the_logger_writes_what_is_left(void **state)
{
    struct fixture *x = fixture_file();

    (void)state;
    log_info(&x->log, "last", KV_INT("n", 1));
    logger_free(&x->logger);
    assert_string_equal(written(x), TS " level=info msg=last n=1\n");
    stop(x);
}

#define THREADS    4
#define PER_THREAD 2000

static void *write_many(void *arg)
{
    const struct log *log = arg;

    for (int i = 0; i < PER_THREAD; i++) {
        log_info(log, "line", KV_INT("n", i));
        if (i % 97 == 0)
            log_flush(log->out);
    }
    return NULL;
}

static void lines_of_threads_stay_whole_and_their_end_flushes(void **state)
{
    struct fixture *x = fixture_file();
    struct kv names[THREADS];
    struct log logs[THREADS];
    pthread_t threads[THREADS];
    int next[THREADS] = {0};

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        names[i] = KV_INT("thread", i);
        logs[i] = (struct log){x->logger, NULL, &names[i], 1};
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &logs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);

    struct str rest = str_of(written(x));

    while (rest.len > 0) {
        struct str line = str_cut(&rest, '\n');
        struct str head = STR(TS " level=info msg=line thread=");
        char want[100];

        assert_true(str_starts_with(line, head) && line.len > head.len);

        int thread = line.p[head.len] - '0';

        assert_in_range(thread, 0, THREADS - 1);
        snprintf(want, sizeof(want), "%s%d n=%d", head.p, thread, next[thread]++);
        assert_true(str_eq(line, str_of(want)));
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(next[i], PER_THREAD);
    assert_int_equal(logger_dropped(x->logger), 0);
    stop(x);
}

static void two_loggers_in_one_thread_do_not_mix(void **state)
{
    struct fixture *x = fixture_file();
    static struct fixture y;

    (void)state;
    start(&y, memfd_create("other", MFD_CLOEXEC));
    log_info(&x->log, "x", KV_INT("n", 1));
    log_info(&y.log, "y", KV_INT("n", 2));
    log_flush(x->logger);
    assert_string_equal(written(&y), "");
    log_flush(y.logger);
    assert_string_equal(written(x), TS " level=info msg=x n=1\n");
    assert_string_equal(written(&y), TS " level=info msg=y n=2\n");
    stop(&y);
    stop(x);
}

static void reader_that_went_away_costs_lines_and_nothing_else(void **state)
{
    static struct fixture x;
    int ends[2];

    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        assert_int_equal(kind == 0 ? pipe(ends) : socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        start(&x, ends[1]);
        log_warn(&x.log, "heard", KV_INT("n", 1));
        assert_string_equal(drain(&x, ends[0]), TS " level=warn msg=heard n=1\n");
        close(ends[0]);
        log_info(&x.log, "lost", KV_INT("n", 1));
        log_warn(&x.log, "lost", KV_INT("n", 1));
        assert_int_equal(logger_dropped(x.logger), 2);
        stop(&x);
    }
}

static void closed_descriptor_costs_lines_and_nothing_else(void **state)
{
    static struct fixture x;
    int fd = memfd_create("log", MFD_CLOEXEC);

    (void)state;
    start(&x, fd);
    close(fd);
    log_warn(&x.log, "lost", KV_INT("n", 1));
    assert_int_equal(logger_dropped(x.logger), 1);
    x.fd = -1;
    stop(&x);
}

static void full_disk_costs_lines_and_nothing_else(void **state)
{
    static struct fixture x;

    (void)state;
    start(&x, open("/dev/full", O_WRONLY | O_CLOEXEC));
    log_warn(&x.log, "lost", KV_INT("n", 1));
    log_warn(&x.log, "lost", KV_INT("n", 2));
    assert_int_equal(logger_dropped(x.logger), 2);
    stop(&x);
}

static size_t lines_with(const char *text, const char *part)
{
    size_t count = 0;

    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        count++;
    return count;
}

/* A blocking pipe that nobody reads takes what it can; the rest is dropped, counted, and told of
 * when it is read again. A line cut in two is closed, so the next one stands alone. */
static void stalled_reader_is_told_what_it_missed(void **state)
{
    static struct fixture x;
    int ends[2];
    char told[200];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, 8192) > 0);
    start(&x, ends[1]);
    for (int i = 0; i < 200; i++)
        log_info(&x.log, "line", KV_INT("n", i));
    log_flush(x.logger);

    uint64_t dropped = logger_dropped(x.logger);
    const char *text = drain(&x, ends[0]);
    size_t whole = lines_with(text, "\n");

    assert_int_equal(whole + dropped, 200);
    assert_true(dropped > 0);
    assert_int_not_equal(text[strlen(text) - 1], '\n');

    log_warn(&x.log, "again", KV_INT("n", 1));
    snprintf(told, sizeof(told),
             "\n" TS " level=warn msg=again n=1\n" TS
             " level=warn msg=\"log lines dropped\" lines=%d\n",
             (int)dropped);
    assert_string_equal(drain(&x, ends[0]), told);
    log_warn(&x.log, "more", KV_INT("n", 1));
    assert_string_equal(drain(&x, ends[0]), TS " level=warn msg=more n=1\n");
    stop(&x);
    close(ends[0]);
}

static void descriptor_that_says_try_again_is_waited_for(void **state)
{
    static struct fixture x;
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    start(&x, ends[1]);
    for (int i = 0; i < 20000; i++)
        log_info(&x.log, "line", KV_INT("n", i));
    log_flush(x.logger);
    assert_true(logger_dropped(x.logger) > 0);
    assert_int_equal(lines_with(drain(&x, ends[0]), "\n") + logger_dropped(x.logger), 20000);
    stop(&x);
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain_comes_outermost_first_then_the_lines_own),
        cmocka_unit_test(stamp_follows_the_clock),
        cmocka_unit_test(lines_gather_until_flushed_or_serious),
        cmocka_unit_test(level_decides_what_is_written),
        cmocka_unit_test(level_names_are_read),
        cmocka_unit_test(full_buffer_goes_out_by_itself_and_nothing_is_lost),
        cmocka_unit_test(freeing_the_logger_writes_what_is_left),
        cmocka_unit_test(lines_of_threads_stay_whole_and_their_end_flushes),
        cmocka_unit_test(two_loggers_in_one_thread_do_not_mix),
        cmocka_unit_test(reader_that_went_away_costs_lines_and_nothing_else),
        cmocka_unit_test(closed_descriptor_costs_lines_and_nothing_else),
        cmocka_unit_test(full_disk_costs_lines_and_nothing_else),
        cmocka_unit_test(stalled_reader_is_told_what_it_missed),
        cmocka_unit_test(descriptor_that_says_try_again_is_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
