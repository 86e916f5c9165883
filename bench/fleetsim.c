/* SPDX-License-Identifier: Apache-2.0 */
/* A fleet of virtual Alloys and installed collectors in one process, to load a server with. Each
 * step prints a line of JSON when it has ended, and all of them a table at the end. One thread;
 * ends by itself. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/heap.h"
#include "base/macros.h"
#include "fleet_agent.h"
#include "fleet_beats.h"
#include "fleet_load.h"

#define STEPS_MAX 32
#define NS        1000000000.0
#define STRIDE    7368787 /* a prime: the order in which agents come has nothing of their names */

static const char usage[] =
    "usage: fleetsim --port N --pid N --token T [--manager T] [options] STEP[=N][@CONNECTIONS]...\n"
    "\n"
    "  --port N       the server's, on 127.0.0.1\n"
    "  --pid N        the server's, whose CPU time and memory are told\n"
    "  --token T      the agents' token; --manager T: who writes pipelines and lists\n"
    "  --agents N     how many virtual agents (1000)\n"
    "  --interval S   seconds between the polls of one (60)\n"
    "  --installer T  the installation token that collectors enroll with\n"
    "  --beat-interval S  seconds between the heartbeats of one (15)\n"
    "  --blind        take any answer 200 for a good one\n"
    "\n"
    "steps:\n"
    "  pipelines=N    writes N pipelines; the first matches every agent\n"
    "  register       every agent calls RegisterCollector, as fast as it goes\n"
    "  learn          every agent polls once, as fast as it goes\n"
    "  settle         every agent polls without a hash, then reports its status\n"
    "  herd           all start at once: register, first poll, report, register\n"
    "  poll=S         S seconds of polls at the interval, each at a random moment\n"
    "  unchanged=S    S seconds of unchanged polls, as fast as they go\n"
    "  edit=S         polls at the interval; after half of S seconds the first pipeline changes;\n"
    "                 at the end every agent polls until all have what is new\n"
    "  list=N         N times the agents of one namespace (agents / 1000 hits)\n"
    "  enroll=N       N installed collectors register themselves, as fast as it goes\n"
    "  beat=S         S seconds of their heartbeats, each at its own moment of the interval,\n"
    "                 beside polls at theirs\n"
    "\n"
    "Latency of polls and beats at an interval counts from the moment they are due, of others from "
    "sending.\n";

struct step {
    char name[16];
    double number;
    size_t connections;
};

struct outcome {
    struct step step;
    struct spread spread;
    uint64_t sent;
    uint64_t changed; /* answers with a new configuration */
    double seconds;
    double cpu_s;
    double resident_mib;
    double own_mib;
    char more[512]; /* further members of the JSON object */
};

/* A pipeline that changes while all poll. */
struct edit {
    struct load *manager;
    int64_t at_ns; /* since the step's start */
    int64_t sent_ns;
    int64_t done_ns;  /* acknowledged */
    bool watching;    /* the latency of polls */
    int64_t worst_ns; /* of the polls from then on, until a second after */
    uint64_t stale;   /* old configurations given to who asked after that */
};

struct run {
    struct fleet fleet;
    uint16_t port;
    pid_t pid;
    double interval_s;
    double beat_interval_s;
    const char *installer;
    bool blind;
    const enum fleet_request *chain;
    size_t chain_len;
    struct outcome *now;
    size_t cursor;
    size_t hits;
    struct edit edit;
};

static NORETURN void fail_usage(const char *what)
{
    fprintf(stderr, "fleetsim: %s\n%s", what, usage);
    exit(2);
}

static NORETURN void trouble(const char *what)
{
    fprintf(stderr, "fleetsim: %s\n", what);
    exit(1);
}

/* --- the server as the kernel sees it --- */

static double cpu_seconds(pid_t pid)
{
    clockid_t clock;
    struct timespec t;

    if (pid == 0)
        return 0;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) < 0)
        trouble("the server is gone");
    return (double)t.tv_sec + (double)t.tv_nsec / NS;
}

