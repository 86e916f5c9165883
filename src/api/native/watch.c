/* SPDX-License-Identifier: Apache-2.0 */
/* WatchAgents: what commits, told to who watches.
 *
 * The write lane puts the id of a changed agent into the queue of each watch of its tenant and goes
 * on: no look at the agent, no waiting but for a mutex that nobody holds for long. The watch's loop
 * takes the queue, looks the agents up as they are then, and sends as long as the client reads;
 * meanwhile the queue fills up to its bound, and beyond it the client is told that it missed
 * something.
 *
 * A watch is made and ended on its loop. It may be under way to it as a task when the client
 * leaves, so whoever comes last frees it: the end of the stream, or the task. */
#include <pthread.h>
#include <stdlib.h>

#include "api/native/native_internal.h"
#include "base/heap.h"
#include "net/loop.h"

#define WATCHES_MAX       256
#define WATCHES_OF_TENANT 128 /* so that one tenant leaves room for others */
#define QUEUE_BYTES       ((size_t)256 << 10)
#define TURN_AGENTS       64 /* looked up before the loop does something else */

#define KIND_(name) MUSTER_V1_AGENT_CHANGE_KIND_##name

/* Ids with a byte for the kind and two for the length before each. */
struct changes {
    struct buf bytes;
    bool lost; /* what came after them */
};

struct watch {
    struct loop_task task;
    struct watches *all;
    struct loop *loop;
    uint64_t tenant;

    /* Guarded by all->lock. */
    struct watch *next;
    struct watch **at;
    struct rpc_stream *stream; /* NULL: it is over */
    bool posted;               /* the task is under way */
    struct changes queue;

    /* The loop's. */
    struct changes sending;
    size_t sent; /* bytes of it */
    struct matcher *matchers;
    size_t matcher_count;
    struct arena *scratch; /* for one agent */
};

struct watches {
    struct registry *registry;
    struct registry_watcher watcher;
    pthread_mutex_t lock; /* guards what follows, and what a watch says */
    struct watch *list;
    size_t count;
    bool leaving;
};

static void changes_init(struct changes *c)
{
    buf_init(&c->bytes, QUEUE_BYTES);
    c->lost = false;
}

static void watch_free(struct watch *w)
{
    buf_done(&w->queue.bytes);
    buf_done(&w->sending.bytes);
    arena_free(&w->scratch);
    free(w);
}

/* With the lock. */
static void post(struct watch *w)
{
    if (w->posted)
        return;
    w->posted = true;
    loop_post(w->loop, &w->task);
}

/* --- the lane's side --- */

/* With the lock. */
static void put(struct changes *c, struct str id, bool deleted)
{
    if (c->lost)
        return;
    if (id.len > UINT16_MAX || c->bytes.len + 3 + id.len > QUEUE_BYTES) {
        c->lost = true;
        return;
    }
    buf_put_byte(&c->bytes, deleted ? KIND_(DELETED) : KIND_(CHANGED));
    buf_put_byte(&c->bytes, (uint8_t)(id.len >> 8));
    buf_put_byte(&c->bytes, (uint8_t)id.len);
    buf_put_str(&c->bytes, id);
}

/* Write lane. */
static void on_commit(struct registry_watcher *watcher, uint64_t tenant, struct str id,
                      bool deleted)
{
    struct watches *all = CONTAINER_OF(watcher, struct watches, watcher);

    pthread_mutex_lock(&all->lock);
    for (struct watch *w = all->list; w; w = w->next) {
        if (w->tenant != tenant)
            continue;
        if (id.len == 0)
            w->queue.lost = true;
        else
            put(&w->queue, id, deleted);
        post(w);
    }
    pthread_mutex_unlock(&all->lock);
}

/* --- the loop's side --- */

static struct native *native_of_watch(struct watch *w)
{
    return native_of(rpc_stream_call(w->stream));
}

/* False: what is told is not what is watched. */
static bool make_change(struct watch *w, int32_t kind, struct str id,
                        struct muster_v1_agent_change *out)
{
    struct native *n = native_of_watch(w);
    struct realm *realm = registry_realm(n->o.registry, w->tenant);
    struct agent agent = {0};

