/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON tree, in an arena. Built without recursion: while an object or array is open, its `next`
 * leads to the one around it. Any thread, one at a time. */
#include <assert.h>

#include "base/number.h"
#include "codec/json.h"

static struct json_value *new_value(struct arena *a, enum json_kind kind)
{
    struct json_value *v = arena_new_type(a, struct json_value);

    v->kind = kind;
    return v;
}

static void append(struct json_value *parent, struct json_value *child)
{
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

static struct json_value *value_of(struct json_reader *r, enum json_token token)
{
    struct json_value *v = new_value(r->arena, JSON_KIND_NULL);

    switch (token) {
    case JSON_OBJECT_BEGIN: v->kind = JSON_KIND_OBJECT; break;
    case JSON_ARRAY_BEGIN: v->kind = JSON_KIND_ARRAY; break;
    case JSON_STRING:
    case JSON_NUMBER:
        v->kind = token == JSON_STRING ? JSON_KIND_STRING : JSON_KIND_NUMBER;
        v->text = r->text;
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        v->kind = JSON_KIND_BOOL;
        v->boolean = token == JSON_TRUE;
        break;
    case JSON_NULL:
    case JSON_OBJECT_END:
    case JSON_ARRAY_END:
    case JSON_KEY:
    case JSON_END:
    case JSON_ERROR: break;
    }
    return v;
}

static bool is_container(const struct json_value *v)
{
    return v->kind == JSON_KIND_OBJECT || v->kind == JSON_KIND_ARRAY;
}

int json_read_value(struct json_reader *r, struct json_value **out)
{
    struct json_value *open = NULL, *v;
    struct str key = {0};

    do {
        enum json_token token = json_next(r);

        if (token == JSON_ERROR || token == JSON_END)
            return json_refuse(r, "expected a value, found the end of the text");
        if (token == JSON_KEY) {
            key = r->text;
            v = NULL;
            continue;
        }
        if (token == JSON_OBJECT_END || token == JSON_ARRAY_END) {
            if (!open)
                return json_refuse(r, "expected a value, found %s", json_token_name(token));
            v = open;
            open = v->next;
            v->next = NULL;
            continue;
        }
        v = value_of(r, token);
        if (open) {
            v->key = open->kind == JSON_KIND_OBJECT ? key : (struct str){0};
            append(open, v);
        }
        if (is_container(v)) {
            v->next = open;
            open = v;
        }
    } while (open);
    *out = v;
    return 0;
}

int json_parse(struct arena *a, struct str text, const struct json_limits *limits,
               struct json_value **out, struct fail *f)
{
    struct json_reader r;
    struct json_value *v = NULL;

    json_reader_init(&r, a, text, limits, f);
    if (json_read_value(&r, &v) < 0 || json_finish(&r) < 0)
        return -1;
    *out = v;
    return 0;
}

struct json_value *json_find(const struct json_value *object, struct str key)
{
    if (!object || object->kind != JSON_KIND_OBJECT)
        return NULL;
    for (struct json_value *v = object->first; v; v = v->next) {
        if (str_eq(v->key, key))
            return v;
    }
    return NULL;
}

static const char *kind_name(enum json_kind kind)
{
    switch (kind) {
    case JSON_KIND_NULL: return "null";
    case JSON_KIND_BOOL: return "a boolean";
    case JSON_KIND_NUMBER: return "a number";
    case JSON_KIND_STRING: return "a string";
    case JSON_KIND_ARRAY: return "an array";
    case JSON_KIND_OBJECT: return "an object";
    }
    return "nothing";
}

/* 1: there and of that kind. */
static int get(const struct json_value *object, const char *key, enum json_kind kind,
               const struct json_value **out, struct fail *f)
{
    const struct json_value *v = json_find(object, str_of(key));

    if (!v || v->kind == JSON_KIND_NULL)
        return 0;
    if (v->kind != kind) {
        fail_set(f, CODE_INVALID_ARGUMENT, "%s must be %s, not %s", key, kind_name(kind),
                 kind_name(v->kind));
        IGNORE(fail_field(f, "%s", key));
        return -1;
    }
    *out = v;
    return 1;
}

static int refuse_number(struct fail *f, const char *key, struct str text, const char *expected)
{
    fail_set(f, CODE_INVALID_ARGUMENT, "%s must be %s, not %.*s", key, expected,
             (int)MIN(text.len, (size_t)40), text.p);
    return fail_field(f, "%s", key);
}

int json_get_str(const struct json_value *object, const char *key, struct str *out, struct fail *f)
{
    const struct json_value *v;
    int rc = get(object, key, JSON_KIND_STRING, &v, f);

    if (rc > 0)
        *out = v->text;
    return rc;
}

int json_get_i64(const struct json_value *object, const char *key, int64_t *out, struct fail *f)
{
    const struct json_value *v;
    int rc = get(object, key, JSON_KIND_NUMBER, &v, f);

    if (rc > 0 && json_num_i64(v->text, out) < 0)
        return refuse_number(f, key, v->text, "a 64-bit integer");
    return rc;
}

int json_get_u64(const struct json_value *object, const char *key, uint64_t *out, struct fail *f)
{
    const struct json_value *v;
    int rc = get(object, key, JSON_KIND_NUMBER, &v, f);

    if (rc > 0 && json_num_u64(v->text, out) < 0)
        return refuse_number(f, key, v->text, "a 64-bit integer that is not negative");
    return rc;
}

int json_get_double(const struct json_value *object, const char *key, double *out, struct fail *f)
{
    const struct json_value *v;
    int rc = get(object, key, JSON_KIND_NUMBER, &v, f);

    if (rc > 0 && json_num_double(v->text, out) < 0)
        return refuse_number(f, key, v->text, "a number within the range of a double");
    return rc;
}

int json_get_bool(const struct json_value *object, const char *key, bool *out, struct fail *f)
{
    const struct json_value *v;
    int rc = get(object, key, JSON_KIND_BOOL, &v, f);

    if (rc > 0)
        *out = v->boolean;
    return rc;
}

int json_get_array(const struct json_value *object, const char *key, const struct json_value **out,
                   struct fail *f)
{
    return get(object, key, JSON_KIND_ARRAY, out, f);
}

int json_get_object(const struct json_value *object, const char *key, const struct json_value **out,
                    struct fail *f)
{
    return get(object, key, JSON_KIND_OBJECT, out, f);
}

struct json_value *json_new_null(struct arena *a)
{
    return new_value(a, JSON_KIND_NULL);
}

struct json_value *json_new_bool(struct arena *a, bool b)
{
    struct json_value *v = new_value(a, JSON_KIND_BOOL);

    v->boolean = b;
    return v;
}

struct json_value *json_new_i64(struct arena *a, int64_t n)
{
    struct json_value *v = new_value(a, JSON_KIND_NUMBER);
    char text[NUMBER_TEXT_MAX];

    v->text = arena_str(a, str_make(text, number_print_i64(n, text)));
    return v;
}

struct json_value *json_new_str(struct arena *a, struct str s)
{
    struct json_value *v = new_value(a, JSON_KIND_STRING);

    v->text = s;
    return v;
}

struct json_value *json_new_array(struct arena *a)
{
    return new_value(a, JSON_KIND_ARRAY);
}

struct json_value *json_new_object(struct arena *a)
{
    return new_value(a, JSON_KIND_OBJECT);
}

void json_append(struct json_value *array, struct json_value *item)
{
    assert(array->kind == JSON_KIND_ARRAY && !item->next);
    append(array, item);
}

void json_set(struct json_value *object, struct str key, struct json_value *value)
{
    struct json_value **link = &object->first;

    assert(object->kind == JSON_KIND_OBJECT && !value->next);
    value->key = key;
    while (*link && !str_eq((*link)->key, key))
        link = &(*link)->next;
    if (!*link) {
        append(object, value);
        return;
    }
    value->next = (*link)->next;
    if (object->last == *link)
        object->last = value;
    (*link)->next = NULL;
    *link = value;
}

struct json_value *json_remove(struct json_value *object, struct str key)
{
    struct json_value *before = NULL, *v = object->first;

    assert(object->kind == JSON_KIND_OBJECT);
    while (v && !str_eq(v->key, key)) {
        before = v;
        v = v->next;
    }
    if (!v)
        return NULL;
    if (before)
        before->next = v->next;
    else
        object->first = v->next;
    if (object->last == v)
        object->last = before;
    object->count--;
    v->next = NULL;
    return v;
}
