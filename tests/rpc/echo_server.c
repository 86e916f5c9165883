/* SPDX-License-Identifier: Apache-2.0 */
/* A server around the RPC engine and nothing else: no store, no keyring. For envelope tests, gRPC
 * interop, benchmarks, and as the server under test of connectconformance (--conformance).
 *
 *   rpc_echo_server [--listen ADDRESS]... [--cert FILE --key FILE [--ca FILE]] [--loops N]
 *                   [--workers N] [--message-limit BYTES] [--gzip-min BYTES] [--conformance]
 *
 * Prints "ready ADDRESS ..." with the bound ports and serves until SIGTERM, SIGINT. Whoever comes
 * with "Authorization: Basic" and the password "secret" may do everything. */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/heap.h"
#include "codec/json_writer.h"
#include "echo_service.h"
#include "net/httpd.h"
#include "proto/connectrpc_conformance_v1_server_compat.pb.h"
#include "rpc/dispatch.h"
#include "rpc/health.h"
#include "rpc/openapi.h"
#include "rpc/protos.h"
#include "rpc/reflection.h"

#define LISTENERS_MAX 8
#define FRAME_MAX     ((size_t)1 << 20)
#define SERVICE_COUNT 6

struct options {
    const char *listeners[LISTENERS_MAX];
    size_t listener_count;
    struct tls_config tls;
    unsigned loops;
    size_t workers;
    size_t message_limit;
    size_t gzip_min;
    bool conformance;
};

struct world {
    struct options o;
    struct echo_app app;
    struct rpc_host host;
    struct logger *logger;
    struct log log;
    struct arena *arena;
    struct rpc_service services[SERVICE_COUNT];
    struct proto_pool *pool;
    struct health *health;
    struct reflection reflection;
    struct str openapi;
    struct router *router;
    struct dispatch *dispatch;
    struct tls *tls;
    struct httpd *httpd;
};

static NORETURN void die(const char *what)
{
    fprintf(stderr, "rpc_echo_server: %s\n", what);
    exit(1);
}

/* --- what the engine needs of a server --- */

static int authenticate(struct rpc_host *host, const struct credential *cr, struct arena *a,
                        struct caller *out, struct fail *f)
{
    (void)host;
    (void)a;
    if (cr->kind == CREDENTIAL_BASIC && str_eq(cr->secret, STR("secret"))) {
        *out = (struct caller){.tenant = 1,
                               .tenant_name = STR("test"),
                               .key_id = STR("key"),
                               .role = ROLE_ADMIN,
                               .scopes = role_scopes(ROLE_ADMIN)};
        return 0;
    }
    return fail_reason(f, CODE_UNAUTHENTICATED, "credential_unknown", "the credential is unknown");
}

struct write_work {
    struct work work;
    struct rpc_write *write;
};

/* A lane without a store: one job after the other on some worker. */
static void write_run(struct work *work)
{
    struct write_work *w = CONTAINER_OF(work, struct write_work, work);
    struct rpc_write *write = w->write;
    struct fail f = {0};
    int no_store;
    int rc = write->run(write, (struct store_tx *)(void *)&no_store, &f);

    write->done(write, rc, &f);
}

static int submit_write(struct rpc_host *host, struct rpc_write *write, struct fail *f)
{
    struct write_work *w = arena_new_type(write->arena, struct write_work);

    w->work.run = write_run;
    w->write = write;
    if (workers_submit(host->workers, &w->work) < 0)
        return fail_set(f, CODE_UNAVAILABLE, "too much to do");
    return 0;
}

static const struct rpc_host_ops host_ops = {
    .authenticate = authenticate,
    .submit_write = submit_write,
};

/* --- the dialect --- */

static void shape_error(struct call *c, const struct fail *f)
{
    struct json_writer w;

    if (!c->route) { /* clients of Connect take JSON for an error of their own protocol */
        c->content_type = STR("text/plain; charset=utf-8");
        buf_printf(&c->out, "%s\n", f->message);
        return;
    }
    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key_str(&w, STR("error"), str_of(code_name(f->code)));
    json_key_str(&w, STR("message"), str_of(f->message));
    if (f->field[0] != '\0')
        json_key_str(&w, STR("field"), str_of(f->field));
    json_obj_end(&w);
}

