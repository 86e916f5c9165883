/* SPDX-License-Identifier: Apache-2.0 */
/* Why something was refused. A struct fail belongs to the thread that handles the request. */
#include "base/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const struct {
    const char *name; /* as Connect spells it */
    int http_status;
} codes[] = {
    [CODE_OK] = {"ok", 200},
    [CODE_CANCELED] = {"canceled", 499},
    [CODE_UNKNOWN] = {"unknown", 500},
    [CODE_INVALID_ARGUMENT] = {"invalid_argument", 400},
    [CODE_DEADLINE_EXCEEDED] = {"deadline_exceeded", 504},
    [CODE_NOT_FOUND] = {"not_found", 404},
    [CODE_ALREADY_EXISTS] = {"already_exists", 409},
    [CODE_PERMISSION_DENIED] = {"permission_denied", 403},
    [CODE_RESOURCE_EXHAUSTED] = {"resource_exhausted", 429},
    [CODE_FAILED_PRECONDITION] = {"failed_precondition", 400},
    [CODE_ABORTED] = {"aborted", 409},
    [CODE_OUT_OF_RANGE] = {"out_of_range", 400},
    [CODE_UNIMPLEMENTED] = {"unimplemented", 501},
    [CODE_INTERNAL] = {"internal", 500},
    [CODE_UNAVAILABLE] = {"unavailable", 503},
    [CODE_DATA_LOSS] = {"data_loss", 500},
    [CODE_UNAUTHENTICATED] = {"unauthenticated", 401},
};
_Static_assert(COUNTOF(codes) == CODE_COUNT, "describe every code");

/* Takes away a UTF-8 sequence that the end of the buffer cut in two. */
static size_t whole_characters(const char *text, size_t len)
{
    size_t start = len;

    while (start > 0 && len - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return len;

    unsigned char lead = (unsigned char)text[start - 1];
    size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;

    return len - (start - 1) < want ? start - 1 : len;
}

/* Prints aside first: the arguments may be parts of the failure that is being rewritten. */
static __attribute__((format(printf, 3, 0))) void print(char *out, size_t size, const char *fmt,
                                                        va_list args)
{
    char text[256];
    int wanted = vsnprintf(text, MIN(size, sizeof(text)), fmt, args);
    size_t len = wanted < 0 ? 0 : (size_t)wanted;

    if (len >= size)
        len = whole_characters(text, size - 1);
    memcpy(out, text, len);
    out[len] = '\0';
}

static void begin(struct fail *f, enum code code, const char *reason)
{
    f->code = code;
    f->reason = reason;
    f->field[0] = '\0';
    f->detail[0] = '\0';
    f->retry_after_ms = 0;
}

int fail_set(struct fail *f, enum code code, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    print(f->message, sizeof(f->message), fmt, args);
    va_end(args);
    begin(f, code, NULL);
    return -1;
}

int fail_reason(struct fail *f, enum code code, const char *reason, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    print(f->message, sizeof(f->message), fmt, args);
    va_end(args);
    begin(f, code, reason);
    return -1;
}

int fail_field(struct fail *f, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    print(f->field, sizeof(f->field), fmt, args);
    va_end(args);
    return -1;
}

int fail_detail(struct fail *f, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    print(f->detail, sizeof(f->detail), fmt, args);
    va_end(args);
    return -1;
}

/* A number from the wire may be none of ours. */
static unsigned known(enum code code)
{
    return (unsigned)code < CODE_COUNT ? (unsigned)code : (unsigned)CODE_UNKNOWN;
}

const char *code_name(enum code code)
{
    return codes[known(code)].name;
}

int code_http_status(enum code code)
{
    return codes[known(code)].http_status;
}
