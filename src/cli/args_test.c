/* SPDX-License-Identifier: Apache-2.0 */
/* Flags in every spelling, and every way to get them wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cli/args.h"

static const struct args_flag flags[] = {
    {"listen", ARGS_LIST, "ADDRESS", "Where to listen."},
    {"data", ARGS_VALUE, "DIR", "Where the data is."},
    {"force", ARGS_SWITCH, NULL, "Does it anyway."},
};

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* NULL-ended. */
static int parse(const char *const *words, struct args *out, struct fail *f)
{
    char *argv[16];
    int argc = 0;

    for (; words[argc]; argc++)
        argv[argc] = arena_cstr(arena, str_of(words[argc]));
    return args_parse(arena, flags, COUNTOF(flags), argc, argv, out, f);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void assert_refused(const char *const *words, const char *message)
{
    struct args args = {.count = 77};
    struct fail f;

    assert_int_equal(parse(words, &args, &f), -1);
    assert_string_equal(f.message, message);
    assert_int_equal(args.count, 77);
}

static void values_follow_or_stand_behind_an_equals_sign(void **state)
{
    struct args args;
    struct fail f;

    (void)state;
    assert_int_equal(parse(WORDS("--data", "a"), &args, &f), 0);
    assert_string_equal(args_find(&args, "data"), "a");
    assert_int_equal(parse(WORDS("--data=b=c"), &args, &f), 0);
    assert_string_equal(args_find(&args, "data"), "b=c");
    assert_int_equal(parse(WORDS("--data="), &args, &f), 0);
    assert_string_equal(args_find(&args, "data"), "");
}

static void the_last_of_repeated_values_counts(void **state)
{
    struct args args;
    struct fail f;

    (void)state;
    assert_int_equal(parse(WORDS("--data", "a", "--data", "b"), &args, &f), 0);
    assert_string_equal(args_find(&args, "data"), "b");
}

static void all_values_of_a_list_count_in_order(void **state)
{
    struct args args;
    struct fail f;
    size_t count;

    (void)state;
    assert_int_equal(parse(WORDS("--listen", "a", "--data", "x", "--listen=b"), &args, &f), 0);

    const char **list = args_list(arena, &args, "listen", &count);

    assert_int_equal(count, 2);
    assert_string_equal(list[0], "a");
    assert_string_equal(list[1], "b");
}

static void a_switch_is_on_off_or_absent(void **state)
{
    struct args args;
    struct fail f;

    (void)state;
    assert_int_equal(parse(WORDS("--force"), &args, &f), 0);
    assert_true(args_is_on(&args, "force"));
    assert_int_equal(parse(WORDS("--force", "--force=false"), &args, &f), 0);
    assert_false(args_is_on(&args, "force"));
    assert_int_equal(parse(WORDS("x"), &args, &f), 0);
    assert_false(args_is_on(&args, "force"));
}

static void a_switch_does_not_swallow_the_next_word(void **state)
{
    struct args args;
    struct fail f;

    (void)state;
    assert_int_equal(parse(WORDS("--force", "file"), &args, &f), 0);
    assert_int_equal(args.operand_count, 1);
    assert_string_equal(args.operands[0], "file");
}

static void words_behind_two_dashes_are_operands(void **state)
{
    struct args args;
    struct fail f;

    (void)state;
    assert_int_equal(parse(WORDS("a", "--", "--force", "--", "-h"), &args, &f), 0);
    assert_false(args.help);
    assert_int_equal(args.count, 0);
    assert_int_equal(args.operand_count, 4);
    assert_string_equal(args.operands[1], "--force");
    assert_string_equal(args.operands[2], "--");
}

static void a_single_dash_is_an_operand(void **state)
{
    struct args args;
    struct fail f;

    (void)state;
    assert_int_equal(parse(WORDS("-"), &args, &f), 0);
    assert_string_equal(args.operands[0], "-");
}

static void help_wins_over_mistakes(void **state)
{
    struct args args;
    struct fail f;

    (void)state;
    assert_int_equal(parse(WORDS("--wrong", "--help"), &args, &f), 0);
    assert_true(args.help);
    assert_int_equal(parse(WORDS("-h"), &args, &f), 0);
    assert_true(args.help);
}

static void unknown_flags_name_the_nearest(void **state)
{
    (void)state;
    assert_refused(WORDS("--lisen", "x"), "unknown flag --lisen; did you mean --listen?");
    assert_refused(WORDS("--dta=x"), "unknown flag --dta; did you mean --data?");
    assert_refused(WORDS("--zebra"), "unknown flag --zebra; --help lists the flags");
    assert_refused(WORDS("-d"), "unknown flag -d; flags are written with two dashes");
}

static void missing_values_are_named(void **state)
{
    (void)state;
    assert_refused(WORDS("--data"), "--data needs a value: --data DIR");
    assert_refused(WORDS("--data", "--force"),
                   "--data needs a value; one that begins with -- is written --data=VALUE");
}

static void a_switch_takes_only_true_and_false(void **state)
{
    (void)state;
    assert_refused(WORDS("--force=yes"),
                   "--force is a switch: write --force, --force=true or --force=false");
}

static void operands_are_counted(void **state)
{
    struct args args;
    struct fail f;

    (void)state;
    assert_int_equal(parse(WORDS("a", "b"), &args, &f), 0);
    assert_int_equal(args_operands(&args, 2, 2, "x A B", &f), 0);
    assert_int_equal(args_operands(&args, 3, 3, "x A B C", &f), -1);
    assert_string_equal(f.message, "something is missing; usage: x A B C");
    assert_int_equal(args_operands(&args, 0, 1, "x A", &f), -1);
    assert_string_equal(f.message, "\"b\" is too much; usage: x A");
}

static void a_letter_stands_for_its_flag(void **state)
{
    static const struct args_flag lettered[] = {
        {.name = "file", .kind = ARGS_LIST, .value = "FILE", .text = "What.", .letter = "f"}};
    char *argv[] = {(char[]){"-f"}, (char[]){"a"}, (char[]){"-fb"}, (char[]){"--file=c"},
                    (char[]){"d"}};
    struct args args;
    struct buf out;
    struct fail f;
    size_t count;

    (void)state;
    assert_int_equal(args_parse(arena, lettered, 1, 5, argv, &args, &f), 0);

    const char **list = args_list(arena, &args, "file", &count);

    assert_int_equal(count, 3);
    assert_string_equal(list[0], "a");
    assert_string_equal(list[1], "b");
    assert_string_equal(list[2], "c");
    assert_string_equal(args.operands[0], "d");
    assert_int_equal(args_parse(arena, lettered, 1, 1, argv, &args, &f), -1);
    assert_string_equal(f.message, "--file needs a value: --file FILE");
    buf_init_arena(&out, arena, 4096);
    args_help(&out, lettered, 1);
    buf_put_byte(&out, '\0');
    assert_string_equal((const char *)out.data,
                        "  -f, --file FILE (repeatable)\n"
                        "        What.\n");
}

static void help_is_wrapped_and_indented(void **state)
{
    struct buf out;

    (void)state;
    buf_init_arena(&out, arena, 4096);
    args_help(&out, flags, COUNTOF(flags));
    buf_put_byte(&out, '\0');
    assert_string_equal((const char *)out.data,
                        "  --listen ADDRESS (repeatable)\n"
                        "        Where to listen.\n"
                        "  --data DIR\n"
                        "        Where the data is.\n"
                        "  --force\n"
                        "        Does it anyway.\n");
}

static void no_line_is_wider_than_eighty_columns(void **state)
{
    struct buf out;

    (void)state;
    buf_init_arena(&out, arena, 4096);
    args_wrap(&out,
              "one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
              "fifteen sixteen seventeen eighteen nineteen twenty",
              10);

    struct str text = buf_str(&out);
    size_t lines = 0;

    while (text.len > 0) {
        struct str line = str_cut(&text, '\n');

        assert_true(line.len <= 80);
        assert_true(str_starts_with(line, STR("          ")));
        assert_true(line.p[10] != ' ');
        lines++;
    }
    assert_int_equal(lines, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_follow_or_stand_behind_an_equals_sign),
        TEST(the_last_of_repeated_values_counts),
        TEST(all_values_of_a_list_count_in_order),
        TEST(a_switch_is_on_off_or_absent),
        TEST(a_switch_does_not_swallow_the_next_word),
        TEST(words_behind_two_dashes_are_operands),
        TEST(a_single_dash_is_an_operand),
        TEST(help_wins_over_mistakes),
        TEST(unknown_flags_name_the_nearest),
        TEST(missing_values_are_named),
        TEST(a_switch_takes_only_true_and_false),
        TEST(operands_are_counted),
        TEST(a_letter_stands_for_its_flag),
        TEST(help_is_wrapped_and_indented),
        TEST(no_line_is_wider_than_eighty_columns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
