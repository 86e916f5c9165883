/* SPDX-License-Identifier: Apache-2.0 */
/* What bodies that are on their way may take up of the memory, all together: each takes its part
 * before it comes, and gives it back with its request. Any thread; one short lock. Outlives the
 * requests. */
#ifndef API_SUMOLOGIC_ROOM_H
#define API_SUMOLOGIC_ROOM_H

#include "base/metric.h"
#include "rpc/route.h"

struct room;

struct room *room_new(int64_t max_bytes, struct metrics *metrics) RETURNS_NONNULL;
void room_free(struct room **r);

/* For the body that the head of the call's request announces. UNAVAILABLE "receiver_busy": there is
 * no room now. A body that is alone may be larger than all of it. */
int room_take(struct room *r, const struct call *c, struct fail *f) MUST_CHECK;

/* For what the body has become beyond that, before it waits anywhere. Fails as room_take() does. */
int room_take_unpacked(struct room *r, const struct call *c, struct fail *f) MUST_CHECK;

/* How much to expect of a request, where `limit` is the most. Pure. */
int64_t room_estimate(const struct http_req *req, size_t limit);

#endif
