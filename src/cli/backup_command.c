/* SPDX-License-Identifier: Apache-2.0 */
/* muster backup FILE: the copy appears under its name only when it is whole and on the disk. */
#include "cli/client.h"
#include "cli/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"

#define RANDOM_LEN 8

struct target {
    struct cli *cli;
    const char *path;
    const char *temporary;
    bool force;
};

static enum exit_code cannot(const struct target *t, const char *what)
{
    return cli_fail(t->cli, EXIT_CODE_NOT_WRITABLE, "cannot %s %s: %s", what, t->path,
                    strerrordesc_np(errno));
}

/* A server that runs on the file's directory holds the lock there. Its database replaced under its
 * feet would be lost with the next restart, and with it all that was acknowledged meanwhile. */
static bool is_in_use(const struct target *t)
{
    struct arena *a = t->cli->arena;
    char *copy = arena_cstr(a, str_of(t->path));
    char *lock = arena_cstr(a, arena_printf(a, "%s/lock", dirname(copy)));
    int fd = open(lock, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return false;

    bool held = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;

    close(fd);
    return held;
}

static enum exit_code sync_directory(const struct target *t)
{
    char *copy = arena_cstr(t->cli->arena, str_of(t->path));
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd < 0 ? -1 : fsync(fd);
    int error = errno;

    if (fd >= 0)
        close(fd);
    if (result < 0)
        return cli_fail(t->cli, EXIT_CODE_DISK, "cannot sync the directory of %s: %s", t->path,
                        strerrordesc_np(error));
    return EXIT_CODE_OK;
}

/* Without --force a file that appeared meanwhile stays. */
static enum exit_code put_in_place(const struct target *t)
{
    int result = t->force ? rename(t->temporary, t->path)
                          : renameat2(AT_FDCWD, t->temporary, AT_FDCWD, t->path, RENAME_NOREPLACE);

    /* File systems without that flag. */
    if (result < 0 && !t->force && (errno == EINVAL || errno == ENOSYS)) {
        result = link(t->temporary, t->path);
        if (result == 0)
            unlink(t->temporary);
    }
    if (result < 0)
        return cannot(t, "write");
    return sync_directory(t);
}

static enum exit_code fetch(const struct target *t, struct client *client, int fd, uint64_t *bytes)
{
    enum exit_code code = client_download(client, STR("/admin/v1/backup"), fd, bytes);

    if (code != EXIT_CODE_OK)
        return code;
    if (*bytes == 0)
        return cli_fail(t->cli, EXIT_CODE_FAILURE, "the server sent an empty backup");
    if (fsync(fd) < 0)
        return cli_fail(t->cli, EXIT_CODE_DISK, "cannot make %s durable: %s", t->path,
                        strerrordesc_np(errno));
    return EXIT_CODE_OK;
}

static enum exit_code backup(const struct target *t, struct client *client)
{
    uint64_t bytes = 0;
    int fd = open(t->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return cannot(t, "write");

    enum exit_code code = fetch(t, client, fd, &bytes);

    if (close(fd) < 0 && code == EXIT_CODE_OK)
        code = cannot(t, "write");
    if (code == EXIT_CODE_OK)
        code = put_in_place(t);
    if (code != EXIT_CODE_OK) {
        unlink(t->temporary);
        return code;
    }
    return cli_print(t->cli, arena_printf(t->cli->arena, "%s: %llu bytes\n", t->path,
                                          (unsigned long long)bytes));
}

enum exit_code backup_command(struct cli *cli, const struct cli_command *self, int argc,
                              char *const *argv)
{
    static const struct args_flag own[] = {
        {"force", ARGS_SWITCH, NULL, "Replaces FILE when it exists."},
    };
    struct args args;
    enum exit_code code;
    size_t count;
    const struct args_flag *flags = client_flags_with(cli->arena, own, COUNTOF(own), &count);
    char random[RANDOM_LEN];
    struct stat st;

    if (!cli_args(cli, self, flags, count, 1, 1, argc, argv, &args, &code))
        return code;

    struct target t = {.cli = cli, .path = args.operands[0], .force = args_is_on(&args, "force")};

    if (t.path[0] == '\0')
        return cli_fail(cli, EXIT_CODE_USAGE, "name the file to write");
    if (stat(t.path, &st) == 0 && !S_ISREG(st.st_mode))
        return cli_fail(cli, EXIT_CODE_NOT_WRITABLE, "%s exists and is not a file", t.path);
    if (is_in_use(&t))
        return cli_fail(cli, EXIT_CODE_LOCKED,
                        "a server runs on the directory of %s; write the copy somewhere else",
                        t.path);
    if (stat(t.path, &st) == 0 && !t.force)
        return cli_fail(cli, EXIT_CODE_NOT_WRITABLE, "%s exists; --force replaces it", t.path);
    random_text(random, sizeof(random));
    t.temporary =
        arena_cstr(cli->arena, arena_printf(cli->arena, "%s.tmp-%.*s", t.path, RANDOM_LEN, random));

    struct client *client = client_new(cli, &args, &code);

    if (!client)
        return code;
    code = backup(&t, client);
    client_free(&client);
    return code;
}
