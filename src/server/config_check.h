/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold between the keys of a configuration: what no row of the table can say alone. Pure,
 * but for looking up nothing; any thread. */
#ifndef SERVER_CONFIG_CHECK_H
#define SERVER_CONFIG_CHECK_H

#include "server/config.h"

void config_check(const struct config *c, struct config_problems *p);

#endif
