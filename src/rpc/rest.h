/* SPDX-License-Identifier: Apache-2.0 */
/* REST bindings (google.api.http): templates compiled into the router's, and how path, query and
 * body become one message. Start-up and immutable, except for rest_query(). Private to rpc. */
#ifndef RPC_REST_H
#define RPC_REST_H

#include "base/arena.h"
#include "base/fail.h"
#include "base/macros.h"
#include "codec/proto.h"
#include "codec/protojson.h"
#include "rpc/route.h"

#define REST_FIELD_DEPTH 16

/* "user_app_id.user_id": the last one takes the value, the others are messages on the way. */
struct rest_path {
    const struct proto_field **fields;
    size_t count;
};

/* A piece of what a variable stands for: text, or the router's parameter of that index. */
struct rest_piece {
    struct str text;
    size_t param;
    bool is_param;
    bool is_segment; /* the parameter is one segment of the path */
};

struct rest_variable {
    struct rest_path path;
    struct str name;
    struct rest_piece *pieces;
    size_t piece_count;
};

struct rest_binding {
    const struct proto_http *http;
    const char *route_path; /* for the router */
    uint32_t verb;          /* VERB() bit */
    struct rest_variable *variables;
    size_t variable_count;
    bool whole_body;                         /* "*" */
    const struct proto_field *body;          /* or one field; NULL: no body */
    const struct proto_field *response_body; /* NULL: the whole answer */
};

/* Field by field, by either name. False when there is no such field, or when one on the way is no
 * single message, or one that JSON writes as a single value (but for wrappers). */
bool rest_path_find(const struct proto_message *m, struct str name, struct arena *a,
                    struct rest_path *out) MUST_CHECK;

/* -1 says what is wrong with the template or its fields. *out is NULL for a binding to an HTTP
 * method that is not served at all ("PURGE"). */
int rest_binding_new(struct arena *a, const struct proto_method *m, const struct proto_http *http,
                     struct rest_binding **out, struct fail *f) MUST_CHECK;

/* One query string into the message. Fields that `binding` takes from the path are passed over. */
int rest_query(const struct rest_binding *binding, const struct protojson_flavor *flavor,
               const struct proto_message *m, struct arena *a, struct str query, bool strict,
               void *msg, struct fail *f) MUST_CHECK;

#endif
