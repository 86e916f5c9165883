/* SPDX-License-Identifier: Apache-2.0 */
#include "echo_service.h"

#include "proto/muster_test_v1_test.pb.h"

int echo_sleep(struct call *c, uint32_t ms, struct fail *f)
{
    struct echo_app *app = c->app;
    int64_t until;
    struct waiter *w;

    if (ms == 0)
        return 0;
    w = waiter_new(app->clock);
    until = clock_mono_us(app->clock) + (int64_t)ms * 1000;
    IGNORE(waiter_wait(w, MIN(until, c->deadline_us)));
    waiter_free(&w);
    if (until > c->deadline_us)
        return fail_set(f, CODE_DEADLINE_EXCEEDED, "the request's time is over");
    return 0;
}

int echo_fail(struct fail *f, int32_t code, struct str message)
{
    enum code known = code > 0 && code < CODE_COUNT ? (enum code)code : CODE_UNKNOWN;

    return fail_set(f, known, "%.*s", STR_ARG(message));
}

/* What comes in as "echo-header" goes out as header and trailer; "echo-bin" the same in binary. */
static void echo_metadata(struct call *c)
{
    struct str value;

    if (call_metadata(c, STR("echo-text"), &value)) {
        call_header(c, STR("echo-text"), value);
        call_trailer(c, STR("echo-text-after"), value);
    }
    if (call_metadata(c, STR("echo-bin"), &value)) {
        call_header(c, STR("echo-bin"), value);
        call_trailer(c, STR("echo-after-bin"), value);
    }
}

static int fail_as_asked(struct call *c, const struct muster_test_v1_echo_request_problem *p,
                         struct fail *f)
{
    for (size_t i = 0; i < p->details.count; i++) {
        struct str url = p->details.items[i].type_url;
        ptrdiff_t slash;

        while ((slash = str_index(url, '/')) >= 0)
            url = str_skip(url, (size_t)slash + 1);
        call_detail(c, url, p->details.items[i].value);
    }
    return echo_fail(f, p->code, p->message);
}

static int echo(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct muster_test_v1_echo_request *in = request;
    struct muster_test_v1_echo_response *out = response;

    echo_metadata(c);
    if (echo_sleep(c, in->delay_ms, f) < 0)
        return -1;
    if (in->problem)
        return fail_as_asked(c, in->problem, f);
    out->text = in->text;
    out->ballast = in->ballast;
    out->number = in->number;
    return 0;
}

static int echo_hot(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct muster_test_v1_echo_request *in = request;
    struct muster_test_v1_echo_response *out = response;

    if (in->problem)
        return fail_as_asked(c, in->problem, f);
    out->text = in->text;
    out->ballast = in->ballast;
    out->number = in->number;
    return 0;
}

/* Each part leaves a mark, so that one that is left out or run twice shows. */
static int moving_ends(struct call *c, const void *request, void *response, struct fail *f)
{
    const int *marks = c->carry;

    if (!c->tx || *marks != 2)
        return fail_set(f, CODE_INTERNAL, "the call went astray");
    return echo(c, request, response, f);
}

static int moving_goes_on(struct call *c, const void *request, void *response, struct fail *f)
{
    int *marks = c->carry;

    (void)request;
    (void)response;
    if (c->tx || *marks != 1)
        return fail_set(f, CODE_INTERNAL, "the call went astray");
    (*marks)++;
    return rpc_move(c, LANE_WRITE, moving_ends);
}

static int echo_moving(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct muster_test_v1_echo_request *in = request;
    int *marks = arena_new_type(c->arena, int);

    if (c->tx || c->carry)
        return fail_set(f, CODE_INTERNAL, "the call went astray");
    memset(response, 0xa5, sizeof(struct muster_test_v1_echo_response)); /* forgotten */
    call_header(c, STR("echo-text"), STR("forgotten, too"));
    *marks = 1;
    c->carry = marks;
    if (str_eq(in->text, STR("straight"))) { /* from the loop to the write lane */
        (*marks)++;
        return rpc_move(c, LANE_WRITE, moving_ends);
    }
    return rpc_move(c, LANE_WORKER, moving_goes_on);
}

static int echo_everything(struct call *c, const void *request, void *response, struct fail *f)
{
    (void)c;
    (void)f;
    memcpy(response, request, sizeof(struct muster_test_v1_everything));
    return 0;
}

static int echo_report(struct call *c, const void *request, void *response, struct fail *f)
{
    (void)c;
    (void)f;
    memcpy(response, request, sizeof(struct muster_test_v1_report));
    return 0;
}

static int count(struct call *c, const void *request, struct rpc_stream *s, struct fail *f)
{
    const struct muster_test_v1_count_request *in = request;
    struct echo_app *app = c->app;

    echo_metadata(c);
    for (uint64_t n = in->from; n <= in->to; n++) {
        struct muster_test_v1_count_response out = {.number = (uint32_t)n, .ballast = in->ballast};

        if (in->delay_ms > 0 &&
            rpc_wait(s, clock_mono_us(app->clock) + (int64_t)in->delay_ms * 1000, f) < 0)
            return -1;
        if (in->fail_at > 0 && n == in->fail_at)
            return fail_set(f, CODE_ABORTED, "failed at %u", in->fail_at);
        if (rpc_send(s, &out, f) < 0)
            return -1;
    }
    return 0;
}

