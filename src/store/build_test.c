/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue of builds on a real store and in a real directory: what is uploaded becomes a build
 * or nothing, and what no row names goes. */
#include "store/fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/resource.h>

#include "base/id.h"
#include "codec/sha256.h"
#include "core/build.h"
#include "core/event.h"
#include "store/fault.h"

static void refuses(struct fixture *x, int result, enum code code, const char *reason)
{
    assert_int_equal(result, -1);
    assert_int_equal(x->fail.code, code);
    assert_non_null(x->fail.reason);
    assert_string_equal(x->fail.reason, reason);
}

static struct str begin(struct fixture *x)
{
    char *id = arena_alloc(x->arena, BUILD_UPLOAD_ID_LEN);

    assert_int_equal(build_upload_begin(x->dir, clock_wall_us(x->clock), id, &x->fail), 0);
    return str_make(id, BUILD_UPLOAD_ID_LEN);
}

static struct str upload(struct fixture *x, struct str bytes)
{
    struct str id = begin(x);
    int64_t size = 0;

    assert_int_equal(build_upload_write(x->dir, id, 0, bytes, &size, &x->fail), 0);
    assert_int_equal(size, bytes.len);
    return id;
}

static struct build wanted(const char *version, const char *platform, struct str bytes)
{
    struct build b = {.version = str_of(version), .platform = str_of(platform)};

    sha256(bytes, b.sha256);
    return b;
}

static int publish(struct fixture *x, struct str id, struct build *b)
{
    return build_publish(x->store, x->arena, NULL, x->dir, id, b, &x->fail);
}

static void add(struct fixture *x, const char *version, const char *platform, struct str bytes)
{
    struct build b = wanted(version, platform, bytes);

    assert_int_equal(publish(x, upload(x, bytes), &b), 0);
    assert_int_equal(b.bytes, bytes.len);
    assert_int_equal(b.added_us, FIXTURE_START_US);
}

static int retire(struct fixture *x, const char *version, const char *platform)
{
    return build_retire(x->store, x->arena, NULL, x->dir, str_of(version), str_of(platform),
                        &x->fail);
}

static size_t list(struct fixture *x, struct build **out)
{
    struct store_tx *tx = fixture_read(x);
    size_t count = 0;

    assert_int_equal(build_list(tx, out, &count, &x->fail), 0);
    store_read_close(&tx);
    return count;
}

