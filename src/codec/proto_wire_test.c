/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf's wire format: bytes written out by hand from its rules, both ways. */
#include "codec/proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/muster_test_v1_test.pb.h"

typedef struct muster_test_v1_everything everything;

static struct arena *a;
static struct fail f;

static int set_up(void **state)
{
    (void)state;
    a = arena_new(4096);
    f = (struct fail){0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&a);
    return 0;
}

#define BYTES(...) str_make((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static everything *read_ok(struct str in)
{
    everything *e = proto_new(a, &muster_test_v1_everything_desc);

    if (proto_decode(&muster_test_v1_everything_desc, a, in, NULL, e, &f) < 0)
        fail_msg("%s", f.message);
    return e;
}

static void assert_refused(struct str in, enum code code, const char *message)
{
    everything *e = proto_new(a, &muster_test_v1_everything_desc);

    assert_int_equal(proto_decode(&muster_test_v1_everything_desc, a, in, NULL, e, &f), -1);
    assert_string_equal(f.message, message);
    assert_int_equal(f.code, code);
}

static struct str write_any(const struct proto_message *m, const void *msg)
{
    struct buf out;

    buf_init_arena(&out, a, 1 << 20);
    assert_int_equal(proto_encode(m, msg, &out), 0);
    assert_int_equal(proto_size(m, msg), out.len);
    return buf_str(&out);
}

static struct str write_ok(const everything *e)
{
    return write_any(&muster_test_v1_everything_desc, e);
}

static void assert_bytes(struct str got, struct str wanted)
{
    assert_int_equal(got.len, wanted.len);
    assert_memory_equal(got.p, wanted.p, wanted.len);
}

/* `levels` records, each of which holds the rest: field number 19, an_everything. */
static struct str nested(size_t levels)
{
    struct buf out;
    struct str inner = STR("");

    for (size_t i = 0; i < levels; i++) {
        size_t len = inner.len;

        buf_init_arena(&out, a, 1 << 24);
        buf_put(&out, "\x9a\x01", 2);
        for (; len >= 0x80; len >>= 7)
            buf_put_byte(&out, (uint8_t)(len | 0x80));
        buf_put_byte(&out, (uint8_t)len);
        buf_put_str(&out, inner);
        inner = buf_str(&out);
    }
    return inner;
}

/* --- scalars --- */

static void each_scalar_has_its_form_on_the_wire(void **state)
{
    everything e = {.a_int32 = 150,
                    .a_int64 = -2,
                    .a_uint32 = UINT32_MAX,
                    .a_uint64 = UINT64_MAX,
                    .a_sint32 = -1,
                    .a_sint64 = INT64_MIN,
                    .a_fixed32 = 1,
                    .a_fixed64 = 2,
                    .a_sfixed32 = -1,
                    .a_sfixed64 = -2,
                    .a_float = 1.5f,
                    .a_double = -2.0,
                    .a_bool = true,
                    .a_string = STR("hi"),
                    .a_bytes = STR("\x00\xff"),
                    .a_color = MUSTER_TEST_V1_COLOR_BELOW};
    struct str wanted =
        BYTES(0x08, 0x96, 0x01,                                                 /* int32 */
              0x10, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, /* int64 */
              0x18, 0xff, 0xff, 0xff, 0xff, 0x0f,                               /* uint32 */
              0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, /* uint64 */
              0x28, 0x01,                                                       /* sint32 */
              0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, /* sint64 */
              0x3d, 1, 0, 0, 0, 0x41, 2, 0, 0, 0, 0, 0, 0, 0,                   /* fixed */
              0x4d, 0xff, 0xff, 0xff, 0xff,                                     /* sfixed32 */
              0x51, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,             /* sfixed64 */
              0x5d, 0, 0, 0xc0, 0x3f, 0x61, 0, 0, 0, 0, 0, 0, 0, 0xc0,          /* float, double */
              0x68, 1, 0x72, 2, 'h', 'i', 0x7a, 2, 0x00, 0xff,                  /* bool, text */
              0x80, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01); /* enum */

    (void)state;
    assert_bytes(write_ok(&e), wanted);
    assert_true(proto_equal(&muster_test_v1_everything_desc, &e, read_ok(wanted)));
}

