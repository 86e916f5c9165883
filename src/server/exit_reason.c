/* SPDX-License-Identifier: Apache-2.0 */
/* By the reason, which is what the store promises. */
#include "server/exit_reason.h"

#include <string.h>

enum exit_code exit_reason_code(const struct fail *f)
{
    static const struct {
        const char *reason;
        enum exit_code code;
    } rows[] = {
        {"locked", EXIT_CODE_LOCKED},
        {"schema_newer", EXIT_CODE_NEWER_SCHEMA},
        {"corrupt", EXIT_CODE_CORRUPT},
        {"not_writable", EXIT_CODE_NOT_WRITABLE},
        {"disk_full", EXIT_CODE_NOT_WRITABLE},
        {"io_error", EXIT_CODE_DISK},
        {"no_such_file", EXIT_CODE_NOT_FOUND},
        {"bad_setting", EXIT_CODE_USAGE},
        {"no_master_key", EXIT_CODE_MASTER_KEY},
        {"bad_master_key", EXIT_CODE_MASTER_KEY},
        {"wrong_master_key", EXIT_CODE_MASTER_KEY},
    };

    for (size_t i = 0; f->reason && i < COUNTOF(rows); i++) {
        if (strcmp(rows[i].reason, f->reason) == 0)
            return rows[i].code;
    }
    return EXIT_CODE_FAILURE;
}
