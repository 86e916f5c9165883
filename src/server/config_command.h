/* SPDX-License-Identifier: Apache-2.0 */
/* `muster config ...`: the table of keys, and what a set of sources makes of it, for people. */
#ifndef SERVER_CONFIG_COMMAND_H
#define SERVER_CONFIG_COMMAND_H

#include "cli/cli.h"

#define CONFIG_COMMAND_COUNT 5

extern const struct cli_command config_commands[CONFIG_COMMAND_COUNT];

#endif
