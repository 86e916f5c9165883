/* SPDX-License-Identifier: Apache-2.0 */
/* What all kinds of collectors share, on a real store: one suite for all drivers. */
#include "store/fixture.h"

#include "core/collector.h"
#include "core/event.h"

static const struct caller somebody = {.tenant = 1, .key_id = STR_INIT("0key")};

struct change {
    struct collector c;
    uint64_t tenant;
    int64_t id;
    int64_t revision;
};

static int do_create(struct store_tx *tx, void *arg, struct fail *f)
{
    return collector_create(tx, &somebody, &((struct change *)arg)->c, f);
}

static int do_update(struct store_tx *tx, void *arg, struct fail *f)
{
    return collector_update(tx, &somebody, &((struct change *)arg)->c, f);
}

static int do_delete(struct store_tx *tx, void *arg, struct fail *f)
{
    struct change *c = arg;

    return collector_delete(tx, &somebody, c->tenant, c->id, c->revision, f);
}

static int do_seen(struct store_tx *tx, void *arg, struct fail *f)
{
    struct change *c = arg;

    return store_collector_set_seen(tx, c->tenant, c->id, c->revision, f);
}

static int do_prune(struct store_tx *tx, void *arg, struct fail *f)
{
    struct change *c = arg;
    size_t gone;

    if (event_prune(tx, FIXTURE_START_US + 10, 2, &gone, f) < 0)
        return -1;
    c->id = (int64_t)gone;
    return 0;
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

static struct collector get(struct fixture *x, int64_t id)
{
    struct store_tx *tx = fixture_read(x);
    struct collector c;

    assert_int_equal(collector_get(tx, x->tenant.id, id, &c, &x->fail), 0);
    store_read_close(&tx);
    return c;
}

/* The names of a list, separated by blanks. */
static const char *names(struct fixture *x, const struct collector_filter *w, int64_t *total)
{
    struct store_tx *tx = fixture_read(x);
    struct collector *rows;
    struct buf b;
    size_t n;

    assert_int_equal(collector_list(tx, x->tenant.id, w, &rows, &n, total, &x->fail), 0);
    store_read_close(&tx);
    buf_init_arena(&b, x->arena, 4096);
    for (size_t i = 0; i < n; i++) {
        buf_put_str(&b, i ? STR(" ") : STR(""));
        buf_put_str(&b, rows[i].name);
    }
    return arena_cstr(x->arena, buf_str(&b));
}

static void what_was_created_can_be_found_in_every_way(void **state)
{
    struct fixture *x = *state;
    struct collector made = add(x, COLLECTOR_AGENT, "host-1", "one");
    struct store_tx *tx = fixture_read(x);
    struct collector c[3];

    assert_int_equal(collector_get(tx, x->tenant.id, made.id, &c[0], &x->fail), 0);
    assert_int_equal(collector_get_ext(tx, x->tenant.id, COLLECTOR_AGENT, STR(""), STR("host-1"),
                                       &c[1], &x->fail),
                     0);
    assert_int_equal(
        collector_get_name(tx, x->tenant.id, COLLECTOR_AGENT, STR("one"), &c[2], &x->fail), 0);
    store_read_close(&tx);
    for (size_t i = 0; i < COUNTOF(c); i++) {
        assert_int_equal(c[i].id, made.id);
        assert_int_equal(c[i].kind, COLLECTOR_AGENT);
        assert_int_equal(c[i].revision, 1);
        assert_int_equal(c[i].created_us, FIXTURE_START_US);
        assert_int_equal(c[i].updated_us, FIXTURE_START_US);
        assert_true(c[i].unique_name);
        assert_true(str_eq(c[i].ext_id, STR("host-1")));
        assert_true(str_eq(c[i].name, STR("one")));
        assert_true(str_eq(c[i].body, STR("{\"x\":1}")));
    }
}

static void another_tenant_sees_nothing(void **state)
{
    struct fixture *x = *state;
    struct collector made = add(x, COLLECTOR_AGENT, "host-1", "one");
    struct change w = {.tenant = x->tenant.id + 1, .id = made.id};
    struct store_tx *tx = fixture_read(x);
    struct collector c;

    refuses(x, collector_get(tx, w.tenant, made.id, &c, &x->fail), CODE_NOT_FOUND,
            "no_such_collector");
    store_read_close(&tx);
    refuses(x, fixture_write(x, do_delete, &w), CODE_NOT_FOUND, "no_such_collector");
    w.c = made;
    w.c.tenant++;
    refuses(x, fixture_write(x, do_update, &w), CODE_NOT_FOUND, "no_such_collector");
    assert_int_equal(get(x, made.id).revision, 1);
}

static void without_an_id_of_its_own_the_number_serves(void **state)
{
    struct fixture *x = *state;
    struct collector c = add(x, COLLECTOR_HOSTED, "", "one");

    assert_true(str_eq(c.ext_id, arena_printf(x->arena, "%lld", (long long)c.id)));
}

static void names_are_shared_by_agents_and_hosted_and_apart_from_other_kinds(void **state)
{
    struct fixture *x = *state;
    struct change w = {.c = add(x, COLLECTOR_AGENT, "host-1", "one")};

    w.c.ext_id = STR("");
    w.c.kind = COLLECTOR_HOSTED;
    refuses(x, fixture_write(x, do_create, &w), CODE_ALREADY_EXISTS, "name_taken");
    assert_string_equal(x->fail.field, "name");
    w.c.kind = COLLECTOR_PLUGIN;
    assert_int_equal(fixture_write(x, do_create, &w), 0);
    w.c.ext_id = STR("c1");
    w.c.kind = COLLECTOR_CAPTURE;
    assert_int_equal(fixture_write(x, do_create, &w), 0);
}

static void a_name_may_be_shared_where_uniqueness_is_not_asked_for(void **state)
{
    struct fixture *x = *state;
    struct change w = {.c = add(x, COLLECTOR_PLUGIN, "p1", "one")};

    w.c.unique_name = false;
    w.c.ext_id = STR("p2");
    assert_int_equal(fixture_write(x, do_create, &w), 0);
    w.c.unique_name = true;
    refuses(x, fixture_write(x, do_update, &w), CODE_ALREADY_EXISTS, "name_taken");
}

static void an_id_is_unique_within_kind_and_space(void **state)
{
    struct fixture *x = *state;
    struct change w = {.c = add(x, COLLECTOR_CAPTURE, "c1", "")};

    refuses(x, fixture_write(x, do_create, &w), CODE_ALREADY_EXISTS, "id_taken");
    w.c.space = STR("app-2");
    assert_int_equal(fixture_write(x, do_create, &w), 0);
    w.c.space = STR("");
    w.c.kind = COLLECTOR_AGENT;
    assert_int_equal(fixture_write(x, do_create, &w), 0);
}

static void an_update_replaces_and_counts_up(void **state)
{
    struct fixture *x = *state;
    struct change w = {.c = add(x, COLLECTOR_HOSTED, "", "one")};

    clock_advance(x->clock, 1000);
    w.c.name = STR("two");
    w.c.body = STR("new");
    assert_int_equal(fixture_write(x, do_update, &w), 0);

    struct collector c = get(x, w.c.id);

    assert_int_equal(c.revision, 2);
    assert_int_equal(c.created_us, FIXTURE_START_US);
    assert_int_equal(c.updated_us, FIXTURE_START_US + 1000);
    assert_true(str_eq(c.name, STR("two")));
    assert_true(str_eq(c.body, STR("new")));
    add(x, COLLECTOR_HOSTED, "", "one"); /* the old name is free */
}

static void an_update_of_an_old_revision_is_refused(void **state)
{
    struct fixture *x = *state;
    struct change w = {.c = add(x, COLLECTOR_HOSTED, "", "one")};
    struct change old = w;

    assert_int_equal(fixture_write(x, do_update, &w), 0);
    old.c.body = STR("lost");
    refuses(x, fixture_write(x, do_update, &old), CODE_ABORTED, "revision_mismatch");
    old.tenant = x->tenant.id;
    old.id = w.c.id;
    old.revision = 1;
    refuses(x, fixture_write(x, do_delete, &old), CODE_ABORTED, "revision_mismatch");
    old.c.revision = 0;
    assert_int_equal(fixture_write(x, do_update, &old), 0);
    assert_int_equal(get(x, w.c.id).revision, 3);
}

static void a_rename_to_a_taken_name_is_refused_and_to_its_own_is_fine(void **state)
{
    struct fixture *x = *state;
    struct change w = {.c = add(x, COLLECTOR_HOSTED, "", "one")};

    add(x, COLLECTOR_HOSTED, "", "two");
    assert_int_equal(fixture_write(x, do_update, &w), 0);
    w.c.name = STR("two");
    refuses(x, fixture_write(x, do_update, &w), CODE_ALREADY_EXISTS, "name_taken");
    assert_true(str_eq(get(x, w.c.id).name, STR("one")));
}

static void what_is_too_long_is_refused(void **state)
{
    struct fixture *x = *state;
    struct change w = {.c = {.tenant = x->tenant.id, .kind = COLLECTOR_HOSTED}};
    char *bytes = arena_alloc(x->arena, COLLECTOR_BODY_MAX + 1);

    w.c.name = str_make(bytes, COLLECTOR_NAME_MAX + 1);
    refuses(x, fixture_write(x, do_create, &w), CODE_INVALID_ARGUMENT, "bad_name");
    w.c.name = STR("");
    w.c.ext_id = str_make(bytes, COLLECTOR_EXT_ID_MAX + 1);
    refuses(x, fixture_write(x, do_create, &w), CODE_INVALID_ARGUMENT, "bad_id");
    w.c.ext_id = STR("");
    w.c.body = str_make(bytes, COLLECTOR_BODY_MAX + 1);
    refuses(x, fixture_write(x, do_create, &w), CODE_INVALID_ARGUMENT, "too_large");
    w.c.body = str_make(bytes, COLLECTOR_BODY_MAX);
    assert_int_equal(fixture_write(x, do_create, &w), 0);
    assert_int_equal(get(x, w.c.id).body.len, COLLECTOR_BODY_MAX);
}

static void lists_page_by_cursor_and_by_offset_in_every_order(void **state)
{
    struct fixture *x = *state;
    static const char *const given[] = {"d", "a", "c", "b", "e"};
    int64_t ids[COUNTOF(given)];
    int64_t total = 0;

    for (size_t i = 0; i < COUNTOF(given); i++)
        ids[i] = add(x, i == 4 ? COLLECTOR_AGENT : COLLECTOR_HOSTED, given[i], given[i]).id;

    uint32_t hosted = 1u << COLLECTOR_HOSTED;
    uint32_t both = hosted | 1u << COLLECTOR_AGENT;

    assert_string_equal(names(x, &(struct collector_filter){0}, &total), "d a c b e");
    assert_int_equal(total, 5);
    assert_string_equal(names(x, &(struct collector_filter){.kinds = hosted}, &total), "d a c b");
    assert_int_equal(total, 4);
    assert_string_equal(
        names(x, &(struct collector_filter){.kinds = both, .offset = 1, .limit = 2}, &total),
        "a c");
    assert_int_equal(total, 5);
    assert_string_equal(names(x, &(struct collector_filter){.after_id = ids[1], .limit = 2}, NULL),
                        "c b");
    assert_string_equal(names(x, &(struct collector_filter){.order = COLLECTOR_BY_ID_DESC}, NULL),
                        "e b c a d");
    assert_string_equal(names(x,
                              &(struct collector_filter){.order = COLLECTOR_BY_ID_DESC,
                                                         .kinds = hosted,
                                                         .after_id = ids[2]},
                              NULL),
                        "a d");
    assert_string_equal(names(x, &(struct collector_filter){.order = COLLECTOR_BY_NAME}, NULL),
                        "a b c d e");
    assert_string_equal(names(x,
                              &(struct collector_filter){.order = COLLECTOR_BY_NAME,
                                                         .kinds = hosted,
                                                         .after_name = STR("b"),
                                                         .after_id = ids[3]},
                              NULL),
                        "c d");
    assert_string_equal(names(x,
                              &(struct collector_filter){.order = COLLECTOR_BY_NAME,
                                                         .kinds = 1u << COLLECTOR_AGENT},
                              NULL),
                        "e");
    assert_string_equal(names(x, &(struct collector_filter){.offset = 100}, &total), "");
    assert_int_equal(total, 5);
}

static void filters_narrow_a_list(void **state)
{
    struct fixture *x = *state;
    struct change w = {.c = {.tenant = x->tenant.id, .kind = COLLECTOR_AGENT}};
    const struct label os = {STR("os"), STR("linux")};
    const struct label wrong = {STR("os"), STR("plan9")};
    struct str space = STR("app");
    struct str name = STR("web-1");

    add(x, COLLECTOR_AGENT, "a", "db-1");
    w.c.name = name;
    w.c.space = space;
    w.c.last_seen_us = 5000;
    assert_int_equal(labels_encode(x->arena, (struct label[]){{STR("zone"), STR("")}, os}, 2,
                                   &w.c.labels, &x->fail),
                     0);
    assert_int_equal(fixture_write(x, do_create, &w), 0);

    const struct collector_filter hits[] = {
        {.space = &space},           {.name = &name},
        {.name_prefix = STR("web")}, {.labels = &os, .label_count = 1},
        {.seen_since_us = 5000},
    };
    const struct collector_filter misses[] = {
        {.labels = &wrong, .label_count = 1},
        {.seen_since_us = 5001},
        {.seen_since_us = 1, .seen_before_us = 5000},
        {.name_prefix = STR("web-11")},
        {.kinds = 1u << COLLECTOR_PLUGIN},
    };

    for (size_t i = 0; i < COUNTOF(hits); i++)
        assert_string_equal(names(x, &hits[i], NULL), "web-1");
    for (size_t i = 0; i < COUNTOF(misses); i++)
        assert_string_equal(names(x, &misses[i], NULL), "");
    assert_string_equal(names(x, &(struct collector_filter){.seen_before_us = 5000}, NULL), "db-1");
}

static void labels_come_back_sorted_and_bad_ones_are_refused(void **state)
{
    struct fixture *x = *state;
    const struct label given[] = {{STR("b"), STR("2")}, {STR("a"), STR("")}};
    const struct label twice[] = {{STR("b"), STR("2")}, {STR("b"), STR("3")}};
    const struct label empty[] = {{STR(""), STR("2")}};
    struct label *back;
    struct str bytes;
    struct str value;
    size_t n;

    assert_int_equal(labels_encode(x->arena, given, 2, &bytes, &x->fail), 0);
    assert_int_equal(labels_decode(x->arena, bytes, &back, &n), 0);
    assert_int_equal(n, 2);
    assert_true(str_eq(back[0].key, STR("a")));
    assert_true(str_eq(back[1].value, STR("2")));
    assert_true(labels_find(bytes, STR("b"), &value));
    assert_true(str_eq(value, STR("2")));
    assert_false(labels_find(bytes, STR("c"), &value));

    for (size_t i = 1; i < bytes.len; i++) {
        if (i != 5) /* where the first pair ends */
            assert_int_equal(labels_decode(x->arena, str_first(bytes, i), &back, &n), -1);
    }
    refuses(x, labels_encode(x->arena, twice, 2, &bytes, &x->fail), CODE_INVALID_ARGUMENT,
            "bad_labels");
    refuses(x, labels_encode(x->arena, empty, 1, &bytes, &x->fail), CODE_INVALID_ARGUMENT,
            "bad_labels");
    assert_int_equal(labels_encode(x->arena, NULL, 0, &bytes, &x->fail), 0);
    assert_int_equal(bytes.len, 0);
}

static void being_seen_changes_no_revision_and_never_goes_back(void **state)
{
    struct fixture *x = *state;
    struct collector c = add(x, COLLECTOR_AGENT, "a", "one");
    struct change w = {.tenant = x->tenant.id, .id = c.id, .revision = 2000};

    assert_int_equal(fixture_write(x, do_seen, &w), 0);
    w.revision = 1000;
    assert_int_equal(fixture_write(x, do_seen, &w), 0);
    c = get(x, c.id);
    assert_int_equal(c.last_seen_us, 2000);
    assert_int_equal(c.revision, 1);
}

static void of_two_times_seen_the_later_counts_everywhere(void **state)
{
    struct fixture *x = *state;
    struct change w = {.c = add(x, COLLECTOR_HOSTED, "", "one"), .tenant = x->tenant.id};

    w.id = w.c.id;
    w.c.last_seen_us = 3000;
    assert_int_equal(fixture_write(x, do_update, &w), 0);
    w.revision = 2000;
    assert_int_equal(fixture_write(x, do_seen, &w), 0);
    assert_int_equal(get(x, w.id).last_seen_us, 3000);
    w.revision = 4000;
    assert_int_equal(fixture_write(x, do_seen, &w), 0);
    assert_int_equal(get(x, w.id).last_seen_us, 4000);
    w.c.last_seen_us = 0;
    assert_int_equal(fixture_write(x, do_update, &w), 0);
    assert_int_equal(get(x, w.id).last_seen_us, 4000);
    w.c.last_seen_us = 5000;
    assert_int_equal(fixture_write(x, do_update, &w), 0);
    assert_int_equal(get(x, w.id).last_seen_us, 5000);
    assert_string_equal(names(x, &(struct collector_filter){.seen_since_us = 5000}, NULL), "one");
    w.revision = 6000;
    assert_int_equal(fixture_write(x, do_seen, &w), 0);
    assert_string_equal(names(x, &(struct collector_filter){.seen_since_us = 6000}, NULL), "one");
    assert_string_equal(names(x, &(struct collector_filter){.seen_before_us = 6000}, NULL), "");
    fixture_assert_clean(x);
}

static void liveness_goes_with_its_collector_and_is_not_made_for_others(void **state)
{
    struct fixture *x = *state;
    struct change w = {.c = add(x, COLLECTOR_HOSTED, "", "one"), .tenant = x->tenant.id};
    struct change gone = {.tenant = x->tenant.id, .id = w.c.id, .revision = 0};

    w.id = w.c.id;
    w.revision = 1000;
    assert_int_equal(fixture_write(x, do_seen, &w), 0);
    assert_int_equal(fixture_write(x, do_delete, &gone), 0);
    assert_int_equal(fixture_write(x, do_seen, &w), 0);
    fixture_assert_clean(x);
}

static void every_change_leaves_an_event_with_its_actor(void **state)
{
    struct fixture *x = *state;
    struct change w = {.c = add(x, COLLECTOR_HOSTED, "", "one"), .tenant = x->tenant.id};
    struct event *rows;
    size_t n;

    assert_int_equal(fixture_write(x, do_update, &w), 0);
    w.id = w.c.id;
    assert_int_equal(fixture_write(x, do_delete, &w), 0);

    struct store_tx *tx = fixture_read(x);

    assert_int_equal(event_list(tx, x->tenant.id, 0, 100, &rows, &n, &x->fail), 0);
    assert_int_equal(n, 4);
    assert_true(str_eq(rows[1].kind, STR("collector.created")));
    assert_true(str_eq(rows[2].kind, STR("collector.updated")));
    assert_true(str_eq(rows[3].kind, STR("collector.deleted")));
    assert_true(str_eq(rows[1].actor, STR("0key")));
    assert_true(
        str_eq(rows[1].data,
               arena_printf(x->arena,
                            "{\"kind\":\"hosted\",\"id\":\"%lld\",\"name\":\"one\",\"revision\":1}",
                            (long long)w.id)));
    assert_true(rows[0].seq < rows[1].seq && rows[1].seq < rows[2].seq);

    int64_t after = rows[2].seq;

    assert_int_equal(event_list(tx, x->tenant.id, after, 100, &rows, &n, &x->fail), 0);
    assert_int_equal(n, 1);
    assert_int_equal(store_event_follow(tx, after, 100, &rows, &n, &x->fail), 0);
    assert_int_equal(n, 1);
    store_read_close(&tx);
}

static void old_events_are_pruned_oldest_first_and_bounded(void **state)
{
    struct fixture *x = *state;
    struct change w = {0};
    struct event *rows;
    size_t n;

    add(x, COLLECTOR_HOSTED, "", "one");
    add(x, COLLECTOR_HOSTED, "", "two");
    clock_advance(x->clock, 1000);
    add(x, COLLECTOR_HOSTED, "", "new");
    assert_int_equal(fixture_write(x, do_prune, &w), 0);
    assert_int_equal(w.id, 2);
    assert_int_equal(fixture_write(x, do_prune, &w), 0);
    assert_int_equal(w.id, 1);
    assert_int_equal(fixture_write(x, do_prune, &w), 0);
    assert_int_equal(w.id, 0);

    struct store_tx *tx = fixture_read(x);

    assert_int_equal(event_list(tx, x->tenant.id, 0, 100, &rows, &n, &x->fail), 0);
    assert_int_equal(n, 1);
    store_read_close(&tx);
    fixture_assert_clean(x);
}

static bool count_row(void *arg, const struct collector *c)
{
    assert_int_equal(c->kind, COLLECTOR_AGENT);
    return ++*(int *)arg < 2;
}

static void load_gives_rows_of_the_kinds_asked_for_until_told_to_stop(void **state)
{
    struct fixture *x = *state;
    int n = 0;

    add(x, COLLECTOR_PLUGIN, "p", "");
    add(x, COLLECTOR_AGENT, "a", "");
    add(x, COLLECTOR_AGENT, "b", "");
    add(x, COLLECTOR_AGENT, "c", "");

    struct store_tx *tx = fixture_read(x);

    assert_int_equal(store_collector_load(tx, 1u << COLLECTOR_AGENT, count_row, &n, &x->fail), 0);
    assert_int_equal(n, 2);
    store_read_close(&tx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(what_was_created_can_be_found_in_every_way),
        FIXTURE_TEST(another_tenant_sees_nothing),
        FIXTURE_TEST(without_an_id_of_its_own_the_number_serves),
        FIXTURE_TEST(names_are_shared_by_agents_and_hosted_and_apart_from_other_kinds),
        FIXTURE_TEST(a_name_may_be_shared_where_uniqueness_is_not_asked_for),
        FIXTURE_TEST(an_id_is_unique_within_kind_and_space),
        FIXTURE_TEST(an_update_replaces_and_counts_up),
        FIXTURE_TEST(an_update_of_an_old_revision_is_refused),
        FIXTURE_TEST(a_rename_to_a_taken_name_is_refused_and_to_its_own_is_fine),
        FIXTURE_TEST(what_is_too_long_is_refused),
        FIXTURE_TEST(lists_page_by_cursor_and_by_offset_in_every_order),
        FIXTURE_TEST(filters_narrow_a_list),
        FIXTURE_TEST(labels_come_back_sorted_and_bad_ones_are_refused),
        FIXTURE_TEST(being_seen_changes_no_revision_and_never_goes_back),
        FIXTURE_TEST(of_two_times_seen_the_later_counts_everywhere),
        FIXTURE_TEST(liveness_goes_with_its_collector_and_is_not_made_for_others),
        FIXTURE_TEST(every_change_leaves_an_event_with_its_actor),
        FIXTURE_TEST(old_events_are_pruned_oldest_first_and_bounded),
        FIXTURE_TEST(load_gives_rows_of_the_kinds_asked_for_until_told_to_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
