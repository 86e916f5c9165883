/* SPDX-License-Identifier: Apache-2.0 */
/* Tenants, keys, the keyring and the first start, on a real store. */
#include "store/fixture.h"

#include <fcntl.h>

#include "codec/json.h"
#include "core/agent.h"
#include "core/bootstrap.h"
#include "core/event.h"
#include "core/key.h"
#include "core/keyring.h"
#include "core/pipeline.h"
#include "core/task.h"

static const struct master_key master = {{1, 2, 3}};

struct want {
    struct key_new key;
    struct keyring *ring;
    struct key_secret secret;
    struct key out;
    struct str name;
};

static int do_create_key(struct store_tx *tx, void *arg, struct fail *f)
{
    struct want *w = arg;

    return key_create(tx, NULL, &master, &w->key, w->ring, &w->secret, &w->out, f);
}

static int do_revoke(struct store_tx *tx, void *arg, struct fail *f)
{
    struct want *w = arg;

    return key_revoke(tx, NULL, w->key.tenant, w->secret.id, w->ring, &w->out, f);
}

static int do_create_tenant(struct store_tx *tx, void *arg, struct fail *f)
{
    struct want *w = arg;
    struct tenant t;

    if (tenant_create(tx, NULL, w->name, &t, f) < 0)
        return -1;
    w->key.tenant = t.id;
    return 0;
}

static int do_delete_tenant(struct store_tx *tx, void *arg, struct fail *f)
{
    struct want *w = arg;

    return tenant_delete(tx, NULL, w->name, w->ring, f);
}

static int do_fill_tenant(struct store_tx *tx, void *arg, struct fail *f)
{
    struct want *w = arg;
    struct collector c = {.tenant = w->key.tenant, .kind = COLLECTOR_HOSTED, .name = STR("c")};

    struct str text = STR("big");

    if (collector_create(tx, NULL, &c, f) < 0 ||
        store_collector_set_seen(tx, c.tenant, c.id, 1000, f) < 0 ||
        store_text_hold(tx, c.tenant, text_ref_of(text).hash, text, f) < 0)
        return -1;
    return store_setting_put(tx, w->key.tenant, STR("color"), STR("blue"), f);
}

static void refuses(struct fixture *x, int result, enum code code, const char *reason)
{
    assert_int_equal(result, -1);
    assert_int_equal(x->fail.code, code);
    assert_non_null(x->fail.reason);
    assert_string_equal(x->fail.reason, reason);
}

/* ---- Tenants ---- */

static void a_tenants_name_is_taken_once(void **state)
{
    struct fixture *x = *state;
    struct want w = {.name = STR("acme-1")};

    assert_int_equal(fixture_write(x, do_create_tenant, &w), 0);
    refuses(x, fixture_write(x, do_create_tenant, &w), CODE_ALREADY_EXISTS, "name_taken");
    assert_string_equal(x->fail.field, "name");
}

static void tenant_names_fit_into_host_names(void **state)
{
    static const struct str good[] = {STR_INIT("a"), STR_INIT("a-b"), STR_INIT("9"),
                                      STR_INIT("x0")};
    static const struct str bad[] = {STR_INIT(""),    STR_INIT("-a"),  STR_INIT("a-"),
                                     STR_INIT("A"),   STR_INIT("a b"), STR_INIT("a/b"),
                                     STR_INIT("a\0b")};
    char name[TENANT_NAME_MAX + 1];
    struct fail f;

    (void)state;
    memset(name, 'x', sizeof(name));
    assert_int_equal(tenant_check_name(str_make(name, TENANT_NAME_MAX), &f), 0);
    assert_int_equal(tenant_check_name(str_make(name, TENANT_NAME_MAX + 1), &f), -1);
    for (size_t i = 0; i < COUNTOF(good); i++)
        assert_int_equal(tenant_check_name(good[i], &f), 0);
    for (size_t i = 0; i < COUNTOF(bad); i++)
        assert_int_equal(tenant_check_name(bad[i], &f), -1);
}

