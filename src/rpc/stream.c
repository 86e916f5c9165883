/* SPDX-License-Identifier: Apache-2.0 */
/* The pipe, and streams that a worker makes. */
#include "rpc/stream.h"

#include <assert.h>

#define ARENA_BYTES 4096

static void stream_free(void *arg)
{
    struct rpc_stream *s = arg;

    arena_free(&s->incoming);
    arena_free(&s->scratch);
    arena_free(&s->memory);
    buf_done(&s->out);
    buf_done(&s->frame);
    buf_done(&s->in);
    waiter_free(&s->room);
    pthread_mutex_destroy(&s->lock);
}

/* --- the loop's end --- */

/* Called with the lock. */
static size_t waiting(const struct rpc_stream *s)
{
    return s->out.len - s->out_at;
}

size_t stream_waiting(struct rpc_stream *s)
{
    pthread_mutex_lock(&s->lock);

    size_t n = waiting(s);

    pthread_mutex_unlock(&s->lock);
    return n;
}

static void put_trailers(struct rpc_stream *s)
{
    const struct call_fields *fields = &s->e->http_trailers;

    if (s->trailers_put)
        return;
    s->trailers_put = true;
    for (size_t i = 0; i < fields->count; i++)
        http_resp_trailer(s->x, fields->items[i].name, fields->items[i].value);
}

static ptrdiff_t source_read(struct http_source *source, uint8_t *out, size_t cap)
{
    struct rpc_stream *s = CONTAINER_OF(source, struct rpc_stream, source);

    pthread_mutex_lock(&s->lock);

    bool was_full = waiting(s) >= STREAM_PIPE_BYTES / 2;
    size_t n = MIN(cap, waiting(s));

    if (n > 0)
        memcpy(out, s->out.data + s->out_at, n);
    s->out_at += n;
    if (s->out_at == s->out.len) {
        buf_clear(&s->out);
        s->out_at = 0;
    } else if (s->out_at >= STREAM_PIPE_BYTES) {
        buf_consume(&s->out, s->out_at);
        s->out_at = 0;
    }

    bool drained = was_full && waiting(s) < STREAM_PIPE_BYTES / 2, ended = s->ended;

    pthread_mutex_unlock(&s->lock);
    if (drained && s->live)
        live_on_drained(s);
    else if (drained)
        waiter_wake(s->room);
    if (n > 0)
        return (ptrdiff_t)n;
    if (!ended)
        return HTTP_AGAIN;
    put_trailers(s);
    return 0;
}

static void source_close(struct http_source *source)
{
    struct rpc_stream *s = CONTAINER_OF(source, struct rpc_stream, source);

    pthread_mutex_lock(&s->lock);
    s->closed = true;
    pthread_mutex_unlock(&s->lock);
    if (s->live)
        live_on_close(s);
    else
        waiter_wake(s->room);
}

static const struct http_source_ops source_ops = {source_read, source_close};

/* Loop thread: the worker put something into the pipe, or is done. */
static void on_task(struct loop_task *t)
{
    struct rpc_stream *s = CONTAINER_OF(t, struct rpc_stream, task);

    pthread_mutex_lock(&s->lock);
    s->posted = false;

    bool done = s->done;

    pthread_mutex_unlock(&s->lock);
    if (s->live) {
        live_on_task(s);
        return;
    }
    if (s->answered)
        http_resume(s->x);
    if (done)
        http_release(s->x); /* may be the end of s */
}

struct rpc_stream *stream_new(struct flight *fl)
{
    struct call *c = &fl->call;
    struct rpc_stream *s = arena_new_type(c->x->arena, struct rpc_stream);
    const struct rpc_method *m = c->envelope->method;
    size_t frame_max = m->response_limit + m->response_limit / 2 + ENVELOPE_SLACK;

    s->source.ops = &source_ops;
    s->fl = fl;
    s->e = c->envelope;
    s->x = c->x;
    s->task.fn = on_task;
    s->memory = arena_new(ARENA_BYTES);
    s->scratch = arena_new(ARENA_BYTES);
    pthread_mutex_init(&s->lock, NULL);
    buf_init(&s->out, 2 * STREAM_PIPE_BYTES + frame_max);
    buf_init(&s->frame, frame_max);
    buf_init(&s->in, m->request_limit + FRAME_HEAD + ENVELOPE_SLACK);
    arena_on_free(c->x->arena, stream_free, s);
    c->arena = s->memory;
    s->e->memory = s->memory;
    s->e->scratch = s->scratch;
    return s;
}

void stream_head(struct rpc_stream *s)
{
    reply_reset(s->fl);
    s->e->ops->stream_head(s->e);
    s->x->resp.source = &s->source;
    reply_success(s->fl, false);
}

