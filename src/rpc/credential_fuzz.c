/* SPDX-License-Identifier: Apache-2.0 */
/* Lines "name: value" become a request's fields. Whatever is taken has to be sound: parts without
 * control bytes, a form that was allowed, never more than one credential. */
#include <stdint.h>
#include <stdlib.h>

#include "codec/utf8.h"
#include "rpc/credential.h"

static void check_text(struct str s)
{
    if (!utf8_is_valid(s))
        abort();
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_field fields[8];
    struct http_req req = {.fields = fields};
    struct credential cr;
    struct fail f = {0};
    uint32_t forms = size > 0 ? data[0] & CREDENTIAL_FORM_ALL : 0;
    struct str rest = str_make(data, size);

    rest = str_skip(rest, 1);
    while (rest.len > 0 && req.field_count < COUNTOF(fields)) {
        struct str value = str_cut(&rest, '\n');
        struct str name = str_cut(&value, ':');

        fields[req.field_count++] = (struct http_field){name, str_trim(value)};
    }

    struct arena *a = arena_new(1024);

    if (credential_read(&req, a, forms, &cr, &f) < 0) {
        if (f.code != CODE_UNAUTHENTICATED || !f.reason)
            abort();
    } else if (cr.kind != CREDENTIAL_NONE) {
        if ((forms != 0 && (cr.form & forms) == 0) || __builtin_popcount(cr.form) != 1)
            abort();
        if (cr.kind == CREDENTIAL_TOKEN && cr.token.len == 0)
            abort();
        check_text(cr.id);
        check_text(cr.secret);
        check_text(cr.token);
    }
    arena_free(&a);
    return 0;
}
