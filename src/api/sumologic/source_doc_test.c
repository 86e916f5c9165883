/* SPDX-License-Identifier: Apache-2.0 */
/* A source from request to store to answer: replacement, secrets, tags, and what is worked out. */
#include "api/sumologic/source_doc.h"

#include "codec/json_fixture.h"
#include "core/seal.h"

#define NOW_US INT64_C(1700000000000000)
#define FILE_SOURCE(more)                                                                          \
    "{\"sourceType\":\"LocalFile\",\"name\":\"n\",\"pathExpression\":\"/a\"" more "}"
#define HTTP_SOURCE(more) "{\"sourceType\":\"HTTP\",\"name\":\"n\"" more "}"
#define REMOTE_FILE(more)                                                                          \
    "{\"sourceType\":\"RemoteFileV2\",\"name\":\"n\",\"remoteHosts\":[\"h\"],\"remotePort\":22,"   \
    "\"remoteUser\":\"u\",\"pathExpression\":\"/a\"" more "}"
#define BY_PASSWORD(word) ",\"authMethod\":\"password\",\"remotePassword\":\"" word "\""
#define BUCKET(key)                                                                                \
    "{\"sourceType\":\"Polling\",\"name\":\"n\",\"contentType\":\"AwsS3Bucket\","                  \
    "\"thirdPartyRef\":{\"resources\":[{\"serviceType\":\"AwsS3Bucket\",\"path\":{\"type\":"       \
    "\"S3BucketPathExpression\",\"bucketName\":\"b\",\"pathExpression\":\"*\"},"                   \
    "\"authentication\":{\"type\":\"S3BucketAuthentication\",\"awsId\":\"i\",\"awsKey\":\"" key    \
    "\"}}]}}"

static const struct master_key master = {{7}};

static bool hosted_of(const char *text)
{
    return strstr(text, "\"HTTP\"") || strstr(text, "\"Polling\"") || strstr(text, "\"Universal\"");
}

/* Stored as number 7. */
static struct source_doc put(struct arena *a, const char *text, const struct source_doc *was)
{
    struct source_doc doc = {0};
    struct fail f = {0};

    if (source_doc_take(a, json_fixture_parse(a, str_of(text)), hosted_of(text), NOW_US, was, &doc,
                        &f) < 0)
        fail_msg("%s: %s", text, f.message);
    return source_doc_seal(a, &master, 7, &doc, was);
}

static void refused(struct arena *a, const char *text, const struct source_doc *was,
                    const char *reason, const char *field)
{
    struct source_doc doc = {0};
    struct fail f = {0};

    if (source_doc_take(a, json_fixture_parse(a, str_of(text)), hosted_of(text), NOW_US, was, &doc,
                        &f) == 0)
        fail_msg("taken: %s", text);
    assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
    assert_string_equal(f.reason, reason);
    if (field)
        assert_string_equal(f.field, field);
}

static const char *show(struct arena *a, const struct source_doc *doc)
{
    const struct source_view view = {.id = 7, .base_url = STR("http://host")};
    struct json_writer w;
    struct buf out;

    buf_init_arena(&out, a, 1 << 20);
    json_writer_init(&w, &out);
    source_doc_put(&w, a, doc, &view);
    return arena_cstr(a, buf_str(&out));
}

static void shows(struct arena *a, const struct source_doc *doc, const char *part)
{
    const char *text = show(a, doc);

    if (!strstr(text, part))
        fail_msg("no %s in %s", part, text);
}

static void hides(struct arena *a, const struct source_doc *doc, const char *part)
{
    const char *text = show(a, doc);

    if (strstr(text, part))
        fail_msg("%s in %s", part, text);
}

static bool same_tag(struct arena *a, const struct source_doc *x, const struct source_doc *y)
{
    return str_eq(source_doc_etag(a, x), source_doc_etag(a, y));
}

static struct str text_of(struct arena *a, const struct source_doc *doc)
{
    struct str text = {NULL, 0};
    struct fail f = {0};