void stream_put_end(struct rpc_stream *s, const struct fail *f)
{
    struct buf end;

    buf_init(&end, ENVELOPE_SLACK * 2);
    s->e->ops->stream_end(s->e, f, &end);
    pthread_mutex_lock(&s->lock);
    if (!s->closed)
        buf_put_str(&s->out, buf_str(&end));
    s->ended = true;
    pthread_mutex_unlock(&s->lock);
    buf_done(&end);
    s->fl->code = f->code;
}

/* --- the worker's end --- */

static void answer_home(struct http_x *x)
{
    struct flight *fl = x->user;

    fl->stream->answered = true;
    http_answer(x);
}

static void start(struct rpc_stream *s)
{
    stream_head(s);
    s->x->held = true;
    s->started = true;
    http_post(s->x, answer_home);
}

static int canceled(struct fail *f)
{
    return fail_reason(f, CODE_CANCELED, "client_left", "the client has left");
}

static int out_of_time(struct fail *f)
{
    return fail_reason(f, CODE_DEADLINE_EXCEEDED, "deadline", "the request's time is over");
}

static bool is_closed(struct rpc_stream *s)
{
    pthread_mutex_lock(&s->lock);

    bool closed = s->closed;

    pthread_mutex_unlock(&s->lock);
    return closed;
}

/* Called with the lock; posts the task unless it is under way. Gives the lock back. */
static void tell_loop(struct rpc_stream *s)
{
    bool post = !s->posted;

    s->posted = true;
    pthread_mutex_unlock(&s->lock);
    if (post)
        loop_post(s->x->loop, &s->task);
}

/* Puts s->frame into the pipe once there is room. */
static int put_frame(struct rpc_stream *s, struct fail *f)
{
    int64_t deadline_us = s->fl->call.deadline_us;

    pthread_mutex_lock(&s->lock);
    while (!s->closed && waiting(s) >= STREAM_PIPE_BYTES) {
        pthread_mutex_unlock(&s->lock);
        if (!waiter_wait(s->room, deadline_us))
            return out_of_time(f);
        pthread_mutex_lock(&s->lock);
    }
    if (s->closed) {
        pthread_mutex_unlock(&s->lock);
        return canceled(f);
    }
    buf_put_str(&s->out, buf_str(&s->frame));
    tell_loop(s);
    return 0;
}

static int worker_send(struct rpc_stream *s, const void *message, struct fail *f)
{
    if (clock_mono_us(s->fl->d->host->clock) > s->fl->call.deadline_us)
        return out_of_time(f);
    if (!s->started)
        start(s);
    if (is_closed(s))
        return canceled(f);
    buf_clear(&s->frame);
    if (s->e->ops->stream_message(s->e, message, &s->frame, f) < 0)
        return -1;
    return put_frame(s, f);
}

int rpc_send(struct rpc_stream *s, const void *message, struct fail *f)
{
    int rc = s->live ? live_send(s, message, f) : worker_send(s, message, f);

    arena_reset(s->scratch);
    return rc;
}

int rpc_wait(struct rpc_stream *s, int64_t until_us, struct fail *f)
{
    int64_t deadline_us = s->fl->call.deadline_us;
    const struct clock *clock = s->fl->d->host->clock;

    assert(!s->live);
    for (;;) {
        int64_t now = clock_mono_us(clock);

        if (is_closed(s))
            return canceled(f);
        if (now >= deadline_us)
            return out_of_time(f);
        if (now >= until_us)
            return 0;
        IGNORE(waiter_wait(s->room, MIN(until_us, deadline_us)));
    }
}

struct arena *rpc_scratch(struct rpc_stream *s)
{
    return s->scratch;
}

struct call *rpc_stream_call(struct rpc_stream *s)
{
    return &s->fl->call;
}

static int run_handler(struct rpc_stream *s, struct fail *f)
{
    struct call *c = &s->fl->call;
    const struct rpc_method *m = s->e->method;

    if (envelope_decode(c, f) < 0)
        return -1;
    return m->handler->stream(c, s->e->request, s, f);
}

void stream_run(struct flight *fl, void (*home)(struct http_x *x))
{
    static const struct fail fine;
    struct rpc_stream *s = stream_new(fl);
    int rc;

    fl->stream = s;
    s->room = waiter_new(fl->d->host->clock);
    rc = run_handler(s, &fl->fail);
    if (rc < 0)
        flight_log_failure(fl);
    if (!s->started && rc < 0) {
        reply_error(fl, 0);
        http_post(s->x, home);
        return;
    }
    if (!s->started)
        start(s);
    stream_put_end(s, rc < 0 ? &fl->fail : &fine);
    pthread_mutex_lock(&s->lock);
    s->done = true;
    tell_loop(s); /* the last word: s may be gone now */
}
