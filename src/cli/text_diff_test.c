/* SPDX-License-Identifier: Apache-2.0 */
/* Differences are those that diff -u shows, and lead from the old text to the new one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli/text_diff.h"

static struct str difference(struct arena *a, struct str old, struct str new)
{
    struct buf out;

    buf_init_arena(&out, a, 64 << 20);
    IGNORE(text_diff(a, old, "old", new, "new", &out));
    return buf_str(&out);
}

static void assert_diff(const char *old, const char *new, const char *expected)
{
    struct arena *a = arena_new(4096);
    struct str got = difference(a, str_of(old), str_of(new));

    assert_string_equal(arena_cstr(a, got), expected);
    arena_free(&a);
}

static void equal_texts_have_no_difference(void **state)
{
    struct arena *a = arena_new(4096);
    struct buf out;

    (void)state;
    buf_init_arena(&out, a, 4096);
    assert_false(text_diff(a, STR("a\nb\n"), "old", STR("a\nb\n"), "new", &out));
    assert_int_equal(out.len, 0);
    arena_free(&a);
}

static void a_changed_line_stands_between_three_of_context(void **state)
{
    (void)state;
    assert_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
                "--- old\n+++ new\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

static void changes_far_apart_are_two_hunks(void **state)
{
    (void)state;
    assert_diff(
        "a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n",
        "--- old\n+++ new\n@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n"
        "-b\n+B\n");
}

static void changes_with_six_lines_between_share_a_hunk(void **state)
{
    (void)state;
    assert_diff("a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n",
                "--- old\n+++ new\n@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n");
}

static void a_new_text_is_all_additions(void **state)
{
    (void)state;
    assert_diff("", "a\nb\n", "--- old\n+++ new\n@@ -0,0 +1,2 @@\n+a\n+b\n");
    assert_diff("a\n", "", "--- old\n+++ new\n@@ -1 +0,0 @@\n-a\n");
}

static void a_missing_line_end_is_told(void **state)
{
    (void)state;
    assert_diff("a\nb", "a\nb\n",
                "--- old\n+++ new\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n");
}

/* --- any texts --- */

static uint64_t take_number(struct str *s)
{
    uint64_t n = 0;

    while (s->len > 0 && s->p[0] >= '0' && s->p[0] <= '9') {
        n = n * 10 + (uint64_t)(s->p[0] - '0');
        *s = str_skip(*s, 1);
    }
    return n;
}

static struct str take_line(struct str *rest)
{
    ptrdiff_t end = str_index(*rest, '\n');
    size_t len = end < 0 ? rest->len : (size_t)end + 1;
    struct str line = str_first(*rest, len);

    *rest = str_skip(*rest, len);
    return line;
}

/* What patch(1) does: checks each line of the old text that it passes. */
static struct str patch(struct arena *a, struct str old, struct str diff)
{
    struct buf out;
    uint64_t line = 0; /* of old, passed */

    buf_init_arena(&out, a, 64 << 20);
    if (diff.len > 0) {
        take_line(&diff);
        take_line(&diff);
    }
    while (diff.len > 0) {
        struct str l = take_line(&diff);

        if (l.p[0] == '@') {
            struct str range = str_skip(l, 4); /* after "@@ -" */
            uint64_t first = take_number(&range);
            bool none = str_starts_with(range, STR(",0"));

            for (; line + 1 < first + none; line++)
                buf_put_str(&out, take_line(&old));
            continue;
        }
        if (l.p[0] != '+') {
            assert_true(str_eq(take_line(&old), str_skip(l, 1)));
            line++;
        }
        if (l.p[0] != '-')
            buf_put_str(&out, str_skip(l, 1));
    }
    buf_put_str(&out, old);
    return buf_str(&out);
}

static struct str random_text(struct arena *a, unsigned *seed, size_t lines, unsigned letters)
{
    char *text = arena_alloc(a, 2 * lines + 1);

    for (size_t i = 0; i < lines; i++) {
        text[2 * i] = (char)('a' + (unsigned)rand_r(seed) % letters);
        text[2 * i + 1] = '\n';
    }
    return str_make(text, 2 * lines);
}

static void the_difference_leads_from_old_to_new(void **state)
{
    struct arena *a = arena_new(65536);
    unsigned seed = 7;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        struct str old = random_text(a, &seed, (size_t)rand_r(&seed) % 40, 1 + (unsigned)i % 9);
        struct str new = random_text(a, &seed, (size_t)rand_r(&seed) % 40, 1 + (unsigned)i % 9);

        assert_true(str_eq(patch(a, old, difference(a, old, new)), new));
        arena_reset(a);
    }
    arena_free(&a);
}

static void a_very_large_difference_is_bounded_and_still_right(void **state)
{
    struct arena *a = arena_new(65536);
    unsigned seed = 9;
    struct str old = random_text(a, &seed, 20000, 26), new = random_text(a, &seed, 20000, 26);

    (void)state;
    assert_true(str_eq(patch(a, old, difference(a, old, new)), new));
    assert_in_range(arena_used(a), 0, 200u << 20);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_texts_have_no_difference),
        cmocka_unit_test(a_changed_line_stands_between_three_of_context),
        cmocka_unit_test(changes_far_apart_are_two_hunks),
        cmocka_unit_test(changes_with_six_lines_between_share_a_hunk),
        cmocka_unit_test(a_new_text_is_all_additions),
        cmocka_unit_test(a_missing_line_end_is_told),
        cmocka_unit_test(the_difference_leads_from_old_to_new),
        cmocka_unit_test(a_very_large_difference_is_bounded_and_still_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
