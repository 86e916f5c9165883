/* SPDX-License-Identifier: Apache-2.0 */
/* Upgrades on a real store: every move of the state machine, who may ask for one, and what ends it.
 */
#include "store/agent_fixture.h"

#include "core/upgrade.h"

#define MINUTE  INT64_C(60000000)
#define TIMEOUT (30 * MINUTE)

static const struct upgrade_options usual = {.timeout_us = TIMEOUT, .alive_us = 30 * MINUTE};

/* What a call is about; also its outcome. */
struct step {
    struct fixture *x;
    int64_t collector;
    struct str text; /* a version, or a message */
    struct str platform;
    struct str about; /* a report's version; empty: of what is offered now */
    const struct upgrade_options *options;
    bool failed;
    bool offered;
    struct build build;
    struct upgrade out;
    struct upgrade second;
    int second_result;
};

static int do_request(struct store_tx *tx, void *arg, struct fail *f)
{
    struct step *s = arg;

    return upgrade_request(tx, NULL, NULL, s->x->tenant.id, s->collector, s->text, s->options,
                           &s->out, f);
}

static int do_offer(struct store_tx *tx, void *arg, struct fail *f)
{
    struct step *s = arg;

    return upgrade_offer(tx, s->x->tenant.id, s->collector, s->platform, &s->offered, &s->out,
                         &s->build, f);
}

static int do_progress(struct store_tx *tx, void *arg, struct fail *f)
{
    struct step *s = arg;

    return upgrade_progress(tx, s->x->tenant.id, s->collector, s->about, s->failed, s->text, f);
}

static int do_observe(struct store_tx *tx, void *arg, struct fail *f)
{
    struct step *s = arg;

    return upgrade_observe(tx, s->x->tenant.id, s->collector, s->text, f);
}

static int do_forget(struct store_tx *tx, void *arg, struct fail *f)
{
    struct step *s = arg;

    return upgrade_forget(tx, s->x->tenant.id, s->collector, f);
}

static int do_sweep(struct store_tx *tx, void *arg, struct fail *f)
{
    size_t failed = 0;

    (void)arg;
    return task_sweep(tx, 100, upgrade_late, &failed, f);
}

static int do_cancel(struct store_tx *tx, void *arg, struct fail *f)
{
    struct step *s = arg;

    return task_cancel(tx, s->x->tenant.id, s->out.id, f);
}

/* Both in one transaction: the second sees the first, though nothing is committed. */
static int do_request_twice(struct store_tx *tx, void *arg, struct fail *f)
{
    struct step *s = arg;
    struct fail why = {0};

    if (do_request(tx, s, f) < 0)
        return -1;
    s->second_result = upgrade_request(tx, NULL, NULL, s->x->tenant.id, s->collector, s->text,
                                       s->options, &s->second, &why);
    assert_string_equal(why.reason, "in_upgrading");
    return 0;
}

static int do_add(struct store_tx *tx, void *arg, struct fail *f)
{
    return build_add(tx, NULL, arg, f);
}

static int do_remove(struct store_tx *tx, void *arg, struct fail *f)
{
    const struct build *b = arg;

    return build_remove(tx, NULL, b->version, b->platform, f);
}

static int do_hosted(struct store_tx *tx, void *arg, struct fail *f)
{
    return collector_create(tx, NULL, arg, f);
}

static void refuses(struct fixture *x, int result, enum code code, const char *reason)
{
    assert_int_equal(result, -1);
    assert_int_equal(x->fail.code, code);
    assert_non_null(x->fail.reason);
    assert_string_equal(x->fail.reason, reason);
}

static void add(struct fixture *x, const char *version, const char *platform, const char *from)
{
    struct build b = {
        .version = str_of(version), .platform = str_of(platform), .from_version = str_of(from)};

    assert_int_equal(fixture_write(x, do_add, &b), 0);
}

static void drop(struct fixture *x, const char *version)
{
    struct build b = {.version = str_of(version), .platform = STR("linux/amd64")};

    assert_int_equal(fixture_write(x, do_remove, &b), 0);
}

