/* SPDX-License-Identifier: Apache-2.0 */
/* The admin face from a request's head to its answer, through dispatch, over a core that is faked
 * here: what the face asks of it is recorded, what it answers is set by the test. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/admin/admin_internal.h"
#include "core/event.h"
#include "rpc/dispatch.h"

void __wrap_http_answer(struct http_x *x);
void __wrap_http_post(struct http_x *x, void (*fn)(struct http_x *x));

#define NOW_US INT64_C(1700000000000000)

struct world {
    struct admin_app app;
    struct rpc_host host;
    struct router *router;
    struct dispatch *dispatch;
    struct http_peer peer;
    struct caller caller; /* who every credential belongs to */
    char dir[32];

    pthread_mutex_t lock; /* guards the two below */
    pthread_cond_t arrived;
    struct http_x *posted;

    /* The fake core. */
    uint64_t asked_tenant;
    uint64_t forgotten_tenant;
    struct key_new asked_key;
    struct str asked_after;
    size_t asked_limit;
    int calls;
    int open_reads;
    size_t rows;
    struct fail core_fail; /* CODE_OK: core succeeds */
    struct admin_findings findings;
    bool probe_fails;
    bool advice_fails;
    int64_t check_us; /* how long a check takes */
};

static struct world world; /* one a test; the fakes have no other way to reach it */

/* --- a fake core and store --- */

int64_t store_tx_now(const struct store_tx *tx)
{
    (void)tx;
    return NOW_US;
}

int store_read_open(struct store *s, struct arena *a, struct store_tx **out, struct fail *f)
{
    (void)s;
    (void)a;
    (void)f;
    world.open_reads++;
    *out = (struct store_tx *)&world;
    return 0;
}

void store_read_close(struct store_tx **tx)
{
    world.open_reads--;
    *tx = NULL;
}

static int outcome(struct fail *f)
{
    world.calls++;
    if (world.core_fail.code == CODE_OK)
        return 0;
    *f = world.core_fail;
    return -1;
}

int tenant_get(struct store_tx *tx, struct str name, struct tenant *out, struct fail *f)
{
    (void)tx;
    *out = (struct tenant){.id = 42, .name = name, .created_us = NOW_US};
    return outcome(f);
}

int tenant_create(struct store_tx *tx, const struct caller *by, struct str name, struct tenant *out,
                  struct fail *f)
{
    (void)tx;
    assert_non_null(by);
    *out = (struct tenant){.id = 43, .name = name, .created_us = NOW_US};
    return outcome(f);
}

int tenant_list(struct store_tx *tx, uint64_t after, size_t limit, struct tenant **out,
                size_t *count, struct fail *f)
{
    static struct tenant rows[] = {{5, STR_INIT("a"), NOW_US}, {6, STR_INIT("b"), NOW_US}};

    (void)tx;
    world.asked_tenant = after;
    world.asked_limit = limit;
    *out = rows;
    *count = MIN(limit, COUNTOF(rows));
    return outcome(f);
}

int tenant_delete(struct store_tx *tx, const struct caller *by, struct str name,
                  struct keyring *ring, struct fail *f)
{
    (void)tx;
    (void)by;
    (void)name;
    (void)ring;
    return outcome(f);
}

void registry_tenant_created(struct registry *r, struct store_tx *tx, uint64_t tenant)
{
    (void)r;
    (void)tx;
    (void)tenant;
}

void registry_tenant_deleted(struct registry *r, struct store_tx *tx, uint64_t tenant)
{
    (void)r;
    assert_non_null(tx);
    world.forgotten_tenant = tenant;
}

uint32_t key_role_scopes(enum role role, struct str tenant_name)
{
    bool is_default = str_eq(tenant_name, STR(TENANT_DEFAULT));

    return role_scopes(role) & (is_default ? UINT32_MAX : ~SCOPES_OPERATOR);
}

uint32_t key_effective_scopes(const struct key *k, struct str tenant_name)
{
    return k->scopes ? k->scopes : key_role_scopes(k->role, tenant_name);
}

