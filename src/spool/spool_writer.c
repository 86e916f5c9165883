/* SPDX-License-Identifier: Apache-2.0 */
/* The one thread that writes: it takes whatever waits, writes it behind the last record, syncs once
 * and then tells each sender. While the disk syncs, the next batch gathers. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/random.h"
#include "core/datafile.h"
#include "spool/spool_internal.h"

#define EXIT_IO     74 /* as sysexits.h names it */
#define BATCH_BYTES ((int64_t)8 << 20)
#define PARTS_MAX   512 /* of one writev() */
#define RETRY_MS    1000

static const double us_in_s = 1e6;

/* After a failed sync nobody knows what is on the disk, and asking again may say "fine" although
 * pages were dropped. So nothing is taken any more and the process ends. */
static void fatal(struct spool *s, const char *what, int error)
{
    char message[256];

    snprintf(message, sizeof(message), "spool: cannot %s: %s", what, strerrordesc_np(error));
    pthread_mutex_lock(&s->lock);
    s->failed = true;
    pthread_mutex_unlock(&s->lock);
    log_error(&s->log, "spool cannot write", KV_STR("why", message));
    if (s->o.fatal) {
        s->o.fatal(s->o.fatal_arg, message);
        return;
    }
    if (s->log.out)
        log_flush(s->log.out);
    _exit(EXIT_IO);
}

static bool no_room(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

static bool is_failed(struct spool *s)
{
    pthread_mutex_lock(&s->lock);

    bool failed = s->failed;

    pthread_mutex_unlock(&s->lock);
    return failed;
}

/* --- segments --- */

static void segment_leave(struct spool *s)
{
    if (s->fd < 0)
        return;

    /* Gives back what was set aside for it; nothing depends on that. */
    IGNORE(ftruncate(s->fd, s->offset));
    close(s->fd);
    s->fd = -1;
}

static int write_header(struct spool *s, int fd, const struct segment_header *h)
{
    uint8_t bytes[SEGMENT_HEADER_LEN];

    segment_put_header(h, bytes);

    ssize_t n = pwrite(fd, bytes, sizeof(bytes), 0);

    if (n < 0)
        return errno;
    if (n != sizeof(bytes))
        return ENOSPC;

    /* With its blocks there already, a sync has less to do. Where a file system has no such thing,
     * it goes without. */
    if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, s->o.segment_bytes) < 0 && no_room(errno))
        return errno;
    return 0;
}

/* Begins a new one; 0 or an errno, and then there is none. *synced false: the disk failed. */
static int segment_begin(struct spool *s, bool *synced)
{
    struct segment_header h = {
        .first_seq = s->next_seq,
        .salt = random_u64(),
        .created_us = clock_wall_us(s->o.clock),
    };
    char name[32];
    char path[SPOOL_PATH_MAX];
    struct fail f = {0};

    *synced = true;
    segment_leave(s);
    spool_segment_name(h.first_seq, name);
    if (spool_path(s, name, path, &f) < 0)
        return ENAMETOOLONG;

    /* One that is there already has no record in it, or its name would be taken. */
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return errno;

    int error = write_header(s, fd, &h);

    if (!error && s->o.sync && (fsync(fd) < 0 || fsync(s->dir_fd) < 0)) {
        error = EIO;
        *synced = false;
    }
    if (error) {
        close(fd);
        IGNORE(unlink(path));
        return error;
    }
    s->fd = fd;
    s->offset = SEGMENT_HEADER_LEN;
    s->salt = h.salt;
    pthread_mutex_lock(&s->lock);
    spool_add_segment(s, (struct spool_segment){h.first_seq, SEGMENT_HEADER_LEN});
    pthread_mutex_unlock(&s->lock);
    spool_trim(s);
    return 0;
}

/* --- a batch --- */

