/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of agents: what may be one, their order, and which of two wins. Declared in agent.h.
 * Pure. */
#include <stdlib.h>

#include "base/heap.h"
#include "codec/utf8.h"
#include "core/agent.h"

#define SHORT_LIST 64 /* sorted where it stands */

int agent_check_id(struct str id, struct fail *f)
{
    if (id.len > 0 && utf8_is_valid(id) && utf8_count(id) <= AGENT_ID_CHARS_MAX &&
        !utf8_has_control(id))
        return 0;
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_id",
                       "an id is 1 to %d characters without control characters",
                       AGENT_ID_CHARS_MAX));
    return fail_field(f, "id");
}

static int refuse(struct fail *f, const char *reason, const char *field, const char *why)
{
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, reason, "%s", why));
    return fail_field(f, "%s", field);
}

static bool is_reserved(struct str key)
{
    return str_starts_with(key, STR(AGENT_RESERVED_PREFIX));
}

static bool is_id(struct str key)
{
    return str_eq(key, STR(AGENT_ID_KEY));
}

/* In characters. */
struct lengths {
    size_t key;
    size_t value;
};

static const struct lengths narrow = {AGENT_KEY_CHARS_MAX, AGENT_VALUE_CHARS_MAX};
static const struct lengths wide = {AGENT_FIELD_KEY_MAX, AGENT_FIELD_VALUE_MAX};

static int check_one(const struct label *l, const struct lengths *most, const char *field,
                     struct fail *f)
{
    if (l->key.len == 0 || !utf8_is_valid(l->key) || !utf8_is_valid(l->value))
        return refuse(f, "bad_attributes", field, "an attribute's key is empty, or is no text");
    if (l->key.len > LABEL_KEY_MAX || (l->key.len > most->key && utf8_count(l->key) > most->key))
        return refuse(f, "bad_attributes", field, "an attribute's key is too long");
    if (l->value.len > most->value && utf8_count(l->value) > most->value)
        return refuse(f, "bad_attributes", field, "an attribute's value is too long");
    return 0;
}

static bool is_in_order(const struct attributes *attributes)
{
    for (size_t i = 1; i < attributes->count; i++) {
        if (str_cmp(attributes->items[i - 1].key, attributes->items[i].key) >= 0)
            return false;
    }
    return true;
}

/* Lists are short: they were bounded before. */
static bool has_key_twice(const struct attributes *attributes)
{
    if (is_in_order(attributes))
        return false;
    for (size_t i = 1; i < attributes->count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (str_eq(attributes->items[i].key, attributes->items[j].key))
                return true;
        }
    }
    return false;
}

int agent_check_local(const struct attributes *local, size_t max, struct fail *f)
{
    static const char field[] = "local_attributes";
    size_t own = 0;

    if (local->count > AGENT_LOCAL_MAX)
        return refuse(f, "bad_attributes", field, "there are too many attributes");
    for (size_t i = 0; i < local->count; i++) {
        if (is_id(local->items[i].key))
            continue;
        if (check_one(&local->items[i], &narrow, field, f) < 0)
            return -1;
        own += !is_reserved(local->items[i].key);
    }
    if (max && own > max)
        return refuse(f, "bad_attributes", field, "there are too many attributes");
    if (has_key_twice(local))
        return refuse(f, "bad_attributes", field, "an attribute comes twice");
    return 0;
}

static int check_remote(const struct attributes *remote, const struct lengths *most, struct fail *f)
{
    static const char field[] = "remote_attributes";

    if (remote->count > AGENT_REMOTE_MAX)
        return refuse(f, "bad_attributes", field, "there are too many attributes");
    for (size_t i = 0; i < remote->count; i++) {
        if (check_one(&remote->items[i], most, field, f) < 0)
            return -1;
        if (is_reserved(remote->items[i].key))
            return refuse(f, "reserved_attribute", field,
                          "keys that begin with \"" AGENT_RESERVED_PREFIX "\" are the agent's own");
    }
    if (has_key_twice(remote))
        return refuse(f, "bad_attributes", field, "an attribute comes twice");
    return 0;
}

