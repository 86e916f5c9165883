/* SPDX-License-Identifier: Apache-2.0 */
/* The one argument parser: `muster serve` and every command describe their flags in a table and get
 * the values back in order. Understands `--flag value`, `--flag=value`, `-f value` where a flag has
 * a letter, `--` (what follows is taken as it is), -h and --help. Main thread; results live in the
 * arena and borrow argv. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/macros.h"

enum args_kind {
    ARGS_SWITCH, /* `--flag`, also `--flag=true` and `--flag=false` */
    ARGS_VALUE,  /* given again, the last one counts */
    ARGS_LIST,   /* may be repeated, all count */
};

struct args_flag {
    const char *name; /* without the dashes */
    enum args_kind kind;
    const char *value;  /* what help calls the value: "ADDRESS" */
    const char *text;   /* for help */
    const char *letter; /* "f": also `-f VALUE`; NULL: none */
};

struct args_value {
    const struct args_flag *flag;
    const char *text; /* "true" or "false" for a switch */
};

struct args {
    struct args_value *values; /* in the order given */
    size_t count;
    const char **operands;
    size_t operand_count;
    bool help; /* asked for: nothing else was checked */
};

/* -1 with a message that names the flag and, for an unknown one, the flag it resembles. argv holds
 * only what belongs to the command, not the program's name. */
int args_parse(struct arena *a, const struct args_flag *flags, size_t flag_count, int argc,
               char *const *argv, struct args *out, struct fail *f) MUST_CHECK;

/* Refuses fewer or more operands; `usage` is what the message shows. */
int args_operands(const struct args *args, size_t min, size_t max, const char *usage,
                  struct fail *f) MUST_CHECK;

/* The last value given, or NULL. */
const char *args_find(const struct args *args, const char *name);

/* Whether a switch is on. */
bool args_is_on(const struct args *args, const char *name);

/* All values of a list flag, in the arena. */
const char **args_list(struct arena *a, const struct args *args, const char *name, size_t *count);

/* The flags with their texts, wrapped to 80 columns. */
void args_help(struct buf *out, const struct args_flag *flags, size_t flag_count);

/* Text in lines of at most 80 columns, each after `indent` blanks. */
void args_wrap(struct buf *out, const char *text, size_t indent);

#endif
