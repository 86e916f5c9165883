/* SPDX-License-Identifier: Apache-2.0 */
/* A small service for tests and fuzzing of the server; no part of the product. What it answers:
 *
 *   GET  /hello          twelve bytes, from head()
 *   POST /echo           the body, and the request's trailers as trailers
 *   POST /small          the body, of at most 10 bytes
 *   POST /pipe           the body while it comes, both ways at once
 *   POST /sink           the number of body bytes, pulled as a stream
 *   GET  /bytes?N        N bytes from a source of unknown length, then trailer "count"
 *   GET  /sized?N        N bytes from a source of known length
 *   GET  /large?N        N bytes as a plain body
 *   GET  /hold           held until test_service_release(), answered through http_post()
 *   GET  /broken         a source that breaks in the middle
 *   GET  /close          an answer that ends the connection
 *   GET  /none           204
 *   GET  /peer           who is asking
 *   GET  /evil           fields that must not get through
 *
 * Events are counted, and a test may wait for a count. */
#ifndef NET_TEST_SERVICE_H
#define NET_TEST_SERVICE_H

#include "net/http.h"

struct test_service;

enum test_event {
    TEST_HEAD,
    TEST_READY,
    TEST_REFUSE,
    TEST_GONE,
    TEST_SENT,
    TEST_HELD,
};

#define TEST_EVENT_COUNT 6

struct test_service *test_service_new(void);
void test_service_free(struct test_service **s);
const struct http_service *test_service_http(struct test_service *s);

/* Any thread. */
unsigned test_service_count(struct test_service *s, enum test_event e);
void test_service_wait(struct test_service *s, enum test_event e, unsigned count);

/* Lets the oldest held request be answered, from the calling thread. */
void test_service_release(struct test_service *s);

/* How often that was. */
unsigned test_service_released(struct test_service *s);

#endif
