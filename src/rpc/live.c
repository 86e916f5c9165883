/* SPDX-License-Identifier: Apache-2.0 */
/* Streams without a thread: requests are delivered on the loop as they come, as long as there is
 * room for their answers. */
#include <assert.h>

#include "rpc/stream.h"

#define ARENA_BYTES 4096
#define READ_BYTES  16384

static const struct fail fine;

static void resume(struct rpc_stream *s)
{
    if (s->answered)
        http_resume(s->x);
}

static bool is_over(const struct rpc_stream *s)
{
    return s->ended || s->closed; /* both change on the loop only */
}

void rpc_live_end(struct rpc_stream *s, const struct fail *f)
{
    assert(s->live);
    if (is_over(s))
        return;
    loop_timer_clear(s->x->loop, &s->timer);
    if (f && f->code != CODE_OK) {
        s->fl->fail = *f;
        flight_log_failure(s->fl);
    }
    stream_put_end(s, f ? f : &fine);
    resume(s);
}

void *rpc_live_state(struct rpc_stream *s)
{
    return s->state;
}

bool rpc_live_is_full(struct rpc_stream *s)
{
    s->full = stream_waiting(s) >= STREAM_PIPE_BYTES;
    return s->full;
}

int live_send(struct rpc_stream *s, const void *message, struct fail *f)
{
    size_t before = s->out.len;

    if (is_over(s))
        return fail_reason(f, CODE_CANCELED, "stream_over", "the stream is over");
    if (s->e->ops->stream_message(s->e, message, &s->out, f) < 0) {
        s->out.len = before;
        s->out.overflow = false;
        return -1;
    }
    resume(s);
    return 0;
}

static void on_deadline(struct timer *t)
{
    struct rpc_stream *s = CONTAINER_OF(t, struct rpc_stream, timer);
    struct fail f;

    IGNORE(fail_reason(&f, CODE_DEADLINE_EXCEEDED, "deadline", "the request's time is over"));
    rpc_live_end(s, &f);
}

/* --- requests --- */

static void half_close(struct rpc_stream *s)
{
    struct fail f = {0};
    int rc;

    if (s->half_closed || is_over(s))
        return;
    s->half_closed = true;
    rc = s->live->half_close(s, &f);
    if (rc != RPC_LIVE_ON)
        rpc_live_end(s, rc < 0 ? &f : NULL);
}

static void deliver(struct rpc_stream *s, const struct frame *frame)
{
    const struct proto_message *input = s->e->method->m->input;
    struct fail f = {0};
    void *request = proto_new(s->incoming, input);

    if (envelope_read_frame(s->e, frame, request, &f) < 0 || s->live->message(s, request, &f) < 0)
        rpc_live_end(s, &f);
    arena_reset(s->incoming);
}

static struct str undelivered(const struct rpc_stream *s)
{
    return str_skip(buf_str(&s->in), s->in_at);
}

/* Hands over the next message of s->in; false when it is not whole. */
static bool take_message(struct rpc_stream *s)
{
    struct str rest = undelivered(s);
    struct frame frame;
    struct fail f;
    size_t length;

    if (!frame_length(rest, &length))
        return false;
    if (length > s->e->method->request_limit) {
        IGNORE(fail_reason(&f, CODE_RESOURCE_EXHAUSTED, "message_too_large",
                           "a message may have at most %zu bytes", s->e->method->request_limit));
        rpc_live_end(s, &f);
        return false;
    }
    if (frame_take(&rest, &frame) != FRAME_OK)
        return false;
    deliver(s, &frame);
    s->in_at = s->in.len - rest.len;
    return true;
}

static void at_end(struct rpc_stream *s)
{
    struct fail f;

    if (undelivered(s).len == 0) {
        half_close(s);
        return;
    }
    IGNORE(fail_reason(&f, CODE_INVALID_ARGUMENT, "short_frame", "the last message is cut off"));
    rpc_live_end(s, &f);
}

static void pump(struct rpc_stream *s)
{
    while (!is_over(s) && !s->half_closed) {
        s->paused = stream_waiting(s) >= STREAM_PIPE_BYTES;
        if (s->paused)
            return; /* live_on_drained() goes on */
        if (take_message(s))
            continue;
        if (is_over(s))
            return;

        buf_consume(&s->in, s->in_at);
        s->in_at = 0;

        uint8_t *at = buf_reserve(&s->in, READ_BYTES);

        assert(at); /* a message and what was read past it fit */

        ptrdiff_t n = http_read(s->x, at, READ_BYTES);

        if (n < 0)
            return; /* more will come, or close() */
        s->in.len += (size_t)n;
        if (n == 0)
            at_end(s);
    }
}

void live_readable(struct flight *fl)
{
    if (fl->stream && fl->stream->answered)
        pump(fl->stream);
}

/* Not from here: net is in the middle of sending. */
void live_on_drained(struct rpc_stream *s)
{
    if ((!s->paused && !s->full) || s->posted || is_over(s))
        return;
    s->posted = true;
    s->x->held = true;
    loop_post(s->x->loop, &s->task);
}

void live_on_task(struct rpc_stream *s)
{
    pump(s);
    if (s->full && !is_over(s)) {
        s->full = false;
        if (s->live->drained)
            s->live->drained(s);
    }
    http_release(s->x);
}

void live_on_close(struct rpc_stream *s)
{
    loop_timer_clear(s->x->loop, &s->timer);
    if (!s->ended)
        s->fl->code = CODE_CANCELED;
    if (s->live->closed)
        s->live->closed(s);
}

/* --- the beginning --- */

static int decode_only(struct rpc_stream *s, void **request, struct fail *f)
{
    void *message = proto_new(s->incoming, s->e->method->m->input);

    if (s->e->ops->decode(s->e, s->x->req.body, message, f) < 0)
        return -1;
    *request = message;
    return 0;
}

static void answer(struct rpc_stream *s)
{
    struct call *c = &s->fl->call;

    stream_head(s);
    if (c->deadline_us != INT64_MAX) {
        s->timer.fn = on_deadline;
        loop_timer_set(s->x->loop, &s->timer, c->deadline_us);
    }
    s->answered = true;
    http_answer(s->x);
}

int live_begin(struct flight *fl)
{
    struct rpc_stream *s = stream_new(fl);
    const struct rpc_method *m = s->e->method;
    void *request = NULL;
    struct fail f = {0};

    fl->stream = s;
    s->live = m->handler->live;
    s->incoming = arena_new(ARENA_BYTES);
    s->e->memory = s->incoming;
    s->state = arena_alloc(s->memory, MAX(s->live->state_bytes, 1));
    if (!m->m->client_streaming && decode_only(s, &request, &fl->fail) < 0)
        return -1;
    if (s->live->open && s->live->open(s, &fl->fail) < 0)
        return -1;
    answer(s);
    if (!request || is_over(s))
        return 0;
    if (s->live->message(s, request, &f) < 0)
        rpc_live_end(s, &f);
    arena_reset(s->incoming);
    half_close(s);
    return 0;
}
