/* SPDX-License-Identifier: Apache-2.0 */
/* What pipelines say as bytes, and sources that keep theirs in step, on a real store. */
#include "store/fixture.h"

#include "core/event.h"
#include "core/pipeline.h"

#define GIT       1
#define TERRAFORM 2

struct sync_call {
    uint64_t tenant;
    int32_t type;
    struct str space;
    struct pipeline_draft drafts[8];
    struct pipeline_spec specs[8];
    size_t count;
    struct pipeline pipeline;
};

static int do_sync(struct store_tx *tx, void *arg, struct fail *f)
{
    struct sync_call *c = arg;

    return pipeline_sync(tx, NULL, NULL, c->tenant, c->type, c->space, c->drafts, c->count, f);
}

static int do_create(struct store_tx *tx, void *arg, struct fail *f)
{
    return pipeline_create(tx, NULL, NULL, &((struct sync_call *)arg)->pipeline, f);
}

static int sync_from(struct fixture *x, int32_t type, const char *space, struct sync_call *c)
{
    c->tenant = x->tenant.id;
    c->type = type;
    c->space = str_of(space);
    for (size_t i = 0; i < c->count; i++)
        c->drafts[i].spec = &c->specs[i];
    return fixture_write(x, do_sync, c);
}

static void draft(struct sync_call *c, const char *name, const char *contents)
{
    c->drafts[c->count] = (struct pipeline_draft){.name = str_of(name), .enabled = true};
    c->specs[c->count++] =
        (struct pipeline_spec){.type = AGENT_ALLOY, .contents = str_of(contents)};
}

/* A pipeline that no source wrote. */
static void create(struct fixture *x, const char *name)
{
    struct pipeline_spec spec = {.type = AGENT_ALLOY, .contents = STR("by hand")};
    struct sync_call c = {
        .pipeline = {.tenant = x->tenant.id, .name = str_of(name), .enabled = true}};

    assert_int_equal(pipeline_spec_encode(x->arena, &spec, &c.pipeline.body, &x->fail), 0);
    assert_int_equal(fixture_write(x, do_create, &c), 0);
}

/* All of them, by id: "name revision source/space", separated by ", ". */
static const char *pipelines(struct fixture *x)
{
    struct store_tx *tx = fixture_read(x);
    struct pipeline *rows;
    struct buf b;
    size_t n;

    buf_init_arena(&b, x->arena, 1 << 20);
    assert_int_equal(pipeline_list(tx, x->tenant.id, 0, 1000, &rows, &n, &x->fail), 0);
    for (size_t i = 0; i < n; i++) {
        struct pipeline_spec spec = {0};

        assert_int_equal(pipeline_spec_decode(x->arena, rows[i].body, &spec, &x->fail), 0);
        buf_printf(&b, "%s%.*s %lld", i ? ", " : "", STR_ARG(rows[i].name),
                   (long long)rows[i].revision);
        if (spec.has_source)
            buf_printf(&b, " %d/%.*s", spec.source_type, STR_ARG(spec.source_namespace));
    }
    store_read_close(&tx);
    return arena_cstr(x->arena, buf_str(&b));
}

static size_t events(struct fixture *x)
{
    struct store_tx *tx = fixture_read(x);
    struct event *rows;
    size_t n;

    assert_int_equal(event_list(tx, x->tenant.id, 0, 10000, &rows, &n, &x->fail), 0);
    store_read_close(&tx);
    return n;
}

static void a_source_gets_its_pipelines_and_again_writes_nothing(void **state)
{
    struct fixture *x = *state;
    struct sync_call c = {0};

    draft(&c, "b", "one");
    draft(&c, "a", "two");
    assert_int_equal(sync_from(x, GIT, "repo", &c), 0);
    assert_string_equal(pipelines(x), "b 1 1/repo, a 1 1/repo");

    size_t before = events(x);

    assert_int_equal(sync_from(x, GIT, "repo", &c), 0);
    assert_int_equal(events(x), before);
    c.specs[1].contents = STR("three");
    assert_int_equal(sync_from(x, GIT, "repo", &c), 0);
    assert_string_equal(pipelines(x), "b 1 1/repo, a 2 1/repo");
    c.drafts[0].enabled = false;
    assert_int_equal(sync_from(x, GIT, "repo", &c), 0);
    assert_string_equal(pipelines(x), "b 2 1/repo, a 2 1/repo");
    assert_int_equal(events(x), before + 2);
    fixture_assert_clean(x);
}

