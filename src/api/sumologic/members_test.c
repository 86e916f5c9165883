/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/sumologic/members.h"

/* --- a table with one of each --- */

static int refuse_odd(struct arena *a, const struct json_value *v, struct fail *f)
{
    int64_t n = 0;

    (void)a;
    if (json_num_i64(v->text, &n) == 0 && n % 2 == 0)
        return 0;
    return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid", "an even number is wanted");
}

static const char *const modes[] = {"fast", "slow", NULL};

static const struct member part_items[] = {
    {.name = "key", .type = MEMBER_STRING, .flags = MEMBER_REQUIRED},
    {.name = "password", .type = MEMBER_STRING, .flags = MEMBER_SECRET},
};
static const struct member_table part = {
    .name = "part", .items = part_items, .count = COUNTOF(part_items)};

static const struct member base_items[] = {
    {.name = "id", .type = MEMBER_INT, .flags = MEMBER_SERVER},
    {.name = "name", .type = MEMBER_STRING, .flags = MEMBER_REQUIRED, .min = 1, .max = 8},
};
static const struct member_table base = {
    .name = "base", .items = base_items, .count = COUNTOF(base_items)};

static const struct member items[] = {
    {.name = "kind", .type = MEMBER_STRING, .flags = MEMBER_FIXED},
    {.name = "note", .type = MEMBER_STRING, .flags = MEMBER_EMPTY_OUT},
    {.name = "mode", .type = MEMBER_STRING, .value = "\"fast\"", .choices = modes},
    {.name = "port", .type = MEMBER_INT, .min = 1, .max = 65535},
    {.name = "even", .type = MEMBER_INT, .check = refuse_odd},
    {.name = "ratio", .type = MEMBER_NUMBER, .max = 1},
    {.name = "on", .type = MEMBER_BOOL, .value = "true"},
    {.name = "hosts", .type = MEMBER_STRINGS, .min = 1, .max = 3, .alias = "oldHosts"},
    {.name = "fields", .type = MEMBER_MAP, .max = 2},
    {.name = "part", .type = MEMBER_OBJECT, .sub = &part},
    {.name = "parts", .type = MEMBER_OBJECTS, .sub = &part},
    {.name = "free", .type = MEMBER_OBJECT},
    {.name = "once", .type = MEMBER_STRING, .flags = MEMBER_CREATE},
    {.name = "gone", .type = MEMBER_ANY, .flags = MEMBER_IGNORED},
    {.name = "secret", .type = MEMBER_STRING, .flags = MEMBER_SECRET},
};
static const struct member_table table = {
    .name = "thing", .items = items, .count = COUNTOF(items), .base = &base};

struct world {
    struct arena *a;
    struct fail f;
};

static int set_up(void **state)
{
    struct world *w = test_calloc(1, sizeof(*w));

    w->a = arena_new(4096);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    arena_free(&w->a);
    test_free(w);
    return 0;
}

static struct json_value *json(struct world *w, const char *text)
{
    struct json_value *v = NULL;

    if (json_parse(w->a, str_of(text), NULL, &v, &w->f) < 0)
        fail_msg("%s: %s", text, w->f.message);
    return v;
}

static struct json_value *take(struct world *w, const char *request, const struct json_value *was)
{
    struct json_value *out = NULL;

    if (members_take(w->a, &table, json(w, request), was, &out, &w->f) < 0)
        fail_msg("%s: %s", request, w->f.message);
    return out;
}

static void assert_refused(struct world *w, const char *request, const struct json_value *was,
                           const char *reason, const char *field)
{
    struct json_value *out = NULL;

    if (members_take(w->a, &table, json(w, request), was, &out, &w->f) == 0)
        fail_msg("%s was taken", request);
    assert_string_equal(w->f.reason, reason);
    assert_string_equal(w->f.field, field);
    assert_int_equal(w->f.code, CODE_INVALID_ARGUMENT);
}

static const char *text_of(struct world *w, const struct json_value *v)
{
    struct json_writer jw;
    struct buf out;

    buf_init_arena(&out, w->a, 65536);
    json_writer_init(&jw, &out);
    json_put_value(&jw, v);
    return arena_cstr(w->a, buf_str(&out));
}

static const char *shown(struct world *w, const struct json_value *stored)
{
    struct json_writer jw;
    struct buf out;

    buf_init_arena(&out, w->a, 65536);
    json_writer_init(&jw, &out);
    json_obj_begin(&jw);
    members_put(&jw, &table, stored);
    json_obj_end(&jw);
    return arena_cstr(w->a, buf_str(&out));
}

