/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/openapi.h"

#include "codec/json_writer.h"
#include "rpc/rest.h"

/* Query parameters are spelled out this deep; deeper ones work, but are not told. */
#define QUERY_DEPTH 4
#define TYPES_MAX   4096

struct writer {
    struct json_writer w;
    struct arena *arena;
    const struct rpc_table *table; /* the one being written */
    struct fail *fail;

    /* Messages reached so far; those before `written` have their schema. */
    const struct proto_message **types;
    const struct rpc_table **type_tables;
    size_t type_count;
};

/* --- schemas --- */

static void put_type(struct writer *o, const char *type, const char *format)
{
    json_key_str(&o->w, STR("type"), str_of(type));
    if (format)
        json_key_str(&o->w, STR("format"), str_of(format));
}

static void reach(struct writer *o, const struct proto_message *m)
{
    for (size_t i = 0; i < o->type_count; i++)
        if (o->types[i] == m)
            return;
    if (o->type_count == TYPES_MAX)
        return;
    o->types[o->type_count] = m;
    o->type_tables[o->type_count++] = o->table;
}

static void put_ref(struct writer *o, const struct proto_message *m)
{
    reach(o, m);
    json_key_str(&o->w, STR("$ref"),
                 arena_printf(o->arena, "#/components/schemas/%.*s", STR_ARG(m->full_name)));
}

static void put_enum(struct writer *o, const struct proto_enum *e)
{
    bool numbers = o->table->style.rest_json->enum_numbers;

    put_type(o, numbers ? "integer" : "string", NULL);
    json_key(&o->w, STR("enum"));
    json_arr_begin(&o->w);
    if (numbers)
        for (size_t i = 0; i < e->number_count; i++)
            json_i64(&o->w, e->values[e->by_number[i]].number);
    else
        for (size_t i = 0; i < e->value_count; i++)
            json_str(&o->w, e->values[i].name);
    json_arr_end(&o->w);
}

static void put_value_members(struct writer *o, const struct proto_field *fd);

/* Members of a schema for a message with a form of its own; false for the others. */
static bool put_known(struct writer *o, const struct proto_message *m)
{
    switch ((enum proto_kind)m->kind) {
    case PROTO_KIND_PLAIN: return false;
    case PROTO_KIND_ANY:
    case PROTO_KIND_STRUCT: put_type(o, "object", NULL); break;
    case PROTO_KIND_EMPTY: put_type(o, "object", NULL); break;
    case PROTO_KIND_TIMESTAMP: put_type(o, "string", "date-time"); break;
    case PROTO_KIND_DURATION:
    case PROTO_KIND_FIELD_MASK: put_type(o, "string", NULL); break;
    case PROTO_KIND_VALUE: break; /* anything */
    case PROTO_KIND_LIST_VALUE:
        put_type(o, "array", NULL);
        json_key(&o->w, STR("items"));
        json_obj_begin(&o->w);
        json_obj_end(&o->w);
        break;
    case PROTO_KIND_WRAPPER: put_value_members(o, &m->fields[0]); break;
    }
    return true;
}

static void put_message_members(struct writer *o, const struct proto_message *m)
{
    if (!put_known(o, m))
        put_ref(o, m);
}

static void put_value_members(struct writer *o, const struct proto_field *fd)
{
    bool numbers = o->table->style.rest_json->int64_numbers;

    switch ((enum proto_type)fd->type) {
    case PROTO_DOUBLE: put_type(o, "number", "double"); break;
    case PROTO_FLOAT: put_type(o, "number", "float"); break;
    case PROTO_INT64:
    case PROTO_SFIXED64:
    case PROTO_SINT64: put_type(o, numbers ? "integer" : "string", "int64"); break;
    case PROTO_UINT64:
    case PROTO_FIXED64: put_type(o, numbers ? "integer" : "string", "uint64"); break;
    case PROTO_INT32:
    case PROTO_SFIXED32:
    case PROTO_SINT32: put_type(o, "integer", "int32"); break;
    case PROTO_UINT32:
    case PROTO_FIXED32: put_type(o, "integer", "uint32"); break;
    case PROTO_BOOL: put_type(o, "boolean", NULL); break;
    case PROTO_STRING: put_type(o, "string", NULL); break;
    case PROTO_BYTES: put_type(o, "string", "byte"); break;
    case PROTO_ENUM: put_enum(o, fd->enumeration); break;
    case PROTO_MESSAGE: put_message_members(o, fd->message); break;
    }
}

