/* SPDX-License-Identifier: Apache-2.0 */
/* From configuration to what the parts take: at start and at each reload. Main thread. */
#ifndef SERVER_APPLY_H
#define SERVER_APPLY_H

#include "api/agent_settings.h"
#include "api/sumologic/sumologic.h"
#include "base/fail.h"
#include "base/macros.h"
#include "core/pipelines.h"
#include "net/allow_list.h"
#include "net/httpd.h"
#include "net/tls.h"
#include "rpc/limit.h"
#include "server/config.h"
#include "sink/sink.h"

void apply_http_limits(const struct config *c, struct http_limits *out);

/* Sets the policy of each dialect. What the numbers can be is checked before, so that a reload
 * cannot fail half-way. */
int apply_rates(const struct config *c, struct limits *limits, struct fail *f) MUST_CHECK;

/* What dialects are told about agents and pipelines. */
void apply_agents(const struct config *c, struct agent_settings *out);

/* Texts are copied to the arena. */
void apply_sumologic(const struct config *c, struct arena *a, struct sumologic_settings *out);
void apply_pipelines(const struct config *c, struct pipelines_options *out);

/* Reads the certificate files; *out is NULL when there is none configured. */
int apply_tls(const struct config *c, struct tls **out, struct fail *f) MUST_CHECK;

int apply_allow_list(const struct config *c, struct allow_list **out, struct fail *f) MUST_CHECK;

/* Numbers that 0 leaves to us. */
unsigned apply_loops(const struct config *c);
size_t apply_workers(const struct config *c);
size_t apply_readers(const struct config *c);

/* The sinks as configured, in the arena. */
int apply_sinks(const struct config *c, struct arena *a, struct sinks_options *out, struct fail *f)
    MUST_CHECK;

#endif
