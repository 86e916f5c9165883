/* SPDX-License-Identifier: Apache-2.0 */
/* How versions and platforms compare, and which builds lead where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/build.h"

static void versions_are_sorted_by_their_numbers(void **state)
{
    static const char *const order[] = {
        "",
        "1",
        "1.2~",
        "1.2~1",
        "1.2",
        "1.2-3",
        "1.10",
        "1.10.1",
        "2",
        "19.9-3",
        "19.10",
        "19.99",
        "19.115-36",
        "19.115-37",
        "v0.9.0-sumo-1",
        "v0.155.0-sumo-0",
        "v0.155.0-sumo-1",
        "v1-RC1",
        "v1-alpha",
        "v1-alpha.2",
        "v1-beta1",
        "v1-preview",
        "v1-rc.2",
        "v1-rc.10",
        "v1",
        "v1-1-dev",
        "v1-1",
        "v18446744073709551616",
        "v18446744073709551617",
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(order); i++) {
        for (size_t k = 0; k < COUNTOF(order); k++) {
            int got = build_compare(str_of(order[i]), str_of(order[k]));
            int want = i < k ? -1 : i > k;

            if ((got > 0) - (got < 0) != want)
                fail_msg("\"%s\" and \"%s\": %d", order[i], order[k], got);
        }
    }
    assert_int_equal(build_compare(STR("1.02"), STR("1.2")), 0);
    assert_int_equal(build_compare(STR("1.0"), STR("1.000")), 0);
}

static void a_build_fits_what_its_platform_says(void **state)
{
    static const struct {
        const char *build;
        const char *agent;
        bool fits;
    } rows[] = {
        {"any", "linux/amd64", true},
        {"any", "", true},
        {"linux", "linux/amd64", true},
        {"linux/amd64", "linux/amd64", true},
        {"linux/amd64", "Linux/AMD64", true},
        {"linux/amd64", "linux", true},
        {"linux/amd64", "", true},
        {"linux/amd64", "linux/arm64", false},
        {"linux", "windows/amd64", false},
        {"linux/amd64", "windows", false},
        {"linux/amd64", "windows/amd64", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++)
        if (build_fits(str_of(rows[i].build), str_of(rows[i].agent)) != rows[i].fits)
            fail_msg("%s for %s", rows[i].build, rows[i].agent);
}

static void an_exact_platform_has_two_halves(void **state)
{
    (void)state;
    assert_true(build_is_exact_platform(STR("linux/amd64")));
    assert_false(build_is_exact_platform(STR("linux")));
    assert_false(build_is_exact_platform(STR("")));
    assert_false(build_is_exact_platform(STR("/amd64")));
    assert_false(build_is_exact_platform(STR("linux/")));
    assert_false(build_is_exact_platform(STR("linux/amd64/v2")));
    assert_false(build_is_exact_platform(STR("Linux/amd64")));
    assert_false(build_is_exact_platform(STR("../etc/passwd")));
}

#define BUILD(v, p, from)                                                                          \
    {                                                                                              \
        .version = STR_INIT(v), .platform = STR_INIT(p), .from_version = STR_INIT(from)            \
    }

/* As build_list() has them. */
static const struct build ladder[] = {
    BUILD("5.0", "linux/amd64", "4.0"), BUILD("4.0", "linux/amd64", "2.0"),
    BUILD("3.0", "linux/amd64", "1.0"), BUILD("2.0", "linux/amd64", "1.0"),
    BUILD("1.0", "linux/amd64", ""),    BUILD("1.0", "linux/arm64", ""),
};

static const char *step(const char *platform, const char *from, const char *to)
{
    struct build out = {0};

    if (!build_step(ladder, COUNTOF(ladder), str_of(platform), str_of(from), str_of(to), &out))
        return "none";
    return out.version.p;
}

static void each_step_goes_as_far_as_it_may(void **state)
{
    (void)state;
    assert_string_equal(step("linux/amd64", "0.9", "5.0"), "1.0");
    assert_string_equal(step("linux/amd64", "1.0", "5.0"), "3.0");
    assert_string_equal(step("linux/amd64", "3.0", "5.0"), "4.0");
    assert_string_equal(step("linux/amd64", "4.0", "5.0"), "5.0");
    assert_string_equal(step("linux/amd64", "", "2.0"), "1.0");
    assert_string_equal(step("linux/amd64", "1.5", "2.0"), "2.0");
}