static size_t files(struct fixture *x)
{
    DIR *d = opendir(fixture_path(x, "builds"));
    const struct dirent *e;
    size_t n = 0;

    while (d && (e = readdir(d)))
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

static bool file_holds(struct fixture *x, struct str bytes)
{
    char got[64];
    uint8_t hash[SHA256_LEN];
    int fd = -1;

    sha256(bytes, hash);
    if (build_file_open(x->dir, hash, &fd, &x->fail) < 0) {
        assert_string_equal(x->fail.reason, "no_such_build");
        return false;
    }

    ssize_t n = read(fd, got, sizeof(got));

    close(fd);
    return n >= 0 && str_eq(str_make(got, (size_t)n), bytes);
}

static void an_upload_in_parts_becomes_a_build(void **state)
{
    struct fixture *x = *state;
    struct str id = begin(x);
    struct build b = wanted("1.0", "linux/amd64", STR("hello world")), *all;
    int64_t size = 0;

    b.from_version = STR("0.5");
    assert_int_equal(build_upload_write(x->dir, id, 0, STR("hello "), &size, &x->fail), 0);
    assert_int_equal(size, 6);
    refuses(x, build_upload_write(x->dir, id, 7, STR("world"), &size, &x->fail), CODE_ABORTED,
            "wrong_offset");
    assert_int_equal(build_upload_write(x->dir, id, 6, STR("world"), &size, &x->fail), 0);
    assert_int_equal(build_upload_write(x->dir, id, 6, STR("world"), &size, &x->fail), 0);
    assert_int_equal(size, 11);
    assert_int_equal(publish(x, id, &b), 0);
    assert_true(file_holds(x, STR("hello world")));
    assert_int_equal(files(x), 1);
    assert_int_equal(list(x, &all), 1);
    assert_true(str_eq(all[0].version, STR("1.0")));
    assert_true(str_eq(all[0].platform, STR("linux/amd64")));
    assert_true(str_eq(all[0].from_version, STR("0.5")));
    assert_int_equal(all[0].bytes, 11);
    assert_memory_equal(all[0].sha256, b.sha256, SHA256_LEN);
    refuses(x, build_upload_write(x->dir, id, 0, STR("x"), &size, &x->fail), CODE_NOT_FOUND,
            "no_such_upload");
}

static void what_has_another_hash_is_no_build(void **state)
{
    struct fixture *x = *state;
    struct build b = wanted("1.0", "any", STR("good")), *all;
    struct str id = upload(x, STR("evil"));

    refuses(x, publish(x, id, &b), CODE_INVALID_ARGUMENT, "wrong_hash");
    assert_int_equal(list(x, &all), 0);
    assert_false(file_holds(x, STR("good")));
    assert_int_equal(build_upload_drop(x->dir, id, &x->fail), 0);
    assert_int_equal(files(x), 0);
    refuses(x, build_upload_drop(x->dir, id, &x->fail), CODE_NOT_FOUND, "no_such_upload");
    refuses(x, publish(x, id, &b), CODE_NOT_FOUND, "no_such_upload");
}

static void an_empty_upload_is_no_build(void **state)
{
    struct fixture *x = *state;
    struct build b = wanted("1.0", "any", STR(""));

    refuses(x, publish(x, begin(x), &b), CODE_INVALID_ARGUMENT, "empty_build");
}

static void a_version_comes_once_for_a_platform(void **state)
{
    struct fixture *x = *state;
    struct build b = wanted("1.0", "any", STR("two"));

    add(x, "1.0", "any", STR("one"));
    refuses(x, publish(x, upload(x, STR("two")), &b), CODE_ALREADY_EXISTS, "build_exists");
    assert_false(file_holds(x, STR("two")));
    add(x, "1.0", "linux", STR("two"));
    assert_true(file_holds(x, STR("two")));
}

static void a_build_that_is_added_again_has_its_file_put_back(void **state)
{
    struct fixture *x = *state;
    struct build again = wanted("1.0", "any", STR("one")), *all;
    const char *path;
    char hex[2 * SHA256_LEN];
    FILE *file;

    add(x, "1.0", "any", STR("one"));
    hex_print(again.sha256, SHA256_LEN, hex);
    path = fixture_path(
        x, arena_cstr(x->arena, arena_printf(x->arena, "builds/%.*s", (int)sizeof(hex), hex)));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(publish(x, upload(x, STR("one")), &again), 0);
    assert_true(file_holds(x, STR("one")));
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(publish(x, upload(x, STR("one")), &again), 0);
    assert_true(file_holds(x, STR("one")));
    assert_int_equal(files(x), 1);
    assert_int_equal(list(x, &all), 1);
    again.from_version = STR("0.9");
    refuses(x, publish(x, upload(x, STR("one")), &again), CODE_ALREADY_EXISTS, "build_exists");
}

/* Whichever call of the database fails. */
static void a_build_that_was_not_added_leaves_the_files_of_others(void **state)
{
    struct fault *fault = fault_new(&sqlite_driver);
    struct fixture *x = fixture_new();
    size_t k;

    (void)state;
    x->options.driver = fault_driver(fault);
    assert_int_equal(fixture_open(x), 0);
    assert_int_equal(fixture_write(x, fixture_first_tenant, &x->tenant), 0);
    add(x, "1.0", "any", STR("same"));
    for (k = 1; k < 1000; k++) {
        struct str id = upload(x, STR("same")), other = upload(x, STR("other"));
        struct build b = wanted("1.1", "any", STR("same"));
        struct build c = wanted("1.2", "any", STR("other"));

        fault_set(fault, k, SQL_CLASS_FULL);
        if (publish(x, id, &b) == 0)
            break;
        assert_true(file_holds(x, STR("same")));
        fault_set(fault, k, SQL_CLASS_FULL);
        if (publish(x, other, &c) == 0)
            break;
        assert_false(file_holds(x, STR("other")));
        assert_int_equal(build_upload_drop(x->dir, id, &x->fail), 0);
        assert_int_equal(build_upload_drop(x->dir, other, &x->fail), 0);
    }
    assert_in_range(k, 5, 999);
    fault_set(fault, 0, SQL_CLASS_FULL);
    fixture_free(x);
    fault_free(&fault);
}

/* A part that has opened the upload and waits for its turn. */
struct late_part {
    struct fixture *x;
    struct str id;
    struct fail fail;
    int result;
};

static void *write_late(void *arg)
{
    struct late_part *p = arg;
    int64_t size = 0;

    p->result = build_upload_write(p->x->dir, p->id, 0, STR("evil"), &size, &p->fail);
    return NULL;
}

/* One of our threads: others on this machine use locks as well. */
static bool we_wait_for_a_lock(void)
{
    char line[256], pid[16];
    bool found = false;
    FILE *locks = fopen("/proc/locks", "r");

    if (!locks)
        return true;
    snprintf(pid, sizeof(pid), " %d ", (int)getpid());
    while (!found && fgets(line, sizeof(line), locks))
        found = strstr(line, "-> FLOCK") != NULL && strstr(line, pid) != NULL;
    assert_int_equal(fclose(locks), 0);
    return found;
}

static void a_part_that_comes_too_late_does_not_change_the_build(void **state)
{
    struct fixture *x = *state;
    struct late_part late = {.x = x, .id = upload(x, STR("good"))};
    const char *from = fixture_path(
        x, arena_cstr(x->arena, arena_printf(x->arena, "builds/upload-%.*s", STR_ARG(late.id))));
    const char *to = fixture_path(x, "builds/built");
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    pthread_t thread;
    struct stat st;

    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(pthread_create(&thread, NULL, write_late, &late), 0);
    while (!we_wait_for_a_lock())
        sched_yield();
    assert_int_equal(rename(from, to), 0);
    close(fd);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(late.result, -1);
    assert_string_equal(late.fail.reason, "no_such_upload");
    fd = open(to, O_RDONLY | O_CLOEXEC);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 4);

    char got[4];

    assert_int_equal(read(fd, got, sizeof(got)), 4);
    assert_memory_equal(got, "good", 4);
    close(fd);
}

