/* SPDX-License-Identifier: Apache-2.0 */
/* A file as the body of an answer. No loop waits for the disk: what the page cache holds is copied
 * at once, and what it does not hold is read by a worker, one piece at a time and only when the
 * client has taken the one before. Lives in the exchange's arena. */
#ifndef RPC_FILE_ANSWER_H
#define RPC_FILE_ANSWER_H

#include "rpc/call.h"

/* The answer's body is that many bytes of the file, from `first` on; the descriptor is the answer's
 * now. A file that turns out to be shorter breaks the answer off. For handlers of plain routes on a
 * worker, at most once a call. */
void call_send_file(struct call *c, int fd, int64_t first, int64_t count);

#endif
