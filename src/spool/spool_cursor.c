/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, one thread a cursor. What is not on the disk yet is never read; what cannot be read is
 * passed over as far as the next whole record. A cursor's file has the first seq that is still
 * needed; where that lies is found by walking its segment. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/heap.h"
#include "codec/crc32c.h"
#include "core/datafile.h"
#include "spool/spool_internal.h"

/* --- the file --- */

#define MARK_LINE_MAX 96

static const char mark_word[] = "muster-cursor";

static struct str mark_line(uint64_t seq, char out[MARK_LINE_MAX])
{
    int head = snprintf(out, MARK_LINE_MAX, "%s %llu", mark_word, (unsigned long long)seq);
    int tail = snprintf(out + head, MARK_LINE_MAX - (size_t)head, " %08x\n",
                        crc32c(0, str_make(out, (size_t)head)));

    return str_make(out, (size_t)head + (size_t)tail);
}

bool spool_mark_parse(struct str text, uint64_t *seq)
{
    char line[MARK_LINE_MAX];
    struct str rest = text;
    struct str word = str_cut(&rest, ' ');
    uint64_t value;

    if (!str_eq(word, str_of(mark_word)) || str_to_u64(str_cut(&rest, ' '), &value) < 0 ||
        !str_eq(text, mark_line(value, line)))
        return false;
    *seq = value;
    return true;
}

static int mark_write(struct spool *s, const char *name, uint64_t seq, struct fail *f)
{
    char line[MARK_LINE_MAX];
    char file[SPOOL_NAME_MAX + 16];

    snprintf(file, sizeof(file), "%s.cursor", name);
    return datafile_write(s->dir, file, mark_line(seq, line), f);
}

/* --- where the data is --- */

/* The last segment that begins at or before `seq`, else the first; its index. Locked. */
static size_t segment_of(const struct spool *s, uint64_t seq)
{
    size_t i = s->segment_count;

    while (i > 1 && s->segments[i - 1].first_seq > seq)
        i--;
    return i - 1;
}

static void leave_segment(struct spool_cursor *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->entered = false;
}

enum stand {
    STAND_DATA, /* *left bytes of the segment are there */
    STAND_END,  /* nothing more for now */
    STAND_NEXT, /* moved to another segment: look again */
};

/* What lies before the cursor. */
static enum stand look(struct spool_cursor *c, int64_t *left)
{
    struct spool *s = c->spool;
    enum stand stand = STAND_END;

    pthread_mutex_lock(&s->lock);
    if (s->segment_count > 0 && c->seq < s->next_seq) {
        size_t at = segment_of(s, c->segment);
        bool same = s->segments[at].first_seq == c->segment;

        *left = s->segments[at].bytes - c->offset;
        if (same && *left > 0) {
            stand = STAND_DATA;
        } else if (!same || at + 1 < s->segment_count) {
            at += same ? 1 : 0;
            c->segment = s->segments[at].first_seq;
            c->seq = MAX(c->seq, c->segment);
            c->offset = SEGMENT_HEADER_LEN;
            leave_segment(c);
            stand = STAND_NEXT;
        }
    }

    /* Numbers may be missing at the end, where files are damaged or gone: nobody needs them. */
    if (stand == STAND_END && c->seq < s->next_seq) {
        if (c->mark->seq == c->seq)
            c->mark->seq = s->next_seq;
        c->seq = s->next_seq;
    }
    pthread_mutex_unlock(&s->lock);
    return stand;
}

/* 0; 1: the segment cannot be read, *why; -1: not now. */
static int enter_segment(struct spool_cursor *c, const char **why, struct fail *f)
{
    char name[32];
    char path[SPOOL_PATH_MAX];
    uint8_t bytes[SEGMENT_HEADER_LEN];

    if (c->entered)
        return 0;
    leave_segment(c);
    spool_segment_name(c->segment, name);
    if (spool_path(c->spool, name, path, f) < 0)
        return -1;
    c->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (c->fd < 0 && errno != ENOENT)
        return datafile_fail(f, errno, "open", path);
    if (c->fd < 0 || spool_pread(c->fd, (char *)bytes, sizeof(bytes), 0) < 0) {
        *why = c->fd < 0 ? "it is gone" : "its header cannot be read";
        return 1;
    }
    c->salt = segment_header_salt(bytes);
    c->entered = true;
    return 0;
}

