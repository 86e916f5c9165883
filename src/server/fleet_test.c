/* SPDX-License-Identifier: Apache-2.0 */
/* Fleet Management over a real store and registry. The test is the loop: what a worker or the lane
 * posts waits for its turn, and their number tells which way a call went. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/fleet/fleet.h"
#include "api/host.h"
#include "base/folder_fixture.h"
#include "core/bootstrap.h"
#include "core/tenant.h"
#include "store/store_open.h"

#define NOW_US INT64_C(1767225600000000)

void __wrap_http_answer(struct http_x *x);
void __wrap_http_post(struct http_x *x, void (*fn)(struct http_x *x));

struct world {
    char dir[64];
    struct arena *arena;
    struct clock *clock;
    struct metrics *metrics;
    struct logger *logger;
    struct log log;
    struct store *store;
    struct master_key master;
    struct keyring *ring;
    struct registry *registry;
    struct workers *workers;
    struct agent_settings settings;
    struct slot slot;
    struct fleet_app app;
    struct api_host host;
    struct router *router;
    struct dispatch *dispatch;
    struct http_peer peer;
    uint64_t tenant;

    pthread_mutex_t lock; /* guards `posted` */
    pthread_cond_t arrived;
    struct http_x *posted;

    int posts; /* turns of the loop that the last call took after its first */
    int answers;
    int status;
    char body[65536];
};

static struct world w;

void __wrap_http_answer(struct http_x *x)
{
    (void)x;
    w.answers++;
}

void __wrap_http_post(struct http_x *x, void (*fn)(struct http_x *x))
{
    pthread_mutex_lock(&w.lock);
    x->on_posted = fn;
    w.posted = x;
    pthread_cond_signal(&w.arrived);
    pthread_mutex_unlock(&w.lock);
}

static void loop_turn(void)
{
    pthread_mutex_lock(&w.lock);
    while (!w.posted)
        pthread_cond_wait(&w.arrived, &w.lock);

    struct http_x *x = w.posted;

    w.posted = NULL;
    pthread_mutex_unlock(&w.lock);
    w.posts++;
    x->on_posted(x);
}

/* --- the server around it --- */

/* As the dialect, and the owner of what nobody owns. */
static int serve(struct fail *f)
{
    static const char *const root[] = {"/", NULL};
    struct dialect *all = arena_new_type(w.arena, struct dialect);
    struct rpc_table *table = arena_new_type(w.arena, struct rpc_table);
    struct route_table routes;

    w.app = (struct fleet_app){
        .registry = w.registry, .store = w.store, .clock = w.clock, .settings = &w.slot};
    slot_set(&w.slot, &w.settings);
    *table = *fleet_table(w.arena, &w.app);
    *all = fleet_dialect;
    all->prefixes = root;
    table->dialect = all;
    if (rpc_table_new(table, w.arena, &routes, f) < 0 || router_new(&routes, 1, &w.router, f) < 0)
        return -1;
    return dispatch_new(&w.host.rpc, w.router, &w.dispatch, f);
}

static void find_tenant(void)
{
    struct store_tx *tx;
    struct tenant t;
    struct fail f;

    assert_int_equal(store_read_open(w.store, w.arena, &tx, &f), 0);
    assert_int_equal(tenant_get(tx, STR(TENANT_DEFAULT), &t, &f), 0);
    store_read_close(&tx);
    w.tenant = t.id;
}

