/* SPDX-License-Identifier: Apache-2.0 */
/* Bulk updates: reading checks all that does not depend on an agent, so that applying to a hundred
 * thousand of them is a few binary searches each. Pure; any thread. */
#include "api/fleet/operations.h"

#include "api/fleet/attribute_path.h"

/* What no agent may have is refused by the rules for agents. */
static int check_label(struct label label, struct fail *f)
{
    struct attributes one = {.items = &label, .count = 1};

    return agent_check_remote(&one, f);
}

static int read_path(struct arena *a, struct str path, struct str *key, struct fail *f)
{
    if (attribute_path_parse(a, path, key, f) < 0)
        return -1;
    return check_label((struct label){.key = *key}, f);
}

static int missing(struct fail *f, const char *what)
{
    return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_operation", "the operation needs a %s", what);
}

/* The value that the step will set. */
static int read_value(struct operation *to, const struct collector_v1_operation *from,
                      struct fail *f)
{
    if (!from->has_value)
        return missing(f, "value");
    to->has_value = true;
    to->value = from->value;
    return check_label((struct label){.key = to->key, .value = to->value}, f);
}

/* -1 leaves the name of the field at fault in *field. */
static int read_operation(struct arena *a, const struct collector_v1_operation *from,
                          struct operation *to, const char **field, struct fail *f)
{
    enum collector_v1_operation_op_type op = (enum collector_v1_operation_op_type)from->op;

    *field = "op";
    if (from->op <= COLLECTOR_V1_OPERATION_UNKNOWN || from->op > COLLECTOR_V1_OPERATION_COPY)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_operation",
                           "an operation is one of ADD, REMOVE, REPLACE, MOVE, COPY");
    to->op = op;
    *field = "path";
    if (read_path(a, from->path, &to->key, f) < 0)
        return -1;
    switch (op) {
    case COLLECTOR_V1_OPERATION_REPLACE:
        to->has_old_value = from->has_oldValue;
        to->old_value = from->oldValue;
        *field = "value";
        return read_value(to, from, f);
    case COLLECTOR_V1_OPERATION_ADD: *field = "value"; return read_value(to, from, f);
    case COLLECTOR_V1_OPERATION_REMOVE:
        to->has_value = from->has_value;
        to->value = from->value;
        return 0;
    case COLLECTOR_V1_OPERATION_MOVE:
    case COLLECTOR_V1_OPERATION_COPY:
        *field = "from";
        return from->has_from ? read_path(a, from->from, &to->from, f) : missing(f, "from");
    case COLLECTOR_V1_OPERATION_UNKNOWN: break;
    }
    return 0;
}

int operations_parse(struct arena *a, const struct collector_v1_operation *ops, size_t count,
                     struct operations *out, struct fail *f)
{
    const char *field = "";

    if (count == 0 || count > OPERATIONS_MAX) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_operation",
                           "a request has 1 to %d operations", OPERATIONS_MAX));
        return fail_field(f, "ops");
    }

    struct operation *items = arena_new_array(a, struct operation, count);

    for (size_t i = 0; i < count; i++) {
        if (read_operation(a, &ops[i], &items[i], &field, f) < 0)
            return fail_field(f, "ops[%zu].%s", i, field);
    }
    *out = (struct operations){.items = items, .count = count};
    return 0;
}

/* Where the key is, or where it belongs. */
static size_t place_of(const struct attributes *attributes, struct str key, bool *there)
{
    size_t low = 0, high = attributes->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (str_cmp(attributes->items[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *there = low < attributes->count && str_eq(attributes->items[low].key, key);
    return low;
}

/* There is room for one more. */
static void set(struct attributes *to, struct str key, struct str value)
{
    bool there;
    size_t at = place_of(to, key, &there);

    if (!there) {
        memmove(&to->items[at + 1], &to->items[at], (to->count - at) * sizeof(*to->items));
        to->count++;
    }
    to->items[at] = (struct label){.key = key, .value = value};
}

static void drop(struct attributes *from, size_t at)
{
    from->count--;
    memmove(&from->items[at], &from->items[at + 1], (from->count - at) * sizeof(*from->items));
}

static int transfer(struct attributes *all, const struct operation *o, struct fail *f)
{
    bool there;
    size_t at = place_of(all, o->from, &there);

    if (!there)
        return fail_reason(f, CODE_FAILED_PRECONDITION, "no_such_attribute",
                           "there is no remote attribute to take the value from: %.*s",
                           STR_ARG(o->from));

    struct str value = all->items[at].value;

    if (o->op == COLLECTOR_V1_OPERATION_MOVE)
        drop(all, at);
    set(all, o->key, value);
    return 0;
}

static int apply(struct attributes *all, const struct operation *o, struct fail *f)
{
    bool there;
    size_t at;

    switch (o->op) {
    case COLLECTOR_V1_OPERATION_ADD: set(all, o->key, o->value); return 0;
    case COLLECTOR_V1_OPERATION_REMOVE:
        at = place_of(all, o->key, &there);
        if (there && (!o->has_value || str_eq(all->items[at].value, o->value)))
            drop(all, at);
        return 0;
    case COLLECTOR_V1_OPERATION_REPLACE:
        at = place_of(all, o->key, &there);
        if (there && (!o->has_old_value || str_eq(all->items[at].value, o->old_value)))
            all->items[at].value = o->value;
        return 0;
    case COLLECTOR_V1_OPERATION_MOVE:
    case COLLECTOR_V1_OPERATION_COPY: return transfer(all, o, f);
    case COLLECTOR_V1_OPERATION_UNKNOWN: break;
    }
    return 0;
}

int operations_apply(struct arena *a, const struct operations *ops, const struct attributes *remote,
                     struct attributes *out, bool *changed, struct fail *f)
{
    /* No step adds more than one. */
    struct attributes all = {
        .items = arena_new_array(a, struct label, remote->count + ops->count),
        .count = remote->count,
    };

    if (remote->count > 0)
        memcpy(all.items, remote->items, remote->count * sizeof(*all.items));
    for (size_t i = 0; i < ops->count; i++) {
        if (apply(&all, &ops->items[i], f) < 0)
            return fail_field(f, "ops[%zu].from", i);
    }
    if (all.count > AGENT_REMOTE_MAX) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_attributes",
                           "an agent has at most %d remote attributes", AGENT_REMOTE_MAX));
        return fail_field(f, "ops");
    }
    *changed = !attributes_equal(&all, remote);
    *out = all;
    return 0;
}
