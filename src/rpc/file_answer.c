/* SPDX-License-Identifier: Apache-2.0 */
/* See file_answer.h. A read that was handed to a worker may outlive the client: the exchange is
 * held until both are through. */
#include "rpc/file_answer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/heap.h"
#include "net/loop.h"
#include "rpc/flight.h"

#define PIECE_BYTES ((size_t)64 << 10)

struct file_answer {
    struct http_source source;
    struct http_x *x;
    struct workers *workers;
    struct work work;
    struct loop_task task;
    int fd;
    int64_t at;
    int64_t left; /* not yet given to net */

    uint8_t *piece; /* PIECE_BYTES on the heap, the worker's while it reads; NULL: none */
    ssize_t piece_len;
    ssize_t piece_at;
    bool reading;
    bool closed;
};

/* The next bytes. With RWF_NOWAIT -1 may mean: not without waiting. */
static ssize_t read_next(const struct file_answer *a, uint8_t *out, size_t want, int flags)
{
    struct iovec part = {out, want};
    ssize_t n;

    do {
        n = preadv2(a->fd, &part, 1, a->at, flags);
    } while (n == -1 && errno == EINTR);
    return n;
}

/* --- the worker's --- */

static void read_piece(struct work *w)
{
    struct file_answer *a = CONTAINER_OF(w, struct file_answer, work);
    size_t want = (size_t)MIN(a->left, (int64_t)PIECE_BYTES);

    a->piece_len = read_next(a, a->piece, want, 0);
    loop_post(a->x->loop, &a->task); /* the last word: the answer may be gone now */
}

/* --- the loop's --- */

static void drop_piece(struct file_answer *a)
{
    free(a->piece);
    a->piece = NULL;
    a->piece_at = 0;
}

static void finish(struct file_answer *a)
{
    drop_piece(a);
    close(a->fd);
    a->fd = -1;
    http_release(a->x); /* may be the end of a */
}

static void on_piece(struct loop_task *t)
{
    struct file_answer *a = CONTAINER_OF(t, struct file_answer, task);

    a->reading = false;
    if (a->closed)
        finish(a);
    else
        http_resume(a->x);
}

static ptrdiff_t advance(struct file_answer *a, size_t n)
{
    a->at += (int64_t)n;
    a->left -= (int64_t)n;
    return (ptrdiff_t)n;
}

static ptrdiff_t take_from_piece(struct file_answer *a, uint8_t *out, size_t cap)
{
    size_t n;

    if (a->piece_len <= 0)
        return HTTP_BROKEN;
    n = MIN(cap, (size_t)(a->piece_len - a->piece_at));
    memcpy(out, a->piece + a->piece_at, n);
    a->piece_at += (ssize_t)n;
    if (a->piece_at == a->piece_len)
        drop_piece(a);
    return advance(a, n);
}

static ptrdiff_t answer_read(struct http_source *s, uint8_t *out, size_t cap)
{
    struct file_answer *a = CONTAINER_OF(s, struct file_answer, source);
    ssize_t n;

    if (a->left == 0)
        return 0;
    if (a->reading)
        return HTTP_AGAIN;
    if (a->piece)
        return take_from_piece(a, out, cap);
    n = read_next(a, out, (size_t)MIN((int64_t)cap, a->left), RWF_NOWAIT);
    if (n > 0)
        return advance(a, (size_t)n);
    a->piece = heap_alloc(PIECE_BYTES);
    if (workers_submit(a->workers, &a->work) < 0)
        return HTTP_BROKEN;
    a->reading = true;
    return HTTP_AGAIN;
}

static void answer_close(struct http_source *s)
{
    struct file_answer *a = CONTAINER_OF(s, struct file_answer, source);

    a->closed = true;
    if (!a->reading)
        finish(a);
}

static const struct http_source_ops answer_ops = {.read = answer_read, .close = answer_close};

/* --- the handler's --- */

void call_send_file(struct call *c, int fd, int64_t first, int64_t count)
{
    const struct flight *fl = CONTAINER_OF(c, struct flight, call);
    struct file_answer *a = arena_new_type(c->x->arena, struct file_answer);

    assert(fl->d->host->workers && !c->x->resp.source);
    IGNORE(posix_fadvise(fd, first, count, POSIX_FADV_SEQUENTIAL));
    *a = (struct file_answer){
        .source = {.ops = &answer_ops},
        .x = c->x,
        .workers = fl->d->host->workers,
        .work = {.run = read_piece},
        .task = {.fn = on_piece},
        .fd = fd,
        .at = first,
        .left = count,
    };
    c->x->held = true;
    c->x->resp.source = &a->source;
    c->x->resp.source_length = count;
}
