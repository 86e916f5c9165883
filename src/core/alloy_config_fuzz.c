/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever is accepted as a pipeline stays within its wrapper: put together with others, the text
 * has the wrapper and the instance of each and nothing else. The first line of the input is the
 * pipeline's name, the rest its contents. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/alloy.h"
#include "core/alloy_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct arena *a, struct str text, size_t parts)
{
    struct alloy_body *body = NULL;
    struct fail f = {0};

    if (alloy_parse(a, text, &body, &f) < 0) {
        /* The wrapper is one level more. */
        assert(strstr(f.message, "this nests deeper"));
        return;
    }
    assert(body->count == 2 * parts);
    for (size_t i = 0; i < parts; i++) {
        const struct alloy_statement *declare = body->items[2 * i];
        const struct alloy_statement *instance = body->items[2 * i + 1];

        assert(str_eq(declare->name, STR("declare")) && declare->has_label);
        assert(str_eq(instance->name, declare->label));
        assert(str_eq(instance->label, STR("default")));
        for (size_t j = 0; j < i; j++)
            assert(!str_eq(body->items[2 * j]->label, declare->label));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(4096);
    struct str contents = str_make(data, size);
    struct str name = str_cut(&contents, '\n');
    struct alloy_facts facts = {0}, none = {0};
    struct label attributes[] = {{STR_INIT("collector.ID"), STR_INIT("c")}, {name, contents}};
    struct alloy_part parts[] = {
        {1, name, contents, &facts},
        {2, STR("a-b"), STR("// }"), &none},
        {3, STR("a_b"), contents, &facts},
    };
    struct fail f = {0};

    if (alloy_pipeline_read(a, contents, &facts, &f) == 0) {
        check_text(a, alloy_config_render(a, parts, COUNTOF(parts), attributes, 2), COUNTOF(parts));
    } else {
        assert(f.code == CODE_INVALID_ARGUMENT && strcmp(f.reason, "bad_contents") == 0);
        assert(strncmp(f.message, "line ", 5) == 0);
    }
    arena_free(&a);
    return 0;
}
