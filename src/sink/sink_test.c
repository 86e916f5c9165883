/* SPDX-License-Identifier: Apache-2.0 */
/* Sinks over a real spool, real files and a real socket at the other end. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/folder_fixture.h"
#include "net/http_client.h"
#include "sink/record_text.h"
#include "sink/sink.h"

#define RECORDS_MAX 256

struct world {
    char dir[64];
    struct arena *arena;
    struct clock *clock;
    struct metrics *metrics;
    struct logger *logger;
    struct log log;
    struct spool *spool;
    struct http_client *client;
    struct sinks *sinks;
    struct fail fail;
};

/* --- the world --- */

static void spool_start(struct world *w)
{
    const struct spool_options o = {
        .data_dir = w->dir,
        .clock = w->clock,
        .log = &w->log,
        .metrics = w->metrics,
        .segment_bytes = 1 << 20,
        .total_bytes = 16 << 20,
        .queue_bytes = 4 << 20,
        .sync = true,
    };

    assert_int_equal(spool_open(&o, &w->spool, &w->fail), 0);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct allow_list *allow = allow_list_new();

    assert_non_null(w);
    snprintf(w->dir, sizeof(w->dir), "/tmp/muster-sink-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->arena = arena_new(4096);
    w->clock = clock_new_real();
    w->metrics = metrics_new();
    w->logger = logger_new(STDERR_FILENO, LOGFORMAT_LOGFMT, LOGLEVEL_OFF, w->clock);
    w->log = (struct log){.out = w->logger};
    assert_int_equal(allow_list_add(allow, STR("127.0.0.1"), &w->fail), 0);

    const struct http_client_options o = {.clock = w->clock};

    assert_int_equal(http_client_new(&o, &allow, &w->client, &w->fail), 0);
    spool_start(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    sinks_stop(&w->sinks, INT64_MAX);
    spool_close(&w->spool);
    http_client_free(&w->client);
    logger_free(&w->logger);
    metrics_free(&w->metrics);
    clock_free(&w->clock);
    arena_free(&w->arena);
    folder_remove(w->dir);
    free(w);
    return 0;
}

static int start_with(struct world *w, const struct sink_spec *specs, size_t count)
{
    const struct sinks_options o = {
        .spool = w->spool,
        .host = {.data_dir = w->dir, .client = w->client, .log = &w->log},
        .clock = w->clock,
        .metrics = w->metrics,
        .specs = specs,
        .count = count,
        .retry_us = 200,
        .retry_max_us = 2000,
        .batch_bytes = 65536,
    };

    return sinks_start(&o, &w->sinks, &w->fail);
}

static struct sink_spec spec_of(struct world *w, const char *text)
{
    struct sink_spec spec = {0};

    assert_int_equal(sink_spec_parse(w->arena, str_of(text), &spec, &w->fail), 0);
    return spec;
}

/* --- appending --- */

struct append {
    struct spool_append a;
    pthread_mutex_t lock;
    pthread_cond_t done;
    int result;
};

static void appended(struct spool_append *a, int result, const struct fail *f)
{
    struct append *p = CONTAINER_OF(a, struct append, a);

    (void)f;
    pthread_mutex_lock(&p->lock);
    p->result = result;
    pthread_cond_signal(&p->done);
    pthread_mutex_unlock(&p->lock);
}

static void receive(struct world *w, int64_t source, const char *type, const char *metadata,
                    struct str data)
{
    struct append p = {
        .a = {.record = {.tenant = 1,
                         .collector = 7,
                         .source = source,
                         .received_us = 1,
                         .type = str_of(type),
                         .metadata = str_of(metadata),
                         .data = data},
              .done = appended},
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .done = PTHREAD_COND_INITIALIZER,
        .result = 1,
    };

    assert_int_equal(spool_submit(w->spool, &p.a, &w->fail), 0);
    pthread_mutex_lock(&p.lock);
    while (p.result == 1)
        pthread_cond_wait(&p.done, &p.lock);
    pthread_mutex_unlock(&p.lock);
    assert_int_equal(p.result, 0);
}

static void receive_numbers(struct world *w, int from, int to)
{
    for (int i = from; i < to; i++) {
        char text[32];
        int n = snprintf(text, sizeof(text), "n%d", i);

        receive(w, 1, "text/plain", "", str_make(text, (size_t)n));
    }
}

/* --- a sink that a test looks into --- */

struct catcher {
    pthread_mutex_t lock;
    pthread_cond_t more;
    char got[RECORDS_MAX][32];
    size_t count;
    unsigned calls;
    unsigned fail_first; /* calls that take nothing */
    size_t take_at_most; /* of each call; 0: all */
    bool refuse_odd;     /* and drop: records whose number is odd */
    bool stuck;          /* takes nothing, ever */
};

static struct catcher caught;

static int catcher_open(const struct sink_host *host, struct str target, void **state,
                        struct fail *f)
{
    (void)host;
    (void)f;
    if (str_eq(target, STR("catch:bad")))
        return fail_set(f, CODE_INVALID_ARGUMENT, "bad");
    *state = &caught;
    return 0;
}

static int catcher_deliver(void *state, const struct spool_record *records, size_t count,
                           struct arena *a, size_t *taken, size_t *refused, struct fail *f)
{
    struct catcher *c = state;

    (void)a;
    pthread_mutex_lock(&c->lock);
    c->calls++;
    *taken = 0;
    *refused = 0;
    if (!c->stuck && c->calls > c->fail_first) {
        while (*taken < count && (c->take_at_most == 0 || *taken < c->take_at_most)) {
            const struct spool_record *r = &records[(*taken)++];

            if (c->refuse_odd && (r->data.p[r->data.len - 1] - '0') % 2 == 1)
                (*refused)++;
            else if (c->count < RECORDS_MAX)
                snprintf(c->got[c->count++], sizeof(c->got[0]), "%.*s", STR_ARG(r->data));
        }
    }

    int rc = *taken == count ? 0 : fail_set(f, CODE_UNAVAILABLE, "not now");

    pthread_cond_broadcast(&c->more);
    pthread_mutex_unlock(&c->lock);
    return rc;
}

static void catcher_close(void *state)
{
    (void)state;
}

static const struct sink_kind catcher_kind = {
    .scheme = "catch",
    .open = catcher_open,
    .deliver = catcher_deliver,
    .close = catcher_close,
};

static const struct sink_spec catcher_spec = {STR_INIT("catcher"), STR_INIT("catch:it"),
                                              &catcher_kind};

static void catcher_reset(void)
{
    caught = (struct catcher){.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};
}

static void await_count(size_t count)
{
    pthread_mutex_lock(&caught.lock);
    while (caught.count < count)
        pthread_cond_wait(&caught.more, &caught.lock);
    pthread_mutex_unlock(&caught.lock);
}

static void await_calls(unsigned calls)
{
    pthread_mutex_lock(&caught.lock);
    while (caught.calls < calls)
        pthread_cond_wait(&caught.more, &caught.lock);
    pthread_mutex_unlock(&caught.lock);
}

static void assert_numbers(size_t at, int from, int to)
{
    for (int i = from; i < to; i++, at++) {
        char text[32];

        snprintf(text, sizeof(text), "n%d", i);
        assert_string_equal(caught.got[at], text);
    }
}

/* --- what is shown --- */

static void a_sink_is_a_name_and_a_target(void **state)
{
    struct world *w = *state;
    const char *good[] = {"a=file:x", "archive-1=file:/var/log/x.ndjson", "b_2=http://h/x?a=b",
                          "c=https://h"};
    const char *bad[] = {"",           "a",       "a=",     "=file:x", "A=file:x",
                         "a b=file:x", "a=ftp:x", "a=file", "a=file:", "../x=file:y"};

    for (size_t i = 0; i < COUNTOF(good); i++)
        IGNORE(spec_of(w, good[i]).kind);
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        struct sink_spec spec = {0};

        assert_int_equal(sink_spec_parse(w->arena, str_of(bad[i]), &spec, &w->fail), -1);
        assert_int_equal(w->fail.code, CODE_INVALID_ARGUMENT);
        assert_string_equal(w->fail.reason, "bad_sink");
    }
}

static void records_come_once_and_in_order(void **state)
{
    struct world *w = *state;

    catcher_reset();
    receive_numbers(w, 0, 20); /* before the sink is there */
    assert_int_equal(start_with(w, &catcher_spec, 1), 0);
    receive_numbers(w, 20, 40);
    await_count(40);
    assert_numbers(0, 0, 40);
    sinks_stop(&w->sinks, INT64_MAX);
    assert_int_equal(start_with(w, &catcher_spec, 1), 0);
    receive_numbers(w, 40, 41);
    await_count(41);
    assert_numbers(40, 40, 41); /* what was taken does not come again */
}

static void what_is_not_taken_comes_again(void **state)
{
    struct world *w = *state;

    catcher_reset();
    caught.fail_first = 5;
    caught.take_at_most = 3;
    receive_numbers(w, 0, 20);
    assert_int_equal(start_with(w, &catcher_spec, 1), 0);
    await_count(20);
    assert_numbers(0, 0, 20);
    assert_int_equal(caught.count, 20);
    assert_true(caught.calls > 5);
}

static void what_is_refused_is_dropped_and_counted(void **state)
{
    struct world *w = *state;
    struct buf text;

    catcher_reset();
    caught.refuse_odd = true;
    receive_numbers(w, 0, 9);
    assert_int_equal(start_with(w, &catcher_spec, 1), 0);
    await_count(5);
    assert_string_equal(caught.got[4], "n8");
    sinks_stop(&w->sinks, INT64_MAX);
    buf_init(&text, 1 << 20);
    metrics_render(w->metrics, &text);
    buf_put_byte(&text, '\0');
    assert_non_null(strstr((char *)text.data, "muster_sink_records_total{sink=\"catcher\"} 5\n"));
    assert_non_null(strstr((char *)text.data, "muster_sink_refused_total{sink=\"catcher\"} 4\n"));
    buf_done(&text);
}

static void a_stop_does_not_wait_for_a_target_that_takes_nothing(void **state)
{
    struct world *w = *state;

    catcher_reset();
    caught.stuck = true;
    receive_numbers(w, 0, 3);
    assert_int_equal(start_with(w, &catcher_spec, 1), 0);
    await_calls(3);
    sinks_stop(&w->sinks, INT64_MAX);
    spool_close(&w->spool);
    catcher_reset();
    spool_start(w);
    assert_int_equal(start_with(w, &catcher_spec, 1), 0);
    await_count(3);
    assert_numbers(0, 0, 3);
}

static void sinks_of_one_name_or_a_bad_target_are_refused(void **state)
{
    struct world *w = *state;
    struct sink_spec two[2] = {catcher_spec, catcher_spec};

    assert_int_equal(start_with(w, two, 2), -1);
    assert_string_equal(w->fail.reason, "bad_sink");
    two[0].target = STR("catch:bad");
    assert_int_equal(start_with(w, two, 1), -1);
    assert_null(w->sinks);
}

/* --- files --- */

/* For sinks that a test does not look into. */
static void await_delivered(struct world *w, const char *labels, uint64_t records)
{
    while (counter_get(metrics_counter(w->metrics, "muster_sink_records_total", "", labels)) <
           records)
        sched_yield();
}

static struct str file_text(struct world *w, const char *name)
{
    char path[128];
    char *text = arena_alloc(w->arena, 65536);
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", w->dir, name);
    file = fopen(path, "re");
    assert_non_null(file);

    size_t n = fread(text, 1, 65535, file);

    fclose(file);
    return str_make(text, n);
}

static bool has(struct world *w, struct str text, const char *word)
{
    return strstr(arena_cstr(w->arena, text), word) != NULL;
}

static void a_file_has_a_line_a_record(void **state)
{
    struct world *w = *state;
    struct sink_spec specs[2] = {spec_of(w, "out=file:out.ndjson"), catcher_spec};

    catcher_reset();
    receive(w, 5, "text/plain", "host=web-01\ncategory=prod/web\n", STR("one \"line\""));
    receive(w, 5, "application/x-protobuf", "", STR("\xff\x00"));
    assert_int_equal(start_with(w, specs, 2), 0);

    await_delivered(w, "sink=\"out\"", 2);

    struct str text = file_text(w, "out.ndjson");

    assert_true(has(w, text, "\"host\":\"web-01\""));
    assert_true(has(w, text, "\"data\":\"one \\\"line\\\"\""));
    assert_true(has(w, text, "\"data_base64\":\"/wA=\""));
    assert_int_equal(text.p[text.len - 1], '\n');
}

static void a_cut_line_does_not_run_into_the_next(void **state)
{
    struct world *w = *state;
    const struct sink_kind *kind = sink_kind_find(STR("file"));
    const struct sink_host host = {.data_dir = w->dir, .log = &w->log};
    const struct spool_record r = {.data = STR("x"), .type = STR("text/plain"), .seq = 9};
    char path[128], moved[160];
    size_t taken = 0, refused = 0;
    void *sink = NULL;

    snprintf(path, sizeof(path), "%s/cut.ndjson", w->dir);
    snprintf(moved, sizeof(moved), "%s.1", path);

    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fputs("{\"seq\":8", file);
    fclose(file);
    assert_int_equal(kind->open(&host, STR("file:cut.ndjson"), &sink, &w->fail), 0);
    assert_int_equal(kind->deliver(sink, &r, 1, w->arena, &taken, &refused, &w->fail), 0);
    assert_int_equal(taken, 1);
    assert_non_null(
        strstr(arena_cstr(w->arena, file_text(w, "cut.ndjson")), "{\"seq\":8\n{\"seq\":9,"));
    /* Rotated by somebody else: the next record begins a new file. */
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(kind->deliver(sink, &r, 1, w->arena, &taken, &refused, &w->fail), 0);
    assert_true(str_starts_with(file_text(w, "cut.ndjson"), STR("{\"seq\":9,")));
    kind->close(sink);
}

static void a_file_that_cannot_be_written_takes_nothing(void **state)
{
    struct world *w = *state;
    const struct sink_kind *kind = sink_kind_find(STR("file"));
    const struct sink_host host = {.data_dir = w->dir, .log = &w->log};
    const struct spool_record r = {.data = STR("x"), .type = STR("text/plain")};
    size_t taken = 1, refused = 1;
    void *sink = NULL;

    assert_int_equal(kind->open(&host, STR("file:no/such/folder/x"), &sink, &w->fail), 0);
    assert_int_equal(kind->deliver(sink, &r, 1, w->arena, &taken, &refused, &w->fail), -1);
    assert_int_equal(taken, 0);
    assert_int_equal(refused, 0);
    kind->close(sink);
    assert_int_equal(kind->open(&host, STR("file:dir/"), &sink, &w->fail), -1);
}

/* What a full disk took of a line is given back; otherwise each attempt would eat what became free.
 */
static void a_write_that_fails_leaves_nothing(void **state)
{
    struct world *w = *state;
    const struct sink_kind *kind = sink_kind_find(STR("file"));
    const struct sink_host host = {.data_dir = w->dir, .log = &w->log};
    const struct spool_record r = {.data = STR("x"), .type = STR("text/plain"), .seq = 9};
    struct rlimit limit, low;
    size_t taken = 0, refused = 0;
    void *sink = NULL;

    assert_int_equal(kind->open(&host, STR("file:full.ndjson"), &sink, &w->fail), 0);
    assert_int_equal(kind->deliver(sink, &r, 1, w->arena, &taken, &refused, &w->fail), 0);

    struct str before = file_text(w, "full.ndjson");

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    low = (struct rlimit){before.len + 10, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);

    int rc = kind->deliver(sink, &r, 1, w->arena, &taken, &refused, &w->fail);

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(rc, -1);
    assert_int_equal(taken, 0);
    assert_true(str_eq(file_text(w, "full.ndjson"), before));
    assert_int_equal(kind->deliver(sink, &r, 1, w->arena, &taken, &refused, &w->fail), 0);
    assert_int_equal(file_text(w, "full.ndjson").len, before.len * 2);
    kind->close(sink);
}

/* --- another server --- */

struct target {
    int listener;
    uint16_t port;
    pthread_t thread;
    const int *statuses; /* one a request, ended by 0 */
    const char *fields;  /* more of each answer; NULL: none */
    size_t announced;    /* bytes of its body */
    size_t sent;         /* of these */
    char requests[8][2048];
    size_t count;
};

static void target_answer(struct target *t, int fd, int status)
{
    char *text = t->requests[t->count];
    size_t len = 0, want = 0;

    while (want == 0 || len < want) {
        ssize_t n = read(fd, text + len, sizeof(t->requests[0]) - 1 - len);
        const char *end;

        if (n <= 0)
            return;
        len += (size_t)n;
        text[len] = '\0';
        end = strstr(text, "\r\n\r\n");
        if (end && want == 0) {
            const char *length = strcasestr(text, "content-length:");

            assert_non_null(length);
            want = (size_t)(end + 4 - text) + (size_t)strtoul(length + 15, NULL, 10);
        }
    }
    t->count++;

    char answer[256];
    int n = snprintf(answer, sizeof(answer),
                     "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n", status,
                     t->announced, t->fields ? t->fields : "");

    assert_int_equal(write(fd, answer, (size_t)n), n);
    for (size_t i = 0; i < t->sent && send(fd, "x", 1, MSG_NOSIGNAL) == 1; i++)
        ;
}

static void *target_run(void *arg)
{
    struct target *t = arg;

    for (const int *status = t->statuses; *status; status++) {
        int fd = accept(t->listener, NULL, NULL);

        assert_true(fd >= 0);
        target_answer(t, fd, *status);
        close(fd);
    }
    return NULL;
}

static void target_start(struct target *t, const int *statuses)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    t->statuses = statuses;
    t->count = 0;
    t->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(t->listener >= 0);
    assert_int_equal(bind(t->listener, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(t->listener, 16), 0);
    assert_int_equal(getsockname(t->listener, (struct sockaddr *)&at, &len), 0);
    t->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&t->thread, NULL, target_run, t), 0);
}

