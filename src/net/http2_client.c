/* SPDX-License-Identifier: Apache-2.0 */
/* When to connect, where to, and which requests wait for it. */
#include "net/http2_client.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/random.h"
#include "net/http2_link.h"

enum client_state {
    CLIENT_IDLE,
    CLIENT_RESOLVING,
    CLIENT_CONNECTING,
    CLIENT_READY,
    CLIENT_PAUSING, /* after a failed attempt */
};

struct http2_client {
    struct http2_client_options o;
    char *host;
    char *authority;
    enum client_state state;
    struct http2_link *link;  /* CONNECTING and READY */
    struct http2_link *links; /* that one too, and those that are leaving */
    struct resolver_question *question;
    struct resolver_answer answer;
    size_t answer_at;
    struct http2_list pending;
    struct timer timer;  /* of the attempt, or of the pause */
    int64_t attempt_end; /* of all addresses together */
    unsigned failures;
    uint64_t connections;
    struct fail last; /* why the last attempt failed */
    bool closing;
};

static void next_address(struct http2_client *c, const struct fail *why);

/* -- lists of requests ------------------------------------------------------------------------- */

void http2_list_init(struct http2_list *l)
{
    *l = (struct http2_list){.end = &l->first};
}

void http2_list_add(struct http2_list *l, struct http2_request *r)
{
    assert(!r->list);
    r->list = l;
    r->next = NULL;
    r->at = l->end;
    *l->end = r;
    l->end = &r->next;
    l->count++;
}

void http2_list_remove(struct http2_request *r)
{
    struct http2_list *l = r->list;

    *r->at = r->next;
    if (r->next)
        r->next->at = r->at;
    else
        l->end = r->at;
    l->count--;
    r->list = NULL;
    r->next = NULL;
    r->at = NULL;
}

/* -- attempts ---------------------------------------------------------------------------------- */

static int64_t now_us(const struct http2_client *c)
{
    return loop_now_us(c->o.loop);
}

static struct str host_of(const struct http2_client *c)
{
    return str_of(c->host);
}

/* Within a fifth of 1.6 to the power of the failures. */
static int64_t pause_us(const struct http2_client *c)
{
    double ms = c->o.backoff_first_ms;

    for (unsigned i = 1; i < c->failures && ms < c->o.backoff_max_ms; i++)
        ms *= 1.6;
    ms = MIN(ms, (double)c->o.backoff_max_ms);
    return (int64_t)(ms * (800 + (double)random_below(401)));
}

static void end_pending(struct http2_client *c, enum http2_end how, const struct fail *why)
{
    struct http2_list ending;
    struct http2_request *next;

    http2_list_init(&ending);
    for (struct http2_request *r = c->pending.first; r; r = next) {
        next = r->next;
        if (how == HTTP2_END_UNSENT && r->wait)
            continue;
        http2_list_remove(r);
        http2_list_add(&ending, r);
    }
    /* A call may cancel others in the list. */
    while (ending.first) {
        struct http2_request *r = ending.first;

        http2_list_remove(r);
        r->client = NULL;
        r->ops->end(r, how, why);
    }
}

static void attempt_failed(struct http2_client *c, const struct fail *why)
{
    struct fail f = *why; /* may be ours to overwrite */

    c->state = CLIENT_PAUSING;
    c->failures = MIN(c->failures + 1, 1000u);
    c->last = f;
    loop_timer_set(c->o.loop, &c->timer, now_us(c) + pause_us(c));
    end_pending(c, HTTP2_END_UNSENT, &f);
}

static void set_port(struct sockaddr_storage *a, uint16_t port)
{
    if (a->ss_family == AF_INET)
        ((struct sockaddr_in *)a)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)a)->sin6_port = htons(port);
}

static bool is_permitted(const struct http2_client *c, const struct sockaddr_storage *a)
{
    return allow_list_permits(c->o.allow, host_of(c), (const struct sockaddr *)a);
}

static int denied(struct fail *f, const struct http2_client *c)
{
    return fail_reason(f, CODE_PERMISSION_DENIED, "address_not_allowed",
                       "connections to %.120s are not allowed", c->authority);
}

