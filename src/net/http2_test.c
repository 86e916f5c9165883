/* SPDX-License-Identifier: Apache-2.0 */
/* The server over real sockets, HTTP/2 in clear text, with a client on nghttp2 and raw frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/test_server.h"

#define CLOSED  "muster_connections_closed_total"
#define STREAMS 64

struct answer {
    int status;
    struct buf body;
    struct buf fields; /* "name=value;" of head and trailers */
    bool closed;
    uint32_t error;
};

struct client {
    int fd;
    nghttp2_session *session;
    struct answer answers[STREAMS]; /* by (stream id - 1) / 2 */
    unsigned closed;
    bool eof;
    bool went_away;
    uint32_t away_error;
    const char *upload; /* what is left to be sent */
    size_t upload_len;
    bool with_trailers;
};

static struct answer *answer_of(struct client *c, int32_t id)
{
    assert_true(id > 0 && (id - 1) / 2 < STREAMS);
    return &c->answers[(id - 1) / 2];
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    struct answer *a = answer_of(user, frame->hd.stream_id);

    (void)session;
    (void)flags;
    if (name_len == 7 && memcmp(name, ":status", 7) == 0)
        a->status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + value[2] - '0';
    buf_printf(&a->fields, "%.*s=%.*s;", (int)name_len, (const char *)name, (int)value_len,
               (const char *)value);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *user)
{
    (void)session;
    (void)flags;
    buf_put(&answer_of(user, id)->body, data, len);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *user)
{
    struct client *c = user;
    struct answer *a = answer_of(c, id);

    (void)session;
    a->closed = true;
    a->error = error;
    c->closed++;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct client *c = user;

    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        c->went_away = true;
        c->away_error = frame->goaway.error_code;
    }
    return 0;
}

static struct client *client_new(const struct test_server *s, uint32_t window)
{
    struct client *c = calloc(1, sizeof(*c));
    nghttp2_session_callbacks *cb;
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window}};

    c->fd = test_server_connect(s);
    for (size_t i = 0; i < STREAMS; i++) {
        buf_init(&c->answers[i].body, (size_t)64 * 1024 * 1024);
        buf_init(&c->answers[i].fields, 65536);
    }
    nghttp2_session_callbacks_new(&cb);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_client_new(&c->session, cb, c);
    nghttp2_session_callbacks_del(cb);
    nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, 1);
    return c;
}

static void client_free(struct client *c)
{
    nghttp2_session_del(c->session);
    for (size_t i = 0; i < STREAMS; i++) {
        buf_done(&c->answers[i].body);
        buf_done(&c->answers[i].fields);
    }
    close(c->fd);
    free(c);
}

static void send_all(struct client *c)
{
    const uint8_t *data;
    ssize_t n;

    while ((n = nghttp2_session_mem_send(c->session, &data)) > 0)
        test_send_bytes(c->fd, data, (size_t)n);
}

/* Until so many streams are closed, or the server has gone. */
static void run(struct client *c, unsigned closed)
{
    uint8_t bytes[16384];

    send_all(c);
    while (c->closed < closed && !c->eof) {
        ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);

        if (n <= 0) {
            c->eof = true;
        } else {
            assert_true(nghttp2_session_mem_recv(c->session, bytes, (size_t)n) >= 0);
            send_all(c);
        }
    }
}

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .value = (uint8_t *)(uintptr_t)value,
                        .namelen = strlen(name),
                        .valuelen = strlen(value)};
}

static ssize_t read_upload(nghttp2_session *session, int32_t id, uint8_t *out, size_t cap,
                           uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct client *c = user;
    size_t n = MIN(cap, c->upload_len);
    const nghttp2_nv trailer = nv("x-t", "v");

    (void)source;
    memcpy(out, c->upload, n);
    c->upload += n;
    c->upload_len -= n;
    if (c->upload_len > 0)
        return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (c->with_trailers) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        nghttp2_submit_trailer(session, id, &trailer, 1);
    }
    return (ssize_t)n;
}

static int32_t submit(struct client *c, const char *method, const char *path, bool upload)
{
    const nghttp2_nv head[] = {nv(":method", method), nv(":scheme", "http"), nv(":authority", "a"),
                               nv(":path", path)};
    const nghttp2_data_provider body = {.read_callback = read_upload};

    return nghttp2_submit_request(c->session, NULL, head, 4, upload ? &body : NULL, NULL);
}

static int set_up(void **state)
{
    struct test_server *s = malloc(sizeof(*s));

    test_server_start(s, NULL, NULL, NULL);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    test_server_stop(*state);
    free(*state);
    return 0;
}

static bool has_field(struct answer *a, const char *text)
{
    buf_put_byte(&a->fields, 0);
    a->fields.len--;
    return strstr((const char *)a->fields.data, text) != NULL;
}

