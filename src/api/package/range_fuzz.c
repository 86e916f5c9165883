/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges: whatever the field says, what is good lies within the file. The first byte chooses how
 * long the file is. */
#include <assert.h>
#include <stdint.h>

#include "api/package/package_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t sizes[] = {0, 1, 100, 1 << 30, INT64_MAX - 1};
    struct byte_range range = {-1, -1};

    if (size == 0)
        return 0;

    int64_t bytes = sizes[data[0] % COUNTOF(sizes)];

    switch (range_parse(str_make(data + 1, size - 1), bytes, &range)) {
    case RANGE_GOOD:
        assert(range.first >= 0 && range.count > 0 && range.first < bytes &&
               range.count <= bytes - range.first);
        break;
    case RANGE_NONE:
    case RANGE_OUTSIDE: assert(range.first == -1 && range.count == -1); break;
    }
    return 0;
}
