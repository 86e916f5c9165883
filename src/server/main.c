/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the commands together: those of the server and those of cli, which talk to one. */
#include <unistd.h>

#include "cli/cli.h"
#include "server/config_command.h"
#include "server/exit_reason.h"
#include "server/serve.h"
#include "store/store_open.h"

extern char **environ;

static enum exit_code check_file(const char *path, struct arena *a, struct cli_findings *out,
                                 struct fail *f)
{
    struct store_findings found = {0};

    if (store_check_file(path, a, &found, f) < 0)
        return exit_reason_code(f);
    out->lines = (const char *const *)found.lines;
    out->count = found.count;
    out->schema_version = found.schema_version;
    return EXIT_CODE_OK;
}

static const struct cli_command commands[] = {
    {.name = "serve",
     .usage = "[flags]",
     .text = "Runs the server. Every flag can also be set in the environment and in a file; see "
             "docs/configuration.md, or muster config explain KEY.",
     .run = serve_command},
    {.name = "config",
     .text = "Checks, shows and explains the configuration.",
     .children = config_commands,
     .child_count = CONFIG_COMMAND_COUNT},
};

int main(int argc, char **argv)
{
    struct clock *clock = clock_new_real();
    struct cli cli = {
        .arena = arena_new(65536),
        .clock = clock,
        .env = environ,
        .out = STDOUT_FILENO,
        .err = STDERR_FILENO,
        .check_file = check_file,
    };
    enum exit_code code =
        cli_main(&cli, commands, COUNTOF(commands), argc > 0 ? argc - 1 : 0, argv + 1);

    clock_free(&clock);
    arena_free(&cli.arena);
    return (int)code;
}
