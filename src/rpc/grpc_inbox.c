/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/grpc_inbox.h"

#include <assert.h>

#include "rpc/frame.h"

void grpc_inbox_init(struct grpc_inbox *in, size_t message_max, size_t slack)
{
    buf_init(&in->raw, message_max + slack + FRAME_HEAD);
    in->message_max = message_max;
}

void grpc_inbox_done(struct grpc_inbox *in)
{
    buf_done(&in->raw);
}

bool grpc_inbox_put(struct grpc_inbox *in, struct str bytes)
{
    buf_put(&in->raw, bytes.p, bytes.len);
    return !in->raw.overflow;
}

enum grpc_inbox_state grpc_inbox_peek(const struct grpc_inbox *in, struct grpc_message *out)
{
    struct str rest = buf_str(&in->raw);
    struct frame frame;
    size_t length;

    if (rest.len == 0)
        return GRPC_INBOX_EMPTY;
    if ((uint8_t)rest.p[0] & ~FRAME_COMPRESSED)
        return GRPC_INBOX_BAD_FLAGS;
    if (!frame_length(rest, &length))
        return GRPC_INBOX_SHORT;
    if (length > in->message_max)
        return GRPC_INBOX_TOO_LARGE;
    if (frame_take(&rest, &frame) != FRAME_OK)
        return GRPC_INBOX_SHORT;
    out->payload = frame.payload;
    out->gzip = frame.flags & FRAME_COMPRESSED;
    return GRPC_INBOX_WHOLE;
}

void grpc_inbox_drop(struct grpc_inbox *in)
{
    struct grpc_message m;
    enum grpc_inbox_state state = grpc_inbox_peek(in, &m);

    assert(state == GRPC_INBOX_WHOLE);
    buf_consume(&in->raw, FRAME_HEAD + m.payload.len);
}

void grpc_inbox_take(struct grpc_inbox *in, struct buf *out, struct grpc_message *m)
{
    enum grpc_inbox_state state = grpc_inbox_peek(in, m);
    size_t max = in->raw.max;
    struct str rest;

    assert(state == GRPC_INBOX_WHOLE);
    rest = str_skip(buf_str(&in->raw), FRAME_HEAD + m->payload.len);
    *out = in->raw;
    buf_init(&in->raw, max);
    buf_put(&in->raw, rest.p, rest.len);
}
