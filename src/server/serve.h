/* SPDX-License-Identifier: Apache-2.0 */
/* `muster serve`: from flags to a running server, and what its signals mean. Main thread. */
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

#include "cli/cli.h"

enum exit_code serve_command(struct cli *cli, const struct cli_command *self, int argc,
                             char *const *argv);

#endif
