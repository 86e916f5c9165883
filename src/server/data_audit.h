/* SPDX-License-Identifier: Apache-2.0 */
/* A look at all that a server keeps: the database, the files of the builds in it, the received data
 * that waits. Changes nothing. Only here are all three known. A worker or the command line; blocks.
 */
#ifndef SERVER_DATA_AUDIT_H
#define SERVER_DATA_AUDIT_H

#include "core/build_audit.h"
#include "spool/spool_audit.h"
#include "store/store_open.h"

struct data_audit {
    struct audit audit;
    struct store_findings rows; /* its lines are among the findings */
    struct build_totals builds;
    struct spool_totals spool;
};

/* Of a server that runs. */
int data_audit_live(struct store *store, struct spool *spool, const char *data_dir, struct arena *a,
                    struct data_audit *out, struct fail *f) MUST_CHECK;

/* Of files that no server uses. `data_dir` NULL: the database alone. Reasons as store_check_file().
 */
int data_audit_files(const char *database, const char *data_dir, struct arena *a,
                     struct data_audit *out, struct fail *f) MUST_CHECK;

#endif
