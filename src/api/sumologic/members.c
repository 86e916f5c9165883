/* SPDX-License-Identifier: Apache-2.0 */
#include "api/sumologic/members.h"

#include <assert.h>
#include <stdlib.h>

#include "codec/sha256.h"
#include "codec/utf8.h"

#define HIDDEN    STR("********")
#define TAG_LEN   32
#define KEY_MAX   255
#define VALUE_MAX 200
#define SHOWN_MAX (64u << 20) /* no object comes near it: bodies are bounded */

/* Where in the request a value stands, for messages: "filters[2].regexp". */
struct place {
    const struct place *outer;
    const char *name;
    int64_t index; /* -1: no item of an array */
};

/* --- failures --- */

static void place_print(const struct place *p, struct buf *out)
{
    if (p->outer)
        place_print(p->outer, out);
    if (out->len > 0)
        buf_put_byte(out, '.');
    buf_put_str(out, str_of(p->name));
    if (p->index >= 0)
        buf_printf(out, "[%lld]", (long long)p->index);
}

static int set_field(struct arena *a, const struct place *p, struct fail *f)
{
    struct buf path;

    buf_init_arena(&path, a, 256);
    place_print(p, &path);
    return fail_field(f, "%.*s", STR_ARG(buf_str(&path)));
}

static int missing(struct arena *a, const struct place *p, struct fail *f)
{
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "fields_missing", "Missing required field: '%s'",
                       p->name));
    return set_field(a, p, f);
}

static int invalid(struct arena *a, const struct place *p, struct fail *f, const char *what)
{
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                       "Invalid value for field '%s': %s.", p->name, what));
    return set_field(a, p, f);
}

/* --- trees --- */

/* At the end, without a look for one of the same name: nobody puts a name twice. */
static void put(struct json_value *parent, struct str key, struct json_value *value)
{
    value->key = key;
    value->next = NULL;
    if (parent->last)
        parent->last->next = value;
    else
        parent->first = value;
    parent->last = value;
    parent->count++;
}

/* The node alone: children are shared. */
static struct json_value *copy_of(struct arena *a, const struct json_value *v)
{
    struct json_value *out = arena_new_type(a, struct json_value);

    *out = *v;
    return out;
}

static bool is_absent(const struct member *m, const struct json_value *v)
{
    return !v || v->kind == JSON_KIND_NULL ||
           ((m->flags & MEMBER_EMPTY_OUT) != 0 && v->kind == JSON_KIND_STRING && v->text.len == 0);
}

static const struct json_value *find(const struct member *m, const struct json_value *object)
{
    const struct json_value *v = json_find(object, str_of(m->name));

    if (is_absent(m, v) && m->alias)
        v = json_find(object, str_of(m->alias));
    return is_absent(m, v) ? NULL : v;
}

static bool same(const struct json_value *x, const struct json_value *y)
{
    if (x->kind != y->kind || x->count != y->count)
        return false;
    switch (x->kind) {
    case JSON_KIND_NULL: return true;
    case JSON_KIND_BOOL: return x->boolean == y->boolean;
    case JSON_KIND_NUMBER:
    case JSON_KIND_STRING: return str_eq(x->text, y->text);
    case JSON_KIND_ARRAY:
    case JSON_KIND_OBJECT: break;
    }

    /* Values in the table's order on both sides; free objects are compared in the order that the
     * client was shown. The depth is the parser's. */
    const struct json_value *b = y->first;

    for (const struct json_value *v = x->first; v; v = v->next, b = b->next)
        if (!str_eq(v->key, b->key) || !same(v, b))
            return false;
    return true;
}

/* --- one value --- */

struct taking {
    struct arena *a;
    struct fail *f;
};

static int object_take(struct taking *t, const struct member_table *table,
                       const struct json_value *request, const struct json_value *stored,
                       const struct place *place, struct json_value **out);

static bool is_choice(const char *const *choices, struct str s)
{
    for (; *choices; choices++)
        if (str_eq(s, str_of(*choices)))
            return true;
    return false;
}

static int string_take(struct taking *t, const struct member *m, const struct json_value *v,
                       const struct place *p, struct json_value **out)
{
    if (v->kind != JSON_KIND_STRING)
        return invalid(t->a, p, t->f, "it must be a string");

    uint64_t n = utf8_count(v->text);

    if (m->max > 0 && n > (uint64_t)m->max) {
        IGNORE(fail_reason(t->f, CODE_INVALID_ARGUMENT, "fields_invalid",
                           "Maximum %s length is %lld characters.", m->name, (long long)m->max));
        return set_field(t->a, p, t->f);
    }
    if (m->min > 0 && n < (uint64_t)m->min)
        return invalid(t->a, p, t->f, n == 0 ? "it must not be empty" : "it is too short");
    if (m->choices && !is_choice(m->choices, v->text))
        return invalid(t->a, p, t->f, "it is not one of the known values");
    *out = copy_of(t->a, v);
    return 0;
}