    *out = (struct muster_v1_agent_change){.kind = kind, .id = id};
    if (kind != KIND_(CHANGED))
        return true;
    if (!agents_get(realm->agents, w->scratch, id, &agent))
        return false; /* its deletion comes next */

    struct agent_view v = native_view(w->scratch, &agent);

    if (matchers_refusing(w->matchers, w->matcher_count, v.attributes, v.attribute_count))
        return false;
    out->agent = arena_new_type(w->scratch, struct muster_v1_agent);
    native_agent(n, w->scratch, &agent, out->agent);
    return true;
}

static int tell(struct watch *w, int32_t kind, struct str id, struct fail *f)
{
    struct muster_v1_agent_change change;
    int rc = 0;

    if (make_change(w, kind, id, &change))
        rc = rpc_send(w->stream, &change, f);
    arena_reset(w->scratch);
    return rc;
}

/* The next of what was taken from the queue. */
static int tell_next(struct watch *w, struct fail *f)
{
    const uint8_t *p = w->sending.bytes.data + w->sent;
    size_t len = (size_t)p[1] << 8 | p[2];

    w->sent += 3 + len;
    return tell(w, p[0], str_make(p + 3, len), f);
}

/* Takes the queue and leaves an empty one. */
static bool take_queue(struct watch *w)
{
    struct changes empty = w->sending;

    buf_clear(&empty.bytes);
    empty.lost = false;
    w->sent = 0;
    pthread_mutex_lock(&w->all->lock);
    w->sending = w->queue;
    w->queue = empty;
    pthread_mutex_unlock(&w->all->lock);
    return w->sending.bytes.len > 0 || w->sending.lost;
}

/* Sends until nothing is left, the client is slow, or others want the loop, too. */
static int deliver(struct watch *w, struct fail *f)
{
    for (size_t n = 0; !rpc_live_is_full(w->stream); n++) { /* drained() goes on */
        if (n == TURN_AGENTS) {
            pthread_mutex_lock(&w->all->lock);
            post(w);
            pthread_mutex_unlock(&w->all->lock);
            return 0;
        }
        if (w->sent < w->sending.bytes.len) {
            if (tell_next(w, f) < 0)
                return -1;
        } else if (w->sending.lost) {
            w->sending.lost = false;
            if (tell(w, KIND_(LOST), STR(""), f) < 0)
                return -1;
        } else if (!take_queue(w)) {
            return 0;
        }
    }
    return 0;
}

/* A key that is revoked or expired sees nothing more. */
static int check_key(struct watch *w, struct fail *f)
{
    const struct caller *caller = rpc_stream_call(w->stream)->caller;

    if (caller->key_id.len == 0 || keyring_is_live(native_of_watch(w)->o.keyring, caller->key_id))
        return 0;
    return fail_reason(f, CODE_UNAUTHENTICATED, "credential_unknown",
                       "the credential is unknown, expired or revoked");
}

static void go_on(struct watch *w, bool leaving)
{
    struct fail f = {0};

    if (leaving) {
        IGNORE(fail_reason(&f, CODE_UNAVAILABLE, "leaving", "the server is stopping"));
        rpc_live_end(w->stream, &f);
    } else if (check_key(w, &f) < 0 || deliver(w, &f) < 0) {
        rpc_live_end(w->stream, &f);
    }
}

static void on_task(struct loop_task *t)
{
    struct watch *w = CONTAINER_OF(t, struct watch, task);

    pthread_mutex_lock(&w->all->lock);
    w->posted = false;

    bool over = w->stream == NULL, leaving = w->all->leaving;

    pthread_mutex_unlock(&w->all->lock);
    if (over)
        watch_free(w);
    else
        go_on(w, leaving);
}

/* --- the stream --- */

struct watch_state {
    struct watch *watch;
};

/* With the lock. */
static size_t count_of(const struct watches *all, uint64_t tenant)
{
    size_t n = 0;

    for (const struct watch *w = all->list; w; w = w->next)
        n += w->tenant == tenant;
    return n;
}

