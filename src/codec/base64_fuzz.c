/* SPDX-License-Identifier: Apache-2.0 */
/* Base64: bytes survive each form, and a strict text is the only one for its bytes. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "codec/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum base64_form forms[] = {BASE64_STD, BASE64_STD_BARE, BASE64_URL,
                                             BASE64_URL_BARE};
    struct arena *a = arena_new(4096);
    struct str in = str_make(data, size), out, lenient, back;

    for (size_t i = 0; i < COUNTOF(forms); i++) {
        struct str text = base64_encode(a, forms[i], in);

        assert(text.len == base64_encoded_len(forms[i], size));
        if (base64_decode(a, forms[i], text, &back) < 0 || !str_eq(back, in))
            abort();
        if (base64_decode_lenient(a, text, &back) < 0 || !str_eq(back, in))
            abort();
        if (base64_decode(a, forms[i], in, &out) == 0) {
            assert(str_eq(base64_encode(a, forms[i], out), in));
            if (base64_decode_lenient(a, in, &lenient) < 0 || !str_eq(out, lenient))
                abort();
        }
    }
    if (base64_decode_lenient(a, in, &lenient) == 0)
        assert(lenient.len <= size / 4 * 3 + 2);
    arena_free(&a);
    return 0;
}