/* 1.1 may be reached from anywhere, 1.2 only from 1.1; 2.0 is of another platform. */
static struct step agent_of(struct fixture *x, const char *version)
{
    struct attributes local =
        AGENT_ATTRIBUTES(x, "collector.os=linux", "collector.arch=amd64", "collector.version=?");
    struct agent_call c;

    local.items[2].value = str_of(version);
    c = agent_registration(x, "a", "host a", local);
    assert_int_equal(fixture_write(x, agent_do_report, &c), 0);
    add(x, "1.0", "linux/amd64", "");
    add(x, "1.1", "linux/amd64", "");
    add(x, "1.2", "linux/amd64", "1.1");
    add(x, "2.0", "windows/amd64", "");
    return (struct step){.x = x,
                         .collector = agent_read(x, "a").row.id,
                         .options = &usual,
                         .platform = STR("linux/amd64")};
}

static int request(struct step *s, const char *to)
{
    s->text = str_of(to);
    return fixture_write(s->x, do_request, s);
}

static struct step requested(struct fixture *x, const char *running, const char *to)
{
    struct step s = agent_of(x, running);

    assert_int_equal(request(&s, to), 0);
    return s;
}

static void offer(struct step *s)
{
    assert_int_equal(fixture_write(s->x, do_offer, s), 0);
}

static void offers(struct step *s, const char *version)
{
    offer(s);
    assert_true(s->offered);
    assert_true(str_eq(s->build.version, str_of(version)));
}

static void observe(struct step *s, const char *version)
{
    s->text = str_of(version);
    assert_int_equal(fixture_write(s->x, do_observe, s), 0);
}

static struct upgrade look(const struct step *s)
{
    struct store_tx *tx = fixture_read(s->x);
    struct upgrade u = {0};

    assert_int_equal(upgrade_get(tx, s->x->tenant.id, s->out.id, &u, &s->x->fail), 0);
    store_read_close(&tx);
    return u;
}

static void says(struct step *s, bool failed, const char *message)
{
    s->failed = failed;
    s->about = look(s).step_version;
    s->text = str_of(message);
    assert_int_equal(fixture_write(s->x, do_progress, s), 0);
}

/* A report that comes too late, or is about something else. */
static void says_in_vain(struct step *s, const char *about, bool failed)
{
    s->failed = failed;
    s->about = str_of(about);
    s->text = STR("in vain");
    refuses(s->x, fixture_write(s->x, do_progress, s), CODE_FAILED_PRECONDITION, "not_offered");
}

static void stands(const struct step *s, enum upgrade_state state, const char *message)
{
    struct upgrade u = look(s);

    assert_int_equal(u.state, state);
    assert_string_equal(arena_cstr(s->x->arena, u.message), message);
}

static size_t count_open(struct fixture *x)
{
    struct store_tx *tx = fixture_read(x);
    struct upgrade *all;
    size_t count = 0;

    assert_int_equal(upgrade_list(tx, x->tenant.id, true, 0, 100, &all, &count, &x->fail), 0);
    store_read_close(&tx);
    return count;
}

static void last_event_is(struct fixture *x, const char *kind)
{
    size_t n;

    assert_string_equal(agent_last_event(x, &n), kind);
}

/* ---- The way of one that succeeds ---- */

static void a_request_is_pending_until_it_is_offered(void **state)
{
    struct fixture *x = *state;
    struct step s = requested(x, "1.0", "1.1");
    struct upgrade u = look(&s);

    assert_int_equal(u.state, UPGRADE_PENDING);
    assert_int_equal(u.collector, s.collector);
    assert_true(str_eq(u.agent, STR("a")));
    assert_true(str_eq(u.to_version, STR("1.1")));
    assert_true(str_eq(u.step_version, STR("1.1")));
    assert_int_equal(u.requested_us, FIXTURE_START_US);
    assert_int_equal(u.deadline_us, FIXTURE_START_US + TIMEOUT);
    last_event_is(x, "upgrade.requested");
    offers(&s, "1.1");
    stands(&s, UPGRADE_PROGRESSING, "");
    offers(&s, "1.1");
    stands(&s, UPGRADE_PROGRESSING, "");
    assert_int_equal(count_open(x), 1);
}

