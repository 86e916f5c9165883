/* SPDX-License-Identifier: Apache-2.0 */
/* The files of the catalogue. An upload is a file that grows; when it is whole, it is hashed,
 * synced, renamed to its hash, and only then does a row name it. The directory's lock keeps apart
 * who adds and who removes, so that no file goes that a new row has just named. See build.h. */
#include "core/build.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/id.h"
#include "base/random.h"
#include "codec/sha256.h"
#include "core/datafile.h"

#define FOLDER        "builds"
#define UPLOAD_PREFIX "upload-"
#define HEX_LEN       (2 * (size_t)SHA256_LEN)
#define PATH_SIZE     4096
#define UPLOAD_AGE_S  86400

struct path {
    char text[PATH_SIZE];
};

static int path_make(struct path *out, const char *data_dir, const char *prefix, struct str name,
                     struct fail *f)
{
    int n = snprintf(out->text, PATH_SIZE, "%s/" FOLDER "%s%s%.*s", data_dir,
                     name.len > 0 ? "/" : "", prefix, STR_ARG(name));

    if (n > 0 && n < PATH_SIZE)
        return 0;
    return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_path", "the path of a build is too long");
}

static int folder_path(struct path *out, const char *data_dir, struct fail *f)
{
    return path_make(out, data_dir, "", STR(""), f);
}

static int no_such_upload(struct fail *f)
{
    return fail_reason(f, CODE_NOT_FOUND, "no_such_upload", "there is no such upload");
}

/* What random_text() makes, so that the name leads nowhere else. */
static int upload_path(struct path *out, const char *data_dir, struct str id, struct fail *f)
{
    if (id.len != BUILD_UPLOAD_ID_LEN)
        return no_such_upload(f);
    for (size_t i = 0; i < id.len; i++) {
        char c = id.p[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')))
            return no_such_upload(f);
    }
    return path_make(out, data_dir, UPLOAD_PREFIX, id, f);
}

static int build_path(struct path *out, const char *data_dir, const uint8_t hash[SHA256_LEN],
                      struct fail *f)
{
    char hex[2 * SHA256_LEN];

    hex_print(hash, SHA256_LEN, hex);
    return path_make(out, data_dir, "", str_make(hex, sizeof(hex)), f);
}

static int lock(int fd)
{
    int r;

    do {
        r = flock(fd, LOCK_EX);
    } while (r < 0 && errno == EINTR);
    return r;
}

/* The folder's lock; close() lets it go. */
static int folder_lock(const char *data_dir, int *out, struct fail *f)
{
    struct path folder = {0};

    if (folder_path(&folder, data_dir, f) < 0)
        return -1;

    int fd = open(folder.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return datafile_fail(f, errno, "open", folder.text);
    if (lock(fd) < 0) {
        IGNORE(datafile_fail(f, errno, "lock", folder.text));
        close(fd);
        return -1;
    }
    *out = fd;
    return 0;
}

/* --- uploads --- */

/* How many there are, without those that were given up. */
static size_t uploads_count(const char *folder, int64_t now_us)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    size_t n = 0;

    if (!dir)
        return 0; /* whoever needs the directory will say so */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is nobody else's */
    while ((entry = readdir(dir)) != NULL) {
        struct stat st;

        if (!str_starts_with(str_of(entry->d_name), STR(UPLOAD_PREFIX)) ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (st.st_mtim.tv_sec < now_us / 1000000 - UPLOAD_AGE_S)
            IGNORE(unlinkat(dirfd(dir), entry->d_name, 0));
        else
            n++;
    }
    closedir(dir);
    return n;
}

int build_upload_begin(const char *data_dir, int64_t now_us, char id[BUILD_UPLOAD_ID_LEN],
                       struct fail *f)
{
    struct path folder = {0}, path = {0};
    char fresh[BUILD_UPLOAD_ID_LEN];

    random_text(fresh, sizeof(fresh));
    if (folder_path(&folder, data_dir, f) < 0 ||
        upload_path(&path, data_dir, str_make(fresh, sizeof(fresh)), f) < 0)
        return -1;
    if (mkdir(folder.text, 0700) == 0) {
        if (datafile_sync_dir(data_dir, f) < 0)
            return -1;
    } else if (errno != EEXIST) {
        return datafile_fail(f, errno, "make", folder.text);
    }
    if (uploads_count(folder.text, now_us) >= BUILD_UPLOADS_MAX)
        return fail_reason(f, CODE_RESOURCE_EXHAUSTED, "too_many_uploads",
                           "%d uploads are under way; finish or drop one of them",
                           BUILD_UPLOADS_MAX);

    int fd = open(path.text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return datafile_fail(f, errno, "make", path.text);
    close(fd);
    memcpy(id, fresh, sizeof(fresh));
    return 0;
}

static bool is_still_named(const struct path *path, const struct stat *st)
{
    struct stat now;

    return lstat(path->text, &now) == 0 && now.st_dev == st->st_dev && now.st_ino == st->st_ino;
}

/* Open and locked: nobody else writes to it meanwhile. Who had to wait for the lock may find that
 * it has become a build, whose file nobody may touch. */
static int upload_open(const struct path *path, int flags, int *out, struct stat *st,
                       struct fail *f)
{
    int fd = open(path->text, flags | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return no_such_upload(f);
    if (fd < 0)
        return datafile_fail(f, errno, "open", path->text);
    if (lock(fd) < 0 || fstat(fd, st) < 0) {
        IGNORE(datafile_fail(f, errno, "lock", path->text));
        close(fd);
        return -1;
    }
    if (!is_still_named(path, st)) {
        close(fd);
        return no_such_upload(f);
    }
    *out = fd;
    return 0;
}

/* 0 or an errno. */
static int write_at(int fd, struct str bytes, int64_t offset)
{
    while (bytes.len > 0) {
        ssize_t n = pwrite(fd, bytes.p, bytes.len, offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        bytes = str_skip(bytes, (size_t)n);
        offset += n;
    }
    return 0;
}

int build_upload_write(const char *data_dir, struct str id, int64_t offset, struct str bytes,
                       int64_t *size, struct fail *f)
{
    struct path path = {0};
    struct stat st = {0};
    int fd = -1;

    if (upload_path(&path, data_dir, id, f) < 0 || upload_open(&path, O_WRONLY, &fd, &st, f) < 0)
        return -1;

    int result = 0;
    int error = 0;

    if (offset < 0 || offset > st.st_size)
        result = fail_reason(f, CODE_ABORTED, "wrong_offset", "the upload has %lld bytes",
                             (long long)st.st_size);
    else if (bytes.len > (size_t)(BUILD_BYTES_MAX - offset))
        result = fail_reason(f, CODE_RESOURCE_EXHAUSTED, "too_large",
                             "a build may have at most %lld bytes", (long long)BUILD_BYTES_MAX);
    else if ((error = write_at(fd, bytes, offset)) != 0)
        result = datafile_fail(f, error, "write", path.text);
    else
        *size = MAX((int64_t)st.st_size, offset + (int64_t)bytes.len);
    close(fd);
    return result;
}

int build_upload_drop(const char *data_dir, struct str id, struct fail *f)
{
    struct path path = {0};

    if (upload_path(&path, data_dir, id, f) < 0)
        return -1;
    if (unlink(path.text) == 0)
        return 0;
    return errno == ENOENT ? no_such_upload(f) : datafile_fail(f, errno, "remove", path.text);
}

/* --- from upload to build --- */

/* The upload is what it should be, and on the disk. */
static int upload_check(int fd, const struct path *path, struct build *b, struct fail *f)
{
    uint8_t hash[SHA256_LEN] = {0};
    int64_t bytes = 0;

    if (datafile_sha256(fd, path->text, hash, &bytes, f) < 0)
        return -1;
    if (fsync(fd) < 0)
        return datafile_fail(f, errno, "sync", path->text);
    if (bytes == 0)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "empty_build", "the build is empty");
    if (memcmp(hash, b->sha256, sizeof(hash)) != 0)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "wrong_hash",
                           "what was uploaded does not have the hash that was announced");
    b->bytes = bytes;
    return 0;
}

struct change {
    const struct caller *by;
    struct build build;
    bool named; /* by another row */
};

/* The row of the same version and platform; NULL: none. */
static const struct build *find_row(const struct build *all, size_t count, const struct build *b)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(all[i].version, b->version) && str_eq(all[i].platform, b->platform))
            return &all[i];
    }
    return NULL;
}

