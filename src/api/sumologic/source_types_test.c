/* SPDX-License-Identifier: Apache-2.0 */
/* Every type of source: the least that is accepted, what is shown of it, what it cannot do without,
 * and which values are refused. */
#include "api/sumologic/source_doc.h"

#include "codec/json_fixture.h"

#define NOW_US INT64_C(1700000000000000)

static const struct master_key master = {{7}};

/* What all but Universal begin with, and what follows the name of most. */
#define FLAGS                                                                                      \
    "\"automaticDateParsing\":true,\"multilineProcessingEnabled\":true,"                           \
    "\"useAutolineMatching\":true,\"forceTimeZone\":false,\"filters\":[],\"cutoffTimestamp\":0,"   \
    "\"encoding\":\"UTF-8\","
#define HEAD "{\"id\":7,\"name\":\"n\"," FLAGS
#define END  ",\"alive\":true}"

static const struct sample {
    const char *type;
    const char *members; /* beyond name and type */
    const char *shown;
    const char *required; /* beyond name and type; blanks between */
} samples[] = {
    {"LocalFile", "\"pathExpression\":\"/a\"",
     HEAD "\"pathExpression\":\"/a\",\"denylist\":[],\"sourceType\":\"LocalFile\"" END,
     "pathExpression"},
    {"RemoteFileV2",
     "\"remoteHosts\":[\"h\"],\"remotePort\":22,\"remoteUser\":\"u\",\"authMethod\":\"key\","
     "\"keyPath\":\"/k\",\"pathExpression\":\"/a\"",
     HEAD "\"remoteHosts\":[\"h\"],\"remotePort\":22,\"remoteUser\":\"u\",\"authMethod\":\"key\","
          "\"keyPath\":\"/k\",\"pathExpression\":\"/a\",\"denylist\":[],"
          "\"sourceType\":\"RemoteFileV2\"" END,
     "remoteHosts remotePort remoteUser authMethod keyPath pathExpression"},
    {"Syslog", "\"protocol\":\"UDP\",\"port\":514",
     HEAD "\"protocol\":\"UDP\",\"port\":514,\"sourceType\":\"Syslog\"" END, "protocol port"},
    {"Script", "\"commands\":[\"/bin/sh\"],\"cronExpression\":\"0 * * * *\"",
     HEAD "\"commands\":[\"/bin/sh\"],\"timeout\":0,\"cronExpression\":\"0 * * * *\","
          "\"sourceType\":\"Script\"" END,
     "commands cronExpression"},
    {"LocalWindowsEventLog", "\"logNames\":[\"Security\"]",
     HEAD "\"logNames\":[\"Security\"],\"renderMessages\":true,\"eventFormat\":0,"
          "\"sourceType\":\"LocalWindowsEventLog\"" END,
     "logNames"},
    {"RemoteWindowsEventLog",
     "\"domain\":\"d\",\"username\":\"u\",\"password\":\"p\",\"hosts\":[\"h\"],"
     "\"logNames\":[\"Security\"]",
     HEAD "\"domain\":\"d\",\"username\":\"u\",\"password\":\"********\",\"hosts\":[\"h\"],"
          "\"logNames\":[\"Security\"],\"renderMessages\":true,\"eventFormat\":0,"
          "\"sourceType\":\"RemoteWindowsEventLog\"" END,
     "domain username password hosts logNames"},
    {"LocalWindowsPerfMon", "\"wmiQueries\":[{\"name\":\"cpu\",\"query\":\"select 1\"}]",
     HEAD "\"wmiQueries\":[{\"name\":\"cpu\",\"query\":\"select 1\"}],"
          "\"sourceType\":\"LocalWindowsPerfMon\"" END,
     "wmiQueries"},
    {"RemoteWindowsPerfMon",
     "\"domain\":\"d\",\"remoteUser\":\"u\",\"remotePassword\":\"p\",\"remoteHosts\":[\"h\"],"
     "\"wmiQueries\":[{\"name\":\"cpu\",\"query\":\"select 1\"}]",
     HEAD "\"domain\":\"d\",\"remoteUser\":\"u\",\"remotePassword\":\"********\","
          "\"remoteHosts\":[\"h\"],\"wmiQueries\":[{\"name\":\"cpu\",\"query\":\"select 1\"}],"
          "\"sourceType\":\"RemoteWindowsPerfMon\"" END,
     "domain remoteUser remotePassword remoteHosts wmiQueries"},
    {"RemoteWindowsPerformance",
     "\"domain\":\"d\",\"remoteUser\":\"u\",\"remotePassword\":\"p\",\"remoteHosts\":[\"h\"],"
     "\"wmiQueries\":[{\"name\":\"cpu\",\"query\":\"select 1\"}]",
     HEAD "\"domain\":\"d\",\"remoteUser\":\"u\",\"remotePassword\":\"********\","
          "\"remoteHosts\":[\"h\"],\"wmiQueries\":[{\"name\":\"cpu\",\"query\":\"select 1\"}],"
          "\"sourceType\":\"RemoteWindowsPerformance\"" END,
     "domain remoteUser remotePassword remoteHosts wmiQueries"},
    {"ActiveDirectory", "\"nameSuffixes\":\"a;b\"",
     HEAD "\"nameSuffixes\":\"a;b\",\"sourceType\":\"ActiveDirectory\"" END, ""},
    {"DockerLog", "\"uri\":\"unix:///d\",\"allContainers\":true,\"collectEvents\":true",
     HEAD "\"uri\":\"unix:///d\",\"allContainers\":true,\"collectEvents\":true,"
          "\"sourceType\":\"DockerLog\"" END,
     "uri allContainers collectEvents"},
    {"DockerStats", "\"uri\":\"unix:///d\",\"allContainers\":false",
     HEAD "\"uri\":\"unix:///d\",\"allContainers\":false,\"sourceType\":\"DockerStats\"" END,
     "uri allContainers"},
    {"SystemStats", "\"interval\":60000",
     HEAD "\"interval\":60000,\"contentType\":\"HostMetrics\",\"sourceType\":\"SystemStats\"" END,
     "interval"},
    {"StreamingMetrics", "\"protocol\":\"TCP\",\"port\":2003",
     HEAD "\"contentType\":\"Graphite\",\"protocol\":\"TCP\",\"port\":2003,"
          "\"sourceType\":\"StreamingMetrics\"" END,
     "protocol port"},
    {"HTTP", "\"category\":\"c\"",
     "{\"id\":7,\"name\":\"n\",\"category\":\"c\"," FLAGS "\"messagePerRequest\":false,"
     "\"url\":\"http://host/receiver/v1/http/T\",\"baseUrl\":\"http://host/receiver/v1/http\","
     "\"token\":\"T\",\"sourceType\":\"HTTP\"" END,
     ""},
    {"Cloudsyslog", "\"category\":\"c\"",
     "{\"id\":7,\"name\":\"n\",\"category\":\"c\"," FLAGS
     "\"token\":\"T\",\"sourceType\":\"Cloudsyslog\"" END,
     ""},
    {"Polling",
     "\"contentType\":\"AwsS3Bucket\",\"thirdPartyRef\":{\"resources\":[{\"serviceType\":"
     "\"AwsS3Bucket\",\"path\":{\"type\":\"S3BucketPathExpression\",\"bucketName\":\"b\","
     "\"pathExpression\":\"*\"},\"authentication\":{\"type\":\"S3BucketAuthentication\","
     "\"awsId\":\"i\",\"awsKey\":\"k\"}}]}",
     HEAD "\"contentType\":\"AwsS3Bucket\",\"scanInterval\":300000,\"paused\":false,"
          "\"thirdPartyRef\":{\"resources\":[{\"serviceType\":\"AwsS3Bucket\",\"path\":{\"type\":"
          "\"S3BucketPathExpression\",\"bucketName\":\"b\",\"pathExpression\":\"*\"},"
          "\"authentication\":{\"type\":\"S3BucketAuthentication\",\"awsId\":\"i\","
          "\"awsKey\":\"********\"}}]},\"sourceType\":\"Polling\"" END,
     "contentType thirdPartyRef"},
    {"Universal", "\"schemaRef\":{\"type\":\"Okta\"},\"config\":{\"name\":\"n\",\"x\":1}",
     "{\"id\":7,\"name\":\"n\",\"schemaRef\":{\"type\":\"Okta\"},"
     "\"config\":{\"name\":\"n\",\"x\":1},\"state\":\"Pending\",\"sourceType\":\"Universal\"" END,
     "schemaRef config"},
};