static void target_join(struct target *t)
{
    pthread_join(t->thread, NULL);
    close(t->listener);
}

static struct sink_spec target_spec(struct world *w, const struct target *t)
{
    return spec_of(w, arena_cstr(w->arena, arena_printf(w->arena, "h=http://127.0.0.1:%u/in",
                                                        (unsigned)t->port)));
}

static void lines_of_a_source_travel_together(void **state)
{
    struct world *w = *state;
    static const int statuses[] = {200, 503, 200, 200, 0};
    struct target t = {0};

    target_start(&t, statuses);
    receive(w, 1, "text/plain", "host=a\n", STR("one"));
    receive(w, 1, "text/plain", "host=a\n", STR("two"));
    receive(w, 2, "text/plain", "host=a\n", STR("three"));
    receive(w, 2, "application/x-protobuf", "", STR("four"));

    struct sink_spec spec = target_spec(w, &t);

    assert_int_equal(start_with(w, &spec, 1), 0);
    target_join(&t);
    assert_int_equal(t.count, 4);
    assert_true(str_ends_with(str_of(t.requests[0]), STR("\r\n\r\none\ntwo")));
    assert_non_null(strcasestr(t.requests[0], "x-sumo-host: a\r\n"));
    assert_non_null(strcasestr(t.requests[0], "content-type: text/plain\r\n"));
    assert_true(str_ends_with(str_of(t.requests[1]), STR("\r\n\r\nthree"))); /* 503 */
    assert_true(str_ends_with(str_of(t.requests[2]), STR("\r\n\r\nthree")));
    assert_true(str_ends_with(str_of(t.requests[3]), STR("\r\n\r\nfour")));
}

