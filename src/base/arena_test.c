/* SPDX-License-Identifier: Apache-2.0 */
/* Arena: zeroing, reset, hooks, sizes. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

static void memory_is_zeroed_also_after_a_reset(void **state)
{
    struct arena *a = arena_new(256);

    (void)state;
    for (int round = 0; round < 3; round++) {
        unsigned char *p = arena_alloc(a, 200);

        for (int i = 0; i < 200; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, 200);
        arena_reset(a);
    }
    arena_free(&a);
    assert_null(a);
}

static void pieces_are_aligned_and_apart(void **state)
{
    struct arena *a = arena_new(0);
    unsigned char *pieces[500];

    (void)state;
    for (size_t i = 0; i < COUNTOF(pieces); i++) {
        pieces[i] = arena_alloc(a, i % 67);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        memset(pieces[i], (int)(i & 0xff), i % 67);
    }
    for (size_t i = 0; i < COUNTOF(pieces); i++) {
        for (size_t j = 0; j < i % 67; j++)
            assert_int_equal(pieces[i][j], i & 0xff);
    }
    arena_free(&a);
}

static void big_piece_leaves_the_current_chunk_in_use(void **state)
{
    struct arena *a = arena_new(1024);
    char *before = arena_alloc(a, 16);
    char *big = arena_alloc(a, 1 << 20);
    char *after = arena_alloc(a, 16);

    (void)state;
    memset(big, 1, 1 << 20);
    assert_true(after > before && after < before + 1024);
    arena_free(&a);
}

static void first_chunk_survives_a_reset(void **state)
{
    struct arena *a = arena_new(1024);
    void *first = arena_alloc(a, 100);

    (void)state;
    for (int i = 0; i < 100; i++)
        arena_alloc(a, 1000);
    arena_reset(a);
    assert_ptr_equal(arena_alloc(a, 100), first);
    arena_free(&a);
}

struct mark {
    char *out;
    char letter;
};

static void append_letter(void *arg)
{
    struct mark *m = arg;
    size_t len = strlen(m->out);

    m->out[len] = m->letter;
    m->out[len + 1] = '\0';
}

static void hooks_run_newest_first_and_once(void **state)
{
    char out[8] = "";
    struct mark marks[] = {{out, 'a'}, {out, 'b'}, {out, 'c'}};
    struct arena *a = arena_new(64);

    (void)state;
    for (size_t i = 0; i < COUNTOF(marks); i++)
        arena_on_free(a, append_letter, &marks[i]);
    assert_string_equal(out, "");
    arena_reset(a);
    assert_string_equal(out, "cba");
    arena_on_free(a, append_letter, &marks[1]);
    arena_free(&a);
    assert_string_equal(out, "cbab");
}

static void hook_may_use_memory_of_the_arena(void **state)
{
    char out[8] = "";
    struct arena *a = arena_new(64);
    struct mark *m = arena_new_type(a, struct mark);

    (void)state;
    m->out = out;
    m->letter = 'x';
    arena_on_free(a, append_letter, m);
    arena_alloc(a, 100000);
    arena_free(&a);
    assert_string_equal(out, "x");
}

static void used_counts_what_was_asked_for(void **state)
{
    struct arena *a = arena_new(64);

    (void)state;
    assert_int_equal(arena_used(a), 0);
    arena_alloc(a, 10);
    arena_alloc_raw(a, 100000);
    arena_new_array(a, uint32_t, 5);
    assert_int_equal(arena_used(a), 100030);
    arena_reset(a);
    assert_int_equal(arena_used(a), 0);
    arena_free(&a);
}

static void newest_piece_grows_in_place_while_there_is_room(void **state)
{
    struct arena *a = arena_new(1024);
    char *p = arena_alloc(a, 100);

    (void)state;
    assert_true(arena_grow(a, p, 100, 500));
    memset(p, 1, 500);
    assert_int_equal(arena_used(a), 500);
    assert_false(arena_grow(a, p, 500, 2000));

    char *next = arena_alloc(a, 8);

    assert_true(next >= p + 500);
    assert_int_equal(next[0], 0);
    assert_false(arena_grow(a, p, 500, 501));
    assert_int_equal(arena_used(a), 508);
    arena_free(&a);
}

static void copies_end_with_nul_and_keep_inner_ones(void **state)
{
    struct arena *a = arena_new(64);
    struct str s = arena_str(a, STR("a\0b"));

    (void)state;
    assert_int_equal(s.len, 3);
    assert_memory_equal(s.p, "a\0b", 4);
    assert_string_equal(arena_cstr(a, (struct str){NULL, 0}), "");
    arena_free(&a);
}

static void printf_takes_short_and_long_text(void **state)
{
    struct arena *a = arena_new(64);
    char wide[1000];

    (void)state;
    memset(wide, 'w', sizeof(wide) - 1);
    wide[sizeof(wide) - 1] = '\0';
    for (size_t skip = 0; skip < sizeof(wide); skip += 37) {
        struct str s = arena_printf(a, "<%s>", wide + skip);

        assert_int_equal(s.len, strlen(wide + skip) + 2);
        assert_int_equal(s.p[0], '<');
        assert_int_equal(s.p[s.len - 1], '>');
        assert_int_equal(s.p[s.len], '\0');
    }
    arena_free(&a);
}

static void freeing_nothing_is_fine(void **state)
{
    struct arena *a = NULL;

    (void)state;
    arena_free(&a);
    assert_null(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_also_after_a_reset),
        cmocka_unit_test(pieces_are_aligned_and_apart),
        cmocka_unit_test(big_piece_leaves_the_current_chunk_in_use),
        cmocka_unit_test(first_chunk_survives_a_reset),
        cmocka_unit_test(hooks_run_newest_first_and_once),
        cmocka_unit_test(hook_may_use_memory_of_the_arena),
        cmocka_unit_test(used_counts_what_was_asked_for),
        cmocka_unit_test(newest_piece_grows_in_place_while_there_is_room),
        cmocka_unit_test(copies_end_with_nul_and_keep_inner_ones),
        cmocka_unit_test(printf_takes_short_and_long_text),
        cmocka_unit_test(freeing_nothing_is_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