static void many_streams_are_answered_on_one_connection(void **state)
{
    struct client *c = client_new(*state, 65535);

    for (int i = 0; i < 50; i++)
        submit(c, "GET", "/hello", false);
    run(c, 50);
    for (int32_t i = 0; i < 50; i++) {
        struct answer *a = answer_of(c, 2 * i + 1);

        assert_int_equal(a->status, 200);
        assert_int_equal(a->error, 0);
        assert_true(str_eq(buf_str(&a->body), STR("hello world\n")));
        assert_true(has_field(a,
                              "server=muster;date=Tue, 14 Nov 2023 22:13:20 GMT;"
                              "content-length=12;content-type=text/plain;"));
    }
    client_free(c);
}

static void trailers_travel_both_ways(void **state)
{
    struct client *c = client_new(*state, 65535);
    int32_t id;

    c->upload = "abc";
    c->upload_len = 3;
    c->with_trailers = true;
    id = submit(c, "POST", "/echo", true);
    run(c, 1);
    assert_true(str_eq(buf_str(&answer_of(c, id)->body), STR("abc")));
    assert_true(has_field(answer_of(c, id), "content-type=text/plain;x-t=v;"));
    client_free(c);
}

static void large_answers_pass_through_a_small_window(void **state)
{
    struct client *c = client_new(*state, 1000);
    int32_t one = submit(c, "GET", "/bytes?300000", false);
    int32_t two = submit(c, "GET", "/large?300000", false);

    run(c, 2);
    assert_int_equal(answer_of(c, one)->body.len, 300000);
    assert_int_equal(answer_of(c, two)->body.len, 300000);
    assert_true(has_field(answer_of(c, one), "count=all;"));
    client_free(c);
}

static void large_uploads_are_pulled_and_piped(void **state)
{
    static const char *const paths[] = {"/sink", "/pipe"};
    static const size_t lengths[] = {7, 2000000};
    char *body = calloc(1, 2000000);

    for (size_t i = 0; i < COUNTOF(paths); i++) {
        struct client *c = client_new(*state, 65535);
        int32_t id;

        c->upload = body;
        c->upload_len = 2000000;
        id = submit(c, "POST", paths[i], true);
        run(c, 1);
        assert_int_equal(answer_of(c, id)->status, 200);
        assert_int_equal(answer_of(c, id)->body.len, lengths[i]);
        client_free(c);
    }
    free(body);
}

static void body_over_the_limit_is_refused(void **state)
{
    struct client *c = client_new(*state, 65535);
    int32_t id;

    c->upload = "0123456789a";
    c->upload_len = 11;
    id = submit(c, "POST", "/small", true);
    run(c, 1);
    assert_int_equal(answer_of(c, id)->status, 413);
    client_free(c);
}

static void bad_heads_are_answered_and_the_connection_lives(void **state)
{
    struct client *c = client_new(*state, 65535);
    char *large = malloc(70001);
    int32_t fragment, big, asterisk, good;

    memset(large, 'a', 70000);
    large[0] = '/';
    large[70000] = '\0';
    fragment = submit(c, "GET", "/a#b", false);
    asterisk = submit(c, "OPTIONS", "*", false);
    large[40000] = '\0';
    big = submit(c, "GET", large, false);
    good = submit(c, "GET", "/hello", false);
    run(c, 4);
    assert_int_equal(answer_of(c, fragment)->status, 400);
    assert_int_equal(answer_of(c, asterisk)->status, 200);
    assert_int_equal(answer_of(c, big)->status, 414);
    assert_int_equal(answer_of(c, good)->status, 200);
    free(large);
    client_free(c);
}

static void header_list_over_the_limit_is_refused(void **state)
{
    struct client *c = client_new(*state, 65535);
    nghttp2_nv head[124] = {nv(":method", "GET"), nv(":scheme", "http"), nv(":authority", "a"),
                            nv(":path", "/")};
    int32_t id;

    for (size_t i = 4; i < COUNTOF(head); i++)
        head[i] = nv("x", "y");
    id = nghttp2_submit_request(c->session, NULL, head, COUNTOF(head), NULL, NULL);
    run(c, 1);
    assert_int_equal(answer_of(c, id)->status, 431);
    client_free(c);
}

static void reset_stream_is_told_to_the_service(void **state)
{
    struct test_server *s = *state;
    struct client *c = client_new(s, 65535);
    int32_t id = submit(c, "GET", "/hold", false);

    send_all(c);
    test_service_wait(s->service, TEST_HELD, 1);
    nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    send_all(c);
    test_service_wait(s->service, TEST_GONE, 1);
    assert_int_equal(test_service_count(s->service, TEST_SENT), 0);
    test_service_release(s->service);
    test_service_wait(s->service, TEST_SENT, 1);
    client_free(c);
}

