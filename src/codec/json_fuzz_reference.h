/* SPDX-License-Identifier: Apache-2.0 */
/* jansson behind names of our own, for json_fuzz.c alone: its header and ours define the same names
 * and cannot meet in one file. Nodes belong to their root. */
#ifndef CODEC_JSON_FUZZ_REFERENCE_H
#define CODEC_JSON_FUZZ_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reference;

enum reference_kind {
    REFERENCE_NULL,
    REFERENCE_FALSE,
    REFERENCE_TRUE,
    REFERENCE_INTEGER,
    REFERENCE_REAL,
    REFERENCE_STRING,
    REFERENCE_ARRAY,
    REFERENCE_OBJECT,
};

/* NULL when it refuses the text. */
struct reference *reference_load(const void *text, size_t len);
void reference_free(struct reference *root);

enum reference_kind reference_kind(const struct reference *r);
int64_t reference_integer(const struct reference *r);
double reference_real(const struct reference *r);
const char *reference_string(const struct reference *r, size_t *len);

/* Of items or members. */
size_t reference_count(const struct reference *r);
const struct reference *reference_item(const struct reference *r, size_t i);
const struct reference *reference_member(const struct reference *r, const char *key, size_t len);

#endif