static struct key a_key(uint64_t tenant, struct str id)
{
    return (struct key){
        .tenant = tenant, .id = id, .role = ROLE_AGENT, .label = STR("edge"), .created_us = NOW_US};
}

int key_create(struct store_tx *tx, const struct caller *by, const struct master_key *m,
               const struct key_new *want, struct keyring *ring, struct key_secret *secret,
               struct key *out, struct fail *f)
{
    (void)tx;
    (void)by;
    (void)m;
    (void)ring;
    world.asked_tenant = want->tenant;
    world.asked_key = *want;
    *secret = (struct key_secret){STR("k9"), STR("hush"), STR("mst_k9_hush")};
    *out = a_key(want->tenant, STR("k9"));
    return outcome(f);
}

int key_get(struct store_tx *tx, uint64_t tenant, struct str id, struct key *out, struct fail *f)
{
    (void)tx;
    world.asked_tenant = tenant;
    *out = a_key(tenant, id);
    return outcome(f);
}

int key_list(struct store_tx *tx, uint64_t tenant, struct str after, size_t limit, struct key **out,
             size_t *count, struct fail *f)
{
    static struct key rows[2];

    (void)tx;
    rows[0] = a_key(tenant, STR("k1"));
    rows[1] = a_key(tenant, STR("k2"));
    world.asked_tenant = tenant;
    world.asked_after = after;
    world.asked_limit = limit;
    *out = rows;
    *count = MIN(limit, COUNTOF(rows));
    return outcome(f);
}

int key_revoke(struct store_tx *tx, const struct caller *by, uint64_t tenant, struct str id,
               struct keyring *ring, struct key *out, struct fail *f)
{
    (void)tx;
    (void)by;
    (void)ring;
    world.asked_tenant = tenant;
    *out = a_key(tenant, id);
    out->revoked_us = NOW_US;
    return outcome(f);
}

int event_list(struct store_tx *tx, uint64_t tenant, int64_t after_seq, size_t limit,
               struct event **out, size_t *count, struct fail *f)
{
    static struct event row;

    (void)tx;
    (void)limit;
    world.asked_tenant = tenant;
    row = (struct event){.seq = after_seq + 3,
                         .tenant = tenant,
                         .kind = STR("key.created"),
                         .subject = STR("k1"),
                         .at_us = NOW_US,
                         .data = STR("{\"label\":\"x\"}")};
    *out = &row;
    *count = world.rows;
    return outcome(f);
}

/* --- a fake server --- */

static int fake_authenticate(struct rpc_host *host, const struct credential *cr, struct arena *a,
                             struct caller *out, struct fail *f)
{
    (void)host;
    (void)cr;
    (void)a;
    (void)f;
    *out = world.caller;
    return 0;
}

/* The lane at once, with a commit that succeeds. */
static int fake_submit(struct rpc_host *host, struct rpc_write *w, struct fail *f)
{
    struct fail why = {0};

    (void)host;
    (void)f;
    w->done(w, w->run(w, (struct store_tx *)&world, &why), &why);
    return 0;
}

static const struct rpc_host_ops fake_ops = {.authenticate = fake_authenticate,
                                             .submit_write = fake_submit};

static int fake_backup(void *arg, const char *path, struct fail *f)
{
    FILE *file = fopen(path, "w");

    (void)arg;
    if (!file)
        return fail_set(f, CODE_INTERNAL, "cannot write %s", path);
    fputs("SQLite format 3", file);
    fclose(file);
    return outcome(f);
}

static int fake_check(void *arg, struct arena *a, struct admin_findings *out, struct fail *f)
{
    (void)arg;
    (void)a;
    clock_advance(world.host.clock, world.check_us);
    *out = world.findings;
    return outcome(f);
}

static int fake_probe(void *arg, struct fail *f)
{
    (void)arg;
    return world.probe_fails ? fail_set(f, CODE_UNAVAILABLE, "disk full") : 0;
}

static int fake_advice(void *arg, struct fail *f)
{
    (void)arg;
    return world.advice_fails ? fail_set(f, CODE_UNAVAILABLE, "look here") : 0;
}

