/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl is handed the URL in the parsed form of http_origin.c. Redirects are followed
 * here and not by libcurl, so that they cannot leave the origin with the caller's fields. */
#include "net/http_transfer.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/heap.h"
#include "net/http_origin.h"

#define FIELDS_MAX             100
#define FIELD_BYTES_MAX        65536
#define ANSWER_MAX_DEFAULT     ((size_t)1 << 20)
#define HEAD_MAX_DEFAULT       ((size_t)32 << 10)
#define CONNECT_MS_DEFAULT     5000
#define ANSWER_FIELD_MIN_BYTES 5 /* "a: b" and a line end: what a field costs at least */

enum stop {
    STOP_NONE,
    STOP_DENIED,
    STOP_BODY_TOO_LARGE,
    STOP_HEAD_TOO_LARGE,
    STOP_BAD_HEAD,
};

struct field_list {
    struct http_field *fields;
    size_t count;
    size_t cap;
};

struct http_transfer {
    struct http_fetch *fetch;
    struct allow_list *const *allow;
    CURL *easy;
    CURLU *url;
    struct curl_slist *lines;
    struct http_origin origin;
    bool setup_failed;

    /* Of the answer that is coming in. */
    enum stop stop;
    bool tried; /* at least one address was permitted */
    bool head_done;
    size_t head_bytes;
    size_t head_max;
    struct field_list fields;
    struct field_list trailers;
    struct buf *body; /* heap bytes that go with the fetch's arena */
    uint32_t redirects;
    char error[CURL_ERROR_SIZE];
};

/* A refused option leaves a mark that http_transfer_new() looks at: none may be missing. */
#define SET(t, option, value)                                                                      \
    do {                                                                                           \
        if (curl_easy_setopt((t)->easy, (option), (value)) != CURLE_OK)                            \
            (t)->setup_failed = true;                                                              \
    } while (0)

const char *http_outcome_name(enum http_outcome o)
{
    static const char *const names[] = {
        [HTTP_OUTCOME_ANSWERED] = "answered",       [HTTP_OUTCOME_CANCELED] = "canceled",
        [HTTP_OUTCOME_TIMEOUT] = "timeout",         [HTTP_OUTCOME_DENIED] = "denied",
        [HTTP_OUTCOME_TOO_LARGE] = "too_large",     [HTTP_OUTCOME_TLS] = "tls",
        [HTTP_OUTCOME_UNREACHABLE] = "unreachable", [HTTP_OUTCOME_BROKEN] = "broken",
    };

    _Static_assert(COUNTOF(names) == HTTP_OUTCOME_COUNT, "name every outcome");
    return names[o];
}

/* -- the request ------------------------------------------------------------------------------- */

static int set_url(struct http_transfer *t, struct fail *f)
{
    const char *wrong = http_origin_parse(t->fetch->url, &t->url, &t->origin);

    if (wrong) {
        fail_reason(f, CODE_INVALID_ARGUMENT, "bad_url", "the URL cannot be used: %s", wrong);
        return fail_field(f, "url");
    }
    SET(t, CURLOPT_CURLU, t->url);
    return 0;
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr("!#$%&'*+-.^_`|~", c))))
            return false;
    }
    return s.len > 0;
}

static bool is_field_value(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* What the transfer itself decides. */
static bool is_reserved_field(struct str name)
{
    static const char *const reserved[] = {
        "host",    "connection", "content-length", "transfer-encoding", "te",
        "trailer", "upgrade",    "expect",         "accept-encoding",   "proxy-authorization",
    };

    for (size_t i = 0; i < COUNTOF(reserved); i++)
        if (str_eq_nocase(name, str_of(reserved[i])))
            return true;
    return false;
}

static void add_line(struct http_transfer *t, const char *line)
{
    struct curl_slist *more = curl_slist_append(t->lines, line);

    if (!more)
        abort();
    t->lines = more;
}

static int set_fields(struct http_transfer *t, struct fail *f)
{
    const struct http_fetch *x = t->fetch;
    size_t bytes = 0;
    bool typed = false;

    if (x->field_count > FIELDS_MAX)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_request", "more than %d header fields",
                           FIELDS_MAX);
    for (size_t i = 0; i < x->field_count; i++) {
        struct str name = x->fields[i].name;
        struct str value = str_trim(x->fields[i].value);

        if (!is_token(name) || !is_field_value(value))
            return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_request",
                               "header field %zu has a character that is not allowed", i);
        if (is_reserved_field(name))
            return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_request",
                               "the header field \"%.*s\" cannot be set", STR_ARG(name));
        bytes += name.len + value.len;
        if (bytes > FIELD_BYTES_MAX)
            return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_request",
                               "the header fields are longer than %d bytes", FIELD_BYTES_MAX);
        typed = typed || str_eq_nocase(name, STR("content-type"));

        /* libcurl drops "name:"; "name;" is its way to send an empty value. */
        struct str line = arena_printf(x->arena, "%.*s%s%.*s", STR_ARG(name),
                                       value.len > 0 ? ": " : ";", STR_ARG(value));

        add_line(t, arena_cstr(x->arena, line));
    }
    add_line(t, "Expect:");
    if (!typed)
        add_line(t, "Content-Type:"); /* libcurl would claim a form */
    SET(t, CURLOPT_HTTPHEADER, t->lines);
    return 0;
}

