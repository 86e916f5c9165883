/* SPDX-License-Identifier: Apache-2.0 */
/* One log line being written in place, as logfmt or JSON. Pure; owned by the writing thread. The
 * length is bounded by cutting values and, past that, leaving out fields; a line that lost
 * something this way says so with the key "cut". */
#ifndef BASE_LOG_LINE_H
#define BASE_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"

#define LOG_LINE_MAX    16384 /* with its newline */
#define LOG_VALUE_MAX   2048  /* bytes of one value, before escaping */
#define LOG_STAMP_LEN   27    /* 2001-02-03T04:05:06.789012Z */
#define LOG_STAMP_START 19    /* of these, up to the whole second */

struct log_line {
    char *at;
    char *end; /* what fields may use; the closing has room behind it */
    enum log_format format;
    bool cut;
};

/* `out` has LOG_LINE_MAX bytes; `stamp` has LOG_STAMP_LEN. */
void log_line_begin(struct log_line *n, char *out, enum log_format format, const char *stamp,
                    const char *level, const char *message);
void log_line_put(struct log_line *n, const struct kv *kv);

/* Returns where the line ends, behind its newline. */
char *log_line_end(struct log_line *n) RETURNS_NONNULL;

#endif
