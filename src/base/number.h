/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as decimal text, independent of any locale setting. Pure; any thread. Each function
 * returns the length and adds no NUL. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

#define NUMBER_TEXT_MAX 32 /* room that is enough for each of them */

size_t number_print_u64(uint64_t v, char *out);
size_t number_print_i64(int64_t v, char *out);

/* The shortest of %.15g, %.16g and %.17g that reads back as the same value; NaN, +Inf and -Inf
 * for what is no finite number. */
size_t number_print_double(double v, char *out);

#endif
