/* SPDX-License-Identifier: Apache-2.0 */
/* Tells systemd what we are doing, over the socket it names in NOTIFY_SOCKET; nothing happens when
 * there is none. Main thread. */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

#include <stdint.h>

/* `state` as sd_notify(3) has it: "READY=1", lines joined by '\n'. A lost message is not our
 * problem. */
void notify_send(const char *state);

/* How often WATCHDOG=1 is expected, in microseconds; 0: not at all. */
int64_t notify_watchdog_us(void);

#endif
