/* SPDX-License-Identifier: Apache-2.0 */
/* Each rule names the key where it was set and what to change. */
#include "server/config_check.h"

#include <string.h>
#include <sys/un.h>

#include "net/allow_list.h"
#include "server/listen_address.h"
#include "server/server.h"
#include "sink/sink.h"

struct checking {
    const struct config *config;
    struct config_problems *problems;
    struct arena *arena;
};

/* "muster.conf:3: listen" or "--listen": where the reader finds what to change. */
static struct str place(const struct checking *k, enum config_key_id id)
{
    const struct config_key *key = config_key_at(id);
    struct str origin = config_origin(k->config, key, k->arena);

    switch (k->config->sources[id].origin) {
    case CONFIG_FROM_ENVIRONMENT:
    case CONFIG_FROM_FLAG: return origin;
    case CONFIG_FROM_DEFAULT: return str_of(key->name);
    case CONFIG_FROM_FILE: break;
    }
    return arena_printf(k->arena, "%.*s: %s", STR_ARG(origin), key->name);
}

static void check_listeners(const struct checking *k)
{
    const struct config *c = k->config;
    struct str where = place(k, CONFIG_KEY_listen);

    if (c->listen.count == 0)
        config_problem(k->problems, "%.*s: is empty; name at least one address", STR_ARG(where));

    for (size_t i = 0; i < c->listen.count; i++) {
        const char *text = c->listen.items[i];
        struct listen_address e;
        struct fail f;

        if (listen_address_parse(str_of(text), &e, &f) < 0) {
            config_problem(k->problems, "%.*s: %s", STR_ARG(where), f.message);
            continue;
        }
        if (e.tls && c->tls_cert[0] == '\0')
            config_problem(k->problems, "%.*s: %s needs a certificate; set tls.cert and tls.key",
                           STR_ARG(where), text);
        if (!e.tls && !e.loopback && !c->insecure)
            config_problem(k->problems,
                           "%.*s: %s would send keys in clear text to other machines; write "
                           "tls://%s, listen on 127.0.0.1, or set insecure",
                           STR_ARG(where), text, text);
    }
}

/* The admin socket lies in it, and the kernel takes short names only. */
static void check_data(const struct checking *k)
{
    const size_t room =
        sizeof(((struct sockaddr_un *)NULL)->sun_path) - sizeof("/" SERVER_ADMIN_SOCKET);

    if (k->config->data[0] == '\0')
        config_problem(k->problems, "%.*s: is empty; name a directory",
                       STR_ARG(place(k, CONFIG_KEY_data)));
    if (strlen(k->config->data) > room)
        config_problem(k->problems,
                       "%.*s: is too long for the admin socket in it; write a path of at most %zu "
                       "bytes, such as a relative one",
                       STR_ARG(place(k, CONFIG_KEY_data)), room);
}

static void check_tls(const struct checking *k)
{
    const struct config *c = k->config;

    if (c->tls_cert[0] != '\0' && c->tls_key[0] == '\0')
        config_problem(k->problems, "%.*s: needs tls.key beside it",
                       STR_ARG(place(k, CONFIG_KEY_tls_cert)));
    if (c->tls_key[0] != '\0' && c->tls_cert[0] == '\0')
        config_problem(k->problems, "%.*s: needs tls.cert beside it",
                       STR_ARG(place(k, CONFIG_KEY_tls_key)));
    if (c->tls_client_auth != 0 && c->tls_client_ca[0] == '\0')
        config_problem(k->problems, "%.*s: needs tls.client_ca, the authorities to trust",
                       STR_ARG(place(k, CONFIG_KEY_tls_client_auth)));
}

static void check_outbound(const struct checking *k)
{
    struct allow_list *list = allow_list_new();
    struct fail f;

    for (size_t i = 0; i < k->config->outbound_allow.count; i++) {
        if (allow_list_add(list, str_of(k->config->outbound_allow.items[i]), &f) < 0)
            config_problem(k->problems, "%.*s: %s", STR_ARG(place(k, CONFIG_KEY_outbound_allow)),
                           f.message);
    }
    allow_list_free(&list);
}

static void check_sinks(const struct checking *k)
{
    for (size_t i = 0; i < k->config->sink_targets.count; i++) {
        struct sink_spec spec = {0};
        struct fail f = {0};

        if (sink_spec_parse(k->arena, str_of(k->config->sink_targets.items[i]), &spec, &f) < 0)
            config_problem(k->problems, "%.*s: %s", STR_ARG(place(k, CONFIG_KEY_sink_targets)),
                           f.message);
    }
    if (k->config->sink_retry_max_us < k->config->sink_retry_us)
        config_problem(k->problems, "%.*s: is shorter than sink.retry",
                       STR_ARG(place(k, CONFIG_KEY_sink_retry_max_us)));
}

/* Paths are put behind it as it stands. */
static void check_public_url(const struct checking *k)
{
    struct str url = str_of(k->config->sumologic_public_url);
    size_t scheme = str_starts_with(url, STR("https://"))  ? strlen("https://")
                    : str_starts_with(url, STR("http://")) ? strlen("http://")
                                                           : 0;
    struct str rest = str_skip(url, scheme);

    if (url.len == 0)
        return;
    if (scheme == 0 || rest.len == 0 || rest.len > 255 || str_index(rest, '/') >= 0 ||
        str_index(rest, '?') >= 0 || str_index(rest, '#') >= 0 || str_index(rest, '@') >= 0 ||
        !str_is_within(rest, '!', '~') || !str_is_plain(rest))
        config_problem(k->problems,
                       "%.*s: must be http:// or https://, a host and a port, without a path",
                       STR_ARG(place(k, CONFIG_KEY_sumologic_public_url)));
}

void config_check(const struct config *c, struct config_problems *p)
{
    struct checking k = {c, p, arena_new(1024)};

    check_data(&k);
    check_listeners(&k);
    check_tls(&k);
    check_outbound(&k);
    check_public_url(&k);
    check_sinks(&k);
    if (c->tasks_retry_max_us < c->tasks_retry_us)
        config_problem(p, "%.*s: is shorter than tasks.retry",
                       STR_ARG(place(&k, CONFIG_KEY_tasks_retry_max_us)));
    if (c->agents_expire_after_us != 0 && c->agents_expire_after_us < c->agents_inactive_after_us)
        config_problem(p, "%.*s: is shorter than agents.inactive_after",
                       STR_ARG(place(&k, CONFIG_KEY_agents_expire_after_us)));
    arena_free(&k.arena);
}