static void data_that_the_target_does_not_want_is_passed_over(void **state)
{
    struct world *w = *state;
    static const int statuses[] = {400, 204, 0};
    struct target t = {0};

    target_start(&t, statuses);
    receive(w, 1, "application/x-protobuf", "", STR("bad"));
    receive(w, 1, "application/x-protobuf", "", STR("good"));

    struct sink_spec spec = target_spec(w, &t);

    assert_int_equal(start_with(w, &spec, 1), 0);
    target_join(&t);
    assert_int_equal(t.count, 2);
    assert_true(str_ends_with(str_of(t.requests[1]), STR("\r\n\r\ngood")));
}

/* One bad record does not take those that travelled with it along. */
static void only_what_is_refused_alone_is_dropped(void **state)
{
    struct world *w = *state;
    static const int statuses[] = {400, 200, 413, 200, 200, 0};
    static const char *const bodies[] = {"one\ntwo\nthree", "one", "two", "three", "four"};
    struct target t = {0};

    target_start(&t, statuses);
    receive(w, 1, "text/plain", "", STR("one"));
    receive(w, 1, "text/plain", "", STR("two"));
    receive(w, 1, "text/plain", "", STR("three"));
    receive(w, 2, "text/plain", "", STR("four"));

    struct sink_spec spec = target_spec(w, &t);

    assert_int_equal(start_with(w, &spec, 1), 0);
    target_join(&t);
    assert_int_equal(t.count, COUNTOF(bodies));
    for (size_t i = 0; i < t.count; i++)
        assert_string_equal(strstr(t.requests[i], "\r\n\r\n") + 4, bodies[i]);
}

