/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the JSON codec share with each other. */
#ifndef CODEC_JSON_INTERNAL_H
#define CODEC_JSON_INTERNAL_H

#ifdef __cplusplus
#include <cstddef>
extern "C" {
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/macros.h"
#include "base/str.h"

/* Keys of the objects that are open at the moment, to find duplicates: see json_keys.c. */
struct json_keys;

struct json_keys *json_keys_new(struct arena *a) RETURNS_NONNULL;

/* How many keys are held: what json_keys_close() wants back when the object that begins now ends.
 */
uint32_t json_keys_open(const struct json_keys *k);

/* False when the innermost open object has the key already. `base` is what json_keys_open() said
 * for it. */
bool json_keys_add(struct json_keys *k, uint32_t base, struct str key);
void json_keys_close(struct json_keys *k, uint32_t base);

/* Decodes the escapes of what stood between the quotes; `to` has room for raw.len bytes, or is NULL
 * to check only. Returns NULL, or why it was refused with the place in *at. */
const char *json_unescape(struct str raw, char *to, size_t *len, const char **at);

/* First byte at or after p that is '"', '\\' or below 0x20; end when there is none. */
const char *json_plain_end(const char *p, const char *end);

#endif

#define JSON_DOUBLE_TEXT_MAX 32

/* Shortest text that reads back the same; v is finite. Returns the length, no NUL. */
size_t json_double_print(double v, char out[JSON_DOUBLE_TEXT_MAX]);

/* The same for a float: shortest among the texts that read back as this float. */
size_t json_float_print(float v, char out[JSON_DOUBLE_TEXT_MAX]);

/* `text` is a valid JSON number of no more than some hundred bytes and with a small exponent. -1
 * when the value is too big for a double or too small for any but zero. */
int json_double_parse(const char *text, size_t len, double *out);

#ifdef __cplusplus
}
#endif

#endif
