/* SPDX-License-Identifier: Apache-2.0 */
/* See audit.h. */
#include "core/audit.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_MAX_BYTES 1024

PRINTF_LIKE(3, 0)
static void add(struct arena *a, struct audit_lines *lines, const char *fmt, va_list args)
{
    char text[LINE_MAX_BYTES];

    if (lines->count == AUDIT_LINES_MAX)
        return;
    vsnprintf(text, sizeof(text), fmt, args);
    lines->items[lines->count++] = arena_cstr(a, str_of(text));
}

void audit_find(struct audit *a, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    add(a->arena, &a->findings, fmt, args);
    va_end(args);
}

void audit_note(struct audit *a, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    add(a->arena, &a->notes, fmt, args);
    va_end(args);
}
