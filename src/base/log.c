/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines on their way out. Each thread gathers lines in a buffer of its own for each logger,
 * found through a pthread key and flushed when the thread ends; only writing out takes a lock, so
 * that lines of different threads never mix. Threads that log end before the logger is freed.
 *
 * A log must never stop the server: what the file descriptor does not take within a short wait is
 * dropped, counted and told of by a line of its own once it takes lines again. */
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/heap.h"
#include "base/log_line.h"

#define GATHER_BYTES  65536
#define STALL_WAIT_MS 100 /* how long a full pipe may hold us, once until it moves again */
#define EMPTY_TRIES   3   /* "try again" answers in a row, although poll said it is ready */
#define US_PER_S      1000000
#define US_OF_Y10K    (INT64_C(253402300800) * US_PER_S)

enum sink {
    SINK_FILE,   /* does not block */
    SINK_SOCKET, /* can be told not to */
    SINK_PIPE,   /* may block past PIPE_BUF bytes, and signals when nobody reads */
    SINK_OTHER,  /* terminals and devices */
};

struct gather {
    struct logger *logger;
    struct gather *next;
    struct gather **link; /* what points here */
    int64_t second;       /* the one that `stamp` shows */
    char stamp[LOG_STAMP_LEN + 1];
    size_t len;
    char newline; /* in front of the data, to close a torn line in the same write */
    char data[GATHER_BYTES];
};
_Static_assert(offsetof(struct gather, data) == offsetof(struct gather, newline) + 1,
               "the newline stands right before the data");

struct logger {
    int fd;
    enum sink sink;
    enum log_format format;
    _Atomic(int) level;
    const struct clock *clock;
    pthread_key_t key; /* the calling thread's struct gather */

    pthread_mutex_t lock; /* guards all below and writing to the fd */
    struct gather *gathers;
    bool stalled;      /* the last wait was in vain: do not wait again */
    bool torn;         /* the last line went out in part */
    bool hung_up;      /* the last write found no reader, so SIGPIPE is pending */
    uint64_t reported; /* of the dropped lines */
    _Atomic(uint64_t) dropped;
};

static const char *const level_names[] = {
    [LOGLEVEL_DEBUG] = "debug", [LOGLEVEL_INFO] = "info", [LOGLEVEL_WARN] = "warn",
    [LOGLEVEL_ERROR] = "error", [LOGLEVEL_OFF] = "off",
};

static void put_digits(char *out, int64_t v, int count)
{
    while (count-- > 0) {
        out[count] = (char)('0' + v % 10);
        v /= 10;
    }
}

static void put_second(char *out, int64_t second)
{
    struct tm t;
    time_t when = second;

    if (!gmtime_r(&when, &t))
        abort();
    memcpy(out, "0000-00-00T00:00:00.000000Z", LOG_STAMP_LEN);
    put_digits(out, t.tm_year + 1900, 4);
    put_digits(out + 5, t.tm_mon + 1, 2);
    put_digits(out + 8, t.tm_mday, 2);
    put_digits(out + 11, t.tm_hour, 2);
    put_digits(out + 14, t.tm_min, 2);
    put_digits(out + 17, t.tm_sec, 2);
}

static const char *stamp_now(struct gather *g)
{
    int64_t now = clock_wall_us(g->logger->clock);

    now = now < 0 ? 0 : MIN(now, US_OF_Y10K - 1);
    if (now / US_PER_S != g->second) {
        g->second = now / US_PER_S;
        put_second(g->stamp, g->second);
    }
    put_digits(g->stamp + LOG_STAMP_START + 1, now % US_PER_S, 6);
    return g->stamp;
}

/* True when the fd can be tried (also when it is broken: the write will say how). */
static bool wait_until_ready(struct logger *l)
{
    struct pollfd p = {.fd = l->fd, .events = POLLOUT};
    int n;

    do {
        n = poll(&p, 1, l->stalled ? 0 : STALL_WAIT_MS);
    } while (n < 0 && errno == EINTR);
    l->stalled = n == 0;
    return n != 0;
}

