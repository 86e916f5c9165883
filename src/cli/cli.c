/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the command, prints help from the same tables. */
#include "cli/cli.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/nearest.h"

#define HELP_MAX ((size_t)1 << 20)

struct commands {
    const struct cli_command *rows[32];
    size_t count;
};

static enum exit_code run_version(struct cli *cli, const struct cli_command *self, int argc,
                                  char *const *argv);

static const struct cli_command own[] = {
    {.name = "agents",
     .text = "Lists, shows and watches agents, and explains what they get.",
     .children = agent_commands,
     .child_count = AGENT_COMMAND_COUNT},
    {.name = "pipelines",
     .text = "Lists, compares, previews and writes pipelines.",
     .children = pipeline_commands,
     .child_count = PIPELINE_COMMAND_COUNT},
    {.name = "collectors",
     .text = "Lists, creates, changes and deletes collectors, installed and hosted.",
     .children = collector_commands,
     .child_count = COLLECTOR_COMMAND_COUNT},
    {.name = "sources",
     .text = "Lists, writes and deletes the sources of a collector.",
     .children = source_commands,
     .child_count = SOURCE_COMMAND_COUNT},
    {.name = "builds",
     .text = "Adds, lists and removes the builds that collectors can be upgraded to.",
     .children = build_commands,
     .child_count = BUILD_COMMAND_COUNT},
    {.name = "upgrades",
     .text = "Lists and starts upgrades of installed collectors.",
     .children = upgrade_commands,
     .child_count = UPGRADE_COMMAND_COUNT},
    {.name = "key",
     .text = "Creates, lists and revokes keys.",
     .children = key_commands,
     .child_count = KEY_COMMAND_COUNT},
    {.name = "token",
     .text = "Creates, lists and deletes installation tokens, with which collectors register.",
     .children = token_commands,
     .child_count = TOKEN_COMMAND_COUNT},
    {.name = "tenant",
     .text = "Creates, lists and deletes tenants.",
     .children = tenant_commands,
     .child_count = TENANT_COMMAND_COUNT},
    {.name = "backup",
     .usage = "DIR [flags]",
     .text = "Copies the running server's database and builds to a directory.",
     .run = backup_command},
    {.name = "check",
     .usage = "[PATH] [flags]",
     .text = "Verifies a backup, a stopped server's directory, or the running server's data.",
     .run = check_command},
    {.name = "version", .usage = "", .text = "Prints the version.", .run = run_version},
};

static int write_all(int fd, struct str text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.p, text.len);

        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            return -1;
        text = str_skip(text, (size_t)n);
    }
    return 0;
}

enum exit_code cli_print(struct cli *cli, struct str text)
{
    if (write_all(cli->out, text) < 0)
        return cli_fail(cli, EXIT_CODE_FAILURE, "cannot write the output: %s",
                        strerrordesc_np(errno));
    return EXIT_CODE_OK;
}

/* What a server says may be anything, and a terminal obeys it. */
static void tame(char *text)
{
    for (; *text; text++) {
        if (((unsigned char)*text < 0x20 && *text != '\n') || *text == 0x7f)
            *text = '?';
    }
}

enum exit_code cli_fail(struct cli *cli, enum exit_code code, const char *fmt, ...)
{
    char text[512];
    char *message = text;
    va_list ap;

    assert(fmt); /* gcc under UBSan would follow the path where it is not */
    va_start(ap, fmt);

    int len = vsnprintf(text, sizeof(text), fmt, ap);

    va_end(ap);
    if (len >= (int)sizeof(text)) {
        message = arena_alloc(cli->arena, (size_t)len + 1);
        va_start(ap, fmt);
        vsnprintf(message, (size_t)len + 1, fmt, ap);
        va_end(ap);
    }

    tame(message);

    struct str line = arena_printf(cli->arena, "muster%s%s: %s\n", cli->name ? " " : "",
                                   cli->name ? cli->name : "", message);

    IGNORE(write_all(cli->err, line));
    return code;
}

const char *cli_env(const struct cli *cli, const char *name)
{
    size_t len = strlen(name);

    for (char *const *entry = cli->env; entry && *entry; entry++) {
        if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=' && (*entry)[len + 1] != '\0')
            return *entry + len + 1;
    }
    return NULL;
}

static enum exit_code print_command_help(struct cli *cli, const struct cli_command *self,
                                         const struct args_flag *flags, size_t flag_count)
{
    struct buf out;

    buf_init_arena(&out, cli->arena, HELP_MAX);
    buf_printf(&out, "usage: muster %s %s\n\n", cli->name, self->usage);
    args_wrap(&out, self->text, 0);
    if (flag_count > 0) {
        buf_put_str(&out, STR("\nFlags:\n"));
        args_help(&out, flags, flag_count);
    }
    return cli_print(cli, buf_str(&out));
}

bool cli_args(struct cli *cli, const struct cli_command *self, const struct args_flag *flags,
              size_t flag_count, size_t min_operands, size_t max_operands, int argc,
              char *const *argv, struct args *out, enum exit_code *code)
{
    struct fail f;

    if (args_parse(cli->arena, flags, flag_count, argc, argv, out, &f) < 0) {
        *code = cli_fail(cli, EXIT_CODE_USAGE, "%s", f.message);
        return false;
    }
    if (out->help) {
        *code = print_command_help(cli, self, flags, flag_count);
        return false;
    }

    struct str usage = arena_printf(cli->arena, "muster %s %s", cli->name, self->usage);

    if (args_operands(out, min_operands, max_operands, arena_cstr(cli->arena, usage), &f) < 0) {
        *code = cli_fail(cli, EXIT_CODE_USAGE, "%s", f.message);
        return false;
    }
    return true;
}

