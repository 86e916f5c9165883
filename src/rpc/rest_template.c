/* SPDX-License-Identifier: Apache-2.0 */
/* Path templates of google.api.http, such as "/v1/{name=shelves/<star>}/books/{book.id}:read",
 * where <star> is an asterisk. Start-up. */
#include <assert.h>

#include "base/buf.h"
#include "rpc/rest.h"

#define TEMPLATE_BYTES 2048
#define MAX_PIECES     32
#define MAX_VARIABLES  16

struct parser {
    struct arena *arena;
    const struct proto_method *method;
    const struct proto_http *http;
    struct rest_binding *binding;
    struct buf out; /* the router's template */
    size_t params;
    struct fail *fail;
};

static int refuse(struct parser *p, const char *why)
{
    return fail_set(p->fail, CODE_INVALID_ARGUMENT, "%.*s: %s in the template '%.*s'",
                    STR_ARG(p->method->full_name), why, STR_ARG(p->http->path));
}

/* What JSON writes as one value has no fields there: set one by one they could make no JSON. */
static bool has_fields(const struct proto_field *fd)
{
    return fd->type == PROTO_MESSAGE && fd->cardinality != PROTO_REPEATED &&
           fd->cardinality != PROTO_MAP &&
           (fd->message->kind == PROTO_KIND_PLAIN || fd->message->kind == PROTO_KIND_WRAPPER);
}

bool rest_path_find(const struct proto_message *m, struct str name, struct arena *a,
                    struct rest_path *out)
{
    const struct proto_field *fields[REST_FIELD_DEPTH];
    size_t count = 0;

    while (name.len > 0) {
        struct str part = str_cut(&name, '.');
        const struct proto_field *fd = m ? proto_field_by_name(m, part) : NULL;

        if (!fd || count == REST_FIELD_DEPTH)
            return false;
        fields[count++] = fd;
        m = has_fields(fd) ? fd->message : NULL;
    }
    if (count == 0)
        return false;
    out->fields = arena_new_array(a, const struct proto_field *, count);
    memcpy(out->fields, fields, count * sizeof(*fields));
    out->count = count;
    return true;
}

static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (strchr("{}%?#/", text.p[i]))
            return false;
    return text.len > 0 && str_is_within(text, '!', '~');
}

/* "*", "**" or text, inside a variable (v) or outside. */
static int put_segment(struct parser *p, struct str segment, struct rest_variable *v)
{
    bool one = str_eq(segment, STR("*")), rest = str_eq(segment, STR("**"));
    struct rest_piece piece = {.text = segment};

    if (!is_plain(segment) || (!one && !rest && str_index(segment, '*') >= 0))
        return refuse(p, "a bad segment");
    if (one || rest) {
        piece = (struct rest_piece){.is_param = true, .is_segment = one, .param = p->params};
        buf_printf(&p->out, rest ? "{p%zu:path}" : "{p%zu}", p->params);
        p->params++;
    } else {
        buf_put_str(&p->out, segment);
    }
    if (!v)
        return 0;
    if (v->piece_count == MAX_PIECES)
        return refuse(p, "a variable that is too long");
    v->pieces[v->piece_count++] = piece;
    return 0;
}

static bool takes_text(const struct proto_field *fd)
{
    if (fd->cardinality == PROTO_REPEATED || fd->cardinality == PROTO_MAP)
        return false;
    if (fd->type != PROTO_MESSAGE)
        return true;
    return fd->message->kind == PROTO_KIND_WRAPPER || fd->message->kind == PROTO_KIND_TIMESTAMP ||
           fd->message->kind == PROTO_KIND_DURATION || fd->message->kind == PROTO_KIND_FIELD_MASK;
}

