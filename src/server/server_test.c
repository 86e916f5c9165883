/* SPDX-License-Identifier: Apache-2.0 */
/* A whole server in this process, on a free port and a directory of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder_fixture.h"
#include "codec/json.h"
#include "server/server.h"

struct home {
    char dir[64];
    struct arena *arena;
    struct clock *clock;
    struct logger *logger;
    struct log log;
    struct server_host host;
    struct config *config;
    struct server *server;
};

static int set_up(void **state)
{
    struct home *h = test_calloc(1, sizeof(*h));

    snprintf(h->dir, sizeof(h->dir), "/tmp/muster-server-XXXXXX");
    if (!mkdtemp(h->dir))
        return -1;
    h->arena = arena_new(4096);
    h->clock = clock_new_real();
    h->logger = logger_new(STDERR_FILENO, LOGFORMAT_LOGFMT, LOGLEVEL_OFF, h->clock);
    h->log = (struct log){.out = h->logger};
    h->host = (struct server_host){h->clock, h->logger, &h->log};
    *state = h;
    return 0;
}

static int tear_down(void **state)
{
    struct home *h = *state;

    server_free(&h->server);
    config_free(&h->config);
    folder_remove(h->dir);
    logger_free(&h->logger);
    clock_free(&h->clock);
    arena_free(&h->arena);
    test_free(h);
    return 0;
}

static struct config *load(struct home *h, const char *more)
{
    struct config_problems p;
    struct str text = arena_printf(h->arena, "data = %s\n%s", h->dir, more);

    config_problems_init(&p);

    struct config *c = config_load_text(NULL, NULL, "t", text, &p);

    if (!c)
        fail_msg("%.*s", STR_ARG(buf_str(&p.text)));
    config_problems_done(&p);
    return c;
}

#define ANY_PORT "listen = 127.0.0.1:0\nloops = 1\nworkers = 1\n"

static enum exit_code start(struct home *h, struct fail *f)
{
    *f = (struct fail){0};
    h->config = load(h, ANY_PORT);
    return server_start(&h->host, h->config, &h->server, f);
}

static const char *path_of(struct home *h, const char *name)
{
    return arena_cstr(h->arena, arena_printf(h->arena, "%s/%s", h->dir, name));
}

static mode_t mode_of(struct home *h, const char *name)
{
    struct stat st;

    return stat(path_of(h, name), &st) == 0 ? st.st_mode & 07777 : 0;
}

/* The first URL of endpoints.json. */
static struct str url(struct home *h)
{
    char text[4096];
    int fd = open(path_of(h, SERVER_ENDPOINTS_FILE), O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof(text));
    struct json_value *root;
    struct fail f;

    assert_true(n > 0);
    close(fd);
    assert_int_equal(
        json_parse(h->arena, arena_str(h->arena, str_make(text, (size_t)n)), NULL, &root, &f), 0);
    return json_find(root, STR("urls"))->first->text;
}

static void a_start_tells_where_it_listens_until_it_ends(void **state)
{
    struct home *h = *state;
    struct fail f;

    assert_int_equal(start(h, &f), EXIT_CODE_OK);
    assert_true(str_starts_with(url(h), STR("http://127.0.0.1:")));
    assert_false(str_ends_with(url(h), STR(":0")));
    assert_int_equal(mode_of(h, SERVER_ENDPOINTS_FILE), 0600);
    assert_int_equal(mode_of(h, SERVER_ADMIN_SOCKET), 0600);
    assert_int_equal(mode_of(h, "first-credentials.json"), 0600);
    assert_true(server_drain(h->server));
    server_free(&h->server);
    assert_int_equal(mode_of(h, SERVER_ENDPOINTS_FILE), 0);
    assert_int_equal(mode_of(h, SERVER_ADMIN_SOCKET), 0);
    assert_int_equal(mode_of(h, "first-credentials.json"), 0600);
}

static void a_second_server_on_the_same_data_is_refused(void **state)
{
    struct home *h = *state;
    struct server *second = NULL;
    struct fail f;

    assert_int_equal(start(h, &f), EXIT_CODE_OK);
    assert_int_equal(server_start(&h->host, h->config, &second, &f), EXIT_CODE_LOCKED);
    assert_null(second);
    assert_int_equal(mode_of(h, SERVER_ENDPOINTS_FILE), 0600);
    assert_int_equal(mode_of(h, SERVER_ADMIN_SOCKET), 0600);
}