/* The rest of the time is shared among the addresses that are left. */
static void next_address(struct http2_client *c, const struct fail *why)
{
    struct fail f = *why;

    c->link = NULL;
    while (c->answer_at < c->answer.count) {
        size_t left = c->answer.count - c->answer_at;
        struct sockaddr_storage *to = &c->answer.addresses[c->answer_at++];
        int64_t time_left = c->attempt_end - now_us(c);

        if (time_left <= 0)
            break;
        set_port(to, c->o.port);
        if (!is_permitted(c, to)) {
            denied(&f, c);
            continue;
        }
        c->link = http2_link_new(c, to, &f);
        if (!c->link)
            continue;
        c->link->next = c->links;
        c->link->at = &c->links;
        if (c->links)
            c->links->at = &c->link->next;
        c->links = c->link;
        c->state = CLIENT_CONNECTING;
        loop_timer_clear(c->o.loop, &c->timer);
        loop_timer_set(c->o.loop, &c->timer, now_us(c) + time_left / (int64_t)left);
        return;
    }
    attempt_failed(c, &f);
}

static void on_answer(void *ctx, const struct resolver_answer *a)
{
    struct http2_client *c = ctx;

    c->question = NULL;
    c->answer = *a;
    c->answer_at = 0;
    next_address(c, &a->why);
}

static void begin_attempt(struct http2_client *c)
{
    c->state = CLIENT_RESOLVING;
    c->attempt_end = now_us(c) + (int64_t)c->o.connect_timeout_ms * 1000;
    loop_timer_clear(c->o.loop, &c->timer);
    loop_timer_set(c->o.loop, &c->timer, c->attempt_end);
    c->question = resolver_ask(c->o.resolver, c->o.loop, host_of(c), on_answer, c);
}

static void on_timer(struct timer *t)
{
    struct http2_client *c = CONTAINER_OF(t, struct http2_client, timer);
    struct fail f;

    switch (c->state) {
    case CLIENT_RESOLVING:
        resolver_cancel(&c->question);
        fail_reason(&f, CODE_UNAVAILABLE, "dns", "the name %.120s did not resolve in time",
                    c->host);
        attempt_failed(c, &f);
        break;
    case CLIENT_CONNECTING:
        fail_reason(&f, CODE_UNAVAILABLE, "connect_timeout", "%.120s did not answer in time",
                    c->authority);
        http2_link_kill(c->link, &f);
        break;
    case CLIENT_PAUSING:
        c->state = CLIENT_IDLE;
        if (c->pending.first)
            begin_attempt(c);
        break;
    case CLIENT_IDLE:
    case CLIENT_READY: break;
    }
}

/* -- what links tell --------------------------------------------------------------------------- */

static void submit_pending(struct http2_client *c)
{
    while (c->link && c->state == CLIENT_READY && c->pending.first) {
        struct http2_request *r = c->pending.first;

        http2_list_remove(r);
        if (http2_link_submit(c->link, r) == 0)
            continue;
        http2_list_add(&c->pending, r);
        http2_link_leave(c->link);
    }
    if (c->state == CLIENT_IDLE && c->pending.first)
        begin_attempt(c);
}

void http2_client_link_open(struct http2_client *c, struct http2_link *l)
{
    assert(l == c->link && c->state == CLIENT_CONNECTING);
    c->state = CLIENT_READY;
    c->failures = 0;
    c->connections++;
    loop_timer_clear(c->o.loop, &c->timer);
    submit_pending(c);
}

void http2_client_link_leaving(struct http2_client *c, struct http2_link *l)
{
    if (l != c->link)
        return;
    c->link = NULL;
    c->state = CLIENT_IDLE;
}

void http2_client_link_gone(struct http2_client *c, struct http2_link *l, const struct fail *why)
{
    *l->at = l->next;
    if (l->next)
        l->next->at = l->at;
    if (l != c->link || c->closing)
        return;
    if (c->state == CLIENT_CONNECTING) {
        next_address(c, why);
        return;
    }
    c->link = NULL;
    c->state = CLIENT_IDLE;
}

static void forget_answer(struct http2_request *r)
{
    r->status = 0;
    r->headers_only = false;
    r->answer_fields = r->answer_trailers = NULL;
    r->answer_field_count = r->answer_trailer_count = 0;
    r->answer_bytes = 0;
    r->reset_code = 0;
    r->link = NULL;
    r->list = NULL;
    r->body_sent = r->head_bytes = 0;
    r->id = 0;
    r->head_sent = r->head_done = r->whole = r->too_large = false;
}

