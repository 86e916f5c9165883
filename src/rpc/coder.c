/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/coder.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/heap.h"

#define KEPT_MAX 64

/* Fast rather than small: answers are compressed while a client waits. */
#define DEFLATE_LEVEL 4

struct coders {
    pthread_mutex_t lock; /* guards the two stacks */
    struct gzip_inflater *inflaters[KEPT_MAX];
    size_t inflater_count;
    struct gzip_deflater *deflaters[KEPT_MAX];
    size_t deflater_count;
};

struct coders *coders_new(void)
{
    struct coders *c = heap_new_type(struct coders);

    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void coders_free(struct coders **c)
{
    if (*c) {
        while ((*c)->inflater_count > 0)
            gzip_inflater_free(&(*c)->inflaters[--(*c)->inflater_count]);
        while ((*c)->deflater_count > 0)
            gzip_deflater_free(&(*c)->deflaters[--(*c)->deflater_count]);
        pthread_mutex_destroy(&(*c)->lock);
        free(*c);
    }
    *c = NULL;
}

int coders_inflate(struct coders *c, enum gzip_format format, struct str in, size_t max_out,
                   struct buf *out, struct fail *f)
{
    struct gzip_inflater *z = NULL;

    pthread_mutex_lock(&c->lock);
    if (c->inflater_count > 0)
        z = c->inflaters[--c->inflater_count];
    pthread_mutex_unlock(&c->lock);
    if (!z)
        z = gzip_inflater_new();

    int rc = gzip_inflate(z, format, in, max_out, out, f);

    pthread_mutex_lock(&c->lock);
    if (c->inflater_count < KEPT_MAX) {
        c->inflaters[c->inflater_count++] = z;
        z = NULL;
    }
    pthread_mutex_unlock(&c->lock);
    gzip_inflater_free(&z);
    return rc;
}

int coders_deflate(struct coders *c, struct str in, struct buf *out)
{
    struct gzip_deflater *z = NULL;

    pthread_mutex_lock(&c->lock);
    if (c->deflater_count > 0)
        z = c->deflaters[--c->deflater_count];
    pthread_mutex_unlock(&c->lock);
    if (!z)
        z = gzip_deflater_new(GZIP_FORMAT_GZIP, DEFLATE_LEVEL);

    int rc = gzip_deflate(z, in, out);

    pthread_mutex_lock(&c->lock);
    if (c->deflater_count < KEPT_MAX) {
        c->deflaters[c->deflater_count++] = z;
        z = NULL;
    }
    pthread_mutex_unlock(&c->lock);
    gzip_deflater_free(&z);
    return rc;
}
