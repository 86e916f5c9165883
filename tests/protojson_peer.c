/* SPDX-License-Identifier: Apache-2.0 */
/* Our half of the differential test of messages as JSON. Standard input has batches: a count (4
 * bytes, little-endian), then for each case whether it is JSON (1) or the wire format (0), the
 * message's index in `types`, the flavor's flags (1 byte each), a length (4 bytes) and the bytes.
 * After each batch, for each case: 1, a length and the message in the other form; or 0, a length
 * and why it was refused. One thread; ends with its input. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "codec/proto.h"
#include "codec/protojson.h"
#include "proto/google_protobuf_any.pb.h"
#include "proto/google_protobuf_struct.pb.h"
#include "proto/google_protobuf_timestamp.pb.h"
#include "proto/muster_test_v1_test.pb.h"

static const struct proto_message *const types[] = {
    &muster_test_v1_everything_desc,
    &muster_test_v1_report_desc,
    &google_protobuf_struct_desc,
    &google_protobuf_any_desc,
};

enum {
    PROTO_NAMES = 1,
    PRINT_DEFAULTS = 2,
    ENUM_NUMBERS = 4,
    INT64_NUMBERS = 8,
    POINT_DOUBLES = 16,
    IGNORE_UNKNOWN = 32,
};

struct head {
    uint8_t is_json;
    uint8_t type;
    uint8_t flags;
};

/* False when the input ends, which it may do only between batches. */
static bool read_all(void *to, size_t size)
{
    char *at = to;

    while (size > 0) {
        ssize_t n = read(STDIN_FILENO, at, size);

        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static void write_all(struct str s)
{
    while (s.len > 0) {
        ssize_t n = write(STDOUT_FILENO, s.p, s.len);

        if (n <= 0)
            exit(1);
        s = str_skip(s, (size_t)n);
    }
}

static void put(struct buf *out, bool accepted, struct str bytes)
{
    uint32_t len = (uint32_t)bytes.len;

    buf_put_byte(out, accepted);
    buf_put(out, &len, sizeof(len));
    buf_put_str(out, bytes);
}

/* -1 with the reason in *f. */
static int convert(const struct protojson_flavor *flavor, const struct proto_message *m,
                   struct arena *a, bool is_json, struct str in, struct buf *out, struct fail *f)
{
    void *msg = proto_new(a, m);

    if (!is_json) {
        if (proto_decode(m, a, in, NULL, msg, f) < 0)
            return -1;
        return protojson_encode(flavor, m, a, msg, out, f);
    }
    if (protojson_decode(flavor, m, a, in, NULL, msg, f) < 0)
        return -1;
    return proto_encode(m, msg, out);
}

static void answer(const struct proto_pool *pool, struct head head, struct str in, struct buf *out)
{
    const struct protojson_flavor flavor = {
        .proto_names = head.flags & PROTO_NAMES,
        .print_defaults = head.flags & PRINT_DEFAULTS,
        .enum_numbers = head.flags & ENUM_NUMBERS,
        .int64_numbers = head.flags & INT64_NUMBERS,
        .point_doubles = head.flags & POINT_DOUBLES,
        .ignore_unknown = head.flags & IGNORE_UNKNOWN,
        .pool = pool,
    };
    struct arena *a = arena_new(16384);
    struct fail f = {.message = "cannot be written"};
    struct buf made;

    if (head.type >= COUNTOF(types))
        exit(1);
    buf_init_arena(&made, a, (size_t)1 << 30);
    if (convert(&flavor, types[head.type], a, head.is_json, in, &made, &f) < 0)
        put(out, false, str_of(f.message));
    else
        put(out, true, buf_str(&made));
    arena_free(&a);
}

static void batch(const struct proto_pool *pool, uint32_t count, struct buf *out)
{
    struct arena *a = arena_new(1 << 20);
    struct str *in = arena_new_array(a, struct str, count);
    struct head *heads = arena_new_array(a, struct head, count);

    for (uint32_t i = 0; i < count; i++) {
        uint32_t len;

        if (!read_all(&heads[i], sizeof(heads[i])) || !read_all(&len, sizeof(len)))
            exit(1);

        char *bytes = arena_alloc_raw(a, len);

        if (!read_all(bytes, len))
            exit(1);
        in[i] = str_make(bytes, len);
    }
    for (uint32_t i = 0; i < count; i++)
        answer(pool, heads[i], in[i], out);
    arena_free(&a);
}

int main(void)
{
    const struct proto_file *file = &muster_test_v1_test_file;
    struct arena *a = arena_new(1 << 16);
    const struct proto_pool *pool = proto_pool_new(a, &file, 1);
    struct buf out;
    uint32_t count;

    buf_init(&out, (size_t)1 << 30);
    while (read_all(&count, sizeof(count))) {
        batch(pool, count, &out);
        write_all(buf_str(&out));
        buf_clear(&out);
    }
    buf_done(&out);
    arena_free(&a);
    return 0;
}