static void it_succeeds_when_the_agent_runs_what_it_should(void **state)
{
    struct fixture *x = *state;
    struct step s = requested(x, "1.0", "1.1");

    offers(&s, "1.1");
    says(&s, false, "installing");
    stands(&s, UPGRADE_PROGRESSING, "installing");
    observe(&s, "1.0");
    stands(&s, UPGRADE_PROGRESSING, "installing");
    observe(&s, "1.1");
    stands(&s, UPGRADE_SUCCEEDED, "");
    last_event_is(x, "upgrade.succeeded");
    assert_int_equal(count_open(x), 0);
    offer(&s);
    assert_false(s.offered);
}

static void it_may_succeed_before_anything_was_offered(void **state)
{
    struct step s = requested(*state, "1.0", "1.1");

    observe(&s, "1.1");
    stands(&s, UPGRADE_SUCCEEDED, "");
}

static void a_report_alone_makes_it_progress(void **state)
{
    struct step s = requested(*state, "1.0", "1.1");

    says(&s, false, "");
    stands(&s, UPGRADE_PROGRESSING, "");
}

static void reports_about_other_builds_change_nothing(void **state)
{
    struct step s = requested(*state, "1.0", "1.2");

    says_in_vain(&s, "1.2", true);
    says_in_vain(&s, "1.0", false);
    says_in_vain(&s, "", true);
    stands(&s, UPGRADE_PENDING, "");
    offers(&s, "1.1");
    observe(&s, "1.1");
    says_in_vain(&s, "1.1", true);
    stands(&s, UPGRADE_PROGRESSING, "");
}

static void steps_follow_what_the_agent_runs(void **state)
{
    struct step s = requested(*state, "1.0", "1.2");

    assert_true(str_eq(look(&s).step_version, STR("1.1")));
    offers(&s, "1.1");
    says(&s, false, "half way");
    observe(&s, "1.1");
    stands(&s, UPGRADE_PROGRESSING, "");
    offers(&s, "1.2");
    observe(&s, "1.2");
    stands(&s, UPGRADE_SUCCEEDED, "");
}

static void what_an_agent_reports_of_itself_counts(void **state)
{
    struct fixture *x = *state;
    struct step s = requested(x, "1.0", "1.2");
    struct agent_call c =
        agent_registration(x, "a", "host a", AGENT_ATTRIBUTES(x, "collector.version=1.1"));

    assert_int_equal(fixture_write(x, agent_do_report, &c), 0);
    assert_true(str_eq(look(&s).step_version, STR("1.2")));
    c.report.local = AGENT_ATTRIBUTES(x, "env=prod");
    assert_int_equal(fixture_write(x, agent_do_report, &c), 0);
    stands(&s, UPGRADE_PROGRESSING, "");
    c.report.local = AGENT_ATTRIBUTES(x, "collector.version=1.2");
    assert_int_equal(fixture_write(x, agent_do_report, &c), 0);
    stands(&s, UPGRADE_SUCCEEDED, "");
}

static void an_agent_that_fell_back_starts_again_from_there(void **state)
{
    struct step s = requested(*state, "1.1", "1.2");

    offers(&s, "1.2");
    observe(&s, "1.0");
    offers(&s, "1.1");
    stands(&s, UPGRADE_PROGRESSING, "");
}

static void a_downgrade_is_an_upgrade(void **state)
{
    struct step s = requested(*state, "1.2", "1.0");

    offers(&s, "1.0");
    observe(&s, "1.0");
    stands(&s, UPGRADE_SUCCEEDED, "");
}

static void without_a_version_the_latest_of_its_platform_is_meant(void **state)
{
    struct step s = requested(*state, "1.1", "");

    assert_true(str_eq(look(&s).to_version, STR("1.2")));
}

/* ---- What is refused ---- */

static void versions_that_cannot_be_are_refused(void **state)
{
    struct fixture *x = *state;
    struct step s = agent_of(x, "1.1");

    refuses(x, request(&s, "9.9"), CODE_INVALID_ARGUMENT, "bad_version");
    refuses(x, request(&s, "2.0"), CODE_INVALID_ARGUMENT, "bad_version");
    refuses(x, request(&s, "1.1"), CODE_INVALID_ARGUMENT, "bad_version");
    add(x, "3.0", "linux/amd64", "2.9");
    refuses(x, request(&s, "3.0"), CODE_INVALID_ARGUMENT, "bad_version");
    assert_int_equal(count_open(x), 0);
}

