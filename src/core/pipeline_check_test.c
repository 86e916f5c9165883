/* SPDX-License-Identifier: Apache-2.0 */
/* What of a pipeline is refused when it is written, and which field is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/pipeline.h"

static struct arena *arena;
static struct fail failed;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(4096);
    failed = (struct fail){0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static struct pipeline_spec good(void)
{
    return (struct pipeline_spec){
        .type = AGENT_ALLOY,
        .contents = STR("prometheus.exporter.unix \"default\" { }\n"),
    };
}

static void accepts(const char *name, struct pipeline_spec spec)
{
    if (pipeline_check(arena, str_of(name), &spec, &failed) < 0)
        fail_msg("%s: %s", failed.reason, failed.message);
}

static void refuses(struct str name, struct pipeline_spec spec, const char *reason,
                    const char *field)
{
    assert_int_equal(pipeline_check(arena, name, &spec, &failed), -1);
    assert_int_equal(failed.code, CODE_INVALID_ARGUMENT);
    assert_string_equal(failed.reason, reason);
    assert_string_equal(failed.field, field);
}

static struct str repeated(char c, size_t count)
{
    char *bytes = arena_alloc_raw(arena, count);

    memset(bytes, c, count);
    return str_make(bytes, count);
}

static void what_is_fine_passes(void **state)
{
    struct str matchers[] = {STR("env=prod"), STR("{team=~\"red|blue\"}")};
    struct pipeline_spec spec = good();

    (void)state;
    accepts("p", spec);
    spec.matchers = matchers;
    spec.matcher_count = COUNTOF(matchers);
    accepts("my pipeline \xc3\xa4", spec);
    spec.type = AGENT_OTEL;
    spec.contents = STR("receivers:\n  otlp: {}\n");
    accepts("p", spec);
}

static void names_are_1_to_250_characters_without_controls(void **state)
{
    (void)state;
    refuses(STR(""), good(), "bad_name", "name");
    refuses(STR("a\tb"), good(), "bad_name", "name");
    refuses(STR("\xc3"), good(), "bad_name", "name");
    refuses(repeated('n', 251), good(), "bad_name", "name");
    accepts(arena_cstr(arena, repeated('n', 250)), good());
}

static void contents_are_read_by_their_language(void **state)
{
    struct pipeline_spec spec = good();

    (void)state;
    spec.contents = STR("logging \"");
    refuses(STR("p"), spec, "bad_contents", "contents");
    spec.type = AGENT_OTEL;
    spec.contents = STR("a: [1, 2");
    refuses(STR("p"), spec, "bad_contents", "contents");
    spec.contents = good().contents;
    spec.type = (enum agent_type)0;
    refuses(STR("p"), spec, "bad_type", "config_type");
}

static void contents_are_text_of_a_bounded_size(void **state)
{
    struct pipeline_spec spec = good();

    (void)state;
    spec.contents = STR("");
    refuses(STR("p"), spec, "bad_contents", "contents");
    spec.contents = STR("// \xff");
    refuses(STR("p"), spec, "bad_contents", "contents");
    spec.contents = repeated('\n', PIPELINE_CONTENTS_MAX);
    accepts("p", spec);
    spec.contents = repeated('\n', PIPELINE_CONTENTS_MAX + 1);
    refuses(STR("p"), spec, "too_large", "contents");
}

static void matchers_are_counted_and_parsed(void **state)
{
    struct pipeline_spec spec = good();
    struct str matchers[PIPELINE_MATCHERS_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNTOF(matchers); i++)
        matchers[i] = STR("a=b");
    spec.matchers = matchers;
    spec.matcher_count = PIPELINE_MATCHERS_MAX;
    accepts("p", spec);
    spec.matcher_count++;
    refuses(STR("p"), spec, "too_large", "matchers");
    matchers[3] = STR("a~=b");
    spec.matcher_count = 5;
    refuses(STR("p"), spec, "bad_matcher", "matchers[3]");
}

static void sources_and_metadata_are_bounded(void **state)
{
    struct pipeline_spec spec = good();

    (void)state;
    spec.has_source = true;
    spec.source_type = 1;
    spec.source_namespace = repeated('n', 250);
    accepts("p", spec);
    spec.source_namespace = repeated('n', 251);
    refuses(STR("p"), spec, "bad_source", "source");
    spec.has_source = false;
    spec.has_metadata = true;
    spec.metadata = repeated('m', PIPELINE_CONTENTS_MAX + 1);
    refuses(STR("p"), spec, "too_large", "metadata");
}

#define CHECK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(what_is_fine_passes),
        CHECK_TEST(names_are_1_to_250_characters_without_controls),
        CHECK_TEST(contents_are_read_by_their_language),
        CHECK_TEST(contents_are_text_of_a_bounded_size),
        CHECK_TEST(matchers_are_counted_and_parsed),
        CHECK_TEST(sources_and_metadata_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
