/* SPDX-License-Identifier: Apache-2.0 */
/* /api/v1/tokens: installation tokens. Whoever may read them may register agents with them, so all
 * of it needs the right to write keys. */
#include "api/sumologic/internal.h"
#include "api/sumologic/source_json.h"
#include "codec/base64.h"
#include "codec/rfc3339.h"

#define REQUEST_TYPE "CollectorRegistration"
#define ANSWER_TYPE  "CollectorRegistrationTokenResponse"

static int no_such_token(struct fail *f)
{
    return fail_reason(f, CODE_NOT_FOUND, "no_such_token", "There is no such installation token.");
}

/* --- answers --- */

static void put(struct json_writer *w, struct call *c, const struct enroll_token *t)
{
    struct arena *a = c->arena;
    struct str base = sumo_base_url(c);
    struct str both = arena_printf(a, "%.*s%.*s", STR_ARG(t->token), STR_ARG(base));

    json_obj_begin(w);
    json_key_str(w, STR("type"), STR(ANSWER_TYPE));
    json_key_str(w, STR("id"), sumo_hex(a, t->id));
    json_key_str(w, STR("name"), t->name);
    json_key_str(w, STR("description"), t->description);
    json_key_str(w, STR("status"), t->active ? STR("Active") : STR("Inactive"));
    json_key_i64(w, STR("version"), t->version);
    json_key_str(w, STR("token"), t->token);
    json_key_str(w, STR("encodedTokenAndUrl"), base64_encode(a, BASE64_STD, both));
    json_key_str(w, STR("createdAt"), rfc3339_us(a, t->created_us, RFC3339_MILLIS));
    json_key_str(w, STR("createdBy"), t->created_by);
    json_key_str(w, STR("modifiedAt"), rfc3339_us(a, t->updated_us, RFC3339_MILLIS));
    json_key_str(w, STR("modifiedBy"), t->updated_by);
    json_obj_end(w);
}

static void answer(struct call *c, const struct enroll_token *t)
{
    struct json_writer w;

    http_resp_add(c->x, STR("cache-control"), STR("no-store"));
    json_writer_init(&w, &c->out);
    put(&w, c, t);
}

/* --- reading --- */

