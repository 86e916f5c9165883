/* SPDX-License-Identifier: Apache-2.0 */
/* The process as a set of commands: tables of names and functions, help, and one way to print and
 * to fail. Main thread; the arena lives as long as the process. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/macros.h"
#include "cli/args.h"
#include "cli/exit_code.h"

struct cli;
struct cli_command;
struct ask_form;

/* The name of the database in a data directory and in a backup. */
#define CLI_DATABASE "muster.db"

/* What a check of files found; texts live in the arena. */
struct cli_findings {
    const char *const *lines;
    size_t count;
    const char *const *notes;
    size_t note_count;
    int schema_version;
    size_t builds;
    const char *const *unsound_builds; /* hashes whose file is missing or damaged */
    size_t unsound_count;
    const char *const *orphan_builds; /* names of files that belong to no build */
    size_t orphan_count;
};

struct cli {
    struct arena *arena;
    const struct clock *clock;
    char *const *env;
    int out; /* file descriptors */
    int err;

    /* Verifies a data file that no server uses, and what lies beside it in `dir`; NULL: the file
     * alone. 0 with the findings, or an exit code with f. The commands may not know the store, so
     * the process hands this in. */
    enum exit_code (*check_files)(const char *database, const char *dir, struct arena *a,
                                  struct cli_findings *out, struct fail *f);

    const char *name; /* of the running command: "key create" */
};

struct cli_command {
    const char *name;
    const char *usage; /* what follows the name: "FILE [flags]" */
    const char *text;  /* one sentence */

    /* One of the three. */
    enum exit_code (*run)(struct cli *cli, const struct cli_command *self, int argc,
                          char *const *argv);
    const struct ask_form *ask; /* ask.h */
    const struct cli_command *children;
    size_t child_count;
};

/* Runs `muster ARGUMENTS`: the commands of this folder and `more`. argv without the program. */
enum exit_code cli_main(struct cli *cli, const struct cli_command *more, size_t more_count,
                        int argc, char *const *argv);

/* Parses the command's flags. False: *code is how to end; help or the mistake was printed. */
bool cli_args(struct cli *cli, const struct cli_command *self, const struct args_flag *flags,
              size_t flag_count, size_t min_operands, size_t max_operands, int argc,
              char *const *argv, struct args *out, enum exit_code *code) MUST_CHECK;

/* To standard output, as a whole; FAILURE when it cannot be written. */
enum exit_code cli_print(struct cli *cli, struct str text);

/* "muster key create: message" to standard error; returns the code. */
enum exit_code cli_fail(struct cli *cli, enum exit_code code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* NULL when the environment has none, or an empty one. */
const char *cli_env(const struct cli *cli, const char *name);

#endif
