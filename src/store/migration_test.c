/* SPDX-License-Identifier: Apache-2.0 */
/* Files of older schemas become files of the newest one with all that was in them, also when the
 * process is killed on the way. */
#include "store/fixture.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "core/collector.h"
#include "core/source.h"
#include "store/sql.h"

/* A file as the first released schema had it, with collectors that were seen and a source. */
static void make_first_schema(struct fixture *x)
{
    struct sql_open o = {.data_dir = x->dir, .newest_schema = 1};
    struct sql_conn *c = NULL;
    void *lock = NULL;
    const struct sql_driver *d = &sqlite_driver;
    char sql[1000];

    snprintf(sql, sizeof(sql),
             "INSERT INTO tenants VALUES (1, 'default', 1);"
             "INSERT INTO counters VALUES ('id', 1000);"
             "INSERT INTO collectors VALUES"
             " (1, 2, 1, '', 'a', 'a', 0, NULL, x'', 1, 1, 1, 0, x'01'),"
             " (1, 3, 1, '', 'b', 'b', 0, NULL, x'', 1, 1, 1, 5000, x'02'),"
             " (1, 4, 2, '', 'c', 'c', 1, NULL, x'', 7, 1, 9, %lld, x'03');"
             "INSERT INTO sources VALUES (1, 3, 5, 'Syslog', 's', 2, 1, 9, x'05');",
             (long long)FIXTURE_START_US);
    assert_int_equal(d->lock(d, x->dir, &lock, &x->fail), 0);
    assert_int_equal(d->open_lane(d, &o, &c, &x->fail), 0);
    assert_int_equal(d->begin(c), 0);
    assert_int_equal(d->execute(c, migrations[0].script), 0);
    assert_int_equal(d->execute(c, sql), 0);
    assert_int_equal(d->set_schema_version(c, 1), 0);
    assert_int_equal(d->commit(c), 0);
    d->close(&c);
    d->unlock(d, &lock);
}

static void assert_all_is_there(struct fixture *x)
{
    static const int64_t seen[] = {0, 5000, FIXTURE_START_US};
    struct collector_filter all = {0};
    struct store_tx *tx = fixture_read(x);
    struct store_health h;
    struct collector *rows = NULL;
    struct source source = {0};
    int64_t total = 0;
    size_t n = 0;

    assert_int_equal(collector_list(tx, 1, &all, &rows, &n, &total, &x->fail), 0);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(rows[i].id, i + 2);
        assert_int_equal(rows[i].last_seen_us, seen[i]);
        assert_int_equal(rows[i].body.p[0], i + 1);
    }
    assert_int_equal(rows[2].revision, 7);
    assert_int_equal(source_get_name(tx, 1, 3, STR("s"), &source, &x->fail), 0);
    assert_int_equal(source.id, 5);
    assert_int_equal(source.revision, 2);
    assert_true(str_eq(source.type, STR("Syslog")));
    assert_int_equal(source.updated_us, 9);
    assert_int_equal(source.body.p[0], 5);
    store_read_close(&tx);
    store_health(x->store, &h);
    assert_int_equal(h.schema_version, store_schema_version());
    fixture_assert_clean(x);
}

static int do_seen(struct store_tx *tx, void *arg, struct fail *f)
{
    (void)arg;
    for (int64_t id = 2; id <= 4; id++) {
        if (store_collector_set_seen(tx, 1, id, 6000, f) < 0)
            return -1;
    }
    return 0;
}

static void a_file_of_the_first_schema_keeps_what_was_seen(void **state)
{
    struct fixture *x = *state;
    struct store_tx *tx;
    struct collector c = {0};

    make_first_schema(x);
    assert_int_equal(fixture_open(x), 0);
    assert_all_is_there(x);
    assert_int_equal(fixture_write(x, do_seen, NULL), 0);
    tx = fixture_read(x);
    assert_int_equal(collector_get(tx, 1, 3, &c, &x->fail), 0);
    assert_int_equal(c.last_seen_us, 6000);
    assert_int_equal(collector_get(tx, 1, 4, &c, &x->fail), 0);
    assert_int_equal(c.last_seen_us, FIXTURE_START_US);
    store_read_close(&tx);
}

static void a_backup_of_the_first_schema_is_checked_as_it_is(void **state)
{
    struct fixture *x = *state;
    struct store_findings found;

    make_first_schema(x);
    assert_int_equal(store_check_file(fixture_path(x, STORE_FILE), x->arena, &found, &x->fail), 0);
    assert_int_equal(found.count, 0);
    assert_int_equal(found.schema_version, 1);
}

/* ---- Killed at one of the calls that a migration makes ---- */

struct killer {
    struct sql_driver driver; /* the embedded one, but for what follows */
    size_t left;              /* calls to go */
};

static struct killer killer;

static void count_down(void)
{
    if (killer.left > 0 && --killer.left == 0)
        raise(SIGKILL);
}

static int begin_or_die(struct sql_conn *c)
{
    count_down();
    return sqlite_driver.begin(c);
}

static int execute_or_die(struct sql_conn *c, const char *script)
{
    count_down();

    int r = sqlite_driver.execute(c, script);

    count_down();
    return r;
}

static int set_version_or_die(struct sql_conn *c, int version)
{
    int r = sqlite_driver.set_schema_version(c, version);

    count_down();
    return r;
}

static int commit_or_die(struct sql_conn *c)
{
    int r = sqlite_driver.commit(c);

    count_down();
    return r;
}

/* Returns whether it was killed. */
static bool migrate_in_child(struct fixture *x, size_t at)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        killer.driver = sqlite_driver;
        killer.driver.begin = begin_or_die;
        killer.driver.execute = execute_or_die;
        killer.driver.set_schema_version = set_version_or_die;
        killer.driver.commit = commit_or_die;
        killer.left = at;
        x->options.driver = &killer.driver;
        _exit(fixture_open(x) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

static void an_old_file_survives_a_kill_at_every_call(void **state)
{
    struct fixture *x = *state;
    size_t at = 1;

    for (bool killed = true; killed; at++) {
        folder_remove(x->dir);
        assert_int_equal(mkdir(x->dir, 0700), 0);
        make_first_schema(x);
        killed = migrate_in_child(x, at);
        assert_int_equal(fixture_open(x), 0);
        assert_all_is_there(x);
        store_close(&x->store);
    }
    assert_true(at > 5);
}

static void a_new_file_survives_a_kill_at_every_call(void **state)
{
    struct fixture *x = *state;
    size_t at = 1;

    for (bool killed = true; killed; at++) {
        folder_remove(x->dir);
        assert_int_equal(mkdir(x->dir, 0700), 0);
        killed = migrate_in_child(x, at);
        assert_int_equal(fixture_open(x), 0);
        fixture_assert_clean(x);
        store_close(&x->store);
    }
    assert_true(at > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_CLOSED_TEST(a_file_of_the_first_schema_keeps_what_was_seen),
        FIXTURE_CLOSED_TEST(a_backup_of_the_first_schema_is_checked_as_it_is),
        FIXTURE_CLOSED_TEST(an_old_file_survives_a_kill_at_every_call),
        FIXTURE_CLOSED_TEST(a_new_file_survives_a_kill_at_every_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
