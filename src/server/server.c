/* SPDX-License-Identifier: Apache-2.0 */
/* Parts are made in the order in which they need each other and given back in the reverse. */
#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/admin/admin.h"
#include "api/catalog/catalog.h"
#include "api/fleet/fleet.h"
#include "api/host.h"
#include "api/native/native.h"
#include "api/package/package.h"
#include "api/sumologic/sumologic.h"
#include "base/heap.h"
#include "base/id.h"
#include "base/slot.h"
#include "codec/json_writer.h"
#include "core/belongings.h"
#include "core/bootstrap.h"
#include "core/build.h"
#include "core/datafile.h"
#include "core/registry.h"
#include "core/scheduler.h"
#include "core/tenant.h"
#include "core/upgrade.h"
#include "net/http_client.h"
#include "net/httpd.h"
#include "rpc/dispatch.h"
#include "server/apply.h"
#include "server/data_audit.h"
#include "server/data_watch.h"
#include "server/exit_reason.h"
#include "server/heartbeat.h"
#include "server/housekeeping.h"
#include "server/process_metrics.h"
#include "store/store_open.h"

#define CLAIM_LIMIT   ((size_t)64)
#define SINK_GRACE_US INT64_C(2000000) /* for the delivery that runs */

/* The dialects that serve RPC methods. */
enum {
    RPC_FLEET,
    RPC_NATIVE,
    RPC_PACKAGE,
    RPC_TABLE_COUNT,
};

struct server {
    struct server_host host;
    const struct config *config;
    struct arena *arena;  /* texts that live as long as the server */
    const char *data_dir; /* outlives configurations */

    struct metrics *metrics;
    struct process_metrics *process;
    struct store *store;
    struct master_key master;
    struct keyring *ring;
    struct registry *registry;
    struct slot settings; /* struct agent_settings in the arena: all of them stay */
    struct limits *limits;
    struct workers *workers;
    struct api_host api;
    struct admin_app admin;
    struct admin_probe probes[4];
    struct fleet_app fleet;
    struct native *native;
    struct package_app package;
    struct inlets *inlets;
    struct spool *spool;
    struct sinks *sinks;
    struct data_watch *watch;
    struct belongings belongings;
    struct sumologic_app sumologic;
    const struct rpc_table *rpc[RPC_TABLE_COUNT];
    struct catalog *catalog;
    struct route_table tables[2 + CATALOG_TABLES + RPC_TABLE_COUNT + SUMOLOGIC_TABLES];
    struct router *router;
    struct dispatch *dispatch;
    struct tls *tls;
    struct http_client *client;
    struct httpd *httpd;
    struct heartbeat *heartbeat;
    struct scheduler *scheduler;
    struct housekeeping *housekeeping;
    struct slot draining; /* set once; read by loops */
    bool has_endpoints;
    bool accepting; /* requests may come in */
};

/* ---- The store ---- */

/* What is on the disk is unknown now; whoever restarts us will look. */
static void on_fatal(void *arg, const char *message)
{
    struct server *s = arg;

    log_error(s->host.log, "the disk failed; stopping", KV_STR("error", message));
    log_flush(s->host.logger);
    _exit(EXIT_CODE_DISK);
}

static int open_store(struct server *s, struct fail *f)
{
    const struct config *c = s->config;
    const struct store_options o = {
        .driver = &sqlite_driver,
        .data_dir = s->data_dir,
        .clock = s->host.clock,
        .log = s->host.log,
        .metrics = s->metrics,
        .queue_limit = (size_t)c->store_queue,
        .batch_limit = (size_t)c->store_batch,
        .readers = apply_readers(c),
        .checkpoint_pages = (size_t)c->store_checkpoint_pages,
        .fatal = on_fatal,
        .fatal_arg = s,
    };

    return store_open(&o, &s->store, f);
}

static int find_default_tenant(struct server *s, uint64_t *out, struct fail *f)
{
    struct arena *a = arena_new(4096);
    struct store_tx *tx;
    struct tenant tenant;
    int result = -1;

    if (store_read_open(s->store, a, &tx, f) == 0) {
        result = tenant_get(tx, STR(TENANT_DEFAULT), &tenant, f);
        if (result == 0)
            *out = tenant.id;
        store_read_close(&tx);
    }
    arena_free(&a);
    return result;
}