/* -1: too many, or too late. */
static int enlist(struct watches *all, struct watch *w, struct fail *f)
{
    int rc = 0;

    pthread_mutex_lock(&all->lock);
    if (all->leaving) {
        rc = fail_reason(f, CODE_UNAVAILABLE, "leaving", "the server is stopping");
    } else if (all->count >= WATCHES_MAX || count_of(all, w->tenant) >= WATCHES_OF_TENANT) {
        rc = fail_reason(f, CODE_RESOURCE_EXHAUSTED, "too_many",
                         "there are as many watches already as are allowed");
    } else {
        w->next = all->list;
        w->at = &all->list;
        if (w->next)
            w->next->at = &w->next;
        all->list = w;
        all->count++;
    }
    pthread_mutex_unlock(&all->lock);
    return rc;
}

static int read_matchers(struct call *c, const struct muster_v1_watch_agents_request *in,
                         struct matcher **out, struct fail *f)
{
    /* The request goes, the call stays. */
    struct str *texts = arena_new_array(c->arena, struct str, in->matchers.count);

    for (size_t i = 0; i < in->matchers.count; i++)
        texts[i] = arena_str(c->arena, in->matchers.items[i]);
    return native_matchers(c->arena, texts, in->matchers.count, out, f);
}

static int watch_message(struct rpc_stream *s, const void *request, struct fail *f)
{
    const struct muster_v1_watch_agents_request *in = request;
    struct watch_state *state = rpc_live_state(s);
    struct call *c = rpc_stream_call(s);
    struct watches *all = native_of(c)->watches;
    struct matcher *matchers = NULL;
    struct watch *w;

    if (read_matchers(c, in, &matchers, f) < 0)
        return -1;
    w = heap_new_type(struct watch);
    w->task.fn = on_task;
    w->all = all;
    w->loop = c->x->loop;
    w->tenant = c->caller->tenant;
    w->stream = s;
    w->matchers = matchers;
    w->matcher_count = in->matchers.count;
    w->scratch = arena_new(16384);
    changes_init(&w->queue);
    changes_init(&w->sending);
    if (enlist(all, w, f) < 0) {
        watch_free(w);
        return -1;
    }
    state->watch = w;
    return 0;
}

static int watch_half_close(struct rpc_stream *s, struct fail *f)
{
    (void)s;
    (void)f;
    return RPC_LIVE_ON;
}

static void watch_drained(struct rpc_stream *s)
{
    struct watch_state *state = rpc_live_state(s);

    if (state->watch)
        go_on(state->watch, false);
}

static void watch_closed(struct rpc_stream *s)
{
    struct watch_state *state = rpc_live_state(s);
    struct watch *w = state->watch;

    if (!w)
        return;
    state->watch = NULL;
    pthread_mutex_lock(&w->all->lock);
    *w->at = w->next;
    if (w->next)
        w->next->at = w->at;
    w->all->count--;
    w->stream = NULL;

    bool posted = w->posted;

    pthread_mutex_unlock(&w->all->lock);
    if (!posted)
        watch_free(w);
}

const struct rpc_live_ops native_watch_ops = {
    .state_bytes = sizeof(struct watch_state),
    .message = watch_message,
    .half_close = watch_half_close,
    .drained = watch_drained,
    .closed = watch_closed,
};

/* --- all of them --- */

struct watches *watches_new(struct registry *r)
{
    struct watches *all = heap_new_type(struct watches);

    all->registry = r;
    pthread_mutex_init(&all->lock, NULL);
    all->watcher.fn = on_commit;
    registry_watch(r, &all->watcher);
    return all;
}

void watches_leave(struct watches *all)
{
    pthread_mutex_lock(&all->lock);
    all->leaving = true;
    for (struct watch *w = all->list; w; w = w->next)
        post(w);
    pthread_mutex_unlock(&all->lock);
}

void watches_free(struct watches **watches)
{
    struct watches *all = *watches;

    if (all) {
        registry_unwatch(all->registry, &all->watcher);
        pthread_mutex_destroy(&all->lock);
        free(all);
    }
    *watches = NULL;
}
