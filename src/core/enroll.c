/* SPDX-License-Identifier: Apache-2.0 */
/* See enroll.h. All tokens of a tenant are one small row, read and written as a whole; the row of a
 * token's key says whether it opens anything. */
#include "core/enroll_internal.h"

#include "base/random.h"
#include "codec/utf8.h"
#include "core/event.h"
#include "core/seal.h"
#include "core/tenant.h"
#include "proto/muster_store_v1_rows.pb.h"

#define TOKENS_SETTING  STR("enroll.tokens")
#define TOKENS_BYTES    (1u << 20)
#define NAME_CHARS_MAX  128
#define TEXT_CHARS_MAX  1024
#define CREDENTIAL_DRAW 4 /* nonces, before somebody's clock or kernel is to blame */

struct tokens {
    struct muster_store_v1_enroll_tokens row;
    uint64_t tenant;
};

#define enroll_row muster_store_v1_enroll_tokens_token

/* --- the row --- */

static int tokens_load(struct store_tx *tx, uint64_t tenant, struct tokens *out, struct fail *f)
{
    struct str bytes;

    *out = (struct tokens){.tenant = tenant};
    if (store_setting_get(tx, tenant, TOKENS_SETTING, &bytes, f) < 0)
        return f->code == CODE_NOT_FOUND ? 0 : -1;
    if (proto_decode(&muster_store_v1_enroll_tokens_desc, store_tx_arena(tx), bytes, NULL,
                     &out->row, f) < 0)
        return fail_set(f, CODE_DATA_LOSS, "the installation tokens cannot be read");
    return 0;
}

static int tokens_save(struct store_tx *tx, const struct tokens *t, struct fail *f)
{
    struct buf out;

    buf_init_arena(&out, store_tx_arena(tx), TOKENS_BYTES);
    if (proto_encode(&muster_store_v1_enroll_tokens_desc, &t->row, &out) < 0)
        return fail_set(f, CODE_INTERNAL, "the installation tokens cannot be written");
    return store_setting_put(tx, t->tenant, TOKENS_SETTING, buf_str(&out), f);
}

/* Room for one more. */
static struct enroll_row *tokens_add(struct store_tx *tx, struct tokens *t)
{
    size_t n = t->row.tokens.count;
    struct enroll_row *items = arena_new_array(store_tx_arena(tx), struct enroll_row, n + 1);

    if (n > 0)
        memcpy(items, t->row.tokens.items, n * sizeof(*items));
    t->row.tokens.items = items;
    t->row.tokens.count = n + 1;
    return &items[n];
}

static struct enroll_row *tokens_find(struct tokens *t, int64_t id, struct fail *f)
{
    for (size_t i = 0; i < t->row.tokens.count; i++) {
        if (t->row.tokens.items[i].id == id)
            return &t->row.tokens.items[i];
    }
    IGNORE(fail_reason(f, CODE_NOT_FOUND, "no_such_token", "There is no such installation token."));
    return NULL;
}

static int check_name_free(const struct tokens *t, struct str name, int64_t but, struct fail *f)
{
    for (size_t i = 0; i < t->row.tokens.count; i++) {
        const struct enroll_row *other = &t->row.tokens.items[i];

        if (other->id != but && str_eq(other->name, name)) {
            IGNORE(fail_reason(f, CODE_ALREADY_EXISTS, "name_taken",
                               "There is an installation token of that name already."));
            return fail_field(f, "name");
        }
    }
    return 0;
}

static int check_text(struct str text, size_t min, size_t max, const char *field, struct fail *f)
{
    size_t chars = utf8_is_valid(text) ? utf8_count(text) : SIZE_MAX;

    if (chars >= min && chars <= max)
        return 0;
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                       "The %s of an installation token has %zu to %zu characters.", field, min,
                       max));
    return fail_field(f, "%s", field);
}

static int check_words(const struct enroll_token *t, struct fail *f)
{
    if (check_text(t->name, 1, NAME_CHARS_MAX, "name", f) < 0)
        return -1;
    return check_text(t->description, 0, TEXT_CHARS_MAX, "description", f);
}

/* --- between the row and the struct --- */

static struct str seal_context(struct arena *a, const struct enroll_row *t)
{
    return arena_printf(a, "installation token %lld", (long long)t->id);
}

static int open_token(struct arena *a, const struct master_key *m, const struct enroll_row *t,
                      struct enroll_token *out, struct fail *f)
{
    struct str token;

    if (seal_open(a, m, seal_context(a, t), t->sealed, &token, f) < 0)
        return -1;
    *out = (struct enroll_token){
        .id = t->id,
        .name = t->name,
        .description = t->description,
        .active = t->active,
        .version = t->version,
        .token = token,
        .created_us = t->created_us,
        .updated_us = t->updated_us,
        .created_by = t->created_by,
        .updated_by = t->updated_by,
    };
    return 0;
}

