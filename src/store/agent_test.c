/* SPDX-License-Identifier: Apache-2.0 */
/* Agents as rows, on a real store: what they report, what is made of it, and what is not written.
 */
#include "store/agent_fixture.h"

#include "core/registry.h"

#define SECOND INT64_C(1000000)

static void refuses(struct fixture *x, int result, enum code code, const char *reason)
{
    assert_int_equal(result, -1);
    assert_int_equal(x->fail.code, code);
    assert_non_null(x->fail.reason);
    assert_string_equal(x->fail.reason, reason);
}

static struct agent_call about(struct fixture *x, const char *id)
{
    return (struct agent_call){
        .tenant = x->tenant.id, .id = str_of(id), .report = {.id = str_of(id)}};
}

static void reports(struct fixture *x, struct agent_call *c, bool changes)
{
    assert_int_equal(fixture_write(x, agent_do_report, c), 0);
    assert_int_equal(c->changed, changes);
}

static void has_event(struct fixture *x, const char *kind, size_t count)
{
    size_t n;

    assert_string_equal(agent_last_event(x, &n), kind);
    assert_int_equal(n, count);
}

/* ---- Register ---- */

static void a_new_agent_is_registered_with_what_it_says(void **state)
{
    struct fixture *x = *state;
    struct attributes said =
        AGENT_ATTRIBUTES(x, "env=prod", "collector.os=linux", "collector.ID=liar", "collector.x=1");
    struct agent_call c = agent_registration(x, "a", "host a", said);

    reports(x, &c, true);

    struct agent a = agent_read(x, "a");

    assert_int_equal(a.type, AGENT_ALLOY);
    assert_true(a.enabled);
    assert_true(a.registered);
    assert_false(a.has_status);
    assert_int_equal(a.inactive_us, 0);
    assert_int_equal(a.row.revision, 1);
    assert_int_equal(a.row.created_us, FIXTURE_START_US);
    assert_int_equal(a.row.last_seen_us, FIXTURE_START_US);
    assert_false(a.row.unique_name);
    assert_true(str_eq(a.row.name, STR("host a")));
    assert_int_equal(a.remote.count, 0);
    agent_assert_attributes(&a.local,
                            AGENT_ATTRIBUTES(x, "env=prod", "collector.os=linux", "collector.x=1"));
    has_event(x, "agent.registered", 2);
    fixture_assert_clean(x);
}

static void two_agents_may_have_one_name(void **state)
{
    struct fixture *x = *state;
    struct agent_call a = agent_registration(x, "a", "same", (struct attributes){0});
    struct agent_call b = agent_registration(x, "b", "same", (struct attributes){0});

    reports(x, &a, true);
    reports(x, &b, true);
}

static void the_same_words_again_write_nothing(void **state)
{
    struct fixture *x = *state;
    struct attributes said = AGENT_ATTRIBUTES(x, "b=2", "a=1");
    struct attributes otherwise = AGENT_ATTRIBUTES(x, "a=1", "collector.ID=a", "b=2");
    struct agent_call c = agent_registration(x, "a", "n", said);
    struct agent_call again = agent_registration(x, "a", "n", otherwise);

    reports(x, &c, true);
    clock_advance(x->clock, SECOND);
    reports(x, &again, false);

    struct agent a = agent_read(x, "a");

    assert_int_equal(a.row.revision, 1);
    assert_int_equal(a.row.updated_us, FIXTURE_START_US);
    has_event(x, "agent.registered", 2);
}

static void other_words_replace_the_old_ones_and_leave_the_operators(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = agent_registration(x, "a", "n", AGENT_ATTRIBUTES(x, "a=1"));
    struct agent_call again = agent_registration(x, "a", "m", AGENT_ATTRIBUTES(x, "b=2"));

    reports(x, &c, true);
    c.agent = agent_read(x, "a");
    c.agent.remote = AGENT_ATTRIBUTES(x, "team=red");
    c.agent.enabled = false;
    assert_int_equal(fixture_write(x, agent_do_update, &c), 0);
    clock_advance(x->clock, SECOND);
    reports(x, &again, true);

    struct agent a = agent_read(x, "a");

    assert_int_equal(a.row.revision, 3);
    assert_int_equal(a.row.updated_us, FIXTURE_START_US + SECOND);
    assert_true(str_eq(a.row.name, STR("m")));
    assert_false(a.enabled);
    agent_assert_attributes(&a.local, AGENT_ATTRIBUTES(x, "b=2"));
    agent_assert_attributes(&a.remote, AGENT_ATTRIBUTES(x, "team=red"));
    has_event(x, "agent.updated", 4);
}

