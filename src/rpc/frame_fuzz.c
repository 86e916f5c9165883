/* SPDX-License-Identifier: Apache-2.0 */
/* Framing against a plain reading of it, and the text form of gRPC-Web against encoding it again.
 */
#include <stdint.h>
#include <stdlib.h>

#include "codec/base64.h"
#include "rpc/frame.h"
#include "rpc/grpc_web.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static size_t frames_take_all(const uint8_t *data, size_t size)
{
    struct str rest = str_make(data, size);
    size_t at = 0, count = 0;
    struct frame f;
    enum frame_result r;

    while ((r = frame_take(&rest, &f)) == FRAME_OK) {
        uint64_t length = 0;

        for (int i = 1; i <= 4; i++)
            length = length << 8 | data[at + (size_t)i];
        expect(f.flags == data[at] && f.payload.len == length);
        expect((const uint8_t *)f.payload.p == data + at + FRAME_HEAD);
        at += FRAME_HEAD + length;
        expect(at <= size && rest.len == size - at);
        count++;
    }
    expect((r == FRAME_NONE) == (at == size));
    return r == FRAME_NONE ? count : SIZE_MAX;
}

static void check_only(const uint8_t *data, size_t size, size_t count)
{
    struct frame f;
    struct fail why = {0};
    int rc = frame_only(str_make(data, size), &f, &why);

    expect((rc == 0) == (count == 1));
    if (count == 0)
        expect(why.code == CODE_UNIMPLEMENTED);
}

static void check_text(struct arena *a, const uint8_t *data, size_t size)
{
    struct str out, again, text;

    if (grpc_web_text_decode(a, str_make(data, size), &out) == 0)
        expect(out.len <= size / 4 * 3);
    /* In two pieces, with padding between them. */
    text = arena_printf(
        a, "%.*s%.*s", STR_ARG(base64_encode(a, BASE64_STD, str_make(data, size / 3))),
        STR_ARG(base64_encode(a, BASE64_STD, str_make(data + size / 3, size - size / 3))));
    expect(grpc_web_text_decode(a, text, &again) == 0 && str_eq(again, str_make(data, size)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(4096);

    if (size == 0)
        data = (const uint8_t *)"";
    check_only(data, size, frames_take_all(data, size));
    check_text(a, data, size);
    arena_free(&a);
    return 0;
}
