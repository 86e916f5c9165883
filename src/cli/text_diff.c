/* SPDX-License-Identifier: Apache-2.0 */
/* The greedy algorithm of Myers (An O(ND) Difference Algorithm and Its Variations, 1986) between
 * what the two texts have in common at their ends. */
#include "cli/text_diff.h"

#include <string.h>

#include "base/macros.h"

#define CONTEXT   3
#define EDITS_MAX 2000 /* the search takes memory with the square of the edits */

struct lines {
    struct str *items; /* with their line ends */
    size_t count;
};

struct edit {
    char kind; /* ' ', '-' or '+' */
    struct str line;
};

struct script {
    struct edit *items;
    size_t count;
};

/* Both texts without what they share at the ends. */
struct problem {
    const struct str *old;
    const struct str *new;
    ptrdiff_t old_count;
    ptrdiff_t new_count;
};

static struct lines split(struct arena *a, struct str text)
{
    struct lines out = {0};
    struct str rest = text;
    size_t n = 1;

    for (size_t i = 0; i < text.len; i++)
        n += text.p[i] == '\n';
    out.items = arena_new_array(a, struct str, n);
    while (rest.len > 0) {
        ptrdiff_t end = str_index(rest, '\n');
        size_t len = end < 0 ? rest.len : (size_t)end + 1;

        out.items[out.count++] = str_first(rest, len);
        rest = str_skip(rest, len);
    }
    return out;
}

static void put(struct script *s, char kind, struct str line)
{
    s->items[s->count++] = (struct edit){kind, line};
}

/* --- the search ---
 * reached[k] is how far the old text is used up on the diagonal k = x - y after d edits; the arrays
 * of all d are kept to walk back. */

static ptrdiff_t start_of(const ptrdiff_t *reached, ptrdiff_t k, ptrdiff_t d)
{
    if (k == -d || (k != d && reached[k - 1] < reached[k + 1]))
        return reached[k + 1]; /* down: a line of the new text */
    return reached[k - 1] + 1;
}

/* The number of edits, or -1 when there are too many. *trail has the array of each d, centered. */
static ptrdiff_t search(struct arena *a, const struct problem *p, ptrdiff_t ***trail)
{
    ptrdiff_t max = MIN(p->old_count + p->new_count, EDITS_MAX);
    ptrdiff_t *reached = arena_new_array(a, ptrdiff_t, 2 * (size_t)max + 3) + max + 1;

    *trail = arena_new_array(a, ptrdiff_t *, (size_t)max + 1);
    for (ptrdiff_t d = 0; d <= max; d++) {
        ptrdiff_t *kept = arena_new_array(a, ptrdiff_t, 2 * (size_t)d + 3) + d + 1;

        memcpy(kept - d - 1, reached - d - 1, (2 * (size_t)d + 3) * sizeof(*kept));
        (*trail)[d] = kept;
        for (ptrdiff_t k = -d; k <= d; k += 2) {
            ptrdiff_t x = start_of(reached, k, d), y = x - k;

            while (x < p->old_count && y < p->new_count && str_eq(p->old[x], p->new[y])) {
                x++;
                y++;
            }
            reached[k] = x;
            if (x >= p->old_count && y >= p->new_count)
                return d;
        }
    }
    return -1;
}

/* From the end to the beginning; then turned around. */
static void walk_back(const struct problem *p, ptrdiff_t **trail, ptrdiff_t edits, struct script *s)
{
    size_t from = s->count;
    ptrdiff_t x = p->old_count, y = p->new_count;

    for (ptrdiff_t d = edits; d >= 0; d--) {
        const ptrdiff_t *reached = trail[d];
        ptrdiff_t k = x - y;
        bool down = k == -d || (k != d && reached[k - 1] < reached[k + 1]);
        ptrdiff_t before_k = down ? k + 1 : k - 1;
        ptrdiff_t before_x = d == 0 ? 0 : reached[before_k];
        ptrdiff_t before_y = d == 0 ? 0 : before_x - before_k;

        while (x > before_x && y > before_y) {
            put(s, ' ', p->old[--x]);
            y--;
        }
        if (d == 0)
            break;
        if (down)
            put(s, '+', p->new[--y]);
        else
            put(s, '-', p->old[--x]);
    }
    for (size_t i = from, k = s->count; k > i + 1; i++) {
        struct edit e = s->items[--k];

        s->items[k] = s->items[i];
        s->items[i] = e;
    }
}

