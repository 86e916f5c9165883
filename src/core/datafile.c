/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the data directory; see datafile.h. */
#include "core/datafile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/heap.h"
#include "codec/sha256.h"

#define PATH_SIZE   4096
#define CHUNK_BYTES ((size_t)256 << 10)

int datafile_fail(struct fail *f, int error, const char *what, const char *path)
{
    char why[128];
    const char *text = strerror_r(error, why, sizeof(why));

    switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return fail_reason(f, CODE_UNAVAILABLE, "disk_full", "cannot %s %s: %s", what, path, text);
    case EMFILE:
    case ENFILE:
        return fail_reason(f, CODE_UNAVAILABLE, "too_many_files", "cannot %s %s: %s", what, path,
                           text);
    case EACCES:
    case EPERM:
    case EROFS:
    case ENOTDIR:
    case EISDIR:
        return fail_reason(f, CODE_FAILED_PRECONDITION, "not_writable", "cannot %s %s: %s", what,
                           path, text);
    case ENOENT:
        return fail_reason(f, CODE_NOT_FOUND, "no_such_file", "cannot %s %s: %s", what, path, text);
    default: break;
    }
    return fail_reason(f, CODE_INTERNAL, "io_error", "cannot %s %s: %s", what, path, text);
}

static int make_path(char *out, const char *dir, const char *name, const char *suffix,
                     struct fail *f)
{
    int n = snprintf(out, PATH_SIZE, "%s/%s%s", dir, name, suffix);

    if (n > 0 && n < PATH_SIZE)
        return 0;
    return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_path", "the path of %s is too long", name);
}

int datafile_sync_dir(const char *dir, struct fail *f)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return datafile_fail(f, errno, "open", dir);

    int error = fsync(fd) < 0 ? errno : 0;

    close(fd);
    return error ? datafile_fail(f, error, "sync", dir) : 0;
}

static int write_synced(int fd, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.p, bytes.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        bytes = str_skip(bytes, (size_t)n);
    }
    return fsync(fd) < 0 ? errno : 0;
}

int datafile_write(const char *dir, const char *name, struct str bytes, struct fail *f)
{
    char path[PATH_SIZE];
    char fresh[PATH_SIZE];

    if (make_path(path, dir, name, "", f) < 0 || make_path(fresh, dir, name, ".new", f) < 0)
        return -1;
    if (unlink(fresh) < 0 && errno != ENOENT)
        return datafile_fail(f, errno, "replace", fresh);

    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return datafile_fail(f, errno, "make", fresh);

    int error = write_synced(fd, bytes);

    close(fd);
    if (!error && rename(fresh, path) < 0)
        error = errno;
    if (error) {
        IGNORE(unlink(fresh));
        return datafile_fail(f, error, "write", path);
    }
    return datafile_sync_dir(dir, f);
}

int datafile_read(struct arena *a, const char *dir, const char *name, size_t max, struct str *out,
                  struct fail *f)
{
    char path[PATH_SIZE];

    if (make_path(path, dir, name, "", f) < 0)
        return -1;

    /* Not for ever, should it be a pipe. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return datafile_fail(f, errno, "open", path);

    char *bytes = arena_alloc_raw(a, max + 1);
    size_t len = 0;
    int error = 0;

    while (len <= max) {
        ssize_t n = read(fd, bytes + len, max + 1 - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            error = n < 0 ? errno : 0;
            break;
        }
        len += (size_t)n;
    }
    close(fd);
    if (error)
        return datafile_fail(f, error, "read", path);
    if (len > max)
        return fail_set(f, CODE_OUT_OF_RANGE, "%s is longer than %zu bytes", path, max);
    *out = (struct str){bytes, len};
    return 0;
}

int datafile_sha256(int fd, const char *path, uint8_t out[SHA256_LEN], int64_t *bytes,
                    struct fail *f)
{
    struct sha256_stream *hash = sha256_begin();
    uint8_t *chunk = heap_alloc(CHUNK_BYTES);
    int64_t at = 0;
    int error = 0;

    for (;;) {
        ssize_t n = pread(fd, chunk, CHUNK_BYTES, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            error = n < 0 ? errno : 0;
            break;
        }
        sha256_add(hash, str_make(chunk, (size_t)n));
        at += n;
    }
    sha256_end(&hash, out);
    free(chunk);
    *bytes = at;
    return error ? datafile_fail(f, error, "read", path) : 0;
}
