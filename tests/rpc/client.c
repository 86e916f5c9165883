/* SPDX-License-Identifier: Apache-2.0 */
/* Our gRPC client by hand, for tests against servers of others: one channel, commands on standard
 * input, a line of answer for each. Bytes are hexadecimal, "-" when there are none.
 *
 *   rpc_client [--ca F] [--cert F --key F] [--message-max N] [--keepalive-ms N]
 *              [--connect-ms N] TARGET
 *
 *   open METHOD REQUEST [timeout=MS] [idle=MS] [gzip] [wait] [NAME=VALUE ...]   ok | end ...
 *   next          message BYTES | end CODE REASON TEXT
 *   size          message LENGTH | end CODE REASON TEXT
 *   headers       fields NAME=VALUE ...     all of it in hexadecimal
 *   trailers      fields NAME=VALUE ...
 *   details       bytes BYTES
 *   cancel        ok
 *   close         ok */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "proto/grpc_testing_test.pb.h"
#include "rpc/grpc_client.h"

#define FIELDS_MAX 32

struct program {
    struct clock *clock;
    struct loop *loop;
    struct resolver *resolver;
    struct allow_list *allow;
    struct tls_client *tls;
    struct grpc_channel *channel;
    struct grpc_stream *stream;
    const struct proto_method *method;
    struct arena *arena; /* of one command */
};

static void die(const char *what)
{
    fprintf(stderr, "rpc_client: %s\n", what);
    exit(2);
}

/* -- hexadecimal ------------------------------------------------------------------------------- */

static int digit(char c)
{
    return c >= 'a' ? c - 'a' + 10 : c - '0';
}

static struct str from_hex(struct arena *a, struct str text)
{
    char *out = arena_alloc(a, text.len / 2 + 1);

    if (str_eq(text, STR("-")))
        return STR("");
    for (size_t i = 0; i + 1 < text.len; i += 2)
        out[i / 2] = (char)(digit(text.p[i]) << 4 | digit(text.p[i + 1]));
    return str_make(out, text.len / 2);
}

static void put_hex(struct str bytes)
{
    if (bytes.len == 0)
        putchar('-');
    for (size_t i = 0; i < bytes.len; i++)
        printf("%02x", (unsigned)(uint8_t)bytes.p[i]);
}

/* -- commands ---------------------------------------------------------------------------------- */

static const struct proto_method *find_method(struct str name)
{
    static const struct proto_service *const services[] = {
        &grpc_testing_test_service_desc,
        &grpc_testing_unimplemented_service_desc,
    };

    for (size_t i = 0; i < COUNTOF(services); i++)
        for (size_t j = 0; j < services[i]->method_count; j++)
            if (str_eq(services[i]->methods[j].full_name, name))
                return &services[i]->methods[j];
    die("no such method");
    return NULL;
}

static void put_end(const struct fail *f)
{
    printf("end %d %s ", (int)f->code, f->reason && f->reason[0] ? f->reason : "-");
    put_hex(str_of(f->message));
}

static bool option(struct str word, const char *name, uint32_t *out)
{
    uint64_t n;

    if (!str_starts_with(word, str_of(name)) || str_to_u64(str_skip(word, strlen(name)), &n) < 0)
        return false;
    *out = (uint32_t)n;
    return true;
}

static void open_stream(struct program *p, struct str rest)
{
    struct http_field fields[FIELDS_MAX];
    struct grpc_call_options o = {.metadata = fields};
    struct fail f;
    void *request;

    p->method = find_method(str_cut(&rest, ' '));
    request = proto_new(p->arena, p->method->input);
    if (proto_decode(p->method->input, p->arena, from_hex(p->arena, str_cut(&rest, ' ')), NULL,
                     request, &f) < 0)
        die("bad request");
    while (rest.len > 0 && o.metadata_count < FIELDS_MAX) {
        struct str word = str_cut(&rest, ' ');

        if (option(word, "timeout=", &o.timeout_ms) || option(word, "idle=", &o.idle_timeout_ms))
            continue;
        if (str_eq(word, STR("gzip"))) {
            o.gzip = true;
        } else if (str_eq(word, STR("wait"))) {
            o.wait_for_ready = true;
        } else {
            struct str name = str_cut(&word, '=');

            fields[o.metadata_count++] = (struct http_field){name, from_hex(p->arena, word)};
        }
    }
    grpc_stream_close(&p->stream);
    if (grpc_stream_open(p->channel, p->method, request, &o, &p->stream, &f) < 0)
        put_end(&f);
    else
        printf("ok");
}

static void next(struct program *p, bool whole)
{
    struct fail f = {.code = CODE_OK};
    struct buf out;
    void *message;
    int rc = grpc_stream_next(p->stream, p->arena, &message, &f);

    if (rc <= 0) {
        put_end(&f);
        return;
    }
    printf("message ");
    if (!whole) {
        printf("%zu", proto_size(p->method->output, message));
        return;
    }
    buf_init_arena(&out, p->arena, SIZE_MAX / 2);
    if (proto_encode(p->method->output, message, &out) < 0)
        die("cannot encode the answer");
    put_hex(buf_str(&out));
}