static double resident_mib(pid_t pid)
{
    char path[64];
    char line[128] = "";
    const char *pages;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/statm", pid == 0 ? getpid() : pid);
    f = fopen(path, "re");
    if (!f || !fgets(line, sizeof(line), f))
        trouble("no memory figures of the server");
    fclose(f);
    pages = strchr(line, ' '); /* behind the size */
    return pages ? strtod(pages, NULL) * (double)sysconf(_SC_PAGESIZE) / (1 << 20) : 0;
}

/* What it had the kernel write to disks. */
static uint64_t bytes_written(pid_t pid)
{
    static const char name[] = "write_bytes: ";
    char path[64];
    char line[128];
    uint64_t bytes = UINT64_MAX;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/io", pid == 0 ? getpid() : pid);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f)) {
        if (strncmp(line, name, sizeof(name) - 1) == 0)
            bytes = strtoull(line + sizeof(name) - 1, NULL, 10);
    }
    if (f)
        fclose(f);
    if (bytes == UINT64_MAX)
        trouble("no figures of what the server wrote");
    return bytes;
}

/* --- requests --- */

static size_t next_agent(struct run *r)
{
    size_t agent = r->cursor;

    r->cursor = (r->cursor + STRIDE) % r->fleet.count;
    return agent;
}

static void look_at_config(struct run *r, const struct answer *a)
{
    struct config_said said;
    struct edit *e = &r->edit;

    if (!fleet_config_read(a->body, &said))
        trouble("an answer that is no GetConfigResponse");
    if (said.not_modified) {
        e->stale += e->done_ns > 0 && a->sent_ns > e->done_ns &&
                    r->fleet.editions[a->agent] != r->fleet.edition;
        return;
    }
    r->now->changed++;
    if (!fleet_learn(&r->fleet, a->agent, said.hash))
        trouble("an answer without a hash");
}

static void answered(void *arg, struct load *l, const struct answer *a)
{
    struct run *r = arg;

    struct edit *e = &r->edit;

    spread_add(&r->now->spread, a->came_ns - a->due_ns);
    if (e->watching && (e->done_ns == 0 || a->due_ns < e->done_ns + (int64_t)NS))
        e->worst_ns = MAX(e->worst_ns, a->came_ns - a->due_ns);
    if (!r->blind && r->chain[a->place] != FLEET_REGISTER)
        look_at_config(r, a);
    if (a->place + 1 < r->chain_len) {
        load_again(l, fleet_request(&r->fleet, a->agent, r->chain[a->place + 1]));
        r->now->sent++;
    }
}

static void send_next(struct run *r, struct load *l, size_t agent, int64_t due_ns)
{
    load_send(l, agent, due_ns, fleet_request(&r->fleet, agent, r->chain[0]));
    r->now->sent++;
}

static void set_chain(struct run *r, const enum fleet_request *chain, size_t len)
{
    r->chain = chain;
    r->chain_len = len;
}

static void drain(struct load *l)
{
    while (load_in_flight(l) > 0)
        load_turn(l, 100000000);
}

/* As fast as it goes: `count` agents, or as many as come within the time. */
static void run_closed(struct run *r, size_t count, double seconds)
{
    struct load *l = load_open(r->port, r->now->step.connections, answered, r);
    int64_t start = now_ns();
    int64_t stop = seconds > 0 ? start + (int64_t)(seconds * NS) : INT64_MAX;
    size_t done = 0;

    while (done < count && now_ns() < stop) {
        while (load_has_idle(l) && done++ < count)
            send_next(r, l, next_agent(r), now_ns());
        load_turn(l, 100000000);
    }
    drain(l);
    r->now->seconds = (double)(now_ns() - start) / NS;
    load_close(&l);
}

static int64_t next_gap_ns(const struct run *r)
{
    return random_gap_ns(r->interval_s / (double)r->fleet.count * NS);
}

/* Polls that come at random moments, as those of many clocks do; `beside` has a turn after each
 * turn of theirs. */
static void run_open(struct run *r, double seconds, void (*beside)(struct run *r, int64_t since_ns))
{
    struct load *l = load_open(r->port, r->now->step.connections, answered, r);
    int64_t start = now_ns();
    int64_t stop = start + (int64_t)(seconds * NS);
    int64_t due = start + next_gap_ns(r);

    while (due < stop) {
        for (; due <= now_ns() && load_has_idle(l); due += next_gap_ns(r))
            send_next(r, l, next_agent(r), due);
        load_turn(l, load_has_idle(l) ? MAX(due - now_ns(), 0) : 100000000);
        if (beside)
            beside(r, now_ns() - start);
    }
    drain(l);
    r->now->seconds = (double)(now_ns() - start) / NS;
    load_close(&l);
}