static void assert_taken(struct world *w, const char *request, const char *expected)
{
    assert_string_equal(text_of(w, take(w, request, NULL)), expected);
}

#define REST "\"mode\":\"fast\",\"on\":true"

/* --- creation --- */

static void defaults_are_filled_in_in_the_order_of_the_table(void **state)
{
    assert_taken(*state, "{\"kind\":\"k\",\"name\":\"n\"}",
                 "{\"name\":\"n\",\"kind\":\"k\"," REST "}");
}

static void unknown_members_are_kept_behind(void **state)
{
    assert_taken(*state, "{\"zeta\":[1],\"name\":\"n\",\"alpha\":{\"x\":null},\"none\":null}",
                 "{\"name\":\"n\"," REST ",\"zeta\":[1],\"alpha\":{\"x\":null}}");
}

static void null_is_absent(void **state)
{
    assert_refused(*state, "{\"name\":null}", NULL, "fields_missing", "name");
    assert_taken(*state, "{\"name\":\"n\",\"on\":null,\"port\":null}", "{\"name\":\"n\"," REST "}");
}

static void a_missing_member_is_named(void **state)
{
    struct world *w = *state;

    assert_refused(w, "{}", NULL, "fields_missing", "name");
    assert_string_equal(w->f.message, "Missing required field: 'name'");
    assert_refused(w, "{\"name\":\"n\",\"parts\":[{\"key\":\"a\"},{}]}", NULL, "fields_missing",
                   "parts[1].key");
    assert_string_equal(w->f.message, "Missing required field: 'key'");
}

