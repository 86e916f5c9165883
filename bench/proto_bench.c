/* SPDX-License-Identifier: Apache-2.0 */
/* How fast protobuf messages are read and written: a report of the field with six attributes (about
 * 270 bytes: a map, optionals, a oneof, an enum, a time, packed numbers), an answer with one text,
 * and a list of 1000 small messages. One thread; each figure is the best of seven
 * turns, so that other work on the machine does not count. Output is one line a figure. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "codec/proto.h"
#include "proto/google_protobuf_timestamp.pb.h"
#include "proto/muster_test_v1_test.pb.h"

#define TURNS      7
#define TURN_BYTES (16u << 20)
#define BYTES_MAX  (1u << 20)

struct bench {
    struct clock *clock;
    struct arena *arena;
    const struct proto_message *m;
    const void *msg;
    struct str bytes;
    struct buf out;
};

static void decode(struct bench *b)
{
    void *msg = proto_new(b->arena, b->m);
    struct fail f;

    if (proto_decode(b->m, b->arena, b->bytes, NULL, msg, &f) < 0)
        abort();
}

static void encode(struct bench *b)
{
    buf_clear(&b->out);
    if (proto_encode(b->m, b->msg, &b->out) < 0)
        abort();
}

static void size(struct bench *b)
{
    if (proto_size(b->m, b->msg) != b->bytes.len)
        abort();
}

static void measure(struct bench *b, const char *what, const char *which,
                    void (*fn)(struct bench *b))
{
    size_t rounds = TURN_BYTES / b->bytes.len;
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
    printf("proto %-7s %-8s %7zu bytes  %9.0f ns  %7.0f MB/s\n", what, which, b->bytes.len,
           1000.0 * (double)best / (double)rounds, (double)(rounds * b->bytes.len) / (double)best);
}

static void measure_all(struct bench *b, const char *which, const struct proto_message *m,
                        const void *msg)
{
    struct buf bytes;

    buf_init(&bytes, BYTES_MAX);
    if (proto_encode(m, msg, &bytes) < 0)
        abort();
    b->m = m;
    b->msg = msg;
    b->bytes = buf_str(&bytes);
    measure(b, "decode", which, decode);
    measure(b, "encode", which, encode);
    measure(b, "size", which, size);
    buf_done(&bytes);
}

static void measure_report(struct bench *b)
{
    struct muster_test_v1_report_attributes_entry attributes[] = {
        {STR("collector.os"), STR("linux")},      {STR("collector.version"), STR("v1.18.0")},
        {STR("env"), STR("production")},          {STR("region"), STR("eu-central-1")},
        {STR("team"), STR("platform-observing")}, {STR("zone"), STR("rack-17-upper")},
    };
    struct muster_test_v1_report_problem problem = {.code = 17,
                                                    .text = STR("the pipeline did not start")};
    struct google_protobuf_timestamp seen_at = {.seconds = 1790000000, .nanos = 123456000};
    int64_t counters[] = {0, 1, 300, 70000, 17000000, -1};
    struct muster_test_v1_report report = {
        .id = STR("7c1f8f5e-edge-node-0042"),
        .attributes = {attributes, COUNTOF(attributes)},
        .has_name = true,
        .name = STR("edge node 42"),
        .has_enabled = true,
        .outcome_case = MUSTER_TEST_V1_REPORT_OUTCOME_PROBLEM,
        .outcome.problem = &problem,
        .state = MUSTER_TEST_V1_REPORT_STATE_FAILED,
        .seen_at = &seen_at,
        .counters = {counters, COUNTOF(counters)},
    };

    measure_all(b, "report", &muster_test_v1_report_desc, &report);
}

static void measure_echo(struct bench *b)
{
    struct muster_test_v1_echo_request echo = {
        .text = STR("some text of an ordinary length, such as a name and what is said of it"),
        .ballast = STR("twenty-four bytes of it"),
        .number = 1234567,
    };

    measure_all(b, "echo", &muster_test_v1_echo_request_desc, &echo);
}

static void measure_list(struct bench *b)
{
    static struct muster_test_v1_everything_nested nested[1000];
    struct muster_test_v1_everything list = {.many_nested = {nested, COUNTOF(nested)}};

    for (size_t i = 0; i < COUNTOF(nested); i++)
        nested[i] = (struct muster_test_v1_everything_nested){
            .id = (int32_t)(1000 * i), .text = STR("a collector in the second rack")};
    measure_all(b, "list", &muster_test_v1_everything_desc, &list);
}

int main(void)
{
    struct bench b = {.clock = clock_new_real(), .arena = arena_new(1u << 16)};

    buf_init(&b.out, BYTES_MAX);
    measure_report(&b);
    measure_echo(&b);
    measure_list(&b);
    buf_done(&b.out);
    arena_free(&b.arena);
    clock_free(&b.clock);
    return 0;
}