static void put_fields(const struct http_field *fields, size_t count)
{
    printf("fields");
    for (size_t i = 0; i < count; i++) {
        putchar(' ');
        put_hex(fields[i].name);
        putchar('=');
        put_hex(fields[i].value);
    }
}

static void obey(struct program *p, struct str line)
{
    struct str word = str_cut(&line, ' ');

    if (str_eq(word, STR("open"))) {
        open_stream(p, line);
    } else if (!p->stream) {
        die("no stream is open");
    } else if (str_eq(word, STR("next")) || str_eq(word, STR("size"))) {
        next(p, str_eq(word, STR("next")));
    } else if (str_eq(word, STR("headers"))) {
        const struct grpc_outcome *o = grpc_stream_headers(p->stream);

        put_fields(o->headers, o->header_count);
    } else if (str_eq(word, STR("trailers"))) {
        const struct grpc_outcome *o = grpc_stream_outcome(p->stream);

        put_fields(o->trailers, o->trailer_count);
    } else if (str_eq(word, STR("details"))) {
        printf("bytes ");
        put_hex(grpc_stream_outcome(p->stream)->details);
    } else if (str_eq(word, STR("cancel"))) {
        grpc_stream_cancel(p->stream);
        printf("ok");
    } else if (str_eq(word, STR("close"))) {
        grpc_stream_close(&p->stream);
        printf("ok");
    } else {
        die("unknown command");
    }
    putchar('\n');
    fflush(stdout);
}

/* -- start and end ----------------------------------------------------------------------------- */

static void *turn(void *arg)
{
    loop_run(arg);
    return NULL;
}

static void read_options(struct program *p, int argc, char **argv,
                         struct grpc_channel_options *channel)
{
    static const struct option options[] = {
        {"ca", required_argument, NULL, 'a'},
        {"cert", required_argument, NULL, 'c'},
        {"key", required_argument, NULL, 'k'},
        {"message-max", required_argument, NULL, 'm'},
        {"keepalive-ms", required_argument, NULL, 'p'},
        {"connect-ms", required_argument, NULL, 't'},
        {NULL, 0, NULL, 0},
    };
    struct tls_client_config tls = {.min_version = TLS_1_2};
    struct fail f;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        uint32_t number = optarg ? (uint32_t)strtoul(optarg, NULL, 10) : 0;

        switch (c) {
        case 'a': tls.ca_file = optarg; break;
        case 'c': tls.cert_file = optarg; break;
        case 'k': tls.key_file = optarg; break;
        case 'm': channel->message_max = number; break;
        case 'p': channel->http2.keepalive_ms = number; break;
        case 't': channel->http2.connect_timeout_ms = number; break;
        default: exit(2);
        }
    }
    if (optind != argc - 1)
        die("one target");
    channel->target = str_of(argv[optind]);
    if (tls_client_new(&tls, &p->tls, &f) < 0)
        die(f.message);
    channel->tls = str_starts_with(channel->target, STR("grpc+ssl://")) ? p->tls : NULL;
}

static void program_start(struct program *p, int argc, char **argv)
{
    struct grpc_channel_options channel = {.http2 = {.backoff_first_ms = 50}};
    struct resolver_options ro = {.clock = NULL};
    struct fail f;

    p->clock = clock_new_real();
    ro.clock = p->clock;
    p->resolver = resolver_new(&ro);
    p->allow = allow_list_new();
    if (allow_list_add(p->allow, STR("127.0.0.0/8"), &f) < 0 ||
        allow_list_add(p->allow, STR("::1"), &f) < 0 || loop_new(p->clock, 0, &p->loop, &f) < 0)
        die(f.message);
    read_options(p, argc, argv, &channel);
    channel.http2.loop = p->loop;
    channel.http2.resolver = p->resolver;
    channel.http2.allow = p->allow;
    if (grpc_channel_new(&channel, &p->channel, &f) < 0)
        die(f.message);
    p->arena = arena_new(65536);
}

int main(int argc, char **argv)
{
    struct program p = {.clock = NULL};
    pthread_t turner;
    char *line = NULL;
    size_t room = 0;
    ssize_t n;

    signal(SIGPIPE, SIG_IGN);
    program_start(&p, argc, argv);
    if (pthread_create(&turner, NULL, turn, p.loop) != 0)
        die("no thread");
    while ((n = getline(&line, &room, stdin)) > 0) {
        obey(&p, str_make(line, (size_t)n - (line[n - 1] == '\n')));
        arena_reset(p.arena);
    }
    free(line);
    grpc_stream_close(&p.stream);
    grpc_channel_free(&p.channel);
    loop_stop(p.loop);
    pthread_join(turner, NULL);
    resolver_free(&p.resolver);
    loop_free(&p.loop);
    tls_client_free(&p.tls);
    allow_list_free(&p.allow);
    clock_free(&p.clock);
    arena_free(&p.arena);
    return 0;
}