static void the_default_tenant_stays(void **state)
{
    struct fixture *x = *state;
    struct want w = {.name = STR(TENANT_DEFAULT)};

    refuses(x, fixture_write(x, do_delete_tenant, &w), CODE_FAILED_PRECONDITION, "default_tenant");
}

static void deleting_a_tenant_takes_every_row_and_key_with_it(void **state)
{
    struct fixture *x = *state;
    struct keyring *ring = keyring_new(x->clock, &master);
    struct want w = {.name = STR("acme"), .ring = ring};
    struct store_findings found;
    struct caller c;

    assert_int_equal(fixture_write(x, do_create_tenant, &w), 0);
    assert_int_equal(fixture_write(x, do_create_key, &w), 0);
    assert_int_equal(fixture_write(x, do_fill_tenant, &w), 0);
    assert_true(keyring_resolve_token(ring, x->arena, w.secret.token, &c));

    assert_int_equal(fixture_write(x, do_delete_tenant, &w), 0);
    assert_false(keyring_resolve_token(ring, x->arena, w.secret.token, &c));
    assert_int_equal(keyring_count(ring), 0);
    assert_int_equal(tenant_sweep(x->store, SIZE_MAX, &x->fail), 0);
    found = fixture_totals(x);
    assert_int_equal(found.tenants, 1);
    assert_int_equal(found.keys, 0);
    assert_int_equal(found.collectors, 0);
    assert_int_equal(found.events, 3); /* default, acme: created; acme: deleted */
    refuses(x, fixture_write(x, do_delete_tenant, &w), CODE_NOT_FOUND, "no_such_tenant");
    keyring_free(&ring);
}

static int do_make_pipeline(struct store_tx *tx, void *arg, struct fail *f)
{
    struct pipeline p = {.tenant = ((struct want *)arg)->key.tenant, .name = STR("p")};

    return pipeline_create(tx, NULL, NULL, &p, f);
}

static int do_make_task(struct store_tx *tx, void *arg, struct fail *f)
{
    const struct task_new want = {.tenant = ((struct want *)arg)->key.tenant, .kind = STR("k")};
    struct task t;

    return task_create(tx, &want, &t, f);
}

static void nothing_is_made_in_a_tenant_that_is_gone(void **state)
{
    struct fixture *x = *state;
    struct want w = {.name = STR("acme")};

    assert_int_equal(fixture_write(x, do_create_tenant, &w), 0);
    assert_int_equal(fixture_write(x, do_make_pipeline, &w), 0);
    assert_int_equal(fixture_write(x, do_make_task, &w), 0);
    assert_int_equal(fixture_write(x, do_delete_tenant, &w), 0);
    refuses(x, fixture_write(x, do_fill_tenant, &w), CODE_NOT_FOUND, "no_such_tenant");
    refuses(x, fixture_write(x, do_make_pipeline, &w), CODE_NOT_FOUND, "no_such_tenant");
    refuses(x, fixture_write(x, do_make_task, &w), CODE_NOT_FOUND, "no_such_tenant");
    refuses(x, fixture_write(x, do_create_key, &w), CODE_NOT_FOUND, "no_such_tenant");
    fixture_assert_clean(x);
}

static void a_tenants_number_is_never_used_again(void **state)
{
    struct fixture *x = *state;
    struct want w = {.name = STR("acme")};
    uint64_t first;

    assert_int_equal(fixture_write(x, do_create_tenant, &w), 0);
    first = w.key.tenant;
    assert_int_equal(fixture_write(x, do_delete_tenant, &w), 0);
    store_close(&x->store);
    assert_int_equal(fixture_open(x), 0);
    assert_int_equal(fixture_write(x, do_create_tenant, &w), 0);
    assert_true(w.key.tenant > first);
}

/* ---- Keys ---- */

