/* SPDX-License-Identifier: Apache-2.0 */
/* A packaged parser that our own is compared with by fuzzing; no part of the product. In a file of
 * its own because llhttp.h and our http.h give the same names to different things. */
#ifndef NET_HTTP1_REFERENCE_H
#define NET_HTTP1_REFERENCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum http1_reference_verdict {
    HTTP1_REFERENCE_SAME,    /* accepted; *text is what it understood */
    HTTP1_REFERENCE_REFUSES, /* where we accept: worth a look */
    HTTP1_REFERENCE_DIFFERS, /* in a way that is known and meant */
};

/* "METHOD target\n", "name:value\n" for each field of the head, the body. */
enum http1_reference_verdict http1_reference_read(const uint8_t *data, size_t len,
                                                  struct buf *text);

#endif
