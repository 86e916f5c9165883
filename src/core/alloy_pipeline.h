/* SPDX-License-Identifier: Apache-2.0 */
/* A pipeline written for Alloy: what of it can be refused before any agent sees it, and what its
 * text says about attributes and exports. Pure; facts live in the arena. */
#ifndef CORE_ALLOY_PIPELINE_H
#define CORE_ALLOY_PIPELINE_H

#include "base/arena.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"

enum attribute_use {
    ATTRIBUTES_UNUSED,
    ATTRIBUTES_BY_KEY, /* only argument.attributes.value["literal"] */
    ATTRIBUTES_ALL,    /* in any other way */
};

struct alloy_facts {
    enum attribute_use attributes;
    struct str *keys; /* ATTRIBUTES_BY_KEY: distinct, sorted */
    size_t key_count;
    bool declares_attributes; /* has its own argument "attributes" */
    bool uses_exports;        /* mentions argument.pipeline_exports */
    enum attribute_use exports_use;
    struct str *exporters; /* exports used BY_KEY: names of the pipelines, distinct, sorted */
    size_t exporter_count;
    bool declares_exports_argument;
    struct str *exports; /* labels of its export blocks, in order */
    size_t export_count;
};

/* Parses and checks what an agent would refuse and can be known from the text. -1:
 * INVALID_ARGUMENT "bad_contents" with line and column. */
int alloy_pipeline_read(struct arena *a, struct str contents, struct alloy_facts *out,
                        struct fail *f) MUST_CHECK;

#endif
