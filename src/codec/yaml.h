/* SPDX-License-Identifier: Apache-2.0 */
/* Strict YAML, by libyaml's events: one document, no aliases or anchors, no key twice, bounded
 * depth and nodes. For now only the verdict is of interest. Pure. */
#ifndef CODEC_YAML_H
#define CODEC_YAML_H

#include "base/arena.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"

#define YAML_MAX_DEPTH 64
#define YAML_MAX_NODES 200000

/* INVALID_ARGUMENT "bad_yaml": "line 3, column 7: ...". */
int yaml_check(struct arena *a, struct str text, struct fail *f) MUST_CHECK;

#endif
