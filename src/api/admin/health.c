/* SPDX-License-Identifier: Apache-2.0 */
/* What probes and scrapers ask. Loop thread, from memory. */
#include "api/admin/admin_internal.h"
#include "base/metric.h"

int health_live(struct call *c, struct fail *f)
{
    (void)f;
    c->content_type = STR("text/plain; charset=utf-8");
    http_resp_add(c->x, STR("cache-control"), STR("no-store"));
    buf_put_str(&c->out, STR("ok\n"));
    return 0;
}

/* "?verbose" lists every condition; otherwise only those that are not met. Advice is told, but a
 * balancer that hears 503 would take away what still works. */
int health_ready(struct call *c, struct fail *f)
{
    const struct admin_app *app = admin_app_of(c);
    bool ready = true, verbose;
    struct str value;
    struct buf text;

    (void)f;
    verbose = call_query(c, STR("verbose"), &value);
    buf_init_arena(&text, c->arena, 65536);
    for (size_t i = 0; i < app->probe_count; i++) {
        const struct admin_probe *p = &app->probes[i];
        struct fail why = {0};

        if (p->check(p->arg, &why) < 0) {
            ready = ready && p->advice;
            buf_printf(&text, "[%c] %s: %s\n", p->advice ? '!' : '-', p->name, why.message);
        } else if (verbose) {
            buf_printf(&text, "[+] %s: ok\n", p->name);
        }
    }
    c->status = ready ? 200 : 503;
    c->content_type = STR("text/plain; charset=utf-8");
    http_resp_add(c->x, STR("cache-control"), STR("no-store"));
    buf_put_str(&c->out, buf_str(&text));
    buf_put_str(&c->out, ready ? STR("ok\n") : STR("not ready\n"));
    return 0;
}

static bool peer_is_local(const struct http_peer *peer)
{
    struct str address = str_of(peer->address);

    return peer->admin_socket || str_starts_with(address, STR("127.")) ||
           str_eq(address, STR("::1")) || str_starts_with(address, STR("::ffff:127."));
}

int health_metrics(struct call *c, struct fail *f)
{
    const struct admin_app *app = admin_app_of(c);

    if (!app->metrics_open && !peer_is_local(c->x->req.peer) &&
        !caller_may(c->caller, SCOPE_METRICS)) {
        if (c->caller->tenant == 0)
            return fail_reason(f, CODE_UNAUTHENTICATED, "credential_missing",
                               "a credential is needed");
        return fail_reason(f, CODE_PERMISSION_DENIED, "scope_missing",
                           "the key does not grant what this request needs");
    }
    c->content_type = STR("text/plain; version=0.0.4; charset=utf-8");
    metrics_render(app->metrics, &c->out);
    return 0;
}

int health_version(struct call *c, struct fail *f)
{
    struct json_writer w;

    (void)f;
    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key_str(&w, STR("name"), STR("muster"));
    json_key_str(&w, STR("version"), STR(MUSTER_VERSION));
    json_obj_end(&w);
    return 0;
}