/* Uploads that a killed process left, and files that no build names. */
static int sweep_builds(struct server *s, struct fail *f)
{
    struct arena *a = arena_new(4096);
    struct store_tx *tx = NULL;
    int result = -1;

    if (store_read_open(s->store, a, &tx, f) == 0) {
        result = build_files_sweep(tx, s->data_dir, f);
        store_read_close(&tx);
    }
    arena_free(&a);
    return result;
}

static int open_domain(struct server *s, struct fail *f)
{
    bool created = false;

    admin_sweep(s->data_dir);
    if (bootstrap(s->store, s->host.clock, s->data_dir, &s->master, &created, f) < 0)
        return -1;
    if (created)
        log_info(s->host.log, "made the tenant \"default\" and its first key",
                 KV_SLICE("credentials",
                          arena_printf(s->arena, "%s/" FIRST_CREDENTIALS_FILE, s->data_dir)));
    if (sweep_builds(s, f) < 0 || tenant_sweep(s->store, SIZE_MAX, f) < 0)
        return -1;
    s->ring = keyring_new(s->host.clock, &s->master);
    return keyring_load(s->ring, s->store, f);
}

/* ---- Agents and pipelines ---- */

/* For the calls from now on. */
static void publish_settings(struct server *s, const struct config *config)
{
    struct agent_settings *settings = arena_new_type(s->arena, struct agent_settings);

    apply_agents(config, settings);
    slot_set(&s->settings, settings);
    registry_inactive_after(s->registry, config->agents_inactive_after_us);
}

static void log_registry(struct server *s, int64_t took_us)
{
    size_t agents = 0, pipelines = 0;
    struct realm *realm;

    for (uint64_t after = 0; registry_next(s->registry, after, &realm); after = realm->tenant) {
        agents += agents_count(realm->agents);
        pipelines += pipelines_count(realm->pipelines);
    }
    log_info(s->host.log, "loaded the registry", KV_UINT("agents", agents),
             KV_UINT("pipelines", pipelines), KV_INT("took_us", took_us));
}

static int open_registry(struct server *s, struct fail *f)
{
    struct registry_options o = {
        .store = s->store,
        .clock = s->host.clock,
        .log = s->host.log,
        .metrics = s->metrics,
    };
    int64_t began = clock_mono_us(s->host.clock);

    apply_pipelines(s->config, &o.pipelines);
    s->registry = registry_new(&o);
    if (registry_load(s->registry, f) < 0)
        return -1;
    log_registry(s, clock_mono_us(s->host.clock) - began);
    publish_settings(s, s->config);
    return 0;
}

/* ---- Sources that take data ---- */

static int open_spool(struct server *s, struct fail *f)
{
    const struct config *c = s->config;
    const struct spool_options o = {
        .data_dir = s->data_dir,
        .clock = s->host.clock,
        .log = s->host.log,
        .metrics = s->metrics,
        .segment_bytes = c->spool_segment_bytes,
        .total_bytes = c->spool_total_bytes,
        .queue_bytes = (size_t)c->spool_queue_bytes,
        .sync = true,
        .fatal = on_fatal,
        .fatal_arg = s,
    };

    return spool_open(&o, &s->spool, f);
}

static int start_sinks(struct server *s, struct fail *f)
{
    struct sinks_options o = {
        .spool = s->spool,
        .host = {.data_dir = s->data_dir, .client = s->client, .log = s->host.log},
        .clock = s->host.clock,
        .metrics = s->metrics,
    };

    if (apply_sinks(s->config, s->arena, &o, f) < 0 || sinks_start(&o, &s->sinks, f) < 0)
        return -1;
    s->watch = data_watch_new(&(struct data_watch_options){
        .metrics = s->metrics,
        .clock = s->host.clock,
        .store = s->store,
        .spool = s->spool,
        .sinks = s->sinks,
    });
    return 0;
}

static int open_sumologic(struct server *s, struct fail *f)
{
    s->inlets = inlets_new();
    if (open_spool(s, f) < 0)
        return -1;
    s->belongings = (struct belongings){.keyring = s->ring, .inlets = s->inlets};
    registry_on_delete(s->registry, belongings_drop, belongings_drop_all, &s->belongings);
    s->sumologic = (struct sumologic_app){
        .agent_settings = &s->settings,
        .store = s->store,
        .registry = s->registry,
        .keyring = s->ring,
        .master = &s->master,
        .inlets = s->inlets,
        .spool = s->spool,
        .clock = s->host.clock,
        .metrics = s->metrics,
        .data_dir = s->data_dir,
    };
    apply_sumologic(s->config, s->arena, &s->sumologic.settings);
    s->sumologic.room = room_new(s->sumologic.settings.receiver_memory, s->metrics);
    s->sumologic.storm = storm_new(s->host.clock, &s->sumologic.settings.storm, f);
    return s->sumologic.storm ? sumologic_load(&s->sumologic, f) : -1;
}

