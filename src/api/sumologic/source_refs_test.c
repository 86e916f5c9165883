/* SPDX-License-Identifier: Apache-2.0 */
/* Every service behind thirdPartyRef: where and as whom it may be read, and what comes back. */
#include "api/sumologic/source_refs.h"

#include "codec/json_fixture.h"
#include "codec/json_writer.h"

#define KEY    "{\"type\":\"S3BucketAuthentication\",\"awsId\":\"i\",\"awsKey\":\"k\"}"
#define ROLE   "{\"type\":\"AWSRoleBasedAuthentication\",\"roleARN\":\"arn:x\"}"
#define NOBODY "{\"type\":\"NoAuthentication\"}"
#define ACCOUNT                                                                                    \
    "{\"type\":\"service_account\",\"project_id\":\"p\",\"private_key\":\"k\","                    \
    "\"client_email\":\"e\"}"
#define SHARED                                                                                     \
    "{\"type\":\"AzureEventHubAuthentication\",\"sharedAccessPolicyName\":\"n\","                  \
    "\"sharedAccessPolicyKey\":\"k\"}"
#define AZURE                                                                                      \
    "{\"type\":\"AzureClientSecretAuthentication\",\"tenantId\":\"t\",\"clientId\":\"c\","         \
    "\"clientSecret\":\"s\"}"
#define O365                                                                                       \
    "{\"type\":\"O365AppRegistrationAuthentication\",\"tenantId\":\"t\",\"clientId\":\"c\","       \
    "\"clientSecret\":\"s\"}"
#define BUCKET  "{\"type\":\"S3BucketPathExpression\",\"bucketName\":\"b\",\"pathExpression\":\"*\"}"
#define NOWHERE "{\"type\":\"NoPathExpression\"}"

static const char *print(struct arena *a, const struct json_value *v)
{
    struct json_writer w;
    struct buf out;

    buf_init_arena(&out, a, 1 << 20);
    json_writer_init(&w, &out);
    json_put_value(&w, v);
    return arena_cstr(a, buf_str(&out));
}

/* NULL: left out. */
static struct str ref_text(struct arena *a, const char *service, const char *path, const char *auth)
{
    return arena_printf(a, "{\"resources\":[{\"serviceType\":\"%s\"%s%s%s%s}]}", service,
                        path ? ",\"path\":" : "", path ? path : "",
                        auth ? ",\"authentication\":" : "", auth ? auth : "");
}

static int take(struct arena *a, enum ref_owner owner, const char *content, struct str text,
                struct json_value **out, struct fail *f)
{
    *f = (struct fail){0};
    return refs_take(a, owner, str_of(content), json_fixture_parse(a, text), NULL, out, f);
}

