/* SPDX-License-Identifier: Apache-2.0 */
/* muster backup DIR: a directory that looks like the server's own, with the database and the files
 * of the builds in it. The snapshot of the database comes first and says which builds are needed;
 * it takes its name last, when all of them are there. So what has that name is whole at any moment,
 * and a backup over an older one fetches only what is new. */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/fleet.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUILDS "builds"
#define TRIES  10

struct copy {
    struct cli *cli;
    struct client *client;
    const char *dir;
    const char *database;
    const char *fresh; /* the snapshot until it is the database */
    const char *builds;
    const char *part; /* a build while it comes; a server that finds it there removes it */
    int fd;           /* the directory, locked against another backup */
    bool made;        /* the directory, just now */
    bool force;
    struct cli_findings found;
};

static const char *join(struct cli *cli, const char *dir, const char *name)
{
    return arena_cstr(cli->arena, arena_printf(cli->arena, "%s/%s", dir, name));
}

static enum exit_code cannot(const struct copy *c, const char *what, const char *path)
{
    return cli_fail(c->cli, EXIT_CODE_NOT_WRITABLE, "cannot %s %s: %s", what, path,
                    strerrordesc_np(errno));
}

/* --- where it goes --- */

static bool is_there(const struct copy *c, const char *name)
{
    struct stat st;

    return fstatat(c->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A server that runs on the directory holds the lock there. Its database replaced under its feet
 * would be lost with the next restart, and with it all that was acknowledged meanwhile. */
static bool is_in_use(const struct copy *c)
{
    int fd = openat(c->fd, "lock", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return false;

    bool held = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;

    close(fd);
    return held;
}

/* Through a link, what this backup does not need would be removed from somewhere else. */
static bool leads_elsewhere(const struct copy *c)
{
    struct stat st;

    return fstatat(c->fd, BUILDS, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode);
}

/* Nothing, or what a backup that was broken off left. */
static bool is_empty(const struct copy *c)
{
    DIR *dir = opendir(c->dir);
    const struct dirent *e;
    bool empty = dir != NULL;

    if (!dir)
        return false;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is nobody else's */
    while ((e = readdir(dir)) != NULL)
        empty = empty && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
                          strcmp(e->d_name, BUILDS) == 0 ||
                          str_starts_with(str_of(e->d_name), STR(CLI_DATABASE ".")));
    closedir(dir);
    return empty;
}

static enum exit_code may_write(const struct copy *c)
{
    struct cli *cli = c->cli;

    if (is_in_use(c))
        return cli_fail(cli, EXIT_CODE_LOCKED, "a server runs on %s; write the copy somewhere else",
                        c->dir);
    if (is_there(c, "master.key") || is_there(c, "lock") || is_there(c, CLI_DATABASE "-wal"))
        return cli_fail(cli, EXIT_CODE_NOT_WRITABLE,
                        "%s is the data directory of a server; write the copy somewhere else",
                        c->dir);
    if (leads_elsewhere(c))
        return cli_fail(cli, EXIT_CODE_NOT_WRITABLE,
                        "%s is no directory; the copy needs one of its own", c->builds);
    if (is_there(c, CLI_DATABASE))
        return c->force ? EXIT_CODE_OK
                        : cli_fail(cli, EXIT_CODE_NOT_WRITABLE,
                                   "%s holds a backup; --force replaces it", c->dir);
    if (!is_empty(c))
        return cli_fail(cli, EXIT_CODE_NOT_WRITABLE, "%s is not empty and holds no backup", c->dir);
    return EXIT_CODE_OK;
}

static enum exit_code open_target(struct copy *c)
{
    if (c->dir[0] == '\0')
        return cli_fail(c->cli, EXIT_CODE_USAGE, "name the directory to write");
    c->made = mkdir(c->dir, 0700) == 0;
    if (!c->made && errno != EEXIST)
        return cannot(c, "make", c->dir);
    c->fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->fd < 0)
        return cannot(c, "write into", c->dir);
    if (flock(c->fd, LOCK_EX | LOCK_NB) < 0)
        return cli_fail(c->cli, EXIT_CODE_LOCKED, "another backup is written to %s", c->dir);
    return may_write(c);
}

/* --- what comes --- */

/* A file that is whole and on the disk, or none. */
static enum exit_code fetch(const struct copy *c, struct str path, const char *to)
{
    uint64_t bytes = 0;
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return cannot(c, "write", to);

    enum exit_code code = client_download(c->client, path, fd, &bytes);

    if (code == EXIT_CODE_OK && bytes == 0)
        code = cli_fail(c->cli, EXIT_CODE_FAILURE, "the server sent an empty file");
    if (code == EXIT_CODE_OK && fsync(fd) < 0)
        code = cli_fail(c->cli, EXIT_CODE_DISK, "cannot make %s durable: %s", to,
                        strerrordesc_np(errno));
    if (close(fd) < 0 && code == EXIT_CODE_OK)
        code = cannot(c, "write", to);
    if (code != EXIT_CODE_OK)
        unlink(to);
    return code;
}

static enum exit_code look(struct copy *c)
{
    struct fail f = {0};
    enum exit_code code = c->cli->check_files(c->fresh, c->dir, c->cli->arena, &c->found, &f);

    return code == EXIT_CODE_OK ? code : cli_fail(c->cli, code, "the copy: %s", f.message);
}

static enum exit_code fetch_snapshot(struct copy *c)
{
    enum exit_code code = fetch(c, STR("/admin/v1/backup"), c->fresh);

    if (code == EXIT_CODE_NOT_FOUND)
        return cli_fail(c->cli, code, "the server knows of no backups; is it a Muster server?");
    return code == EXIT_CODE_OK ? look(c) : code;
}

/* *gone: a build that was removed since the snapshot was taken, or whose file is missing there;
 * NULL: none. */
static enum exit_code fetch_builds(const struct copy *c, const char **gone)
{
    struct cli *cli = c->cli;
    enum exit_code code = EXIT_CODE_OK;

    *gone = NULL;
    if (mkdir(c->builds, 0700) < 0 && errno != EEXIST)
        return cannot(c, "make", c->builds);
    for (size_t i = 0; code == EXIT_CODE_OK && i < c->found.unsound_count; i++) {
        const char *hash = c->found.unsound_builds[i];
        const char *to = join(cli, c->builds, hash);

        code = fetch(c, arena_printf(cli->arena, "/muster/v1/builds/%s", hash), c->part);
        if (code == EXIT_CODE_NOT_FOUND) {
            *gone = hash;
            code = EXIT_CODE_OK;
        } else if (code == EXIT_CODE_OK && rename(c->part, to) < 0) {
            code = cannot(c, "write", to);
        }
    }
    return code;
}

static enum exit_code sync_directory(const struct copy *c, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd < 0 ? -1 : fsync(fd);
    int error = errno;

    if (fd >= 0)
        close(fd);
    if (result < 0)
        return cli_fail(c->cli, EXIT_CODE_DISK, "cannot sync %s: %s", path, strerrordesc_np(error));
    return EXIT_CODE_OK;
}

/* Where a build goes away under our hands, the next snapshot does not name it. One that does name
 * it has lost its file. */
static enum exit_code gather(struct copy *c)
{
    enum exit_code code = EXIT_CODE_OK;
    const char *gone = NULL, *before;
    int tries = 0;

    do {
        before = gone;
        gone = NULL;
        code = fetch_snapshot(c);
        if (code == EXIT_CODE_OK && c->found.unsound_count > 0)
            code = fetch_builds(c, &gone);
        tries++;
    } while (code == EXIT_CODE_OK && gone && tries < TRIES &&
             !(before && strcmp(before, gone) == 0));
    if (code == EXIT_CODE_OK && c->found.unsound_count > 0) {
        code = sync_directory(c, c->builds);
        if (code == EXIT_CODE_OK)
            code = look(c);
    }
    return code;
}

/* --- in its place --- */

static enum exit_code put_in_place(const struct copy *c)
{
    if (rename(c->fresh, c->database) < 0)
        return cannot(c, "write", c->database);

    /* What only the backup before this one had. */
    for (size_t i = 0; i < c->found.orphan_count; i++)
        unlink(join(c->cli, c->builds, c->found.orphan_builds[i]));
    return sync_directory(c, c->dir);
}

static enum exit_code tell(const struct copy *c)
{
    struct stat st = {0};
    struct buf out;

    buf_init_arena(&out, c->cli->arena, 1 << 20);
    for (size_t i = 0; i < c->found.count; i++)
        buf_printf(&out, "%s\n", c->found.lines[i]);
    IGNORE(stat(c->database, &st));
    buf_printf(&out, "%s: %lld bytes, and the files of %zu builds\n", c->dir, (long long)st.st_size,
               c->found.builds);

    enum exit_code code = fleet_print_text(c->cli, buf_str(&out));

    if (code != EXIT_CODE_OK || c->found.count == 0)
        return code;
    return cli_fail(c->cli, EXIT_CODE_PROBLEMS, "%s was written, but the data has problems",
                    c->dir);
}

static enum exit_code run(struct copy *c)
{
    enum exit_code code = gather(c);

    if (code == EXIT_CODE_OK)
        code = put_in_place(c);
    return code == EXIT_CODE_OK ? tell(c) : code;
}

/* Of a backup that failed; what is whole stays for the next one. */
static void clean_up(const struct copy *c)
{
    unlink(c->part);
    unlink(c->fresh);
    rmdir(c->builds);
    if (c->made)
        rmdir(c->dir);
}

enum exit_code backup_command(struct cli *cli, const struct cli_command *self, int argc,
                              char *const *argv)
{
    static const struct args_flag own[] = {
        {"force", ARGS_SWITCH, NULL,
         "Replaces the backup that DIR holds; builds that it has stay."},
    };
    struct args args;
    enum exit_code code;
    size_t count;
    const struct args_flag *flags = client_flags_with(cli->arena, own, COUNTOF(own), &count);

    if (!cli_args(cli, self, flags, count, 1, 1, argc, argv, &args, &code))
        return code;

    struct copy c = {
        .cli = cli, .dir = args.operands[0], .fd = -1, .force = args_is_on(&args, "force")};

    c.database = join(cli, c.dir, CLI_DATABASE);
    c.fresh = join(cli, c.dir, CLI_DATABASE ".new");
    c.builds = join(cli, c.dir, BUILDS);
    c.part = join(cli, c.builds, "upload-of-backup");
    c.client = client_new(cli, &args, &code);
    if (!c.client)
        return code;
    code = open_target(&c);
    if (code == EXIT_CODE_OK) {
        code = run(&c);
        if (code != EXIT_CODE_OK && code != EXIT_CODE_PROBLEMS)
            clean_up(&c);
    }
    if (c.fd >= 0)
        close(c.fd);
    client_free(&c.client);
    return code;
}
