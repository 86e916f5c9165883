/* SPDX-License-Identifier: Apache-2.0 */
/* What agents in memory cost: bytes of each, and the time to put, poll, select and list them.
 * registry_bench [agents] [pipelines]; 1 000 000 and 200 unless said otherwise. Times are of the
 * CPU. Not a test. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/heap.h"
#include "base/id.h"
#include "core/agents.h"

#define ATTRIBUTES 8
#define POLLS      2000000
#define BATCH      128 /* made before the clock runs */

struct bench {
    struct agents *agents;
    struct pipelines *pipelines;
    struct arena *arena;
    size_t count;
};

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double resident_mib(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    long size = 0;
    long resident = 0;

    if (!f || fscanf(f, "%ld %ld", &size, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return (double)(resident * sysconf(_SC_PAGESIZE)) / (1 << 20);
}

/* Names as agents have them: a UUID, a host of its own, and seven attributes that many share. */
struct one {
    char id[40];
    char host[40];
    char shared[ATTRIBUTES][16];
    struct label local[ATTRIBUTES];
};

static void make(struct one *o, size_t n)
{
    static const char *const keys[] = {"cluster", "collector.os", "collector.version",
                                       "env",     "hostname",     "region",
                                       "team",    "zone"};
    static const unsigned kinds[] = {50, 3, 12, 4, 0, 20, 200, 60};
    uint64_t mixed = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);

    snprintf(o->id, sizeof(o->id), "%08x-%04x-4000-8000-%012zx", (unsigned)(mixed >> 32),
             (unsigned)(mixed & 0xffff), n);
    snprintf(o->host, sizeof(o->host), "node-%07zu.prod.example", n);
    for (size_t i = 0; i < ATTRIBUTES; i++) {
        o->local[i].key = str_of(keys[i]);
        if (kinds[i] == 0) {
            o->local[i].value = str_of(o->host);
            continue;
        }
        snprintf(o->shared[i], sizeof(o->shared[i]), "%c%u", keys[i][0],
                 (unsigned)(mixed >> (7 * i) & 0xffff) % kinds[i]);
        o->local[i].value = str_of(o->shared[i]);
    }
}

static void put_one(struct bench *b, struct one *o, size_t n)
{
    struct agent agent = {
        .row = {.tenant = 1,
                .id = (int64_t)n + 1,
                .ext_id = str_of(o->id),
                .name = str_of(o->host),
                .revision = 1,
                .created_us = 1,
                .last_seen_us = 1},
        .type = AGENT_ALLOY,
        .enabled = true,
        .registered = true,
        .local = {o->local, ATTRIBUTES},
        .has_status = true,
        .status = AGENT_STATUS_APPLIED,
        .effective_config = {.set = true},
    };

    agents_put(b->agents, &agent);
}

static void put_all(struct bench *b)
{
    struct one *batch = heap_new_array(struct one, BATCH);
    double resident = resident_mib();
    struct agents_stats stats;
    double spent = 0;
    double start;

    for (size_t n = 0; n < b->count; n += BATCH) {
        size_t count = MIN(BATCH, b->count - n);

        for (size_t i = 0; i < count; i++)
            make(&batch[i], n + i);
        start = now_s();
        for (size_t i = 0; i < count; i++)
            put_one(b, &batch[i], n + i);
        spent += now_s() - start;
    }
    start = now_s();
    agents_stats(b->agents, 1, 1, &stats);
    printf("put       %8.0f ns each, %.0f bytes each resident, %.0f told, %zu pairs\n",
           spent * 1e9 / (double)b->count,
           (resident_mib() - resident) * (1 << 20) / (double)b->count,
           (double)stats.memory_bytes / (double)b->count, stats.strings);
    printf("stats     %8.1f ms\n", (now_s() - start) * 1e3);
    free(batch);
}

static void put_pipelines(struct bench *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct str matchers[2] = {
            arena_printf(b->arena, "team=t%zu", i),
            arena_printf(b->arena, "env=~\"e[01]\""),
        };
        struct pipeline_spec spec = {
            .type = AGENT_ALLOY,
            .contents = STR("prometheus.exporter.self \"me\" { }\n"),
            .matchers = matchers,
            .matcher_count = 2,
        };
        struct pipeline row = {
            .id = (int64_t)i + 1,
            .name = arena_printf(b->arena, "pipeline_%zu", i),
            .enabled = true,
            .revision = 1,
        };
        struct fail f = {0};

        if (pipeline_spec_encode(b->arena, &spec, &row.body, &f) < 0 ||
            pipelines_put(b->pipelines, &row, &f) < 0) {
            fprintf(stderr, "%s\n", f.message);
            exit(1);
        }
    }
}

/* The first answer of every agent, then what it polls with ever after. */
static void settle(struct bench *b, char (*hashes)[64])
{
    struct one *o = heap_new_type(struct one);
    struct arena *a = arena_new(65536);
    double start = now_s();

    for (size_t n = 0; n < b->count; n++) {
        struct rendered r = {0};

        make(o, n);

        struct attributes local = {o->local, ATTRIBUTES};

        agents_config(b->agents, b->pipelines, a, str_of(o->id), &local, &r);
        hex_print(r.hash, sizeof(r.hash), hashes[n]);
        arena_reset(a);
    }
    printf("config    %8.0f ns each, the first of every agent\n",
           (now_s() - start) * 1e9 / (double)b->count);
    arena_free(&a);
    free(o);
}

