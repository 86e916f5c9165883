/* SPDX-License-Identifier: Apache-2.0 */
#include "api/sumologic/errors.h"

#include "base/random.h"
#include "codec/json_writer.h"
#include "rpc/route.h"

#define NOBODY         "Credential could not be verified."
#define INTERNAL       "Internal server error."
#define LATER          "The server is temporarily unable to handle the request."
#define RATE           "API rate limit for this user has been exceeded."
#define COLLECTOR      "The specified collector ID is invalid."
#define SOURCE         "The specified source ID is invalid."
#define COLLECTOR_BODY "Request body contains an invalid Collector ID."
#define SOURCE_BODY    "Request body contains an invalid Source ID."
#define DUPLICATE      "A resource with the same name already exists."
#define MEDIA          "Invalid content type."

#define MISSING_FIELD "collectors.validation.fields.missing"
#define BAD_FIELD     "collectors.validation.fields.invalid"

/* Reasons that are not here are told by their code. */
static const struct {
    const char *reason;
    struct wire_error wire;
} reasons[] = {
    /* of every dialect: paths, credentials, media, limits */
    {"no_such_path", {404, "notfound", "The requested resource was not found."}},
    {"no_such_verb", {405, "method.unsupported", "The resource does not support this method."}},
    {"media_type", {415, "contenttype.invalid", MEDIA}},
    {"content_encoding", {415, "contenttype.invalid", MEDIA}},
    {"credential_missing", {401, "unauthorized", NOBODY}},
    {"scope_missing", {403, "forbidden", NULL}},
    {"rate_limit", {429, "rate.limit.exceeded", RATE}},
    {"concurrency_limit", {429, "rate.limit.exceeded", RATE}},
    {"body_too_large", {413, "service.request.toolarge", NULL}},
    {"not_implemented", {400, "service.request.invalid", NULL}},
    {"version", {400, "service.request.invalid", NULL}},
    {"bad_path", {400, "service.request.invalid", NULL}},
    {"bad_query", {400, "service.request.invalid", NULL}},
    {"malformed", {400, "service.request.invalid", NULL}},

    /* what requests say */
    {"bad_json", {400, "service.json.invalid", NULL}},
    {"bad_limit", {400, "service.limit.invalid", NULL}},
    {"bad_offset", {400, "service.offset.invalid", NULL}},
    {"fields_missing", {400, MISSING_FIELD, NULL}},
    {"fields_invalid", {400, BAD_FIELD, NULL}},
    {"if_match_missing", {403, "service.ifthen.missing", NULL}},
    {"if_match_unquoted", {400, "service.ifthen.notquoted", NULL}},
    {"etag_mismatch", {412, "service.etagid.mismatch", NULL}},
    {"revision_mismatch", {412, "service.etagid.mismatch", NULL}},
    {"version_mismatch", {412, "service.etagid.mismatch", NULL}},

    /* collectors */
    {"no_such_collector", {404, "collectors.collector.invalid", COLLECTOR}},
    {"no_such_agent", {404, "collectors.collector.invalid", COLLECTOR}},
    {"collector_body_id", {400, "collectors.collector.request.id.invalid", COLLECTOR_BODY}},
    {"collector_type", {400, "collectors.collector.type.invalid", NULL}},
    {"no_such_budget", {404, "notfound", NULL}},
    {"name_taken", {400, "collectors.validation.name.duplicate", DUPLICATE}},

    /* sources */
    {"no_such_source", {404, "collectors.source.invalid", SOURCE}},
    {"source_body_id", {400, "collectors.source.request.id.invalid", SOURCE_BODY}},
    {"source_type", {400, "collectors.source.type.invalid", NULL}},
    {"no_sources", {400, "collectors.source.type.invalid", NULL}},
    {"sources_local", {403, "collectors.source.forbidden", NULL}},
    {"too_many_sources", {400, BAD_FIELD, NULL}},

    /* upgrades; codes as the page lists them, without a prefix */
    {"no_such_upgrade", {404, "notfound", NULL}},
    {"upgrade_collector", {400, "collector.invalid", NULL}},
    {"upgrade_type", {400, "collector.type.invalid", NULL}},
    {"not_alive", {400, "collector.not.alive", NULL}},
    {"in_upgrading", {400, "collector.in.upgrading", NULL}},
    {"bad_version", {400, "collector.version.invalid", NULL}},

    /* tokens and registration */
    {"no_such_token", {404, "notfound", NULL}},
    {"too_many_tokens", {400, BAD_FIELD, NULL}},
};

