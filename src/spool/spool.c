/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, closing, taking records in, and letting go of what is done with. See core/spool.h. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/heap.h"
#include "core/datafile.h"
#include "spool/spool_internal.h"

#define RETRY_MS   1000
#define TRIM_BATCH 16
#define NUMBER_LEN 20 /* in the name of a segment */

#define BLOCK_BYTES ((size_t)4096) /* what a disk gives, or does not */

int spool_path(const struct spool *s, const char *name, char out[SPOOL_PATH_MAX], struct fail *f)
{
    int n = snprintf(out, SPOOL_PATH_MAX, "%s/%s", s->dir, name);

    if (n > 0 && n < SPOOL_PATH_MAX)
        return 0;
    return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_path", "the path of %s is too long", name);
}

void spool_segment_name(uint64_t first_seq, char out[32])
{
    snprintf(out, 32, "%020llu.seg", (unsigned long long)first_seq);
}

bool spool_segment_parse(struct str name, uint64_t *first_seq)
{
    return name.len == NUMBER_LEN + strlen(".seg") && str_ends_with(name, STR(".seg")) &&
           str_to_u64(str_first(name, NUMBER_LEN), first_seq) == 0;
}

static int by_seq(const void *a, const void *b)
{
    uint64_t x = ((const struct spool_segment *)a)->first_seq;
    uint64_t y = ((const struct spool_segment *)b)->first_seq;

    return x < y ? -1 : x > y;
}

void spool_sort_segments(struct spool_segment *segments, size_t count)
{
    qsort(segments, count, sizeof(*segments), by_seq);
}

void spool_add_segment(struct spool *s, struct spool_segment segment)
{
    if (s->segment_count == s->segment_cap) {
        s->segment_cap = MAX(s->segment_cap * 2, (size_t)16);
        s->segments = heap_realloc(s->segments, s->segment_cap * sizeof(*s->segments));
    }
    s->segments[s->segment_count++] = segment;
    s->bytes += segment.bytes;
}

/* --- reading files --- */

int spool_pread(int fd, char *out, size_t len, int64_t at)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(fd, out + done, len - done, at + (int64_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        done += (size_t)n;
    }
    return 0;
}

bool spool_salvage(int fd, char *out, size_t len, int64_t at)
{
    bool whole = true;

    for (size_t done = 0; done < len;) {
        int64_t from = at + (int64_t)done;
        ssize_t n = pread(fd, out + done, len - done, from);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            n = (ssize_t)MIN(len - done, BLOCK_BYTES - (size_t)from % BLOCK_BYTES);
            memset(out + done, 0, (size_t)n);
            whole = false;
        }
        done += (size_t)n;
    }
    return whole;
}

/* --- letting go --- */

/* The first record that a cursor still needs. Without one, all are kept until it was said that
 * there is to be none. Locked. */
static uint64_t lowest_needed(const struct spool *s)
{
    uint64_t lowest = s->marks || s->unwanted ? s->next_seq : 0;

    for (const struct spool_mark *m = s->marks; m; m = m->next)
        lowest = MIN(lowest, m->seq);
    return lowest;
}

/* Takes up to TRIM_BATCH segments off the list. Locked. */
static size_t take_passed(struct spool *s, uint64_t out[TRIM_BATCH])
{
    uint64_t needed = lowest_needed(s);
    size_t n = 0;

    while (n < TRIM_BATCH && n + 1 < s->segment_count && s->segments[n + 1].first_seq <= needed) {
        out[n] = s->segments[n].first_seq;
        s->bytes -= s->segments[n].bytes;
        n++;
    }
    s->segment_count -= n;
    if (n > 0)
        memmove(s->segments, s->segments + n, s->segment_count * sizeof(*s->segments));
    gauge_set(s->m.bytes, s->bytes);
    gauge_set(s->m.segments, (int64_t)s->segment_count);
    return n;
}

/* Nobody needs any of it, but the last segment is as long as it is, and senders are turned away.
 * Locked. */