static ssize_t write_some(struct logger *l, const char *data, size_t len)
{
    switch (l->sink) {
    case SINK_FILE: break;
    case SINK_SOCKET: return send(l->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    case SINK_PIPE:
        /* A pipe that is ready takes this much without blocking. */
        len = MIN(len, PIPE_BUF);
        if (!wait_until_ready(l)) {
            errno = ETIMEDOUT;
            return -1;
        }
        break;
    case SINK_OTHER:
        if (!wait_until_ready(l)) {
            errno = ETIMEDOUT;
            return -1;
        }
        break;
    }
    return write(l->fd, data, len);
}

/* Returns how many bytes went out. */
static size_t write_whole(struct logger *l, const char *data, size_t len)
{
    size_t done = 0;
    int empty = 0;

    while (done < len) {
        ssize_t n = write_some(l, data + done, len - done);

        if (n > 0) {
            done += (size_t)n;
            empty = 0;
            l->stalled = false;
        } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
            l->hung_up = n < 0 && errno == EPIPE;
            break;
        } else if (errno == EAGAIN && (++empty > EMPTY_TRIES || !wait_until_ready(l))) {
            break;
        }
    }
    return done;
}

static uint64_t count_lines(const char *data, size_t len)
{
    uint64_t lines = 0;

    for (size_t i = 0; i < len; i++)
        lines += data[i] == '\n';
    return lines;
}

/* Returns how many bytes of the gathered lines went out. A line that was torn before is closed
 * first. */
static size_t write_lines(struct gather *g)
{
    struct logger *l = g->logger;
    size_t extra = l->torn ? 1 : 0;
    size_t done = write_whole(l, (char *)g + offsetof(struct gather, data) - extra, extra + g->len);

    if (done <= extra) {
        l->torn = l->torn && done == 0;
        return 0;
    }
    l->torn = g->data[done - extra - 1] != '\n';
    return done - extra;
}

/* Uses the buffer of the thread, which is empty by now. */
static void report_dropped(struct gather *g)
{
    struct logger *l = g->logger;
    uint64_t dropped = atomic_load_explicit(&l->dropped, memory_order_relaxed);
    struct kv count = KV_UINT("lines", dropped - l->reported);
    struct log_line n;

    if (dropped == l->reported)
        return;
    log_line_begin(&n, g->data, l->format, stamp_now(g), level_names[LOGLEVEL_WARN],
                   "log lines dropped");
    log_line_put(&n, &count);
    g->len = (size_t)(log_line_end(&n) - g->data);
    if (write_lines(g) == g->len)
        l->reported = dropped;
}

static void write_out_locked(struct gather *g)
{
    struct logger *l = g->logger;
    size_t done = write_lines(g);

    /* A torn line's newline is in the rest, so the line counts. */
    if (done < g->len)
        atomic_fetch_add_explicit(&l->dropped, count_lines(g->data + done, g->len - done),
                                  memory_order_relaxed);
    else
        report_dropped(g);
    g->len = 0;
}