/* ---- What the admin interface asks of us ---- */

static int backup(void *maintenance, const char *path, struct fail *f)
{
    struct server *s = maintenance;

    return store_backup(s->store, path, f);
}

static int check(void *maintenance, struct arena *a, struct admin_findings *out, struct fail *f)
{
    struct server *s = maintenance;
    struct data_audit found;

    if (data_audit_live(s->store, s->spool, s->data_dir, a, &found, f) < 0)
        return -1;
    *out = (struct admin_findings){
        .audit = found.audit,
        .schema_version = found.rows.schema_version,
        .tenants = found.rows.tenants,
        .keys = found.rows.keys,
        .collectors = found.rows.collectors,
        .sources = found.rows.sources,
        .pipelines = found.rows.pipelines,
        .events = found.rows.events,
        .tasks = found.rows.tasks,
        .builds = (int64_t)found.builds.builds,
        .segments = (int64_t)found.spool.segments,
        .records = (int64_t)found.spool.records,
    };
    return 0;
}

static int probe_store(void *arg, struct fail *f)
{
    struct server *s = arg;
    struct store_health health;

    store_health(s->store, &health);
    if (health.state == STORE_OK)
        return 0;
    return fail_set(f, CODE_UNAVAILABLE, "%s", health.message);
}

static int probe_draining(void *arg, struct fail *f)
{
    struct server *s = arg;

    if (!slot_get(&s->draining))
        return 0;
    return fail_set(f, CODE_UNAVAILABLE, "the server is stopping");
}

static void fill_admin(struct server *s)
{
    s->probes[0] = (struct admin_probe){.name = "store", .check = probe_store, .arg = s};
    s->probes[1] = (struct admin_probe){.name = "running", .check = probe_draining, .arg = s};
    s->probes[2] = (struct admin_probe){
        .name = "spool", .advice = true, .check = data_watch_spool, .arg = s->watch};
    s->probes[3] = (struct admin_probe){
        .name = "sinks", .advice = true, .check = data_watch_sinks, .arg = s->watch};
    s->admin = (struct admin_app){
        .store = s->store,
        .keyring = s->ring,
        .registry = s->registry,
        .master = &s->master,
        .clock = s->host.clock,
        .metrics = s->metrics,
        .data_dir = s->data_dir,
        .metrics_open = s->config->metrics_open,
        .probes = s->probes,
        .probe_count = COUNTOF(s->probes),
        .maintenance = s,
        .backup = backup,
        .check = check,
    };
}

/* ---- Requests ---- */

/* The services of every dialect. */
static void fill_rpc(struct server *s)
{
    struct pipelines_options pipelines;

    apply_pipelines(s->config, &pipelines);
    s->fleet = (struct fleet_app){
        .registry = s->registry,
        .store = s->store,
        .clock = s->host.clock,
        .settings = &s->settings,
        .list_large = FLEET_LIST_LARGE,
    };
    s->rpc[RPC_FLEET] = fleet_table(s->arena, &s->fleet);
    s->native = native_new(&(struct native_options){
        .registry = s->registry,
        .store = s->store,
        .keyring = s->ring,
        .clock = s->host.clock,
        .settings = &s->settings,
        .empty_matches_all = pipelines.empty_matches_all,
    });
    s->rpc[RPC_NATIVE] = native_table(s->native);
    s->package = (struct package_app){
        .store = s->store,
        .registry = s->registry,
        .data_dir = s->data_dir,
    };
    s->rpc[RPC_PACKAGE] = package_table(s->arena, &s->package);
}

/* Plain routes, what describes the services, and the services themselves. */
static int make_tables(struct server *s, struct fail *f)
{
    const struct config_list *listing = &s->config->reflection_services;
    size_t n = 0;

    fill_admin(s);
    fill_rpc(s);
    if (catalog_new(s->arena, &admin_dialect, s->rpc, RPC_TABLE_COUNT, listing->items,
                    listing->count, &s->catalog, f) < 0)
        return -1;
    s->tables[n++] = admin_table(&s->admin);
    s->tables[n++] = package_files(&s->package);
    memcpy(&s->tables[n], catalog_routes(s->catalog), CATALOG_TABLES * sizeof(s->tables[0]));
    n += CATALOG_TABLES;
    for (size_t i = 0; i < RPC_TABLE_COUNT; i++)
        if (rpc_table_new(s->rpc[i], s->arena, &s->tables[n++], f) < 0)
            return -1;
    memcpy(&s->tables[n], sumologic_tables(&s->sumologic), SUMOLOGIC_TABLES * sizeof(s->tables[0]));
    return 0;
}