static void a_file_that_cannot_be_opened_now_may_be_later(void **state)
{
    struct fixture *x = *state;
    struct build b = wanted("1.0", "any", STR("one"));
    struct rlimit usual, none;
    int fd = -1;

    add(x, "1.0", "any", STR("one"));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    none = usual;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);

    int result = build_file_open(x->dir, b.sha256, &fd, &x->fail);

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    refuses(x, result, CODE_UNAVAILABLE, "too_many_files");
}

static void builds_are_listed_newest_first(void **state)
{
    struct fixture *x = *state;
    struct build *all;

    add(x, "1.9", "any", STR("a"));
    add(x, "1.10", "linux", STR("b"));
    add(x, "1.10", "any", STR("c"));
    assert_int_equal(list(x, &all), 3);
    assert_true(str_eq(all[0].version, STR("1.10")));
    assert_true(str_eq(all[0].platform, STR("any")));
    assert_true(str_eq(all[1].platform, STR("linux")));
    assert_true(str_eq(all[2].version, STR("1.9")));
}

static void a_file_goes_with_the_last_build_that_names_it(void **state)
{
    struct fixture *x = *state;
    struct build *all;

    add(x, "1.0", "any", STR("same"));
    add(x, "1.1", "any", STR("same"));
    assert_int_equal(files(x), 1);
    assert_int_equal(retire(x, "1.0", "any"), 0);
    assert_true(file_holds(x, STR("same")));
    refuses(x, retire(x, "1.0", "any"), CODE_NOT_FOUND, "no_such_build");
    assert_int_equal(retire(x, "1.1", "any"), 0);
    assert_false(file_holds(x, STR("same")));
    assert_int_equal(list(x, &all), 0);
}

static void without_a_catalogue_there_is_nothing_to_remove(void **state)
{
    struct fixture *x = *state;

    refuses(x, retire(x, "1.0", "any"), CODE_NOT_FOUND, "no_such_build");
}

static void changes_of_the_catalogue_leave_events(void **state)
{
    struct fixture *x = *state;
    struct store_tx *tx;
    struct event *rows;
    size_t count;

    add(x, "1.0", "any", STR("a"));
    assert_int_equal(retire(x, "1.0", "any"), 0);
    tx = fixture_read(x);
    assert_int_equal(event_list(tx, x->tenant.id, 0, 100, &rows, &count, &x->fail), 0);
    store_read_close(&tx);
    assert_int_equal(count, 3);
    assert_true(str_eq(rows[1].kind, STR("build.added")));
    assert_true(str_eq(rows[2].kind, STR("build.removed")));
    assert_true(str_eq(rows[2].subject, STR("1.0")));
}

static void names_that_lead_elsewhere_are_no_uploads(void **state)
{
    static const char *const names[] = {"",
                                        "short",
                                        "../../etc/passwd",
                                        "................",
                                        "AAAAAAAAAAAAAAAA",
                                        "aaaaaaaaaaaaaaaaa",
                                        "aaaaaaa/aaaaaaaa"};
    struct fixture *x = *state;
    int64_t size;

    IGNORE(begin(x).len);
    for (size_t i = 0; i < COUNTOF(names); i++)
        refuses(x, build_upload_write(x->dir, str_of(names[i]), 0, STR("x"), &size, &x->fail),
                CODE_NOT_FOUND, "no_such_upload");
}

