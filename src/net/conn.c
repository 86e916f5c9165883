/* SPDX-License-Identifier: Apache-2.0 */
/* Connections. Closing is done in two steps: conn_close() makes it deaf and mute at once, memory
 * goes at the end of the turn, so no caller up the stack holds a dead pointer. */
#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/heap.h"
#include "net/tls_conn.h"

#define LINGER_MS    2000
#define LINGER_BYTES (1024 * 1024)
#define ROUNDS_MAX   16

static ptrdiff_t plain_read(struct conn *c, uint8_t *out, size_t cap)
{
    ssize_t n;

    do {
        n = recv(c->watch.fd, out, cap, 0);
    } while (n == -1 && errno == EINTR);
    /* Less than there was room for: the socket is empty, and what comes next is an event. Unless
     * the end is what comes next, and its event was the same. */
    c->unread = n > 0 && ((size_t)n == cap || c->ending);
    if (n == -1)
        return errno == EAGAIN ? CONN_AGAIN : CONN_BROKEN;
    return n;
}

static ptrdiff_t plain_write(struct conn *c, const uint8_t *data, size_t len)
{
    ssize_t n;

    do {
        n = send(c->watch.fd, data, len, MSG_NOSIGNAL);
    } while (n == -1 && errno == EINTR);
    if (n == -1)
        return errno == EAGAIN ? CONN_AGAIN : CONN_BROKEN;
    return n;
}

static void plain_shut(struct conn *c)
{
    shutdown(c->watch.fd, SHUT_WR);
}

static bool plain_has_pending(struct conn *c)
{
    return c->unread;
}

const struct transport_ops transport_plain = {
    .read = plain_read,
    .write = plain_write,
    .shut = plain_shut,
    .has_pending = plain_has_pending,
};

/* --- output --- */

size_t conn_backlog(const struct conn *c)
{
    return c->out ? c->out->len - c->out->at : 0;
}

bool conn_has_room(const struct conn *c)
{
    return conn_backlog(c) < c->host->limits.output_bytes;
}

uint8_t *conn_put(struct conn *c, size_t len)
{
    struct out_buffer *b = c->out;

    if (!b)
        b = c->out = host_take_buffer(c->host);
    if (b->cap - b->len < len && b->at > 0) {
        memmove(b->data, b->data + b->at, b->len - b->at);
        b->len -= b->at;
        b->at = 0;
    }
    if (b->cap - b->len < len) {
        size_t cap = MAX(2 * b->cap, b->len + len);

        b = c->out = heap_realloc(b, sizeof(*b) + cap);
        b->cap = cap;
    }
    return b->data + b->len;
}

void conn_put_done(struct conn *c, size_t len)
{
    assert(c->out->len + len <= c->out->cap);
    c->out->len += len;
}

void conn_write(struct conn *c, const void *data, size_t len)
{
    memcpy(conn_put(c, len), data, len);
    conn_put_done(c, len);
}

static void drop_output(struct conn *c)
{
    if (c->out)
        host_give_buffer(c->host, c->out);
    c->out = NULL;
}

static void note_blocked(struct conn *c)
{
    if (c->blocked_since_us != INT64_MAX)
        return;
    c->blocked_since_us = c->taken_at_us = loop_now_us(c->host->loop);
    c->taken_bytes = 0;
}

static void note_taken(struct conn *c, size_t n)
{
    counter_add(c->host->metrics->bytes_out, n);
    c->taken_at_us = loop_now_us(c->host->loop);
    c->taken_bytes += (uint32_t)MIN(n, UINT32_MAX - c->taken_bytes);
}

/* Writes what there is; false when it closed the connection. */
static bool flush(struct conn *c)
{
    struct out_buffer *b = c->out;

    while (b && b->at < b->len) {
        ptrdiff_t n = c->io->write(c, b->data + b->at, b->len - b->at);

        if (n == CONN_AGAIN) {
            note_blocked(c);
            return true;
        }
        if (n < 0) {
            conn_close(c, CLOSE_BY_CLIENT);
            return false;
        }
        b->at += (size_t)n;
        note_taken(c, (size_t)n);
    }
    if (b)
        drop_output(c);
    if (!c->more)
        c->blocked_since_us = INT64_MAX;
    return true;
}