int sumo_tokens_list(struct call *c, struct fail *f)
{
    const struct sumologic_app *app = sumo_app(c);
    struct enroll_token *list = NULL;
    struct json_writer w;
    struct store_tx *tx;
    size_t count = 0;

    if (store_read_open(app->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = enroll_token_list(tx, app->master, c->caller->tenant, &list, &count, f);

    store_read_close(&tx);
    if (rc < 0)
        return -1;
    http_resp_add(c->x, STR("cache-control"), STR("no-store"));
    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key(&w, STR("data"));
    json_arr_begin(&w);
    for (size_t i = 0; i < count; i++)
        put(&w, c, &list[i]);
    json_arr_end(&w);
    json_obj_end(&w);
    return 0;
}

static int load(struct call *c, int64_t *id, struct enroll_token *out, struct fail *f)
{
    const struct sumologic_app *app = sumo_app(c);
    struct store_tx *tx;

    if (!sumo_hex_id(call_param(c, STR("token")), id))
        return no_such_token(f);
    if (store_read_open(app->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = enroll_token_get(tx, app->master, c->caller->tenant, *id, out, f);

    store_read_close(&tx);
    return rc;
}

int sumo_tokens_get(struct call *c, struct fail *f)
{
    struct enroll_token t = {0};
    int64_t id = 0;

    if (load(c, &id, &t, f) < 0)
        return -1;
    answer(c, &t);
    return 0;
}

/* --- what was sent --- */

struct request {
    int64_t id; /* update: of the token */
    struct str name;
    struct str description;
    bool active;
    bool has_version;
    int64_t version;
};

static int take_status(const struct json_value *body, bool *active, struct fail *f)
{
    struct str status = {NULL, 0};

    switch (json_get_str(body, "status", &status, f)) {
    case 0: return 0;
    case 1:
        *active = str_eq_nocase(status, STR("Active"));
        if (*active || str_eq_nocase(status, STR("Inactive")))
            return 0;
        break;
    default: break;
    }
    return source_invalid(f, "status", "must be Active or Inactive");
}

/* Answers are sent back as requests by some clients: both types will do. */
static int check_type(const struct json_value *body, struct fail *f)
{
    struct str type = {NULL, 0};

    switch (json_get_str(body, "type", &type, f)) {
    case 0: return 0;
    case 1:
        if (str_eq(type, STR(REQUEST_TYPE)) || str_eq(type, STR(ANSWER_TYPE)))
            return 0;
        break;
    default: break;
    }
    return source_invalid(f, "type", "must be " REQUEST_TYPE);
}

/* `r` has what stays when it is not sent. */
static int read_request(const struct json_value *body, struct request *r, struct fail *f)
{
    int rc;

    if (check_type(body, f) < 0)
        return -1;
    rc = json_get_str(body, "name", &r->name, f);
    if (rc < 0)
        return source_invalid(f, "name", "must be a string");
    if (rc == 0 || r->name.len == 0)
        return source_missing(f, "name");
    if (json_get_str(body, "description", &r->description, f) < 0)
        return source_invalid(f, "description", "must be a string");
    rc = json_get_i64(body, "version", &r->version, f);
    if (rc < 0)
        return source_invalid(f, "version", "must be a whole number");
    r->has_version = rc == 1;
    return take_status(body, &r->active, f);
}

/* --- writing --- */

static int create(struct call *c, struct fail *f)
{
    const struct sumologic_app *app = sumo_app(c);
    const struct request *r = c->carry;
    struct enroll_token t = {.name = r->name, .description = r->description, .active = r->active};

    if (enroll_token_create(c->tx, c->caller, app->master, app->keyring, c->caller->tenant, &t, f) <
        0)
        return -1;
    answer(c, &t);
    return 0;
}

int sumo_tokens_create(struct call *c, struct fail *f)
{
    struct request *r = arena_new_type(c->arena, struct request);
    const struct json_value *body = NULL;

    r->active = true;
    r->description = STR("");
    if (sumo_body(c, NULL, &body, f) < 0 || read_request(body, r, f) < 0)
        return -1;
    c->carry = r;
    return call_move(c, LANE_WRITE, create);
}

/* Without a version the request is about the token as it stands. */
static int update(struct call *c, struct fail *f)
{
    const struct sumologic_app *app = sumo_app(c);
    const struct request *r = c->carry;
    uint64_t tenant = c->caller->tenant;
    struct enroll_token t = {0};

    if (enroll_token_get(c->tx, app->master, tenant, r->id, &t, f) < 0)
        return -1;
    t.name = r->name;
    t.description = r->description;
    t.active = r->active;
    if (r->has_version)
        t.version = r->version;
    if (enroll_token_update(c->tx, c->caller, app->master, app->keyring, tenant, &t, f) < 0)
        return -1;
    answer(c, &t);
    return 0;
}

/* Full replacement, but that a token without a status stays as it is. */
int sumo_tokens_update(struct call *c, struct fail *f)
{
    struct request *r = arena_new_type(c->arena, struct request);
    const struct json_value *body = NULL;
    struct enroll_token t = {0};

    if (load(c, &r->id, &t, f) < 0 || sumo_body(c, NULL, &body, f) < 0)
        return -1;
    r->active = t.active;
    r->description = STR("");
    if (read_request(body, r, f) < 0)
        return -1;
    c->carry = r;
    return call_move(c, LANE_WRITE, update);
}

int sumo_tokens_delete(struct call *c, struct fail *f)
{
    const struct sumologic_app *app = sumo_app(c);
    int64_t id = 0;

    if (!sumo_hex_id(call_param(c, STR("token")), &id))
        return no_such_token(f);
    if (enroll_token_delete(c->tx, c->caller, app->keyring, c->caller->tenant, id, f) < 0)
        return -1;
    c->status = 204;
    return 0;
}
