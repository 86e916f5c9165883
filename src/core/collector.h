/* SPDX-License-Identifier: Apache-2.0 */
/* What all kinds of collectors share: identity, names, labels, revision, times, paging, events. The
 * body is bytes that the kind's own module understands. Runs inside a transaction; rows live in its
 * arena. */
#ifndef CORE_COLLECTOR_H
#define CORE_COLLECTOR_H

#include "core/store.h"

#define COLLECTOR_EXT_ID_MAX 255
#define COLLECTOR_NAME_MAX   1020 /* 255 characters of any language */
#define COLLECTOR_LABELS_MAX 256
#define LABEL_KEY_MAX        1020 /* 255 characters of any language */
#define LABEL_VALUE_MAX      4096
#define COLLECTOR_BODY_MAX   (4u << 20)

/* "agent", and back. */
const char *collector_kind_name(enum collector_kind kind) RETURNS_NONNULL;
int collector_kind_parse(struct str name, enum collector_kind *out) MUST_CHECK;

/* c carries tenant, kind, space, ext_id, name, unique_name, labels, last_seen_us and body; id,
 * revision and times are filled in. An empty ext_id becomes the numeric id as text.
 * ALREADY_EXISTS: reasons "name_taken", "id_taken". INVALID_ARGUMENT: "bad_name", "bad_id",
 * "bad_labels", "too_large". */
int collector_create(struct store_tx *tx, const struct caller *by, struct collector *c,
                     struct fail *f) MUST_CHECK;

/* NOT_FOUND, reason "no_such_collector". */
int collector_get(struct store_tx *tx, uint64_t tenant, int64_t id, struct collector *out,
                  struct fail *f) MUST_CHECK;
int collector_get_ext(struct store_tx *tx, uint64_t tenant, enum collector_kind kind,
                      struct str space, struct str ext_id, struct collector *out, struct fail *f)
    MUST_CHECK;

/* By unique name. Agents and hosted collectors share one set of names; the others have their own.
 */
int collector_get_name(struct store_tx *tx, uint64_t tenant, enum collector_kind kind,
                       struct str name, struct collector *out, struct fail *f) MUST_CHECK;

/* Rows in the arena; *total (may be NULL) counts all that the filter matches. */
int collector_list(struct store_tx *tx, uint64_t tenant, const struct collector_filter *filter,
                   struct collector **out, size_t *count, int64_t *total, struct fail *f)
    MUST_CHECK;
int collector_count(struct store_tx *tx, uint64_t tenant, const struct collector_filter *filter,
                    int64_t *out, struct fail *f) MUST_CHECK;

/* Replaces name, unique_name, labels, last_seen_us and body of the row c->id, when its revision is
 * still c->revision (0: whatever it is). The new revision and time are filled in. ABORTED, reason
 * "revision_mismatch". */
int collector_update(struct store_tx *tx, const struct caller *by, struct collector *c,
                     struct fail *f) MUST_CHECK;

/* With its sources. revision 0: whatever it is. Agents: agent_delete(), which knows their texts. */
int collector_delete(struct store_tx *tx, const struct caller *by, uint64_t tenant, int64_t id,
                     int64_t revision, struct fail *f) MUST_CHECK;

/* --- for the module of one kind, which has checked the row and read what was there before --- */

/* As collector_create() and collector_delete() without their checks, and with an event of this
 * name. */
int collector_insert(struct store_tx *tx, const struct caller *by, struct collector *c,
                     const char *event, struct fail *f) MUST_CHECK;
int collector_remove(struct store_tx *tx, const struct caller *by, const struct collector *c,
                     const char *event, struct fail *f) MUST_CHECK;

/* ALREADY_EXISTS "name_taken" when the row's name is unique and another one has it. */
int collector_check_name(struct store_tx *tx, const struct collector *c, struct fail *f) MUST_CHECK;

/* Writes the row as it stands, updated_us too, as its next revision. */
int collector_replace(struct store_tx *tx, const struct caller *by, struct collector *c,
                      const char *event, struct fail *f) MUST_CHECK;

/* The value of a label; false when absent. */
bool labels_find(struct str labels, struct str key, struct str *value);

/* Same, among ones in memory that are sorted by key; p NULL when absent. */
struct str labels_value(const struct label *sorted, size_t count, struct str key);

/* Labels travel as one run of bytes, sorted by key. -1: a bound is exceeded or a key comes twice.
 */
int labels_encode(struct arena *a, const struct label *labels, size_t count, struct str *out,
                  struct fail *f) MUST_CHECK;

/* -1 when the bytes are not what labels_encode() makes. */
int labels_decode(struct arena *a, struct str labels, struct label **out, size_t *count) MUST_CHECK;

#endif
