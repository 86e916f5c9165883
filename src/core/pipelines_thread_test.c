/* SPDX-License-Identifier: Apache-2.0 */
/* Editors and pollers at the same time: whatever they do to each other, in the end every choice is
 * brought to what the last edits come to. Under a thread sanitizer this is also the proof of the
 * locks. */
#include "core/pipelines_fixture.h"

#include <pthread.h>
#include <stdio.h>

#include "base/word.h"

#define EDITORS 2
#define POLLERS 4
#define EACH    6 /* pipelines of an editor, agents of a poller */
#define EDITS   400
#define POLLS   600

struct worker {
    pthread_t thread;
    struct pipelines *p;
    pthread_barrier_t *start;
    struct dice dice;
    size_t number;
    bool failed;
    struct choice choices[EACH];
    struct draft last[EACH]; /* of an editor: as it left them */
};

static const char *const contents[] = {
    "prometheus.exporter.self \"me\" { }\n",
    "prometheus.exporter.unix \"me\" { }\n",
    "discovery.http \"d\" {\n  url = argument.attributes.value[\"env\"]\n}\n",
    "discovery.http \"d\" {\n  url = to_json(argument.attributes.value)\n}\n",
};

static const char *const matchers[] = {"env=a", "env=~a|b", "env!=a", "os=~.+"};

static const char *const names[EDITORS * EACH] = {"a", "m", "b", "n", "c", "o",
                                                  "d", "p", "e", "q", "f", "r"};

static void *edit(void *arg)
{
    struct worker *w = arg;

    pthread_barrier_wait(w->start);
    for (int i = 0; i < EDITS; i++) {
        size_t n = dice_roll(&w->dice, EACH);
        size_t slot = w->number * EACH + n;
        struct draft d = {.id = (int64_t)slot + 1, .name = names[slot]};
        struct arena *a = arena_new(1024);
        struct fail f = {0};

        d.disabled = dice_roll(&w->dice, 4) == 0;
        d.contents = contents[dice_roll(&w->dice, COUNTOF(contents))];
        d.matchers[0] = matchers[dice_roll(&w->dice, COUNTOF(matchers))];

        struct pipeline row = draft_row(a, &d);

        if (dice_roll(&w->dice, 6) == 0) {
            pipelines_remove(w->p, d.id);
            d = (struct draft){0};
        } else if (pipelines_put(w->p, &row, &f) < 0) {
            w->failed = true;
        }
        w->last[n] = d;
        arena_free(&a);
    }
    return NULL;
}

static struct agent_view agent(struct arena *a, size_t poller, size_t n)
{
    static const char *const envs[] = {"env=a", "env=b", "env=c"};
    char id[16];

    snprintf(id, sizeof(id), "c%zu-%zu", poller, n);
    return VIEW(a, id, envs[(poller + n) % COUNTOF(envs)], n % 2 ? "os=linux" : "os=");
}

static void *poll_all(void *arg)
{
    struct worker *w = arg;
    struct arena *a = arena_new(4096);

    pthread_barrier_wait(w->start);
    for (int i = 0; i < POLLS; i++) {
        size_t n = dice_roll(&w->dice, EACH);
        struct agent_view v = agent(a, w->number, n);
        struct rendered r = {0};

        if (!pipelines_is_current(w->p, &w->choices[n]) &&
            !pipelines_refresh(w->p, &v, &w->choices[n])) {
            pipelines_render(w->p, &v, a, &w->choices[n], &r);
            w->failed |= memcmp(r.hash, w->choices[n].hash, sizeof(r.hash)) != 0;
        }
        switch (dice_roll(&w->dice, 32)) {
        case 0: choice_reset(w->p, &w->choices[n]); break;
        case 1: {
            struct pipeline_verdict *why;
            struct pipelines_stats stats;
            size_t count;

            pipelines_explain(w->p, a, &v, &why, &count);
            pipelines_stats(w->p, &stats);
            break;
        }
        default: break;
        }
        arena_reset(a);
    }
    arena_free(&a);
    return NULL;
}

/* The same rows, stored by one thread. */
static struct pipelines *store_again(const struct worker *editors)
{
    struct pipelines *p = pipelines_new(&(struct pipelines_options){0});

    for (size_t e = 0; e < EDITORS; e++) {
        for (size_t n = 0; n < EACH; n++) {
            if (editors[e].last[n].id)
                draft_put(p, &editors[e].last[n]);
        }
    }
    return p;
}

static void compare(struct pipelines *p, struct pipelines *again, struct worker *pollers)
{
    struct arena *a = arena_new(4096);

    assert_int_equal(pipelines_count(p), pipelines_count(again));
    for (size_t i = 0; i < POLLERS; i++) {
        for (size_t n = 0; n < EACH; n++) {
            struct agent_view v = agent(a, i, n);
            struct choice *c = &pollers[i].choices[n];
            struct rendered wanted = {0}, r = {0};

            pipelines_render(again, &v, a, NULL, &wanted);
            if (!pipelines_refresh(p, &v, c))
                pipelines_render(p, &v, a, c, &r);
            assert_memory_equal(c->hash, wanted.hash, sizeof(wanted.hash));
            choice_reset(p, c);
        }
    }
    arena_free(&a);
}