static bool last_is_in_the_way(const struct spool *s)
{
    return s->refused_full && s->segment_count > 0 &&
           s->segments[s->segment_count - 1].bytes > SEGMENT_HEADER_LEN &&
           lowest_needed(s) >= s->next_seq;
}

/* No sync: a segment that comes back after a crash is found to be passed, and goes again. */
static void delete_segment(struct spool *s, uint64_t first_seq)
{
    char name[32];
    char path[SPOOL_PATH_MAX];
    struct fail f;

    spool_segment_name(first_seq, name);
    if (spool_path(s, name, path, &f) < 0)
        return;
    if (unlink(path) < 0 && errno != ENOENT)
        log_error(&s->log, "cannot delete a spool segment", KV_STR("file", path),
                  KV_STR("why", strerrordesc_np(errno)));
}

void spool_trim(struct spool *s)
{
    uint64_t gone[TRIM_BATCH];
    size_t count;
    bool rotate;

    do {
        pthread_mutex_lock(&s->lock);
        count = take_passed(s, gone);
        rotate = last_is_in_the_way(s) && !s->rotate && !s->closing;
        s->rotate |= rotate;
        pthread_mutex_unlock(&s->lock);
        for (size_t i = 0; i < count; i++)
            delete_segment(s, gone[i]);
    } while (count == TRIM_BATCH);
    if (rotate)
        waiter_wake(s->wake);
}

/* --- taking in --- */

int spool_submit(struct spool *s, struct spool_append *a, struct fail *f)
{
    size_t len = segment_record_len(&a->record);
    const char *reason = NULL;
    bool full = false;

    assert(a->done);
    if (len == 0 || (int64_t)len > s->o.total_bytes - SEGMENT_HEADER_LEN)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "record_too_large",
                           "there will never be room for so much data at once");
    pthread_mutex_lock(&s->lock);
    if (s->closing || s->failed)
        reason = s->failed ? "spool_failed" : "closing";
    else if (s->bytes + s->queued_bytes + (int64_t)len > s->o.total_bytes)
        full = true;
    else if (s->queued_bytes > 0 && s->queued_bytes + (int64_t)len > (int64_t)s->o.queue_bytes)
        reason = "spool_busy";
    else
        s->queued_bytes += (int64_t)len;
    s->refused_full = full;

    /* Its readers may be through already, and will say so no more. */
    bool trim = full && last_is_in_the_way(s);

    pthread_mutex_unlock(&s->lock);
    if (!full && !reason) {
        if (queue_push(&s->queue, &a->node))
            waiter_wake(s->wake);
        return 0;
    }
    if (trim)
        spool_trim(s);
    counter_add(s->m.refused, 1);
    if (full)
        IGNORE(fail_reason(f, CODE_RESOURCE_EXHAUSTED, "spool_full",
                           "no more data is taken until some of it was passed on"));
    else
        IGNORE(fail_reason(f, CODE_UNAVAILABLE, reason, "data cannot be taken now"));
    f->retry_after_ms = RETRY_MS;
    return -1;
}

void spool_stats(struct spool *s, struct spool_stats *out)
{
    pthread_mutex_lock(&s->lock);
    *out = (struct spool_stats){
        .bytes = s->bytes,
        .total_bytes = s->o.total_bytes,
        .disk_full = s->disk_full,
        .segments = s->segment_count,
        .appended = s->appended,
        .oldest_seq = s->segment_count > 0 ? s->segments[0].first_seq : s->next_seq,
        .next_seq = s->next_seq,
    };
    pthread_mutex_unlock(&s->lock);
}

void spool_wake(struct spool *s)
{
    pthread_mutex_lock(&s->lock);
    for (struct spool_mark *m = s->marks; m; m = m->next)
        if (m->cursor)
            waiter_wake(m->cursor->wake);
    pthread_mutex_unlock(&s->lock);
}

/* --- birth and death --- */

