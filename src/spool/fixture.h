/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: a spool in a directory of its own that vanishes afterwards, on a manual clock. */
#ifndef SPOOL_FIXTURE_H
#define SPOOL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/folder_fixture.h"
#include "spool/spool_internal.h"

struct fixture {
    char dir[64];
    struct clock *clock;
    struct arena *arena;
    struct spool_options options;
    struct spool *spool;
    struct fail fail;
    unsigned fatal; /* how often the disk failed */
};

/* One append that somebody waits for. */
struct sent {
    struct spool_append append;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t cond;
    bool over;
    int result;
    struct fail fail;
};

static inline void fixture_fatal(void *arg, const char *message)
{
    struct fixture *x = arg;

    (void)message;
    x->fatal++;
}

static inline void fixture_open(struct fixture *x)
{
    assert_int_equal(spool_open(&x->options, &x->spool, &x->fail), 0);
}

static inline int fixture_setup_closed(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    assert_non_null(x);
    snprintf(x->dir, sizeof(x->dir), "/tmp/muster-spool-XXXXXX");
    assert_non_null(mkdtemp(x->dir));
    x->clock = clock_new_manual(INT64_C(1700000000000000), 0);
    x->arena = arena_new(4096);
    x->options = (struct spool_options){
        .data_dir = x->dir,
        .clock = x->clock,
        .segment_bytes = 1 << 20,
        .total_bytes = 8 << 20,
        .queue_bytes = 1 << 20,
        .sync = true,
        .fatal = fixture_fatal,
        .fatal_arg = x,
    };
    *state = x;
    return 0;
}

static inline int fixture_setup(void **state)
{
    fixture_setup_closed(state);
    fixture_open(*state);
    return 0;
}

static inline void fixture_path(const struct fixture *x, const char *name, char out[512])
{
    snprintf(out, 512, "%s/spool/%s", x->dir, name);
}

/* What is in DATA/spool with that ending; with `gone` it is deleted. */
static inline size_t fixture_files(const struct fixture *x, const char *ending, bool gone)
{
    char path[512];
    DIR *d;
    struct dirent *e;
    size_t n = 0;

    fixture_path(x, "", path);
    d = opendir(path);
    while (d && (e = readdir(d))) {
        if (e->d_name[0] == '.' || !str_ends_with(str_of(e->d_name), str_of(ending)))
            continue;
        n++;
        fixture_path(x, e->d_name, path);
        if (gone)
            assert_int_equal(unlink(path), 0);
    }
    if (d)
        closedir(d);
    return n;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *x = *state;

    /* A test that failed leaves them open. */
    for (struct spool_mark *m = x->spool ? x->spool->marks : NULL; m; m = m->next)
        if (m->cursor)
            spool_cursor_close(&(struct spool_cursor *){m->cursor});
    spool_close(&x->spool);
    arena_free(&x->arena);
    clock_free(&x->clock);
    folder_remove(x->dir);
    free(x);
    return 0;
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define FIXTURE_CLOSED_TEST(name)                                                                  \
    cmocka_unit_test_setup_teardown(name, fixture_setup_closed, fixture_teardown)

/* --- appending --- */

static inline void sent_done(struct spool_append *a, int result, const struct fail *f)
{
    struct sent *s = CONTAINER_OF(a, struct sent, append);

    pthread_mutex_lock(&s->lock);
    s->over = true;
    s->result = result;
    s->fail = *f;
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->lock);
}

static inline int sent_submit(struct fixture *x, struct sent *s, struct str data)
{
    *s = (struct sent){
        .append = {.record = {.tenant = 7,
                              .collector = 100,
                              .source = 101,
                              .received_us = 1234,
                              .type = STR("text/plain"),
                              .metadata = STR("host=web\n"),
                              .data = data},
                   .done = sent_done},
    };
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->cond, NULL);
    return spool_submit(x->spool, &s->append, &x->fail);
}

static inline int sent_wait(struct sent *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->over)
        pthread_cond_wait(&s->cond, &s->lock);
    pthread_mutex_unlock(&s->lock);
    return s->result;
}

/* Appends and waits until it is told how that went; 0 or -1 with x->fail. */
static inline int fixture_append(struct fixture *x, struct str data)
{
    struct sent s;

    if (sent_submit(x, &s, data) < 0)
        return -1;
    if (sent_wait(&s) == 0)
        return 0;
    x->fail = s.fail;
    return -1;
}

/* "record 17" and so on, each in a batch of its own. */
static inline struct str fixture_text(struct fixture *x, uint64_t n)
{
    return arena_printf(x->arena, "record %llu", (unsigned long long)n);
}

static inline void fixture_append_some(struct fixture *x, uint64_t from, uint64_t to)
{
    for (uint64_t n = from; n <= to; n++)
        assert_int_equal(fixture_append(x, fixture_text(x, n)), 0);
}

/* --- reading --- */

static inline struct spool_cursor *fixture_cursor(struct fixture *x, const char *name)
{
    struct spool_cursor *c;

    assert_int_equal(spool_cursor_open(x->spool, name, &c, &x->fail), 0);
    return c;
}

/* The next one; its seq, 0 when there is none, or UINT64_MAX for something unreadable. */
static inline uint64_t fixture_next(struct fixture *x, struct spool_cursor *c, struct str *data)
{
    struct spool_record *r = NULL;
    size_t count = 0;

    if (spool_read(c, x->arena, 1, &r, &count, &x->fail) < 0) {
        assert_int_equal(x->fail.code, CODE_DATA_LOSS);
        return UINT64_MAX;
    }
    if (count == 0)
        return 0;
    assert_int_equal(count, 1);
    *data = r[0].data;
    return r[0].seq;
}

/* Reads "record n" under the seq n for each of them. */
static inline void fixture_expect(struct fixture *x, struct spool_cursor *c, uint64_t from,
                                  uint64_t to)
{
    for (uint64_t n = from; n <= to; n++) {
        struct str data = {0};

        assert_int_equal(fixture_next(x, c, &data), n);
        assert_true(str_eq(data, fixture_text(x, n)));
    }
}

static inline void fixture_expect_end(struct fixture *x, struct spool_cursor *c)
{
    struct str data;

    assert_int_equal(fixture_next(x, c, &data), 0);
}

#endif
