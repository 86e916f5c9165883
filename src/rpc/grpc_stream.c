/* SPDX-License-Identifier: Apache-2.0 */
/* Calls for threads that may wait. A stream is a call on the loop and a place for one message; what
 * the worker wants of the loop is posted, and since the loop takes posts in order, the last of them
 * may free the stream. */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "rpc/grpc_client.h"
#include "rpc/grpc_client_internal.h"

#define ARENA_BYTES 4096

struct grpc_stream {
    struct grpc_call call; /* the loop's, until it is over */
    struct arena *arena;   /* same */
    struct loop *loop;
    struct loop_task start_task;
    struct loop_task next_task;
    struct loop_task cancel_task;
    struct loop_task close_task;
    size_t message_max;

    /* The worker's. */
    struct fail broken; /* a message could not be read; CODE_OK: none */

    pthread_mutex_t lock; /* guards the rest, and hands the outcome over */
    pthread_cond_t wake;
    struct buf bytes;
    struct grpc_message message;
    struct grpc_outcome head;
    bool has_message;
    bool has_head;
    bool over;
    bool canceling;
};

/* -- on the loop ------------------------------------------------------------------------------- */

static struct grpc_stream *stream_of(struct grpc_call *c)
{
    return CONTAINER_OF(c, struct grpc_stream, call);
}

