/* SPDX-License-Identifier: Apache-2.0 */
/* The dialect's objects as data: one table a type says each member's name, type, default, bounds,
 * and who may write it. From the table come validation, defaults, full replacement, and the order
 * on output; members that no table names are kept and written back. Pure. */
#ifndef API_SUMOLOGIC_MEMBERS_H
#define API_SUMOLOGIC_MEMBERS_H

#include "base/arena.h"
#include "base/fail.h"
#include "codec/json.h"
#include "codec/json_writer.h"

enum member_type {
    MEMBER_STRING,
    MEMBER_BOOL,
    MEMBER_INT, /* min and max are bounds */
    MEMBER_NUMBER,
    MEMBER_STRINGS, /* array of strings */
    MEMBER_OBJECT,  /* of the sub-table, or free when there is none */
    MEMBER_OBJECTS, /* array of them */
    MEMBER_MAP,     /* object, string to string; numbers and booleans become text */
    MEMBER_ANY,
};

#define MEMBER_REQUIRED  (1u << 0)
#define MEMBER_FIXED     (1u << 1) /* cannot change: must match in an update when it is there */
#define MEMBER_SERVER    (1u << 2) /* of the server: ignored in requests */
#define MEMBER_SECRET    (1u << 3) /* sealed at rest, "********" in answers; that text keeps it */
#define MEMBER_CREATE    (1u << 4) /* read on create only, never shown */
#define MEMBER_IGNORED   (1u << 5) /* read and dropped */
#define MEMBER_EMPTY_OUT (1u << 6) /* "" counts as absent */

struct member_table;

struct member {
    const char *name;
    enum member_type type;
    uint32_t flags;
    const char *value;              /* the default as JSON text; NULL: absent */
    int64_t min;                    /* INT: least; STRING: fewest characters; arrays: fewest */
    int64_t max;                    /* same, most; 0: no bound */
    const char *const *choices;     /* STRING: NULL-ended; NULL: any */
    const struct member_table *sub; /* OBJECT, OBJECTS */
    const char *alias;              /* another name on input */
    int (*check)(struct arena *a, const struct json_value *v, struct fail *f); /* optional */
};

struct member_table {
    const char *name; /* "HTTP source": for messages */
    const struct member *items;
    size_t count;
    const struct member_table *base; /* common members that come first; may be NULL */
};

/* What is stored: a tree in the table's order with defaults filled in, unknown members behind, and
 * nothing of the server's own but what `stored` has of it. `stored` NULL: create. INVALID_ARGUMENT,
 * reasons "fields_missing" ("Missing required field: 'port'") and "fields_invalid"; fail_field()
 * is the path of the member ("filters[2].regexp"). The tree shares values with both inputs. */
int members_take(struct arena *a, const struct member_table *t, const struct json_value *request,
                 const struct json_value *stored, struct json_value **out, struct fail *f)
    MUST_CHECK;

/* Writes the stored members into an open object: secrets hidden, absent ones left out. What is
 * the server's is written as it stands in the tree. */
void members_put(struct json_writer *w, const struct member_table *t,
                 const struct json_value *stored);

#define MEMBERS_FIELDS_MAX 10

/* For `check` of maps that hold an object's "fields": at most so many of them, names of 1 to 255
 * characters, values of at most 200. */
int members_check_fields(struct arena *a, const struct json_value *v, struct fail *f) MUST_CHECK;

/* 32 hex digits over what members_put() would write of configuration: the same object, the same
 * tag. */
struct str members_etag(struct arena *a, const struct member_table *t,
                        const struct json_value *stored);

#endif
