/* SPDX-License-Identifier: Apache-2.0 */
/* REST-JSON: a message put together from body, query and path. The rest is plain HTTP, and errors
 * have the dialect's shape. */
#include "rpc/rest.h"

#include "codec/url.h"
#include "rpc/envelope.h"

/* The message that holds the last field of the path, made on the way. */
static void *walk(struct arena *a, const struct rest_path *path, void *msg)
{
    for (size_t i = 0; i + 1 < path->count; i++) {
        const struct proto_field *fd = path->fields[i];

        if (!proto_has(msg, fd)) {
            void *made = proto_new(a, fd->message);

            proto_mark(msg, fd);
            *(void **)proto_at(msg, fd) = made;
        }
        msg = *(void **)proto_at(msg, fd);
    }
    return msg;
}

static int set_text(const struct protojson_flavor *flavor, struct arena *a,
                    const struct rest_path *path, struct str name, struct str text, void *msg,
                    struct fail *f)
{
    if (protojson_set_text(flavor, path->fields[path->count - 1], a, text, walk(a, path, msg), f) ==
        0)
        return 0;
    return fail_field(f, "%.*s", STR_ARG(str_first(name, 60)));
}

static bool same_path(const struct rest_path *x, const struct rest_path *y)
{
    return x->count == y->count && memcmp(x->fields, y->fields, x->count * sizeof(*x->fields)) == 0;
}

static bool is_in_path(const struct rest_binding *b, const struct rest_path *path)
{
    for (size_t i = 0; i < b->variable_count; i++)
        if (same_path(&b->variables[i].path, path))
            return true;
    return false;
}

int rest_query(const struct rest_binding *binding, const struct protojson_flavor *flavor,
               const struct proto_message *m, struct arena *a, struct str query, bool strict,
               void *msg, struct fail *f)
{
    struct url_query q = {query};
    struct str name, value;
    int more;

    while ((more = url_query_next(&q, a, &name, &value, f)) == 1) {
        struct rest_path path;

        if (!rest_path_find(m, name, a, &path)) {
            if (!strict)
                continue;
            IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "unknown_field",
                               "unknown query parameter \"%.*s\"", STR_ARG(str_first(name, 64))));
            return fail_field(f, "%.*s", STR_ARG(str_first(name, 60)));
        }
        if (is_in_path(binding, &path))
            continue;
        if (!value.p)
            value = STR("");
        if (set_text(flavor, a, &path, name, value, msg, f) < 0)
            return -1;
    }
    return more;
}

/* A slash inside a segment must not look like one between segments: it stays as it was sent. */
static void put_piece(struct buf *out, const struct rest_piece *piece, const struct call *c)
{
    struct str text = piece->is_param ? c->params[piece->param] : piece->text;
    ptrdiff_t slash;

    while (piece->is_segment && (slash = str_index(text, '/')) >= 0) {
        buf_put_str(out, str_first(text, (size_t)slash));
        buf_put_str(out, STR("%2F"));
        text = str_skip(text, (size_t)slash + 1);
    }
    buf_put_str(out, text);
}

static struct str variable_text(struct arena *a, const struct rest_variable *v,
                                const struct call *c)
{
    struct buf text;

    if (v->piece_count == 1 && v->pieces[0].is_param)
        return c->params[v->pieces[0].param];
    buf_init_arena(&text, a, (size_t)1 << 20); /* far above what a request line holds */
    for (size_t i = 0; i < v->piece_count; i++)
        put_piece(&text, &v->pieces[i], c);
    return buf_str(&text);
}

static int take_body(struct envelope_call *e, struct str body, void *request, struct fail *f)
{
    const struct rpc_method *m = e->method;
    const struct protojson_limits limits = {.bytes = m->request_limit};

    if (!m->rest->whole_body && !m->rest->body)
        return 0;
    if (body.len == 0 && m->table->style.rest_empty_body)
        return 0;
    if (m->rest->whole_body)
        return protojson_decode(m->json, m->m->input, e->memory, body, &limits, request, f);
    return protojson_decode_field(m->json, m->rest->body, e->memory, body, &limits, request, f);
}

static int decode(struct envelope_call *e, struct str body, void *request, struct fail *f)
{
    const struct rpc_method *m = e->method;
    const struct rest_binding *b = m->rest;
    struct call *c = e->call;

    if (take_body(e, body, request, f) < 0)
        return -1;
    if (!b->whole_body && rest_query(b, m->json, m->m->input, e->memory, c->x->req.query,
                                     m->table->style.rest_strict_query, request, f) < 0)
        return -1;
    /* The path wins over what body and query say. */
    for (size_t i = 0; i < b->variable_count; i++) {
        const struct rest_variable *v = &b->variables[i];

        if (set_text(m->json, e->memory, &v->path, v->name, variable_text(e->memory, v, c), request,
                     f) < 0)
            return -1;
    }
    return 0;
}

static int encode(struct envelope_call *e, const void *response, struct fail *f)
{
    const struct rpc_method *m = e->method;
    const struct rest_binding *b = m->rest;
    struct call *c = e->call;
    int rc =
        b->response_body
            ? protojson_encode_field(m->json, b->response_body, e->scratch, response, &c->out, f)
            : protojson_encode(m->json, m->m->output, e->scratch, response, &c->out, f);

    if (rc < 0)
        return -1;
    c->status = 200;
    if (m->table->style.rest_status)
        m->table->style.rest_status(c, m->m, response);
    envelope_put_fields(e, (struct str){NULL, 0}, &c->headers);
    envelope_put_fields(e, STR("trailer-"), &c->trailers);
    return 0;
}

const struct envelope_ops envelope_rest = {
    .name = "rest",
    .decode = decode,
    .encode = encode,
};
