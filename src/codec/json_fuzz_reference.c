/* SPDX-License-Identifier: Apache-2.0 */
/* jansson behind names of our own. A struct reference is a json_t. */
#include "codec/json_fuzz_reference.h"

#include <jansson.h>
#include <stdlib.h>

static const json_t *node(const struct reference *r)
{
    return (const json_t *)r;
}

struct reference *reference_load(const void *text, size_t len)
{
    json_error_t error;

    return (struct reference *)json_loadb(
        text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
}

void reference_free(struct reference *root)
{
    json_decref((json_t *)root);
}

enum reference_kind reference_kind(const struct reference *r)
{
    switch (json_typeof(node(r))) {
    case JSON_NULL: return REFERENCE_NULL;
    case JSON_FALSE: return REFERENCE_FALSE;
    case JSON_TRUE: return REFERENCE_TRUE;
    case JSON_INTEGER: return REFERENCE_INTEGER;
    case JSON_REAL: return REFERENCE_REAL;
    case JSON_STRING: return REFERENCE_STRING;
    case JSON_ARRAY: return REFERENCE_ARRAY;
    case JSON_OBJECT: return REFERENCE_OBJECT;
    }
    abort();
}

int64_t reference_integer(const struct reference *r)
{
    return json_integer_value(node(r));
}

double reference_real(const struct reference *r)
{
    return json_real_value(node(r));
}

const char *reference_string(const struct reference *r, size_t *len)
{
    *len = json_string_length(node(r));
    return json_string_value(node(r));
}

size_t reference_count(const struct reference *r)
{
    return json_is_array(node(r)) ? json_array_size(node(r)) : json_object_size(node(r));
}

const struct reference *reference_item(const struct reference *r, size_t i)
{
    return (const struct reference *)json_array_get(node(r), i);
}

const struct reference *reference_member(const struct reference *r, const char *key, size_t len)
{
    return (const struct reference *)json_object_getn(node(r), key, len);
}
