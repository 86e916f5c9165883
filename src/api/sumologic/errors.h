/* SPDX-License-Identifier: Apache-2.0 */
/* What this dialect says when something is refused: one table from the domain's reasons to wire
 * codes and statuses, and the two shapes that carry them. Any thread. */
#ifndef API_SUMOLOGIC_ERRORS_H
#define API_SUMOLOGIC_ERRORS_H

#include "base/arena.h"
#include "base/fail.h"
#include "rpc/call.h"

#define ERROR_ID_LEN 17 /* LC484-MA4EZ-OZ730 */

struct wire_error {
    int status;
    const char *code;
    const char *message; /* NULL: what the failure itself says */
};

/* By f->reason first, then by what HTTP says (http_status of the answer so far), then by f->code.
 * Never 5xx for a reason that a client can cause. */
struct wire_error error_find(const struct fail *f, int http_status);

/* Fresh; what our log and the client both show. */
struct str error_id(struct arena *a);

/* {"status":400,"id":"...","code":"...","message":"..."}: collectors, sources, upgrades. */
void error_flat(struct call *c, const struct fail *f);

/* {"id":"...","errors":[{"code":"...","message":"..."}]}: tokens, registration, otCollectors. */
void error_list(struct call *c, const struct fail *f);

/* The receiver's: a status, and a line of text. */
void error_plain(struct call *c, const struct fail *f);

#endif
