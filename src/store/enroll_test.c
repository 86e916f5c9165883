/* SPDX-License-Identifier: Apache-2.0 */
/* Installation tokens and the credentials of agents, on a real store and in the keyring. */
#include "store/fixture.h"

#include "codec/base64.h"
#include "core/enroll.h"
#include "core/event.h"

static const struct master_key master = {{7, 1}};
static const struct caller operator= {.key_id = STR_INIT("0operatoroperator000")};

/* What a call is about; also its outcome. */
struct call {
    struct fixture *x;
    struct keyring *ring;
    uint64_t tenant;
    struct enroll_token token;
    struct enroll_token *list;
    size_t count;
    int64_t agent;
    struct enroll_credential credential;
    struct key_new key;
};

static int do_create(struct store_tx *tx, void *arg, struct fail *f)
{
    struct call *c = arg;

    return enroll_token_create(tx, &operator, & master, c->ring, c->tenant, &c->token, f);
}

static int do_update(struct store_tx *tx, void *arg, struct fail *f)
{
    struct call *c = arg;

    return enroll_token_update(tx, NULL, &master, c->ring, c->tenant, &c->token, f);
}

static int do_delete(struct store_tx *tx, void *arg, struct fail *f)
{
    struct call *c = arg;

    return enroll_token_delete(tx, NULL, c->ring, c->tenant, c->token.id, f);
}

static int do_fill(struct store_tx *tx, void *arg, struct fail *f)
{
    struct call *c = arg;

    for (int i = 0; i < ENROLL_TOKENS_MAX; i++) {
        struct enroll_token t = {.name = arena_printf(store_tx_arena(tx), "t%d", i)};

        if (enroll_token_create(tx, NULL, &master, c->ring, c->tenant, &t, f) < 0)
            return -1;
    }
    return 0;
}

static int do_credential(struct store_tx *tx, void *arg, struct fail *f)
{
    struct call *c = arg;

    return enroll_credential_new(tx, &operator, & master, c->ring, c->tenant, c->agent,
                                 &c->credential, f);
}

static int do_drop(struct store_tx *tx, void *arg, struct fail *f)
{
    struct call *c = arg;

    return enroll_credentials_drop(tx, c->ring, c->tenant, c->agent, f);
}

static int do_fail(struct store_tx *tx, void *arg, struct fail *f)
{
    if (do_credential(tx, arg, f) < 0)
        return -1;
    return fail_set(f, CODE_ABORTED, "not today");
}

static int do_key(struct store_tx *tx, void *arg, struct fail *f)
{
    struct call *c = arg;
    struct key_secret secret;
    struct key made;

    return key_create(tx, NULL, &master, &c->key, c->ring, &secret, &made, f);
}

static int do_revoke(struct store_tx *tx, void *arg, struct fail *f)
{
    struct call *c = arg;
    struct key gone;

    return key_revoke(tx, NULL, c->tenant, c->credential.id, c->ring, &gone, f);
}

static struct call begin(void **state)
{
    struct fixture *x = *state;

    return (struct call){
        .x = x,
        .ring = keyring_new(x->clock, &master),
        .tenant = x->tenant.id,
        .token = {.name = STR("laptops"), .description = STR("all of them"), .active = true},
        .agent = 4711,
    };
}

static void end(struct call *c)
{
    keyring_free(&c->ring);
    fixture_assert_clean(c->x);
}

static void run(struct call *c, int (*fn)(struct store_tx *tx, void *arg, struct fail *f))
{
    assert_int_equal(fixture_write(c->x, fn, c), 0);
}

static void refuses(struct call *c, int (*fn)(struct store_tx *tx, void *arg, struct fail *f),
                    enum code code, const char *reason)
{
    assert_int_equal(fixture_write(c->x, fn, c), -1);
    assert_int_equal(c->x->fail.code, code);
    assert_non_null(c->x->fail.reason);
    assert_string_equal(c->x->fail.reason, reason);
}

