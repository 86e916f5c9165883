/* SPDX-License-Identifier: Apache-2.0 */
/* Paths: each way of writing one, escape sequences, refusals with their reasons. */
#include "api/fleet/attribute_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int make_arena(void **state)
{
    *state = arena_new(4096);
    return 0;
}

static int drop_arena(void **state)
{
    struct arena *a = *state;

    arena_free(&a);
    return 0;
}

struct good {
    struct str path;
    struct str key;
};

#define GOOD(path, key)                                                                            \
    {                                                                                              \
        STR_INIT(path), STR_INIT(key)                                                              \
    }

static void check(void **state, const struct good *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct str key = {0};
        struct fail f = {0};

        if (attribute_path_parse(*state, all[i].path, &key, &f) < 0)
            fail_msg("%.*s is refused: %s", STR_ARG(all[i].path), f.message);
        if (!str_eq(key, all[i].key))
            fail_msg("%.*s is read as [%.*s]", STR_ARG(all[i].path), STR_ARG(key));
    }
}

static void all_after_the_first_dot_is_the_key(void **state)
{
    static const struct good all[] = {
        GOOD("remoteAttributes.env", "env"),
        GOOD("remote_attributes.env", "env"),
        GOOD("$.remoteAttributes.env", "env"),
        GOOD("$.remote_attributes.env", "env"),
        GOOD("remoteAttributes.a.b.c", "a.b.c"),
        GOOD("remoteAttributes..a", ".a"),
        GOOD("remoteAttributes.a/b~1\\n[\"c\"]", "a/b~1\\n[\"c\"]"),
        GOOD("remoteAttributes. a ", " a "),
        GOOD("remoteAttributes.\xf0\x9f\x99\x82", "\xf0\x9f\x99\x82"),
        GOOD("remoteAttributes.remoteAttributes.x", "remoteAttributes.x"),
        GOOD("remoteAttributes.collector.os", "collector.os"), /* refused by who asked */
    };

    check(state, all, COUNTOF(all));
}

static void a_key_in_brackets_stands_in_quotes(void **state)
{
    static const struct good all[] = {
        GOOD("remoteAttributes[\"env\"]", "env"),
        GOOD("remoteAttributes['env']", "env"),
        GOOD("remote_attributes[\"env\"]", "env"),
        GOOD("$.remoteAttributes['env']", "env"),
        GOOD("$.remote_attributes[\"a.b\"]", "a.b"),
        GOOD("remoteAttributes['say \"hi\"']", "say \"hi\""),
        GOOD("remoteAttributes[\"it's\"]", "it's"),
        GOOD("remoteAttributes['it\\'s']", "it's"),
        GOOD("remoteAttributes[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", "\"\\/\b\f\n\r\t"),
        GOOD("remoteAttributes[\"\\u00e4\\u4E2d\"]", "\xc3\xa4\xe4\xb8\xad"),
        GOOD("remoteAttributes['\\ud83D\\ude42!']", "\xf0\x9f\x99\x82!"),
        GOOD("remoteAttributes['a]b[c']", "a]b[c"),
        GOOD("remoteAttributes['a~1b']", "a~1b"),
    };

    check(state, all, COUNTOF(all));
}

static void a_pointer_ends_with_the_key(void **state)
{
    static const struct good all[] = {
        GOOD("/remote_attributes/env", "env"),
        GOOD("/remoteAttributes/env", "env"),
        GOOD("/remoteAttributes/a.b", "a.b"),
        GOOD("/remoteAttributes/a~1b", "a/b"),
        GOOD("/remoteAttributes/a~0b", "a~b"),
        GOOD("/remoteAttributes/~01", "~1"), /* once, from the left */
        GOOD("/remoteAttributes/~1~0~1", "/~/"),
        GOOD("/remoteAttributes/['a']", "['a']"),
        GOOD("/remoteAttributes/%2F", "%2F"),
    };

    check(state, all, COUNTOF(all));
}

