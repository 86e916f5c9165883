/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of an http2_client: from the socket over TLS and the first settings to its end.
 * Never calls out of a call into it, except into what nghttp2 or the loop called: input and output
 * happen in turns of the loop. */
#ifndef NET_HTTP2_LINK_H
#define NET_HTTP2_LINK_H

#include <nghttp2/nghttp2.h>

#include "base/buf.h"
#include "net/http2_client.h"

struct ssl_st;

/* Requests in order of arrival; each is in one list at most. */
struct http2_list {
    struct http2_request *first;
    struct http2_request **end;
    size_t count;
};

void http2_list_init(struct http2_list *l);
void http2_list_add(struct http2_list *l, struct http2_request *r);
void http2_list_remove(struct http2_request *r);

enum http2_link_state {
    HTTP2_LINK_CONNECTING,
    HTTP2_LINK_SECURING,
    HTTP2_LINK_GREETING, /* our settings are out, theirs are not here yet */
    HTTP2_LINK_OPEN,
    HTTP2_LINK_LEAVING, /* open, but takes no more requests */
    HTTP2_LINK_DEAD,
};

struct http2_link {
    struct http2_client *client;
    struct http2_link *next; /* the client's */
    struct http2_link **at;
    enum http2_link_state state;
    struct sockaddr_storage address;
    struct loop_watch watch;
    struct loop_task task;
    struct timer timer;
    struct ssl_st *ssl;
    nghttp2_session *session;
    struct http2_list streams;
    struct buf out;
    size_t out_at;
    int64_t heard_us; /* when the last byte came */
    int64_t idle_us;  /* since when there are no streams */
    int64_t ping_us;  /* when the answer to a PING is due; 0: none is out */
    bool posted;
    bool busy;   /* inside the loop's call: output follows by itself */
    bool doomed; /* is to die when that call is over */
    bool ssl_wants_write;
    struct fail why;
};

/* Begins to connect. NULL when that fails at once. */
struct http2_link *http2_link_new(struct http2_client *c, const struct sockaddr_storage *to,
                                  struct fail *f);

/* -1: it takes no more requests. */
int http2_link_submit(struct http2_link *l, struct http2_request *r) MUST_CHECK;

void http2_link_cancel(struct http2_link *l, struct http2_request *r);
void http2_link_take(struct http2_link *l, const struct http2_request *r, size_t n);

/* Ends it now: streams end, http2_client_link_gone() is called. Not from inside its callbacks. */
void http2_link_kill(struct http2_link *l, const struct fail *why);

/* Says goodbye, lets the streams end. */
void http2_link_leave(struct http2_link *l);

/* nghttp2's side, in http2_link_session.c. */
void http2_link_greet(struct http2_link *l);
void http2_link_poke(struct http2_link *l);
void http2_link_set_timer(struct http2_link *l);
int http2_link_doom(struct http2_link *l, const char *reason, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* What the client does about it, in http2_client.c. */
void http2_client_link_open(struct http2_client *c, struct http2_link *l);
void http2_client_link_leaving(struct http2_client *c, struct http2_link *l);
void http2_client_link_gone(struct http2_client *c, struct http2_link *l, const struct fail *why);
void http2_client_again(struct http2_client *c, struct http2_request *r, const struct fail *why);
void http2_client_calm_down(struct http2_client *c);
const struct http2_client_options *http2_client_options_of(const struct http2_client *c);
struct str http2_client_authority(const struct http2_client *c);

#endif