/* Who adds it again wants its file back, or did not hear that the first time went well. */
static bool is_same(const struct build *x, const struct build *y)
{
    return memcmp(x->sha256, y->sha256, SHA256_LEN) == 0 &&
           str_eq(x->from_version, y->from_version);
}

static int run_add(struct store_tx *tx, void *arg, struct fail *f)
{
    struct change *c = arg;
    const struct build *row;
    struct build *all;
    size_t count;

    if (build_list(tx, &all, &count, f) < 0)
        return -1;
    row = find_row(all, count, &c->build);
    if (row && is_same(row, &c->build)) {
        c->build = *row;
        return 0;
    }
    c->build.added_us = store_tx_now(tx);
    return build_add(tx, c->by, &c->build, f);
}

/* Says what build_add() will say, before the file is touched. */
static int check_new(struct store *s, struct arena *a, const struct build *b, struct fail *f)
{
    const struct build *row;
    struct store_tx *tx;
    struct build *all;
    size_t count;

    if (build_check(b, f) < 0 || store_read_open(s, a, &tx, f) < 0)
        return -1;

    int result = build_list(tx, &all, &count, f);

    store_read_close(&tx);
    if (result < 0)
        return -1;
    row = find_row(all, count, b);
    if (row && !is_same(row, b))
        return fail_reason(f, CODE_ALREADY_EXISTS, "build_exists",
                           "there is a build of that version for that platform already");
    return 0;
}

/* Under the folder's lock. A file of that hash that is there may be another row's: it stays where
 * it is whatever becomes of ours, and only then our copy, which is known to be good, takes its
 * place. */
