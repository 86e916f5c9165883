/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the dialect share. Private to api/native. */
#ifndef API_NATIVE_NATIVE_INTERNAL_H
#define API_NATIVE_NATIVE_INTERNAL_H

#include "api/native/native.h"
#include "proto/muster_v1_fleet.pb.h"

#define NATIVE_IDS_MAX 10000

struct watches;

struct native {
    struct native_options o;
    struct watches *watches;
    struct rpc_service service;
    struct rpc_table table;
};

struct native *native_of(const struct call *c) RETURNS_NONNULL;

/* Memory of the caller's tenant. */
struct realm *native_realm(const struct call *c) RETURNS_NONNULL;

int native_no_such_agent(struct fail *f);

/* At most as many as a pipeline may have. */
int native_matchers(struct arena *a, const struct str *texts, size_t count, struct matcher **out,
                    struct fail *f) MUST_CHECK;

/* Attributes are copied to the arena, other strings are those of the agent. */
void native_agent(const struct native *n, struct arena *a, const struct agent *agent,
                  struct muster_v1_agent *out);

/* The agent as the selection sees it; attributes in the arena. */
struct agent_view native_view(struct arena *a, const struct agent *agent);

struct str native_hash(struct arena *a, const uint8_t hash[TEXT_HASH_LEN]);

/* --- the first of many ids, in order --- */

struct first_ids {
    struct arena *arena; /* ids are copied to it */
    struct str *items;   /* a heap, the greatest at its top */
    size_t count;
    size_t cap;
    size_t total; /* that were put */
};

void first_ids_init(struct first_ids *ids, struct arena *a, size_t cap);
void first_ids_put(struct first_ids *ids, struct str id);

/* Turns the heap into a sorted list, each once. */
void first_ids_sort(struct first_ids *ids);

/* --- handlers, in the files of their names --- */

int native_list(struct call *c, const void *request, void *response, struct fail *f);
int native_get(struct call *c, const void *request, void *response, struct fail *f);
int native_explain(struct call *c, const void *request, void *response, struct fail *f);
int native_preview(struct call *c, const void *request, void *response, struct fail *f);

extern const struct rpc_live_ops native_watch_ops;

struct watches *watches_new(struct registry *r) RETURNS_NONNULL;
void watches_leave(struct watches *w);
void watches_free(struct watches **w);

#endif
