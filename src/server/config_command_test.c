/* SPDX-License-Identifier: Apache-2.0 */
/* muster config as it is typed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/config_command.h"

static const struct cli_command commands[] = {
    {.name = "config",
     .text = "Configuration.",
     .children = config_commands,
     .child_count = CONFIG_COMMAND_COUNT},
};

struct outcome {
    struct arena *arena;
    const char *out;
    const char *err;
    enum exit_code code;
};

static int set_up(void **state)
{
    struct outcome *o = test_calloc(1, sizeof(*o));

    o->arena = arena_new(4096);
    *state = o;
    return 0;
}

static int tear_down(void **state)
{
    struct outcome *o = *state;

    arena_free(&o->arena);
    test_free(o);
    return 0;
}

static const char *slurp(struct arena *a, int fd)
{
    char *text = arena_alloc(a, 1 << 18);

    assert_true(pread(fd, text, (1 << 18) - 1, 0) >= 0);
    close(fd);
    return text;
}

/* NULL-ended words; `variable` may be NULL. */
static void run(struct outcome *o, const char *variable, const char *const *words)
{
    char *argv[16], *env[] = {NULL, NULL};
    int argc = 0;
    struct cli cli = {.arena = o->arena,
                      .env = env,
                      .out = memfd_create("out", 0),
                      .err = memfd_create("err", 0)};

    for (; words[argc]; argc++)
        argv[argc] = arena_cstr(o->arena, str_of(words[argc]));
    if (variable)
        env[0] = arena_cstr(o->arena, str_of(variable));
    o->code = cli_main(&cli, commands, COUNTOF(commands), argc, argv);
    o->out = slurp(o->arena, cli.out);
    o->err = slurp(o->arena, cli.err);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void a_sound_configuration_is_fine(void **state)
{
    struct outcome *o = *state;

    run(o, NULL, WORDS("config", "check", "--workers", "3"));
    assert_int_equal(o->code, EXIT_CODE_OK);
    assert_string_equal(o->out, "configuration is fine\n");
}

static void mistakes_are_listed_with_their_number(void **state)
{
    struct outcome *o = *state;

    run(o, "MUSTER_LOOPS=x", WORDS("config", "check", "--workers", "y"));
    assert_int_equal(o->code, EXIT_CODE_USAGE);
    assert_string_equal(o->err,
                        "muster config check: 2 problems in the configuration\n"
                        "MUSTER_LOOPS: \"x\" is not a whole number, such as 8\n"
                        "--workers: \"y\" is not a whole number, such as 8\n");
    assert_string_equal(o->out, "");
}

static void a_missing_certificate_is_found(void **state)
{
    struct outcome *o = *state;

    run(o, NULL, WORDS("config", "check", "--tls-cert", "/nonexistent/c", "--tls-key", "k"));
    assert_int_equal(o->code, EXIT_CODE_USAGE);
    assert_non_null(strstr(o->err, "/nonexistent/c"));
}

static void changed_values_are_shown_with_their_origin(void **state)
{
    struct outcome *o = *state;

    run(o, "MUSTER_LOOPS=2",
        WORDS("config", "show", "--changed", "--origin", "--timeouts-idle=90s"));
    assert_int_equal(o->code, EXIT_CODE_OK);
    assert_string_equal(o->out,
                        "KEY            VALUE  ORIGIN\n"
                        "loops          2      MUSTER_LOOPS\n"
                        "timeouts.idle  90s    --timeouts-idle\n");
}

static void values_can_be_shown_as_json(void **state)
{
    struct outcome *o = *state;

    run(o, NULL, WORDS("config", "show", "--changed", "--output", "json", "--loops", "2"));
    assert_string_equal(o->out,
                        "{\n  \"keys\": [\n    {\n      \"key\": \"loops\",\n"
                        "      \"value\": \"2\",\n      \"changed\": true,\n"
                        "      \"origin\": \"--loops\"\n    }\n  ]\n}\n");
}

static void all_keys_are_shown_unless_only_changed_ones_are_asked_for(void **state)
{
    struct outcome *o = *state;

    run(o, NULL, WORDS("config", "show"));
    assert_non_null(strstr(o->out, "\nlisten "));
    assert_non_null(strstr(o->out, "\nstore.batch "));
    assert_null(strstr(o->out, "ORIGIN"));
}

static void an_unknown_key_names_the_nearest(void **state)
{
    struct outcome *o = *state;

    run(o, NULL, WORDS("config", "explain", "log.levle"));
    assert_int_equal(o->code, EXIT_CODE_USAGE);
    assert_string_equal(o->err,
                        "muster config explain: unknown key \"log.levle\"; did you mean "
                        "\"log.level\"?\n");
}

static void a_key_is_explained(void **state)
{
    struct outcome *o = *state;

    run(o, NULL, WORDS("config", "explain", "log.level"));
    assert_int_equal(o->code, EXIT_CODE_OK);
    assert_non_null(strstr(o->out,
                           "type         choice of debug, info, warn, error, off; "
                           "default info\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sound_configuration_is_fine),
        TEST(mistakes_are_listed_with_their_number),
        TEST(a_missing_certificate_is_found),
        TEST(changed_values_are_shown_with_their_origin),
        TEST(values_can_be_shown_as_json),
        TEST(all_keys_are_shown_unless_only_changed_ones_are_asked_for),
        TEST(an_unknown_key_names_the_nearest),
        TEST(a_key_is_explained),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
