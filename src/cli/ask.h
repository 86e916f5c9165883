/* SPDX-License-Identifier: Apache-2.0 */
/* A command that asks a running server: its row says what it takes, its function gets that read and
 * opens the client once it knows what to ask for. Main thread; lives in the cli's arena. */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <stdbool.h>

#include "cli/args.h"
#include "cli/cli.h"

struct client;

struct ask {
    struct cli *cli;
    struct args args;
    struct client *client; /* after ask_open(); freed when the function is back */
    bool json;             /* --output json */
};

/* What a row of cli_command points to. */
struct ask_form {
    enum exit_code (*run)(struct ask *ask);
    const struct args_flag *flags; /* the command's own; those of the client follow them */
    size_t flag_count;
    size_t min_operands;
    size_t max_operands;
};

/* For such a row: `.ask = ASK(run_list, list_flags, 0, 0)`. */
#define ASK(fn, own, min, max)                                                                     \
    &(const struct ask_form)                                                                       \
    {                                                                                              \
        .run = (fn), .flags = (own), .flag_count = COUNTOF(own), .min_operands = (min),            \
        .max_operands = (max)                                                                      \
    }

/* Decides where the server is, and for which tenant (--tenant). Again: nothing to do. */
enum exit_code ask_open(struct ask *ask) MUST_CHECK;

/* Same where --tenant, if there is one, is part of what the command asks for. */
enum exit_code ask_open_own(struct ask *ask) MUST_CHECK;

/* Runs the command of that row. */
enum exit_code ask_run(struct cli *cli, const struct cli_command *self, int argc, char *const *argv)
    MUST_CHECK;

#endif