struct records {
    struct spool_record *items;
    size_t count;
    size_t cap;
};

static void records_add(struct records *r, struct arena *a, const struct spool_record *item)
{
    if (r->count == r->cap) {
        size_t cap = MAX(r->cap * 2, (size_t)16);
        struct spool_record *items = arena_new_array(a, struct spool_record, cap);

        if (r->count > 0)
            memcpy(items, r->items, r->count * sizeof(*items));
        r->items = items;
        r->cap = cap;
    }
    r->items[r->count++] = *item;
}

/* NULL, or what is wrong; *need: so many bytes would be one record. */
static const char *read_some(struct spool_cursor *c, struct arena *a, size_t len, int64_t left,
                             struct records *out, size_t *need)
{
    char *bytes = arena_alloc_raw(a, len);
    struct segment_record rec = {0};
    size_t at = 0, used = 0;

    /* What stands before a block that cannot be read is read like anything else. */
    bool whole = spool_salvage(c->fd, bytes, len, c->offset);

    *need = 0;
    while (at < len) {
        enum segment_verdict v = segment_get(c->salt, str_make(bytes + at, len - at), &rec, &used);

        if (v == SEGMENT_SHORT && used <= (uint64_t)left - at) {
            *need = used;
            return NULL;
        }
        if (v != SEGMENT_WHOLE || rec.r.seq != c->seq)
            return whole ? "it is damaged" : "the disk does not give it";
        records_add(out, a, &rec.r);
        c->seq++;
        c->offset += (int64_t)used;
        at += used;
    }
    return NULL;
}

/* Where the segment's next whole record stands behind what cannot be read, or -1. */
static int64_t find_next(const struct spool_cursor *c, int64_t left, uint64_t *seq)
{
    struct segment_record rec = {0};
    size_t used = 0;

    if (!c->entered)
        return -1;

    char *bytes = heap_alloc((size_t)left);
    struct str rest = str_make(bytes, (size_t)left);

    IGNORE(spool_salvage(c->fd, bytes, (size_t)left, c->offset));

    ptrdiff_t at = segment_find(c->salt, rest, c->seq - 1);

    if (at >= 0 && segment_get(c->salt, str_skip(rest, (size_t)at), &rec, &used) == SEGMENT_WHOLE)
        *seq = rec.r.seq;
    free(bytes);
    return at;
}

/* Goes to the next whole record of the segment, or else to the next segment. 0: nothing is lost by
 * that. */
static int pass_over(struct spool_cursor *c, int64_t left, const char *why, struct fail *f)
{
    struct spool *s = c->spool;
    uint64_t from = c->seq, to = from;
    int64_t next = find_next(c, left, &to);

    if (next >= 0) {
        c->offset += next;
        c->seq = to;
    } else {
        pthread_mutex_lock(&s->lock);

        size_t at = segment_of(s, c->segment);
        int64_t end = s->segments[at].bytes;

        /* More may have come since: that is looked through, too. */
        if (end <= c->offset + left) {
            c->offset = end;
            c->seq = at + 1 < s->segment_count ? s->segments[at + 1].first_seq : s->next_seq;
        }
        pthread_mutex_unlock(&s->lock);
    }
    if (c->seq == from)
        return 0;
    counter_add(s->m.unreadable, 1);
    log_error(&s->log, "received data cannot be read and is passed over",
              KV_STR("cursor", c->mark->name), KV_UINT("segment", c->segment),
              KV_UINT("from_seq", from), KV_UINT("to_seq", c->seq), KV_STR("why", why));
    return fail_reason(f, CODE_DATA_LOSS, "spool_unreadable",
                       "records %llu to %llu cannot be read: %s", (unsigned long long)from,
                       (unsigned long long)c->seq - 1, why);
}

