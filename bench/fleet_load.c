/* SPDX-License-Identifier: Apache-2.0 */
/* See fleet_load.h. */
#include "fleet_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/heap.h"
#include "base/macros.h"
#include "base/random.h"

#define EVENTS    256
#define READ_SIZE 65536
#define KEPT_SIZE 4096 /* what a connection may keep between answers */

struct link {
    int fd;
    unsigned place;
    size_t agent;
    int64_t due_ns;
    int64_t sent_ns;
    uint8_t *data; /* an answer that has come in part */
    size_t len;
    size_t cap;
};

struct load {
    int epoll;
    struct link *links;
    size_t count;
    uint32_t *idle; /* a ring */
    size_t idle_first;
    size_t idle_count;
    struct link *current; /* whose answer is being looked at */
    bool again;
    load_answered *answered;
    void *arg;
    uint8_t scratch[READ_SIZE];
};

static NORETURN void end(const char *what)
{
    fprintf(stderr, "fleetsim: %s: %s\n", what, strerror(errno));
    exit(1);
}

int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t random_gap_ns(double mean_ns)
{
    double uniform = ((double)(random_u64() >> 11) + 1) / 0x1p53;

    return (int64_t)(-log(uniform) * mean_ns);
}

/* --- how long things took --- */

static size_t spread_place(int64_t ns)
{
    uint64_t v = ns < SPREAD_STEPS ? SPREAD_STEPS : (uint64_t)ns;
    unsigned top = 63 - (unsigned)__builtin_clzll(v);
    size_t place = (top - 5) * (size_t)SPREAD_STEPS + (size_t)(v >> (top - 5)) - SPREAD_STEPS;

    return MIN(place, SPREAD_COUNTS - 1);
}

void spread_add(struct spread *s, int64_t ns)
{
    s->counts[spread_place(ns)]++;
    s->total++;
    s->most_ns = MAX(s->most_ns, ns);
}

double spread_us(const struct spread *s, double part)
{
    uint64_t wanted = (uint64_t)((double)s->total * part);
    uint64_t seen = 0;

    for (size_t i = 0; i < SPREAD_COUNTS; i++) {
        seen += s->counts[i];
        if (seen > wanted) {
            uint64_t v = (uint64_t)(SPREAD_STEPS + i % SPREAD_STEPS) << (i / SPREAD_STEPS);

            return (double)MIN((int64_t)v, s->most_ns) / 1e3;
        }
    }
    return (double)s->most_ns / 1e3;
}

/* --- connections --- */

static int dial(uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)(const void *)&to, sizeof(to)) < 0)
        end("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static void rest(struct load *l, uint32_t i)
{
    l->idle[(l->idle_first + l->idle_count) % l->count] = i;
    l->idle_count++;
}

struct load *load_open(uint16_t port, size_t connections, load_answered *answered, void *arg)
{
    struct load *l = heap_new_type(struct load);

    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->count = connections;
    l->links = heap_new_array(struct link, connections);
    l->idle = heap_new_array(uint32_t, connections);
    l->answered = answered;
    l->arg = arg;
    for (uint32_t i = 0; i < connections; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data = {.u32 = i}};

        l->links[i].fd = dial(port);
        if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->links[i].fd, &e) < 0)
            end("epoll_ctl");
        rest(l, i);
    }
    return l;
}

void load_close(struct load **held)
{
    struct load *l = *held;

    *held = NULL;
    for (size_t i = 0; i < l->count; i++) {
        close(l->links[i].fd);
        free(l->links[i].data);
    }
    close(l->epoll);
    free(l->links);
    free(l->idle);
    free(l);
}

bool load_has_idle(const struct load *l)
{
    return l->idle_count > 0;
}

size_t load_in_flight(const struct load *l)
{
    return l->count - l->idle_count;
}