static void registering_what_was_created_keeps_type_remote_and_enabled(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = agent_registration(x, "a", "n", AGENT_ATTRIBUTES(x, "a=1"));

    c.agent = (struct agent){
        .row = {.tenant = x->tenant.id, .ext_id = STR("a"), .name = STR("made")},
        .type = AGENT_OTEL,
        .remote = AGENT_ATTRIBUTES(x, "team=red"),
    };
    assert_int_equal(fixture_write(x, agent_do_create, &c), 0);
    assert_int_equal(agent_read(x, "a").row.last_seen_us, 0);
    assert_false(agent_read(x, "a").registered);
    reports(x, &c, true);

    struct agent a = agent_read(x, "a");

    assert_true(a.registered);
    assert_int_equal(a.type, AGENT_OTEL);
    assert_false(a.enabled);
    agent_assert_attributes(&a.remote, AGENT_ATTRIBUTES(x, "team=red"));
    agent_assert_attributes(&a.local, AGENT_ATTRIBUTES(x, "a=1"));
    has_event(x, "agent.registered", 3);
}

static void a_poll_of_an_unknown_agent_registers_it_without_a_name(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = about(x, "a");

    c.report.has_local = true;
    c.report.local = AGENT_ATTRIBUTES(x, "a=1");
    c.report.type = AGENT_OTEL;
    reports(x, &c, true);

    struct agent a = agent_read(x, "a");

    assert_int_equal(a.type, AGENT_OTEL);
    assert_int_equal(a.row.name.len, 0);
    assert_true(a.enabled);
}

/* A poll that did not find its agent in memory, because the registration came to the lane together
 * with it. */
static void attributes_for_a_new_agent_leave_a_known_one_alone(void **state)
{
    struct fixture *x = *state;
    struct agent_call registration =
        agent_registration(x, "a", "name", AGENT_ATTRIBUTES(x, "a=1", "b=2"));
    struct agent_call poll = about(x, "a");

    reports(x, &registration, true);
    poll.report.has_local = true;
    poll.report.local_if_new = true;
    poll.report.returns = true;
    poll.report.local = AGENT_ATTRIBUTES(x, "a=3");
    reports(x, &poll, false);

    struct agent a = agent_read(x, "a");

    agent_assert_attributes(&a.local, AGENT_ATTRIBUTES(x, "a=1", "b=2"));
    poll.report.id = poll.id = STR("b");
    reports(x, &poll, true);
    a = agent_read(x, "b");
    agent_assert_attributes(&a.local, AGENT_ATTRIBUTES(x, "a=3"));
}

static void a_deleted_agent_comes_back_as_new(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = agent_registration(x, "a", "n", AGENT_ATTRIBUTES(x, "a=1"));

    reports(x, &c, true);
    c.agent = agent_read(x, "a");
    c.agent.remote = AGENT_ATTRIBUTES(x, "team=red");
    assert_int_equal(fixture_write(x, agent_do_update, &c), 0);
    assert_int_equal(fixture_write(x, agent_do_delete, &c), 0);
    has_event(x, "agent.deleted", 4);
    refuses(x, agent_find(x, "a", &c.agent), CODE_NOT_FOUND, "no_such_agent");
    refuses(x, fixture_write(x, agent_do_delete, &c), CODE_NOT_FOUND, "no_such_agent");
    reports(x, &c, true);
    assert_int_equal(agent_read(x, "a").remote.count, 0);
    assert_int_equal(agent_read(x, "a").row.revision, 1);
}

