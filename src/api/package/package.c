/* SPDX-License-Identifier: Apache-2.0 */
/* The dialect and the service's two methods: who asks, what is offered, how it went. */
#include "api/package/package.h"

#include "api/package/package_internal.h"
#include "base/id.h"
#include "core/enroll.h"
#include "core/upgrade.h"
#include "proto/muster_v1_package.pb.h"

#define VERSION_KEY "collector.version"

struct package_app *package_app_of(const struct call *c)
{
    return c->app;
}

/* --- who asks --- */

static int no_such_agent(struct fail *f)
{
    return fail_reason(f, CODE_NOT_FOUND, "no_such_agent", "there is no such agent");
}

/* A credential speaks for its own collector alone; a key for agents speaks for any of them. */
static int identify(const struct call *c, struct str agent_id, struct agent *out, struct fail *f)
{
    struct agents *agents = registry_realm(package_app_of(c)->registry, c->caller->tenant)->agents;
    int64_t number = 0;

    if (caller_may(c->caller, SCOPE_BEAT)) {
        if (!enroll_credential_collector(c->caller->key_id, &number) ||
            !agents_get_numbered(agents, c->arena, number, out))
            return no_such_agent(f);
        if (agent_id.len == 0 || str_eq(agent_id, out->row.ext_id))
            return 0;
        return fail_reason(f, CODE_PERMISSION_DENIED, "other_agent",
                           "the credential is another agent's");
    }
    if (!caller_may(c->caller, SCOPE_AGENT))
        return fail_reason(f, CODE_PERMISSION_DENIED, "scope_missing",
                           "the key is neither an agent's nor for agents");
    return agents_get(agents, c->arena, agent_id, out) ? 0 : no_such_agent(f);
}

/* --- NextPackage --- */

struct asking {
    int64_t collector;
    struct str running;
    struct str platform;
};

static struct muster_v1_package *make_package(struct arena *a, const struct build *b)
{
    struct muster_v1_package *p = arena_new_type(a, struct muster_v1_package);
    char *hex = arena_alloc_raw(a, 2 * sizeof(b->sha256));

    hex_print(b->sha256, sizeof(b->sha256), hex);
    *p = (struct muster_v1_package){
        .version = arena_str(a, b->version),
        .sha256 = str_make(hex, 2 * sizeof(b->sha256)),
        .size = b->bytes,
    };
    p->path = arena_printf(a, PACKAGE_FILES "%.*s", STR_ARG(p->sha256));
    return p;
}

/* What it says that it runs becomes its attribute, so that everybody sees it at once. */
static int take_version(struct call *c, int64_t collector, struct str running, struct fail *f)
{
    struct collector row = {0};
    struct agent agent = {0};
    struct agent_report report = {.has_local = true};

    if (collector_get(c->tx, c->caller->tenant, collector, &row, f) < 0 ||
        agent_decode(c->arena, &row, &agent, f) < 0)
        return -1;
    if (str_eq(upgrade_running(&agent), running))
        return 0;
    report.id = agent.row.ext_id;
    report.local.items = arena_new_array(c->arena, struct label, agent.local.count + 1);
    for (size_t i = 0; i < agent.local.count; i++)
        if (!str_eq(agent.local.items[i].key, STR(VERSION_KEY)))
            report.local.items[report.local.count++] = agent.local.items[i];
    report.local.items[report.local.count++] = (struct label){STR(VERSION_KEY), running};
    return agent_report(c->tx, package_app_of(c)->registry, c->caller, c->caller->tenant, &report,
                        NULL, f);
}

static int offer(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct asking *q = c->carry;
    struct muster_v1_next_package_response *out = response;
    struct upgrade u = {0};
    struct build b = {0};
    bool offered = false;

    (void)request;
    if (q->running.len > 0 &&
        (take_version(c, q->collector, q->running, f) < 0 ||
         upgrade_observe(c->tx, c->caller->tenant, q->collector, q->running, f) < 0))
        return -1;
    if (upgrade_offer(c->tx, c->caller->tenant, q->collector, q->platform, &offered, &u, &b, f) < 0)
        return -1;
    if (offered)
        out->package = make_package(c->arena, &b);
    return 0;
}

