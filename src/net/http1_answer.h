/* SPDX-License-Identifier: Apache-2.0 */
/* Writes answers in HTTP/1.1 form into a connection's output. Loop thread. */
#ifndef NET_HTTP1_ANSWER_H
#define NET_HTTP1_ANSWER_H

#include <stdbool.h>

struct conn;
struct exchange;

/* Status line and fields, with the framing that was decided. */
void http1_answer_head(struct conn *c, struct exchange *e, bool keep_alive, bool chunked);

enum http1_answer_event {
    HTTP1_ANSWER_MORE,
    HTTP1_ANSWER_END,
    HTTP1_ANSWER_STALLED, /* the source will say when it goes on */
    HTTP1_ANSWER_BROKEN,
};

/* One more piece of the body, with the trailers after the last. */
enum http1_answer_event http1_answer_body(struct conn *c, struct exchange *e, bool chunked);

#endif