static void an_agent_of_no_tenant_is_not_registered(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = agent_registration(x, "a", "n", (struct attributes){0});

    c.tenant = 999;
    refuses(x, fixture_write(x, agent_do_report, &c), CODE_NOT_FOUND, "no_such_tenant");
}

/* ---- Leaving ---- */

static void leaving_keeps_the_record_and_registering_ends_it(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = agent_registration(x, "a", "n", AGENT_ATTRIBUTES(x, "a=1"));

    reports(x, &c, true);
    clock_advance(x->clock, SECOND);
    assert_int_equal(fixture_write(x, agent_do_leave, &c), 0);
    assert_int_equal(agent_read(x, "a").inactive_us, FIXTURE_START_US + SECOND);
    has_event(x, "agent.left", 3);
    clock_advance(x->clock, SECOND);
    assert_int_equal(fixture_write(x, agent_do_leave, &c), 0);
    assert_int_equal(agent_read(x, "a").inactive_us, FIXTURE_START_US + SECOND);
    has_event(x, "agent.left", 3);
    reports(x, &c, true);

    struct agent a = agent_read(x, "a");

    assert_int_equal(a.inactive_us, 0);
    assert_int_equal(a.row.updated_us, FIXTURE_START_US);
    assert_int_equal(a.row.last_seen_us, FIXTURE_START_US + 2 * SECOND);
    has_event(x, "agent.returned", 4);
}

static void a_poll_does_not_end_a_good_bye(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = agent_registration(x, "a", "n", (struct attributes){0});

    reports(x, &c, true);
    assert_int_equal(fixture_write(x, agent_do_leave, &c), 0);
    c.report.returns = false;
    reports(x, &c, false);
    assert_true(agent_read(x, "a").inactive_us > 0);
}

static void an_unknown_agent_may_leave(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = about(x, "nobody");

    assert_int_equal(fixture_write(x, agent_do_leave, &c), 0);
    refuses(x, agent_find(x, "nobody", &c.agent), CODE_NOT_FOUND, "no_such_agent");
}

/* ---- Status and effective configuration ---- */

static void says_status(struct fixture *x, const char *id, enum agent_status status,
                        const char *error, bool changes)
{
    struct agent_call c = about(x, id);

    c.report.has_status = true;
    c.report.status = status;
    c.report.status_error = str_of(error);
    reports(x, &c, changes);
}

static const char *text_of(struct fixture *x, const struct text_ref *ref)
{
    struct store_tx *tx = fixture_read(x);
    struct str text;

    assert_int_equal(agent_text(tx, x->tenant.id, ref, &text, &x->fail), 0);
    store_read_close(&tx);
    return arena_cstr(x->arena, text);
}

static void a_status_stays_until_another_is_told(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = agent_registration(x, "a", "n", (struct attributes){0});
    struct agent a;

    reports(x, &c, true);
    clock_advance(x->clock, SECOND);
    says_status(x, "a", AGENT_STATUS_FAILED, "line 1: no such thing", true);
    has_event(x, "agent.status", 3);
    a = agent_read(x, "a");
    assert_true(a.has_status);
    assert_int_equal(a.status, AGENT_STATUS_FAILED);
    assert_int_equal(a.status_us, FIXTURE_START_US + SECOND);
    assert_int_equal(a.row.updated_us, FIXTURE_START_US);
    assert_int_equal(a.row.revision, 2);
    assert_string_equal(text_of(x, &a.status_error), "line 1: no such thing");

    clock_advance(x->clock, SECOND);
    says_status(x, "a", AGENT_STATUS_FAILED, "line 1: no such thing", false);
    reports(x, &c, false);
    says_status(x, "a", AGENT_STATUS_FAILED, "line 2: neither", true);
    says_status(x, "a", AGENT_STATUS_APPLIED, "", true);
    a = agent_read(x, "a");
    assert_int_equal(a.status, AGENT_STATUS_APPLIED);
    assert_false(a.status_error.set);
    assert_string_equal(text_of(x, &a.status_error), "");
    says_status(x, "a", AGENT_STATUS_UNSET, "", true);
    a = agent_read(x, "a");
    assert_true(a.has_status);
    assert_int_equal(a.status, AGENT_STATUS_UNSET);
    fixture_assert_clean(x);
}

