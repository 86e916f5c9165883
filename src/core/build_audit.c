/* SPDX-License-Identifier: Apache-2.0 */
/* Names are compared with rows under the folder's lock, so that an upload which becomes a build, or
 * one that is removed, is never seen half-way. Contents are read without it: that takes long, and
 * what goes meanwhile is not missed. See build_audit.h. */
#include "core/build_audit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/id.h"
#include "codec/sha256.h"
#include "core/datafile.h"

#define FOLDER    "builds"
#define HEX_LEN   (2 * (size_t)SHA256_LEN)
#define PATH_SIZE 4096

struct look {
    const char *data_dir;
    const struct build *rows;
    size_t count;
    struct audit *audit;
    const char **orphans;
    size_t orphan_count;
    size_t orphan_cap;
};

static bool is_named(const struct look *l, size_t limit, const uint8_t hash[SHA256_LEN])
{
    for (size_t i = 0; i < limit; i++)
        if (memcmp(l->rows[i].sha256, hash, SHA256_LEN) == 0)
            return true;
    return false;
}

static struct str hex_of(const struct look *l, const struct build *b)
{
    char hex[HEX_LEN];

    hex_print(b->sha256, SHA256_LEN, hex);
    return arena_str(l->audit->arena, str_make(hex, sizeof(hex)));
}

#define BUILD_FMT    "build %.*s for %.*s: its file " FOLDER "/%.*s"
#define BUILD_ARG(b) STR_ARG((b)->version), STR_ARG((b)->platform), STR_ARG(hex_of(l, b))

/* --- names --- */

static void add_orphan(struct look *l, const char *name)
{
    struct arena *a = l->audit->arena;

    if (l->orphan_count == l->orphan_cap) {
        size_t cap = MAX(l->orphan_cap * 2, (size_t)16);
        const char **more = arena_new_array(a, const char *, cap);

        if (l->orphan_count > 0)
            memcpy(more, l->orphans, l->orphan_count * sizeof(*more));
        l->orphans = more;
        l->orphan_cap = cap;
    }
    l->orphans[l->orphan_count++] = arena_cstr(a, str_of(name));
    audit_note(l->audit, FOLDER "/%s belongs to no build; the next start removes it", name);
}

static bool is_orphan(const struct look *l, const char *name)
{
    uint8_t hash[SHA256_LEN];

    return strlen(name) == HEX_LEN && hex_parse(str_of(name), hash, sizeof(hash)) == 0 &&
           !is_named(l, l->count, hash);
}

static void find_missing(const struct look *l, int folder)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct build *b = &l->rows[i];
        struct stat st;

        if (folder < 0 || (fstatat(folder, arena_cstr(l->audit->arena, hex_of(l, b)), &st,
                                   AT_SYMLINK_NOFOLLOW) < 0 &&
                           errno == ENOENT))
            audit_find(l->audit, BUILD_FMT " is missing", BUILD_ARG(b));
    }
}

static int look_at_names(struct look *l, const char *path, int folder, struct fail *f)
{
    DIR *dir = folder < 0 ? NULL : opendir(path);
    const struct dirent *entry;

    find_missing(l, folder);
    if (folder < 0)
        return 0;
    if (!dir)
        return datafile_fail(f, errno, "open", path);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is nobody else's */
    while ((entry = readdir(dir)) != NULL)
        if (is_orphan(l, entry->d_name))
            add_orphan(l, entry->d_name);
    closedir(dir);
    return 0;
}

/* *out: the folder, locked; -1: there is none. */
static int folder_open(const char *path, int *out, struct fail *f)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r;

    *out = fd;
    if (fd < 0)
        return errno == ENOENT ? 0 : datafile_fail(f, errno, "open", path);
    do {
        r = flock(fd, LOCK_SH);
    } while (r < 0 && errno == EINTR);
    if (r == 0)
        return 0;
    IGNORE(datafile_fail(f, errno, "lock", path));
    close(fd);
    return -1;
}

/* --- contents --- */

/* Whether the file is what the row says. */
static bool look_at_content(const struct look *l, const struct build *b)
{
    uint8_t hash[SHA256_LEN];
    struct fail f = {0};
    int64_t bytes = 0;
    int fd = -1;

    if (build_file_open(l->data_dir, b->sha256, &fd, &f) < 0) {
        if (f.code != CODE_NOT_FOUND)
            audit_find(l->audit, BUILD_FMT ": %s", BUILD_ARG(b), f.message);
        return false;
    }

    int result = datafile_sha256(fd, "it", hash, &bytes, &f);

    close(fd);
    if (result < 0)
        audit_find(l->audit, BUILD_FMT ": %s", BUILD_ARG(b), f.message);
    else if (bytes != b->bytes)
        audit_find(l->audit, BUILD_FMT " has %lld bytes instead of %lld", BUILD_ARG(b),
                   (long long)bytes, (long long)b->bytes);
    else if (memcmp(hash, b->sha256, SHA256_LEN) != 0)
        audit_find(l->audit, BUILD_FMT " is damaged: its SHA-256 is another one", BUILD_ARG(b));
    else
        return true;
    return false;
}

static void look_at_contents(const struct look *l, struct build_totals *out)
{
    struct build *unsound = arena_new_array(l->audit->arena, struct build, l->count + 1);

    *out = (struct build_totals){.builds = l->count,
                                 .unsound = unsound,
                                 .orphans = l->orphans,
                                 .orphan_count = l->orphan_count};
    for (size_t i = 0; i < l->count; i++) {
        const struct build *b = &l->rows[i];

        if (is_named(l, i, b->sha256)) /* several may share one */
            continue;
        if (look_at_content(l, b))
            out->bytes += b->bytes;
        else
            unsound[out->unsound_count++] = *b;
    }
}

int build_audit(const char *data_dir, build_rows_fn rows, void *arg, struct audit *audit,
                struct build_totals *totals, struct fail *f)
{
    struct look l = {.data_dir = data_dir, .audit = audit};
    char path[PATH_SIZE];
    int folder = -1;
    int n = snprintf(path, sizeof(path), "%s/" FOLDER, data_dir);

    if (n < 0 || n >= (int)sizeof(path))
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_path", "the path is too long");
    if (folder_open(path, &folder, f) < 0)
        return -1;

    int result = rows(arg, audit->arena, &l.rows, &l.count, f);

    if (result == 0)
        result = look_at_names(&l, path, folder, f);
    if (folder >= 0)
        close(folder);
    if (result < 0)
        return -1;
    look_at_contents(&l, totals);
    return 0;
}
