/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON form of protobuf messages, both ways, driven by their tables. The rules are those of
 * protobuf's own JSON mapping; where dialects differ, a flavor says how. Pure; any thread, one at a
 * time for one message. Nothing here keeps state: the tables and the flavor are const, everything
 * that is made lives in the arena.
 *
 * Always the same, in every flavor:
 *   in   a field is known by its JSON name or its proto name; the same field twice (also under both
 *        names, also two members of one oneof) is refused; null is absent, except for Value (and a
 *        NullValue), where it is a value; null in a list or as a value of a map is refused, except
 *        for those two. Integers: number or string, 1.0 and 1e3 are integers, out of range or a
 *        fraction is refused. float and double: number or string, "NaN", "Infinity", "-Infinity";
 *        a float out of its range is refused. bool: only true and false. string: only strings.
 *        bytes: base64 of either alphabet, padded or not. Enum: name or number; a number that is
 *        not declared is kept. Map keys are strings, integers without a plus sign or zeros in
 *        front, so that the same key twice is the same text twice: refused. Timestamp: RFC
 *        3339 with any offset, years 1 to 9999. Duration: "1.5s", at most 315576000000 s.
 * FieldMask: one string of lowerCamelCase paths, comma-separated. Struct, Value, ListValue: plain
 * JSON. Wrappers: the bare value. Any: {"@type": ..., ...}, or {"@type": ..., "value": ...} for the
 *        types with a form of their own; "@type" may stand anywhere. Empty: {}. What stands after
 *        the value is refused.
 *   out  fields in the order of declaration, map entries by key (numbers by value, strings by
 *        bytes), the same message always gives the same bytes. A set optional field, a set member
 *        of a oneof and a set message are written also when they are at their default. An enum
 *        number without a name is written as a number, bytes as padded base64 of the standard
 *        alphabet, a float by the shortest text that reads back as the same float, times with 0, 3,
 *        6 or 9 digits after the point. Unknown fields are not written. */
#ifndef CODEC_PROTOJSON_H
#define CODEC_PROTOJSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"
#include "codec/json.h"
#include "codec/json_writer.h"
#include "codec/proto.h"

/* All zero: the canonical form, and a strict reader. Static and const. */
struct protojson_flavor {
    /* --- out --- */
    bool proto_names;    /* "created_at" instead of "createdAt"; paths in a FieldMask stay camel */
    bool print_defaults; /* also scalars, lists and maps that are empty; never absent messages,
                            unset optional fields and members of oneofs */
    bool enum_numbers;   /* 1 instead of "KIND_A"; NullValue stays null */
    bool int64_numbers;  /* 64-bit integers as numbers instead of strings */
    bool point_doubles;  /* integral doubles of Struct and Value as "1.0" instead of "1" */

    /* Optional: true prints this field at its default even without print_defaults, under the same
     * exceptions. */
    bool (*prints_default)(const struct proto_message *m, const struct proto_field *fd);

    /* --- in --- */
    bool ignore_unknown; /* members that are no field, and enum names that are no value: passed over
                            (checked as JSON all the same), a list or map leaves such an element
                            out; otherwise they are refused and named */

    /* Optional: called with each message that an object in the input opens, still zeroed, before
     * its members are read: defaults that only the JSON form has. Not for the kinds with a form of
     * their own. */
    void (*preset)(const struct proto_message *m, void *msg);

    /* --- both --- */
    const struct proto_pool *pool; /* what an Any may hold; NULL: a non-empty Any is refused */
};

/* 0 in any place: the value behind it. */
struct protojson_limits {
    uint32_t depth; /* of objects and lists, also those inside an Any; 100, never more. Beside it,
                       what is read never nests deeper than proto_decode() allows: a level of a
                       Struct is three of these */
    uint32_t nodes; /* values and keys; 1 million */
    size_t bytes;   /* of input; 16 MiB */
    size_t memory;  /* that may be taken from the arena; 64 MiB */
};

/* --- in -----------------------------------------------------------------------------------------
 * -1 with CODE_INVALID_ARGUMENT or, for a limit of size, CODE_RESOURCE_EXHAUSTED. The message names
 * the place in the text; f->field is the path of the field at fault when there is one, by proto
 * names
 * ("collector.labels[2].key", a map's entry as "tags[\"a\"]"). An unknown member has the reason
 * "unknown_field", a value of the wrong type "wrong_type", everything else "malformed". *msg is
 * good for nothing then. Strings without escapes are views into the text, which must outlive the
 * message.
 */

/* The whole text into *msg, which is zeroed. `limits` may be NULL. */
int protojson_decode(const struct protojson_flavor *flavor, const struct proto_message *m,
                     struct arena *a, struct str text, const struct protojson_limits *limits,
                     void *msg, struct fail *f) MUST_CHECK;

/* The whole text as the value of one field of *msg: for a REST body that is a field. null clears
 * nothing and sets nothing. */
int protojson_decode_field(const struct protojson_flavor *flavor, const struct proto_field *fd,
                           struct arena *a, struct str text, const struct protojson_limits *limits,
                           void *msg, struct fail *f) MUST_CHECK;

/* The reader's next value, for messages inside other JSON. The reader's limits count for depth and
 * nodes, for memory it is the default; what fails goes to the reader's fail. */
int protojson_read(const struct protojson_flavor *flavor, const struct proto_message *m,
                   struct json_reader *r, void *msg) MUST_CHECK;

/* One value that came as bare text, from a path or a query: sets the field, or appends to a
 * repeated one. Takes what JSON strings and literals would say without their quotes; for a bool
 * true, false, True, False, 1 and 0; also Timestamp, Duration, FieldMask and the wrappers. `text`
 * must live as long as the message. -1 (CODE_INVALID_ARGUMENT) also for maps and other messages. */
int protojson_set_text(const struct protojson_flavor *flavor, const struct proto_field *fd,
                       struct arena *a, struct str text, void *msg, struct fail *f) MUST_CHECK;

/* --- out ----------------------------------------------------------------------------------------
 * Appends, without building anything in between; -1 with CODE_INTERNAL for what has no JSON form (a
 * time out of range, an Any whose type is not in the pool or whose bytes are bad, a Value without a
 * kind or with NaN, a FieldMask path that does not survive the change of case, more than 100
 * levels), with CODE_RESOURCE_EXHAUSTED when the buffer's ceiling was in the way. The buffer holds
 * a part then. `scratch` is for sorting maps and for what an Any holds. */

int protojson_encode(const struct protojson_flavor *flavor, const struct proto_message *m,
                     struct arena *scratch, const void *msg, struct buf *out, struct fail *f)
    MUST_CHECK;

/* The value of one field, for a REST answer that is a field; null for an absent message, the
 * default (0, "", [], {}) for the rest. */
int protojson_encode_field(const struct protojson_flavor *flavor, const struct proto_field *fd,
                           struct arena *scratch, const void *msg, struct buf *out, struct fail *f)
    MUST_CHECK;

/* As a value of a text that is being written; an overflow stays in the writer's buffer. */
int protojson_write(const struct protojson_flavor *flavor, const struct proto_message *m,
                    struct arena *scratch, const void *msg, struct json_writer *w, struct fail *f)
    MUST_CHECK;

#endif
