/* SPDX-License-Identifier: Apache-2.0 */
/* The net's side of one request and its answer: who holds it, its body on the way in, its bytes on
 * the way out. Lives in its own arena, which goes back to the loop at the end. Loop thread, except
 * for http_post().
 *
 * Net holds it until the body is whole; ready(), or in BODY_STREAM the return of head(), hands it
 * to the service, http_answer() hands it back. When the connection dies, an exchange that net holds
 * ends at once (gone(), sent()); one that the service holds waits for http_answer(). */
#ifndef NET_EXCHANGE_H
#define NET_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/http.h"

struct exchange;
struct host;
struct peer;

/* The version's side. Called only while the connection lives. */
struct exchange_ops {
    void (*answer)(struct exchange *e);          /* x.resp is final */
    void (*taken)(struct exchange *e, size_t n); /* http_read() took n bytes */
    void (*resume)(struct exchange *e);          /* the source has bytes */
};

enum exchange_holder {
    EXCHANGE_WITH_NET,
    EXCHANGE_WITH_SERVICE,
    EXCHANGE_ANSWERED,
};

struct exchange {
    struct http_x x; /* impl: the connection's or stream's state */
    const struct exchange_ops *ops;
    struct host *host;
    struct peer *peer;
    struct exchange *next; /* of the host's */
    struct exchange **at;
    struct buf body; /* heap: gathered, or waiting for http_read() */
    size_t body_at;  /* http_read() has taken so far */
    uint64_t pulled; /* of the answer's body */
    enum exchange_holder holder;
    bool body_done;
    bool body_broken;
    bool unread; /* readable() is due */
    bool head_seen;
    bool source_closed;
    bool over;  /* finished, but held */
    bool known; /* the service has heard of it */
};

#define EXCHANGE_STREAM_BYTES (256 * 1024) /* waiting for http_read(), at most */

struct exchange *exchange_new(struct host *host, struct peer *peer, const struct exchange_ops *ops,
                              void *impl) RETURNS_NONNULL;

/* The head is complete: asks the service, and refuses a body that announces itself as too large. */
void exchange_head(struct exchange *e);

/* Bytes of the body; at most exchange_room() of them. Once answered they are counted and dropped.
 */
void exchange_body(struct exchange *e, struct str bytes);
size_t exchange_room(const struct exchange *e);
bool exchange_wants_body(const struct exchange *e);

/* The body is whole, trailers are in x.req. */
void exchange_body_end(struct exchange *e);

/* Calls readable() when something came in since. */
void exchange_settle_body(struct exchange *e);

/* Lets the service shape the answer to what net refuses; nothing when there is an answer. */
void exchange_refuse(struct exchange *e, enum http_refusal why, const char *message);

/* Next bytes of the answer, as http_source_ops.read. */
ptrdiff_t exchange_pull(struct exchange *e, uint8_t *out, size_t cap);

/* The answer has no body, whatever the service set: HEAD, 204, 304. */
bool exchange_is_bodiless(const struct exchange *e);

/* Length of the answer's body, -1 when unknown. */
int64_t exchange_length(const struct exchange *e);

/* A field that net may pass on: not one of its own, no CR, LF or NUL in it. */
bool exchange_field_is_sendable(const struct http_field *f);

/* The answer is out. */
void exchange_finish(struct exchange *e);

/* The connection or stream died. */
void exchange_lost(struct exchange *e);

void exchange_on_posted(struct queue_node *n);

#endif
