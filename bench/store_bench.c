/* SPDX-License-Identifier: Apache-2.0 */
/* How fast the write lane commits: `clients` jobs are always under way, each job creates one row
 * and its event; a job that is done is submitted again at once by the lane. Prints jobs per second
 * and the CPU time of the lane per job. Arguments: how many jobs, and the one case to run. Not a
 * test. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/agent.h"
#include "core/key.h"
#include "core/keyring.h"
#include "core/tenant.h"
#include "store/store_open.h"

enum what {
    KEYS,
    TENANTS,
    HOSTED,
    REGISTER, /* agents that are new, with eight attributes */
    STATUS,   /* known agents that report */
};

static const char *const names[] = {"keys", "tenants", "hosted", "register", "status"};

struct bench {
    struct store *store;
    struct clock *clock;
    struct master_key master;
    struct keyring *ring;
    uint64_t tenant;
    enum what what;
    int64_t left;
    int64_t under_way;
    int64_t serial;
    int64_t round;
    int64_t start_cpu_us;
    int64_t cpu_us;
    pthread_mutex_t lock;
    pthread_cond_t over;
};

struct client {
    struct store_job job;
    struct bench *bench;
};

static int64_t cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* The same attributes in the same places; two of them tell agents apart. */
static int report(struct bench *b, struct store_tx *tx, long long n, struct fail *f)
{
    struct arena *a = store_tx_arena(tx);
    struct label local[] = {
        {STR("collector.os"), STR("linux")},
        {STR("collector.version"), STR("v1.13.0")},
        {STR("env"), n % 3 ? STR("prod") : STR("dev")},
        {STR("region"), STR("eu-central-1")},
        {STR("team"), arena_printf(a, "team-%lld", n % 40)},
        {STR("cluster"), arena_printf(a, "cluster-%lld", n % 200)},
        {STR("namespace"), STR("default")},
        {STR("host"), arena_printf(a, "host-%lld.example.com", n)},
    };
    struct agent_report said = {
        .id = arena_printf(a, "agent-%016llx", (unsigned long long)n * 0x9e3779b97f4a7c15),
        .has_local = b->what == REGISTER,
        .local = {local, COUNTOF(local)},
        .has_name = b->what == REGISTER,
        .name = local[7].value,
        .returns = true,
        .has_status = b->what == STATUS,
        .status = (enum agent_status)(1 + b->round % 3),
    };

    return agent_report(tx, NULL, NULL, b->tenant, &said, NULL, f);
}

static int create(struct store_tx *tx, struct store_job *job, struct fail *f)
{
    struct bench *b = CONTAINER_OF(job, struct client, job)->bench;
    struct arena *a = store_tx_arena(tx);
    long long n = (long long)++b->serial;

    if (b->what == TENANTS) {
        struct tenant t;

        return tenant_create(tx, NULL, arena_printf(a, "bench-%lld", n), &t, f);
    }
    if (b->what == REGISTER || b->what == STATUS)
        return report(b, tx, n, f);
    if (b->what == HOSTED) {
        struct collector c = {
            .tenant = b->tenant,
            .kind = COLLECTOR_HOSTED,
            .ext_id = arena_printf(a, "agent-%016llx", (unsigned long long)n * 0x9e3779b97f4a7c15),
            .body = STR("0123456789012345678901234567890123456789012345678901234567890123456789"),
        };

        return collector_create(tx, NULL, &c, f);
    }

    struct key_new want = {.tenant = b->tenant, .role = ROLE_AGENT, .label = STR("bench")};
    struct key_secret secret;
    struct key k;

    return key_create(tx, NULL, &b->master, &want, b->ring, &secret, &k, f);
}

static void done(struct store_job *job, int result, const struct fail *f)
{
    struct bench *b = CONTAINER_OF(job, struct client, job)->bench;
    struct fail ignored;
    bool again;

    if (result < 0) {
        fprintf(stderr, "%s: %s\n", f->message, f->detail);
        exit(1);
    }
    arena_reset(job->arena);
    pthread_mutex_lock(&b->lock);
    again = b->left > 0;
    if (again)
        b->left--;
    else if (--b->under_way == 0) {
        b->cpu_us = cpu_us() - b->start_cpu_us;
        pthread_cond_signal(&b->over);
    }
    pthread_mutex_unlock(&b->lock);
    if (again && store_submit(b->store, job, &ignored) < 0)
        exit(1);
}

static int start(struct store_tx *tx, void *arg, struct fail *f)
{
    struct bench *b = arg;
    struct tenant t;

    b->start_cpu_us = cpu_us();
    if (b->tenant)
        return 0;
    if (tenant_create(tx, NULL, STR("default"), &t, f) < 0)
        return -1;
    b->tenant = t.id;
    return 0;
}

static void run(struct bench *b, enum what what, int64_t jobs, int64_t clients)
{
    struct client *all = calloc((size_t)clients, sizeof(*all));
    struct arena *a = arena_new(1024);
    struct fail f;

    b->what = what;
    b->round++;
    if (what == STATUS) /* of those that were registered last, something new each time */
        b->serial -= jobs + clients;
    b->left = jobs;
    b->under_way = clients;
    if (!all || store_write(b->store, a, start, b, &f) < 0)
        exit(1);

    int64_t begin = clock_mono_us(b->clock);

    for (int64_t i = 0; i < clients; i++) {
        all[i].bench = b;
        all[i].job.run = create;
        all[i].job.done = done;
        all[i].job.arena = arena_new(4096);
        if (store_submit(b->store, &all[i].job, &f) < 0)
            exit(1);
    }
    pthread_mutex_lock(&b->lock);
    while (b->under_way > 0)
        pthread_cond_wait(&b->over, &b->lock);
    pthread_mutex_unlock(&b->lock);

    double seconds = (double)(clock_mono_us(b->clock) - begin) / 1e6;
    double total = (double)(jobs + clients);

    printf("%-8s clients %5lld: %8.0f jobs/s, %5.1f us of lane CPU each\n", names[what],
           (long long)clients, total / seconds, (double)b->cpu_us / total);
    for (int64_t i = 0; i < clients; i++)
        arena_free(&all[i].job.arena);
    free(all);
    arena_free(&a);
}

int main(int argc, char **argv)
{
    static const int64_t clients[] = {1, 16, 64, 256, 1000};
    char dir[] = "./store-bench-XXXXXX";
    int64_t jobs = argc > 1 ? strtoll(argv[1], NULL, 10) : 100000;
    struct bench b = {.clock = clock_new_real()};
    struct fail f;

    if (!mkdtemp(dir))
        return 1;

    struct store_options o = {.data_dir = dir, .clock = b.clock};

    if (store_open(&o, &b.store, &f) < 0) {
        fprintf(stderr, "%s\n", f.message);
        return 1;
    }
    pthread_mutex_init(&b.lock, NULL);
    pthread_cond_init(&b.over, NULL);
    b.ring = keyring_new(b.clock, &b.master);
    for (enum what w = KEYS; w <= STATUS; w++) {
        if (argc > 2 && strcmp(argv[2], names[w]) != 0)
            continue;
        for (size_t i = 0; i < COUNTOF(clients); i++)
            run(&b, w, clients[i] < 16 ? jobs / 20 : jobs, clients[i]);
    }
    keyring_free(&b.ring);
    store_close(&b.store);
    clock_free(&b.clock);
    printf("left in %s: remove it\n", dir);
    return 0;
}