/* A target that has moved, or wants another credential, loses nothing by that. */
static void answers_that_are_not_about_the_data_drop_nothing(void **state)
{
    struct world *w = *state;
    static const int statuses[] = {301, 302, 401, 403, 404, 405, 200, 0};
    struct target t = {0};

    target_start(&t, statuses);
    receive(w, 1, "text/plain", "", STR("kept"));

    struct sink_spec spec = target_spec(w, &t);

    assert_int_equal(start_with(w, &spec, 1), 0);
    target_join(&t);
    assert_int_equal(t.count, 7);
    for (size_t i = 0; i < t.count; i++)
        assert_string_equal(strstr(t.requests[i], "\r\n\r\n") + 4, "kept");
}

static void a_request_that_is_a_message_travels_alone(void **state)
{
    struct world *w = *state;
    static const int statuses[] = {200, 200, 0};
    struct target t = {0};

    target_start(&t, statuses);
    receive(w, 1, "text/plain", "client=c\nsignal=logs\nwhole=true\n", STR("a\nb"));
    receive(w, 1, "text/plain", "client=c\nsignal=logs\nwhole=true\n", STR("c"));

    struct sink_spec spec = target_spec(w, &t);

    assert_int_equal(start_with(w, &spec, 1), 0);
    target_join(&t);
    assert_int_equal(t.count, 2);
    assert_string_equal(strstr(t.requests[0], "\r\n\r\n") + 4, "a\nb");
    assert_non_null(strcasestr(t.requests[0], "x-sumo-client: c\r\n"));
    assert_non_null(strcasestr(t.requests[0], "x-muster-signal: logs\r\n"));
}

