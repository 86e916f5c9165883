/* SPDX-License-Identifier: Apache-2.0 */
/* A thin coat over one curl handle. */
#include "cli/client_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "codec/json.h"
#include "codec/url.h"

#define ANSWER_MAX      ((size_t)64 << 20)
#define PATH_BYTES_MAX  ((size_t)16384)
#define CONNECT_SECONDS 5L
#define CALL_SECONDS    120L
#define STALL_SECONDS   600L /* a snapshot is made before its first byte comes */

const struct args_flag client_flags[CLIENT_FLAG_COUNT] = {
    {"data", ARGS_VALUE, "DIR",
     "Data directory of a server on this machine; its admin socket needs no key. Default: "
     "MUSTER_DATA, or ./data."},
    {"server", ARGS_VALUE, "URL",
     "A server anywhere, such as https://muster.example.com:8443. Default: MUSTER_SERVER."},
    {"key", ARGS_VALUE, "TOKEN",
     "The key to use with --server. Default: MUSTER_KEY, which other users of the machine cannot "
     "see."},
    {"ca", ARGS_VALUE, "FILE",
     "Certificates in PEM form to trust instead of the system's. Default: MUSTER_CA."},
    {"insecure", ARGS_SWITCH, NULL,
     "Permits http:// to another machine: the key travels in clear "
     "text."},
};

const struct args_flag *client_flags_with(struct arena *a, const struct args_flag *own,
                                          size_t own_count, size_t *count)
{
    struct args_flag *all = arena_new_array(a, struct args_flag, own_count + CLIENT_FLAG_COUNT);

    for (size_t i = 0; i < own_count; i++)
        all[i] = own[i];
    memcpy(all + own_count, client_flags, sizeof(client_flags));
    *count = own_count + CLIENT_FLAG_COUNT;
    return all;
}

const char *client_data_dir(const struct client *c)
{
    return c->data_dir;
}

static enum exit_code use_url(struct client *c, const struct args *args, const char *text)
{
    struct cli *cli = c->cli;
    struct url url;
    struct fail f;
    const char *key = args_find(args, "key");

    if (url_parse(cli->arena, str_of(text), &url, &f) < 0)
        return cli_fail(cli, EXIT_CODE_USAGE, "--server: %s", f.message);

    bool https = str_eq_nocase(url.scheme, STR("https"));
    bool local = str_eq(url.host, STR("localhost")) || str_eq(url.host, STR("::1")) ||
                 str_starts_with(url.host, STR("127."));

    if (!https && !str_eq_nocase(url.scheme, STR("http")))
        return cli_fail(cli, EXIT_CODE_USAGE, "--server is an http:// or https:// URL");
    if (url.query.len > 0)
        return cli_fail(cli, EXIT_CODE_USAGE, "--server has no query");
    if (!https && !local && !args_is_on(args, "insecure"))
        return cli_fail(
            cli, EXIT_CODE_USAGE,
            "http:// would send the key in clear text to another machine; use https://, "
            "or --insecure if you must");

    struct str base = str_of(text);

    while (str_ends_with(base, STR("/")))
        base.len--;
    c->base = arena_cstr(cli->arena, base);
    c->key = key ? key : cli_env(cli, "MUSTER_KEY");
    if (!c->key)
        return cli_fail(cli, EXIT_CODE_USAGE,
                        "--server needs a key: set MUSTER_KEY, or give --key TOKEN");
    c->ca = args_find(args, "ca");
    if (!c->ca)
        c->ca = cli_env(cli, "MUSTER_CA");
    return EXIT_CODE_OK;
}

static enum exit_code use_socket(struct client *c, const struct args *args)
{
    struct cli *cli = c->cli;
    const char *dir = args_find(args, "data");
    struct sockaddr_un address;

