/* SPDX-License-Identifier: Apache-2.0 */
/* Units change here: the configuration counts microseconds, the network milliseconds. */
#include "server/apply.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "api/fleet/fleet.h"
#include "api/package/package.h"

static uint32_t ms(int64_t us)
{
    return (uint32_t)(us / 1000);
}

void apply_http_limits(const struct config *c, struct http_limits *out)
{
    *out = (struct http_limits){
        .request_line_bytes = (size_t)c->limits_request_line,
        .header_bytes = (size_t)c->limits_headers,
        .header_count = (size_t)c->limits_header_count,
        .connections = (size_t)c->limits_connections,
        .h2_streams = (uint32_t)c->limits_streams,
        .header_timeout_ms = ms(c->timeouts_header_us),
        .body_timeout_ms = ms(c->timeouts_body_us),
        .idle_timeout_ms = ms(c->timeouts_idle_us),
        .write_timeout_ms = ms(c->timeouts_write_us),
        .min_rate_bytes = (uint32_t)c->limits_min_rate,
        .h2_resets = (uint32_t)c->h2_resets,
        .h2_pings = (uint32_t)c->h2_pings,
        .h2_settings = (uint32_t)c->h2_settings,
        .h2_priorities = (uint32_t)c->h2_priorities,
        .h2_empty_data = (uint32_t)c->h2_empty_data,
        .h2_continuations = (uint32_t)c->h2_continuations,
        .h2_window_updates = (uint32_t)c->h2_window_updates,
        .h2_stalls = (uint32_t)c->h2_stalls,
        .output_bytes = (size_t)c->limits_output,
    };
}

struct rate {
    const char *dialect;
    int64_t key_per_second, key_burst, key_concurrent;
    int64_t tenant_per_second, tenant_burst, tenant_concurrent;
};

#define RATE(c, name)                                                                              \
    {                                                                                              \
#name, (c)->rate_##name##_key_per_second, (c)->rate_##name##_key_burst,                    \
            (c)->rate_##name##_key_concurrent, (c)->rate_##name##_tenant_per_second,               \
            (c)->rate_##name##_tenant_burst, (c)->rate_##name##_tenant_concurrent                  \
    }

static struct limit_rule rule(int64_t per_second, int64_t burst)
{
    if (per_second == 0)
        return (struct limit_rule){.shape = LIMIT_NONE};
    return (struct limit_rule){.shape = LIMIT_BUCKET,
                               .amount = (uint32_t)per_second,
                               .period_ms = 1000,
                               .burst = (uint32_t)burst};
}

/* The buckets of Fleet Management count by key. */
static int apply_fleet_rates(const struct config *c, struct limits *limits, struct fail *f)
{
    const struct {
        unsigned class;
        struct limit_rule key;
    } buckets[] = {
        {FLEET_LIMIT_COLLECTOR,
         rule(c->rate_fleet_collector_per_second, c->rate_fleet_collector_burst)},
        {FLEET_LIMIT_API, rule(c->rate_fleet_api_per_second, c->rate_fleet_api_burst)},
    };

    for (size_t i = 0; i < COUNTOF(buckets); i++) {
        const struct limit_policy policy = {.key = buckets[i].key, .headers = true};
        size_t slot;

        if (limits_slot(limits, "fleet", buckets[i].class, &slot, f) < 0 ||
            limits_set(limits, slot, &policy, f) < 0)
            return -1;
    }
    return 0;
}

/* Any minute, so that clients which send what they have at once and then pause are served. */
static struct limit_rule minute(int64_t amount)
{
    if (amount == 0)
        return (struct limit_rule){.shape = LIMIT_NONE};
    return (struct limit_rule){
        .shape = LIMIT_WINDOW, .amount = (uint32_t)amount, .period_ms = 60000};
}

static int apply_sumologic_rates(const struct config *c, struct limits *limits, struct fail *f)
{
    const struct limit_policy policy = {
        .key = minute(c->rate_sumologic_key_per_minute),
        .tenant = minute(c->rate_sumologic_tenant_per_minute),
        .key_concurrent = (uint32_t)c->rate_sumologic_key_concurrent,
        .headers = true,
    };
    size_t slot;

    if (limits_slot(limits, "sumologic", 0, &slot, f) < 0 ||
        limits_set(limits, slot, &policy, f) < 0)
        return -1;
    return 0;
}

static int apply_package_rates(const struct config *c, struct limits *limits, struct fail *f)
{
    const struct limit_policy policy = {
        .tenant_concurrent = (uint32_t)c->rate_package_downloads,
    };
    size_t slot;

    return limits_slot(limits, "package", PACKAGE_LIMIT_FILES, &slot, f) < 0
               ? -1
               : limits_set(limits, slot, &policy, f);
}

