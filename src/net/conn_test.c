/* SPDX-License-Identifier: Apache-2.0 */
/* Connections over real sockets when more is waiting than one event tells of: sockets that are read
 * in part, ends and failures behind bytes nobody wants yet, clients that read slowly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/test_server.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define CLOSED    "muster_connections_closed_total"
#define MANY      5000 /* of GET("/hello"): more than is read at once */

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

static size_t occurrences(struct buf b, const char *text)
{
    size_t n = 0;

    for (const char *at = b.len > 0 ? (const char *)b.data : ""; (at = strstr(at, text)); at++)
        n++;
    return n;
}

/* MANY requests for /hello at once; the caller frees. */
static struct buf many_requests(void)
{
    struct buf b;

    buf_init(&b, (size_t)1024 * 1024);
    for (int i = 0; i < MANY; i++)
        buf_put_str(&b, STR(GET("/hello")));
    return b;
}

/* Behind a request whose answer is not there yet: /hold, then more than the server reads. */
static int connect_and_crowd(struct test_server *s)
{
    int fd = test_server_connect(s);
    struct buf b = many_requests();

    test_send(fd, GET("/hold"));
    test_service_wait(s->service, TEST_HELD, 1);
    test_send_bytes(fd, b.data, b.len);
    buf_done(&b);
    return fd;
}

static void requests_that_came_during_an_answer_are_served_after_it(void **state)
{
    struct test_server *s = *state;
    int fd = connect_and_crowd(s);

    test_service_release(s->service);
    shutdown(fd, SHUT_WR);

    struct buf b = test_receive(fd, NULL);

    assert_int_equal(occurrences(b, "held\n"), 1);
    assert_int_equal(occurrences(b, "hello world\n"), MANY);
    buf_done(&b);
    close(fd);
}

static void end_that_came_during_an_answer_is_seen_after_it(void **state)
{
    struct test_server *s = *state;
    int fd = connect_and_crowd(s);

    shutdown(fd, SHUT_WR);
    test_service_release(s->service);

    struct buf b = test_receive(fd, NULL);

    assert_int_equal(occurrences(b, "hello world\n"), MANY);
    buf_done(&b);
    close(fd);
    test_server_await(s, CLOSED, "reason=\"client\"", 1);
}

static void end_right_behind_a_request_is_seen(void **state)
{
    struct test_server *s = *state;

    for (unsigned i = 1; i <= 50; i++) {
        int fd = test_server_connect(s);

        test_send(fd, GET("/hello"));
        shutdown(fd, SHUT_WR);

        struct buf b = test_receive(fd, NULL); /* comes back only when the server closes */

        assert_int_equal(occurrences(b, "hello world\n"), 1);
        buf_done(&b);
        close(fd);
        test_server_await(s, CLOSED, "reason=\"client\"", i);
    }
}

static void reset_that_came_during_an_answer_ends_it(void **state)
{
    struct test_server *s = *state;
    int fd = connect_and_crowd(s);
    const struct linger reset = {.l_onoff = 1};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
    test_service_wait(s->service, TEST_GONE, 1);
    test_service_release(s->service);
    test_service_wait(s->service, TEST_SENT, 1);
}

static void upload_of_many_reads_arrives_whole(void **state)
{
    struct test_server *s = *state;
    int fd = test_server_connect(s);
    const size_t total = (size_t)8 * 1024 * 1024;
    char *body = malloc(total);

    memset(body, 'x', total);
    for (int i = 0; i < 3; i++) {
        test_send(fd, "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n");
        test_send_bytes(fd, body, total);

        struct buf b = test_receive(fd, "8388608");

        assert_int_equal(occurrences(b, "HTTP/1.1 200"), 1);
        buf_done(&b);
    }
    free(body);
    close(fd);
}

/* Sends as far as the socket takes it; true once all is sent. */
static bool send_on(int fd, const char *data, size_t len, size_t *sent)
{
    while (*sent < len) {
        ssize_t n = send(fd, data + *sent, len - *sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        *sent += (size_t)n;
    }
    return true;
}

static void both_directions_stream_more_than_the_sockets_hold(void **state)
{
    struct test_server *s = *state;
    int fd = test_server_connect(s);
    const size_t total = (size_t)16 * 1024 * 1024;
    char *body = malloc(total), back[65536];
    size_t sent = 0, got = 0;

    memset(body, 'y', total);
    test_send(fd, "POST /pipe HTTP/1.1\r\nHost: a\r\nContent-Length: 16777216\r\n\r\n");
    buf_done(&(struct buf[]){test_receive(fd, "\r\n\r\n")}[0]);
    while (got < total) {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        if (!send_on(fd, body, total, &sent))
            p.events |= POLLOUT;
        assert_true(poll(&p, 1, 30000) > 0);

        ssize_t n = recv(fd, back, sizeof(back), MSG_DONTWAIT);

        for (ssize_t i = 0; i < n; i++)
            got += back[i] == 'y';
        assert_true(n != 0);
    }
    assert_int_equal(got, total);
    free(body);
    close(fd);
}

static void slow_reader_gets_all(void **state)
{
    struct test_server *s = *state;
    int fd = test_server_connect(s);
    const int small = 65536;
    char back[1024];
    size_t got = 0;
    ssize_t n;

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    test_send(fd, "GET /large?3000000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    while ((n = recv(fd, back, sizeof(back), 0)) > 0)
        got += (size_t)n;
    assert_true(got > 3000000 && got < 3000500); /* with the head */
    close(fd);
}

static void answers_for_a_client_that_does_not_read_wait(void **state)
{
    struct test_server *s = *state;
    int fd = test_server_connect(s);
    struct buf requests = many_requests();

    for (int i = 0; i < 3; i++) {
        size_t sent = 0;
        struct buf b;

        /* The first part is sent while nothing is read at all. */
        IGNORE(send_on(fd, (const char *)requests.data, requests.len, &sent));
        buf_init(&b, (size_t)16 * 1024 * 1024);
        while (occurrences(b, "hello world\n") < MANY) {
            struct pollfd p = {.fd = fd, .events = POLLIN};
            uint8_t bytes[65536];

            if (!send_on(fd, (const char *)requests.data, requests.len, &sent))
                p.events |= POLLOUT;
            assert_true(poll(&p, 1, 30000) > 0);

            ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

            assert_true(n != 0);
            if (n > 0)
                buf_put(&b, bytes, (size_t)n);
            buf_put_byte(&b, 0);
            b.len--;
        }
        buf_done(&b);
    }
    buf_done(&requests);
    close(fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(requests_that_came_during_an_answer_are_served_after_it),
        TEST(end_that_came_during_an_answer_is_seen_after_it),
        TEST(end_right_behind_a_request_is_seen),
        TEST(reset_that_came_during_an_answer_ends_it),
        TEST(upload_of_many_reads_arrives_whole),
        TEST(both_directions_stream_more_than_the_sockets_hold),
        TEST(slow_reader_gets_all),
        TEST(answers_for_a_client_that_does_not_read_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