static void anything_else_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *path;
        const char *message; /* how it begins */
    } all[] = {
        /* other fields */
        {"", "only remote attributes"},
        {"name", "only remote attributes"},
        {"enabled", "only remote attributes"},
        {"/name", "only remote attributes"},
        {"$.name", "only remote attributes"},
        {"env", "only remote attributes"},
        {"localAttributes.env", "only remote attributes"},
        {"local_attributes.env", "only remote attributes"},
        {"/localAttributes/env", "only remote attributes"},
        {"attributeOverrides.env", "only remote attributes"},
        {"RemoteAttributes.env", "only remote attributes"},
        {"remoteattributes.env", "only remote attributes"},
        {"remoteAttributesX.env", "only remote attributes"},
        {"remoteAttributes/env", "only remote attributes"},
        {"/remoteAttributes.env", "only remote attributes"},
        {"/remoteAttributes['env']", "only remote attributes"},
        {"//remoteAttributes/env", "only remote attributes"},
        {" remoteAttributes.env", "only remote attributes"},
        {"remoteAttributes .env", "only remote attributes"},
        {"$remoteAttributes.env", "only remote attributes"},
        {"$.$.remoteAttributes.env", "only remote attributes"},
        {"/$.remoteAttributes/env", "only remote attributes"},
        {"$", "only remote attributes"},
        {"/", "only remote attributes"},
        /* no key */
        {"remoteAttributes", "the path names no attribute"},
        {"$.remote_attributes", "the path names no attribute"},
        {"/remoteAttributes", "the path names no attribute"},
        {"remoteAttributes.", "the key is empty"},
        {"/remoteAttributes/", "the key is empty"},
        {"remoteAttributes[\"\"]", "the key is empty"},
        {"remoteAttributes['']", "the key is empty"},
        /* brackets */
        {"remoteAttributes[", "a key in brackets stands in quotes"},
        {"remoteAttributes[]", "a key in brackets stands in quotes"},
        {"remoteAttributes[env]", "a key in brackets stands in quotes"},
        {"remoteAttributes[0]", "a key in brackets stands in quotes"},
        {"remoteAttributes[ 'a']", "a key in brackets stands in quotes"},
        {"remoteAttributes['", "the key in brackets has no closing quote"},
        {"remoteAttributes['a", "the key in brackets has no closing quote"},
        {"remoteAttributes['a\"]", "the key in brackets has no closing quote"},
        {"remoteAttributes['a\\']", "the key in brackets has no closing quote"},
        {"remoteAttributes['a'", "the path must end with ]"},
        {"remoteAttributes['a' ]", "the path must end with ]"},
        {"remoteAttributes['a'].b", "the path must end with ]"},
        {"remoteAttributes['a']['b']", "the path must end with ]"},
        {"remoteAttributes['a'b']", "the path must end with ]"},
        {"remoteAttributes['\\x41']", "unknown or incomplete escape"},
        {"remoteAttributes['\\", "unknown or incomplete escape"},
        {"remoteAttributes['\\u12']", "unknown or incomplete escape"},
        {"remoteAttributes['\\ud83d']", "unknown or incomplete escape"},
        {"remoteAttributes['\\ud83d\\n']", "unknown or incomplete escape"},
        {"remoteAttributes['\\ud83d\\u0041']", "unknown or incomplete escape"},
        {"remoteAttributes['\\ude42']", "unknown or incomplete escape"},
        {"remoteAttributes['\\ude42\\ud83d']", "unknown or incomplete escape"},
        {"remoteAttributes['\\ude42\\ude42']", "unknown or incomplete escape"},
        {"remoteAttributes['\\ud83d\\ue000']", "unknown or incomplete escape"},
        /* pointers */
        {"/remoteAttributes/a/b", "the path goes on after the key"},
        {"/remoteAttributes/a/", "the path goes on after the key"},
        {"/remoteAttributes//", "the path goes on after the key"},
        {"/remoteAttributes/a~", "a ~ in a key is written ~0"},
        {"/remoteAttributes/~2", "a ~ in a key is written ~0"},
        {"/remoteAttributes/~~0", "a ~ in a key is written ~0"},
        /* bytes */
        {"remoteAttributes.\xff", "the path is not valid UTF-8"},
        {"remoteAttributes['\xc3']", "the path is not valid UTF-8"},
    };

    for (size_t i = 0; i < COUNTOF(all); i++) {
        struct str key = STR("untouched");
        struct fail f = {0};

        if (attribute_path_parse(*state, str_of(all[i].path), &key, &f) == 0)
            fail_msg("%s is read as %.*s", all[i].path, STR_ARG(key));
        assert_true(str_eq(key, STR("untouched")));
        assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
        assert_string_equal(f.reason, "bad_path");
        if (strncmp(f.message, all[i].message, strlen(all[i].message)) != 0)
            fail_msg("%s: %s", all[i].path, f.message);
    }
}

static void the_length_is_bounded(void **state)
{
    static char path[ATTRIBUTE_PATH_MAX + 1] = "remoteAttributes.";
    size_t prefix = strlen(path);
    struct str key = {0};
    struct fail f = {0};

    memset(path + prefix, 'x', sizeof(path) - prefix);
    assert_int_equal(attribute_path_parse(*state, str_make(path, ATTRIBUTE_PATH_MAX), &key, &f), 0);
    assert_int_equal(key.len, ATTRIBUTE_PATH_MAX - prefix);
    assert_int_equal(attribute_path_parse(*state, str_make(path, sizeof(path)), &key, &f), -1);
    assert_string_equal(f.reason, "bad_path");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_after_the_first_dot_is_the_key, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(a_key_in_brackets_stands_in_quotes, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(a_pointer_ends_with_the_key, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(anything_else_is_refused_with_the_reason, make_arena,
                                        drop_arena),
        cmocka_unit_test_setup_teardown(the_length_is_bounded, make_arena, drop_arena),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
