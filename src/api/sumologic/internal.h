/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this face share: helpers for handlers, collectors of both kinds as one thing,
 * and the handlers themselves by endpoint. Private to the folder.
 *
 * Bodies and lanes: a POST or PUT is LANE_WORKER with ROUTE_MOVES; its first part looks for what
 * the path names (404), then sumo_body() (415, syntax), keeps what it found in c->carry and ends in
 * call_move(c, LANE_WRITE, ...). Routes have no `media`, because 404 goes before 415. */
#ifndef API_SUMOLOGIC_INTERNAL_H
#define API_SUMOLOGIC_INTERNAL_H

#include "api/sumologic/errors.h"
#include "api/sumologic/members.h"
#include "api/sumologic/sumologic.h"
#include "core/enroll.h"
#include "core/hosted.h"
#include "core/source.h"

#define SUMO_COLLECTOR_BODY (256u << 10) /* all texts at their longest, escaped: 80 KiB */
#define SUMO_HEARTBEAT_BODY (4u << 10)   /* there is none; some clients send {} */
#define SUMO_SOURCE_BODY    (1u << 20)
#define SUMO_LIST_ANSWER    (16u << 20)
#define SUMO_DATA_BODY      (16u << 20) /* of agents */
#define SUMO_PAGE_MAX       1000

/* --- request.c: what requests say --- */

struct sumologic_app *sumo_app(const struct call *c) RETURNS_NONNULL;
struct realm *sumo_realm(const struct call *c) RETURNS_NONNULL;
int64_t sumo_now_us(const struct call *c); /* wall */

/* A positive decimal number of 64 bits. False: it names nothing, the answer is 404. */
bool sumo_id(struct str text, int64_t *out);

/* The same number in 16 upper-case hex digits, and back (either case): the newer endpoints. */
struct str sumo_hex(struct arena *a, int64_t id);
bool sumo_hex_id(struct str text, int64_t *out);

/* The request's body: 415 "media_type", 400 "bad_json", then its member of that name, an object:
 * "fields_missing", "fields_invalid". key NULL: the whole object. */
int sumo_body(struct call *c, const char *key, const struct json_value **out, struct fail *f)
    MUST_CHECK;

/* That member of a body that was taken whole: what may be wrong with it comes after If-Match. */
int sumo_member(const struct json_value *body, const char *key, const struct json_value **out,
                struct fail *f) MUST_CHECK;

/* Whether the body's member "id" is that number, also as text: some clients write numbers so.
 * "fields_missing", or that reason. */
int sumo_body_id(const struct json_value *body, int64_t id, const char *reason, struct fail *f)
    MUST_CHECK;

struct sumo_page {
    size_t offset;
    size_t limit; /* 1 to SUMO_PAGE_MAX: more is cut to it */
};

/* "bad_limit", "bad_offset". */
int sumo_page(const struct call *c, size_t default_limit, struct sumo_page *out, struct fail *f)
    MUST_CHECK;

/* false when absent; 400 "fields_invalid" for anything but true and false. */
int sumo_query_bool(const struct call *c, const char *name, bool *out, struct fail *f) MUST_CHECK;

/* "-2d": so long before now, in milliseconds since the epoch; units are M (30 days), w, d, h, m.
 * "fields_invalid". */
int sumo_cutoff(struct str text, int64_t now_us, int64_t *out_ms, struct fail *f) MUST_CHECK;

/* --- request.c: conditions. Tags are 32 hex digits, without their quotes --- */

/* PERMISSION_DENIED "if_match_missing", ABORTED "etag_mismatch", INVALID_ARGUMENT
 * "if_match_unquoted". */
int sumo_if_match(const struct call *c, struct str etag, struct fail *f) MUST_CHECK;

/* Sets the field ETag. */
void sumo_etag(struct call *c, struct str etag);

/* Of a GET: also looks at If-None-Match. True: that has it, the status is 304 now and no body is
 * needed. */
bool sumo_etag_is_known(struct call *c, struct str etag);

/* "https://muster.lan:8443": the configured one, or what the request was sent to. */
struct str sumo_base_url(const struct call *c);

/* --- collectors.c: a collector of either kind --- */

struct sumo_collector {
    bool is_hosted;
    int64_t id;
    struct str name;
    struct agent agent;   /* installed */
    struct hosted hosted; /* hosted */
};

/* NOT_FOUND "no_such_collector". `tx` may be any transaction; NULL: agents from memory, and a
 * snapshot of our own for hosted ones (worker). */
int sumo_collector_get(const struct call *c, struct store_tx *tx, int64_t id,
                       struct sumo_collector *out, struct fail *f) MUST_CHECK;

/* By a path parameter that should be a number. */
int sumo_collector_at(const struct call *c, struct store_tx *tx, const char *param,
                      struct sumo_collector *out, struct fail *f) MUST_CHECK;

/* On the write lane: what was changed of one that was read there. */
int sumo_collector_save(const struct call *c, struct sumo_collector *col, struct fail *f)
    MUST_CHECK;

/* With its sources, credentials, doors and open upgrades. Memory follows after the commit. */
int sumo_collector_drop(struct sumologic_app *app, struct store_tx *tx, const struct caller *by,
                        uint64_t tenant, const struct sumo_collector *col, struct fail *f)
    MUST_CHECK;

/* --- collector_json.c --- */

bool sumo_is_alive(const struct sumologic_app *app, const struct sumo_collector *col,
                   int64_t now_us);

/* The members of either kind. */
const struct member_table *sumo_collector_table(bool is_hosted) RETURNS_NONNULL;

