/* SPDX-License-Identifier: Apache-2.0 */
/* Agents as rows: collectors of the kind "agent", live processes in the field. What every kind has
 * (identity, name, revision, times) is core/collector.h; here is what only agents have. Runs inside
 * a transaction, rows live in its arena; agents.h is all of them in memory and follows these
 * functions by itself, after the commit.
 *
 * Local attributes are what the agent says of itself, remote ones what the operator put on it (they
 * are the row's labels). Its effective attributes are the local ones overlaid by the remote ones,
 * except that keys beginning with "collector." are always the agent's own and "collector.ID" is its
 * id. */
#ifndef CORE_AGENT_H
#define CORE_AGENT_H

#include "core/collector.h"
#include "core/profile.h"

#define AGENT_ID_KEY          "collector.ID"
#define AGENT_RESERVED_PREFIX "collector."

#define AGENT_ID_CHARS_MAX    255
#define AGENT_NAME_CHARS_MAX  255
#define AGENT_KEY_CHARS_MAX   100
#define AGENT_VALUE_CHARS_MAX 150
#define AGENT_FIELD_KEY_MAX   255 /* characters, in dialects that allow more than the above */
#define AGENT_FIELD_VALUE_MAX 200 /* same */
#define AGENT_TARGET_CPU_MAX  100
#define AGENT_REMOTE_MAX      100  /* attributes */
#define AGENT_LOCAL_MAX       1000 /* reserved ones included */
#define AGENT_TEXT_MAX        (4u << 20)

enum agent_type {
    AGENT_ALLOY = 1,
    AGENT_OTEL = 2,
};

/* Of the configuration that the agent was last given, in the agent's own words. */
enum agent_status {
    AGENT_STATUS_UNSET,
    AGENT_STATUS_APPLIED,
    AGENT_STATUS_APPLYING,
    AGENT_STATUS_FAILED,
};

/* A large text in the store, kept once for all rows of the tenant that refer to it. All zero: none.
 */
struct text_ref {
    uint8_t hash[TEXT_HASH_LEN]; /* SHA-256 */
    bool set;
};

/* Both sorted by key. */
struct attributes {
    struct label *items;
    size_t count;
};

struct agent {
    struct collector row; /* ext_id is the agent's id; labels and body are made from what follows */
    enum agent_type type;
    bool enabled;        /* gets configuration */
    int64_t inactive_us; /* said good-bye; 0: did not. Silence is seen in row.last_seen_us */
    struct attributes local;
    struct attributes remote;
    bool registered; /* spoke itself at least once */

    bool has_status; /* ever reported one */
    enum agent_status status;
    int64_t status_us;
    struct text_ref status_error;     /* text of a failure */
    struct text_ref effective_config; /* encoded message AgentConfigMap of collector.v1, or what
                                         another dialect's agents report; opaque here */

    /* Management words, see profile.h; all absent for agents that nobody described. */
    struct profile profile;
    bool ephemeral;     /* deleted after it was silent for long */
    int32_t target_cpu; /* percent; 0: not set */
    bool sources_local; /* its sources come from a file of its own, not from us */

    /* What one dialect keeps of an agent beyond this, by the dialect's name; opaque here. */
    struct label *extras;
    size_t extra_count;
};

struct registry;

/* What an agent says about itself. Absent parts (flags) stay as they are. */
struct agent_report {
    struct str id;
    bool has_local;
    bool local_if_new; /* an agent that is known already keeps its own */
    bool has_name;
    bool has_status;
    bool has_effective_config;
    bool returns;            /* ends an explicit inactivity */
    enum agent_type type;    /* of an agent that is new; 0: AGENT_ALLOY */
    struct attributes local; /* any order, without AGENT_ID_KEY or with it: it is dropped */
    struct str name;
    struct str status_error; /* its text, not its hash */
    struct str effective_config;
    enum agent_status status;

    /* What text_ref_of() says of the two texts, when it was asked before (set): hashing is better
     * done on a worker than on the lane. */
    struct text_ref status_error_ref;
    struct text_ref effective_config_ref;

    size_t local_max;  /* attributes that are not reserved; 0: any number up to AGENT_LOCAL_MAX */
    size_t agents_max; /* of the tenant; 0: any number. See agent_check_room() */
};

/* Empty text: not set. */
struct text_ref text_ref_of(struct str text);
bool text_ref_equal(const struct text_ref *x, const struct text_ref *y);

/* Ids: 1 to 255 characters, no control characters. Attributes: keys and values within the limits
 * above, no key twice. INVALID_ARGUMENT "bad_id", "bad_attributes". Pure. */
int agent_check_id(struct str id, struct fail *f) MUST_CHECK;
int agent_check_local(const struct attributes *local, size_t max, struct fail *f) MUST_CHECK;