static int get(struct call *c, struct enroll_token *out)
{
    struct store_tx *tx = fixture_read(c->x);
    int r = enroll_token_get(tx, &master, c->tenant, c->token.id, out, &c->x->fail);

    store_read_close(&tx);
    return r;
}

static void list(struct call *c)
{
    struct store_tx *tx = fixture_read(c->x);

    assert_int_equal(enroll_token_list(tx, &master, c->tenant, &c->list, &c->count, &c->x->fail),
                     0);
    store_read_close(&tx);
}

static bool token_opens(struct call *c, struct str sent)
{
    struct caller who = {0};

    if (!keyring_resolve_token(c->ring, c->x->arena, sent, &who))
        return false;
    assert_int_equal(who.tenant, c->tenant);
    assert_int_equal(who.role, ROLE_AGENT);
    assert_int_equal(who.scopes, SCOPE_ENROLL);
    return true;
}

static bool credential_opens(struct call *c)
{
    struct caller who = {0};

    if (!keyring_resolve_basic(c->ring, c->x->arena, c->credential.id, c->credential.key, &who))
        return false;
    assert_int_equal(who.tenant, c->tenant);
    assert_true(str_eq(who.tenant_name, STR(TENANT_DEFAULT)));
    assert_true(str_eq(who.key_id, c->credential.id));
    assert_int_equal(who.role, ROLE_AGENT);
    assert_int_equal(who.scopes, SCOPE_BEAT);
    return true;
}

/* A ring that starts now. */
static void reload(struct call *c)
{
    keyring_free(&c->ring);
    c->ring = keyring_new(c->x->clock, &master);
    assert_int_equal(keyring_load(c->ring, c->x->store, &c->x->fail), 0);
}

/* ---- Tokens ---- */

static void a_token_can_be_read_again(void **state)
{
    struct call c = begin(state);
    struct enroll_token read = {0};

    run(&c, do_create);
    assert_int_equal(c.token.token.len, ENROLL_TOKEN_LEN);
    assert_true(str_starts_with(c.token.token, STR("SUMO")));
    assert_int_equal(c.token.version, 0);
    assert_int_equal(get(&c, &read), 0);
    assert_int_equal(read.id, c.token.id);
    assert_true(str_eq(read.name, STR("laptops")));
    assert_true(str_eq(read.description, STR("all of them")));
    assert_true(str_eq(read.token, c.token.token));
    assert_true(str_eq(read.created_by, operator.key_id));
    assert_int_equal(read.created_us, FIXTURE_START_US);
    assert_true(read.active);
    c.token.id++;
    assert_int_equal(get(&c, &read), -1);
    assert_string_equal(c.x->fail.reason, "no_such_token");
    end(&c);
}

static void a_tokens_secret_is_in_no_row(void **state)
{
    struct call c = begin(state);
    struct str row = {NULL, 0};

    run(&c, do_create);

    struct store_tx *tx = fixture_read(c.x);

    assert_int_equal(store_setting_get(tx, c.tenant, STR("enroll.tokens"), &row, &c.x->fail), 0);
    assert_null(memmem(row.p, row.len, c.token.token.p + ENROLL_TOKEN_LEN - 18, 18));
    store_read_close(&tx);
    end(&c);
}

static void a_token_opens_bare_and_encoded_with_any_url(void **state)
{
    static const char *const urls[] = {"", "https://muster.lan:8443", "http://127.0.0.1:1/api/"};
    struct call c = begin(state);
    struct arena *a = c.x->arena;

    run(&c, do_create);
    assert_true(token_opens(&c, c.token.token));
    for (size_t i = 0; i < COUNTOF(urls); i++) {
        struct str both = arena_printf(a, "%.*s%s", STR_ARG(c.token.token), urls[i]);

        assert_true(token_opens(&c, base64_encode(a, BASE64_STD, both)));
        assert_true(token_opens(&c, base64_encode(a, BASE64_STD_BARE, both)));
    }
    reload(&c);
    assert_true(token_opens(&c, c.token.token));
    end(&c);
}

