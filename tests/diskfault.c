/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that fails on request: preloaded into the server, it makes writes (or syncs) of files
 * under one directory fail for as long as a trigger file exists, or reads wait. Any thread; lives
 * as long as the process.
 *
 *   DISKFAULT_DIR    the directory whose files fail
 *   DISKFAULT_FULL   while this file exists: write, writev, pwrite, pwritev -> ENOSPC
 *   DISKFAULT_SYNC   while this file exists: fsync, fdatasync -> EIO
 *   DISKFAULT_STALL  while this file exists: pread waits, and preadv2 that must not wait -> EAGAIN
 */
/* pread() and pread64() are two names here, not one, and no header defines them inline. */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* The next definition of a name: a sanitizer's, or the C library's. */
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static bool is_under_test(int fd)
{
    const char *dir = getenv("DISKFAULT_DIR");
    char link[64];
    char path[PATH_MAX];
    ssize_t len;

    if (!dir)
        return false;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof(path) - 1);
    return len > 0 && (size_t)len >= strlen(dir) && memcmp(path, dir, strlen(dir)) == 0;
}

static bool fails(const char *trigger, int fd, int error)
{
    int before = errno;
    const char *file = getenv(trigger);

    if (file && access(file, F_OK) == 0 && is_under_test(fd)) {
        errno = error;
        return true;
    }
    errno = before;
    return false;
}

EXPORT ssize_t write(int fd, const void *data, size_t len)
{
    return fails("DISKFAULT_FULL", fd, ENOSPC) ? -1 : NEXT(write)(fd, data, len);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return fails("DISKFAULT_FULL", fd, ENOSPC) ? -1 : NEXT(writev)(fd, parts, count);
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    return fails("DISKFAULT_FULL", fd, ENOSPC) ? -1 : NEXT(pwrite)(fd, data, len, at);
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
    return fails("DISKFAULT_FULL", fd, ENOSPC) ? -1 : NEXT(pwrite64)(fd, data, len, at);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    return fails("DISKFAULT_FULL", fd, ENOSPC) ? -1 : NEXT(pwritev)(fd, parts, count, at);
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at)
{
    return fails("DISKFAULT_FULL", fd, ENOSPC) ? -1 : NEXT(pwritev64)(fd, parts, count, at);
}

static void wait_out_stall(int fd)
{
    while (fails("DISKFAULT_STALL", fd, EAGAIN))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

EXPORT ssize_t pread(int fd, void *data, size_t len, off_t at)
{
    wait_out_stall(fd);
    return NEXT(pread)(fd, data, len, at);
}

EXPORT ssize_t pread64(int fd, void *data, size_t len, off64_t at)
{
    wait_out_stall(fd);
    return NEXT(pread64)(fd, data, len, at);
}

EXPORT ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t at, int flags)
{
    if ((flags & RWF_NOWAIT) != 0 && fails("DISKFAULT_STALL", fd, EAGAIN))
        return -1;
    wait_out_stall(fd);
    return NEXT(preadv2)(fd, parts, count, at, flags);
}

EXPORT ssize_t preadv64v2(int fd, const struct iovec *parts, int count, off64_t at, int flags)
{
    if ((flags & RWF_NOWAIT) != 0 && fails("DISKFAULT_STALL", fd, EAGAIN))
        return -1;
    wait_out_stall(fd);
    return NEXT(preadv64v2)(fd, parts, count, at, flags);
}

EXPORT int fsync(int fd)
{
    return fails("DISKFAULT_SYNC", fd, EIO) ? -1 : NEXT(fsync)(fd);
}

EXPORT int fdatasync(int fd)
{
    return fails("DISKFAULT_SYNC", fd, EIO) ? -1 : NEXT(fdatasync)(fd);
}
