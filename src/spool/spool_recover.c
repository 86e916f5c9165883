/* SPDX-License-Identifier: Apache-2.0 */
/* What a start finds: segments in the order of their names, and how far each cursor has come. Only
 * the last segment is read: what a crash has torn off there is cut away, for it was never
 * acknowledged. Damage before that is told from a tear by what follows: a whole record of a later
 * batch says that the damaged one was on the disk once. Then nothing is cut. New data goes to a new
 * segment in any case: what a failed sync has left may be read well from memory and yet not be on
 * the disk, and nothing that is acknowledged later may stand behind it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/heap.h"
#include "core/datafile.h"
#include "spool/spool_internal.h"

static bool name_ends_in(struct str name, struct str suffix, struct str *stem)
{
    if (!str_ends_with(name, suffix) || name.len == suffix.len)
        return false;
    *stem = str_first(name, name.len - suffix.len);
    return true;
}

static int take_mark(struct spool *s, const char *file, struct str stem, struct fail *f)
{
    struct arena *a = arena_new(1024);
    struct str text = {0};

    if (stem.len > SPOOL_NAME_MAX ||
        (datafile_read(a, s->dir, file, SPOOL_MARK_BYTES_MAX, &text, f) < 0 &&
         f->code != CODE_OUT_OF_RANGE)) {
        arena_free(&a);
        return stem.len > SPOOL_NAME_MAX ? 0 : -1;
    }

    struct spool_mark *m = heap_new_type(struct spool_mark);

    memcpy(m->name, stem.p, stem.len);
    if (!spool_mark_parse(text, &m->seq))
        log_error(&s->log, "a spool cursor is damaged and begins again", KV_STR("file", file));
    m->written = m->seq;
    m->next = s->marks;
    s->marks = m;
    arena_free(&a);
    return 0;
}

static int look_around(struct spool *s, struct fail *f)
{
    DIR *d = opendir(s->dir);
    struct dirent *e;
    int result = 0;

    if (!d)
        return datafile_fail(f, errno, "open", s->dir);
    while (result == 0 && (e = readdir(d))) {
        struct str name = str_of(e->d_name);
        struct str stem;
        uint64_t first = 0;

        if (spool_segment_parse(name, &first) && first > 0)
            spool_add_segment(s, (struct spool_segment){.first_seq = first});
        else if (name_ends_in(name, STR(".cursor"), &stem))
            result = take_mark(s, e->d_name, stem, f);
    }
    closedir(d);
    return result;
}

static int open_segment(struct spool *s, uint64_t first_seq, int *fd, int64_t *size, struct fail *f)
{
    char name[32];
    char path[SPOOL_PATH_MAX];
    struct stat st;

    spool_segment_name(first_seq, name);
    if (spool_path(s, name, path, f) < 0)
        return -1;
    *fd = open(path, O_RDWR | O_CLOEXEC);
    if (*fd < 0)
        return datafile_fail(f, errno, "open", path);
    if (fstat(*fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(*fd);
        return fail_reason(f, CODE_FAILED_PRECONDITION, "not_a_file", "%s is no regular file",
                           path);
    }
    *size = st.st_size;
    return 0;
}

void spool_look_behind(const struct segment_header *h, struct str rest, struct spool_tail *t)
{
    struct segment_record rec = {0};
    size_t used = 0;

    t->above = t->next;
    for (size_t at = 1; at < rest.len;) {
        ptrdiff_t found = segment_find(h->salt, str_skip(rest, at), t->above - 1);

        if (found < 0)
            return;
        at += (size_t)found;
        while (segment_get(h->salt, str_skip(rest, at), &rec, &used) == SEGMENT_WHOLE) {
            t->damaged |= rec.batch > t->next;
            t->above = MAX(t->above, rec.r.seq + 1);
            at += used;
        }
        at++;
    }
}

static void find_tail(const struct segment_header *h, struct str bytes, struct spool_tail *t)
{
    struct segment_record rec = {0};
    size_t at = SEGMENT_HEADER_LEN, used = 0;

    *t = (struct spool_tail){.next = h->first_seq};
    while (at < bytes.len &&
           segment_get(h->salt, str_skip(bytes, at), &rec, &used) == SEGMENT_WHOLE &&
           rec.r.seq == t->next) {
        at += used;
        t->next++;
    }
    t->end = (int64_t)at;
    if (at < bytes.len)
        spool_look_behind(h, str_skip(bytes, at), t);
}

static int cut(struct spool *s, int fd, int64_t size, const struct spool_tail *t, struct fail *f)
{
    if (t->end < size)
        log_warn(&s->log, "a torn record was cut off the spool", KV_UINT("seq", t->next),
                 KV_INT("bytes", size - t->end));

    /* In any case: what was set aside behind the end is given back. */
    if (ftruncate(fd, t->end) < 0 || fsync(fd) < 0)
        return datafile_fail(f, errno, "cut", s->dir);
    return 0;
}

