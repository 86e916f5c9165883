/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of collectors: agents from memory by their numbers and hosted ones from the store, as one
 * run in the order of ids. Workers. */
#include "api/sumologic/installable.h"
#include "api/sumologic/internal.h"

#define CHUNK         1024
#define DELETE_ONCE   100
#define SCRATCH_BYTES 8192
#define DAY_US        (INT64_C(86400) * 1000000)
#define DAYS_MAX      1000000
#define DAYS_USUAL    100

/* --- agents by number, a chunk at a time --- */

struct numbers {
    struct agents *agents;
    enum agents_liveness liveness;
    int64_t now_us;
    int64_t alive_us;
    int64_t after;
    int64_t ids[CHUNK];
    size_t count;
    size_t at;
};

/* The next one, not taken yet; 0: none is left. */
static int64_t numbers_peek(struct numbers *n)
{
    if (n->at == n->count) {
        n->at = 0;
        n->count =
            agents_numbers(n->agents, n->after, n->liveness, n->now_us, n->alive_us, n->ids, CHUNK);
    }
    return n->at < n->count ? n->ids[n->at] : 0;
}

static void numbers_take(struct numbers *n)
{
    n->after = n->ids[n->at++];
}

/* --- both kinds --- */

struct listing {
    struct call *c;
    struct arena *scratch; /* of one collector */
    struct json_writer *w;
    struct numbers *agents; /* NULL: none */
    size_t skip;
    size_t left;
    int64_t now_us;
    struct fail *f;
    bool failed;
};

static void put_agent(struct listing *l, const struct agent *agent)
{
    struct sumo_collector col = {
        .id = agent->row.id, .name = sumo_installable_name(agent), .agent = *agent};

    sumo_collector_put(l->w, l->scratch, sumo_app(l->c), &col, l->now_us);
    l->left--;
}

/* Agents with numbers below that one. */
static void put_agents(struct listing *l, int64_t below)
{
    struct agent agent = {0};
    int64_t id;

    while (l->agents && l->left > 0 && (id = numbers_peek(l->agents)) != 0 && id < below) {
        numbers_take(l->agents);
        if (l->skip > 0) {
            l->skip--;
            continue;
        }
        arena_reset(l->scratch);
        if (agents_get_numbered(l->agents->agents, l->scratch, id, &agent))
            put_agent(l, &agent);
    }
}

static bool put_hosted(void *arg, const struct collector *row)
{
    struct listing *l = arg;
    struct sumo_collector col = {.is_hosted = true, .id = row->id};

    put_agents(l, row->id);
    if (l->left == 0)
        return false;
    if (l->skip > 0) {
        l->skip--;
        return true;
    }
    arena_reset(l->scratch);
    if (hosted_decode(l->scratch, row, &col.hosted, l->f) < 0) {
        l->failed = true;
        return false;
    }
    col.name = col.hosted.row.name;
    sumo_collector_put(l->w, l->scratch, sumo_app(l->c), &col, l->now_us);
    l->left--;
    return l->left > 0;
}

static int walk_hosted(struct listing *l)
{
    const struct collector_filter filter = {
        .kinds = 1u << COLLECTOR_HOSTED, .order = COLLECTOR_BY_ID, .limit = SIZE_MAX / 2};
    struct store_tx *tx = NULL;

    if (store_read_open(sumo_app(l->c)->store, l->c->arena, &tx, l->f) < 0)
        return -1;

    int rc = store_collector_each(tx, l->c->caller->tenant, &filter, put_hosted, l, NULL, l->f);

    store_read_close(&tx);
    return l->failed ? -1 : rc;
}

static void begin(struct listing *l)
{
    l->scratch = arena_new(SCRATCH_BYTES);
    json_writer_init(l->w, &l->c->out);
    json_obj_begin(l->w);
    json_key(l->w, STR("collectors"));
    json_arr_begin(l->w);
}

static int end(struct listing *l, int rc)
{
    json_arr_end(l->w);
    json_obj_end(l->w);
    arena_free(&l->scratch);
    if (rc == 0 && l->c->out.overflow)
        return fail_reason(l->f, CODE_INVALID_ARGUMENT, "bad_limit",
                           "The answer would be too large: ask for less by limit and offset.");
    return rc;
}

static struct numbers *numbers_new(struct call *c, enum agents_liveness liveness, int64_t alive_us)
{
    struct numbers *n = arena_new_type(c->arena, struct numbers);

    n->agents = sumo_realm(c)->agents;
    n->liveness = liveness;
    n->now_us = sumo_now_us(c);
    n->alive_us = alive_us;
    return n;
}

/* --- GET /collectors --- */

struct selection {
    const char *name;
    bool agents;
    bool hosted;
    enum agents_liveness liveness;
};

static const struct selection selections[] = {
    {"installed", true, false, AGENTS_ALL},
    {"hosted", false, true, AGENTS_ALL},
    {"dead", true, false, AGENTS_SILENT},
    {"alive", true, true, AGENTS_ALIVE},
};

