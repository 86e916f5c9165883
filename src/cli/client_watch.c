/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that are answered by a stream of messages. */
#include "cli/client_internal.h"

#include <string.h>

#include "codec/json.h"

/* Connect's streams: a byte of flags, four of length, a message. */
#define STREAM_TYPE      "application/connect+json"
#define FRAME_HEAD_BYTES 5
#define FRAME_LAST       0x02
#define FRAME_BYTES_MAX  ((size_t)16 << 20)

struct watch {
    struct client *client;
    struct buf in;         /* what is not a whole frame yet */
    struct buf unframed;   /* an answer that is no stream: an error */
    struct arena *message; /* one at a time */
    bool (*take)(void *arg, const struct json_value *message);
    void *arg;
    bool enough;         /* take() said so */
    bool ended;          /* the last frame came */
    enum exit_code code; /* of what was printed already */
    bool printed;
};

static bool watch_fail(struct watch *w, const char *what)
{
    w->code = cli_fail(w->client->cli, EXIT_CODE_FAILURE, "%s", what);
    w->printed = true;
    return false;
}

/* The codes of Connect that say more than "failed". */
static enum exit_code connect_code(struct str name)
{
    static const struct {
        const char *name;
        enum exit_code code;
    } rows[] = {
        {"unauthenticated", EXIT_CODE_DENIED},   {"permission_denied", EXIT_CODE_DENIED},
        {"not_found", EXIT_CODE_NOT_FOUND},      {"already_exists", EXIT_CODE_CONFLICT},
        {"invalid_argument", EXIT_CODE_REFUSED}, {"aborted", EXIT_CODE_CONFLICT},
        {"out_of_range", EXIT_CODE_REFUSED},     {"failed_precondition", EXIT_CODE_REFUSED},
        {"unavailable", EXIT_CODE_UNREACHABLE},
    };

    for (size_t i = 0; i < COUNTOF(rows); i++)
        if (str_eq(name, str_of(rows[i].name)))
            return rows[i].code;
    return EXIT_CODE_FAILURE;
}

/* {"error":{"code":...,"message":...}} or {}. */
static bool take_end(struct watch *w, const struct json_value *end)
{
    const struct json_value *error = NULL;
    struct str name = {0}, message = {0};
    struct fail f;

    w->ended = true;
    if (json_get_object(end, "error", &error, &f) != 1)
        return false;
    IGNORE(json_get_str(error, "code", &name, &f));
    IGNORE(json_get_str(error, "message", &message, &f));
    w->code =
        cli_fail(w->client->cli, connect_code(name), "%.*s", STR_ARG(message.len ? message : name));
    w->printed = true;
    return false;
}

/* The next frame, if it is whole: true when there may be another. */
static bool take_frame(struct watch *w)
{
    const uint8_t *p = w->in.data;
    struct json_value *message;
    struct fail f;
    bool more;

    if (w->in.len < FRAME_HEAD_BYTES)
        return false;

    size_t len = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | (size_t)p[4];

    if (len > FRAME_BYTES_MAX)
        return watch_fail(w, "the server sent a message that is too large");
    if (w->in.len < FRAME_HEAD_BYTES + len)
        return false;
    if ((p[0] & ~FRAME_LAST) != 0 ||
        json_parse(w->message, str_make(p + FRAME_HEAD_BYTES, len), NULL, &message, &f) < 0)
        return watch_fail(w, "the server sent a message that is not JSON");
    if (p[0] & FRAME_LAST) {
        more = take_end(w, message);
    } else {
        more = w->take(w->arg, message);
        w->enough = !more;
    }
    buf_consume(&w->in, FRAME_HEAD_BYTES + len);
    arena_reset(w->message);
    return more;
}

static size_t on_stream(char *data, size_t size, size_t count, void *arg)
{
    struct watch *w = arg;
    size_t len = size * count;
    const char *type = NULL;

    curl_easy_getinfo(w->client->curl, CURLINFO_CONTENT_TYPE, &type);
    if (!type || strcmp(type, STREAM_TYPE) != 0) {
        buf_put(&w->unframed, data, len);
        return w->unframed.overflow ? 0 : len;
    }
    buf_put(&w->in, data, len);
    while (take_frame(w)) {}
    return w->enough || w->printed || w->in.overflow ? 0 : len;
}

static enum exit_code watch_outcome(struct watch *w, CURLcode result, const char *error)
{
    struct client *c = w->client;
    long status = 0;

    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    if (w->printed)
        return w->code;
    if (w->enough || (w->ended && result == CURLE_OK))
        return EXIT_CODE_OK;
    if (result != CURLE_OK)
        return client_failed(c, result, error);
    if (client_status_code(status) != EXIT_CODE_OK)
        return client_refused(c, status, buf_str(&w->unframed));
    return cli_fail(c->cli, EXIT_CODE_FAILURE, "the server's answer is not a whole stream");
}

enum exit_code client_watch(struct client *c, struct str path, struct str body,
                            bool (*take)(void *arg, const struct json_value *message), void *arg)
{
    struct watch w = {.client = c, .take = take, .arg = arg, .code = EXIT_CODE_OK};
    struct sink unused = {.curl = c->curl, .fd = -1};
    char error[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = client_headers(c, body, "Content-Type: " STREAM_TYPE);
    struct buf framed;

    buf_init_arena(&framed, c->cli->arena, FRAME_BYTES_MAX);
    buf_put_byte(&framed, 0);
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_put_byte(&framed, (uint8_t)(body.len >> shift));
    buf_put_str(&framed, body);
    buf_init(&w.in, 2 * FRAME_BYTES_MAX);
    buf_init(&w.unframed, CLIENT_ERROR_MAX);
    w.message = arena_new(65536);
    client_prepare(c, path, &unused, error);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_stream);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &w);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    /* A silent stream is not a dead one; the kernel notices a dead peer. */
    curl_easy_setopt(c->curl, CURLOPT_TCP_KEEPALIVE, 1L);
    client_put_body(c, "POST", buf_str(&framed));

    enum exit_code code = watch_outcome(&w, curl_easy_perform(c->curl), error);

    curl_slist_free_all(headers);
    arena_free(&w.message);
    buf_done(&w.in);
    buf_done(&w.unframed);
    return code;
}