/* Nothing is in it: the next segment will have its name. */
static int drop_last(struct spool *s, struct fail *f)
{
    struct spool_segment *last = &s->segments[s->segment_count - 1];
    char name[32];
    char path[SPOOL_PATH_MAX];

    spool_segment_name(last->first_seq, name);
    if (spool_path(s, name, path, f) < 0)
        return -1;
    if (unlink(path) < 0)
        return datafile_fail(f, errno, "delete", path);
    s->next_seq = last->first_seq;
    s->bytes -= last->bytes;
    s->segment_count--;
    return 0;
}

/* A number that is above any of the last segment, whatever stands in it. */
static uint64_t above_all(const struct spool *s)
{
    const struct spool_segment *last = &s->segments[s->segment_count - 1];

    return last->first_seq + (uint64_t)last->bytes / SEGMENT_FRAME_LEN + 1;
}

static int take_tail(struct spool *s, int fd, const struct segment_header *h, struct str bytes,
                     struct fail *f)
{
    struct spool_segment *last = &s->segments[s->segment_count - 1];
    struct spool_tail t;

    find_tail(h, bytes, &t);
    if (t.damaged) {
        log_error(&s->log, "received data is damaged", KV_UINT("segment", last->first_seq),
                  KV_INT("offset", t.end), KV_UINT("seq", t.next));
        s->next_seq = t.above;
        return 0;
    }
    if (t.next == h->first_seq)
        return drop_last(s, f);
    if (cut(s, fd, last->bytes, &t, f) < 0)
        return -1;
    s->bytes -= last->bytes - t.end;
    last->bytes = t.end;
    s->next_seq = t.next;
    return 0;
}

/* A crash leaves a file without a header, and nothing in it; anything longer was damaged later. */
static int take_headless(struct spool *s, struct fail *f)
{
    const struct spool_segment *last = &s->segments[s->segment_count - 1];

    if (last->bytes <= SEGMENT_HEADER_LEN)
        return drop_last(s, f);
    log_error(&s->log, "a spool segment has no header", KV_UINT("segment", last->first_seq),
              KV_INT("bytes", last->bytes));
    s->next_seq = above_all(s);
    return 0;
}

/* Nothing is cut where the disk may yet give what it did not give now. */
static int take_unreadable(struct spool *s)
{
    const struct spool_segment *last = &s->segments[s->segment_count - 1];

    log_error(&s->log, "part of a spool segment cannot be read",
              KV_UINT("segment", last->first_seq), KV_INT("bytes", last->bytes));
    s->next_seq = above_all(s);
    return 0;
}

static int take_last(struct spool *s, struct fail *f)
{
    uint64_t first_seq = s->segments[s->segment_count - 1].first_seq;
    struct segment_header h = {0};
    int64_t size = 0;
    int fd = -1;

    if (open_segment(s, first_seq, &fd, &size, f) < 0)
        return -1;

    char *bytes = heap_alloc((size_t)size + 1);
    struct str text = str_make(bytes, (size_t)size);
    int result;

    if (!spool_salvage(fd, bytes, (size_t)size, 0))
        result = take_unreadable(s);
    else if (!segment_get_header(text, &h) || h.first_seq != first_seq)
        result = take_headless(s, f);
    else
        result = take_tail(s, fd, &h, text, f);
    close(fd);
    free(bytes);
    return result;
}

static int measure(struct spool *s, struct fail *f)
{
    for (size_t i = 0; i < s->segment_count; i++) {
        int fd;

        if (open_segment(s, s->segments[i].first_seq, &fd, &s->segments[i].bytes, f) < 0)
            return -1;
        close(fd);
        s->bytes += s->segments[i].bytes;
    }
    return 0;
}

int spool_recover(struct spool *s, struct fail *f)
{
    s->next_seq = 1;
    if (look_around(s, f) < 0)
        return -1;
    if (s->segment_count > 0) {
        spool_sort_segments(s->segments, s->segment_count);
        if (measure(s, f) < 0 || take_last(s, f) < 0)
            return -1;
    }

    /* Segments that went missing take their numbers with them: no cursor would see new data. */
    for (const struct spool_mark *m = s->marks; m; m = m->next) {
        if (m->seq <= s->next_seq)
            continue;
        log_error(&s->log, "a spool cursor is beyond the data", KV_STR("cursor", m->name),
                  KV_UINT("seq", m->seq), KV_UINT("next_seq", s->next_seq));
        s->next_seq = m->seq;
    }
    gauge_set(s->m.bytes, s->bytes);
    gauge_set(s->m.segments, (int64_t)s->segment_count);
    return 0;
}