    if (!dir)
        dir = cli_env(cli, "MUSTER_DATA");
    if (!dir)
        dir = "./data";
    if (args_find(args, "key"))
        return cli_fail(cli, EXIT_CODE_USAGE,
                        "--key goes with --server; the admin socket in a data "
                        "directory needs none");
    c->data_dir = dir;
    c->socket = arena_cstr(cli->arena, arena_printf(cli->arena, "%s/admin.sock", dir));
    c->base = "http://localhost";
    if (strlen(c->socket) >= sizeof(address.sun_path))
        return cli_fail(cli, EXIT_CODE_USAGE,
                        "%s is too long for a socket's path (%zu bytes at most); give --data a "
                        "shorter, relative path",
                        c->socket, sizeof(address.sun_path) - 1);
    return EXIT_CODE_OK;
}

struct client *client_new(struct cli *cli, const struct args *args, enum exit_code *code)
{
    struct client *c = arena_new_type(cli->arena, struct client);
    const char *server = args_find(args, "server");

    c->cli = cli;
    if (server && args_find(args, "data")) {
        *code = cli_fail(cli, EXIT_CODE_USAGE, "--data and --server exclude each other");
        return NULL;
    }
    if (!server && !args_find(args, "data"))
        server = cli_env(cli, "MUSTER_SERVER");
    *code = server ? use_url(c, args, server) : use_socket(c, args);
    if (*code != EXIT_CODE_OK)
        return NULL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (c->curl = curl_easy_init()) == NULL) {
        *code = cli_fail(cli, EXIT_CODE_FAILURE, "cannot set up libcurl");
        return NULL;
    }
    return c;
}

void client_free(struct client **c)
{
    if (!*c)
        return;
    curl_easy_cleanup((*c)->curl);
    curl_global_cleanup();
    *c = NULL;
}

enum exit_code client_status_code(long status)
{
    if (status >= 200 && status < 300)
        return EXIT_CODE_OK;
    switch (status) {
    case 401:
    case 403: return EXIT_CODE_DENIED;
    case 404: return EXIT_CODE_NOT_FOUND;
    case 409:
    case 412: return EXIT_CODE_CONFLICT;
    case 429: return EXIT_CODE_FAILURE;
    default: return status >= 400 && status < 500 ? EXIT_CODE_REFUSED : EXIT_CODE_FAILURE;
    }
}

static size_t take_file(struct sink *s, const char *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(s->fd, data + done, len - done);

        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1) {
            s->write_error = errno;
            return 0;
        }
        done += (size_t)n;
    }
    return len;
}

static size_t on_data(char *data, size_t size, size_t count, void *arg)
{
    struct sink *s = arg;
    size_t len = size * count;
    long status = 0;

    curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
    s->bytes += len;
    if (s->fd >= 0 && client_status_code(status) == EXIT_CODE_OK)
        return take_file(s, data, len);
    buf_put(&s->memory, data, len);
    return s->memory.overflow ? 0 : len;
}

void client_prepare(struct client *c, struct str path, struct sink *sink, char *error)
{
    CURL *h = c->curl;
    struct str url = arena_printf(c->cli->arena, "%s%.*s", c->base, STR_ARG(path));

    curl_easy_reset(h);
    curl_easy_setopt(h, CURLOPT_URL, arena_cstr(c->cli->arena, url));
    curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L); /* a name may be ".." */
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, sink);
    curl_easy_setopt(h, CURLOPT_USERAGENT, "muster/" MUSTER_VERSION);
    curl_easy_setopt(h, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    if (c->socket) {
        curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, c->socket);
        curl_easy_setopt(h, CURLOPT_PROXY, "");
    }
    if (c->key) {
        curl_easy_setopt(h, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(h, CURLOPT_XOAUTH2_BEARER, c->key);
    }
    if (c->ca)
        curl_easy_setopt(h, CURLOPT_CAINFO, c->ca);
}

/* The server did not answer: says where it was looked for. */
static enum exit_code unreachable(struct client *c, CURLcode result, const char *error)
{
    struct cli *cli = c->cli;
    struct stat st;

