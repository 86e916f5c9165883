/* SPDX-License-Identifier: Apache-2.0 */
/* Hand-over between threads: a stack that many push to and that one thread takes as a whole, which
 * leaves no room for the ABA problem. Any thread pushes. */
#include "base/queue.h"

#include <stddef.h>

void queue_init(struct queue *q)
{
    atomic_init(&q->head, NULL);
}

/* Release: what the pusher wrote to the object is seen by whoever takes it. */
bool queue_push(struct queue *q, struct queue_node *n)
{
    struct queue_node *head = atomic_load_explicit(&q->head, memory_order_relaxed);

    do {
        n->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&q->head, &head, n, memory_order_release,
                                                    memory_order_relaxed));
    return head == NULL;
}

/* Acquire pairs with the release of every push before: each push continues the release sequence
 * of the one below it. */
struct queue_node *queue_take(struct queue *q)
{
    if (!atomic_load_explicit(&q->head, memory_order_relaxed))
        return NULL;

    struct queue_node *newest = atomic_exchange_explicit(&q->head, NULL, memory_order_acquire);
    struct queue_node *oldest = NULL;

    while (newest) {
        struct queue_node *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}