static void numbers_too_wide_for_their_type_lose_their_high_bits(void **state)
{
    everything *e = read_ok(BYTES(0x08, 0xff, 0xff, 0xff, 0xff, 0x1f, /* int32 */
                                  0x18, 0x81, 0x80, 0x80, 0x80, 0x10, /* uint32: 2^32 + 1 */
                                  0x68, 0x80, 0x80, 0x80, 0x80, 0x10 /* bool: 2^32 */));

    (void)state;
    assert_int_equal(e->a_int32, -1);
    assert_int_equal(e->a_uint32, 1);
    assert_true(e->a_bool);
}

static void overlong_numbers_are_read(void **state)
{
    everything *e = read_ok(BYTES(0x88, 0x80, 0x00, 0x85, 0x80, 0x00, 0x72, 0x81, 0x00, 'x'));

    (void)state;
    assert_int_equal(e->a_int32, 5);
    assert_true(str_eq(e->a_string, STR("x")));
}

static void a_scalar_at_its_default_is_not_written_but_minus_zero_is(void **state)
{
    everything e = {.a_double = -0.0};

    (void)state;
    assert_bytes(write_ok(&e), BYTES(0x61, 0, 0, 0, 0, 0, 0, 0, 0x80));
    e.a_double = 0.0;
    assert_int_equal(write_ok(&e).len, 0);
}

static void optional_fields_are_written_when_set_also_at_their_default(void **state)
{
    everything e = {.has_maybe_int32 = true, .has_maybe_string = true, .maybe_int64 = 7};
    struct str wanted = BYTES(0xa8, 0x01, 0, 0x92, 0x02, 0);
    everything *back;

    (void)state;
    assert_bytes(write_ok(&e), wanted);
    back = read_ok(wanted);
    assert_true(back->has_maybe_int32 && back->has_maybe_string);
    assert_false(back->has_maybe_int64);
    assert_false(proto_equal(&muster_test_v1_everything_desc, back, &(everything){0}));
}

static void the_last_of_several_scalars_wins(void **state)
{
    (void)state;
    assert_int_equal(read_ok(BYTES(0x08, 1, 0x72, 1, 'a', 0x08, 2))->a_int32, 2);
}

static void an_unknown_enum_value_is_kept(void **state)
{
    everything *e = read_ok(BYTES(0x80, 0x01, 0x63));

    (void)state;
    assert_int_equal(e->a_color, 99);
    assert_bytes(write_ok(e), BYTES(0x80, 0x01, 0x63));
}

static void text_and_bytes_are_views_into_the_input(void **state)
{
    struct str in = BYTES(0x72, 2, 'h', 'i');

    (void)state;
    assert_ptr_equal(read_ok(in)->a_string.p, in.p + 2);
}

/* --- messages and oneofs --- */

static void a_message_that_comes_twice_is_merged(void **state)
{
    everything *e = read_ok(BYTES(0x92, 0x01, 2, 0x08, 1, 0x92, 0x01, 3, 0x12, 1, 'x'));

    (void)state;
    assert_int_equal(e->a_nested->id, 1);
    assert_true(str_eq(e->a_nested->text, STR("x")));
}

static void an_empty_message_is_there(void **state)
{
    everything *e = read_ok(BYTES(0x92, 0x01, 0));

    (void)state;
    assert_non_null(e->a_nested);
    assert_null(e->an_everything);
    assert_bytes(write_ok(e), BYTES(0x92, 0x01, 0));
}

static void the_last_member_of_a_oneof_wins(void **state)
{
    /* choice_string "a", then choice_bool false */
    everything *e = read_ok(BYTES(0x92, 0x07, 1, 'a', 0x88, 0x07, 0));

    (void)state;
    assert_int_equal(e->choice_case, MUSTER_TEST_V1_EVERYTHING_CHOICE_CHOICE_BOOL);
    assert_false(e->choice.choice_bool);
    assert_bytes(write_ok(e), BYTES(0x88, 0x07, 0));
}