static void a_port_in_use_is_refused_and_everything_given_back(void **state)
{
    struct home *h = *state, *other = NULL;
    struct fail f;

    assert_int_equal(start(h, &f), EXIT_CODE_OK);
    assert_int_equal(set_up((void **)&other), 0);
    assert_non_null(other);

    struct str address = str_skip(url(h), sizeof("http://") - 1);
    struct str text =
        arena_printf(h->arena, "listen = %.*s\nloops = 1\nworkers = 1\n", STR_ARG(address));

    other->config = load(other, arena_cstr(h->arena, text));
    assert_int_equal(server_start(&other->host, other->config, &other->server, &f),
                     EXIT_CODE_LISTEN);
    assert_non_null(strstr(f.message, arena_cstr(h->arena, address)));
    assert_int_equal(mode_of(other, SERVER_ENDPOINTS_FILE), 0);

    /* The lock went with it. */
    config_free(&other->config);
    assert_int_equal(start(other, &f), EXIT_CODE_OK);
    assert_int_equal(tear_down((void **)&other), 0);
}

static void a_damaged_file_is_refused_and_left_alone(void **state)
{
    struct home *h = *state;
    char noise[8192], after[8192];
    int fd = open(path_of(h, "muster.db"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct fail f;

    memset(noise, 'x', sizeof(noise));
    assert_int_equal(write(fd, noise, sizeof(noise)), sizeof(noise));
    assert_int_equal(start(h, &f), EXIT_CODE_CORRUPT);
    assert_int_equal(pread(fd, after, sizeof(after), 0), sizeof(after));
    assert_memory_equal(noise, after, sizeof(noise));
    close(fd);
}

static void a_directory_that_cannot_be_made_is_not_writable(void **state)
{
    struct home *h = *state;
    struct config_problems p;
    struct fail f;

    config_problems_init(&p);
    h->config = config_load_text(NULL, NULL, "t", STR("data = /proc/none\n" ANY_PORT), &p);
    config_problems_done(&p);
    assert_non_null(h->config);
    assert_int_equal(server_start(&h->host, h->config, &h->server, &f), EXIT_CODE_NOT_WRITABLE);
}

static void a_missing_certificate_stops_the_start_before_the_data_is_touched(void **state)
{
    struct home *h = *state;
    struct fail f;

    h->config = load(h, ANY_PORT "tls.cert = /nonexistent/c\ntls.key = /nonexistent/k\n");
    assert_int_equal(server_start(&h->host, h->config, &h->server, &f), EXIT_CODE_USAGE);
    assert_int_equal(mode_of(h, "muster.db"), 0);
}

static void a_reload_that_fails_changes_nothing(void **state)
{
    struct home *h = *state;
    struct fail f;

    assert_int_equal(start(h, &f), EXIT_CODE_OK);

    struct config *bad = load(h, ANY_PORT
                              "log.level = debug\ntls.cert = /nonexistent/c\n"
                              "tls.key = /nonexistent/k\n");

    assert_int_equal(server_reload(h->server, bad, &f), -1);
    config_free(&bad);
    assert_false(log_wants(&h->log, LOGLEVEL_ERROR));

    struct config *good = load(h, ANY_PORT "log.level = error\noutbound.allow = 10.0.0.0/8\n");

    assert_int_equal(server_reload(h->server, good, &f), 0);
    assert_true(log_wants(&h->log, LOGLEVEL_ERROR));
    assert_false(log_wants(&h->log, LOGLEVEL_WARN));
    logger_set_level(h->logger, LOGLEVEL_OFF);
    config_free(&h->config);
    h->config = good;
}

static void what_was_made_at_the_first_start_is_there_at_the_second(void **state)
{
    struct home *h = *state;
    struct stat first, second;
    struct fail f;

    assert_int_equal(start(h, &f), EXIT_CODE_OK);
    server_free(&h->server);
    assert_int_equal(stat(path_of(h, "first-credentials.json"), &first), 0);
    config_free(&h->config);
    assert_int_equal(start(h, &f), EXIT_CODE_OK);
    assert_int_equal(stat(path_of(h, "first-credentials.json"), &second), 0);
    assert_true(first.st_ino == second.st_ino);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_start_tells_where_it_listens_until_it_ends),
        TEST(a_second_server_on_the_same_data_is_refused),
        TEST(a_port_in_use_is_refused_and_everything_given_back),
        TEST(a_damaged_file_is_refused_and_left_alone),
        TEST(a_directory_that_cannot_be_made_is_not_writable),
        TEST(a_missing_certificate_stops_the_start_before_the_data_is_touched),
        TEST(a_reload_that_fails_changes_nothing),
        TEST(what_was_made_at_the_first_start_is_there_at_the_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
