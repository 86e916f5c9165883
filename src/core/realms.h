/* SPDX-License-Identifier: Apache-2.0 */
/* The realms of a registry by tenant: found without a lock, made when first asked for, never given
 * back before the end. Any thread. */
#ifndef CORE_REALMS_H
#define CORE_REALMS_H

#include "core/registry.h"

struct realms;

struct realms *realms_new(const struct pipelines_options *o) RETURNS_NONNULL;
void realms_free(struct realms **r);

struct realm *realms_get(struct realms *r, uint64_t tenant) RETURNS_NONNULL;

/* The first one above `after`; false: there is none. */
bool realms_next(struct realms *r, uint64_t after, struct realm **out);

#endif
