/* SPDX-License-Identifier: Apache-2.0 */
/* Base64: the vectors of RFC 4648, all forms, and what each mode refuses. */
#include "codec/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

static void assert_str(struct str got, const char *expected)
{
    assert_int_equal(got.len, strlen(expected));
    assert_memory_equal(got.p, expected, got.len);
}

static void the_vectors_of_the_rfc_hold(void **state)
{
    static const struct {
        const char *plain, *padded, *bare;
    } cases[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    };

    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct str plain = str_of(cases[i].plain), back;

        assert_str(base64_encode(*state, BASE64_STD, plain), cases[i].padded);
        assert_str(base64_encode(*state, BASE64_URL_BARE, plain), cases[i].bare);
        assert_int_equal(base64_decode(*state, BASE64_STD, str_of(cases[i].padded), &back), 0);
        assert_str(back, cases[i].plain);
        assert_int_equal(base64_decode(*state, BASE64_STD_BARE, str_of(cases[i].bare), &back), 0);
        assert_str(back, cases[i].plain);
    }
}

static void every_form_reads_what_it_wrote(void **state)
{
    static const enum base64_form forms[] = {BASE64_STD, BASE64_STD_BARE, BASE64_URL,
                                             BASE64_URL_BARE};
    uint8_t bytes[256];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 167 + 13);
    for (size_t f = 0; f < COUNTOF(forms); f++) {
        for (size_t len = 0; len <= sizeof(bytes); len++) {
            struct str in = str_make(bytes, len), back;
            struct str text = base64_encode(*state, forms[f], in);

            assert_int_equal(text.len, base64_encoded_len(forms[f], len));
            assert_int_equal(base64_decode(*state, forms[f], text, &back), 0);
            assert_true(str_eq(back, in));
            assert_int_equal(base64_decode_lenient(*state, text, &back), 0);
            assert_true(str_eq(back, in));
        }
    }
}

static void the_two_alphabets_differ_in_their_last_two_characters(void **state)
{
    struct str in = STR("\xfb\xff\xfe");

    assert_str(base64_encode(*state, BASE64_STD, in), "+//+");
    assert_str(base64_encode(*state, BASE64_URL, in), "-__-");
}

static void strict_decoding_refuses_every_other_text(void **state)
{
    static const struct {
        enum base64_form form;
        struct str text;
    } bad[] = {
        {BASE64_STD, STR_INIT("Zg")},       /* padding missing */
        {BASE64_STD, STR_INIT("Zg=")},      /* half of it missing */
        {BASE64_STD, STR_INIT("Zg===")},    /* too much */
        {BASE64_STD, STR_INIT("====")},     /* nothing but padding */
        {BASE64_STD, STR_INIT("Z===")},     /* one character carries no byte */
        {BASE64_STD, STR_INIT("Zm9v====")}, /* a group of padding */
        {BASE64_STD, STR_INIT("Zg==Zg==")}, /* padding in the middle */
        {BASE64_STD, STR_INIT("Zh==")},     /* unused bits set */
        {BASE64_STD, STR_INIT("Zm9=")},     /* unused bits set */
        {BASE64_STD, STR_INIT("-__-")},     /* the other alphabet */
        {BASE64_URL, STR_INIT("+//+")},
        {BASE64_STD_BARE, STR_INIT("Zg==")}, /* padding where there is none */
        {BASE64_URL_BARE, STR_INIT("Zm8=")},
        {BASE64_URL_BARE, STR_INIT("Z")},
        {BASE64_STD, STR_INIT("Zm9\n")}, /* white space */
        {BASE64_STD, STR_INIT(" Zm9v")},
        {BASE64_STD, STR_INIT("Zm9\0")},
        {BASE64_STD, STR_INIT("Zm9\xc3")},
        {BASE64_STD, STR_INIT("Zm9*Zm9v")},
    };
    struct str out = STR("untouched");

    for (size_t i = 0; i < COUNTOF(bad); i++) {
        if (base64_decode(*state, bad[i].form, bad[i].text, &out) == 0)
            fail_msg("case %zu was accepted", i);
    }
    assert_str(out, "untouched");
}

static void lenient_decoding_takes_either_alphabet_and_padding_or_none(void **state)
{
    static const struct str good[] = {STR_INIT("+/8="), STR_INIT("+/8"), STR_INIT("-_8="),
                                      STR_INIT("-_8"),  STR_INIT("-/8"), STR_INIT("+/9")};
    struct str out;

    for (size_t i = 0; i < COUNTOF(good); i++) {
        assert_int_equal(base64_decode_lenient(*state, good[i], &out), 0);
        assert_true(str_eq(out, STR("\xfb\xff")));
    }
}

static void lenient_decoding_still_refuses_garbage(void **state)
{
    static const struct str bad[] = {STR_INIT("Z"),        STR_INIT("Zg="),     STR_INIT("Z==="),
                                     STR_INIT("=="),       STR_INIT("Zg= "),    STR_INIT("Zm\n9"),
                                     STR_INIT("Zg==Zg=="), STR_INIT("Zm9v====")};
    struct str out;

    for (size_t i = 0; i < COUNTOF(bad); i++) {
        if (base64_decode_lenient(*state, bad[i], &out) == 0)
            fail_msg("case %zu was accepted", i);
    }
}

static void no_byte_outside_of_the_alphabets_is_taken(void **state)
{
    static const char alphabets[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";
    struct str out;

    for (int byte = 0; byte < 256; byte++) {
        char text[4] = {'A', 'A', 'A', (char)byte};
        bool known = memchr(alphabets, byte, sizeof(alphabets) - 1) != NULL;

        if (byte == '=')
            continue;
        assert_int_equal(base64_decode_lenient(*state, str_make(text, 4), &out), known ? 0 : -1);
    }
}

static void appending_respects_the_ceiling(void **state)
{
    struct buf b;

    buf_init_arena(&b, *state, 10);
    base64_put(&b, BASE64_STD, STR("foobar"));
    assert_str(buf_str(&b), "Zm9vYmFy");
    assert_false(b.overflow);
    base64_put(&b, BASE64_STD, STR("foobar"));
    assert_true(b.overflow);
    assert_int_equal(b.len, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_the_rfc_hold),
        cmocka_unit_test(every_form_reads_what_it_wrote),
        cmocka_unit_test(the_two_alphabets_differ_in_their_last_two_characters),
        cmocka_unit_test(strict_decoding_refuses_every_other_text),
        cmocka_unit_test(lenient_decoding_takes_either_alphabet_and_padding_or_none),
        cmocka_unit_test(lenient_decoding_still_refuses_garbage),
        cmocka_unit_test(no_byte_outside_of_the_alphabets_is_taken),
        cmocka_unit_test(appending_respects_the_ceiling),
    };

    return cmocka_run_group_tests(tests, make_arena, drop_arena);
}