static void no_byte_of_a_token_may_differ(void **state)
{
    struct call c = begin(state);
    char text[ENROLL_TOKEN_LEN];

    run(&c, do_create);
    for (size_t i = 0; i < sizeof(text); i++) {
        memcpy(text, c.token.token.p, sizeof(text));
        text[i] = text[i] == '7' ? '8' : '7';
        assert_false(token_opens(&c, str_make(text, sizeof(text))));
        assert_false(token_opens(&c, str_first(c.token.token, i)));
    }
    assert_false(token_opens(&c, arena_printf(c.x->arena, "%.*sx", STR_ARG(c.token.token))));
    end(&c);
}

static void names_of_tokens_are_unique_in_their_tenant(void **state)
{
    struct call c = begin(state);

    run(&c, do_create);
    refuses(&c, do_create, CODE_ALREADY_EXISTS, "name_taken");
    c.token.name = STR("phones");
    run(&c, do_create);
    c.token.name = STR("laptops");
    refuses(&c, do_update, CODE_ALREADY_EXISTS, "name_taken");
    end(&c);
}

static void words_of_a_token_are_bounded(void **state)
{
    struct call c = begin(state);
    char text[1025];

    memset(text, 'x', sizeof(text));
    c.token.name = STR("");
    refuses(&c, do_create, CODE_INVALID_ARGUMENT, "fields_invalid");
    c.token.name = str_make(text, 129);
    refuses(&c, do_create, CODE_INVALID_ARGUMENT, "fields_invalid");
    assert_string_equal(c.x->fail.field, "name");
    c.token.name = str_make(text, 128);
    c.token.description = str_make(text, 1025);
    refuses(&c, do_create, CODE_INVALID_ARGUMENT, "fields_invalid");
    assert_string_equal(c.x->fail.field, "description");
    c.token.description = str_make(text, 1024);
    run(&c, do_create);
    end(&c);
}

static void a_tenant_has_a_hundred_tokens_and_no_more(void **state)
{
    struct call c = begin(state);

    run(&c, do_fill);
    refuses(&c, do_create, CODE_RESOURCE_EXHAUSTED, "too_many_tokens");
    list(&c);
    assert_int_equal(c.count, ENROLL_TOKENS_MAX);
    for (size_t i = 1; i < c.count; i++)
        assert_true(c.list[i - 1].id < c.list[i].id);
    c.token.id = c.list[50].id;
    run(&c, do_delete);
    list(&c);
    assert_int_equal(c.count, ENROLL_TOKENS_MAX - 1);
    assert_true(str_eq(c.list[50].name, STR("t51")));
    run(&c, do_create);
    end(&c);
}

static void an_inactive_token_opens_nothing_until_it_is_active_again(void **state)
{
    struct call c = begin(state);

    run(&c, do_create);
    c.token.active = false;
    run(&c, do_update);
    assert_int_equal(c.token.version, 1);
    assert_false(token_opens(&c, c.token.token));
    reload(&c);
    assert_false(token_opens(&c, c.token.token));
    c.token.active = true;
    run(&c, do_update);
    assert_true(token_opens(&c, c.token.token));
    reload(&c);
    assert_true(token_opens(&c, c.token.token));
    end(&c);
}

static void a_token_that_is_made_inactive_opens_nothing(void **state)
{
    struct call c = begin(state);

    c.token.active = false;
    run(&c, do_create);
    assert_false(token_opens(&c, c.token.token));
    reload(&c);
    assert_false(token_opens(&c, c.token.token));
    c.token.active = true;
    run(&c, do_update);
    assert_true(token_opens(&c, c.token.token));
    end(&c);
}

static void an_update_of_an_old_version_is_refused(void **state)
{
    struct call c = begin(state);
    struct enroll_token read = {0};

    run(&c, do_create);
    c.token.name = STR("phones");
    run(&c, do_update);
    c.token.version = 0;
    c.token.name = STR("tablets");
    refuses(&c, do_update, CODE_ABORTED, "version_mismatch");
    assert_int_equal(get(&c, &read), 0);
    assert_true(str_eq(read.name, STR("phones")));
    end(&c);
}

