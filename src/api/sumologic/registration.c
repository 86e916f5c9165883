/* SPDX-License-Identifier: Apache-2.0 */
/* POST /api/v1/collector/register: an agent lets itself in with an installation token. Who is
 * asking is looked at on the loop, the request on a worker, and the agent is made on the write
 * lane.
 *
 * The route is open, so that a refusal comes through here and is counted: see storm.h. */
#include "api/sumologic/extras.h"
#include "api/sumologic/internal.h"
#include "api/sumologic/source_json.h"
#include "codec/utf8.h"
#include "rpc/credential.h"

#define NAME_CHARS     128
#define TEXT_CHARS     1024
#define ZONE_CHARS     100
#define FLEET_CHARS    64
#define SUFFIX_CHARS   14 /* "-1790000000000" */
#define SUFFIXES_TRIED 1000
#define FULL_RETRY_MS  60000

struct request {
    struct str name; /* as asked for, at most NAME_CHARS of it */
    struct str host;
    struct str fleet_id;
    struct profile profile;
    struct attributes fields;
    bool ephemeral;
    bool clobber;
};

/* Every refusal ends here. */
static int refused(struct call *c, struct fail *f)
{
    storm_count(sumo_app(c)->storm, str_of(c->x->req.peer->address), f);
    return -1;
}

static int not_allowed(struct fail *f)
{
    return fail_reason(f, CODE_UNAUTHENTICATED, "credential_missing",
                       "a valid installation token is needed");
}

/* --- what was sent --- */

/* Empty counts as absent. */
static int take_text(const struct json_value *body, const char *name, size_t chars, struct str *out,
                     struct fail *f)
{
    struct str text = {NULL, 0};

    if (json_get_str(body, name, &text, f) < 0)
        return source_invalid(f, name, "must be a string");
    if (text.len == 0)
        return 0;
    if (utf8_count(text) > chars)
        return source_invalid(f, name, "is too long");
    *out = text;
    return 0;
}

static int take_flag(const struct json_value *body, const char *name, bool *out, struct fail *f)
{
    return json_get_bool(body, name, out, f) < 0 ? source_invalid(f, name, "must be true or false")
                                                 : 0;
}

/* Cut at a character. */
static struct str first_chars(struct str s, size_t chars)
{
    size_t len = 0;

    for (size_t n = 0; len < s.len; len++) {
        if (((unsigned char)s.p[len] & 0xc0) != 0x80 && n++ == chars)
            break;
    }
    return str_first(s, len);
}

static int take_name(const struct json_value *body, struct str *out, struct fail *f)
{
    struct str name = {NULL, 0};

    if (json_get_str(body, "collectorName", &name, f) < 0)
        return source_invalid(f, "collectorName", "must be a string");
    if (name.len == 0)
        return source_missing(f, "collectorName");
    *out = first_chars(name, NAME_CHARS);
    return sumo_check_name(*out, f) < 0 ? fail_field(f, "collectorName") : 0;
}

static int take_fields(struct arena *a, const struct json_value *body, struct attributes *out,
                       struct fail *f)
{
    const struct json_value *map = NULL;

    if (json_get_object(body, "fields", &map, f) < 0)
        return source_invalid(f, "fields", "must be an object");
    return map && sumo_take_fields(a, map, out, f) < 0 ? fail_field(f, "fields") : 0;
}

static int read_request(struct arena *a, const struct json_value *body, struct request *out,
                        struct fail *f)
{
    if (take_name(body, &out->name, f) < 0 ||
        take_text(body, "hostname", SUMO_COLLECTOR_BODY, &out->host, f) < 0 ||
        take_text(body, "description", TEXT_CHARS, &out->profile.description, f) < 0 ||
        take_text(body, "category", TEXT_CHARS, &out->profile.category, f) < 0 ||
        take_text(body, "timeZone", ZONE_CHARS, &out->profile.time_zone, f) < 0 ||
        take_text(body, "fleetId", FLEET_CHARS, &out->fleet_id, f) < 0)
        return -1;
    if (take_flag(body, "ephemeral", &out->ephemeral, f) < 0 ||
        take_flag(body, "clobber", &out->clobber, f) < 0)
        return -1;
    return take_fields(a, body, &out->fields, f);
}

/* --- its name --- */

/* 1: somebody has it, 0: nobody. */
static int name_owner(struct call *c, struct str name, struct collector *row, struct fail *f)
{
    if (collector_get_name(c->tx, c->caller->tenant, COLLECTOR_AGENT, name, row, f) == 0)
        return 1;
    return f->code == CODE_NOT_FOUND ? 0 : -1;
}

/* 1: the collector of that name is gone. 0: it stays, for it did not register itself here, and
 * whoever holds a token must not be able to delete what an operator or another dialect made.
 *
 * One that still beats will find its credential dead and register again: the two would go on taking
 * the name from each other. */
static int displace(struct call *c, const struct collector *row, struct fail *f)
{
    struct sumologic_app *app = sumo_app(c);
    struct sumo_collector old = {.id = row->id, .name = row->name};
    struct agent known = {0};
    struct extras extras;

    if (row->kind != COLLECTOR_AGENT)
        return 0;
    if (agent_decode(c->arena, row, &old.agent, f) < 0)
        return -1;
    extras_read(c->arena, &old.agent, &extras);
    if (!extras.there)
        return 0;
    if (agents_get_numbered(sumo_realm(c)->agents, c->arena, row->id, &known) &&
        sumo_is_alive(app, &(struct sumo_collector){.id = row->id, .agent = known}, sumo_now_us(c)))
        log_warn(&c->log, "a registration takes the place of a collector that is alive",
                 KV_INT("collector", row->id), KV_SLICE("name", row->name));
    return sumo_collector_drop(app, c->tx, c->caller, c->caller->tenant, &old, f) < 0 ? -1 : 1;
}

