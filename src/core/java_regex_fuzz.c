/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns of sources: one that compiles does so in each fit, a match at the start begins there,
 * and what matches the whole text is found within it. The input is the pattern, and after a NUL a
 * text to match. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/java_regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct str pattern = str_cut(&text, '\0');
    struct arena *a = arena_new(4096);
    struct regex *anywhere, *start, *whole;
    struct str found = {0};
    struct fail f = {0};

    if (java_regex_compile(a, pattern, JAVA_REGEX_ANYWHERE, &anywhere, &f) == 0 &&
        java_regex_compile(a, pattern, JAVA_REGEX_AT_START, &start, &f) == 0 &&
        java_regex_compile(a, pattern, JAVA_REGEX_WHOLE, &whole, &f) == 0) {
        if (regex_search(start, text, 0, &found, 1)) {
            assert(text.len == 0 || found.p == text.p);
            assert(regex_search(anywhere, text, 0, &found, 1));
        }
        if (regex_matches(whole, text))
            assert(regex_search(anywhere, text, 0, &found, 1));
    } else {
        assert(f.code == CODE_INVALID_ARGUMENT);
    }
    arena_free(&a);
    return 0;
}
