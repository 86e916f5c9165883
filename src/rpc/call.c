/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/call.h"

#include <stdlib.h>

#include "codec/url.h"
#include "rpc/route.h"

struct str call_param(const struct call *c, struct str name)
{
    struct str rest = str_of(c->route->path);

    for (size_t i = 0; i < c->param_count; i++) {
        IGNORE(str_cut(&rest, '{').len);

        struct str inside = str_cut(&rest, '}');

        if (str_eq(str_cut(&inside, ':'), name))
            return c->params[i];
    }
    abort(); /* our own mistake: the template has no parameter of that name */
}

bool call_query(const struct call *c, struct str name, struct str *out)
{
    struct str rest = c->x->req.query;

    while (rest.len > 0) {
        struct str value = str_cut(&rest, '&');
        struct str key = str_cut(&value, '=');
        struct str decoded;

        if (url_decode(c->arena, URL_QUERY, key, &decoded) == URL_OK && str_eq(decoded, name) &&
            url_decode(c->arena, URL_QUERY, value, out) != URL_BAD)
            return true;
    }
    return false;
}
