/* SPDX-License-Identifier: Apache-2.0 */
/* Whether every loop still turns: a small task is posted to each, and has to be done by the next
 * time somebody asks. Asked by the main thread, answered by the loops. */
#ifndef SERVER_HEARTBEAT_H
#define SERVER_HEARTBEAT_H

#include <stdbool.h>

#include "base/macros.h"

struct httpd;
struct heartbeat;

/* After httpd_start(). */
struct heartbeat *heartbeat_new(struct httpd *h) RETURNS_NONNULL;

/* After httpd_free(): the loops may hold our tasks until then. Accepts NULL. */
void heartbeat_free(struct heartbeat **b);

/* True when all loops did what the last call posted; posts again to those that did. */
bool heartbeat_check(struct heartbeat *b);

#endif
