/* SPDX-License-Identifier: Apache-2.0 */
/* Commands as they are typed, up to the point where a server would be asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/client.h"

static const char *const no_env[] = {NULL};

/* What one run printed. */
struct outcome {
    char out[16384];
    char err[16384];
    enum exit_code code;
};

static enum exit_code fake_check(const char *path, const char *dir, struct arena *a,
                                 struct cli_findings *out, struct fail *f)
{
    static const char *const lines[] = {"row 1 is odd", "row 2 is even"};
    static const char *const notes[] = {"there is more"};

    (void)a;
    if (dir) {
        out->notes = notes;
        out->note_count = COUNTOF(notes);
    }
    if (strcmp(path, "locked") == 0) {
        IGNORE(fail_set(f, CODE_FAILED_PRECONDITION, "locked is in use by another process"));
        return EXIT_CODE_LOCKED;
    }
    out->schema_version = 3;
    if (strcmp(path, "odd") == 0) {
        out->lines = lines;
        out->count = COUNTOF(lines);
    }
    return EXIT_CODE_OK;
}

static void slurp(int fd, char *out, size_t cap)
{
    ssize_t n = pread(fd, out, cap - 1, 0);

    assert_true(n >= 0);
    out[n] = '\0';
    close(fd);
}

static struct outcome *run(const char *const *env, const char *const *words)
{
    static struct outcome o;
    struct arena *arena = arena_new(4096);
    struct clock *clock = clock_new_manual(1767225600000000, 0);
    char *argv[16];
    char *environment[8];
    int argc = 0;
    size_t n = 0;
    struct cli cli = {.arena = arena,
                      .clock = clock,
                      .env = environment,
                      .out = memfd_create("out", 0),
                      .err = memfd_create("err", 0),
                      .check_files = fake_check};

    for (; words[argc]; argc++)
        argv[argc] = arena_cstr(arena, str_of(words[argc]));
    for (; env[n]; n++)
        environment[n] = arena_cstr(arena, str_of(env[n]));
    environment[n] = NULL;
    o.code = cli_main(&cli, NULL, 0, argc, argv);
    slurp(cli.out, o.out, sizeof(o.out));
    slurp(cli.err, o.err, sizeof(o.err));
    arena_free(&arena);
    clock_free(&clock);
    return &o;
}

#define RUN(...)       run(no_env, (const char *const[]){__VA_ARGS__, NULL})
#define ENV(...)       ((const char *const[]){__VA_ARGS__, NULL})
#define RUN_IN(e, ...) run((e), (const char *const[]){__VA_ARGS__, NULL})

static void assert_refused(const struct outcome *o, enum exit_code code, const char *err)
{
    assert_string_equal(o->err, err);
    assert_int_equal(o->code, code);
    assert_string_equal(o->out, "");
}

static void version_is_printed(void **state)
{
    (void)state;
    assert_string_equal(RUN("version")->out, "muster " MUSTER_VERSION "\n");
    assert_string_equal(RUN("--version")->out, "muster " MUSTER_VERSION "\n");
}

static void help_lists_commands_and_exit_codes(void **state)
{
    struct outcome *o = RUN("--help");

    (void)state;
    assert_int_equal(o->code, EXIT_CODE_OK);
    assert_non_null(strstr(o->out, "  backup   "));
    assert_non_null(strstr(o->out, "\n   3  the data is in use by another process\n"));
    assert_string_equal(o->err, "");
}

static void no_command_is_a_mistake(void **state)
{
    struct outcome *o = run(no_env, (const char *const[]){NULL});

    (void)state;
    assert_int_equal(o->code, EXIT_CODE_USAGE);
    assert_non_null(strstr(o->err, "usage: muster COMMAND"));
    assert_string_equal(o->out, "");
}

static void each_command_has_help(void **state)
{
    (void)state;
    assert_non_null(
        strstr(RUN("key", "create", "--help")->out, "usage: muster key create [flags]"));
    assert_non_null(strstr(RUN("help", "key", "create")->out, "usage: muster key create [flags]"));
    assert_non_null(strstr(RUN("help", "backup")->out, "usage: muster backup DIR [flags]"));
    assert_non_null(strstr(RUN("tenant", "--help")->out, "usage: muster tenant COMMAND"));
    assert_non_null(strstr(RUN("check", "-h")->out, "--output table|json"));
}