static void make_series(struct spool *s)
{
    struct metrics *m = s->o.metrics;
    static const double batches[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};

    s->m = (struct spool_series){
        .bytes = metrics_gauge(m, "muster_spool_bytes", "Data that waits in segment files.", ""),
        .segments = metrics_gauge(m, "muster_spool_segments", "Segment files.", ""),
        .queued =
            metrics_gauge(m, "muster_spool_queued_bytes", "Data that waits to be written.", ""),
        .records =
            metrics_counter(m, "muster_spool_records_total", "Records that are on disk.", ""),
        .written = metrics_counter(m, "muster_spool_written_bytes_total",
                                   "Bytes of records that are on disk.", ""),
        .refused = metrics_counter(m, "muster_spool_refused_total",
                                   "Records that were turned away before they were written.", ""),
        .lost = metrics_counter(m, "muster_spool_failed_total",
                                "Records whose write failed; senders were told so.", ""),
        .unreadable = metrics_counter(m, "muster_spool_unreadable_total",
                                      "Stretches of segment files that could not be read.", ""),
        .commit = metrics_histogram(m, "muster_spool_commit_seconds",
                                    "Writing and syncing what waited.", "", NULL, 0),
        .batch = metrics_histogram(m, "muster_spool_batch_records",
                                   "Records written with one sync.", "", batches, COUNTOF(batches)),
    };
}

static int make_dir(struct spool *s, struct fail *f)
{
    bool is_new = mkdir(s->dir, 0700) == 0;

    if (!is_new && errno != EEXIST)
        return datafile_fail(f, errno, "make", s->dir);
    s->dir_fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0)
        return datafile_fail(f, errno, "open", s->dir);
    return is_new ? datafile_sync_dir(s->o.data_dir, f) : 0;
}

static void spool_free(struct spool **spool)
{
    struct spool *s = *spool;

    if (s->fd >= 0)
        close(s->fd);
    if (s->dir_fd >= 0)
        close(s->dir_fd);
    while (s->marks) {
        struct spool_mark *m = s->marks;

        assert(!m->cursor);
        s->marks = m->next;
        free(m);
    }
    waiter_free(&s->wake);
    pthread_mutex_destroy(&s->lock);
    metrics_free(&s->own_metrics);
    free(s->segments);
    free(s->batch);
    free(s->frames);
    free(s);
    *spool = NULL;
}

int spool_open(const struct spool_options *o, struct spool **out, struct fail *f)
{
    struct spool *s = heap_new_type(struct spool);
    int n = snprintf(s->dir, sizeof(s->dir), "%s/spool", o->data_dir);

    s->o = *o;
    s->fd = -1;
    s->dir_fd = -1;
    if (o->log)
        s->log = *o->log;
    if (!o->metrics)
        s->o.metrics = s->own_metrics = metrics_new();

    /* Space comes back by whole segments. */
    s->o.segment_bytes = MAX(MIN(o->segment_bytes, o->total_bytes / 4), SPOOL_SEGMENT_LO);
    pthread_mutex_init(&s->lock, NULL);
    queue_init(&s->queue);
    s->wake = waiter_new(o->clock);
    s->batch = heap_new_array(struct spool_append *, SPOOL_BATCH_MAX);
    s->frames = heap_calloc(SPOOL_BATCH_MAX, SEGMENT_FRAME_LEN);
    make_series(s);
    if (n < 0 || n >= (int)sizeof(s->dir)) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_path",
                           "the data directory's path is "
                           "too long"));
        spool_free(&s);
        return -1;
    }
    if (make_dir(s, f) < 0 || spool_recover(s, f) < 0) {
        spool_free(&s);
        return -1;
    }
    spool_trim(s);
    if (pthread_create(&s->thread, NULL, spool_writer_main, s) != 0)
        abort();
    s->has_thread = true;
    *out = s;
    return 0;
}

void spool_close(struct spool **spool)
{
    struct spool *s = *spool;

    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    pthread_mutex_unlock(&s->lock);
    waiter_wake(s->wake);
    pthread_join(s->thread, NULL);
    spool_free(spool);
}