static int int_take(struct taking *t, const struct member *m, const struct json_value *v,
                    const struct place *p, struct json_value **out)
{
    int64_t n = 0;

    if (v->kind != JSON_KIND_NUMBER || json_num_i64(v->text, &n) < 0)
        return invalid(t->a, p, t->f, "it must be a whole number");
    if (n < m->min || (m->max != 0 && n > m->max))
        return invalid(t->a, p, t->f, "it is out of range");
    *out = json_new_i64(t->a, n);
    return 0;
}

static int number_take(struct taking *t, const struct member *m, const struct json_value *v,
                       const struct place *p, struct json_value **out)
{
    double n = 0;

    if (v->kind != JSON_KIND_NUMBER || json_num_double(v->text, &n) < 0)
        return invalid(t->a, p, t->f, "it must be a number");
    if (n < (double)m->min || (m->max != 0 && n > (double)m->max))
        return invalid(t->a, p, t->f, "it is out of range");
    *out = copy_of(t->a, v);
    return 0;
}

static int array_check(struct taking *t, const struct member *m, const struct json_value *v,
                       const struct place *p)
{
    if (v->kind != JSON_KIND_ARRAY)
        return invalid(t->a, p, t->f, "it must be an array");
    if (v->count < m->min)
        return invalid(t->a, p, t->f,
                       m->min == 1 ? "it must not be empty" : "it has too few items");
    if (m->max > 0 && v->count > m->max)
        return invalid(t->a, p, t->f, "it has too many items");
    return 0;
}

static int strings_take(struct taking *t, const struct member *m, const struct json_value *v,
                        const struct place *p, struct json_value **out)
{
    if (array_check(t, m, v, p) < 0)
        return -1;
    json_foreach (item, v) {
        if (item->kind != JSON_KIND_STRING)
            return invalid(t->a, p, t->f, "it must be an array of strings");
        if (m->choices && !is_choice(m->choices, item->text))
            return invalid(t->a, p, t->f, "an item is not one of the known values");
    }
    *out = copy_of(t->a, v);
    return 0;
}

static int objects_take(struct taking *t, const struct member *m, const struct json_value *v,
                        const struct json_value *stored, const struct place *p,
                        struct json_value **out)
{
    const struct json_value *was = stored && stored->kind == JSON_KIND_ARRAY ? stored->first : NULL;
    struct place item_place = *p;

    if (array_check(t, m, v, p) < 0)
        return -1;

    struct json_value *made = json_new_array(t->a);

    item_place.index = 0;
    json_foreach (item, v) {
        struct json_value *taken = NULL;

        if (item->kind != JSON_KIND_OBJECT)
            return invalid(t->a, &item_place, t->f, "its items must be objects");
        if (!m->sub)
            taken = copy_of(t->a, item);
        else if (object_take(t, m->sub, item, was, &item_place, &taken) < 0)
            return -1;
        put(made, (struct str){NULL, 0}, taken);
        item_place.index++;
        was = was ? was->next : NULL;
    }
    *out = made;
    return 0;
}

/* Text of what is not an object or array; NULL: it is. */
static struct json_value *as_text(struct arena *a, const struct json_value *v)
{
    switch (v->kind) {
    case JSON_KIND_STRING:
    case JSON_KIND_NUMBER: return json_new_str(a, v->text);
    case JSON_KIND_BOOL: return json_new_str(a, v->boolean ? STR("true") : STR("false"));
    case JSON_KIND_NULL:
    case JSON_KIND_ARRAY:
    case JSON_KIND_OBJECT: break;
    }
    return NULL;
}

static int map_take(struct taking *t, const struct member *m, const struct json_value *v,
                    const struct place *p, struct json_value **out)
{
    struct json_value *made = json_new_object(t->a);

    if (v->kind != JSON_KIND_OBJECT)
        return invalid(t->a, p, t->f, "it must be an object");
    json_foreach (item, v) {
        if (item->kind == JSON_KIND_NULL)
            continue;

        struct json_value *text = as_text(t->a, item);

        if (!text)
            return invalid(t->a, p, t->f, "its values must be strings");
        put(made, item->key, text);
    }
    if (made->count < m->min)
        return invalid(t->a, p, t->f, "it must not be empty");
    if (m->max > 0 && made->count > m->max)
        return invalid(t->a, p, t->f, "it has too many entries");
    *out = made;
    return 0;
}

