/* SPDX-License-Identifier: Apache-2.0 */
/* Failures of a driver in the domain's words. Any thread. */
#include "store/driver.h"

int sql_fail(const struct sql_conn *c, struct fail *f)
{
    switch (c->error) {
    case SQL_CLASS_OK:
    case SQL_CLASS_OTHER:
        IGNORE(fail_reason(f, CODE_INTERNAL, "store", "the database refused a statement"));
        break;
    case SQL_CLASS_UNIQUE:
        IGNORE(fail_set(f, CODE_ALREADY_EXISTS, "a row with these values exists already"));
        break;
    case SQL_CLASS_BUSY:
        IGNORE(fail_reason(f, CODE_UNAVAILABLE, "busy", "the database is busy; try again"));
        f->retry_after_ms = 1000;
        break;
    case SQL_CLASS_FULL:
        IGNORE(fail_reason(f, CODE_UNAVAILABLE, "disk_full",
                           "the server has no disk space left; nothing was changed"));
        f->retry_after_ms = 10000;
        break;
    case SQL_CLASS_FATAL:
        IGNORE(fail_reason(f, CODE_INTERNAL, "io_error", "the disk failed"));
        break;
    case SQL_CLASS_CORRUPT:
        IGNORE(fail_reason(f, CODE_DATA_LOSS, "corrupt", "the data file is damaged"));
        break;
    }
    return fail_detail(f, "%s: %s", c->driver->name, c->message);
}
