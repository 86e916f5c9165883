/* SPDX-License-Identifier: Apache-2.0 */
/* The server over real sockets, HTTP/1.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/test_server.h"

#define GET(path)    "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define CLOSED       "muster_connections_closed_total"
#define RECEIVED     "muster_net_received_bytes_total"
#define HELLO_END    "hello world\n"
#define CONTENT_OF_3 "Content-Length: 3\r\n\r\n"

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

/* One request on a connection of its own, all that comes back. */
static struct buf ask_alone(struct test_server *s, const char *text)
{
    int fd = test_server_connect(s);

    test_send(fd, text);
    shutdown(fd, SHUT_WR);

    struct buf b = test_receive(fd, NULL);

    close(fd);
    return b;
}

static void expect_in(struct buf b, const char *text)
{
    if (!test_has(&b, text))
        fail_msg("'%s' is not in '%.*s'", text, STR_ARG(buf_str(&b)));
    buf_done(&b);
}

static void connection_serves_one_request_after_the_other(void **state)
{
    int fd = test_server_connect(*state);

    for (int i = 0; i < 3; i++) {
        struct buf b = test_ask(fd, GET("/hello"), HELLO_END);

        assert_true(test_has(&b, "HTTP/1.1 200 OK\r\nServer: muster\r\nDate: "));
        assert_true(test_has(&b, "Tue, 14 Nov 2023 22:13:20 GMT\r\n"));
        expect_in(b, "Content-Length: 12\r\n\r\nhello world\n");
    }
    close(fd);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct test_server *s = *state;
    int fd = test_server_connect(s);

    test_send(fd, GET("/1") GET("/hold") GET("/hello") GET("/2"));
    expect_in(test_receive(fd, "GET /1? @a\n"), "200");
    test_service_wait(s->service, TEST_HELD, 1);
    test_service_release(s->service);
    expect_in(test_receive(fd, "held\n"), "200");
    expect_in(test_receive(fd, HELLO_END), "200");
    expect_in(test_receive(fd, "GET /2? @a\n"), "200");
    close(fd);
}

static void head_has_the_length_and_no_body(void **state)
{
    int fd = test_server_connect(*state);
    struct buf b = test_ask(fd, "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n");

    expect_in(b, "Content-Length: 12\r\n");
    expect_in(test_ask(fd, GET("/x"), "GET /x? @a\n"), "HTTP/1.1 200 OK");
    close(fd);
}

static void chunked_body_and_trailers_come_back(void **state)
{
    struct buf b = ask_alone(*state,
                             "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked"
                             "\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nX-T: v\r\n\r\n");

    assert_true(test_has(&b, "Transfer-Encoding: chunked\r\n"));
    expect_in(b, "\r\n\r\n5\r\nabcde\r\n0\r\nx-t: v\r\n\r\n");
}

static void source_of_unknown_length_is_chunked(void **state)
{
    struct buf b = ask_alone(*state, GET("/bytes?20"));

    expect_in(b, "\r\n\r\n14\r\nxxxxxxxxxxxxxxxxxxxx\r\n0\r\ncount: all\r\n\r\n");
}

static void version_1_0_gets_unknown_length_by_the_end_of_the_connection(void **state)
{
    int fd = test_server_connect(*state);
    struct buf b = test_ask(fd, "GET /bytes?5 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", NULL);

    assert_true(test_has(&b, "Connection: close\r\n"));
    assert_false(test_has(&b, "chunked"));
    expect_in(b, "\r\n\r\nxxxxx");
    close(fd);
}

static void large_bodies_arrive_whole(void **state)
{
    static const char *const paths[] = {GET("/large?5000000"), GET("/sized?5000000")};

    for (size_t i = 0; i < COUNTOF(paths); i++) {
        struct buf b = ask_alone(*state, paths[i]);
        const char *body = strstr((const char *)b.data, "\r\n\r\n");

        assert_non_null(body);
        assert_int_equal(b.len - (size_t)(body + 4 - (const char *)b.data), 5000000);
        expect_in(b, "Content-Length: 5000000\r\n");
    }
}