static const struct admin_probe probes[] = {
    {.name = "store", .check = fake_probe},
    {.name = "spool", .advice = true, .check = fake_advice},
};

static void become(const char *tenant, enum role role, uint32_t scopes)
{
    world.caller = (struct caller){
        .tenant = strcmp(tenant, "default") == 0 ? 1 : 7,
        .tenant_name = str_of(tenant),
        .key_id = STR("me"),
        .role = role,
        .scopes = scopes ? scopes : role_scopes(role),
    };
}

static int setup(void **state)
{
    struct fail f = {0};

    (void)state;
    memset(&world, 0, sizeof(world));
    pthread_mutex_init(&world.lock, NULL);
    pthread_cond_init(&world.arrived, NULL);
    snprintf(world.dir, sizeof(world.dir), "/tmp/admin_test_XXXXXX");
    if (!mkdtemp(world.dir))
        return -1;
    world.host = (struct rpc_host){
        .ops = &fake_ops,
        .clock = clock_new_manual(NOW_US, 1000000),
        .metrics = metrics_new(),
        .workers = workers_new(1, 10, NULL),
    };
    world.host.log.out = logger_new(-1, LOGFORMAT_JSON, LOGLEVEL_OFF, world.host.clock);
    world.app = (struct admin_app){
        .clock = world.host.clock,
        .metrics = world.host.metrics,
        .data_dir = world.dir,
        .probes = probes,
        .probe_count = COUNTOF(probes),
        .backup = fake_backup,
        .check = fake_check,
    };
    snprintf(world.peer.address, sizeof(world.peer.address), "192.0.2.1");
    become("acme", ROLE_ADMIN, 0);

    struct route_table table = admin_table(&world.app);

    if (router_new(&table, 1, &world.router, &f) < 0 ||
        dispatch_new(&world.host, world.router, &world.dispatch, &f) < 0) {
        printf("%s\n", f.message);
        return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    workers_free(&world.host.workers);
    dispatch_free(&world.dispatch);
    router_free(&world.router);
    metrics_free(&world.host.metrics);
    logger_free(&world.host.log.out);
    clock_free(&world.host.clock);
    admin_sweep(world.dir);
    return rmdir(world.dir);
}

/* --- requests --- */

struct request {
    struct http_x x;
    struct http_field fields[4];
    bool answered;
};

void __wrap_http_answer(struct http_x *x)
{
    CONTAINER_OF(x, struct request, x)->answered = true;
}

void __wrap_http_post(struct http_x *x, void (*fn)(struct http_x *x))
{
    pthread_mutex_lock(&world.lock);
    x->on_posted = fn;
    world.posted = x;
    pthread_cond_signal(&world.arrived);
    pthread_mutex_unlock(&world.lock);
}

static void loop_turn(void)
{
    pthread_mutex_lock(&world.lock);
    while (!world.posted)
        pthread_cond_wait(&world.arrived, &world.lock);

    struct http_x *x = world.posted;

    world.posted = NULL;
    pthread_mutex_unlock(&world.lock);
    x->on_posted(x);
}

static struct request *ask_as(enum http_method method, const char *target, const char *body,
                              bool credential)
{
    struct request *r = calloc(1, sizeof(*r));

    assert_non_null(r);

    struct str rest = str_of(target);

    r->x.arena = arena_new(4096);
    r->x.service = dispatch_service(world.dispatch);
    r->x.req = (struct http_req){
        .method = method,
        .method_text = str_of(http_method_name(method)),
        .path = str_cut(&rest, '?'),
        .version = 11,
        .fields = r->fields,
        .content_length = body ? (int64_t)strlen(body) : -1,
        .peer = &world.peer,
    };
    r->x.req.query = rest;
    r->fields[r->x.req.field_count++] = (struct http_field){STR("x-request-id"), STR("rid")};
    if (credential)
        r->fields[r->x.req.field_count++] = (struct http_field){STR("token"), STR("t")};
    if (body)
        r->fields[r->x.req.field_count++] =
            (struct http_field){STR("content-type"), STR("application/json")};
    r->x.service->head(&r->x);
    if (!r->answered) {
        r->x.req.body = str_of(body);
        r->x.service->ready(&r->x);
        if (!r->answered)
            loop_turn();
    }
    assert_true(r->answered);
    assert_int_equal(world.open_reads, 0);
    return r;
}

static struct request *ask(enum http_method method, const char *target, const char *body)
{
    return ask_as(method, target, body, true);
}

static struct str answer_field(const struct request *r, const char *name)
{
    for (size_t i = 0; i < r->x.resp.field_count; i++)
        if (str_eq(r->x.resp.fields[i].name, str_of(name)))
            return r->x.resp.fields[i].value;
    return (struct str){NULL, 0};
}

static void finish(struct request *r)
{
    if (r->x.resp.source)
        r->x.resp.source->ops->close(r->x.resp.source);
    r->x.service->sent(&r->x);
    arena_free(&r->x.arena);
    free(r);
}

static void assert_str(struct str got, const char *expected)
{
    if (!str_eq(got, str_of(expected)))
        fail_msg("got '%.*s', expected '%s'", STR_ARG(got), expected);
}

static void expect(struct request *r, int status, const char *body)
{
    if (r->x.resp.status != status)
        fail_msg("status %d: %.*s", r->x.resp.status, STR_ARG(r->x.resp.body));
    assert_str(r->x.resp.body, body);
    finish(r);
}

/* --- tests --- */

static void whoami_tells_tenant_key_and_role(void **state)
{
    (void)state;
    expect(ask(HTTP_GET, "/admin/v1/whoami", NULL), 200,
           "{\"tenant\":\"acme\",\"key\":\"me\",\"role\":\"admin\"}");
    expect(ask_as(HTTP_GET, "/admin/v1/whoami", NULL, false), 401,
           "{\"error\":{\"code\":\"unauthenticated\",\"reason\":\"credential_missing\","
           "\"message\":\"a credential is needed\",\"request_id\":\"rid\"}}");
}

static void errors_name_code_reason_field_and_request(void **state)
{
    (void)state;
    expect(ask(HTTP_GET, "/nothing", NULL), 404,
           "{\"error\":{\"code\":\"not_found\",\"reason\":\"no_such_path\","
           "\"message\":\"there is no such path\",\"request_id\":\"rid\"}}");
    expect(ask(HTTP_POST, "/admin/v1/keys", "{\"lable\":1}"), 400,
           "{\"error\":{\"code\":\"invalid_argument\",\"reason\":\"unknown_member\","
           "\"message\":\"unknown member \\\"lable\\\"\",\"field\":\"lable\","
           "\"request_id\":\"rid\"}}");
}

#define KEY_TAIL                                                                                   \
    "\"label\":\"edge\",\"role\":\"agent\",\"scopes\":[\"agent\"],"                                \
    "\"created\":\"2023-11-14T22:13:20.000Z\",\"expires\":null,\"last_used\":null,"

static void a_created_key_shows_its_secret_once(void **state)
{
    struct request *r = ask(HTTP_POST, "/admin/v1/keys",
                            "{\"label\":\"edge\",\"role\":\"agent\",\"expires\":\"1h\"}");

    (void)state;
    assert_int_equal(world.asked_tenant, 7);
    assert_int_equal(world.asked_key.role, ROLE_AGENT);
    assert_int_equal(world.asked_key.expires_us, NOW_US + INT64_C(3600000000));
    assert_str(answer_field(r, "location"), "/admin/v1/keys/k9");
    assert_str(answer_field(r, "cache-control"), "no-store");
    expect(
        r, 201,
        "{\"tenant\":\"acme\",\"id\":\"k9\",\"secret\":\"hush\",\"token\":\"mst_k9_hush\"," KEY_TAIL
        "\"revoked\":null}");
    expect(ask(HTTP_GET, "/admin/v1/keys/k9", NULL), 200,
           "{\"tenant\":\"acme\",\"id\":\"k9\"," KEY_TAIL "\"revoked\":null}");
    expect(ask(HTTP_DELETE, "/admin/v1/keys/k9", NULL), 200,
           "{\"tenant\":\"acme\",\"id\":\"k9\"," KEY_TAIL
           "\"revoked\":\"2023-11-14T22:13:20.000Z\"}");
}

static void denied(enum http_method method, const char *target, const char *body,
                   const char *reason)
{
    int calls = world.calls;
    struct request *r = ask(method, target, body);
    char text[64];

    snprintf(text, sizeof(text), "\"reason\":\"%s\"", reason);
    if (r->x.resp.status != 403 ||
        !memmem(r->x.resp.body.p, r->x.resp.body.len, text, strlen(text)))
        fail_msg("%s: %d %.*s", target, r->x.resp.status, STR_ARG(r->x.resp.body));
    assert_int_equal(world.calls, calls); /* core was not even asked */
    finish(r);
}

static void an_admin_of_a_tenant_reaches_no_other_tenant(void **state)
{
    (void)state;
    denied(HTTP_GET, "/admin/v1/keys?tenant=other", NULL, "not_operator");
    denied(HTTP_GET, "/admin/v1/keys/k1?tenant=other", NULL, "not_operator");
    denied(HTTP_DELETE, "/admin/v1/keys/k1?tenant=other", NULL, "not_operator");
    denied(HTTP_POST, "/admin/v1/keys", "{\"tenant\":\"other\"}", "not_operator");
    denied(HTTP_GET, "/admin/v1/events?tenant=other", NULL, "not_operator");
    denied(HTTP_POST, "/admin/v1/tenants", "{\"name\":\"x\"}", "not_operator");
    denied(HTTP_GET, "/admin/v1/tenants", NULL, "not_operator");
    denied(HTTP_GET, "/admin/v1/tenants/x", NULL, "not_operator");
    denied(HTTP_DELETE, "/admin/v1/tenants/x", NULL, "not_operator");
    denied(HTTP_GET, "/admin/v1/backup", NULL, "not_operator");
    denied(HTTP_POST, "/admin/v1/check", NULL, "not_operator");
}

static void a_role_below_admin_is_refused_by_scope(void **state)
{
    (void)state;
    become("default", ROLE_EDITOR, 0);
    denied(HTTP_GET, "/admin/v1/keys", NULL, "scope_missing");
    denied(HTTP_POST, "/admin/v1/keys", "{}", "scope_missing");
    denied(HTTP_GET, "/admin/v1/tenants", NULL, "scope_missing");
    denied(HTTP_GET, "/admin/v1/backup", NULL, "scope_missing");
    become("default", ROLE_ADMIN, SCOPE_KEYS_READ);
    denied(HTTP_GET, "/admin/v1/keys?tenant=other", NULL, "scope_missing");
}

static void an_operator_reaches_every_tenant(void **state)
{
    (void)state;
    become("default", ROLE_ADMIN, 0);
    expect(ask(HTTP_GET, "/admin/v1/keys/k1?tenant=other", NULL), 200,
           "{\"tenant\":\"other\",\"id\":\"k1\"," KEY_TAIL "\"revoked\":null}");
    assert_int_equal(world.asked_tenant, 42);
    finish(ask(HTTP_POST, "/admin/v1/keys", "{\"tenant\":\"other\"}"));
    assert_int_equal(world.asked_tenant, 42);
    assert_str(world.asked_key.tenant_name, "other");
}

static void nobody_grants_more_than_he_has(void **state)
{
    (void)state;
    become("acme", ROLE_ADMIN, SCOPE_KEYS_WRITE | SCOPE_AGENT);
    denied(HTTP_POST, "/admin/v1/keys", "{\"role\":\"admin\"}", "scopes_exceed");
    denied(HTTP_POST, "/admin/v1/keys", "{}", "scopes_exceed");
    denied(HTTP_POST, "/admin/v1/keys", "{\"role\":\"admin\",\"scopes\":[\"keys:read\"]}",
           "scopes_exceed");

    struct request *r = ask(HTTP_POST, "/admin/v1/keys", "{\"role\":\"agent\"}");

    assert_int_equal(r->x.resp.status, 201);
    finish(r);
}

static void an_admin_of_a_tenant_makes_another_admin_of_it(void **state)
{
    struct request *r;

    (void)state;
    become("acme", ROLE_ADMIN, role_scopes(ROLE_ADMIN) & ~SCOPES_OPERATOR);
    r = ask(HTTP_POST, "/admin/v1/keys", "{\"role\":\"admin\"}");
    assert_int_equal(r->x.resp.status, 201);
    finish(r);
    denied(HTTP_POST, "/admin/v1/keys", "{\"role\":\"admin\",\"scopes\":[\"server\"]}",
           "scopes_exceed");
}

static void lists_come_in_pages(void **state)
{
    struct request *r = ask(HTTP_GET, "/admin/v1/keys?limit=2&page_token=k0", NULL);

    (void)state;
    assert_str(world.asked_after, "k0");
    assert_int_equal(world.asked_limit, 2);
    assert_non_null(memmem(r->x.resp.body.p, r->x.resp.body.len, "\"next_page_token\":\"k2\"", 22));
    finish(r);
    r = ask(HTTP_GET, "/admin/v1/keys", NULL);
    assert_int_equal(world.asked_limit, 100);
    assert_null(memmem(r->x.resp.body.p, r->x.resp.body.len, "next_page_token", 15));
    finish(r);

    become("default", ROLE_ADMIN, 0);
    expect(ask(HTTP_GET, "/admin/v1/tenants?limit=1&page_token=4", NULL), 200,
           "{\"tenants\":[{\"name\":\"a\",\"id\":5,\"created\":\"2023-11-14T22:13:20.000Z\"}],"
           "\"next_page_token\":\"5\"}");
    assert_int_equal(world.asked_tenant, 4);
}

static void bad_queries_are_named(void **state)
{
    static const struct {
        const char *target, *field;
    } rows[] = {
        {"/admin/v1/keys?tenat=x", "tenat"},
        {"/admin/v1/keys?limit=0", "limit"},
        {"/admin/v1/keys?limit=1001", "limit"},
        {"/admin/v1/keys?limit=ten", "limit"},
        {"/admin/v1/keys?limit=", "limit"},
        {"/admin/v1/keys?limit=1&limit=2", "limit"},
        {"/admin/v1/keys?page_token=0123456789012345678901234", "page_token"},
        {"/admin/v1/tenants?page_token=x", "page_token"},
        {"/admin/v1/tenants?page_token=9223372036854775808", "page_token"},
        {"/admin/v1/events?after=-1", "after"},
        {"/admin/v1/events?after=x", "after"},
        {"/admin/v1/keys/k1?limit=1", "limit"},
        {"/admin/v1/backup?x", "x"},
    };

    (void)state;
    become("default", ROLE_ADMIN, 0);
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct request *r = ask(HTTP_GET, rows[i].target, NULL);
        char text[64];

        snprintf(text, sizeof(text), "\"field\":\"%s\"", rows[i].field);
        if (r->x.resp.status != 400 ||
            !memmem(r->x.resp.body.p, r->x.resp.body.len, text, strlen(text)))
            fail_msg("%s: %d %.*s", rows[i].target, r->x.resp.status, STR_ARG(r->x.resp.body));
        finish(r);
    }
    assert_int_equal(world.calls, 0);
}

