/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, refusing, migrating, backing up and checking, against real files. */
#include "store/fixture.h"

#include <fcntl.h>
#include <sqlite3.h>

#include "core/collector.h"
#include "store/store_internal.h"

static struct str file_bytes(struct fixture *x, const char *name)
{
    FILE *file = fopen(fixture_path(x, name), "rb");
    char *bytes = arena_alloc(x->arena, 1 << 20);

    if (!file)
        return STR("");

    size_t len = fread(bytes, 1, 1 << 20, file);

    fclose(file);
    return str_make(bytes, len);
}

static void put_bytes(struct fixture *x, const char *name, struct str bytes)
{
    FILE *file = fopen(fixture_path(x, name), "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes.p, 1, bytes.len, file), bytes.len);
    fclose(file);
}

static void run_sql(struct fixture *x, const char *name, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(fixture_path(x, name), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void close_again(struct fixture *x)
{
    assert_int_equal(fixture_open(x), 0);
    assert_int_equal(fixture_write(x, fixture_first_tenant, &x->tenant), 0);
    store_close(&x->store);
}

static void refuses(struct fixture *x, const char *reason)
{
    assert_int_equal(fixture_open(x), -1);
    assert_non_null(x->fail.reason);
    assert_string_equal(x->fail.reason, reason);
    assert_null(x->store);
}

static void what_was_written_is_there_after_reopening(void **state)
{
    struct fixture *x = *state;
    struct tenant t;

    store_close(&x->store);
    assert_int_equal(fixture_open(x), 0);

    struct store_tx *tx = fixture_read(x);

    assert_int_equal(tenant_get(tx, STR(TENANT_DEFAULT), &t, &x->fail), 0);
    assert_int_equal(t.id, x->tenant.id);
    assert_int_equal(t.created_us, FIXTURE_START_US);
    store_read_close(&tx);
    fixture_assert_clean(x);
}

static void files_are_for_the_owner_only(void **state)
{
    struct fixture *x = *state;
    static const char *const names[] = {STORE_FILE, STORE_FILE "-wal", STORE_FILE "-shm", "lock"};

    for (size_t i = 0; i < COUNTOF(names); i++) {
        struct stat st;

        assert_int_equal(stat(fixture_path(x, names[i]), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
}

static void a_missing_directory_is_made_for_the_owner_only(void **state)
{
    struct fixture *x = *state;
    struct stat st;

    x->options.data_dir = fixture_path(x, "data");
    assert_int_equal(fixture_open(x), 0);
    assert_int_equal(stat(x->options.data_dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void a_second_store_on_the_same_directory_is_refused(void **state)
{
    struct fixture *x = *state;
    struct store *other = NULL;

    assert_int_equal(store_open(&x->options, &other, &x->fail), -1);
    assert_string_equal(x->fail.reason, "locked");
    assert_null(other);
}

static void a_newer_schema_is_refused_and_the_file_stays_as_it_is(void **state)
{
    struct fixture *x = *state;

    close_again(x);
    run_sql(x, STORE_FILE, "PRAGMA user_version = 9999");

    struct str before = file_bytes(x, STORE_FILE);

    refuses(x, "schema_newer");
    assert_true(str_eq(file_bytes(x, STORE_FILE), before));
}

static void a_newer_schema_that_is_only_in_the_log_is_refused(void **state)
{
    struct fixture *x = *state;
    sqlite3 *db;

    close_again(x);
    assert_int_equal(sqlite3_open(fixture_path(x, STORE_FILE), &db), SQLITE_OK);
    sqlite3_exec(db, "PRAGMA wal_autocheckpoint = 0; PRAGMA user_version = 9999", NULL, NULL, NULL);

    struct str file = file_bytes(x, STORE_FILE);
    struct str log = file_bytes(x, STORE_FILE "-wal");

    sqlite3_close(db);
    assert_true(log.len > 0);
    put_bytes(x, STORE_FILE, file);
    put_bytes(x, STORE_FILE "-wal", log);
    refuses(x, "schema_newer");
    assert_true(str_eq(file_bytes(x, STORE_FILE), file));
    assert_true(str_eq(file_bytes(x, STORE_FILE "-wal"), log));
}

static void a_file_that_is_no_database_is_refused_and_stays_as_it_is(void **state)
{
    struct fixture *x = *state;
    struct str text =
        STR("these are notes of mine, and they are longer than one hundred bytes, so "
            "that there is a whole header to look at\n");

    put_bytes(x, STORE_FILE, text);
    refuses(x, "corrupt");
    assert_true(str_eq(file_bytes(x, STORE_FILE), text));
}

static void a_database_of_another_program_is_refused(void **state)
{
    struct fixture *x = *state;

    run_sql(x, STORE_FILE, "CREATE TABLE songs (title TEXT)");

    struct str before = file_bytes(x, STORE_FILE);

    refuses(x, "corrupt");
    assert_true(str_eq(file_bytes(x, STORE_FILE), before));
}

static void a_beginning_that_was_cut_short_is_started_over(void **state)
{
    struct fixture *x = *state;

    put_bytes(x, STORE_FILE ".new", STR("half a header"));
    put_bytes(x, STORE_FILE ".new-journal", STR("half a journal"));
    close_again(x);
    assert_int_equal(access(fixture_path(x, STORE_FILE ".new"), F_OK), -1);
    assert_int_equal(access(fixture_path(x, STORE_FILE ".new-journal"), F_OK), -1);
    assert_int_equal(fixture_open(x), 0);
    fixture_assert_clean(x);
}

static void a_log_without_its_database_is_refused_and_stays(void **state)
{
    struct fixture *x = *state;
    static const char *const names[] = {STORE_FILE "-wal", STORE_FILE "-journal"};

    for (size_t i = 0; i < COUNTOF(names); i++) {
        put_bytes(x, names[i], STR("changes"));
        refuses(x, "corrupt");
        assert_true(str_eq(file_bytes(x, names[i]), STR("changes")));
        assert_int_equal(access(fixture_path(x, STORE_FILE), F_OK), -1);
        assert_int_equal(unlink(fixture_path(x, names[i])), 0);
    }
}

static void a_truncated_file_is_refused(void **state)
{
    struct fixture *x = *state;

    close_again(x);
    assert_int_equal(truncate(fixture_path(x, STORE_FILE), 3 * 4096), 0);

    struct str before = file_bytes(x, STORE_FILE);

    refuses(x, "corrupt");
    assert_true(str_eq(file_bytes(x, STORE_FILE), before));
}

static void a_damaged_schema_page_is_refused(void **state)
{
    struct fixture *x = *state;

    close_again(x);

    struct str good = file_bytes(x, STORE_FILE);
    char *bad = arena_cstr(x->arena, good);

    memset(bad + 100, 0xa5, 200);
    put_bytes(x, STORE_FILE, str_make(bad, good.len));
    refuses(x, "corrupt");
}

static void a_directory_that_cannot_be_made_is_told_apart(void **state)
{
    struct fixture *x = *state;

    put_bytes(x, "file", STR("x"));
    x->options.data_dir = fixture_path(x, "file/data");
    refuses(x, "not_writable");
    x->options.data_dir = fixture_path(x, "file");
    refuses(x, "not_writable");
}

static void an_older_schema_is_migrated_step_by_step(void **state)
{
    struct fixture *x = *state;

    put_bytes(x, STORE_FILE, STR(""));
    assert_int_equal(fixture_open(x), 0);
    store_close(&x->store);
    assert_int_equal(file_bytes(x, STORE_FILE).p[63], store_schema_version());
}

static void a_backup_is_consistent_and_opens_as_a_store(void **state)
{
    struct fixture *x = *state;
    struct store_findings found;
    const char *path = fixture_path(x, "copy/" STORE_FILE);

    assert_int_equal(mkdir(fixture_path(x, "copy"), 0700), 0);
    assert_int_equal(store_backup(x->store, path, &x->fail), 0);
    assert_int_equal(store_check_file(path, x->arena, &found, &x->fail), 0);
    assert_int_equal(found.count, 0);
    assert_int_equal(found.tenants, 1);
    assert_int_equal(found.schema_version, store_schema_version());

    store_close(&x->store);
    x->options.data_dir = fixture_path(x, "copy");
    assert_int_equal(fixture_open(x), 0);
    fixture_assert_clean(x);
}

static void a_backup_never_lands_on_the_data_file(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(store_backup(x->store, fixture_path(x, STORE_FILE), &x->fail), -1);
    assert_string_equal(x->fail.reason, "bad_path");
}

static void a_backup_into_nowhere_fails_and_leaves_nothing(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(store_backup(x->store, fixture_path(x, "no/such/dir"), &x->fail), -1);
    assert_string_equal(x->fail.reason, "no_such_file");
}

static void checking_a_file_changes_nothing(void **state)
{
    struct fixture *x = *state;
    struct store_findings found;

    close_again(x);
    unlink(fixture_path(x, "lock"));

    struct str before = file_bytes(x, STORE_FILE);

    assert_int_equal(store_check_file(fixture_path(x, STORE_FILE), x->arena, &found, &x->fail), 0);
    assert_int_equal(found.count, 0);
    assert_true(str_eq(file_bytes(x, STORE_FILE), before));
    assert_int_equal(access(fixture_path(x, STORE_FILE "-wal"), F_OK), -1);
    assert_int_equal(access(fixture_path(x, STORE_FILE "-shm"), F_OK), -1);
}

static void checking_a_file_reads_its_log_too(void **state)
{
    struct fixture *x = *state;
    struct store_findings found;
    struct str file = file_bytes(x, STORE_FILE);
    struct str log = file_bytes(x, STORE_FILE "-wal");

    assert_int_equal(mkdir(fixture_path(x, "stopped"), 0700), 0);
    put_bytes(x, "stopped/muster.db", file);
    put_bytes(x, "stopped/muster.db-wal", log);
    assert_int_equal(
        store_check_file(fixture_path(x, "stopped/muster.db"), x->arena, &found, &x->fail), 0);
    assert_int_equal(found.count, 0);
    assert_int_equal(found.tenants, 1);
    assert_true(str_eq(file_bytes(x, "stopped/muster.db"), file));
    assert_true(str_eq(file_bytes(x, "stopped/muster.db-wal"), log));
}

static void a_file_in_use_is_not_checked_behind_the_servers_back(void **state)
{
    struct fixture *x = *state;
    struct store_findings found;

    assert_int_equal(store_check_file(fixture_path(x, STORE_FILE), x->arena, &found, &x->fail), -1);
    assert_string_equal(x->fail.reason, "locked");
}

static void a_check_names_rows_that_break_an_invariant(void **state)
{
    struct fixture *x = *state;
    struct store_findings found;

    close_again(x);
    run_sql(
        x, STORE_FILE,
        "INSERT INTO keys VALUES (77, 'k', x'00', 1, 0, '', 1, 0, 0, 0);"
        "INSERT INTO collectors VALUES (1, 1, 1, '', 'a', 'n', 0, NULL, x'', 0, 1, 1, 0, x'');");
    assert_int_equal(fixture_open(x), 0);
    assert_int_equal(store_check(x->store, x->arena, &found, &x->fail), 0);
    assert_int_equal(found.count, 3);
    assert_non_null(strstr(found.lines[0], "key of a tenant that does not exist: tenant 77"));
    assert_non_null(strstr(found.lines[1], "collector with impossible values: tenant 1, id 1"));
    assert_non_null(strstr(found.lines[2], "number that two rows share: tenant 1, id 1"));
}

static void a_check_finds_a_damaged_page(void **state)
{
    struct fixture *x = *state;
    struct store_findings found;

    close_again(x);

    struct str good = file_bytes(x, STORE_FILE);
    char *bad = arena_cstr(x->arena, good);

    memset(bad + good.len - 4096, 0x5a, 4096);
    put_bytes(x, "damaged.db", str_make(bad, good.len));
    assert_int_equal(store_check_file(fixture_path(x, "damaged.db"), x->arena, &found, &x->fail),
                     0);
    assert_true(found.count > 0);
}

static int add_collector(struct store_tx *tx, void *arg, struct fail *f)
{
    struct fixture *x = arg;
    struct collector c = {.tenant = x->tenant.id, .kind = COLLECTOR_HOSTED, .name = STR("one")};

    return collector_create(tx, NULL, &c, f);
}

static void a_snapshot_does_not_see_later_changes(void **state)
{
    struct fixture *x = *state;
    struct store_tx *tx = fixture_read(x);
    const struct collector_filter all = {0};
    int64_t n = -1;

    assert_int_equal(fixture_write(x, add_collector, x), 0);
    assert_int_equal(collector_count(tx, x->tenant.id, &all, &n, &x->fail), 0);
    assert_int_equal(n, 0);
    store_read_close(&tx);

    tx = fixture_read(x);
    assert_int_equal(collector_count(tx, x->tenant.id, &all, &n, &x->fail), 0);
    assert_int_equal(n, 1);
    store_read_close(&tx);
}

static void health_is_good_at_first(void **state)
{
    struct fixture *x = *state;
    struct store_health h;

    store_health(x->store, &h);
    assert_int_equal(h.state, STORE_OK);
    assert_string_equal(h.message, "");
    assert_int_equal(h.schema_version, store_schema_version());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(what_was_written_is_there_after_reopening),
        FIXTURE_TEST(files_are_for_the_owner_only),
        FIXTURE_CLOSED_TEST(a_missing_directory_is_made_for_the_owner_only),
        FIXTURE_TEST(a_second_store_on_the_same_directory_is_refused),
        FIXTURE_CLOSED_TEST(a_newer_schema_is_refused_and_the_file_stays_as_it_is),
        FIXTURE_CLOSED_TEST(a_newer_schema_that_is_only_in_the_log_is_refused),
        FIXTURE_CLOSED_TEST(a_file_that_is_no_database_is_refused_and_stays_as_it_is),
        FIXTURE_CLOSED_TEST(a_database_of_another_program_is_refused),
        FIXTURE_CLOSED_TEST(a_beginning_that_was_cut_short_is_started_over),
        FIXTURE_CLOSED_TEST(a_log_without_its_database_is_refused_and_stays),
        FIXTURE_CLOSED_TEST(a_truncated_file_is_refused),
        FIXTURE_CLOSED_TEST(a_damaged_schema_page_is_refused),
        FIXTURE_CLOSED_TEST(a_directory_that_cannot_be_made_is_told_apart),
        FIXTURE_CLOSED_TEST(an_older_schema_is_migrated_step_by_step),
        FIXTURE_TEST(a_backup_is_consistent_and_opens_as_a_store),
        FIXTURE_TEST(a_backup_never_lands_on_the_data_file),
        FIXTURE_TEST(a_backup_into_nowhere_fails_and_leaves_nothing),
        FIXTURE_CLOSED_TEST(checking_a_file_changes_nothing),
        FIXTURE_TEST(checking_a_file_reads_its_log_too),
        FIXTURE_TEST(a_file_in_use_is_not_checked_behind_the_servers_back),
        FIXTURE_CLOSED_TEST(a_check_names_rows_that_break_an_invariant),
        FIXTURE_CLOSED_TEST(a_check_finds_a_damaged_page),
        FIXTURE_TEST(a_snapshot_does_not_see_later_changes),
        FIXTURE_TEST(health_is_good_at_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
