/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/frame.h"

bool frame_length(struct str in, size_t *out)
{
    const unsigned char *p = (const unsigned char *)in.p;

    if (in.len < FRAME_HEAD)
        return false;
    *out = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
    return true;
}

enum frame_result frame_take(struct str *rest, struct frame *out)
{
    size_t length;

    if (rest->len == 0)
        return FRAME_NONE;
    if (!frame_length(*rest, &length) || rest->len - FRAME_HEAD < length)
        return FRAME_SHORT;
    out->flags = (uint8_t)rest->p[0];
    out->payload = str_make(rest->p + FRAME_HEAD, length);
    *rest = str_skip(*rest, FRAME_HEAD + length);
    return FRAME_OK;
}

size_t frame_begin(struct buf *out)
{
    size_t at = out->len;

    if (buf_reserve(out, FRAME_HEAD))
        out->len += FRAME_HEAD;
    return at;
}

void frame_end(struct buf *out, size_t at, uint8_t flags)
{
    if (out->overflow)
        return;

    uint32_t length = (uint32_t)(out->len - at - FRAME_HEAD);
    uint8_t *p = out->data + at;

    p[0] = flags;
    p[1] = (uint8_t)(length >> 24);
    p[2] = (uint8_t)(length >> 16);
    p[3] = (uint8_t)(length >> 8);
    p[4] = (uint8_t)length;
}

int frame_only(struct str body, struct frame *out, struct fail *f)
{
    struct frame first, second;

    switch (frame_take(&body, &first)) {
    case FRAME_NONE:
        return fail_reason(f, CODE_UNIMPLEMENTED, "no_message", "the request has no message");
    case FRAME_SHORT:
        return fail_reason(f, CODE_INVALID_ARGUMENT, "short_frame",
                           "the request's message is cut off");
    case FRAME_OK: break;
    }
    switch (frame_take(&body, &second)) {
    case FRAME_NONE: break;
    case FRAME_SHORT:
        return fail_reason(f, CODE_INVALID_ARGUMENT, "short_frame",
                           "the request goes on after its message and is cut off");
    case FRAME_OK:
        return fail_reason(f, CODE_UNIMPLEMENTED, "many_messages",
                           "the method takes one message and got more");
    }
    *out = first;
    return 0;
}
