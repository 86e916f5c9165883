/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/grpc_outcome.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

#include "base/buf.h"
#include "codec/base64.h"

static struct str field(const struct http_field *fields, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(fields[i].name, name))
            return fields[i].value;
    return (struct str){NULL, 0};
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* What is not an escape stays as it is: better an odd text than none. */
static struct str percent_decode(struct arena *a, struct str in)
{
    char *out;
    size_t n = 0;

    if (str_index(in, '%') < 0)
        return in;
    out = arena_alloc_raw(a, in.len);
    for (size_t i = 0; i < in.len; i++) {
        int high = in.p[i] == '%' && i + 2 < in.len ? hex(in.p[i + 1]) : -1;
        int low = high >= 0 ? hex(in.p[i + 2]) : -1;

        if (low < 0) {
            out[n++] = in.p[i];
            continue;
        }
        out[n++] = (char)(high << 4 | low);
        i += 2;
    }
    return str_make(out, n);
}

static void set(struct grpc_outcome *o, enum code code, const char *reason, struct str message)
{
    o->code = code;
    o->reason = reason;
    o->message = message;
    o->details = (struct str){NULL, 0};
}

/* RPC codes for answers that know nothing of gRPC, from proxies as a rule. */
enum code grpc_code_of_http(int status)
{
    switch (status) {
    case 400: return CODE_INTERNAL;
    case 401: return CODE_UNAUTHENTICATED;
    case 403: return CODE_PERMISSION_DENIED;
    case 404: return CODE_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504: return CODE_UNAVAILABLE;
    default: return CODE_UNKNOWN;
    }
}

enum code grpc_code_of_reset(uint32_t http2_error)
{
    switch (http2_error) {
    case NGHTTP2_REFUSED_STREAM: return CODE_UNAVAILABLE;
    case NGHTTP2_CANCEL: return CODE_CANCELED;
    case NGHTTP2_ENHANCE_YOUR_CALM: return CODE_RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY: return CODE_PERMISSION_DENIED;
    default: return CODE_INTERNAL;
    }
}

/* "application/grpc", perhaps with "+proto" and parameters. */
static bool is_grpc(struct str type, bool *other_codec)
{
    struct str media = str_trim(str_cut(&type, ';'));
    struct str plain = STR("application/grpc");

    *other_codec = false;
    if (str_eq_nocase(media, plain) || str_eq_nocase(media, STR("application/grpc+proto")))
        return true;
    *other_codec = media.len > plain.len && str_eq_nocase(str_first(media, plain.len), plain) &&
                   media.p[plain.len] == '+';
    return false;
}

enum grpc_head grpc_outcome_head(struct grpc_outcome *o, struct arena *a)
{
    struct str type = field(o->headers, o->header_count, STR("content-type"));
    bool other_codec;

    if (!is_grpc(type, &other_codec)) {
        enum code code = other_codec ? CODE_INTERNAL : grpc_code_of_http(o->http_status);

        set(o, code, "not_grpc",
            arena_printf(a, "the answer is not gRPC with protobuf: status %d, content-type '%.*s'",
                         o->http_status, (int)MIN(type.len, 100u), type.p ? type.p : ""));
        return GRPC_HEAD_BAD;
    }
    if (o->http_status != 200) {
        set(o, grpc_code_of_http(o->http_status), "not_grpc",
            arena_printf(a, "the answer's HTTP status is %d", o->http_status));
        return GRPC_HEAD_BAD;
    }
    return str_eq(field(o->headers, o->header_count, STR("grpc-encoding")), STR("gzip"))
               ? GRPC_HEAD_GZIP
               : GRPC_HEAD_FINE;
}

bool grpc_outcome_has_status(const struct grpc_outcome *o)
{
    return field(o->headers, o->header_count, STR("grpc-status")).p != NULL;
}

static void read_status(struct grpc_outcome *o, struct arena *a, struct str number)
{
    struct str message = field(o->trailers, o->trailer_count, STR("grpc-message"));
    struct str details = field(o->trailers, o->trailer_count, STR("grpc-status-details-bin"));
    uint64_t code;

    if (str_to_u64(number, &code) < 0) {
        set(o, CODE_UNKNOWN, "bad_status", STR("the answer's grpc-status is not a number"));
        return;
    }
    set(o, code < CODE_COUNT ? (enum code)code : CODE_UNKNOWN, NULL, percent_decode(a, message));
    o->from_peer = true;
    if (details.len > 0)
        IGNORE(grpc_bin(a, details, &o->details));
}

void grpc_outcome_end(struct grpc_outcome *o, struct arena *a, bool had_body)
{
    struct str number = field(o->trailers, o->trailer_count, STR("grpc-status"));

    if (number.p) {
        read_status(o, a, number);
        return;
    }
    if (o->trailer_count > 0) {
        set(o, CODE_UNKNOWN, "no_status", STR("the answer's trailers have no grpc-status"));
        return;
    }

    /* Some servers put the end of the stream into an empty DATA frame. */
    number = field(o->headers, o->header_count, STR("grpc-status"));
    if (!number.p || had_body) {
        set(o, CODE_INTERNAL, "no_trailers", STR("the answer ended without trailers"));
        return;
    }
    o->trailers = o->headers;
    o->trailer_count = o->header_count;
    o->headers = NULL;
    o->header_count = 0;
    read_status(o, a, number);
}

void grpc_outcome_set(struct grpc_outcome *o, struct arena *a, const struct fail *f)
{
    set(o, f->code, f->reason ? f->reason : "", arena_str(a, str_of(f->message)));
}

int grpc_outcome_fail(const struct grpc_outcome *o, struct fail *f)
{
    if (o->code == CODE_OK)
        return 0;
    return fail_reason(f, o->code, o->reason, "%.*s", (int)MIN(o->message.len, sizeof(f->message)),
                       o->message.p ? o->message.p : "");
}

int grpc_bin(struct arena *a, struct str value, struct str *out)
{
    return base64_decode_lenient(a, value, out);
}
