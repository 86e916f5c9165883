/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the segments from the oldest to the newest, as a cursor would. Of a spool that is open it
 * looks at what was acknowledged when the walk began, and forgives segments that are let go of
 * meanwhile. See spool_audit.h. */
#include "spool/spool_audit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/heap.h"
#include "core/datafile.h"
#include "spool/spool_internal.h"

#define WINDOW_BYTES ((size_t)1 << 20)

struct mark {
    const char *name;
    uint64_t seq;
};

/* Part of a segment, in memory. */
struct window {
    int fd;
    char *bytes;
    size_t cap;
    size_t len;
    int64_t base; /* where in the file it begins */
};

struct look {
    struct spool *live;
    struct audit *audit;
    struct spool_totals *totals;
    char dir[SPOOL_PATH_MAX];
    struct spool_segment *segments; /* oldest first */
    size_t count;
    size_t cap;
    struct mark *marks;
    size_t mark_count;
    uint64_t next; /* the record that should come next; 0: unknown */
    struct window window;
};

/* One segment on its way through the checks. */
struct walk {
    char name[32];
    struct segment_header header;
    int64_t limit; /* what is behind it does not count */
    int64_t at;
    uint64_t seq; /* the next one */
    uint64_t end; /* the first record that is not in it; 0: unknown, for it is the last segment */
};

/* --- what there is --- */

static void add_mark(struct look *l, const char *name, uint64_t seq)
{
    l->marks = heap_realloc(l->marks, (l->mark_count + 1) * sizeof(*l->marks));
    l->marks[l->mark_count++] = (struct mark){arena_cstr(l->audit->arena, str_of(name)), seq};
}

static void add_segment(struct look *l, struct spool_segment segment)
{
    if (l->count == l->cap) {
        l->cap = MAX(l->cap * 2, (size_t)16);
        l->segments = heap_realloc(l->segments, l->cap * sizeof(*l->segments));
    }
    l->segments[l->count++] = segment;
}

static void look_at_mark(struct look *l, const char *file)
{
    struct arena *a = arena_new(1024);
    struct str text = {NULL, 0};
    struct fail f = {0};
    uint64_t seq = 0;

    if (datafile_read(a, l->dir, file, SPOOL_MARK_BYTES_MAX, &text, &f) < 0) {
        if (f.code != CODE_NOT_FOUND)
            audit_find(l->audit, "spool/%s: %s", file, f.message);
    } else if (!spool_mark_parse(text, &seq)) {
        audit_find(l->audit, "spool/%s is damaged: its sink would begin again at the oldest record",
                   file);
    } else if (!l->live) {
        add_mark(l, file, seq);
    }
    arena_free(&a);
}

static void look_at_entry(struct look *l, const char *file)
{
    struct str name = str_of(file);
    uint64_t first = 0;

    if (str_ends_with(name, STR(".cursor")))
        look_at_mark(l, file);
    else if (!l->live && spool_segment_parse(name, &first))
        add_segment(l, (struct spool_segment){.first_seq = first});
}

static int look_around(struct look *l, struct fail *f)
{
    DIR *d = opendir(l->dir);
    const struct dirent *e;

    if (!d)
        return errno == ENOENT ? 0 : datafile_fail(f, errno, "open", l->dir);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is nobody else's */
    while ((e = readdir(d)) != NULL)
        look_at_entry(l, e->d_name);
    closedir(d);
    if (l->count > 0)
        spool_sort_segments(l->segments, l->count);
    return 0;
}

/* Files say less than the spool that has them open. Returns the number of the next record. */
static uint64_t ask_live(struct look *l)
{
    struct spool *s = l->live;
    char file[SPOOL_NAME_MAX + 16];

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->segment_count; i++)
        add_segment(l, s->segments[i]);
    for (const struct spool_mark *m = s->marks; m; m = m->next) {
        snprintf(file, sizeof(file), "%s.cursor", m->name);
        if (m->seq > 0) /* it was damaged, and its file says so */
            add_mark(l, file, m->seq);
    }

    uint64_t next = s->next_seq;

    pthread_mutex_unlock(&s->lock);
    return next;
}

static bool is_let_go(struct look *l, uint64_t first_seq)
{
    bool gone = true;

    if (!l->live)
        return false;
    pthread_mutex_lock(&l->live->lock);
    for (size_t i = 0; i < l->live->segment_count; i++)
        gone = gone && l->live->segments[i].first_seq != first_seq;
    pthread_mutex_unlock(&l->live->lock);
    return gone;
}

/* --- one segment --- */

/* 0 or an errno; EIO where the file ends early. */
static int read_at(int fd, char *out, size_t len, int64_t at)
{
    errno = 0;
    if (spool_pread(fd, out, len, at) == 0)
        return 0;
    return errno ? errno : EIO;
}

