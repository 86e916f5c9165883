/* SPDX-License-Identifier: Apache-2.0 */
/* How fast messages are read and written as JSON: a report of the field with six attributes (a map,
 * optionals, a oneof, an enum, a time, numbers), an answer with one text, and a list of 1000 small
 * messages. One thread; each figure is the best of seven turns, so that other work on the machine
 * does not count. Output is one line a figure; the bytes are those of the JSON. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "codec/protojson.h"
#include "proto/muster_test_v1_test.pb.h"

#define TURNS      7
#define TURN_BYTES (16u << 20)
#define BYTES_MAX  (1u << 20)

struct bench {
    struct clock *clock;
    struct arena *arena;
    const struct proto_message *m;
    const void *msg;
    struct str text;
    struct buf out;
};

static const struct protojson_flavor canonical;

static void decode(struct bench *b)
{
    void *msg = proto_new(b->arena, b->m);
    struct fail f;

    if (protojson_decode(&canonical, b->m, b->arena, b->text, NULL, msg, &f) < 0)
        abort();
}

static void encode(struct bench *b)
{
    struct fail f;

    buf_clear(&b->out);
    if (protojson_encode(&canonical, b->m, b->arena, b->msg, &b->out, &f) < 0)
        abort();
}

static void measure(struct bench *b, const char *what, const char *which,
                    void (*fn)(struct bench *b))
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
    printf("protojson %-7s %-8s %7zu bytes  %9.0f ns  %7.0f MB/s\n", what, which, b->text.len,
           1000.0 * (double)best / (double)rounds, (double)(rounds * b->text.len) / (double)best);
}

/* `text` is canonical, so that reading and writing are measured over the same bytes. */
static void measure_all(struct bench *b, const char *which, const struct proto_message *m,
                        struct str text)
{
    struct arena *a = arena_new(1u << 16);
    void *msg = proto_new(a, m);
    struct fail f;

    if (protojson_decode(&canonical, m, a, text, NULL, msg, &f) < 0)
        abort();
    b->m = m;
    b->msg = msg;
    b->text = text;
    encode(b);
    if (!str_eq(buf_str(&b->out), text))
        abort();
    measure(b, "decode", which, decode);
    measure(b, "encode", which, encode);
    arena_free(&a);
}

static void measure_list(struct bench *b)
{
    struct buf text;

    buf_init(&text, BYTES_MAX);
    buf_put_str(&text, STR("{\"manyNested\":["));
    for (int i = 1; i <= 1000; i++)
        buf_printf(&text, "%s{\"id\":%d,\"text\":\"a collector in the second rack\"}",
                   i > 1 ? "," : "", 1000 * i);
    buf_put_str(&text, STR("]}"));
    measure_all(b, "list", &muster_test_v1_everything_desc, buf_str(&text));
    buf_done(&text);
}

int main(void)
{
    struct bench b = {.clock = clock_new_real(), .arena = arena_new(1u << 16)};

    buf_init(&b.out, BYTES_MAX);
    measure_all(
        &b, "report", &muster_test_v1_report_desc,
        STR("{\"id\":\"7c1f8f5e-edge-node-0042\",\"attributes\":{\"collector.os\":\"linux\","
            "\"collector.version\":\"v1.18.0\",\"env\":\"production\","
            "\"region\":\"eu-central-1\",\"team\":\"platform-observing\","
            "\"zone\":\"rack-17-upper\"},\"name\":\"edge node 42\",\"enabled\":false,"
            "\"problem\":{\"code\":17,\"text\":\"the pipeline did not start\"},"
            "\"state\":\"STATE_FAILED\",\"seenAt\":\"2026-09-21T14:13:20.123456Z\","
            "\"counters\":[\"0\",\"1\",\"300\",\"70000\",\"17000000\",\"-1\"]}"));
    measure_all(&b, "echo", &muster_test_v1_echo_request_desc,
                STR("{\"text\":\"some text of an ordinary length, such as a name and what is said "
                    "of it\",\"ballast\":\"dHdlbnR5LWZvdXIgYnl0ZXMgb2YgaXQ=\","
                    "\"number\":\"1234567\"}"));
    measure_list(&b);
    buf_done(&b.out);
    arena_free(&b.arena);
    clock_free(&b.clock);
    return 0;
}
