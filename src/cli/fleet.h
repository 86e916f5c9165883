/* SPDX-License-Identifier: Apache-2.0 */
/* What `muster agents` and `muster pipelines` share: the services they call, whose tenant it is
 * about, and how the services' JSON is put into words. Main thread. */
#ifndef CLI_FLEET_H
#define CLI_FLEET_H

#include "base/buf.h"
#include "cli/client.h"
#include "codec/json.h"
#include "codec/json_writer.h"

#define FLEET_SERVICE    "/muster.v1.FleetService/"
#define PIPELINE_SERVICE "/pipeline.v1.PipelineService/"

#define FLEET_BODY_MAX ((size_t)64 << 20)

#define TENANT_FLAG                                                                                \
    {                                                                                              \
        "tenant", ARGS_VALUE, "NAME",                                                              \
            "Whose; the caller's own tenant when not given. Others are for operators."             \
    }

/* client_call() of one method, such as STR(FLEET_SERVICE "ListAgents"). The answer is never NULL
 * when the code is OK. */
enum exit_code fleet_call(struct cli *cli, struct client *c, struct str path,
                          const struct buf *body, struct json_value **answer) MUST_CHECK;

/* A request that has one text: {"id":"..."}. In the cli's arena. */
struct buf fleet_request(struct cli *cli, const char *member, struct str text);

/* A member with a list of texts; nothing when it is empty. */
void fleet_put_list(struct json_writer *w, const char *member, const char *const *items,
                    size_t count);

/* The member's enum value without the prefix and in small letters: "AGENT_STATUS_APPLIED" is
 * "applied"; empty when it is absent or "..._UNSPECIFIED". */
struct str fleet_word(struct arena *a, const struct json_value *object, const char *member,
                      const char *prefix);

/* A member that JSON leaves out when it is false. */
bool fleet_is_true(const struct json_value *object, const char *member);

/* A member's text, or nothing. */
struct str fleet_text(const struct json_value *object, const char *member);

/* A member that is a list, or an empty one. */
const struct json_value *fleet_list(struct arena *a, const struct json_value *object,
                                    const char *member) RETURNS_NONNULL;

/* Prints text that came from a server to a terminal or a file: control characters other than line
 * ends and tabs become '?'; ends with a line end. */
enum exit_code fleet_print_text(struct cli *cli, struct str text);

#endif
