/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: an arena as the state of one test or of a group, gone afterwards. */
#ifndef BASE_ARENA_FIXTURE_H
#define BASE_ARENA_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"

static inline int arena_fixture_setup(void **state)
{
    *state = arena_new(4096);
    return 0;
}

static inline int arena_fixture_teardown(void **state)
{
    struct arena *a = *state;

    arena_free(&a);
    return 0;
}

#endif