static int suffixed(struct call *c, struct str asked, struct str *out, struct fail *f)
{
    struct str base = first_chars(asked, NAME_CHARS - SUFFIX_CHARS);
    int64_t ms = store_tx_now(c->tx) / 1000;

    for (int i = 0; i < SUFFIXES_TRIED; i++, ms++) {
        struct str name = arena_printf(c->arena, "%.*s-%013lld", STR_ARG(base), (long long)ms);
        struct collector row = {0};
        int rc = name_owner(c, name, &row, f);

        if (rc < 0)
            return -1;
        if (rc == 0) {
            *out = name;
            return 0;
        }
    }
    return fail_reason(f, CODE_UNAVAILABLE, "no_free_name",
                       "No free name was found for this collector.");
}

/* There may be room once others are gone. */
static int check_room(struct call *c, struct fail *f)
{
    const struct sumologic_app *app = sumo_app(c);
    size_t max = agent_settings_get(app->agent_settings)->collectors_max;

    if (agent_check_room(c->tx, app->registry, c->caller->tenant, max, f) == 0)
        return 0;
    f->retry_after_ms = FULL_RETRY_MS;
    return -1;
}

static int name_get(struct call *c, const struct request *r, struct str *out, struct fail *f)
{
    struct collector row = {0};
    int is_taken = name_owner(c, r->name, &row, f);
    int is_gone = is_taken == 1 && r->clobber ? displace(c, &row, f) : 0;

    if (is_taken < 0 || is_gone < 0)
        return -1;
    *out = r->name;
    if (is_gone)
        return 0;
    if (check_room(c, f) < 0)
        return -1;
    return is_taken ? suffixed(c, r->name, out, f) : 0;
}

/* --- the agent --- */

static int agent_make(struct call *c, const struct request *r, struct str name, struct agent *out,
                      struct fail *f)
{
    struct label host = {STR("host.name"), r->host};
    const struct extras extras = {.fleet_id = r->fleet_id, .token_key = c->caller->key_id};
    struct agent made = {
        .row = {.tenant = c->caller->tenant, .name = name, .unique_name = true},
        .type = AGENT_OTEL,
        .enabled = true,
        .registered = true,
        .local = {&host, 1},
        .remote = r->fields,
        .profile = r->profile,
        .ephemeral = r->ephemeral,
    };

    /* A host name that is too long for an attribute is nothing to fail for. */
    if (host.value.len == 0 || agent_check_local(&made.local, 0, f) < 0)
        made.local.count = 0;
    extras_write(c->arena, &made, &extras);
    if (agent_create(c->tx, sumo_app(c)->registry, c->caller, &made, f) < 0)
        return -1;
    *out = made;
    return 0;
}

static void answer(struct call *c, const struct agent *agent, const struct enroll_credential *cr)
{
    struct json_writer w;

    http_resp_add(c->x, STR("cache-control"), STR("no-store"));
    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key_str(&w, STR("collectorCredentialId"), cr->id);
    json_key_str(&w, STR("collectorCredentialKey"), cr->key);
    json_key_str(&w, STR("collectorId"), sumo_hex(c->arena, agent->row.id));
    json_key_str(&w, STR("collectorName"), agent->row.name);
    json_obj_end(&w);
}

/* The token may have gone while the request waited. */
static int register_agent(struct call *c, struct fail *f)
{
    struct sumologic_app *app = sumo_app(c);
    const struct request *r = c->carry;
    struct enroll_credential credential = {0};
    struct str name = {NULL, 0};
    struct agent agent = {0};

    if (!keyring_is_live(app->keyring, c->caller->key_id)) {
        IGNORE(not_allowed(f));
        return refused(c, f);
    }
    if (name_get(c, r, &name, f) < 0 || agent_make(c, r, name, &agent, f) < 0 ||
        enroll_credential_new(c->tx, c->caller, app->master, app->keyring, c->caller->tenant,
                              agent.row.id, &credential, f) < 0)
        return refused(c, f);
    answer(c, &agent, &credential);
    return 0;
}

static int read_and_register(struct call *c, struct fail *f)
{
    struct request *r = arena_new_type(c->arena, struct request);
    const struct json_value *body = NULL;

    if (sumo_body(c, NULL, &body, f) < 0 || read_request(c->arena, body, r, f) < 0)
        return refused(c, f);
    c->carry = r;
    return call_move(c, LANE_WRITE, register_agent);
}

/* The collector is told as little as anybody; its operator finds here which token it has. */
static void log_stranger(struct call *c)
{
    struct credential sent = {0};
    struct str bare, id, secret;
    struct fail ignored;

    if (c->caller->tenant != 0)
        log_info(&c->log, "a registration was refused", KV_STR("why", "not an installation token"),
                 KV_SLICE("key", c->caller->key_id));
    else if (credential_read(&c->x->req, c->arena, 0, &sent, &ignored) == 0 &&
             sent.kind == CREDENTIAL_TOKEN && enroll_token_bare(c->arena, sent.token, &bare) &&
             enroll_token_split(bare, &id, &secret))
        log_info(&c->log, "a registration was refused",
                 KV_STR("why", "the installation token is unknown, inactive or deleted"),
                 KV_SLICE("key", id));
    else
        log_info(&c->log, "a registration was refused", KV_STR("why", "no installation token"));
}

int sumo_register(struct call *c, struct fail *f)
{
    if (!caller_may(c->caller, SCOPE_ENROLL)) {
        log_stranger(c);
        IGNORE(not_allowed(f));
        return refused(c, f);
    }
    return call_move(c, LANE_WORKER, read_and_register);
}
