/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES 65536

/* 0, or an errno. */
static int read_all(int fd, struct buf *out)
{
    for (;;) {
        uint8_t *at = buf_reserve(out, READ_BYTES);
        ssize_t n;

        if (!at)
            return EFBIG;
        n = read(fd, at, READ_BYTES);
        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            return errno;
        if (n == 0)
            return 0;
        out->len += (size_t)n;
    }
}

bool input_read(struct cli *cli, const char *path, struct str *out, enum exit_code *code)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    int error = errno;
    struct buf bytes;

    buf_init_arena(&bytes, cli->arena, INPUT_BYTES_MAX);
    if (fd >= 0)
        error = read_all(fd, &bytes);
    if (fd >= 0 && !standard)
        close(fd);
    if (fd >= 0 && error == 0) {
        *out = buf_str(&bytes);
        return true;
    }
    *code = cli_fail(cli, error == ENOENT ? EXIT_CODE_NOT_FOUND : EXIT_CODE_FAILURE,
                     "cannot read %s: %s", path, strerrordesc_np(error));
    return false;
}
