/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf: any bytes against libprotobuf, and what was accepted must survive writing, copying and
 * reading again. The first byte chooses the message. Inputs that take more memory than we allow are
 * not compared. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "codec/proto.h"
#include "codec/proto_fuzz_reference.h"
#include "proto/google_protobuf_struct.pb.h"
#include "proto/google_rpc_error_details.pb.h"
#include "proto/muster_test_v1_test.pb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MEMORY ((size_t)8 << 20)

static const struct proto_message *const types[] = {
    &muster_test_v1_everything_desc, &muster_test_v1_relayed_desc,
    &muster_test_v1_report_desc,     &google_protobuf_struct_desc,
    &google_rpc_bad_request_desc,    &muster_test_v1_list_things_request_desc,
};

static struct proto_reference *reference_new(void)
{
    static const struct proto_file *const files[] = {&muster_test_v1_test_file,
                                                     &google_rpc_error_details_file};
    struct arena *a = arena_new(4096);
    struct proto_pool *pool = proto_pool_new(a, files, COUNTOF(files));
    struct proto_reference *r = proto_reference_new();
    const struct proto_file *const *all;
    size_t count;

    all = proto_pool_files(pool, &count);
    for (size_t i = 0; i < count; i++) {
        if (!proto_reference_add(r, all[i]->descriptor.p, all[i]->descriptor.len))
            abort();
    }
    arena_free(&a);
    return r;
}

static struct str write_again(struct arena *a, const struct proto_message *m, const void *msg)
{
    struct buf out;

    buf_init_arena(&out, a, (size_t)1 << 30);
    if (proto_encode(m, msg, &out) < 0)
        abort();
    assert(proto_size(m, msg) == out.len);
    return buf_str(&out);
}

/* What libprotobuf makes of the bytes; p is NULL when it refuses them. */
static struct str recode(struct proto_reference *r, struct arena *a, const struct proto_message *m,
                         struct str in)
{
    size_t len;
    const void *out =
        proto_reference_recode(r, m->full_name.p, in.p, in.len, m->keep_unknown, &len);

    return out ? arena_str(a, str_make(out, len)) : str_make(NULL, 0);
}

static void compare(struct proto_reference *r, struct arena *a, const struct proto_message *m,
                    struct str in, const void *msg)
{
    struct str theirs = recode(r, a, m, in), ours = write_again(a, m, msg);
    struct proto_limits loose = {.memory = SIZE_MAX};
    void *back = proto_new(a, m);
    struct fail f;

    assert(theirs.p);
    /* Raw spans of unknown fields are written as they came; theirs are put in shape. */
    assert(str_eq(m->keep_unknown ? recode(r, a, m, ours) : ours, theirs));
    if (proto_decode(m, a, ours, &loose, back, &f) < 0)
        abort();
    assert(str_eq(write_again(a, m, back), ours));
    assert(str_eq(write_again(a, m, proto_copy(a, m, msg)), ours));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct proto_reference *r;
    struct proto_limits limits = {.memory = MEMORY};
    const struct proto_message *m;
    struct arena *a;
    struct str in;
    struct fail f;
    void *msg;

    if (size == 0)
        return 0;
    if (!r)
        r = reference_new();
    m = types[data[0] % COUNTOF(types)];
    in = str_make(data + 1, size - 1);
    a = arena_new(4096);
    msg = proto_new(a, m);
    if (proto_decode(m, a, in, &limits, msg, &f) == 0)
        compare(r, a, m, in, msg);
    else if (f.code == CODE_INVALID_ARGUMENT)
        assert(!recode(r, a, m, in).p);
    else
        assert(f.code == CODE_RESOURCE_EXHAUSTED);
    arena_free(&a);
    return 0;
}
