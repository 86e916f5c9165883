/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the commands together: those of the server and those of cli, which talk to one. */
#include <unistd.h>

#include "base/id.h"
#include "cli/cli.h"
#include "server/config_command.h"
#include "server/data_audit.h"
#include "server/exit_reason.h"
#include "server/serve.h"

extern char **environ;

static const char *const *hashes(struct arena *a, const struct build_totals *builds)
{
    const char **out = arena_new_array(a, const char *, builds->unsound_count + 1);

    for (size_t i = 0; i < builds->unsound_count; i++) {
        char hex[2 * sizeof(builds->unsound->sha256)];

        hex_print(builds->unsound[i].sha256, sizeof(builds->unsound[i].sha256), hex);
        out[i] = arena_cstr(a, str_make(hex, sizeof(hex)));
    }
    return out;
}

static enum exit_code check_files(const char *database, const char *dir, struct arena *a,
                                  struct cli_findings *out, struct fail *f)
{
    struct data_audit *found = arena_new_type(a, struct data_audit);

    if (data_audit_files(database, dir, a, found, f) < 0)
        return exit_reason_code(f);
    *out = (struct cli_findings){
        .lines = found->audit.findings.items,
        .count = found->audit.findings.count,
        .notes = found->audit.notes.items,
        .note_count = found->audit.notes.count,
        .schema_version = found->rows.schema_version,
        .builds = found->builds.builds,
        .unsound_builds = hashes(a, &found->builds),
        .unsound_count = found->builds.unsound_count,
        .orphan_builds = found->builds.orphans,
        .orphan_count = found->builds.orphan_count,
    };
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
        .check_files = check_files,
    };
    enum exit_code code =
        cli_main(&cli, commands, COUNTOF(commands), argc > 0 ? argc - 1 : 0, argv + 1);

    clock_free(&clock);
    arena_free(&cli.arena);
    return (int)code;
}