static struct json_value *request_of(struct arena *a, const struct sample *s)
{
    return json_fixture_parse(
        a, arena_printf(a, "{\"sourceType\":\"%s\",\"name\":\"n\",%s}", s->type, s->members));
}

static bool is_hosted(const char *type)
{
    return (source_type_find(str_of(type))->flags & SOURCE_HOSTED) != 0;
}

static int take(struct arena *a, const struct json_value *request, struct source_doc *out,
                struct fail *f)
{
    const struct json_value *type = json_find(request, STR("sourceType"));

    *f = (struct fail){0};
    return source_doc_take(a, request, is_hosted(arena_cstr(a, type->text)), NOW_US, NULL, out, f);
}

/* As it is stored as number 7, with a token that is known. */
static struct source_doc store(struct arena *a, const struct source_doc *doc,
                               const struct source_doc *was)
{
    if ((doc->type->flags & SOURCE_TOKEN) != 0)
        json_set(doc->tree, STR("token"), json_new_str(a, STR("T")));
    return source_doc_seal(a, &master, 7, doc, was);
}

static struct str show(struct arena *a, const struct source_doc *doc, bool is_download)
{
    const struct source_view view = {
        .id = 7, .is_download = is_download, .is_alive = true, .base_url = STR("http://host")};
    struct json_writer w;
    struct buf out;

