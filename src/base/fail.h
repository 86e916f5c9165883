/* SPDX-License-Identifier: Apache-2.0 */
/* Why something was refused, in words that every dialect can translate. */
#ifndef BASE_FAIL_H
#define BASE_FAIL_H

#include <stdint.h>

#include "base/macros.h"

/* The canonical RPC codes; the numbers are those of gRPC and travel on the wire. */
enum code {
    CODE_OK = 0,
    CODE_CANCELED = 1,
    CODE_UNKNOWN = 2,
    CODE_INVALID_ARGUMENT = 3,
    CODE_DEADLINE_EXCEEDED = 4,
    CODE_NOT_FOUND = 5,
    CODE_ALREADY_EXISTS = 6,
    CODE_PERMISSION_DENIED = 7,
    CODE_RESOURCE_EXHAUSTED = 8,
    CODE_FAILED_PRECONDITION = 9,
    CODE_ABORTED = 10,
    CODE_OUT_OF_RANGE = 11,
    CODE_UNIMPLEMENTED = 12,
    CODE_INTERNAL = 13,
    CODE_UNAVAILABLE = 14,
    CODE_DATA_LOSS = 15,
    CODE_UNAUTHENTICATED = 16,
};

#define CODE_COUNT 17

struct fail {
    enum code code;
    const char *reason;      /* static, in the domain's words ("name_taken"); NULL when none */
    char field[64];          /* the input that was at fault, when one was ("collector.name") */
    char message[256];       /* may be shown to a client */
    char detail[256];        /* for our log only */
    uint32_t retry_after_ms; /* 0: no advice */
};

/* Fills in code and message, clears the rest, returns -1. */
int fail_set(struct fail *f, enum code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Same, with a reason that dialects map to their own codes. */
int fail_reason(struct fail *f, enum code code, const char *reason, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* Names the input at fault; returns -1 so that it can end a return statement. */
int fail_field(struct fail *f, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Adds what only our log may know; returns -1. */
int fail_detail(struct fail *f, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "invalid_argument", as Connect spells it. */
const char *code_name(enum code code) RETURNS_NONNULL;

/* The HTTP status that REST and Connect use for a code. */
int code_http_status(enum code code);

#endif