/* Says the same as the agent did, in another order. */
struct asking {
    struct one one;
    struct label turned[ATTRIBUTES];
    char hash[64];
    struct poll poll;
};

static void ask(struct asking *q, size_t n, size_t turn, const char hash[64])
{
    make(&q->one, n);
    for (size_t i = 0; i < ATTRIBUTES; i++)
        q->turned[i] = q->one.local[(i + turn) % ATTRIBUTES];
    memcpy(q->hash, hash, sizeof(q->hash));
    q->poll = (struct poll){
        .id = str_of(q->one.id),
        .local = q->turned,
        .local_count = ATTRIBUTES,
        .hash = str_make(q->hash, sizeof(q->hash)),
        .now_us = (int64_t)turn + 2,
    };
}

/* Polls of agents all over the place. */
static void poll_all(struct bench *b, char (*hashes)[64], size_t among)
{
    struct asking *batch = heap_new_array(struct asking, BATCH);
    size_t unchanged = 0;
    double spent = 0;
    char hex[64];

    for (size_t done = 0; done < POLLS; done += BATCH) {
        for (size_t i = 0; i < BATCH; i++) {
            size_t n = (done + i) * UINT64_C(2654435761) % among;

            ask(&batch[i], n, done + i, hashes[n]);
        }

        double start = now_s();

        for (size_t i = 0; i < BATCH; i++)
            unchanged +=
                agents_poll(b->agents, b->pipelines, &batch[i].poll, hex) == POLL_UNCHANGED;
        spent += now_s() - start;
    }
    printf("poll      %8.0f ns each among %zu agents, %.1f %% unchanged\n", spent * 1e9 / POLLS,
           among, (double)unchanged * 100 / POLLS);
    free(batch);
}

static void take_seen(struct bench *b)
{
    struct agent_seen *seen = heap_new_array(struct agent_seen, 65536);
    double start = now_s();
    size_t total = 0;
    size_t calls = 0;

    for (size_t n; (n = agents_take_seen(b->agents, seen, 65536)) > 0; total += n)
        calls++;
    printf("take seen %8.1f ms for %zu agents in %zu calls\n", (now_s() - start) * 1e3, total,
           calls);
    free(seen);
}

static bool count_one(void *arg, const struct agent *agent)
{
    (void)agent;
    ++*(size_t *)arg;
    return true;
}

static void list(struct bench *b, const char *first, const char *second)
{
    struct str texts[2] = {str_of(first), str_of(second ? second : "")};
    size_t count = second ? 2 : 1;
    struct arena *a = arena_new(65536);
    struct matcher *m = NULL;
    struct fail f = {0};
    size_t found = 0;

    if (matchers_parse(a, texts, count, &m, &f) < 0)
        exit(1);

    double start = now_s();
    size_t counted = agents_select_count(b->agents, m, count);
    double middle = now_s();

    agents_each(b->agents, a, m, count, count_one, &found);
    printf("list      %8.1f ms to count, %8.1f ms to walk %7zu of %s %s\n", (middle - start) * 1e3,
           (now_s() - middle) * 1e3, found, first, second ? second : "");
    if (found != counted)
        exit(1);
    arena_free(&a);
}

static void list_values(struct bench *b)
{
    struct arena *a = arena_new(65536);
    struct attribute_values *values;
    double start = now_s();
    size_t count;

    agents_local_values(b->agents, a, &values, &count);
    printf("values    %8.1f ms for %zu keys\n", (now_s() - start) * 1e3, count);
    arena_free(&a);
}

int main(int argc, char **argv)
{
    struct bench b = {
        .count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000,
        .agents = agents_new(),
        .pipelines = pipelines_new(&(struct pipelines_options){0}),
        .arena = arena_new(65536),
    };
    char(*hashes)[64] = heap_calloc(b.count, sizeof(*hashes));

    put_all(&b);
    put_pipelines(&b, argc > 2 ? strtoul(argv[2], NULL, 10) : 200);
    settle(&b, hashes);
    poll_all(&b, hashes, MIN(b.count, 1000));
    poll_all(&b, hashes, b.count);
    take_seen(&b);
    list(&b, "hostname=node-0000007.prod.example", NULL);
    list(&b, "cluster=c7", "team=t9");
    list(&b, "cluster=~c1.", "team=t9");
    list(&b, "env!=e1", "team=t9");
    list(&b, "hostname=~node-00000.*", NULL);
    list(&b, "collector.ID=~0000.*", NULL);
    list(&b, "env=e1", NULL);
    list(&b, "env=~.*", NULL);
    list_values(&b);
    agents_free(&b.agents);
    pipelines_free(&b.pipelines);
    arena_free(&b.arena);
    free(hashes);
    return 0;
}