int apply_rates(const struct config *c, struct limits *limits, struct fail *f)
{
    const struct rate rates[] = {RATE(c, admin)};

    for (size_t i = 0; i < COUNTOF(rates); i++) {
        const struct rate *r = &rates[i];
        struct limit_policy policy = {
            .key = rule(r->key_per_second, r->key_burst),
            .tenant = rule(r->tenant_per_second, r->tenant_burst),
            .key_concurrent = (uint32_t)r->key_concurrent,
            .tenant_concurrent = (uint32_t)r->tenant_concurrent,
            .headers = true,
        };
        size_t slot;

        if (limits_slot(limits, r->dialect, 0, &slot, f) < 0 ||
            limits_set(limits, slot, &policy, f) < 0)
            return -1;
    }
    if (apply_fleet_rates(c, limits, f) < 0 || apply_package_rates(c, limits, f) < 0)
        return -1;
    return apply_sumologic_rates(c, limits, f);
}

void apply_agents(const struct config *c, struct agent_settings *out)
{
    *out = (struct agent_settings){
        .inactive_after_us = c->agents_inactive_after_us,
        .local_max = (size_t)c->fleet_local_attributes_max,
        .collectors_max = (size_t)c->fleet_collectors_max,
        .pipelines_max = (size_t)c->fleet_pipelines_max,
        .collector_per_second = (uint32_t)c->rate_fleet_collector_per_second,
        .api_per_second = (uint32_t)c->rate_fleet_api_per_second,
    };
}

void apply_sumologic(const struct config *c, struct arena *a, struct sumologic_settings *out)
{
    *out = (struct sumologic_settings){
        .alive_us = c->sumologic_alive_after_us,
        .ephemeral_us = c->sumologic_ephemeral_after_us,
        .receiver_body = (size_t)c->receiver_max_body,
        .receiver_memory = c->receiver_memory,
        .upgrades =
            {
                .timeout_us = c->sumologic_upgrade_timeout_us,
                .alive_us = c->sumologic_alive_after_us,
            },
        .storm = storm_defaults(),
        .public_url = arena_str(a, str_of(c->sumologic_public_url)),
    };
    out->storm.failures = (uint32_t)c->sumologic_failed_registrations;
}

void apply_pipelines(const struct config *c, struct pipelines_options *out)
{
    *out = (struct pipelines_options){
        .empty_matches_all = c->fleet_empty_matchers == 1,
        .disabled_is_empty = c->fleet_empty_config == 1,
        .variant_bytes = (size_t)c->fleet_text_cache_bytes,
    };
}

/* The TLS library would say of a file that is missing only that it cannot be used. */
static int check_readable(enum config_key_id key, const char *path, struct fail *f)
{
    if (path[0] == '\0' || access(path, R_OK) == 0)
        return 0;
    return fail_set(f, CODE_INVALID_ARGUMENT, "%s: cannot read %s: %s", config_key_at(key)->name,
                    path, strerrordesc_np(errno));
}

int apply_tls(const struct config *c, struct tls **out, struct fail *f)
{
    const struct tls_config tls = {
        .cert_file = c->tls_cert,
        .key_file = c->tls_key,
        .ca_file = c->tls_client_ca[0] != '\0' ? c->tls_client_ca : NULL,
        .client_cert = (enum tls_client_cert)c->tls_client_auth,
        .min_version = (enum tls_version)c->tls_min_version,
    };

    *out = NULL;
    if (c->tls_cert[0] == '\0')
        return 0;
    if (check_readable(CONFIG_KEY_tls_cert, c->tls_cert, f) < 0 ||
        check_readable(CONFIG_KEY_tls_key, c->tls_key, f) < 0 ||
        check_readable(CONFIG_KEY_tls_client_ca, c->tls_client_ca, f) < 0)
        return -1;
    return tls_new(&tls, out, f);
}

int apply_allow_list(const struct config *c, struct allow_list **out, struct fail *f)
{
    struct allow_list *list = allow_list_new();

    for (size_t i = 0; i < c->outbound_allow.count; i++) {
        if (allow_list_add(list, str_of(c->outbound_allow.items[i]), f) < 0) {
            allow_list_free(&list);
            return -1;
        }
    }
    *out = list;
    return 0;
}

static size_t processors(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

    return (size_t)MAX(count, 1);
}

unsigned apply_loops(const struct config *c)
{
    return c->loops > 0 ? (unsigned)c->loops : (unsigned)MIN(processors(), (size_t)256);
}

size_t apply_workers(const struct config *c)
{
    return c->workers > 0 ? (size_t)c->workers : MAX(2 * processors(), (size_t)4);
}

size_t apply_readers(const struct config *c)
{
    return c->store_readers > 0 ? (size_t)c->store_readers : apply_workers(c) + 2;
}

int apply_sinks(const struct config *c, struct arena *a, struct sinks_options *out, struct fail *f)
{
    struct sink_spec *specs = arena_new_array(a, struct sink_spec, c->sink_targets.count + 1);

    for (size_t i = 0; i < c->sink_targets.count; i++)
        if (sink_spec_parse(a, str_of(c->sink_targets.items[i]), &specs[i], f) < 0)
            return -1;
    out->specs = specs;
    out->count = c->sink_targets.count;
    out->retry_us = c->sink_retry_us;
    out->retry_max_us = c->sink_retry_max_us;
    out->batch_bytes = (size_t)c->sink_batch_bytes;
    return 0;
}