static int find_open(const struct call *c, int64_t collector, bool *found, struct fail *f)
{
    struct store_tx *tx = NULL;
    struct upgrade u = {0};

    if (store_read_open(package_app_of(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = upgrade_find(tx, c->caller->tenant, collector, found, &u, f);

    store_read_close(&tx);
    return rc;
}

/* Agents ask often and are rarely upgraded: without an upgrade nothing is written. */
static int next_package(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct muster_v1_next_package_request *in = request;
    struct asking *q = arena_new_type(c->arena, struct asking);
    struct agent agent = {0};
    bool found = false;

    (void)response;
    if (!build_is_exact_platform(in->platform)) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_platform",
                           "platform is an operating system and an architecture, like "
                           "\"linux/amd64\""));
        return fail_field(f, "platform");
    }
    if (in->running_version.len > BUILD_VERSION_MAX) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_version", "the version is too long"));
        return fail_field(f, "running_version");
    }
    if (identify(c, in->agent_id, &agent, f) < 0 || find_open(c, agent.row.id, &found, f) < 0)
        return -1;
    if (!found)
        return 0;
    *q = (struct asking){agent.row.id, in->running_version, in->platform};
    c->carry = q;
    return rpc_move(c, LANE_WRITE, offer);
}

/* --- ReportPackage --- */

static int take_report(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct muster_v1_report_package_request *in = request;
    const struct asking *q = c->carry;
    struct str message = in->message;

    (void)response;
    if (message.len == 0 && in->state == MUSTER_V1_PACKAGE_STATE_DOWNLOADING)
        message = STR("downloading");
    else if (message.len == 0 && in->state == MUSTER_V1_PACKAGE_STATE_INSTALLING)
        message = STR("installing");
    return upgrade_progress(c->tx, c->caller->tenant, q->collector, in->version,
                            in->state == MUSTER_V1_PACKAGE_STATE_FAILED, message, f);
}

static int report_package(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct muster_v1_report_package_request *in = request;
    struct asking *q = arena_new_type(c->arena, struct asking);
    struct agent agent = {0};

    (void)response;
    if (in->state < MUSTER_V1_PACKAGE_STATE_DOWNLOADING ||
        in->state > MUSTER_V1_PACKAGE_STATE_FAILED) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_state", "the state is not one of three"));
        return fail_field(f, "state");
    }
    if (identify(c, in->agent_id, &agent, f) < 0)
        return -1;
    q->collector = agent.row.id;
    c->carry = q;
    return rpc_move(c, LANE_WRITE, take_report);
}

/* --- the dialect --- */

/* Errors of methods are shaped by their protocol; this is for files, and for paths that are none.
 */
static void package_error(struct call *c, const struct fail *f)
{
    c->content_type = STR("text/plain; charset=utf-8");
    buf_put_str(&c->out, str_of(f->message));
    buf_put_byte(&c->out, '\n');
}

static const char *const prefixes[] = {"/muster.v1.PackageService/", PACKAGE_FILES, NULL};

const struct dialect package_dialect = {
    .name = "package",
    .prefixes = prefixes,
    .content_type = STR_INIT("text/plain; charset=utf-8"),
    .error = package_error,
    .realm = "Muster",
};

static const struct rpc_handler handlers[] = {
    {.method = "NextPackage", .unary = next_package, .moves = MOVES_TO(LANE_WRITE)},
    {.method = "ReportPackage", .unary = report_package, .moves = MOVES_TO(LANE_WRITE)},
};

static const struct rpc_service service = {
    .service = &muster_v1_package_service_desc,
    .handlers = handlers,
    .handler_count = COUNTOF(handlers),
};

const struct rpc_table *package_table(struct arena *a, struct package_app *app)
{
    static const struct protojson_flavor json = {.print_defaults = true, .ignore_unknown = true};
    struct rpc_table *t = arena_new_type(a, struct rpc_table);

    *t = (struct rpc_table){
        .dialect = &package_dialect,
        .services = &service,
        .service_count = 1,
        .style = {.json = &json},
        .app = app,
    };
    return t;
}

static const struct route routes[] = {
    {.name = "package.file",
     .path = PACKAGE_FILES "{sha256}",
     .verbs = GET_VERB,
     .lane = LANE_WORKER,
     .handler = package_file,
     .flags = ROUTE_KNOWN | ROUTE_NO_GZIP | ROUTE_LIMIT_CLASS(PACKAGE_LIMIT_FILES)},
};

struct route_table package_files(struct package_app *app)
{
    return (struct route_table){
        .dialect = &package_dialect, .routes = routes, .count = COUNTOF(routes), .app = app};
}
