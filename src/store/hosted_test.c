/* SPDX-License-Identifier: Apache-2.0 */
/* Hosted collectors on a real store, and agents that have what hosted collectors have: a name of
 * their own, a profile. */
#include "store/agent_fixture.h"

#include "core/hosted.h"
#include "core/source.h"

#define SECOND INT64_C(1000000)

struct hosted_call {
    struct hosted hosted;
    int64_t id;
};

static int do_create(struct store_tx *tx, void *arg, struct fail *f)
{
    return hosted_create(tx, NULL, &((struct hosted_call *)arg)->hosted, f);
}

static int do_update(struct store_tx *tx, void *arg, struct fail *f)
{
    return hosted_update(tx, NULL, &((struct hosted_call *)arg)->hosted, f);
}

static int do_delete(struct store_tx *tx, void *arg, struct fail *f)
{
    const struct hosted_call *c = arg;

    return collector_delete(tx, NULL, c->hosted.row.tenant, c->id, 0, f);
}

static int do_source(struct store_tx *tx, void *arg, struct fail *f)
{
    return source_create(tx, NULL, arg, f);
}

static int do_return(struct store_tx *tx, void *arg, struct fail *f)
{
    struct agent_call *c = arg;

    return agent_return(tx, NULL, NULL, c->tenant, c->agent.row.id, f);
}

static void refuses(struct fixture *x, int result, enum code code, const char *reason)
{
    assert_int_equal(result, -1);
    assert_int_equal(x->fail.code, code);
    assert_non_null(x->fail.reason);
    assert_string_equal(x->fail.reason, reason);
}

static struct hosted_call named(struct fixture *x, const char *name)
{
    return (struct hosted_call){.hosted = {.row = {.tenant = x->tenant.id, .name = str_of(name)}}};
}

static struct hosted_call created(struct fixture *x, const char *name)
{
    struct hosted_call c = named(x, name);

    assert_int_equal(fixture_write(x, do_create, &c), 0);
    c.id = c.hosted.row.id;
    return c;
}

static int find(struct fixture *x, int64_t id, struct hosted *out)
{
    struct store_tx *tx = fixture_read(x);
    int r = hosted_get(tx, x->tenant.id, id, out, &x->fail);

    store_read_close(&tx);
    return r;
}

static struct hosted read_back(struct fixture *x, int64_t id)
{
    struct hosted h = {0};

    assert_int_equal(find(x, id, &h), 0);
    return h;
}

static const struct profile full = {
    .description = STR_INIT(""),
    .category = STR_INIT("prod/web"),
    .time_zone = STR_INIT("Etc/UTC"),
    .cutoff_ms = INT64_C(1790000000000),
};

/* ---- hosted collectors ---- */

static void what_is_created_is_read_back(void **state)
{
    struct fixture *x = *state;
    struct hosted_call c = named(x, "in");
    struct hosted got;

    c.hosted.profile = full;
    c.hosted.fields = AGENT_ATTRIBUTES(x, "team=a", "_budget=42");
    assert_int_equal(fixture_write(x, do_create, &c), 0);
    assert_true(c.hosted.row.id > 0);
    got = read_back(x, c.hosted.row.id);
    assert_int_equal(got.row.kind, COLLECTOR_HOSTED);
    assert_true(got.row.unique_name);
    assert_true(str_eq(got.row.name, STR("in")));
    assert_true(profile_equal(&got.profile, &full));
    assert_non_null(got.profile.description.p); /* empty is not absent */
    assert_null(got.profile.host_name.p);
    agent_assert_attributes(&got.fields, AGENT_ATTRIBUTES(x, "_budget=42", "team=a"));
    fixture_assert_clean(x);
}

static void a_profile_survives_only_what_was_said(void **state)
{
    struct fixture *x = *state;
    struct hosted_call c = created(x, "in");
    struct hosted got = read_back(x, c.id);

    assert_true(profile_is_empty(&got.profile));
    assert_int_equal(got.fields.count, 0);
    assert_int_equal(got.row.body.len, 0);
}