static void a_message_of_a_oneof_merges_unless_another_member_came_between(void **state)
{
    /* choice_nested {id 1}, choice_nested {text x} */
    everything *e = read_ok(BYTES(0x8a, 0x07, 0) /* not a bool: skipped */);

    (void)state;
    assert_int_equal(e->choice_case, MUSTER_TEST_V1_EVERYTHING_CHOICE_NOT_SET);
    e = read_ok(BYTES(0xaa, 0x07, 2, 0x08, 1, 0xaa, 0x07, 3, 0x12, 1, 'x'));
    assert_int_equal(e->choice_case, MUSTER_TEST_V1_EVERYTHING_CHOICE_CHOICE_NESTED);
    assert_int_equal(e->choice.choice_nested->id, 1);
    assert_int_equal(e->choice.choice_nested->text.len, 1);
    e = read_ok(BYTES(0xaa, 0x07, 2, 0x08, 1, 0x92, 0x07, 1, 'a', 0xaa, 0x07, 3, 0x12, 1, 'x'));
    assert_int_equal(e->choice.choice_nested->id, 0);
    assert_int_equal(e->choice.choice_nested->text.len, 1);
}

static void decoding_into_a_message_merges(void **state)
{
    everything *e = read_ok(BYTES(0x08, 1, 0xca, 0x02, 1, 7));

    (void)state;
    assert_int_equal(proto_decode(&muster_test_v1_everything_desc, a,
                                  BYTES(0x10, 2, 0xca, 0x02, 1, 8), NULL, e, &f),
                     0);
    assert_int_equal(e->a_int32, 1);
    assert_int_equal(e->a_int64, 2);
    assert_int_equal(e->many_int32.count, 2);
    assert_int_equal(e->many_int32.items[0], 7);
    assert_int_equal(e->many_int32.items[1], 8);
}

/* --- repeated fields and maps --- */

static void packed_and_single_numbers_are_both_read_and_written_as_declared(void **state)
{
    /* many_int32 (41) is packed, loose_int32 (61) is not; each comes both ways */
    everything *e = read_ok(BYTES(0xc8, 0x02, 1, 0xca, 0x02, 3, 2, 0x96, 0x01, 0xc8, 0x02, 3, 0xea,
                                  0x03, 2, 4, 5, 0xe8, 0x03, 6));

    (void)state;
    assert_int_equal(e->many_int32.count, 4);
    assert_int_equal(e->many_int32.items[2], 150);
    assert_int_equal(e->loose_int32.count, 3);
    assert_bytes(write_ok(e), BYTES(0xca, 0x02, 5, 1, 2, 0x96, 0x01, 3, 0xe8, 0x03, 4, 0xe8, 0x03,
                                    5, 0xe8, 0x03, 6));
}

static void packed_numbers_of_fixed_size_are_read(void **state)
{
    everything *e = read_ok(BYTES(0xfa, 0x02, 8, 1, 0, 0, 0, 2, 0, 0, 0, 0xfd, 0x02, 3, 0, 0, 0));

    (void)state;
    assert_int_equal(e->many_fixed32.count, 3);
    assert_int_equal(e->many_fixed32.items[1], 2);
    assert_int_equal(e->many_fixed32.items[2], 3);
}

static void an_empty_packed_field_is_nothing(void **state)
{
    everything *e = read_ok(BYTES(0xca, 0x02, 0, 0xfa, 0x02, 0));

    (void)state;
    assert_int_equal(e->many_int32.count, 0);
    assert_int_equal(write_ok(e).len, 0);
}

static void packed_numbers_that_end_early_are_refused(void **state)
{
    (void)state;
    assert_refused(BYTES(0xca, 0x02, 2, 1, 0x96), CODE_INVALID_ARGUMENT,
                   "many_int32: a number is cut off or too long at byte 4");
    assert_refused(BYTES(0xca, 0x02, 1, 0x96), CODE_INVALID_ARGUMENT,
                   "many_int32: a number is cut off or too long at byte 3");
    assert_refused(BYTES(0xfa, 0x02, 5, 1, 2, 3, 4, 5), CODE_INVALID_ARGUMENT,
                   "many_fixed32: packed numbers are cut off at byte 2");
}

