/* SPDX-License-Identifier: Apache-2.0 */
/* One part of a file. See client.h. */
#include "cli/client_internal.h"

#include "codec/json.h"

#define PART_SECONDS 120L

enum exit_code client_put_bytes(struct client *c, struct str path, struct str bytes,
                                struct json_value **answer)
{
    struct sink sink = {.curl = c->curl, .fd = -1};
    char error[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers =
        client_headers(c, STR("x"), "Content-Type: application/octet-stream");
    struct fail f;
    long status = 0;

    *answer = NULL;
    buf_init_arena(&sink.memory, c->cli->arena, CLIENT_ERROR_MAX);
    client_prepare(c, path, &sink, error);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, PART_SECONDS);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    client_put_body(c, "PUT", bytes);

    CURLcode result = curl_easy_perform(c->curl);

    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    if (result != CURLE_OK)
        return client_failed(c, result, error);
    if (client_status_code(status) != EXIT_CODE_OK)
        return client_refused(c, status, buf_str(&sink.memory));
    if (json_parse(c->cli->arena, buf_str(&sink.memory), NULL, answer, &f) < 0)
        return cli_fail(c->cli, EXIT_CODE_FAILURE, "the server's answer is not JSON: %s",
                        f.message);
    return EXIT_CODE_OK;
}
