/* SPDX-License-Identifier: Apache-2.0 */
/* See source_refs.h. */
#include "api/sumologic/source_refs.h"

#include "api/sumologic/source_json.h"

#define TEXT(member)                                                                               \
    {                                                                                              \
        .name = (member), .type = MEMBER_STRING, .flags = MEMBER_EMPTY_OUT                         \
    }
#define NEEDED(member)                                                                             \
    {                                                                                              \
        .name = (member), .type = MEMBER_STRING, .flags = MEMBER_REQUIRED | MEMBER_EMPTY_OUT       \
    }
#define LIST(member)                                                                               \
    {                                                                                              \
        .name = (member), .type = MEMBER_STRINGS                                                   \
    }
#define TABLE(rows)                                                                                \
    {                                                                                              \
        .name = #rows, .items = (rows), .count = COUNTOF(rows)                                     \
    }

/* --- where: paths by their type --- */

static const struct member bucket_items[] = {
    NEEDED("bucketName"),
    NEEDED("pathExpression"),
    {.name = "useVersionedApi", .type = MEMBER_BOOL},
};

static const char *const tag_filter_types[] = {"TagFilters", NULL};
static const struct member tag_filter_items[] = {
    {.name = "type", .type = MEMBER_STRING, .flags = MEMBER_EMPTY_OUT, .choices = tag_filter_types},
    TEXT("namespace"),
    LIST("tags"),
};
static const struct member_table tag_filters = TABLE(tag_filter_items);

static const struct member cloud_watch_items[] = {
    LIST("limitToRegions"),
    LIST("limitToNamespaces"),
    {.name = "tagFilters", .type = MEMBER_OBJECTS, .sub = &tag_filters},
};
static const struct member inventory_items[] = {
    LIST("limitToRegions"),
    LIST("limitToNamespaces"),
};
static const struct member xray_items[] = {
    LIST("limitToRegions"),
};

static const char *const metadata_namespaces[] = {"AWS/EC2", NULL};
static const struct member metadata_items[] = {
    LIST("limitToRegions"),
    {.name = "limitToNamespaces", .type = MEMBER_STRINGS, .choices = metadata_namespaces},
    LIST("tagFilters"),
};

/* "name=prefix;prefix" */
static int check_services(struct arena *a, const struct json_value *v, struct fail *f)
{
    (void)a;
    json_foreach (item, v) {
        if (str_index(item->text, '=') <= 0)
            return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                               "A custom service must look like 'name=prefix;prefix': '%.*s'.",
                               STR_ARG(str_first(item->text, 100)));
    }
    return 0;
}

static const struct member gcp_items[] = {
    LIST("limitToRegions"),
    LIST("limitToServices"),
    {.name = "customServices", .type = MEMBER_STRINGS, .check = check_services},
};

static const char *const event_hub_regions[] = {"Commercial", "US Gov", NULL};
static const struct member event_hub_items[] = {
    NEEDED("namespace"),
    NEEDED("eventHubName"),
    NEEDED("consumerGroup"),
    {.name = "region",
     .type = MEMBER_STRING,
     .flags = MEMBER_EMPTY_OUT,
     .choices = event_hub_regions},
};

static const char *const azure_filter_types[] = {"AzureTagFilters", NULL};
static const struct member azure_tag_items[] = {
    NEEDED("name"),
    LIST("values"),
};
static const struct member_table azure_tags = TABLE(azure_tag_items);
static const struct member azure_filter_items[] = {
    {.name = "type",
     .type = MEMBER_STRING,
     .flags = MEMBER_EMPTY_OUT,
     .choices = azure_filter_types},
    TEXT("namespace"),
    {.name = "tags", .type = MEMBER_OBJECTS, .sub = &azure_tags},
};
static const struct member_table azure_filters = TABLE(azure_filter_items);
static const struct member azure_metrics_items[] = {
    NEEDED("environment"),
    LIST("limitToRegions"),
    LIST("limitToNamespaces"),
    {.name = "tagFilters", .type = MEMBER_OBJECTS, .sub = &azure_filters},
};