static int open_dispatch(struct server *s, struct fail *f)
{
    const struct config *c = s->config;

    s->limits = limits_new(s->host.clock, (size_t)c->rate_entries);
    if (apply_rates(c, s->limits, f) < 0)
        return -1;
    s->workers = workers_new(apply_workers(c), (size_t)c->workers_queue, s->host.logger);
    s->api = (struct api_host){
        .rpc =
            {
                .clock = s->host.clock,
                .log = *s->host.log,
                .metrics = s->metrics,
                .limits = s->limits,
                .workers = s->workers,
                .deadline_ms = c->timeouts_request_us / 1000,
                .gzip_min_bytes = (size_t)c->answers_compress_above,
            },
        .store = s->store,
        .keyring = s->ring,
        .registry = s->registry,
    };
    if (find_default_tenant(s, &s->api.default_tenant, f) < 0)
        return -1;
    api_host_init(&s->api);
    if (make_tables(s, f) < 0 || router_new(s->tables, COUNTOF(s->tables), &s->router, f) < 0)
        return -1;
    return dispatch_new(&s->api.rpc, s->router, &s->dispatch, f);
}

/* The configured addresses and the admin socket, as net wants them. */
static const char **listeners(struct server *s, size_t *count)
{
    const struct config_list *list = &s->config->listen;
    const char **all = arena_new_array(s->arena, const char *, list->count + 1);

    for (size_t i = 0; i < list->count; i++)
        all[i] = list->items[i];
    all[list->count] =
        arena_cstr(s->arena, arena_printf(s->arena, "unix:%s/" SERVER_ADMIN_SOCKET, s->data_dir));
    *count = list->count + 1;
    return all;
}

static int open_httpd(struct server *s, struct fail *f)
{
    size_t count;
    struct httpd_config h = {
        .service = dispatch_service(s->dispatch),
        .clock = s->host.clock,
        .log = s->host.log,
        .metrics = s->metrics,
        .tls = s->tls,
        .listeners = listeners(s, &count),
        .loops = apply_loops(s->config),
    };

    h.listener_count = count;
    apply_http_limits(s->config, &h.limits);
    return httpd_new(&h, &s->httpd, f);
}

static int open_client(struct server *s, struct fail *f)
{
    const struct http_client_options o = {.clock = s->host.clock, .metrics = s->metrics};
    struct allow_list *allow;

    if (apply_allow_list(s->config, &allow, f) < 0)
        return -1;

    int result = http_client_new(&o, &allow, &s->client, f);

    allow_list_free(&allow);
    return result;
}

static int start_scheduler(struct server *s, struct fail *f)
{
    const struct config *c = s->config;
    char owner[UUID_TEXT_LEN];

    uuid_print(uuid_v4(), owner);

    const struct scheduler_options o = {
        .store = s->store,
        .clock = s->host.clock,
        .log = s->host.log,
        .metrics = s->metrics,
        .owner = arena_str(s->arena, str_make(owner, sizeof(owner))),
        .poll_us = c->tasks_poll_us,
        .lease_us = c->tasks_lease_us,
        .claim_limit = CLAIM_LIMIT,
        .backoff = {.first_us = c->tasks_retry_us, .max_us = c->tasks_retry_max_us},
        .late = upgrade_late,
    };

    s->housekeeping = housekeeping_new(s->store, s->ring, s->registry, s->host.clock);
    housekeeping_keep(s->housekeeping, c->events_keep_us, c->tasks_keep_us);
    housekeeping_expire(s->housekeeping, c->agents_expire_after_us);
    housekeeping_expire_ephemeral(s->housekeeping, c->sumologic_ephemeral_after_us);
    s->scheduler = scheduler_new(&o);
    data_watch_register(s->watch, s->scheduler);
    housekeeping_register(s->housekeeping, s->scheduler, c->store_last_used_interval_us,
                          c->agents_seen_interval_us);
    return scheduler_start(s->scheduler, f);
}

