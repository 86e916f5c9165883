/* SPDX-License-Identifier: Apache-2.0 */
/* Which exit code a refusal of the store or of the data directory ends in. Pure, any thread. */
#ifndef SERVER_EXIT_REASON_H
#define SERVER_EXIT_REASON_H

#include "base/fail.h"
#include "cli/exit_code.h"

enum exit_code exit_reason_code(const struct fail *f);

#endif