static const struct member kinesis_log_items[] = {
    TEXT("bucketName"),
    TEXT("pathExpression"),
    {.name = "scanInterval", .type = MEMBER_INT, .min = 1000},
};
static const struct member kinesis_metric_items[] = {
    {.name = "tagFilters", .type = MEMBER_OBJECTS, .sub = &tag_filters},
};
static const struct member rum_items[] = {
    NEEDED("serviceName"),
    TEXT("applicationName"),
    TEXT("deploymentEnvironment"),
    {.name = "samplingRate", .type = MEMBER_NUMBER, .max = 1},
    LIST("ignoreUrls"),
    {.name = "customTags", .type = MEMBER_MAP},
    LIST("propagateTraceHeaderCorsUrls"),
    TEXT("selectedCountry"),
};

static const char *const o365_workloads[] = {"Audit.Exchange",   "Audit.AzureActiveDirectory",
                                             "Audit.SharePoint", "Audit.General",
                                             "DLP.All",          NULL};
static const char *const o365_regions[] = {"Commercial", "GCC", "GCC High", NULL};
static const struct member o365_items[] = {
    {.name = "workload",
     .type = MEMBER_STRING,
     .flags = MEMBER_REQUIRED | MEMBER_EMPTY_OUT,
     .choices = o365_workloads},
    {.name = "region",
     .type = MEMBER_STRING,
     .flags = MEMBER_REQUIRED | MEMBER_EMPTY_OUT,
     .choices = o365_regions},
};

enum path {
    PATH_BUCKET,
    PATH_CLOUD_WATCH,
    PATH_INVENTORY,
    PATH_XRAY,
    PATH_METADATA,
    PATH_GCP,
    PATH_EVENT_HUB,
    PATH_AZURE_METRICS,
    PATH_KINESIS_LOG,
    PATH_KINESIS_METRIC,
    PATH_RUM,
    PATH_O365,
    PATH_NONE,
};

struct variant {
    const char *type;
    struct member_table table;
};

static const struct variant paths[] = {
    [PATH_BUCKET] = {"S3BucketPathExpression", TABLE(bucket_items)},
    [PATH_CLOUD_WATCH] = {"CloudWatchPath", TABLE(cloud_watch_items)},
    [PATH_INVENTORY] = {"AwsInventoryPath", TABLE(inventory_items)},
    [PATH_XRAY] = {"AwsXRayPath", TABLE(xray_items)},
    [PATH_METADATA] = {"AwsMetadataPath", TABLE(metadata_items)},
    [PATH_GCP] = {"GcpMetricsPath", TABLE(gcp_items)},
    [PATH_EVENT_HUB] = {"AzureEventHubPath", TABLE(event_hub_items)},
    [PATH_AZURE_METRICS] = {"AzureMetricsPath", TABLE(azure_metrics_items)},
    [PATH_KINESIS_LOG] = {"KinesisLogPath", TABLE(kinesis_log_items)},
    [PATH_KINESIS_METRIC] = {"KinesisMetricPath", TABLE(kinesis_metric_items)},
    [PATH_RUM] = {"RumPath", TABLE(rum_items)},
    [PATH_O365] = {"O365NotificationPath", TABLE(o365_items)},
    [PATH_NONE] = {"NoPathExpression", {.name = "no path"}},
};

/* --- as whom: authentication by its type --- */

static const struct member key_items[] = {
    NEEDED("awsId"),
    NEEDED("awsKey"),
    TEXT("region"),
};
static const struct member role_items[] = {
    NEEDED("roleARN"),
    TEXT("region"),
};
static const struct member account_items[] = {
    NEEDED("project_id"),
    NEEDED("private_key"),
    NEEDED("client_email"),
    TEXT("private_key_id"),
    TEXT("client_id"),
    TEXT("auth_uri"),
    TEXT("token_uri"),
    TEXT("auth_provider_x509_cert_url"),
    TEXT("client_x509_cert_url"),
};
static const struct member shared_items[] = {
    NEEDED("sharedAccessPolicyName"),
    NEEDED("sharedAccessPolicyKey"),
};
static const struct member client_items[] = {
    NEEDED("tenantId"),
    NEEDED("clientId"),
    NEEDED("clientSecret"),
};

