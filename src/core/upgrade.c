/* SPDX-License-Identifier: Apache-2.0 */
/* An upgrade is a task that no scheduler handles: it runs, for the agent, until the agent says that
 * it is done or its deadline passes, and then the sweep of tasks ends it like any other. What it
 * was asked for is the payload; how far it is stands in the place of the result. See upgrade.h. */
#include "core/upgrade.h"

#include "base/number.h"
#include "codec/utf8.h"
#include "core/agent_words.h"
#include "core/event.h"
#include "proto/muster_store_v1_rows.pb.h"

#define OWNER        "agent"
#define MESSAGE_MAX  1000
#define ROW_BYTES    8192
#define OPEN_STATES  ((1u << TASK_READY) | (1u << TASK_RUNNING))
#define SUBJECT_SIZE 24
#define OUT_OF_TIME  "The upgrade was not completed in time."

static const struct {
    enum upgrade_state state;
    bool open;
    const char *name;
} states[] = {
    {UPGRADE_NOT_STARTED, true, "not started"}, {UPGRADE_PENDING, true, "pending"},
    {UPGRADE_SUCCEEDED, false, "succeeded"},    {UPGRADE_FAILED, false, "failed"},
    {UPGRADE_PROGRESSING, true, "progressing"},
};

bool upgrade_is_open(enum upgrade_state s)
{
    for (size_t i = 0; i < COUNTOF(states); i++)
        if (states[i].state == s)
            return states[i].open;
    return false;
}

const char *upgrade_state_name(enum upgrade_state s)
{
    for (size_t i = 0; i < COUNTOF(states); i++)
        if (states[i].state == s)
            return states[i].name;
    return "unknown";
}

/* --- what agents say of themselves --- */

struct str upgrade_running(const struct agent *agent)
{
    return agent_word_said(agent, AGENT_WORD_VERSION);
}

struct str upgrade_platform(struct arena *a, const struct agent *agent)
{
    struct str os = agent_word_said(agent, AGENT_WORD_OS_TYPE);
    struct str arch = agent_word_said(agent, AGENT_WORD_ARCH);

    /* A text for people ("GNU/Linux") is no name of a platform. */
    if (str_index(os, '/') >= 0 || str_index(os, ' ') >= 0)
        os = STR("");
    if (os.len == 0 || arch.len == 0)
        return os;
    return arena_printf(a, "%.*s/%.*s", STR_ARG(os), STR_ARG(arch));
}

bool upgrade_is_possible(struct arena *a, const struct build *builds, size_t count,
                         const struct agent *agent, struct str to_version, struct build *step)
{
    struct str running = upgrade_running(agent);

    return !str_eq(running, to_version) &&
           build_step(builds, count, upgrade_platform(a, agent), running, to_version, step);
}

/* --- between the task and the struct --- */

static int lost(const struct task *t, struct fail *f)
{
    IGNORE(fail_set(f, CODE_DATA_LOSS, "the upgrade cannot be read"));
    return fail_detail(f, "task %lld", (long long)t->id);
}

static void put_failed(struct upgrade *u, struct str message)
{
    u->state = UPGRADE_FAILED;
    u->message = message;
}

/* What a task says of its end, and the upgrade may not have been told. Its time is over at the
 * deadline, not when a sweep finds it: what comes later is too late, also after a restart. */
static void put_end(const struct task *t, int64_t now_us, struct upgrade *u)
{
    bool late = t->deadline_us < now_us;

    switch (t->state) {
    case TASK_READY:
    case TASK_RUNNING:
        if (late)
            put_failed(u, STR(OUT_OF_TIME));
        else if (t->state == TASK_READY)
            u->state = UPGRADE_NOT_STARTED;
        return;
    case TASK_DONE: u->state = UPGRADE_SUCCEEDED; return;
    case TASK_FAILED:
        late = str_eq(t->error, STR("deadline_exceeded"));
        put_failed(u, late ? STR(OUT_OF_TIME) : t->error);
        return;
    case TASK_CANCELED: put_failed(u, STR("The upgrade was canceled.")); return;
    }
}