/* ---- Telling where we are ---- */

/* "127.0.0.1:8080" as a URL. */
static struct str url_of(struct server *s, const char *listener)
{
    if (str_starts_with(str_of(listener), STR("tls://")))
        return arena_printf(s->arena, "https://%s", listener + 6);
    return arena_printf(s->arena, "http://%s", listener);
}

/* What a client on this machine can use; an address that stands for all of them is none. */
static struct str own_url(struct server *s)
{
    static const char *const any[] = {"//0.0.0.0:", "//[::]:"};

    for (size_t i = 0; i < s->config->listen.count; i++) {
        const char *listener = httpd_listener(s->httpd, i);
        struct str url = url_of(s, listener), rest = url;
        struct str scheme = str_cut(&rest, ':');

        if (str_starts_with(str_of(listener), STR("unix:")))
            continue;
        for (size_t k = 0; k < COUNTOF(any); k++)
            if (str_starts_with(rest, str_of(any[k])))
                return arena_printf(s->arena, "%.*s://localhost:%.*s", STR_ARG(scheme),
                                    STR_ARG(str_skip(rest, strlen(any[k]))));
        return url;
    }
    return STR("");
}

static int write_endpoints(struct server *s, struct fail *f)
{
    struct json_writer w;
    struct buf text;

    buf_init_arena(&text, s->arena, 65536);
    json_writer_init_indented(&w, &text, 2);
    json_obj_begin(&w);
    json_key_i64(&w, STR("pid"), getpid());
    json_key_str(&w, STR("version"), STR(MUSTER_VERSION));
    json_key(&w, STR("urls"));
    json_arr_begin(&w);
    for (size_t i = 0; i < s->config->listen.count; i++)
        json_str(&w, url_of(s, httpd_listener(s->httpd, i)));
    json_arr_end(&w);
    json_key_str(&w, STR("admin_socket"),
                 arena_printf(s->arena, "%s/" SERVER_ADMIN_SOCKET, s->data_dir));
    json_obj_end(&w);
    buf_put_byte(&text, '\n');
    if (datafile_write(s->data_dir, SERVER_ENDPOINTS_FILE, buf_str(&text), f) < 0)
        return -1;
    s->has_endpoints = true;
    return 0;
}

static void remove_file(struct server *s, const char *name)
{
    struct str path = arena_printf(s->arena, "%s/%s", s->data_dir, name);

    IGNORE(unlink(arena_cstr(s->arena, path)));
}

static void log_start(struct server *s)
{
    for (size_t i = 0; i < s->config->listen.count; i++)
        log_info(s->host.log, "listening", KV_SLICE("url", url_of(s, httpd_listener(s->httpd, i))));
    log_info(s->host.log, "serving", KV_STR("version", MUSTER_VERSION), KV_INT("pid", getpid()),
             KV_STR("data", s->data_dir), KV_UINT("loops", httpd_loop_count(s->httpd)),
             KV_UINT("workers", apply_workers(s->config)), KV_UINT("keys", keyring_count(s->ring)));
    log_flush(s->host.logger);
}

/* ---- Life ---- */

/* A data directory that cannot be made has no place to be. */
static enum exit_code data_code(const struct fail *f)
{
    enum exit_code code = exit_reason_code(f);

    return code == EXIT_CODE_NOT_FOUND ? EXIT_CODE_NOT_WRITABLE : code;
}

static enum exit_code start(struct server *s, struct fail *f)
{
    if (apply_tls(s->config, &s->tls, f) < 0)
        return EXIT_CODE_USAGE;
    if (open_store(s, f) < 0 || open_domain(s, f) < 0 || open_registry(s, f) < 0 ||
        open_sumologic(s, f) < 0)
        return data_code(f);
    if (open_client(s, f) < 0 || start_sinks(s, f) < 0 || open_dispatch(s, f) < 0)
        return exit_reason_code(f);
    if (open_httpd(s, f) < 0)
        return EXIT_CODE_LISTEN;
    s->sumologic.settings.own_url = own_url(s);
    if (httpd_start(s->httpd, f) < 0)
        return EXIT_CODE_FAILURE;
    s->accepting = true;
    if (start_scheduler(s, f) < 0)
        return EXIT_CODE_FAILURE;
    s->heartbeat = heartbeat_new(s->httpd);
    log_start(s);
    /* Last: whoever waits for this file may rely on all of the above. */
    return write_endpoints(s, f) < 0 ? data_code(f) : EXIT_CODE_OK;
}