/* --- input --- */

static void drop_input(struct conn *c)
{
    free(c->in);
    c->in = NULL;
    c->in_at = c->in_len = c->in_cap = 0;
}

static void keep_input(struct conn *c, const uint8_t *data, size_t len)
{
    size_t need = c->in_len + len;

    if (c->in_at > 0) {
        memmove(c->in, c->in + c->in_at, c->in_len);
        c->in_at = 0;
    }
    if (need > c->in_cap) {
        size_t cap = MAX(need, 2 * (size_t)c->in_cap);

        assert(cap < UINT32_MAX);
        c->in = heap_realloc(c->in, cap);
        c->in_cap = (uint32_t)cap;
    }
    memcpy(c->in + c->in_len, data, len);
    c->in_len += (uint32_t)len;
}

/* Shows the protocol what is kept. */
static void take_kept(struct conn *c)
{
    if (c->in_len == 0 || c->stage != CONN_OPEN)
        return;
    c->hungry = false;

    size_t used = c->proto->input(c, c->in + c->in_at, c->in_len);

    c->in_at += (uint32_t)used;
    c->in_len -= (uint32_t)used;
    if (c->in_len == 0)
        drop_input(c);
}

void conn_feed(struct conn *c, const uint8_t *data, size_t len)
{
    if (c->stage != CONN_OPEN)
        return;
    if (c->in_len > 0) {
        keep_input(c, data, len);
        take_kept(c);
        return;
    }
    c->hungry = false;

    size_t used = c->proto->input(c, data, len);

    if (used < len && c->stage == CONN_OPEN)
        keep_input(c, data + used, len - used);
}

static bool wants_input(const struct conn *c)
{
    if (c->eof)
        return false;
    switch (c->stage) {
    case CONN_HANDSHAKE:
    case CONN_LINGERING: return true;
    case CONN_OPEN: return (c->hungry || c->in_len == 0) && conn_has_room(c);
    case CONN_FLUSHING:
    case CONN_CLOSED: return false;
    }
    return false;
}

static void on_lingering_bytes(struct conn *c, size_t n)
{
    c->lingered_bytes += (uint32_t)n;
    if (c->lingered_bytes > LINGER_BYTES)
        conn_close(c, c->reason);
}

static void on_eof(struct conn *c)
{
    c->eof = true;
    if (c->stage == CONN_LINGERING)
        conn_close(c, c->reason);
    else if (c->stage == CONN_OPEN)
        c->proto->eof(c);
}

static void read_some(struct conn *c)
{
    struct host *h = c->host;
    size_t sum = 0;

    do {
        ptrdiff_t n = c->io->read(c, h->read_buffer, sizeof(h->read_buffer));

        if (n == CONN_AGAIN)
            return;
        if (n == CONN_EOF) {
            on_eof(c);
            return;
        }
        if (n < 0) {
            conn_close(c, c->stage == CONN_LINGERING ? c->reason : CLOSE_BY_CLIENT);
            return;
        }
        counter_add(h->metrics->bytes_in, (uint64_t)n);
        sum += (size_t)n;
        if (c->stage == CONN_LINGERING)
            on_lingering_bytes(c, (size_t)n);
        else
            conn_feed(c, h->read_buffer, (size_t)n);
    } while (sum < HOST_READ_BYTES && c->io->has_pending(c) && wants_input(c));
}

/* --- life --- */

static void set_timer(struct conn *c)
{
    int64_t due = c->deadline_us;

    if (c->blocked_since_us != INT64_MAX)
        due = MIN(due, conn_slow_us(c, c->host->limits.write_timeout_ms, c->blocked_since_us,
                                    c->taken_at_us, c->taken_bytes));
    /* Without a deadline a timer that is set may come for nothing: cheaper than clearing it. */
    if (due != INT64_MAX)
        loop_timer_set(c->host->loop, &c->timer, due);
}

