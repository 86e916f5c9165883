/* SPDX-License-Identifier: Apache-2.0 */
/* Upgrades: what agents can be brought to, which of them, and one task for each. Workers; a request
 * ends on the write lane. */
#include <stdlib.h>

#include "api/sumologic/installable.h"
#include "api/sumologic/internal.h"

#define LIMIT_USUAL 50
#define CHUNK       1024
#define OPEN_CHUNK  1000

static int read_builds(const struct call *c, struct build **all, size_t *count, struct fail *f)
{
    struct store_tx *tx = NULL;

    if (store_read_open(sumo_app(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = build_list(tx, all, count, f);

    store_read_close(&tx);
    return rc;
}

/* --- GET /collectors/upgrades/targets --- */

/* A version comes once, whatever platforms it has builds for; the newest is first. */
int sumo_upgrades_targets(struct call *c, struct fail *f)
{
    struct build *all = NULL;
    size_t count = 0;
    struct json_writer w;

    if (read_builds(c, &all, &count, f) < 0)
        return -1;
    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key(&w, STR("targets"));
    json_arr_begin(&w);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && str_eq(all[i].version, all[i - 1].version))
            continue;
        json_obj_begin(&w);
        json_key_str(&w, STR("version"), all[i].version);
        json_key_bool(&w, STR("latest"), i == 0);
        json_obj_end(&w);
    }
    json_arr_end(&w);
    json_obj_end(&w);
    return 0;
}

/* --- GET /collectors/upgrades/collectors --- */

struct upgradable {
    struct call *c;
    struct json_writer *w;
    const struct build *builds;
    size_t build_count;
    struct str to_version; /* empty: the latest of the collector's platform */
    int64_t *busy;         /* collectors with an open task, sorted */
    size_t busy_count;
    struct sumo_page page;
    int64_t now_us;
};

static int by_number(const void *x, const void *y)
{
    const int64_t *a = x;
    const int64_t *b = y;

    return *a < *b ? -1 : *a > *b;
}

/* Builds and open tasks of one moment. */
static int read_state(struct store_tx *tx, struct upgradable *u, struct build **builds,
                      struct fail *f)
{
    struct arena *a = u->c->arena;
    size_t room = 0, count = 0;
    int64_t after = 0;

    if (build_list(tx, builds, &u->build_count, f) < 0)
        return -1;
    u->builds = *builds;
    do {
        struct upgrade *open = NULL;

        if (upgrade_list(tx, u->c->caller->tenant, true, after, OPEN_CHUNK, &open, &count, f) < 0)
            return -1;
        if (u->busy_count + count > room) {
            int64_t *more;

            room = 2 * (u->busy_count + count);
            more = arena_new_array(a, int64_t, room);
            if (u->busy_count > 0)
                memcpy(more, u->busy, u->busy_count * sizeof(*more));
            u->busy = more;
        }
        for (size_t i = 0; i < count; i++)
            if (upgrade_is_open(open[i].state))
                u->busy[u->busy_count++] = open[i].collector;
        after = count > 0 ? open[count - 1].id : after;
    } while (count == OPEN_CHUNK);
    if (u->busy_count > 0)
        qsort(u->busy, u->busy_count, sizeof(*u->busy), by_number);
    return 0;
}

static bool is_busy(const struct upgradable *u, int64_t id)
{
    return u->busy_count > 0 &&
           bsearch(&id, u->busy, u->busy_count, sizeof(*u->busy), by_number) != NULL;
}

static bool can_go(const struct upgradable *u, struct arena *a, const struct agent *agent)
{
    struct build latest = {0}, step = {0};
    struct str to = u->to_version;

    if (to.len == 0) {
        if (!build_latest(u->builds, u->build_count, upgrade_platform(a, agent), &latest))
            return false;
        to = latest.version;
    }
    return upgrade_is_possible(a, u->builds, u->build_count, agent, to, &step);
}

/* One of those that are alive: skipped, written, or not upgradable. */
static void take(struct upgradable *u, struct arena *a, int64_t id)
{
    struct sumo_collector col = {.id = id};

    if (is_busy(u, id) || !agents_get_numbered(sumo_realm(u->c)->agents, a, id, &col.agent) ||
        !can_go(u, a, &col.agent))
        return;
    if (u->page.offset > 0) {
        u->page.offset--;
        return;
    }
    col.name = sumo_installable_name(&col.agent);
    sumo_collector_put(u->w, a, sumo_app(u->c), &col, u->now_us);
    u->page.limit--;
}

static void put_upgradable(struct upgradable *u)
{
    int64_t *ids = arena_new_array(u->c->arena, int64_t, CHUNK);
    struct arena *scratch = arena_new(8192);
    int64_t alive_us = sumo_app(u->c)->settings.alive_us;
    int64_t after = 0;
    size_t count;

    do {
        count = agents_numbers(sumo_realm(u->c)->agents, after, AGENTS_ALIVE, u->now_us, alive_us,
                               ids, CHUNK);
        for (size_t i = 0; i < count && u->page.limit > 0; i++) {
            take(u, scratch, ids[i]);
            arena_reset(scratch);
        }
        after = count > 0 ? ids[count - 1] : after;
    } while (count == CHUNK && u->page.limit > 0);
    arena_free(&scratch);
}

static bool is_target(const struct build *all, size_t count, struct str version)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(all[i].version, version))
            return true;
    return false;
}

