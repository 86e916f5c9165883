/* SPDX-License-Identifier: Apache-2.0 */
#include "core/seal.h"

#include "base/arena_fixture.h"

#define PLACE STR("source 12.password")

static const struct master_key master = {{1, 2, 3}};

static void refused(struct arena *a, const struct master_key *m, struct str context,
                    struct str sealed)
{
    struct str out = STR("untouched");
    struct fail f = {0};

    assert_int_equal(seal_open(a, m, context, sealed, &out, &f), -1);
    assert_int_equal(f.code, CODE_DATA_LOSS);
    assert_string_equal(f.reason, "bad_seal");
    assert_true(str_eq(out, STR("untouched")));
}

static void what_was_sealed_opens(void **state)
{
    const struct str secrets[] = {STR("hush"), STR(""), STR("\0\xff\n"), STR("s1.AAAA")};

    for (size_t i = 0; i < COUNTOF(secrets); i++) {
        struct str sealed = seal(*state, &master, PLACE, secrets[i]), out = {NULL, 0};
        struct fail f = {0};

        assert_int_equal(seal_open(*state, &master, PLACE, sealed, &out, &f), 0);
        assert_true(str_eq(out, secrets[i]));
    }
}

static void sealed_text_is_plain_and_says_its_version(void **state)
{
    const struct str secret = STR("a secret of a length that chance does not make");
    struct str sealed = seal(*state, &master, PLACE, secret);

    assert_true(str_starts_with(sealed, STR("s1.")));
    assert_true(str_is_plain(sealed));
    assert_null(memmem(sealed.p, sealed.len, secret.p, 8));
}

static void the_same_secret_never_looks_the_same(void **state)
{
    assert_false(str_eq(seal(*state, &master, PLACE, STR("hush")),
                        seal(*state, &master, PLACE, STR("hush"))));
}

static void another_place_does_not_open_it(void **state)
{
    struct str sealed = seal(*state, &master, PLACE, STR("hush"));

    refused(*state, &master, STR("source 13.password"), sealed);
    refused(*state, &master, STR(""), sealed);
}

static void another_key_does_not_open_it(void **state)
{
    const struct master_key other = {{1, 2, 4}};

    refused(*state, &other, PLACE, seal(*state, &master, PLACE, STR("hush")));
}

static void no_changed_byte_goes_unseen(void **state)
{
    struct str sealed = seal(*state, &master, PLACE, STR("hush"));

    for (size_t i = 0; i < sealed.len; i++) {
        char *changed = arena_cstr(*state, sealed);

        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        refused(*state, &master, PLACE, str_make(changed, sealed.len));
        refused(*state, &master, PLACE, str_first(sealed, i));
    }
}

static void what_was_never_sealed_is_refused(void **state)
{
    refused(*state, &master, PLACE, STR(""));
    refused(*state, &master, PLACE, STR("hush"));
    refused(*state, &master, PLACE, STR("s1."));
    refused(*state, &master, PLACE, STR("s1.????"));
    refused(*state, &master, PLACE, STR("s2.AAAA"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_opens),
        cmocka_unit_test(sealed_text_is_plain_and_says_its_version),
        cmocka_unit_test(the_same_secret_never_looks_the_same),
        cmocka_unit_test(another_place_does_not_open_it),
        cmocka_unit_test(another_key_does_not_open_it),
        cmocka_unit_test(no_changed_byte_goes_unseen),
        cmocka_unit_test(what_was_never_sealed_is_refused),
    };

    return cmocka_run_group_tests(tests, arena_fixture_setup, arena_fixture_teardown);
}
