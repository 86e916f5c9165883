/* SPDX-License-Identifier: Apache-2.0 */
/* Sources and pipelines with their revisions, on a real store: one suite for all drivers. */
#include "store/fixture.h"

#include "core/collector.h"
#include "core/pipeline.h"
#include "core/source.h"

static const struct caller somebody = {.tenant = 1, .key_id = STR_INIT("0key")};

struct change {
    struct collector c;
    struct source s;
    struct pipeline p;
    uint64_t tenant;
    int64_t id;
    int64_t revision;
};

static int do_create(struct store_tx *tx, void *arg, struct fail *f)
{
    return collector_create(tx, &somebody, &((struct change *)arg)->c, f);
}

static int do_delete(struct store_tx *tx, void *arg, struct fail *f)
{
    struct change *c = arg;

    return collector_delete(tx, &somebody, c->tenant, c->id, c->revision, f);
}

static int do_create_source(struct store_tx *tx, void *arg, struct fail *f)
{
    return source_create(tx, &somebody, &((struct change *)arg)->s, f);
}

static int do_update_source(struct store_tx *tx, void *arg, struct fail *f)
{
    return source_update(tx, &somebody, &((struct change *)arg)->s, f);
}

static int do_delete_source(struct store_tx *tx, void *arg, struct fail *f)
{
    struct change *c = arg;

    return source_delete(tx, &somebody, c->tenant, c->s.collector, c->id, c->revision, f);
}

static int do_create_pipeline(struct store_tx *tx, void *arg, struct fail *f)
{
    return pipeline_create(tx, NULL, &somebody, &((struct change *)arg)->p, f);
}

static int do_update_pipeline(struct store_tx *tx, void *arg, struct fail *f)
{
    return pipeline_update(tx, NULL, &somebody, &((struct change *)arg)->p, f);
}

static int do_delete_pipeline(struct store_tx *tx, void *arg, struct fail *f)
{
    struct change *c = arg;

    return pipeline_delete(tx, NULL, &somebody, c->tenant, c->id, c->revision, f);
}

static void refuses(struct fixture *x, int result, enum code code, const char *reason)
{
    assert_int_equal(result, -1);
    assert_int_equal(x->fail.code, code);
    assert_non_null(x->fail.reason);
    assert_string_equal(x->fail.reason, reason);
}

static struct collector add(struct fixture *x, enum collector_kind kind, const char *ext_id,
                            const char *name)
{
    struct change w = {.c = {.tenant = x->tenant.id,
                             .kind = kind,
                             .ext_id = str_of(ext_id),
                             .name = str_of(name),
                             .unique_name = true,
                             .body = STR("{\"x\":1}")}};

    assert_int_equal(fixture_write(x, do_create, &w), 0);
    return w.c;
}

/* ---- Sources ---- */

static bool note_name(void *arg, const struct source *src)
{
    struct buf *names = arg;

    buf_printf(names, "%.*s=%.*s ", STR_ARG(src->name), STR_ARG(src->body));
    return src->name.p[0] != '2';
}

static void sources_are_walked_in_order_until_enough(void **state)
{
    struct fixture *x = *state;
    struct collector one = add(x, COLLECTOR_HOSTED, "", "one");
    struct collector two = add(x, COLLECTOR_HOSTED, "", "two");
    static const char *const names[] = {"1a", "1b", "2a", "1c"};
    struct buf seen;

    for (size_t i = 0; i < COUNTOF(names); i++) {
        struct change w = {.s = {.tenant = x->tenant.id,
                                 .collector = i == 1 ? two.id : one.id,
                                 .name = str_of(names[i]),
                                 .body = STR("{}")}};

        assert_int_equal(fixture_write(x, do_create_source, &w), 0);
    }

    struct store_tx *tx = fixture_read(x);

    buf_init(&seen, 4096);
    assert_int_equal(source_each(tx, x->tenant.id, one.id, note_name, &seen, &x->fail), 0);
    assert_true(str_eq(buf_str(&seen), STR("1a={} 2a={} ")));
    buf_clear(&seen);
    assert_int_equal(source_load(tx, note_name, &seen, &x->fail), 0);
    assert_true(str_eq(buf_str(&seen), STR("1a={} 2a={} ")));
    buf_clear(&seen);
    assert_int_equal(source_each(tx, x->tenant.id, two.id, note_name, &seen, &x->fail), 0);
    assert_true(str_eq(buf_str(&seen), STR("1b={} ")));
    buf_done(&seen);
    store_read_close(&tx);
}

