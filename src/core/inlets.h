/* SPDX-License-Identifier: Apache-2.0 */
/* The doors that data comes in by: every source with a code of its own in its URL, in memory, found
 * by that code. Follows the store through commit hooks; counts what comes. Any thread, one short
 * lock. */
#ifndef CORE_INLETS_H
#define CORE_INLETS_H

#include "core/messages.h"
#include "core/rules.h"
#include "core/store.h"

struct inlets;

struct inlet {
    uint64_t tenant;
    int64_t collector;
    int64_t source;
    struct str code; /* unguessable; the last part of the URL */
    enum boundary_kind boundary;
    struct str prefix;   /* of BOUNDARY_PREFIX */
    struct str metadata; /* defaults, as "name=value" lines; what a request says goes before, what
                            the collector says behind */
    const struct rule_spec *rules;
    size_t rule_count;
    enum rule_hash hash;
};

struct inlet_ref; /* counted: a source may be deleted while data comes in */

struct inlet_stats {
    uint64_t requests;
    uint64_t messages;
    uint64_t bytes;
    int64_t last_us; /* 0: nothing since the server started */
};

struct inlets *inlets_new(void) RETURNS_NONNULL;
void inlets_free(struct inlets **i);

/* Copies and compiles; takes the place of the inlet of that source. A rule that does not compile
 * refuses data rather than letting it through unmasked; where a prefix does not, each line is a
 * message. */
void inlets_put(struct inlets *i, const struct inlet *in);
void inlets_remove(struct inlets *i, uint64_t tenant, int64_t source);

/* What a collector says of the data of all its sources, those to come too: lines as above. Stays
 * until the collector is removed. */
void inlets_put_collector(struct inlets *i, uint64_t tenant, int64_t collector,
                          struct str metadata);
void inlets_remove_collector(struct inlets *i, uint64_t tenant, int64_t collector);
void inlets_remove_tenant(struct inlets *i, uint64_t tenant);

/* NULL: no such code. Give it back by inlet_unref(). */
struct inlet_ref *inlets_find(struct inlets *i, struct str code);
void inlet_unref(struct inlet_ref **r);

const struct inlet *inlet_of(const struct inlet_ref *r) RETURNS_NONNULL;
const struct rules *inlet_rules(const struct inlet_ref *r); /* NULL: broken */
const struct boundary *inlet_boundary(const struct inlet_ref *r) RETURNS_NONNULL;
struct str inlet_inherited(struct inlet_ref *r, struct arena *a); /* what its collector says */
void inlet_count(struct inlet_ref *r, uint64_t messages, uint64_t bytes, int64_t now_us);

/* Zeros for a source without an inlet. */
void inlets_stats(struct inlets *i, uint64_t tenant, int64_t source, struct inlet_stats *out);

#endif