static void unlisted_ones_of_the_same_source_go_and_only_those(void **state)
{
    struct fixture *x = *state;
    struct sync_call first = {0};
    struct sync_call other = {0};
    struct sync_call third = {0};
    struct sync_call next = {0};

    create(x, "hand");
    draft(&first, "a", "1");
    draft(&first, "b", "1");
    draft(&other, "c", "1");
    draft(&third, "d", "1");
    assert_int_equal(sync_from(x, GIT, "repo", &first), 0);
    assert_int_equal(sync_from(x, GIT, "other", &other), 0);
    assert_int_equal(sync_from(x, TERRAFORM, "repo", &third), 0);
    draft(&next, "b", "1");
    assert_int_equal(sync_from(x, GIT, "repo", &next), 0);
    assert_string_equal(pipelines(x), "hand 1, b 1 1/repo, c 1 1/other, d 1 2/repo");
    next.count = 0;
    assert_int_equal(sync_from(x, GIT, "repo", &next), 0);
    assert_string_equal(pipelines(x), "hand 1, c 1 1/other, d 1 2/repo");
    fixture_assert_clean(x);
}

static void a_pipeline_of_another_source_is_taken_over_by_name(void **state)
{
    struct fixture *x = *state;
    struct sync_call first = {0};
    struct sync_call second = {0};

    create(x, "hand");
    draft(&first, "a", "1");
    assert_int_equal(sync_from(x, GIT, "repo", &first), 0);
    draft(&second, "a", "1");
    draft(&second, "hand", "by hand");
    assert_int_equal(sync_from(x, TERRAFORM, "state", &second), 0);
    assert_string_equal(pipelines(x), "hand 2 2/state, a 2 2/state");
    first.count = 0;
    assert_int_equal(sync_from(x, GIT, "repo", &first), 0);
    assert_string_equal(pipelines(x), "hand 2 2/state, a 2 2/state");
}

static void a_name_that_comes_twice_refuses_all(void **state)
{
    struct fixture *x = *state;
    struct sync_call c = {0};

    draft(&c, "a", "1");
    draft(&c, "b", "1");
    draft(&c, "a", "2");
    assert_int_equal(sync_from(x, GIT, "repo", &c), -1);
    assert_int_equal(x->fail.code, CODE_INVALID_ARGUMENT);
    assert_string_equal(x->fail.reason, "duplicate_name");
    assert_string_equal(pipelines(x), "");
}

static void one_bad_draft_refuses_all(void **state)
{
    struct fixture *x = *state;
    struct sync_call c = {0};
    struct sync_call bad = {0};

    draft(&c, "a", "1");
    assert_int_equal(sync_from(x, GIT, "repo", &c), 0);
    draft(&bad, "b", "1");
    draft(&bad, "c\n", "1");
    assert_int_equal(sync_from(x, GIT, "repo", &bad), -1);
    assert_string_equal(x->fail.reason, "bad_name");
    assert_string_equal(x->fail.field, "pipelines[1]");
    assert_string_equal(pipelines(x), "a 1 1/repo");
}

static void more_pipelines_than_are_read_at_once_are_gone_through(void **state)
{
    struct fixture *x = *state;
    struct sync_call c = {0};

    for (int i = 0; i < 250; i++) {
        c.count = 0;
        draft(&c, arena_cstr(x->arena, arena_printf(x->arena, "p%03d", i)), "1");
        assert_int_equal(sync_from(x, GIT, "repo", &c), 0);
        if (i % 2 == 0)
            create(x, arena_cstr(x->arena, arena_printf(x->arena, "h%03d", i)));
    }
    c.count = 0;
    assert_int_equal(sync_from(x, GIT, "repo", &c), 0);
    assert_null(strstr(pipelines(x), "p"));
    assert_non_null(strstr(pipelines(x), "h248 1"));
}