static void an_upload_is_bounded(void **state)
{
    struct fixture *x = *state;
    struct str id = begin(x);
    int64_t size = 0;

    /* A hole, so that the bound is reached without as many bytes. */
    assert_int_equal(
        truncate(fixture_path(x, arena_cstr(x->arena, arena_printf(x->arena, "builds/upload-%.*s",
                                                                   STR_ARG(id)))),
                 BUILD_BYTES_MAX - 1),
        0);
    refuses(x, build_upload_write(x->dir, id, BUILD_BYTES_MAX - 1, STR("ab"), &size, &x->fail),
            CODE_RESOURCE_EXHAUSTED, "too_large");
    assert_int_equal(build_upload_write(x->dir, id, BUILD_BYTES_MAX - 1, STR("a"), &size, &x->fail),
                     0);
    assert_int_equal(size, BUILD_BYTES_MAX);
}

static void uploads_are_few_and_old_ones_make_room(void **state)
{
    struct fixture *x = *state;
    char id[BUILD_UPLOAD_ID_LEN];
    int64_t now_us;

    for (size_t i = 0; i < BUILD_UPLOADS_MAX; i++)
        IGNORE(begin(x).len);

    struct clock *real = clock_new_real();

    now_us = clock_wall_us(real);
    clock_free(&real);
    refuses(x, build_upload_begin(x->dir, now_us, id, &x->fail), CODE_RESOURCE_EXHAUSTED,
            "too_many_uploads");
    assert_int_equal(build_upload_begin(x->dir, now_us + INT64_C(90000) * 1000000, id, &x->fail),
                     0);
    assert_int_equal(files(x), 1);
}

static void a_start_sweeps_what_no_row_names(void **state)
{
    struct fixture *x = *state;
    struct store_tx *tx = fixture_read(x);

    assert_int_equal(build_files_sweep(tx, x->dir, &x->fail), 0);
    store_read_close(&tx);
    add(x, "1.0", "any", STR("kept"));
    IGNORE(upload(x, STR("half")).len);

    uint8_t hash[SHA256_LEN];
    struct str id = upload(x, STR("orphan"));

    sha256(STR("orphan"), hash);

    struct str hex = STR("");
    char text[2 * SHA256_LEN];

    hex_print(hash, sizeof(hash), text);
    hex = str_make(text, sizeof(text));
    assert_int_equal(
        rename(fixture_path(x, arena_cstr(x->arena, arena_printf(x->arena, "builds/upload-%.*s",
                                                                 STR_ARG(id)))),
               fixture_path(
                   x, arena_cstr(x->arena, arena_printf(x->arena, "builds/%.*s", STR_ARG(hex))))),
        0);
    assert_int_equal(files(x), 3);
    tx = fixture_read(x);
    assert_int_equal(build_files_sweep(tx, x->dir, &x->fail), 0);
    store_read_close(&tx);
    assert_int_equal(files(x), 1);
    assert_true(file_holds(x, STR("kept")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(an_upload_in_parts_becomes_a_build),
        FIXTURE_TEST(what_has_another_hash_is_no_build),
        FIXTURE_TEST(an_empty_upload_is_no_build),
        FIXTURE_TEST(a_version_comes_once_for_a_platform),
        FIXTURE_TEST(a_build_that_is_added_again_has_its_file_put_back),
        cmocka_unit_test(a_build_that_was_not_added_leaves_the_files_of_others),
        FIXTURE_TEST(a_part_that_comes_too_late_does_not_change_the_build),
        FIXTURE_TEST(a_file_that_cannot_be_opened_now_may_be_later),
        FIXTURE_TEST(builds_are_listed_newest_first),
        FIXTURE_TEST(a_file_goes_with_the_last_build_that_names_it),
        FIXTURE_TEST(without_a_catalogue_there_is_nothing_to_remove),
        FIXTURE_TEST(changes_of_the_catalogue_leave_events),
        FIXTURE_TEST(names_that_lead_elsewhere_are_no_uploads),
        FIXTURE_TEST(an_upload_is_bounded),
        FIXTURE_TEST(uploads_are_few_and_old_ones_make_room),
        FIXTURE_TEST(a_start_sweeps_what_no_row_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