/* --- an edit while all poll --- */

static void edit_answered(void *arg, struct load *l, const struct answer *a)
{
    struct run *r = arg;

    (void)l;
    r->edit.done_ns = a->came_ns;
}

static void edit_beside(struct run *r, int64_t since_ns)
{
    struct edit *e = &r->edit;

    if (e->sent_ns == 0 && since_ns >= e->at_ns) {
        r->fleet.edition++;
        e->sent_ns = now_ns();
        e->watching = true;
        load_send(e->manager, 0, e->sent_ns, fleet_pipeline(&r->fleet, 0, r->fleet.edition));
    }
    if (e->sent_ns > 0 && e->done_ns == 0)
        load_turn(e->manager, 0);
}

static size_t count_outdated(const struct fleet *f)
{
    size_t count = 0;

    for (size_t i = 0; i < f->count; i++)
        count += f->editions[i] != f->edition;
    return count;
}

static void step_edit(struct run *r)
{
    static const enum fleet_request chain[] = {FLEET_LEARN};
    struct outcome *o = r->now;
    struct edit *e = &r->edit;
    double before;
    size_t left;

    *e = (struct edit){.manager = load_open(r->port, 1, edit_answered, r),
                       .at_ns = (int64_t)(o->step.number / 2 * NS)};
    set_chain(r, chain, 1);
    run_open(r, o->step.number, edit_beside);
    if (e->sent_ns == 0)
        trouble("edit: too short");
    drain(e->manager);
    load_close(&e->manager);
    left = count_outdated(&r->fleet);
    before = o->seconds;
    e->watching = false; /* what comes now is as fast as it goes: its latency is another matter */

    struct spread polls = o->spread;

    run_closed(r, r->fleet.count, 0);
    o->spread = polls;
    snprintf(o->more, sizeof(o->more),
             ", \"edit_ms\": %.3f, \"worst_poll_ms\": %.3f, \"stale\": %lu, \"left\": %zu, "
             "\"catch_up_s\": %.3f, \"outdated\": %zu",
             (double)(e->done_ns - e->sent_ns) / 1e6, (double)e->worst_ns / 1e6, e->stale, left,
             o->seconds, count_outdated(&r->fleet));
    o->seconds += before;
    *e = (struct edit){0};
}

/* --- management --- */

static void list_answered(void *arg, struct load *l, const struct answer *a)
{
    struct run *r = arg;

    (void)l;
    spread_add(&r->now->spread, a->came_ns - a->sent_ns);
    r->hits = fleet_count_read(a->body);
}

static void step_manage(struct run *r, bool listing)
{
    struct load *l = load_open(r->port, 1, list_answered, r);
    size_t count = (size_t)r->now->step.number;
    int64_t start = now_ns();
    char matcher[64];

    for (size_t i = 0; i < count; i++) {
        snprintf(matcher, sizeof(matcher), "namespace=ns-%zu", i * 37 % FLEET_NAMESPACES);
        load_send(l, 0, now_ns(),
                  listing ? fleet_list(&r->fleet, matcher)
                          : fleet_pipeline(&r->fleet, i, r->fleet.edition));
        r->now->sent++;
        drain(l);
    }
    r->now->seconds = (double)(now_ns() - start) / NS;
    if (listing)
        snprintf(r->now->more, sizeof(r->now->more), ", \"hits\": %zu", r->hits);
    load_close(&l);
}

/* --- installed collectors --- */