static void names_are_bounded_in_characters(void **state)
{
    struct fixture *x = *state;
    struct sync_call c = {0};
    char name[PIPELINE_NAME_MAX * 2 + 3];

    for (size_t i = 0; i <= PIPELINE_NAME_MAX; i++)
        memcpy(name + 2 * i, "\xc3\xa4", 3);
    draft(&c, name, "1");
    assert_int_equal(sync_from(x, GIT, "repo", &c), -1);
    assert_string_equal(x->fail.reason, "bad_name");
    c.drafts[0].name.len -= 2;
    assert_int_equal(sync_from(x, GIT, "repo", &c), 0);
}

static void everything_that_a_pipeline_says_comes_back(void **state)
{
    struct fixture *x = *state;
    struct str matchers[] = {STR("b = \"2\""), STR(" a=1"), STR("")};
    struct pipeline_spec spec = {
        .type = AGENT_OTEL,
        .contents = STR("receivers: {}\n"),
        .matchers = matchers,
        .matcher_count = COUNTOF(matchers),
        .has_metadata = true,
        .metadata = STR("\x0a\0\xff"),
        .has_source = true,
        .source_type = 3,
        .source_namespace = STR("console"),
    };
    struct pipeline_spec got = {0};
    struct str body;
    struct str again;

    assert_int_equal(pipeline_spec_encode(x->arena, &spec, &body, &x->fail), 0);
    assert_int_equal(pipeline_spec_decode(x->arena, body, &got, &x->fail), 0);
    assert_int_equal(got.type, AGENT_OTEL);
    assert_true(str_eq(got.contents, spec.contents));
    assert_int_equal(got.matcher_count, 3);
    assert_true(str_eq(got.matchers[0], matchers[0]));
    assert_true(str_eq(got.matchers[1], matchers[1]));
    assert_int_equal(got.matchers[2].len, 0);
    assert_true(got.has_metadata);
    assert_true(str_eq(got.metadata, spec.metadata));
    assert_true(got.has_source);
    assert_int_equal(got.source_type, 3);
    assert_true(str_eq(got.source_namespace, spec.source_namespace));
    assert_int_equal(pipeline_spec_encode(x->arena, &got, &again, &x->fail), 0);
    assert_true(str_eq(body, again));
    assert_int_equal(pipeline_spec_decode(x->arena, STR(""), &got, &x->fail), -1);
    assert_int_equal(x->fail.code, CODE_DATA_LOSS);
    assert_int_equal(pipeline_spec_decode(x->arena, STR("\xff"), &got, &x->fail), -1);
    assert_int_equal(x->fail.code, CODE_DATA_LOSS);
}

static void empty_metadata_differ_from_none(void **state)
{
    struct fixture *x = *state;
    struct pipeline_spec spec = {.type = AGENT_ALLOY, .has_metadata = true};
    struct pipeline_spec got = {0};
    struct str body;

    assert_int_equal(pipeline_spec_encode(x->arena, &spec, &body, &x->fail), 0);
    assert_int_equal(pipeline_spec_decode(x->arena, body, &got, &x->fail), 0);
    assert_true(got.has_metadata);
    assert_false(got.has_source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_source_gets_its_pipelines_and_again_writes_nothing),
        FIXTURE_TEST(unlisted_ones_of_the_same_source_go_and_only_those),
        FIXTURE_TEST(a_pipeline_of_another_source_is_taken_over_by_name),
        FIXTURE_TEST(a_name_that_comes_twice_refuses_all),
        FIXTURE_TEST(one_bad_draft_refuses_all),
        FIXTURE_TEST(more_pipelines_than_are_read_at_once_are_gone_through),
        FIXTURE_TEST(names_are_bounded_in_characters),
        FIXTURE_TEST(everything_that_a_pipeline_says_comes_back),
        FIXTURE_TEST(empty_metadata_differ_from_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
