/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/credential.h"

#include "codec/base64.h"
#include "codec/utf8.h"

static int malformed(struct fail *f, const char *why)
{
    return fail_reason(f, CODE_UNAUTHENTICATED, "credential_malformed", "%s", why);
}

/* Credentials are printable text: a control byte in one is a mistake or a probe. */
static bool is_printable(struct str s)
{
    if (str_is_within(s, ' ', '~'))
        return true;
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return utf8_is_valid(s);
}

/* A token has no blanks and nothing but visible ASCII. */
static bool is_token(struct str s)
{
    return s.len > 0 && str_is_within(s, '!', '~');
}

static int read_basic(struct arena *a, struct str value, struct credential *out, struct fail *f)
{
    struct str text;

    /* Some clients leave the padding out. */
    if (base64_decode(a, BASE64_STD, value, &text) < 0 &&
        base64_decode(a, BASE64_STD_BARE, value, &text) < 0)
        return malformed(f, "the Basic credential is not base64");
    if (!is_printable(text))
        return malformed(f, "the Basic credential holds unprintable bytes");
    if (str_index(text, ':') < 0)
        return malformed(f, "the Basic credential has no colon");
    out->kind = CREDENTIAL_BASIC;
    out->id = str_cut(&text, ':');
    out->secret = text;
    out->token = text;
    return 0;
}

static int read_token(struct str value, struct credential *out, struct fail *f)
{
    if (!is_token(value))
        return malformed(f, "the token is empty or holds bytes that no token has");
    out->kind = CREDENTIAL_TOKEN;
    out->token = value;
    return 0;
}

static int read_bearer(struct str value, struct credential *out, struct fail *f)
{
    if (!is_token(value))
        return malformed(f, "the Bearer token is empty or holds bytes that no token has");
    out->kind = CREDENTIAL_TOKEN;
    out->token = value;
    if (str_index(value, ':') >= 0) {
        out->id = str_cut(&value, ':');
        out->token = value;
        if (value.len == 0)
            return malformed(f, "the Bearer token is empty");
    }
    return 0;
}

/* Clients write "Basic" and "Bearer" in any case; a lower-case "key" is refused, as the vendor
 * does. */
static int read_authorization(struct arena *a, struct str field, struct credential *out,
                              struct fail *f)
{
    struct str value = field;
    struct str scheme = str_cut(&value, ' ');

    value = str_trim(value);
    if (str_eq_nocase(scheme, STR("basic"))) {
        out->form = CREDENTIAL_FORM_BASIC;
        return read_basic(a, value, out, f);
    }
    if (str_eq_nocase(scheme, STR("bearer"))) {
        out->form = CREDENTIAL_FORM_BEARER;
        return read_bearer(value, out, f);
    }
    if (str_eq(scheme, STR("Key"))) {
        out->form = CREDENTIAL_FORM_KEY;
        return read_token(value, out, f);
    }
    return malformed(f, "the authorization scheme is not one of Basic, Bearer and Key");
}

int credential_read(const struct http_req *req, struct arena *a, uint32_t forms,
                    struct credential *out, struct fail *f)
{
    const struct http_field *found = NULL;
    uint32_t form = 0;

    for (size_t i = 0; i < req->field_count; i++) {
        const struct http_field *field = &req->fields[i];
        uint32_t here = 0;

        if (str_eq(field->name, STR("authorization")))
            here = CREDENTIAL_FORM_BASIC | CREDENTIAL_FORM_BEARER | CREDENTIAL_FORM_KEY;
        else if (str_eq(field->name, STR("token")))
            here = CREDENTIAL_FORM_TOKEN;
        else if (str_eq(field->name, STR("x-clarifai-session-token")))
            here = CREDENTIAL_FORM_SESSION;
        if (here == 0)
            continue;
        if (found)
            return malformed(f, "more than one credential");
        found = field;
        form = here;
    }

    struct credential made = {.kind = CREDENTIAL_NONE, .form = form};

    if (found) {
        if (found->value.len > CREDENTIAL_MAX_BYTES)
            return malformed(f, "the credential is too long");
        if ((form & CREDENTIAL_FORM_BASIC ? read_authorization(a, found->value, &made, f)
                                          : read_token(found->value, &made, f)) < 0)
            return -1;
        if (forms != 0 && (forms & made.form) == 0)
            return malformed(f, "this form of credential is not accepted here");
    }
    *out = made;
    return 0;
}
