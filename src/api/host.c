/* SPDX-License-Identifier: Apache-2.0 */
#include "api/host.h"

#include "core/tenant.h"

struct write_job {
    struct store_job job;
    struct rpc_write *write;
};

static int refuse(struct fail *f)
{
    /* Nobody outside learns whether the key exists. */
    return fail_reason(f, CODE_UNAUTHENTICATED, "credential_unknown",
                       "the credential is unknown, expired or revoked");
}

static void socket_caller(const struct api_host *h, struct caller *out)
{
    *out = (struct caller){
        .tenant = h->default_tenant,
        .tenant_name = STR(TENANT_DEFAULT),
        .role = ROLE_ADMIN,
        .scopes = role_scopes(ROLE_ADMIN),
    };
}

static int host_authenticate(struct rpc_host *host, const struct credential *cr, struct arena *a,
                             struct caller *out, struct fail *f)
{
    struct api_host *h = CONTAINER_OF(host, struct api_host, rpc);
    bool known = false;

    switch (cr->kind) {
    case CREDENTIAL_NONE: break;
    case CREDENTIAL_BASIC:
        known = keyring_resolve_basic(h->keyring, a, cr->id, cr->secret, out);
        break;
    case CREDENTIAL_TOKEN:
        known = keyring_resolve_token(h->keyring, a, cr->token, out) ||
                (cr->id.len > 0 && keyring_resolve(h->keyring, a, cr->id, cr->token, out));
        break;
    case CREDENTIAL_CERTIFICATE: break; /* no key is bound to a certificate's name yet */
    case CREDENTIAL_ADMIN_SOCKET:
        socket_caller(h, out);
        known = true;
        break;
    }
    return known ? 0 : refuse(f);
}

/* The tenant comes by its number: a loop cannot ask the store for a name. */
static int host_act_for(struct rpc_host *host, struct str tenant, struct arena *a,
                        struct caller *caller, struct fail *f)
{
    struct api_host *h = CONTAINER_OF(host, struct api_host, rpc);
    uint64_t id;

    if (caller->role != ROLE_ADMIN || !str_eq(caller->tenant_name, STR(TENANT_DEFAULT)) ||
        !caller_may(caller, SCOPE_TENANTS))
        return fail_reason(f, CODE_PERMISSION_DENIED, "not_operator",
                           "only an admin of the tenant \"default\" may act for other tenants");
    if (str_to_u64(tenant, &id) < 0 || id == 0)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_tenant",
                           "muster-tenant must be a tenant's number");
    if (id == caller->tenant)
        return 0;
    if (!registry_has_tenant(h->registry, id))
        return fail_reason(f, CODE_NOT_FOUND, "no_such_tenant", "there is no such tenant");
    caller->tenant = id;
    caller->tenant_name = arena_printf(a, "#%llu", (unsigned long long)id);
    caller->scopes &= ~SCOPES_OPERATOR;
    return 0;
}

static int job_run(struct store_tx *tx, struct store_job *job, struct fail *f)
{
    struct write_job *w = CONTAINER_OF(job, struct write_job, job);

    return w->write->run(w->write, tx, f);
}

static void job_done(struct store_job *job, int result, const struct fail *f)
{
    struct write_job *w = CONTAINER_OF(job, struct write_job, job);

    w->write->done(w->write, result, f);
}

static int host_submit_write(struct rpc_host *host, struct rpc_write *write, struct fail *f)
{
    struct api_host *h = CONTAINER_OF(host, struct api_host, rpc);
    struct write_job *w = arena_new_type(write->arena, struct write_job);

    w->write = write;
    w->job.arena = write->arena;
    w->job.run = job_run;
    w->job.done = job_done;
    return store_submit(h->store, &w->job, f);
}

static int host_confirm(struct rpc_host *host, const struct caller *caller, struct fail *f)
{
    struct api_host *h = CONTAINER_OF(host, struct api_host, rpc);

    return keyring_is_live(h->keyring, caller->key_id) ? 0 : refuse(f);
}

static const struct rpc_host_ops host_ops = {
    .authenticate = host_authenticate,
    .act_for = host_act_for,
    .submit_write = host_submit_write,
    .confirm = host_confirm,
};

void api_host_init(struct api_host *h)
{
    h->rpc.ops = &host_ops;
}