static void tenants_are_made_shown_and_deleted(void **state)
{
    (void)state;
    become("default", ROLE_ADMIN, 0);

    struct request *r = ask(HTTP_POST, "/admin/v1/tenants", "{\"name\":\"new\"}");

    assert_str(answer_field(r, "location"), "/admin/v1/tenants/new");
    expect(r, 201, "{\"name\":\"new\",\"id\":43,\"created\":\"2023-11-14T22:13:20.000Z\"}");
    expect(ask(HTTP_GET, "/admin/v1/tenants/x%2Fy", NULL), 200,
           "{\"name\":\"x/y\",\"id\":42,\"created\":\"2023-11-14T22:13:20.000Z\"}");
    expect(ask(HTTP_DELETE, "/admin/v1/tenants/new", NULL), 204, "");
    assert_int_equal(world.forgotten_tenant, 42);
    IGNORE(fail_reason(&world.core_fail, CODE_NOT_FOUND, "no_such_tenant", "no tenant \"new\""));
    expect(ask(HTTP_DELETE, "/admin/v1/tenants/new", NULL), 404,
           "{\"error\":{\"code\":\"not_found\",\"reason\":\"no_such_tenant\","
           "\"message\":\"no tenant \\\"new\\\"\",\"request_id\":\"rid\"}}");
}

