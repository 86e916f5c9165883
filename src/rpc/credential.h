/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials as they arrive: which form was used and the parts in it. Pure: looks only at the
 * request's head, decides nothing about who it is; the host resolves it. Any thread; the parts live
 * in the request's arena or in its fields. */
#ifndef RPC_CREDENTIAL_H
#define RPC_CREDENTIAL_H

#include <stdint.h>

#include "base/arena.h"
#include "base/fail.h"
#include "net/http.h"

enum credential_kind {
    CREDENTIAL_NONE,
    CREDENTIAL_BASIC,        /* id and secret as given; the id may be a tenant's name */
    CREDENTIAL_TOKEN,        /* token; id when it came as "Bearer user:token", else empty */
    CREDENTIAL_CERTIFICATE,  /* id: the common name of the verified client certificate */
    CREDENTIAL_ADMIN_SOCKET, /* whoever may open the socket in the data directory */
};

/* The forms that a dialect accepts; one it does not accept counts as malformed. */
#define CREDENTIAL_FORM_BASIC   (1u << 0) /* Authorization: Basic base64(id:secret) */
#define CREDENTIAL_FORM_BEARER  (1u << 1) /* Authorization: Bearer token, or user:token */
#define CREDENTIAL_FORM_KEY     (1u << 2) /* Authorization: Key token; exactly this case */
#define CREDENTIAL_FORM_TOKEN   (1u << 3) /* token: token */
#define CREDENTIAL_FORM_SESSION (1u << 4) /* x-clarifai-session-token: token */
#define CREDENTIAL_FORM_ALL     0x1fu

/* Longest value of a credential's field that is looked at. */
#define CREDENTIAL_MAX_BYTES 8192

struct credential {
    enum credential_kind kind;
    uint32_t form;     /* the one CREDENTIAL_FORM_ bit that it came in; 0 when in no field */
    struct str id;     /* not for the log: a client may put a secret in the wrong place */
    struct str secret; /* BASIC: the password */
    struct str token;  /* TOKEN: the token; BASIC: the password again, which may be a token */
};

/* CREDENTIAL_NONE when the head carries none. -1 with CODE_UNAUTHENTICATED when there is more than
 * one, or one that is malformed, too long, or of a form outside `forms` (0: all are accepted). */
int credential_read(const struct http_req *req, struct arena *a, uint32_t forms,
                    struct credential *out, struct fail *f) MUST_CHECK;

#endif
