/* SPDX-License-Identifier: Apache-2.0 */
/* Upgrades of agents: a durable task each, from the request to what the agent says it runs. A task
 * that is not done in time fails. Runs inside a transaction; rows live in its arena.
 *
 * The server offers, the agent fetches. Whatever its agents speak, a face that lets them take
 * packages has four things to do, and nothing to remember from one to the next:
 *   - what an agent says of itself goes to agent_report(), which passes a new version on; a face
 *     that writes attributes another way calls upgrade_observe() with it;
 *   - at each sign of life, when upgrade_find() finds one (a read), it asks upgrade_offer() and
 *     tells the agent version, size and hash: the same until the agent runs it, so that an answer
 *     may be lost, or told twice, or be asked for on another connection;
 *   - the bytes are build_file_open()'s, by the hash, for any agent that may speak at all;
 *   - what the agent tells on the way goes to upgrade_progress().
 * Who deletes an agent ends its upgrade by itself (belongings.h). */
#ifndef CORE_UPGRADE_H
#define CORE_UPGRADE_H

#include "core/build.h"
#include "core/registry.h"
#include "core/task.h"

#define UPGRADE_TASK "upgrade"

/* Numbers of the documented state machine. */
enum upgrade_state {
    UPGRADE_NOT_STARTED = 0,
    UPGRADE_PENDING = 1,
    UPGRADE_SUCCEEDED = 2,
    UPGRADE_FAILED = 3,
    UPGRADE_PROGRESSING = 6,
};

struct upgrade {
    int64_t id;
    int64_t collector;
    struct str agent; /* its id */
    struct str to_version;
    struct str step_version; /* of a step-wise upgrade: the build that is offered now */
    int64_t requested_us;
    int64_t deadline_us;
    enum upgrade_state state;
    struct str message;
};

/* Whether it may still change: 0, 1, 6. */
bool upgrade_is_open(enum upgrade_state s);

/* "pending". */
const char *upgrade_state_name(enum upgrade_state s) RETURNS_NONNULL;

struct upgrade_options {
    int64_t timeout_us; /* 30 min */
    int64_t alive_us;   /* an agent silent for longer is not alive */
};

/* What an agent says that it runs ("collector.version"), and on what ("linux/amd64", "linux"):
 * empty when it does not say. Of its local attributes. */
struct str upgrade_running(const struct agent *agent);
struct str upgrade_platform(struct arena *a, const struct agent *agent);

/* Whether the agent can go to that version: it fits its platform, is not the one that it runs, and
 * there is a way of allowed steps. *step is the first. Pure. */
bool upgrade_is_possible(struct arena *a, const struct build *builds, size_t count,
                         const struct agent *agent, struct str to_version, struct build *step);

/* NOT_FOUND "no_such_agent"; FAILED_PRECONDITION "not_alive", "in_upgrading"; INVALID_ARGUMENT
 * "bad_version" (unknown for its platform, or the one it runs). to_version empty: the latest. */
int upgrade_request(struct store_tx *tx, struct registry *r, const struct caller *by,
                    uint64_t tenant, int64_t collector, struct str to_version,
                    const struct upgrade_options *o, struct upgrade *out, struct fail *f)
    MUST_CHECK;

/* NOT_FOUND "no_such_upgrade". */
int upgrade_get(struct store_tx *tx, uint64_t tenant, int64_t id, struct upgrade *out,
                struct fail *f) MUST_CHECK;

/* By their numbers. open_only leaves out what has ended; one that ran out of time may be among them
 * until it is swept. */
int upgrade_list(struct store_tx *tx, uint64_t tenant, bool open_only, int64_t after, size_t limit,
                 struct upgrade **out, size_t *count, struct fail *f) MUST_CHECK;

/* The open one of that collector; *found false: none. */
int upgrade_find(struct store_tx *tx, uint64_t tenant, int64_t collector, bool *found,
                 struct upgrade *out, struct fail *f) MUST_CHECK;

/* The build that this agent should fetch now; *offered false: none. Moves a pending task on to
 * progressing; takes another way when the build was removed meanwhile or is not for its platform,
 * and ends it when there is none. platform: what the agent says that it is, empty when it did not
 * say. */
int upgrade_offer(struct store_tx *tx, uint64_t tenant, int64_t collector, struct str platform,
                  bool *offered, struct upgrade *out, struct build *build, struct fail *f)
    MUST_CHECK;

/* What the agent says about the build of that version, for people; that it failed ends the task.
 * FAILED_PRECONDITION "not_offered" when that build is not what it should fetch now: a report that
 * was late, or about another upgrade, changes nothing. */
int upgrade_progress(struct store_tx *tx, uint64_t tenant, int64_t collector, struct str version,
                     bool failed, struct str message, struct fail *f) MUST_CHECK;

/* The agent runs this version: ends its task well, or moves it to the next step. Cheap when it has
 * none. */
int upgrade_observe(struct store_tx *tx, uint64_t tenant, int64_t collector, struct str version,
                    struct fail *f) MUST_CHECK;

/* For task_sweep(): the event of an upgrade that ran out of time. Other tasks are passed over. */
int upgrade_late(struct store_tx *tx, const struct task *t, struct fail *f) MUST_CHECK;

/* The agent was deleted: its open task fails. */
int upgrade_forget(struct store_tx *tx, uint64_t tenant, int64_t collector, struct fail *f)
    MUST_CHECK;

#endif
