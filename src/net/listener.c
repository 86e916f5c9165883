/* SPDX-License-Identifier: Apache-2.0 */
/* Accepting. Above the limit of connections a client is closed at once, so that it knows; when the
 * process runs out of descriptors, one kept in reserve lets us do the same. */
#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/heap.h"
#include "net/conn.h"

#define ACCEPTS_A_TURN 64
#define PAUSE_US       100000

static int64_t open_connections(const struct net_metrics *m)
{
    int64_t sum = 0;

    for (int i = 0; i < PROTO_COUNT; i++)
        sum += gauge_get(m->connections[i]);
    return sum;
}

static struct peer *peer_new(const struct listener *l, const struct sockaddr_storage *from)
{
    struct peer *p = heap_new_type(struct peer);
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    memcpy(&v4, from, sizeof(v4));
    memcpy(&v6, from, sizeof(v6));
    p->refs = 1;
    p->info.tls = l->endpoint->tls;
    p->info.local_port = endpoint_port(l->endpoint);
    if (l->endpoint->is_unix) {
        p->info.admin_socket = true;
        memcpy(p->info.address, "unix", 5);
    } else if (from->ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &v6.sin6_addr, p->info.address, sizeof(p->info.address));
        p->info.port = ntohs(v6.sin6_port);
    } else {
        inet_ntop(AF_INET, &v4.sin_addr, p->info.address, sizeof(p->info.address));
        p->info.port = ntohs(v4.sin_port);
    }
    return p;
}

static void pause_accepting(struct listener *l)
{
    loop_rewatch(l->host->loop, &l->watch, 0);
    loop_timer_set(l->host->loop, &l->pause, loop_now_us(l->host->loop) + PAUSE_US);
}

static void on_pause_over(struct timer *t)
{
    struct listener *l = CONTAINER_OF(t, struct listener, pause);

    if (l->spare_fd == -1)
        l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    loop_rewatch(l->host->loop, &l->watch, EPOLLIN);
}

/* No descriptor is left: turn one client away rather than let it wait in the dark. */
static void turn_away(struct listener *l)
{
    counter_add(l->host->metrics->accept_failed, 1);
    if (l->spare_fd != -1) {
        close(l->spare_fd);

        int fd = accept4(l->watch.fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd != -1)
            close(fd);
        l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    pause_accepting(l);
}

/* False when there is nothing more to accept for now. */
static bool accept_one(struct listener *l)
{
    struct host *h = l->host;
    struct sockaddr_storage from = {0};
    socklen_t len = sizeof(from);
    const int on = 1;
    int fd = accept4(l->watch.fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd == -1) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            turn_away(l);
        else if (errno == ECONNABORTED || errno == EINTR)
            return true;
        return false;
    }
    if (open_connections(h->metrics) >= (int64_t)h->limits.connections && !l->endpoint->is_unix) {
        counter_add(h->metrics->over_limit, 1);
        close(fd);
        return true;
    }
    if (!l->endpoint->is_unix)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    counter_add(h->metrics->accepted, 1);
    conn_open(h, fd, peer_new(l, &from));
    return true;
}

static void on_ready(struct loop_watch *w, uint32_t events)
{
    struct listener *l = CONTAINER_OF(w, struct listener, watch);

    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN; i++)
        if (!accept_one(l))
            break;
}

int listener_start(struct listener *l, struct host *host, const struct endpoint *endpoint, int fd,
                   struct fail *f)
{
    *l = (struct listener){
        .watch = {.fn = on_ready, .fd = fd},
        .pause = {.fn = on_pause_over},
        .host = host,
        .endpoint = endpoint,
        .spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC),
    };
    if (loop_watch(host->loop, &l->watch, EPOLLIN) == 0)
        return 0;
    fail_set(f, CODE_RESOURCE_EXHAUSTED, "cannot watch %s: %s", endpoint->text,
             strerrordesc_np(errno));
    l->watch.fn = NULL;
    listener_stop(l);
    return -1;
}

void listener_stop(struct listener *l)
{
    if (l->watch.fd == -1)
        return;
    loop_timer_clear(l->host->loop, &l->pause);
    loop_unwatch(l->host->loop, &l->watch);
    close(l->watch.fd);
    l->watch.fd = -1;
    if (l->spare_fd != -1)
        close(l->spare_fd);
    l->spare_fd = -1;
}