    if (!c->socket)
        return cli_fail(cli, EXIT_CODE_UNREACHABLE, "cannot reach %s: %s", c->base,
                        error[0] ? error : curl_easy_strerror(result));
    if (stat(c->socket, &st) < 0 && errno == ENOENT)
        return cli_fail(cli, EXIT_CODE_UNREACHABLE,
                        "no server runs on %s: there is no socket %s; start one with: muster serve "
                        "--data %s",
                        c->data_dir, c->socket, c->data_dir);
    if (access(c->socket, W_OK) < 0)
        return cli_fail(cli, EXIT_CODE_UNREACHABLE,
                        "cannot open the admin socket %s: %s; run this as the server's user",
                        c->socket, strerrordesc_np(errno));
    return cli_fail(cli, EXIT_CODE_UNREACHABLE,
                    "no server answers at %s, which one that is gone left; start one with: muster "
                    "serve --data %s",
                    c->socket, c->data_dir);
}

enum exit_code client_failed(struct client *c, CURLcode result, const char *error)
{
    switch ((int)result) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT: return unreachable(c, result, error);
    case CURLE_OPERATION_TIMEDOUT:
        return cli_fail(c->cli, EXIT_CODE_UNREACHABLE, "the server did not answer in time: %s",
                        error);
    default:
        return cli_fail(c->cli, EXIT_CODE_UNREACHABLE, "the connection to the server failed: %s",
                        error[0] ? error : curl_easy_strerror(result));
    }
}

/* Collector Management says of a name that is taken that the request is bad. */
static enum exit_code refusal_code(long status, struct str code)
{
    return str_ends_with(code, STR(".duplicate")) ? EXIT_CODE_CONFLICT : client_status_code(status);
}

/* " (try again in 6 s)" when the server tells. */
static const char *when_again(struct client *c, long status)
{
    struct curl_header *field;
    uint64_t seconds = 0;

    if ((status != 429 && status != 503) ||
        curl_easy_header(c->curl, "Retry-After", 0, CURLH_HEADER, -1, &field) != CURLHE_OK ||
        str_to_u64(str_of(field->value), &seconds) < 0)
        return "";
    return arena_cstr(c->cli->arena, arena_printf(c->cli->arena, " (try again in %llu s)",
                                                  (unsigned long long)seconds));
}

/* {"error":{"message":...,"field":...,"request_id":...}}, {"code":...,"message":...} of Connect and
 * others, {"errors":[{"code":...,"message":...}]}, or anything else. */
enum exit_code client_refused(struct client *c, long status, struct str body)
{
    struct cli *cli = c->cli;
    struct json_value *root = NULL;
    const struct json_value *error = NULL;
    struct str message = {0}, field = {0}, request = {0}, code = {0};
    struct fail f;

    if (json_parse(cli->arena, body, NULL, &root, &f) == 0 &&
        json_get_object(root, "error", &error, &f) != 1 &&
        json_get_str(root, "code", &code, &f) == 1)
        error = root;
    if (!error && json_get_array(root, "errors", &error, &f) == 1)
        error = error->first;
    if (json_get_str(error, "message", &message, &f) != 1)
        return cli_fail(cli, client_status_code(status),
                        "%s answered with status %ld and no explanation; is it a Muster server?",
                        c->socket ? c->socket : c->base, status);
    IGNORE(json_get_str(error, "field", &field, &f));
    IGNORE(json_get_str(error, "request_id", &request, &f));
    IGNORE(json_get_str(error, "code", &code, &f));
    return cli_fail(cli, refusal_code(status, code), "%.*s%s%.*s%s%s%s%.*s%s", STR_ARG(message),
                    field.len ? " (" : "", STR_ARG(field), field.len ? ")" : "",
                    when_again(c, status), request.len ? " [request " : "", STR_ARG(request),
                    request.len ? "]" : "");
}

struct curl_slist *client_headers(const struct client *c, struct str body, const char *type)
{
    struct curl_slist *headers = NULL;

    headers = curl_slist_append(headers, body.len > 0 ? type : "Content-Type:");
    headers = curl_slist_append(headers, "Accept: application/json");
    if (c->tenant)
        headers = curl_slist_append(headers, c->tenant);
    return curl_slist_append(headers, "Expect:");
}

void client_put_body(struct client *c, const char *method, struct str body)
{
    curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
    if (body.len > 0 || strcmp(method, "POST") == 0) {
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body.len ? body.p : "");
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    }
}