static void a_token_splits_into_its_parts_and_nothing_else_does(void **state)
{
    struct fixture *x = *state;
    struct key_secret s;
    struct str id;
    struct str secret;

    key_generate(FIXTURE_START_US, x->arena, &s);
    assert_int_equal(s.token.len, KEY_TOKEN_LEN);
    assert_true(key_parse_token(s.token, &id, &secret));
    assert_true(str_eq(id, s.id));
    assert_true(str_eq(secret, s.secret));

    for (size_t i = 0; i < s.token.len; i++) {
        char *bad = arena_cstr(x->arena, s.token);

        bad[i] = '\xff';
        assert_false(key_parse_token(str_make(bad, s.token.len), &id, &secret));
        assert_false(key_parse_token(str_first(s.token, i), &id, &secret));
    }
    assert_false(key_parse_token(STR(""), &id, &secret));
    assert_false(key_parse_token(arena_printf(x->arena, "%.*sx", STR_ARG(s.token)), &id, &secret));
}

static void key_ids_grow_with_time(void **state)
{
    struct fixture *x = *state;
    struct key_secret a;
    struct key_secret b;

    key_generate(FIXTURE_START_US, x->arena, &a);
    key_generate(FIXTURE_START_US + 1000, x->arena, &b);
    assert_true(str_cmp(a.id, b.id) < 0);
}

static void a_hash_depends_on_id_secret_and_master_key(void **state)
{
    struct fixture *x = *state;
    static const struct master_key other = {{1, 2, 4}};
    struct key_secret a;
    struct key_secret b;
    uint8_t hash[4][KEY_HASH_LEN];

    key_generate(FIXTURE_START_US, x->arena, &a);
    key_generate(FIXTURE_START_US, x->arena, &b);
    key_hash(&master, a.id, a.secret, hash[0]);
    key_hash(&master, b.id, a.secret, hash[1]);
    key_hash(&master, a.id, b.secret, hash[2]);
    key_hash(&other, a.id, a.secret, hash[3]);
    for (size_t i = 1; i < COUNTOF(hash); i++)
        assert_memory_not_equal(hash[0], hash[i], KEY_HASH_LEN);
    key_hash(&master, a.id, a.secret, hash[1]);
    assert_memory_equal(hash[0], hash[1], KEY_HASH_LEN);
}

static void the_secret_is_in_no_file_of_the_store(void **state)
{
    struct fixture *x = *state;
    struct want w = {.key = {.tenant = x->tenant.id, .role = ROLE_EDITOR}};
    static const char *const names[] = {STORE_FILE, STORE_FILE "-wal"};
    char *bytes = arena_alloc(x->arena, 1 << 20);

    assert_int_equal(fixture_write(x, do_create_key, &w), 0);
    for (size_t i = 0; i < COUNTOF(names); i++) {
        int fd = open(fixture_path(x, names[i]), O_RDONLY | O_CLOEXEC);
        ssize_t n = read(fd, bytes, 1 << 20);

        assert_true(n > 0);
        assert_null(memmem(bytes, (size_t)n, w.secret.secret.p, w.secret.secret.len));
        close(fd);
    }
}

static void what_a_key_may_not_be_is_refused(void **state)
{
    struct fixture *x = *state;
    char label[KEY_LABEL_MAX + 1];
    struct want w = {.key = {.tenant = x->tenant.id, .role = ROLE_VIEWER}};

    memset(label, 'l', sizeof(label));
    w.key.label = str_make(label, sizeof(label));
    refuses(x, fixture_write(x, do_create_key, &w), CODE_INVALID_ARGUMENT, "bad_label");
    w.key.label = STR("two\nlines");
    refuses(x, fixture_write(x, do_create_key, &w), CODE_INVALID_ARGUMENT, "bad_label");
    w.key.label = STR("");
    w.key.scopes = SCOPE_KEYS_WRITE;
    refuses(x, fixture_write(x, do_create_key, &w), CODE_INVALID_ARGUMENT, "bad_scopes");
    w.key.scopes = 0;
    w.key.expires_us = FIXTURE_START_US;
    refuses(x, fixture_write(x, do_create_key, &w), CODE_INVALID_ARGUMENT, "bad_expiry");
    w.key.expires_us = 0;
    w.key.tenant = 999;
    refuses(x, fixture_write(x, do_create_key, &w), CODE_NOT_FOUND, "no_such_tenant");
}