    buf_init_arena(&out, a, 1 << 20);
    json_writer_init(&w, &out);
    source_doc_put(&w, a, doc, &view);
    return buf_str(&out);
}

static void assert_text(struct arena *a, struct str got, const char *expected)
{
    assert_string_equal(arena_cstr(a, got), expected);
}

static void every_type_has_a_sample(void **state)
{
    size_t n = 0;

    (void)state;
    while (source_type_at(n)) {
        assert_string_equal(source_type_at(n)->name, samples[n].type);
        n++;
    }
    assert_int_equal(n, COUNTOF(samples));
}

static void the_least_is_accepted_and_shown_with_defaults(void **state)
{
    struct arena *a = *state;

    for (size_t i = 0; i < COUNTOF(samples); i++) {
        struct source_doc doc = {0}, stored;
        struct fail f;

        if (take(a, request_of(a, &samples[i]), &doc, &f) < 0)
            fail_msg("%s: %s", samples[i].type, f.message);
        stored = store(a, &doc, NULL);
        assert_text(a, show(a, &stored, false), samples[i].shown);
    }
}

static bool is_listed(const char *list, struct str name)
{
    struct str rest = str_of(list);

    while (rest.len > 0)
        if (str_eq(str_cut(&rest, ' '), name))
            return true;
    return false;
}

static void exactly_the_required_members_are_missed(void **state)
{
    struct arena *a = *state;

    for (size_t i = 0; i < COUNTOF(samples); i++) {
        struct json_value *whole = request_of(a, &samples[i]);

        for (const struct json_value *v = whole->first; v; v = v->next) {
            struct json_value *part = request_of(a, &samples[i]);
            bool needed = is_listed(samples[i].required, v->key) ||
                          (str_eq(v->key, STR("name")) &&
                           (source_type_at(i)->flags & SOURCE_CONFIG_NAME) == 0);
            struct source_doc doc = {0};
            struct fail f;

            if (str_eq(v->key, STR("sourceType")))
                continue;
            json_remove(part, v->key);
            assert_int_equal(take(a, part, &doc, &f), needed ? -1 : 0);
            if (!needed)
                continue;
            assert_string_equal(f.reason, "fields_missing");
            assert_text(
                a, str_of(f.message),
                arena_cstr(a, arena_printf(a, "Missing required field: '%.*s'", STR_ARG(v->key))));
        }
    }
}

static const char *wrong_for(enum member_type type)
{
    switch (type) {
    case MEMBER_STRING: return "5";
    case MEMBER_BOOL: return "\"true\"";
    case MEMBER_INT: return "\"514\"";
    case MEMBER_NUMBER: return "\"1\"";
    case MEMBER_STRINGS: return "\"x\"";
    case MEMBER_OBJECT: return "[]";
    case MEMBER_OBJECTS: return "{}";
    case MEMBER_MAP: return "[]";
    case MEMBER_ANY: break;
    }
    return NULL;
}