/* How one delivery of one record ends; the record came to the target. */
static int deliver_to(struct world *w, struct target *t, int status, size_t *taken)
{
    const int statuses[] = {status, 0};
    const struct spool_record r = {.data = STR("x"), .type = STR("text/plain")};
    const struct sink_host host = {.data_dir = w->dir, .client = w->client, .log = &w->log};
    size_t refused = 0;
    void *sink = NULL;

    target_start(t, statuses);
    assert_int_equal(http_sink.open(&host, target_spec(w, t).target, &sink, &w->fail), 0);

    int rc = http_sink.deliver(sink, &r, 1, w->arena, taken, &refused, &w->fail);

    http_sink.close(sink);
    target_join(t);
    assert_int_equal(t->count, 1);
    assert_int_equal(refused, 0);
    return rc;
}

static void a_target_says_how_long_to_rest(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *field;
        uint32_t ms;
    } rows[] = {{"Retry-After: 7\r\n", 7000},
                {"Retry-After: 99999999999999\r\n", 86400000},
                {"Retry-After: Sat, 21 Nov 2026 12:00:00 GMT\r\n", 0},
                {"Retry-After: -1\r\n", 0},
                {"", 0}};

    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct target t = {.fields = rows[i].field};
        size_t taken;

        assert_int_equal(deliver_to(w, &t, i % 2 == 0 ? 429 : 503, &taken), -1);
        assert_int_equal(taken, 0);
        assert_int_equal(w->fail.retry_after_ms, rows[i].ms);
    }
}

