/* SPDX-License-Identifier: Apache-2.0 */
/* Hand-over between threads: any number push, one takes all, in order of arrival. Intrusive: the
 * node lives in the object that travels, which has one owner at any moment. */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>

struct queue_node {
    struct queue_node *next;
};

struct queue {
    _Atomic(struct queue_node *) head;
};

void queue_init(struct queue *q);

/* True when the queue was empty before: the consumer needs to be woken. Any thread. */
bool queue_push(struct queue *q, struct queue_node *n);

/* All that was pushed, oldest first, linked by next; NULL when there is nothing. */
struct queue_node *queue_take(struct queue *q);

#endif
