/* SPDX-License-Identifier: Apache-2.0 */
/* One outbound request on a libcurl handle: what http_client.c drives. Made by the thread that
 * submits the fetch, then owned by the client's thread until it is freed. */
#ifndef NET_HTTP_TRANSFER_H
#define NET_HTTP_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/fail.h"
#include "base/macros.h"
#include "net/allow_list.h"
#include "net/http_client.h"

struct http_transfer;

/* Why the client ended a transfer by itself. */
enum http_transfer_end {
    HTTP_TRANSFER_CANCELED,
    HTTP_TRANSFER_CLOSING,
    HTTP_TRANSFER_TIMED_OUT,
};

/* How it went, for the metrics. */
enum http_outcome {
    HTTP_OUTCOME_ANSWERED,
    HTTP_OUTCOME_CANCELED,
    HTTP_OUTCOME_TIMEOUT,
    HTTP_OUTCOME_DENIED,
    HTTP_OUTCOME_TOO_LARGE,
    HTTP_OUTCOME_TLS,
    HTTP_OUTCOME_UNREACHABLE,
    HTTP_OUTCOME_BROKEN,
};

#define HTTP_OUTCOME_COUNT 8

const char *http_outcome_name(enum http_outcome o) RETURNS_NONNULL;

/* Checks the request and sets up a handle for it. `allow` points at the client's current list, read
 * on the client's thread only. */
int http_transfer_new(struct http_fetch *x, const struct http_client_tls *tls,
                      struct allow_list *const *allow, struct http_transfer **out, struct fail *f)
    MUST_CHECK;
void http_transfer_free(struct http_transfer **t);

/* The handle to add to a multi handle; its CURLOPT_PRIVATE is the transfer. */
CURL *http_transfer_easy(struct http_transfer *t) RETURNS_NONNULL;
struct http_transfer *http_transfer_of(CURL *easy) RETURNS_NONNULL;
struct http_fetch *http_transfer_fetch(const struct http_transfer *t) RETURNS_NONNULL;

/* Before the handle is added: false when the list rules the host out whatever it resolves to. */
bool http_transfer_may_start(struct http_transfer *t);

/* After libcurl is done: true when the answer is a redirect to be followed now, on the same handle
 * (removed from the multi handle before, added again after). */
bool http_transfer_redirect(struct http_transfer *t, CURLcode code);

/* Writes the outcome into the fetch. The handle is out of the multi handle. */
enum http_outcome http_transfer_finish(struct http_transfer *t, CURLcode code);
enum http_outcome http_transfer_end(struct http_transfer *t, enum http_transfer_end why);
enum http_outcome http_transfer_deny(struct http_transfer *t);

#endif
