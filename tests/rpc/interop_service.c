/* SPDX-License-Identifier: Apache-2.0 */
/* What the gRPC interop cases ask of a server. */
#include "echo_service.h"

#include "proto/grpc_testing_empty.pb.h"
#include "proto/grpc_testing_messages.pb.h"
#include "proto/grpc_testing_test.pb.h"

#define PAYLOAD_MAX (64 << 20)

static void echo_metadata(struct call *c)
{
    struct str value;

    if (call_metadata(c, STR("x-grpc-test-echo-initial"), &value))
        call_header(c, STR("x-grpc-test-echo-initial"), value);
    if (call_metadata(c, STR("x-grpc-test-echo-trailing-bin"), &value))
        call_trailer(c, STR("x-grpc-test-echo-trailing-bin"), value);
}

static int payload_make(struct arena *a, int32_t size, struct grpc_testing_payload **out,
                        struct fail *f)
{
    if (size < 0 || size > PAYLOAD_MAX)
        return fail_set(f, CODE_INVALID_ARGUMENT, "a payload cannot have that size");
    *out = arena_new_type(a, struct grpc_testing_payload);
    (*out)->body = str_make(arena_alloc(a, (size_t)size + 1), (size_t)size);
    return 0;
}

static int empty_call(struct call *c, const void *request, void *response, struct fail *f)
{
    (void)request;
    (void)response;
    (void)f;
    echo_metadata(c);
    return 0;
}

static int unary_call(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct grpc_testing_simple_request *in = request;
    struct grpc_testing_simple_response *out = response;

    echo_metadata(c);
    if (in->response_status && in->response_status->code != 0)
        return echo_fail(f, in->response_status->code, in->response_status->message);
    return payload_make(c->arena, in->response_size, &out->payload, f);
}

static int streaming_output(struct call *c, const void *request, struct rpc_stream *s,
                            struct fail *f)
{
    const struct grpc_testing_streaming_output_call_request *in = request;
    struct echo_app *app = c->app;

    echo_metadata(c);
    for (size_t i = 0; i < in->response_parameters.count; i++) {
        const struct grpc_testing_response_parameters *p = &in->response_parameters.items[i];
        struct grpc_testing_streaming_output_call_response out = {0};

        if (p->interval_us > 0 && rpc_wait(s, clock_mono_us(app->clock) + p->interval_us, f) < 0)
            return -1;
        if (payload_make(rpc_scratch(s), p->size, &out.payload, f) < 0 || rpc_send(s, &out, f) < 0)
            return -1;
    }
    if (in->response_status && in->response_status->code != 0)
        return echo_fail(f, in->response_status->code, in->response_status->message);
    return 0;
}

static int open_echo(struct rpc_stream *s, struct fail *f)
{
    (void)f;
    echo_metadata(rpc_stream_call(s));
    return 0;
}

static int input_message(struct rpc_stream *s, const void *request, struct fail *f)
{
    const struct grpc_testing_streaming_input_call_request *in = request;
    int32_t *sum = rpc_live_state(s);

    (void)f;
    *sum += in->payload ? (int32_t)in->payload->body.len : 0;
    return 0;
}

static int input_end(struct rpc_stream *s, struct fail *f)
{
    const int32_t *sum = rpc_live_state(s);
    struct grpc_testing_streaming_input_call_response out = {.aggregated_payload_size = *sum};

    return rpc_send(s, &out, f);
}

static int duplex_message(struct rpc_stream *s, const void *request, struct fail *f)
{
    const struct grpc_testing_streaming_output_call_request *in = request;

    if (in->response_status && in->response_status->code != 0)
        return echo_fail(f, in->response_status->code, in->response_status->message);
    for (size_t i = 0; i < in->response_parameters.count; i++) {
        struct grpc_testing_streaming_output_call_response out = {0};

        if (payload_make(rpc_scratch(s), in->response_parameters.items[i].size, &out.payload, f) <
                0 ||
            rpc_send(s, &out, f) < 0)
            return -1;
    }
    return 0;
}

static int duplex_end(struct rpc_stream *s, struct fail *f)
{
    (void)s;
    (void)f;
    return 0;
}

static const struct rpc_live_ops input_ops = {
    .state_bytes = sizeof(int32_t),
    .open = open_echo,
    .message = input_message,
    .half_close = input_end,
};
static const struct rpc_live_ops duplex_ops = {
    .open = open_echo,
    .message = duplex_message,
    .half_close = duplex_end,
};

static const struct rpc_handler handlers[] = {
    {.method = "EmptyCall", .unary = empty_call},
    {.method = "UnaryCall", .unary = unary_call},
    {.method = "CacheableUnaryCall", .unary = unary_call},
    {.method = "StreamingOutputCall", .stream = streaming_output},
    {.method = "StreamingInputCall", .live = &input_ops},
    {.method = "FullDuplexCall", .live = &duplex_ops},
};

const struct rpc_service interop_service = {
    .service = &grpc_testing_test_service_desc,
    .handlers = handlers,
    .handler_count = COUNTOF(handlers),
};
