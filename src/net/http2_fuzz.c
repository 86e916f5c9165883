/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes into a connection of the real server without a socket: after a preface (first byte
 * even) or as they are. The second byte says in which pieces they come, and how the sink takes
 * answers. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "net/conn.h"
#include "net/test_service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ptrdiff_t sink_read(struct conn *c, uint8_t *out, size_t cap)
{
    (void)c;
    (void)out;
    (void)cap;
    return CONN_AGAIN;
}

static ptrdiff_t sink_write(struct conn *c, const uint8_t *data, size_t len)
{
    (void)c;
    (void)data;
    return (ptrdiff_t)len;
}

static ptrdiff_t deaf_write(struct conn *c, const uint8_t *data, size_t len)
{
    (void)c;
    (void)data;
    (void)len;
    return CONN_AGAIN;
}

static void sink_shut(struct conn *c)
{
    (void)c;
}

static bool sink_has_pending(struct conn *c)
{
    (void)c;
    return false;
}

static const struct transport_ops sink = {sink_read, sink_write, sink_shut, sink_has_pending};
static const struct transport_ops deaf = {sink_read, deaf_write, sink_shut, sink_has_pending};

/* The clock moves along with the input, so that deadlines come too. */
static void feed(struct host *host, struct clock *clock, const uint8_t *data, size_t size,
                 size_t step, const struct transport_ops *io)
{
    struct peer *peer = heap_new_type(struct peer);
    struct conn *c;

    peer->refs = 1;
    c = conn_open_detached(host, io, peer);
    for (size_t at = 0; at < size && host->conns;) {
        size_t n = MIN(step, size - at);
        uint8_t *copy = heap_alloc(n);

        memcpy(copy, data + at, n);
        if (conn_backlog(c) < host->limits.output_bytes)
            conn_feed(c, copy, n);
        free(copy);
        at += n;
        conn_mark(c);
        clock_advance(clock, 100000);
        loop_turn(host->loop, 0);
    }
    clock_advance(clock, 40000000);
    loop_turn(host->loop, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    struct clock *clock = clock_new_manual(INT64_C(1700000000000000), 1000000);
    struct logger *logger = logger_new(2, LOGFORMAT_LOGFMT, LOGLEVEL_OFF, clock);
    struct log log = {.out = logger};
    struct metrics *metrics = metrics_new();
    struct test_service *service = test_service_new();
    struct net_metrics counters;
    struct http_limits limits;
    struct loop *loop;
    struct host *host;
    struct fail f;

    if (loop_new(clock, 0, &loop, &f) < 0)
        abort();
    net_metrics_init(&counters, metrics);
    http_limits_default(&limits);
    host = host_new(loop, test_service_http(service), &log, &counters, &limits);
    if (size > 2) {
        size_t head = data[0] % 2 == 0 ? sizeof(preface) - 1 : 0;
        uint8_t *all = heap_alloc(head + size);

        memcpy(all, preface, head);
        memcpy(all + head, data + 2, size - 2);
        feed(host, clock, all, head + size - 2, (size_t)data[1] % 64 * 7 + 1,
             data[1] >= 192 ? &deaf : &sink);
        free(all);
    }
    while (test_service_count(service, TEST_HELD) > test_service_released(service))
        test_service_release(service);
    loop_turn(loop, 0);
    host_cut(host);
    loop_turn(loop, 0);
    assert(!host->conns && !host->exchanges);
    host_free(&host);
    loop_free(&loop);
    test_service_free(&service);
    metrics_free(&metrics);
    logger_free(&logger);
    clock_free(&clock);
    return 0;
}