static void the_latest_is_refused_when_the_agent_runs_it(void **state)
{
    struct fixture *x = *state;
    struct step s = agent_of(x, "1.2");

    refuses(x, request(&s, ""), CODE_INVALID_ARGUMENT, "bad_version");
}

static void one_upgrade_at_a_time(void **state)
{
    struct fixture *x = *state;
    struct step s = agent_of(x, "1.0");

    s.text = STR("1.1");
    assert_int_equal(fixture_write(x, do_request_twice, &s), 0);
    assert_int_equal(s.second_result, -1);
    refuses(x, request(&s, "1.2"), CODE_FAILED_PRECONDITION, "in_upgrading");
    assert_int_equal(count_open(x), 1);
    offers(&s, "1.1");
    refuses(x, request(&s, "1.2"), CODE_FAILED_PRECONDITION, "in_upgrading");
    says(&s, true, "no");
    assert_int_equal(request(&s, "1.1"), 0);
}

static void an_agent_that_fell_silent_does_not_live(void **state)
{
    struct fixture *x = *state;
    struct step s = agent_of(x, "1.0");

    clock_advance(x->clock, usual.alive_us - 1000);
    assert_int_equal(request(&s, "1.1"), 0);
    assert_int_equal(fixture_write(x, do_forget, &s), 0);
    clock_advance(x->clock, 2000);
    refuses(x, request(&s, "1.1"), CODE_FAILED_PRECONDITION, "not_alive");
}

static void an_agent_that_left_does_not_live(void **state)
{
    struct fixture *x = *state;
    struct step s = agent_of(x, "1.0");
    struct agent_call leave = {.tenant = x->tenant.id, .id = STR("a")};

    assert_int_equal(fixture_write(x, agent_do_leave, &leave), 0);
    refuses(x, request(&s, "1.1"), CODE_FAILED_PRECONDITION, "not_alive");
}

static void an_agent_that_was_never_seen_does_not_live(void **state)
{
    struct fixture *x = *state;
    struct step s = agent_of(x, "1.0");
    struct agent_call c = {.agent = {.row = {.tenant = x->tenant.id, .ext_id = STR("made")}}};

    assert_int_equal(fixture_write(x, agent_do_create, &c), 0);
    s.collector = agent_read(x, "made").row.id;
    refuses(x, request(&s, "1.1"), CODE_FAILED_PRECONDITION, "not_alive");
}

static void what_is_no_agent_is_not_upgraded(void **state)
{
    struct fixture *x = *state;
    struct step s = agent_of(x, "1.0");
    struct collector hosted = {
        .tenant = x->tenant.id, .kind = COLLECTOR_HOSTED, .name = STR("h"), .unique_name = true};

    s.collector += 1000;
    refuses(x, request(&s, "1.1"), CODE_NOT_FOUND, "no_such_agent");
    assert_int_equal(fixture_write(x, do_hosted, &hosted), 0);
    s.collector = hosted.id;
    refuses(x, request(&s, "1.1"), CODE_NOT_FOUND, "no_such_agent");
}

/* ---- What ends it badly ---- */

static void a_reported_failure_ends_it_with_its_message(void **state)
{
    struct step s = requested(*state, "1.0", "1.1");

    offers(&s, "1.1");
    says(&s, true, "no room on the disk");
    stands(&s, UPGRADE_FAILED, "no room on the disk");
    last_event_is(s.x, "upgrade.failed");
    observe(&s, "1.1");
    says_in_vain(&s, "1.1", false);
    stands(&s, UPGRADE_FAILED, "no room on the disk");
}

static void a_failure_without_words_gets_some(void **state)
{
    struct step s = requested(*state, "1.0", "1.1");

    says(&s, true, "");
    stands(&s, UPGRADE_FAILED, "The agent reported a failure.");
}