static void unknown_commands_name_the_nearest(void **state)
{
    (void)state;
    assert_refused(RUN("bakcup"), EXIT_CODE_USAGE,
                   "muster: unknown command \"bakcup\"; did you mean \"backup\"?\n");
    assert_refused(RUN("key", "creat"), EXIT_CODE_USAGE,
                   "muster key: unknown command \"creat\"; did you mean \"create\"?\n");
    assert_refused(RUN("zebra"), EXIT_CODE_USAGE,
                   "muster: unknown command \"zebra\"; --help lists the commands\n");
}

static void what_a_terminal_would_obey_is_not_printed(void **state)
{
    (void)state;
    assert_refused(RUN("a\x1b[31m\x7f"), EXIT_CODE_USAGE,
                   "muster: unknown command \"a?[31m?\"; --help lists the commands\n");
}

static void unknown_flags_name_the_nearest(void **state)
{
    (void)state;
    assert_refused(RUN("key", "create", "--lable", "x"), EXIT_CODE_USAGE,
                   "muster key create: unknown flag --lable; did you mean --label?\n");
}

static void a_server_that_does_not_run_is_named_with_its_socket(void **state)
{
    (void)state;
    assert_refused(RUN("tenant", "list", "--data", "/nonexistent/d"), EXIT_CODE_UNREACHABLE,
                   "muster tenant list: no server runs on /nonexistent/d: there is no socket "
                   "/nonexistent/d/admin.sock; start one with: muster serve --data "
                   "/nonexistent/d\n");
    assert_refused(RUN_IN(ENV("MUSTER_DATA=/nonexistent/e"), "key", "list"), EXIT_CODE_UNREACHABLE,
                   "muster key list: no server runs on /nonexistent/e: there is no socket "
                   "/nonexistent/e/admin.sock; start one with: muster serve --data "
                   "/nonexistent/e\n");
}

static void a_key_is_never_sent_in_clear_text_to_another_machine(void **state)
{
    (void)state;
    assert_refused(RUN("key", "list", "--server", "http://192.0.2.1:8080", "--key", "k"),
                   EXIT_CODE_USAGE,
                   "muster key list: http:// would send the key in clear text to another machine; "
                   "use https://, or --insecure if you must\n");
}

static void contradicting_ways_to_the_server_are_refused(void **state)
{
    (void)state;
    assert_refused(RUN("key", "list", "--server", "http://127.0.0.1:1"), EXIT_CODE_USAGE,
                   "muster key list: --server needs a key: set MUSTER_KEY, or give --key TOKEN\n");
    assert_refused(RUN("key", "list", "--server", "http://127.0.0.1:1", "--data", "d"),
                   EXIT_CODE_USAGE, "muster key list: --data and --server exclude each other\n");
    assert_refused(RUN("key", "list", "--key", "k"), EXIT_CODE_USAGE,
                   "muster key list: --key goes with --server; the admin socket in a data "
                   "directory needs none\n");
}

static void wrong_values_are_refused_before_anything_is_sent(void **state)
{
    (void)state;
    assert_refused(RUN("key", "create", "--role", "root"), EXIT_CODE_USAGE,
                   "muster key create: --role is admin, editor, viewer or agent, not \"root\"\n");
    assert_refused(RUN("key", "create", "--expires", "0d"), EXIT_CODE_USAGE,
                   "muster key create: --expires: \"0d\" is in the past\n");
    assert_refused(RUN("key", "list", "--output", "xml"), EXIT_CODE_USAGE,
                   "muster key list: --output is table or json, not \"xml\"\n");
    assert_refused(RUN("key", "revoke"), EXIT_CODE_USAGE,
                   "muster key revoke: something is missing; usage: muster key revoke ID "
                   "[flags]\n");
}

static void a_sound_file_is_fine(void **state)
{
    struct outcome *o = RUN("check", "sound");

    (void)state;
    assert_int_equal(o->code, EXIT_CODE_OK);
    assert_string_equal(o->out, "sound is fine\n");
}

static void problems_are_listed_and_have_their_exit_code(void **state)
{
    struct outcome *o = RUN("check", "odd");

    (void)state;
    assert_int_equal(o->code, EXIT_CODE_PROBLEMS);
    assert_string_equal(o->out, "row 1 is odd\nrow 2 is even\n");
    assert_string_equal(o->err, "muster check: odd has problems\n");
}