/* What members_put() and members_etag() want. */
struct json_value *sumo_collector_tree(struct arena *a, const struct sumologic_app *app,
                                       const struct sumo_collector *col, int64_t now_us)
    RETURNS_NONNULL;

/* One object, as lists and single answers show it. Memory for the way there comes from `a`. */
void sumo_collector_put(struct json_writer *w, struct arena *a, const struct sumologic_app *app,
                        const struct sumo_collector *col, int64_t now_us);
struct str sumo_collector_etag(struct arena *a, const struct sumo_collector *col);

/* From what members_take() made: name, words, fields, and an agent's own settings. */
int sumo_collector_apply(struct arena *a, const struct json_value *taken,
                         struct sumo_collector *col, struct fail *f) MUST_CHECK;

/* No control characters but tabs; blanks stay as they were given. "fields_invalid". */
int sumo_check_name(struct str name, struct fail *f) MUST_CHECK;

/* An agent's new name: one given here is its own, which nobody else may have and its reports leave
 * alone. One without a name is shown by its id, and stays so. */
void sumo_collector_rename(struct sumo_collector *col, struct str name);

/* Fields of any values: what is no text becomes text, null is left out. Sorted, and checked by
 * agent_check_fields(). */
int sumo_take_fields(struct arena *a, const struct json_value *map, struct attributes *out,
                     struct fail *f) MUST_CHECK;

/* --- doors (source files): whether the source takes data by a URL of its own --- */

/* Everything in the arena. False: it has none. */
bool sumo_source_inlet(struct arena *a, const struct source *row, struct inlet *out);

/* What a collector gives to the data of its sources, as inlets_put_collector() wants it. */
struct str sumo_collector_metadata(struct arena *a, const struct profile *profile,
                                   const struct attributes *fields);

/* On the write lane: after the commit the doors of that collector say what it says now. */
void sumo_inlets_follow(const struct call *c, const struct hosted *h);

/* --- handlers. A route is listed in sumologic.c once its handler is there --- */

/* collectors.c */
int sumo_collectors_list(struct call *c, struct fail *f);
int sumo_collectors_offline(struct call *c, struct fail *f);
int sumo_collectors_offline_delete(struct call *c, struct fail *f);
int sumo_collectors_get(struct call *c, struct fail *f);      /* {id} */
int sumo_collectors_get_name(struct call *c, struct fail *f); /* name/{name:path} */
int sumo_collectors_create(struct call *c, struct fail *f);
int sumo_collectors_update(struct call *c, struct fail *f);
int sumo_collectors_delete(struct call *c, struct fail *f);

/* budgets.c: {budget}, {id} of the collector */
int sumo_budgets_get(struct call *c, struct fail *f);
int sumo_budgets_assign(struct call *c, struct fail *f);
int sumo_budgets_remove(struct call *c, struct fail *f);

/* source files. Parameters: {id} of the collector, {source}. List and get: worker; create and
 * update: worker, moves; delete: write lane */
int sumo_sources_list(struct call *c, struct fail *f);
int sumo_sources_get(struct call *c, struct fail *f);
int sumo_sources_create(struct call *c, struct fail *f);
int sumo_sources_update(struct call *c, struct fail *f);
int sumo_sources_delete(struct call *c, struct fail *f);

/* upgrades.c. {task}. Create: worker, moves; the others: worker */
int sumo_upgrades_targets(struct call *c, struct fail *f);
int sumo_upgrades_collectors(struct call *c, struct fail *f);
int sumo_upgrades_create(struct call *c, struct fail *f);
int sumo_upgrades_get(struct call *c, struct fail *f);

/* enrollment_routes.c: the dialect whose errors come as a list, and the routes from here to
 * ot_collectors.c. */
extern const struct dialect sumo_enrollment_dialect;

#define SUMO_ENROLLMENT_ROUTES 22
extern const struct route sumo_enrollment_routes[SUMO_ENROLLMENT_ROUTES];

/* registration.c (open, it looks for SCOPE_ENROLL itself; loop, moves), heartbeat.c (SCOPE_BEAT;
 * loop), metadata.c (SCOPE_BEAT; worker, moves) */
int sumo_register(struct call *c, struct fail *f);
int sumo_heartbeat(struct call *c, struct fail *f);
int sumo_metadata(struct call *c, struct fail *f);

/* heartbeat.c: the agent whose credential the caller has, and what is said when it is gone.
 * UNAUTHENTICATED both. */
int sumo_caller_agent(const struct call *c, int64_t *number, struct fail *f) MUST_CHECK;
int sumo_agent_gone(struct fail *f);

/* tokens.c. {token}: hex. Create and update: worker, moves; delete: write lane; reads: worker */
int sumo_tokens_list(struct call *c, struct fail *f);
int sumo_tokens_get(struct call *c, struct fail *f);
int sumo_tokens_create(struct call *c, struct fail *f);
int sumo_tokens_update(struct call *c, struct fail *f);
int sumo_tokens_delete(struct call *c, struct fail *f);

/* ot_collectors.c. {hex}; update: ?id= */
int sumo_ot_collectors_get(struct call *c, struct fail *f);
int sumo_ot_collectors_update(struct call *c, struct fail *f);
int sumo_ot_collectors_delete(struct call *c, struct fail *f);

/* receiver.c: the dialect of /receiver/v1/http/{code}; and /api/v1/collector/{logs,metrics,traces}
 * (SCOPE_BEAT; loop, moves) */
void sumo_receiver_table(struct sumologic_app *app, struct route_table *out);
int sumo_receive(struct call *c, struct fail *f);
int sumo_receive_agent(struct call *c, struct fail *f);

/* Before the body: takes room for the latter's. */
int sumo_begin(struct call *c, struct fail *f);

#endif