enum auth {
    AUTH_KEY,
    AUTH_ROLE,
    AUTH_ACCOUNT,
    AUTH_SHARED,
    AUTH_AZURE_CLIENT,
    AUTH_O365_CLIENT,
    AUTH_NONE,
};

static const struct variant auths[] = {
    [AUTH_KEY] = {"S3BucketAuthentication", TABLE(key_items)},
    [AUTH_ROLE] = {"AWSRoleBasedAuthentication", TABLE(role_items)},
    [AUTH_ACCOUNT] = {"service_account", TABLE(account_items)},
    [AUTH_SHARED] = {"AzureEventHubAuthentication", TABLE(shared_items)},
    [AUTH_AZURE_CLIENT] = {"AzureClientSecretAuthentication", TABLE(client_items)},
    [AUTH_O365_CLIENT] = {"O365AppRegistrationAuthentication", TABLE(client_items)},
    [AUTH_NONE] = {"NoAuthentication", {.name = "no authentication"}},
};

/* Whatever the type says. */
static const char *const secrets[] = {"awsKey", "private_key", "sharedAccessPolicyKey",
                                      "clientSecret"};

/* --- services --- */

#define BIT(n) (1u << (n))
#define AWS    (BIT(AUTH_KEY) | BIT(AUTH_ROLE))
#define ABSENT (1u << 31) /* may be left out */

static const struct service {
    const char *name;
    enum ref_owner owner;
    uint32_t paths; /* bits of those it may have */
    uint32_t auths;
} services[] = {
    {"AwsS3Bucket", REF_POLLING, BIT(PATH_BUCKET), AWS},
    {"AwsS3AuditBucket", REF_POLLING, BIT(PATH_BUCKET), AWS},
    {"AwsS3ArchiveBucket", REF_POLLING, BIT(PATH_BUCKET), AWS},
    {"AwsElbBucket", REF_POLLING, BIT(PATH_BUCKET), AWS},
    {"AwsCloudFrontBucket", REF_POLLING, BIT(PATH_BUCKET), AWS},
    {"AwsCloudTrailBucket", REF_POLLING, BIT(PATH_BUCKET), AWS},
    {"AwsCloudWatch", REF_POLLING, BIT(PATH_CLOUD_WATCH), AWS},
    {"AwsInventory", REF_POLLING, BIT(PATH_INVENTORY), BIT(AUTH_ROLE)},
    {"AwsXRay", REF_POLLING, BIT(PATH_XRAY), AWS},
    {"AwsMetadata", REF_POLLING, BIT(PATH_METADATA), AWS},
    {"GcpMetrics", REF_POLLING, BIT(PATH_GCP), BIT(AUTH_ACCOUNT)},
    {"AzureEventHubLog", REF_POLLING, BIT(PATH_EVENT_HUB), BIT(AUTH_SHARED)},
    {"AzureMetrics", REF_POLLING, BIT(PATH_AZURE_METRICS), BIT(AUTH_AZURE_CLIENT)},
    {"KinesisLog", REF_HTTP, BIT(PATH_KINESIS_LOG) | BIT(PATH_NONE) | ABSENT,
     AWS | BIT(AUTH_NONE) | ABSENT},
    {"KinesisMetric", REF_HTTP, BIT(PATH_KINESIS_METRIC), AWS},
    {"GoogleCloudLogs", REF_HTTP, BIT(PATH_NONE) | ABSENT, BIT(AUTH_NONE) | ABSENT},
    {"Rum", REF_HTTP, BIT(PATH_RUM), BIT(AUTH_NONE) | ABSENT},
    {"O365AuditNotification", REF_HTTP, BIT(PATH_O365), BIT(AUTH_O365_CLIENT)},
};

static const struct service *service_find(struct str name)
{
    for (size_t i = 0; i < COUNTOF(services); i++)
        if (str_eq(name, str_of(services[i].name)))
            return &services[i];
    return NULL;
}

/* --- trees --- */

