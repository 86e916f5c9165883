/* SPDX-License-Identifier: Apache-2.0 */
/* A record's metadata is lines of "name=value"; a value has no line end. Pure. */
#ifndef SINK_RECORD_TEXT_H
#define SINK_RECORD_TEXT_H

#include "core/spool.h"

/* The next line; *at begins as the metadata and shrinks. False at the end. */
bool record_text_next(struct str *at, struct str *name, struct str *value);

/* Whether several records of the type may be sent as one, a line each. */
bool record_is_lines(const struct spool_record *r);

#endif