static void an_update_replaces_all_words(void **state)
{
    struct fixture *x = *state;
    struct hosted_call c = named(x, "in");
    struct hosted got;

    c.hosted.profile = full;
    c.hosted.fields = AGENT_ATTRIBUTES(x, "team=a");
    assert_int_equal(fixture_write(x, do_create, &c), 0);
    clock_advance(x->clock, SECOND);
    c.hosted.row.name = STR("out");
    c.hosted.profile = (struct profile){.host_name = STR("web-01")};
    c.hosted.fields = AGENT_ATTRIBUTES(x, "team=b", "a=1");
    assert_int_equal(fixture_write(x, do_update, &c), 0);
    got = read_back(x, c.hosted.row.id);
    assert_true(str_eq(got.row.name, STR("out")));
    assert_null(got.profile.category.p);
    assert_null(got.profile.description.p);
    assert_true(str_eq(got.profile.host_name, STR("web-01")));
    assert_int_equal(got.profile.cutoff_ms, 0);
    agent_assert_attributes(&got.fields, AGENT_ATTRIBUTES(x, "a=1", "team=b"));
    assert_int_equal(got.row.revision, 2);
    assert_int_equal(got.row.updated_us, FIXTURE_START_US + SECOND);
}

static void an_update_that_changes_nothing_writes_nothing(void **state)
{
    struct fixture *x = *state;
    struct hosted_call c = named(x, "in");
    size_t before;
    size_t after;

    c.hosted.profile = full;
    c.hosted.fields = AGENT_ATTRIBUTES(x, "b=2", "a=1");
    assert_int_equal(fixture_write(x, do_create, &c), 0);
    agent_last_event(x, &before);
    c.hosted.fields = AGENT_ATTRIBUTES(x, "b=2", "a=1");
    assert_int_equal(fixture_write(x, do_update, &c), 0);
    assert_int_equal(c.hosted.row.revision, 1);
    agent_last_event(x, &after);
    assert_int_equal(before, after);

    /* Absent and empty are two things. */
    c.hosted.profile.description = (struct str){NULL, 0};
    assert_int_equal(fixture_write(x, do_update, &c), 0);
    assert_int_equal(c.hosted.row.revision, 2);
}

static void an_update_of_an_old_revision_is_refused(void **state)
{
    struct fixture *x = *state;
    struct hosted_call c = created(x, "in");
    struct hosted_call late = c;

    c.hosted.profile.category = STR("a");
    assert_int_equal(fixture_write(x, do_update, &c), 0);
    late.hosted.profile.category = STR("b");
    refuses(x, fixture_write(x, do_update, &late), CODE_ABORTED, "revision_mismatch");
    late.hosted.row.revision = 0;
    assert_int_equal(fixture_write(x, do_update, &late), 0);
}

static void names_are_their_own(void **state)
{
    struct fixture *x = *state;
    struct hosted_call one = created(x, "one");
    struct hosted_call two = created(x, "two");
    struct hosted_call again = named(x, "one");

    refuses(x, fixture_write(x, do_create, &again), CODE_ALREADY_EXISTS, "name_taken");
    two.hosted.row.name = STR("one");
    refuses(x, fixture_write(x, do_update, &two), CODE_ALREADY_EXISTS, "name_taken");
    one.hosted.profile.category = STR("c"); /* its own name is no obstacle */
    assert_int_equal(fixture_write(x, do_update, &one), 0);
}

static void what_does_not_fit_is_refused(void **state)
{
    struct fixture *x = *state;
    struct hosted_call c = named(x, "");
    char *long_text = arena_alloc(x->arena, 2000);

    memset(long_text, 'x', 2000);
    refuses(x, fixture_write(x, do_create, &c), CODE_INVALID_ARGUMENT, "bad_name");
    c.hosted.row.name = str_make(long_text, AGENT_NAME_CHARS_MAX + 1);
    refuses(x, fixture_write(x, do_create, &c), CODE_INVALID_ARGUMENT, "bad_name");
    c.hosted.row.name = STR("\xff");
    refuses(x, fixture_write(x, do_create, &c), CODE_INVALID_ARGUMENT, "bad_name");
    c.hosted.row.name = str_make(long_text, AGENT_NAME_CHARS_MAX);
    c.hosted.profile.host_name = str_make(long_text, PROFILE_TEXT_CHARS_MAX + 1);
    refuses(x, fixture_write(x, do_create, &c), CODE_INVALID_ARGUMENT, "bad_profile");
    c.hosted.profile.host_name = str_make(long_text, PROFILE_TEXT_CHARS_MAX);
    c.hosted.profile.cutoff_ms = -1;
    refuses(x, fixture_write(x, do_create, &c), CODE_INVALID_ARGUMENT, "bad_profile");
    c.hosted.profile.cutoff_ms = 0;
    c.hosted.fields = AGENT_ATTRIBUTES(x, "collector.os=mine");
    refuses(x, fixture_write(x, do_create, &c), CODE_INVALID_ARGUMENT, "reserved_attribute");
    c.hosted.fields = (struct attributes){
        &(struct label){str_make(long_text, AGENT_FIELD_KEY_MAX + 1), STR("v")}, 1};
    refuses(x, fixture_write(x, do_create, &c), CODE_INVALID_ARGUMENT, "bad_attributes");
    c.hosted.fields.items[0] = (struct label){str_make(long_text, AGENT_FIELD_KEY_MAX),
                                              str_make(long_text, AGENT_FIELD_VALUE_MAX)};
    assert_int_equal(fixture_write(x, do_create, &c), 0);
}

