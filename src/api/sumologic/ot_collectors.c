/* SPDX-License-Identifier: Apache-2.0 */
/* /api/v1/otCollectors: agents under the newer names of their members. The same agents as the
 * installed ones of /api/v1/collectors; their tags are the fields there. */
#include "api/sumologic/extras.h"
#include "api/sumologic/internal.h"
#include "api/sumologic/source_json.h"
#include "codec/rfc3339.h"
#include "codec/utf8.h"

#define NAME_CHARS 128

static int no_such_collector(struct fail *f)
{
    return fail_reason(f, CODE_NOT_FOUND, "no_such_collector",
                       "The specified collector ID is invalid.");
}

/* Agents only. */
static int find(const struct call *c, struct store_tx *tx, struct str hex,
                struct sumo_collector *out, struct fail *f)
{
    int64_t id = 0;

    if (!sumo_hex_id(hex, &id))
        return no_such_collector(f);
    if (sumo_collector_get(c, tx, id, out, f) < 0)
        return -1;
    return out->is_hosted ? no_such_collector(f) : 0;
}

static void put_map(struct json_writer *w, struct str key, const struct attributes *list)
{
    json_key(w, key);
    json_obj_begin(w);
    for (size_t i = 0; i < list->count; i++)
        json_key_str(w, list->items[i].key, list->items[i].value);
    json_obj_end(w);
}

static void put_text(struct json_writer *w, const char *key, struct str text)
{
    if (text.len > 0)
        json_key_str(w, str_of(key), text);
}

int sumo_ot_collectors_get(struct call *c, struct fail *f)
{
    struct sumo_collector col = {0};
    struct extras extras;
    struct json_writer w;

    if (find(c, NULL, call_param(c, STR("hex")), &col, f) < 0)
        return -1;

    const struct agent *agent = &col.agent;

    extras_read(c->arena, agent, &extras);
    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key_str(&w, STR("id"), sumo_hex(c->arena, col.id));
    json_key_str(&w, STR("name"), col.name);
    put_text(&w, "description", agent->profile.description);
    put_text(&w, "category", agent->profile.category);
    put_text(&w, "timezone", agent->profile.time_zone);
    json_key_bool(&w, STR("alive"), sumo_is_alive(sumo_app(c), &col, sumo_now_us(c)));
    json_key_bool(&w, STR("isRemotelyManaged"), !extras.there);
    json_key_bool(&w, STR("ephemeral"), agent->ephemeral);
    put_map(&w, STR("tags"), &agent->remote);
    if (extras.tags) {
        json_key(&w, STR("reportedTags"));
        json_put_value(&w, extras.tags);
    }
    json_key_str(&w, STR("createdAt"), rfc3339_us(c->arena, agent->row.created_us, RFC3339_MILLIS));
    json_key_str(&w, STR("createdBy"), extras.token_key.p ? extras.token_key : STR(""));
    json_key_str(&w, STR("modifiedAt"),
                 rfc3339_us(c->arena, agent->row.updated_us, RFC3339_MILLIS));
    json_obj_end(&w);
    return 0;
}

/* --- changing --- */

struct request {
    struct str hex;
    struct str name; /* p NULL: stays; the others too */
    struct str description;
    struct str category;
    struct str time_zone;
    const struct json_value *tags;
};

static int take_text(const struct json_value *body, const char *name, struct str *out,
                     struct fail *f)
{
    return json_get_str(body, name, out, f) < 0 ? source_invalid(f, name, "must be a string") : 0;
}

static int read_request(const struct json_value *body, struct request *r, struct fail *f)
{
    if (take_text(body, "name", &r->name, f) < 0 ||
        take_text(body, "description", &r->description, f) < 0 ||
        take_text(body, "category", &r->category, f) < 0 ||
        take_text(body, "timezone", &r->time_zone, f) < 0)
        return -1;
    if (r->name.p && (r->name.len == 0 || utf8_count(r->name) > NAME_CHARS))
        return source_invalid(f, "name", "must have 1 to 128 characters");
    if (r->name.p && sumo_check_name(r->name, f) < 0)
        return fail_field(f, "name");
    if (json_get_object(body, "tags", &r->tags, f) < 0)
        return source_invalid(f, "tags", "must be an object");
    if (!r->tags)
        return 0;
    json_foreach (v, r->tags) {
        if (v->kind == JSON_KIND_OBJECT || v->kind == JSON_KIND_ARRAY)
            return source_invalid(f, "tags", "must map names to strings");
    }
    return 0;
}

static void replace(struct str *what, struct str by)
{
    if (by.p)
        *what = by.len > 0 ? by : (struct str){NULL, 0};
}

static int apply(struct arena *a, const struct request *r, struct sumo_collector *col,
                 struct fail *f)
{
    struct agent *agent = &col->agent;

    if (r->name.p)
        sumo_collector_rename(col, r->name);
    replace(&agent->profile.description, r->description);
    replace(&agent->profile.category, r->category);
    replace(&agent->profile.time_zone, r->time_zone);
    return r->tags && sumo_take_fields(a, r->tags, &agent->remote, f) < 0 ? fail_field(f, "tags")
                                                                          : 0;
}

static int update(struct call *c, struct fail *f)
{
    const struct request *r = c->carry;
    struct sumo_collector col = {0};
    struct json_writer w;

    if (find(c, c->tx, r->hex, &col, f) < 0 || apply(c->arena, r, &col, f) < 0 ||
        sumo_collector_save(c, &col, f) < 0)
        return -1;
    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key_str(&w, STR("id"), sumo_hex(c->arena, col.id));
    json_key(&w, STR("errors"));
    json_arr_begin(&w);
    json_arr_end(&w);
    json_obj_end(&w);
    return 0;
}

/* PUT ?id=: only the members that are there change. */
int sumo_ot_collectors_update(struct call *c, struct fail *f)
{
    struct request *r = arena_new_type(c->arena, struct request);
    const struct json_value *body = NULL;
    struct sumo_collector col = {0};

    if (!call_query(c, STR("id"), &r->hex))
        return no_such_collector(f);
    if (find(c, NULL, r->hex, &col, f) < 0 || sumo_body(c, NULL, &body, f) < 0 ||
        read_request(body, r, f) < 0)
        return -1;
    c->carry = r;
    return call_move(c, LANE_WRITE, update);
}

int sumo_ot_collectors_delete(struct call *c, struct fail *f)
{
    struct sumo_collector col = {0};

    if (find(c, c->tx, call_param(c, STR("hex")), &col, f) < 0 ||
        sumo_collector_drop(sumo_app(c), c->tx, c->caller, c->caller->tenant, &col, f) < 0)
        return -1;
    c->status = 204;
    return 0;
}