static void on_timer(struct timer *t)
{
    struct conn *c = CONTAINER_OF(t, struct conn, timer);
    int64_t now = loop_now_us(c->host->loop);

    if (c->stage == CONN_CLOSED)
        return;
    if (c->blocked_since_us != INT64_MAX &&
        now >= conn_slow_us(c, c->host->limits.write_timeout_ms, c->blocked_since_us,
                            c->taken_at_us, c->taken_bytes)) {
        conn_close(c, CLOSE_WRITE_TIMEOUT);
        return;
    }
    if (now >= c->deadline_us) {
        c->deadline_us = INT64_MAX;
        switch (c->stage) {
        case CONN_HANDSHAKE: conn_close(c, CLOSE_HEADER_TIMEOUT); return;
        case CONN_OPEN: c->proto->timeout(c); break;
        case CONN_FLUSHING:
        case CONN_LINGERING: conn_close(c, c->reason); return;
        case CONN_CLOSED: return;
        }
        conn_mark(c);
        return;
    }
    set_timer(c);
}

static void begin_lingering(struct conn *c)
{
    c->io->shut(c);
    c->stage = CONN_LINGERING;
    c->deadline_us = conn_after_ms(c, LINGER_MS);
    drop_input(c);
    if (c->eof || c->watch.fd < 0)
        conn_close(c, c->reason);
}

/* Plain sockets are edge-triggered: the kernel need not look at each of them again to find that
 * there is nothing left. OpenSSL reads record by record and does not say when the socket is empty,
 * so there the kernel keeps looking. Either way a change of what is asked for makes it look. */
static uint32_t triggers(const struct conn *c)
{
    return c->ssl ? 0 : EPOLLET | EPOLLRDHUP;
}

static void set_interest(struct conn *c)
{
    uint32_t events = wants_input(c) ? EPOLLIN : 0;

    if (conn_backlog(c) > 0 || c->wants_write)
        events |= EPOLLOUT;
    if (c->watch.fd >= 0)
        loop_rewatch(c->host->loop, &c->watch, events | triggers(c));
}

/* Takes, produces and sends as far as it goes without waiting. */
static void advance(struct conn *c)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        c->more = c->stage == CONN_OPEN && c->proto->fill(c);
        if (c->stage == CONN_CLOSED || !flush(c) || conn_backlog(c) > 0)
            break;
        if (!c->more && !c->again)
            break;
        c->again = false;
        take_kept(c);
    }
    /* Its turn is over with more to come: should the socket be full by now, the time counts. */
    if (c->stage == CONN_OPEN && c->more)
        note_blocked(c);
    if (c->stage == CONN_FLUSHING && conn_backlog(c) == 0) {
        if (c->linger) {
            begin_lingering(c);
        } else {
            c->io->shut(c);
            conn_close(c, c->reason);
        }
    }
}

static void begin_proto(struct conn *c)
{
    c->stage = CONN_OPEN;
    c->deadline_us = conn_after_ms(c, c->host->limits.idle_timeout_ms);
}

static void shake_hands(struct conn *c)
{
    switch (tls_conn_handshake(c)) {
    case TLS_CONN_DONE:
        c->wants_write = false;
        counter_add(c->host->metrics->tls_handshakes, 1);
        begin_proto(c);
        if (tls_conn_is_h2(c))
            http2_start(c);
        break;
    case TLS_CONN_WANTS_READ: c->wants_write = false; break;
    case TLS_CONN_WANTS_WRITE: c->wants_write = true; break;
    case TLS_CONN_FAILED: conn_close(c, CLOSE_TLS); break;
    case TLS_CONN_IS_PLAIN:
        tls_conn_refuse_plain(c);
        c->linger = true;
        conn_finish(c, CLOSE_TLS);
        break;
    }
}

static void mark_for_next_turn(struct conn *c)
{
    if (c->is_dirty)
        return;
    c->is_dirty = true;
    c->next_dirty = c->host->later;
    c->host->later = c;
}