static const char *const prefixes[] = {"/", NULL};
static const struct dialect dialect = {
    .name = "test",
    .prefixes = prefixes,
    .content_type = STR_INIT("application/json"),
    .error = shape_error,
    .realm = "Test",
};

static const struct route proto_routes[] = {
    {.name = "protos.list",
     .path = "/protos",
     .verbs = GET_VERB,
     .flags = ROUTE_OPEN,
     .handler = protos_list},
    {.name = "protos.get",
     .path = "/protos/{rest:path}",
     .verbs = GET_VERB,
     .flags = ROUTE_OPEN,
     .handler = protos_get},
};
static const struct route openapi_routes[] = {
    {.name = "openapi",
     .path = "/openapi.json",
     .verbs = GET_VERB,
     .flags = ROUTE_OPEN,
     .handler = openapi_get},
};

static const struct protojson_flavor rest_json = {.proto_names = true, .ignore_unknown = true};

/* Canonical, and able to look into an Any. */
static const struct protojson_flavor *json_flavor(struct world *w)
{
    struct protojson_flavor *json = arena_new_type(w->arena, struct protojson_flavor);

    json->ignore_unknown = true;
    json->pool = w->pool;
    return json;
}

static void make_services(struct world *w)
{
    static const struct str listed[] = {
        STR_INIT("muster.test.v1.TestService"),
        STR_INIT("grpc.testing.TestService"),
        STR_INIT("connectrpc.conformance.v1.ConformanceService"),
        STR_INIT("grpc.health.v1.Health"),
    };
    const struct proto_file *files[SERVICE_COUNT];
    struct fail f;

    w->health = health_new(false);
    for (size_t i = 0; i < COUNTOF(listed); i++)
        health_set(w->health, listed[i], true);
    w->services[0] = echo_service;
    w->services[1] = interop_service;
    w->services[2] = conformance_service;
    w->services[3] = health_service(w->health);
    w->services[4] = reflection_v1_service(&w->reflection);
    w->services[5] = reflection_v1alpha_service(&w->reflection);
    for (size_t i = 0; i < SERVICE_COUNT; i++)
        files[i] = w->services[i].service->file;
    w->pool = proto_pool_new(w->arena, files, SERVICE_COUNT);
    w->reflection =
        (struct reflection){.pool = w->pool, .services = listed, .service_count = COUNTOF(listed)};
    if (reflection_check(&w->reflection, &f) < 0)
        die(f.message);
}

static void make_openapi(struct world *w, const struct rpc_table *table)
{
    const struct openapi_info info = {"Muster's test services", MUSTER_VERSION};
    struct buf out;
    struct fail f;

    buf_init_arena(&out, w->arena, (size_t)4 << 20);
    if (openapi_write(&info, &table, 1, &out, &f) < 0)
        die(f.message);
    w->openapi = buf_str(&out);
}

static void open_engine(struct world *w)
{
    struct rpc_table *table = arena_new_type(w->arena, struct rpc_table);
    struct route_table tables[3] = {0};
    struct fail f;

    make_services(w);
    *table = (struct rpc_table){
        .dialect = &dialect,
        .services = w->services,
        .service_count = SERVICE_COUNT,
        .style =
            {
                .json = json_flavor(w),
                .rest_json = &rest_json,
                .request_limit = w->o.message_limit,
                .response_limit = (size_t)64 << 20,
            },
        .app = &w->app,
    };
    make_openapi(w, table);
    tables[1] = (struct route_table){.dialect = &dialect,
                                     .routes = proto_routes,
                                     .count = COUNTOF(proto_routes),
                                     .app = (void *)(uintptr_t)w->pool};
    tables[2] = (struct route_table){.dialect = &dialect,
                                     .routes = openapi_routes,
                                     .count = COUNTOF(openapi_routes),
                                     .app = &w->openapi};
    if (rpc_table_new(table, w->arena, &tables[0], &f) < 0 ||
        router_new(tables, COUNTOF(tables), &w->router, &f) < 0)
        die(f.message);
    w->host = (struct rpc_host){
        .ops = &host_ops,
        .clock = w->app.clock,
        .log = w->log,
        .metrics = metrics_new(),
        .workers = workers_new(w->o.workers, 10000, w->logger),
        .gzip_min_bytes = w->o.gzip_min,
    };
    if (dispatch_new(&w->host, w->router, &w->dispatch, &f) < 0)
        die(f.message);
}