static void editors_and_pollers_end_up_with_the_same(void **state)
{
    struct pipelines_options o = {.variant_bytes = 20000};
    struct pipelines *p = pipelines_new(&o);
    struct worker editors[EDITORS] = {0}, pollers[POLLERS] = {0};
    pthread_barrier_t start;

    (void)state;
    pthread_barrier_init(&start, NULL, EDITORS + POLLERS);
    for (size_t i = 0; i < EDITORS; i++) {
        editors[i] = (struct worker){.p = p, .start = &start, .number = i, .dice = {i}};
        assert_int_equal(pthread_create(&editors[i].thread, NULL, edit, &editors[i]), 0);
    }
    for (size_t i = 0; i < POLLERS; i++) {
        pollers[i] = (struct worker){.p = p, .start = &start, .number = i, .dice = {100 + i}};
        assert_int_equal(pthread_create(&pollers[i].thread, NULL, poll_all, &pollers[i]), 0);
    }
    for (size_t i = 0; i < EDITORS; i++)
        pthread_join(editors[i].thread, NULL);
    for (size_t i = 0; i < POLLERS; i++)
        pthread_join(pollers[i].thread, NULL);
    for (size_t i = 0; i < EDITORS; i++)
        assert_false(editors[i].failed);
    for (size_t i = 0; i < POLLERS; i++)
        assert_false(pollers[i].failed);

    struct pipelines *again = store_again(editors);

    compare(p, again, pollers);
    pipelines_free(&again);
    pipelines_free(&p);
    pthread_barrier_destroy(&start);
}

/* --- two pipelines that always come and go together --- */

struct pair {
    struct pipelines *p;
    pthread_barrier_t start;
    struct word ended;          /* 1: no more edits */
    struct pipeline rows[2][2]; /* both off, both on */
    uint8_t hashes[2][32];
};

static void *edit_pair(void *arg)
{
    struct pair *x = arg;

    pthread_barrier_wait(&x->start);
    for (int i = 0; i < EDITS; i++) {
        struct fail f[2] = {0};
        const struct pipelines_edit edits[] = {
            {.row = &x->rows[i % 2][0], .fail = &f[0]},
            {.row = &x->rows[i % 2][1], .fail = &f[1]},
        };

        pipelines_apply(x->p, edits, COUNTOF(edits));
    }
    word_set(&x->ended, 1);
    return NULL;
}

/* Returns the pair, or NULL when it saw half of it. */
static void *watch_pair(void *arg)
{
    struct pair *x = arg;
    struct arena *a = arena_new(4096);
    struct agent_view v = VIEW(a, "c1", "env=a");
    struct arena *answer = arena_new(4096);
    struct choice c = {0};
    bool halves = false;

    pthread_barrier_wait(&x->start);
    for (int i = 0; !word_get(&x->ended); i++) {
        struct rendered r = {0};

        if (i % 2 || !pipelines_refresh(x->p, &v, &c))
            pipelines_render(x->p, &v, answer, &c, &r);
        halves |= memcmp(c.hash, x->hashes[0], sizeof(c.hash)) != 0 &&
                  memcmp(c.hash, x->hashes[1], sizeof(c.hash)) != 0;
        arena_reset(answer);
    }
    choice_reset(x->p, &c);
    arena_free(&answer);
    arena_free(&a);
    return halves ? NULL : x;
}

static void nobody_sees_half_of_what_is_applied_at_one_moment(void **state)
{
    struct pair x = {.p = pipelines_new(&(struct pipelines_options){0})};
    struct arena *a = arena_new(4096);
    struct agent_view v = VIEW(a, "c1", "env=a");
    pthread_t editor, watchers[POLLERS];
    void *whole;
    int halves = 0;

    (void)state;
    for (int on = 0; on < 2; on++) {
        struct draft one = {1, "one", !on, .contents = contents[0], .matchers = {"env=a"}};
        struct draft two = {2, "two", !on, .contents = contents[1], .matchers = {"env=a"}};
        struct rendered r = {0};

        draft_put(x.p, &one);
        draft_put(x.p, &two);
        x.rows[on][0] = draft_row(a, &one);
        x.rows[on][1] = draft_row(a, &two);
        pipelines_render(x.p, &v, a, NULL, &r);
        memcpy(x.hashes[on], r.hash, sizeof(r.hash));
    }
    pthread_barrier_init(&x.start, NULL, POLLERS + 1);
    assert_int_equal(pthread_create(&editor, NULL, edit_pair, &x), 0);
    for (int i = 0; i < POLLERS; i++)
        assert_int_equal(pthread_create(&watchers[i], NULL, watch_pair, &x), 0);
    pthread_join(editor, NULL);
    for (int i = 0; i < POLLERS; i++) {
        pthread_join(watchers[i], &whole);
        halves += whole == NULL;
    }
    assert_int_equal(halves, 0);
    pthread_barrier_destroy(&x.start);
    pipelines_free(&x.p);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(editors_and_pollers_end_up_with_the_same),
        cmocka_unit_test(nobody_sees_half_of_what_is_applied_at_one_moment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
