/* SPDX-License-Identifier: Apache-2.0 */
/* /admin/v1/events: the record of changes of one tenant, oldest first. */
#include "core/event.h"

#include "api/admin/admin_internal.h"

static void event_put(struct json_writer *w, struct arena *a, const struct event *e)
{
    json_obj_begin(w);
    json_key_i64(w, STR("seq"), e->seq);
    json_key_str(w, STR("kind"), e->kind);
    json_key_str(w, STR("subject"), e->subject);
    json_key_str(w, STR("actor"), e->actor);
    admin_put_time(w, a, STR("at"), e->at_us);
    json_key(w, STR("data"));
    if (e->data.len > 0)
        json_put_raw(w, e->data); /* JSON already, ours */
    else
        json_null(w);
    json_obj_end(w);
}

static int query_after(const struct call *c, int64_t *after, struct fail *f)
{
    struct str text;

    *after = 0;
    if (call_query(c, STR("after"), &text) && (str_to_i64(text, after) < 0 || *after < 0)) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_after",
                           "after must be the number of an event"));
        return fail_field(f, "after");
    }
    return 0;
}

int events_list(struct call *c, struct fail *f)
{
    static const char *const names[] = {"tenant", "after", "limit", NULL};
    struct json_writer w;
    struct store_tx *tx;
    struct tenant tenant;
    struct event *rows = NULL;
    struct str name = {NULL, 0};
    int64_t after;
    size_t limit, count = 0;

    if (admin_query_names(c, names, f) < 0 || admin_query_limit(c, &limit, f) < 0 ||
        query_after(c, &after, f) < 0 ||
        store_read_open(admin_app_of(c)->store, c->arena, &tx, f) < 0)
        return -1;
    IGNORE(call_query(c, STR("tenant"), &name));

    int rc = admin_tenant(c, tx, name, &tenant, f);

    if (rc == 0)
        rc = event_list(tx, tenant.id, after, limit, &rows, &count, f);
    store_read_close(&tx);
    if (rc < 0)
        return -1;
    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key(&w, STR("events"));
    json_arr_begin(&w);
    for (size_t i = 0; i < count; i++)
        event_put(&w, c->arena, &rows[i]);
    json_arr_end(&w);
    json_key_i64(&w, STR("after"), count > 0 ? rows[count - 1].seq : after);
    json_obj_end(&w);
    return 0;
}