static void keys_are_listed_page_by_page_in_order(void **state)
{
    struct fixture *x = *state;
    struct want w = {.key = {.tenant = x->tenant.id, .role = ROLE_AGENT}};
    struct str after = STR("");
    size_t total = 0;
    struct key *rows;
    size_t count;

    for (int i = 0; i < 5; i++)
        assert_int_equal(fixture_write(x, do_create_key, &w), 0);

    struct store_tx *tx = fixture_read(x);

    do {
        assert_int_equal(key_list(tx, x->tenant.id, after, 2, &rows, &count, &x->fail), 0);
        for (size_t i = 0; i < count; i++) {
            assert_true(str_cmp(after, rows[i].id) < 0);
            after = rows[i].id;
        }
        total += count;
    } while (count == 2);
    assert_int_equal(total, 5);
    assert_int_equal(key_list(tx, x->tenant.id + 1, STR(""), 10, &rows, &count, &x->fail), 0);
    assert_int_equal(count, 0);
    store_read_close(&tx);
}

/* ---- Keyring ---- */

static void a_ring_knows_a_key_in_every_form_once_it_is_durable(void **state)
{
    struct fixture *x = *state;
    struct keyring *ring = keyring_new(x->clock, &master);
    struct want w = {.key = {.tenant = x->tenant.id, .role = ROLE_EDITOR}, .ring = ring};
    struct caller c;

    assert_int_equal(fixture_write(x, do_create_key, &w), 0);
    assert_true(keyring_resolve(ring, x->arena, w.secret.id, w.secret.secret, &c));
    assert_int_equal(c.tenant, x->tenant.id);
    assert_true(str_eq(c.tenant_name, STR(TENANT_DEFAULT)));
    assert_true(str_eq(c.key_id, w.secret.id));
    assert_int_equal(c.role, ROLE_EDITOR);
    assert_int_equal(c.scopes, role_scopes(ROLE_EDITOR));
    assert_true(keyring_resolve_token(ring, x->arena, w.secret.token, &c));
    assert_true(keyring_resolve_basic(ring, x->arena, w.secret.id, w.secret.secret, &c));
    assert_true(keyring_resolve_basic(ring, x->arena, STR("anything"), w.secret.token, &c));
    keyring_free(&ring);
}

static void a_ring_refuses_what_is_not_the_key(void **state)
{
    struct fixture *x = *state;
    struct keyring *ring = keyring_new(x->clock, &master);
    struct want w = {.key = {.tenant = x->tenant.id, .role = ROLE_EDITOR}, .ring = ring};
    struct caller c;

    assert_int_equal(fixture_write(x, do_create_key, &w), 0);

    char *secret = arena_cstr(x->arena, w.secret.secret);
    char *id = arena_cstr(x->arena, w.secret.id);

    secret[KEY_SECRET_LEN - 1] ^= 1;
    id[KEY_ID_LEN - 1] ^= 1;
    /* The second time round the right secret was seen before. */
    for (int round = 0; round < 2; round++) {
        assert_false(keyring_resolve(ring, x->arena, w.secret.id, str_of(secret), &c));
        assert_false(keyring_resolve(ring, x->arena, str_of(id), w.secret.secret, &c));
        assert_true(keyring_resolve(ring, x->arena, w.secret.id, w.secret.secret, &c));
    }
    assert_false(keyring_resolve(ring, x->arena, STR(""), w.secret.secret, &c));
    assert_false(keyring_resolve(ring, x->arena, w.secret.id, STR(""), &c));
    assert_false(keyring_resolve_basic(ring, x->arena, w.secret.secret, w.secret.id, &c));
    assert_false(keyring_resolve_token(ring, x->arena, w.secret.secret, &c));
    keyring_free(&ring);
}

