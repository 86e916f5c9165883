/* SPDX-License-Identifier: Apache-2.0 */
/* Another HTTP endpoint: what came in goes out with its media type, and with its metadata in the
 * fields that collectors use, so that the target may be another receiver of the same kind. Records
 * of one source that are lines of text travel together. 2xx: taken. An answer that says that this
 * data will never do: dropped, once it came alone. Whatever else happens may be the target's
 * trouble, or its operator's: the same again later. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "net/http_client.h"
#include "sink/record_text.h"
#include "sink/sink.h"

#define BODY_MAX       ((size_t)1 << 20) /* of records that travel together */
#define FIELDS_MAX     16
#define ANSWER_MAX     65536
#define TIMEOUT_MS     30000
#define BYTES_PER_MS   32 /* a slow target may take so much longer */
#define REFUSAL_LOGGED ((size_t)200)

#define RETRY_AFTER_MAX 86400 /* seconds; how long we really rest is for others to say */

struct http_state {
    struct http_client *client;
    const struct log *log;
    char *url;
    size_t url_len;
    pthread_mutex_t lock; /* guards what follows */
    struct http_fetch *current;
    bool stopped;
};

static int http_open(const struct sink_host *host, struct str target, void **state, struct fail *f)
{
    if (target.len > 4000 || memchr(target.p, '\0', target.len) || !host->client)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_sink",
                           "the target of an HTTP sink is no URL");

    struct http_state *s = heap_new_type(struct http_state);

    s->client = host->client;
    s->log = host->log;
    s->url = heap_alloc(target.len + 1);
    s->url_len = target.len;
    memcpy(s->url, target.p, target.len);
    pthread_mutex_init(&s->lock, NULL);
    *state = s;
    return 0;
}

static void http_close(void *state)
{
    struct http_state *s = state;

    pthread_mutex_destroy(&s->lock);
    free(s->url);
    free(s);
}

static void http_interrupt(void *state)
{
    struct http_state *s = state;

    pthread_mutex_lock(&s->lock);
    s->stopped = true;
    if (s->current)
        http_client_cancel(s->client, s->current);
    pthread_mutex_unlock(&s->lock);
}

static bool travel_together(const struct spool_record *a, const struct spool_record *b)
{
    return a->tenant == b->tenant && a->source == b->source && a->collector == b->collector &&
           str_eq(a->type, b->type) && str_eq(a->metadata, b->metadata);
}

/* How many of the records make one request. */
static size_t group_of(const struct spool_record *records, size_t count)
{
    size_t n = 1, bytes = records[0].data.len;

    if (!record_is_lines(&records[0]))
        return 1;
    while (n < count && travel_together(&records[0], &records[n])) {
        bytes += records[n].data.len + 1;
        if (bytes > BODY_MAX)
            break;
        n++;
    }
    return n;
}

static struct str body_of(struct arena *a, const struct spool_record *records, size_t n)
{
    struct buf out;
    size_t bytes = n;

    if (n == 1)
        return records[0].data;
    for (size_t i = 0; i < n; i++)
        bytes += records[i].data.len;
    buf_init_arena(&out, a, bytes);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_put_byte(&out, '\n');
        buf_put_str(&out, records[i].data);
    }
    return buf_str(&out);
}

/* By the names that receivers of this kind know. */
static const struct {
    struct str name;
    struct str field;
} fields[] = {
    {STR_INIT("host"), STR_INIT("x-sumo-host")},
    {STR_INIT("name"), STR_INIT("x-sumo-name")},
    {STR_INIT("category"), STR_INIT("x-sumo-category")},
    {STR_INIT("fields"), STR_INIT("x-sumo-fields")},
    {STR_INIT("dimensions"), STR_INIT("x-sumo-dimensions")},
    {STR_INIT("metadata"), STR_INIT("x-sumo-metadata")},
    {STR_INIT("client"), STR_INIT("x-sumo-client")},
    {STR_INIT("signal"), STR_INIT("x-muster-signal")},
};

static size_t fields_of(struct arena *a, const struct spool_record *r,
                        struct http_field out[FIELDS_MAX])
{
    struct str metadata = r->metadata, name = {0}, value = {0};
    size_t n = 0;