    assert_int_equal(source_doc_encode(a, doc, &text, &f), 0);
    return text;
}

/* --- replacement --- */

static void what_an_update_leaves_out_returns_to_its_default(void **state)
{
    struct source_doc was =
        put(*state,
            FILE_SOURCE(",\"description\":\"d\",\"timeZone\":\"Etc/UTC\",\"fields\":{\"a\":\"b\"},"
                        "\"forceTimeZone\":true,\"x\":1,\"filters\":[{\"name\":\"f\","
                        "\"filterType\":\"Exclude\",\"regexp\":\"a\"}]"),
            NULL);
    struct source_doc now = put(*state, FILE_SOURCE(""), &was);
    static const char *const gone[] = {"description", "timeZone", "fields\":{", "\"x\":1",
                                       "regexp"};

    shows(*state, &was, "\"forceTimeZone\":true");
    shows(*state, &now, "\"forceTimeZone\":false");
    shows(*state, &now, "\"filters\":[]");
    for (size_t i = 0; i < COUNTOF(gone); i++) {
        shows(*state, &was, gone[i]);
        hides(*state, &now, gone[i]);
    }
    assert_false(same_tag(*state, &was, &now));
}

static void types_cannot_change(void **state)
{
    struct source_doc was = put(*state, HTTP_SOURCE(",\"contentType\":\"Zipkin\""), NULL), now;

    refused(*state, "{\"sourceType\":\"Cloudsyslog\",\"name\":\"n\"}", &was, "fields_invalid",
            "sourceType");
    refused(*state, HTTP_SOURCE(",\"contentType\":\"Otlp\""), &was, "fields_invalid",
            "contentType");
    now = put(*state, "{\"name\":\"m\"}", &was);
    shows(*state, &now, "\"contentType\":\"Zipkin\"");
    shows(*state, &now, "\"sourceType\":\"HTTP\"");
    was = put(*state, HTTP_SOURCE(""), NULL);
    refused(*state, HTTP_SOURCE(",\"contentType\":\"Otlp\""), &was, "fields_invalid",
            "contentType");
}

static void the_address_outlives_updates_whatever_they_say(void **state)
{
    struct source_doc was = put(*state, HTTP_SOURCE(""), NULL);
    struct source_doc now = put(
        *state,
        HTTP_SOURCE(",\"url\":\"http://evil\",\"token\":\"T\",\"baseUrl\":\"\",\"alive\":false"),
        &was);

    assert_int_equal(source_doc_token(&was).len, 52);
    assert_true(str_eq(source_doc_token(&was), source_doc_token(&now)));
    assert_true(same_tag(*state, &was, &now));
    hides(*state, &now, "evil");
    now = put(*state, HTTP_SOURCE(""), NULL);
    assert_false(str_eq(source_doc_token(&was), source_doc_token(&now)));
}

static void members_that_nobody_knows_are_kept_and_shown(void **state)
{
    struct source_doc doc =
        put(*state, FILE_SOURCE(",\"newThing\":{\"b\":[1e400,null],\"a\":\"\\u0000\"},\"z\":1.50"),
            NULL);

    shows(*state, &doc, "\"newThing\":{\"b\":[1e400,null],\"a\":\"\\u0000\"},\"z\":1.50");
    shows(*state, &doc, "\"id\":7");
}

static void a_row_reads_back_as_it_was_written(void **state)
{
    struct source_doc doc = put(*state, REMOTE_FILE(BY_PASSWORD("hush!")), NULL), back = {0};
    struct source row = {.id = 7, .type = STR("RemoteFileV2"), .body = text_of(*state, &doc)};
    struct fail f = {0};

    assert_int_equal(source_doc_decode(*state, &row, &back, &f), 0);
    assert_string_equal(show(*state, &doc), show(*state, &back));
    assert_true(same_tag(*state, &doc, &back));
    row.type = STR("Nothing");
    assert_int_equal(source_doc_decode(*state, &row, &back, &f), -1);
    assert_int_equal(f.code, CODE_DATA_LOSS);
    row.type = STR("HTTP");
    row.body = STR("[");
    assert_int_equal(source_doc_decode(*state, &row, &back, &f), -1);
    assert_int_equal(f.code, CODE_DATA_LOSS);
}