static void a_ring_forgets_a_revoked_key_and_the_row_stays(void **state)
{
    struct fixture *x = *state;
    struct keyring *ring = keyring_new(x->clock, &master);
    struct want w = {.key = {.tenant = x->tenant.id, .role = ROLE_ADMIN}, .ring = ring};
    struct caller c;

    assert_int_equal(fixture_write(x, do_create_key, &w), 0);
    assert_int_equal(fixture_write(x, do_revoke, &w), 0);
    assert_int_equal(w.out.revoked_us, FIXTURE_START_US);
    assert_false(keyring_resolve_token(ring, x->arena, w.secret.token, &c));
    assert_false(keyring_is_live(ring, w.secret.id));

    clock_advance(x->clock, 1000);
    assert_int_equal(fixture_write(x, do_revoke, &w), 0);
    assert_int_equal(w.out.revoked_us, FIXTURE_START_US);

    w.secret.id = STR("nosuchkeynosuchkey00");
    refuses(x, fixture_write(x, do_revoke, &w), CODE_NOT_FOUND, "no_such_key");
    keyring_free(&ring);
}

static void a_key_ends_at_its_expiry(void **state)
{
    struct fixture *x = *state;
    struct keyring *ring = keyring_new(x->clock, &master);
    struct want w = {
        .key = {.tenant = x->tenant.id, .role = ROLE_AGENT, .expires_us = FIXTURE_START_US + 1000},
        .ring = ring};
    struct caller c;

    assert_int_equal(fixture_write(x, do_create_key, &w), 0);
    clock_advance(x->clock, 999);
    assert_true(keyring_resolve_token(ring, x->arena, w.secret.token, &c));
    assert_true(keyring_is_live(ring, w.secret.id));
    clock_advance(x->clock, 1);
    assert_false(keyring_resolve_token(ring, x->arena, w.secret.token, &c));
    assert_false(keyring_is_live(ring, w.secret.id));
    keyring_free(&ring);
}

static void scopes_narrow_a_role_and_other_tenants_never_run_the_server(void **state)
{
    struct fixture *x = *state;
    struct keyring *ring = keyring_new(x->clock, &master);
    struct want w = {.key = {.tenant = x->tenant.id, .role = ROLE_ADMIN, .scopes = SCOPE_KEYS_READ},
                     .ring = ring,
                     .name = STR("acme")};
    struct caller c;

    assert_int_equal(fixture_write(x, do_create_key, &w), 0);
    assert_true(keyring_resolve_token(ring, x->arena, w.secret.token, &c));
    assert_int_equal(c.scopes, SCOPE_KEYS_READ);

    w.key.scopes = 0;
    assert_int_equal(fixture_write(x, do_create_key, &w), 0);
    assert_true(keyring_resolve_token(ring, x->arena, w.secret.token, &c));
    assert_true(caller_may(&c, SCOPE_TENANTS | SCOPE_SERVER));

    assert_int_equal(fixture_write(x, do_create_tenant, &w), 0);
    assert_int_equal(fixture_write(x, do_create_key, &w), 0);
    assert_true(keyring_resolve_token(ring, x->arena, w.secret.token, &c));
    assert_false(caller_may(&c, SCOPE_TENANTS));
    assert_false(caller_may(&c, SCOPE_SERVER));
    assert_true(caller_may(&c, SCOPE_KEYS_WRITE));
    assert_int_equal(key_effective_scopes(&w.out, STR("acme")), c.scopes);

    w.key.scopes = SCOPE_SERVER;
    refuses(x, fixture_write(x, do_create_key, &w), CODE_INVALID_ARGUMENT, "bad_scopes");
    keyring_free(&ring);
}

static void a_ring_loads_live_keys_only(void **state)
{
    struct fixture *x = *state;
    struct want live = {.key = {.tenant = x->tenant.id, .role = ROLE_AGENT}};
    struct want gone = live;
    struct caller c;

    assert_int_equal(fixture_write(x, do_create_key, &live), 0);
    assert_int_equal(fixture_write(x, do_create_key, &gone), 0);
    assert_int_equal(fixture_write(x, do_revoke, &gone), 0);

    struct keyring *ring = keyring_new(x->clock, &master);

    assert_int_equal(keyring_load(ring, x->store, &x->fail), 0);
    assert_int_equal(keyring_count(ring), 1);
    assert_true(keyring_resolve_token(ring, x->arena, live.secret.token, &c));
    assert_false(keyring_resolve_token(ring, x->arena, gone.secret.token, &c));
    keyring_free(&ring);
}

