/* SPDX-License-Identifier: Apache-2.0 */
/* Two passes: widths, then lines. */
#include "cli/table.h"

#include <assert.h>

#include "codec/utf8.h"

struct row {
    struct row *next;
    struct str cells[];
};

struct table {
    struct arena *arena;
    size_t columns;
    struct row *first;
    struct row **last;
};

struct str table_text(struct arena *a, struct str text)
{
    struct buf out;

    buf_init_arena(&out, a, text.len + 1);
    while (text.len > 0) {
        size_t n = utf8_char_len(text);
        bool control =
            (unsigned char)text.p[0] < 0x20 || text.p[0] == 0x7f ||
            (n == 2 && (unsigned char)text.p[0] == 0xc2 && (unsigned char)text.p[1] < 0xa0);

        if (n == 0 || control)
            buf_put_byte(&out, '?');
        else
            buf_put(&out, text.p, n);
        text = str_skip(text, n == 0 ? 1 : n);
    }
    return buf_str(&out);
}

struct table *table_new(struct arena *a, const char *const *titles, size_t columns)
{
    struct table *t = arena_new_type(a, struct table);
    struct str cells[TABLE_COLUMNS_MAX];

    assert(columns > 0 && columns <= TABLE_COLUMNS_MAX);
    t->arena = a;
    t->columns = columns;
    t->last = &t->first;
    for (size_t i = 0; i < columns; i++)
        cells[i] = str_of(titles[i]);
    table_row(t, cells);
    return t;
}

void table_row(struct table *t, const struct str *cells)
{
    struct row *r = arena_alloc(t->arena, sizeof(*r) + t->columns * sizeof(struct str));

    for (size_t i = 0; i < t->columns; i++)
        r->cells[i] = cells[i].len == 0 ? STR("-") : table_text(t->arena, cells[i]);
    *t->last = r;
    t->last = &r->next;
}

void table_print(const struct table *t, struct buf *out)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0};

    for (const struct row *r = t->first; r; r = r->next) {
        for (size_t i = 0; i < t->columns; i++)
            widths[i] = MAX(widths[i], utf8_count(r->cells[i]));
    }
    for (const struct row *r = t->first; r; r = r->next) {
        for (size_t i = 0; i < t->columns; i++) {
            buf_put_str(out, r->cells[i]);
            if (i + 1 < t->columns)
                buf_printf(out, "%*s", (int)(widths[i] - utf8_count(r->cells[i]) + 2), "");
        }
        buf_put_byte(out, '\n');
    }
}
