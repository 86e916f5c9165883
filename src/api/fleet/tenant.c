/* SPDX-License-Identifier: Apache-2.0 */
/* tenant.v1.TenantService: limits that are in force; what is left out has none. */
#include "api/fleet/fleet_internal.h"
#include "proto/tenant_v1_tenant.pb.h"

static bool set_limit(size_t limit, int32_t *out)
{
    *out = (int32_t)MIN(limit, (size_t)INT32_MAX);
    return limit > 0;
}

int fleet_get_limits(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct agent_settings *s = fleet_settings(c);
    struct tenant_v1_get_limits_response *out = response;

    (void)request;
    (void)f;
    out->has_collectors = set_limit(s->collectors_max, &out->collectors);
    out->has_pipelines = set_limit(s->pipelines_max, &out->pipelines);
    if (s->collector_per_second == 0 && s->api_per_second == 0)
        return 0;

    struct tenant_v1_request_limits *rates =
        arena_new_type(c->arena, struct tenant_v1_request_limits);

    rates->has_collector = set_limit(s->collector_per_second, &rates->collector);
    rates->has_api = set_limit(s->api_per_second, &rates->api);
    out->requests_per_second = rates;
    return 0;
}

/* The vendor's members are not public: nothing is said. */
int fleet_get_summary(struct call *c, const void *request, void *response, struct fail *f)
{
    (void)c;
    (void)request;
    (void)response;
    (void)f;
    return 0;
}