static int put_variable(struct parser *p, struct str inside)
{
    struct rest_binding *b = p->binding;
    struct str name = str_cut(&inside, '=');
    struct rest_variable *v = &b->variables[b->variable_count];

    if (b->variable_count == MAX_VARIABLES)
        return refuse(p, "too many variables");
    if (!rest_path_find(p->method->input, name, p->arena, &v->path) ||
        !takes_text(v->path.fields[v->path.count - 1]))
        return refuse(p, "a variable that is no single field of the request");
    b->variable_count++;
    v->name = name;
    v->pieces = arena_new_array(p->arena, struct rest_piece, MAX_PIECES);
    if (inside.len == 0)
        return put_segment(p, STR("*"), v);
    while (inside.len > 0) {
        if (put_segment(p, str_cut(&inside, '/'), v) < 0)
            return -1;
        if (inside.len == 0)
            break;
        buf_put_byte(&p->out, '/');
        if (v->piece_count == MAX_PIECES)
            return refuse(p, "a variable that is too long");
        v->pieces[v->piece_count++] = (struct rest_piece){.text = STR("/")};
    }
    return 0;
}

/* Splits ":verb" off the last segment. */
static struct str cut_verb(struct str *path)
{
    size_t at = path->len;

    while (at > 0 && path->p[at - 1] != '/' && path->p[at - 1] != '}' && path->p[at - 1] != ':')
        at--;
    if (at == 0 || path->p[at - 1] != ':')
        return (struct str){NULL, 0};

    struct str verb = str_skip(*path, at);

    *path = str_first(*path, at - 1);
    return verb;
}

static int parse(struct parser *p)
{
    struct str path = p->http->path;
    struct str verb;

    if (path.len < 2 || path.p[0] != '/')
        return refuse(p, "no slash at the start");
    path = str_skip(path, 1);
    verb = cut_verb(&path);
    if (path.len == 0)
        return refuse(p, "nothing but a verb");
    while (path.len > 0) {
        buf_put_byte(&p->out, '/');
        if (path.p[0] == '{') {
            ptrdiff_t close = str_index(path, '}');

            if (close < 0)
                return refuse(p, "'{' without '}'");
            if (put_variable(p, str_make(path.p + 1, (size_t)close - 1)) < 0)
                return -1;
            path = str_skip(path, (size_t)close + 1);
            if (path.len > 0 && path.p[0] != '/')
                return refuse(p, "something between '}' and '/'");
            path = str_skip(path, 1);
        } else if (put_segment(p, str_cut(&path, '/'), NULL) < 0) {
            return -1;
        }
    }
    if (verb.p) {
        if (!is_plain(verb))
            return refuse(p, "a bad verb");
        buf_put_byte(&p->out, ':');
        buf_put_str(&p->out, verb);
    }
    if (p->out.overflow)
        return refuse(p, "too much");
    return 0;
}

static void parse_verb(struct parser *p)
{
    static const enum http_method verbs[] = {HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_PATCH,
                                             HTTP_DELETE};

    for (size_t i = 0; i < COUNTOF(verbs); i++)
        if (str_eq(p->http->verb, str_of(http_method_name(verbs[i]))))
            p->binding->verb = VERB(verbs[i]);
}

static int parse_bodies(struct parser *p)
{
    struct rest_binding *b = p->binding;
    struct str body = p->http->body, response = p->http->response_body;

    b->whole_body = str_eq(body, STR("*"));
    if (body.len > 0 && !b->whole_body) {
        b->body = proto_field_by_name(p->method->input, body);
        if (!b->body)
            return refuse(p, "a body that is no field of the request");
    }
    if (response.len > 0) {
        b->response_body = proto_field_by_name(p->method->output, response);
        if (!b->response_body)
            return refuse(p, "a response_body that is no field of the answer");
    }
    return 0;
}

int rest_binding_new(struct arena *a, const struct proto_method *m, const struct proto_http *http,
                     struct rest_binding **out, struct fail *f)
{
    struct rest_binding *b = arena_new_type(a, struct rest_binding);
    struct parser p = {.arena = a, .method = m, .http = http, .binding = b, .fail = f};

    b->http = http;
    parse_verb(&p);
    if (b->verb == 0) {
        *out = NULL;
        return 0;
    }
    b->variables = arena_new_array(a, struct rest_variable, MAX_VARIABLES);
    buf_init_arena(&p.out, a, TEMPLATE_BYTES);
    if (parse(&p) < 0 || parse_bodies(&p) < 0)
        return -1;
    b->route_path = arena_cstr(a, buf_str(&p.out));
    *out = b;
    return 0;
}