static void a_build_without_a_lowest_version_is_reached_from_anywhere(void **state)
{
    (void)state;
    assert_string_equal(step("linux/amd64", "~0", "1.0"), "1.0");
    assert_string_equal(step("linux/amd64", "-rc", "1.0"), "1.0");
    assert_string_equal(step("linux/amd64", "?", "1.0"), "1.0");
}

static void a_way_down_is_one_step(void **state)
{
    (void)state;
    assert_string_equal(step("linux/amd64", "5.0", "1.0"), "1.0");
    assert_string_equal(step("linux/amd64", "9.9", "4.0"), "4.0");
}

static void without_a_way_there_is_no_step(void **state)
{
    struct build gap[] = {BUILD("5.0", "any", "4.0"), BUILD("1.0", "any", "")};
    struct build out = {0};

    (void)state;
    assert_string_equal(step("linux/arm64", "0.9", "5.0"), "none");
    assert_string_equal(step("linux/amd64", "0.9", "6.0"), "none");
    assert_string_equal(step("linux/amd64", "0.9", "latest"), "none");
    assert_false(build_step(gap, COUNTOF(gap), STR("linux/amd64"), STR("0.5"), STR("5.0"), &out));
    assert_false(build_step(NULL, 0, STR("linux/amd64"), STR("1"), STR("2"), &out));
}

static void the_closest_of_several_builds_is_found(void **state)
{
    const struct build all[] = {BUILD("2", "linux", ""), BUILD("1", "any", ""),
                                BUILD("1", "linux", ""), BUILD("1", "linux/amd64", "")};
    const struct build turned[] = {BUILD("1", "linux/amd64", ""), BUILD("1", "linux", ""),
                                   BUILD("1", "any", "")};
    struct build out = {0};

    (void)state;
    assert_true(build_find(all, COUNTOF(all), STR("1"), STR("linux/amd64"), &out));
    assert_string_equal(out.platform.p, "linux/amd64");
    assert_true(build_find(turned, COUNTOF(turned), STR("1"), STR("linux/amd64"), &out));
    assert_string_equal(out.platform.p, "linux/amd64");
    assert_true(build_find(all, COUNTOF(all), STR("1"), STR("linux/arm64"), &out));
    assert_string_equal(out.platform.p, "linux");
    assert_true(build_find(all, COUNTOF(all), STR("1"), STR("windows/amd64"), &out));
    assert_string_equal(out.platform.p, "any");
    assert_false(build_find(all, COUNTOF(all), STR("2"), STR("windows/amd64"), &out));
    assert_true(build_latest(all, COUNTOF(all), STR("linux/s390x"), &out));
    assert_string_equal(out.version.p, "2");
    assert_true(build_latest(all, COUNTOF(all), STR("windows/amd64"), &out));
    assert_string_equal(out.version.p, "1");
}

static void bad_builds_are_refused(void **state)
{
    static const struct {
        const char *version;
        const char *platform;
        const char *from;
        const char *reason;
    } rows[] = {
        {"", "any", "", "bad_version"},       {"a b", "any", "", "bad_version"},
        {"../x", "any", "", "bad_version"},   {"-1", "any", "", "bad_version"},
        {"latest", "any", "", "bad_version"}, {"1", "", "", "bad_platform"},
        {"1", "a/b/c", "", "bad_platform"},   {"1", "Linux", "", "bad_platform"},
        {"1", "any", "2", "bad_version"},     {"1", "any", "x y", "bad_version"},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        const struct build b = {.version = str_of(rows[i].version),
                                .platform = str_of(rows[i].platform),
                                .from_version = str_of(rows[i].from)};
        struct fail f = {0};

        assert_int_equal(build_check(&b, &f), -1);
        assert_string_equal(f.reason, rows[i].reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_sorted_by_their_numbers),
        cmocka_unit_test(a_build_fits_what_its_platform_says),
        cmocka_unit_test(an_exact_platform_has_two_halves),
        cmocka_unit_test(each_step_goes_as_far_as_it_may),
        cmocka_unit_test(a_build_without_a_lowest_version_is_reached_from_anywhere),
        cmocka_unit_test(a_way_down_is_one_step),
        cmocka_unit_test(without_a_way_there_is_no_step),
        cmocka_unit_test(the_closest_of_several_builds_is_found),
        cmocka_unit_test(bad_builds_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