int spool_read(struct spool_cursor *c, struct arena *a, size_t max_bytes, struct spool_record **out,
               size_t *count, struct fail *f)
{
    struct records got = {0};
    size_t want = MAX(max_bytes, (size_t)SEGMENT_FRAME_LEN);
    int64_t left = 0;
    enum stand stand;

    while ((stand = look(c, &left)) != STAND_END && got.count == 0) {
        const char *why = NULL;
        size_t need = 0;

        if (stand == STAND_NEXT)
            continue;
        if (enter_segment(c, &why, f) < 0)
            return -1;
        if (!why)
            why = read_some(c, a, (size_t)MIN((uint64_t)want, (uint64_t)left), left, &got, &need);

        /* What came before the damage first; it will be found again. */
        if (why && got.count == 0 && pass_over(c, left, why, f) < 0)
            return -1;
        want = MAX(want, need);
    }
    *out = got.items;
    *count = got.count;
    return 0;
}

/* What was delivered makes room before its mark is written: on a full disk there may be none for
 * that. A start that finds an older mark goes on with the first segment there is. */
int spool_commit(struct spool_cursor *c, struct fail *f)
{
    struct spool *s = c->spool;

    /* Only this thread moves it. */
    if (c->mark->written == c->seq)
        return 0;
    pthread_mutex_lock(&s->lock);
    c->mark->seq = c->seq;
    pthread_mutex_unlock(&s->lock);

    int rc = mark_write(s, c->mark->name, c->seq, f);

    if (rc == 0)
        c->mark->written = c->seq;
    spool_trim(s);
    return rc;
}

uint64_t spool_cursor_waiting(struct spool_cursor *c)
{
    struct spool *s = c->spool;

    pthread_mutex_lock(&s->lock);

    uint64_t waiting = s->next_seq - MIN(s->next_seq, c->mark->seq);

    pthread_mutex_unlock(&s->lock);
    return waiting;
}

void spool_wait(struct spool_cursor *c, int64_t until_us)
{
    struct spool *s = c->spool;

    pthread_mutex_lock(&s->lock);

    bool has_data = c->seq < s->next_seq;

    pthread_mutex_unlock(&s->lock);
    if (!has_data)
        IGNORE(waiter_wait(c->wake, until_us));
}

/* --- opening and forgetting --- */

static int check_name(const char *name, struct fail *f)
{
    size_t len = strlen(name);
    size_t plain = strspn(name,
                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                          "0123456789_-.");

    if (len > 0 && len <= SPOOL_NAME_MAX && plain == len && name[0] != '.')
        return 0;
    return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_name",
                       "a sink's name has 1 to %d letters, digits, '_', '-' and '.'",
                       SPOOL_NAME_MAX);
}

static struct spool_mark *find_mark(struct spool *s, const char *name)
{
    for (struct spool_mark *m = s->marks; m; m = m->next)
        if (strcmp(m->name, name) == 0)
            return m;
    return NULL;
}

/* Its file comes first: the next start must know that somebody reads here. */
static int add_mark(struct spool *s, const char *name, struct spool_mark **out, struct fail *f)
{
    pthread_mutex_lock(&s->lock);

    uint64_t seq = s->segment_count > 0 ? s->segments[0].first_seq : s->next_seq;

    pthread_mutex_unlock(&s->lock);
    if (mark_write(s, name, seq, f) < 0)
        return -1;

    struct spool_mark *m = heap_new_type(struct spool_mark);

    memcpy(m->name, name, strlen(name));
    m->seq = m->written = seq;
    *out = m;
    return 0;
}

/* Reads up to the record that comes next. Damage on the way is not ours to report: what was
 * committed is past it, or it will be met again. */
