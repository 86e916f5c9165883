/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as JSON. The first byte has the flavor's flags and the form of the rest. JSON that is
 * accepted is written, read and written again: the same message each time, in every flavor. Bytes
 * in the wire format that have a JSON form come back as the same message. What was read as JSON can
 * be put on the wire and read from there. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "codec/proto.h"
#include "codec/protojson.h"
#include "codec/utf8.h"
#include "proto/muster_test_v1_test.pb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    IS_JSON = 1,
    PROTO_NAMES = 2,
    PRINT_DEFAULTS = 4,
    ENUM_NUMBERS = 8,
    INT64_NUMBERS = 16,
    POINT_DOUBLES = 32,
    IGNORE_UNKNOWN = 64,
};

static const struct proto_message *const type = &muster_test_v1_everything_desc;

static struct str to_wire(struct arena *a, const void *msg)
{
    struct buf out;

    buf_init_arena(&out, a, SIZE_MAX / 2);
    if (proto_encode(type, msg, &out) < 0)
        abort();
    return buf_str(&out);
}

/* False when it has no JSON form. */
static bool to_json(const struct protojson_flavor *flavor, struct arena *a, const void *msg,
                    struct str *text)
{
    struct buf out;
    struct fail f;

    buf_init_arena(&out, a, SIZE_MAX / 2);
    if (protojson_encode(flavor, type, a, msg, &out, &f) < 0) {
        assert(f.code == CODE_INTERNAL || f.code == CODE_RESOURCE_EXHAUSTED);
        return false;
    }
    *text = buf_str(&out);
    assert(utf8_is_valid(*text));
    return true;
}

static void *from_json(const struct protojson_flavor *flavor, struct arena *a, struct str text)
{
    void *msg = proto_new(a, type);
    struct fail f;

    if (protojson_decode(flavor, type, a, text, NULL, msg, &f) == 0)
        return msg;
    assert(f.code == CODE_INVALID_ARGUMENT || f.code == CODE_RESOURCE_EXHAUSTED);
    assert(f.reason && utf8_is_valid(str_of(f.message)) && utf8_is_valid(str_of(f.field)));
    return NULL;
}

static bool contains(struct str text, struct str part)
{
    return memmem(text.p, text.len, part.p, part.len);
}

/* What JSON made must survive both forms. */
static void assert_survives(const struct protojson_flavor *flavor, struct arena *a, const void *msg)
{
    struct str wire = to_wire(a, msg), text, again;
    void *read = proto_new(a, type);
    struct fail f;

    if (proto_decode(type, a, wire, NULL, read, &f) < 0)
        abort();
    assert(str_eq(to_wire(a, read), wire));
    if (!to_json(flavor, a, msg, &text))
        return;
    read = from_json(flavor, a, text);
    assert(read);
    /* Every number of a NullValue becomes null, which is 0. */
    if (!contains(text, STR("null")))
        assert(str_eq(to_wire(a, read), wire));
    if (!to_json(flavor, a, read, &again))
        abort();
    assert(str_eq(again, text) || contains(text, STR("ull\":null")));
}

/* What came from the wire must come back from JSON. NaN is many bits on the wire and one word in
 * JSON, and an Any may hold bytes in any order. */
static void assert_comes_back(const struct protojson_flavor *flavor, struct arena *a,
                              const void *msg)
{
    struct str text, again;
    void *read;

    if (!to_json(flavor, a, msg, &text))
        return;
    read = from_json(flavor, a, text);
    assert(read);
    assert_survives(flavor, a, read);
    if (contains(text, STR("null")))
        return;
    if (!to_json(flavor, a, read, &again))
        abort();
    assert(str_eq(again, text));
    if (!contains(text, STR("NaN")) && !contains(text, STR("@type")))
        assert(str_eq(to_wire(a, read), to_wire(a, msg)) && proto_equal(type, read, msg));
}

/* Made once, for it takes longer than an input does. */
static const struct proto_pool *pool(void)
{
    static const struct proto_pool *made;
    const struct proto_file *file = &muster_test_v1_test_file;

    if (!made)
        made = proto_pool_new(arena_new(65536), &file, 1);
    return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(65536);
    struct protojson_flavor flavor = {.pool = pool()};
    uint8_t flags = size > 0 ? data[0] : 0;
    struct str rest = str_skip(str_make(data, size), 1);
    struct fail f;
    void *msg;

    flavor.proto_names = flags & PROTO_NAMES;
    flavor.print_defaults = flags & PRINT_DEFAULTS;
    flavor.enum_numbers = flags & ENUM_NUMBERS;
    flavor.int64_numbers = flags & INT64_NUMBERS;
    flavor.point_doubles = flags & POINT_DOUBLES;
    flavor.ignore_unknown = flags & IGNORE_UNKNOWN;
    if (flags & IS_JSON) {
        msg = from_json(&flavor, a, rest);
        if (msg)
            assert_survives(&flavor, a, msg);
    } else {
        msg = proto_new(a, type);
        if (proto_decode(type, a, rest, NULL, msg, &f) == 0)
            assert_comes_back(&flavor, a, msg);
    }
    arena_free(&a);
    return 0;
}