static void wrong_types_are_refused(void **state)
{
    static const struct {
        const char *member;
        const char *field;
    } rows[] = {
        {"\"port\":\"514\"", "port"},
        {"\"port\":1.5", "port"},
        {"\"port\":99999999999999999999", "port"},
        {"\"note\":5", "note"},
        {"\"on\":\"true\"", "on"},
        {"\"on\":1", "on"},
        {"\"ratio\":\"x\"", "ratio"},
        {"\"hosts\":\"a\"", "hosts"},
        {"\"hosts\":[1]", "hosts"},
        {"\"fields\":[]", "fields"},
        {"\"fields\":{\"a\":[]}", "fields"},
        {"\"fields\":{\"a\":{}}", "fields"},
        {"\"part\":[]", "part"},
        {"\"part\":\"x\"", "part"},
        {"\"part\":{\"key\":7}", "part.key"},
        {"\"parts\":{}", "parts"},
        {"\"parts\":[1]", "parts[0]"},
        {"\"parts\":[{\"key\":\"a\"},{\"key\":true}]", "parts[1].key"},
        {"\"free\":[]", "free"},
        {"\"once\":1", "once"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct str request = arena_printf(w->a, "{\"name\":\"n\",%s}", rows[i].member);

        assert_refused(w, arena_cstr(w->a, request), NULL, "fields_invalid", rows[i].field);
    }
}

static void bounds_are_those_of_the_table(void **state)
{
    static const char *const bad[] = {
        "{\"name\":\"\"}",
        "{\"name\":\"123456789\"}",
        "{\"name\":\"n\",\"port\":0}",
        "{\"name\":\"n\",\"port\":65536}",
        "{\"name\":\"n\",\"ratio\":1.01}",
        "{\"name\":\"n\",\"ratio\":-0.01}",
        "{\"name\":\"n\",\"hosts\":[]}",
        "{\"name\":\"n\",\"hosts\":[\"a\",\"b\",\"c\",\"d\"]}",
        "{\"name\":\"n\",\"fields\":{\"a\":1,\"b\":2,\"c\":3}}",
        "{\"name\":\"n\",\"mode\":\"Fast\"}",
        "{\"name\":\"n\",\"even\":3}",
    };
    struct world *w = *state;
    struct json_value *out = NULL;

    for (size_t i = 0; i < COUNTOF(bad); i++) {
        if (members_take(w->a, &table, json(w, bad[i]), NULL, &out, &w->f) == 0)
            fail_msg("%s was taken", bad[i]);
        assert_string_equal(w->f.reason, "fields_invalid");
        assert_true(w->f.field[0] != '\0');
    }
    assert_refused(w, "{\"name\":\"123456789\"}", NULL, "fields_invalid", "name");
    assert_string_equal(w->f.message, "Maximum name length is 8 characters.");
    assert_taken(
        w, "{\"name\":\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\"}",
        "{\"name\":\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\"," REST "}");
}

static void numbers_come_out_plain(void **state)
{
    assert_taken(*state, "{\"name\":\"n\",\"port\":1e3,\"ratio\":0.50}",
                 "{\"name\":\"n\",\"mode\":\"fast\",\"port\":1000,\"ratio\":0.50,\"on\":true}");
}

static void an_alias_is_stored_under_the_name(void **state)
{
    assert_taken(*state, "{\"name\":\"n\",\"oldHosts\":[\"a\"]}",
                 "{\"name\":\"n\",\"mode\":\"fast\",\"on\":true,\"hosts\":[\"a\"]}");
    assert_taken(*state, "{\"name\":\"n\",\"oldHosts\":[\"a\"],\"hosts\":[\"b\"]}",
                 "{\"name\":\"n\",\"mode\":\"fast\",\"on\":true,\"hosts\":[\"b\"]}");
}

static void values_of_maps_become_text(void **state)
{
    assert_taken(*state, "{\"name\":\"n\",\"fields\":{\"a\":1.50,\"b\":true,\"c\":null}}",
                 "{\"name\":\"n\"," REST ",\"fields\":{\"a\":\"1.50\",\"b\":\"true\"}}");
}

static void the_servers_own_is_not_taken(void **state)
{
    assert_taken(*state,
                 "{\"id\":7,\"gone\":{\"a\":1},\"once\":\"x\",\"name\":\"n\",\"note\":\"\"}",
                 "{\"name\":\"n\"," REST "}");
}

/* --- updates --- */

static void an_update_replaces_everything(void **state)
{
    struct world *w = *state;
    struct json_value *was =
        take(w, "{\"name\":\"n\",\"kind\":\"k\",\"mode\":\"slow\",\"port\":5,\"extra\":1}", NULL);

    assert_string_equal(text_of(w, take(w, "{\"name\":\"m\"}", was)),
                        "{\"name\":\"m\",\"kind\":\"k\"," REST "}");
}

static void what_is_fixed_must_match_when_it_is_there(void **state)
{
    struct world *w = *state;
    struct json_value *was = take(w, "{\"name\":\"n\",\"kind\":\"k\"}", NULL);
    struct json_value *bare = take(w, "{\"name\":\"n\"}", NULL);

    assert_string_equal(text_of(w, take(w, "{\"name\":\"n\",\"kind\":\"k\"}", was)),
                        "{\"name\":\"n\",\"kind\":\"k\"," REST "}");
    assert_refused(w, "{\"name\":\"n\",\"kind\":\"other\"}", was, "fields_invalid", "kind");
    assert_refused(w, "{\"name\":\"n\",\"kind\":\"k\"}", bare, "fields_invalid", "kind");
}

static void what_the_server_put_stays(void **state)
{
    struct world *w = *state;
    struct json_value *was = take(w, "{\"name\":\"n\"}", NULL);

    json_set(was, STR("id"), json_new_i64(w->a, 12));
    assert_string_equal(text_of(w, take(w, "{\"id\":99,\"name\":\"n\"}", was)),
                        "{\"id\":12,\"name\":\"n\"," REST "}");
}

static void creation_only_members_are_ignored_later(void **state)
{
    struct world *w = *state;
    struct json_value *was = take(w, "{\"name\":\"n\"}", NULL);

    assert_string_equal(text_of(w, take(w, "{\"name\":\"n\",\"once\":5}", was)),
                        "{\"name\":\"n\"," REST "}");
}

static void what_is_stored_may_stay_whatever_bounds_it_breaks(void **state)
{
    struct world *w = *state;
    struct json_value *was = json(w, "{\"name\":\"far too long\",\"mode\":\"odd\",\"on\":true}");

    assert_string_equal(text_of(w, take(w, "{\"name\":\"far too long\",\"mode\":\"odd\"}", was)),
                        "{\"name\":\"far too long\",\"mode\":\"odd\",\"on\":true}");
    assert_refused(w, "{\"name\":\"also too long\"}", was, "fields_invalid", "name");
}

/* --- secrets --- */

static void secrets_are_hidden(void **state)
{
    struct world *w = *state;
    struct json_value *was = take(w,
                                  "{\"name\":\"n\",\"secret\":\"s\",\"part\":{\"key\":\"k\","
                                  "\"password\":\"p\"},\"parts\":[{\"key\":\"l\",\"password\":"
                                  "\"q\",\"more\":1}]}",
                                  NULL);

    assert_string_equal(shown(w, was),
                        "{\"name\":\"n\"," REST
                        ",\"part\":{\"key\":\"k\",\"password\":"
                        "\"********\"},\"parts\":[{\"key\":\"l\",\"password\":\"********\","
                        "\"more\":1}],\"secret\":\"********\"}");
}

static void what_was_hidden_keeps_the_secret(void **state)
{
    struct world *w = *state;
    struct json_value *was =
        take(w, "{\"name\":\"n\",\"secret\":\"s\",\"parts\":[{\"key\":\"l\",\"password\":\"q\"}]}",
             NULL);
    const char *back = shown(w, was);

    assert_string_equal(text_of(w, take(w, back, was)), text_of(w, was));
    assert_string_equal(text_of(w, take(w, "{\"name\":\"n\",\"secret\":\"new\"}", was)),
                        "{\"name\":\"n\"," REST ",\"secret\":\"new\"}");
    assert_string_equal(text_of(w, take(w, "{\"name\":\"n\"}", was)), "{\"name\":\"n\"," REST "}");
}

/* --- tags --- */

static const char *tag(struct world *w, const struct json_value *stored)
{
    return arena_cstr(w->a, members_etag(w->a, &table, stored));
}

static void a_tag_is_32_hex_digits_over_the_configuration(void **state)
{
    struct world *w = *state;
    struct json_value *x = take(w, "{\"name\":\"n\",\"port\":5}", NULL);
    struct json_value *y = take(w, "{\"port\":5,\"name\":\"n\",\"mode\":\"fast\"}", NULL);
    const char *first = tag(w, x);

    assert_int_equal(strspn(first, "0123456789abcdef"), 32);
    assert_int_equal(strlen(first), 32);
    assert_string_equal(tag(w, y), first);
    json_set(y, STR("id"), json_new_i64(w->a, 4)); /* the server's own does not count */
    assert_string_equal(tag(w, y), first);
    assert_string_not_equal(tag(w, take(w, "{\"name\":\"n\",\"port\":6}", NULL)), first);
    assert_string_not_equal(tag(w, take(w, "{\"name\":\"n\",\"port\":5,\"u\":1}", NULL)), first);
}

/* --- fields --- */

static int check_fields(struct world *w, size_t count, size_t key, size_t value)
{
    struct json_value *map = json_new_object(w->a);

    for (size_t i = 0; i < count; i++) {
        char *name = arena_alloc(w->a, key + 1), *text = arena_alloc(w->a, value + 1);

        memset(name, 'k', key);
        memset(text, 'v', value);
        if (key > 0)
            name[0] = (char)('a' + (char)i);
        json_set(map, str_of(name), json_new_str(w->a, str_of(text)));
    }
    return members_check_fields(w->a, map, &w->f);
}

static void fields_are_ten_of_255_and_200_characters(void **state)
{
    assert_int_equal(check_fields(*state, 10, 255, 200), 0);
    assert_int_equal(check_fields(*state, 0, 0, 0), 0);
    assert_int_equal(check_fields(*state, 1, 1, 0), 0);
    assert_int_equal(check_fields(*state, 11, 1, 1), -1);
    assert_int_equal(check_fields(*state, 1, 256, 1), -1);
    assert_int_equal(check_fields(*state, 1, 1, 201), -1);
    assert_int_equal(check_fields(*state, 1, 0, 1), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_filled_in_in_the_order_of_the_table),
        TEST(unknown_members_are_kept_behind),
        TEST(null_is_absent),
        TEST(a_missing_member_is_named),
        TEST(wrong_types_are_refused),
        TEST(bounds_are_those_of_the_table),
        TEST(numbers_come_out_plain),
        TEST(an_alias_is_stored_under_the_name),
        TEST(values_of_maps_become_text),
        TEST(the_servers_own_is_not_taken),
        TEST(an_update_replaces_everything),
        TEST(what_is_fixed_must_match_when_it_is_there),
        TEST(what_the_server_put_stays),
        TEST(creation_only_members_are_ignored_later),
        TEST(what_is_stored_may_stay_whatever_bounds_it_breaks),
        TEST(secrets_are_hidden),
        TEST(what_was_hidden_keeps_the_secret),
        TEST(a_tag_is_32_hex_digits_over_the_configuration),
        TEST(fields_are_ten_of_255_and_200_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