static size_t add_part(struct iovec *parts, size_t n, const void *p, size_t len)
{
    if (len == 0)
        return n;
    parts[n] = (struct iovec){.iov_base = (void *)(uintptr_t)p, .iov_len = len};
    return n + 1;
}

/* All of the parts; 0 or an errno. */
static int write_parts(int fd, struct iovec *parts, size_t count, int64_t at)
{
    size_t first = 0;

    while (first < count) {
        ssize_t n = pwritev(fd, parts + first, (int)(count - first), at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            return ENOSPC;
        at += n;
        for (size_t left = (size_t)n; left > 0;) {
            size_t took = MIN(left, parts[first].iov_len);

            left -= took;
            parts[first].iov_base = (char *)parts[first].iov_base + took;
            parts[first].iov_len -= took;
            if (parts[first].iov_len == 0)
                first++;
        }
    }
    return 0;
}

static int write_batch(struct spool *s)
{
    struct iovec parts[PARTS_MAX];
    size_t n = 0;
    int64_t at = s->offset, gathered = 0;

    for (size_t i = 0; i < s->batch_count; i++) {
        struct spool_record *r = &s->batch[i]->record;
        uint8_t *frame = s->frames + i * SEGMENT_FRAME_LEN;

        r->seq = s->next_seq + i;
        segment_put_frame(s->salt, &(struct segment_record){.r = *r, .batch = s->next_seq}, frame);
        n = add_part(parts, n, frame, SEGMENT_FRAME_LEN);
        n = add_part(parts, n, r->type.p, r->type.len);
        n = add_part(parts, n, r->metadata.p, r->metadata.len);
        n = add_part(parts, n, r->data.p, r->data.len);
        gathered += (int64_t)segment_record_len(r);
        if (n + 4 > PARTS_MAX || i + 1 == s->batch_count) {
            int error = write_parts(s->fd, parts, n, at);

            if (error)
                return error;
            at += gathered;
            gathered = 0;
            n = 0;
        }
    }
    return 0;
}

/* On the disk now: readers may see it. */
static void publish(struct spool *s)
{
    pthread_mutex_lock(&s->lock);
    s->offset += s->batch_bytes;
    s->bytes += s->batch_bytes;
    s->segments[s->segment_count - 1].bytes = s->offset;
    s->next_seq += s->batch_count;
    s->appended += s->batch_count;
    s->queued_bytes -= s->batch_bytes;
    s->disk_full = false;
    gauge_set(s->m.bytes, s->bytes);
    gauge_set(s->m.segments, (int64_t)s->segment_count);
    gauge_set(s->m.queued, s->queued_bytes);
    for (struct spool_mark *m = s->marks; m; m = m->next)
        if (m->cursor)
            waiter_wake(m->cursor->wake);
    pthread_mutex_unlock(&s->lock);
    counter_add(s->m.records, s->batch_count);
    counter_add(s->m.written, (uint64_t)s->batch_bytes);
    histogram_observe(s->m.batch, (double)s->batch_count);
}

static void settle(struct spool *s, const struct fail *lost)
{
    const struct fail fine = {0};

    if (lost) {
        pthread_mutex_lock(&s->lock);
        s->queued_bytes -= s->batch_bytes;
        s->disk_full = lost->reason && strcmp(lost->reason, "disk_full") == 0;
        gauge_set(s->m.queued, s->queued_bytes);
        pthread_mutex_unlock(&s->lock);
        counter_add(s->m.lost, s->batch_count);
    }
    for (size_t i = 0; i < s->batch_count; i++)
        s->batch[i]->done(s->batch[i], lost ? -1 : 0, lost ? lost : &fine);
    s->batch_count = 0;
    s->batch_bytes = 0;
}

/* Nothing of the batch may be found by a later start: what is cut off here was refused. */
static void take_back(struct spool *s, int error)
{
    if (!no_room(error)) {
        fatal(s, "write", error);
        return;
    }
    if (ftruncate(s->fd, s->offset) < 0)
        fatal(s, "take back a write", errno);
    log_error(&s->log, "no room for received data", KV_STR("dir", s->dir),
              KV_STR("why", strerrordesc_np(error)));
}

static int store_batch(struct spool *s)
{
    int64_t start = clock_mono_us(s->o.clock);
    int error = write_batch(s);

    if (error) {
        take_back(s, error);
        return error;
    }
    if (s->o.sync && fdatasync(s->fd) < 0) {
        error = errno;
        fatal(s, "sync", error);
        return error;
    }
    histogram_observe(s->m.commit, (double)(clock_mono_us(s->o.clock) - start) / us_in_s);
    return 0;
}

/* There may be no segment: the first batch, or no room for a new one until now. */
static int ready_segment(struct spool *s, bool wants_new)
{
    bool synced;

    if (s->fd >= 0 && !wants_new)
        return 0;

    int error = segment_begin(s, &synced);

    if (!synced)
        fatal(s, "sync a new segment", error);
    else if (error)
        log_error(&s->log, "cannot begin a spool segment", KV_STR("dir", s->dir),
                  KV_STR("why", strerrordesc_np(error)));
    return error;
}

static void run_batch(struct spool *s, bool wants_new)
{
    struct fail lost = {0};
    int error = EIO;

    if (!is_failed(s))
        error = ready_segment(s, wants_new);
    if (!error && s->batch_count > 0)
        error = store_batch(s);
    if (!error) {
        if (s->batch_count > 0)
            publish(s);
        settle(s, NULL);
        return;
    }
    IGNORE(fail_reason(&lost, CODE_UNAVAILABLE, no_room(error) ? "disk_full" : "spool_failed",
                       "data cannot be taken now"));
    lost.retry_after_ms = RETRY_MS;
    settle(s, &lost);
}

/* Moves appends from the list into the batch, at least one, as many as fit into one segment. True:
 * into a new one. */
static bool fill(struct spool *s, struct queue_node **list)
{
    int64_t base = s->fd < 0 ? SEGMENT_HEADER_LEN : s->offset;
    bool wants_new = false;

    while (*list && s->batch_count < SPOOL_BATCH_MAX && s->batch_bytes < BATCH_BYTES) {
        struct queue_node *n = *list;
        struct spool_append *a = CONTAINER_OF(n, struct spool_append, node);
        int64_t len = (int64_t)segment_record_len(&a->record);

        if (base + s->batch_bytes + len > s->o.segment_bytes) {
            if (s->batch_count > 0)
                break;
            wants_new = base > SEGMENT_HEADER_LEN;
            base = SEGMENT_HEADER_LEN;
        }
        *list = n->next;
        s->batch[s->batch_count++] = a;
        s->batch_bytes += len;
    }
    return wants_new;
}

/* Two may have asked for the same one. */
static bool is_new(const struct spool *s)
{
    return s->fd >= 0 && s->offset == SEGMENT_HEADER_LEN;
}

static bool take_rotate(struct spool *s)
{
    pthread_mutex_lock(&s->lock);

    bool rotate = s->rotate;

    s->rotate = false;
    pthread_mutex_unlock(&s->lock);
    return rotate;
}

static bool is_over(struct spool *s)
{
    pthread_mutex_lock(&s->lock);

    bool over = s->closing && s->queued_bytes == 0;

    pthread_mutex_unlock(&s->lock);
    return over;
}

void *spool_writer_main(void *spool)
{
    struct spool *s = spool;
    struct queue_node *list = NULL;

    while (true) {
        if (!list)
            list = queue_take(&s->queue);
        if (take_rotate(s) && !is_new(s))
            run_batch(s, true);
        if (list) {
            run_batch(s, fill(s, &list));
            continue;
        }
        if (is_over(s))
            break;
        if (s->log.out)
            log_flush(s->log.out);
        IGNORE(waiter_wait(s->wake, INT64_MAX));
    }
    segment_leave(s);
    return NULL;
}
