/* SPDX-License-Identifier: Apache-2.0 */
/* A record's metadata is lines of "name=value"; a value has no line end. Pure. */
#ifndef SINK_RECORD_TEXT_H
#define SINK_RECORD_TEXT_H

#include "core/spool.h"

/* The next line; *at begins as the metadata and shrinks. False at the end. */
bool record_text_next(struct str *at, struct str *name, struct str *value);

/* Whether the record may be sent as one with others of its kind, a line each. Not so where a
 * request is a message: "whole=true" among the metadata. */
bool record_is_lines(const struct spool_record *r);

#endif
