/* SPDX-License-Identifier: Apache-2.0 */
/* What goes beside the messages of a call, in both directions. The thread that owns the call. */
#include "codec/base64.h"
#include "rpc/envelope.h"

#define FIRST_FIELDS  4
#define FIRST_DETAILS 2

static const struct str bin_suffix = STR_INIT("-bin");

bool call_metadata_next(const struct call *c, size_t *at, struct str *name, struct str *value)
{
    const struct http_req *req = &c->x->req;
    const struct http_field *field;

    if (*at < req->field_count)
        field = &req->fields[*at];
    else if (*at - req->field_count < req->trailer_count)
        field = &req->trailers[*at - req->field_count];
    else
        return false;
    *name = field->name;
    *value = field->value;
    (*at)++;
    return true;
}

bool call_metadata(const struct call *c, struct str name, struct str *out)
{
    struct str key, value;
    size_t at = 0;

    while (call_metadata_next(c, &at, &key, &value)) {
        if (!str_eq(key, name))
            continue;
        if (str_ends_with(name, bin_suffix))
            return base64_decode_lenient(c->arena, value, out) == 0;
        *out = value;
        return true;
    }
    return false;
}

/* Names that envelopes and net write themselves; whatever a handler says under them would make an
 * answer that means something else. */
static bool is_reserved(struct str name)
{
    static const struct str names[] = {
        STR_INIT("content-type"),
        STR_INIT("content-length"),
        STR_INIT("content-encoding"),
        STR_INIT("accept-encoding"),
        STR_INIT("accept-post"),
        STR_INIT("connection"),
        STR_INIT("date"),
        STR_INIT("host"),
        STR_INIT("server"),
        STR_INIT("te"),
        STR_INIT("trailer"),
        STR_INIT("transfer-encoding"),
        STR_INIT("upgrade"),
        STR_INIT("vary"),
        STR_INIT("x-request-id"),
    };

    if (str_starts_with(name, STR("grpc-")) || str_starts_with(name, STR("connect-")))
        return true;
    for (size_t i = 0; i < COUNTOF(names); i++)
        if (str_eq(name, names[i]))
            return true;
    return false;
}

static void fields_add(struct call *c, struct call_fields *list, struct str name, struct str value)
{
    if (is_reserved(name))
        return;
    if (list->count == list->cap) {
        size_t cap = list->cap > 0 ? list->cap * 2 : FIRST_FIELDS;
        struct http_field *items = arena_alloc_raw(c->arena, cap * sizeof(*items));

        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->cap = cap;
    }
    if (str_ends_with(name, bin_suffix))
        value = base64_encode(c->arena, BASE64_STD_BARE, value);
    list->items[list->count++] = (struct http_field){name, value};
}

void call_header(struct call *c, struct str name, struct str value)
{
    fields_add(c, &c->headers, name, value);
}

void call_trailer(struct call *c, struct str name, struct str value)
{
    fields_add(c, &c->trailers, name, value);
}

void call_detail(struct call *c, struct str type, struct str bytes)
{
    if (c->detail_count == c->detail_cap) {
        size_t cap = c->detail_cap > 0 ? c->detail_cap * 2 : FIRST_DETAILS;
        struct call_detail *items = arena_alloc_raw(c->arena, cap * sizeof(*items));

        if (c->detail_count > 0)
            memcpy(items, c->details, c->detail_count * sizeof(*items));
        c->details = items;
        c->detail_cap = cap;
    }
    c->details[c->detail_count++] = (struct call_detail){type, bytes};
}

void call_forget_metadata(struct call *c)
{
    c->headers.count = 0;
    c->trailers.count = 0;
    c->detail_count = 0;
}