static void step_collectors(struct run *r, bool beating)
{
    struct outcome *o = r->now;
    struct beats *b = heap_new_type(struct beats);
    uint64_t written = bytes_written(r->pid);

    b->fleet = &r->fleet;
    b->port = r->port;
    b->connections = o->step.connections;
    b->token = r->installer;
    b->beat_interval_s = r->beat_interval_s;
    b->poll_interval_s = r->interval_s;
    if (beating && r->fleet.collectors == 0)
        trouble("beat: nobody is enrolled");
    if (beating) {
        beats_run(b, o->step.number);
    } else {
        fleet_hire(&r->fleet, (size_t)o->step.number);
        beats_enroll(b);
    }
    o->spread = b->beats;
    o->sent = b->beats.total + b->polls.total;
    o->changed = b->changed;
    o->seconds = b->seconds;
    snprintf(o->more, sizeof(o->more),
             ", \"collectors\": %zu, \"beats\": %lu, \"polls\": %lu, \"poll_p50_us\": %.1f, "
             "\"poll_p99_us\": %.1f, \"written_bytes\": %lu",
             r->fleet.collectors, beating ? b->beats.total : 0, b->polls.total,
             spread_us(&b->polls, 0.5), spread_us(&b->polls, 0.99),
             bytes_written(r->pid) - written);
    free(b);
}

/* --- steps --- */

static void step_agents(struct run *r, const char *name)
{
    static const enum fleet_request reg[] = {FLEET_REGISTER};
    static const enum fleet_request settle[] = {FLEET_FIRST, FLEET_REPORT};
    static const enum fleet_request herd[] = {FLEET_REGISTER, FLEET_FIRST, FLEET_REPORT,
                                              FLEET_REGISTER};
    static const enum fleet_request poll[] = {FLEET_POLL};
    static const enum fleet_request learn[] = {FLEET_LEARN};

    if (strcmp(name, "register") == 0)
        set_chain(r, reg, COUNTOF(reg));
    else if (strcmp(name, "learn") == 0)
        set_chain(r, learn, COUNTOF(learn));
    else if (strcmp(name, "settle") == 0)
        set_chain(r, settle, COUNTOF(settle));
    else if (strcmp(name, "herd") == 0)
        set_chain(r, herd, COUNTOF(herd));
    else
        set_chain(r, poll, COUNTOF(poll));
    if (strcmp(name, "poll") == 0)
        run_open(r, r->now->step.number, NULL);
    else if (strcmp(name, "unchanged") == 0)
        run_closed(r, SIZE_MAX, r->now->step.number);
    else
        run_closed(r, r->fleet.count, 0);
}

static const char *const names[] = {"pipelines", "register", "learn", "settle", "herd", "poll",
                                    "unchanged", "edit",     "list",  "enroll", "beat"};

static struct step step_parse(const char *text)
{
    struct step s = {.number = 1, .connections = 64};
    size_t len = strcspn(text, "=@");
    const char *at = strchr(text, '@');

    snprintf(s.name, sizeof(s.name), "%.*s", (int)MIN(len, sizeof(s.name) - 1), text);
    if (text[len] == '=')
        s.number = strtod(text + len + 1, NULL);
    if (at)
        s.connections = strtoul(at + 1, NULL, 10);
    if (!(s.number > 0) || s.number > 1e6 || s.connections == 0 || s.connections > 1000000)
        fail_usage("a number that is too small or too large");
    for (size_t i = 0; i < COUNTOF(names); i++) {
        if (strcmp(names[i], s.name) == 0)
            return s;
    }
    fail_usage("an unknown step");
}

static void step_run(struct run *r, struct outcome *o)
{
    double cpu = cpu_seconds(r->pid);

    r->now = o;
    if (strcmp(o->step.name, "edit") == 0)
        step_edit(r);
    else if (strcmp(o->step.name, "list") == 0 || strcmp(o->step.name, "pipelines") == 0)
        step_manage(r, o->step.name[0] == 'l');
    else if (strcmp(o->step.name, "enroll") == 0 || strcmp(o->step.name, "beat") == 0)
        step_collectors(r, o->step.name[0] == 'b');
    else
        step_agents(r, o->step.name);
    o->cpu_s = cpu_seconds(r->pid) - cpu;
    o->resident_mib = resident_mib(r->pid);
    o->own_mib = resident_mib(getpid());
    printf(
        "{\"step\": \"%s\", \"connections\": %zu, \"requests\": %lu, \"changed\": %lu, "
        "\"seconds\": %.4f, \"cpu_s\": %.4f, \"rss_mib\": %.1f, \"own_mib\": %.1f, "
        "\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f%s}\n",
        o->step.name, o->step.connections, o->sent, o->changed, o->seconds, o->cpu_s,
        o->resident_mib, o->own_mib, spread_us(&o->spread, 0.5), spread_us(&o->spread, 0.99),
        spread_us(&o->spread, 0.999), (double)o->spread.most_ns / 1e3, o->more);
    fflush(stdout);
}

