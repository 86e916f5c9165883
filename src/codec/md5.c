/* SPDX-License-Identifier: Apache-2.0 */
/* See md5.h. */
#include "codec/md5.h"

#include <openssl/evp.h>
#include <stdlib.h>

void md5(struct str s, uint8_t out[MD5_LEN])
{
    unsigned len = 0;

    /* There is no other way to fail than to lack the algorithm, and nothing to use in its place. */
    if (EVP_Digest(s.len > 0 ? s.p : "", s.len, out, &len, EVP_md5(), NULL) != 1 || len != MD5_LEN)
        abort();
}