static void the_first_status_may_be_unset(void **state)
{
    struct fixture *x = *state;

    says_status(x, "a", AGENT_STATUS_UNSET, "", true);
    assert_true(agent_read(x, "a").has_status);
    says_status(x, "a", AGENT_STATUS_UNSET, "", false);
}

static int64_t texts(struct fixture *x)
{
    struct store_findings found;

    assert_int_equal(store_check(x->store, x->arena, &found, &x->fail), 0);
    for (size_t i = 0; i < found.count; i++)
        print_error("%s\n", found.lines[i]);
    assert_int_equal(found.count, 0);
    return found.texts;
}

static struct agent_call runs(struct fixture *x, const char *id, const char *config)
{
    struct agent_call c = about(x, id);

    c.report.has_effective_config = true;
    c.report.effective_config = str_of(config);
    return c;
}

static void equal_texts_are_kept_once(void **state)
{
    struct fixture *x = *state;
    struct agent_call c;

    for (int i = 0; i < 1000; i++) {
        c = runs(x, arena_cstr(x->arena, arena_printf(x->arena, "a%d", i)), "same everywhere");
        reports(x, &c, true);
    }
    assert_int_equal(texts(x), 1);
    c = runs(x, "a7", "something else");
    reports(x, &c, true);
    assert_int_equal(texts(x), 2);
    reports(x, &c, false);
    c = runs(x, "a7", "");
    reports(x, &c, true);
    assert_int_equal(texts(x), 1);
    for (int i = 0; i < 1000; i++) {
        c = about(x, arena_cstr(x->arena, arena_printf(x->arena, "a%d", i)));
        assert_int_equal(fixture_write(x, agent_do_delete, &c), 0);
    }
    assert_int_equal(texts(x), 0);
}

static void a_hash_made_before_counts_as_well(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = runs(x, "a", "big");

    c.report.effective_config_ref = text_ref_of(STR("big"));
    reports(x, &c, true);
    c.report.effective_config_ref = (struct text_ref){0};
    reports(x, &c, false);
    assert_int_equal(texts(x), 1);
}

static void an_absent_configuration_keeps_the_last_one(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = runs(x, "a", "mine");
    struct agent a;

    reports(x, &c, true);
    says_status(x, "a", AGENT_STATUS_APPLIED, "", true);
    a = agent_read(x, "a");
    assert_string_equal(text_of(x, &a.effective_config), "mine");
    assert_int_equal(a.row.updated_us, FIXTURE_START_US);
}

static int report_then_fail(struct store_tx *tx, void *arg, struct fail *f)
{
    if (agent_do_report(tx, arg, f) < 0)
        return -1;
    return fail_set(f, CODE_ABORTED, "second thoughts");
}

static void what_is_rolled_back_leaves_the_counts_right(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = runs(x, "a", "one");
    struct agent_call d = runs(x, "b", "one");

    reports(x, &c, true);
    assert_int_equal(fixture_write(x, report_then_fail, &d), -1);
    c.report.effective_config = STR("two");
    assert_int_equal(fixture_write(x, report_then_fail, &c), -1);
    assert_int_equal(texts(x), 1);

    struct agent a = agent_read(x, "a");

    assert_string_equal(text_of(x, &a.effective_config), "one");
    assert_int_equal(a.row.revision, 1);
}

/* ---- The operator's side ---- */

static struct agent_call creation(struct fixture *x, const char *id)
{
    return (struct agent_call){
        .tenant = x->tenant.id,
        .id = str_of(id),
        .agent = {.row = {.tenant = x->tenant.id, .ext_id = str_of(id)}, .enabled = true},
    };
}