    if (r->type.len > 0)
        out[n++] = (struct http_field){STR("content-type"), r->type};
    out[n++] = (struct http_field){STR("x-muster-seq"),
                                   arena_printf(a, "%llu", (unsigned long long)r->seq)};
    while (record_text_next(&metadata, &name, &value))
        for (size_t i = 0; i < COUNTOF(fields); i++)
            if (str_eq(name, fields[i].name) && n < FIELDS_MAX)
                out[n++] = (struct http_field){fields[i].field, value};
    return n;
}

/* The data itself is wrong for the target, today and tomorrow. A target that has moved, wants
 * another credential or is not there yet is no reason to drop anything. */
static bool is_unwanted(int status)
{
    return status == 400 || status == 413 || status == 415 || status == 422 || status == 431;
}

/* In seconds; a date is not looked at. */
static uint32_t retry_after_ms(const struct http_fetch *x)
{
    uint64_t seconds;

    for (size_t i = 0; i < x->answer_field_count; i++)
        if (str_eq(x->answer_fields[i].name, STR("retry-after")) &&
            str_to_u64(x->answer_fields[i].value, &seconds) == 0)
            return (uint32_t)MIN(seconds, (uint64_t)RETRY_AFTER_MAX) * 1000;
    return 0;
}

/* False: we were interrupted. */
static bool set_current(struct http_state *s, struct http_fetch *x)
{
    pthread_mutex_lock(&s->lock);

    bool stopped = s->stopped;

    s->current = x;
    pthread_mutex_unlock(&s->lock);
    return !stopped;
}

static int fetch(struct http_state *s, struct http_fetch *x, struct fail *f)
{
    int rc = -1;

    if (set_current(s, x))
        rc = http_client_fetch(s->client, x, f);
    else
        IGNORE(fail_set(f, CODE_CANCELED, "the server is stopping"));
    IGNORE(set_current(s, NULL));
    return rc;
}

static bool is_success(int status)
{
    return status >= 200 && status < 300;
}

enum outcome {
    TAKEN,
    UNWANTED,
    AGAIN, /* later; *f says why */
};

static enum outcome send_group(struct http_state *s, const struct spool_record *records, size_t n,
                               struct arena *a, struct fail *f)
{
    struct http_field out[FIELDS_MAX];
    struct http_fetch x = {
        .method = HTTP_POST,
        .url = str_make(s->url, s->url_len),
        .fields = out,
        .field_count = fields_of(a, &records[0], out),
        .body = body_of(a, records, n),
        .answer_max = ANSWER_MAX,
        .arena = a,
    };

    x.timeout_ms = (uint32_t)(TIMEOUT_MS + x.body.len / BYTES_PER_MS);
    if (fetch(s, &x, f) < 0) /* it may say more about its success than we want to know */
        return f->code == CODE_RESOURCE_EXHAUSTED && is_success(x.status) ? TAKEN : AGAIN;
    if (is_success(x.status))
        return TAKEN;
    if (!is_unwanted(x.status)) {
        IGNORE(fail_set(f, CODE_UNAVAILABLE, "the target answered %d", x.status));
        f->retry_after_ms = retry_after_ms(&x);
        return AGAIN;
    }
    if (n == 1)
        log_warn(s->log, "a sink's target refuses data; it is dropped", KV_INT("status", x.status),
                 KV_UINT("seq", records[0].seq), KV_INT("source", records[0].source),
                 KV_SLICE("answer", str_make(x.answer.p, MIN(x.answer.len, REFUSAL_LOGGED))));
    return UNWANTED;
}

static int http_deliver(void *state, const struct spool_record *records, size_t count,
                        struct arena *a, size_t *taken, size_t *refused, struct fail *f)
{
    struct http_state *s = state;
    size_t alone = 0; /* so many of the next ones: what was refused may be one of them */

    *taken = 0;
    *refused = 0;
    while (*taken < count) {
        size_t n = alone > 0 ? 1 : group_of(records + *taken, count - *taken);

        switch (send_group(s, records + *taken, n, a, f)) {
        case AGAIN: return -1;
        case TAKEN: break;
        case UNWANTED:
            if (n > 1) {
                alone = n;
                continue;
            }
            *refused += 1;
            break;
        }
        *taken += n;
        alone -= MIN(alone, n);
    }
    return 0;
}

const struct sink_kind http_sink = {
    .scheme = "http",
    .open = http_open,
    .deliver = http_deliver,
    .interrupt = http_interrupt,
    .close = http_close,
};

const struct sink_kind https_sink = {
    .scheme = "https",
    .open = http_open,
    .deliver = http_deliver,
    .interrupt = http_interrupt,
    .close = http_close,
};
