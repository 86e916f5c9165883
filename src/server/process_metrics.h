/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says about this process, read whenever the metrics are shown: memory, open files,
 * start time, and which build it is. Made and freed by the main thread; read on any. */
#ifndef SERVER_PROCESS_METRICS_H
#define SERVER_PROCESS_METRICS_H

#include "base/clock.h"
#include "base/macros.h"
#include "base/metric.h"

struct process_metrics;

/* Outlived by the registry's last rendering only. The clock is borrowed. */
struct process_metrics *process_metrics_new(struct metrics *m, const struct clock *clock)
    RETURNS_NONNULL;
void process_metrics_free(struct process_metrics **p);

#endif