static int set_up(void **state)
{
    struct store_options o = {0};
    struct fail f = {0};
    bool created;

    (void)state;
    memset(&w, 0, sizeof(w));
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.arrived, NULL);
    snprintf(w.dir, sizeof(w.dir), "/tmp/muster-fleet-XXXXXX");
    if (!mkdtemp(w.dir))
        return -1;
    w.arena = arena_new(4096);
    w.clock = clock_new_manual(NOW_US, 1000000);
    w.metrics = metrics_new();
    w.logger = logger_new(STDERR_FILENO, LOGFORMAT_LOGFMT, LOGLEVEL_OFF, w.clock);
    w.log = (struct log){.out = w.logger};
    o.data_dir = w.dir;
    o.clock = w.clock;
    if (store_open(&o, &w.store, &f) < 0 ||
        bootstrap(w.store, w.clock, w.dir, &w.master, &created, &f) < 0)
        return -1;
    w.ring = keyring_new(w.clock, &w.master);
    w.registry = registry_new(&(struct registry_options){
        .store = w.store, .clock = w.clock, .log = &w.log, .metrics = w.metrics});
    w.workers = workers_new(1, 10, NULL);
    find_tenant();
    w.settings.local_max = 22;
    w.host = (struct api_host){
        .rpc = {.clock = w.clock, .log = w.log, .metrics = w.metrics, .workers = w.workers},
        .store = w.store,
        .keyring = w.ring,
        .registry = w.registry,
        .default_tenant = w.tenant,
    };
    api_host_init(&w.host);
    w.peer.admin_socket = true;
    if (serve(&f) < 0) {
        printf("%s\n", f.message);
        return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    workers_free(&w.workers);
    store_close(&w.store);
    dispatch_free(&w.dispatch);
    router_free(&w.router);
    registry_free(&w.registry);
    keyring_free(&w.ring);
    metrics_free(&w.metrics);
    logger_free(&w.logger);
    clock_free(&w.clock);
    arena_free(&w.arena);
    folder_remove(w.dir);
    pthread_cond_destroy(&w.arrived);
    pthread_mutex_destroy(&w.lock);
    return 0;
}

/* --- calls --- */

/* "collector.v1.CollectorService/GetConfig" with a JSON body, up to its answer. */
static void call(const char *method, struct str body)
{
    struct http_field type = {STR("content-type"), STR("application/json")};
    struct http_x x = {
        .arena = arena_new(4096),
        .service = dispatch_service(w.dispatch),
        .req =
            {
                .method = HTTP_POST,
                .method_text = STR("POST"),
                .version = 11,
                .fields = &type,
                .field_count = 1,
                .content_length = (int64_t)body.len,
                .started_us = clock_mono_us(w.clock),
                .peer = &w.peer,
            },
    };

    x.req.path = arena_printf(x.arena, "/%s", method);
    w.posts = w.answers = 0;
    x.service->head(&x);
    if (w.answers == 0) {
        x.req.body = body;
        x.service->ready(&x);
    }
    while (w.answers == 0)
        loop_turn();
    w.status = x.resp.status;
    assert_true(x.resp.body.len < sizeof(w.body));
    if (x.resp.body.len > 0)
        memcpy(w.body, x.resp.body.p, x.resp.body.len);
    w.body[x.resp.body.len] = '\0';
    x.service->sent(&x);
    arena_free(&x.arena);
}

#define COLLECTOR(method) "collector.v1.CollectorService/" method
#define PIPELINE(method)  "pipeline.v1.PipelineService/" method

static void ask(const char *method, const char *body)
{
    call(method, str_of(body));
    if (w.status != 200)
        fail_msg("%s: %d %s", method, w.status, w.body);
}

static void refused(const char *method, const char *body, int status, const char *part)
{
    call(method, str_of(body));
    if (w.status != status || !strstr(w.body, part))
        fail_msg("%s: %d %s", method, w.status, w.body);
}

/* Asks for the configuration with what the agent has, and takes over its hash. */
static void poll_with(char hash[65], const char *more)
{
    const char *at;

    ask(COLLECTOR("GetConfig"),
        arena_cstr(w.arena, arena_printf(w.arena,
                                         "{\"id\":\"a\",\"hash\":\"%s\","
                                         "\"localAttributes\":{\"env\":\"dev\"}%s}",
                                         hash, more)));
    at = strstr(w.body, "\"hash\":\"");
    assert_non_null(at);
    snprintf(hash, 65, "%.64s", at + 8);
}