static const struct sample {
    enum ref_owner owner;
    const char *service;
    const char *path;
    const char *path_needs;
    const char *auth;
    const char *other_auth; /* NULL: only one is possible */
    bool path_optional;
    bool auth_optional;
} samples[] = {
    {REF_POLLING, "AwsS3Bucket", BUCKET, "bucketName pathExpression", KEY, ROLE, false, false},
    {REF_POLLING, "AwsS3AuditBucket", BUCKET, "bucketName pathExpression", KEY, ROLE, false, false},
    {REF_POLLING, "AwsS3ArchiveBucket", BUCKET, "bucketName pathExpression", KEY, ROLE, false,
     false},
    {REF_POLLING, "AwsElbBucket", BUCKET, "bucketName pathExpression", KEY, ROLE, false, false},
    {REF_POLLING, "AwsCloudFrontBucket", BUCKET, "bucketName pathExpression", KEY, ROLE, false,
     false},
    {REF_POLLING, "AwsCloudTrailBucket", BUCKET, "bucketName pathExpression", KEY, ROLE, false,
     false},
    {REF_POLLING, "AwsCloudWatch",
     "{\"type\":\"CloudWatchPath\",\"limitToRegions\":[\"r\"],\"limitToNamespaces\":[\"n\"],"
     "\"tagFilters\":[{\"type\":\"TagFilters\",\"namespace\":\"n\",\"tags\":[\"t\"]}]}",
     "", KEY, ROLE, false, false},
    {REF_POLLING, "AwsInventory",
     "{\"type\":\"AwsInventoryPath\",\"limitToRegions\":[\"r\"],\"limitToNamespaces\":[\"n\"]}", "",
     ROLE, NULL, false, false},
    {REF_POLLING, "AwsXRay", "{\"type\":\"AwsXRayPath\",\"limitToRegions\":[\"r\"]}", "", KEY, ROLE,
     false, false},
    {REF_POLLING, "AwsMetadata",
     "{\"type\":\"AwsMetadataPath\",\"limitToRegions\":[\"r\"],\"limitToNamespaces\":[\"AWS/EC2\"],"
     "\"tagFilters\":[\"t\"]}",
     "", KEY, ROLE, false, false},
    {REF_POLLING, "GcpMetrics",
     "{\"type\":\"GcpMetricsPath\",\"limitToRegions\":[\"r\"],\"limitToServices\":[\"s\"],"
     "\"customServices\":[\"b=x;y\",\"a=z\"]}",
     "", ACCOUNT, NULL, false, false},
    {REF_POLLING, "AzureEventHubLog",
     "{\"type\":\"AzureEventHubPath\",\"namespace\":\"n\",\"eventHubName\":\"h\","
     "\"consumerGroup\":\"$Default\",\"region\":\"US Gov\"}",
     "namespace eventHubName consumerGroup", SHARED, NULL, false, false},
    {REF_POLLING, "AzureMetrics",
     "{\"type\":\"AzureMetricsPath\",\"environment\":\"Azure\",\"limitToRegions\":[\"r\"],"
     "\"tagFilters\":[{\"type\":\"AzureTagFilters\",\"namespace\":\"n\","
     "\"tags\":[{\"name\":\"t\",\"values\":[\"v\"]}]}]}",
     "environment", AZURE, NULL, false, false},
    {REF_HTTP, "KinesisLog",
     "{\"type\":\"KinesisLogPath\",\"bucketName\":\"b\",\"pathExpression\":"
     "\"http-endpoint-failed/*\",\"scanInterval\":300000}",
     "", KEY, NOBODY, true, true},
    {REF_HTTP, "KinesisLog", NOWHERE, "", NOBODY, ROLE, true, true},
    {REF_HTTP, "KinesisMetric",
     "{\"type\":\"KinesisMetricPath\",\"tagFilters\":[{\"type\":\"TagFilters\","
     "\"namespace\":\"n\",\"tags\":[\"t\"]}]}",
     "", KEY, ROLE, false, false},
    {REF_HTTP, "GoogleCloudLogs", NOWHERE, "", NOBODY, NULL, true, true},
    {REF_HTTP, "Rum",
     "{\"type\":\"RumPath\",\"serviceName\":\"s\",\"applicationName\":\"a\",\"samplingRate\":0.5,"
     "\"ignoreUrls\":[\"u\"],\"customTags\":{\"k\":\"v\"},\"selectedCountry\":\"DE\"}",
     "serviceName", NOBODY, NULL, false, true},
    {REF_HTTP, "O365AuditNotification",
     "{\"type\":\"O365NotificationPath\",\"workload\":\"DLP.All\",\"region\":\"GCC High\"}",
     "workload region", O365, NULL, false, false},
};

static void every_service_is_kept_as_it_was_written(void **state)
{
    struct arena *a = *state;

    for (size_t i = 0; i < COUNTOF(samples); i++) {
        const struct sample *s = &samples[i];
        const char *auths[] = {s->auth, s->other_auth};

        for (size_t j = 0; j < COUNTOF(auths) && auths[j]; j++) {
            struct str text = ref_text(a, s->service, s->path, auths[j]);
            struct json_value *out = NULL;
            struct fail f;

            if (take(a, s->owner, s->service, text, &out, &f) < 0)
                fail_msg("%.*s: %s", STR_ARG(text), f.message);
            assert_string_equal(print(a, out), arena_cstr(a, text));
        }
    }
}

static void what_a_path_cannot_do_without_is_missed(void **state)
{
    struct arena *a = *state;

    for (size_t i = 0; i < COUNTOF(samples); i++) {
        struct str needs = str_of(samples[i].path_needs);

        while (needs.len > 0) {
            struct str name = str_cut(&needs, ' ');
            struct json_value *path = json_fixture_parse(a, str_of(samples[i].path)), *out = NULL;
            struct fail f;

            assert_non_null(json_remove(path, name));
            assert_int_equal(take(a, samples[i].owner, samples[i].service,
                                  ref_text(a, samples[i].service, print(a, path), samples[i].auth),
                                  &out, &f),
                             -1);
            assert_string_equal(f.reason, "fields_missing");
            assert_string_equal(f.field, arena_cstr(a, name));
        }
    }
}