static void an_id_is_created_once(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = creation(x, "a");

    c.agent.remote = AGENT_ATTRIBUTES(x, "z=1", "b=2");
    c.agent.local = AGENT_ATTRIBUTES(x, "ignored=1");
    c.agent.inactive_us = 7;
    assert_int_equal(fixture_write(x, agent_do_create, &c), 0);
    assert_true(c.agent.row.id > 0);
    has_event(x, "agent.created", 2);
    refuses(x, fixture_write(x, agent_do_create, &c), CODE_ALREADY_EXISTS, "id_taken");

    struct agent a = agent_read(x, "a");

    assert_int_equal(a.type, AGENT_ALLOY);
    assert_int_equal(a.local.count, 0);
    assert_int_equal(a.inactive_us, 0);
    assert_int_equal(a.row.revision, 1);
    agent_assert_attributes(&a.remote, AGENT_ATTRIBUTES(x, "z=1", "b=2"));
}

static void an_update_that_changes_nothing_writes_nothing(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = creation(x, "a");

    c.agent.remote = AGENT_ATTRIBUTES(x, "b=2", "a=1");
    assert_int_equal(fixture_write(x, agent_do_create, &c), 0);
    clock_advance(x->clock, SECOND);
    c.agent = agent_read(x, "a");
    c.agent.remote = AGENT_ATTRIBUTES(x, "b=2", "a=1");
    assert_int_equal(fixture_write(x, agent_do_update, &c), 0);
    assert_int_equal(c.agent.row.revision, 1);
    assert_int_equal(agent_read(x, "a").row.updated_us, FIXTURE_START_US);
    c.agent.enabled = false;
    assert_int_equal(fixture_write(x, agent_do_update, &c), 0);
    assert_int_equal(c.agent.row.revision, 2);
    assert_int_equal(agent_read(x, "a").row.updated_us, FIXTURE_START_US + SECOND);
    has_event(x, "agent.updated", 3);
    c.agent.row.revision = 1;
    refuses(x, fixture_write(x, agent_do_update, &c), CODE_ABORTED, "revision_mismatch");
    c.agent.row.ext_id = STR("nobody");
    refuses(x, fixture_write(x, agent_do_update, &c), CODE_NOT_FOUND, "no_such_agent");
}

static void an_update_keeps_what_the_agent_said(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = agent_registration(x, "a", "n", AGENT_ATTRIBUTES(x, "a=1"));
    struct label extra = {STR("dialect"), STR("\xff\0x")};

    reports(x, &c, true);
    says_status(x, "a", AGENT_STATUS_FAILED, "why", true);
    c.agent = agent_read(x, "a");
    c.agent.row.name = STR("");
    c.agent.type = AGENT_OTEL;
    c.agent.extras = &extra;
    c.agent.extra_count = 1;
    assert_int_equal(fixture_write(x, agent_do_update, &c), 0);

    struct agent a = agent_read(x, "a");

    assert_int_equal(a.type, AGENT_OTEL);
    assert_int_equal(a.row.name.len, 0);
    assert_int_equal(a.status, AGENT_STATUS_FAILED);
    assert_string_equal(text_of(x, &a.status_error), "why");
    assert_int_equal(a.extra_count, 1);
    assert_true(str_eq(a.extras[0].value, STR("\xff\0x")));
    agent_assert_attributes(&a.local, AGENT_ATTRIBUTES(x, "a=1"));
    fixture_assert_clean(x);
}

/* ---- Refusals ---- */

static struct str chars(struct fixture *x, const char *one, size_t count)
{
    struct buf b;

    buf_init_arena(&b, x->arena, 1 << 20);
    for (size_t i = 0; i < count; i++)
        buf_put_str(&b, str_of(one));
    return buf_str(&b);
}

static void ids_are_bounded_in_characters(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = about(x, "");

    refuses(x, fixture_write(x, agent_do_report, &c), CODE_INVALID_ARGUMENT, "bad_id");
    c.report.id = STR("a\nb");
    refuses(x, fixture_write(x, agent_do_report, &c), CODE_INVALID_ARGUMENT, "bad_id");
    c.report.id = STR("\xff");
    refuses(x, fixture_write(x, agent_do_report, &c), CODE_INVALID_ARGUMENT, "bad_id");
    c.report.id = chars(x, "\xe2\x82\xac", 256);
    refuses(x, fixture_write(x, agent_do_report, &c), CODE_INVALID_ARGUMENT, "bad_id");
    c.report.id = chars(x, "\xe2\x82\xac", 255);
    reports(x, &c, true);
    assert_int_equal(agent_read(x, arena_cstr(x->arena, c.report.id)).row.ext_id.len, 765);
}