static int typed_take(struct taking *t, const struct member *m, const struct json_value *v,
                      const struct json_value *stored, const struct place *p,
                      struct json_value **out)
{
    switch (m->type) {
    case MEMBER_STRING: return string_take(t, m, v, p, out);
    case MEMBER_INT: return int_take(t, m, v, p, out);
    case MEMBER_NUMBER: return number_take(t, m, v, p, out);
    case MEMBER_STRINGS: return strings_take(t, m, v, p, out);
    case MEMBER_OBJECTS: return objects_take(t, m, v, stored, p, out);
    case MEMBER_MAP: return map_take(t, m, v, p, out);
    case MEMBER_BOOL:
        if (v->kind != JSON_KIND_BOOL)
            return invalid(t->a, p, t->f, "it must be true or false");
        break;
    case MEMBER_OBJECT:
        if (v->kind != JSON_KIND_OBJECT)
            return invalid(t->a, p, t->f, "it must be an object");
        if (m->sub)
            return object_take(t, m->sub, v,
                               stored && stored->kind == JSON_KIND_OBJECT ? stored : NULL, p, out);
        break;
    case MEMBER_ANY: break;
    }
    *out = copy_of(t->a, v);
    return 0;
}

static int value_take(struct taking *t, const struct member *m, const struct json_value *v,
                      const struct json_value *stored, const struct place *p,
                      struct json_value **out)
{
    /* What answers show instead of a secret keeps the one there is. */
    if ((m->flags & MEMBER_SECRET) != 0 && stored && v->kind == JSON_KIND_STRING &&
        str_eq(v->text, HIDDEN)) {
        *out = copy_of(t->a, stored);
        return 0;
    }
    /* What came another way may be written back as it was shown, whatever bounds it breaks. */
    if ((m->flags & MEMBER_SECRET) == 0 && stored && same(v, stored)) {
        *out = copy_of(t->a, stored);
        return 0;
    }
    if (typed_take(t, m, v, stored, p, out) < 0)
        return -1;
    if (m->check && m->check(t->a, *out, t->f) < 0)
        return t->f->field[0] != '\0' ? -1 : set_field(t->a, p, t->f);
    return 0;
}

/* --- objects --- */

static struct json_value *default_of(struct arena *a, const struct member *m)
{
    struct json_value *v = NULL;
    struct fail f;

    if (json_parse(a, str_of(m->value), NULL, &v, &f) < 0)
        abort(); /* the table is ours */
    return v;
}

/* *out stays NULL when the member is absent. */
static int member_take(struct taking *t, const struct member *m, const struct json_value *request,
                       const struct json_value *stored, const struct place *p,
                       struct json_value **out)
{
    const struct json_value *v = find(m, request);
    const struct json_value *was = stored ? json_find(stored, str_of(m->name)) : NULL;
    bool fixed = (m->flags & MEMBER_FIXED) != 0 && stored;

    if (is_absent(m, was))
        was = NULL;
    if ((m->flags & MEMBER_SERVER) != 0) {
        *out = was ? copy_of(t->a, was) : NULL;
        return 0;
    }
    if ((m->flags & MEMBER_IGNORED) != 0 || ((m->flags & MEMBER_CREATE) != 0 && stored))
        return 0;
    if (!v && fixed) {
        *out = was ? copy_of(t->a, was) : NULL;
        return 0;
    }
    if (!v && (m->flags & MEMBER_REQUIRED) != 0)
        return missing(t->a, p, t->f);
    if (!v) {
        *out = m->value ? default_of(t->a, m) : NULL;
        return 0;
    }
    if (value_take(t, m, v, was, p, out) < 0)
        return -1;
    if (fixed && (!was || !same(was, *out)))
        return invalid(t->a, p, t->f, "it cannot be changed");
    if ((m->flags & MEMBER_CREATE) != 0)
        *out = NULL;
    return 0;
}

static int table_take(struct taking *t, const struct member_table *table,
                      const struct json_value *request, const struct json_value *stored,
                      const struct place *place, struct json_value *into)
{
    if (table->base && table_take(t, table->base, request, stored, place, into) < 0)
        return -1;
    for (size_t i = 0; i < table->count; i++) {
        const struct member *m = &table->items[i];
        struct place p = {.outer = place, .name = m->name, .index = -1};
        struct json_value *v = NULL;

        if (member_take(t, m, request, stored, &p, &v) < 0)
            return -1;
        if (v)
            put(into, str_of(m->name), v);
    }
    return 0;
}