static void open_httpd(struct world *w)
{
    struct httpd_config config = {
        .service = dispatch_service(w->dispatch),
        .clock = w->app.clock,
        .log = &w->log,
        .metrics = w->host.metrics,
        .listeners = w->o.listeners,
        .listener_count = w->o.listener_count,
        .loops = w->o.loops,
    };
    struct fail f;

    if (w->o.tls.cert_file && tls_new(&w->o.tls, &w->tls, &f) < 0)
        die(f.message);
    config.tls = w->tls;
    http_limits_default(&config.limits);
    config.limits.request_line_bytes = 1 << 20; /* GETs with large messages */
    config.limits.header_bytes = (1 << 20) + 65536;
    if (httpd_new(&config, &w->httpd, &f) < 0 || httpd_start(w->httpd, &f) < 0)
        die(f.message);
}

/* --- connectconformance --- */

static void read_all(uint8_t *out, size_t len)
{
    if (fread(out, 1, len, stdin) != len)
        die("standard input ended early");
}

static const char *write_file(struct arena *a, const char *dir, const char *name, struct str bytes)
{
    const char *path = arena_cstr(a, arena_printf(a, "%s/%s", dir, name));
    FILE *file = fopen(path, "wx");

    if (!file || fwrite(bytes.p, 1, bytes.len, file) != bytes.len || fclose(file) != 0)
        die("cannot write a certificate");
    return path;
}

static void read_request(struct world *w, struct connectrpc_conformance_v1_server_compat_request *q)
{
    uint8_t head[4];
    size_t len;
    uint8_t *body;
    struct fail f;

    read_all(head, sizeof(head));
    len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (len > FRAME_MAX)
        die("the request on standard input is too large");
    body = arena_alloc(w->arena, len + 1);
    read_all(body, len);
    if (proto_decode(&connectrpc_conformance_v1_server_compat_request_desc, w->arena,
                     str_make(body, len), NULL, q, &f) < 0)
        die(f.message);
}

static void take_request(struct world *w, struct connectrpc_conformance_v1_server_compat_request *q)
{
    char *dir = arena_cstr(w->arena, STR("/tmp/rpc_echo_server.XXXXXX"));

    read_request(w, q);
    w->o.listeners[0] = q->use_tls ? "tls://127.0.0.1:0" : "127.0.0.1:0";
    w->o.listener_count = 1;
    w->o.gzip_min = 1;
    if (q->message_receive_limit > 0)
        w->o.message_limit = q->message_receive_limit;
    if (!q->use_tls)
        return;
    if (!mkdtemp(dir) || !q->server_creds)
        die("there are no credentials to serve with");
    w->o.tls.cert_file = write_file(w->arena, dir, "cert.pem", q->server_creds->cert);
    w->o.tls.key_file = write_file(w->arena, dir, "key.pem", q->server_creds->key);
    if (q->client_tls_cert.len > 0) {
        w->o.tls.ca_file = write_file(w->arena, dir, "ca.pem", q->client_tls_cert);
        w->o.tls.client_cert = TLS_CLIENT_CERT_REQUIRED;
    }
}

/* TLS has read them. */
static void drop_files(const struct world *w)
{
    const char *const files[] = {w->o.tls.cert_file, w->o.tls.key_file, w->o.tls.ca_file};

    if (!w->o.conformance || !w->o.tls.cert_file)
        return;
    for (size_t i = 0; i < COUNTOF(files); i++)
        if (files[i])
            unlink(files[i]);

    char *dir = arena_cstr(w->arena, str_of(w->o.tls.cert_file));

    *strrchr(dir, '/') = '\0';
    rmdir(dir);
}

