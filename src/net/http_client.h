/* SPDX-License-Identifier: Apache-2.0 */
/* Outbound HTTP: one thread runs every transfer over libcurl, so neither a loop nor a lane ever
 * waits for somebody else's server. Connections are kept and reused, HTTP/2 is taken where TLS
 * offers it, and every address is held against the allow-list when it is connected to and again
 * when a kept connection is taken. Environment proxies, cookies and .netrc are not looked at.
 *
 * The client outlives its fetches; free it before the loops that its answers are posted to. */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/metric.h"
#include "base/str.h"
#include "net/allow_list.h"
#include "net/http.h"
#include "net/loop.h"

struct http_client;
struct http_transfer;
struct sleeper;

/* PEM files; NULL means the system's authorities, or no certificate of our own. */
struct http_client_tls {
    const char *ca_file;
    const char *cert_file;
    const char *key_file;
};

struct http_client_options {
    const struct clock *clock;
    struct metrics *metrics;    /* NULL: none */
    struct http_client_tls tls; /* for fetches that bring none */
    uint32_t connections_max;   /* 0: 256 */
    uint32_t per_host_max;      /* 0: 16 */
    uint32_t pending_max;       /* fetches handed in and not yet given back; 0: 4096 */
};

enum http_fetch_stage {
    HTTP_FETCH_NEW,
    HTTP_FETCH_PENDING,
    HTTP_FETCH_OVER,
};

/* One request and what came of it. The caller fills in the first part and keeps the object and all
 * that it points at until done() was called (or http_client_fetch() returned); in between it
 * belongs to the client. Zero means the default. */
struct http_fetch {
    enum http_method method; /* not HTTP_OTHER */
    struct str url;          /* http or https, no user in it */
    const struct http_field *fields;
    size_t field_count;
    struct str body; /* not with GET and HEAD */

    uint32_t timeout_ms;         /* for everything; 0: 30 s */
    uint32_t connect_timeout_ms; /* 0: 5 s */
    int64_t deadline_us;         /* monotonic, on the client's clock; 0: none */
    size_t answer_max;           /* bytes of body, after inflation; 0: 1 MiB */
    size_t head_max;             /* bytes of all field lines; 0: 32 KiB */
    uint32_t redirects_max;      /* GET and HEAD, within the same scheme, host and port only */
    const struct http_client_tls *tls;

    struct arena *arena; /* the answer's memory */

    /* On the client's thread, or on `loop` when one is given. Once for each submitted fetch. */
    void (*done)(struct http_fetch *x);
    struct loop *loop;
    void *user;

    /* The answer. A status is a success here, whatever its number; a redirect that is not followed
     * is an answer too. The body is inflated already, the fields are as they came (names in lower
     * case). */
    int result; /* 0, or -1 with `fail` filled in */
    struct fail fail;
    int status; /* also of an answer that is larger than allowed; else 0 on failure */
    struct http_field *answer_fields;
    size_t answer_field_count;
    struct http_field *answer_trailers;
    size_t answer_trailer_count;
    struct str answer;
    int64_t took_us; /* from the hand-over */

    /* The client's own. */
    struct http_fetch *next;
    struct http_fetch *prev;
    struct http_transfer *transfer;
    struct sleeper *sleeper;
    struct loop_task posted;
    int64_t submitted_us;
    int64_t expires_us;
    enum http_fetch_stage stage;
    bool cancel;
};

/* How a fetch fails: code and reason.
 *
 *   INVALID_ARGUMENT    bad_url, bad_request
 *   PERMISSION_DENIED   address_not_allowed
 *   UNAVAILABLE         dns, connect, tls, broken, bad_answer
 *   DEADLINE_EXCEEDED   timeout, connect_timeout
 *   RESOURCE_EXHAUSTED  answer_too_large, head_too_large, too_many_fetches
 *   CANCELED            canceled, closing
 *
 * When a kept connection turns out to be dead before any byte of the answer came, the request is
 * sent once more on a new one: a request reaches the other side at least once, not exactly once. */

/* Takes the allow-list over and clears the caller's pointer. */
int http_client_new(const struct http_client_options *o, struct allow_list **allow,
                    struct http_client **out, struct fail *f) MUST_CHECK;

/* Fetches still under way fail with "closing"; returns when all were given back. */
void http_client_free(struct http_client **c);

/* From now on this list counts, for new fetches and for connections that are kept. Takes it over.
 * Any thread. */
void http_client_set_allow(struct http_client *c, struct allow_list **allow);

/* Hands the fetch over and returns at once. -1 (and done() is not called) when the request cannot
 * be made or too many wait. Any thread. */
int http_client_submit(struct http_client *c, struct http_fetch *x, struct fail *f) MUST_CHECK;

/* Same, and waits for the answer: returns x->result. For workers, never on a loop; done and loop
 * stay NULL. */
int http_client_fetch(struct http_client *c, struct http_fetch *x, struct fail *f) MUST_CHECK;

/* Asks for an early end: done() comes soon, with "canceled" unless the answer was faster. Harmless
 * once the fetch is over, as long as its memory still stands. Any thread. */
void http_client_cancel(struct http_client *c, struct http_fetch *x);

#endif
