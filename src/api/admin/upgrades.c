/* SPDX-License-Identifier: Apache-2.0 */
/* /admin/v1/upgrades: upgrades of a tenant and how far they are. They are asked for where
 * collectors are managed. Workers. */
#include "core/upgrade.h"

#include "api/admin/admin_internal.h"

static void upgrade_put(struct json_writer *w, struct arena *a, const struct upgrade *u)
{
    json_obj_begin(w);
    json_key_i64(w, STR("id"), u->id);
    json_key_i64(w, STR("collector"), u->collector);
    json_key_str(w, STR("agent"), u->agent);
    json_key_str(w, STR("to_version"), u->to_version);
    json_key_str(w, STR("step_version"), u->step_version);
    json_key_str(w, STR("state"), str_of(upgrade_state_name(u->state)));
    json_key_bool(w, STR("open"), upgrade_is_open(u->state));
    json_key_str(w, STR("message"), u->message);
    admin_put_time(w, a, STR("requested"), u->requested_us);
    admin_put_time(w, a, STR("deadline"), u->deadline_us);
    json_obj_end(w);
}

static int query_number(const struct call *c, const char *name, int64_t *out, struct fail *f)
{
    struct str text;

    *out = 0;
    if (!call_query(c, str_of(name), &text) || (str_to_i64(text, out) == 0 && *out >= 0))
        return 0;
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_page_token",
                       "%s is not one that a list gave out", name));
    return fail_field(f, "%s", name);
}

static int query_open(const struct call *c, bool *out, struct fail *f)
{
    struct str text;

    *out = false;
    if (!call_query(c, STR("open"), &text) || str_eq(text, STR("false")))
        return 0;
    *out = true;
    if (str_eq(text, STR("true")))
        return 0;
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_open", "open must be true or false"));
    return fail_field(f, "open");
}

/* Whose they are: the caller's tenant when the query names none. */
static int find_tenant(const struct call *c, struct store_tx *tx, struct tenant *out,
                       struct fail *f)
{
    struct str name = STR("");

    IGNORE(call_query(c, STR("tenant"), &name));
    return admin_tenant(c, tx, name, out, f);
}

int upgrades_list(struct call *c, struct fail *f)
{
    static const char *const names[] = {"tenant", "open", "limit", "page_token", NULL};
    struct json_writer w;
    struct store_tx *tx;
    struct tenant tenant = {0};
    struct upgrade *rows = NULL;
    size_t limit, count = 0;
    int64_t after;
    bool open_only;

    if (admin_query_names(c, names, f) < 0 || admin_query_limit(c, &limit, f) < 0 ||
        query_number(c, "page_token", &after, f) < 0 || query_open(c, &open_only, f) < 0 ||
        store_read_open(admin_app_of(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = find_tenant(c, tx, &tenant, f) < 0
                 ? -1
                 : upgrade_list(tx, tenant.id, open_only, after, limit, &rows, &count, f);

    store_read_close(&tx);
    if (rc < 0)
        return -1;
    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key(&w, STR("upgrades"));
    json_arr_begin(&w);
    for (size_t i = 0; i < count; i++)
        upgrade_put(&w, c->arena, &rows[i]);
    json_arr_end(&w);
    if (count == limit)
        json_key_str(&w, STR("next_page_token"),
                     arena_printf(c->arena, "%lld", (long long)rows[count - 1].id));
    json_obj_end(&w);
    return 0;
}

int upgrades_get(struct call *c, struct fail *f)
{
    static const char *const names[] = {"tenant", NULL};
    struct json_writer w;
    struct store_tx *tx;
    struct tenant tenant = {0};
    struct upgrade u = {0};
    int64_t id = 0;

    if (admin_query_names(c, names, f) < 0)
        return -1;
    if (str_to_i64(call_param(c, STR("id")), &id) < 0 || id <= 0)
        return fail_reason(f, CODE_NOT_FOUND, "no_such_upgrade", "there is no such upgrade");
    if (store_read_open(admin_app_of(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = find_tenant(c, tx, &tenant, f);

    if (rc == 0)
        rc = upgrade_get(tx, tenant.id, id, &u, f);
    store_read_close(&tx);
    if (rc < 0)
        return -1;
    json_writer_init(&w, &c->out);
    upgrade_put(&w, c->arena, &u);
    return 0;
}
