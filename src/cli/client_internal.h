/* SPDX-License-Identifier: Apache-2.0 */
/* One request's options and outcomes, shared by the kinds of calls of client.h. */
#ifndef CLI_CLIENT_INTERNAL_H
#define CLI_CLIENT_INTERNAL_H

#include <curl/curl.h>

#include "cli/client.h"

#define CLIENT_ERROR_MAX ((size_t)1 << 20) /* bytes of an answer that explains a failure */

struct client {
    struct cli *cli;
    CURL *curl;
    const char *data_dir; /* NULL: by URL */
    const char *socket;   /* path of the admin socket */
    const char *base;     /* URL without a slash at the end */
    const char *key;
    const char *ca;

    const char *tenant; /* a header: for whom an operator acts; NULL: himself */
};

/* Where an answer goes: memory, or a file as long as the status is a success. */
struct sink {
    CURL *curl;
    struct buf memory;
    int fd; /* -1: none */
    uint64_t bytes;
    int write_error;
};

/* Options that every request shares. `error` has CURL_ERROR_SIZE bytes. */
void client_prepare(struct client *c, struct str path, struct sink *sink, char *error);

/* To be freed by curl_slist_free_all(). `type` is the whole field, used when there is a body. */
struct curl_slist *client_headers(const struct client *c, struct str body, const char *type);
void client_put_body(struct client *c, const char *method, struct str body);

/* The server did not answer, or answered with a failure: print why. */
enum exit_code client_failed(struct client *c, CURLcode result, const char *error);
enum exit_code client_refused(struct client *c, long status, struct str body);

#endif