static void each_authentication_needs_its_members(void **state)
{
    static const struct {
        enum ref_owner owner;
        const char *service;
        const char *path;
        const char *auth;
    } rows[] = {
        {REF_POLLING, "AwsS3Bucket", BUCKET, KEY},
        {REF_POLLING, "AwsS3Bucket", BUCKET, ROLE},
        {REF_POLLING, "GcpMetrics", "{\"type\":\"GcpMetricsPath\"}", ACCOUNT},
        {REF_POLLING, "AzureEventHubLog",
         "{\"type\":\"AzureEventHubPath\",\"namespace\":\"n\",\"eventHubName\":\"h\","
         "\"consumerGroup\":\"g\"}",
         SHARED},
        {REF_POLLING, "AzureMetrics", "{\"type\":\"AzureMetricsPath\",\"environment\":\"e\"}",
         AZURE},
        {REF_HTTP, "O365AuditNotification",
         "{\"type\":\"O365NotificationPath\",\"workload\":\"DLP.All\",\"region\":\"GCC\"}", O365},
    };
    struct arena *a = *state;

    for (size_t i = 0; i < COUNTOF(rows); i++) {
        const struct json_value *whole = json_fixture_parse(a, str_of(rows[i].auth));

        json_foreach (v, whole) {
            struct json_value *part = json_fixture_parse(a, str_of(rows[i].auth)), *out = NULL;
            struct fail f;

            /* Absent and empty are the same. */
            json_set(part, v->key, json_new_str(a, STR("")));
            assert_int_equal(take(a, rows[i].owner, rows[i].service,
                                  ref_text(a, rows[i].service, rows[i].path, print(a, part)), &out,
                                  &f),
                             -1);
            assert_string_equal(f.reason, "fields_missing");
            assert_string_equal(f.field, arena_cstr(a, v->key));
        }
    }
}

static void parts_may_only_be_left_out_where_a_service_allows_it(void **state)
{
    struct arena *a = *state;

    for (size_t i = 0; i < COUNTOF(samples); i++) {
        const struct sample *s = &samples[i];
        struct json_value *out = NULL;
        struct fail f;

        assert_int_equal(
            take(a, s->owner, s->service, ref_text(a, s->service, NULL, s->auth), &out, &f),
            s->path_optional ? 0 : -1);
        if (!s->path_optional)
            assert_string_equal(f.message, "Missing required field: 'path'");
        assert_int_equal(
            take(a, s->owner, s->service, ref_text(a, s->service, s->path, NULL), &out, &f),
            s->auth_optional ? 0 : -1);
        if (!s->auth_optional)
            assert_string_equal(f.message, "Missing required field: 'authentication'");
    }
}

static void paths_and_authentications_of_other_services_are_refused(void **state)
{
    struct arena *a = *state;

    for (size_t i = 0; i < COUNTOF(samples); i++) {
        const struct sample *s = &samples[i];
        struct json_value *out = NULL;
        struct fail f;

        assert_int_equal(take(a, s->owner, s->service,
                              ref_text(a, s->service, "{\"type\":\"Elsewhere\"}", s->auth), &out,
                              &f),
                         -1);
        assert_string_equal(f.field, "path");
        assert_int_equal(take(a, s->owner, s->service,
                              ref_text(a, s->service, s->path, "{\"type\":\"Somebody\"}"), &out,
                              &f),
                         -1);
        assert_string_equal(f.field, "authentication");
    }
}