static void names_are_counted_in_characters(void **state)
{
    struct fixture *x = *state;
    struct hosted_call c = named(x, "");
    char *name = arena_alloc(x->arena, 3 * AGENT_NAME_CHARS_MAX);

    for (size_t i = 0; i < AGENT_NAME_CHARS_MAX; i++)
        memcpy(name + 3 * i, "\xe2\x82\xac", 3);
    c.hosted.row.name = str_make(name, 3 * AGENT_NAME_CHARS_MAX);
    assert_int_equal(fixture_write(x, do_create, &c), 0);
    c.hosted.profile.category = STR("c");
    assert_int_equal(fixture_write(x, do_update, &c), 0);
}

static void only_hosted_collectors_are_found(void **state)
{
    struct fixture *x = *state;
    struct agent_call a = agent_registration(x, "a", "n", (struct attributes){0});
    struct hosted h;

    assert_int_equal(fixture_write(x, agent_do_report, &a), 0);
    refuses(x, find(x, agent_read(x, "a").row.id, &h), CODE_NOT_FOUND, "no_such_collector");
    refuses(x, find(x, 999999, &h), CODE_NOT_FOUND, "no_such_collector");
}

static void sources_go_with_their_collector(void **state)
{
    struct fixture *x = *state;
    struct hosted_call c = created(x, "in");
    struct source src = {.tenant = x->tenant.id,
                         .collector = c.id,
                         .name = STR("s"),
                         .type = STR("HTTP"),
                         .body = STR("{}")};
    struct store_tx *tx;
    struct source got;

    assert_int_equal(fixture_write(x, do_source, &src), 0);
    assert_int_equal(fixture_write(x, do_delete, &c), 0);
    tx = fixture_read(x);
    assert_int_equal(source_get(tx, x->tenant.id, c.id, src.id, &got, &x->fail), -1);
    store_read_close(&tx);
    refuses(x, fixture_write(x, do_delete, &c), CODE_NOT_FOUND, "no_such_collector");
    fixture_assert_clean(x);
}

static void a_row_that_cannot_be_read_is_told_as_lost(void **state)
{
    struct fixture *x = *state;
    struct collector row = {.kind = COLLECTOR_HOSTED, .body = STR("\xff\xff")};
    struct hosted h;

    assert_int_equal(hosted_decode(x->arena, &row, &h, &x->fail), -1);
    assert_int_equal(x->fail.code, CODE_DATA_LOSS);
    row = (struct collector){.kind = COLLECTOR_HOSTED, .labels = STR("x")};
    assert_int_equal(hosted_decode(x->arena, &row, &h, &x->fail), -1);
    assert_int_equal(x->fail.code, CODE_DATA_LOSS);
}

/* ---- agents beside them ---- */

static struct agent_call enrolled(struct fixture *x, const char *name)
{
    return (struct agent_call){
        .tenant = x->tenant.id,
        .agent = {.row = {.tenant = x->tenant.id, .name = str_of(name), .unique_name = true},
                  .type = AGENT_OTEL,
                  .enabled = true,
                  .registered = true},
    };
}