/* At the end, without a look for one of the same name: keys come from an object that has none
 * twice, and there may be many. */
static struct json_value *put_copy(struct arena *a, struct json_value *object,
                                   const struct json_value *v)
{
    struct json_value *copy = arena_new_type(a, struct json_value);

    *copy = *v;
    copy->next = NULL;
    if (object->last)
        object->last->next = copy;
    else
        object->first = copy;
    object->last = copy;
    object->count++;
    return copy;
}

/* The members are copies, what they hold is shared. */
static struct json_value *object_copy(struct arena *a, const struct json_value *object)
{
    struct json_value *out = json_new_object(a);

    out->key = object->key;
    json_foreach (v, object) {
        if (v->kind != JSON_KIND_NULL)
            put_copy(a, out, v);
    }
    return out;
}

/* Says nothing: null, "". */
static bool is_blank(const struct json_value *v)
{
    return v->kind == JSON_KIND_NULL || (v->kind == JSON_KIND_STRING && v->text.len == 0);
}

static bool is_secret(struct str name)
{
    for (size_t i = 0; i < COUNTOF(secrets); i++)
        if (str_eq(name, str_of(secrets[i])))
            return true;
    return false;
}

static const struct json_value *resource_of(const struct json_value *ref)
{
    const struct json_value *all = json_find(ref, STR("resources"));

    return all && all->kind == JSON_KIND_ARRAY ? all->first : NULL;
}

/* --- taking --- */

static const struct variant *variant_find(const struct variant *of, size_t count, struct str type,
                                          size_t *index)
{
    for (*index = 0; *index < count; (*index)++)
        if (str_eq(type, str_of(of[*index].type)))
            return &of[*index];
    return NULL;
}

/* One of the two: is its type one that the service may have, and does it have what that needs?
 * `allowed` 0: of a service that is not known here, anything goes. */
static int part_check(struct arena *a, const char *name, const struct json_value *part,
                      const struct variant *of, size_t count, uint32_t allowed, struct fail *f)
{
    const struct json_value *type = json_find(part, STR("type"));
    struct json_value *unused = NULL;
    size_t index = 0;

    if (!part && allowed != 0 && (allowed & ABSENT) == 0)
        return source_missing(f, name);
    if (!part)
        return 0;
    if (part->kind != JSON_KIND_OBJECT)
        return source_invalid(f, name, "it must be an object");
    if (type && type->kind != JSON_KIND_STRING)
        return source_invalid(f, name, "its type must be a string");
    if (!type || type->text.len == 0)
        return allowed == 0 || (allowed & ABSENT) != 0 ? 0 : source_missing(f, "type");

    const struct variant *v = variant_find(of, count, type->text, &index);

    if (allowed != 0 && (!v || (allowed & BIT(index)) == 0))
        return source_invalid(f, name, "its type does not belong to this kind of source");
    return v ? members_take(a, &v->table, part, NULL, &unused, f) : 0;
}

/* As it was written, without what says nothing. */
static struct json_value *path_copy(struct arena *a, const struct json_value *path)
{
    struct json_value *out = json_new_object(a);

    json_foreach (v, path) {
        if (!is_blank(v) && !str_eq(v->key, STR("snsTopicOrSubscriptionArn")))
            put_copy(a, out, v);
    }
    return out;
}

static struct json_value *auth_copy(struct arena *a, const struct json_value *auth,
                                    const struct json_value *stored)
{
    struct json_value *out = json_new_object(a);

    json_foreach (v, auth) {
        if (is_blank(v))
            continue;

        struct json_value *copy = put_copy(a, out, v);

        if (!is_secret(v->key) || !str_eq(v->text, SECRET_HIDDEN))
            continue;

        const struct json_value *was = json_find(stored, v->key);

        if (was && was->kind == JSON_KIND_STRING)
            copy->text = was->text;
    }
    return out;
}

static int service_check(enum ref_owner owner, struct str content_type,
                         const struct json_value *resource, const struct service **out,
                         struct fail *f)
{
    const struct json_value *type = json_find(resource, STR("serviceType"));