/* --- its key --- */

static int put_key(struct store_tx *tx, const struct master_key *m, struct keyring *ring,
                   const struct tenant *tenant, const struct enroll_row *t, struct str bare,
                   struct fail *f)
{
    struct str id, secret;
    struct key k = {
        .tenant = tenant->id,
        .role = ROLE_AGENT,
        .scopes = SCOPE_ENROLL,
        .label = arena_printf(store_tx_arena(tx), "installation token %lld", (long long)t->id),
        .created_us = t->created_us,
        .revoked_us = t->active ? 0 : t->created_us,
    };

    if (!enroll_token_split(bare, &id, &secret))
        return fail_set(f, CODE_DATA_LOSS, "an installation token cannot be read");
    k.id = id;
    key_hash(m, id, secret, k.hash);
    if (store_key_insert(tx, &k, f) < 0)
        return -1;
    if (t->active)
        keyring_follow_put(ring, tx, &k, tenant->name);
    return 0;
}

static int switch_key(struct store_tx *tx, struct keyring *ring, uint64_t tenant,
                      const struct enroll_row *t, struct fail *f)
{
    struct tenant owner;
    struct key k;

    if (tenant_get_id(tx, tenant, &owner, f) < 0 || store_key_get(tx, tenant, t->key_id, &k, f) < 0)
        return -1;
    k.revoked_us = t->active ? 0 : store_tx_now(tx);
    if (store_key_set_revoked(tx, tenant, k.id, k.revoked_us, f) < 0)
        return -1;
    if (t->active)
        keyring_follow_put(ring, tx, &k, owner.name);
    else
        keyring_follow_remove(ring, tx, k.id);
    return 0;
}

static struct str new_token(struct arena *a)
{
    char *text = arena_alloc_raw(a, ENROLL_TOKEN_LEN);
    const size_t prefix = sizeof(ENROLL_TOKEN_PREFIX) - 1;

    memcpy(text, ENROLL_TOKEN_PREFIX, prefix);
    random_text(text + prefix, ENROLL_TOKEN_LEN - prefix);
    return str_make(text, ENROLL_TOKEN_LEN);
}

static struct str key_of(const struct caller *by)
{
    return by ? by->key_id : STR("");
}

static int tell(struct store_tx *tx, uint64_t tenant, const struct caller *by, const char *kind,
                const struct enroll_row *t, struct fail *f)
{
    struct arena *a = store_tx_arena(tx);

    return event_append(tx, tenant, by, kind, arena_printf(a, "%lld", (long long)t->id),
                        event_data(a, "name", t->name), f);
}

int enroll_token_create(struct store_tx *tx, const struct caller *by, const struct master_key *m,
                        struct keyring *ring, uint64_t tenant, struct enroll_token *t,
                        struct fail *f)
{
    struct arena *a = store_tx_arena(tx);
    struct str bare = new_token(a);
    struct tenant owner;
    struct tokens all;

    if (check_words(t, f) < 0 || tenant_get_id(tx, tenant, &owner, f) < 0 ||
        tokens_load(tx, tenant, &all, f) < 0 || check_name_free(&all, t->name, 0, f) < 0)
        return -1;
    if (all.row.tokens.count >= ENROLL_TOKENS_MAX)
        return fail_reason(f, CODE_RESOURCE_EXHAUSTED, "too_many_tokens",
                           "There may be at most %d installation tokens.", ENROLL_TOKENS_MAX);

    struct enroll_row *made = tokens_add(tx, &all);

    *made = (struct enroll_row){
        .id = store_next_id(tx),
        .name = t->name,
        .description = t->description,
        .active = t->active,
        .key_id = str_first(bare, ENROLL_KEY_ID_LEN),
        .created_us = store_tx_now(tx),
        .updated_us = store_tx_now(tx),
        .created_by = key_of(by),
        .updated_by = key_of(by),
    };
    made->sealed = seal(a, m, seal_context(a, made), bare);
    if (put_key(tx, m, ring, &owner, made, bare, f) < 0 || tokens_save(tx, &all, f) < 0 ||
        tell(tx, tenant, by, "token.created", made, f) < 0)
        return -1;
    return open_token(a, m, made, t, f);
}

int enroll_token_get(struct store_tx *tx, const struct master_key *m, uint64_t tenant, int64_t id,
                     struct enroll_token *out, struct fail *f)
{
    struct tokens all;
    const struct enroll_row *t;

    if (tokens_load(tx, tenant, &all, f) < 0)
        return -1;
    t = tokens_find(&all, id, f);
    return t ? open_token(store_tx_arena(tx), m, t, out, f) : -1;
}

int enroll_token_list(struct store_tx *tx, const struct master_key *m, uint64_t tenant,
                      struct enroll_token **out, size_t *count, struct fail *f)
{
    struct arena *a = store_tx_arena(tx);
    struct tokens all;

