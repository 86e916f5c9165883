/* SPDX-License-Identifier: Apache-2.0 */
#include "api/catalog/catalog.h"

#include "rpc/openapi.h"
#include "rpc/protos.h"
#include "rpc/reflection.h"

#define OPENAPI_MAX ((size_t)8 << 20)

struct catalog {
    struct arena *arena;
    struct health *health;
    struct reflection reflection;
    struct rpc_service services[3];
    struct rpc_table table;
    struct str openapi;
    struct route_table routes[CATALOG_TABLES];
};

static const struct route proto_routes[] = {
    {.name = "protos.list",
     .path = "/protos",
     .verbs = GET_VERB,
     .flags = ROUTE_OPEN,
     .handler = protos_list},
    {.name = "protos.get",
     .path = "/protos/{rest:path}",
     .verbs = GET_VERB,
     .flags = ROUTE_OPEN,
     .answer_limit = (size_t)4 << 20,
     .handler = protos_get},
};
static const struct route openapi_routes[] = {
    {.name = "openapi",
     .path = "/openapi.json",
     .verbs = GET_VERB,
     .flags = ROUTE_OPEN,
     .answer_limit = OPENAPI_MAX,
     .handler = openapi_get},
};

/* Everything that can be asked for: the dialects' services and health. Reflection serves itself
 * without being listed, as the clients that resolve every listed name expect. */
static const struct rpc_service **all_services(struct catalog *c,
                                               const struct rpc_table *const *tables, size_t count,
                                               size_t *total)
{
    const struct rpc_service **all;
    size_t n = 1;

    for (size_t i = 0; i < count; i++)
        n += tables[i]->service_count;
    all = arena_new_array(c->arena, const struct rpc_service *, n);
    *total = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < tables[i]->service_count; k++)
            all[(*total)++] = &tables[i]->services[k];
    all[(*total)++] = &c->services[0];
    return all;
}

static struct proto_pool *make_pool(struct catalog *c, const struct rpc_service *const *all,
                                    size_t count)
{
    const struct proto_file **files =
        arena_new_array(c->arena, const struct proto_file *, count + 2);

    for (size_t i = 0; i < count; i++)
        files[i] = all[i]->service->file;
    files[count] = c->services[1].service->file;
    files[count + 1] = c->services[2].service->file;
    return proto_pool_new(c->arena, files, count + 2);
}

/* "pkg.Service" or "PORT=pkg.Service". */
static int read_listing(struct catalog *c, const char *const *listing, size_t count, struct fail *f)
{
    struct str *services = arena_new_array(c->arena, struct str, count);
    uint16_t *ports = arena_new_array(c->arena, uint16_t, count);

    for (size_t i = 0; i < count; i++) {
        struct str name = str_of(listing[i]);
        uint64_t port = 0;

        if (str_index(name, '=') >= 0) {
            struct str number = str_cut(&name, '=');

            if (str_to_u64(number, &port) < 0 || port == 0 || port > UINT16_MAX)
                return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_setting",
                                   "reflection.services: '%s': what stands before '=' is no port",
                                   listing[i]);
        }
        services[i] = name;
        ports[i] = (uint16_t)port;
    }
    c->reflection.services = services;
    c->reflection.ports = ports;
    c->reflection.service_count = count;
    if (reflection_check(&c->reflection, f) == 0)
        return 0;
    f->reason = "bad_setting";
    return fail_field(f, "reflection.services");
}

static void list_all(struct catalog *c, const struct rpc_service *const *all, size_t count)
{
    struct str *services = arena_new_array(c->arena, struct str, count);

    for (size_t i = 0; i < count; i++)
        services[i] = all[i]->service->full_name;
    c->reflection.services = services;
    c->reflection.service_count = count;
}

static int make_openapi(struct catalog *c, const struct rpc_table *const *tables, size_t count,
                        struct fail *f)
{
    const struct openapi_info info = {"Muster", MUSTER_VERSION};
    struct buf out;

    buf_init_arena(&out, c->arena, OPENAPI_MAX);
    if (openapi_write(&info, tables, count, &out, f) < 0)
        return -1;
    c->openapi = buf_str(&out);
    return 0;
}

static int make_routes(struct catalog *c, const struct dialect *owner, struct fail *f)
{
    c->table = (struct rpc_table){
        .dialect = owner, .services = c->services, .service_count = COUNTOF(c->services)};
    c->routes[1] = (struct route_table){.dialect = owner,
                                        .routes = proto_routes,
                                        .count = COUNTOF(proto_routes),
                                        .app = (void *)(uintptr_t)c->reflection.pool};
    c->routes[2] = (struct route_table){.dialect = owner,
                                        .routes = openapi_routes,
                                        .count = COUNTOF(openapi_routes),
                                        .app = &c->openapi};
    return rpc_table_new(&c->table, c->arena, &c->routes[0], f);
}

int catalog_new(struct arena *a, const struct dialect *owner, const struct rpc_table *const *tables,
                size_t count, const char *const *listing, size_t listing_count,
                struct catalog **out, struct fail *f)
{
    struct catalog *c = arena_new_type(a, struct catalog);
    const struct rpc_service **all;
    size_t total;

    c->arena = a;
    c->health = health_new(false);
    c->services[0] = health_service(c->health);
    c->services[1] = reflection_v1_service(&c->reflection);
    c->services[2] = reflection_v1alpha_service(&c->reflection);
    all = all_services(c, tables, count, &total);
    for (size_t i = 0; i < total; i++)
        health_set(c->health, all[i]->service->full_name, true);
    c->reflection.pool = make_pool(c, all, total);
    list_all(c, all, total);
    if ((listing_count > 0 && read_listing(c, listing, listing_count, f) < 0) ||
        make_openapi(c, tables, count, f) < 0 || make_routes(c, owner, f) < 0) {
        catalog_done(c);
        return -1;
    }
    *out = c;
    return 0;
}

const struct route_table *catalog_routes(const struct catalog *c)
{
    return c->routes;
}

struct health *catalog_health(struct catalog *c)
{
    return c->health;
}

void catalog_done(struct catalog *c)
{
    health_free(&c->health);
}