static void the_json_of_a_check_has_a_stable_shape(void **state)
{
    (void)state;
    assert_string_equal(RUN("check", "odd", "--output", "json")->out,
                        "{\n  \"clean\": false,\n  \"schema_version\": 3,\n  \"findings\": [\n"
                        "    \"row 1 is odd\",\n    \"row 2 is even\"\n  ],\n  \"notes\": []\n}\n");
}

static void a_locked_file_points_to_the_running_server(void **state)
{
    (void)state;
    assert_refused(RUN("check", "locked"), EXIT_CODE_LOCKED,
                   "muster check: locked is in use by another process: muster check --data DIR\n");
}

static void a_directory_is_looked_at_as_a_whole(void **state)
{
    (void)state;
    assert_string_equal(RUN("check", "/")->out, "/ is fine\nnote: there is more\n");
}

static void a_backup_takes_no_place_that_is_taken(void **state)
{
    (void)state;
    assert_refused(RUN("backup", "/proc/self/status"), EXIT_CODE_NOT_WRITABLE,
                   "muster backup: cannot write into /proc/self/status: Not a directory\n");
    assert_refused(RUN("backup", "/proc"), EXIT_CODE_NOT_WRITABLE,
                   "muster backup: /proc is not empty and holds no backup\n");
}

static void a_failed_backup_leaves_nothing_behind(void **state)
{
    char dir[] = "/tmp/muster-backup-XXXXXX";
    char path[64];

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/nightly", dir);
    assert_int_equal(RUN("backup", path, "--data", "/nonexistent/d")->code, EXIT_CODE_UNREACHABLE);
    assert_int_equal(RUN("backup", dir, "--data", "/nonexistent/d")->code, EXIT_CODE_UNREACHABLE);
    assert_int_equal(rmdir(dir), 0);
}

static void statuses_become_exit_codes(void **state)
{
    static const struct {
        long status;
        enum exit_code code;
    } rows[] = {
        {200, EXIT_CODE_OK},       {204, EXIT_CODE_OK},       {400, EXIT_CODE_REFUSED},
        {401, EXIT_CODE_DENIED},   {403, EXIT_CODE_DENIED},   {404, EXIT_CODE_NOT_FOUND},
        {409, EXIT_CODE_CONFLICT}, {412, EXIT_CODE_CONFLICT}, {413, EXIT_CODE_REFUSED},
        {429, EXIT_CODE_FAILURE},  {500, EXIT_CODE_FAILURE},  {503, EXIT_CODE_FAILURE},
        {302, EXIT_CODE_FAILURE},  {0, EXIT_CODE_FAILURE},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++)
        assert_int_equal(client_status_code(rows[i].status), rows[i].code);
}

static void exit_codes_have_words_and_ascend(void **state)
{
    size_t count;
    const struct exit_code_row *rows = exit_code_rows(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        assert_true(strlen(rows[i].text) > 3);
        assert_true(i == 0 || rows[i - 1].code < rows[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_is_printed),
        cmocka_unit_test(help_lists_commands_and_exit_codes),
        cmocka_unit_test(no_command_is_a_mistake),
        cmocka_unit_test(each_command_has_help),
        cmocka_unit_test(unknown_commands_name_the_nearest),
        cmocka_unit_test(what_a_terminal_would_obey_is_not_printed),
        cmocka_unit_test(unknown_flags_name_the_nearest),
        cmocka_unit_test(a_server_that_does_not_run_is_named_with_its_socket),
        cmocka_unit_test(a_key_is_never_sent_in_clear_text_to_another_machine),
        cmocka_unit_test(contradicting_ways_to_the_server_are_refused),
        cmocka_unit_test(wrong_values_are_refused_before_anything_is_sent),
        cmocka_unit_test(a_sound_file_is_fine),
        cmocka_unit_test(problems_are_listed_and_have_their_exit_code),
        cmocka_unit_test(the_json_of_a_check_has_a_stable_shape),
        cmocka_unit_test(a_locked_file_points_to_the_running_server),
        cmocka_unit_test(a_directory_is_looked_at_as_a_whole),
        cmocka_unit_test(a_backup_takes_no_place_that_is_taken),
        cmocka_unit_test(a_failed_backup_leaves_nothing_behind),
        cmocka_unit_test(statuses_become_exit_codes),
        cmocka_unit_test(exit_codes_have_words_and_ascend),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
