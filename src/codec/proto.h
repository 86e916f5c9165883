/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf: tables that describe messages, and one runtime that reads and writes the wire format by
 * them. tools/protoc-gen-muster makes plain C structs and these tables out of .proto files; how the
 * structs look is written in proto/README.md. The tables are static and const: any thread. Messages
 * live in an arena and belong to one thread at a time.
 *
 * How a field lies in its struct, at `offset`:
 *   singular scalar    bool, int32_t, int64_t, uint32_t, uint64_t, float, double; an enum is
 * int32_t string, bytes      struct str message            pointer, NULL when absent optional the
 * same, and a bool at `presence` (a message needs none) member of a oneof  inside a union, and at
 * `presence` the number of the member that is set as an enum of 4 bytes, 0 for none; also for a
 * message, whose pointer is not NULL repeated           struct proto_array of the above; messages
 * lie in it one after another map                struct proto_array of entry structs, whose message
 * has map_entry set and the fields 1 "key" and 2 "value"; no order, no key twice, no NULL value */
#ifndef CODEC_PROTO_H
#define CODEC_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"

/* Numbers as in FieldDescriptorProto.Type. Groups are not generated, only skipped. */
enum proto_type {
    PROTO_DOUBLE = 1,
    PROTO_FLOAT = 2,
    PROTO_INT64 = 3,
    PROTO_UINT64 = 4,
    PROTO_INT32 = 5,
    PROTO_FIXED64 = 6,
    PROTO_FIXED32 = 7,
    PROTO_BOOL = 8,
    PROTO_STRING = 9,
    PROTO_MESSAGE = 11,
    PROTO_BYTES = 12,
    PROTO_UINT32 = 13,
    PROTO_ENUM = 14,
    PROTO_SFIXED32 = 15,
    PROTO_SFIXED64 = 16,
    PROTO_SINT32 = 17,
    PROTO_SINT64 = 18,
};

enum proto_cardinality {
    PROTO_SINGULAR, /* a scalar at its default is absent; a message is absent when NULL */
    PROTO_OPTIONAL, /* scalar declared `optional`: the bool lies at `presence` */
    PROTO_ONEOF,    /* the case lies at `presence` */
    PROTO_REPEATED,
    PROTO_MAP,
};

/* Messages that JSON writes in a form of their own. */
enum proto_kind {
    PROTO_KIND_PLAIN,
    PROTO_KIND_ANY,
    PROTO_KIND_TIMESTAMP,
    PROTO_KIND_DURATION,
    PROTO_KIND_FIELD_MASK,
    PROTO_KIND_STRUCT,
    PROTO_KIND_VALUE,
    PROTO_KIND_LIST_VALUE,
    PROTO_KIND_EMPTY,
    PROTO_KIND_WRAPPER, /* one field "value": BoolValue, Int32Value, ... StringValue, BytesValue */
};

struct proto_message;
struct proto_enum;
struct proto_service;
struct proto_file;

struct proto_field {
    struct str name; /* as declared: "created_at" */
    struct str json_name;
    uint32_t number;
    uint8_t type;        /* enum proto_type */
    uint8_t cardinality; /* enum proto_cardinality */
    bool packed;         /* written packed; both forms are read */
    bool deprecated;
    uint32_t offset;
    uint32_t presence;                    /* PROTO_OPTIONAL, PROTO_ONEOF; else 0 */
    const struct proto_message *message;  /* PROTO_MESSAGE; the entry of a map */
    const struct proto_enum *enumeration; /* PROTO_ENUM */
    const struct proto_oneof *oneof;      /* PROTO_ONEOF */
};

struct proto_oneof {
    struct str name;
    uint32_t case_offset;
    uint16_t first_field; /* index into fields[]; the members are not always neighbors */
};

/* A name by which JSON may call a field: json_name or name. */
struct proto_name {
    struct str name;
    uint16_t index;
};

struct proto_message {
    struct str full_name; /* "collector.v1.Collector" */
    const struct proto_file *file;
    size_t size;                      /* of the C struct */
    const struct proto_field *fields; /* in the order of declaration */
    const uint16_t *by_number;        /* indices into fields[], numbers ascending */
    const struct proto_name *names;   /* sorted as str_cmp() does */
    const struct proto_oneof *oneofs;
    uint16_t field_count;
    uint16_t name_count;
    uint16_t oneof_count;
    uint16_t dense; /* fields[by_number[n - 1]] has the number n, for n from 1 to here */
    uint8_t kind;   /* enum proto_kind */
    bool map_entry;
    bool keep_unknown;       /* option (muster.keep_unknown) */
    uint32_t unknown_offset; /* of struct proto_unknown, when keep_unknown */
};