static void attributes_are_bounded_in_characters(void **state)
{
    struct fixture *x = *state;
    struct label one = {chars(x, "\xf0\x9f\x98\x80", 100), chars(x, "\xf0\x9f\x98\x80", 150)};
    struct agent_call c = agent_registration(x, "a", "", (struct attributes){&one, 1});
    struct agent_call made = creation(x, "b");

    reports(x, &c, true);
    assert_true(str_eq(agent_read(x, "a").local.items[0].value, one.value));
    made.agent.remote = c.report.local;
    assert_int_equal(fixture_write(x, agent_do_create, &made), 0);
    assert_true(str_eq(agent_read(x, "b").remote.items[0].key, one.key));
    one.key = chars(x, "k", 101);
    refuses(x, fixture_write(x, agent_do_report, &c), CODE_INVALID_ARGUMENT, "bad_attributes");
    one = (struct label){STR("k"), chars(x, "v", 151)};
    refuses(x, fixture_write(x, agent_do_report, &c), CODE_INVALID_ARGUMENT, "bad_attributes");
    one = (struct label){STR(""), STR("v")};
    refuses(x, fixture_write(x, agent_do_report, &c), CODE_INVALID_ARGUMENT, "bad_attributes");
    one = (struct label){STR("k"), STR("\xc0")};
    refuses(x, fixture_write(x, agent_do_report, &c), CODE_INVALID_ARGUMENT, "bad_attributes");
    c.report.local = AGENT_ATTRIBUTES(x, "b=1", "a=1", "b=2");
    refuses(x, fixture_write(x, agent_do_report, &c), CODE_INVALID_ARGUMENT, "bad_attributes");
}

static struct attributes numbered(struct fixture *x, size_t count)
{
    struct attributes all = {arena_new_array(x->arena, struct label, count), count};

    for (size_t i = 0; i < count; i++)
        all.items[i] = (struct label){arena_printf(x->arena, "k%zu", i), STR("")};
    return all;
}

static void attributes_are_counted(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = agent_registration(x, "a", "", numbered(x, 24));
    struct agent_call made = creation(x, "b");

    c.report.local_max = 22;
    c.report.local.items[3].key = STR("collector.os");
    refuses(x, fixture_write(x, agent_do_report, &c), CODE_INVALID_ARGUMENT, "bad_attributes");
    c.report.local.items[23].key = STR("collector.ID");
    reports(x, &c, true);
    assert_int_equal(agent_read(x, "a").local.count, 23);
    c.report.local_max = 0;
    c.report.local = numbered(x, AGENT_LOCAL_MAX);
    reports(x, &c, true);
    c.report.local = numbered(x, AGENT_LOCAL_MAX + 1);
    refuses(x, fixture_write(x, agent_do_report, &c), CODE_INVALID_ARGUMENT, "bad_attributes");

    made.agent.remote = numbered(x, AGENT_REMOTE_MAX + 1);
    refuses(x, fixture_write(x, agent_do_create, &made), CODE_INVALID_ARGUMENT, "bad_attributes");
    made.agent.remote = numbered(x, AGENT_REMOTE_MAX);
    assert_int_equal(fixture_write(x, agent_do_create, &made), 0);
    made.agent.remote = AGENT_ATTRIBUTES(x, "collector.os=mine");
    refuses(x, fixture_write(x, agent_do_update, &made), CODE_INVALID_ARGUMENT,
            "reserved_attribute");
}

static void names_and_types_are_checked(void **state)
{
    struct fixture *x = *state;
    struct agent_call c = creation(x, "a");

    c.agent.row.name = chars(x, "n", AGENT_NAME_CHARS_MAX + 1);
    refuses(x, fixture_write(x, agent_do_create, &c), CODE_INVALID_ARGUMENT, "bad_name");
    c.agent.row.name = STR("\xff");
    refuses(x, fixture_write(x, agent_do_create, &c), CODE_INVALID_ARGUMENT, "bad_name");
    c.agent.row.name = STR("n");
    c.agent.type = (enum agent_type)9;
    refuses(x, fixture_write(x, agent_do_create, &c), CODE_INVALID_ARGUMENT, "bad_type");
}