/* --- secrets --- */

static void secrets_are_sealed_at_rest_and_never_shown(void **state)
{
    /* The exclamation mark is none of the signs that sealed text is made of. */
    static const char *const texts[] = {
        REMOTE_FILE(BY_PASSWORD("hush!")),
        REMOTE_FILE(",\"authMethod\":\"key\",\"keyPath\":\"/k\",\"keyPassword\":\"hush!\""),
        BUCKET("hush!"),
    };
    struct arena *a = *state;

    for (size_t i = 0; i < COUNTOF(texts); i++) {
        struct source_doc doc = put(a, texts[i], NULL);
        struct str text = text_of(a, &doc);

        assert_null(memmem(text.p, text.len, "hush!", 5));
        assert_non_null(memmem(text.p, text.len, "\"s1.", 4));
        hides(a, &doc, "hush!");
        hides(a, &doc, "s1.");
        shows(a, &doc, "\"********\"");
    }
}

static void a_secret_opens_under_the_number_and_the_member(void **state)
{
    struct source_doc doc = put(*state, REMOTE_FILE(BY_PASSWORD("hush!")), NULL);
    struct str sealed = json_find(doc.tree, STR("remotePassword"))->text, plain = {NULL, 0};
    struct fail f = {0};

    assert_int_equal(seal_open(*state, &master, STR("source 7.remotePassword"), sealed, &plain, &f),
                     0);
    assert_true(str_eq(plain, STR("hush!")));
    assert_int_equal(seal_open(*state, &master, STR("source 8.remotePassword"), sealed, &plain, &f),
                     -1);
}

static void a_secret_that_stays_the_same_keeps_seal_and_tag(void **state)
{
    static const char *const same[][2] = {
        {REMOTE_FILE(BY_PASSWORD("hush!")), REMOTE_FILE(BY_PASSWORD("********"))},
        {REMOTE_FILE(BY_PASSWORD("hush!")), REMOTE_FILE(BY_PASSWORD("hush!"))},
        {BUCKET("hush!"), BUCKET("********")},
        {BUCKET("hush!"), BUCKET("hush!")},
        {BUCKET("********"), BUCKET("********")},
    };
    struct arena *a = *state;

    for (size_t i = 0; i < COUNTOF(same); i++) {
        struct source_doc was = put(a, same[i][0], NULL);
        struct source_doc now = put(a, same[i][1], &was);

        assert_true(same_tag(a, &was, &now));
        assert_true(str_eq(text_of(a, &was), text_of(a, &now)));
    }
}

static void another_secret_is_another_document(void **state)
{
    static const char *const pairs[][2] = {
        {REMOTE_FILE(BY_PASSWORD("hush!")), REMOTE_FILE(BY_PASSWORD("hush2"))},
        {BUCKET("hush!"), BUCKET("hush2")},
    };
    struct arena *a = *state;

    for (size_t i = 0; i < COUNTOF(pairs); i++) {
        struct source_doc was = put(a, pairs[i][0], NULL);
        struct source_doc now = put(a, pairs[i][1], &was);

        assert_false(same_tag(a, &was, &now));
        assert_string_equal(show(a, &was), show(a, &now));
    }
}

static void text_that_looks_sealed_is_sealed_again(void **state)
{
    struct source_doc doc = put(*state, REMOTE_FILE(BY_PASSWORD("s1.AAAA")), NULL);
    struct str text = text_of(*state, &doc);

    assert_null(memmem(text.p, text.len, "s1.AAAA\"", 8));
}

/* --- what is worked out --- */