struct proto_enum_value {
    struct str name;
    int32_t number;
};

struct proto_enum {
    struct str full_name;
    const struct proto_file *file;
    const struct proto_enum_value *values; /* in the order of declaration, aliases too */
    const uint16_t *by_number; /* numbers ascending, only the first declared of each number */
    const uint16_t *by_name;   /* sorted as str_cmp() does */
    uint16_t value_count;
    uint16_t number_count;
};

/* One REST binding (google.api.http). */
struct proto_http {
    struct str verb;          /* "GET", "PUT", "POST", "DELETE", "PATCH", or what `custom` says */
    struct str path;          /* the template as written */
    struct str body;          /* "": no body; "*": the whole request; else a field's name */
    struct str response_body; /* "": the whole response; else a field's name */
};

enum proto_idempotency {
    PROTO_UNKNOWN_EFFECTS,
    PROTO_NO_SIDE_EFFECTS, /* Connect allows GET */
    PROTO_IDEMPOTENT,
};

enum proto_access { /* option (muster.method).access */
    PROTO_ACCESS_SCOPED,
    PROTO_ACCESS_KNOWN,
    PROTO_ACCESS_OPEN,
};

enum proto_lane { /* option (muster.method).lane */
    PROTO_LANE_WORKER,
    PROTO_LANE_LOOP,
    PROTO_LANE_WRITE,
};

struct proto_method {
    struct str path;      /* "/collector.v1.CollectorService/GetConfig" */
    struct str full_name; /* "collector.v1.CollectorService.GetConfig" */
    struct str name;      /* "GetConfig" */
    const struct proto_service *service;
    const struct proto_message *input;
    const struct proto_message *output;
    const struct proto_http *http; /* the primary binding first, then the additional ones */
    const struct str *scopes;      /* as scope_parse() knows them: "collectors:read" */
    uint16_t http_count;
    uint16_t scope_count;
    bool client_streaming;
    bool server_streaming;
    bool deprecated;
    uint8_t idempotency; /* enum proto_idempotency */
    uint8_t access;      /* enum proto_access */
    uint8_t lane;        /* enum proto_lane */
    uint8_t limit_class;
    bool json_only;          /* option: binary codecs are refused */
    uint32_t request_limit;  /* bytes of one message; 0: the engine's default */
    uint32_t response_limit; /* same */
};

struct proto_service {
    struct str full_name;
    struct str name;
    const struct proto_file *file;
    const struct proto_method *methods; /* in the order of declaration */
    uint16_t method_count;
};

/* `extend` of a message in this file; only for reflection. */
struct proto_extension {
    struct str full_name;
    struct str extendee; /* "google.protobuf.MethodOptions" */
    uint32_t number;
};

struct proto_file {
    struct str name; /* "collector/v1/collector.proto" */
    struct str package;
    struct str descriptor; /* FileDescriptorProto in wire format, without comments */
    struct str source;     /* the text; empty for files that are not ours */
    const struct proto_file *const *deps;
    const struct proto_message *const *messages; /* nested ones and map entries too */
    const struct proto_enum *const *enums;
    const struct proto_service *const *services;
    const struct proto_extension *extensions;
    const struct str *symbols; /* full names of all that the file declares, sorted */
    uint16_t dep_count;
    uint16_t message_count; /* 0 in a proto2 file, which has only its descriptor here */
    uint16_t enum_count;
    uint16_t service_count;
    uint16_t extension_count;
    uint16_t symbol_count;
};

/* --- values --- */

/* What every repeated field and map looks like; the generated ones have a typed `items`. */
struct proto_array {
    void *items;
    size_t count;
};

/* Fields that the message does not declare: whole records with their tags, as they came. */
struct proto_unknown {
    struct str *items;
    size_t count;
};

/* Bytes of one element or of a singular value as it lies in memory. */
size_t proto_value_size(const struct proto_field *fd);

static inline void *proto_at(void *msg, const struct proto_field *fd)
{
    return (char *)msg + fd->offset;
}

static inline const void *proto_at_const(const void *msg, const struct proto_field *fd)
{
    return (const char *)msg + fd->offset;
}

/* Whether the field would be written: set, not at its default, or not empty. */
bool proto_has(const void *msg, const struct proto_field *fd);

/* Sets the bool or the case that goes with the field, and clears the union when another member was
 * set. Does nothing for the rest. Call it before writing the value. */
void proto_mark(void *msg, const struct proto_field *fd);