/* --- both ways --- */

struct collected {
    int64_t sum;
    uint64_t ballast;
    char text[64];
    size_t text_len;
};

static int collect_message(struct rpc_stream *s, const void *request, struct fail *f)
{
    const struct muster_test_v1_echo_request *in = request;
    struct collected *all = rpc_live_state(s);

    if (in->problem)
        return fail_as_asked(rpc_stream_call(s), in->problem, f);
    all->sum += in->number;
    all->ballast += in->ballast.len;
    for (size_t i = 0; i < in->text.len && all->text_len < sizeof(all->text); i++)
        all->text[all->text_len++] = in->text.p[i];
    return 0;
}

static int collect_half_close(struct rpc_stream *s, struct fail *f)
{
    struct collected *all = rpc_live_state(s);
    struct muster_test_v1_echo_response out = {
        .number = all->sum,
        .text = str_make(all->text, all->text_len),
    };

    return rpc_send(s, &out, f);
}

static int chat_open(struct rpc_stream *s, struct fail *f)
{
    (void)f;
    echo_metadata(rpc_stream_call(s));
    return 0;
}

static int chat_message(struct rpc_stream *s, const void *request, struct fail *f)
{
    const struct muster_test_v1_echo_request *in = request;
    struct muster_test_v1_echo_response out = {
        .text = in->text, .number = in->number, .ballast = in->ballast};

    if (in->problem)
        return fail_as_asked(rpc_stream_call(s), in->problem, f);
    return rpc_send(s, &out, f);
}

static int chat_half_close(struct rpc_stream *s, struct fail *f)
{
    (void)s;
    (void)f;
    return 0;
}

static const struct rpc_live_ops collect_ops = {
    .state_bytes = sizeof(struct collected),
    .message = collect_message,
    .half_close = collect_half_close,
};
static const struct rpc_live_ops chat_ops = {
    .open = chat_open,
    .message = chat_message,
    .half_close = chat_half_close,
};

/* --- things --- */

static int get_thing(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct muster_test_v1_get_thing_request *in = request;
    struct muster_test_v1_thing *out = response;

    (void)c;
    if (str_ends_with(in->name, STR("/none")))
        return fail_set(f, CODE_NOT_FOUND, "there is no thing %.*s", STR_ARG(in->name));
    out->name = in->name;
    out->title = STR("a thing");
    return 0;
}

static int list_things(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct muster_test_v1_list_things_request *in = request;
    struct muster_test_v1_list_things_response *out = response;
    struct muster_test_v1_list_things_request *seen =
        arena_new_type(c->arena, struct muster_test_v1_list_things_request);

    (void)f;
    *seen = *in;
    out->request = seen;
    out->things.items = arena_new_array(c->arena, struct muster_test_v1_thing, 2);
    out->things.count = 2;
    out->things.items[0].name = STR("first");
    out->things.items[1].name = STR("second");
    return 0;
}

static int create_thing(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct muster_test_v1_create_thing_request *in = request;
    struct muster_test_v1_thing *out = response;

    if (!in->thing)
        return fail_set(f, CODE_INVALID_ARGUMENT, "thing is missing");
    *out = *in->thing;
    out->name =
        arena_printf(c->arena, "%.*s/things/%.*s", STR_ARG(in->parent), STR_ARG(in->thing->name));
    return 0;
}

static int update_thing(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct muster_test_v1_update_thing_request *in = request;

    (void)c;
    if (!in->thing)
        return fail_set(f, CODE_INVALID_ARGUMENT, "thing is missing");
    memcpy(response, in->thing, sizeof(*in->thing));
    return 0;
}

static int delete_thing(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct muster_test_v1_delete_thing_request *in = request;

    (void)c;
    (void)response;
    if (!in->key || in->key->number <= 0)
        return fail_set(f, CODE_INVALID_ARGUMENT, "key is missing");
    return 0;
}

static const struct rpc_handler handlers[] = {
    {.method = "Echo", .unary = echo},
    {.method = "EchoHot", .unary = echo_hot},
    {.method = "EchoEverything", .unary = echo_everything},
    {.method = "EchoMoving",
     .unary = echo_moving,
     .moves = MOVES_TO(LANE_WORKER) | MOVES_TO(LANE_WRITE)},
    {.method = "EchoJson", .unary = echo},
    {.method = "EchoReport", .unary = echo_report},
    {.method = "Count", .stream = count},
    {.method = "Collect", .live = &collect_ops},
    {.method = "Chat", .live = &chat_ops},
    {.method = "GetThing", .unary = get_thing},
    {.method = "ListThings", .unary = list_things},
    {.method = "CreateThing", .unary = create_thing},
    {.method = "UpdateThing", .unary = update_thing},
    {.method = "DeleteThing", .unary = delete_thing},
};

const struct rpc_service echo_service = {
    .service = &muster_test_v1_test_service_desc,
    .handlers = handlers,
    .handler_count = COUNTOF(handlers),
};