static void end(struct grpc_stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->over = true;
    if (!s->has_head)
        s->head = s->call.outcome;
    s->has_head = true;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

static void on_headers(struct grpc_call *c)
{
    struct grpc_stream *s = stream_of(c);

    pthread_mutex_lock(&s->lock);
    s->head = c->outcome;
    s->has_head = true;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

static void on_message(struct grpc_call *c, const struct grpc_message *m UNUSED)
{
    struct grpc_stream *s = stream_of(c);

    pthread_mutex_lock(&s->lock);
    assert(!s->has_message);
    grpc_call_keep(c, &s->bytes, &s->message);
    s->has_message = true;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

static void on_done(struct grpc_call *c)
{
    end(stream_of(c));
}

static const struct grpc_call_ops ops = {
    .headers = on_headers,
    .message = on_message,
    .done = on_done,
};

static void start_here(struct loop_task *t)
{
    struct grpc_stream *s = CONTAINER_OF(t, struct grpc_stream, start_task);
    struct fail f;

    if (grpc_call_start(&s->call, NULL, &f) == 0)
        return;
    grpc_outcome_set(&s->call.outcome, s->arena, &f);
    s->call.over = true;
    end(s);
}

static void next_here(struct loop_task *t)
{
    struct grpc_stream *s = CONTAINER_OF(t, struct grpc_stream, next_task);

    grpc_call_next(&s->call);
}

static void cancel_here(struct loop_task *t)
{
    struct grpc_stream *s = CONTAINER_OF(t, struct grpc_stream, cancel_task);

    if (s->call.over)
        return;
    grpc_call_cancel(&s->call);
    pthread_mutex_lock(&s->lock);
    if (s->has_message)
        buf_done(&s->bytes);
    s->has_message = false;
    pthread_mutex_unlock(&s->lock);
    end(s);
}

static void stream_done(struct grpc_stream *s)
{
    buf_done(&s->bytes);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    arena_free(&s->arena);
    free(s);
}

static void close_here(struct loop_task *t)
{
    struct grpc_stream *s = CONTAINER_OF(t, struct grpc_stream, close_task);

    grpc_call_cancel(&s->call);
    stream_done(s);
}

/* -- on the worker ----------------------------------------------------------------------------- */

static void copy_metadata(struct grpc_stream *s)
{
    struct grpc_call_options *o = &s->call.options;
    struct http_field *copy = arena_new_array(s->arena, struct http_field, o->metadata_count);

    for (size_t i = 0; i < o->metadata_count; i++)
        copy[i] = (struct http_field){
            arena_str(s->arena, o->metadata[i].name),
            arena_str(s->arena, o->metadata[i].value),
        };
    o->metadata = copy;
}

int grpc_stream_open(struct grpc_channel *c, const struct proto_method *method, const void *request,
                     const struct grpc_call_options *o, struct grpc_stream **out, struct fail *f)
{
    struct grpc_stream *s = heap_new_type(struct grpc_stream);

    s->loop = grpc_channel_loop(c);
    s->arena = arena_new(ARENA_BYTES);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    if (o)
        s->call.options = *o;
    s->message_max = s->call.options.message_max;
    if (s->message_max == 0)
        s->message_max = grpc_channel_message_max(c);
    s->call.channel = c;
    s->call.method = method;
    s->call.arena = s->arena;
    s->call.ops = &ops;
    copy_metadata(s);
    if (grpc_call_prepare(&s->call, request, f) < 0) {
        stream_done(s);
        return -1;
    }
    s->start_task.fn = start_here;
    s->next_task.fn = next_here;
    s->cancel_task.fn = cancel_here;
    s->close_task.fn = close_here;
    loop_post(s->loop, &s->start_task);
    *out = s;
    return 0;
}

/* False when there is none and will be none. The bytes are the caller's then. */
static bool await_message(struct grpc_stream *s, struct buf *bytes, struct grpc_message *m)
{
    bool there;

    pthread_mutex_lock(&s->lock);
    while (!s->has_message && !s->over)
        pthread_cond_wait(&s->wake, &s->lock);
    there = s->has_message;
    if (there) {
        *bytes = s->bytes;
        *m = s->message;
        s->bytes = (struct buf){.data = NULL};
        s->has_message = false;
    }
    pthread_mutex_unlock(&s->lock);
    return there;
}

int grpc_stream_next(struct grpc_stream *s, struct arena *a, void **message, struct fail *f)
{
    struct grpc_message m;
    struct buf bytes;
    int rc;

    if (s->broken.code != CODE_OK) {
        *f = s->broken;
        return -1;
    }
    if (!await_message(s, &bytes, &m))
        return grpc_outcome_fail(&s->call.outcome, f);
    /* The next one may come while this one is read. */
    if (s->call.method->server_streaming)
        loop_post(s->loop, &s->next_task);
    rc = grpc_message_read(s->call.method->output, a, &m, &bytes, s->message_max, message, f);
    buf_done(&bytes);
    if (rc == 0)
        return 1;
    s->broken = *f;
    grpc_stream_cancel(s);
    return -1;
}

const struct grpc_outcome *grpc_stream_headers(struct grpc_stream *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->has_head)
        pthread_cond_wait(&s->wake, &s->lock);
    pthread_mutex_unlock(&s->lock);
    return &s->head;
}

const struct grpc_outcome *grpc_stream_outcome(const struct grpc_stream *s)
{
    return &s->call.outcome;
}

void grpc_stream_cancel(struct grpc_stream *s)
{
    bool post;

    pthread_mutex_lock(&s->lock);
    post = !s->canceling && !s->over;
    s->canceling = true;
    pthread_mutex_unlock(&s->lock);
    if (post)
        loop_post(s->loop, &s->cancel_task);
}

void grpc_stream_close(struct grpc_stream **s)
{
    if (!*s)
        return;
    loop_post((*s)->loop, &(*s)->close_task);
    *s = NULL;
}

/* -- unary ------------------------------------------------------------------------------------- */

static const struct http_field *copy_fields(struct arena *a, const struct http_field *fields,
                                            size_t count)
{
    struct http_field *copy = arena_new_array(a, struct http_field, count);

    for (size_t i = 0; i < count; i++)
        copy[i] = (struct http_field){arena_str(a, fields[i].name), arena_str(a, fields[i].value)};
    return copy;
}

static void copy_outcome(struct arena *a, const struct grpc_stream *s, struct grpc_outcome *out)
{
    *out = s->call.outcome;
    if (s->broken.code != CODE_OK)
        grpc_outcome_set(out, a, &s->broken);
    out->message = arena_str(a, out->message);
    out->details = arena_str(a, out->details);
    out->headers = copy_fields(a, out->headers, out->header_count);
    out->trailers = copy_fields(a, out->trailers, out->trailer_count);
}

static void await_end(struct grpc_stream *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->over)
        pthread_cond_wait(&s->wake, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

int grpc_call_unary(struct grpc_channel *c, const struct proto_method *method, const void *request,
                    const struct grpc_call_options *o, struct arena *a, void **response,
                    struct grpc_outcome *outcome, struct fail *f)
{
    struct grpc_stream *s;
    void *message = NULL;
    void *second;
    int rc;

    if (grpc_stream_open(c, method, request, o, &s, f) < 0) {
        if (outcome) {
            *outcome = (struct grpc_outcome){.code = f->code};
            grpc_outcome_set(outcome, a, f);
        }
        return -1;
    }
    rc = grpc_stream_next(s, a, &message, f);
    if (rc == 1) /* there is no second one, so this waits for the end */
        rc = grpc_stream_next(s, a, &second, f);
    await_end(s);
    if (outcome)
        copy_outcome(a, s, outcome);
    grpc_stream_close(&s);
    if (rc == 0)
        *response = message;
    return rc;
}
