/* SPDX-License-Identifier: Apache-2.0 */
/* The process as its own metrics show it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "server/process_metrics.h"

/* The value of a series without labels. */
static int64_t value_of(struct metrics *m, const char *name)
{
    struct buf out;
    int64_t value = -1;

    buf_init(&out, 1 << 20);
    metrics_render(m, &out);
    for (struct str rest = buf_str(&out); rest.len > 0;) {
        struct str line = str_cut(&rest, '\n');

        if (str_eq(str_cut(&line, ' '), str_of(name)))
            assert_int_equal(str_to_i64(line, &value), 0);
    }
    buf_done(&out);
    return value;
}

static void memory_time_and_files_are_shown(void **state)
{
    struct clock *clock = clock_new_manual(INT64_C(1767225600000000), 0);
    struct metrics *m = metrics_new();
    struct process_metrics *p = process_metrics_new(m, clock);

    (void)state;
    clock_advance(clock, 90500000);
    assert_int_equal(value_of(m, "process_start_time_seconds"), 1767225600);
    assert_int_equal(value_of(m, "muster_uptime_seconds"), 90);
    assert_true(value_of(m, "process_resident_memory_bytes") > 100000);
    assert_true(value_of(m, "process_virtual_memory_bytes") >=
                value_of(m, "process_resident_memory_bytes"));
    assert_true(value_of(m, "process_max_fds") > 0);
    assert_int_equal(value_of(m, "muster_build_info{version=\"" MUSTER_VERSION "\"}"), 1);
    metrics_free(&m);
    process_metrics_free(&p);
    clock_free(&clock);
}

static void an_opened_file_is_counted(void **state)
{
    struct clock *clock = clock_new_manual(0, 0);
    struct metrics *m = metrics_new();
    struct process_metrics *p = process_metrics_new(m, clock);
    int64_t before = value_of(m, "process_open_fds");
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_true(before >= 1);
    assert_int_equal(value_of(m, "process_open_fds"), before + 1);
    close(fd);
    assert_int_equal(value_of(m, "process_open_fds"), before);
    metrics_free(&m);
    process_metrics_free(&p);
    clock_free(&clock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_time_and_files_are_shown),
        cmocka_unit_test(an_opened_file_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