static void end_run(struct conn *c)
{
    advance(c);
    c->running = false;
    if (c->stage == CONN_CLOSED)
        return;
    set_interest(c);
    set_timer(c);
    /* What raises no event: come back for it once the others had their turn. */
    if (c->stage != CONN_HANDSHAKE &&
        ((c->more && conn_backlog(c) == 0) || (c->io->has_pending(c) && wants_input(c))))
        mark_for_next_turn(c);
}

void conn_run(struct conn *c)
{
    if (c->stage == CONN_CLOSED)
        return;
    c->running = true;
    c->again = false;
    take_kept(c);
    if (wants_input(c) && c->stage != CONN_HANDSHAKE && c->io->has_pending(c))
        read_some(c);
    end_run(c);
}

static void on_event(struct loop_watch *w, uint32_t events)
{
    struct conn *c = CONTAINER_OF(w, struct conn, watch);

    c->running = true;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        c->ending = true;
    if (!c->ssl && (events & EPOLLIN))
        c->unread = true;
    if (c->stage == CONN_HANDSHAKE)
        shake_hands(c);
    if (c->stage != CONN_HANDSHAKE && wants_input(c) && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        read_some(c);
    else if (events & (EPOLLHUP | EPOLLERR))
        conn_close(c, c->stage >= CONN_FLUSHING ? c->reason : CLOSE_BY_CLIENT);
    c->running = false;
    conn_mark(c);
}

void conn_mark(struct conn *c)
{
    c->again = true;
    if (c->running || c->is_dirty || c->stage == CONN_CLOSED)
        return;
    c->is_dirty = true;
    *c->host->last_dirty = c;
    c->host->last_dirty = &c->next_dirty;
}

void conn_set_proto(struct conn *c, const struct proto_ops *proto, void *state)
{
    gauge_add(c->host->metrics->connections[c->proto->proto], -1);
    gauge_add(c->host->metrics->connections[proto->proto], 1);
    c->proto = proto;
    c->state = state;
}

void conn_finish(struct conn *c, enum close_reason reason)
{
    if (c->stage >= CONN_FLUSHING)
        return;
    c->stage = CONN_FLUSHING;
    c->reason = reason;
    c->more = false;
    c->deadline_us = INT64_MAX;
    conn_mark(c);
}

void conn_close(struct conn *c, enum close_reason reason)
{
    if (c->stage == CONN_CLOSED)
        return;
    c->stage = CONN_CLOSED;
    c->reason = reason;
    loop_timer_clear(c->host->loop, &c->timer);
    if (c->watch.fd >= 0)
        loop_unwatch(c->host->loop, &c->watch);
    c->next_dead = c->host->dead;
    c->host->dead = c;
}

void conn_drain(struct conn *c)
{
    switch (c->stage) {
    case CONN_HANDSHAKE: conn_close(c, CLOSE_DRAIN); break;
    case CONN_OPEN:
        c->proto->drain(c);
        conn_mark(c);
        break;
    case CONN_FLUSHING:
    case CONN_LINGERING:
    case CONN_CLOSED: break;
    }
}

void conn_free(struct conn *c)
{
    struct host *h = c->host;
    const struct linger reset = {.l_onoff = 1};

    c->proto->lost(c);
    log_debug(h->log, "connection closed", KV_STR("reason", close_reason_name(c->reason)),
              KV_STR("peer", c->peer->info.address), KV_UINT("port", c->peer->info.port));
    counter_add(h->metrics->closed[c->reason], 1);
    gauge_add(h->metrics->connections[c->proto->proto], -1);
    *c->at = c->next;
    if (c->next)
        c->next->at = c->at;
    h->conn_count--;

    tls_conn_free(c);
    drop_output(c);
    drop_input(c);
    if (c->watch.fd >= 0) {
        if (c->reset)
            setsockopt(c->watch.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        close(c->watch.fd);
    }
    peer_unref(&c->peer);
    free(c);
}

static struct conn *conn_new(struct host *h, int fd, const struct transport_ops *io,
                             struct peer *peer)
{
    struct conn *c = heap_new_type(struct conn);

    c->watch = (struct loop_watch){.fn = on_event, .fd = fd};
    c->timer.fn = on_timer;
    c->host = h;
    c->peer = peer;
    c->io = io;
    c->proto = &proto_sniff;
    c->blocked_since_us = INT64_MAX;
    c->deadline_us = INT64_MAX;
    c->next = h->conns;
    c->at = &h->conns;
    if (c->next)
        c->next->at = &c->next;
    h->conns = c;
    h->conn_count++;
    gauge_add(h->metrics->connections[PROTO_UNKNOWN], 1);
    begin_proto(c);
    return c;
}

struct conn *conn_open_detached(struct host *h, const struct transport_ops *io, struct peer *peer)
{
    return conn_new(h, -1, io, peer);
}

struct conn *conn_open(struct host *h, int fd, struct peer *peer)
{
    struct conn *c = conn_new(h, fd, &transport_plain, peer);

    if (peer->info.tls) {
        c->stage = CONN_HANDSHAKE;
        c->deadline_us = conn_after_ms(c, h->limits.header_timeout_ms);
        if (tls_conn_begin(c) < 0)
            conn_close(c, CLOSE_TLS);
    }
    if (c->stage != CONN_CLOSED && loop_watch(h->loop, &c->watch, EPOLLIN | triggers(c)) < 0) {
        c->watch.fn = NULL;
        conn_close(c, CLOSE_IO);
    }
    if (c->stage == CONN_CLOSED)
        return NULL;
    if (h->draining)
        conn_drain(c);
    set_timer(c);
    return c;
}

int64_t conn_after_ms(const struct conn *c, uint32_t ms)
{
    return ms == 0 ? INT64_MAX : loop_now_us(c->host->loop) + (int64_t)ms * 1000;
}

int64_t conn_slow_us(const struct conn *c, uint32_t timeout_ms, int64_t since_us, int64_t last_us,
                     uint64_t bytes)
{
    const struct http_limits *l = &c->host->limits;
    int64_t timeout_us = (int64_t)timeout_ms * 1000;

    if (timeout_ms == 0)
        return INT64_MAX;
    if (l->min_rate_bytes == 0 || bytes > (uint64_t)INT64_MAX / 4000000)
        return last_us + timeout_us;
    return MIN(last_us + timeout_us,
               since_us + timeout_us + (int64_t)(bytes * 1000000 / l->min_rate_bytes));
}

/* --- which protocol --- */

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static size_t sniff_input(struct conn *c, const uint8_t *data, size_t len)
{
    size_t n = MIN(len, sizeof(preface) - 1);

    if (memcmp(data, preface, n) != 0) {
        http1_start(c);
    } else if (n == sizeof(preface) - 1) {
        http2_start(c);
    } else {
        c->hungry = true;
        if (c->in_len == 0)
            c->deadline_us = conn_after_ms(c, c->host->limits.header_timeout_ms);
        return 0;
    }
    return c->proto->input(c, data, len);
}

static bool sniff_fill(struct conn *c)
{
    (void)c;
    return false;
}

/* "PRI " is HTTP/2 that stalled; less may be the beginning of any request. */
static void sniff_timeout(struct conn *c)
{
    if (c->in_len == 0) {
        conn_close(c, CLOSE_IDLE);
    } else if (c->in_len >= 4) {
        http2_refuse_preface(c);
        c->reason = CLOSE_HEADER_TIMEOUT;
    } else {
        http1_start(c);
        take_kept(c);
        c->proto->timeout(c);
    }
}

static void sniff_eof(struct conn *c)
{
    conn_close(c, CLOSE_BY_CLIENT);
}

static void sniff_drain(struct conn *c)
{
    conn_close(c, CLOSE_DRAIN);
}

static void sniff_lost(struct conn *c)
{
    (void)c;
}

const struct proto_ops proto_sniff = {
    .proto = PROTO_UNKNOWN,
    .input = sniff_input,
    .fill = sniff_fill,
    .timeout = sniff_timeout,
    .eof = sniff_eof,
    .drain = sniff_drain,
    .lost = sniff_lost,
};