    if (!type || is_blank(type))
        return source_missing(f, "serviceType");
    if (type->kind != JSON_KIND_STRING)
        return source_invalid(f, "serviceType", "it must be a string");
    *out = service_find(type->text);

    const struct service *content = service_find(content_type);

    if (owner == REF_POLLING &&
        ((content && *out != content) || (*out && (*out)->owner != REF_POLLING)))
        return source_invalid(f, "serviceType", "it must be that of contentType");
    return 0;
}

/* Only secrets that are text can be sealed, and hidden. */
static int secrets_check(const struct json_value *auth, struct fail *f)
{
    for (size_t i = 0; i < COUNTOF(secrets); i++) {
        const struct json_value *v = json_find(auth, str_of(secrets[i]));

        if (v && v->kind != JSON_KIND_NULL && v->kind != JSON_KIND_STRING)
            return source_invalid(f, secrets[i], "it must be a string");
    }
    return 0;
}

static const struct json_value *present(const struct json_value *object, const char *key)
{
    const struct json_value *v = json_find(object, str_of(key));

    return v && v->kind != JSON_KIND_NULL ? v : NULL;
}

static int resource_take(struct arena *a, enum ref_owner owner, struct str content_type,
                         const struct json_value *resource, const struct json_value *stored,
                         struct json_value **out, struct fail *f)
{
    const struct service *service = NULL;
    const struct json_value *path = present(resource, "path");
    const struct json_value *auth = present(resource, "authentication");

    if (service_check(owner, content_type, resource, &service, f) < 0 ||
        part_check(a, "path", path, paths, COUNTOF(paths), service ? service->paths : 0, f) < 0 ||
        part_check(a, "authentication", auth, auths, COUNTOF(auths), service ? service->auths : 0,
                   f) < 0 ||
        secrets_check(auth, f) < 0)
        return -1;

    struct json_value *made = object_copy(a, resource);

    if (path)
        json_set(made, STR("path"), path_copy(a, path));
    if (auth)
        json_set(made, STR("authentication"),
                 auth_copy(a, auth, json_find(stored, STR("authentication"))));
    *out = made;
    return 0;
}

int refs_take(struct arena *a, enum ref_owner owner, struct str content_type,
              const struct json_value *ref, const struct json_value *stored,
              struct json_value **out, struct fail *f)
{
    const struct json_value *all = present(ref, "resources");
    struct json_value *resource = NULL;

    if (!all)
        return source_missing(f, "resources");
    if (all->kind != JSON_KIND_ARRAY)
        return source_invalid(f, "resources", "it must be an array");
    if (all->count != 1)
        return source_invalid(f, "resources", "it must hold exactly one resource");
    if (all->first->kind != JSON_KIND_OBJECT)
        return source_invalid(f, "resources", "its items must be objects");
    if (resource_take(a, owner, content_type, all->first, resource_of(stored), &resource, f) < 0)
        return -1;

    struct json_value *made = object_copy(a, ref);
    struct json_value *list = json_new_array(a);

    json_append(list, resource);
    json_set(made, STR("resources"), list);
    *out = made;
    return 0;
}

/* --- secrets --- */

struct json_value *refs_map_secrets(struct arena *a, const struct json_value *ref, secret_fn fn,
                                    void *arg)
{
    const struct json_value *resource = resource_of(ref);
    const struct json_value *auth = json_find(resource, STR("authentication"));
    struct json_value *made = object_copy(a, ref);

    if (!auth || auth->kind != JSON_KIND_OBJECT)
        return made;

    struct json_value *list = json_new_array(a);
    struct json_value *new_resource = object_copy(a, resource);
    struct json_value *new_auth = object_copy(a, auth);

    for (struct json_value *v = new_auth->first; v; v = v->next) {
        if (is_secret(v->key) && v->kind == JSON_KIND_STRING)
            v->text = fn(arg, arena_printf(a, "thirdPartyRef.%.*s", STR_ARG(v->key)), v->text);
    }
    json_set(new_resource, STR("authentication"), new_auth);
    json_append(list, new_resource);
    json_set(made, STR("resources"), list);
    return made;
}
