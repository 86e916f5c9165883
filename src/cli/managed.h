/* SPDX-License-Identifier: Apache-2.0 */
/* What `muster collectors` and `muster sources` share: the Collector Management interface, entities
 * with tags, and how one is found by its name or number. Main thread; the cli's arena. */
#ifndef CLI_MANAGED_H
#define CLI_MANAGED_H

#include "cli/ask.h"
#include "cli/client.h"
#include "codec/json.h"

#define MANAGED_ROOT "/api/v1/collectors"

/* One entity of the interface, with what an update of it needs. */
struct managed {
    struct str path;
    struct str tag;
    struct json_value *members;
};

/* A collector by its number or its name; refused when these are two. NOT_FOUND is printed. */
enum exit_code managed_collector(struct cli *cli, struct client *c, const char *which,
                                 struct managed *out) MUST_CHECK;

/* Opens the client and finds the collector that the first operand names. */
enum exit_code managed_open(struct ask *ask, struct managed *collector) MUST_CHECK;

/* A source of that collector, the same way. *found false when there is none, and nothing is printed
 * then. */
enum exit_code managed_source(struct cli *cli, struct client *c, const struct managed *collector,
                              struct str which, bool *found, struct managed *out) MUST_CHECK;

/* All pages of a list; `path` with or without a query. */
enum exit_code managed_list(struct cli *cli, struct client *c, struct str path, const char *member,
                            struct json_value *list) MUST_CHECK;

/* Same of what may be gone: like client_ask(). */
enum exit_code managed_ask_list(struct cli *cli, struct client *c, struct str path,
                                const char *member, struct json_value *list) MUST_CHECK;

/* {"<kind>": members}. */
struct str managed_body(struct cli *cli, const char *kind, const struct json_value *members);

/* Writes members back where the tag still counts; *out is the entity as it is now. */
enum exit_code managed_replace(struct cli *cli, struct client *c, const struct managed *entity,
                               const char *kind, struct json_value **out) MUST_CHECK;

/* The object of that name in an answer; FAILURE when there is none. */
enum exit_code managed_inner(struct cli *cli, const struct json_value *answer, const char *kind,
                             struct json_value **out) MUST_CHECK;

/* The member "id" as text. */
struct str managed_id(const struct json_value *members);

/* For a table: a member that holds milliseconds becomes a time; nothing when it is absent or 0. */
void managed_show_time(struct cli *cli, struct json_value *members, const char *member);

#endif
