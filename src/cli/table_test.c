/* SPDX-License-Identifier: Apache-2.0 */
/* Columns line up, whatever stands in the cells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/table.h"

static void assert_table(const struct str (*rows)[3], size_t count, const char *expected)
{
    static const char *const titles[] = {"ID", "LABEL", "ROLE"};
    struct arena *a = arena_new(1024);
    struct table *t = table_new(a, titles, COUNTOF(titles));
    struct buf out;

    for (size_t i = 0; i < count; i++)
        table_row(t, rows[i]);
    buf_init_arena(&out, a, 65536);
    table_print(t, &out);
    buf_put_byte(&out, '\0');
    assert_string_equal((const char *)out.data, expected);
    arena_free(&a);
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
    const struct str rows[][3] = {{STR("1"), STR("a longer label"), STR("admin")},
                                  {STR("12345"), STR("b"), STR("viewer")}};

    (void)state;
    assert_table(rows, COUNTOF(rows),
                 "ID     LABEL           ROLE\n"
                 "1      a longer label  admin\n"
                 "12345  b               viewer\n");
}

static void no_rows_leave_the_titles(void **state)
{
    (void)state;
    assert_table(NULL, 0, "ID  LABEL  ROLE\n");
}

static void empty_cells_are_shown_as_dashes(void **state)
{
    const struct str rows[][3] = {{STR("1"), STR(""), {NULL, 0}}};

    (void)state;
    assert_table(rows, COUNTOF(rows),
                 "ID  LABEL  ROLE\n"
                 "1   -      -\n");
}

static void control_characters_cannot_move_the_terminal(void **state)
{
    const struct str rows[][3] = {{STR("\x1b[2J"), STR("a\nb\tc\x7f"), STR("\xc2\x9b\xff!")}};

    (void)state;
    assert_table(rows, COUNTOF(rows),
                 "ID    LABEL   ROLE\n"
                 "?[2J  a?b?c?  ?\?!\n");
}

static void width_counts_characters_not_bytes(void **state)
{
    const struct str rows[][3] = {{STR("1"), STR("\xc3\xa9t\xc3\xa9"), STR("x")},
                                  {STR("2"), STR("summer"), STR("y")}};

    (void)state;
    assert_table(rows, COUNTOF(rows),
                 "ID  LABEL   ROLE\n"
                 "1   \xc3\xa9t\xc3\xa9     x\n"
                 "2   summer  y\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(no_rows_leave_the_titles),
        cmocka_unit_test(empty_cells_are_shown_as_dashes),
        cmocka_unit_test(control_characters_cannot_move_the_terminal),
        cmocka_unit_test(width_counts_characters_not_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