static void solve(struct arena *a, const struct problem *p, struct script *s)
{
    ptrdiff_t **trail;
    ptrdiff_t edits = search(a, p, &trail);

    if (edits >= 0) {
        walk_back(p, trail, edits, s);
        return;
    }
    for (ptrdiff_t i = 0; i < p->old_count; i++)
        put(s, '-', p->old[i]);
    for (ptrdiff_t i = 0; i < p->new_count; i++)
        put(s, '+', p->new[i]);
}

static struct script compare(struct arena *a, const struct lines *old, const struct lines *new)
{
    struct script s = {arena_new_array(a, struct edit, old->count + new->count + 1), 0};
    size_t head = 0, tail = 0, least = MIN(old->count, new->count);

    while (head < least && str_eq(old->items[head], new->items[head]))
        head++;
    while (tail < least - head &&
           str_eq(old->items[old->count - 1 - tail], new->items[new->count - 1 - tail]))
        tail++;

    const struct problem p = {
        .old = old->items + head,
        .new = new->items + head,
        .old_count = (ptrdiff_t)(old->count - head - tail),
        .new_count = (ptrdiff_t)(new->count - head - tail),
    };

    for (size_t i = 0; i < head; i++)
        put(&s, ' ', old->items[i]);
    solve(a, &p, &s);
    for (size_t i = old->count - tail; i < old->count; i++)
        put(&s, ' ', old->items[i]);
    return s;
}

/* --- printing --- */

/* "12,3"; the line before where there are none. */
static void put_range(struct buf *out, size_t first, size_t count)
{
    buf_printf(out, "%zu", count == 0 ? first - 1 : first);
    if (count != 1)
        buf_printf(out, ",%zu", count);
}

static void put_line(struct buf *out, const struct edit *e)
{
    buf_put_byte(out, (uint8_t)e->kind);
    buf_put_str(out, e->line);
    if (!str_ends_with(e->line, STR("\n")))
        buf_put_str(out, STR("\n\\ No newline at end of file\n"));
}

/* Edits from..to; the lines before them are counted in old_line and new_line. */
static void put_hunk(struct buf *out, const struct script *s, size_t from, size_t to,
                     size_t old_line, size_t new_line)
{
    size_t olds = 0, news = 0;

    for (size_t i = from; i < to; i++) {
        olds += s->items[i].kind != '+';
        news += s->items[i].kind != '-';
    }
    buf_put_str(out, STR("@@ -"));
    put_range(out, old_line + 1, olds);
    buf_put_str(out, STR(" +"));
    put_range(out, new_line + 1, news);
    buf_put_str(out, STR(" @@\n"));
    for (size_t i = from; i < to; i++)
        put_line(out, &s->items[i]);
}

/* The end of the hunk that begins with the change at `at`: changes with little between them. */
static size_t hunk_end(const struct script *s, size_t at)
{
    size_t last = at;

    for (size_t i = at; i < s->count && i <= last + 2 * CONTEXT + 1; i++)
        if (s->items[i].kind != ' ')
            last = i;
    return MIN(last + 1 + CONTEXT, s->count);
}

bool text_diff(struct arena *a, struct str old, const char *old_name, struct str new,
               const char *new_name, struct buf *out)
{
    if (str_eq(old, new))
        return false;

    struct lines olds = split(a, old), news = split(a, new);
    struct script s = compare(a, &olds, &news);
    size_t done = 0, old_line = 0, new_line = 0;

    buf_printf(out, "--- %s\n+++ %s\n", old_name, new_name);
    for (size_t i = 0; i < s.count; i++) {
        if (s.items[i].kind == ' ' || i < done)
            continue;

        size_t from = MAX(i > CONTEXT ? i - CONTEXT : 0, done), to = hunk_end(&s, i);

        for (; done < from; done++) { /* equal lines only */
            old_line++;
            new_line++;
        }
        put_hunk(out, &s, from, to, old_line, new_line);
        for (; done < to; done++) {
            old_line += s.items[done].kind != '+';
            new_line += s.items[done].kind != '-';
        }
    }
    return true;
}