/* What a call may want beyond the usual. */
struct call_ways {
    bool absence_is_fine;
    struct str if_match; /* a tag; empty: none */
    struct str *tag;     /* of the answer */
    bool takes_long;
};

static struct str answer_tag(struct client *c)
{
    struct curl_header *field;

    if (curl_easy_header(c->curl, "ETag", 0, CURLH_HEADER, -1, &field) != CURLHE_OK)
        return STR("");
    return arena_str(c->cli->arena, str_of(field->value));
}

static enum exit_code call(struct client *c, const char *method, struct str path, struct str body,
                           const struct call_ways *ways, struct json_value **answer)
{
    static const struct json_limits limits = {.bytes = ANSWER_MAX, .nodes = 10000000};
    struct sink sink = {.curl = c->curl, .fd = -1};
    char error[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = client_headers(c, body, "Content-Type: application/json");
    struct fail f;
    long status = 0;

    *answer = NULL;
    if (ways->if_match.len > 0) {
        struct str field = arena_printf(c->cli->arena, "If-Match: %.*s", STR_ARG(ways->if_match));

        headers = curl_slist_append(headers, arena_cstr(c->cli->arena, field));
    }
    buf_init_arena(&sink.memory, c->cli->arena, ANSWER_MAX);
    client_prepare(c, path, &sink, error);
    if (!ways->takes_long)
        curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, CALL_SECONDS);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    client_put_body(c, method, body);

    CURLcode result = curl_easy_perform(c->curl);

    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    if (sink.memory.overflow)
        return cli_fail(c->cli, EXIT_CODE_FAILURE, "the server's answer is too large");
    if (result != CURLE_OK)
        return client_failed(c, result, error);
    if (ways->tag)
        *ways->tag = answer_tag(c);
    if (ways->absence_is_fine && client_status_code(status) == EXIT_CODE_NOT_FOUND)
        return EXIT_CODE_NOT_FOUND;
    if (client_status_code(status) != EXIT_CODE_OK)
        return client_refused(c, status, buf_str(&sink.memory));
    if (sink.memory.len == 0)
        return EXIT_CODE_OK;
    if (json_parse(c->cli->arena, buf_str(&sink.memory), &limits, answer, &f) < 0)
        return cli_fail(c->cli, EXIT_CODE_FAILURE, "the server's answer is not JSON: %s",
                        f.message);
    return EXIT_CODE_OK;
}

enum exit_code client_call(struct client *c, const char *method, struct str path, struct str body,
                           struct json_value **answer)
{
    static const struct call_ways ways;

    return call(c, method, path, body, &ways, answer);
}

enum exit_code client_call_long(struct client *c, const char *method, struct str path,
                                struct json_value **answer)
{
    static const struct call_ways ways = {.takes_long = true};

    return call(c, method, path, STR(""), &ways, answer);
}

enum exit_code client_ask(struct client *c, const char *method, struct str path, struct str body,
                          struct json_value **answer)
{
    static const struct call_ways ways = {.absence_is_fine = true};

    return call(c, method, path, body, &ways, answer);
}

enum exit_code client_get_tagged(struct client *c, struct str path, struct str *tag,
                                 struct json_value **answer)
{
    const struct call_ways ways = {.absence_is_fine = true, .tag = tag};

    return call(c, "GET", path, STR(""), &ways, answer);
}

enum exit_code client_put_tagged(struct client *c, struct str path, struct str tag, struct str body,
                                 struct json_value **answer)
{
    const struct call_ways ways = {.if_match = tag};

    return call(c, "PUT", path, body, &ways, answer);
}

/* The path of the next page; an empty token: the first. */
static struct str page_path(struct client *c, struct str path, struct str token)
{
    struct buf out;

    buf_init_arena(&out, c->cli->arena, PATH_BYTES_MAX);
    buf_put_str(&out, path);
    buf_put_str(&out, str_index(path, '?') < 0 ? STR("?limit=1000") : STR("&limit=1000"));
    if (token.len > 0) {
        buf_put_str(&out, STR("&page_token="));
        url_put_encoded(&out, token);
    }
    return buf_str(&out);
}