static void an_agent_is_made_registered_with_all_its_words(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = enrolled(x, "web-01");
    struct agent got;
    size_t n;

    c.agent.local = AGENT_ATTRIBUTES(x, "host.name=node", "collector.os=linux");
    c.agent.remote = AGENT_ATTRIBUTES(x, "team=a");
    c.agent.profile = full;
    c.agent.ephemeral = true;
    c.agent.target_cpu = 50;
    c.agent.sources_local = true;
    assert_int_equal(fixture_write(x, agent_do_create, &c), 0);
    assert_true(
        str_eq(c.agent.row.ext_id, arena_printf(x->arena, "%lld", (long long)c.agent.row.id)));
    got = agent_read(x, arena_cstr(x->arena, c.agent.row.ext_id));
    assert_int_equal(got.type, AGENT_OTEL);
    assert_true(got.registered);
    assert_int_equal(got.row.last_seen_us, FIXTURE_START_US);
    assert_true(profile_equal(&got.profile, &full));
    assert_true(got.ephemeral);
    assert_int_equal(got.target_cpu, 50);
    assert_true(got.sources_local);
    agent_assert_attributes(&got.local,
                            AGENT_ATTRIBUTES(x, "collector.os=linux", "host.name=node"));
    assert_string_equal(agent_last_event(x, &n), "agent.registered");
    fixture_assert_clean(x);
}

/* Whoever took the number as its id first cannot keep others out. */
static void a_number_that_somebody_took_as_its_id_is_no_obstacle(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = enrolled(x, "one");
    struct agent_call second = enrolled(x, "two");

    assert_int_equal(fixture_write(x, agent_do_create, &c), 0);
    for (int64_t i = 1; i <= 4; i++) { /* ids that the ones behind these will want */
        int64_t wanted = c.agent.row.id + 4 + i;
        struct str id = arena_printf(x->arena, "%lld", (long long)wanted);
        struct agent_call squatter =
            agent_registration(x, arena_cstr(x->arena, id), "n", (struct attributes){0});

        assert_int_equal(fixture_write(x, agent_do_report, &squatter), 0);
    }
    for (int i = 0; i < 4; i++) {
        second = enrolled(x, arena_cstr(x->arena, arena_printf(x->arena, "two-%d", i)));
        assert_int_equal(fixture_write(x, agent_do_create, &second), 0);
        assert_true(
            str_starts_with(second.agent.row.ext_id,
                            arena_printf(x->arena, "%lld-", (long long)second.agent.row.id)));
    }
}

static void names_are_shared_by_both_kinds(void **state)
{
    struct fixture *x = *state;
    struct hosted_call h = created(x, "in");
    struct agent_call c = enrolled(x, "in");
    struct agent_call loose = agent_registration(x, "alloy", "in", (struct attributes){0});

    refuses(x, fixture_write(x, agent_do_create, &c), CODE_ALREADY_EXISTS, "name_taken");
    c = enrolled(x, "web");
    assert_int_equal(fixture_write(x, agent_do_create, &c), 0);
    h.hosted.row.name = STR("web");
    refuses(x, fixture_write(x, do_update, &h), CODE_ALREADY_EXISTS, "name_taken");
    c.agent.row.name = STR("in");
    refuses(x, fixture_write(x, agent_do_update, &c), CODE_ALREADY_EXISTS, "name_taken");

    /* Names of agents that nobody manages are not unique. */
    assert_int_equal(fixture_write(x, agent_do_report, &loose), 0);
    loose.agent = agent_read(x, "alloy");
    loose.agent.row.unique_name = true;
    refuses(x, fixture_write(x, agent_do_update, &loose), CODE_ALREADY_EXISTS, "name_taken");
    loose.agent.row.name = STR("alloy-1");
    assert_int_equal(fixture_write(x, agent_do_update, &loose), 0);
    assert_true(agent_read(x, "alloy").row.unique_name);
}

static void a_name_of_its_own_stays_whatever_the_agent_reports(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = enrolled(x, "web");
    struct agent_call said;
    const char *id;

    created(x, "in");
    assert_int_equal(fixture_write(x, agent_do_create, &c), 0);
    id = arena_cstr(x->arena, c.agent.row.ext_id);
    said = agent_registration(x, id, "in", AGENT_ATTRIBUTES(x, "os=linux"));
    assert_int_equal(fixture_write(x, agent_do_report, &said), 0);
    assert_true(str_eq(agent_read(x, id).row.name, STR("web")));
    assert_int_equal(agent_read(x, id).local.count, 1);
}

