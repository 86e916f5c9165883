/* SPDX-License-Identifier: Apache-2.0 */
/* A slot a loop: set by the loop, cleared by the main thread before it posts again. */
#include "server/heartbeat.h"

#include <stdlib.h>

#include "base/heap.h"
#include "base/slot.h"
#include "net/httpd.h"
#include "net/loop.h"

struct beat {
    struct loop_task task;
    struct loop *loop;
    struct slot answered;
};

struct heartbeat {
    size_t count;
    struct beat *beats;
};

static void answer(struct loop_task *t)
{
    struct beat *b = CONTAINER_OF(t, struct beat, task);

    slot_set(&b->answered, b);
}

static void ask(struct beat *b)
{
    slot_set(&b->answered, NULL);
    b->task.fn = answer;
    loop_post(b->loop, &b->task);
}

struct heartbeat *heartbeat_new(struct httpd *h)
{
    struct heartbeat *b = heap_new_type(struct heartbeat);

    b->count = httpd_loop_count(h);
    b->beats = heap_new_array(struct beat, b->count);
    for (size_t i = 0; i < b->count; i++) {
        b->beats[i].loop = httpd_loop(h, (unsigned)i);
        ask(&b->beats[i]);
    }
    return b;
}

void heartbeat_free(struct heartbeat **b)
{
    if (!*b)
        return;
    free((*b)->beats);
    free(*b);
    *b = NULL;
}

bool heartbeat_check(struct heartbeat *b)
{
    bool all = true;

    for (size_t i = 0; i < b->count; i++) {
        if (slot_get(&b->beats[i].answered))
            ask(&b->beats[i]);
        else
            all = false;
    }
    return all;
}