static void a_value_of_another_json_type_is_refused_for_every_member(void **state)
{
    struct arena *a = *state;

    for (size_t i = 0; i < COUNTOF(samples); i++) {
        for (const struct member_table *t = &source_type_at(i)->table; t; t = t->base) {
            for (size_t j = 0; j < t->count; j++) {
                const struct member *m = &t->items[j];
                const char *wrong = wrong_for(m->type);
                struct json_value *request = request_of(a, &samples[i]);
                struct source_doc doc = {0};
                struct fail f;

                if (!wrong || (m->flags & MEMBER_SERVER) != 0 || strcmp(m->name, "sourceType") == 0)
                    continue;
                json_set(request, str_of(m->name), json_fixture_parse(a, str_of(wrong)));
                if (take(a, request, &doc, &f) == 0)
                    fail_msg("%s took %s as %s", samples[i].type, wrong, m->name);
                assert_string_equal(f.reason, "fields_invalid");
                assert_string_equal(f.field, m->name);
            }
        }
    }
}

static const struct {
    const char *type;
    const char *member;
    const char *value;
    bool good;
} values[] = {
    {"Syslog", "port", "1", true},
    {"Syslog", "port", "65535", true},
    {"Syslog", "port", "0", false},
    {"Syslog", "port", "65536", false},
    {"Syslog", "port", "-1", false},
    {"Syslog", "port", "1.5", false},
    {"Syslog", "port", "18446744073709551617", false},
    {"Syslog", "protocol", "\"TCP\"", true},
    {"Syslog", "protocol", "\"tcp\"", false},
    {"StreamingMetrics", "contentType", "\"Carbon2\"", true},
    {"StreamingMetrics", "contentType", "\"Prometheus\"", true},
    {"StreamingMetrics", "contentType", "\"Influx\"", false},
    {"StreamingMetrics", "port", "65536", false},
    {"RemoteFileV2", "remotePort", "0", false},
    {"RemoteFileV2", "authMethod", "\"kerberos\"", false},
    {"RemoteFileV2", "remoteHosts", "[]", false},
    {"RemoteFileV2", "remoteHosts", "[1]", false},
    {"LocalFile", "denylist", "[\"/a/*\"]", true},
    {"LocalFile", "encoding", "\"UTF-16LE\"", true},
    {"LocalFile", "hashAlgorithm", "\"SHA-256\"", true},
    {"LocalFile", "hashAlgorithm", "\"MD5\"", true},
    {"LocalFile", "hashAlgorithm", "\"SHA-1\"", false},
    {"LocalFile", "cutoffTimestamp", "4102444800000", true},
    {"LocalFile", "cutoffTimestamp", "-1", false},
    {"LocalFile", "cutoffRelativeTime", "\"-1h\"", true},
    {"LocalFile", "cutoffRelativeTime", "\"yesterday\"", false},
    {"LocalFile", "manualPrefixRegexp", "\"^(a|b)\"", true},
    {"LocalFile", "manualPrefixRegexp", "\"^(a\"", false},
    {"LocalFile", "fields", "{\"a\":\"b\"}", true},
    {"LocalFile", "fields", "{\"a\":1,\"b\":true}", true},
    {"LocalFile", "fields", "{\"a\":{}}", false},
    {"LocalFile", "fields", "{\"\":\"b\"}", false},
    {"LocalFile", "defaultDateFormats", "[{\"format\":\"epoch\"}]", true},
    {"LocalFile", "defaultDateFormats", "[{\"format\":\"epoch\",\"locator\":\"t=(.*)\"}]", true},
    {"LocalFile", "defaultDateFormats", "[{\"locator\":\"t=(.*)\"}]", false},
    {"LocalFile", "defaultDateFormats", "[{\"format\":\"epoch\",\"locator\":\"\"}]", false},
    {"LocalFile", "defaultDateFormats", "[{\"format\":\"epoch\",\"locator\":\"(a)(b)\"}]", false},
    {"LocalFile", "defaultDateFormats", "[{\"format\":\"epoch\",\"locator\":\"(?:a)\"}]", false},
    {"LocalFile", "defaultDateFormats", "[{\"format\":\"epoch\",\"locator\":\"(?<t>a)\"}]", false},
    {"Script", "commands", "[]", false},
    {"Script", "timeout", "60000", true},
    {"Script", "timeout", "-1", false},
    {"Script", "cronExpression", "\"\"", false},
    {"LocalWindowsEventLog", "eventFormat", "1", true},
    {"LocalWindowsEventLog", "eventFormat", "2", false},
    {"LocalWindowsEventLog", "eventMessage", "0", true},
    {"LocalWindowsEventLog", "eventMessage", "2", true},
    {"LocalWindowsEventLog", "eventMessage", "3", false},
    {"LocalWindowsEventLog", "denylist", "\"1,2\"", true},
    {"LocalWindowsEventLog", "denylist", "[\"1\",\"2\"]", true},
    {"LocalWindowsEventLog", "denylist", "[1]", false},
    {"LocalWindowsEventLog", "allowlist", "5", false},
    {"LocalWindowsPerfMon", "wmiQueries", "[]", false},
    {"LocalWindowsPerfMon", "wmiQueries", "[{\"name\":\"n\"}]", false},
    {"LocalWindowsPerfMon", "interval", "0", false},
    {"ActiveDirectory", "interval", "60000", true},
    {"ActiveDirectory", "interval", "0", false},
    {"DockerLog", "collectEvents", "false", false},
    {"DockerStats", "pollInterval", "0", true},
    {"DockerStats", "pollInterval", "1000", true},
    {"DockerStats", "pollInterval", "999", false},
    {"DockerStats", "metrics", "[{\"category\":\"cpu\",\"metric\":\"total\"}]", true},
    {"DockerStats", "contentType", "\"DockerMetrics\"", true},
    {"SystemStats", "interval", "0", false},
    {"SystemStats", "metrics", "[\"CPU_User\"]", true},
    {"HTTP", "messagePerRequest", "true", true},
    {"HTTP", "contentType", "\"Otlp\"", true},
    {"Polling", "scanInterval", "1000", true},
    {"Polling", "scanInterval", "-1", true},
    {"Polling", "scanInterval", "999", false},
    {"Polling", "scanInterval", "0", false},
    {"Polling", "paused", "true", true},
    {"Universal", "schemaRef", "{}", false},
    {"Universal", "config", "{}", false},
    {"Universal", "config", "{\"name\":5}", false},
    {"Universal", "config", "{\"name\":\"\"}", false},
};

