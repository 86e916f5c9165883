/* SPDX-License-Identifier: Apache-2.0 */
/* Length-prefixed messages as gRPC, gRPC-Web and Connect streams have them: one byte of flags, four
 * bytes of length, most significant first. Pure; any thread. */
#ifndef RPC_FRAME_H
#define RPC_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"

#define FRAME_HEAD 5

#define FRAME_COMPRESSED  0x01
#define FRAME_END_STREAM  0x02 /* Connect */
#define FRAME_WEB_TRAILER 0x80 /* gRPC-Web */

enum frame_result {
    FRAME_OK,
    FRAME_SHORT, /* the rest of it is not there (yet) */
    FRAME_NONE,  /* nothing is left */
};

struct frame {
    uint8_t flags;
    struct str payload; /* a view of the input */
};

/* Takes one frame from the front. */
enum frame_result frame_take(struct str *rest, struct frame *out) MUST_CHECK;

/* The announced length of the frame at the front; false when its head is not whole. */
bool frame_length(struct str in, size_t *out) MUST_CHECK;

/* Room for the head; the payload follows, frame_end() fills the head in. Returns where it stands.
 */
size_t frame_begin(struct buf *out);
void frame_end(struct buf *out, size_t at, uint8_t flags);

/* The one message of a unary request: CODE_UNIMPLEMENTED when there is none or more than one,
 * CODE_INVALID_ARGUMENT when it is cut off. */
int frame_only(struct str body, struct frame *out, struct fail *f) MUST_CHECK;

#endif