/* {...} for a field with its cardinality. */
static void put_schema(struct writer *o, const struct proto_field *fd)
{
    json_obj_begin(&o->w);
    if (fd->cardinality == PROTO_MAP) {
        put_type(o, "object", NULL);
        json_key(&o->w, STR("additionalProperties"));
        json_obj_begin(&o->w);
        put_value_members(o, proto_field_by_number(fd->message, 2));
        json_obj_end(&o->w);
    } else if (fd->cardinality == PROTO_REPEATED) {
        put_type(o, "array", NULL);
        json_key(&o->w, STR("items"));
        json_obj_begin(&o->w);
        put_value_members(o, fd);
        json_obj_end(&o->w);
    } else {
        put_value_members(o, fd);
    }
    json_obj_end(&o->w);
}

static struct str name_of(const struct writer *o, const struct proto_field *fd)
{
    return o->table->style.rest_json->proto_names ? fd->name : fd->json_name;
}

static void put_component(struct writer *o, const struct proto_message *m)
{
    json_key(&o->w, m->full_name);
    json_obj_begin(&o->w);
    put_type(o, "object", NULL);
    json_key(&o->w, STR("properties"));
    json_obj_begin(&o->w);
    for (size_t i = 0; i < m->field_count; i++) {
        json_key(&o->w, name_of(o, &m->fields[i]));
        put_schema(o, &m->fields[i]);
    }
    json_obj_end(&o->w);
    json_obj_end(&o->w);
}

/* The list grows while it is written. */
static void put_components(struct writer *o)
{
    json_key(&o->w, STR("components"));
    json_obj_begin(&o->w);
    json_key(&o->w, STR("schemas"));
    json_obj_begin(&o->w);
    for (size_t i = 0; i < o->type_count; i++) {
        o->table = o->type_tables[i];
        put_component(o, o->types[i]);
    }
    json_obj_end(&o->w);
    json_obj_end(&o->w);
}

/* --- parameters --- */

static void put_parameter(struct writer *o, const char *in, struct str name,
                          const struct proto_field *fd)
{
    json_obj_begin(&o->w);
    json_key_str(&o->w, STR("name"), name);
    json_key_str(&o->w, STR("in"), str_of(in));
    if (strcmp(in, "path") == 0)
        json_key_bool(&o->w, STR("required"), true);
    json_key(&o->w, STR("schema"));
    put_schema(o, fd);
    json_obj_end(&o->w);
}

static bool is_message(const struct proto_field *fd)
{
    return fd->type == PROTO_MESSAGE &&
           (fd->message->kind == PROTO_KIND_PLAIN || fd->message->kind == PROTO_KIND_STRUCT ||
            fd->message->kind == PROTO_KIND_VALUE || fd->message->kind == PROTO_KIND_LIST_VALUE ||
            fd->message->kind == PROTO_KIND_ANY || fd->message->kind == PROTO_KIND_EMPTY);
}

static bool in_path(const struct rest_binding *b, const struct proto_field *const *path,
                    size_t depth)
{
    for (size_t i = 0; i < b->variable_count; i++)
        if (b->variables[i].path.count == depth &&
            memcmp(b->variables[i].path.fields, path, depth * sizeof(*path)) == 0)
            return true;
    return false;
}