static void send_response(struct world *w,
                          const struct connectrpc_conformance_v1_server_compat_request *q)
{
    struct connectrpc_conformance_v1_server_compat_response r = {
        .host = STR("127.0.0.1"),
        .port = httpd_port(w->httpd, 0),
    };
    struct buf out;
    uint8_t head[4];

    if (q->use_tls)
        r.pem_cert = q->server_creds->cert;
    buf_init(&out, FRAME_MAX);
    if (proto_encode(&connectrpc_conformance_v1_server_compat_response_desc, &r, &out) < 0)
        die("cannot write the response");
    for (int i = 0; i < 4; i++)
        head[i] = (uint8_t)(out.len >> (24 - 8 * i));
    fwrite(head, 1, sizeof(head), stdout);
    fwrite(out.data, 1, out.len, stdout);
    fflush(stdout);
    buf_done(&out);
}

/* --- main --- */

static void options_read(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {
        {"listen", required_argument, NULL, 'l'},        {"cert", required_argument, NULL, 'c'},
        {"key", required_argument, NULL, 'k'},           {"ca", required_argument, NULL, 'a'},
        {"loops", required_argument, NULL, 'o'},         {"workers", required_argument, NULL, 'w'},
        {"message-limit", required_argument, NULL, 'm'}, {"gzip-min", required_argument, NULL, 'g'},
        {"conformance", no_argument, NULL, 'C'},         {NULL, 0, NULL, 0},
    };
    uint64_t n = 0;
    int c;

    *o = (struct options){
        .loops = 1, .workers = 8, .message_limit = (size_t)16 << 20, .gzip_min = 1024};
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (strchr("owmg", c) && str_to_u64(str_of(optarg), &n) < 0)
            die("that is no number");
        switch (c) {
        case 'l':
            if (o->listener_count == LISTENERS_MAX)
                die("too many listeners");
            o->listeners[o->listener_count++] = optarg;
            break;
        case 'c': o->tls.cert_file = optarg; break;
        case 'k': o->tls.key_file = optarg; break;
        case 'a':
            o->tls.ca_file = optarg;
            o->tls.client_cert = TLS_CLIENT_CERT_OPTIONAL;
            break;
        case 'o': o->loops = (unsigned)n; break;
        case 'w': o->workers = n; break;
        case 'm': o->message_limit = n; break;
        case 'g': o->gzip_min = n; break;
        case 'C': o->conformance = true; break;
        default: exit(2);
        }
    }
    if (o->listener_count == 0)
        o->listeners[o->listener_count++] = "127.0.0.1:0";
}

static void say_ready(const struct world *w)
{
    printf("ready");
    for (size_t i = 0; i < w->o.listener_count; i++)
        printf(" %s", httpd_listener(w->httpd, i));
    printf("\n");
    fflush(stdout);
}

static void close_all(struct world *w)
{
    health_leave(w->health);
    IGNORE(httpd_drain(w->httpd, 0));
    workers_stop(w->host.workers);
    httpd_free(&w->httpd);
    dispatch_free(&w->dispatch);
    router_free(&w->router);
    health_free(&w->health);
    workers_free(&w->host.workers);
    tls_free(&w->tls);
    metrics_free(&w->host.metrics);
    logger_free(&w->logger);
    clock_free(&w->app.clock);
    arena_free(&w->arena);
}

int main(int argc, char **argv)
{
    struct world w = {0};
    struct connectrpc_conformance_v1_server_compat_request q = {0};
    sigset_t stop;
    int signal_number;

    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);

    options_read(argc, argv, &w.o);
    w.arena = arena_new(65536);
    if (w.o.conformance)
        take_request(&w, &q);
    w.app.clock = clock_new_real();
    w.logger = logger_new(2, LOGFORMAT_LOGFMT, LOGLEVEL_WARN, w.app.clock);
    w.log = (struct log){.out = w.logger};
    open_engine(&w);
    open_httpd(&w);
    drop_files(&w);
    if (w.o.conformance)
        send_response(&w, &q);
    else
        say_ready(&w);
    sigwait(&stop, &signal_number);
    close_all(&w);
    return 0;
}