void client_move_items(const struct json_value *from, struct json_value *list)
{
    for (struct json_value *item = from->first, *next; item; item = next) {
        next = item->next;
        item->next = NULL;
        json_append(list, item);
    }
}

enum exit_code client_list(struct client *c, struct str path, const char *member,
                           struct json_value *list)
{
    struct str token = STR("");

    for (;;) {
        struct json_value *answer = NULL;
        const struct json_value *page = NULL;
        struct str last = token;
        struct fail f;
        enum exit_code code = client_call(c, "GET", page_path(c, path, token), STR(""), &answer);

        if (code != EXIT_CODE_OK)
            return code;
        token = STR("");
        if (!answer || json_get_array(answer, member, &page, &f) != 1 ||
            json_get_str(answer, "next_page_token", &token, &f) < 0 ||
            (token.len > 0 && str_eq(token, last)))
            return cli_fail(c->cli, EXIT_CODE_FAILURE, "the server's answer is no list of %s",
                            member);
        client_move_items(page, list);
        if (token.len == 0)
            return EXIT_CODE_OK;
    }
}

/* An answer that ends with the connection cannot be told from one that was cut. */
static bool tells_its_length(CURL *curl)
{
    struct curl_header *field;
    curl_off_t length = -1;
    long version = 0;

    curl_easy_getinfo(curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    curl_easy_getinfo(curl, CURLINFO_HTTP_VERSION, &version);
    return length >= 0 || version >= CURL_HTTP_VERSION_2_0 ||
           curl_easy_header(curl, "Transfer-Encoding", 0, CURLH_HEADER, -1, &field) == CURLHE_OK;
}

enum exit_code client_download(struct client *c, struct str path, int fd, uint64_t *bytes)
{
    struct sink sink = {.curl = c->curl, .fd = fd};
    char error[CURL_ERROR_SIZE] = "";
    long status = 0;

    buf_init_arena(&sink.memory, c->cli->arena, CLIENT_ERROR_MAX);
    client_prepare(c, path, &sink, error);
    curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);

    CURLcode result = curl_easy_perform(c->curl);

    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    if (sink.write_error != 0)
        return cli_fail(c->cli, EXIT_CODE_NOT_WRITABLE, "cannot write the file: %s",
                        strerrordesc_np(sink.write_error));
    if (result != CURLE_OK)
        return client_failed(c, result, error);
    if (client_status_code(status) == EXIT_CODE_NOT_FOUND)
        return EXIT_CODE_NOT_FOUND;
    if (client_status_code(status) != EXIT_CODE_OK)
        return client_refused(c, status, buf_str(&sink.memory));
    if (!tells_its_length(c->curl))
        return cli_fail(c->cli, EXIT_CODE_FAILURE,
                        "the answer does not tell its length, so it cannot be trusted to be whole");
    *bytes = sink.bytes;
    return EXIT_CODE_OK;
}

/* ---- another tenant ---- */

enum exit_code client_use_tenant(struct client *c, const char *name)
{
    struct json_value *tenant = NULL;
    struct buf path;
    struct fail f;
    uint64_t id;

    if (!name)
        return EXIT_CODE_OK;
    buf_init_arena(&path, c->cli->arena, PATH_BYTES_MAX);
    buf_put_str(&path, STR("/admin/v1/tenants/"));
    url_put_encoded(&path, str_of(name));
    if (path.overflow || name[0] == '\0')
        return cli_fail(c->cli, EXIT_CODE_USAGE, "that is not a tenant's name");

    enum exit_code code = client_call(c, "GET", buf_str(&path), STR(""), &tenant);

    if (code != EXIT_CODE_OK)
        return code;
    if (json_get_u64(tenant, "id", &id, &f) != 1)
        return cli_fail(c->cli, EXIT_CODE_FAILURE,
                        "the server does not tell the tenant's number; is it a Muster server?");
    c->tenant = arena_cstr(
        c->cli->arena, arena_printf(c->cli->arena, "Muster-Tenant: %llu", (unsigned long long)id));
    return EXIT_CODE_OK;
}
