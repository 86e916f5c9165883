/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes and small macros that every file may use. */
#ifndef BASE_MACROS_H
#define BASE_MACROS_H

#include <stddef.h>

#define COUNTOF(array) (sizeof(array) / sizeof((array)[0]))

/* Says that a result is dropped on purpose; gcc warns through a plain (void) cast. */
#define IGNORE(expression) ((void)!(expression))

#define MUST_CHECK             __attribute__((warn_unused_result))
#define RETURNS_NONNULL        __attribute__((returns_nonnull))
#define NORETURN               __attribute__((noreturn))
#define CLEANUP(function)      __attribute__((cleanup(function)))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED                 __attribute__((unused))

/* The object that embeds the given member. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