static const struct wire_error codes[CODE_COUNT] = {
    [CODE_OK] = {500, "internal.error", INTERNAL},
    [CODE_CANCELED] = {503, "service.unavailable", LATER},
    [CODE_UNKNOWN] = {500, "internal.error", INTERNAL},
    [CODE_INVALID_ARGUMENT] = {400, BAD_FIELD, NULL},
    [CODE_DEADLINE_EXCEEDED] = {503, "service.unavailable", LATER},
    [CODE_NOT_FOUND] = {404, "notfound", NULL},
    [CODE_ALREADY_EXISTS] = {400, "collectors.validation.name.duplicate", DUPLICATE},
    [CODE_PERMISSION_DENIED] = {403, "forbidden", NULL},
    [CODE_RESOURCE_EXHAUSTED] = {429, "rate.limit.exceeded", NULL},
    [CODE_FAILED_PRECONDITION] = {400, BAD_FIELD, NULL},
    [CODE_ABORTED] = {412, "service.etagid.mismatch", NULL},
    [CODE_OUT_OF_RANGE] = {400, BAD_FIELD, NULL},
    [CODE_UNIMPLEMENTED] = {405, "method.unsupported", NULL},
    [CODE_INTERNAL] = {500, "internal.error", INTERNAL},
    [CODE_UNAVAILABLE] = {503, "service.unavailable", LATER},
    [CODE_DATA_LOSS] = {500, "internal.error", INTERNAL},
    [CODE_UNAUTHENTICATED] = {401, "unauthorized", NOBODY},
};

struct wire_error error_find(const struct fail *f, int http_status)
{
    for (size_t i = 0; f->reason && i < COUNTOF(reasons); i++)
        if (strcmp(reasons[i].reason, f->reason) == 0)
            return reasons[i].wire;

    struct wire_error found = codes[f->code];

    /* What HTTP itself refused (414, 431, ...) keeps its status. */
    if (http_status > 400 && http_status < 500 &&
        (f->code == CODE_INVALID_ARGUMENT || f->code == CODE_DEADLINE_EXCEEDED)) {
        found.status = http_status;
        found.code = "service.request.invalid";
        found.message = NULL;
    }
    return found;
}

struct str error_id(struct arena *a)
{
    static const char symbols[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    char *text = arena_alloc_raw(a, ERROR_ID_LEN);
    uint64_t n = random_u64(); /* 15 symbols are 77 bits: 64 of them come from here */

    for (size_t i = 0; i < ERROR_ID_LEN; i++) {
        if (i == 5 || i == 11) {
            text[i] = '-';
            continue;
        }
        if (i == 12)
            n = random_u64();
        text[i] = symbols[n % (sizeof(symbols) - 1)];
        n /= sizeof(symbols) - 1;
    }
    return str_make(text, ERROR_ID_LEN);
}

#define FIELD_SCOPES ((uint32_t)SCOPE_ENROLL | (uint32_t)SCOPE_BEAT)

/* Access keys, installation tokens and collectors' own credentials open different doors: at a wrong
 * one a good credential counts as none, for a client would otherwise not look for another. */
static bool is_wrong_kind(const struct call *c)
{
    uint32_t needed = c->route ? c->route->scope : 0;

    return c->caller->tenant != 0 &&
           ((needed & FIELD_SCOPES) != 0 || (c->caller->scopes & ~FIELD_SCOPES) == 0);
}

struct answer {
    struct wire_error wire;
    struct str id;
    struct str message;
};

/* Never empty. What layers below say in passing ends in a full stop here: a script in use cuts the
 * last character. This face's own words, which begin with a capital, stay as they are. */
static struct str sentence(struct arena *a, struct str text)
{
    if (text.len == 0)
        return STR("The request was refused.");
    if (text.p[0] >= 'a' && text.p[0] <= 'z' && text.p[text.len - 1] != '.')
        return arena_printf(a, "%.*s.", STR_ARG(text));
    return text;
}

static struct answer answer_make(struct call *c, const struct fail *f)
{
    struct answer out = {.wire = error_find(f, c->status), .id = error_id(c->arena)};

    if (out.wire.status == 403 && f->reason && strcmp(f->reason, "scope_missing") == 0 &&
        is_wrong_kind(c))
        out.wire = codes[CODE_UNAUTHENTICATED];
    out.message = sentence(c->arena, str_of(out.wire.message ? out.wire.message : f->message));
    c->status = out.wire.status;
    if (out.wire.status == 401 || out.wire.status == 429)
        log_debug(&c->log, "error answered", KV_SLICE("error_id", out.id),
                  KV_STR("code", out.wire.code));
    else
        log_info(&c->log, "error answered", KV_SLICE("error_id", out.id),
                 KV_STR("code", out.wire.code), KV_STR("message", f->message));
    return out;
}

void error_flat(struct call *c, const struct fail *f)
{
    struct answer e = answer_make(c, f);
    struct json_writer w;

    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key_i64(&w, STR("status"), e.wire.status);
    json_key_str(&w, STR("id"), e.id);
    json_key_str(&w, STR("code"), str_of(e.wire.code));
    json_key_str(&w, STR("message"), e.message);
    json_obj_end(&w);
}

void error_list(struct call *c, const struct fail *f)
{
    struct answer e = answer_make(c, f);
    struct json_writer w;

    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key_str(&w, STR("id"), e.id);
    json_key(&w, STR("errors"));
    json_arr_begin(&w);
    json_obj_begin(&w);
    json_key_str(&w, STR("code"), str_of(e.wire.code));
    json_key_str(&w, STR("message"), e.message);
    if (f->field[0] != '\0')
        json_key_str(&w, STR("detail"), str_of(f->field));
    json_obj_end(&w);
    json_arr_end(&w);
    json_obj_end(&w);
}

void error_plain(struct call *c, const struct fail *f)
{
    struct answer e = answer_make(c, f);

    c->content_type = STR("text/plain;charset=UTF-8");
    buf_put_str(&c->out, e.message);
    buf_put_byte(&c->out, '\n');
}