/* Requests are small: what the kernel does not take at once is not worth handling. */
static void send_on(struct link *k, struct str request)
{
    k->sent_ns = now_ns();
    for (size_t done = 0; done < request.len;) {
        ssize_t n = send(k->fd, request.p + done, request.len - done, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR)
            end("send");
        done += n > 0 ? (size_t)n : 0;
    }
}

void load_send(struct load *l, size_t agent, int64_t due_ns, struct str request)
{
    struct link *k = &l->links[l->idle[l->idle_first]];

    l->idle_first = (l->idle_first + 1) % l->count;
    l->idle_count--;
    k->agent = agent;
    k->due_ns = due_ns;
    k->place = 0;
    send_on(k, request);
}

void load_again(struct load *l, struct str request)
{
    l->again = true;
    l->current->place++;
    send_on(l->current, request);
    l->current->due_ns = l->current->sent_ns;
}

/* --- answers --- */

/* Both servers write the name of the header in one of two ways. */
static size_t content_length(const char *head, size_t len)
{
    static const char name[] = "\r\ncontent-length:";

    for (const char *p = head; p + sizeof(name) < head + len; p++)
        if (*p == '\r' && strncasecmp(p, name, sizeof(name) - 1) == 0)
            return strtoul(p + sizeof(name) - 1, NULL, 10);
    return 0;
}

/* The bytes that the answer takes, 0 while it is not all there. */
static size_t answer_read(const uint8_t *data, size_t len, struct answer *out)
{
    const uint8_t *stop = memmem(data, len, "\r\n\r\n", 4);

    if (!stop)
        return 0;

    size_t head = (size_t)(stop - data) + 4;
    size_t size = content_length((const char *)data, head);

    if (len < head + size)
        return 0;
    if (len < 12 || memcmp(data + 8, " 2", 2) != 0) {
        fprintf(stderr, "fleetsim: refused: %.*s\n", (int)MIN(len, (size_t)1000),
                (const char *)data);
        exit(1);
    }
    out->status = (unsigned)strtoul((const char *)data + 9, NULL, 10);
    out->body = str_make(data + head, size);
    return head + size;
}

static void keep(struct link *k, const uint8_t *data, size_t len)
{
    if (k->len + len > k->cap) {
        k->cap = MAX(2 * k->cap, k->len + len);
        k->data = heap_realloc(k->data, k->cap);
    }
    memcpy(k->data + k->len, data, len);
    k->len += len;
}

static void done_with(struct link *k)
{
    k->len = 0;
    if (k->cap > KEPT_SIZE) {
        free(k->data);
        k->data = NULL;
        k->cap = 0;
    }
}

static void take(struct load *l, uint32_t i)
{
    struct link *k = &l->links[i];
    ssize_t n = recv(k->fd, l->scratch, sizeof(l->scratch), MSG_DONTWAIT);
    struct answer a = {.agent = k->agent, .place = k->place, .due_ns = k->due_ns};

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        end("the server closed a connection");
    if (k->len > 0)
        keep(k, l->scratch, (size_t)n);

    const uint8_t *data = k->len > 0 ? k->data : l->scratch;
    size_t len = k->len > 0 ? k->len : (size_t)n;

    if (answer_read(data, len, &a) == 0) {
        if (k->len == 0)
            keep(k, l->scratch, (size_t)n);
        return;
    }
    a.sent_ns = k->sent_ns;
    a.came_ns = now_ns();
    l->current = k;
    l->again = false;
    l->answered(l->arg, l, &a);
    done_with(k);
    if (!l->again)
        rest(l, i);
}

void load_turn(struct load *l, int64_t wait_ns)
{
    struct epoll_event events[EVENTS];
    struct timespec wait = {.tv_sec = wait_ns > 0 ? wait_ns / 1000000000 : 0,
                            .tv_nsec = wait_ns > 0 ? wait_ns % 1000000000 : 0};
    int n = epoll_pwait2(l->epoll, events, EVENTS, &wait, NULL);

    for (int i = 0; i < n; i++)
        take(l, events[i].data.u32);
}
