/* SPDX-License-Identifier: Apache-2.0 */
/* See room.h. */
#include "api/sumologic/room.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/heap.h"

#define USUAL_RATIO 16 /* of packed text; what is more is taken once it is unpacked */
#define RETRY_MS    1000

struct room {
    int64_t max;
    struct metric_gauge *gauge;
    pthread_mutex_t lock; /* guards what follows */
    int64_t taken;
};

/* Lives in the arena of a request. */
struct part {
    struct room *room;
    int64_t bytes;
};

struct room *room_new(int64_t max_bytes, struct metrics *metrics)
{
    struct room *r = heap_new_type(struct room);

    r->max = max_bytes;
    r->gauge = metrics_gauge(metrics, "muster_receiver_body_bytes",
                             "Memory set aside for data that is coming in.", "");
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

void room_free(struct room **r)
{
    if (!*r)
        return;
    pthread_mutex_destroy(&(*r)->lock);
    free(*r);
    *r = NULL;
}

int64_t room_estimate(const struct http_req *req, size_t limit)
{
    int64_t most = (int64_t)limit;
    bool packed = http_req_field(req, STR("content-encoding")).len > 0;

    if (req->method == HTTP_GET || req->method == HTTP_HEAD)
        return 0;
    if (req->content_length < 0 || req->content_length > most)
        return most;
    return packed ? MIN(req->content_length, most / USUAL_RATIO) * USUAL_RATIO
                  : req->content_length;
}

static void give_back(void *arg)
{
    const struct part *p = arg;

    pthread_mutex_lock(&p->room->lock);
    p->room->taken -= p->bytes;
    gauge_set(p->room->gauge, p->room->taken);
    pthread_mutex_unlock(&p->room->lock);
}

/* `more` for a request that has `own` already. */
static int take(struct room *r, struct arena *a, int64_t own, int64_t more, struct fail *f)
{
    pthread_mutex_lock(&r->lock);

    bool fits = r->taken <= own || more <= r->max - r->taken;

    r->taken += fits ? more : 0;
    gauge_set(r->gauge, r->taken);
    pthread_mutex_unlock(&r->lock);
    if (!fits) {
        IGNORE(fail_reason(f, CODE_UNAVAILABLE, "receiver_busy",
                           "too much data is coming in at the moment"));
        f->retry_after_ms = RETRY_MS;
        return -1;
    }

    struct part *p = arena_new_type(a, struct part);

    *p = (struct part){.room = r, .bytes = more};
    arena_on_free(a, give_back, p);
    return 0;
}

int room_take(struct room *r, const struct call *c, struct fail *f)
{
    int64_t bytes = room_estimate(&c->x->req, c->route->body_limit);

    return bytes == 0 ? 0 : take(r, c->arena, 0, bytes, f);
}

int room_take_unpacked(struct room *r, const struct call *c, struct fail *f)
{
    int64_t own = room_estimate(&c->x->req, c->route->body_limit);
    int64_t bytes = (int64_t)c->x->req.body.len;

    return bytes <= own ? 0 : take(r, c->arena, own, bytes - own, f);
}
