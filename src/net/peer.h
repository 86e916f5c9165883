/* SPDX-License-Identifier: Apache-2.0 */
/* Who is at the other end, shared by a connection and the exchanges that may outlive it. All of
 * them belong to one loop's thread, so the count is a plain one. */
#ifndef NET_PEER_H
#define NET_PEER_H

#include <stdlib.h>

#include "net/http.h"

struct peer {
    struct http_peer info;
    unsigned refs;
};

static inline struct peer *peer_ref(struct peer *p)
{
    p->refs++;
    return p;
}

static inline void peer_unref(struct peer **p)
{
    if (*p && --(*p)->refs == 0)
        free(*p);
    *p = NULL;
}

#endif
