/* SPDX-License-Identifier: Apache-2.0 */
/* Key-value log lines from a chain of contexts (process > connection > request > tenant): what was
 * said once on the way in is on every line that follows. Any thread may write. Lines gather in a
 * buffer of the calling thread; warnings and errors go out at once, the rest when the thread calls
 * log_flush() (a loop does so once a turn), so that an access line costs no system call. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"

enum log_level {
    LOGLEVEL_DEBUG,
    LOGLEVEL_INFO,
    LOGLEVEL_WARN,
    LOGLEVEL_ERROR,
    LOGLEVEL_OFF,
};

enum log_format {
    LOGFORMAT_LOGFMT,
    LOGFORMAT_JSON,
};

enum kv_type {
    KV_TYPE_STR,
    KV_TYPE_INT,
    KV_TYPE_UINT,
    KV_TYPE_BOOL,
    KV_TYPE_DOUBLE,
    KV_TYPE_SECRET
};

struct kv {
    const char *key; /* a plain word of ours: printed as it is */
    enum kv_type type;
    uint32_t key_len;
    union {
        struct str s;
        int64_t i;
        uint64_t u;
        double d;
        bool b;
    } v;
};

/* What every key-value begins with; a literal's length is known to the compiler. */
#define KV_KEY(k) .key = (k), .key_len = (uint32_t)__builtin_strlen(k)

#define KV_STR(k, cstr)  ((struct kv){KV_KEY(k), .type = KV_TYPE_STR, .v.s = str_of(cstr)})
#define KV_SLICE(k, str) ((struct kv){KV_KEY(k), .type = KV_TYPE_STR, .v.s = (str)})
#define KV_INT(k, n)     ((struct kv){KV_KEY(k), .type = KV_TYPE_INT, .v.i = (n)})
#define KV_UINT(k, n)    ((struct kv){KV_KEY(k), .type = KV_TYPE_UINT, .v.u = (n)})
#define KV_BOOL(k, n)    ((struct kv){KV_KEY(k), .type = KV_TYPE_BOOL, .v.b = (n)})
#define KV_DOUBLE(k, n)  ((struct kv){KV_KEY(k), .type = KV_TYPE_DOUBLE, .v.d = (n)})
/* Printed as "***": says that there was one. */
#define KV_SECRET(k) ((struct kv){KV_KEY(k), .type = KV_TYPE_SECRET})

struct logger;

/* fd and clock are borrowed; the clock stamps the lines. A descriptor that fails or stalls costs
 * lines, never more than a short wait. Threads that log end before the logger is freed. */
struct logger *logger_new(int fd, enum log_format format, enum log_level level,
                          const struct clock *clock) RETURNS_NONNULL;
void logger_free(struct logger **l);
void logger_set_level(struct logger *l, enum log_level level); /* any thread */

/* Lines that the fd did not take: it was closed, full or too slow. Any thread. */
uint64_t logger_dropped(const struct logger *l);

int log_level_parse(struct str name, enum log_level *out) MUST_CHECK;

/* One link of the chain; borrowed, must outlive the links below it. */
struct log {
    struct logger *out;
    const struct log *parent;
    const struct kv *kvs;
    size_t count;
};

bool log_wants(const struct log *l, enum log_level level);
void log_write(const struct log *l, enum log_level level, const char *message, const struct kv *kvs,
               size_t count);

/* How many bytes the calling thread gathered. */
size_t log_gathered(struct logger *l);

/* Writes out what the calling thread gathered. */
void log_flush(struct logger *l);

/* log_info(&call->log, "key created", KV_SLICE("key", id)); at least one key-value is needed. */
#define LOG_AT(l, level, message, ...)                                                             \
    do {                                                                                           \
        if (log_wants((l), (level)))                                                               \
            log_write((l), (level), (message), (const struct kv[]){__VA_ARGS__},                   \
                      COUNTOF(((const struct kv[]){__VA_ARGS__})));                                \
    } while (0)

#define log_debug(l, message, ...) LOG_AT(l, LOGLEVEL_DEBUG, message, __VA_ARGS__)
#define log_info(l, message, ...)  LOG_AT(l, LOGLEVEL_INFO, message, __VA_ARGS__)
#define log_warn(l, message, ...)  LOG_AT(l, LOGLEVEL_WARN, message, __VA_ARGS__)
#define log_error(l, message, ...) LOG_AT(l, LOGLEVEL_ERROR, message, __VA_ARGS__)

#endif
