/* SPDX-License-Identifier: Apache-2.0 */
/* What connectconformance drives in client mode: reads requests from standard input, makes the
 * calls with our gRPC client, writes what came of them. One loop, some workers that take turns at
 * reading and writing; channels are kept for the run. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/heap.h"
#include "proto/connectrpc_conformance_v1_client_compat.pb.h"
#include "proto/connectrpc_conformance_v1_config.pb.h"
#include "proto/connectrpc_conformance_v1_service.pb.h"
#include "proto/google_rpc_status.pb.h"
#include "rpc/grpc_client.h"

#define WORKERS       8
#define MESSAGE_MAX   ((size_t)16 << 20)
#define RESPONSES_MAX 1024

#define REQUEST_DESC  connectrpc_conformance_v1_client_compat_request_desc
#define RESPONSE_DESC connectrpc_conformance_v1_client_compat_response_desc

/* One server, with one set of certificates. */
struct origin {
    struct origin *next;
    char *key;
    struct tls_client *tls;
    struct grpc_channel *channel;
};

struct program {
    struct clock *clock;
    struct loop *loop;
    struct resolver *resolver;
    struct allow_list *allow;
    pthread_mutex_t input;
    pthread_mutex_t output;
    pthread_mutex_t lock; /* guards origins */
    struct origin *origins;
};

/* -- pipes ------------------------------------------------------------------------------------- */

/* False at the end. */
static bool read_message(struct arena *a, struct str *out)
{
    uint8_t head[4];
    size_t len;
    char *bytes;

    if (fread(head, sizeof(head), 1, stdin) != 1)
        return false;
    len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (len > MESSAGE_MAX)
        return false;
    bytes = arena_alloc_raw(a, len + 1);
    if (len > 0 && fread(bytes, len, 1, stdin) != 1)
        return false;
    *out = str_make(bytes, len);
    return true;
}

static void write_message(struct program *p, struct arena *a,
                          const struct connectrpc_conformance_v1_client_compat_response *m)
{
    struct buf out;
    uint8_t head[4];

    buf_init_arena(&out, a, MESSAGE_MAX);
    if (proto_encode(&RESPONSE_DESC, m, &out) < 0)
        abort();
    for (size_t i = 0; i < 4; i++)
        head[i] = (uint8_t)(out.len >> (8 * (3 - i)));
    pthread_mutex_lock(&p->output);
    if (fwrite(head, sizeof(head), 1, stdout) != 1 ||
        (out.len > 0 && fwrite(out.data, out.len, 1, stdout) != 1) || fflush(stdout) != 0)
        exit(1);
    pthread_mutex_unlock(&p->output);
}

/* -- channels ---------------------------------------------------------------------------------- */

static char *temporary_file(struct str content)
{
    char path[] = "/tmp/muster-conformance-XXXXXX";
    int fd = mkstemp(path);

    if (fd == -1 || write(fd, content.p, content.len) != (ssize_t)content.len)
        abort();
    close(fd);
    return heap_cstr(str_of(path));
}

static void remove_file(char *path)
{
    if (path)
        unlink(path);
    free(path);
}

static int make_tls(const struct connectrpc_conformance_v1_client_compat_request *r,
                    struct tls_client **out, struct fail *f)
{
    struct tls_client_config config = {.min_version = TLS_1_2};
    char *ca = temporary_file(r->server_tls_cert);
    char *cert = NULL;
    char *key = NULL;
    int rc;

    if (r->client_tls_creds) {
        cert = temporary_file(r->client_tls_creds->cert);
        key = temporary_file(r->client_tls_creds->key);
    }
    config.ca_file = ca;
    config.cert_file = cert;
    config.key_file = key;
    rc = tls_client_new(&config, out, f);
    remove_file(ca);
    remove_file(cert);
    remove_file(key);
    return rc;
}

