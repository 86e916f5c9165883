/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of the services that tests, interop and conformance programs call: plain functions that
 * know nothing of envelopes. Static and const. */
#ifndef TESTS_RPC_ECHO_SERVICE_H
#define TESTS_RPC_ECHO_SERVICE_H

#include "base/clock.h"
#include "rpc/method.h"

/* c->app of all of them. */
struct echo_app {
    struct clock *clock;
};

extern const struct rpc_service echo_service;        /* muster.test.v1.TestService */
extern const struct rpc_service interop_service;     /* grpc.testing.TestService */
extern const struct rpc_service conformance_service; /* connectrpc.conformance.v1 */

/* Waits, not beyond the call's deadline: -1 then. Worker threads. */
int echo_sleep(struct call *c, uint32_t ms, struct fail *f) MUST_CHECK;

/* A failure of that code and text; a code that is none becomes "unknown". */
int echo_fail(struct fail *f, int32_t code, struct str message);

#endif