static int set_method(struct http_transfer *t, struct fail *f)
{
    const struct http_fetch *x = t->fetch;
    bool bare = x->method == HTTP_GET || x->method == HTTP_HEAD;

    if (x->method == HTTP_OTHER)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_request", "the method is not supported");
    if (bare && x->body.len > 0)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_request", "%s takes no body",
                           http_method_name(x->method));
    if (x->method == HTTP_GET) {
        SET(t, CURLOPT_HTTPGET, 1L);
    } else if (x->method == HTTP_HEAD) {
        SET(t, CURLOPT_NOBODY, 1L);
    } else {
        bool idle = x->method == HTTP_DELETE || x->method == HTTP_OPTIONS;

        if (x->body.len > 0 || !idle) {
            SET(t, CURLOPT_POST, 1L);
            SET(t, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->body.len);
            SET(t, CURLOPT_POSTFIELDS, x->body.len > 0 ? x->body.p : "");
        }
        SET(t, CURLOPT_CUSTOMREQUEST, http_method_name(x->method));
    }
    return 0;
}

static void set_tls(struct http_transfer *t, const struct http_client_tls *tls)
{
    SET(t, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(t, CURLOPT_SSL_VERIFYHOST, 2L);
    SET(t, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (tls->ca_file) {
        SET(t, CURLOPT_CAINFO, tls->ca_file);
        SET(t, CURLOPT_CAPATH, NULL); /* these authorities and no others */
    }
    if (tls->cert_file)
        SET(t, CURLOPT_SSLCERT, tls->cert_file);
    if (tls->key_file)
        SET(t, CURLOPT_SSLKEY, tls->key_file);
}

/* -- the address check ------------------------------------------------------------------------- */

static bool address_permitted(struct http_transfer *t, const struct sockaddr *to)
{
    bool permitted = allow_list_permits(*t->allow, str_of(t->origin.host), to);

    if (!permitted && t->stop == STOP_NONE)
        t->stop = STOP_DENIED;
    return permitted;
}

/* Sees the address that is about to be connected to, whatever the resolver said before. */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct http_transfer *t = arg;

    (void)purpose;
    if (!address_permitted(t, &to->addr))
        return CURL_SOCKET_BAD;
    t->tried = true;
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* Before each request, also on a connection that was kept from a time when the list was another. */
static int on_connected(void *arg, char *peer, char *local, int peer_port, int local_port)
{
    struct http_transfer *t = arg;
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)peer_port)};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)peer_port)};
    const struct sockaddr *to = NULL;

    (void)local;
    (void)local_port;
    if (inet_pton(AF_INET, peer, &in.sin_addr) == 1)
        to = (const struct sockaddr *)(const void *)&in;
    else if (inet_pton(AF_INET6, peer, &in6.sin6_addr) == 1)
        to = (const struct sockaddr *)(const void *)&in6;
    t->stop = STOP_NONE; /* an earlier address may have been denied, this one counts */
    if (!to || !address_permitted(t, to)) {
        t->stop = STOP_DENIED;
        t->tried = false;
        return CURL_PREREQFUNC_ABORT;
    }
    return CURL_PREREQFUNC_OK;
}

/* -- the answer -------------------------------------------------------------------------------- */

static void add_field(struct http_transfer *t, struct field_list *l, struct str name,
                      struct str value)
{
    struct arena *a = t->fetch->arena;

    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        struct http_field *more = arena_new_array(a, struct http_field, cap);

