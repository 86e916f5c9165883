/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of text in aligned columns, for terminals. What stands in a cell may come from a client:
 * control characters are shown as '?'. One thread; cells are borrowed. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

#define TABLE_COLUMNS_MAX 16

struct table;

struct table *table_new(struct arena *a, const char *const *titles, size_t columns) RETURNS_NONNULL;

/* Valid UTF-8 without control characters, '?' in the place of what is not. In the arena. */
struct str table_text(struct arena *a, struct str text);

/* As many cells as there are columns. An empty cell is printed as "-". */
void table_row(struct table *t, const struct str *cells);

/* Columns are as wide as their widest cell in characters; no blanks at the ends of lines. */
void table_print(const struct table *t, struct buf *out);

#endif