static void continue_is_sent_when_the_body_is_wanted(void **state)
{
    int fd = test_server_connect(*state);
    struct buf b = test_ask(
        fd, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" CONTENT_OF_3, "\r\n\r\n");

    expect_in(b, "HTTP/1.1 100 Continue\r\n\r\n");
    expect_in(test_ask(fd, "abc", "\r\n\r\nabc"), "HTTP/1.1 200 OK");
    close(fd);
}

static void continue_is_not_sent_when_the_answer_is_known(void **state)
{
    int fd = test_server_connect(*state);
    struct buf b = test_ask(
        fd, "POST /missing HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" CONTENT_OF_3, NULL);

    assert_false(test_has(&b, "100 Continue"));
    assert_true(test_has(&b, "Connection: close"));
    expect_in(b, "HTTP/1.1 404");
    close(fd);
}

static void refused_requests_are_answered_and_end_the_connection(void **state)
{
    static const struct {
        const char *in;
        const char *want;
    } rows[] = {
        {"GET /\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
        {"\x16\x03\x01\x02\x00\x01", "HTTP/1.1 400 Bad Request\r\n"},
        {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
        {"GET / HTTP/1.1\nHost: a\n\n", "HTTP/1.1 400 Bad Request\r\n"},
        {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", "HTTP/1.1 505 HTTP Version Not Supported\r\n"},
        {"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "HTTP/1.1 505 "},
        {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 421 Misdirected Request\r\n"},
        {"GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", "HTTP/1.1 417 "},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 501 "},
        {"GET /shaped HTTP/1.1\r\n\r\n", "shaped: there is no Host\n"},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
         "HTTP/1.1 400 Bad Request\r\n"},
    };

    for (size_t i = 0; i < COUNTOF(rows); i++) {
        int fd = test_server_connect(*state);

        test_send(fd, rows[i].in);
        test_send(fd, GET("/hello"));

        struct buf b = test_receive(fd, NULL);

        assert_true(test_has(&b, "Connection: close\r\n"));
        assert_false(test_has(&b, "hello"));
        expect_in(b, rows[i].want);
        close(fd);
    }
}

static void smuggled_request_is_never_served(void **state)
{
    struct test_server *s = *state;
    struct buf b = ask_alone(s,
                             "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n"
                             "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GET("/hello"));

    assert_false(test_has(&b, "hello"));
    expect_in(b, "HTTP/1.1 400 ");
    assert_int_equal(test_service_count(s->service, TEST_HEAD), 0);
}

static void head_over_the_limits_is_refused(void **state)
{
    struct buf head;
    char line[64];

    buf_init(&head, 1 << 20);
    buf_printf(&head, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 120; i++) {
        snprintf(line, sizeof(line), "X-%d: y\r\n", i);
        buf_put(&head, line, strlen(line));
    }
    buf_put(&head, "\r\n", 3);
    expect_in(ask_alone(*state, (const char *)head.data), "HTTP/1.1 431 ");

    buf_clear(&head);
    buf_printf(&head, "GET /");
    for (int i = 0; i < 40000; i++)
        buf_put_byte(&head, 'a');
    buf_put_byte(&head, 0);
    expect_in(ask_alone(*state, (const char *)head.data), "HTTP/1.1 414 ");
    buf_done(&head);
}

static void body_over_the_limit_is_refused(void **state)
{
    struct buf b;

    expect_in(ask_alone(*state,
                        "POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
                        "0123456789"),
              "\r\n\r\n0123456789");
    expect_in(ask_alone(*state,
                        "POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n"
                        "0123456789a" GET("/hello")),
              "hello world");
    b = ask_alone(*state,
                  "POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "6\r\n012345\r\n6\r\n012345\r\n0\r\n\r\n" GET("/hello"));
    assert_true(test_has(&b, "hello world"));
    expect_in(b, "HTTP/1.1 413 ");
}

static void refusal_reaches_a_client_that_is_still_sending(void **state)
{
    int fd = test_server_connect(*state);
    char *body = calloc(1, 700000);

    test_send(fd, "POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 700000\r\n\r\n");
    test_send_bytes(fd, body, 700000);

    struct buf b = test_receive(fd, "large\n");

    assert_true(test_has(&b, "Connection: close"));
    expect_in(b, "HTTP/1.1 413 ");
    free(body);
    close(fd);
}

static void streamed_body_is_pulled(void **state)
{
    int fd = test_server_connect(*state);
    char *body = calloc(1, 3000000);

    test_send(fd, "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n");
    test_send_bytes(fd, body, 3000000);
    expect_in(test_receive(fd, "\r\n\r\n3000000"), "HTTP/1.1 200");
    free(body);
    close(fd);
}

static void request_and_answer_may_stream_at_the_same_time(void **state)
{
    int fd = test_server_connect(*state);

    test_send(fd, "POST /pipe HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    expect_in(test_receive(fd, "\r\n\r\n"), "HTTP/1.1 200");
    for (int i = 0; i < 5; i++)
        expect_in(test_ask(fd, "4\r\nping\r\n", "\r\nping\r\n"), "4\r\nping");
    expect_in(test_ask(fd, "0\r\n\r\n", "0\r\n\r\n"), "0\r\n\r\n");
    expect_in(test_ask(fd, GET("/hello"), HELLO_END), "200");
    close(fd);
}

static void answer_for_a_client_that_left_is_dropped(void **state)
{
    struct test_server *s = *state;
    int fd = test_server_connect(s);
    const struct linger reset = {.l_onoff = 1};

    test_send(fd, GET("/hold"));
    test_service_wait(s->service, TEST_HELD, 1);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
    test_service_wait(s->service, TEST_GONE, 1);
    assert_int_equal(test_service_count(s->service, TEST_SENT), 0);
    test_service_release(s->service);
    test_service_wait(s->service, TEST_SENT, 1);
}

static void half_closed_client_still_gets_its_answer(void **state)
{
    struct test_server *s = *state;
    int fd = test_server_connect(s);

    test_send(fd, GET("/hold"));
    shutdown(fd, SHUT_WR);
    test_service_wait(s->service, TEST_HELD, 1);
    test_service_release(s->service);
    expect_in(test_receive(fd, NULL), "held\n");
    close(fd);
}

static void client_that_leaves_in_the_middle_of_a_body_ends_the_exchange(void **state)
{
    struct test_server *s = *state;
    int fd = test_server_connect(s);

    test_send(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    test_service_wait(s->service, TEST_HEAD, 1);
    close(fd);
    test_service_wait(s->service, TEST_SENT, 1);
    assert_int_equal(test_service_count(s->service, TEST_GONE), 1);
    assert_int_equal(test_service_count(s->service, TEST_READY), 0);
}

static void broken_source_is_not_taken_for_the_whole(void **state)
{
    struct buf b = ask_alone(*state, GET("/broken?3"));

    assert_false(test_has(&b, "0\r\n\r\n"));
    buf_done(&b);
    test_service_wait(((struct test_server *)*state)->service, TEST_SENT, 1);
}

static void fields_of_the_service_cannot_split_the_answer(void **state)
{
    struct buf b = ask_alone(*state, GET("/evil"));

    assert_false(test_has(&b, "injected"));
    assert_false(test_has(&b, "chunked"));
    assert_false(test_has(&b, "bad name"));
    assert_true(test_has(&b, "x-good: d\r\n"));
    expect_in(b, "Content-Length: 5\r\n");
}

static void service_can_end_the_connection(void **state)
{
    int fd = test_server_connect(*state);
    struct buf b = test_ask(fd, GET("/close"), NULL);

    assert_true(test_has(&b, "Connection: close\r\n"));
    expect_in(b, "bye\n");
    close(fd);
}

static void status_204_has_neither_body_nor_length(void **state)
{
    struct buf b = ask_alone(*state, GET("/none"));

    assert_false(test_has(&b, "Content-Length"));
    expect_in(b, "HTTP/1.1 204 No Content\r\n");
}

/* --- time --- */

static void slow_head_is_answered_with_408(void **state)
{
    struct test_server *s = *state;
    int fd = test_server_connect(s);
    const char *part = "GET / HTTP/1.1\r\nHo";

    test_send(fd, part);
    test_server_await(s, RECEIVED, "", strlen(part));
    test_server_advance(s, 9000);
    test_server_advance(s, 1100);
    expect_in(test_receive(fd, NULL), "HTTP/1.1 408 ");
    close(fd);
    test_server_await(s, CLOSED, "reason=\"header_timeout\"", 1);
}

static void slow_body_is_answered_with_408(void **state)
{
    struct test_server *s = *state;
    int fd = test_server_connect(s);

    test_send(fd, "POST /echo HTTP/1.1\r\nHost: a\r\n" CONTENT_OF_3 "ab");
    test_service_wait(s->service, TEST_HEAD, 1);
    test_server_advance(s, 31000);
    expect_in(test_receive(fd, NULL), "HTTP/1.1 408 ");
    close(fd);
    test_server_await(s, CLOSED, "reason=\"body_timeout\"", 1);
}

static void idle_connection_is_closed_in_silence(void **state)
{
    struct test_server *s = *state;
    int fd = test_server_connect(s);

    expect_in(test_ask(fd, GET("/hello"), HELLO_END), "200");
    test_server_advance(s, 119000);
    expect_in(test_ask(fd, GET("/hello"), HELLO_END), "200");
    test_server_advance(s, 121000);

    struct buf b = test_receive(fd, NULL);

    assert_int_equal(b.len, 0);
    buf_done(&b);
    test_server_await(s, CLOSED, "reason=\"idle\"", 1);
    close(fd);
}

static void request_that_is_being_worked_on_has_no_deadline(void **state)
{
    struct test_server *s = *state;
    int fd = test_server_connect(s);

    test_send(fd, GET("/hold"));
    test_service_wait(s->service, TEST_HELD, 1);
    test_server_advance(s, 1000000);
    test_service_release(s->service);
    expect_in(test_receive(fd, "held\n"), "200");
    close(fd);
}

static void client_that_does_not_read_is_closed(void **state)
{
    struct test_server *s = *state;
    int fd = test_server_connect(s);

    test_send(fd, GET("/sized?900000000"));
    while (test_server_counter(s, CLOSED, "reason=\"write_timeout\"") == 0)
        test_server_advance(s, 1000);
    test_service_wait(s->service, TEST_SENT, 1);
    close(fd);
}

/* --- the server as a whole --- */

static void connections_above_the_limit_are_closed_at_once(void **state)
{
    struct test_server s;
    struct http_limits limits;

    (void)state;
    http_limits_default(&limits);
    limits.connections = 1;
    test_server_start(&s, &limits, NULL, NULL);

    int first = test_server_connect(&s);

    expect_in(test_ask(first, GET("/hello"), HELLO_END), "200");

    int second = test_server_connect(&s);
    struct buf b = test_receive(second, NULL);

    assert_int_equal(b.len, 0);
    buf_done(&b);
    expect_in(test_ask(first, GET("/hello"), HELLO_END), "200");
    close(first);
    close(second);
    test_server_stop(&s);
}

static void changed_limits_hold_for_the_next_request(void **state)
{
    struct test_server *s = *state;
    struct http_limits limits;

    http_limits_default(&limits);
    limits.header_count = 1;
    httpd_set_limits(s->httpd, &limits);
    expect_in(ask_alone(s, "GET / HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n"), "HTTP/1.1 431 ");
}

static void *drain(void *arg)
{
    struct test_server *s = arg;

    return httpd_drain(s->httpd, 60000) ? arg : NULL;
}

static void draining_lets_open_requests_finish(void **state)
{
    struct test_server *s = *state;
    int busy = test_server_connect(s), idle = test_server_connect(s);
    pthread_t thread;
    void *in_time;

    expect_in(test_ask(idle, GET("/hello"), HELLO_END), "200");
    test_send(busy, GET("/hold"));
    test_service_wait(s->service, TEST_HELD, 1);
    pthread_create(&thread, NULL, drain, s);

    struct buf b = test_receive(idle, NULL);

    assert_int_equal(b.len, 0);
    buf_done(&b);
    test_service_release(s->service);
    b = test_receive(busy, NULL);
    assert_true(test_has(&b, "Connection: close\r\n"));
    expect_in(b, "held\n");
    pthread_join(thread, &in_time);
    assert_non_null(in_time);
    close(busy);
    close(idle);
}

static void draining_cuts_what_takes_too_long(void **state)
{
    struct test_server *s = *state;
    int fd = test_server_connect(s);

    test_send(fd, GET("/hold"));
    test_service_wait(s->service, TEST_HELD, 1);
    assert_false(httpd_drain(s->httpd, 0));

    struct buf b = test_receive(fd, NULL);

    assert_int_equal(b.len, 0);
    buf_done(&b);
    test_service_release(s->service);
    test_service_wait(s->service, TEST_SENT, 1);
    close(fd);
}

static void unix_socket_is_private_and_marks_its_peer(void **state)
{
    struct test_server s;
    char path[] = "/tmp/muster-test-XXXXXX";
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct stat st;
    char listener[160];

    (void)state;
    assert_non_null(mkdtemp(path));
    snprintf(un.sun_path, sizeof(un.sun_path), "%s/s", path);
    snprintf(listener, sizeof(listener), "unix:%s", un.sun_path);
    test_server_start(&s, NULL, listener, NULL);
    assert_int_equal(stat(un.sun_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    expect_in(test_ask(fd, GET("/peer"), "version=11"), "unix tls=0 admin=1");
    close(fd);
    test_server_stop(&s);
    assert_int_equal(stat(un.sun_path, &st), -1);
    rmdir(path);
}

static void unusable_listeners_are_named(void **state)
{
    static const char *const bad[] = {"8080",     "127.0.0.1", "127.0.0.1:x",
                                      "1.2.3:80", "[::1:80",   "127.0.0.1:65536",
                                      "unix:",    "host:80",   "tls://[::1]:1"};
    struct test_server *s = *state;

    for (size_t i = 0; i < COUNTOF(bad); i++) {
        struct httpd_config config = {
            .service = test_service_http(s->service),
            .clock = s->clock,
            .log = &s->log,
            .metrics = s->metrics,
            .listeners = &bad[i],
            .listener_count = 1,
        };
        struct httpd *h = NULL;
        struct fail f;

        assert_int_equal(httpd_new(&config, &h, &f), -1);
        assert_non_null(strstr(f.message, bad[i]));
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connection_serves_one_request_after_the_other),
        TEST(pipelined_requests_are_answered_in_order),
        TEST(head_has_the_length_and_no_body),
        TEST(chunked_body_and_trailers_come_back),
        TEST(source_of_unknown_length_is_chunked),
        TEST(version_1_0_gets_unknown_length_by_the_end_of_the_connection),
        TEST(large_bodies_arrive_whole),
        TEST(continue_is_sent_when_the_body_is_wanted),
        TEST(continue_is_not_sent_when_the_answer_is_known),
        TEST(refused_requests_are_answered_and_end_the_connection),
        TEST(smuggled_request_is_never_served),
        TEST(head_over_the_limits_is_refused),
        TEST(body_over_the_limit_is_refused),
        TEST(refusal_reaches_a_client_that_is_still_sending),
        TEST(streamed_body_is_pulled),
        TEST(request_and_answer_may_stream_at_the_same_time),
        TEST(answer_for_a_client_that_left_is_dropped),
        TEST(half_closed_client_still_gets_its_answer),
        TEST(client_that_leaves_in_the_middle_of_a_body_ends_the_exchange),
        TEST(broken_source_is_not_taken_for_the_whole),
        TEST(fields_of_the_service_cannot_split_the_answer),
        TEST(service_can_end_the_connection),
        TEST(status_204_has_neither_body_nor_length),
        TEST(slow_head_is_answered_with_408),
        TEST(slow_body_is_answered_with_408),
        TEST(idle_connection_is_closed_in_silence),
        TEST(request_that_is_being_worked_on_has_no_deadline),
        TEST(client_that_does_not_read_is_closed),
        cmocka_unit_test(connections_above_the_limit_are_closed_at_once),
        TEST(changed_limits_hold_for_the_next_request),
        TEST(draining_lets_open_requests_finish),
        TEST(draining_cuts_what_takes_too_long),
        cmocka_unit_test(unix_socket_is_private_and_marks_its_peer),
        TEST(unusable_listeners_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
