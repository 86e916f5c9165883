/* SPDX-License-Identifier: Apache-2.0 */
/* What the process tells the shell when it ends: one table for the server and the commands, shown
 * by `muster --help` and in docs/configuration.md. Numbers are never reused. */
#ifndef CLI_EXIT_CODE_H
#define CLI_EXIT_CODE_H

#include <stddef.h>

#include "base/macros.h"

enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_FAILURE = 1,
    EXIT_CODE_USAGE = 2,
    EXIT_CODE_LOCKED = 3,
    EXIT_CODE_NEWER_SCHEMA = 4,
    EXIT_CODE_CORRUPT = 5,
    EXIT_CODE_NOT_WRITABLE = 6,
    EXIT_CODE_DISK = 7,
    EXIT_CODE_LISTEN = 8,
    EXIT_CODE_MASTER_KEY = 9,
    EXIT_CODE_UNREACHABLE = 10,
    EXIT_CODE_DENIED = 11,
    EXIT_CODE_NOT_FOUND = 12,
    EXIT_CODE_CONFLICT = 13,
    EXIT_CODE_REFUSED = 14,
    EXIT_CODE_PROBLEMS = 15,
    EXIT_CODE_DIFFERS = 16,
};

struct exit_code_row {
    enum exit_code code;
    const char *text;
};

/* In ascending order. */
const struct exit_code_row *exit_code_rows(size_t *count) RETURNS_NONNULL;

#endif
