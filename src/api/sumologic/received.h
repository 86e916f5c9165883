/* SPDX-License-Identifier: Apache-2.0 */
/* What a request that brings data says: its messages, and what they are labeled with. Pure; results
 * live in the arena or are views of what was given. */
#ifndef API_SUMOLOGIC_RECEIVED_H
#define API_SUMOLOGIC_RECEIVED_H

#include "core/messages.h"
#include "core/rules.h"
#include "net/http.h"

/* Messages in a body; what is no text is one. */
uint64_t received_count(const struct boundary *by, struct str type, struct str body);

/* What goes without saying: lines of the same form as the result. */
struct received_defaults {
    struct str source;
    struct str collector;
};

/* "host=...\nname=...\n": what the header fields say, then the query's parameters of the same
 * names, then the source, then the collector. Whatever names something first wins, but fields add
 * up. `signal` ("logs") may be empty. */
struct str received_metadata(struct arena *a, const struct http_req *req,
                             struct received_defaults defaults, struct str signal);

/* What may be in a line of metadata: control characters, which could begin another, are blanks. */
void received_put_text(struct buf *out, struct str text);

/* The media type of the data, as far as sinks can send it on. */
struct str received_type(const struct http_req *req);

/* The message of a GET: its query, decoded, without the parameters that are metadata. */
struct str received_query(struct arena *a, struct str query);

/* Each message through the rules: what passes, in the order it came, and how many those are.
 * INVALID_ARGUMENT "rules_need_text" for a type that is no text; RESOURCE_EXHAUSTED
 * "body_too_large" for more than `max` bytes afterwards, or more time than a request may take. */
int received_filter(struct arena *a, const struct rules *r, const struct boundary *by,
                    struct str type, struct str body, size_t max, struct str *out,
                    uint64_t *messages, struct fail *f) MUST_CHECK;

#endif