static void values_are_held_to_their_bounds(void **state)
{
    struct arena *a = *state;

    for (size_t i = 0; i < COUNTOF(values); i++) {
        for (size_t j = 0; j < COUNTOF(samples); j++) {
            struct json_value *request = request_of(a, &samples[j]);
            struct source_doc doc = {0};
            struct fail f;

            if (strcmp(samples[j].type, values[i].type) != 0)
                continue;
            json_set(request, str_of(values[i].member),
                     json_fixture_parse(a, str_of(values[i].value)));
            if (take(a, request, &doc, &f) != (values[i].good ? 0 : -1))
                fail_msg("%s.%s = %s: %s", values[i].type, values[i].member, values[i].value,
                         values[i].good ? f.message : "taken");
            if (!values[i].good)
                assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
        }
    }
}

static struct str times(struct arena *a, const char *what, size_t n)
{
    struct buf out;

    buf_init_arena(&out, a, 1 << 20);
    for (size_t i = 0; i < n; i++)
        buf_put_str(&out, str_of(what));
    return buf_str(&out);
}

static void texts_are_counted_in_characters(void **state)
{
    static const struct {
        const char *member;
        size_t max;
    } rows[] = {{"name", 128}, {"hostName", 128}, {"description", 1024}};
    struct arena *a = *state;

    for (size_t i = 0; i < COUNTOF(rows); i++) {
        for (size_t more = 0; more < 2; more++) {
            struct json_value *request = request_of(a, &samples[0]);
            struct source_doc doc = {0};
            struct fail f;

            json_set(request, str_of(rows[i].member),
                     json_new_str(a, times(a, "\xc3\xa9", rows[i].max + more)));
            assert_int_equal(take(a, request, &doc, &f), more ? -1 : 0);
        }
    }
}

static void at_most_ten_fields_of_bounded_size(void **state)
{
    static const struct {
        size_t count, key, value;
        bool good;
    } rows[] = {{10, 2, 200, true},
                {11, 2, 1, false},
                {1, 255, 1, true},
                {1, 256, 1, false},
                {1, 1, 201, false}};
    struct arena *a = *state;

    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct json_value *request = request_of(a, &samples[0]);
        struct json_value *fields = json_new_object(a);
        struct source_doc doc = {0};
        struct fail f;

        for (size_t j = 0; j < rows[i].count; j++)
            json_set(fields, arena_printf(a, "%.*s%zu", STR_ARG(times(a, "k", rows[i].key - 1)), j),
                     json_new_str(a, times(a, "v", rows[i].value)));
        json_set(request, STR("fields"), fields);
        assert_int_equal(take(a, request, &doc, &f), rows[i].good ? 0 : -1);
    }
}