static int put_in_place(struct store *s, struct arena *a, const struct path *folder,
                        const struct path *from, const struct path *to, struct change *c,
                        struct fail *f)
{
    bool there = access(to->text, F_OK) == 0;

    if (!there && rename(from->text, to->text) < 0)
        return errno == ENOENT ? no_such_upload(f) : datafile_fail(f, errno, "name", to->text);
    if (datafile_sync_dir(folder->text, f) == 0 && store_write(s, a, run_add, c, f) == 0) {
        if (there && rename(from->text, to->text) < 0)
            IGNORE(unlink(from->text));
        return 0;
    }
    if (!there)
        IGNORE(rename(to->text, from->text));
    return -1;
}

int build_publish(struct store *s, struct arena *a, const struct caller *by, const char *data_dir,
                  struct str upload, struct build *b, struct fail *f)
{
    struct change c = {.by = by, .build = *b};
    struct path from = {0}, to = {0}, folder = {0};
    struct stat st = {0};
    int fd = -1, held = -1;

    if (folder_path(&folder, data_dir, f) < 0 || upload_path(&from, data_dir, upload, f) < 0 ||
        build_path(&to, data_dir, b->sha256, f) < 0 || check_new(s, a, b, f) < 0 ||
        upload_open(&from, O_RDONLY, &fd, &st, f) < 0)
        return -1;

    int result = upload_check(fd, &from, &c.build, f);

    if (result == 0)
        result = folder_lock(data_dir, &held, f);
    if (result == 0) {
        result = put_in_place(s, a, &folder, &from, &to, &c, f);
        close(held);
    }
    close(fd); /* until here nobody could write to what was hashed */
    if (result == 0)
        *b = c.build;
    return result;
}

/* Whether a row names the file, other than the one that is meant itself. */
static bool is_named_elsewhere(const struct build *all, size_t count, const struct build *b)
{
    for (size_t i = 0; i < count; i++) {
        bool same = str_eq(all[i].version, b->version) && str_eq(all[i].platform, b->platform);

        if (!same && memcmp(all[i].sha256, b->sha256, SHA256_LEN) == 0)
            return true;
    }
    return false;
}

static int run_remove(struct store_tx *tx, void *arg, struct fail *f)
{
    struct change *c = arg;
    const struct build *row;
    struct build *all;
    size_t count;

    if (build_list(tx, &all, &count, f) < 0)
        return -1;
    row = find_row(all, count, &c->build);
    if (row)
        memcpy(c->build.sha256, row->sha256, SHA256_LEN);
    c->named = is_named_elsewhere(all, count, &c->build);
    return build_remove(tx, c->by, c->build.version, c->build.platform, f);
}

int build_retire(struct store *s, struct arena *a, const struct caller *by, const char *data_dir,
                 struct str version, struct str platform, struct fail *f)
{
    struct change c = {.by = by, .build = {.version = version, .platform = platform}};
    struct path path = {0}, folder = {0};
    int held = -1;

    if (folder_path(&folder, data_dir, f) < 0)
        return -1;
    if (folder_lock(data_dir, &held, f) < 0) {
        if (f->code != CODE_NOT_FOUND)
            return -1;
        return fail_reason(f, CODE_NOT_FOUND, "no_such_build", "there is no such build");
    }

    int result = store_write(s, a, run_remove, &c, f);

    /* A file that stays behind is swept at the next start. */
    if (result == 0 && !c.named && build_path(&path, data_dir, c.build.sha256, f) == 0)
        IGNORE(unlink(path.text));
    close(held);
    return result;
}

int build_file_open(const char *data_dir, const uint8_t sha256[32], int *fd, struct fail *f)
{
    struct path path = {0};

    if (build_path(&path, data_dir, sha256, f) < 0)
        return -1;

    int opened = open(path.text, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (opened < 0 && errno == ENOENT)
        return fail_reason(f, CODE_NOT_FOUND, "no_such_build", "there is no such build");
    if (opened < 0)
        return datafile_fail(f, errno, "open", path.text);
    *fd = opened;
    return 0;
}

static bool is_left_over(struct str name, const struct build *all, size_t count)
{
    uint8_t hash[SHA256_LEN];

    if (str_starts_with(name, STR(UPLOAD_PREFIX)))
        return true;
    if (name.len != HEX_LEN || hex_parse(name, hash, sizeof(hash)) < 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (memcmp(all[i].sha256, hash, sizeof(hash)) == 0)
            return false;
    }
    return true;
}

int build_files_sweep(struct store_tx *tx, const char *data_dir, struct fail *f)
{
    struct path folder = {0};
    struct build *all;
    size_t count;
    const struct dirent *entry;

    if (folder_path(&folder, data_dir, f) < 0 || build_list(tx, &all, &count, f) < 0)
        return -1;

    DIR *dir = opendir(folder.text);

    if (!dir)
        return errno == ENOENT ? 0 : datafile_fail(f, errno, "open", folder.text);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is nobody else's */
    while ((entry = readdir(dir)) != NULL) {
        if (is_left_over(str_of(entry->d_name), all, count))
            IGNORE(unlinkat(dirfd(dir), entry->d_name, 0));
    }
    closedir(dir);
    return 0;
}
