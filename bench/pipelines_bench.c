/* SPDX-License-Identifier: Apache-2.0 */
/* What choosing pipelines costs: 200 of them, agents with 8 attributes. One thread; each figure is
 * the best of five turns, so that other work on the machine does not count. Output is one line a
 * figure. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/heap.h"
#include "core/pipelines.h"

#define TURNS      5
#define PIPELINES  200
#define AGENTS     20000
#define SELECTED   50 /* of the large configuration */
#define LINES      40 /* of a pipeline */
#define ATTRIBUTES 9  /* with the id */

struct bench {
    struct clock *clock;
    struct arena *arena; /* of one answer */
    struct arena *names; /* of the agents */
    struct pipelines *p;
    struct agent_view views[AGENTS];
    struct choice choices[AGENTS];
};

/* Lines that an agent would take: an exporter, what it scrapes, where that goes. */
static struct str contents(struct arena *a, int number, int edit)
{
    struct str text = arena_printf(a, "// edit %d\n", edit);

    for (int i = 0; i < LINES / 4; i++)
        text = arena_printf(a,
                            "%.*sprometheus.scrape \"job%d_%d\" {\n"
                            "  targets    = [{\"__address__\" = \"localhost:%d\"}]\n"
                            "  forward_to = []\n}\n",
                            STR_ARG(text), number, i, 9000 + i);
    return text;
}

/* Each fits the agents of one region, so that each of those gets 50. os: a pattern, or NULL for an
 * equality. */
static void put(struct bench *b, int number, int edit, const char *os)
{
    struct arena *a = arena_new(65536);
    struct pipeline_spec spec = {.type = AGENT_ALLOY};
    struct pipeline row = {.id = number + 1, .enabled = true};
    struct fail f;

    spec.matchers = arena_new_array(a, struct str, 2);
    spec.matchers[spec.matcher_count++] =
        os ? arena_printf(a, "collector.os=~%s", os) : STR("collector.os=linux");
    spec.matchers[spec.matcher_count++] = arena_printf(a, "region=r%d", number / SELECTED);
    spec.contents = contents(a, number, edit);
    row.name = arena_printf(a, "pipeline_%d", number);
    if (pipeline_spec_encode(a, &spec, &row.body, &f) < 0 || pipelines_put(b->p, &row, &f) < 0) {
        fprintf(stderr, "%s\n", f.message);
        exit(1);
    }
    arena_free(&a);
}

static int by_key(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->key, ((const struct label *)b)->key);
}

static struct agent_view view(struct arena *a, int number)
{
    const struct label l[ATTRIBUTES] = {
        {STR(AGENT_ID_KEY), arena_printf(a, "host-%08d.example.org", number)},
        {STR("cluster"), arena_printf(a, "k8s-%d", number % 37)},
        {STR("collector.os"), STR("linux")},
        {STR("collector.version"), STR("v1.12.0")},
        {STR("env"), STR("production")},
        {STR("namespace"), arena_printf(a, "ns-%d", number % 11)},
        {STR("region"), arena_printf(a, "r%d", number % (PIPELINES / SELECTED))},
        {STR("team"), arena_printf(a, "team-%d", number % 23)},
        {STR("zone"), arena_printf(a, "z%d", number % 3)},
    };
    struct label *copy = arena_new_array(a, struct label, ATTRIBUTES);

    memcpy(copy, l, sizeof(l));
    qsort(copy, ATTRIBUTES, sizeof(*copy), by_key);
    return (struct agent_view){copy[0].value, AGENT_ALLOY, true, copy, ATTRIBUTES};
}

/* The text of each of the sets is at hand afterwards. */
static void render_each(struct bench *b)
{
    for (int i = 0; i < PIPELINES / SELECTED; i++) {
        struct rendered r;

        pipelines_render(b->p, &b->views[i], b->arena, NULL, &r);
        arena_reset(b->arena);
    }
}

static void refresh_all(struct bench *b)
{
    for (int i = 0; i < AGENTS; i++) {
        if (!pipelines_refresh(b->p, &b->views[i], &b->choices[i]))
            abort(); /* all texts are at hand */
    }
}

static void ask_all(struct bench *b)
{
    for (int i = 0; i < AGENTS; i++) {
        if (!pipelines_is_current(b->p, &b->choices[i]))
            abort();
    }
}

static void render_cold(struct bench *b)
{
    struct rendered r;

    pipelines_render(b->p, &b->views[0], b->arena, NULL, &r);
    arena_reset(b->arena);
}

static void render_warm(struct bench *b)
{
    for (int i = 0; i < 100; i++)
        render_cold(b);
}

/* --- what happens before each turn --- */

static void forget(struct bench *b, int turn)
{
    (void)turn;
    for (int i = 0; i < AGENTS; i++)
        choice_reset(b->p, &b->choices[i]);
    render_each(b);
}

static void nothing(struct bench *b, int turn)
{
    (void)b;
    (void)turn;
}

static void edit_text(struct bench *b, int turn)
{
    put(b, 0, turn, "linux|darwin");
    render_each(b);
}

static void edit_matchers(struct bench *b, int turn)
{
    put(b, 0, 0, turn % 2 ? "linux|darwin" : "linux|windows");
    render_each(b);
}

static void edit_only(struct bench *b, int turn)
{
    put(b, 0, 1000 + turn, "linux|darwin");
}

static const struct figure {
    const char *name;
    void (*before)(struct bench *b, int turn);
    void (*run)(struct bench *b);
    double times;
} figures[] = {
    {"selection from scratch", forget, refresh_all, AGENTS},
    {"current as it stands", nothing, ask_all, AGENTS},
    {"refresh after an edit of contents", edit_text, refresh_all, AGENTS},
    {"refresh after an edit of matchers", edit_matchers, refresh_all, AGENTS},
    {"render 50 pipelines", edit_only, render_cold, 1},
    {"text of 50 pipelines at hand", nothing, render_warm, 100},
};

static void measure(struct bench *b, const struct figure *what)
{
    int64_t best = INT64_MAX;

    for (int turn = 0; turn <= TURNS; turn++) { /* the first one warms up */
        what->before(b, turn);

        int64_t began = clock_mono_us(b->clock);

        what->run(b);

        int64_t took = clock_mono_us(b->clock) - began;

        if (turn > 0 && took < best)
            best = took;
    }
    printf("%-36s %12.1f ns\n", what->name, (double)best * 1000 / what->times);
}

int main(void)
{
    struct pipelines_options o = {0};
    struct bench *b = heap_new_type(struct bench);
    struct rendered r;

    b->clock = clock_new_real();
    b->arena = arena_new(1u << 20);
    b->names = arena_new(1u << 20);
    b->p = pipelines_new(&o);
    for (int i = 0; i < PIPELINES; i++)
        put(b, i, 0, i % 4 == 0 ? "linux|darwin" : NULL);
    for (int i = 0; i < AGENTS; i++)
        b->views[i] = view(b->names, i);
    pipelines_render(b->p, &b->views[0], b->arena, NULL, &r);
    printf("%-36s %12zu bytes\n", "text of 50 pipelines", r.content.len);
    for (size_t i = 0; i < COUNTOF(figures); i++)
        measure(b, &figures[i]);
    for (int i = 0; i < AGENTS; i++)
        choice_reset(b->p, &b->choices[i]);
    pipelines_free(&b->p);
    arena_free(&b->names);
    arena_free(&b->arena);
    clock_free(&b->clock);
    free(b);
    return 0;
}
