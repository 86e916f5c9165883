/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's commands, for the table in cli.c. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/cli.h"

#define AGENT_COMMAND_COUNT     4
#define BUILD_COMMAND_COUNT     3
#define COLLECTOR_COMMAND_COUNT 6
#define KEY_COMMAND_COUNT       3
#define PIPELINE_COMMAND_COUNT  7
#define SOURCE_COMMAND_COUNT    5
#define TENANT_COMMAND_COUNT    3
#define UPGRADE_COMMAND_COUNT   3
#define TOKEN_COMMAND_COUNT     6

extern const struct cli_command agent_commands[AGENT_COMMAND_COUNT];
extern const struct cli_command build_commands[BUILD_COMMAND_COUNT];
extern const struct cli_command collector_commands[COLLECTOR_COMMAND_COUNT];
extern const struct cli_command key_commands[KEY_COMMAND_COUNT];
extern const struct cli_command pipeline_commands[PIPELINE_COMMAND_COUNT];
extern const struct cli_command source_commands[SOURCE_COMMAND_COUNT];
extern const struct cli_command tenant_commands[TENANT_COMMAND_COUNT];
extern const struct cli_command upgrade_commands[UPGRADE_COMMAND_COUNT];
extern const struct cli_command token_commands[TOKEN_COMMAND_COUNT];

enum exit_code backup_command(struct cli *cli, const struct cli_command *self, int argc,
                              char *const *argv);
enum exit_code check_command(struct cli *cli, const struct cli_command *self, int argc,
                             char *const *argv);

#endif
