/* SPDX-License-Identifier: Apache-2.0 */
/* How much a key or a tenant may ask for: rates and requests at a time, by dialect and by class of
 * route. Memory is bounded: the entry that was idle longest makes room. Any thread; one mutex a
 * shard, held for a few dozen instructions. Nothing is limited until a policy is set. */
#ifndef RPC_LIMIT_H
#define RPC_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/str.h"

/* Classes of routes within a dialect: ROUTE_LIMIT_CLASS(n) in a route's flags, n below this. */
#define LIMIT_CLASSES 4

enum limit_shape {
    LIMIT_NONE,
    LIMIT_BUCKET, /* `amount` per period on average, up to `burst` at once */
    LIMIT_WINDOW, /* at most `amount` in any period that ends now */
};

struct limit_rule {
    enum limit_shape shape;
    uint32_t amount;
    uint32_t period_ms;
    uint32_t burst; /* LIMIT_BUCKET; 0: same as amount */
};

struct limit_policy {
    struct limit_rule key;
    struct limit_rule tenant;
    uint32_t key_concurrent; /* requests at a time; 0: any number */
    uint32_t tenant_concurrent;
    bool headers; /* tell how much is left: RateLimit-Limit, -Remaining, -Reset */
};

struct limits;

/* At most `max_entries` keys and tenants are remembered. */
struct limits *limits_new(const struct clock *clock, size_t max_entries) RETURNS_NONNULL;
void limits_free(struct limits **l);

/* Where the policy of a dialect and class lives; the same answer each time. Start-up. -1 when there
 * are too many dialects. */
int limits_slot(struct limits *l, const char *dialect, unsigned class, size_t *out, struct fail *f)
    MUST_CHECK;

/* Takes effect for the next request; what was counted so far stays counted. NULL: no limit. Any
 * thread. -1 when the numbers make no sense. */
int limits_set(struct limits *l, size_t slot, const struct limit_policy *p, struct fail *f)
    MUST_CHECK;

/* What one admitted request holds until limits_release(). All zero: nothing. */
struct limit_lease {
    void *key;
    void *tenant;
};

/* The tighter of the rules that apply, for the answer's fields; limit 0 when no rate applies. */
struct limit_state {
    uint32_t limit;
    uint32_t remaining;
    uint32_t reset_ms; /* until all of it is there again */
    bool headers;
};

/* -1 with CODE_RESOURCE_EXHAUSTED, reason "rate_limit" or "concurrency_limit" and retry_after_ms.
 * `key` may be empty (no key: only the tenant counts). */
int limits_take(struct limits *l, size_t slot, uint64_t tenant, struct str key,
                struct limit_lease *lease, struct limit_state *state, struct fail *f) MUST_CHECK;

/* Once per lease; an empty one is fine. Clears it. */
void limits_release(struct limits *l, struct limit_lease *lease);

/* Keys and tenants remembered now. */
size_t limits_count(struct limits *l);

#endif
