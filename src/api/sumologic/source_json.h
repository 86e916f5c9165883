/* SPDX-License-Identifier: Apache-2.0 */
/* What the files about sources share: text out of trees, and the two ways to refuse a member. Pure.
 */
#ifndef API_SUMOLOGIC_SOURCE_JSON_H
#define API_SUMOLOGIC_SOURCE_JSON_H

#include "base/fail.h"
#include "codec/json.h"

/* A string member; empty (p NULL) when there is none. */
struct str source_text(const struct json_value *object, const char *key);

/* INVALID_ARGUMENT "fields_missing" and "fields_invalid", with the member as the field. Return -1.
 */
int source_missing(struct fail *f, const char *member);
int source_invalid(struct fail *f, const char *member, const char *what);

#endif