static void a_long_message_is_cut_between_characters(void **state)
{
    struct fixture *x = *state;
    struct step s = requested(x, "1.0", "1.1");
    char text[2001];

    for (size_t i = 0; i < 2000; i += 2)
        memcpy(&text[i], "\xc3\xa4", 2);
    text[2000] = '\0';
    says(&s, true, text + 1);
    assert_int_equal(look(&s).message.len, strlen("The agent reported a failure."));

    struct step t = s;

    assert_int_equal(request(&t, "1.1"), 0);
    text[0] = 'x';
    text[1] = 'y';
    text[2] = 'z';
    says(&t, true, text);
    assert_true(look(&t).message.len <= 1000);
}

static void time_ends_it(void **state)
{
    struct fixture *x = *state;
    struct step s = requested(x, "1.0", "1.1");

    offers(&s, "1.1");
    clock_advance(x->clock, TIMEOUT - 1);
    assert_int_equal(fixture_write(x, do_sweep, NULL), 0);
    stands(&s, UPGRADE_PROGRESSING, "");
    clock_advance(x->clock, 2);
    assert_int_equal(fixture_write(x, do_sweep, NULL), 0);
    stands(&s, UPGRADE_FAILED, "The upgrade was not completed in time.");
    last_event_is(x, "upgrade.failed");
    observe(&s, "1.1");
    stands(&s, UPGRADE_FAILED, "The upgrade was not completed in time.");
    offer(&s);
    assert_false(s.offered);
}

/* As when the server was down at the deadline, and an agent speaks before the first sweep. */
static void what_comes_after_the_deadline_is_too_late(void **state)
{
    struct fixture *x = *state;
    struct step s = requested(x, "1.0", "1.1");

    offers(&s, "1.1");
    clock_advance(x->clock, TIMEOUT + 1);
    stands(&s, UPGRADE_FAILED, "The upgrade was not completed in time.");
    says_in_vain(&s, "1.1", false);
    says_in_vain(&s, "1.1", true);
    offer(&s);
    assert_false(s.offered);
    observe(&s, "1.1");
    assert_int_equal(fixture_write(x, do_forget, &s), 0);
    stands(&s, UPGRADE_FAILED, "The upgrade was not completed in time.");
    assert_int_equal(fixture_write(x, do_sweep, NULL), 0);
    stands(&s, UPGRADE_FAILED, "The upgrade was not completed in time.");
    last_event_is(x, "upgrade.failed");
}

static void one_that_is_late_is_not_in_the_way_of_the_next(void **state)
{
    const struct upgrade_options patient = {.timeout_us = TIMEOUT, .alive_us = 2 * TIMEOUT};
    struct fixture *x = *state;
    struct step s = requested(x, "1.0", "1.1");
    struct step next = s;
    size_t before, after;

    clock_advance(x->clock, TIMEOUT + 1);
    next.options = &patient;
    IGNORE(agent_last_event(x, &before));
    assert_int_equal(request(&next, "1.2"), 0);
    last_event_is(x, "upgrade.requested");
    stands(&s, UPGRADE_FAILED, "The upgrade was not completed in time.");
    stands(&next, UPGRADE_PENDING, "");
    assert_int_equal(fixture_write(x, do_sweep, NULL), 0);
    IGNORE(agent_last_event(x, &after));
    assert_int_equal(after, before + 2);
    assert_int_equal(count_open(x), 1);
}

/* It did not say what it runs on when the first step was chosen. */
static void the_step_is_one_for_the_platform_that_asks(void **state)
{
    struct fixture *x = *state;
    struct step s = requested(x, "1.0", "1.1");
    struct agent_call c =
        agent_registration(x, "b", "host b", AGENT_ATTRIBUTES(x, "collector.version=1.0"));

    assert_int_equal(fixture_write(x, agent_do_report, &c), 0);
    add(x, "3.0", "any", "1.2");
    add(x, "2.9", "windows", "");
    s.collector = agent_read(x, "b").row.id;
    assert_int_equal(request(&s, "3.0"), 0);
    assert_true(str_eq(look(&s).step_version, STR("2.9")));
    offers(&s, "1.1");
    assert_true(str_eq(look(&s).step_version, STR("1.1")));
    stands(&s, UPGRADE_PROGRESSING, "");
}

