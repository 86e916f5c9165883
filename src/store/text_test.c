/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that are kept once and counted, and what a check says when the counts are wrong. */
#include "store/fixture.h"

#include <sqlite3.h>

#include "core/agent.h"

struct text_call {
    uint64_t tenant;
    struct str text;
    const char *effective; /* of an agent "a" */
};

static int do_hold(struct store_tx *tx, void *arg, struct fail *f)
{
    struct text_call *c = arg;
    struct text_ref ref = text_ref_of(c->text);

    return store_text_hold(tx, c->tenant, ref.hash, c->text, f);
}

static int do_drop(struct store_tx *tx, void *arg, struct fail *f)
{
    struct text_call *c = arg;
    struct text_ref ref = text_ref_of(c->text);

    return store_text_drop(tx, c->tenant, ref.hash, f);
}

static int do_report(struct store_tx *tx, void *arg, struct fail *f)
{
    struct text_call *c = arg;
    struct agent_report report = {
        .id = STR("a"), .has_effective_config = true, .effective_config = str_of(c->effective)};

    return agent_report(tx, NULL, NULL, c->tenant, &report, NULL, f);
}

static int get(struct fixture *x, uint64_t tenant, struct str text, struct str *out)
{
    struct store_tx *tx = fixture_read(x);
    struct text_ref ref = text_ref_of(text);
    int r = store_text_get(tx, tenant, ref.hash, out, &x->fail);

    store_read_close(&tx);
    return r;
}

static void a_text_lives_until_its_last_reference_goes(void **state)
{
    struct fixture *x = *state;
    struct text_call c = {.tenant = x->tenant.id, .text = STR("a\0b")};
    struct str got;

    assert_int_equal(fixture_write(x, do_hold, &c), 0);
    assert_int_equal(fixture_write(x, do_hold, &c), 0);
    assert_int_equal(fixture_write(x, do_drop, &c), 0);
    assert_int_equal(get(x, c.tenant, c.text, &got), 0);
    assert_true(str_eq(got, c.text));
    assert_int_equal(fixture_write(x, do_drop, &c), 0);
    assert_int_equal(get(x, c.tenant, c.text, &got), -1);
    assert_int_equal(x->fail.code, CODE_NOT_FOUND);
    assert_int_equal(fixture_write(x, do_drop, &c), -1);
    assert_int_equal(x->fail.code, CODE_DATA_LOSS);
    fixture_assert_clean(x);
}

static void another_tenants_text_is_another_text(void **state)
{
    struct fixture *x = *state;
    struct text_call c = {.tenant = x->tenant.id, .text = STR("t")};
    struct text_call d = {.tenant = 77, .text = STR("t")};
    struct str got;

    assert_int_equal(fixture_write(x, do_hold, &c), 0);
    assert_int_equal(get(x, d.tenant, d.text, &got), -1);
    assert_int_equal(fixture_write(x, do_drop, &d), -1);
    assert_int_equal(fixture_write(x, do_hold, &d), 0);
    assert_int_equal(fixture_write(x, do_drop, &c), 0);
    assert_int_equal(get(x, d.tenant, d.text, &got), 0);
}

/* ---- What a check finds; the damage is done behind the store's back ---- */

static void run_sql(struct fixture *x, const char *sql)
{
    sqlite3 *db;

    store_close(&x->store);
    assert_int_equal(sqlite3_open(fixture_path(x, STORE_FILE), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(fixture_open(x), 0);
}

/* One agent refers to one text; then this happens, and the check says so in one line. */
static void finds(struct fixture *x, const char *sql, const char *what)
{
    struct text_call c = {.tenant = x->tenant.id, .effective = "mine"};
    struct store_findings found;

    assert_int_equal(fixture_write(x, do_report, &c), 0);
    fixture_assert_clean(x);
    run_sql(x, sql);
    assert_int_equal(store_check(x->store, x->arena, &found, &x->fail), 0);
    for (size_t i = 0; i < found.count; i++)
        print_message("%s\n", found.lines[i]);
    assert_int_equal(found.count, 1);
    assert_non_null(strstr(found.lines[0], what));
}

static void a_wrong_count_is_found(void **state)
{
    finds(*state, "UPDATE text_refs SET refs = 2", "text with a wrong count of references");
}

static void a_missing_count_is_found(void **state)
{
    finds(*state, "DELETE FROM text_refs", "text with a wrong count of references");
}

static void a_missing_text_is_found(void **state)
{
    finds(*state, "DELETE FROM texts", "text that is not there");
}

static void a_text_that_is_gone_altogether_is_found(void **state)
{
    finds(*state, "DELETE FROM texts; DELETE FROM text_refs",
          "text that an agent refers to is gone");
}

static void a_changed_text_is_found(void **state)
{
    finds(*state, "UPDATE texts SET content = x'00'", "text that is not what its hash says");
}

static void a_text_of_nobody_is_found(void **state)
{
    finds(*state, "INSERT INTO texts VALUES (1, x'01', x'02')", "text with an impossible hash");
}

static void an_agent_that_cannot_be_read_is_found(void **state)
{
    finds(*state,
          "INSERT INTO collectors SELECT tenant, id + 1, kind, space, 'b', name, name_group,"
          " name_key, labels, 1, created_us, updated_us, 0, x'ff' FROM collectors;"
          " UPDATE counters SET value = 1000",
          "agent that cannot be read");
}

static void liveness_of_nobody_is_found(void **state)
{
    finds(*state, "INSERT INTO collector_seen VALUES (1, 99, 5)",
          "liveness of a collector that does not exist");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_text_lives_until_its_last_reference_goes),
        FIXTURE_TEST(another_tenants_text_is_another_text),
        FIXTURE_TEST(a_wrong_count_is_found),
        FIXTURE_TEST(a_missing_count_is_found),
        FIXTURE_TEST(a_missing_text_is_found),
        FIXTURE_TEST(a_text_that_is_gone_altogether_is_found),
        FIXTURE_TEST(a_changed_text_is_found),
        FIXTURE_TEST(a_text_of_nobody_is_found),
        FIXTURE_TEST(an_agent_that_cannot_be_read_is_found),
        FIXTURE_TEST(liveness_of_nobody_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
