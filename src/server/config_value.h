/* SPDX-License-Identifier: Apache-2.0 */
/* One configuration value: text to typed field and back. Pure, any thread. */
#ifndef SERVER_CONFIG_VALUE_H
#define SERVER_CONFIG_VALUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/fail.h"
#include "server/config.h"

/* Writes the field that `field` points at. -1 with what is wrong and what to write instead. */
int config_value_parse(struct arena *a, const struct config_key *key, struct str text, void *field,
                       struct fail *f) MUST_CHECK;

/* The shortest spelling that parses to the same value. */
void config_value_print(const struct config_key *key, const void *field, struct buf *out);

/* A number of the key's type, for bounds: "64KiB", "30s". */
void config_value_print_number(enum config_type type, int64_t n, struct buf *out);

/* "size", "on or off"... for help; and an example of how it is written. */
const char *config_type_name(enum config_type type) RETURNS_NONNULL;

#endif
