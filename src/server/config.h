/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration: every key is one row of config_keys.h, and from that row come its flag, its
 * environment variable, its line in the file, its help and its documentation. Values are layered
 * flag over environment over file over default and checked as a whole: a configuration exists only
 * when nothing is wrong with it. Immutable once loaded; loaded and freed on the main thread. */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/macros.h"
#include "base/str.h"
#include "cli/args.h"

enum config_type {
    CONFIG_TYPE_STRING,
    CONFIG_TYPE_PATH,
    CONFIG_TYPE_BOOL,
    CONFIG_TYPE_INT,
    CONFIG_TYPE_SIZE,     /* bytes */
    CONFIG_TYPE_DURATION, /* microseconds */
    CONFIG_TYPE_ENUM,
    CONFIG_TYPE_LIST,
};

#define CONFIG_TYPE_COUNT 8

#define CONFIG_RELOADABLE  (1u << 0) /* SIGHUP applies a change */
#define CONFIG_NOT_IN_FILE (1u << 1) /* names the file itself */

enum config_key_id {
#define KEY(kind, field, ...) CONFIG_KEY_##field,
#include "server/config_keys.h"
    CONFIG_KEY_COUNT,
};

struct config_key {
    const char *name;
    const char *initial; /* the default, as it would be written */
    const char *text;
    const char *choices; /* enums: "none|optional|required", in the order of their values */
    size_t offset;       /* of the field in struct config */
    int64_t min;         /* numbers */
    int64_t max;         /* numbers; lists: how many items */
    enum config_type type;
    unsigned flags;
};

enum config_origin {
    CONFIG_FROM_DEFAULT,
    CONFIG_FROM_FILE,
    CONFIG_FROM_ENVIRONMENT,
    CONFIG_FROM_FLAG,
};

struct config_source {
    enum config_origin origin;
    unsigned line; /* in the file */
};

struct config_list {
    const char **items;
    size_t count;
};

/* The C type of each kind of field. */
#define CONFIG_FIELD_STRING   const char *
#define CONFIG_FIELD_PATH     const char *
#define CONFIG_FIELD_BOOL     bool
#define CONFIG_FIELD_INT      int64_t
#define CONFIG_FIELD_SIZE     int64_t
#define CONFIG_FIELD_DURATION int64_t
#define CONFIG_FIELD_ENUM     int
#define CONFIG_FIELD_LIST     struct config_list

struct config {
#define KEY(kind, field, ...) CONFIG_FIELD_##kind field;
#include "server/config_keys.h"

    struct arena *arena;
    const char *file_name; /* what messages call the file; empty: none */
    struct config_source sources[CONFIG_KEY_COUNT];
};

/* What is wrong, one line each. */
struct config_problems {
    struct buf text;
    size_t count;
};

void config_problems_init(struct config_problems *p);
void config_problems_done(struct config_problems *p);

/* All lines, without the last one's end. */
struct str config_problems_text(const struct config_problems *p);
void config_problem(struct config_problems *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Layers all sources and checks the outcome. NULL when there is any problem: all of them are in p.
 * `flags` was parsed with config_flags(); `env` is environ. Does the file's I/O. */
struct config *config_load(const struct args *flags, char *const *env, struct config_problems *p)
    MUST_CHECK;

/* The same from a file's text instead of a path: `name` is what messages call it; no text when
 * text.p is NULL. */
struct config *config_load_text(const struct args *flags, char *const *env, const char *name,
                                struct str text, struct config_problems *p) MUST_CHECK;
void config_free(struct config **c);

/* Names each key that differs between the two and cannot change while the server runs; false when
 * there is one. */
bool config_may_become(const struct config *old, const struct config *new_one,
                       struct config_problems *p);

const struct config_key *config_key_at(size_t index) RETURNS_NONNULL;

/* NULL when there is no such key. */
const struct config_key *config_key_find(struct str name);

/* The key whose name resembles the given one, or NULL. */
const char *config_key_nearest(struct arena *a, struct str name);

/* "--limits-headers" without the dashes, and "MUSTER_LIMITS_HEADERS". */
const char *config_flag_name(struct arena *a, const struct config_key *key) RETURNS_NONNULL;
const char *config_env_name(struct arena *a, const struct config_key *key) RETURNS_NONNULL;

/* A flag for each key, followed by `more` (a command's own). */
const struct args_flag *config_flags(struct arena *a, const struct args_flag *more,
                                     size_t more_count, size_t *count) RETURNS_NONNULL;

/* The value as it would be written in the file. */
void config_print(const struct config *c, const struct config_key *key, struct buf *out);

/* Whether the value differs from the default. */
bool config_is_changed(const struct config *c, const struct config_key *key);

/* "default", "muster.conf:12", "MUSTER_LISTEN", "--listen". */
struct str config_origin(const struct config *c, const struct config_key *key, struct arena *a);

#endif