static void another_way_is_taken_when_a_step_was_removed(void **state)
{
    struct fixture *x = *state;
    struct step s = agent_of(x, "1.0");

    add(x, "1.1.5", "linux/amd64", "");
    assert_int_equal(request(&s, "1.2"), 0);
    offers(&s, "1.1.5");
    drop(x, "1.1.5");
    offers(&s, "1.1");
    assert_true(str_eq(look(&s).step_version, STR("1.1")));
}

static void nothing_is_due_before_the_deadline(void **state)
{
    struct fixture *x = *state;
    struct step s = requested(x, "1.0", "1.1");
    struct store_tx *tx = fixture_read(x);
    int64_t due = 0;

    assert_int_equal(task_next_due(tx, &due, &x->fail), 0);
    store_read_close(&tx);
    assert_int_equal(due, look(&s).deadline_us);
}

static void deletion_of_the_agent_ends_it(void **state)
{
    struct fixture *x = *state;
    struct step s = requested(x, "1.0", "1.1");
    struct agent_call gone = {.tenant = x->tenant.id, .id = STR("a")};

    assert_int_equal(fixture_write(x, do_forget, &s), 0);
    assert_int_equal(fixture_write(x, agent_do_delete, &gone), 0);
    stands(&s, UPGRADE_FAILED, "The collector was deleted.");
    offer(&s);
    assert_false(s.offered);
    observe(&s, "1.1");
    stands(&s, UPGRADE_FAILED, "The collector was deleted.");
    assert_int_equal(fixture_write(x, do_forget, &s), 0);
}

static void a_build_that_was_removed_ends_it_when_it_is_due(void **state)
{
    struct fixture *x = *state;
    struct step s = requested(x, "1.0", "1.1");

    drop(x, "1.1");
    offer(&s);
    assert_false(s.offered);
    stands(&s, UPGRADE_FAILED, "There is no build of 1.1 for linux/amd64.");
}

static void a_way_that_was_lost_ends_it(void **state)
{
    struct fixture *x = *state;
    struct step s = requested(x, "1.0", "1.2");

    offers(&s, "1.1");
    drop(x, "1.2");
    observe(&s, "1.1");
    stands(&s, UPGRADE_FAILED, "No sequence of builds leads from 1.1 to 1.2 any more.");
}

static void an_agent_of_another_platform_than_it_said_fails(void **state)
{
    struct step s = requested(*state, "1.0", "1.1");

    s.platform = STR("linux/riscv64");
    offer(&s);
    assert_false(s.offered);
    stands(&s, UPGRADE_FAILED, "There is no build of 1.1 for linux/riscv64.");
}

static void who_cancels_the_task_ends_it(void **state)
{
    struct step s = requested(*state, "1.0", "1.1");

    assert_int_equal(fixture_write(s.x, do_cancel, &s), 0);
    stands(&s, UPGRADE_FAILED, "The upgrade was canceled.");
    observe(&s, "1.1");
    stands(&s, UPGRADE_FAILED, "The upgrade was canceled.");
}

/* ---- Nothing to do, nothing there ---- */

static void without_an_upgrade_nothing_is_written(void **state)
{
    struct fixture *x = *state;
    struct step s = agent_of(x, "1.0");
    size_t before, after;

    IGNORE(agent_last_event(x, &before));
    offer(&s);
    assert_false(s.offered);
    observe(&s, "1.1");
    says_in_vain(&s, "1.1", true);
    assert_int_equal(fixture_write(x, do_forget, &s), 0);
    IGNORE(agent_last_event(x, &after));
    assert_int_equal(before, after);
    assert_int_equal(count_open(x), 0);
}

static void other_tasks_and_other_tenants_are_no_upgrades(void **state)
{
    struct fixture *x = *state;
    struct step s = requested(x, "1.0", "1.1");
    struct store_tx *tx = fixture_read(x);
    struct upgrade u = {0};

    refuses(x, upgrade_get(tx, x->tenant.id + 1, s.out.id, &u, &x->fail), CODE_NOT_FOUND,
            "no_such_upgrade");
    refuses(x, upgrade_get(tx, x->tenant.id, s.out.id + 1, &u, &x->fail), CODE_NOT_FOUND,
            "no_such_upgrade");
    store_read_close(&tx);
}

