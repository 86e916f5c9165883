/* SPDX-License-Identifier: Apache-2.0 */
/* What a person writes about a collector that runs in the field or in the server, beyond its name
 * and labels: the same words for both kinds. Pure. */
#ifndef CORE_PROFILE_H
#define CORE_PROFILE_H

#include <stdint.h>

#include "base/fail.h"
#include "base/str.h"

#define PROFILE_TEXT_CHARS_MAX 1024

/* Texts are absent when p is NULL, which is not the same as empty. */
struct profile {
    struct str description;
    struct str category;
    struct str time_zone;
    struct str host_name;
    int64_t cutoff_ms; /* older data is not wanted; 0: all */
};

/* The same words, absent ones too. */
bool profile_equal(const struct profile *x, const struct profile *y);

/* Nothing is there that would have to be kept. */
bool profile_is_empty(const struct profile *p);

/* INVALID_ARGUMENT "bad_profile": a text is too long, or is none, or the time is negative. */
int profile_check(const struct profile *p, struct fail *f) MUST_CHECK;

#endif