struct bounded {
    struct agent_call call;
    struct registry *registry;
};

static int do_bounded(struct store_tx *tx, void *arg, struct fail *f)
{
    struct bounded *b = arg;

    return agent_report(tx, b->registry, NULL, b->call.tenant, &b->call.report, NULL, f);
}

static void agents_are_counted_but_known_ones_may_always_report(void **state)
{
    struct fixture *x = *state;
    struct registry_options o = {.store = x->store, .clock = x->clock};
    struct bounded b = {.call = about(x, "a"), .registry = registry_new(&o)};

    b.call.report.agents_max = 2;
    assert_int_equal(fixture_write(x, do_bounded, &b), 0);
    b.call.report.id = STR("b");
    assert_int_equal(fixture_write(x, do_bounded, &b), 0);
    b.call.report.id = STR("c");
    refuses(x, fixture_write(x, do_bounded, &b), CODE_RESOURCE_EXHAUSTED, "too_many_agents");
    b.call.report.id = STR("b");
    b.call.report.has_status = true;
    assert_int_equal(fixture_write(x, do_bounded, &b), 0);
    b.call.report.id = STR("c");
    b.call.report.agents_max = 0;
    assert_int_equal(fixture_write(x, do_bounded, &b), 0);
    registry_free(&b.registry);
}

/* ---- Attributes as such ---- */

static void the_operator_wins_but_for_what_is_the_agents_own(void **state)
{
    struct fixture *x = *state;
    struct attributes local = AGENT_ATTRIBUTES(x, "a=1", "b=1", "collector.os=linux");
    struct attributes remote = AGENT_ATTRIBUTES(x, "b=2", "collector.os=lie", "z=2");
    struct attributes all = attributes_overlay(x->arena, STR("me"), &local, &remote);

    assert_int_equal(all.count, 5);
    agent_assert_attributes(&(struct attributes){all.items + 3, 2},
                            AGENT_ATTRIBUTES(x, "collector.os=linux", "z=2"));
    assert_true(str_eq(all.items[1].value, STR("2")));
    assert_true(str_eq(all.items[2].key, STR(AGENT_ID_KEY)));
    assert_true(str_eq(all.items[2].value, STR("me")));

    struct attributes none = {0};

    all = attributes_overlay(x->arena, STR("me"), &none, &none);
    assert_int_equal(all.count, 1);
    all = attributes_overlay(x->arena, STR("me"), &(struct attributes){local.items, 1}, &none);
    assert_int_equal(all.count, 2);
    assert_true(str_eq(all.items[1].key, STR(AGENT_ID_KEY)));
}

static void of_keys_that_come_twice_the_last_stays(void **state)
{
    struct fixture *x = *state;
    struct attributes few =
        AGENT_ATTRIBUTES(x, "b=1", "a=1", "collector.ID=x", "b=2", "a=2", "b=3");
    struct attributes many = numbered(x, 500);

    attributes_sort(&few);
    assert_int_equal(few.count, 2);
    assert_true(str_eq(few.items[0].value, STR("2")));
    assert_true(str_eq(few.items[1].value, STR("3")));
    for (size_t i = 0; i < many.count; i++)
        many.items[i] = (struct label){arena_printf(x->arena, "k%02zu", i % 50),
                                       arena_printf(x->arena, "%zu", i / 50)};
    attributes_sort(&many);
    assert_int_equal(many.count, 50);
    for (size_t i = 0; i < many.count; i++)
        assert_true(str_eq(many.items[i].value, STR("9")));
}

/* ---- Rows ---- */