static int decode(struct store_tx *tx, const struct task *t, struct upgrade *out, struct fail *f)
{
    struct arena *a = store_tx_arena(tx);
    struct muster_store_v1_upgrade_task asked = {0}, so_far = {0};

    if (proto_decode(&muster_store_v1_upgrade_task_desc, a, t->payload, NULL, &asked, f) < 0 ||
        proto_decode(&muster_store_v1_upgrade_task_desc, a, t->result, NULL, &so_far, f) < 0)
        return lost(t, f);
    *out = (struct upgrade){
        .id = t->id,
        .collector = asked.collector,
        .agent = asked.agent,
        .to_version = asked.to_version,
        .step_version = so_far.step_version,
        .requested_us = asked.requested_us,
        .deadline_us = t->deadline_us,
        .state = so_far.state == UPGRADE_PROGRESSING ? UPGRADE_PROGRESSING : UPGRADE_PENDING,
        .message = so_far.message,
    };
    put_end(t, store_tx_now(tx), out);
    return 0;
}

static int encode(struct arena *a, const struct muster_store_v1_upgrade_task *row,
                  struct str *bytes, struct fail *f)
{
    struct buf out;

    buf_init_arena(&out, a, ROW_BYTES);
    if (proto_encode(&muster_store_v1_upgrade_task_desc, row, &out) < 0)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "too_large", "the upgrade is too large");
    *bytes = buf_str(&out);
    return 0;
}

static int encode_so_far(struct arena *a, const struct upgrade *u, struct str *bytes,
                         struct fail *f)
{
    const struct muster_store_v1_upgrade_task row = {
        .step_version = u->step_version,
        .state = u->state,
        .message = u->message,
    };

    return encode(a, &row, bytes, f);
}

static struct str subject_of(struct arena *a, int64_t collector)
{
    char text[SUBJECT_SIZE];

    return arena_str(a, str_make(text, number_print_i64(collector, text)));
}

/* An open task that has an upgrade. */
struct opened {
    struct task task;
    struct upgrade upgrade;
};

/* Its time may be over. */
static int find_held(struct store_tx *tx, uint64_t tenant, int64_t collector, bool *found,
                     struct opened *out, struct fail *f)
{
    struct arena *a = store_tx_arena(tx);
    struct str kind = STR(UPGRADE_TASK);
    struct str subject = subject_of(a, collector);
    const struct task_filter filter = {
        .kind = &kind, .subject = &subject, .states = OPEN_STATES, .limit = 1};
    struct task *tasks = NULL;
    size_t count = 0;

    *found = false;
    if (task_list(tx, tenant, &filter, &tasks, &count, f) < 0)
        return -1;
    if (count == 0)
        return 0;
    if (decode(tx, &tasks[0], &out->upgrade, f) < 0)
        return -1;
    out->task = tasks[0];
    *found = true;
    return 0;
}

static int find_open(struct store_tx *tx, uint64_t tenant, int64_t collector, bool *found,
                     struct opened *out, struct fail *f)
{
    if (find_held(tx, tenant, collector, found, out, f) < 0)
        return -1;
    *found = *found && upgrade_is_open(out->upgrade.state);
    return 0;
}

/* --- moves --- */

static int tell(struct store_tx *tx, uint64_t tenant, const struct caller *by, const char *kind,
                const struct upgrade *u, const char *key, struct str value, struct fail *f)
{
    struct arena *a = store_tx_arena(tx);

    return event_append(tx, tenant, by, kind, subject_of(a, u->collector),
                        event_data(a, key, value), f);
}

static int note(struct store_tx *tx, struct opened *o, struct fail *f)
{
    struct str so_far = {NULL, 0};

    if (encode_so_far(store_tx_arena(tx), &o->upgrade, &so_far, f) < 0)
        return -1;
    return task_note(tx, &o->task, so_far, f);
}

static int succeed(struct store_tx *tx, struct opened *o, struct fail *f)
{
    struct str result = {NULL, 0};

    o->upgrade.state = UPGRADE_SUCCEEDED;
    o->upgrade.message = STR("");
    if (encode_so_far(store_tx_arena(tx), &o->upgrade, &result, f) < 0 ||
        task_finish(tx, &o->task, result, f) < 0)
        return -1;
    return tell(tx, o->task.tenant, NULL, "upgrade.succeeded", &o->upgrade, "version",
                o->upgrade.to_version, f);
}