/* Also refuses reserved keys: "reserved_attribute". */
int agent_check_remote(const struct attributes *remote, struct fail *f) MUST_CHECK;

/* The same rules but for the lengths: what a row can hold, whatever dialect it came by. This is all
 * that agent_create() and agent_update() ask for, so that each dialect asks for its own first. */
int agent_check_fields(const struct attributes *remote, struct fail *f) MUST_CHECK;

/* Sorts by key and drops AGENT_ID_KEY. A key that comes twice: the last one stays. */
void attributes_sort(struct attributes *attributes);

/* Same, as a list of its own: theirs stays as it is. */
struct attributes attributes_sorted(struct arena *a, const struct attributes *attributes);

/* Of sorted ones. */
bool attributes_equal(const struct attributes *x, const struct attributes *y);

/* Effective attributes, sorted, with AGENT_ID_KEY; strings are those of the inputs. Pure. */
struct attributes attributes_overlay(struct arena *a, struct str id, const struct attributes *local,
                                     const struct attributes *remote);

/* --- in a write transaction; the registry (NULL: none) follows after the commit. Each change
 * leaves one event, named "agent.created", "agent.registered", "agent.updated", "agent.status",
 * "agent.returned", "agent.left" or "agent.deleted"; agents have none of those named "collector."
 * --- */

/* RESOURCE_EXHAUSTED "too_many_agents" when the tenant has that many (max 0: never), with those
 * that the transaction makes. tx NULL: outside of the lane, when others may still come first. */
int agent_check_room(struct store_tx *tx, struct registry *r, uint64_t tenant, size_t max,
                     struct fail *f) MUST_CHECK;

/* Creates the agent or takes over what it says; writes nothing (no revision, no event) when nothing
 * changes. Reports of status and effective config are durable but leave updated_us alone, and so
 * does `returns`. *changed (may be NULL) tells. A version that it did not run before is news for
 * its upgrade. RESOURCE_EXHAUSTED "too_many_agents". */
int agent_report(struct store_tx *tx, struct registry *r, const struct caller *by, uint64_t tenant,
                 const struct agent_report *report, bool *changed, struct fail *f) MUST_CHECK;

/* a: row.tenant, row.ext_id, row.name, row.unique_name, type (0: ALLOY), enabled, registered, local
 * (of a registered one, which is seen now), remote, extras, profile, ephemeral, target_cpu,
 * sources_local. The rest is filled in. An empty ext_id becomes the numeric id as text. A unique
 * name is its own among the agents and hosted collectors that have one, and reports do not change
 * it. ALREADY_EXISTS "id_taken", "name_taken". */
int agent_create(struct store_tx *tx, struct registry *r, const struct caller *by, struct agent *a,
                 struct fail *f) MUST_CHECK;

/* NOT_FOUND "no_such_agent". */
int agent_get(struct store_tx *tx, uint64_t tenant, struct str id, struct agent *out,
              struct fail *f) MUST_CHECK;

/* Writes back what agent_get() read and the caller changed: name, unique_name, type, enabled,
 * local, remote, inactive_us, extras, profile, ephemeral, target_cpu, sources_local. Nothing is
 * written when nothing differs. ABORTED "revision_mismatch" when a->row.revision is set and is not
 * the row's; ALREADY_EXISTS "name_taken". */
int agent_update(struct store_tx *tx, struct registry *r, const struct caller *by, struct agent *a,
                 struct fail *f) MUST_CHECK;

/* With its texts and sources, and with what hangs on it elsewhere: see registry_on_delete(). */
int agent_delete(struct store_tx *tx, struct registry *r, const struct caller *by, uint64_t tenant,
                 struct str id, struct fail *f) MUST_CHECK;

/* Says good-bye: inactive from now on. Unknown ids and agents that are inactive already: nothing to
 * do. */
int agent_leave(struct store_tx *tx, struct registry *r, const struct caller *by, uint64_t tenant,
                struct str id, struct fail *f) MUST_CHECK;

/* The agent of that number is heard of: ends an explicit inactivity, which is durable and therefore
 * more than agents_beat() can do. Nothing else is written. NOT_FOUND "no_such_agent". */
int agent_return(struct store_tx *tx, struct registry *r, const struct caller *by, uint64_t tenant,
                 int64_t number, struct fail *f) MUST_CHECK;

/* The text behind a reference, in the transaction's arena; empty when it is not set. */
int agent_text(struct store_tx *tx, uint64_t tenant, const struct text_ref *ref, struct str *out,
               struct fail *f) MUST_CHECK;

/* --- between the row and the struct; for the registry --- */

int agent_encode(struct arena *a, struct agent *agent, struct fail *f) MUST_CHECK;

/* DATA_LOSS when labels or body are not what agent_encode() makes. Strings are views of the row. */
int agent_decode(struct arena *a, const struct collector *row, struct agent *out, struct fail *f)
    MUST_CHECK;

#endif
