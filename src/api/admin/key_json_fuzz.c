/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of POST /admin/v1/keys and /admin/v1/tenants: what is taken has to be within bounds, what
 * is refused has to say why. */
#include <stdint.h>
#include <stdlib.h>

#include "api/admin/admin_internal.h"
#include "codec/utf8.h"

#define NOW_US INT64_C(1700000000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(4096);
    struct str body = str_make(data, size), name;
    struct key_request want;
    struct fail f = {0};

    if (key_request_read(a, body, NOW_US, &want, &f) == 0) {
        if (!utf8_is_valid(want.label) || !utf8_is_valid(want.tenant))
            abort();
        if ((want.expires_us != 0 && want.expires_us <= NOW_US) ||
            (want.scopes & ~role_scopes(ROLE_ADMIN)) != 0)
            abort();
    } else if (f.code != CODE_INVALID_ARGUMENT || f.message[0] == '\0') {
        abort();
    }
    f = (struct fail){0};
    if (tenant_request_read(a, body, &name, &f) < 0 && f.code != CODE_INVALID_ARGUMENT)
        abort();
    arena_free(&a);
    return 0;
}