/* An agent that has registered and taken its configuration. */
static void settle(char hash[65])
{
    ask(COLLECTOR("RegisterCollector"),
        "{\"id\":\"a\",\"name\":\"one\",\"localAttributes\":{\"env\":\"dev\"}}");
    hash[0] = '\0';
    poll_with(hash, "");
}

static struct agent stored(const char *id)
{
    struct agent agent = {0};
    struct store_tx *tx;
    struct fail f;

    assert_int_equal(store_read_open(w.store, w.arena, &tx, &f), 0);
    assert_int_equal(agent_get(tx, w.tenant, str_of(id), &agent, &f), 0);
    store_read_close(&tx);
    return agent;
}

static struct str stored_text(const struct text_ref *ref)
{
    struct str text = {NULL, 0};
    struct store_tx *tx;
    struct fail f;

    assert_int_equal(store_read_open(w.store, w.arena, &tx, &f), 0);
    assert_int_equal(agent_text(tx, w.tenant, ref, &text, &f), 0);
    store_read_close(&tx);
    return text;
}

/* Whatever changes leaves an event. */
static size_t events(void)
{
    struct event *rows;
    struct store_tx *tx;
    struct fail f;
    size_t count;

    assert_int_equal(store_read_open(w.store, w.arena, &tx, &f), 0);
    assert_int_equal(store_event_follow(tx, 0, 1000, &rows, &count, &f), 0);
    store_read_close(&tx);
    return count;
}

/* --- tests --- */

static void a_poll_without_news_is_answered_on_the_loop(void **state)
{
    char hash[65];
    size_t before;

    (void)state;
    settle(hash);
    before = events();
    poll_with(hash, "");
    assert_int_equal(w.posts, 0);
    assert_non_null(strstr(w.body, "\"notModified\":true"));
    assert_null(strstr(w.body, "content"));
    assert_int_equal(events(), before);
}

static void a_registration_without_news_ends_on_the_loop(void **state)
{
    char hash[65];
    size_t before;

    (void)state;
    settle(hash);
    before = events();
    ask(COLLECTOR("RegisterCollector"),
        "{\"id\":\"a\",\"name\":\"one\",\"attributes\":{\"env\":\"dev\"}}");
    assert_int_equal(w.posts, 0);
    assert_int_equal(events(), before);
    ask(COLLECTOR("RegisterCollector"),
        "{\"id\":\"a\",\"name\":\"two\",\"attributes\":{\"env\":\"dev\"}}");
    assert_int_equal(w.posts, 1);
    assert_int_equal(events(), before + 1);
}

static void a_status_is_stored_before_it_is_answered_and_once(void **state)
{
    static const char failed[] =
        ",\"remoteConfigStatus\":{\"status\":\"FAILED\",\"errorMessage\":\"boom\"}"
        ",\"effectiveConfig\":{\"configMap\":{\"configMap\":{\"\":{\"body\":\"eA==\"}}}}";
    struct agent agent;
    char hash[65];
    size_t before;

    (void)state;
    settle(hash);
    poll_with(hash, failed);
    agent = stored("a");
    assert_true(agent.has_status);
    assert_int_equal(agent.status, AGENT_STATUS_FAILED);
    assert_true(str_eq(stored_text(&agent.status_error), STR("boom")));
    assert_true(agent.effective_config.set);

    before = events();
    poll_with(hash, failed);
    assert_int_equal(events(), before);

    /* What is not said stays. */
    poll_with(hash, "");
    assert_int_equal(stored("a").status, AGENT_STATUS_FAILED);
    poll_with(hash, ",\"remoteConfigStatus\":{}");
    agent = stored("a");
    assert_int_equal(agent.status, AGENT_STATUS_UNSET);
    assert_false(agent.status_error.set);
    assert_true(agent.effective_config.set);
}