int agent_check_remote(const struct attributes *remote, struct fail *f)
{
    return check_remote(remote, &narrow, f);
}

int agent_check_fields(const struct attributes *remote, struct fail *f)
{
    return check_remote(remote, &wide, f);
}

struct placed {
    struct label label;
    size_t at;
};

static int by_key_and_place(const void *a, const void *b)
{
    const struct placed *x = a;
    const struct placed *y = b;
    int order = str_cmp(x->label.key, y->label.key);

    return order ? order : (x->at > y->at) - (x->at < y->at);
}

static void sort_long(struct attributes *attributes)
{
    struct placed *all = heap_new_array(struct placed, attributes->count);

    for (size_t i = 0; i < attributes->count; i++)
        all[i] = (struct placed){attributes->items[i], i};
    qsort(all, attributes->count, sizeof(*all), by_key_and_place);
    for (size_t i = 0; i < attributes->count; i++)
        attributes->items[i] = all[i].label;
    free(all);
}

static void sort_short(struct attributes *attributes)
{
    for (size_t i = 1; i < attributes->count; i++) {
        struct label moved = attributes->items[i];
        size_t j = i;

        for (; j > 0 && str_cmp(attributes->items[j - 1].key, moved.key) > 0; j--)
            attributes->items[j] = attributes->items[j - 1];
        attributes->items[j] = moved;
    }
}

void attributes_sort(struct attributes *attributes)
{
    size_t n = 0;

    if (!is_in_order(attributes)) {
        if (attributes->count > SHORT_LIST)
            sort_long(attributes);
        else
            sort_short(attributes);
    }
    for (size_t i = 0; i < attributes->count; i++) {
        struct label l = attributes->items[i];

        if (is_id(l.key))
            continue;
        if (n > 0 && str_eq(attributes->items[n - 1].key, l.key))
            n--;
        attributes->items[n++] = l;
    }
    attributes->count = n;
}

struct attributes attributes_sorted(struct arena *a, const struct attributes *attributes)
{
    struct attributes copy = {arena_new_array(a, struct label, attributes->count),
                              attributes->count};

    if (attributes->count > 0)
        memcpy(copy.items, attributes->items, attributes->count * sizeof(*copy.items));
    attributes_sort(&copy);
    return copy;
}

bool attributes_equal(const struct attributes *x, const struct attributes *y)
{
    if (x->count != y->count)
        return false;
    for (size_t i = 0; i < x->count; i++) {
        if (!str_eq(x->items[i].key, y->items[i].key) ||
            !str_eq(x->items[i].value, y->items[i].value))
            return false;
    }
    return true;
}

struct attributes attributes_overlay(struct arena *a, struct str id, const struct attributes *local,
                                     const struct attributes *remote)
{
    const struct label own = {STR(AGENT_ID_KEY), id};
    struct label *all = arena_new_array(a, struct label, local->count + remote->count + 1);
    size_t n = 0;
    size_t i = 0;
    size_t j = 0;
    bool placed = false;

    while (i < local->count || j < remote->count) {
        if (i < local->count && is_id(local->items[i].key)) {
            i++;
            continue;
        }
        if (j < remote->count && is_reserved(remote->items[j].key)) {
            j++;
            continue;
        }

        int order = i == local->count    ? 1
                    : j == remote->count ? -1
                                         : str_cmp(local->items[i].key, remote->items[j].key);
        struct label next = order < 0 ? local->items[i] : remote->items[j];

        i += order <= 0;
        j += order >= 0;
        if (!placed && str_cmp(own.key, next.key) < 0) {
            all[n++] = own;
            placed = true;
        }
        all[n++] = next;
    }
    if (!placed)
        all[n++] = own;
    return (struct attributes){all, n};
}
