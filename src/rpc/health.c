/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/health.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/heap.h"
#include "net/loop.h"
#include "proto/grpc_health_v1_health.pb.h"

#define STATUS_(name) GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_##name
#define NAMES_MAX     1024
#define NAME_MAX_LEN  256

struct entry {
    struct entry *next;
    bool serving;
    size_t len;
    char name[];
};

/* One Watch. Made and ended on its loop; freed by whoever of stream and task comes last. */
struct watcher {
    struct loop_task task;
    struct health *health;
    struct loop *loop;
    struct watcher *next; /* health->lock guards the list, `stream`'s end and `posted` */
    struct watcher **at;
    struct rpc_stream *stream; /* NULL: the client left */
    bool posted;
    int32_t told;
    size_t len;
    char name[NAME_MAX_LEN];
};

struct health {
    pthread_mutex_t lock; /* guards everything */
    struct entry *entries;
    size_t entry_count;
    struct watcher *watchers;
    bool any_name;
    bool leaving;
};

/* --- statuses; all with the lock --- */

static struct entry *entry_find(const struct health *h, struct str name)
{
    for (struct entry *e = h->entries; e; e = e->next)
        if (str_eq(str_make(e->name, e->len), name))
            return e;
    return NULL;
}

static int32_t status_of(const struct health *h, struct str name)
{
    const struct entry *e = entry_find(h, name);

    if (!e && h->any_name)
        e = entry_find(h, STR(""));
    if (!e)
        return STATUS_(SERVICE_UNKNOWN);
    return e->serving && !h->leaving ? STATUS_(SERVING) : STATUS_(NOT_SERVING);
}

static void wake_watchers(struct health *h)
{
    for (struct watcher *w = h->watchers; w; w = w->next) {
        if (w->posted)
            continue;
        w->posted = true;
        loop_post(w->loop, &w->task);
    }
}

struct health *health_new(bool any_name)
{
    struct health *h = heap_new_type(struct health);

    pthread_mutex_init(&h->lock, NULL);
    h->any_name = any_name;
    health_set(h, STR(""), true);
    return h;
}

void health_free(struct health **health)
{
    struct health *h = *health;

    if (h) {
        while (h->entries) {
            struct entry *e = h->entries;

            h->entries = e->next;
            free(e);
        }
        pthread_mutex_destroy(&h->lock);
        free(h);
    }
    *health = NULL;
}

void health_set(struct health *h, struct str service, bool serving)
{
    pthread_mutex_lock(&h->lock);

    struct entry *e = entry_find(h, service);

    if (!e && h->entry_count < NAMES_MAX) {
        e = heap_alloc(sizeof(*e) + service.len);
        e->len = service.len;
        if (service.len > 0)
            memcpy(e->name, service.p, service.len);
        e->next = h->entries;
        h->entries = e;
        h->entry_count++;
    }
    if (e)
        e->serving = serving;
    wake_watchers(h);
    pthread_mutex_unlock(&h->lock);
}

void health_leave(struct health *h)
{
    pthread_mutex_lock(&h->lock);
    h->leaving = true;
    wake_watchers(h);
    pthread_mutex_unlock(&h->lock);
}

/* --- Check --- */

static int check(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct grpc_health_v1_health_check_request *in = request;
    struct grpc_health_v1_health_check_response *out = response;
    struct health *h = c->app;

    pthread_mutex_lock(&h->lock);
    out->status = status_of(h, in->service);
    pthread_mutex_unlock(&h->lock);
    if (out->status == STATUS_(SERVICE_UNKNOWN))
        return fail_reason(f, CODE_NOT_FOUND, "unknown_service", "the service is not known");
    return 0;
}

/* --- Watch --- */

struct watch_state {
    struct watcher *watcher;
};

static int tell(struct watcher *w, int32_t status, struct fail *f)
{
    const struct grpc_health_v1_health_check_response out = {.status = status};

    w->told = status;
    return rpc_send(w->stream, &out, f);
}

/* Loop thread: something may have changed, or the client left meanwhile. */
static void on_change(struct loop_task *t)
{
    struct watcher *w = CONTAINER_OF(t, struct watcher, task);
    struct health *h = w->health;
    struct fail f = {0};

    pthread_mutex_lock(&h->lock);
    w->posted = false;

    int32_t status = status_of(h, str_make(w->name, w->len));
    bool alive = w->stream != NULL, leaving = h->leaving;

    pthread_mutex_unlock(&h->lock);
    if (!alive) {
        free(w);
        return;
    }
    if (status != w->told && tell(w, status, &f) < 0) {
        rpc_live_end(w->stream, &f);
        return;
    }
    if (leaving) {
        IGNORE(fail_reason(&f, CODE_UNAVAILABLE, "leaving", "the server is stopping"));
        rpc_live_end(w->stream, &f);
    }
}

static int watch_message(struct rpc_stream *s, const void *request, struct fail *f)
{
    const struct grpc_health_v1_health_check_request *in = request;
    struct watch_state *state = rpc_live_state(s);
    struct call *c = rpc_stream_call(s);
    struct health *h = c->app;
    struct watcher *w;

    if (in->service.len > NAME_MAX_LEN)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_name", "the service's name is too long");
    w = heap_new_type(struct watcher);
    w->task.fn = on_change;
    w->health = h;
    w->loop = c->x->loop;
    w->stream = s;
    w->len = in->service.len;
    if (w->len > 0)
        memcpy(w->name, in->service.p, w->len);
    state->watcher = w;

    pthread_mutex_lock(&h->lock);
    w->next = h->watchers;
    w->at = &h->watchers;
    if (w->next)
        w->next->at = &w->next;
    h->watchers = w;

    int32_t status = status_of(h, in->service);

    pthread_mutex_unlock(&h->lock);
    return tell(w, status, f);
}

static int watch_half_close(struct rpc_stream *s, struct fail *f)
{
    (void)s;
    (void)f;
    return RPC_LIVE_ON;
}

static void watch_closed(struct rpc_stream *s)
{
    struct watch_state *state = rpc_live_state(s);
    struct watcher *w = state->watcher;

    if (!w)
        return;

    struct health *h = w->health;

    pthread_mutex_lock(&h->lock);
    *w->at = w->next;
    if (w->next)
        w->next->at = w->at;
    w->stream = NULL;

    bool posted = w->posted;

    pthread_mutex_unlock(&h->lock);
    if (!posted)
        free(w);
}

static const struct rpc_live_ops watch_ops = {
    .state_bytes = sizeof(struct watch_state),
    .message = watch_message,
    .half_close = watch_half_close,
    .closed = watch_closed,
};

static const struct rpc_handler handlers[] = {
    {.method = "Check", .unary = check},
    {.method = "Watch", .live = &watch_ops},
};

struct rpc_service health_service(struct health *h)
{
    return (struct rpc_service){
        .service = &grpc_health_v1_health_desc,
        .handlers = handlers,
        .handler_count = COUNTOF(handlers),
        .app = h,
    };
}
