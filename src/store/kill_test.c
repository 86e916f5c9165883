/* SPDX-License-Identifier: Apache-2.0 */
/* A process that writes is killed again and again, at a different moment each time; what it had
 * acknowledged is there afterwards, whole. */
#include "store/fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/random.h"
#include "core/collector.h"
#include "core/source.h"

#define ROUNDS 20

struct pair {
    uint64_t tenant;
    int64_t id;
    char name[32];
};

/* Two rows that belong together. */
static int write_pair(struct store_tx *tx, void *arg, struct fail *f)
{
    struct pair *p = arg;
    struct collector c = {.tenant = p->tenant,
                          .kind = COLLECTOR_HOSTED,
                          .name = str_of(p->name),
                          .unique_name = true};

    if (collector_create(tx, NULL, &c, f) < 0)
        return -1;

    struct source src = {.tenant = p->tenant, .collector = c.id, .name = STR("only")};

    p->id = c.id;
    return source_create(tx, NULL, &src, f);
}

/* Writes until it is killed; says each acknowledged number on the pipe. */
NORETURN static void child(struct fixture *x, int round, int out)
{
    struct clock *clock = clock_new_real();
    struct store_options o = {
        .data_dir = x->dir, .clock = clock, .checkpoint_pages = 20, .truncate_pages = 60};
    struct store *s;
    struct fail f;

    if (store_open(&o, &s, &f) < 0)
        _exit(2);
    for (int i = 0;; i++) {
        struct arena *a = arena_new(1024);
        struct pair p = {.tenant = x->tenant.id};

        snprintf(p.name, sizeof(p.name), "%d-%d", round, i);
        if (store_write(s, a, write_pair, &p, &f) < 0)
            _exit(3);
        if (write(out, &p.id, sizeof(p.id)) != sizeof(p.id))
            _exit(4);
        arena_free(&a);
    }
}

/* Returns how many were acknowledged; their numbers go to ids. */
static size_t run_and_kill(struct fixture *x, int round, int64_t *ids, size_t max)
{
    size_t stop_after = 1 + random_below(max - 1);
    size_t n = 0;
    int status;
    int ends[2];

    assert_int_equal(pipe(ends), 0);

    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        child(x, round, ends[1]);
    }
    close(ends[1]);
    while (n < max && read(ends[0], &ids[n], sizeof(*ids)) == sizeof(*ids)) {
        if (++n == stop_after)
            assert_int_equal(kill(pid, SIGKILL), 0);
    }
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_true(n >= stop_after);
    return n;
}

static void nothing_acknowledged_is_lost_to_kills(void **state)
{
    struct fixture *x = *state;
    enum {
        MAX = 400
    };
    int64_t ids[MAX];
    int64_t acknowledged = 0;

    store_close(&x->store);
    for (int round = 0; round < ROUNDS; round++) {
        size_t n = run_and_kill(x, round, ids, MAX);
        struct store_findings found;
        struct collector c;

        acknowledged += (int64_t)n;
        assert_int_equal(fixture_open(x), 0);

        struct store_tx *tx = fixture_read(x);

        for (size_t i = 0; i < n; i++)
            assert_int_equal(collector_get(tx, x->tenant.id, ids[i], &c, &x->fail), 0);
        store_read_close(&tx);
        assert_int_equal(store_check(x->store, x->arena, &found, &x->fail), 0);
        assert_int_equal(found.count, 0);
        assert_int_equal(found.collectors, found.sources);
        assert_true(found.collectors >= acknowledged);
        store_close(&x->store);
        arena_reset(x->arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(nothing_acknowledged_is_lost_to_kills),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