    if (tokens_load(tx, tenant, &all, f) < 0)
        return -1;

    size_t n = all.row.tokens.count;
    struct enroll_token *list = arena_new_array(a, struct enroll_token, n);

    for (size_t i = 0; i < n; i++) {
        if (open_token(a, m, &all.row.tokens.items[i], &list[i], f) < 0)
            return -1;
    }
    *out = list;
    *count = n;
    return 0;
}

int enroll_token_update(struct store_tx *tx, const struct caller *by, const struct master_key *m,
                        struct keyring *ring, uint64_t tenant, struct enroll_token *t,
                        struct fail *f)
{
    struct tokens all;
    struct enroll_row *was;

    if (check_words(t, f) < 0 || tokens_load(tx, tenant, &all, f) < 0)
        return -1;
    was = tokens_find(&all, t->id, f);
    if (!was)
        return -1;
    if (was->version != t->version)
        return fail_reason(f, CODE_ABORTED, "version_mismatch",
                           "The installation token was changed meanwhile: its version is %lld.",
                           (long long)was->version);
    if (check_name_free(&all, t->name, t->id, f) < 0)
        return -1;

    bool switched = was->active != t->active;

    was->name = t->name;
    was->description = t->description;
    was->active = t->active;
    was->version++;
    was->updated_us = MAX(store_tx_now(tx), was->updated_us);
    was->updated_by = key_of(by);
    if ((switched && switch_key(tx, ring, tenant, was, f) < 0) || tokens_save(tx, &all, f) < 0 ||
        tell(tx, tenant, by, "token.updated", was, f) < 0)
        return -1;
    return open_token(store_tx_arena(tx), m, was, t, f);
}

int enroll_token_delete(struct store_tx *tx, const struct caller *by, struct keyring *ring,
                        uint64_t tenant, int64_t id, struct fail *f)
{
    struct tokens all;
    struct enroll_row *t;

    if (tokens_load(tx, tenant, &all, f) < 0)
        return -1;
    t = tokens_find(&all, id, f);
    if (!t)
        return -1;

    struct enroll_row gone = *t;

    all.row.tokens.count--;
    memmove(t, t + 1,
            (size_t)(all.row.tokens.items + all.row.tokens.count - t) * sizeof(struct enroll_row));
    if (store_key_delete(tx, tenant, gone.key_id, f) < 0 || tokens_save(tx, &all, f) < 0 ||
        tell(tx, tenant, by, "token.deleted", &gone, f) < 0)
        return -1;
    keyring_follow_remove(ring, tx, gone.key_id);
    return 0;
}

/* --- credentials --- */

static struct str print_credential(struct arena *a, int64_t collector)
{
    char *id = arena_alloc_raw(a, KEY_ID_LEN);
    const uint32_t nonces = UINT32_C(1) << (5 * CREDENTIAL_NONCE_LEN);

    enroll_credential_print(collector, (uint32_t)random_below(nonces), id);
    return str_make(id, KEY_ID_LEN);
}

/* No event: that of the agent's registration tells. */
int enroll_credential_new(struct store_tx *tx, const struct caller *by, const struct master_key *m,
                          struct keyring *ring, uint64_t tenant, int64_t collector,
                          struct enroll_credential *out, struct fail *f)
{
    struct arena *a = store_tx_arena(tx);
    char *secret = arena_alloc_raw(a, CREDENTIAL_KEY_LEN);
    struct tenant owner;
    struct key k = {
        .tenant = tenant,
        .role = ROLE_AGENT,
        .scopes = SCOPE_BEAT,
        .label = key_of(by),
        .created_us = store_tx_now(tx),
    };

    if (tenant_get_id(tx, tenant, &owner, f) < 0)
        return -1;
    random_text(secret, CREDENTIAL_KEY_LEN);
    for (int drawn = 1;; drawn++) {
        k.id = print_credential(a, collector);
        key_hash(m, k.id, str_make(secret, CREDENTIAL_KEY_LEN), k.hash);
        if (store_key_insert(tx, &k, f) == 0)
            break;
        if (f->code != CODE_ALREADY_EXISTS || drawn == CREDENTIAL_DRAW)
            return -1;
    }
    keyring_follow_put(ring, tx, &k, owner.name);
    *out = (struct enroll_credential){k.id, str_make(secret, CREDENTIAL_KEY_LEN)};
    return 0;
}

int enroll_credentials_drop(struct store_tx *tx, struct keyring *ring, uint64_t tenant,
                            int64_t collector, struct fail *f)
{
    struct str prefix = enroll_credential_prefix(store_tx_arena(tx), collector);

    if (store_key_delete(tx, tenant, prefix, f) < 0)
        return -1;
    keyring_follow_remove_agent(ring, tx, collector);
    return 0;
}