/* So many bytes from `at` on; all are before the limit. 0 or an errno. */
static int window_fill(struct window *w, int64_t at, size_t want, int64_t limit)
{
    if (at >= w->base && at + (int64_t)want <= w->base + (int64_t)w->len)
        return 0;
    if (w->cap < want || !w->bytes) {
        free(w->bytes);
        w->cap = MAX(want, WINDOW_BYTES);
        w->bytes = heap_alloc(w->cap);
    }
    w->base = at;
    w->len = (size_t)MIN((int64_t)w->cap, limit - at);

    int error = read_at(w->fd, w->bytes, w->len, at);

    if (error)
        w->len = 0;
    return error;
}

/* Ends at the limit or in front of what is no whole record; 0 or an errno. */
static int walk_records(struct window *in, struct walk *w)
{
    size_t want = SEGMENT_FRAME_LEN;

    while (w->at < w->limit) {
        int64_t left = w->limit - w->at;
        int error = window_fill(in, w->at, (size_t)MIN((int64_t)want, left), w->limit);
        struct segment_record rec = {0};
        size_t used = 0;

        if (error)
            return error;

        struct str bytes = str_skip(str_make(in->bytes, in->len), (size_t)(w->at - in->base));
        enum segment_verdict v = segment_get(w->header.salt, bytes, &rec, &used);

        if (v == SEGMENT_SHORT && (int64_t)used <= left) {
            want = used;
            continue;
        }
        if (v != SEGMENT_WHOLE || rec.r.seq != w->seq)
            return 0;
        w->at += (int64_t)used;
        w->seq++;
        want = SEGMENT_FRAME_LEN;
    }
    return 0;
}

static void tell_unreadable(const struct look *l, const struct walk *w, int error)
{
    audit_find(l->audit, "spool/%s cannot be read at byte %" PRId64 ": %s", w->name, w->at,
               strerrordesc_np(error));
}

/* From the bad bytes to the record `end`, which is readable again. */
static void tell_damage(const struct look *l, const struct walk *w, uint64_t end)
{
    if (end > w->seq + 1)
        audit_find(l->audit,
                   "spool/%s is damaged at byte %" PRId64 ": records %" PRIu64 " to %" PRIu64
                   " cannot be delivered",
                   w->name, w->at, w->seq, end - 1);
    else if (end == w->seq)
        audit_find(l->audit, "spool/%s is damaged at byte %" PRId64 ", behind its last record",
                   w->name, w->at);
    else
        audit_find(l->audit,
                   "spool/%s is damaged at byte %" PRId64 ": record %" PRIu64
                   " cannot be delivered",
                   w->name, w->at, w->seq);
}

/* Of the last segment of a spool that is not open: a crash tears off what it was about to store. */
static bool is_torn(const struct walk *w, struct str rest)
{
    struct spool_tail t = {.end = w->at, .next = w->seq};

    if (w->end > 0)
        return false;
    spool_look_behind(&w->header, rest, &t);
    return !t.damaged;
}

/* Goes to the next whole record behind what is bad; false: there is none, or it does not count. */
static bool pass_over(struct look *l, struct walk *w)
{
    struct segment_record rec = {0};
    size_t used = 0;
    int error = window_fill(&l->window, w->at, (size_t)(w->limit - w->at), w->limit);

    if (error) {
        tell_unreadable(l, w, error);
        return false;
    }

    struct str rest =
        str_skip(str_make(l->window.bytes, l->window.len), (size_t)(w->at - l->window.base));

    if (is_torn(w, rest)) {
        l->next = w->seq;
        audit_note(l->audit,
                   "spool/%s ends in a torn record at byte %" PRId64
                   ", as a crash leaves it: nobody was told that it is stored",
                   w->name, w->at);
        return false;
    }

    ptrdiff_t at = segment_find(w->header.salt, rest, w->seq - 1);

    if (at < 0 ||
        segment_get(w->header.salt, str_skip(rest, (size_t)at), &rec, &used) != SEGMENT_WHOLE) {
        tell_damage(l, w, w->end);
        return false;
    }
    tell_damage(l, w, rec.r.seq);
    w->at += at;
    w->seq = rec.r.seq;
    return true;
}

static void walk_segment(struct look *l, struct walk *w)
{
    l->next = 0;
    do {
        uint64_t from = w->seq;
        int64_t begin = w->at;
        int error = walk_records(&l->window, w);

        l->totals->records += w->seq - from;
        l->totals->bytes += w->at - begin;
        if (error) {
            tell_unreadable(l, w, error);
            return;
        }
        if (w->at == w->limit) {
            l->next = w->seq;
            return;
        }
    } while (pass_over(l, w));
}