static void sources_live_and_die_with_their_collector(void **state)
{
    struct fixture *x = *state;
    struct collector c = add(x, COLLECTOR_HOSTED, "", "one");
    struct change w = {
        .tenant = x->tenant.id,
        .id = c.id,
        .s = {.tenant = x->tenant.id,
              .collector = c.id,
              .name = STR("syslog"),
              .type = STR("Syslog"),
              .body = STR("{}")},
    };
    struct source *rows;
    struct source got;
    int64_t total = 0, bytes = 0;
    size_t n;

    assert_int_equal(fixture_write(x, do_create_source, &w), 0);
    assert_true(w.s.id > c.id);
    refuses(x, fixture_write(x, do_create_source, &w), CODE_ALREADY_EXISTS, "name_taken");

    struct store_tx *tx = fixture_read(x);

    assert_int_equal(source_get(tx, x->tenant.id, c.id, w.s.id, &got, &x->fail), 0);
    assert_true(str_eq(got.type, STR("Syslog")));
    assert_int_equal(source_get_name(tx, x->tenant.id, c.id, STR("syslog"), &got, &x->fail), 0);
    assert_int_equal(source_list(tx, x->tenant.id, c.id, 0, 10, &rows, &n, &x->fail), 0);
    assert_int_equal(n, 1);
    assert_int_equal(source_count(tx, x->tenant.id, c.id, &total, &bytes, &x->fail), 0);
    assert_int_equal(total, 1);
    assert_int_equal(bytes, 2);
    assert_int_equal(source_count(tx, x->tenant.id, c.id + 1, &total, &bytes, &x->fail), 0);
    assert_int_equal(total, 0);
    assert_int_equal(bytes, 0);
    store_read_close(&tx);

    assert_int_equal(fixture_write(x, do_delete, &w), 0);
    tx = fixture_read(x);
    refuses(x, source_get(tx, x->tenant.id, c.id, w.s.id, &got, &x->fail), CODE_NOT_FOUND,
            "no_such_source");
    store_read_close(&tx);
    fixture_assert_clean(x);
}

static void a_source_is_updated_by_revision(void **state)
{
    struct fixture *x = *state;
    struct collector c = add(x, COLLECTOR_AGENT, "a", "one");
    struct change w = {.tenant = x->tenant.id,
                       .s = {.tenant = x->tenant.id, .collector = c.id, .name = STR("s1")}};
    struct change other = w;

    other.s.name = STR("s2");
    assert_int_equal(fixture_write(x, do_create_source, &w), 0);
    assert_int_equal(fixture_write(x, do_create_source, &other), 0);
    assert_int_equal(fixture_write(x, do_update_source, &w), 0);
    assert_int_equal(w.s.revision, 2);
    w.s.revision = 1;
    refuses(x, fixture_write(x, do_update_source, &w), CODE_ABORTED, "revision_mismatch");
    w.s.revision = 2;
    w.s.name = STR("s2");
    refuses(x, fixture_write(x, do_update_source, &w), CODE_ALREADY_EXISTS, "name_taken");
    w.id = w.s.id;
    w.revision = 1;
    refuses(x, fixture_write(x, do_delete_source, &w), CODE_ABORTED, "revision_mismatch");
    w.revision = 2;
    assert_int_equal(fixture_write(x, do_delete_source, &w), 0);
    refuses(x, fixture_write(x, do_delete_source, &w), CODE_NOT_FOUND, "no_such_source");
}

static void only_agents_and_hosted_collectors_hold_sources(void **state)
{
    struct fixture *x = *state;
    struct collector c = add(x, COLLECTOR_PLUGIN, "p", "one");
    struct change w = {.s = {.tenant = x->tenant.id, .collector = c.id, .name = STR("s")}};

    refuses(x, fixture_write(x, do_create_source, &w), CODE_FAILED_PRECONDITION, "no_sources");
    w.s.collector = 999;
    refuses(x, fixture_write(x, do_create_source, &w), CODE_NOT_FOUND, "no_such_collector");
}

/* ---- Pipelines ---- */