/* Whole characters, and not too many of them. */
static struct str cut(struct str message)
{
    struct str s = str_first(message, MESSAGE_MAX);

    return str_first(s, utf8_valid_len(s));
}

static int end_badly(struct store_tx *tx, struct opened *o, struct str message, struct fail *f)
{
    message = cut(message);
    if (message.len == 0)
        message = STR("The agent reported a failure.");
    o->upgrade.state = UPGRADE_FAILED;
    o->upgrade.message = message;
    if (task_fail(tx, &o->task, message, f) < 0)
        return -1;
    return tell(tx, o->task.tenant, NULL, "upgrade.failed", &o->upgrade, "message", message, f);
}

int upgrade_late(struct store_tx *tx, const struct task *t, struct fail *f)
{
    if (!str_eq(t->kind, STR(UPGRADE_TASK)))
        return 0;
    return event_append(tx, t->tenant, NULL, "upgrade.failed", t->subject,
                        event_data(store_tx_arena(tx), "message", STR(OUT_OF_TIME)), f);
}

/* --- requests --- */

static int no_such_agent(struct fail *f)
{
    return fail_reason(f, CODE_NOT_FOUND, "no_such_agent", "there is no such agent");
}

static int load_agent(struct store_tx *tx, uint64_t tenant, int64_t collector, struct agent *out,
                      struct fail *f)
{
    struct collector row = {0};

    if (collector_get(tx, tenant, collector, &row, f) < 0)
        return f->code == CODE_NOT_FOUND ? no_such_agent(f) : -1;
    if (row.kind != COLLECTOR_AGENT)
        return no_such_agent(f);
    return agent_decode(store_tx_arena(tx), &row, out, f);
}

/* Memory knows of beats that are not written yet. */
static bool is_alive(struct store_tx *tx, struct registry *r, const struct agent *agent,
                     int64_t alive_us)
{
    struct agent seen = *agent;

    if (r) {
        struct agents *agents = registry_realm(r, agent->row.tenant)->agents;
        struct agent live = {0};

        if (agents_get_numbered(agents, store_tx_arena(tx), agent->row.id, &live)) {
            seen.row.last_seen_us = MAX(seen.row.last_seen_us, live.row.last_seen_us);
            seen.inactive_us = live.inactive_us;
        }
    }
    return seen.row.last_seen_us != 0 && agent_inactive_at(&seen, store_tx_now(tx), alive_us) == 0;
}

static int bad_version(struct fail *f, const char *message)
{
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_version", "%s", message));
    return fail_field(f, "to_version");
}

/* The target, and the first build on the way to it. */
static int choose(struct store_tx *tx, const struct agent *agent, struct str *to_version,
                  struct build *step, struct fail *f)
{
    struct arena *a = store_tx_arena(tx);
    struct str platform = upgrade_platform(a, agent);
    struct build *all = NULL, target = {0};
    size_t count = 0;

    if (build_list(tx, &all, &count, f) < 0)
        return -1;
    if (to_version->len == 0) {
        if (!build_latest(all, count, platform, &target))
            return bad_version(f, "there is no build for this agent's platform");
    } else if (!build_find(all, count, *to_version, platform, &target)) {
        return bad_version(f, "there is no build of that version for this agent's platform");
    }
    if (str_eq(upgrade_running(agent), target.version))
        return bad_version(f, "the agent runs that version already");
    if (!upgrade_is_possible(a, all, count, agent, target.version, step))
        return bad_version(f, "no sequence of builds leads from the agent's version to that one");
    *to_version = target.version;
    return 0;
}

/* Makes room for the next one, before a sweep does. */
static int end_late(struct store_tx *tx, const struct task *t, struct fail *f)
{
    if (task_fail(tx, t, STR("deadline_exceeded"), f) < 0)
        return -1;
    return upgrade_late(tx, t, f);
}

