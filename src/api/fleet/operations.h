/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a bulk update: read once a request, applied to the remote attributes of each agent
 * that it names. In order, each on what the one before left; all or nothing.
 *
 *   ADD      sets, whether there was a value or not
 *   REMOVE   takes away; with `value` only when that is the value
 *   REPLACE  sets where there is a value; with `oldValue` only when that is the value
 *   MOVE     takes the value from `from` to `path`; COPY leaves it there, too
 *
 * A step with nothing to do is none; only MOVE and COPY insist on their source. Fields that a step
 * has no use for are not looked at. Pure; any thread. */
#ifndef API_FLEET_OPERATIONS_H
#define API_FLEET_OPERATIONS_H

#include "core/agent.h"
#include "proto/collector_v1_collector.pb.h"

#define OPERATIONS_MAX 1000 /* of one request */

struct operation {
    enum collector_v1_operation_op_type op;
    struct str key;
    struct str from; /* MOVE and COPY */
    bool has_value;  /* of REMOVE: whether it is selective */
    struct str value;
    bool has_old_value;
    struct str old_value;
};

struct operations {
    struct operation *items;
    size_t count;
};

/* INVALID_ARGUMENT with the field ("ops[3].path"): none at all or too many, unknown ones, paths
 * that name no remote attribute, what is missing, and keys and values that no agent may have. The
 * result refers to the strings of `ops`. */
int operations_parse(struct arena *a, const struct collector_v1_operation *ops, size_t count,
                     struct operations *out, struct fail *f) MUST_CHECK;

/* `remote` is sorted and stays as it is, and so is *out, which refers to the strings of both.
 * *changed says whether they differ. FAILED_PRECONDITION "no_such_attribute" when a source is
 * missing, INVALID_ARGUMENT "bad_attributes" when more are left than an agent may have. */
int operations_apply(struct arena *a, const struct operations *ops, const struct attributes *remote,
                     struct attributes *out, bool *changed, struct fail *f) MUST_CHECK;

#endif