/* Whether a value of a singular scalar is the type's zero (all bits: -0.0 is not). */
bool proto_is_zero(const struct proto_field *fd, const void *value);

/* Messages, arrays and maps are empty, scalars zero. */
void *proto_new(struct arena *a, const struct proto_message *m) RETURNS_NONNULL;

/* Appends one zeroed element. Only for arrays that grew from nothing by this function or came from
 * proto_decode() or proto_copy(): their spare room is known by their count alone. */
void *proto_append(struct arena *a, const struct proto_field *fd, struct proto_array *array)
    RETURNS_NONNULL;

/* The map's entry with the same key as `entry`, or NULL. Linear. */
void *proto_map_find(const struct proto_field *fd, const struct proto_array *map,
                     const void *entry);

/* Drops entries whose key comes again later, keeping the order of the rest. O(n log n). */
void proto_map_last_wins(const struct proto_field *fd, struct proto_array *map);

/* --- the wire format --- */

#define PROTO_MAX_DEPTH  100
#define PROTO_MAX_BYTES  ((size_t)64 << 20)
#define PROTO_MAX_MEMORY ((size_t)64 << 20)

/* 0 stands for the value above. */
struct proto_limits {
    uint32_t depth; /* of messages, map entries and groups below the outermost; never above 100 */
    size_t bytes;   /* of input */
    size_t memory;  /* that the message may take from the arena, also when the input is small */
};

/* Reads into *out, which is zeroed or holds an earlier result that the input is merged into.
 * Strings and bytes are views into `in`, which must live as long as the message. -1 with
 * CODE_INVALID_ARGUMENT (bad bytes, depth, text that is not UTF-8; the message names the field and
 * the offset) or CODE_RESOURCE_EXHAUSTED (bytes, memory); *out is good for nothing then. `limits`
 * may be NULL. */
int proto_decode(const struct proto_message *m, struct arena *a, struct str in,
                 const struct proto_limits *limits, void *out, struct fail *f) MUST_CHECK;

/* Bytes that proto_encode() writes. */
size_t proto_size(const struct proto_message *m, const void *msg);

/* Appends. The same message always gives the same bytes: fields by number, map entries by key,
 * unknown fields last. -1 when it does not fit (out->overflow is set then, and nothing written) or
 * has more than 2 GiB. The message is trusted: no cycles, text is UTF-8. */
int proto_encode(const struct proto_message *m, const void *msg, struct buf *out) MUST_CHECK;

/* --- whole messages --- */

/* Everything, text included: the copy does not refer to the original's memory. */
void *proto_copy(struct arena *a, const struct proto_message *m, const void *msg) RETURNS_NONNULL;

/* As protobuf compares: presence counts, the order of map entries does not, NaN differs from
 * itself. */
bool proto_equal(const struct proto_message *m, const void *x, const void *y);

/* --- looking things up; NULL or -1 when there is none --- */

const struct proto_field *proto_field_by_number(const struct proto_message *m, uint32_t number);

/* By json_name or name. */
const struct proto_field *proto_field_by_name(const struct proto_message *m, struct str name);

/* The first declared name of a number; empty when the number has none. */
struct str proto_enum_name(const struct proto_enum *e, int32_t number);
int proto_enum_number(const struct proto_enum *e, struct str name, int32_t *out) MUST_CHECK;

/* Files that belong together and everything that they import. Made at start-up, immutable after. */
struct proto_pool;

/* Lives in the arena. */
struct proto_pool *proto_pool_new(struct arena *a, const struct proto_file *const *files,
                                  size_t count) RETURNS_NONNULL;

const struct proto_file *proto_pool_file(const struct proto_pool *p, struct str name);
const struct proto_message *proto_pool_message(const struct proto_pool *p, struct str full_name);
const struct proto_enum *proto_pool_enum(const struct proto_pool *p, struct str full_name);
const struct proto_service *proto_pool_service(const struct proto_pool *p, struct str full_name);

/* "/pkg.Service/Method". */
const struct proto_method *proto_pool_method(const struct proto_pool *p, struct str path);

/* The file that declares a message, enum, service, method ("pkg.Service.Method"), field
 * ("pkg.Message.field"), enum value ("pkg.VALUE") or extension. */
const struct proto_file *proto_pool_symbol(const struct proto_pool *p, struct str symbol);
const struct proto_file *proto_pool_extension(const struct proto_pool *p, struct str extendee,
                                              uint32_t number);

/* Every file, each after those that it imports. */
const struct proto_file *const *proto_pool_files(const struct proto_pool *p, size_t *count);

#endif