static int selection_read(const struct call *c, struct selection *out, struct fail *f)
{
    struct str text;

    *out = (struct selection){.agents = true, .hosted = true, .liveness = AGENTS_ALL};
    if (!call_query(c, STR("filter"), &text) || text.len == 0)
        return 0;
    for (size_t i = 0; i < COUNTOF(selections); i++) {
        if (str_eq_nocase(text, str_of(selections[i].name))) {
            *out = selections[i];
            return 0;
        }
    }
    return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                       "The filter must be installed, hosted, dead or alive.");
}

int sumo_collectors_list(struct call *c, struct fail *f)
{
    struct sumo_page page = {0};
    struct selection sel = {0};
    struct json_writer w;

    if (sumo_page(c, SUMO_PAGE_MAX, &page, f) < 0 || selection_read(c, &sel, f) < 0)
        return -1;

    struct listing l = {
        .c = c,
        .w = &w,
        .skip = page.offset,
        .left = page.limit,
        .now_us = sumo_now_us(c),
        .f = f,
    };

    if (sel.agents)
        l.agents = numbers_new(c, sel.liveness, sumo_app(c)->settings.alive_us);
    begin(&l);

    int rc = sel.hosted ? walk_hosted(&l) : 0;

    if (rc == 0)
        put_agents(&l, INT64_MAX);
    return end(&l, rc);
}

/* --- offline --- */

/* Silent for at least so long, in microseconds. */
static int silence_read(const struct call *c, int64_t *out, struct fail *f)
{
    uint64_t days = DAYS_USUAL;
    struct str text;

    if (call_query(c, STR("aliveBeforeDays"), &text) && (str_to_u64(text, &days) < 0 || days < 1))
        return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                           "aliveBeforeDays must be a whole number of at least 1.");
    *out = (int64_t)MIN(days, (uint64_t)DAYS_MAX) * DAY_US;
    return 0;
}

/* One that said good-bye is not alive, but that alone is no silence. */
static bool is_offline(const struct agent *agent, int64_t now_us, int64_t silence_us)
{
    int64_t seen = agent->row.last_seen_us ? agent->row.last_seen_us : agent->row.created_us;

    return now_us - seen >= silence_us;
}

/* The next that is offline, there until the next call; false: none is left. */
static bool offline_next(struct numbers *n, struct arena *scratch, struct agent *out)
{
    int64_t id;

    while ((id = numbers_peek(n)) != 0) {
        numbers_take(n);
        arena_reset(scratch);
        if (agents_get_numbered(n->agents, scratch, id, out) &&
            is_offline(out, n->now_us, n->alive_us))
            return true;
    }
    return false;
}

int sumo_collectors_offline(struct call *c, struct fail *f)
{
    struct sumo_page page = {0};
    struct agent agent = {0};
    struct json_writer w;
    int64_t silence = 0;

    if (sumo_page(c, SUMO_PAGE_MAX, &page, f) < 0 || silence_read(c, &silence, f) < 0)
        return -1;

    struct numbers *n = numbers_new(c, AGENTS_SILENT, silence);
    struct listing l = {.c = c, .w = &w, .left = page.limit, .now_us = n->now_us, .f = f};

    begin(&l);
    for (size_t skip = page.offset; l.left > 0 && offline_next(n, l.scratch, &agent);) {
        if (skip > 0)
            skip--;
        else
            put_agent(&l, &agent);
    }
    return end(&l, 0);
}

/* A few at a time, so that the lane serves others in between. */
struct removal {
    struct call *c;
    struct agents *agents;
    int64_t now_us;
    int64_t silence_us;
    const int64_t *ids;
    size_t count;
};

static int remove_some(struct store_tx *tx, void *arg, struct fail *f)
{
    const struct removal *r = arg;
    struct call *c = r->c;

    for (size_t i = 0; i < r->count; i++) {
        struct sumo_collector col = {.id = r->ids[i]};

        /* It may have gone, or come back, while this waited. */
        if (!agents_get_numbered(r->agents, store_tx_arena(tx), col.id, &col.agent) ||
            !is_offline(&col.agent, r->now_us, r->silence_us))
            continue;
        if (sumo_collector_drop(sumo_app(c), tx, c->caller, c->caller->tenant, &col, f) == 0)
            continue;
        if (f->code != CODE_NOT_FOUND)
            return -1;
        *f = (struct fail){0};
    }
    return 0;
}

int sumo_collectors_offline_delete(struct call *c, struct fail *f)
{
    struct arena *scratch = arena_new(SCRATCH_BYTES), *job = arena_new(SCRATCH_BYTES);
    struct agent agent = {0};
    int64_t silence = 0, ids[DELETE_ONCE];
    struct numbers *n;
    int rc = silence_read(c, &silence, f);
    bool more = rc == 0;

    n = numbers_new(c, AGENTS_SILENT, silence);
    while (more && rc == 0) {
        struct removal r = {
            .c = c, .agents = n->agents, .now_us = n->now_us, .silence_us = silence, .ids = ids};

        while (r.count < DELETE_ONCE && (more = offline_next(n, scratch, &agent)))
            ids[r.count++] = agent.row.id;
        if (r.count > 0)
            rc = store_write(sumo_app(c)->store, job, remove_some, &r, f);
        arena_reset(job);
    }
    arena_free(&job);
    arena_free(&scratch);
    return rc;
}