static void seek(struct spool_cursor *c, uint64_t seq)
{
    struct arena *a = arena_new(4096);
    struct records got;
    struct fail ignored;
    int64_t left = 0;
    size_t need = 0, want = SEGMENT_FRAME_LEN;

    while (c->seq < seq) {
        enum stand stand = look(c, &left);
        const char *why = NULL;

        if (stand == STAND_END)
            break;
        if (stand == STAND_NEXT)
            continue;

        /* One frame, and then its record: the last one read must not be passed. */
        got = (struct records){0};
        if (enter_segment(c, &why, &ignored) < 0)
            break;
        if (!why)
            why = read_some(c, a, (size_t)MIN((uint64_t)want, (uint64_t)left), left, &got, &need);
        if (why)
            break;
        want = need > 0 ? need : SEGMENT_FRAME_LEN;
        arena_reset(a);
    }
    c->seq = MAX(c->seq, seq);
    arena_free(&a);
}

int spool_cursor_open(struct spool *s, const char *name, struct spool_cursor **out, struct fail *f)
{
    struct spool_mark *m, *fresh = NULL;

    if (check_name(name, f) < 0)
        return -1;
    pthread_mutex_lock(&s->lock);
    m = find_mark(s, name);

    bool taken = m && m->cursor;

    pthread_mutex_unlock(&s->lock);
    if (taken)
        return fail_reason(f, CODE_FAILED_PRECONDITION, "cursor_in_use",
                           "the cursor %s is open already", name);
    if (!m && add_mark(s, name, &fresh, f) < 0)
        return -1;

    struct spool_cursor *c = heap_new_type(struct spool_cursor);

    c->spool = s;
    c->fd = -1;
    c->wake = waiter_new(s->o.clock);
    pthread_mutex_lock(&s->lock);
    if (fresh) {
        fresh->next = s->marks;
        s->marks = m = fresh;
    }
    m->cursor = c;
    c->mark = m;
    if (s->segment_count > 0) {
        c->segment = s->segments[segment_of(s, m->seq)].first_seq;
        c->seq = c->segment;
    } else {
        c->seq = m->seq;
    }
    c->offset = SEGMENT_HEADER_LEN;
    pthread_mutex_unlock(&s->lock);
    seek(c, m->seq);
    *out = c;
    return 0;
}

void spool_cursor_close(struct spool_cursor **cursor)
{
    struct spool_cursor *c = *cursor;

    if (!c)
        return;
    pthread_mutex_lock(&c->spool->lock);
    c->mark->cursor = NULL;
    pthread_mutex_unlock(&c->spool->lock);
    leave_segment(c);
    waiter_free(&c->wake);
    free(c);
    *cursor = NULL;
}

static bool is_named(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Takes one that is neither open nor named off the list; NULL: there is none. */
static struct spool_mark *take_other(struct spool *s, const char *const *names, size_t count)
{
    struct spool_mark *found = NULL;

    pthread_mutex_lock(&s->lock);
    for (struct spool_mark **at = &s->marks; *at; at = &(*at)->next) {
        if ((*at)->cursor || is_named((*at)->name, names, count))
            continue;
        found = *at;
        *at = found->next;
        break;
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

int spool_forget_others(struct spool *s, const char *const *names, size_t count, struct fail *f)
{
    struct spool_mark *m;
    bool any = false;

    pthread_mutex_lock(&s->lock);
    s->unwanted = count == 0;
    pthread_mutex_unlock(&s->lock);
    while ((m = take_other(s, names, count))) {
        char file[SPOOL_NAME_MAX + 16];
        char path[SPOOL_PATH_MAX];

        snprintf(file, sizeof(file), "%s.cursor", m->name);
        log_info(&s->log, "spool cursor forgotten", KV_STR("cursor", m->name),
                 KV_UINT("seq", m->seq));
        free(m);
        any = true;
        if (spool_path(s, file, path, f) < 0)
            return -1;
        if (unlink(path) < 0 && errno != ENOENT)
            return datafile_fail(f, errno, "delete", path);
    }
    spool_trim(s);
    return !any ? 0 : datafile_sync_dir(s->dir, f);
}
