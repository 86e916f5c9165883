/* SPDX-License-Identifier: Apache-2.0 */
/* Keys as JSON, both ways. Pure; any thread. */
#include "api/admin/admin_internal.h"
#include "codec/json.h"
#include "codec/rfc3339.h"

#define DURATION_MAX_S (100ll * 366 * 86400)

static const struct json_limits limits = {.depth = 8, .nodes = 256, .bytes = ADMIN_BODY_BYTES};

static int bad_field(struct fail *f, const char *field, const char *reason, const char *message)
{
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, reason, "%s: %s", field, message));
    return fail_field(f, "%s", field);
}

int admin_object_read(struct arena *a, struct str body, const char *const *names,
                      struct json_value **out, struct fail *f)
{
    struct json_value *object;

    if (json_parse(a, body, &limits, &object, f) < 0)
        return -1;
    if (object->kind != JSON_KIND_OBJECT)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "not_an_object",
                           "the body must be a JSON object");
    json_foreach (member, object) {
        size_t i = 0;

        while (names[i] && !str_eq(member->key, str_of(names[i])))
            i++;
        if (!names[i]) {
            IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "unknown_member",
                               "unknown member \"%.*s\"", STR_ARG(str_first(member->key, 64))));
            return fail_field(f, "%.*s", STR_ARG(str_first(member->key, 32)));
        }
    }
    *out = object;
    return 0;
}

static int scopes_read(const struct json_value *list, uint32_t *out, struct fail *f)
{
    uint32_t scopes = 0;

    json_foreach (item, list) {
        uint32_t scope;

        if (item->kind != JSON_KIND_STRING)
            return bad_field(f, "scopes", "bad_scopes", "must be an array of strings");
        if (scope_parse(item->text, &scope) < 0) {
            IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_scopes",
                               "scopes: there is no scope \"%.*s\"",
                               STR_ARG(str_first(item->text, 64))));
            return fail_field(f, "scopes");
        }
        scopes |= scope;
    }
    if (scopes == 0)
        return bad_field(f, "scopes", "bad_scopes", "must not be empty; leave it out for all");
    *out = scopes;
    return 0;
}

/* "90d", "12h": from now. */
static int duration_read(struct str text, int64_t *seconds)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    int64_t n;

    for (size_t i = 0; text.len > 1 && i < COUNTOF(units); i++) {
        if (text.p[text.len - 1] != units[i].unit)
            continue;
        if (str_to_i64(str_first(text, text.len - 1), &n) < 0 || n <= 0 ||
            n > DURATION_MAX_S / units[i].seconds)
            return -1;
        *seconds = n * units[i].seconds;
        return 0;
    }
    return -1;
}

static int expires_read(struct str text, int64_t now_us, int64_t *out, struct fail *f)
{
    int64_t seconds;

    if (duration_read(text, &seconds) == 0) {
        *out = now_us + seconds * 1000000;
        return 0;
    }
    if (rfc3339_parse_us(text, out) < 0)
        return bad_field(f, "expires", "bad_expiry",
                         "must be an RFC 3339 time or a duration such as \"90d\"");
    if (*out <= now_us)
        return bad_field(f, "expires", "bad_expiry", "must lie in the future");
    return 0;
}

int key_request_read(struct arena *a, struct str body, int64_t now_us, struct key_request *out,
                     struct fail *f)
{
    static const char *const names[] = {"tenant", "label", "role", "scopes", "expires", NULL};
    struct key_request made = {.role = ROLE_VIEWER};
    struct json_value *object = NULL;
    const struct json_value *scopes = NULL;
    struct str role = {NULL, 0}, expires = {NULL, 0};

    if (admin_object_read(a, body, names, &object, f) < 0 ||
        json_get_str(object, "tenant", &made.tenant, f) < 0 ||
        json_get_str(object, "label", &made.label, f) < 0 ||
        json_get_str(object, "role", &role, f) < 0 ||
        json_get_array(object, "scopes", &scopes, f) < 0 ||
        json_get_str(object, "expires", &expires, f) < 0)
        return -1;
    if (role.p && role_parse(role, &made.role) < 0)
        return bad_field(f, "role", "bad_role", "must be agent, viewer, editor or admin");
    if (scopes && scopes_read(scopes, &made.scopes, f) < 0)
        return -1;
    if (expires.p && expires_read(expires, now_us, &made.expires_us, f) < 0)
        return -1;
    *out = made;
    return 0;
}

int tenant_request_read(struct arena *a, struct str body, struct str *name, struct fail *f)
{
    static const char *const names[] = {"name", NULL};
    struct json_value *object = NULL;
    int rc;

    if (admin_object_read(a, body, names, &object, f) < 0)
        return -1;
    rc = json_get_str(object, "name", name, f);
    if (rc == 0)
        return bad_field(f, "name", "missing_member", "is needed");
    return rc < 0 ? -1 : 0;
}

void admin_put_time(struct json_writer *w, struct arena *a, struct str key, int64_t us)
{
    json_key(w, key);
    if (us == 0)
        json_null(w);
    else
        json_str(w, rfc3339_us(a, us, RFC3339_MILLIS));
}

static void scopes_put(struct json_writer *w, uint32_t scopes)
{
    json_key(w, STR("scopes"));
    json_arr_begin(w);
    for (uint32_t bit = 1; bit <= SCOPE_SERVER; bit <<= 1)
        if (scopes & bit)
            json_str(w, str_of(scope_name((enum scope)bit)));
    json_arr_end(w);
}

void key_put(struct json_writer *w, struct arena *a, const struct key *k, struct str tenant_name,
             const struct key_secret *secret)
{
    json_obj_begin(w);
    json_key_str(w, STR("tenant"), tenant_name);
    json_key_str(w, STR("id"), k->id);
    if (secret) {
        json_key_str(w, STR("secret"), secret->secret);
        json_key_str(w, STR("token"), secret->token);
    }
    json_key_str(w, STR("label"), k->label);
    json_key_str(w, STR("role"), str_of(role_name(k->role)));
    scopes_put(w, key_effective_scopes(k, tenant_name));
    admin_put_time(w, a, STR("created"), k->created_us);
    admin_put_time(w, a, STR("expires"), k->expires_us);
    admin_put_time(w, a, STR("last_used"), k->last_used_us);
    admin_put_time(w, a, STR("revoked"), k->revoked_us);
    json_obj_end(w);
}
