/* SPDX-License-Identifier: Apache-2.0 */
/* When something ends, as people say it: an instant ("2027-01-31T00:00:00Z") or a period from now
 * ("90d", "12h"). Pure, any thread. */
#ifndef CLI_EXPIRY_H
#define CLI_EXPIRY_H

#include <stdint.h>

#include "base/arena.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"

/* As RFC 3339 text in the arena. -1 when it is neither, not in the future, or beyond year 9999. */
int expiry_parse(struct arena *a, struct str text, int64_t now_us, struct str *out, struct fail *f)
    MUST_CHECK;

#endif