static enum exit_code run_version(struct cli *cli, const struct cli_command *self, int argc,
                                  char *const *argv)
{
    struct args args;
    enum exit_code code;

    if (!cli_args(cli, self, NULL, 0, 0, 0, argc, argv, &args, &code))
        return code;
    return cli_print(cli, STR("muster " MUSTER_VERSION "\n"));
}

static void put_commands(struct buf *out, const struct commands *all)
{
    size_t width = 0;

    for (size_t i = 0; i < all->count; i++)
        width = MAX(width, strlen(all->rows[i]->name));
    for (size_t i = 0; i < all->count; i++) {
        struct str text = str_of(all->rows[i]->text);
        struct str sentence = str_cut(&text, '.');

        buf_printf(out, "  %-*s  %.*s.\n", (int)width, all->rows[i]->name, STR_ARG(sentence));
    }
}

static void put_overview(struct buf *out, const struct commands *all)
{
    size_t count;
    const struct exit_code_row *codes = exit_code_rows(&count);

    buf_put_str(out, STR("usage: muster COMMAND [arguments]\n\nCommands:\n"));
    put_commands(out, all);
    buf_put_str(out,
                STR("\nEach command has --help. The commands other than serve talk to a running "
                    "server:\n--data DIR finds it on this machine, --server URL and --key TOKEN "
                    "anywhere.\n\nExit codes:\n"));
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "  %2d  %s\n", (int)codes[i].code, codes[i].text);
}

static const struct cli_command *find(const struct commands *all, const char *name)
{
    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->rows[i]->name, name) == 0)
            return all->rows[i];
    }
    return NULL;
}

static enum exit_code refuse_unknown(struct cli *cli, const struct commands *all, const char *name)
{
    const char *names[COUNTOF(all->rows)];

    for (size_t i = 0; i < all->count; i++)
        names[i] = all->rows[i]->name;

    const char *nearest = nearest_find(str_of(name), names, all->count);

    return cli_fail(cli, EXIT_CODE_USAGE, "unknown command \"%.64s\"%s%s%s", name,
                    nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                    nearest ? "\"?" : "; --help lists the commands");
}

static bool is_help(const char *arg)
{
    return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0 || strcmp(arg, "help") == 0;
}

static enum exit_code run_one(struct cli *cli, const struct cli_command *command, int argc,
                              char *const *argv)
{
    return command->ask ? ask_run(cli, command, argc, argv)
                        : command->run(cli, command, argc, argv);
}

static enum exit_code run_group(struct cli *cli, const struct cli_command *group, int argc,
                                char *const *argv)
{
    struct commands all = {.count = 0};

    for (size_t i = 0; i < group->child_count; i++)
        all.rows[all.count++] = &group->children[i];

    if (argc == 0 || is_help(argv[0])) {
        struct buf out;

        buf_init_arena(&out, cli->arena, HELP_MAX);
        buf_printf(&out, "usage: muster %s COMMAND [arguments]\n\n%s\n\nCommands:\n", group->name,
                   group->text);
        put_commands(&out, &all);
        if (argc > 0)
            return cli_print(cli, buf_str(&out));
        IGNORE(write_all(cli->err, buf_str(&out)));
        return EXIT_CODE_USAGE;
    }

    cli->name = group->name;

    const struct cli_command *command = find(&all, argv[0]);

    if (!command)
        return refuse_unknown(cli, &all, argv[0]);
    cli->name =
        arena_cstr(cli->arena, arena_printf(cli->arena, "%s %s", group->name, command->name));
    return run_one(cli, command, argc - 1, argv + 1);
}

enum exit_code cli_main(struct cli *cli, const struct cli_command *more, size_t more_count,
                        int argc, char *const *argv)
{
    struct commands all = {.count = 0};

    for (size_t i = 0; i < more_count; i++)
        all.rows[all.count++] = &more[i];
    for (size_t i = 0; i < COUNTOF(own); i++)
        all.rows[all.count++] = &own[i];

    if (argc == 0 || is_help(argv[0])) {
        struct buf out;

        /* `muster help key create` is `muster key create --help`. */
        if (argc > 1 && strcmp(argv[0], "help") == 0) {
            char *turned[4] = {argv[1], NULL};
            int count = 1;

            if (argc > 2)
                turned[count++] = argv[2];
            turned[count++] = (char[]){"--help"};
            return cli_main(cli, more, more_count, count, turned);
        }
        buf_init_arena(&out, cli->arena, HELP_MAX);
        put_overview(&out, &all);
        if (argc > 0)
            return cli_print(cli, buf_str(&out));
        IGNORE(write_all(cli->err, buf_str(&out)));
        return EXIT_CODE_USAGE;
    }
    if (strcmp(argv[0], "--version") == 0)
        return run_version(cli, find(&all, "version"), 0, NULL);

    const struct cli_command *command = find(&all, argv[0]);

    if (!command)
        return refuse_unknown(cli, &all, argv[0]);
    if (command->children)
        return run_group(cli, command, argc - 1, argv + 1);
    cli->name = command->name;
    return run_one(cli, command, argc - 1, argv + 1);
}
