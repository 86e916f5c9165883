/* SPDX-License-Identifier: Apache-2.0 */
/* A source as a document: from a request to what is stored, and from there to what answers show.
 * Secrets are plain in a document that was just taken, sealed in one that was read from a row. All
 * lives in the arena; pure but for the randomness of tokens and seals. */
#ifndef API_SUMOLOGIC_SOURCE_DOC_H
#define API_SUMOLOGIC_SOURCE_DOC_H

#include "api/sumologic/source_types.h"
#include "core/inlets.h"
#include "core/key.h"
#include "core/store.h"

struct source_doc {
    const struct source_type *type;
    struct json_value *tree; /* as members_take() makes it */
};

/* `stored` NULL: a creation, at now_us, on a collector of that kind. INVALID_ARGUMENT:
 * "source_type", "fields_missing", "fields_invalid". */
int source_doc_take(struct arena *a, const struct json_value *request, bool is_hosted,
                    int64_t now_us, const struct source_doc *stored, struct source_doc *out,
                    struct fail *f) MUST_CHECK;

/* DATA_LOSS: the row is none of ours. */
int source_doc_decode(struct arena *a, const struct source *row, struct source_doc *out,
                      struct fail *f) MUST_CHECK;

/* What is stored for the source of that number: a copy with secrets sealed, and a token of its own
 * where the type has one. Secrets that are the same as before keep their seal, so that the document
 * keeps its tag. */
struct source_doc source_doc_seal(struct arena *a, const struct master_key *m, int64_t id,
                                  const struct source_doc *doc, const struct source_doc *stored);

/* INVALID_ARGUMENT "fields_invalid": too large. */
int source_doc_encode(struct arena *a, const struct source_doc *doc, struct str *out,
                      struct fail *f) MUST_CHECK;

/* Of a stored one. */
struct str source_doc_name(const struct source_doc *doc);
struct str source_doc_token(const struct source_doc *doc); /* empty: it has none */
struct str source_doc_etag(struct arena *a, const struct source_doc *doc);

/* False: it does not listen. */
bool source_doc_listens(const struct source_doc *doc, struct str *protocol, int64_t *port);

struct source_view {
    int64_t id;
    bool is_download; /* what can be posted again: without number, address and state */
    bool is_alive;
    struct str base_url; /* of the server */
    struct inlet_stats stats;
};

/* One object. */
void source_doc_put(struct json_writer *w, struct arena *a, const struct source_doc *doc,
                    const struct source_view *view);

#endif
