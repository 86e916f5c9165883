/* SPDX-License-Identifier: Apache-2.0 */
/* Processing rules and other patterns as sources carry them. They are in Java's syntax and mostly
 * run elsewhere: what can be told of such a pattern is told here; those that the receiver applies
 * have to compile. Pure. */
#ifndef API_SUMOLOGIC_SOURCE_RULES_H
#define API_SUMOLOGIC_SOURCE_RULES_H

#include "api/sumologic/members.h"
#include "core/messages.h"
#include "core/rules.h"

/* What a look at the brackets says. */
struct pattern_shape {
    size_t groups;  /* that capture */
    size_t unnamed; /* of these */
};

/* False: brackets that do not match, or a backslash at the end. */
bool pattern_shape(struct str pattern, struct pattern_shape *out);

/* For `check` of members. */
int source_check_pattern(struct arena *a, const struct json_value *v, struct fail *f);
int source_check_locator(struct arena *a, const struct json_value *v, struct fail *f);

/* The members of a rule. */
extern const struct member_table source_rule_table;

/* Once the members are right: what a kind of rule needs beyond them. Drops an empty mask where none
 * belongs. `compiles`: the receiver will apply them. "fields_missing", "fields_invalid"; the field
 * is "filters[2].regexp". */
int source_rules_check(struct arena *a, struct json_value *filters, bool compiles, struct fail *f)
    MUST_CHECK;

/* In the arena; *count may be 0. Of checked ones. */
struct rule_spec *source_rules_of(struct arena *a, const struct json_value *filters, size_t *count);

/* Where a source's messages begin; *prefix is for BOUNDARY_PREFIX. */
enum boundary_kind source_boundary_of(const struct json_value *source, struct str *prefix);

/* That the receiver can use it; "fields_invalid". */
int source_boundary_check(struct arena *a, const struct json_value *source, struct fail *f)
    MUST_CHECK;

/* "SHA-256", else the default. */
enum rule_hash source_hash_of(const struct json_value *source);

#endif
