/* SPDX-License-Identifier: Apache-2.0 */
/* See bootstrap.h. */
#include "core/bootstrap.h"

#include "codec/json_writer.h"
#include "core/datafile.h"
#include "core/tenant.h"

/* Tells whether the master key is the one that the store's hashes were made with. */
#define FINGERPRINT STR("master_key.fingerprint")

static void fingerprint(const struct master_key *m, uint8_t out[KEY_HASH_LEN])
{
    static const char id[KEY_ID_LEN] = "fingerprint-of-the-m";
    static const char text[KEY_SECRET_LEN] = "not a secret: says which master key made the hashes.";

    key_hash(m, str_make(id, sizeof(id)), str_make(text, sizeof(text)), out);
}

struct found {
    bool tenants;
    struct str fingerprint; /* empty: none */
};

static int look(struct store *s, struct arena *a, struct found *out, struct fail *f)
{
    struct store_tx *tx;
    struct tenant *tenants;
    size_t count = 0;

    if (store_read_open(s, a, &tx, f) < 0)
        return -1;

    int r = store_tenant_list(tx, 0, 1, &tenants, &count, f);

    if (r == 0) {
        out->tenants = count > 0;
        r = store_setting_get(tx, 0, FINGERPRINT, &out->fingerprint, f);
        if (r < 0 && f->code == CODE_NOT_FOUND)
            r = 0;
    }
    store_read_close(&tx);
    return r;
}

static int write_credentials(const char *dir, struct arena *a, const struct key_secret *secret,
                             struct fail *f)
{
    struct json_writer w;
    struct buf text;

    buf_init_arena(&text, a, 1024);
    json_writer_init_indented(&w, &text, 2);
    json_obj_begin(&w);
    json_key_str(&w, STR("tenant"), STR(TENANT_DEFAULT));
    json_key_str(&w, STR("id"), secret->id);
    json_key_str(&w, STR("secret"), secret->secret);
    json_key_str(&w, STR("token"), secret->token);
    json_obj_end(&w);
    buf_put_byte(&text, '\n');
    return datafile_write(dir, FIRST_CREDENTIALS_FILE, buf_str(&text), f);
}

struct first {
    const struct master_key *master;
    const struct key_secret *secret;
};

static int create(struct store_tx *tx, void *arg, struct fail *f)
{
    const struct first *first = arg;
    uint8_t mark[KEY_HASH_LEN];
    struct tenant t;
    struct key k;

    if (tenant_create(tx, NULL, STR(TENANT_DEFAULT), &t, f) < 0)
        return -1;

    const struct key_new want = {
        .tenant = t.id,
        .tenant_name = t.name,
        .role = ROLE_ADMIN,
        .label = STR("first admin"),
    };

    fingerprint(first->master, mark);
    if (store_setting_put(tx, 0, FINGERPRINT, str_make(mark, sizeof(mark)), f) < 0)
        return -1;
    return key_insert(tx, NULL, first->master, &want, NULL, first->secret, &k, f);
}

/* The file is on disk before the row: a kill in between leaves a file about nothing, and no tenant,
 * so the next start writes both anew. The other order could leave a tenant that nobody can enter.
 */
static int make_first(struct store *s, struct clock *c, const char *dir, struct arena *a,
                      const struct master_key *master, struct fail *f)
{
    struct key_secret secret;
    struct first first = {master, &secret};

    key_generate(clock_wall_us(c), a, &secret);
    if (write_credentials(dir, a, &secret, f) < 0)
        return -1;
    return store_write(s, a, create, &first, f);
}

static int check_master(const struct found *found, const struct master_key *m, struct fail *f)
{
    uint8_t mark[KEY_HASH_LEN];

    fingerprint(m, mark);
    if (str_eq(found->fingerprint, str_make(mark, sizeof(mark))))
        return 0;
    return fail_reason(
        f, CODE_FAILED_PRECONDITION, "wrong_master_key",
        "master.key is not the one that this database was written with: put back the "
        "file that belongs to it");
}

static int run(struct store *s, struct clock *c, const char *dir, struct arena *a,
               struct master_key *master, bool *created, struct fail *f)
{
    struct found found = {0};

    if (look(s, a, &found, f) < 0 || master_key_load(dir, !found.tenants, master, f) < 0)
        return -1;
    *created = !found.tenants;
    if (found.tenants)
        return check_master(&found, master, f);
    return make_first(s, c, dir, a, master, f);
}

int bootstrap(struct store *s, struct clock *c, const char *data_dir, struct master_key *master,
              bool *created, struct fail *f)
{
    struct arena *a = arena_new(4096);
    int r = run(s, c, data_dir, a, master, created, f);

    arena_free(&a);
    return r;
}