static int create(struct store_tx *tx, const struct caller *by, uint64_t tenant,
                  const struct upgrade *want, struct opened *o, struct fail *f)
{
    struct arena *a = store_tx_arena(tx);
    const struct muster_store_v1_upgrade_task asked = {
        .collector = want->collector,
        .agent = want->agent,
        .to_version = want->to_version,
        .requested_us = want->requested_us,
    };
    struct task_new task = {
        .tenant = tenant,
        .kind = STR(UPGRADE_TASK),
        .subject = subject_of(a, want->collector),
        .deadline_us = want->deadline_us,
    };

    o->upgrade = *want;
    if (encode(a, &asked, &task.payload, f) < 0 || task_create(tx, &task, &o->task, f) < 0 ||
        task_begin(tx, &o->task, STR(OWNER), want->deadline_us, f) < 0)
        return -1;
    o->upgrade.id = o->task.id;
    return note(tx, o, f) < 0 ? -1
                              : tell(tx, tenant, by, "upgrade.requested", &o->upgrade, "to_version",
                                     want->to_version, f);
}

int upgrade_request(struct store_tx *tx, struct registry *r, const struct caller *by,
                    uint64_t tenant, int64_t collector, struct str to_version,
                    const struct upgrade_options *o, struct upgrade *out, struct fail *f)
{
    int64_t now = store_tx_now(tx);
    struct agent agent = {0};
    struct opened opened = {0};
    struct build step = {0};
    bool found = false;

    if (load_agent(tx, tenant, collector, &agent, f) < 0)
        return -1;
    if (!is_alive(tx, r, &agent, o->alive_us))
        return fail_reason(f, CODE_FAILED_PRECONDITION, "not_alive", "the agent is not alive");
    if (find_held(tx, tenant, collector, &found, &opened, f) < 0)
        return -1;
    if (found && upgrade_is_open(opened.upgrade.state))
        return fail_reason(f, CODE_FAILED_PRECONDITION, "in_upgrading",
                           "the agent is being upgraded to %.*s already",
                           STR_ARG(opened.upgrade.to_version));
    if (found && end_late(tx, &opened.task, f) < 0)
        return -1;
    if (choose(tx, &agent, &to_version, &step, f) < 0)
        return -1;

    const struct upgrade want = {
        .collector = collector,
        .agent = agent.row.ext_id,
        .to_version = to_version,
        .step_version = step.version,
        .requested_us = now,
        .deadline_us = now + o->timeout_us,
        .state = UPGRADE_PENDING,
        .message = STR(""),
    };

    if (create(tx, by, tenant, &want, &opened, f) < 0)
        return -1;
    *out = opened.upgrade;
    return 0;
}

int upgrade_get(struct store_tx *tx, uint64_t tenant, int64_t id, struct upgrade *out,
                struct fail *f)
{
    struct task t = {0};

    if (task_get(tx, tenant, id, &t, f) < 0 && f->code != CODE_NOT_FOUND)
        return -1;
    if (!str_eq(t.kind, STR(UPGRADE_TASK)))
        return fail_reason(f, CODE_NOT_FOUND, "no_such_upgrade", "there is no such upgrade");
    return decode(tx, &t, out, f);
}

int upgrade_list(struct store_tx *tx, uint64_t tenant, bool open_only, int64_t after, size_t limit,
                 struct upgrade **out, size_t *count, struct fail *f)
{
    struct arena *a = store_tx_arena(tx);
    struct str kind = STR(UPGRADE_TASK);
    const struct task_filter filter = {
        .kind = &kind, .states = open_only ? OPEN_STATES : 0, .after_id = after, .limit = limit};
    struct task *tasks = NULL;
    size_t n = 0;

    if (task_list(tx, tenant, &filter, &tasks, &n, f) < 0)
        return -1;

    struct upgrade *all = arena_new_array(a, struct upgrade, n);

    for (size_t i = 0; i < n; i++)
        if (decode(tx, &tasks[i], &all[i], f) < 0)
            return -1;
    *out = all;
    *count = n;
    return 0;
}

/* --- what agents do about it --- */

int upgrade_find(struct store_tx *tx, uint64_t tenant, int64_t collector, bool *found,
                 struct upgrade *out, struct fail *f)
{
    struct opened o = {0};