static bool is_named(const struct member_table *table, struct str key)
{
    for (; table; table = table->base)
        for (size_t i = 0; i < table->count; i++) {
            const struct member *m = &table->items[i];

            if (str_eq(key, str_of(m->name)) || (m->alias && str_eq(key, str_of(m->alias))))
                return true;
        }
    return false;
}

static int object_take(struct taking *t, const struct member_table *table,
                       const struct json_value *request, const struct json_value *stored,
                       const struct place *place, struct json_value **out)
{
    struct json_value *made = json_new_object(t->a);

    if (table_take(t, table, request, stored, place, made) < 0)
        return -1;
    json_foreach (v, request) {
        if (v->kind != JSON_KIND_NULL && !is_named(table, v->key))
            put(made, v->key, copy_of(t->a, v));
    }
    *out = made;
    return 0;
}

int members_take(struct arena *a, const struct member_table *t, const struct json_value *request,
                 const struct json_value *stored, struct json_value **out, struct fail *f)
{
    struct taking taking = {.a = a, .f = f};

    assert(request->kind == JSON_KIND_OBJECT);
    *f = (struct fail){0};
    return object_take(&taking, t, request, stored, NULL, out);
}

/* --- showing --- */

static void object_put(struct json_writer *w, const struct member_table *table,
                       const struct json_value *stored, uint32_t hidden);

static void value_put(struct json_writer *w, const struct member *m, const struct json_value *v,
                      uint32_t hidden)
{
    if ((m->flags & MEMBER_SECRET) != 0) {
        json_str(w, HIDDEN);
        return;
    }
    if (m->sub && v->kind == JSON_KIND_OBJECT) {
        json_obj_begin(w);
        object_put(w, m->sub, v, hidden);
        json_obj_end(w);
        return;
    }
    if (m->sub && v->kind == JSON_KIND_ARRAY) {
        json_arr_begin(w);
        json_foreach (item, v) {
            json_obj_begin(w);
            object_put(w, m->sub, item, hidden);
            json_obj_end(w);
        }
        json_arr_end(w);
        return;
    }
    json_put_value(w, v);
}

static void table_put(struct json_writer *w, const struct member_table *table,
                      const struct json_value *stored, uint32_t hidden)
{
    if (table->base)
        table_put(w, table->base, stored, hidden);
    for (size_t i = 0; i < table->count; i++) {
        const struct member *m = &table->items[i];
        const struct json_value *v = json_find(stored, str_of(m->name));

        if ((m->flags & hidden) != 0 || is_absent(m, v))
            continue;
        json_key(w, str_of(m->name));
        value_put(w, m, v, hidden);
    }
}

static void object_put(struct json_writer *w, const struct member_table *table,
                       const struct json_value *stored, uint32_t hidden)
{
    table_put(w, table, stored, hidden);
    json_foreach (v, stored) {
        if (!is_named(table, v->key)) {
            json_key(w, v->key);
            json_put_value(w, v);
        }
    }
}

#define NEVER_SHOWN (MEMBER_CREATE | MEMBER_IGNORED)

void members_put(struct json_writer *w, const struct member_table *t,
                 const struct json_value *stored)
{
    object_put(w, t, stored, NEVER_SHOWN);
}

struct str members_etag(struct arena *a, const struct member_table *t,
                        const struct json_value *stored)
{
    static const char digits[] = "0123456789abcdef";
    char *text = arena_alloc_raw(a, TAG_LEN);
    uint8_t hash[SHA256_LEN];
    struct json_writer w;
    struct buf shown;

    buf_init(&shown, SHOWN_MAX);
    json_writer_init(&w, &shown);
    json_obj_begin(&w);
    object_put(&w, t, stored, NEVER_SHOWN | MEMBER_SERVER);
    json_obj_end(&w);
    sha256(buf_str(&shown), hash);
    buf_done(&shown);
    for (size_t i = 0; i < TAG_LEN / 2; i++) {
        text[2 * i] = digits[hash[i] >> 4];
        text[2 * i + 1] = digits[hash[i] & 15];
    }
    return str_make(text, TAG_LEN);
}

int members_check_fields(struct arena *a, const struct json_value *v, struct fail *f)
{
    (void)a;
    if (v->count > MEMBERS_FIELDS_MAX)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                           "At most %d fields are allowed.", MEMBERS_FIELDS_MAX);
    json_foreach (item, v) {
        size_t key = utf8_count(item->key), value = utf8_count(item->text);

        if (key < 1 || key > KEY_MAX)
            return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                               "The name of a field must have 1 to %d characters.", KEY_MAX);
        if (value > VALUE_MAX)
            return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                               "Maximum length of a field's value is %d characters.", VALUE_MAX);
    }
    return 0;
}