static void attributes_of_a_poll_count_for_its_answer_alone(void **state)
{
    char hash[65];

    (void)state;
    settle(hash);
    ask(PIPELINE("CreatePipeline"),
        "{\"pipeline\":{\"name\":\"p\",\"contents\":\"// mark\",\"matchers\":[\"env=prod\"]}}");
    ask(COLLECTOR("GetConfig"), "{\"id\":\"a\",\"localAttributes\":{\"env\":\"prod\"}}");
    assert_non_null(strstr(w.body, "mark"));
    assert_true(str_eq(stored("a").local.items[0].value, STR("dev")));
    ask(COLLECTOR("GetConfig"), "{\"id\":\"a\",\"localAttributes\":{\"env\":\"dev\"}}");
    assert_null(strstr(w.body, "mark"));
}

static void an_unknown_agent_is_registered_by_its_poll(void **state)
{
    struct agent agent;

    (void)state;
    ask(COLLECTOR("GetConfig"),
        "{\"id\":\"new\",\"attributes\":{\"env\":\"dev\"},\"remoteConfigStatus\":{}}");
    agent = stored("new");
    assert_true(agent.registered);
    assert_true(agent.enabled);
    assert_true(agent.has_status);
    assert_int_equal(agent.local.count, 1);
    assert_true(str_eq(agent.local.items[0].value, STR("dev")));
}

static void a_poll_ends_a_good_bye(void **state)
{
    char hash[65];

    (void)state;
    settle(hash);
    ask(COLLECTOR("UnregisterCollector"), "{\"id\":\"a\"}");
    assert_true(stored("a").inactive_us > 0);
    poll_with(hash, "");
    assert_int_equal(stored("a").inactive_us, 0);
}

static void what_is_too_large_to_be_kept_fails_no_poll(void **state)
{
    size_t len = 6u << 20;
    char *body = test_malloc(len + 1024);
    char hash[65];
    int n;

    (void)state;
    settle(hash);
    n = snprintf(body, 512,
                 "{\"id\":\"a\",\"localAttributes\":{\"env\":\"dev\"},\"effectiveConfig\":"
                 "{\"configMap\":{\"configMap\":{\"\":{\"body\":\"");
    memset(body + n, 'A', len);
    snprintf(body + (size_t)n + len, 64, "\"}}}}}");
    ask(COLLECTOR("GetConfig"), body);
    assert_false(stored("a").effective_config.set);

    n = snprintf(body, 512,
                 "{\"id\":\"a\",\"localAttributes\":{\"env\":\"dev\"},\"remoteConfigStatus\":"
                 "{\"status\":\"FAILED\",\"errorMessage\":\"");
    memset(body + n, 'A', 100000);
    snprintf(body + n + 100000, 64, "\"}}");
    ask(COLLECTOR("GetConfig"), body);

    const struct agent agent = stored("a");

    assert_int_equal(stored_text(&agent.status_error).len, 65536);
    test_free(body);
}

static void one_agent_too_many_is_served_but_not_kept(void **state)
{
    struct agent agent;
    char hash[65];

    (void)state;
    settle(hash);
    w.settings.collectors_max = 1;
    ask(COLLECTOR("GetConfig"), "{\"id\":\"b\"}");
    assert_false(
        agents_get(registry_realm(w.registry, w.tenant)->agents, w.arena, STR("b"), &agent));
    refused(COLLECTOR("RegisterCollector"), "{\"id\":\"b\"}", 429, "resource_exhausted");
    refused(COLLECTOR("CreateCollector"), "{\"collector\":{\"id\":\"b\"}}", 429,
            "resource_exhausted");
    poll_with(hash, ",\"remoteConfigStatus\":{\"status\":\"APPLIED\"}");
    assert_int_equal(stored("a").status, AGENT_STATUS_APPLIED);
}