static void a_row_that_is_no_agents_is_told_as_lost(void **state)
{
    struct fixture *x = *state;
    struct agent a = {.row = {.tenant = 1, .ext_id = STR("a")},
                      .type = AGENT_ALLOY,
                      .local = AGENT_ATTRIBUTES(x, "a=1", "b=2")};
    struct agent got = {0};

    assert_int_equal(agent_encode(x->arena, &a, &x->fail), 0);
    assert_int_equal(agent_decode(x->arena, &a.row, &got, &x->fail), 0);
    for (size_t i = 0; i < a.row.body.len; i++) {
        struct collector cut = a.row;

        cut.body.len = i;
        if (agent_decode(x->arena, &cut, &got, &x->fail) < 0)
            assert_int_equal(x->fail.code, CODE_DATA_LOSS);
        else
            assert_true(got.local.count < 2);
    }
    a.row.body = STR("{\"x\":1}");
    assert_int_equal(agent_decode(x->arena, &a.row, &got, &x->fail), -1);
    assert_int_equal(x->fail.code, CODE_DATA_LOSS);
}

static void what_a_newer_server_wrote_survives_a_change(void **state)
{
    struct fixture *x = *state;
    struct agent a = {.row = {.tenant = 1, .ext_id = STR("a")}, .type = AGENT_ALLOY};
    struct agent again = {0};

    assert_int_equal(agent_encode(x->arena, &a, &x->fail), 0);
    a.row.body = arena_printf(x->arena, "%.*s\xf8\x07\x2a", STR_ARG(a.row.body)); /* field 127 */
    assert_int_equal(agent_decode(x->arena, &a.row, &again, &x->fail), 0);
    again.enabled = true;
    assert_int_equal(agent_encode(x->arena, &again, &x->fail), 0);
    assert_true(str_ends_with(again.row.body, STR("\xf8\x07\x2a")));
    assert_int_equal(agent_decode(x->arena, &again.row, &a, &x->fail), 0);
    assert_true(a.enabled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_new_agent_is_registered_with_what_it_says),
        FIXTURE_TEST(two_agents_may_have_one_name),
        FIXTURE_TEST(the_same_words_again_write_nothing),
        FIXTURE_TEST(other_words_replace_the_old_ones_and_leave_the_operators),
        FIXTURE_TEST(registering_what_was_created_keeps_type_remote_and_enabled),
        FIXTURE_TEST(a_poll_of_an_unknown_agent_registers_it_without_a_name),
        FIXTURE_TEST(attributes_for_a_new_agent_leave_a_known_one_alone),
        FIXTURE_TEST(a_deleted_agent_comes_back_as_new),
        FIXTURE_TEST(an_agent_of_no_tenant_is_not_registered),
        FIXTURE_TEST(leaving_keeps_the_record_and_registering_ends_it),
        FIXTURE_TEST(a_poll_does_not_end_a_good_bye),
        FIXTURE_TEST(an_unknown_agent_may_leave),
        FIXTURE_TEST(a_status_stays_until_another_is_told),
        FIXTURE_TEST(the_first_status_may_be_unset),
        FIXTURE_TEST(equal_texts_are_kept_once),
        FIXTURE_TEST(a_hash_made_before_counts_as_well),
        FIXTURE_TEST(an_absent_configuration_keeps_the_last_one),
        FIXTURE_TEST(what_is_rolled_back_leaves_the_counts_right),
        FIXTURE_TEST(an_id_is_created_once),
        FIXTURE_TEST(an_update_that_changes_nothing_writes_nothing),
        FIXTURE_TEST(an_update_keeps_what_the_agent_said),
        FIXTURE_TEST(ids_are_bounded_in_characters),
        FIXTURE_TEST(attributes_are_bounded_in_characters),
        FIXTURE_TEST(attributes_are_counted),
        FIXTURE_TEST(names_and_types_are_checked),
        FIXTURE_TEST(agents_are_counted_but_known_ones_may_always_report),
        FIXTURE_TEST(the_operator_wins_but_for_what_is_the_agents_own),
        FIXTURE_TEST(of_keys_that_come_twice_the_last_stays),
        FIXTURE_TEST(a_row_that_is_no_agents_is_told_as_lost),
        FIXTURE_TEST(what_a_newer_server_wrote_survives_a_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
