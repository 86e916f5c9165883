/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the spool's files hold together: every record of every segment, no gap between segments,
 * cursors that point into them. Changes nothing. A worker or the command line; reads all of it, and
 * blocks. */
#ifndef SPOOL_SPOOL_AUDIT_H
#define SPOOL_SPOOL_AUDIT_H

#include "core/audit.h"
#include "core/spool.h"

struct spool_totals {
    size_t segments;
    uint64_t records;
    int64_t bytes;
};

/* `live`: the spool that is open on the directory; NULL: nobody has it open. A torn end, which a
 * start cuts off since nobody was told that it is there, is a note. -1: it could not be looked at.
 */
int spool_audit(const char *data_dir, struct spool *live, struct audit *audit,
                struct spool_totals *totals, struct fail *f) MUST_CHECK;

#endif