static void bad_values_are_refused(void **state)
{
    static const struct {
        enum ref_owner owner;
        const char *service;
        const char *path;
        const char *auth;
    } rows[] = {
        {REF_POLLING, "AwsS3Bucket",
         "{\"type\":\"S3BucketPathExpression\",\"bucketName\":5,\"pathExpression\":\"*\"}", KEY},
        {REF_POLLING, "AwsCloudWatch", "{\"type\":\"CloudWatchPath\",\"limitToRegions\":\"r\"}",
         KEY},
        {REF_POLLING, "AwsCloudWatch", "{\"type\":\"CloudWatchPath\",\"tagFilters\":[\"t\"]}", KEY},
        {REF_POLLING, "AwsMetadata",
         "{\"type\":\"AwsMetadataPath\",\"limitToNamespaces\":[\"AWS/S3\"]}", KEY},
        {REF_POLLING, "AwsMetadata", "{\"type\":\"AwsMetadataPath\",\"tagFilters\":[{}]}", KEY},
        {REF_POLLING, "GcpMetrics", "{\"type\":\"GcpMetricsPath\",\"customServices\":[\"x\"]}",
         ACCOUNT},
        {REF_HTTP, "KinesisLog", "{\"type\":\"KinesisLogPath\",\"scanInterval\":999}", KEY},
        {REF_HTTP, "Rum", "{\"type\":\"RumPath\",\"serviceName\":\"s\",\"samplingRate\":1.5}",
         NOBODY},
        {REF_HTTP, "O365AuditNotification",
         "{\"type\":\"O365NotificationPath\",\"workload\":\"All\",\"region\":\"GCC\"}", O365},
        {REF_POLLING, "AwsS3Bucket", "[]", KEY},
        {REF_POLLING, "AwsS3Bucket", BUCKET, "5"},
        {REF_POLLING, "AwsS3Bucket", "{\"type\":5}", KEY},
        {REF_POLLING, "AwsS3Bucket", BUCKET,
         "{\"type\":\"AWSRoleBasedAuthentication\",\"roleARN\":\"r\",\"awsKey\":5}"},
    };
    struct arena *a = *state;

    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct json_value *out = NULL;
        struct fail f;

        if (take(a, rows[i].owner, rows[i].service,
                 ref_text(a, rows[i].service, rows[i].path, rows[i].auth), &out, &f) == 0)
            fail_msg("taken: %s %s", rows[i].path, rows[i].auth);
        assert_string_equal(f.reason, "fields_invalid");
    }
}

static void there_is_exactly_one_resource(void **state)
{
    static const struct {
        const char *ref;
        const char *reason;
    } rows[] = {
        {"{}", "fields_missing"},
        {"{\"resources\":null}", "fields_missing"},
        {"{\"resources\":{}}", "fields_invalid"},
        {"{\"resources\":[]}", "fields_invalid"},
        {"{\"resources\":[5]}", "fields_invalid"},
        {"{\"resources\":[{}]}", "fields_missing"},
        {"{\"resources\":[{\"serviceType\":5}]}", "fields_invalid"},
        {"{\"resources\":[{\"serviceType\":\"AwsS3Bucket\",\"path\":" BUCKET
         ",\"authentication\":" KEY "},{}]}",
         "fields_invalid"},
    };
    struct arena *a = *state;
    struct fail f;

    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct json_value *out = NULL;

        assert_int_equal(take(a, REF_POLLING, "AwsS3Bucket", str_of(rows[i].ref), &out, &f), -1);
        assert_string_equal(f.reason, rows[i].reason);
    }
    assert_int_equal(take(a, REF_HTTP, "", STR("{}"), &(struct json_value *){NULL}, &f), -1);
    assert_string_equal(f.message, "Missing required field: 'resources'");
}

static void a_poller_reads_the_service_that_it_says(void **state)
{
    struct arena *a = *state;
    struct json_value *out = NULL;
    struct str bucket = ref_text(a, "AwsS3Bucket", BUCKET, KEY);
    struct fail f;

    assert_int_equal(take(a, REF_POLLING, "AwsElbBucket", bucket, &out, &f), -1);
    assert_string_equal(f.field, "serviceType");
    assert_int_equal(
        take(a, REF_POLLING, "Rum", ref_text(a, "GoogleCloudLogs", NULL, NULL), &out, &f), -1);

    /* A replay of what a stream failed to deliver reads a bucket on behalf of an HTTP source. */
    assert_int_equal(take(a, REF_HTTP, "KinesisLog", bucket, &out, &f), 0);
}