enum exit_code server_start(const struct server_host *host, const struct config *config,
                            struct server **out, struct fail *f)
{
    struct server *s = heap_new_type(struct server);

    s->host = *host;
    s->config = config;
    s->arena = arena_new(4096);
    s->data_dir = arena_cstr(s->arena, str_of(config->data));
    s->metrics = metrics_new();
    s->process = process_metrics_new(s->metrics, host->clock);

    enum exit_code code = start(s, f);

    if (code != EXIT_CODE_OK) {
        server_free(&s);
        return code;
    }
    *out = s;
    return EXIT_CODE_OK;
}

int server_reload(struct server *s, const struct config *config, struct fail *f)
{
    struct http_limits limits;
    struct allow_list *allow = NULL;
    struct tls *tls = NULL;
    enum log_level level = (enum log_level)config->log_level;

    /* Whatever can fail comes first. */
    if (apply_tls(config, &tls, f) < 0)
        return -1;
    if (apply_allow_list(config, &allow, f) < 0 || apply_rates(config, s->limits, f) < 0) {
        tls_free(&tls);
        allow_list_free(&allow);
        return -1;
    }

    apply_http_limits(config, &limits);
    httpd_set_limits(s->httpd, &limits);
    if (tls) {
        struct tls *old = s->tls;

        s->tls = tls;
        httpd_set_tls(s->httpd, tls);
        tls_free(&old);
    }
    http_client_set_allow(s->client, &allow);
    logger_set_level(s->host.logger, level);
    housekeeping_keep(s->housekeeping, config->events_keep_us, config->tasks_keep_us);
    housekeeping_expire(s->housekeeping, config->agents_expire_after_us);
    publish_settings(s, config);
    s->config = config;
    return 0;
}

void server_lame(struct server *s)
{
    slot_set(&s->draining, s);
    health_leave(catalog_health(s->catalog));
    native_leave(s->native);
}

bool server_drain(struct server *s)
{
    server_lame(s);
    s->accepting = false;
    return httpd_drain(s->httpd, (uint32_t)(s->config->drain_timeout_us / 1000));
}

bool server_is_alive(struct server *s)
{
    return heartbeat_check(s->heartbeat);
}

/* Times of use that are still in memory. */
static void flush_keys(struct server *s)
{
    struct fail f = {0};

    if (s->ring && s->store && keyring_flush(s->ring, s->store, &f) < 0)
        log_warn(s->host.log, "last uses of keys were not written", KV_STR("error", f.message));
}

/* Same of agents. */
static void flush_agents(struct server *s)
{
    struct fail f = {0};

    if (s->registry && registry_flush_seen(s->registry, &f) < 0)
        log_warn(s->host.log, "when agents were last seen was not written",
                 KV_STR("error", f.message));
}

void server_free(struct server **server)
{
    struct server *s = *server;

    if (!s)
        return;
    *server = NULL;

    /* Without a drain before, what is under way is cut. */
    if (s->accepting)
        IGNORE(httpd_drain(s->httpd, 0));

    /* Whoever writes or posts answers stops before what it writes to. */
    if (s->scheduler)
        scheduler_stop(s->scheduler);
    if (s->workers)
        workers_stop(s->workers);
    flush_keys(s);
    flush_agents(s);
    store_close(&s->store);
    sinks_stop(&s->sinks, clock_mono_us(s->host.clock) + SINK_GRACE_US);
    spool_close(&s->spool);
    httpd_free(&s->httpd);
    heartbeat_free(&s->heartbeat);
    if (s->has_endpoints) {
        remove_file(s, SERVER_ENDPOINTS_FILE);
        remove_file(s, SERVER_ADMIN_SOCKET);
    }

    scheduler_free(&s->scheduler);
    housekeeping_free(&s->housekeeping);
    dispatch_free(&s->dispatch);
    if (s->catalog)
        catalog_done(s->catalog);
    router_free(&s->router);
    workers_free(&s->workers);
    limits_free(&s->limits);
    http_client_free(&s->client);
    tls_free(&s->tls);
    native_free(&s->native);
    storm_free(&s->sumologic.storm);
    room_free(&s->sumologic.room);
    inlets_free(&s->inlets);
    registry_free(&s->registry);
    keyring_free(&s->ring);
    data_watch_free(&s->watch);
    process_metrics_free(&s->process);
    metrics_free(&s->metrics);
    arena_free(&s->arena);
    free(s);
}