/* A pipe without a reader would raise SIGPIPE; here that is an error like any other. */
static void write_out(struct gather *g)
{
    struct logger *l = g->logger;
    sigset_t pipe_only, before;

    if (g->len == 0)
        return;
    pthread_mutex_lock(&l->lock);
    if (l->sink != SINK_PIPE) {
        write_out_locked(g);
    } else {
        sigemptyset(&pipe_only);
        sigaddset(&pipe_only, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
        write_out_locked(g);
        if (l->hung_up)
            IGNORE(sigtimedwait(&pipe_only, NULL, &(struct timespec){0}));
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_mutex_unlock(&l->lock);
}

static void gather_exit(void *arg)
{
    struct gather *g = arg;
    struct logger *l = g->logger;

    write_out(g);
    pthread_mutex_lock(&l->lock);
    *g->link = g->next;
    if (g->next)
        g->next->link = g->link;
    pthread_mutex_unlock(&l->lock);
    free(g);
}

static struct gather *gather_get(struct logger *l)
{
    struct gather *g = pthread_getspecific(l->key);

    if (g)
        return g;
    g = heap_alloc(sizeof(*g));
    g->logger = l;
    g->second = -1;
    g->len = 0;
    g->newline = '\n';
    g->link = &l->gathers;
    pthread_mutex_lock(&l->lock);
    g->next = l->gathers;
    if (g->next)
        g->next->link = &g->next;
    l->gathers = g;
    pthread_mutex_unlock(&l->lock);
    if (pthread_setspecific(l->key, g) != 0)
        abort();
    return g;
}

static enum sink sink_of(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || S_ISREG(st.st_mode))
        return SINK_FILE;
    if (S_ISSOCK(st.st_mode))
        return SINK_SOCKET;
    return S_ISFIFO(st.st_mode) ? SINK_PIPE : SINK_OTHER;
}

struct logger *logger_new(int fd, enum log_format format, enum log_level level,
                          const struct clock *clock)
{
    struct logger *l = heap_new_type(struct logger);

    l->fd = fd;
    l->sink = sink_of(fd);
    l->format = format;
    l->clock = clock;
    atomic_init(&l->level, (int)level);
    atomic_init(&l->dropped, 0);
    pthread_mutex_init(&l->lock, NULL);
    if (pthread_key_create(&l->key, gather_exit) != 0)
        abort();
    return l;
}

void logger_free(struct logger **logger)
{
    struct logger *l = *logger;

    if (!l)
        return;
    pthread_key_delete(l->key);
    while (l->gathers) {
        struct gather *g = l->gathers;

        write_out(g);
        l->gathers = g->next;
        free(g);
    }
    pthread_mutex_destroy(&l->lock);
    free(l);
    *logger = NULL;
}

void logger_set_level(struct logger *l, enum log_level level)
{
    atomic_store_explicit(&l->level, (int)level, memory_order_relaxed);
}

uint64_t logger_dropped(const struct logger *l)
{
    return atomic_load_explicit(&l->dropped, memory_order_relaxed);
}

int log_level_parse(struct str name, enum log_level *out)
{
    for (unsigned i = 0; i < COUNTOF(level_names); i++) {
        if (str_eq(name, str_of(level_names[i]))) {
            *out = (enum log_level)i;
            return 0;
        }
    }
    return -1;
}

bool log_wants(const struct log *l, enum log_level level)
{
    return l && l->out && level < LOGLEVEL_OFF &&
           (int)level >= atomic_load_explicit(&l->out->level, memory_order_relaxed);
}

/* Outermost first; the chain is as deep as the code that builds it: process to request. */
static void put_link(struct log_line *n, const struct log *l)
{
    if (l->parent)
        put_link(n, l->parent);
    for (size_t i = 0; i < l->count; i++)
        log_line_put(n, &l->kvs[i]);
}

void log_write(const struct log *l, enum log_level level, const char *message, const struct kv *kvs,
               size_t count)
{
    if (!log_wants(l, level))
        return;

    struct gather *g = gather_get(l->out);
    struct log_line n;

    if (GATHER_BYTES - g->len < LOG_LINE_MAX)
        write_out(g);
    log_line_begin(&n, g->data + g->len, l->out->format, stamp_now(g), level_names[level], message);
    put_link(&n, l);
    for (size_t i = 0; i < count; i++)
        log_line_put(&n, &kvs[i]);
    g->len = (size_t)(log_line_end(&n) - g->data);
    if (level >= LOGLEVEL_WARN)
        write_out(g);
}

size_t log_gathered(struct logger *l)
{
    const struct gather *g = pthread_getspecific(l->key);

    return g ? g->len : 0;
}

void log_flush(struct logger *l)
{
    struct gather *g = pthread_getspecific(l->key);

    if (g)
        write_out(g);
}