        if (l->count > 0)
            memcpy(more, l->fields, l->count * sizeof(*more));
        l->fields = more;
        l->cap = cap;
    }

    char *lower = arena_cstr(a, name);

    for (size_t i = 0; i < name.len; i++)
        if (lower[i] >= 'A' && lower[i] <= 'Z')
            lower[i] = (char)(lower[i] + 32);
    l->fields[l->count++] = (struct http_field){str_make(lower, name.len), arena_str(a, value)};
}

static void begin_answer(struct http_transfer *t)
{
    t->head_done = false;
    t->fields.count = 0;
    t->trailers.count = 0;
    buf_clear(t->body);
}

static bool take_head_line(struct http_transfer *t, struct str line)
{
    struct str name;
    struct str rest = line;

    if (!t->head_done && str_starts_with(line, STR("HTTP/"))) {
        begin_answer(t); /* also after a 100 or 103 */
        return true;
    }
    if (line.len == 0) {
        long status = 0;

        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        t->head_done = t->head_done || status >= 200;
        return true;
    }
    name = str_cut(&rest, ':');
    if (name.len == line.len || !is_token(name)) {
        t->stop = STOP_BAD_HEAD; /* folded or not a field at all */
        return false;
    }
    add_field(t, t->head_done ? &t->trailers : &t->fields, name, str_trim(rest));
    return true;
}

static size_t on_head(char *data, size_t one, size_t len, void *arg)
{
    struct http_transfer *t = arg;
    struct str line = str_make(data, len);

    (void)one; /* always 1 */
    t->head_bytes += MAX(len, ANSWER_FIELD_MIN_BYTES);
    if (t->head_bytes > t->head_max) {
        t->stop = STOP_HEAD_TOO_LARGE;
        return CURL_WRITEFUNC_ERROR;
    }
    if (str_ends_with(line, STR("\n")))
        line.len--;
    if (str_ends_with(line, STR("\r")))
        line.len--;
    return take_head_line(t, line) ? len : CURL_WRITEFUNC_ERROR;
}

static size_t on_body(char *data, size_t one, size_t len, void *arg)
{
    struct http_transfer *t = arg;

    (void)one;
    buf_put(t->body, data, len);
    if (t->body->overflow) {
        t->stop = STOP_BODY_TOO_LARGE;
        return CURL_WRITEFUNC_ERROR;
    }
    return len;
}

static void body_done(void *arg)
{
    buf_done(arg);
}

/* -- life -------------------------------------------------------------------------------------- */