static void managers_words_are_written_and_compared(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = agent_registration(x, "a", "n", AGENT_ATTRIBUTES(x, "os=linux"));
    struct agent_call again = c;

    assert_int_equal(fixture_write(x, agent_do_report, &c), 0);
    c.agent = agent_read(x, "a");
    assert_int_equal(fixture_write(x, agent_do_update, &c), 0);
    assert_int_equal(c.agent.row.revision, 1);
    c.agent.profile.description = STR("");
    assert_int_equal(fixture_write(x, agent_do_update, &c), 0);
    c.agent.ephemeral = true;
    assert_int_equal(fixture_write(x, agent_do_update, &c), 0);
    c.agent.target_cpu = 10;
    assert_int_equal(fixture_write(x, agent_do_update, &c), 0);
    c.agent.sources_local = true;
    assert_int_equal(fixture_write(x, agent_do_update, &c), 0);
    c.agent.local = AGENT_ATTRIBUTES(x, "os=bsd");
    assert_int_equal(fixture_write(x, agent_do_update, &c), 0);
    assert_int_equal(c.agent.row.revision, 6);

    /* Its reports leave them alone. */
    assert_int_equal(fixture_write(x, agent_do_report, &again), 0);
    c.agent = agent_read(x, "a");
    assert_non_null(c.agent.profile.description.p);
    assert_true(c.agent.ephemeral && c.agent.sources_local);
    assert_int_equal(c.agent.target_cpu, 10);
    agent_assert_attributes(&c.agent.local, AGENT_ATTRIBUTES(x, "os=linux"));
    c.agent.target_cpu = 101;
    refuses(x, fixture_write(x, agent_do_update, &c), CODE_INVALID_ARGUMENT, "bad_target_cpu");
}

static void an_agent_comes_back_by_its_number(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = agent_registration(x, "a", "n", (struct attributes){0});
    struct agent_call hosted = {.tenant = x->tenant.id};
    size_t n;

    assert_int_equal(fixture_write(x, agent_do_report, &c), 0);
    assert_int_equal(fixture_write(x, agent_do_leave, &c), 0);
    c.agent = agent_read(x, "a");
    assert_int_not_equal(c.agent.inactive_us, 0);
    clock_advance(x->clock, SECOND);
    assert_int_equal(fixture_write(x, do_return, &c), 0);
    assert_int_equal(agent_read(x, "a").inactive_us, 0);
    assert_int_equal(agent_read(x, "a").row.last_seen_us, FIXTURE_START_US + SECOND);
    assert_string_equal(agent_last_event(x, &n), "agent.returned");

    int64_t revision = agent_read(x, "a").row.revision;

    assert_int_equal(fixture_write(x, do_return, &c), 0);
    assert_int_equal(agent_read(x, "a").row.revision, revision);
    hosted.agent.row.id = created(x, "in").id;
    refuses(x, fixture_write(x, do_return, &hosted), CODE_NOT_FOUND, "no_such_agent");
    hosted.agent.row.id = 999999;
    refuses(x, fixture_write(x, do_return, &hosted), CODE_NOT_FOUND, "no_such_agent");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(what_is_created_is_read_back),
        FIXTURE_TEST(a_profile_survives_only_what_was_said),
        FIXTURE_TEST(an_update_replaces_all_words),
        FIXTURE_TEST(an_update_that_changes_nothing_writes_nothing),
        FIXTURE_TEST(an_update_of_an_old_revision_is_refused),
        FIXTURE_TEST(names_are_their_own),
        FIXTURE_TEST(what_does_not_fit_is_refused),
        FIXTURE_TEST(names_are_counted_in_characters),
        FIXTURE_TEST(only_hosted_collectors_are_found),
        FIXTURE_TEST(sources_go_with_their_collector),
        FIXTURE_TEST(a_row_that_cannot_be_read_is_told_as_lost),
        FIXTURE_TEST(an_agent_is_made_registered_with_all_its_words),
        FIXTURE_TEST(a_number_that_somebody_took_as_its_id_is_no_obstacle),
        FIXTURE_TEST(names_are_shared_by_both_kinds),
        FIXTURE_TEST(a_name_of_its_own_stays_whatever_the_agent_reports),
        FIXTURE_TEST(managers_words_are_written_and_compared),
        FIXTURE_TEST(an_agent_comes_back_by_its_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