static void events_say_where_to_go_on(void **state)
{
    (void)state;
    world.rows = 1;
    expect(ask(HTTP_GET, "/admin/v1/events?after=10", NULL), 200,
           "{\"events\":[{\"seq\":13,\"kind\":\"key.created\",\"subject\":\"k1\",\"actor\":\"\","
           "\"at\":\"2023-11-14T22:13:20.000Z\",\"data\":{\"label\":\"x\"}}],\"after\":13}");
    world.rows = 0;
    expect(ask(HTTP_GET, "/admin/v1/events?after=10", NULL), 200, "{\"events\":[],\"after\":10}");
}

static size_t files_in_dir(void)
{
    DIR *dir = opendir(world.dir);
    const struct dirent *e;
    size_t n = 0;

    assert_non_null(dir);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is nobody else's */
    while ((e = readdir(dir)) != NULL)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void a_backup_is_sent_whole_and_leaves_no_file(void **state)
{
    uint8_t bytes[64];

    (void)state;
    become("default", ROLE_ADMIN, 0);

    struct request *r = ask(HTTP_GET, "/admin/v1/backup", NULL);

    assert_int_equal(r->x.resp.status, 200);
    assert_int_equal(files_in_dir(), 0);
    assert_int_equal(r->x.resp.source_length, 15);
    assert_int_equal(r->x.resp.source->ops->read(r->x.resp.source, bytes, 4), 4);
    assert_int_equal(r->x.resp.source->ops->read(r->x.resp.source, bytes + 4, 60), 11);
    assert_memory_equal(bytes, "SQLite format 3", 15);
    assert_int_equal(r->x.resp.source->ops->read(r->x.resp.source, bytes, 60), 0);
    finish(r);

    IGNORE(fail_reason(&world.core_fail, CODE_UNAVAILABLE, "disk_full", "no space"));
    r = ask(HTTP_GET, "/admin/v1/backup", NULL);
    assert_int_equal(r->x.resp.status, 503);
    assert_null(r->x.resp.source);
    finish(r);
}

static void what_a_killed_backup_left_is_swept_away(void **state)
{
    char path[128];

    (void)state;
    snprintf(path, sizeof(path), "%s/snapshot-abc.tmp", world.dir);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    snprintf(path, sizeof(path), "%s/muster.db", world.dir);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    admin_sweep(world.dir);
    assert_int_equal(files_in_dir(), 1);
    assert_int_equal(unlink(path), 0);
}

static void a_check_lists_its_findings(void **state)
{
    (void)state;
    become("default", ROLE_ADMIN, 0);
    world.findings = (struct admin_findings){.schema_version = 3, .tenants = 2, .keys = 5};
    expect(ask(HTTP_POST, "/admin/v1/check", NULL), 200,
           "{\"clean\":true,\"schema_version\":3,\"findings\":[],\"notes\":[],\"rows\":{"
           "\"tenants\":2,\"keys\":5,"
           "\"collectors\":0,\"sources\":0,\"pipelines\":0,\"events\":0,\"tasks\":0,"
           "\"builds\":0},"
           "\"spool\":{\"segments\":0,\"records\":0}}");
    world.findings.audit.findings =
        (struct audit_lines){.items = {"row 3 of keys: no tenant"}, .count = 1};
    world.findings.audit.notes = (struct audit_lines){.items = {"a torn end"}, .count = 1};
    expect(ask(HTTP_POST, "/admin/v1/check", NULL), 200,
           "{\"clean\":false,\"schema_version\":3,\"findings\":[\"row 3 of keys: no tenant\"],"
           "\"notes\":[\"a torn end\"],"
           "\"rows\":{\"tenants\":2,\"keys\":5,\"collectors\":0,\"sources\":0,\"pipelines\":0,"
           "\"events\":0,\"tasks\":0,\"builds\":0},"
           "\"spool\":{\"segments\":0,\"records\":0}}");
}

static void a_check_takes_as_long_as_it_takes(void **state)
{
    (void)state;
    become("default", ROLE_ADMIN, 0);
    world.host.deadline_ms = 30000;
    world.check_us = INT64_C(3600000000);

    struct request *r = ask(HTTP_POST, "/admin/v1/check", NULL);

    assert_int_equal(r->x.resp.status, 200);
    finish(r);
}

static void probes_answer_without_a_credential(void **state)
{
    (void)state;
    expect(ask_as(HTTP_GET, "/livez", NULL, false), 200, "ok\n");
    expect(ask_as(HTTP_GET, "/readyz", NULL, false), 200, "ok\n");
    expect(ask_as(HTTP_GET, "/readyz?verbose", NULL, false), 200,
           "[+] store: ok\n[+] spool: ok\nok\n");
    world.advice_fails = true;
    expect(ask_as(HTTP_GET, "/readyz", NULL, false), 200, "[!] spool: look here\nok\n");
    world.advice_fails = false;
    world.probe_fails = true;
    expect(ask_as(HTTP_GET, "/livez", NULL, false), 200, "ok\n");
    expect(ask_as(HTTP_GET, "/readyz", NULL, false), 503, "[-] store: disk full\nnot ready\n");
    expect(ask_as(HTTP_GET, "/version", NULL, false), 200,
           "{\"name\":\"muster\",\"version\":\"" MUSTER_VERSION "\"}");
}

static int metrics_status(bool credential)
{
    struct request *r = ask_as(HTTP_GET, "/metrics", NULL, credential);
    int status = r->x.resp.status;

    if (status == 200)
        assert_non_null(memmem(r->x.resp.body.p, r->x.resp.body.len, "muster_http_in_flight", 21));
    finish(r);
    return status;
}

static void metrics_are_for_neighbors_and_those_who_may(void **state)
{
    (void)state;
    assert_int_equal(metrics_status(false), 401);
    assert_int_equal(metrics_status(true), 200);
    become("acme", ROLE_AGENT, 0);
    assert_int_equal(metrics_status(true), 403);
    snprintf(world.peer.address, sizeof(world.peer.address), "127.0.0.1");
    assert_int_equal(metrics_status(false), 200);
    snprintf(world.peer.address, sizeof(world.peer.address), "::1");
    assert_int_equal(metrics_status(false), 200);
    snprintf(world.peer.address, sizeof(world.peer.address), "1270:0::1");
    assert_int_equal(metrics_status(false), 401);
    world.app.metrics_open = true;
    assert_int_equal(metrics_status(false), 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whoami_tells_tenant_key_and_role),
        TEST(errors_name_code_reason_field_and_request),
        TEST(a_created_key_shows_its_secret_once),
        TEST(an_admin_of_a_tenant_reaches_no_other_tenant),
        TEST(a_role_below_admin_is_refused_by_scope),
        TEST(an_operator_reaches_every_tenant),
        TEST(nobody_grants_more_than_he_has),
        TEST(an_admin_of_a_tenant_makes_another_admin_of_it),
        TEST(lists_come_in_pages),
        TEST(bad_queries_are_named),
        TEST(tenants_are_made_shown_and_deleted),
        TEST(events_say_where_to_go_on),
        TEST(a_backup_is_sent_whole_and_leaves_no_file),
        TEST(what_a_killed_backup_left_is_swept_away),
        TEST(a_check_lists_its_findings),
        TEST(a_check_takes_as_long_as_it_takes),
        TEST(probes_answer_without_a_credential),
        TEST(metrics_are_for_neighbors_and_those_who_may),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