static void success_counts_however_much_is_said_about_it(void **state)
{
    struct world *w = *state;
    struct target t = {.announced = 100000, .sent = 100000};
    size_t taken;

    assert_int_equal(deliver_to(w, &t, 200, &taken), 0);
    assert_int_equal(taken, 1);
}

static void half_an_answer_is_none(void **state)
{
    struct world *w = *state;
    struct target t = {.announced = 100, .sent = 50};
    size_t taken;

    assert_int_equal(deliver_to(w, &t, 200, &taken), -1);
    assert_int_equal(taken, 0);
}

/* Accepts, and never answers. */
static void a_stop_gives_up_a_request_that_hangs(void **state)
{
    struct world *w = *state;
    static const int none[] = {0};
    struct target t = {0};

    target_start(&t, none);
    receive(w, 1, "text/plain", "", STR("x"));

    struct sink_spec spec = target_spec(w, &t);

    assert_int_equal(start_with(w, &spec, 1), 0);

    int fd = accept(t.listener, NULL, NULL);

    assert_true(fd >= 0);
    sinks_stop(&w->sinks, clock_mono_us(w->clock));
    assert_null(w->sinks);
    close(fd);
    target_join(&t);
}

static void metadata_is_read_line_by_line(void **state)
{
    struct str text = STR("a=1\n\n=x\nb=c=d\nlast"), name = {0}, value = {0};

    (void)state;
    assert_true(record_text_next(&text, &name, &value));
    assert_true(str_eq(name, STR("a")) && str_eq(value, STR("1")));
    assert_true(record_text_next(&text, &name, &value));
    assert_true(str_eq(name, STR("b")) && str_eq(value, STR("c=d")));
    assert_true(record_text_next(&text, &name, &value));
    assert_true(str_eq(name, STR("last")) && value.len == 0);
    assert_false(record_text_next(&text, &name, &value));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sink_is_a_name_and_a_target),
        TEST(records_come_once_and_in_order),
        TEST(what_is_not_taken_comes_again),
        TEST(what_is_refused_is_dropped_and_counted),
        TEST(a_stop_does_not_wait_for_a_target_that_takes_nothing),
        TEST(sinks_of_one_name_or_a_bad_target_are_refused),
        TEST(a_file_has_a_line_a_record),
        TEST(a_cut_line_does_not_run_into_the_next),
        TEST(a_file_that_cannot_be_written_takes_nothing),
        TEST(a_write_that_fails_leaves_nothing),
        TEST(lines_of_a_source_travel_together),
        TEST(data_that_the_target_does_not_want_is_passed_over),
        TEST(only_what_is_refused_alone_is_dropped),
        TEST(answers_that_are_not_about_the_data_drop_nothing),
        TEST(a_request_that_is_a_message_travels_alone),
        TEST(a_target_says_how_long_to_rest),
        TEST(success_counts_however_much_is_said_about_it),
        TEST(half_an_answer_is_none),
        TEST(a_stop_gives_up_a_request_that_hangs),
        cmocka_unit_test(metadata_is_read_line_by_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