/* What a client was shown it can send again, and what it downloaded it can post anew. */
static void what_is_shown_is_accepted_again(void **state)
{
    struct arena *a = *state;

    for (size_t i = 0; i < COUNTOF(samples); i++) {
        struct source_doc doc = {0}, stored, again = {0};
        struct fail f = {0};
        struct str before;

        assert_int_equal(take(a, request_of(a, &samples[i]), &doc, &f), 0);
        stored = store(a, &doc, NULL);
        before = source_doc_etag(a, &stored);
        if (source_doc_take(a, json_fixture_parse(a, show(a, &stored, false)),
                            is_hosted(samples[i].type), NOW_US, &stored, &again, &f) < 0)
            fail_msg("%s: %s", samples[i].type, f.message);
        again = store(a, &again, &stored);
        assert_true(str_eq(before, source_doc_etag(a, &again)));
        assert_text(a, show(a, &again, false), samples[i].shown);
        if (take(a, json_fixture_parse(a, show(a, &stored, true)), &again, &f) < 0)
            fail_msg("%s: %s", samples[i].type, f.message);
    }
}

static void downloads_have_neither_number_nor_address_nor_state(void **state)
{
    static const char *const gone[] = {"id", "alive", "status", "url", "baseUrl", "token", "state"};
    struct arena *a = *state;

    for (size_t i = 0; i < COUNTOF(samples); i++) {
        struct source_doc doc = {0}, stored;
        struct fail f;

        assert_int_equal(take(a, request_of(a, &samples[i]), &doc, &f), 0);
        stored = store(a, &doc, NULL);

        struct json_value *shown = json_fixture_parse(a, show(a, &stored, true));

        for (size_t j = 0; j < COUNTOF(gone); j++)
            assert_null(json_find(shown, str_of(gone[j])));
        assert_non_null(json_find(shown, STR("sourceType")));
    }
}

static void types_are_told_exactly_and_belong_on_one_kind_of_collector(void **state)
{
    static const struct {
        const char *request;
        bool hosted;
        const char *message;
    } rows[] = {
        {"{}", true, "Please specify a source type"},
        {"{\"sourceType\":null}", true, "Please specify a source type"},
        {"{\"sourceType\":\"\"}", true, "Please specify a source type"},
        {"{\"sourceType\":1}", true, "Invalid source type: it must be a string."},
        {"{\"sourceType\":\"Localfile\"}", false, "Invalid source type: 'Localfile'"},
        {"{\"sourceType\":\"http\"}", true, "Invalid source type: 'http'"},
        {"{\"sourceType\":\"RemoteFile\"}", false, "Invalid source type: 'RemoteFile'"},
        {"{\"sourceType\":\"Alert\"}", false, "Invalid source type: 'Alert'"},
        {"{\"sourceType\":\"AmazonS3\"}", true, "Invalid source type: 'AmazonS3'"},
        {"{\"sourceType\":\"HTTP\",\"name\":\"n\"}", false,
         "Invalid source type: 'HTTP' does not belong on an installed collector."},
        {"{\"sourceType\":\"LocalFile\",\"name\":\"n\",\"pathExpression\":\"/a\"}", true,
         "Invalid source type: 'LocalFile' does not belong on a hosted collector."},
    };
    struct arena *a = *state;

    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct source_doc doc = {0};
        struct fail f = {0};

        assert_int_equal(source_doc_take(a, json_fixture_parse(a, str_of(rows[i].request)),
                                         rows[i].hosted, NOW_US, NULL, &doc, &f),
                         -1);
        assert_string_equal(f.reason, "source_type");
        assert_string_equal(f.message, rows[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_a_sample),
        cmocka_unit_test(the_least_is_accepted_and_shown_with_defaults),
        cmocka_unit_test(exactly_the_required_members_are_missed),
        cmocka_unit_test(a_value_of_another_json_type_is_refused_for_every_member),
        cmocka_unit_test(values_are_held_to_their_bounds),
        cmocka_unit_test(texts_are_counted_in_characters),
        cmocka_unit_test(at_most_ten_fields_of_bounded_size),
        cmocka_unit_test(what_is_shown_is_accepted_again),
        cmocka_unit_test(downloads_have_neither_number_nor_address_nor_state),
        cmocka_unit_test(types_are_told_exactly_and_belong_on_one_kind_of_collector),
    };

    return cmocka_run_group_tests(tests, arena_fixture_setup, arena_fixture_teardown);
}
