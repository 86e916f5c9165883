/* SPDX-License-Identifier: Apache-2.0 */
/* What a start finds: segments in the order of their names, and how far each cursor has come. Only
 * the last segment is read: what a crash has torn off there is cut away, for it was never
 * acknowledged. Damage before that is told from a tear by what follows: a whole record of a later
 * batch says that the damaged one was on the disk once. Then nothing is cut, and new data goes to a
 * new segment. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/heap.h"
#include "core/datafile.h"
#include "spool/spool_internal.h"

#define MARK_BYTES_MAX 256

static bool name_ends_in(struct str name, struct str suffix, struct str *stem)
{
    if (!str_ends_with(name, suffix) || name.len == suffix.len)
        return false;
    *stem = str_first(name, name.len - suffix.len);
    return true;
}

static void take_segment(struct spool *s, struct str stem)
{
    uint64_t first;

    if (stem.len == 20 && str_to_u64(stem, &first) == 0 && first > 0)
        spool_add_segment(s, (struct spool_segment){.first_seq = first});
}

static int take_mark(struct spool *s, const char *file, struct str stem, struct fail *f)
{
    struct arena *a = arena_new(1024);
    struct str text;

    if (stem.len > SPOOL_NAME_MAX || datafile_read(a, s->dir, file, MARK_BYTES_MAX, &text, f) < 0) {
        arena_free(&a);
        return stem.len > SPOOL_NAME_MAX ? 0 : -1;
    }

    struct spool_mark *m = heap_new_type(struct spool_mark);

    memcpy(m->name, stem.p, stem.len);
    if (!spool_mark_parse(text, &m->seq))
        log_error(&s->log, "a spool cursor is damaged and begins again", KV_STR("file", file));
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

        if (name_ends_in(name, STR(".seg"), &stem))
            take_segment(s, stem);
        else if (name_ends_in(name, STR(".cursor"), &stem))
            result = take_mark(s, e->d_name, stem, f);
    }
    closedir(d);
    return result;
}

static int by_seq(const void *a, const void *b)
{
    uint64_t x = ((const struct spool_segment *)a)->first_seq;
    uint64_t y = ((const struct spool_segment *)b)->first_seq;

    return x < y ? -1 : x > y;
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

static int read_whole(int fd, size_t size, char *out)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = pread(fd, out + done, size - done, (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        done += (size_t)n;
    }
    return 0;
}

struct tail {
    int64_t end;    /* of the last whole record */
    uint64_t next;  /* the seq behind it */
    bool damaged;   /* there is more behind, and it was acknowledged */
    uint64_t above; /* then: higher than any seq in the file */
};

/* Whether something of a later batch lies behind the bad bytes. */
static void look_behind(const struct segment_header *h, struct str rest, struct tail *t)
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

static void find_tail(const struct segment_header *h, struct str bytes, struct tail *t)
{
    struct segment_record rec = {0};
    size_t at = SEGMENT_HEADER_LEN, used = 0;

    *t = (struct tail){.next = h->first_seq};
    while (at < bytes.len &&
           segment_get(h->salt, str_skip(bytes, at), &rec, &used) == SEGMENT_WHOLE &&
           rec.r.seq == t->next) {
        at += used;
        t->next++;
    }
    t->end = (int64_t)at;
    if (at < bytes.len)
        look_behind(h, str_skip(bytes, at), t);
}

static int cut(struct spool *s, int fd, int64_t size, const struct tail *t, struct fail *f)
{
    if (t->end == size)
        return 0;
    log_warn(&s->log, "a torn record was cut off the spool", KV_UINT("seq", t->next),
             KV_INT("bytes", size - t->end));
    if (ftruncate(fd, t->end) < 0 || fsync(fd) < 0)
        return datafile_fail(f, errno, "cut", s->dir);
    return 0;
}

/* The last segment goes on where its last whole record ends. */
static int take_tail(struct spool *s, int fd, int64_t size, const struct segment_header *h,
                     struct str bytes, struct fail *f)
{
    struct spool_segment *last = &s->segments[s->segment_count - 1];
    struct tail t;

    find_tail(h, bytes, &t);
    if (t.damaged) {
        log_error(&s->log, "received data is damaged", KV_UINT("segment", last->first_seq),
                  KV_INT("offset", t.end), KV_UINT("seq", t.next));
        s->next_seq = t.above;
        close(fd);
        return 0;
    }
    if (cut(s, fd, size, &t, f) < 0) {
        close(fd);
        return -1;
    }
    s->bytes -= last->bytes - t.end;
    last->bytes = t.end;
    s->next_seq = t.next;
    s->fd = fd;
    s->offset = t.end;
    s->salt = h->salt;
    return 0;
}

/* A crash leaves a file without a header, and nothing in it; anything longer was damaged later. */
static int take_headless(struct spool *s, int64_t size, struct fail *f)
{
    struct spool_segment *last = &s->segments[s->segment_count - 1];
    char name[32];
    char path[SPOOL_PATH_MAX];

    if (size > SEGMENT_HEADER_LEN) {
        log_error(&s->log, "a spool segment has no header", KV_UINT("segment", last->first_seq),
                  KV_INT("bytes", size));
        s->next_seq = last->first_seq + (uint64_t)size / SEGMENT_FRAME_LEN + 1;
        return 0;
    }
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

static int take_last(struct spool *s, struct fail *f)
{
    struct segment_header h = {0};
    int64_t size = 0;
    int fd = -1;

    if (open_segment(s, s->segments[s->segment_count - 1].first_seq, &fd, &size, f) < 0)
        return -1;

    char *bytes = heap_alloc((size_t)size + 1);
    int result;

    if (read_whole(fd, (size_t)size, bytes) < 0) {
        result = datafile_fail(f, errno, "read", s->dir);
        close(fd);
    } else if (!segment_get_header(str_make(bytes, (size_t)size), &h) ||
               h.first_seq != s->segments[s->segment_count - 1].first_seq) {
        close(fd);
        result = take_headless(s, size, f);
    } else {
        result = take_tail(s, fd, size, &h, str_make(bytes, (size_t)size), f);
    }
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
        qsort(s->segments, s->segment_count, sizeof(*s->segments), by_seq);
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
        if (s->fd >= 0)
            close(s->fd);
        s->fd = -1;
    }
    gauge_set(s->m.bytes, s->bytes);
    gauge_set(s->m.segments, (int64_t)s->segment_count);
    return 0;
}
