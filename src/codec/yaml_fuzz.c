/* SPDX-License-Identifier: Apache-2.0 */
/* YAML: any bytes get a verdict, the same one twice, and a refusal names its place. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(4096);
    struct str text = str_make(data, size);
    struct fail f = {0}, again = {0};
    int result = yaml_check(a, text, &f);

    if (result < 0) {
        assert(f.code == CODE_INVALID_ARGUMENT && strcmp(f.reason, "bad_yaml") == 0);
        assert(strncmp(f.message, "line ", 5) == 0);
    } else {
        assert(f.code == CODE_OK);
    }
    if (yaml_check(a, text, &again) != result)
        abort();
    assert(strcmp(f.message, again.message) == 0);
    arena_free(&a);
    return 0;
}