static void set_callbacks(struct http_transfer *t)
{
    SET(t, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(t, CURLOPT_OPENSOCKETDATA, t);
    SET(t, CURLOPT_PREREQFUNCTION, on_connected);
    SET(t, CURLOPT_PREREQDATA, t);
    SET(t, CURLOPT_HEADERFUNCTION, on_head);
    SET(t, CURLOPT_HEADERDATA, t);
    SET(t, CURLOPT_WRITEFUNCTION, on_body);
    SET(t, CURLOPT_WRITEDATA, t);
    SET(t, CURLOPT_ERRORBUFFER, t->error);
    SET(t, CURLOPT_PRIVATE, t);
}

static void set_options(struct http_transfer *t)
{
    const struct http_fetch *x = t->fetch;
    size_t answer_max = x->answer_max ? x->answer_max : ANSWER_MAX_DEFAULT;
    long connect_ms = x->connect_timeout_ms ? (long)x->connect_timeout_ms : CONNECT_MS_DEFAULT;

    SET(t, CURLOPT_NOSIGNAL, 1L);
    SET(t, CURLOPT_QUICK_EXIT, 1L); /* a resolver that hangs must not hold the client's thread */
    SET(t, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(t, CURLOPT_PROXY, "");
    SET(t, CURLOPT_FOLLOWLOCATION, 0L);
    SET(t, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(t, CURLOPT_ACCEPT_ENCODING, "gzip");
    SET(t, CURLOPT_USERAGENT, "muster/" MUSTER_VERSION);
    SET(t, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(t, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    if (x->method != HTTP_HEAD) /* which announces what it does not send */
        SET(t, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)answer_max);
    t->head_max = x->head_max ? x->head_max : HEAD_MAX_DEFAULT;
    t->body = arena_new_type(x->arena, struct buf);
    buf_init(t->body, answer_max);
    arena_on_free(x->arena, body_done, t->body);
}

int http_transfer_new(struct http_fetch *x, const struct http_client_tls *tls,
                      struct allow_list *const *allow, struct http_transfer **out, struct fail *f)
{
    struct http_transfer *t;

    t = heap_new_type(struct http_transfer);
    t->fetch = x;
    t->allow = allow;
    t->easy = curl_easy_init();
    if (!t->easy)
        abort();
    set_options(t);
    set_callbacks(t);
    set_tls(t, tls);
    if (set_url(t, f) < 0 || set_method(t, f) < 0 || set_fields(t, f) < 0) {
        http_transfer_free(&t);
        return -1;
    }
    if (t->setup_failed) {
        http_transfer_free(&t);
        return fail_set(f, CODE_INTERNAL, "the HTTP library refused a setting");
    }
    *out = t;
    return 0;
}

void http_transfer_free(struct http_transfer **t)
{
    if (!*t)
        return;
    curl_easy_cleanup((*t)->easy);
    curl_url_cleanup((*t)->url);
    curl_slist_free_all((*t)->lines);
    http_origin_done(&(*t)->origin);
    free(*t);
    *t = NULL;
}

CURL *http_transfer_easy(struct http_transfer *t)
{
    return t->easy;
}

struct http_transfer *http_transfer_of(CURL *easy)
{
    char *t = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
    assert(t);
    return (struct http_transfer *)(void *)t;
}

struct http_fetch *http_transfer_fetch(const struct http_transfer *t)
{
    return t->fetch;
}

bool http_transfer_may_start(struct http_transfer *t)
{
    return allow_list_may_permit(*t->allow, str_of(t->origin.host), t->origin.port);
}

/* -- the outcome ------------------------------------------------------------------------------- */

static bool status_redirects(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool http_transfer_redirect(struct http_transfer *t, CURLcode code)
{
    const struct http_fetch *x = t->fetch;
    struct http_origin there = {NULL, NULL, 0};
    CURLU *url = NULL;
    char *target = NULL;
    long status = 0;
    bool follow;

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK || !status_redirects(status) || t->redirects >= x->redirects_max ||
        (x->method != HTTP_GET && x->method != HTTP_HEAD))
        return false;
    curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &target);
    if (!target || http_origin_parse(str_of(target), &url, &there))
        return false;
    follow = http_origin_eq(&there, &t->origin) &&
             curl_easy_setopt(t->easy, CURLOPT_CURLU, url) == CURLE_OK;
    http_origin_done(&there);
    if (!follow) {
        curl_url_cleanup(url);
        return false;
    }
    curl_url_cleanup(t->url);
    t->url = url;
    t->redirects++;
    begin_answer(t);
    return true;
}

static const struct {
    CURLcode curl;
    enum code code;
    enum http_outcome outcome;
    const char *reason;
    const char *message;
} failures[] = {
#define UNREACHABLE CODE_UNAVAILABLE, HTTP_OUTCOME_UNREACHABLE
#define TLS_FAILED  CODE_UNAVAILABLE, HTTP_OUTCOME_TLS, "tls", "TLS with the endpoint failed"
#define BROKEN      CODE_UNAVAILABLE, HTTP_OUTCOME_BROKEN
    {CURLE_COULDNT_RESOLVE_HOST, UNREACHABLE, "dns", "the endpoint's name could not be resolved"},
    {CURLE_COULDNT_CONNECT, UNREACHABLE, "connect", "the endpoint could not be reached"},
    {CURLE_OPERATION_TIMEDOUT, CODE_DEADLINE_EXCEEDED, HTTP_OUTCOME_TIMEOUT, "connect_timeout",
     "the connection to the endpoint took too long"},
    {CURLE_SSL_CONNECT_ERROR, TLS_FAILED},
    {CURLE_PEER_FAILED_VERIFICATION, TLS_FAILED},
    {CURLE_SSL_CERTPROBLEM, TLS_FAILED},
    {CURLE_SSL_CIPHER, TLS_FAILED},
    {CURLE_SSL_ENGINE_NOTFOUND, TLS_FAILED},
    {CURLE_SSL_ENGINE_SETFAILED, TLS_FAILED},
    {CURLE_SSL_CACERT_BADFILE, TLS_FAILED},
    {CURLE_SSL_CRL_BADFILE, TLS_FAILED},
    {CURLE_SSL_ISSUER_ERROR, TLS_FAILED},
    {CURLE_SSL_INVALIDCERTSTATUS, TLS_FAILED},
    {CURLE_SSL_CLIENTCERT, TLS_FAILED},
    {CURLE_FILESIZE_EXCEEDED, CODE_RESOURCE_EXHAUSTED, HTTP_OUTCOME_TOO_LARGE, "answer_too_large",
     "the answer is larger than allowed"},
    {CURLE_BAD_CONTENT_ENCODING, BROKEN, "bad_answer", "the answer's content coding is broken"},
    {CURLE_WEIRD_SERVER_REPLY, BROKEN, "bad_answer", "the answer is not HTTP"},
    {CURLE_UNSUPPORTED_PROTOCOL, BROKEN, "bad_answer", "the answer is not HTTP"},
    {CURLE_HTTP2, BROKEN, "bad_answer", "the answer is not HTTP/2"},
    {CURLE_GOT_NOTHING, BROKEN, "broken", "the endpoint closed the connection without an answer"},
    {CURLE_PARTIAL_FILE, BROKEN, "broken", "the endpoint closed the connection within the answer"},
#undef UNREACHABLE
#undef TLS_FAILED
#undef BROKEN
};

static enum http_outcome refuse(struct http_transfer *t, enum http_outcome outcome, enum code code,
                                const char *reason, const char *message)
{
    struct http_fetch *x = t->fetch;

    x->result = fail_reason(&x->fail, code, reason, "%s", message);
    IGNORE(fail_detail(&x->fail, "%s:%u: %s", t->origin.host, t->origin.port,
                       t->error[0] ? t->error : message));
    return outcome;
}

static void take_status(struct http_transfer *t)
{
    long status = 0;

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    t->fetch->status = (int)status;
}

static enum http_outcome refuse_stop(struct http_transfer *t)
{
    switch (t->stop) {
    case STOP_BODY_TOO_LARGE:
        take_status(t);
        return refuse(t, HTTP_OUTCOME_TOO_LARGE, CODE_RESOURCE_EXHAUSTED, "answer_too_large",
                      "the answer is larger than allowed");
    case STOP_HEAD_TOO_LARGE:
        take_status(t);
        return refuse(t, HTTP_OUTCOME_TOO_LARGE, CODE_RESOURCE_EXHAUSTED, "head_too_large",
                      "the answer's header fields are larger than allowed");
    case STOP_BAD_HEAD:
        return refuse(t, HTTP_OUTCOME_BROKEN, CODE_UNAVAILABLE, "bad_answer",
                      "the answer's header fields are malformed");
    case STOP_DENIED:
    case STOP_NONE: break;
    }
    return http_transfer_deny(t);
}

enum http_outcome http_transfer_finish(struct http_transfer *t, CURLcode code)
{
    struct http_fetch *x = t->fetch;

    if (code == CURLE_OK) {
        take_status(t);
        x->result = 0;
        x->answer_fields = t->fields.fields;
        x->answer_field_count = t->fields.count;
        x->answer_trailers = t->trailers.fields;
        x->answer_trailer_count = t->trailers.count;
        x->answer = buf_str(t->body);
        return HTTP_OUTCOME_ANSWERED;
    }
    /* One address of several may be denied and the others dead: dead is what counts then. */
    if (t->stop != STOP_NONE && !(t->stop == STOP_DENIED && t->tried))
        return refuse_stop(t);
    if (code == CURLE_FILESIZE_EXCEEDED)
        take_status(t);
    for (size_t i = 0; i < COUNTOF(failures); i++)
        if (failures[i].curl == code)
            return refuse(t, failures[i].outcome, failures[i].code, failures[i].reason,
                          failures[i].message);
    if (t->error[0] == '\0')
        memccpy(t->error, curl_easy_strerror(code), '\0', sizeof(t->error) - 1);
    return refuse(t, HTTP_OUTCOME_BROKEN, CODE_UNAVAILABLE, "broken",
                  "the exchange with the endpoint broke off");
}

enum http_outcome http_transfer_end(struct http_transfer *t, enum http_transfer_end why)
{
    switch (why) {
    case HTTP_TRANSFER_CANCELED: break;
    case HTTP_TRANSFER_CLOSING:
        return refuse(t, HTTP_OUTCOME_CANCELED, CODE_CANCELED, "closing",
                      "the server is shutting down");
    case HTTP_TRANSFER_TIMED_OUT:
        return refuse(t, HTTP_OUTCOME_TIMEOUT, CODE_DEADLINE_EXCEEDED, "timeout",
                      "the endpoint did not answer in time");
    }
    return refuse(t, HTTP_OUTCOME_CANCELED, CODE_CANCELED, "canceled", "the fetch was canceled");
}

enum http_outcome http_transfer_deny(struct http_transfer *t)
{
    return refuse(t, HTTP_OUTCOME_DENIED, CODE_PERMISSION_DENIED, "address_not_allowed",
                  "the endpoint's address is not on the list of allowed addresses");
}
