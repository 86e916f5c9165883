/* SPDX-License-Identifier: Apache-2.0 */
/* How fast JSON is read and written: one small document (a typical request) and one list of 1000.
 * One thread; each figure is the best of five turns, so that other work on the machine does not
 * count. Output is one line a figure. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "codec/json.h"
#include "codec/json_writer.h"

#define TURNS      5
#define TURN_BYTES (32u << 20)
#define TEXT_MAX   (1u << 20)

struct bench {
    struct clock *clock;
    struct arena *arena;
    struct str text;
    struct buf out;
};

static void put_item(struct json_writer *w, uint64_t number)
{
    json_obj_begin(w);
    json_key_u64(w, STR("id"), 1000000007u * number);
    json_key_str(w, STR("name"), STR("edge collector in the second rack"));
    json_key_str(w, STR("category"), STR("prod/edge/\"quoted\" \\ and caf\xc3\xa9"));
    json_key_bool(w, STR("ephemeral"), number % 2 == 0);
    json_key_i64(w, STR("lastSeen"), 1700000000000 + (int64_t)number);
    json_key(w, STR("fields"));
    json_obj_begin(w);
    json_key_str(w, STR("region"), STR("eu-central-1"));
    json_key_str(w, STR("cluster"), STR("k8s-17"));
    json_obj_end(w);
    json_key(w, STR("ratio"));
    json_double(w, 0.25 + (double)number);
    json_obj_end(w);
}

static void write_text(struct buf *out, uint64_t items)
{
    struct json_writer w;

    json_writer_init(&w, out);
    if (items == 1) {
        put_item(&w, 1);
        return;
    }
    json_arr_begin(&w);
    for (uint64_t i = 0; i < items; i++)
        put_item(&w, i);
    json_arr_end(&w);
}

static void pull(struct bench *b)
{
    struct json_reader r;
    struct fail f;

    json_reader_init(&r, b->arena, b->text, NULL, &f);
    for (;;) {
        enum json_token t = json_next(&r);

        if (t == JSON_ERROR)
            abort();
        if (t == JSON_END)
            return;
    }
}

static void tree(struct bench *b)
{
    struct json_value *v;
    struct fail f;

    if (json_parse(b->arena, b->text, NULL, &v, &f) < 0)
        abort();
}

static void rewrite(struct bench *b)
{
    buf_clear(&b->out);
    write_text(&b->out, b->text.p[0] == '[' ? 1000 : 1);
}

static void measure(struct bench *b, const char *what, void (*fn)(struct bench *b))
{
    size_t rounds = TURN_BYTES / b->text.len;
    int64_t best = INT64_MAX;

    for (int turn = 0; turn <= TURNS; turn++) { /* the first one warms up */
        int64_t began = clock_mono_us(b->clock);

        for (size_t i = 0; i < rounds; i++) {
            fn(b);
            arena_reset(b->arena);
        }

        int64_t took = clock_mono_us(b->clock) - began;

        if (turn > 0 && took < best)
            best = took;
    }
    printf("%-12s %7zu bytes  %9.2f us  %7.0f MB/s\n", what, b->text.len,
           (double)best / (double)rounds, (double)(rounds * b->text.len) / (double)best);
}

int main(void)
{
    struct bench b = {.clock = clock_new_real(), .arena = arena_new(1u << 16)};

    buf_init(&b.out, TEXT_MAX);
    for (uint64_t items = 1; items <= 1000; items += 999) {
        struct buf text;

        buf_init(&text, TEXT_MAX);
        write_text(&text, items);
        b.text = buf_str(&text);
        measure(&b, "json pull", pull);
        measure(&b, "json tree", tree);
        measure(&b, "json write", rewrite);
        buf_done(&text);
    }
    buf_done(&b.out);
    arena_free(&b.arena);
    clock_free(&b.clock);
    return 0;
}