static void put_query(struct writer *o, const struct rest_binding *b, const struct proto_message *m,
                      struct str prefix, const struct proto_field **path, size_t depth)
{
    for (size_t i = 0; i < m->field_count; i++) {
        const struct proto_field *fd = &m->fields[i];
        struct str name = name_of(o, fd);

        if ((depth == 0 && fd == b->body) || fd->cardinality == PROTO_MAP)
            continue;
        if (prefix.len > 0)
            name = arena_printf(o->arena, "%.*s.%.*s", STR_ARG(prefix), STR_ARG(name));
        path[depth] = fd;
        if (in_path(b, path, depth + 1))
            continue;
        if (!is_message(fd))
            put_parameter(o, "query", name, fd);
        else if (fd->cardinality != PROTO_REPEATED && fd->message->kind == PROTO_KIND_PLAIN &&
                 depth + 1 < QUERY_DEPTH)
            put_query(o, b, fd->message, name, path, depth + 1);
    }
}

static void put_parameters(struct writer *o, const struct rest_binding *b,
                           const struct proto_method *m)
{
    const struct proto_field *path[QUERY_DEPTH];

    json_key(&o->w, STR("parameters"));
    json_arr_begin(&o->w);
    for (size_t i = 0; i < b->variable_count; i++) {
        const struct rest_path *p = &b->variables[i].path;

        put_parameter(o, "path", b->variables[i].name, p->fields[p->count - 1]);
    }
    if (!b->whole_body)
        put_query(o, b, m->input, (struct str){NULL, 0}, path, 0);
    json_arr_end(&o->w);
}

/* --- operations --- */

static void put_json_content(struct writer *o, const struct proto_field *fd,
                             const struct proto_message *m)
{
    json_key(&o->w, STR("content"));
    json_obj_begin(&o->w);
    json_key(&o->w, STR("application/json"));
    json_obj_begin(&o->w);
    json_key(&o->w, STR("schema"));
    if (fd) {
        put_schema(o, fd);
    } else {
        json_obj_begin(&o->w);
        put_message_members(o, m);
        json_obj_end(&o->w);
    }
    json_obj_end(&o->w);
    json_obj_end(&o->w);
}

static void put_responses(struct writer *o, const struct rest_binding *b,
                          const struct proto_method *m)
{
    json_key(&o->w, STR("responses"));
    json_obj_begin(&o->w);
    json_key(&o->w, STR("200"));
    json_obj_begin(&o->w);
    json_key_str(&o->w, STR("description"), STR("The answer."));
    put_json_content(o, b->response_body, m->output);
    json_obj_end(&o->w);
    json_key(&o->w, STR("default"));
    json_obj_begin(&o->w);
    json_key_str(&o->w, STR("description"), STR("An error."));
    json_obj_end(&o->w);
    json_obj_end(&o->w);
}

struct operation {
    const struct proto_method *method;
    const struct rest_binding *binding;
    size_t index; /* of the binding */
    struct str path;
    bool done;
};

static void put_operation(struct writer *o, const struct operation *op)
{
    const struct rest_binding *b = op->binding;
    const struct proto_method *m = op->method;
    char verb[16];
    size_t n = MIN(b->http->verb.len, sizeof(verb));

    for (size_t i = 0; i < n; i++)
        verb[i] = (char)(b->http->verb.p[i] | 0x20);
    json_key(&o->w, str_make(verb, n));
    json_obj_begin(&o->w);
    json_key_str(&o->w, STR("operationId"),
                 op->index == 0
                     ? m->full_name
                     : arena_printf(o->arena, "%.*s.%zu", STR_ARG(m->full_name), op->index));
    json_key(&o->w, STR("tags"));
    json_arr_begin(&o->w);
    json_str(&o->w, m->service->full_name);
    json_arr_end(&o->w);
    if (m->deprecated)
        json_key_bool(&o->w, STR("deprecated"), true);
    put_parameters(o, b, m);
    if (b->whole_body || b->body) {
        json_key(&o->w, STR("requestBody"));
        json_obj_begin(&o->w);
        put_json_content(o, b->body, m->input);
        json_obj_end(&o->w);
    }
    put_responses(o, b, m);
    json_obj_end(&o->w);
}

/* "{name=shelves/...}" is "{name}" here. */
static struct str path_plain(struct arena *a, struct str path)
{
    struct buf out;
    bool inside = false, skip = false;

