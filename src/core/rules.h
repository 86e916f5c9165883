/* SPDX-License-Identifier: Apache-2.0 */
/* Processing rules of a source: which messages pass, and what of them is made unreadable on the
 * way. Compiled once, immutable, used by any thread. Patterns are RE2's: what Java has beyond that
 * (look-around, back-references) is refused when the rule is written. Pure. */
#ifndef CORE_RULES_H
#define CORE_RULES_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/str.h"

enum rule_kind {
    RULE_EXCLUDE, /* the whole message matches: it is dropped */
    RULE_INCLUDE, /* where there are such rules, a message must match one of them */
    RULE_HASH,    /* each group is replaced by its hash */
    RULE_MASK,    /* each group is replaced by the mask */
    RULE_FORWARD, /* kept for the agent; nothing happens here */
};

enum rule_hash {
    RULE_MD5,
    RULE_SHA256,
};

struct rule_spec {
    enum rule_kind kind;
    struct str name;
    struct str pattern;
    struct str mask;
};

struct rules;

/* INVALID_ARGUMENT "bad_pattern"; fail_field "filters[2].regexp". The result lives in the arena. */
int rules_compile(struct arena *a, const struct rule_spec *specs, size_t count, enum rule_hash hash,
                  struct rules **out, struct fail *f) MUST_CHECK;

/* What it takes to apply rules to the messages of a request: room, which is used again for each,
 * and an end to the time. One thread. */
struct rules_work {
    struct buf texts[2];
    unsigned current;
    unsigned searches;
    int64_t until_us; /* of the thread's own time */
    bool over_time;
};

/* No message may become longer than `max`; after `cpu_us` no more are looked at. */
void rules_work_init(struct rules_work *w, size_t max, int64_t cpu_us);
void rules_work_done(struct rules_work *w);

enum rules_verdict {
    RULES_PASSED,
    RULES_DROPPED,
    RULES_TOO_MUCH, /* too long or too slow; nothing may pass in part */
};

/* One message: *out is it, or its altered copy until the next one. In the order: include and
 * exclude on the text as it came, then hash and mask in the order of the list. */
enum rules_verdict rules_apply(const struct rules *r, struct rules_work *w, struct str message,
                               struct str *out) MUST_CHECK;

/* Whether there is anything to do at all. */
bool rules_are_idle(const struct rules *r);

#endif