static void a_deleted_token_opens_nothing_and_leaves_no_key(void **state)
{
    struct call c = begin(state);
    struct key *keys = NULL;
    size_t count = 1;

    run(&c, do_create);
    run(&c, do_delete);
    assert_false(token_opens(&c, c.token.token));
    refuses(&c, do_delete, CODE_NOT_FOUND, "no_such_token");
    refuses(&c, do_update, CODE_NOT_FOUND, "no_such_token");

    struct store_tx *tx = fixture_read(c.x);

    assert_int_equal(store_key_list(tx, c.tenant, STR(""), 10, &keys, &count, &c.x->fail), 0);
    assert_int_equal(count, 0);
    store_read_close(&tx);
    end(&c);
}

static void changes_of_tokens_leave_events(void **state)
{
    static const char *const kinds[] = {"token.created", "token.updated", "token.deleted"};
    struct call c = begin(state);
    struct event *events = NULL;
    size_t count = 0;

    run(&c, do_create);
    run(&c, do_update);
    run(&c, do_delete);

    struct store_tx *tx = fixture_read(c.x);

    assert_int_equal(event_list(tx, c.tenant, 0, 10, &events, &count, &c.x->fail), 0);
    assert_int_equal(count, 1 + COUNTOF(kinds)); /* the first is the tenant's */
    for (size_t i = 0; i < COUNTOF(kinds); i++)
        assert_true(str_eq(events[1 + i].kind, str_of(kinds[i])));
    store_read_close(&tx);
    end(&c);
}

/* ---- Credentials ---- */

static void a_credentials_id_carries_its_agents_number(void **state)
{
    static const int64_t numbers[] = {1, 31, 32, 4711, 100000001, INT64_MAX};
    struct call c = begin(state);
    int64_t number = 0;

    for (size_t i = 0; i < COUNTOF(numbers); i++) {
        c.agent = numbers[i];
        run(&c, do_credential);
        assert_int_equal(c.credential.id.len, 20);
        assert_int_equal(c.credential.key.len, 88);
        assert_true(enroll_credential_collector(c.credential.id, &number));
        assert_int_equal(number, numbers[i]);
        assert_true(credential_opens(&c));
    }
    end(&c);
}

static void ids_of_other_keys_are_no_credentials(void **state)
{
    static const struct str ids[] = {
        STR_INIT(""),
        STR_INIT("i"),
        STR_INIT("01hjxqf8y5kbdcv2m3np"), /* a key of key.h */
        STR_INIT("i0000000000000000000"), /* no agent has the number 0 */
        STR_INIT("izzzzzzzzzzzzz000000"), /* more than 63 bits */
        STR_INIT("i000000000001o000000"), /* no such symbol */
        STR_INIT("i00000000000010000000"),
    };
    struct call c = begin(state);
    struct key_secret key;
    int64_t number;

    for (size_t i = 0; i < COUNTOF(ids); i++)
        assert_false(enroll_credential_collector(ids[i], &number));
    key_generate(FIXTURE_START_US, c.x->arena, &key);
    assert_false(enroll_credential_collector(key.id, &number));
    end(&c);
}

static void a_credential_is_known_once_it_is_durable(void **state)
{
    struct call c = begin(state);

    assert_int_equal(fixture_write(c.x, do_fail, &c), -1);
    assert_false(credential_opens(&c));
    run(&c, do_credential);
    assert_true(credential_opens(&c));
    assert_true(keyring_is_live(c.ring, c.credential.id));
    reload(&c);
    assert_true(credential_opens(&c));
    assert_int_equal(keyring_count(c.ring), 1);
    end(&c);
}

