/* SPDX-License-Identifier: Apache-2.0 */
/* Where one message ends and the next begins in what a source received. Pure; what was compiled is
 * used by any thread. */
#ifndef CORE_MESSAGES_H
#define CORE_MESSAGES_H

#include "base/arena.h"
#include "base/fail.h"
#include "base/str.h"

struct regex;

enum boundary_kind {
    BOUNDARY_LINE,   /* each line is a message */
    BOUNDARY_BODY,   /* a request is one */
    BOUNDARY_INFER,  /* the first line says how messages begin, see below */
    BOUNDARY_PREFIX, /* a line that begins with a match of the pattern begins a message */
};

/* BOUNDARY_INFER: where the first line begins with a date, a time or the seconds of an epoch, maybe
 * in a bracket or behind the priority of syslog, each line that does so begins a message. Elsewhere
 * each line begins one that does not begin with a blank or a tab. */

struct boundary {
    enum boundary_kind kind;
    struct regex *prefix;
};

/* `pattern` is for BOUNDARY_PREFIX; INVALID_ARGUMENT "bad_pattern". What is compiled goes with the
 * arena. */
int boundary_compile(struct arena *a, enum boundary_kind kind, struct str pattern,
                     struct boundary *out, struct fail *f) MUST_CHECK;

/* A walk over a body. Empty lines begin no message and end none, and those around a message are no
 * part of it; neither is its last line break. */
struct messages {
    const struct boundary *by;
    struct str rest;
    bool timed;
};

void messages_begin(struct messages *m, const struct boundary *by, struct str body);

/* The next one; false at the end. */
bool messages_next(struct messages *m, struct str *out);

#endif
