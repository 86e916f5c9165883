/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the JSON form of messages share: protojson_text.c has values as bare text,
 * protojson_decode.c and protojson_encode.c the messages, protojson_known_in.c and
 * protojson_known_out.c the kinds with a form of their own. */
#ifndef CODEC_PROTOJSON_INTERNAL_H
#define CODEC_PROTOJSON_INTERNAL_H

#include "codec/protojson.h"

#define PROTOJSON_DEPTH  100
#define PROTOJSON_MEMORY ((size_t)64 << 20)

#define DURATION_MAX_SECONDS INT64_C(315576000000)
#define DURATION_TEXT_MAX    32
#define NANOS_PER_SECOND     1000000000

/* The most that a singular value which is no message takes. */
union protojson_scalar {
    struct str text;
    int64_t i64;
    uint64_t u64;
    int32_t i32;
    uint32_t u32;
    double d;
    float f;
    bool b;
};

/* --- values as text. NULL, or why it was refused ------------------------------------------------
 * The reasons are static and complete "expected ...". */

/* Every integer type; the text is what JSON calls a number. */
const char *protojson_integer(enum proto_type type, struct str text, union protojson_scalar *out);

/* float and double, of a number or of a string. */
const char *protojson_number(enum proto_type type, struct str text, bool quoted,
                             union protojson_scalar *out);

/* The key of a map: has one spelling only, so that different keys have different values. */
const char *protojson_key(enum proto_type type, struct str text, union protojson_scalar *out);

const char *protojson_bytes(struct arena *a, struct str text, union protojson_scalar *out);

/* The kinds that are one string; *msg is zeroed. */
const char *protojson_timestamp(const struct proto_message *m, struct str text, void *msg);
const char *protojson_duration(const struct proto_message *m, struct str text, void *msg);

/* `more` says whether another path may be added; it is asked before each. */
const char *protojson_field_mask(const struct proto_message *m, struct arena *a, struct str text,
                                 bool (*more)(void *arg, size_t len), void *arg, void *msg);

/* "-1.500s"; the length, 0 when it is out of range. */
size_t protojson_print_duration(int64_t seconds, int32_t nanos, char out[DURATION_TEXT_MAX]);

/* Whether JSON can write a path of a FieldMask so that it comes back the same. */
bool protojson_path_survives(struct str path);

bool protojson_is_null_value(const struct proto_field *fd);

/* The field with this number, which the message is known to have. */
const struct proto_field *protojson_known_field(const struct proto_message *m, uint32_t number)
    RETURNS_NONNULL;

/* The message that "type.googleapis.com/pkg.Message" names; NULL when the pool has none. */
const struct proto_message *protojson_any_type(const struct proto_pool *pool, struct str url);

/* --- in ----------------------------------------------------------------------------------------*/

/* Where we are in a message: a part of the path to the field at fault. */
struct protojson_step {
    const struct proto_field *fd; /* NULL: `key` is a member that is no field */
    enum {
        STEP_WHOLE,
        STEP_INDEX,
        STEP_KEY,
    } part;
    size_t index;
    struct str key;
};

struct protojson_decoder {
    const struct protojson_flavor *flavor;
    struct json_reader *r;
    size_t memory_end; /* arena_used() may not get beyond this */
    size_t ahead;      /* bytes that may still be read twice, in search of an "@type" */
    uint32_t wire;     /* levels that the wire form has here */
    uint32_t steps;
    const char *reason;
    bool over_limit;
    struct protojson_step trail[PROTOJSON_DEPTH + 2];
};

int protojson_refuse(struct protojson_decoder *d, const char *reason, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* For a token that is not `expected`, also for JSON_ERROR. */
int protojson_mismatch(struct protojson_decoder *d, enum json_token t, const char *expected);

/* Refuses, or passes over the value that follows, as the flavor wants it. */
int protojson_unknown(struct protojson_decoder *d, const struct proto_message *m);

/* Before `size` bytes are taken from the arena. */
int protojson_charge(struct protojson_decoder *d, size_t size) MUST_CHECK;

/* Begins one more level of the wire form; the caller takes it back from d->wire. */
int protojson_deeper(struct protojson_decoder *d) MUST_CHECK;

/* NULL when it was refused. */
void *protojson_new(struct protojson_decoder *d, const struct proto_message *m);
void *protojson_append(struct protojson_decoder *d, const struct proto_field *fd,
                       struct proto_array *array);

/* The next value into *msg. */
int protojson_read_message(struct protojson_decoder *d, const struct proto_message *m, void *msg)
    MUST_CHECK;

/* The members of the object that is open, with its end; "@type" is passed over in an Any. */
int protojson_read_members(struct protojson_decoder *d, const struct proto_message *m, void *msg,
                           bool in_any) MUST_CHECK;

/* One scalar; *skipped when it is an enum's name that the flavor passes over. */
int protojson_read_scalar(struct protojson_decoder *d, const struct proto_field *fd,
                          union protojson_scalar *out, bool *skipped) MUST_CHECK;

/* As protojson_read_message(), for all kinds but PROTO_KIND_PLAIN. */
int protojson_read_known(struct protojson_decoder *d, const struct proto_message *m, void *msg)
    MUST_CHECK;

/* --- out ---------------------------------------------------------------------------------------*/

struct protojson_encoder {
    const struct protojson_flavor *flavor;
    struct json_writer *w;
    struct arena *scratch;
    struct fail *fail;
    size_t memory_end;
    uint32_t depth; /* objects and lists that are open */
};

/* Begins one more object or list; the caller takes it back from e->depth. */
int protojson_descend(struct protojson_encoder *e) MUST_CHECK;

int protojson_put_message(struct protojson_encoder *e, const struct proto_message *m,
                          const void *msg) MUST_CHECK;

/* Without the braces. */
int protojson_put_members(struct protojson_encoder *e, const struct proto_message *m,
                          const void *msg) MUST_CHECK;

int protojson_put_scalar(struct protojson_encoder *e, const struct proto_field *fd,
                         const void *value) MUST_CHECK;

/* All kinds but PROTO_KIND_PLAIN. */
int protojson_put_known(struct protojson_encoder *e, const struct proto_message *m, const void *msg)
    MUST_CHECK;

/* The entries of a map by their keys, which `order` (NULL: as they are) gives. */
struct protojson_map {
    const struct proto_field *fd;
    struct proto_array entries;
    uint32_t *order;
    uint32_t few[16];
};

void protojson_map_init(struct protojson_map *map, const void *msg, const struct proto_field *fd);
const void *protojson_map_entry(const struct protojson_map *map, size_t i) RETURNS_NONNULL;
void protojson_map_done(struct protojson_map *map);

#endif
