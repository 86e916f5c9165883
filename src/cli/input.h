/* SPDX-License-Identifier: Apache-2.0 */
/* Files that commands read. Main thread; the cli's arena. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "cli/cli.h"

#define INPUT_BYTES_MAX ((size_t)64 << 20)

/* A whole file; "-" is standard input. False: *code is how to end. */
bool input_read(struct cli *cli, const char *path, struct str *out, enum exit_code *code)
    MUST_CHECK;

#endif