static void late_answers_from_another_thread_arrive(void **state)
{
    struct test_server *s = *state;
    struct client *c = client_new(s, 65535);

    for (int i = 0; i < 3; i++)
        submit(c, "GET", "/hold", false);
    send_all(c);
    test_service_wait(s->service, TEST_HELD, 3);
    for (int i = 0; i < 3; i++)
        test_service_release(s->service);
    run(c, 3);
    for (int32_t i = 0; i < 3; i++)
        assert_true(str_eq(buf_str(&answer_of(c, 2 * i + 1)->body), STR("held\n")));
    client_free(c);
}

static void connection_lost_with_open_streams_leaks_nothing(void **state)
{
    struct test_server *s = *state;
    struct client *c = client_new(s, 1000);

    submit(c, "GET", "/hold", false);
    submit(c, "GET", "/bytes?100000", false);
    c->upload = "0123456789";
    c->upload_len = 10;
    send_all(c);
    test_service_wait(s->service, TEST_READY, 2);
    test_service_wait(s->service, TEST_HELD, 1);
    client_free(c);
    test_service_wait(s->service, TEST_SENT, 1);
    test_service_release(s->service);
    test_service_wait(s->service, TEST_SENT, 2);
}

static void stalled_stream_is_reset(void **state)
{
    struct test_server *s = *state;
    struct client *c = client_new(s, 0);
    int32_t id = submit(c, "GET", "/large?100", false);

    send_all(c);
    test_service_wait(s->service, TEST_READY, 1);
    while (test_server_counter(s, "muster_h2_glitches_total", "kind=\"stalls\"") == 0)
        test_server_advance(s, 1000);
    run(c, 1);
    assert_int_equal(answer_of(c, id)->error, NGHTTP2_CANCEL);
    client_free(c);
}

static void idle_connection_is_told_and_closed(void **state)
{
    struct test_server *s = *state;
    struct client *c = client_new(s, 65535);

    submit(c, "GET", "/hello", false);
    run(c, 1);
    test_server_advance(s, 121000);
    run(c, 2);
    assert_true(c->eof && c->went_away);
    assert_int_equal(c->away_error, NGHTTP2_NO_ERROR);
    client_free(c);
    test_server_await(s, CLOSED, "reason=\"idle\"", 1);
}

static void *drain(void *arg)
{
    struct test_server *s = arg;

    return httpd_drain(s->httpd, 60000) ? arg : NULL;
}

static void draining_finishes_streams_and_says_goaway(void **state)
{
    struct test_server *s = *state;
    struct client *c = client_new(s, 65535);
    pthread_t thread;
    void *in_time;
    int32_t id = submit(c, "GET", "/hold", false);

    send_all(c);
    test_service_wait(s->service, TEST_HELD, 1);
    pthread_create(&thread, NULL, drain, s);
    while (!c->went_away && !c->eof) {
        uint8_t bytes[4096];
        ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);

        assert_true(n > 0);
        assert_true(nghttp2_session_mem_recv(c->session, bytes, (size_t)n) >= 0);
        send_all(c);
    }
    test_service_release(s->service);
    run(c, 2);
    assert_true(c->eof);
    assert_int_equal(answer_of(c, id)->status, 200);
    assert_int_equal(c->away_error, NGHTTP2_NO_ERROR);
    client_free(c);
    pthread_join(thread, &in_time);
    assert_non_null(in_time);
}

/* --- floods, as raw frames --- */

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/* Sends the frame n times after a preface; the connection must end for the given reason. */
static void flood(struct test_server *s, const void *frame, size_t len, int n, const char *reason)
{
    int fd = test_server_connect(s);
    struct buf b, in;
    static const uint8_t calm[] = {0, 0, 0, NGHTTP2_ENHANCE_YOUR_CALM};

    buf_init(&in, (size_t)16 * 1024 * 1024);
    buf_put(&in, PREFACE "\0\0\0\4\0\0\0\0\0", 24 + 9);
    for (int i = 0; i < n; i++)
        buf_put(&in, frame, len);
    test_send_bytes(fd, in.data, in.len);
    b = test_receive(fd, NULL);
    assert_non_null(memmem(b.data, b.len, calm, sizeof(calm)));
    close(fd);
    test_server_await(s, CLOSED, reason, 1);
    buf_done(&in);
    buf_done(&b);
}

static void floods_end_the_connection_with_their_reason(void **state)
{
    struct test_server *s = *state;

    flood(s, "\0\0\10\6\0\0\0\0\0abcdefgh", 17, 1000, "reason=\"h2_pings\"");
    flood(s, "\0\0\0\4\0\0\0\0\0", 9, 1000, "reason=\"h2_settings\"");
    flood(s, "\0\0\5\2\0\0\0\0\3\0\0\0\1\1", 14, 3000, "reason=\"h2_priorities\"");
    flood(s, "\0\0\4\10\0\0\0\0\0\0\0\0\1", 13, 11000, "reason=\"h2_window_updates\"");
}