    if (find_open(tx, tenant, collector, found, &o, f) < 0)
        return -1;
    if (*found)
        *out = o.upgrade;
    return 0;
}

int upgrade_offer(struct store_tx *tx, uint64_t tenant, int64_t collector, struct str platform,
                  bool *offered, struct upgrade *out, struct build *build, struct fail *f)
{
    struct opened o = {0};
    struct agent agent = {0};
    struct build *all = NULL, found_build = {0};
    size_t count = 0;
    bool found = false;

    *offered = false;
    if (find_open(tx, tenant, collector, &found, &o, f) < 0)
        return -1;
    if (!found)
        return 0;
    if (load_agent(tx, tenant, collector, &agent, f) < 0 || build_list(tx, &all, &count, f) < 0)
        return -1;
    if (platform.len == 0)
        platform = upgrade_platform(store_tx_arena(tx), &agent);
    /* Its platform may not have been known when the step was chosen, or its build was removed. */
    if (!build_find(all, count, o.upgrade.step_version, platform, &found_build) &&
        !build_step(all, count, platform, upgrade_running(&agent), o.upgrade.to_version,
                    &found_build))
        return end_badly(tx, &o,
                         arena_printf(store_tx_arena(tx), "There is no build of %.*s for %.*s.",
                                      STR_ARG(o.upgrade.step_version), STR_ARG(platform)),
                         f);
    if (o.upgrade.state != UPGRADE_PROGRESSING ||
        !str_eq(o.upgrade.step_version, found_build.version)) {
        o.upgrade.state = UPGRADE_PROGRESSING;
        o.upgrade.step_version = found_build.version;
        if (note(tx, &o, f) < 0)
            return -1;
    }
    *offered = true;
    *out = o.upgrade;
    *build = found_build;
    return 0;
}

int upgrade_progress(struct store_tx *tx, uint64_t tenant, int64_t collector, struct str version,
                     bool failed, struct str message, struct fail *f)
{
    struct opened o = {0};
    bool found = false;

    if (find_open(tx, tenant, collector, &found, &o, f) < 0)
        return -1;
    if (!found || !str_eq(o.upgrade.step_version, version))
        return fail_reason(f, CODE_FAILED_PRECONDITION, "not_offered",
                           "that package is not offered to the agent now");
    if (failed)
        return end_badly(tx, &o, message, f);
    message = cut(message);
    if (o.upgrade.state == UPGRADE_PROGRESSING && str_eq(o.upgrade.message, message))
        return 0;
    o.upgrade.state = UPGRADE_PROGRESSING;
    o.upgrade.message = message;
    return note(tx, &o, f);
}

int upgrade_observe(struct store_tx *tx, uint64_t tenant, int64_t collector, struct str version,
                    struct fail *f)
{
    struct arena *a = store_tx_arena(tx);
    struct opened o = {0};
    struct agent agent = {0};
    struct build *all = NULL, step = {0};
    size_t count = 0;
    bool found = false;

    if (find_open(tx, tenant, collector, &found, &o, f) < 0)
        return -1;
    if (!found)
        return 0;
    if (str_eq(version, o.upgrade.to_version))
        return succeed(tx, &o, f);
    if (load_agent(tx, tenant, collector, &agent, f) < 0 || build_list(tx, &all, &count, f) < 0)
        return -1;
    if (!build_step(all, count, upgrade_platform(a, &agent), version, o.upgrade.to_version, &step))
        return end_badly(tx, &o,
                         arena_printf(a, "No sequence of builds leads from %.*s to %.*s any more.",
                                      STR_ARG(version), STR_ARG(o.upgrade.to_version)),
                         f);
    if (str_eq(step.version, o.upgrade.step_version))
        return 0;
    o.upgrade.state = UPGRADE_PROGRESSING;
    o.upgrade.step_version = step.version;
    o.upgrade.message = STR("");
    return note(tx, &o, f);
}

int upgrade_forget(struct store_tx *tx, uint64_t tenant, int64_t collector, struct fail *f)
{
    struct opened o = {0};
    bool found = false;

    if (find_open(tx, tenant, collector, &found, &o, f) < 0)
        return -1;
    return found ? end_badly(tx, &o, STR("The collector was deleted."), f) : 0;
}
