/* SPDX-License-Identifier: Apache-2.0 */
/* A file of JSON lines, one a record, synced before the spool may forget. Somebody else rotates it:
 * the file is opened anew when its name leads elsewhere, and is synced into its folder then. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/heap.h"
#include "codec/base64.h"
#include "codec/json_writer.h"
#include "codec/rfc3339.h"
#include "codec/utf8.h"
#include "core/datafile.h"
#include "sink/record_text.h"
#include "sink/sink.h"

/* A record of the greatest size, every byte escaped. */
#define TEXT_MAX ((size_t)1 << 30)

struct file_state {
    char *path;
    char *dir;
    int fd; /* -1: not open */
};

static void file_close(void *state)
{
    struct file_state *s = state;

    if (s->fd >= 0)
        close(s->fd);
    free(s->path);
    free(s->dir);
    free(s);
}

static char *path_of(const struct sink_host *host, struct str target)
{
    struct str path = str_skip(target, strlen("file:"));

    if (str_starts_with(path, STR("///"))) /* file:///var/log/x */
        path = str_skip(path, 2);

    bool absolute = path.len > 0 && path.p[0] == '/';
    size_t dir_len = absolute ? 0 : strlen(host->data_dir) + 1;
    char *out = heap_alloc(dir_len + path.len + 1);

    if (!absolute) {
        memcpy(out, host->data_dir, dir_len - 1);
        out[dir_len - 1] = '/';
    }
    memcpy(out + dir_len, path.p, path.len);
    out[dir_len + path.len] = '\0';
    return out;
}

/* There is a slash in it. */
static char *dir_of(const char *path)
{
    size_t len = MAX((size_t)(strrchr(path, '/') - path), (size_t)1);
    char *out = heap_alloc(len + 1);

    memcpy(out, path, len);
    out[len] = '\0';
    return out;
}

static int file_open(const struct sink_host *host, struct str target, void **state, struct fail *f)
{
    if (target.len > 4000 || memchr(target.p, '\0', target.len) || target.p[target.len - 1] == '/')
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_sink",
                           "the target of a file sink is no file's path");

    struct file_state *s = heap_new_type(struct file_state);

    s->path = path_of(host, target);
    s->dir = dir_of(s->path);
    s->fd = -1;
    *state = s;
    return 0;
}

/* The name may lead to another file by now, or to none. */
static bool is_current(const struct file_state *s)
{
    struct stat ours = {0};
    struct stat named = {0};

    return fstat(s->fd, &ours) == 0 && stat(s->path, &named) == 0 && ours.st_ino == named.st_ino &&
           ours.st_dev == named.st_dev;
}

/* A line that a crash has cut comes again: what stands of it must not run into the next. */
static int end_last_line(int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    char last = '\n';

    if (size < 0)
        return -1;
    if (size > 0 && pread(fd, &last, 1, size - 1) != 1)
        return -1;
    return last == '\n' || write(fd, "\n", 1) == 1 ? 0 : -1;
}

static int reopen(struct file_state *s, struct fail *f)
{
    if (s->fd >= 0 && is_current(s))
        return 0;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = open(s->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (s->fd < 0)
        return datafile_fail(f, errno, "open", s->path);

    int rc = end_last_line(s->fd) < 0 ? datafile_fail(f, errno, "continue", s->path)
                                      : datafile_sync_dir(s->dir, f);

    if (rc < 0) {
        close(s->fd);
        s->fd = -1;
    }
    return rc;
}

static void put_metadata(struct json_writer *w, struct str metadata)
{
    struct str name = {0};
    struct str value = {0};

    json_key(w, STR("metadata"));
    json_obj_begin(w);
    while (record_text_next(&metadata, &name, &value))
        json_key_str(w, name, value);
    json_obj_end(w);
}

static void put_line(struct buf *out, const struct spool_record *r, struct arena *a)
{
    struct json_writer w;

    json_writer_init(&w, out);
    json_obj_begin(&w);
    json_key_u64(&w, STR("seq"), r->seq);
    json_key_u64(&w, STR("tenant"), r->tenant);
    json_key_i64(&w, STR("collector"), r->collector);
    json_key_i64(&w, STR("source"), r->source);
    json_key_str(&w, STR("received"), rfc3339_us(a, r->received_us, RFC3339_MICROS));
    json_key_str(&w, STR("type"), r->type);
    put_metadata(&w, r->metadata);
    if (utf8_is_valid(r->data))
        json_key_str(&w, STR("data"), r->data);
    else
        json_key_str(&w, STR("data_base64"), base64_encode(a, BASE64_STD, r->data));
    json_obj_end(&w);
    buf_put_byte(out, '\n');
}

/* Gives the space back, unless somebody else has written behind it. */
static void take_back(int fd, off_t begin, off_t end)
{
    if (begin >= 0 && lseek(fd, 0, SEEK_END) == end)
        IGNORE(ftruncate(fd, begin));
}

/* All of it and synced, or none that counts: what was written of it comes again. */
static int write_synced(struct file_state *s, struct str text, struct fail *f)
{
    off_t begin = lseek(s->fd, 0, SEEK_END);
    size_t len = text.len;

    while (text.len > 0) {
        ssize_t n = write(s->fd, text.p, text.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        text = str_skip(text, (size_t)n);
    }
    if (text.len == 0 && fdatasync(s->fd) == 0)
        return 0;

    int error = errno;

    take_back(s->fd, begin, begin + (off_t)(len - text.len));
    close(s->fd);
    s->fd = -1;
    return datafile_fail(f, error, "write", s->path);
}

static int file_deliver(void *state, const struct spool_record *records, size_t count,
                        struct arena *a, size_t *taken, size_t *refused, struct fail *f)
{
    struct file_state *s = state;
    struct buf text;

    *taken = 0;
    *refused = 0;
    if (reopen(s, f) < 0)
        return -1;
    buf_init(&text, TEXT_MAX);
    for (size_t i = 0; i < count; i++)
        put_line(&text, &records[i], a);

    int rc = text.overflow ? fail_set(f, CODE_INTERNAL, "a batch is too large for one write")
                           : write_synced(s, buf_str(&text), f);

    buf_done(&text);
    if (rc == 0)
        *taken = count;
    return rc;
}

const struct sink_kind file_sink = {
    .scheme = "file",
    .open = file_open,
    .deliver = file_deliver,
    .close = file_close,
};