static void a_credential_with_a_wrong_part_opens_nothing(void **state)
{
    struct call c = begin(state);
    struct call other = c;

    run(&c, do_credential);
    other.agent++;
    run(&other, do_credential);

    const struct enroll_credential good = c.credential;

    c.credential.key = other.credential.key;
    assert_false(credential_opens(&c));
    c.credential = (struct enroll_credential){other.credential.id, good.key};
    assert_false(credential_opens(&c));
    c.credential = (struct enroll_credential){good.id, str_first(good.key, 87)};
    assert_false(credential_opens(&c));
    c.credential = (struct enroll_credential){good.id, STR("")};
    assert_false(credential_opens(&c));
    c.credential = (struct enroll_credential){STR("i0000000000001000000"), good.key};
    assert_false(credential_opens(&c));
    c.credential = good;
    assert_true(credential_opens(&c));
    end(&c);
}

static void an_agents_credentials_go_together_and_alone(void **state)
{
    struct call c = begin(state);
    struct call second = c, other = c;

    other.agent = c.agent + 1;
    run(&c, do_credential);
    run(&second, do_credential);
    run(&other, do_credential);
    assert_false(str_eq(c.credential.id, second.credential.id));
    run(&c, do_drop);
    assert_false(credential_opens(&c));
    assert_false(credential_opens(&second));
    assert_false(keyring_is_live(c.ring, c.credential.id));
    assert_true(credential_opens(&other));
    reload(&c);
    other.ring = c.ring;
    assert_int_equal(keyring_count(c.ring), 1);
    assert_true(credential_opens(&other));
    end(&c);
}

static void agents_whose_numbers_begin_alike_keep_theirs(void **state)
{
    struct call c = begin(state);
    struct call other = c;

    c.agent = 1;
    other.agent = 33; /* 1 and one more digit, were it not for the zeroes in front */
    run(&c, do_credential);
    run(&other, do_credential);
    run(&c, do_drop);
    reload(&c);
    other.ring = c.ring;
    assert_true(credential_opens(&other));
    assert_false(credential_opens(&c));
    end(&c);
}

/* ---- Beside other keys ---- */

static void lists_of_keys_show_none_of_these(void **state)
{
    struct call c = begin(state);
    struct key *keys = NULL;
    struct key found;
    size_t count = 0;

    c.key = (struct key_new){.tenant = c.tenant, .role = ROLE_VIEWER};
    run(&c, do_credential);
    run(&c, do_create);
    run(&c, do_key);

    struct store_tx *tx = fixture_read(c.x);

    assert_int_equal(key_list(tx, c.tenant, STR(""), 10, &keys, &count, &c.x->fail), 0);
    assert_int_equal(count, 1);
    assert_int_equal(keys[0].role, ROLE_VIEWER);
    assert_int_equal(key_list(tx, c.tenant, keys[0].id, 10, &keys, &count, &c.x->fail), 0);
    assert_int_equal(count, 0);
    assert_int_equal(key_get(tx, c.tenant, c.credential.id, &found, &c.x->fail), -1);
    assert_int_equal(key_get(tx, c.tenant, str_first(c.token.token, 14), &found, &c.x->fail), -1);
    store_read_close(&tx);
    refuses(&c, do_revoke, CODE_NOT_FOUND, "no_such_key");
    assert_true(credential_opens(&c));
    end(&c);
}

static void no_other_key_gets_their_scopes(void **state)
{
    static const uint32_t scopes[] = {SCOPE_ENROLL, SCOPE_BEAT, SCOPE_BEAT | SCOPE_AGENT};
    struct call c = begin(state);

    c.key = (struct key_new){.tenant = c.tenant, .role = ROLE_AGENT};
    for (size_t i = 0; i < COUNTOF(scopes); i++) {
        c.key.scopes = scopes[i];
        refuses(&c, do_key, CODE_INVALID_ARGUMENT, "bad_scopes");
    }
    c.key.role = ROLE_ADMIN;
    refuses(&c, do_key, CODE_INVALID_ARGUMENT, "bad_scopes");
    end(&c);
}

static int do_delete_tenant(struct store_tx *tx, void *arg, struct fail *f)
{
    return tenant_delete(tx, NULL, STR("acme"), ((struct call *)arg)->ring, f);
}

