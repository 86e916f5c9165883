/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: JSON that a test wrote itself, as a tree in the test's arena. */
#ifndef CODEC_JSON_FIXTURE_H
#define CODEC_JSON_FIXTURE_H

#include "base/arena_fixture.h"
#include "codec/json.h"

/* Text that cannot be read fails the test. */
static inline struct json_value *json_fixture_parse(struct arena *a, struct str text)
{
    struct json_value *v = NULL;
    struct fail f = {0};

    if (json_parse(a, text, NULL, &v, &f) < 0)
        fail_msg("%.*s: %s", STR_ARG(text), f.message);
    return v;
}

#endif
