/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/grpc_inbox.h"

#include <assert.h>

#include "rpc/frame.h"

static struct str left(const struct grpc_inbox *in)
{
    return str_skip(buf_str(&in->raw), in->at);
}

void grpc_inbox_init(struct grpc_inbox *in, size_t message_max, size_t slack)
{
    in->room = message_max + slack + FRAME_HEAD;
    in->at = 0;
    in->message_max = message_max;
    buf_init(&in->raw, 2 * in->room); /* as much may be dropped already and still stand there */
}

void grpc_inbox_done(struct grpc_inbox *in)
{
    buf_done(&in->raw);
    in->at = 0;
}

bool grpc_inbox_put(struct grpc_inbox *in, struct str bytes)
{
    if (bytes.len > in->room - left(in).len)
        return false;
    /* Moves less than was dropped since the last time. */
    if (in->at > 0 && in->at >= in->raw.len - in->at) {
        buf_consume(&in->raw, in->at);
        in->at = 0;
    }
    buf_put(&in->raw, bytes.p, bytes.len);
    return !in->raw.overflow;
}

enum grpc_inbox_state grpc_inbox_peek(const struct grpc_inbox *in, struct grpc_message *out)
{
    struct str rest = left(in);
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
    in->at += FRAME_HEAD + m.payload.len;
}

/* The smaller part is copied: the message, or what stands behind it. */
void grpc_inbox_take(struct grpc_inbox *in, struct buf *out, struct grpc_message *m)
{
    enum grpc_inbox_state state = grpc_inbox_peek(in, m);
    struct str rest;

    assert(state == GRPC_INBOX_WHOLE);
    rest = str_skip(left(in), FRAME_HEAD + m->payload.len);
    if (m->payload.len < rest.len) {
        buf_init(out, m->payload.len);
        buf_put(out, m->payload.p, m->payload.len);
        m->payload = buf_str(out);
        in->at += FRAME_HEAD + m->payload.len;
        return;
    }
    *out = in->raw;
    buf_init(&in->raw, 2 * in->room);
    in->at = 0;
    buf_put(&in->raw, rest.p, rest.len);
}
