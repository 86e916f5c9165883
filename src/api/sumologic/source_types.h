/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of sources: one table of members each, and what a table cannot say. Static data. */
#ifndef API_SUMOLOGIC_SOURCE_TYPES_H
#define API_SUMOLOGIC_SOURCE_TYPES_H

#include "api/sumologic/members.h"

#define SOURCE_HOSTED       (1u << 0) /* of hosted collectors; else of installed ones */
#define SOURCE_NO_HOST_NAME (1u << 1) /* hostName says nothing here: dropped */
#define SOURCE_URL          (1u << 2) /* takes data by a URL of its own; its rules must compile */
#define SOURCE_TOKEN        (1u << 3) /* has an unguessable token */
#define SOURCE_POLLS        (1u << 4) /* thirdPartyRef is checked, as a poller's */
#define SOURCE_REFERS       (1u << 5) /* thirdPartyRef is checked, as an HTTP source's */
#define SOURCE_CONFIG_NAME  (1u << 6) /* is named by its config */
#define SOURCE_LISTENS      (1u << 7) /* no two of a collector on the same protocol and port */
#define SOURCE_TEXT_LISTS   (1u << 8) /* allowlist and denylist are text, commas between */

struct source_type {
    const char *name;
    uint32_t flags;
    struct member_table table;

    /* Optional: what depends on more than one member. */
    int (*check)(const struct json_value *taken, struct fail *f);
};

/* NULL: there is none. Names compare exactly. */
const struct source_type *source_type_find(struct str name);

/* All of them, until NULL. */
const struct source_type *source_type_at(size_t index);

/* Names of the lists of SOURCE_TEXT_LISTS, NULL-ended. */
extern const char *const source_text_lists[];

#endif
