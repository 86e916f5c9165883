/* SPDX-License-Identifier: Apache-2.0 */
/* What a look at the files of the catalogue finds: core/build_audit.h. */
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

#include "base/id.h"
#include "codec/sha256.h"
#include "core/build_audit.h"

#define BYTES STR("what an agent runs")

struct world {
    char dir[64];
    char path[256]; /* of the one file */
    struct arena *arena;
    struct build rows[3];
    size_t count;
    struct audit audit;
    struct build_totals totals;
    struct fail fail;
};

static int rows_of(void *arg, struct arena *a, const struct build **out, size_t *count,
                   struct fail *f)
{
    struct world *w = arg;

    (void)a;
    (void)f;
    *out = w->rows;
    *count = w->count;
    return 0;
}

static void save(const char *path, struct str bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.p, bytes.len), bytes.len);
    close(fd);
}

/* Two builds of one file. */
static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    char hex[2 * SHA256_LEN];

    assert_non_null(w);
    snprintf(w->dir, sizeof(w->dir), "/tmp/muster-builds-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->arena = arena_new(4096);
    w->audit.arena = w->arena;
    w->rows[0] = (struct build){
        .version = STR("v1"), .platform = STR("linux/amd64"), .bytes = (int64_t)BYTES.len};
    sha256(BYTES, w->rows[0].sha256);
    w->rows[1] = w->rows[0];
    w->rows[1].version = STR("v2");
    w->count = 2;
    snprintf(w->path, sizeof(w->path), "%s/builds", w->dir);
    assert_int_equal(mkdir(w->path, 0700), 0);
    hex_print(w->rows[0].sha256, SHA256_LEN, hex);
    snprintf(w->path, sizeof(w->path), "%s/builds/%.*s", w->dir, (int)sizeof(hex), hex);
    save(w->path, BYTES);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char path[256];

    IGNORE(unlink(w->path));
    snprintf(path, sizeof(path), "%s/builds", w->dir);
    IGNORE(rmdir(path));
    assert_int_equal(rmdir(w->dir), 0);
    arena_free(&w->arena);
    free(w);
    return 0;
}

static void look(struct world *w)
{
    w->audit.findings.count = 0;
    w->audit.notes.count = 0;
    assert_int_equal(build_audit(w->dir, rows_of, w, &w->audit, &w->totals, &w->fail), 0);
}

static void expect_unsound(struct world *w, const char *line)
{
    look(w);
    assert_true(w->audit.findings.count > 0);
    if (!strstr(w->audit.findings.items[0], line))
        print_error("%s\n", w->audit.findings.items[0]);
    assert_non_null(strstr(w->audit.findings.items[0], line));
    assert_int_equal(w->totals.unsound_count, 1);
    assert_memory_equal(w->totals.unsound[0].sha256, w->rows[0].sha256, SHA256_LEN);
    assert_int_equal(w->totals.bytes, 0);
}

static void a_file_that_two_builds_share_is_fine(void **state)
{
    struct world *w = *state;

    look(w);
    assert_int_equal(w->audit.findings.count + w->audit.notes.count, 0);
    assert_int_equal(w->totals.builds, 2);
    assert_int_equal(w->totals.bytes, BYTES.len);
    assert_int_equal(w->totals.unsound_count, 0);
}

static void a_catalogue_without_builds_needs_no_folder(void **state)
{
    struct world *w = *state;

    w->count = 0;
    look(w);
    assert_int_equal(w->audit.notes.count, 1);
    assert_int_equal(teardown(state), 0);

    struct fail f = {0};
    struct arena *a = arena_new(4096);
    struct world none = {.dir = "/nonexistent", .audit.arena = a};

    assert_int_equal(build_audit(none.dir, rows_of, &none, &none.audit, &none.totals, &f), 0);
    assert_int_equal(none.audit.findings.count + none.audit.notes.count, 0);
    arena_free(&a);
    assert_int_equal(setup(state), 0);
}

static void a_missing_file_is_found_for_each_build(void **state)
{
    struct world *w = *state;

    assert_int_equal(unlink(w->path), 0);
    expect_unsound(w, "build v1 for linux/amd64: its file builds/");
    assert_int_equal(w->audit.findings.count, 2);
    assert_non_null(strstr(w->audit.findings.items[1], "build v2 "));
    assert_non_null(strstr(w->audit.findings.items[1], " is missing"));
}

static void a_file_of_another_size_is_found(void **state)
{
    struct world *w = *state;

    save(w->path, str_first(BYTES, BYTES.len - 1));
    expect_unsound(w, " has 17 bytes instead of 18");
}

static void a_changed_byte_is_found(void **state)
{
    struct world *w = *state;

    save(w->path, STR("what an agent Runs"));
    expect_unsound(w, " is damaged: its SHA-256 is another one");
}

static void a_file_of_no_build_is_a_note(void **state)
{
    struct world *w = *state;

    w->count = 1;
    memset(w->rows[0].sha256, 7, SHA256_LEN);
    look(w);
    assert_int_equal(w->audit.notes.count, 1);
    assert_int_equal(w->totals.orphan_count, 1);
    assert_string_equal(w->totals.orphans[0], strrchr(w->path, '/') + 1);
    assert_int_equal(w->totals.unsound_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_that_two_builds_share_is_fine, setup, teardown),
        cmocka_unit_test_setup_teardown(a_catalogue_without_builds_needs_no_folder, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_missing_file_is_found_for_each_build, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_of_another_size_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_changed_byte_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_of_no_build_is_a_note, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