static void many_elements_are_all_there(void **state)
{
    everything e = {0}, *back;
    const struct proto_field *fd =
        proto_field_by_name(&muster_test_v1_everything_desc, STR("many_nested"));

    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct muster_test_v1_everything_nested *n =
            proto_append(a, fd, (struct proto_array *)&e.many_nested);

        n->id = i;
        n->text = arena_printf(a, "number %d", i);
    }
    back = read_ok(write_ok(&e));
    assert_int_equal(back->many_nested.count, 1000);
    assert_int_equal(back->many_nested.items[999].id, 999);
    assert_true(str_eq(back->many_nested.items[500].text, STR("number 500")));
}

static void the_last_of_equal_map_keys_wins(void **state)
{
    everything *e = read_ok(BYTES(0x8a, 0x05, 5, 0x08, 7, 0x12, 1, 'a', /* by_int32 {7: a} */
                                  0x8a, 0x05, 5, 0x08, 8, 0x12, 1, 'b', /* {8: b} */
                                  0x8a, 0x05, 5, 0x08, 7, 0x12, 1, 'c'));

    (void)state;
    assert_int_equal(e->by_int32.count, 2);
    assert_int_equal(e->by_int32.items[0].key, 7);
    assert_true(str_eq(e->by_int32.items[0].value, STR("c")));
}

static void the_last_of_equal_keys_wins_in_a_large_map_too(void **state)
{
    struct buf in;
    everything *e;

    (void)state;
    buf_init_arena(&in, a, 1 << 20);
    for (int round = 0; round < 3; round++) {
        for (int key = 0; key < 100; key++)
            buf_put_str(&in,
                        BYTES(0x8a, 0x05, 5, 0x08, (uint8_t)key, 0x12, 1, (uint8_t)('a' + round)));
    }
    e = read_ok(buf_str(&in));
    assert_int_equal(e->by_int32.count, 100);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(e->by_int32.items[i].key, i);
        assert_true(str_eq(e->by_int32.items[i].value, STR("c")));
    }
}

static void a_map_of_a_nested_message_is_settled_too(void **state)
{
    struct buf in, outer;
    everything *e;

    (void)state;
    buf_init_arena(&in, a, 1 << 20);
    for (int i = 0; i < 20; i++)
        buf_put_str(&in, BYTES(0x8a, 0x05, 2, 0x08, (uint8_t)(i % 10)));
    buf_init_arena(&outer, a, 1 << 20);
    buf_put_str(&outer, BYTES(0x9a, 0x01, 100));
    assert_int_equal(in.len, 100);
    buf_put_str(&outer, buf_str(&in));
    e = read_ok(buf_str(&outer));
    assert_int_equal(e->an_everything->by_int32.count, 10);
}

static void a_map_entry_without_key_or_value_has_their_defaults(void **state)
{
    everything *e = read_ok(BYTES(0xea, 0x05, 0, 0xf2, 0x05, 2, 0x10, 2)); /* nested, color */

    (void)state;
    assert_int_equal(e->nested_by_name.count, 1);
    assert_int_equal(e->nested_by_name.items[0].key.len, 0);
    assert_non_null(e->nested_by_name.items[0].value);
    assert_int_equal(e->color_by_name.items[0].value, MUSTER_TEST_V1_COLOR_BLUE);
    assert_bytes(write_ok(e),
                 BYTES(0xea, 0x05, 4, 0x0a, 0, 0x12, 0, 0xf2, 0x05, 4, 0x0a, 0, 0x10, 2));
}