static void an_upgrade_outlives_the_process(void **state)
{
    struct fixture *x = *state;
    struct step s = requested(x, "1.0", "1.2");

    offers(&s, "1.1");
    store_close(&x->store);
    assert_int_equal(fixture_open(x), 0);
    stands(&s, UPGRADE_PROGRESSING, "");
    offers(&s, "1.1");
    observe(&s, "1.1");
    store_close(&x->store);
    assert_int_equal(fixture_open(x), 0);
    offers(&s, "1.2");
    observe(&s, "1.2");
    stands(&s, UPGRADE_SUCCEEDED, "");
    fixture_assert_clean(x);
}

static void states_have_names(void **state)
{
    static const struct {
        enum upgrade_state state;
        bool open;
        const char *name;
    } rows[] = {
        {UPGRADE_NOT_STARTED, true, "not started"}, {UPGRADE_PENDING, true, "pending"},
        {UPGRADE_PROGRESSING, true, "progressing"}, {UPGRADE_SUCCEEDED, false, "succeeded"},
        {UPGRADE_FAILED, false, "failed"},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        assert_string_equal(upgrade_state_name(rows[i].state), rows[i].name);
        assert_int_equal(upgrade_is_open(rows[i].state), rows[i].open);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_request_is_pending_until_it_is_offered),
        FIXTURE_TEST(it_succeeds_when_the_agent_runs_what_it_should),
        FIXTURE_TEST(it_may_succeed_before_anything_was_offered),
        FIXTURE_TEST(a_report_alone_makes_it_progress),
        FIXTURE_TEST(reports_about_other_builds_change_nothing),
        FIXTURE_TEST(steps_follow_what_the_agent_runs),
        FIXTURE_TEST(what_an_agent_reports_of_itself_counts),
        FIXTURE_TEST(an_agent_that_fell_back_starts_again_from_there),
        FIXTURE_TEST(a_downgrade_is_an_upgrade),
        FIXTURE_TEST(without_a_version_the_latest_of_its_platform_is_meant),
        FIXTURE_TEST(versions_that_cannot_be_are_refused),
        FIXTURE_TEST(the_latest_is_refused_when_the_agent_runs_it),
        FIXTURE_TEST(one_upgrade_at_a_time),
        FIXTURE_TEST(an_agent_that_fell_silent_does_not_live),
        FIXTURE_TEST(an_agent_that_left_does_not_live),
        FIXTURE_TEST(an_agent_that_was_never_seen_does_not_live),
        FIXTURE_TEST(what_is_no_agent_is_not_upgraded),
        FIXTURE_TEST(a_reported_failure_ends_it_with_its_message),
        FIXTURE_TEST(a_failure_without_words_gets_some),
        FIXTURE_TEST(a_long_message_is_cut_between_characters),
        FIXTURE_TEST(time_ends_it),
        FIXTURE_TEST(what_comes_after_the_deadline_is_too_late),
        FIXTURE_TEST(one_that_is_late_is_not_in_the_way_of_the_next),
        FIXTURE_TEST(the_step_is_one_for_the_platform_that_asks),
        FIXTURE_TEST(another_way_is_taken_when_a_step_was_removed),
        FIXTURE_TEST(nothing_is_due_before_the_deadline),
        FIXTURE_TEST(deletion_of_the_agent_ends_it),
        FIXTURE_TEST(a_build_that_was_removed_ends_it_when_it_is_due),
        FIXTURE_TEST(a_way_that_was_lost_ends_it),
        FIXTURE_TEST(an_agent_of_another_platform_than_it_said_fails),
        FIXTURE_TEST(who_cancels_the_task_ends_it),
        FIXTURE_TEST(without_an_upgrade_nothing_is_written),
        FIXTURE_TEST(other_tasks_and_other_tenants_are_no_upgrades),
        FIXTURE_TEST(an_upgrade_outlives_the_process),
        FIXTURE_TEST(states_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