void http2_client_again(struct http2_client *c, struct http2_request *r, const struct fail *why)
{
    forget_answer(r);
    if (c->closing || ++r->attempts > 1) {
        r->client = NULL;
        r->ops->end(r, c->closing ? HTTP2_END_CLOSING : HTTP2_END_UNSENT, why);
        return;
    }
    http2_list_add(&c->pending, r);
    submit_pending(c);
}

/* "Too many PINGs": less of them from now on. */
void http2_client_calm_down(struct http2_client *c)
{
    c->o.keepalive_ms = (uint32_t)MIN((uint64_t)c->o.keepalive_ms * 2, 86400000u);
}

const struct http2_client_options *http2_client_options_of(const struct http2_client *c)
{
    return &c->o;
}

struct str http2_client_authority(const struct http2_client *c)
{
    return str_of(c->authority);
}

/* -- the owner --------------------------------------------------------------------------------- */

static void set_default(uint32_t *value, uint32_t standard)
{
    if (*value == 0)
        *value = standard;
}

static char *authority_of(struct str host, uint16_t port)
{
    struct buf b;
    char *text;

    buf_init(&b, host.len + 16);
    buf_printf(&b, memchr(host.p, ':', host.len) ? "[%.*s]:%u" : "%.*s:%u", STR_ARG(host), port);
    text = heap_cstr(buf_str(&b));
    buf_done(&b);
    return text;
}

struct http2_client *http2_client_new(const struct http2_client_options *o)
{
    struct http2_client *c = heap_new_type(struct http2_client);

    assert(o->loop && o->resolver && o->allow && o->host.len > 0);
    c->o = *o;
    c->host = heap_cstr(o->host);
    c->authority = authority_of(o->host, o->port);
    c->o.host = str_of(c->host);
    c->timer.fn = on_timer;
    http2_list_init(&c->pending);
    set_default(&c->o.connect_timeout_ms, 10000);
    set_default(&c->o.keepalive_ms, 310000); /* more often than every 5 min is taken amiss */
    set_default(&c->o.keepalive_timeout_ms, 20000);
    set_default(&c->o.idle_ms, 300000);
    set_default(&c->o.backoff_first_ms, 1000);
    set_default(&c->o.backoff_max_ms, 120000);
    set_default(&c->o.window_bytes, 1 << 20);
    set_default(&c->o.head_max, 64 << 10);
    c->o.window_bytes = MIN(c->o.window_bytes, (uint32_t)INT32_MAX / 8);
    return c;
}

void http2_client_free(struct http2_client **out)
{
    struct http2_client *c = *out;
    struct fail f;

    if (!c)
        return;
    *out = NULL;
    c->closing = true;
    fail_reason(&f, CODE_CANCELED, "closing", "the connection was closed on this side");
    resolver_cancel(&c->question);
    loop_timer_clear(c->o.loop, &c->timer);
    while (c->links)
        http2_link_kill(c->links, &f);
    end_pending(c, HTTP2_END_CLOSING, &f);
    free(c->host);
    free(c->authority);
    free(c);
}

void http2_client_set_allow(struct http2_client *c, const struct allow_list *allow)
{
    struct http2_link *next;
    struct fail f;

    assert(allow);
    c->o.allow = allow;
    for (struct http2_link *l = c->links; l; l = next) {
        next = l->next;
        if (is_permitted(c, &l->address))
            continue;
        denied(&f, c);
        http2_link_kill(l, &f);
    }
}

int http2_client_start(struct http2_client *c, struct http2_request *r, struct fail *f)
{
    if (c->closing)
        return fail_reason(f, CODE_CANCELED, "closing", "the connection was closed on this side");
    if (!allow_list_may_permit(c->o.allow, host_of(c), c->o.port))
        return denied(f, c);
    if (c->state == CLIENT_PAUSING && !r->wait) {
        *f = c->last;
        return -1;
    }
    forget_answer(r);
    r->attempts = 0;
    r->client = c;
    http2_list_add(&c->pending, r);
    submit_pending(c);
    return 0;
}

void http2_request_cancel(struct http2_request *r)
{
    if (!r->client)
        return;
    r->client = NULL;
    if (r->link)
        http2_link_cancel(r->link, r);
    else if (r->list)
        http2_list_remove(r);
    r->link = NULL;
}

void http2_request_take(struct http2_request *r, size_t n)
{
    if (r->link && n > 0)
        http2_link_take(r->link, r, n);
}

uint64_t http2_client_connections(const struct http2_client *c)
{
    return c->connections;
}