static void an_entry_of_texts_is_read_in_every_form_it_may_have(void **state)
{
    const struct {
        struct str in;
        const char *key, *value;
    } cases[] = {
        {BYTES(0xe2, 0x05, 6, 0x0a, 1, 'k', 0x12, 1, 'v'), "k", "v"},
        {BYTES(0xe2, 0x05, 6, 0x12, 1, 'v', 0x0a, 1, 'k'), "k", "v"}, /* value first */
        {BYTES(0xe2, 0x05, 9, 0x0a, 1, 'x', 0x12, 1, 'v', 0x0a, 1, 'k'), "k", "v"}, /* key twice */
        {BYTES(0xe2, 0x05, 8, 0x0a, 1, 'k', 0x12, 1, 'v', 0x18, 7), "k", "v"},      /* unknown */
        {BYTES(0xe2, 0x05, 7, 0x0a, 0x81, 0, 'k', 0x12, 1, 'v'), "k", "v"}, /* long length */
        {BYTES(0xe2, 0x05, 0x86, 0, 0x0a, 1, 'k', 0x12, 1, 'v'), "k", "v"},
        {BYTES(0xe2, 0x05, 3, 0x0a, 1, 'k'), "k", ""},
        {BYTES(0xe2, 0x05, 3, 0x12, 1, 'v'), "", "v"},
        {BYTES(0xe2, 0x05, 4, 0x0a, 0, 0x12, 0), "", ""},
        {BYTES(0xe2, 0x05, 0), "", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        everything *e = read_ok(cases[i].in);

        assert_int_equal(e->by_string.count, 1);
        assert_true(str_eq(e->by_string.items[0].key, str_of(cases[i].key)));
        assert_true(str_eq(e->by_string.items[0].value, str_of(cases[i].value)));
    }
}

static void an_entry_of_texts_that_is_cut_off_or_no_text_is_refused(void **state)
{
    (void)state;
    assert_refused(BYTES(0xe2, 0x05, 6, 0x0a, 1, 'k', 0x12, 1), CODE_INVALID_ARGUMENT,
                   "by_string: a length goes past the end at byte 2");
    assert_refused(BYTES(0xe2, 0x05, 6, 0x0a, 1, 'k', 0x12, 2, 'v'), CODE_INVALID_ARGUMENT,
                   "by_string.value: a length goes past the end at byte 7");
    assert_refused(BYTES(0xe2, 0x05, 6, 0x0a, 5, 'k', 0x12, 1, 'v'), CODE_INVALID_ARGUMENT,
                   "by_string.key: a length goes past the end at byte 4");
    assert_refused(BYTES(0xe2, 0x05, 6, 0x0a, 1, 0xff, 0x12, 1, 'v'), CODE_INVALID_ARGUMENT,
                   "by_string.key: text is not UTF-8 at byte 4");
    assert_refused(BYTES(0xe2, 0x05, 6, 0x0a, 1, 'k', 0x12, 1, 0xff), CODE_INVALID_ARGUMENT,
                   "by_string.value: text is not UTF-8 at byte 7");
}

static void map_entries_are_written_by_ascending_key(void **state)
{
    struct muster_test_v1_everything_by_int32_entry entries[] = {
        {.key = 5}, {.key = -1}, {.key = INT32_MIN}, {.key = 0}};
    everything e = {.by_int32 = {entries, COUNTOF(entries)}}, *back;

    (void)state;
    back = read_ok(write_ok(&e));
    assert_int_equal(back->by_int32.items[0].key, INT32_MIN);
    assert_int_equal(back->by_int32.items[1].key, -1);
    assert_int_equal(back->by_int32.items[2].key, 0);
    assert_int_equal(back->by_int32.items[3].key, 5);
    assert_int_equal(entries[0].key, 5);
}

static void large_maps_are_written_in_order(void **state)
{
    struct muster_test_v1_everything_by_string_entry entries[200];
    everything e = {.by_string = {entries, COUNTOF(entries)}}, *back;

    (void)state;
    for (size_t i = 0; i < COUNTOF(entries); i++) {
        entries[i].key = arena_printf(a, "%03zu", 199 - i);
        entries[i].value = STR("v");
    }
    back = read_ok(write_ok(&e));
    for (size_t i = 1; i < COUNTOF(entries); i++)
        assert_true(str_cmp(back->by_string.items[i - 1].key, back->by_string.items[i].key) < 0);
}

/* --- unknown fields --- */

static void unknown_fields_of_every_wire_type_are_skipped(void **state)
{
    /* number 2000: 0x80 0x7d is wire type 0 */
    everything *e = read_ok(BYTES(0x80, 0x7d, 0x96, 0x01, 0x81, 0x7d, 1, 2, 3, 4, 5, 6, 7, 8, 0x82,
                                  0x7d, 2, 'x', 'y', 0x83, 0x7d, 0x08, 1, 0x0b, 0x0c, 0x84, 0x7d,
                                  0x85, 0x7d, 1, 2, 3, 4, 0x08, 9));

    (void)state;
    assert_int_equal(e->a_int32, 9);
    assert_bytes(write_ok(e), BYTES(0x08, 9));
}

static void a_field_of_another_wire_type_is_unknown(void **state)
{
    everything *e = read_ok(BYTES(0x0d, 1, 2, 3, 4, 0x70, 5, 0x08, 9));

    (void)state;
    assert_int_equal(e->a_int32, 9);
    assert_int_equal(e->a_string.len, 0);
}

static void unknown_fields_are_kept_where_the_message_says_so(void **state)
{
    struct muster_test_v1_relayed r = {0};
    struct str in = BYTES(0x08, 7, 0x12, 4, 0x28, 1, 0x08, 2, 0x2a, 1, 'x', 0x33, 0x08, 1, 0x34);
    struct str out;

    (void)state;
    assert_int_equal(proto_decode(&muster_test_v1_relayed_desc, a, in, NULL, &r, &f), 0);
    assert_int_equal(r.unknown_fields.count, 2);
    assert_bytes(r.unknown_fields.items[1], BYTES(0x33, 0x08, 1, 0x34));
    assert_int_equal(r.inner->unknown_fields.count, 1);
    out = write_any(&muster_test_v1_relayed_desc, &r);
    assert_bytes(out, BYTES(0x08, 7, 0x12, 4, 0x08, 2, 0x28, 1, 0x2a, 1, 'x', 0x33, 0x08, 1, 0x34));
}

/* --- refusals --- */

static void bytes_that_are_no_message_are_refused(void **state)
{
    static const struct {
        struct str in;
        const char *message;
    } cases[] = {
        {STR_INIT("\x08"), "a_int32: a number is cut off or too long at byte 1"},
        {STR_INIT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
         "a_int32: a number is cut off or too long at byte 1"},
        {STR_INIT("\x3d\1\2\3"), "a_fixed32: a number is cut off at byte 1"},
        {STR_INIT("\x41\1\2\3\4\5\6\7"), "a_fixed64: a number is cut off at byte 1"},
        {STR_INIT("\x72\5hi"), "a_string: a length goes past the end at byte 1"},
        {STR_INIT("\x72\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"),
         "a_string: a tag or length is cut off or too long at byte 1"},
        {STR_INIT("\x92\1\2\x12\5"), "a_nested.text: a length goes past the end at byte 4"},
        {STR_INIT("\x80"), "a tag or length is cut off or too long at byte 0"},
        {STR_INIT("\x80\x80\x80\x80\x80\1\1"), "a tag or length is cut off or too long at byte 0"},
        {STR_INIT("\0\1"), "a field has the number 0 at byte 1"},
        {STR_INIT("\x86\x7d\1"), "there is no such wire type at byte 2"},
        {STR_INIT("\x87\x7d\1"), "there is no such wire type at byte 2"},
        {STR_INIT("\x84\x7d"), "a group ends that did not begin at byte 2"},
        {STR_INIT("\x83\x7d\x8c\x7d"), "a group ends that did not begin at byte 2"},
        {STR_INIT("\x83\x7d\x08\1"), "a tag or length is cut off or too long at byte 4"},
        {STR_INIT("\x72\2\xc3\x28"), "a_string: text is not UTF-8 at byte 1"},
        {STR_INIT("\x72\3\xed\xa0\x80"), "a_string: text is not UTF-8 at byte 1"},
        {STR_INIT("\xe2\5\3\x0a\1\xff"), "by_string.key: text is not UTF-8 at byte 4"},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++)
        assert_refused(cases[i].in, CODE_INVALID_ARGUMENT, cases[i].message);
    assert_string_equal(f.field, "by_string.key");
}

static void bytes_need_not_be_utf8(void **state)
{
    (void)state;
    assert_int_equal(read_ok(BYTES(0x7a, 2, 0xc3, 0x28))->a_bytes.len, 2);
}

static void nesting_is_allowed_to_one_hundred_levels(void **state)
{
    struct str in = nested(100);
    everything *e = read_ok(in);

    (void)state;
    assert_bytes(write_ok(e), in);
    for (int i = 0; i < 100; i++)
        e = e->an_everything;
    assert_null(e->an_everything);
    assert_int_equal(proto_decode(&muster_test_v1_everything_desc, a, nested(101), NULL,
                                  proto_new(a, &muster_test_v1_everything_desc), &f),
                     -1);
    assert_non_null(strstr(f.message, "nested too deeply"));
    assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
    assert_int_equal(proto_decode(&muster_test_v1_everything_desc, a, nested(3000), NULL,
                                  proto_new(a, &muster_test_v1_everything_desc), &f),
                     -1);
}

static void a_smaller_depth_can_be_asked_for(void **state)
{
    struct proto_limits limits = {.depth = 3};
    void *e = proto_new(a, &muster_test_v1_everything_desc);

    (void)state;
    assert_int_equal(proto_decode(&muster_test_v1_everything_desc, a, nested(3), &limits, e, &f),
                     0);
    assert_int_equal(proto_decode(&muster_test_v1_everything_desc, a, nested(4), &limits, e, &f),
                     -1);
    assert_string_equal(
        f.message,
        "an_everything.an_everything.an_everything.an_everything: nested too deeply at byte 11");
}

static void groups_count_as_levels(void **state)
{
    struct buf in;

    (void)state;
    for (int levels = 100; levels <= 101; levels++) {
        buf_init_arena(&in, a, 4096);
        for (int i = 0; i < levels; i++)
            buf_put(&in, "\x83\x7d", 2);
        for (int i = 0; i < levels; i++)
            buf_put(&in, "\x84\x7d", 2);
        assert_int_equal(proto_decode(&muster_test_v1_everything_desc, a, buf_str(&in), NULL,
                                      proto_new(a, &muster_test_v1_everything_desc), &f),
                         levels == 100 ? 0 : -1);
    }
}

static void input_over_the_limit_is_refused(void **state)
{
    struct proto_limits limits = {.bytes = 2};

    (void)state;
    assert_int_equal(proto_decode(&muster_test_v1_everything_desc, a, BYTES(0x72, 1, 'x'), &limits,
                                  proto_new(a, &muster_test_v1_everything_desc), &f),
                     -1);
    assert_int_equal(f.code, CODE_RESOURCE_EXHAUSTED);
}

/* Repeats the bytes until they are `size` long and decodes them with a budget of 1 MiB. */
static void assert_budget_stops(struct str once, size_t size)
{
    struct proto_limits limits = {.memory = 1 << 20};
    struct arena *own = arena_new(4096);
    struct buf in;
    void *e = proto_new(own, &muster_test_v1_everything_desc);

    buf_init(&in, size + once.len);
    while (in.len < size)
        buf_put_str(&in, once);
    assert_int_equal(
        proto_decode(&muster_test_v1_everything_desc, own, buf_str(&in), &limits, e, &f), -1);
    assert_int_equal(f.code, CODE_RESOURCE_EXHAUSTED);
    assert_true(arena_used(own) <= (1 << 20) + muster_test_v1_everything_desc.size);
    buf_done(&in);
    arena_free(&own);
}

static void small_input_cannot_take_much_memory(void **state)
{
    (void)state;
    assert_budget_stops(BYTES(0xca, 0x03, 0), 100000);                /* many_nested, empty */
    assert_budget_stops(BYTES(0x92, 0x07, 0, 0xaa, 0x07, 0), 300000); /* a oneof back and forth */
    assert_budget_stops(BYTES(0xb2, 0x03, 0), 300000);                /* many_string, empty */
    assert_budget_stops(BYTES(0xc8, 0x02, 0), 600000);                /* many_int32, one by one */
}

static void equal_keys_cost_no_memory(void **state)
{
    struct proto_limits limits = {.memory = 4096};
    struct buf in;

    (void)state;
    buf_init_arena(&in, a, 1 << 20);
    for (int i = 0; i < 10000; i++)
        buf_put_str(&in, BYTES(0x8a, 0x05, 2, 0x08, 7));
    assert_int_equal(proto_decode(&muster_test_v1_everything_desc, a, buf_str(&in), &limits,
                                  proto_new(a, &muster_test_v1_everything_desc), &f),
                     0);
}

/* --- writing --- */

static void a_message_is_appended_to_what_is_there(void **state)
{
    everything e = {.a_string = STR("hi")};
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    buf_put_str(&out, STR("12345"));
    assert_int_equal(proto_encode(&muster_test_v1_everything_desc, &e, &out), 0);
    assert_bytes(buf_str(&out), STR("12345\x72\2hi"));
    buf_done(&out);
}

static void large_messages_grow_the_buffer(void **state)
{
    struct buf heap, own;
    everything e = {.a_string = {arena_alloc(a, 5000), 5000}, .a_bytes = STR("tail")};

    (void)state;
    memset((char *)(uintptr_t)e.a_string.p, 'x', 5000);
    buf_init(&heap, 1 << 20);
    buf_init_arena(&own, a, 1 << 20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(proto_encode(&muster_test_v1_everything_desc, &e, &heap), 0);
        assert_int_equal(proto_encode(&muster_test_v1_everything_desc, &e, &own), 0);
    }
    assert_int_equal(heap.len, 20 * proto_size(&muster_test_v1_everything_desc, &e));
    assert_bytes(buf_str(&own), buf_str(&heap));
    buf_done(&heap);
}

static void a_message_that_does_not_fit_leaves_the_buffer_as_it_was(void **state)
{
    everything e = {.a_string = STR("too long for it")};
    struct buf out;

    (void)state;
    buf_init_arena(&out, a, 10);
    buf_put_str(&out, STR("123"));
    assert_int_equal(proto_encode(&muster_test_v1_everything_desc, &e, &out), -1);
    assert_bytes(buf_str(&out), STR("123"));
    assert_true(out.overflow);

    buf_init_arena(&out, a, 17); /* exactly */
    assert_int_equal(proto_encode(&muster_test_v1_everything_desc, &e, &out), 0);
    assert_int_equal(out.len, 17);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_scalar_has_its_form_on_the_wire),
        CASE(numbers_too_wide_for_their_type_lose_their_high_bits),
        CASE(overlong_numbers_are_read),
        CASE(a_scalar_at_its_default_is_not_written_but_minus_zero_is),
        CASE(optional_fields_are_written_when_set_also_at_their_default),
        CASE(the_last_of_several_scalars_wins),
        CASE(an_unknown_enum_value_is_kept),
        CASE(text_and_bytes_are_views_into_the_input),
        CASE(a_message_that_comes_twice_is_merged),
        CASE(an_empty_message_is_there),
        CASE(the_last_member_of_a_oneof_wins),
        CASE(a_message_of_a_oneof_merges_unless_another_member_came_between),
        CASE(decoding_into_a_message_merges),
        CASE(packed_and_single_numbers_are_both_read_and_written_as_declared),
        CASE(packed_numbers_of_fixed_size_are_read),
        CASE(an_empty_packed_field_is_nothing),
        CASE(packed_numbers_that_end_early_are_refused),
        CASE(many_elements_are_all_there),
        CASE(the_last_of_equal_map_keys_wins),
        CASE(the_last_of_equal_keys_wins_in_a_large_map_too),
        CASE(a_map_of_a_nested_message_is_settled_too),
        CASE(a_map_entry_without_key_or_value_has_their_defaults),
        CASE(an_entry_of_texts_is_read_in_every_form_it_may_have),
        CASE(an_entry_of_texts_that_is_cut_off_or_no_text_is_refused),
        CASE(map_entries_are_written_by_ascending_key),
        CASE(large_maps_are_written_in_order),
        CASE(unknown_fields_of_every_wire_type_are_skipped),
        CASE(a_field_of_another_wire_type_is_unknown),
        CASE(unknown_fields_are_kept_where_the_message_says_so),
        CASE(bytes_that_are_no_message_are_refused),
        CASE(bytes_need_not_be_utf8),
        CASE(nesting_is_allowed_to_one_hundred_levels),
        CASE(a_smaller_depth_can_be_asked_for),
        CASE(groups_count_as_levels),
        CASE(input_over_the_limit_is_refused),
        CASE(small_input_cannot_take_much_memory),
        CASE(equal_keys_cost_no_memory),
        CASE(a_message_is_appended_to_what_is_there),
        CASE(large_messages_grow_the_buffer),
        CASE(a_message_that_does_not_fit_leaves_the_buffer_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