static void a_relative_cutoff_becomes_a_moment_once(void **state)
{
    struct source_doc doc =
        put(*state, FILE_SOURCE(",\"cutoffRelativeTime\":\"-1h\",\"cutoffTimestamp\":5"), NULL);

    shows(*state, &doc, "\"cutoffTimestamp\":1699996400000");
    hides(*state, &doc, "cutoffRelativeTime");
    doc = put(*state, FILE_SOURCE(",\"cutoffRelativeTime\":\"-2h\",\"cutoffTimestamp\":5"), &doc);
    shows(*state, &doc, "\"cutoffTimestamp\":5,");
}

static void a_document_that_is_written_again_keeps_the_moment(void **state)
{
    struct source_doc doc = put(*state, FILE_SOURCE(",\"cutoffRelativeTime\":\"-1h\""), NULL);

    doc = put(*state, FILE_SOURCE(",\"cutoffRelativeTime\":\"-1h\""), &doc);
    shows(*state, &doc, "\"cutoffTimestamp\":1699996400000");
    doc = put(*state, FILE_SOURCE(""), &doc);
    shows(*state, &doc, "\"cutoffTimestamp\":0");
}

static void numbers_and_booleans_in_fields_become_text(void **state)
{
    struct source_doc doc =
        put(*state, FILE_SOURCE(",\"fields\":{\"a\":1,\"b\":true,\"c\":\"x\"}"), NULL);

    shows(*state, &doc, "\"fields\":{\"a\":\"1\",\"b\":\"true\",\"c\":\"x\"}");
}

static void an_older_name_of_the_denylist_is_read(void **state)
{
    struct source_doc doc = put(*state, FILE_SOURCE(",\"blacklist\":[\"/a/b\"]"), NULL);

    shows(*state, &doc, "\"denylist\":[\"/a/b\"]");
    hides(*state, &doc, "blacklist");
}

static void lists_of_windows_events_are_shown_as_text_or_not_at_all(void **state)
{
    static const struct {
        const char *text;
        const char *shown; /* NULL: left out */
    } rows[] = {
        {",\"denylist\":\"1,2\"", "\"denylist\":\"1,2\""},
        {",\"denylist\":[\"1\",\"2\"]", "\"denylist\":\"1,2\""},
        {",\"denylist\":[]", NULL},
        {",\"denylist\":[\"\"]", NULL},
        {",\"denylist\":\"\"", NULL},
        {"", NULL},
    };
    struct arena *a = *state;

    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct str text = arena_printf(a,
                                       "{\"sourceType\":\"LocalWindowsEventLog\",\"name\":\"n\","
                                       "\"logNames\":[\"Security\"],\"hostName\":\"h\"%s}",
                                       rows[i].text);
        struct source_doc doc = put(a, arena_cstr(a, text), NULL);

        if (rows[i].shown)
            shows(a, &doc, rows[i].shown);
        else
            hides(a, &doc, "denylist");
        hides(a, &doc, "hostName");
    }
}

static void remote_files_need_a_password_or_a_key(void **state)
{
    refused(*state, REMOTE_FILE(",\"authMethod\":\"password\""), NULL, "fields_missing",
            "remotePassword");
    refused(*state, REMOTE_FILE(",\"authMethod\":\"key\""), NULL, "fields_missing", "keyPath");
}

static void only_rules_that_we_apply_have_to_compile(void **state)
{
#define LOOK_AHEAD                                                                                 \
    ",\"filters\":[{\"name\":\"f\",\"filterType\":\"Exclude\",\"regexp\":\"a(?=b)\"}]"
    struct source_doc doc = put(*state, FILE_SOURCE(LOOK_AHEAD), NULL);

    shows(*state, &doc, "a(?=b)");
    refused(*state, HTTP_SOURCE(LOOK_AHEAD), NULL, "fields_invalid", "filters[0].regexp");
}