static int64_t last_used(struct fixture *x, struct str id)
{
    struct store_tx *tx = fixture_read(x);
    struct key k;

    assert_int_equal(key_get(tx, x->tenant.id, id, &k, &x->fail), 0);
    store_read_close(&tx);
    return k.last_used_us;
}

static void use_is_written_behind(void **state)
{
    struct fixture *x = *state;
    struct keyring *ring = keyring_new(x->clock, &master);
    struct want w = {.key = {.tenant = x->tenant.id, .role = ROLE_AGENT}, .ring = ring};
    struct want unused = w;
    struct caller c;

    assert_int_equal(fixture_write(x, do_create_key, &w), 0);
    assert_int_equal(fixture_write(x, do_create_key, &unused), 0);
    clock_advance(x->clock, 5000000);
    assert_true(keyring_resolve_token(ring, x->arena, w.secret.token, &c));
    assert_int_equal(last_used(x, w.secret.id), 0);
    assert_int_equal(keyring_flush(ring, x->store, &x->fail), 0);
    assert_int_equal(last_used(x, w.secret.id), FIXTURE_START_US + 5000000);
    assert_int_equal(last_used(x, unused.secret.id), 0);
    keyring_free(&ring);
}

/* ---- First start ---- */

static struct str credential(struct fixture *x, const char *name)
{
    struct json_value *v;
    struct str text;
    struct str out = {0};
    char *bytes = arena_alloc(x->arena, 4096);
    int fd = open(fixture_path(x, FIRST_CREDENTIALS_FILE), O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    text = str_make(bytes, (size_t)read(fd, bytes, 4096));
    close(fd);
    assert_int_equal(json_parse(x->arena, text, NULL, &v, &x->fail), 0);
    assert_int_equal(json_get_str(v, name, &out, &x->fail), 1);
    return out;
}

static void the_first_start_leaves_a_credential_that_works(void **state)
{
    struct fixture *x = *state;
    struct master_key m;
    struct caller c;
    struct stat st;
    bool created = false;

    assert_int_equal(fixture_open(x), 0);
    assert_int_equal(bootstrap(x->store, x->clock, x->dir, &m, &created, &x->fail), 0);
    assert_true(created);
    assert_int_equal(stat(fixture_path(x, FIRST_CREDENTIALS_FILE), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(fixture_path(x, "master.key"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    struct keyring *ring = keyring_new(x->clock, &m);

    assert_int_equal(keyring_load(ring, x->store, &x->fail), 0);
    assert_true(keyring_resolve_token(ring, x->arena, credential(x, "token"), &c));
    assert_int_equal(c.role, ROLE_ADMIN);
    assert_true(str_eq(c.tenant_name, credential(x, "tenant")));
    assert_true(keyring_resolve(ring, x->arena, credential(x, "id"), credential(x, "secret"), &c));
    keyring_free(&ring);
    fixture_assert_clean(x);
}

static void a_second_start_changes_nothing(void **state)
{
    struct fixture *x = *state;
    struct master_key m;
    struct master_key again;
    bool created;

    assert_int_equal(fixture_open(x), 0);
    assert_int_equal(bootstrap(x->store, x->clock, x->dir, &m, &created, &x->fail), 0);

    struct str token = credential(x, "token");

    store_close(&x->store);
    assert_int_equal(fixture_open(x), 0);
    assert_int_equal(bootstrap(x->store, x->clock, x->dir, &again, &created, &x->fail), 0);
    assert_false(created);
    assert_true(str_eq(credential(x, "token"), token));
    assert_memory_equal(&m, &again, sizeof(m));
}

static void a_kill_before_the_commit_is_healed_by_the_next_start(void **state)
{
    struct fixture *x = *state;
    struct master_key m;
    struct caller c;
    bool created;
    int fd;

    /* What such a kill leaves: the file, and no tenant. */
    fd = open(fixture_path(x, FIRST_CREDENTIALS_FILE), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "{\"token\":\"of nobody\"}", 21), 21);
    close(fd);
    assert_int_equal(fixture_open(x), 0);
    assert_int_equal(bootstrap(x->store, x->clock, x->dir, &m, &created, &x->fail), 0);
    assert_true(created);

    struct keyring *ring = keyring_new(x->clock, &m);

    assert_int_equal(keyring_load(ring, x->store, &x->fail), 0);
    assert_true(keyring_resolve_token(ring, x->arena, credential(x, "token"), &c));
    keyring_free(&ring);
}

static void a_lost_master_key_is_not_replaced_in_silence(void **state)
{
    struct fixture *x = *state;
    struct master_key m;
    bool created;

    assert_int_equal(fixture_open(x), 0);
    assert_int_equal(bootstrap(x->store, x->clock, x->dir, &m, &created, &x->fail), 0);
    assert_int_equal(unlink(fixture_path(x, "master.key")), 0);
    refuses(x, bootstrap(x->store, x->clock, x->dir, &m, &created, &x->fail),
            CODE_FAILED_PRECONDITION, "no_master_key");
    assert_int_equal(master_key_load(x->dir, true, &m, &x->fail), 0);
    refuses(x, bootstrap(x->store, x->clock, x->dir, &m, &created, &x->fail),
            CODE_FAILED_PRECONDITION, "wrong_master_key");
}

static void a_pipe_in_place_of_the_master_key_stops_nothing(void **state)
{
    struct fixture *x = *state;
    struct master_key m;

    assert_int_equal(mkfifo(fixture_path(x, "master.key"), 0600), 0);
    refuses(x, master_key_load(x->dir, true, &m, &x->fail), CODE_FAILED_PRECONDITION,
            "bad_master_key");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_tenants_name_is_taken_once),
        cmocka_unit_test(tenant_names_fit_into_host_names),
        FIXTURE_TEST(the_default_tenant_stays),
        FIXTURE_TEST(deleting_a_tenant_takes_every_row_and_key_with_it),
        FIXTURE_TEST(nothing_is_made_in_a_tenant_that_is_gone),
        FIXTURE_TEST(a_tenants_number_is_never_used_again),
        FIXTURE_CLOSED_TEST(a_token_splits_into_its_parts_and_nothing_else_does),
        FIXTURE_CLOSED_TEST(key_ids_grow_with_time),
        FIXTURE_CLOSED_TEST(a_hash_depends_on_id_secret_and_master_key),
        FIXTURE_TEST(the_secret_is_in_no_file_of_the_store),
        FIXTURE_TEST(what_a_key_may_not_be_is_refused),
        FIXTURE_TEST(keys_are_listed_page_by_page_in_order),
        FIXTURE_TEST(a_ring_knows_a_key_in_every_form_once_it_is_durable),
        FIXTURE_TEST(a_ring_refuses_what_is_not_the_key),
        FIXTURE_TEST(a_ring_forgets_a_revoked_key_and_the_row_stays),
        FIXTURE_TEST(a_key_ends_at_its_expiry),
        FIXTURE_TEST(scopes_narrow_a_role_and_other_tenants_never_run_the_server),
        FIXTURE_TEST(a_ring_loads_live_keys_only),
        FIXTURE_TEST(use_is_written_behind),
        FIXTURE_CLOSED_TEST(the_first_start_leaves_a_credential_that_works),
        FIXTURE_CLOSED_TEST(a_second_start_changes_nothing),
        FIXTURE_CLOSED_TEST(a_kill_before_the_commit_is_healed_by_the_next_start),
        FIXTURE_CLOSED_TEST(a_lost_master_key_is_not_replaced_in_silence),
        FIXTURE_CLOSED_TEST(a_pipe_in_place_of_the_master_key_stops_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
