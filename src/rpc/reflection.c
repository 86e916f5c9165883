/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/reflection.h"

#include "proto/grpc_reflection_v1_reflection.pb.h"
#include "proto/grpc_reflection_v1alpha_reflection.pb.h"

typedef struct grpc_reflection_v1_server_reflection_request asked;
typedef struct grpc_reflection_v1_server_reflection_response answer;

/* v1alpha's messages have the fields of v1's: one set of handlers serves both. */
#define SAME_SIZE(type)                                                                            \
    _Static_assert(sizeof(struct grpc_reflection_v1_##type) ==                                     \
                       sizeof(struct grpc_reflection_v1alpha_##type),                              \
                   "the versions differ")
#define SAME_PLACE(type, field)                                                                    \
    _Static_assert(offsetof(struct grpc_reflection_v1_##type, field) ==                            \
                       offsetof(struct grpc_reflection_v1alpha_##type, field),                     \
                   "the versions differ")
SAME_SIZE(server_reflection_request);
SAME_PLACE(server_reflection_request, message_request_case);
SAME_PLACE(server_reflection_request, message_request);
SAME_SIZE(server_reflection_response);
SAME_PLACE(server_reflection_response, message_response_case);
SAME_PLACE(server_reflection_response, message_response);
SAME_SIZE(extension_request);
SAME_SIZE(file_descriptor_response);
SAME_SIZE(extension_number_response);
SAME_SIZE(list_service_response);
SAME_SIZE(service_response);
SAME_SIZE(error_response);

#define ASKED_(name)  GRPC_REFLECTION_V1_SERVER_REFLECTION_REQUEST_MESSAGE_REQUEST_##name
#define ANSWER_(name) GRPC_REFLECTION_V1_SERVER_REFLECTION_RESPONSE_MESSAGE_RESPONSE_##name

static void put_error(struct arena *a, answer *out, enum code code, const char *message)
{
    struct grpc_reflection_v1_error_response *e =
        arena_new_type(a, struct grpc_reflection_v1_error_response);

    e->error_code = (int32_t)code;
    e->error_message = str_of(message);
    out->message_response_case = ANSWER_(ERROR_RESPONSE);
    out->message_response.error_response = e;
}

/* --- files: the one that was asked for, and all it needs --- */

struct closure {
    const struct proto_file **files;
    size_t count;
};

static void collect(struct closure *all, const struct proto_file *file)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->files[i] == file)
            return;
    all->files[all->count++] = file;
    for (size_t i = 0; i < file->dep_count; i++)
        collect(all, file->deps[i]);
}

static void put_file(const struct reflection *r, struct arena *a, const struct proto_file *file,
                     answer *out)
{
    struct grpc_reflection_v1_file_descriptor_response *files;
    struct closure all = {0};
    size_t known;

    if (!file) {
        put_error(a, out, CODE_NOT_FOUND, "there is no such file, symbol or extension");
        return;
    }
    IGNORE(proto_pool_files(r->pool, &known));
    all.files = arena_new_array(a, const struct proto_file *, known);
    collect(&all, file);
    files = arena_new_type(a, struct grpc_reflection_v1_file_descriptor_response);
    files->file_descriptor_proto.items = arena_new_array(a, struct str, all.count);
    files->file_descriptor_proto.count = all.count;
    for (size_t i = 0; i < all.count; i++)
        files->file_descriptor_proto.items[i] = all.files[i]->descriptor;
    out->message_response_case = ANSWER_(FILE_DESCRIPTOR_RESPONSE);
    out->message_response.file_descriptor_response = files;
}

static size_t extensions_of(const struct reflection *r, struct str type, int32_t *out)
{
    size_t count, found = 0;
    const struct proto_file *const *files = proto_pool_files(r->pool, &count);

    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < files[i]->extension_count; k++) {
            if (!str_eq(files[i]->extensions[k].extendee, type))
                continue;
            if (out)
                out[found] = (int32_t)files[i]->extensions[k].number;
            found++;
        }
    return found;
}

static void put_extension_numbers(const struct reflection *r, struct arena *a, struct str type,
                                  answer *out)
{
    struct grpc_reflection_v1_extension_number_response *numbers;
    size_t count = extensions_of(r, type, NULL);

    if (count == 0 && !proto_pool_symbol(r->pool, type)) {
        put_error(a, out, CODE_NOT_FOUND, "there is no such type");
        return;
    }
    numbers = arena_new_type(a, struct grpc_reflection_v1_extension_number_response);
    numbers->base_type_name = type;
    numbers->extension_number.items = arena_new_array(a, int32_t, count + 1);
    numbers->extension_number.count = extensions_of(r, type, numbers->extension_number.items);
    out->message_response_case = ANSWER_(ALL_EXTENSION_NUMBERS_RESPONSE);
    out->message_response.all_extension_numbers_response = numbers;
}

static uint16_t port_of(const struct reflection *r, size_t service)
{
    return r->ports ? r->ports[service] : 0;
}

/* The port whose services are listed on this one: itself, or 0 when it has none of its own. */
static uint16_t listing_port(const struct reflection *r, uint16_t port)
{
    for (size_t i = 0; i < r->service_count; i++)
        if (port_of(r, i) == port)
            return port;
    return 0;
}

static void put_services(const struct reflection *r, struct arena *a, uint16_t port, answer *out)
{
    uint16_t listing = listing_port(r, port);
    struct grpc_reflection_v1_list_service_response *list =
        arena_new_type(a, struct grpc_reflection_v1_list_service_response);

    list->service.items =
        arena_new_array(a, struct grpc_reflection_v1_service_response, r->service_count + 1);
    for (size_t i = 0; i < r->service_count; i++)
        if (port_of(r, i) == listing)
            list->service.items[list->service.count++].name = r->services[i];
    out->message_response_case = ANSWER_(LIST_SERVICES_RESPONSE);
    out->message_response.list_services_response = list;
}

static void answer_one(const struct reflection *r, struct arena *a, uint16_t port, const asked *in,
                       answer *out)
{
    switch ((enum grpc_reflection_v1_server_reflection_request_message_request_case)
                in->message_request_case) {
    case ASKED_(NOT_SET):
        put_error(a, out, CODE_INVALID_ARGUMENT, "the request asks for nothing");
        return;
    case ASKED_(FILE_BY_FILENAME):
        put_file(r, a, proto_pool_file(r->pool, in->message_request.file_by_filename), out);
        return;
    case ASKED_(FILE_CONTAINING_SYMBOL):
        put_file(r, a, proto_pool_symbol(r->pool, in->message_request.file_containing_symbol), out);
        return;
    case ASKED_(FILE_CONTAINING_EXTENSION): {
        const struct grpc_reflection_v1_extension_request *e =
            in->message_request.file_containing_extension;

        put_file(r, a,
                 proto_pool_extension(r->pool, e->containing_type, (uint32_t)e->extension_number),
                 out);
        return;
    }
    case ASKED_(ALL_EXTENSION_NUMBERS_OF_TYPE):
        put_extension_numbers(r, a, in->message_request.all_extension_numbers_of_type, out);
        return;
    case ASKED_(LIST_SERVICES): put_services(r, a, port, out); return;
    }
}

static int on_message(struct rpc_stream *s, const void *request, struct fail *f)
{
    const struct call *c = rpc_stream_call(s);
    const struct reflection *r = c->app;
    const asked *in = request;
    asked copy = *in; /* an answer says again what was asked */
    answer out = {.valid_host = in->host, .original_request = &copy};

    answer_one(r, rpc_scratch(s), c->x->req.peer->local_port, in, &out);
    return rpc_send(s, &out, f);
}

static int on_half_close(struct rpc_stream *s, struct fail *f)
{
    (void)s;
    (void)f;
    return 0;
}

static const struct rpc_live_ops info_ops = {.message = on_message, .half_close = on_half_close};
static const struct rpc_handler handlers[] = {
    {.method = "ServerReflectionInfo", .live = &info_ops}};

static struct rpc_service make(const struct proto_service *service, const struct reflection *r)
{
    return (struct rpc_service){
        .service = service,
        .handlers = handlers,
        .handler_count = COUNTOF(handlers),
        .app = (void *)(uintptr_t)r, /* only read */
    };
}

struct rpc_service reflection_v1_service(const struct reflection *r)
{
    return make(&grpc_reflection_v1_server_reflection_desc, r);
}

struct rpc_service reflection_v1alpha_service(const struct reflection *r)
{
    return make(&grpc_reflection_v1alpha_server_reflection_desc, r);
}

int reflection_check(const struct reflection *r, struct fail *f)
{
    for (size_t i = 0; i < r->service_count; i++)
        if (!proto_pool_service(r->pool, r->services[i]))
            return fail_set(f, CODE_INVALID_ARGUMENT, "reflection: there is no service %.*s",
                            STR_ARG(r->services[i]));
    return 0;
}
