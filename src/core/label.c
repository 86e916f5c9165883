/* SPDX-License-Identifier: Apache-2.0 */
/* Labels as one run of bytes: pairs sorted by key, each a 16-bit key length, the key, a 16-bit
 * value length and the value, lengths with the high byte first. Declared in collector.h. */
#include <stdlib.h>

#include "core/collector.h"

_Static_assert(LABEL_KEY_MAX <= UINT16_MAX && LABEL_VALUE_MAX <= UINT16_MAX, "lengths fit");

static int by_key(const void *a, const void *b)
{
    const struct label *x = a;
    const struct label *y = b;

    return str_cmp(x->key, y->key);
}

static int refuse(struct fail *f, const char *why)
{
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_labels", "%s", why));
    return fail_field(f, "labels");
}

static uint8_t *put(uint8_t *at, struct str s)
{
    at[0] = (uint8_t)(s.len >> 8);
    at[1] = (uint8_t)s.len;
    if (s.len > 0)
        memcpy(at + 2, s.p, s.len);
    return at + 2 + s.len;
}

int labels_encode(struct arena *a, const struct label *labels, size_t count, struct str *out,
                  struct fail *f)
{
    size_t size = 0;

    if (count > COLLECTOR_LABELS_MAX)
        return refuse(f, "there are too many labels");
    for (size_t i = 0; i < count; i++) {
        if (labels[i].key.len == 0 || labels[i].key.len > LABEL_KEY_MAX)
            return refuse(f, "a label's key is empty or too long");
        if (labels[i].value.len > LABEL_VALUE_MAX)
            return refuse(f, "a label's value is too long");
        size += 4 + labels[i].key.len + labels[i].value.len;
    }

    struct label *sorted = arena_new_array(a, struct label, count);

    if (count > 0)
        memcpy(sorted, labels, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), by_key);
    for (size_t i = 1; i < count; i++) {
        if (str_eq(sorted[i].key, sorted[i - 1].key))
            return refuse(f, "a label's key comes twice");
    }

    uint8_t *bytes = arena_alloc_raw(a, size);
    uint8_t *at = bytes;

    for (size_t i = 0; i < count; i++)
        at = put(put(at, sorted[i].key), sorted[i].value);
    *out = str_make(bytes, size);
    return 0;
}

/* Cuts one length and its bytes off the front. */
static bool take(struct str *rest, struct str *out)
{
    const uint8_t *p = (const uint8_t *)rest->p;

    if (rest->len < 2)
        return false;

    size_t len = (size_t)p[0] << 8 | p[1];

    if (rest->len - 2 < len)
        return false;
    *out = str_make(p + 2, len);
    *rest = str_skip(*rest, 2 + len);
    return true;
}

bool labels_find(struct str labels, struct str key, struct str *value)
{
    struct label l;

    while (take(&labels, &l.key) && take(&labels, &l.value)) {
        if (str_eq(l.key, key)) {
            *value = l.value;
            return true;
        }
    }
    return false;
}

struct str labels_value(const struct label *sorted, size_t count, struct str key)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(sorted[middle].key, key);

        if (order == 0)
            return sorted[middle].value;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return (struct str){NULL, 0};
}

int labels_decode(struct arena *a, struct str labels, struct label **out, size_t *count)
{
    struct str rest = labels;
    struct label *rows;
    struct label l;
    size_t room = 0;

    for (; rest.len > 0; room++) {
        if (room == COLLECTOR_LABELS_MAX || !take(&rest, &l.key) || !take(&rest, &l.value))
            return -1;
    }
    rows = arena_new_array(a, struct label, room);
    for (size_t n = 0; n < room; n++) {
        if (!take(&labels, &rows[n].key) || !take(&labels, &rows[n].value) ||
            rows[n].key.len == 0 || (n > 0 && str_cmp(rows[n - 1].key, rows[n].key) >= 0))
            return -1;
    }
    *out = rows;
    *count = room;
    return 0;
}