static void print_table(const struct outcome *all, size_t count)
{
    printf("\n%-10s %6s %9s %9s %9s %7s %9s %9s %9s %9s %9s\n", "step", "conns", "requests",
           "per s", "per CPU s", "CPU %", "p50 us", "p99 us", "p99.9 us", "max us", "RSS MiB");
    for (size_t i = 0; i < count; i++) {
        const struct outcome *o = &all[i];

        printf("%-10s %6zu %9lu %9.0f %9.0f %7.1f %9.0f %9.0f %9.0f %9.0f %9.1f\n", o->step.name,
               o->step.connections, o->sent, (double)o->sent / o->seconds,
               o->cpu_s > 0 ? (double)o->sent / o->cpu_s : 0, 100 * o->cpu_s / o->seconds,
               spread_us(&o->spread, 0.5), spread_us(&o->spread, 0.99),
               spread_us(&o->spread, 0.999), (double)o->spread.most_ns / 1e3, o->resident_mib);
    }
}

struct settings {
    unsigned long port;
    unsigned long pid;
    const char *token;
    const char *manager;
    size_t agents;
    double interval_s;
    double beat_interval_s;
    const char *installer;
    bool blind;
};

static void settings_read(int argc, char **argv, struct settings *s)
{
    static const struct option known[] = {
        {"port", required_argument, NULL, 'p'},
        {"pid", required_argument, NULL, 'i'},
        {"token", required_argument, NULL, 't'},
        {"manager", required_argument, NULL, 'm'},
        {"agents", required_argument, NULL, 'n'},
        {"interval", required_argument, NULL, 's'},
        {"installer", required_argument, NULL, 'k'},
        {"beat-interval", required_argument, NULL, 'B'},
        {"blind", no_argument, NULL, 'b'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case 'p': s->port = strtoul(optarg, NULL, 10); break;
        case 'i': s->pid = strtoul(optarg, NULL, 10); break;
        case 't': s->token = optarg; break;
        case 'm': s->manager = optarg; break;
        case 'n': s->agents = strtoul(optarg, NULL, 10); break;
        case 's': s->interval_s = strtod(optarg, NULL); break;
        case 'k': s->installer = optarg; break;
        case 'B': s->beat_interval_s = strtod(optarg, NULL); break;
        case 'b': s->blind = true; break;
        case 'h': fputs(usage, stdout); exit(0);
        default: fail_usage("an unknown option");
        }
    }
    if (s->port == 0 || s->port > 65535 || s->agents == 0 || s->agents > 10000000 ||
        s->agents % STRIDE == 0 || !(s->interval_s > 0) || !(s->beat_interval_s > 0))
        fail_usage("a number that is missing, too small or too large");
    if (optind == argc || argc - optind > STEPS_MAX)
        fail_usage("no steps, or too many");
}

int main(int argc, char **argv)
{
    struct settings s = {.agents = 1000,
                         .interval_s = 60,
                         .beat_interval_s = 15,
                         .token = "",
                         .manager = "",
                         .installer = ""};
    struct outcome *outcomes = heap_new_array(struct outcome, STEPS_MAX);
    struct run r = {0};
    size_t count = 0;

    settings_read(argc, argv, &s);
    for (int i = optind; i < argc; i++)
        outcomes[count++].step = step_parse(argv[i]);
    r.port = (uint16_t)s.port;
    r.pid = (pid_t)s.pid;
    r.interval_s = s.interval_s;
    r.beat_interval_s = s.beat_interval_s;
    r.installer = s.installer;
    r.blind = s.blind;
    fleet_init(&r.fleet, s.agents, r.port, s.token, s.manager);
    for (size_t i = 0; i < count; i++)
        step_run(&r, &outcomes[i]);
    print_table(outcomes, count);
    fleet_done(&r.fleet);
    free(outcomes);
    return 0;
}