static void rapid_resets_end_the_connection(void **state)
{
    struct test_server *s = *state;
    int fd = test_server_connect(s);
    struct buf b, in;

    buf_init(&in, 1 << 20);
    buf_put(&in, PREFACE "\0\0\0\4\0\0\0\0\0", 24 + 9);
    for (uint32_t id = 1; id < 4000; id += 2) {
        /* GET http / a */
        uint8_t headers[] = {0,           0,    6,    1,    5,    0, 0,  (uint8_t)(id >> 8),
                             (uint8_t)id, 0x82, 0x86, 0x84, 0x41, 1, 'a'};
        uint8_t reset[] = {0, 0, 4, 3, 0, 0, 0, (uint8_t)(id >> 8), (uint8_t)id, 0, 0, 0, 8};

        buf_put(&in, headers, sizeof(headers));
        buf_put(&in, reset, sizeof(reset));
    }
    test_send_bytes(fd, in.data, in.len);
    b = test_receive(fd, NULL);
    close(fd);
    test_server_await(s, CLOSED, "reason=\"h2_resets\"", 1);
    buf_done(&in);
    buf_done(&b);
    assert_int_equal(test_service_count(s->service, TEST_SENT),
                     test_service_count(s->service, TEST_HEAD));
}

static void empty_data_frames_end_the_connection(void **state)
{
    struct test_server *s = *state;
    int fd = test_server_connect(s);
    struct buf b, in;

    buf_init(&in, 1 << 20);
    buf_put(&in, PREFACE "\0\0\0\4\0\0\0\0\0", 24 + 9);
    buf_put(&in, "\0\0\6\1\4\0\0\0\1\x83\x86\x84\x41\1a", 15); /* POST http / a */
    for (int i = 0; i < 1000; i++)
        buf_put(&in, "\0\0\0\0\0\0\0\0\1", 9);
    test_send_bytes(fd, in.data, in.len);
    b = test_receive(fd, NULL);
    close(fd);
    test_server_await(s, CLOSED, "reason=\"h2_empty_data\"", 1);
    buf_done(&in);
    buf_done(&b);
}

static void preface_may_come_in_pieces(void **state)
{
    int fd = test_server_connect(*state);
    struct buf b;

    for (size_t i = 0; i < 24; i++)
        test_send_bytes(fd, &PREFACE[i], 1);
    test_send_bytes(fd, "\0\0\0\4\0\0\0\0\0", 9);
    test_send_bytes(fd, "\0\0\6\1\5\0\0\0\1\x82\x86\x84\x41\1a", 15);
    b = test_receive(fd, "GET /? @a\n");
    assert_true(b.len > 20);
    buf_done(&b);
    close(fd);
}

static void preface_that_stalls_is_answered(void **state)
{
    struct test_server *s = *state;

    for (unsigned len = 1; len < 24; len++) {
        int fd = test_server_connect(s);
        uint64_t before = test_server_counter(s, "muster_net_received_bytes_total", "");

        test_send_bytes(fd, PREFACE, len);
        test_server_await(s, "muster_net_received_bytes_total", "", before + len);
        test_server_advance(s, 11000);

        struct buf b = test_receive(fd, NULL);

        /* A GOAWAY, or words that any client of HTTP/1.1 understands. */
        if (len >= 4)
            assert_true(b.len > 26 && b.data[3] == NGHTTP2_SETTINGS &&
                        b.data[12] == NGHTTP2_GOAWAY);
        else
            assert_true(test_has(&b, "HTTP/1.1 408 "));
        buf_done(&b);
        close(fd);
        test_server_await(s, "muster_connections_closed_total", "reason=\"header_timeout\"", len);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_streams_are_answered_on_one_connection),
        TEST(trailers_travel_both_ways),
        TEST(large_answers_pass_through_a_small_window),
        TEST(large_uploads_are_pulled_and_piped),
        TEST(body_over_the_limit_is_refused),
        TEST(bad_heads_are_answered_and_the_connection_lives),
        TEST(header_list_over_the_limit_is_refused),
        TEST(reset_stream_is_told_to_the_service),
        TEST(late_answers_from_another_thread_arrive),
        TEST(connection_lost_with_open_streams_leaks_nothing),
        TEST(stalled_stream_is_reset),
        TEST(idle_connection_is_told_and_closed),
        TEST(draining_finishes_streams_and_says_goaway),
        TEST(floods_end_the_connection_with_their_reason),
        TEST(rapid_resets_end_the_connection),
        TEST(empty_data_frames_end_the_connection),
        TEST(preface_may_come_in_pieces),
        TEST(preface_that_stalls_is_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