static int do_create_tenant(struct store_tx *tx, void *arg, struct fail *f)
{
    struct tenant t;

    if (tenant_create(tx, NULL, STR("acme"), &t, f) < 0)
        return -1;
    ((struct call *)arg)->tenant = t.id;
    return 0;
}

static void a_tenant_takes_its_tokens_and_credentials_along(void **state)
{
    struct call c = begin(state);
    struct call other = c;
    struct caller who;

    other.agent = c.agent + 1;
    run(&other, do_credential);
    run(&c, do_create_tenant);
    run(&c, do_create);
    run(&c, do_credential);
    assert_true(keyring_resolve_token(c.ring, c.x->arena, c.token.token, &who));
    assert_true(str_eq(who.tenant_name, STR("acme")));
    run(&c, do_delete_tenant);
    assert_false(keyring_resolve_token(c.ring, c.x->arena, c.token.token, &who));
    assert_false(credential_opens(&c));
    assert_true(credential_opens(&other));
    assert_int_equal(keyring_count(c.ring), 1);
    refuses(&c, do_create, CODE_NOT_FOUND, "no_such_tenant");
    refuses(&c, do_credential, CODE_NOT_FOUND, "no_such_tenant");
    end(&c);
}

static void a_million_credentials_would_fit_into_100_mb(void **state)
{
    enum {
        AGENTS = 100000
    };
    struct call c = begin(state);
    struct key k = {.tenant = c.tenant, .role = ROLE_AGENT, .scopes = SCOPE_BEAT};
    size_t empty = keyring_agent_bytes(c.ring);

    for (int i = 1; i <= AGENTS; i++) {
        char id[KEY_ID_LEN + 1];

        /* The number's last digits, in the ids' own symbols. */
        snprintf(id, sizeof(id), "i%013d000000", i);
        k.id = str_of(id);
        keyring_put(c.ring, &k, STR("acme"));
    }
    assert_int_equal(keyring_count(c.ring), AGENTS);

    size_t each = (keyring_agent_bytes(c.ring) - empty) / AGENTS;

    print_message("%zu bytes a credential\n", each);
    assert_true(each <= 100);
    keyring_remove_tenant(c.ring, c.tenant);
    assert_int_equal(keyring_count(c.ring), 0);
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_token_can_be_read_again),
        FIXTURE_TEST(a_tokens_secret_is_in_no_row),
        FIXTURE_TEST(a_token_opens_bare_and_encoded_with_any_url),
        FIXTURE_TEST(no_byte_of_a_token_may_differ),
        FIXTURE_TEST(names_of_tokens_are_unique_in_their_tenant),
        FIXTURE_TEST(words_of_a_token_are_bounded),
        FIXTURE_TEST(a_tenant_has_a_hundred_tokens_and_no_more),
        FIXTURE_TEST(an_inactive_token_opens_nothing_until_it_is_active_again),
        FIXTURE_TEST(a_token_that_is_made_inactive_opens_nothing),
        FIXTURE_TEST(an_update_of_an_old_version_is_refused),
        FIXTURE_TEST(a_deleted_token_opens_nothing_and_leaves_no_key),
        FIXTURE_TEST(changes_of_tokens_leave_events),
        FIXTURE_TEST(a_credentials_id_carries_its_agents_number),
        FIXTURE_TEST(ids_of_other_keys_are_no_credentials),
        FIXTURE_TEST(a_credential_is_known_once_it_is_durable),
        FIXTURE_TEST(a_credential_with_a_wrong_part_opens_nothing),
        FIXTURE_TEST(an_agents_credentials_go_together_and_alone),
        FIXTURE_TEST(agents_whose_numbers_begin_alike_keep_theirs),
        FIXTURE_TEST(lists_of_keys_show_none_of_these),
        FIXTURE_TEST(no_other_key_gets_their_scopes),
        FIXTURE_TEST(a_tenant_takes_its_tokens_and_credentials_along),
        FIXTURE_TEST(a_million_credentials_would_fit_into_100_mb),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
