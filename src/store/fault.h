/* SPDX-License-Identifier: Apache-2.0 */
/* A driver around a driver that fails the k-th call with a chosen class: for tests. It counts calls
 * of all its connections; the owner moves k between runs. Any thread. */
#ifndef STORE_FAULT_H
#define STORE_FAULT_H

#include "store/driver.h"

struct fault;

struct fault *fault_new(const struct sql_driver *inner) RETURNS_NONNULL;

/* After all its connections are closed. */
void fault_free(struct fault **f);

/* The decorated driver. */
const struct sql_driver *fault_driver(struct fault *f) RETURNS_NONNULL;

/* The at-th call from now fails (1: the next one), once; 0: none does. Restarts the count. */
void fault_set(struct fault *f, size_t at, enum sql_class class);

/* Same, but only calls that commit count. */
void fault_set_commit(struct fault *f, size_t at, enum sql_class class);

/* Fails every write call from now on until the next fault_set(). */
void fault_set_always(struct fault *f, enum sql_class class);

/* Whether the fault came true. */
bool fault_hit(struct fault *f);

/* Connections and locks that are open now. */
size_t fault_open_handles(struct fault *f);

#endif
