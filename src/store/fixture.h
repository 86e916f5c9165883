/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: a store in a directory of its own that vanishes afterwards, on a manual clock. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder_fixture.h"
#include "core/tenant.h"
#include "store/store_open.h"

#define FIXTURE_START_US INT64_C(1700000000000000)

struct fixture {
    char dir[64];
    struct clock *clock;
    struct arena *arena;
    struct store_options options;
    struct store *store;
    struct tenant tenant; /* "default" */
    struct fail fail;
};

static inline const char *fixture_path(struct fixture *x, const char *name)
{
    return arena_cstr(x->arena, arena_printf(x->arena, "%s/%s", x->dir, name));
}

/* Directory, clock and arena, no store yet. */
static inline struct fixture *fixture_new(void)
{
    struct fixture *x = calloc(1, sizeof(*x));

    assert_non_null(x);
    snprintf(x->dir, sizeof(x->dir), "/tmp/muster-store-XXXXXX");
    assert_non_null(mkdtemp(x->dir));
    x->clock = clock_new_manual(FIXTURE_START_US, 0);
    x->arena = arena_new(4096);
    x->options.data_dir = x->dir;
    x->options.clock = x->clock;
    return x;
}

static inline int fixture_open(struct fixture *x)
{
    return store_open(&x->options, &x->store, &x->fail);
}

static inline void fixture_free(struct fixture *x)
{
    store_close(&x->store);
    arena_free(&x->arena);
    clock_free(&x->clock);
    folder_remove(x->dir);
    free(x);
}

static inline int fixture_first_tenant(struct store_tx *tx, void *arg, struct fail *f)
{
    return tenant_create(tx, NULL, STR(TENANT_DEFAULT), arg, f);
}

static inline int fixture_write(struct fixture *x,
                                int (*run)(struct store_tx *tx, void *arg, struct fail *f),
                                void *arg)
{
    x->fail = (struct fail){0};
    return store_write(x->store, x->arena, run, arg, &x->fail);
}

/* An open store with the tenant "default". */
static inline struct fixture *fixture_new_open(void)
{
    struct fixture *x = fixture_new();

    assert_int_equal(fixture_open(x), 0);
    assert_int_equal(fixture_write(x, fixture_first_tenant, &x->tenant), 0);
    return x;
}

static inline struct store_tx *fixture_read(struct fixture *x)
{
    struct store_tx *tx;

    assert_int_equal(store_read_open(x->store, x->arena, &tx, &x->fail), 0);
    return tx;
}

static inline int fixture_setup(void **state)
{
    *state = fixture_new_open();
    return 0;
}

static inline int fixture_setup_closed(void **state)
{
    *state = fixture_new();
    return 0;
}

static inline int fixture_teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define FIXTURE_CLOSED_TEST(name)                                                                  \
    cmocka_unit_test_setup_teardown(name, fixture_setup_closed, fixture_teardown)

/* The data in the store is in order; what there is of it. */
static inline struct store_findings fixture_totals(struct fixture *x)
{
    struct store_findings found;

    assert_int_equal(store_check(x->store, x->arena, &found, &x->fail), 0);
    for (size_t i = 0; i < found.count; i++)
        print_error("%s\n", found.lines[i]);
    assert_int_equal(found.count, 0);
    return found;
}

static inline void fixture_assert_clean(struct fixture *x)
{
    fixture_totals(x);
}

#endif
