/* SPDX-License-Identifier: Apache-2.0 */
/* The running server: all parts, wired. The only file that names a concrete store. Started,
 * reloaded, drained and freed by the main thread. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/macros.h"
#include "cli/exit_code.h"
#include "server/config.h"

#define SERVER_ENDPOINTS_FILE "endpoints.json"
#define SERVER_ADMIN_SOCKET   "admin.sock"

struct server;

/* What the process lends; borrowed until server_free(). */
struct server_host {
    struct clock *clock;
    struct logger *logger;
    const struct log *log;
};

/* Opens the data, makes the first tenant and key when there are none, listens, serves. Borrows the
 * configuration until server_free(). Otherwise an exit code, with f filled in, and everything given
 * back. */
enum exit_code server_start(const struct server_host *host, const struct config *config,
                            struct server **out, struct fail *f) MUST_CHECK;

/* Takes over a configuration that may follow the present one (config_may_become()), with its
 * certificates, as a whole or not at all. The old one may be freed after 0. */
int server_reload(struct server *s, const struct config *config, struct fail *f) MUST_CHECK;

/* Not ready any more; everything else goes on. */
void server_lame(struct server *s);

/* No new connections; waits for requests in flight. False: time ran out and they were cut. */
bool server_drain(struct server *s);

/* Stops every thread, writes down what is in memory, closes the data. Accepts NULL. */
void server_free(struct server **s);

/* Whether all loops turn: what a watchdog wants to know. */
bool server_is_alive(struct server *s);

#endif