static void services_that_are_not_known_here_are_kept_all_the_same(void **state)
{
    struct arena *a = *state;
    struct str text = ref_text(a, "NextYear", "{\"type\":\"P\",\"x\":[1,{\"y\":2}]}",
                               "{\"type\":\"A\",\"token\":\"t\"}");
    struct json_value *out = NULL;
    struct fail f;

    assert_int_equal(take(a, REF_POLLING, "NextYear", text, &out, &f), 0);
    assert_string_equal(print(a, out), arena_cstr(a, text));
    assert_int_equal(take(a, REF_HTTP, "", ref_text(a, "NextYear", NULL, NULL), &out, &f), 0);
}

static void members_that_say_nothing_are_left_out(void **state)
{
    struct arena *a = *state;
    struct str text = ref_text(
        a, "AwsS3Bucket",
        "{\"type\":\"S3BucketPathExpression\",\"bucketName\":\"b\",\"pathExpression\":\"*\","
        "\"limitToRegions\":null,\"snsTopicOrSubscriptionArn\":{\"isSuccess\":false,\"arn\":\"\"}}",
        "{\"type\":\"AWSRoleBasedAuthentication\",\"awsId\":\"\",\"awsKey\":\"\",\"roleARN\":"
        "\"arn:x\",\"region\":\"\",\"clientSecret\":\"\"}");
    struct json_value *out = NULL;
    struct fail f;

    assert_int_equal(take(a, REF_POLLING, "AwsS3Bucket", text, &out, &f), 0);
    assert_string_equal(print(a, out), arena_cstr(a, ref_text(a, "AwsS3Bucket", BUCKET, ROLE)));
}

static struct str shout(void *arg, struct str place, struct str secret)
{
    struct buf *seen = arg;

    buf_printf(seen, "%.*s=%.*s ", STR_ARG(place), STR_ARG(secret));
    return STR("X");
}

static void secrets_are_found_and_replaced_in_a_copy(void **state)
{
    struct arena *a = *state;
    struct str text = ref_text(a, "AwsS3Bucket", BUCKET, KEY);
    struct json_value *ref = json_fixture_parse(a, text), *mapped;
    struct buf seen;

    buf_init_arena(&seen, a, 4096);
    mapped = refs_map_secrets(a, ref, shout, &seen);
    assert_string_equal(arena_cstr(a, buf_str(&seen)), "thirdPartyRef.awsKey=k ");
    assert_non_null(strstr(print(a, mapped), "\"awsKey\":\"X\""));
    assert_string_equal(print(a, ref), arena_cstr(a, text));
}

static void a_hidden_secret_keeps_the_one_there_is(void **state)
{
    struct arena *a = *state;
    const char *hidden =
        "{\"type\":\"S3BucketAuthentication\",\"awsId\":\"j\",\"awsKey\":\"********\"}";
    struct json_value *stored = json_fixture_parse(a, ref_text(a, "AwsS3Bucket", BUCKET, KEY)),
                      *out = NULL;
    struct json_value *request = json_fixture_parse(a, ref_text(a, "AwsS3Bucket", BUCKET, hidden));
    struct fail f = {0};

    assert_int_equal(refs_take(a, REF_POLLING, STR("AwsS3Bucket"), request, stored, &out, &f), 0);
    assert_non_null(strstr(print(a, out), "\"awsId\":\"j\",\"awsKey\":\"k\""));

    /* Where there is none it is text like any other. */
    assert_int_equal(refs_take(a, REF_POLLING, STR("AwsS3Bucket"), request, NULL, &out, &f), 0);
    assert_non_null(strstr(print(a, out), "\"awsKey\":\"********\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_service_is_kept_as_it_was_written),
        cmocka_unit_test(what_a_path_cannot_do_without_is_missed),
        cmocka_unit_test(each_authentication_needs_its_members),
        cmocka_unit_test(parts_may_only_be_left_out_where_a_service_allows_it),
        cmocka_unit_test(paths_and_authentications_of_other_services_are_refused),
        cmocka_unit_test(bad_values_are_refused),
        cmocka_unit_test(there_is_exactly_one_resource),
        cmocka_unit_test(a_poller_reads_the_service_that_it_says),
        cmocka_unit_test(services_that_are_not_known_here_are_kept_all_the_same),
        cmocka_unit_test(members_that_say_nothing_are_left_out),
        cmocka_unit_test(secrets_are_found_and_replaced_in_a_copy),
        cmocka_unit_test(a_hidden_secret_keeps_the_one_there_is),
    };

    return cmocka_run_group_tests(tests, arena_fixture_setup, arena_fixture_teardown);
}