    buf_init_arena(&out, a, path.len + 1);
    for (size_t i = 0; i < path.len; i++) {
        char c = path.p[i];

        inside = c == '{' || (inside && c != '}');
        skip = inside && (skip || c == '=');
        if (!skip)
            buf_put_byte(&out, (uint8_t)c);
    }
    return buf_str(&out);
}

static int operations_collect(struct writer *o, struct operation *ops, size_t *count)
{
    const struct rpc_table *t = o->table;

    for (size_t i = 0; i < t->service_count; i++)
        for (size_t k = 0; k < t->services[i].service->method_count; k++) {
            const struct proto_method *m = &t->services[i].service->methods[k];

            if (m->client_streaming || m->server_streaming)
                continue;
            for (size_t n = 0; n < m->http_count; n++) {
                struct rest_binding *b;

                if (rest_binding_new(o->arena, m, &m->http[n], &b, o->fail) < 0)
                    return -1;
                if (b)
                    ops[(*count)++] = (struct operation){
                        .method = m,
                        .binding = b,
                        .index = n,
                        .path = path_plain(o->arena, m->http[n].path),
                    };
            }
        }
    return 0;
}

static size_t bindings_count(const struct rpc_table *t)
{
    size_t n = 0;

    for (size_t i = 0; i < t->service_count; i++)
        for (size_t k = 0; k < t->services[i].service->method_count; k++)
            n += t->services[i].service->methods[k].http_count;
    return n;
}

/* All verbs of a path together. */
static int put_table(struct writer *o)
{
    struct operation *ops =
        arena_new_array(o->arena, struct operation, bindings_count(o->table) + 1);
    size_t count = 0;

    if (operations_collect(o, ops, &count) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (ops[i].done)
            continue;
        json_key(&o->w, ops[i].path);
        json_obj_begin(&o->w);
        for (size_t k = i; k < count; k++) {
            if (ops[k].done || !str_eq(ops[k].path, ops[i].path))
                continue;
            /* Templates that differ only inside the braces are one path here; the first counts. */
            ops[k].done = true;
            for (size_t n = i; n < k; n++)
                ops[k].done &= n == k || !str_eq(ops[n].path, ops[k].path) ||
                               ops[n].binding->verb != ops[k].binding->verb;
            if (ops[k].done)
                put_operation(o, &ops[k]);
            ops[k].done = true;
        }
        json_obj_end(&o->w);
    }
    return 0;
}

int openapi_write(const struct openapi_info *info, const struct rpc_table *const *tables,
                  size_t count, struct buf *out, struct fail *f)
{
    struct arena *a = arena_new(65536);
    struct writer o = {.arena = a, .fail = f};
    int rc = 0;

    o.types = arena_new_array(a, const struct proto_message *, TYPES_MAX);
    o.type_tables = arena_new_array(a, const struct rpc_table *, TYPES_MAX);
    json_writer_init(&o.w, out);
    json_obj_begin(&o.w);
    json_key_str(&o.w, STR("openapi"), STR("3.0.3"));
    json_key(&o.w, STR("info"));
    json_obj_begin(&o.w);
    json_key_str(&o.w, STR("title"), str_of(info->title));
    json_key_str(&o.w, STR("version"), str_of(info->version));
    json_obj_end(&o.w);
    json_key(&o.w, STR("paths"));
    json_obj_begin(&o.w);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        o.table = tables[i];
        if (tables[i]->style.rest_json)
            rc = put_table(&o);
    }
    if (rc == 0) {
        json_obj_end(&o.w);
        put_components(&o);
        json_obj_end(&o.w);
    }
    if (rc == 0 && out->overflow)
        rc = fail_set(f, CODE_RESOURCE_EXHAUSTED, "the OpenAPI document is too large");
    arena_free(&a);
    return rc;
}

int openapi_get(struct call *c, struct fail *f)
{
    const struct str *document = c->app;

    (void)f;
    c->content_type = STR("application/json");
    buf_put_str(&c->out, *document);
    return 0;
}