static void one_large_list_is_made_at_a_time(void **state)
{
    char hash[65];

    (void)state;
    settle(hash);
    ask(COLLECTOR("RegisterCollector"), "{\"id\":\"b\",\"localAttributes\":{\"env\":\"prod\"}}");
    w.app.list_large = 2;
    assert_true(turn_take(&w.app.list_turn));
    refused(COLLECTOR("ListCollectors"), "{}", 503, "another list of 2 collectors or more");
    ask(COLLECTOR("ListCollectors"), "{\"matchers\":[\"env=prod\"]}");
    turn_give(&w.app.list_turn);
    for (int i = 0; i < 3; i++) { /* each gives its turn back */
        ask(COLLECTOR("ListCollectors"), "{}");
        assert_non_null(strstr(w.body, "\"b\""));
    }
}

static void a_bulk_update_is_all_or_nothing(void **state)
{
    char hash[65];
    size_t before;

    (void)state;
    settle(hash);
    ask(COLLECTOR("CreateCollector"),
        "{\"collector\":{\"id\":\"b\",\"remoteAttributes\":{\"k\":\"v\"}}}");
    before = events();
    refused(COLLECTOR("BulkUpdateCollectors"),
            "{\"ids\":[\"a\",\"b\",\"c\"],\"ops\":[{\"op\":\"ADD\",\"path\":"
            "\"/remote_attributes/x\",\"value\":\"y\"}]}",
            404, "\\\"c\\\"");
    refused(COLLECTOR("BulkUpdateCollectors"),
            "{\"ids\":[\"b\",\"a\"],\"ops\":[{\"op\":\"MOVE\",\"path\":"
            "\"/remote_attributes/x\",\"from\":\"/remote_attributes/k\"}]}",
            400, "failed_precondition");
    refused(COLLECTOR("BulkDeleteCollectors"), "{\"ids\":[\"a\",\"c\"]}", 404, "\\\"c\\\"");
    assert_int_equal(events(), before);
    assert_int_equal(stored("a").remote.count, 0);
    ask(COLLECTOR("BulkUpdateCollectors"),
        "{\"ids\":[\"b\",\"a\",\"b\"],\"ops\":[{\"op\":\"ADD\",\"path\":"
        "\"/remote_attributes/x\",\"value\":\"y\"}]}");
    assert_int_equal(stored("a").remote.count, 1);
    assert_int_equal(stored("b").remote.count, 2);
    assert_int_equal(events(), before + 2);
}

static void validation_stores_nothing(void **state)
{
    size_t before = events();

    (void)state;
    ask(PIPELINE("CreatePipeline"),
        "{\"validateOnly\":true,\"pipeline\":{\"name\":\"p\",\"contents\":\"// x\"}}");
    assert_null(strstr(w.body, "\"id\""));
    refused(PIPELINE("UpdatePipeline"),
            "{\"validateOnly\":true,\"pipeline\":{\"name\":\"p\",\"contents\":\"// x\"}}", 404,
            "\\\"p\\\"");
    refused(PIPELINE("CreatePipeline"),
            "{\"validateOnly\":true,\"pipeline\":{\"name\":\"p\",\"contents\":\"x {\"}}", 400,
            "contents");
    assert_int_equal(events(), before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_poll_without_news_is_answered_on_the_loop),
        TEST(a_registration_without_news_ends_on_the_loop),
        TEST(a_status_is_stored_before_it_is_answered_and_once),
        TEST(attributes_of_a_poll_count_for_its_answer_alone),
        TEST(an_unknown_agent_is_registered_by_its_poll),
        TEST(a_poll_ends_a_good_bye),
        TEST(what_is_too_large_to_be_kept_fails_no_poll),
        TEST(one_agent_too_many_is_served_but_not_kept),
        TEST(one_large_list_is_made_at_a_time),
        TEST(a_bulk_update_is_all_or_nothing),
        TEST(validation_stores_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