static void every_change_of_a_pipeline_leaves_a_revision(void **state)
{
    struct fixture *x = *state;
    struct change w = {
        .tenant = x->tenant.id,
        .p = {.tenant = x->tenant.id, .name = STR("logs"), .enabled = true, .body = STR("v1")}};
    struct pipeline_revision *rows;
    struct pipeline_revision one;
    struct pipeline got;
    size_t n;

    assert_int_equal(fixture_write(x, do_create_pipeline, &w), 0);
    refuses(x, fixture_write(x, do_create_pipeline, &w), CODE_ALREADY_EXISTS, "name_taken");
    w.p.body = STR("v2");
    w.p.enabled = false;
    assert_int_equal(fixture_write(x, do_update_pipeline, &w), 0);
    w.p.revision = 1;
    refuses(x, fixture_write(x, do_update_pipeline, &w), CODE_ABORTED, "revision_mismatch");
    w.id = w.p.id;

    struct store_tx *tx = fixture_read(x);

    assert_int_equal(pipeline_get_name(tx, x->tenant.id, STR("logs"), &got, &x->fail), 0);
    assert_true(str_eq(got.body, STR("v2")));
    assert_false(got.enabled);
    store_read_close(&tx);
    assert_int_equal(fixture_write(x, do_delete_pipeline, &w), 0);

    tx = fixture_read(x);
    refuses(x, pipeline_get(tx, x->tenant.id, w.id, &got, &x->fail), CODE_NOT_FOUND,
            "no_such_pipeline");
    assert_int_equal(pipeline_revisions(tx, x->tenant.id, w.id, 0, 10, &rows, &n, &x->fail), 0);
    assert_int_equal(n, 3);
    assert_int_equal(rows[0].change, PIPELINE_DELETED);
    assert_int_equal(rows[0].snapshot.revision, 3);
    assert_int_equal(rows[1].change, PIPELINE_UPDATED);
    assert_true(str_eq(rows[1].snapshot.body, STR("v2")));
    assert_int_equal(rows[2].change, PIPELINE_CREATED);
    assert_true(str_eq(rows[2].snapshot.body, STR("v1")));
    assert_true(rows[2].snapshot.enabled);
    assert_true(str_eq(rows[2].actor, STR("0key")));
    assert_int_equal(pipeline_revision_get(tx, x->tenant.id, rows[2].id, &one, &x->fail), 0);
    assert_true(str_eq(one.snapshot.body, STR("v1")));
    assert_int_equal(pipeline_revisions(tx, x->tenant.id, 0, rows[0].id, 10, &rows, &n, &x->fail),
                     0);
    assert_int_equal(n, 2);
    refuses(x, pipeline_revision_get(tx, x->tenant.id, 12345, &one, &x->fail), CODE_NOT_FOUND,
            "no_such_revision");
    store_read_close(&tx);
    fixture_assert_clean(x);
}

static void pipelines_are_listed_by_id_and_renamed_to_free_names_only(void **state)
{
    struct fixture *x = *state;
    struct change a = {.p = {.tenant = x->tenant.id, .name = STR("a")}};
    struct change b = {.p = {.tenant = x->tenant.id, .name = STR("b")}};
    struct pipeline *rows;
    size_t n;

    assert_int_equal(fixture_write(x, do_create_pipeline, &b), 0);
    assert_int_equal(fixture_write(x, do_create_pipeline, &a), 0);
    a.p.name = STR("b");
    refuses(x, fixture_write(x, do_update_pipeline, &a), CODE_ALREADY_EXISTS, "name_taken");

    struct store_tx *tx = fixture_read(x);

    assert_int_equal(pipeline_list(tx, x->tenant.id, 0, 10, &rows, &n, &x->fail), 0);
    assert_int_equal(n, 2);
    assert_true(str_eq(rows[0].name, STR("b")));
    assert_int_equal(pipeline_list(tx, x->tenant.id, rows[0].id, 10, &rows, &n, &x->fail), 0);
    assert_int_equal(n, 1);
    assert_true(str_eq(rows[0].name, STR("a")));
    store_read_close(&tx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(sources_are_walked_in_order_until_enough),
        FIXTURE_TEST(sources_live_and_die_with_their_collector),
        FIXTURE_TEST(a_source_is_updated_by_revision),
        FIXTURE_TEST(only_agents_and_hosted_collectors_hold_sources),
        FIXTURE_TEST(every_change_of_a_pipeline_leaves_a_revision),
        FIXTURE_TEST(pipelines_are_listed_by_id_and_renamed_to_free_names_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
