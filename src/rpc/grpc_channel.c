/* SPDX-License-Identifier: Apache-2.0 */
/* Targets, and the life of a channel. */
#include <stdlib.h>

#include "base/heap.h"
#include "rpc/grpc_client.h"
#include "rpc/grpc_client_internal.h"

#define WINDOW_DEFAULT (1u << 20)

struct grpc_channel {
    struct http2_client *http2;
    struct http2_client_options options;
    struct loop_task free_task;
    size_t message_max;
};

static int bad_target(struct fail *f, struct str target, const char *what)
{
    fail_reason(f, CODE_INVALID_ARGUMENT, "bad_target", "'%.*s' %s", (int)MIN(target.len, 120u),
                target.p ? target.p : "", what);
    return fail_field(f, "endpoint");
}

static int parse_authority(struct str target, struct str authority, struct str *host,
                           uint16_t *port, struct fail *f)
{
    struct str rest = authority;
    uint64_t number;

    if (str_starts_with(rest, STR("["))) {
        rest = str_skip(rest, 1);
        *host = str_cut(&rest, ']');
        if (!str_starts_with(rest, STR(":")))
            return bad_target(f, target, "names no port");
        rest = str_skip(rest, 1);
    } else {
        *host = str_cut(&rest, ':');
    }
    if (host->len == 0 || host->len > RESOLVER_NAME_MAX)
        return bad_target(f, target, "names no host");
    if (rest.len == 0)
        return bad_target(f, target, "names no port");
    if (str_to_u64(rest, &number) < 0 || number == 0 || number > UINT16_MAX)
        return bad_target(f, target, "has a port that is none");
    *port = (uint16_t)number;
    return 0;
}

static bool is_host(struct str host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.p[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '.' || c == '_' || c == ':';

        if (!fine)
            return false;
    }
    return true;
}

static int parse(const struct grpc_channel_options *o, struct http2_client_options *h,
                 struct fail *f)
{
    struct str rest = o->target;

    h->tls = o->tls;
    if (str_starts_with(rest, STR("grpc+ssl://"))) {
        rest = str_skip(rest, strlen("grpc+ssl://"));
        if (!o->tls)
            return bad_target(f, o->target, "needs TLS, which is not set up");
    } else if (str_starts_with(rest, STR("grpc://"))) {
        rest = str_skip(rest, strlen("grpc://"));
        h->tls = NULL;
    }
    if (parse_authority(o->target, rest, &h->host, &h->port, f) < 0)
        return -1;
    if (!is_host(h->host))
        return bad_target(f, o->target, "is not a scheme, a host and a port");
    return 0;
}

int grpc_channel_new(const struct grpc_channel_options *o, struct grpc_channel **out,
                     struct fail *f)
{
    struct http2_client_options h = o->http2;

    if (parse(o, &h, f) < 0)
        return -1;
    if (h.window_bytes == 0)
        h.window_bytes = WINDOW_DEFAULT;

    struct grpc_channel *c = heap_new_type(struct grpc_channel);

    c->options = h;
    c->http2 = http2_client_new(&h);
    c->message_max = o->message_max > 0 ? o->message_max : GRPC_MESSAGE_MAX;
    *out = c;
    return 0;
}

static void free_here(struct loop_task *t)
{
    struct grpc_channel *c = CONTAINER_OF(t, struct grpc_channel, free_task);

    http2_client_free(&c->http2);
    free(c);
}

void grpc_channel_free(struct grpc_channel **c)
{
    if (!*c)
        return;
    (*c)->free_task.fn = free_here;
    loop_post((*c)->options.loop, &(*c)->free_task);
    *c = NULL;
}

struct http2_client *grpc_channel_http2(struct grpc_channel *c)
{
    return c->http2;
}

struct loop *grpc_channel_loop(const struct grpc_channel *c)
{
    return c->options.loop;
}

size_t grpc_channel_message_max(const struct grpc_channel *c)
{
    return c->message_max;
}

const struct http2_client_options *grpc_channel_http2_options(const struct grpc_channel *c)
{
    return &c->options;
}
