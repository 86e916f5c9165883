/* SPDX-License-Identifier: Apache-2.0 */
/* Kept texts: what goes first, what is remembered of it, and that a text is made once. */
#include "core/pipelines_texts.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define THREADS 8

struct maker {
    struct str text;
    int calls;
    struct texts *forget_in; /* while the text is made */
    struct text_group *group;
};

static struct str make(void *arg, struct arena *a)
{
    struct maker *m = arg;

    m->calls++;
    if (m->forget_in)
        texts_forget(m->forget_in, m->group);
    return arena_str(a, m->text);
}

static struct text_key key_of(uint8_t n)
{
    return (struct text_key){{n}};
}

static int calls_to_get(struct texts *t, struct text_group *g, uint8_t n, struct str text)
{
    struct arena *a = arena_new(1024);
    struct maker m = {.text = text};
    struct text_key k = key_of(n);
    struct rendered r = {0};

    texts_get(t, g, &k, a, make, &m, &r);
    assert_true(str_eq(r.content, text));
    arena_free(&a);
    return m.calls;
}

static bool has_hash(struct texts *t, uint8_t n)
{
    struct text_key k = key_of(n);
    uint8_t hash[32];

    return texts_hash(t, &k, hash);
}

static void text_is_made_once_and_its_hash_is_known_then(void **state)
{
    struct texts *t = texts_new(1 << 20);
    struct text_group g = {0};

    (void)state;
    assert_false(has_hash(t, 1));
    assert_int_equal(calls_to_get(t, &g, 1, STR("one")), 1);
    assert_true(has_hash(t, 1));
    assert_int_equal(calls_to_get(t, &g, 1, STR("one")), 0);
    assert_int_equal(calls_to_get(t, &g, 2, STR("")), 1);
    assert_int_equal(calls_to_get(t, &g, 2, STR("")), 0);
    texts_free(&t);
    assert_null(t);
}

/* Three of 4000 bytes do not fit, two do. */
static void least_recently_used_text_goes_first_and_its_hash_stays(void **state)
{
    static char bytes[4000];
    struct texts *t = texts_new(10000);
    struct text_group g = {0};
    struct str big = {bytes, sizeof(bytes)};
    size_t count, size;

    (void)state;
    assert_int_equal(calls_to_get(t, &g, 1, big), 1);
    assert_int_equal(calls_to_get(t, &g, 2, big), 1);
    assert_int_equal(calls_to_get(t, &g, 1, big), 0);
    assert_int_equal(calls_to_get(t, &g, 3, big), 1);
    texts_stats(t, &count, &size);
    assert_int_equal(count, 2);
    assert_true(has_hash(t, 2));
    assert_int_equal(calls_to_get(t, &g, 1, big), 0);
    assert_int_equal(calls_to_get(t, &g, 2, big), 1);
    texts_free(&t);
}

static void hashes_of_texts_that_went_are_bounded_too(void **state)
{
    static char bytes[900];
    struct texts *t = texts_new(10000);
    struct text_group g = {0};
    size_t count, size;

    (void)state;
    for (int n = 0; n < 200; n++)
        assert_int_equal(calls_to_get(t, &g, (uint8_t)n, (struct str){bytes, sizeof(bytes)}), 1);
    texts_stats(t, &count, &size);
    assert_in_range(size, 1, 10000 + 10000 / 8);
    assert_false(has_hash(t, 0));
    assert_true(has_hash(t, 199));
    texts_free(&t);
}

static void text_above_the_limit_is_given_but_not_kept(void **state)
{
    static char bytes[4000];
    struct texts *t = texts_new(2000);
    struct text_group g = {0};
    size_t count, size;

    (void)state;
    assert_int_equal(calls_to_get(t, &g, 1, (struct str){bytes, sizeof(bytes)}), 1);
    texts_stats(t, &count, &size);
    assert_int_equal(count, 0);
    texts_free(&t);
}

static void forgetting_takes_the_group_and_no_other(void **state)
{
    struct texts *t = texts_new(1 << 20);
    struct text_group g = {0}, other = {0};

    (void)state;
    assert_int_equal(calls_to_get(t, &g, 1, STR("one")), 1);
    assert_int_equal(calls_to_get(t, &g, 2, STR("two")), 1);
    assert_int_equal(calls_to_get(t, &other, 3, STR("three")), 1);
    texts_forget(t, &g);
    assert_false(has_hash(t, 1));
    assert_false(has_hash(t, 2));
    assert_true(has_hash(t, 3));
    assert_int_equal(calls_to_get(t, &g, 1, STR("one again")), 1);
    texts_free(&t);
}

static void text_that_is_forgotten_while_it_is_made_is_given_but_not_kept(void **state)
{
    struct texts *t = texts_new(1 << 20);
    struct text_group g = {0};
    struct arena *a = arena_new(1024);
    struct maker m = {.text = STR("one"), .forget_in = t, .group = &g};
    struct text_key k = key_of(1);
    struct rendered r = {0};

    (void)state;
    texts_get(t, &g, &k, a, make, &m, &r);
    assert_true(str_eq(r.content, STR("one")));
    assert_false(has_hash(t, 1));
    assert_int_equal(calls_to_get(t, &g, 1, STR("two")), 1);
    arena_free(&a);
    texts_free(&t);
}

struct herd {
    struct texts *texts;
    struct text_group group;
    pthread_barrier_t start;
    struct maker maker; /* `calls` without a lock: only one may come here */
};

static void *member_of(void *arg)
{
    struct herd *h = arg;
    struct arena *a = arena_new(1024);
    struct text_key k = key_of(1);
    struct rendered r = {0};

    pthread_barrier_wait(&h->start);
    texts_get(h->texts, &h->group, &k, a, make, &h->maker, &r);

    bool right = str_eq(r.content, h->maker.text);

    arena_free(&a);
    return right ? h : NULL;
}

static void herd_that_wants_one_text_makes_it_once(void **state)
{
    struct herd h = {.texts = texts_new(1 << 20), .maker = {.text = STR("the text")}};
    pthread_t threads[THREADS];
    void *right;
    int wrong = 0;

    (void)state;
    pthread_barrier_init(&h.start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, member_of, &h), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &right);
        wrong += right == NULL;
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(h.maker.calls, 1);
    pthread_barrier_destroy(&h.start);
    texts_free(&h.texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_made_once_and_its_hash_is_known_then),
        cmocka_unit_test(least_recently_used_text_goes_first_and_its_hash_stays),
        cmocka_unit_test(hashes_of_texts_that_went_are_bounded_too),
        cmocka_unit_test(text_above_the_limit_is_given_but_not_kept),
        cmocka_unit_test(forgetting_takes_the_group_and_no_other),
        cmocka_unit_test(text_that_is_forgotten_while_it_is_made_is_given_but_not_kept),
        cmocka_unit_test(herd_that_wants_one_text_makes_it_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
