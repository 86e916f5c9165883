/* SPDX-License-Identifier: Apache-2.0 */
/* Strict YAML, by libyaml's events: one document, a mapping at its top, keys that are text and
 * stand once in their mapping (as written: "1" and 1 are the same), bounded bytes, depth and nodes.
 * Anchors and aliases may be used, as configurations do; an alias must refer to an anchor before it
 * and not stand within it. Only the verdict is of interest: nothing is built or expanded, so
 * aliases of aliases cost nothing here. Pure. */
#ifndef CODEC_YAML_H
#define CODEC_YAML_H

#include "base/arena.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"

#define YAML_MAX_DEPTH 64
#define YAML_MAX_NODES 200000
#define YAML_MAX_BYTES (16u << 20)

/* INVALID_ARGUMENT "bad_yaml": "line 3, column 7: ...". */
int yaml_check(struct arena *a, struct str text, struct fail *f) MUST_CHECK;

#endif