/* False: it has none, and that was said. */
static bool read_header(struct look *l, struct walk *w, uint64_t first_seq)
{
    char bytes[SEGMENT_HEADER_LEN];

    if (w->limit >= SEGMENT_HEADER_LEN && read_at(l->window.fd, bytes, sizeof(bytes), 0) == 0 &&
        segment_get_header(str_make(bytes, sizeof(bytes)), &w->header) &&
        w->header.first_seq == first_seq)
        return true;
    l->next = 0;
    if (w->end == 0 && w->limit <= SEGMENT_HEADER_LEN) {
        audit_note(l->audit, "spool/%s was begun when a crash came; the next start removes it",
                   w->name);
        l->next = first_seq;
    } else {
        audit_find(l->audit, "spool/%s is damaged: its header is not what was written", w->name);
    }
    return false;
}

static void look_at_file(struct look *l, const struct spool_segment *segment, struct walk *w)
{
    struct stat st;

    if (fstat(l->window.fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        audit_find(l->audit, "spool/%s is no regular file", w->name);
        l->next = 0;
        return;
    }
    w->limit = l->live ? segment->bytes : (int64_t)st.st_size;
    if (st.st_size < w->limit) {
        audit_find(l->audit,
                   "spool/%s has %lld bytes, but %" PRId64 " were acknowledged: its end is missing",
                   w->name, (long long)st.st_size, w->limit);
        l->next = 0;
        return;
    }
    if (!read_header(l, w, segment->first_seq))
        return;
    w->at = SEGMENT_HEADER_LEN;
    w->seq = segment->first_seq;
    walk_segment(l, w);
}

static void tell_gap(const struct look *l, const char *name, uint64_t first_seq)
{
    if (l->next == 0 || l->next == first_seq)
        return;
    if (l->next < first_seq)
        audit_find(l->audit,
                   "spool/%s begins at record %" PRIu64
                   ", but the segment before it ends before "
                   "record %" PRIu64 ": what was between is missing",
                   name, first_seq, l->next);
    else
        audit_find(l->audit, "spool/%s begins with records that the segment before it has", name);
}

/* `end`: see struct walk. */
static void look_at_segment(struct look *l, const struct spool_segment *segment, uint64_t end)
{
    struct walk w = {.end = end};
    char path[SPOOL_PATH_MAX + sizeof(w.name)];

    spool_segment_name(segment->first_seq, w.name);
    snprintf(path, sizeof(path), "%s/%s", l->dir, w.name);
    l->window.len = 0;
    l->window.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (l->window.fd < 0) {
        int error = errno;

        l->next = 0;
        if (error != ENOENT || !is_let_go(l, segment->first_seq))
            audit_find(l->audit, "spool/%s cannot be opened: %s", w.name, strerrordesc_np(error));
        return;
    }
    tell_gap(l, w.name, segment->first_seq);
    look_at_file(l, segment, &w);
    close(l->window.fd);
}

/* --- cursors --- */

static void look_at_cursor(const struct look *l, const struct mark *m)
{
    uint64_t oldest = l->count > 0 ? l->segments[0].first_seq : l->next;

    /* What every sink has passed may go before its place is written down. */
    if (oldest > m->seq)
        audit_note(l->audit,
                   "spool/%s is at record %" PRIu64 ", but the oldest there is is %" PRIu64
                   ": what is between was let go of, or is missing",
                   m->name, m->seq, oldest);
    else if (l->next > 0 && m->seq > l->next)
        audit_find(l->audit,
                   "spool/%s is at record %" PRIu64 ", but the segments end before record %" PRIu64
                   ": their end is missing",
                   m->name, m->seq, l->next);
}

/* Without a segment the cursors alone tell how far numbers have come. */
static void look_at_cursors(struct look *l)
{
    for (size_t i = 0; l->count == 0 && i < l->mark_count; i++)
        l->next = MAX(l->next, l->marks[i].seq);
    for (size_t i = 0; i < l->mark_count; i++)
        look_at_cursor(l, &l->marks[i]);
}

int spool_audit(const char *data_dir, struct spool *live, struct audit *audit,
                struct spool_totals *totals, struct fail *f)
{
    struct look l = {.live = live, .audit = audit, .totals = totals, .next = 0};
    int n = snprintf(l.dir, sizeof(l.dir), "%s/spool", data_dir);

    *totals = (struct spool_totals){0};
    if (n < 0 || n >= (int)sizeof(l.dir))
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_path", "the path is too long");

    uint64_t live_next = live ? ask_live(&l) : 0;
    int result = look_around(&l, f);

    totals->segments = l.count;
    for (size_t i = 0; result == 0 && i < l.count; i++)
        look_at_segment(&l, &l.segments[i],
                        i + 1 < l.count ? l.segments[i + 1].first_seq : live_next);
    if (live)
        l.next = live_next;
    if (result == 0)
        look_at_cursors(&l);
    free(l.window.bytes);
    free(l.segments);
    free(l.marks);
    return result;
}