static void a_cloud_source_is_named_by_its_config(void **state)
{
#define CLOUD(name)                                                                                \
    "{\"sourceType\":\"Universal\",\"name\":\"ignored\",\"schemaRef\":{\"type\":\"Okta\"},"        \
    "\"config\":{\"name\":\"" name "\"}}"
    struct source_doc was = put(*state, CLOUD("one"), NULL);
    struct source_doc now = put(*state, CLOUD("two"), &was);

    assert_true(str_eq(source_doc_name(&was), STR("one")));
    assert_true(str_eq(source_doc_name(&now), STR("two")));
    assert_false(same_tag(*state, &was, &now));
    hides(*state, &now, "ignored");
}

static void an_http_source_needs_no_third_party(void **state)
{
    struct source_doc doc = put(*state, HTTP_SOURCE(",\"contentType\":\"KinesisLog\""), NULL);

    hides(*state, &doc, "thirdPartyRef");
    refused(*state, HTTP_SOURCE(",\"thirdPartyRef\":{}"), NULL, "fields_missing", "resources");
}

static void counts_are_shown_once_there_are_any(void **state)
{
    struct source_doc doc = put(*state, HTTP_SOURCE(""), NULL);
    struct source_view view = {
        .id = 7,
        .base_url = STR("http://host"),
        .stats = {.requests = 1, .messages = 2, .bytes = 3, .last_us = 1700000000123456}};
    struct json_writer w;
    struct buf out;

    hides(*state, &doc, "receiver\":");
    buf_init_arena(&out, *state, 1 << 20);
    json_writer_init(&w, &out);
    source_doc_put(&w, *state, &doc, &view);
    assert_non_null(strstr(arena_cstr(*state, buf_str(&out)),
                           "\"receiver\":{\"requests\":1,\"messages\":2,\"bytes\":3,"
                           "\"lastReceived\":1700000000123}"));
}

static void what_listens_says_where(void **state)
{
    struct source_doc doc =
        put(*state, "{\"sourceType\":\"Syslog\",\"name\":\"n\",\"protocol\":\"UDP\",\"port\":514}",
            NULL);
    struct str protocol = {NULL, 0};
    int64_t port = 0;

    assert_true(source_doc_listens(&doc, &protocol, &port));
    assert_true(str_eq(protocol, STR("UDP")));
    assert_int_equal(port, 514);
    doc = put(*state, FILE_SOURCE(",\"port\":514,\"protocol\":\"UDP\""), NULL);
    assert_false(source_doc_listens(&doc, &protocol, &port));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_update_leaves_out_returns_to_its_default),
        cmocka_unit_test(types_cannot_change),
        cmocka_unit_test(the_address_outlives_updates_whatever_they_say),
        cmocka_unit_test(members_that_nobody_knows_are_kept_and_shown),
        cmocka_unit_test(a_row_reads_back_as_it_was_written),
        cmocka_unit_test(secrets_are_sealed_at_rest_and_never_shown),
        cmocka_unit_test(a_secret_opens_under_the_number_and_the_member),
        cmocka_unit_test(a_secret_that_stays_the_same_keeps_seal_and_tag),
        cmocka_unit_test(another_secret_is_another_document),
        cmocka_unit_test(text_that_looks_sealed_is_sealed_again),
        cmocka_unit_test(a_relative_cutoff_becomes_a_moment_once),
        cmocka_unit_test(a_document_that_is_written_again_keeps_the_moment),
        cmocka_unit_test(numbers_and_booleans_in_fields_become_text),
        cmocka_unit_test(an_older_name_of_the_denylist_is_read),
        cmocka_unit_test(lists_of_windows_events_are_shown_as_text_or_not_at_all),
        cmocka_unit_test(remote_files_need_a_password_or_a_key),
        cmocka_unit_test(only_rules_that_we_apply_have_to_compile),
        cmocka_unit_test(a_cloud_source_is_named_by_its_config),
        cmocka_unit_test(an_http_source_needs_no_third_party),
        cmocka_unit_test(counts_are_shown_once_there_are_any),
        cmocka_unit_test(what_listens_says_where),
    };

    return cmocka_run_group_tests(tests, arena_fixture_setup, arena_fixture_teardown);
}
