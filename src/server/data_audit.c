/* SPDX-License-Identifier: Apache-2.0 */
/* See data_audit.h. */
#include "server/data_audit.h"

static void take_lines(struct data_audit *d)
{
    for (size_t i = 0; i < d->rows.count; i++)
        audit_find(&d->audit, "%s", d->rows.lines[i]);
}

/* --- a server that runs --- */

/* The rows at this moment, not those of the check's snapshot: a build may have come meanwhile. */
static int rows_now(void *arg, struct arena *a, const struct build **out, size_t *count,
                    struct fail *f)
{
    struct store *store = arg;
    struct store_tx *tx = NULL;
    struct build *rows = NULL;

    if (store_read_open(store, a, &tx, f) < 0)
        return -1;

    int result = build_list(tx, &rows, count, f);

    store_read_close(&tx);
    *out = rows;
    return result;
}

int data_audit_live(struct store *store, struct spool *spool, const char *data_dir, struct arena *a,
                    struct data_audit *out, struct fail *f)
{
    *out = (struct data_audit){.audit.arena = a};
    if (store_check(store, a, &out->rows, f) < 0)
        return -1;
    take_lines(out);
    if (out->rows.builds_known &&
        build_audit(data_dir, rows_now, store, &out->audit, &out->builds, f) < 0)
        return -1;
    return spool_audit(data_dir, spool, &out->audit, &out->spool, f);
}

/* --- files --- */

static int rows_then(void *arg, struct arena *a, const struct build **out, size_t *count,
                     struct fail *f)
{
    const struct store_findings *rows = arg;

    (void)a;
    (void)f;
    *out = rows->builds;
    *count = rows->build_count;
    return 0;
}

int data_audit_files(const char *database, const char *data_dir, struct arena *a,
                     struct data_audit *out, struct fail *f)
{
    *out = (struct data_audit){.audit.arena = a};
    if (store_check_file(database, a, &out->rows, f) < 0)
        return -1;
    take_lines(out);
    if (!data_dir)
        return 0;
    if (!out->rows.builds_known)
        audit_note(&out->audit,
                   "builds/ was not looked at: the database does not say what is in it");
    else if (build_audit(data_dir, rows_then, &out->rows, &out->audit, &out->builds, f) < 0)
        return -1;
    return spool_audit(data_dir, NULL, &out->audit, &out->spool, f);
}