static int make_origin(struct program *p,
                       const struct connectrpc_conformance_v1_client_compat_request *r,
                       const char *target, struct origin *o, struct fail *f)
{
    struct grpc_channel_options options = {
        .target = str_of(target),
        .http2 = {.loop = p->loop, .resolver = p->resolver, .allow = p->allow},
    };

    if (r->server_tls_cert.len > 0 && make_tls(r, &o->tls, f) < 0)
        return -1;
    options.tls = o->tls;
    return grpc_channel_new(&options, &o->channel, f);
}

static struct grpc_channel *channel_for(
    struct program *p, struct arena *a,
    const struct connectrpc_conformance_v1_client_compat_request *r, struct fail *f)
{
    struct str target =
        arena_printf(a, "%s%.*s:%u", r->server_tls_cert.len > 0 ? "grpc+ssl://" : "grpc://",
                     STR_ARG(r->host), r->port);
    struct str key = arena_printf(a, "%.*s %d %.*s", STR_ARG(target), r->client_tls_creds != NULL,
                                  STR_ARG(r->server_tls_cert));
    struct origin *o;

    pthread_mutex_lock(&p->lock);
    for (o = p->origins; o; o = o->next)
        if (str_eq(str_of(o->key), key))
            break;
    if (!o) {
        o = heap_new_type(struct origin);
        if (make_origin(p, r, arena_cstr(a, target), o, f) == 0) {
            o->key = heap_cstr(key);
            o->next = p->origins;
            p->origins = o;
        } else {
            tls_client_free(&o->tls);
            free(o);
            o = NULL;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return o ? o->channel : NULL;
}

/* -- one call ---------------------------------------------------------------------------------- */

static const struct proto_method *find_method(
    const struct connectrpc_conformance_v1_client_compat_request *r)
{
    const struct proto_service *s = &connectrpc_conformance_v1_conformance_service_desc;

    for (size_t i = 0; i < s->method_count; i++)
        if (str_eq(s->methods[i].name, r->method))
            return &s->methods[i];
    return NULL;
}

static void set_metadata(struct arena *a, struct grpc_call_options *o,
                         const struct connectrpc_conformance_v1_client_compat_request *r)
{
    struct http_field *fields;
    size_t n = 0;

    for (size_t i = 0; i < r->request_headers.count; i++)
        n += r->request_headers.items[i].value.count;
    fields = arena_new_array(a, struct http_field, n + 1);
    n = 0;
    for (size_t i = 0; i < r->request_headers.count; i++) {
        const struct connectrpc_conformance_v1_header *h = &r->request_headers.items[i];
        char *name = arena_cstr(a, h->name);

        for (char *c = name; *c; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c | 0x20);
        for (size_t j = 0; j < h->value.count; j++)
            fields[n++] = (struct http_field){str_of(name), h->value.items[j]};
    }
    o->metadata = fields;
    o->metadata_count = n;
}

/* Fields of one name become one header, in order. */
static size_t to_headers(struct arena *a, const struct http_field *fields, size_t count,
                         struct connectrpc_conformance_v1_header **out)
{
    struct connectrpc_conformance_v1_header *headers =
        arena_new_array(a, struct connectrpc_conformance_v1_header, count);
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        size_t at = 0;

        while (at < n && !str_eq(headers[at].name, fields[i].name))
            at++;
        if (at == n) {
            n++;
            headers[at].name = fields[i].name;
            headers[at].value.items = arena_new_array(a, struct str, count);
        }
        headers[at].value.items[headers[at].value.count++] = fields[i].value;
    }
    *out = headers;
    return n;
}

static void set_error(struct arena *a, const struct grpc_outcome *o,
                      struct connectrpc_conformance_v1_client_response_result *result)
{
    struct connectrpc_conformance_v1_error *e =
        arena_new_type(a, struct connectrpc_conformance_v1_error);
    struct google_rpc_status status = {.code = 0};
    struct fail f;

    e->code = (int32_t)o->code;
    e->has_message = true;
    e->message = o->message;
    if (o->details.len > 0 &&
        proto_decode(&google_rpc_status_desc, a, o->details, NULL, &status, &f) == 0) {
        e->details.items = status.details.items;
        e->details.count = status.details.count;
    }
    result->error = e;
}

static struct connectrpc_conformance_v1_conformance_payload payload_of(
    const struct proto_method *method, void *message)
{
    const struct proto_field *fd = proto_field_by_number(method->output, 1);
    struct connectrpc_conformance_v1_conformance_payload *payload = NULL;

    if (fd)
        memcpy(&payload, proto_at(message, fd), sizeof(payload));
    return payload ? *payload
                   : (struct connectrpc_conformance_v1_conformance_payload){.data = STR("")};
}

static void await_ms(struct program *p, uint32_t ms)
{
    struct waiter *w = waiter_new(p->clock);

    waiter_wait(w, clock_mono_us(p->clock) + (int64_t)ms * 1000);
    waiter_free(&w);
}

static void read_stream(struct program *p, struct arena *a, struct grpc_stream *s,
                        const struct connectrpc_conformance_v1_client_compat_request *r,
                        const struct proto_method *method,
                        struct connectrpc_conformance_v1_client_response_result *result)
{
    const struct connectrpc_conformance_v1_client_compat_request_cancel *cancel = r->cancel;
    struct fail f = {.code = CODE_OK};
    void *message;
    int rc;

    result->payloads.items =
        arena_new_array(a, struct connectrpc_conformance_v1_conformance_payload, RESPONSES_MAX);
    if (cancel &&
        cancel->cancel_timing_case ==
            CONNECTRPC_CONFORMANCE_V1_CLIENT_COMPAT_REQUEST_CANCEL_CANCEL_TIMING_AFTER_CLOSE_SEND_MS) {
        await_ms(p, cancel->cancel_timing.after_close_send_ms);
        grpc_stream_cancel(s);
    }
    while ((rc = grpc_stream_next(s, a, &message, &f)) == 1) {
        if (result->payloads.count == RESPONSES_MAX)
            abort();
        result->payloads.items[result->payloads.count++] = payload_of(method, message);
        if (cancel &&
            cancel->cancel_timing_case ==
                CONNECTRPC_CONFORMANCE_V1_CLIENT_COMPAT_REQUEST_CANCEL_CANCEL_TIMING_AFTER_NUM_RESPONSES &&
            cancel->cancel_timing.after_num_responses == result->payloads.count)
            grpc_stream_cancel(s);
    }

    struct grpc_outcome o = *grpc_stream_outcome(s);

    if (rc < 0) {
        if (o.code != f.code)
            grpc_outcome_set(&o, a, &f);
        set_error(a, &o, result);
        if (!method->server_streaming)
            result->payloads.count = 0;
    }
    result->response_headers.count =
        to_headers(a, o.headers, o.header_count, &result->response_headers.items);
    result->response_trailers.count =
        to_headers(a, o.trailers, o.trailer_count, &result->response_trailers.items);
}

/* -1: the call could not even be begun. */
static int perform(struct program *p, struct arena *a,
                   const struct connectrpc_conformance_v1_client_compat_request *r,
                   struct connectrpc_conformance_v1_client_compat_response *out,
                   struct grpc_stream **s, struct fail *f)
{
    const struct proto_method *method = find_method(r);
    struct grpc_channel *channel = channel_for(p, a, r, f);
    struct grpc_call_options o = {
        .timeout_ms = r->has_timeout_ms ? r->timeout_ms : 0,
        .message_max = r->message_receive_limit,
        .gzip = r->compression == CONNECTRPC_CONFORMANCE_V1_COMPRESSION_GZIP,
    };
    void *request;

    if (!channel)
        return -1;
    if (!method || method->client_streaming || r->request_messages.count != 1 || r->raw_request)
        return fail_set(f, CODE_UNIMPLEMENTED, "this client makes no such call");
    request = proto_new(a, method->input);
    if (proto_decode(method->input, a, r->request_messages.items[0].value, NULL, request, f) < 0)
        return -1;
    set_metadata(a, &o, r);
    if (r->request_delay_ms > 0)
        await_ms(p, r->request_delay_ms);
    if (grpc_stream_open(channel, method, request, &o, s, f) < 0)
        return -1;
    out->result_case = CONNECTRPC_CONFORMANCE_V1_CLIENT_COMPAT_RESPONSE_RESULT_RESPONSE;
    out->result.response =
        arena_new_type(a, struct connectrpc_conformance_v1_client_response_result);
    read_stream(p, a, *s, r, method, out->result.response);
    return 0;
}

static void serve(struct program *p, struct arena *a, struct str bytes)
{
    struct connectrpc_conformance_v1_client_compat_request *r = proto_new(a, &REQUEST_DESC);
    struct connectrpc_conformance_v1_client_compat_response *out = proto_new(a, &RESPONSE_DESC);
    struct grpc_stream *s = NULL;
    struct fail f;

    if (proto_decode(&REQUEST_DESC, a, bytes, NULL, r, &f) < 0) {
        fprintf(stderr, "cannot read a request: %s\n", f.message);
        exit(1);
    }
    out->test_name = r->test_name;
    if (perform(p, a, r, out, &s, &f) < 0) {
        out->result_case = CONNECTRPC_CONFORMANCE_V1_CLIENT_COMPAT_RESPONSE_RESULT_ERROR;
        out->result.error = arena_new_type(a, struct connectrpc_conformance_v1_client_error_result);
        out->result.error->message = arena_str(a, str_of(f.message));
    }
    write_message(p, a, out);
    grpc_stream_close(&s);
}

/* -- threads ----------------------------------------------------------------------------------- */

static void *work(void *arg)
{
    struct program *p = arg;
    struct arena *a = arena_new(65536);
    struct str bytes;

    for (;;) {
        bool there;

        pthread_mutex_lock(&p->input);
        there = read_message(a, &bytes);
        pthread_mutex_unlock(&p->input);
        if (!there)
            break;
        serve(p, a, bytes);
        arena_reset(a);
    }
    arena_free(&a);
    return NULL;
}

static void *turn(void *arg)
{
    struct program *p = arg;

    loop_run(p->loop);
    return NULL;
}

static void program_done(struct program *p)
{
    struct origin *o;

    while ((o = p->origins)) {
        p->origins = o->next;
        tls_client_free(&o->tls);
        free(o->key);
        free(o);
    }
    resolver_free(&p->resolver);
    loop_free(&p->loop);
    allow_list_free(&p->allow);
    clock_free(&p->clock);
}

int main(void)
{
    struct program p = {
        .input = PTHREAD_MUTEX_INITIALIZER,
        .output = PTHREAD_MUTEX_INITIALIZER,
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };
    struct resolver_options ro = {.clock = NULL};
    pthread_t workers[WORKERS];
    pthread_t turner;
    struct fail f;

    signal(SIGPIPE, SIG_IGN);
    p.clock = clock_new_real();
    ro.clock = p.clock;
    p.resolver = resolver_new(&ro);
    p.allow = allow_list_new();
    if (allow_list_add(p.allow, STR("0.0.0.0/0"), &f) < 0 ||
        allow_list_add(p.allow, STR("::/0"), &f) < 0 || loop_new(p.clock, 0, &p.loop, &f) < 0)
        abort();
    if (pthread_create(&turner, NULL, turn, &p) != 0)
        abort();
    for (size_t i = 0; i < WORKERS; i++)
        if (pthread_create(&workers[i], NULL, work, &p) != 0)
            abort();
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    for (struct origin *o = p.origins; o; o = o->next)
        grpc_channel_free(&o->channel);
    loop_stop(p.loop);
    pthread_join(turner, NULL);
    program_done(&p);
    return 0;
}