static int no_such_version(struct fail *f)
{
    return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_version",
                       "The specified version is not one of the upgrade targets.");
}

int sumo_upgrades_collectors(struct call *c, struct fail *f)
{
    struct upgradable u = {.c = c, .now_us = sumo_now_us(c)};
    struct build *builds = NULL;
    struct store_tx *tx = NULL;
    struct json_writer w;

    if (sumo_page(c, LIMIT_USUAL, &u.page, f) < 0 ||
        store_read_open(sumo_app(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = read_state(tx, &u, &builds, f);

    store_read_close(&tx);
    if (rc < 0)
        return -1;
    if (call_query(c, STR("toVersion"), &u.to_version) &&
        !is_target(u.builds, u.build_count, u.to_version))
        return no_such_version(f);
    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key(&w, STR("collectors"));
    json_arr_begin(&w);
    u.w = &w;
    put_upgradable(&u);
    json_arr_end(&w);
    json_obj_end(&w);
    return 0;
}

/* --- POST /collectors/upgrades --- */

struct wanted {
    int64_t collector;
    struct str to_version; /* empty: the latest */
};

static int no_collector(struct fail *f)
{
    return fail_reason(f, CODE_INVALID_ARGUMENT, "upgrade_collector",
                       "The specified collector ID is invalid.");
}

static int create(struct call *c, struct fail *f)
{
    const struct wanted *want = c->carry;
    struct sumologic_app *app = sumo_app(c);
    struct sumo_collector col = {0};
    struct upgrade u = {0};
    struct json_writer w;

    if (sumo_collector_get(c, c->tx, want->collector, &col, f) < 0)
        return f->code == CODE_NOT_FOUND ? no_collector(f) : -1;
    if (col.is_hosted)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "upgrade_type",
                           "Only installed collectors can be upgraded.");
    if (upgrade_request(c->tx, app->registry, c->caller, c->caller->tenant, want->collector,
                        want->to_version, &app->settings.upgrades, &u, f) < 0)
        return f->code == CODE_NOT_FOUND ? no_collector(f) : -1;

    struct str id = arena_printf(c->arena, "%lld", (long long)u.id);

    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key_str(&w, STR("id"), id);
    json_key(&w, STR("link"));
    json_obj_begin(&w);
    json_key_str(&w, STR("rel"), STR("self"));
    json_key_str(&w, STR("href"),
                 arena_printf(c->arena, "/v1/collectors/upgrades/%.*s", STR_ARG(id)));
    json_obj_end(&w);
    json_obj_end(&w);
    c->status = 202;
    return 0;
}

/* As a number, or as the text of one. */
static bool read_collector(const struct json_value *body, int64_t *out)
{
    struct str text = {NULL, 0};
    struct fail why;

    if (json_get_i64(body, "collectorId", out, &why) == 1)
        return *out > 0;
    return json_get_str(body, "collectorId", &text, &why) == 1 && sumo_id(text, out);
}

int sumo_upgrades_create(struct call *c, struct fail *f)
{
    struct wanted *want = arena_new_type(c->arena, struct wanted);
    const struct json_value *body = NULL;
    struct fail why;

    if (sumo_body(c, NULL, &body, f) < 0)
        return -1;
    if (!read_collector(body, &want->collector))
        return no_collector(f);

    int got = json_get_str(body, "toVersion", &want->to_version, &why);

    if (got < 0 || (got == 1 && want->to_version.len == 0))
        return no_such_version(f);
    c->carry = want;
    return call_move(c, LANE_WRITE, create);
}

/* --- GET /collectors/upgrades/{task} --- */

static int read_upgrade(const struct call *c, struct upgrade *out, struct fail *f)
{
    struct store_tx *tx = NULL;
    int64_t id = 0;

    if (!sumo_id(call_param(c, STR("task")), &id))
        return fail_reason(f, CODE_NOT_FOUND, "no_such_upgrade", "There is no such upgrade task.");
    if (store_read_open(sumo_app(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = upgrade_get(tx, c->caller->tenant, id, out, f);

    store_read_close(&tx);
    return rc;
}

int sumo_upgrades_get(struct call *c, struct fail *f)
{
    struct upgrade u = {0};
    struct json_writer w;

    if (read_upgrade(c, &u, f) < 0)
        return -1;
    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key(&w, STR("upgrade"));
    json_obj_begin(&w);
    json_key_i64(&w, STR("id"), u.id);
    json_key_i64(&w, STR("collectorId"), u.collector);
    json_key_str(&w, STR("toVersion"), u.to_version);
    json_key_i64(&w, STR("requestTime"), u.requested_us / 1000);
    json_key_i64(&w, STR("requestedTime"), u.requested_us / 1000);
    json_key_i64(&w, STR("status"), u.state);
    json_key_str(&w, STR("message"), u.message);
    json_obj_end(&w);
    json_obj_end(&w);
    return 0;
}
