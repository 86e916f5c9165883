/* SPDX-License-Identifier: Apache-2.0 */
/* Puts gRPC's length-prefixed messages together again from pieces of any size. Memory grows with
 * what arrived, not with what a prefix announces; time, too, however small the messages are. One
 * thread at a time. */
#ifndef RPC_GRPC_INBOX_H
#define RPC_GRPC_INBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/str.h"

struct grpc_inbox {
    struct buf raw;
    size_t at; /* what stands before was dropped or taken */
    size_t room;
    size_t message_max;
};

struct grpc_message {
    struct str payload;
    bool gzip;
};

enum grpc_inbox_state {
    GRPC_INBOX_EMPTY, /* between two messages */
    GRPC_INBOX_SHORT, /* within one */
    GRPC_INBOX_WHOLE,
    GRPC_INBOX_TOO_LARGE, /* longer than message_max */
    GRPC_INBOX_BAD_FLAGS,
};

/* slack: bytes that may be put in beyond one message. */
void grpc_inbox_init(struct grpc_inbox *in, size_t message_max, size_t slack);
void grpc_inbox_done(struct grpc_inbox *in);

/* False when there is no room: more than message_max and slack. */
bool grpc_inbox_put(struct grpc_inbox *in, struct str bytes) MUST_CHECK;

/* WHOLE: *out is a view, good until the inbox is touched. */
enum grpc_inbox_state grpc_inbox_peek(const struct grpc_inbox *in, struct grpc_message *out)
    MUST_CHECK;

/* Drops the message at the front, which is whole. */
void grpc_inbox_drop(struct grpc_inbox *in);

/* Same, but keeps its bytes: *out owns them (buf_done() it) and *m views into it. */
void grpc_inbox_take(struct grpc_inbox *in, struct buf *out, struct grpc_message *m);

#endif
