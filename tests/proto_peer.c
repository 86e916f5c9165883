/* SPDX-License-Identifier: Apache-2.0 */
/* Our half of the differential test of the protobuf codec. Standard input has batches: a count (4
 * bytes, little-endian), then for each case the message's index in `types` (1 byte), a length (4
 * bytes) and the bytes. After each batch, for each case: 1, a length and the message written again;
 * or 0, a length and why it was refused. One thread; ends with its input. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "codec/proto.h"
#include "proto/collector_v1_collector.pb.h"
#include "proto/google_protobuf_struct.pb.h"
#include "proto/muster_test_v1_test.pb.h"
#include "proto/pipeline_v1_pipeline.pb.h"

static const struct proto_message *const types[] = {
    &muster_test_v1_everything_desc,
    &muster_test_v1_relayed_desc,
    &muster_test_v1_report_desc,
    &google_protobuf_struct_desc,
    &collector_v1_get_config_request_desc,
    &collector_v1_get_config_response_desc,
    &collector_v1_create_collector_request_desc,
    &collector_v1_bulk_update_collectors_request_desc,
    &pipeline_v1_pipeline_desc,
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

static void answer(uint8_t type, struct str in, struct buf *out)
{
    struct arena *a = arena_new(16384);
    struct buf again;
    struct fail f;

    if (type >= COUNTOF(types))
        exit(1);

    const struct proto_message *m = types[type];
    void *msg = proto_new(a, m);

    buf_init_arena(&again, a, (size_t)1 << 30);
    if (proto_decode(m, a, in, NULL, msg, &f) < 0) {
        put(out, false, str_of(f.message));
    } else if (proto_encode(m, proto_copy(a, m, msg), &again) < 0 ||
               again.len != proto_size(m, msg)) {
        put(out, false, STR("cannot be written again, or has another size"));
    } else {
        put(out, true, buf_str(&again));
    }
    arena_free(&a);
}

static void batch(uint32_t count, struct buf *out)
{
    struct arena *a = arena_new(1 << 20);
    struct str *in = arena_new_array(a, struct str, count);
    uint8_t *type = arena_alloc(a, count);

    for (uint32_t i = 0; i < count; i++) {
        uint32_t len;

        if (!read_all(&type[i], 1) || !read_all(&len, sizeof(len)))
            exit(1);

        char *bytes = arena_alloc_raw(a, len);

        if (!read_all(bytes, len))
            exit(1);
        in[i] = str_make(bytes, len);
    }
    for (uint32_t i = 0; i < count; i++)
        answer(type[i], in[i], out);
    arena_free(&a);
}

int main(void)
{
    struct buf out;
    uint32_t count;

    buf_init(&out, (size_t)1 << 30);
    while (read_all(&count, sizeof(count))) {
        batch(count, &out);
        write_all(buf_str(&out));
        buf_clear(&out);
    }
    buf_done(&out);
    return 0;
}
