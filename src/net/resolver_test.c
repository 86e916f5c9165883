/* SPDX-License-Identifier: Apache-2.0 */
/* With a resolver of our own in place of the system's, which the test can hold up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/resolver.h"

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    unsigned asked;
    unsigned inside;
    bool held; /* names that begin with "slow" wait */
} system_side = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, false};

static int fake_look_up(const char *name, const struct addrinfo *hints, struct addrinfo **out)
{
    struct addrinfo numeric = *hints;
    int error;

    pthread_mutex_lock(&system_side.lock);
    system_side.asked++;
    system_side.inside++;
    pthread_cond_broadcast(&system_side.wake);
    while (system_side.held && strncmp(name, "slow", 4) == 0)
        pthread_cond_wait(&system_side.wake, &system_side.lock);
    system_side.inside--;
    pthread_cond_broadcast(&system_side.wake);
    pthread_mutex_unlock(&system_side.lock);
    if (strcmp(name, "nowhere.test") == 0)
        return EAI_NONAME;
    numeric.ai_flags = AI_NUMERICHOST;
    error = getaddrinfo("192.0.2.7", NULL, &numeric, out);
    return error;
}

static void hold(bool held)
{
    pthread_mutex_lock(&system_side.lock);
    system_side.held = held;
    pthread_cond_broadcast(&system_side.wake);
    pthread_mutex_unlock(&system_side.lock);
}

static void await_inside(unsigned n)
{
    pthread_mutex_lock(&system_side.lock);
    while (system_side.inside != n)
        pthread_cond_wait(&system_side.wake, &system_side.lock);
    pthread_mutex_unlock(&system_side.lock);
}

static unsigned asked(void)
{
    unsigned n;

    pthread_mutex_lock(&system_side.lock);
    n = system_side.asked;
    pthread_mutex_unlock(&system_side.lock);
    return n;
}

struct ground {
    struct clock *clock;
    struct loop *loop;
    struct resolver *resolver;
    struct resolver_answer answer;
    unsigned answers;
};

static struct ground ground_new(void)
{
    struct ground g = {.clock = clock_new_manual(1700000000000000, 1000000)};
    struct resolver_options o = {.clock = g.clock, .look_up = fake_look_up, .threads = 2};
    struct fail f;

    system_side.asked = 0;
    g.resolver = resolver_new(&o);
    assert_int_equal(loop_new(g.clock, 0, &g.loop, &f), 0);
    return g;
}

static void ground_free(struct ground *g)
{
    resolver_free(&g->resolver);
    loop_turn(g->loop, 0);
    loop_free(&g->loop);
    clock_free(&g->clock);
}

static void on_answer(void *ctx, const struct resolver_answer *a)
{
    struct ground *g = ctx;

    g->answer = *a;
    g->answers++;
}

static void ask(struct ground *g, const char *name)
{
    unsigned before = g->answers;

    resolver_ask(g->resolver, g->loop, str_of(name), on_answer, g);
    assert_int_equal(g->answers, before); /* never at once */
    while (g->answers == before)
        loop_turn(g->loop, -1);
}

static void a_number_needs_no_look_up(void **state UNUSED)
{
    struct ground g = ground_new();

    ask(&g, "2001:db8::1");
    assert_int_equal(g.answer.count, 1);
    assert_int_equal(g.answer.addresses[0].ss_family, AF_INET6);
    ask(&g, "127.0.0.1");
    assert_int_equal(g.answer.addresses[0].ss_family, AF_INET);
    assert_int_equal(asked(), 0);
    ground_free(&g);
}

static void a_name_is_looked_up_once_in_a_while(void **state UNUSED)
{
    struct ground g = ground_new();

    ask(&g, "a.test");
    assert_int_equal(g.answer.count, 1);
    assert_int_equal(((struct sockaddr_in *)&g.answer.addresses[0])->sin_addr.s_addr,
                     inet_addr("192.0.2.7"));
    ask(&g, "a.test");
    assert_int_equal(g.answer.count, 1);
    assert_int_equal(asked(), 1);
    clock_advance(g.clock, 11000000);
    ask(&g, "a.test");
    assert_int_equal(asked(), 2);
    ground_free(&g);
}

static void many_names_do_not_mix(void **state UNUSED)
{
    struct ground g = ground_new();
    char name[32];

    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "n%d.test", i);
        ask(&g, name);
        assert_int_equal(g.answer.count, 1);
    }
    ask(&g, "n99.test"); /* still kept */
    assert_int_equal(asked(), 100);
    ask(&g, "n0.test"); /* others took its place */
    assert_int_equal(asked(), 101);
    ground_free(&g);
}

static void a_name_without_an_address_says_so_each_time(void **state UNUSED)
{
    struct ground g = ground_new();

    for (unsigned i = 1; i <= 2; i++) {
        ask(&g, "nowhere.test");
        assert_int_equal(g.answer.count, 0);
        assert_int_equal(g.answer.why.code, CODE_UNAVAILABLE);
        assert_string_equal(g.answer.why.reason, "dns");
        assert_int_equal(asked(), i);
    }
    ask(&g, "");
    assert_int_equal(g.answer.count, 0);
    ground_free(&g);
}

static void a_slow_name_does_not_hold_up_others(void **state UNUSED)
{
    struct ground g = ground_new();

    hold(true);
    resolver_ask(g.resolver, g.loop, STR("slow.test"), on_answer, &g);
    await_inside(1);
    ask(&g, "quick.test");
    assert_int_equal(g.answers, 1);
    hold(false);
    while (g.answers < 2)
        loop_turn(g.loop, -1);
    ground_free(&g);
}

static void a_canceled_question_gets_no_answer(void **state UNUSED)
{
    struct ground g = ground_new();
    struct resolver_question *q;

    hold(true);
    q = resolver_ask(g.resolver, g.loop, STR("slow.test"), on_answer, &g);
    resolver_cancel(&q);
    assert_null(q);
    hold(false);
    ask(&g, "other.test");
    ask(&g, "another.test");
    while (asked() < 3)
        loop_turn(g.loop, -1);
    assert_int_equal(g.answers, 2);
    ground_free(&g);
}

static void freeing_does_not_wait_for_the_system(void **state UNUSED)
{
    struct ground g = ground_new();

    hold(true);
    resolver_ask(g.resolver, g.loop, STR("slow.1"), on_answer, &g);
    resolver_ask(g.resolver, g.loop, STR("slow.2"), on_answer, &g);
    resolver_ask(g.resolver, g.loop, STR("slow.3"), on_answer, &g);
    await_inside(2);
    resolver_free(&g.resolver); /* returns, with both helpers inside */
    hold(false);
    await_inside(0);
    assert_int_equal(g.answers, 0);
    ground_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_needs_no_look_up),
        cmocka_unit_test(a_name_is_looked_up_once_in_a_while),
        cmocka_unit_test(many_names_do_not_mix),
        cmocka_unit_test(a_name_without_an_address_says_so_each_time),
        cmocka_unit_test(a_slow_name_does_not_hold_up_others),
        cmocka_unit_test(a_canceled_question_gets_no_answer),
        cmocka_unit_test(freeing_does_not_wait_for_the_system),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
