/* SPDX-License-Identifier: Apache-2.0 */
/* See source_types.h. */
#include "api/sumologic/source_types.h"

#include "api/sumologic/internal.h"
#include "api/sumologic/source_json.h"
#include "api/sumologic/source_rules.h"

#define NAME_CHARS     128
#define HOST_CHARS     128
#define TEXT_CHARS     1024
#define ZONE_CHARS     100
#define ENCODING_CHARS 64
#define RULES_MAX      100
#define FORMATS_MAX    100
#define PORT_MAX       65535
#define INTERVAL_MIN   1000 /* ms, of what is polled */

/* --- rows that many tables have --- */

#define TEXT_OF(member, chars)                                                                     \
    {                                                                                              \
        .name = (member), .type = MEMBER_STRING, .flags = MEMBER_EMPTY_OUT, .max = (chars)         \
    }
#define TEXT(member) TEXT_OF(member, 0)
#define NEEDED(member)                                                                             \
    {                                                                                              \
        .name = (member), .type = MEMBER_STRING, .flags = MEMBER_REQUIRED | MEMBER_EMPTY_OUT       \
    }
#define CHOICE(member, names)                                                                      \
    {                                                                                              \
        .name = (member), .type = MEMBER_STRING, .flags = MEMBER_REQUIRED | MEMBER_EMPTY_OUT,      \
        .choices = (names)                                                                         \
    }
#define SECRET(member, more)                                                                       \
    {                                                                                              \
        .name = (member), .type = MEMBER_STRING,                                                   \
        .flags = MEMBER_SECRET | MEMBER_EMPTY_OUT | (more)                                         \
    }
#define FLAG(member, text)                                                                         \
    {                                                                                              \
        .name = (member), .type = MEMBER_BOOL, .value = (text)                                     \
    }
#define LIST(member)                                                                               \
    {                                                                                              \
        .name = (member), .type = MEMBER_STRINGS                                                   \
    }
#define NEEDED_LIST(member)                                                                        \
    {                                                                                              \
        .name = (member), .type = MEMBER_STRINGS, .flags = MEMBER_REQUIRED, .min = 1               \
    }
#define PORT(member)                                                                               \
    {                                                                                              \
        .name = (member), .type = MEMBER_INT, .flags = MEMBER_REQUIRED, .min = 1, .max = PORT_MAX  \
    }
#define OWN(member)                                                                                \
    {                                                                                              \
        .name = (member), .type = MEMBER_ANY, .flags = MEMBER_SERVER                               \
    }

/* What a file source does not want to read. */
#define DENYLIST                                                                                   \
    {                                                                                              \
        .name = "denylist", .type = MEMBER_STRINGS, .value = "[]", .alias = "blacklist"            \
    }

/* Array or text: SOURCE_TEXT_LISTS makes it text. */
#define TEXT_LIST(member)                                                                          \
    {                                                                                              \
        .name = (member), .type = MEMBER_ANY, .flags = MEMBER_EMPTY_OUT, .check = check_text_list  \
    }

#define CONTENT_TYPE(more)                                                                         \
    {                                                                                              \
        .name = "contentType", .type = MEMBER_STRING,                                              \
        .flags = MEMBER_FIXED | MEMBER_EMPTY_OUT | (more), .max = 64                               \
    }

/* How each ends. */
#define TAIL                                                                                       \
    {.name = "sourceType", .type = MEMBER_STRING, .flags = MEMBER_FIXED}, OWN("alive"),            \
        OWN("status"), OWN("receiver")

/* --- what all have but those that are named by their config --- */

static int check_cutoff(struct arena *a, const struct json_value *v, struct fail *f)
{
    int64_t ms;

    (void)a;
    return sumo_cutoff(v->text, 0, &ms, f);
}

static const struct member format_items[] = {
    NEEDED("format"),
    {.name = "locator", .type = MEMBER_STRING, .check = source_check_locator},
};
static const struct member_table formats = {
    .name = "date format", .items = format_items, .count = COUNTOF(format_items)};

static const char *const hashes[] = {"MD5", "SHA-256", NULL};

static const struct member common_items[] = {
    OWN("id"),
    {.name = "name",
     .type = MEMBER_STRING,
     .flags = MEMBER_REQUIRED | MEMBER_EMPTY_OUT,
     .max = NAME_CHARS},
    TEXT_OF("description", TEXT_CHARS),
    TEXT_OF("category", TEXT_CHARS),
    TEXT_OF("hostName", HOST_CHARS),
    FLAG("automaticDateParsing", "true"),
    FLAG("multilineProcessingEnabled", "true"),
    FLAG("useAutolineMatching", "true"),
    {.name = "manualPrefixRegexp",
     .type = MEMBER_STRING,
     .flags = MEMBER_EMPTY_OUT,
     .check = source_check_pattern},
    FLAG("forceTimeZone", "false"),
    TEXT_OF("timeZone", ZONE_CHARS),
    TEXT("defaultDateFormat"),
    {.name = "defaultDateFormats", .type = MEMBER_OBJECTS, .max = FORMATS_MAX, .sub = &formats},
    {.name = "filters",
     .type = MEMBER_OBJECTS,
     .value = "[]",
     .max = RULES_MAX,
     .sub = &source_rule_table},
    {.name = "hashAlgorithm", .type = MEMBER_STRING, .flags = MEMBER_EMPTY_OUT, .choices = hashes},
    {.name = "cutoffTimestamp", .type = MEMBER_INT, .value = "0"},
    {.name = "cutoffRelativeTime",
     .type = MEMBER_STRING,
     .flags = MEMBER_CREATE | MEMBER_EMPTY_OUT,
     .check = check_cutoff},
    {.name = "encoding",
     .type = MEMBER_STRING,
     .flags = MEMBER_EMPTY_OUT,
     .value = "\"UTF-8\"",
     .max = ENCODING_CHARS},
    {.name = "fields", .type = MEMBER_MAP, .check = members_check_fields},
};
static const struct member_table common = {
    .name = "source", .items = common_items, .count = COUNTOF(common_items)};

/* --- installed collectors: files, scripts, ports --- */

static const struct member file_items[] = {
    NEEDED("pathExpression"),
    DENYLIST,
    CONTENT_TYPE(0),
    TAIL,
};

static const char *const remote_auths[] = {"password", "key", NULL};
static const struct member remote_file_items[] = {
    NEEDED_LIST("remoteHosts"),
    PORT("remotePort"),
    NEEDED("remoteUser"),
    CHOICE("authMethod", remote_auths),
    SECRET("remotePassword", 0),
    TEXT("keyPath"),
    SECRET("keyPassword", 0),
    NEEDED("pathExpression"),
    DENYLIST,
    CONTENT_TYPE(0),
    TAIL,
};

static int check_remote_file(const struct json_value *taken, struct fail *f)
{
    const struct json_value *method = json_find(taken, STR("authMethod"));
    bool by_key = method && str_eq(method->text, STR("key"));
    const char *needed = by_key ? "keyPath" : "remotePassword";

    if (json_find(taken, str_of(needed)))
        return 0;
    return source_missing(f, needed);
}

static const char *const syslog_protocols[] = {"UDP", "TCP", NULL};
static const struct member syslog_items[] = {
    CHOICE("protocol", syslog_protocols),
    PORT("port"),
    CONTENT_TYPE(0),
    TAIL,
};

static const struct member script_items[] = {
    NEEDED_LIST("commands"), TEXT("file"),
    TEXT("workingDir"),      {.name = "timeout", .type = MEMBER_INT, .value = "0"},
    TEXT("script"),          NEEDED("cronExpression"),
    CONTENT_TYPE(0),         TAIL,
};

static const char *const metric_formats[] = {"Graphite", "Carbon2", "Prometheus", NULL};
static const struct member streaming_items[] = {
    {.name = "contentType",
     .type = MEMBER_STRING,
     .flags = MEMBER_FIXED | MEMBER_EMPTY_OUT,
     .value = "\"Graphite\"",
     .choices = metric_formats},
    CHOICE("protocol", syslog_protocols),
    PORT("port"),
    TAIL,
};

static const struct member system_stats_items[] = {
    {.name = "interval", .type = MEMBER_INT, .flags = MEMBER_REQUIRED, .min = 1},
    LIST("metrics"),
    {.name = "contentType",
     .type = MEMBER_STRING,
     .flags = MEMBER_FIXED | MEMBER_EMPTY_OUT,
     .value = "\"HostMetrics\"",
     .max = 64},
    TAIL,
};

/* --- installed collectors: Windows --- */

const char *const source_text_lists[] = {"allowlist", "denylist", NULL};

static int check_text_list(struct arena *a, const struct json_value *v, struct fail *f)
{
    bool good = v->kind == JSON_KIND_STRING || v->kind == JSON_KIND_ARRAY;

    (void)a;
    if (v->kind == JSON_KIND_ARRAY) {
        json_foreach (item, v)
            good = good && item->kind == JSON_KIND_STRING;
    }
    if (good)
        return 0;
    return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                       "A list must be an array of strings, or a string with commas.");
}

#define EVENT_LOG                                                                                  \
    NEEDED_LIST("logNames"), FLAG("renderMessages", "true"),                                       \
        {.name = "eventFormat", .type = MEMBER_INT, .value = "0", .max = 1},                       \
        {.name = "eventMessage", .type = MEMBER_INT, .max = 2}, TEXT_LIST("allowlist"),            \
        TEXT_LIST("denylist"), CONTENT_TYPE(0), TAIL

static const struct member event_log_items[] = {
    EVENT_LOG,
};
static const struct member remote_event_log_items[] = {
    NEEDED("domain"),     NEEDED("username"), SECRET("password", MEMBER_REQUIRED),
    NEEDED_LIST("hosts"), EVENT_LOG,
};

static const struct member query_items[] = {
    NEEDED("name"),
    NEEDED("query"),
};
static const struct member_table queries = {
    .name = "query", .items = query_items, .count = COUNTOF(query_items)};

#define PERFORMANCE                                                                                \
    {.name = "wmiQueries",                                                                         \
     .type = MEMBER_OBJECTS,                                                                       \
     .flags = MEMBER_REQUIRED,                                                                     \
     .min = 1,                                                                                     \
     .sub = &queries},                                                                             \
        {.name = "interval", .type = MEMBER_INT, .min = 1}, CONTENT_TYPE(0), TAIL

static const struct member performance_items[] = {
    PERFORMANCE,
};
static const struct member remote_performance_items[] = {
    NEEDED("domain"),           NEEDED("remoteUser"), SECRET("remotePassword", MEMBER_REQUIRED),
    NEEDED_LIST("remoteHosts"), PERFORMANCE,
};

static const struct member directory_items[] = {
    TEXT("nameSuffixes"),
    TEXT("filter"),
    TEXT("additionalAttr"),
    TEXT("excludedAttr"),
    {.name = "interval", .type = MEMBER_INT, .min = 1},
    CONTENT_TYPE(0),
    TAIL,
};

/* --- installed collectors: Docker --- */

static int check_true(struct arena *a, const struct json_value *v, struct fail *f)
{
    (void)a;
    if (v->boolean)
        return 0;
    return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                       "Invalid value for field 'collectEvents': it must be true.");
}

#define DOCKER                                                                                     \
    NEEDED("uri"), {.name = "allContainers", .type = MEMBER_BOOL, .flags = MEMBER_REQUIRED},       \
        LIST("specifiedContainers"), TEXT("certPath")

static const struct member docker_log_items[] = {
    DOCKER,
    {.name = "collectEvents", .type = MEMBER_BOOL, .flags = MEMBER_REQUIRED, .check = check_true},
    CONTENT_TYPE(0),
    TAIL,
};

/* 0: as fast as it goes. */
static int check_poll(struct arena *a, const struct json_value *v, struct fail *f)
{
    int64_t n = 0;

    (void)a;
    if (json_num_i64(v->text, &n) == 0 && (n == 0 || n >= INTERVAL_MIN))
        return 0;
    return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                       "pollInterval must be 0 or at least %d.", INTERVAL_MIN);
}

static const struct member metric_items[] = {
    TEXT("category"),
    TEXT("metric"),
};
static const struct member_table metrics = {
    .name = "metric", .items = metric_items, .count = COUNTOF(metric_items)};

static const struct member docker_stats_items[] = {
    DOCKER,
    {.name = "metrics", .type = MEMBER_OBJECTS, .sub = &metrics},
    {.name = "pollInterval", .type = MEMBER_INT, .check = check_poll},
    CONTENT_TYPE(0),
    TAIL,
};

/* --- hosted collectors --- */

static const struct member http_items[] = {
    CONTENT_TYPE(0),
    {.name = "thirdPartyRef", .type = MEMBER_OBJECT},
    FLAG("messagePerRequest", "false"),
    OWN("url"),
    OWN("baseUrl"),
    OWN("token"),
    TAIL,
};

static const struct member syslog_hosted_items[] = {
    CONTENT_TYPE(0),
    OWN("token"),
    TAIL,
};

/* -1: whenever the service says that there is something. */
static int check_scan(struct arena *a, const struct json_value *v, struct fail *f)
{
    int64_t n = 0;

    (void)a;
    if (json_num_i64(v->text, &n) == 0 && (n == -1 || n >= INTERVAL_MIN))
        return 0;
    return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                       "scanInterval must be -1 or at least %d.", INTERVAL_MIN);
}

static const struct member polling_items[] = {
    CONTENT_TYPE(MEMBER_REQUIRED),
    {.name = "scanInterval", .type = MEMBER_INT, .value = "300000", .min = -1, .check = check_scan},
    FLAG("paused", "false"),
    OWN("url"),
    {.name = "thirdPartyRef", .type = MEMBER_OBJECT, .flags = MEMBER_REQUIRED},
    TAIL,
};

static const struct member schema_items[] = {
    NEEDED("type"),
};
static const struct member_table schema = {
    .name = "schema", .items = schema_items, .count = COUNTOF(schema_items)};

static const struct member universal_items[] = {
    OWN("id"),
    OWN("name"),
    {.name = "schemaRef", .type = MEMBER_OBJECT, .flags = MEMBER_REQUIRED, .sub = &schema},
    {.name = "config", .type = MEMBER_OBJECT, .flags = MEMBER_REQUIRED},
    OWN("state"),
    TAIL,
};

/* --- all --- */

#define ROWS(items_of, label)                                                                      \
    {                                                                                              \
        .name = (label), .items = (items_of), .count = COUNTOF(items_of), .base = &common          \
    }

static const struct source_type types[] = {
    {"LocalFile", 0, ROWS(file_items, "LocalFile"), NULL},
    {"RemoteFileV2", 0, ROWS(remote_file_items, "RemoteFileV2"), check_remote_file},
    {"Syslog", SOURCE_LISTENS, ROWS(syslog_items, "Syslog"), NULL},
    {"Script", 0, ROWS(script_items, "Script"), NULL},
    {"LocalWindowsEventLog", SOURCE_NO_HOST_NAME | SOURCE_TEXT_LISTS,
     ROWS(event_log_items, "LocalWindowsEventLog"), NULL},
    {"RemoteWindowsEventLog", SOURCE_TEXT_LISTS,
     ROWS(remote_event_log_items, "RemoteWindowsEventLog"), NULL},
    {"LocalWindowsPerfMon", SOURCE_NO_HOST_NAME, ROWS(performance_items, "LocalWindowsPerfMon"),
     NULL},
    {"RemoteWindowsPerfMon", 0, ROWS(remote_performance_items, "RemoteWindowsPerfMon"), NULL},
    {"RemoteWindowsPerformance", 0, ROWS(remote_performance_items, "RemoteWindowsPerformance"),
     NULL},
    {"ActiveDirectory", 0, ROWS(directory_items, "ActiveDirectory"), NULL},
    {"DockerLog", 0, ROWS(docker_log_items, "DockerLog"), NULL},
    {"DockerStats", 0, ROWS(docker_stats_items, "DockerStats"), NULL},
    {"SystemStats", 0, ROWS(system_stats_items, "SystemStats"), NULL},
    {"StreamingMetrics", SOURCE_LISTENS, ROWS(streaming_items, "StreamingMetrics"), NULL},
    {"HTTP", SOURCE_HOSTED | SOURCE_URL | SOURCE_TOKEN | SOURCE_REFERS, ROWS(http_items, "HTTP"),
     NULL},
    {"Cloudsyslog", SOURCE_HOSTED | SOURCE_TOKEN, ROWS(syslog_hosted_items, "Cloudsyslog"), NULL},
    {"Polling", SOURCE_HOSTED | SOURCE_POLLS, ROWS(polling_items, "Polling"), NULL},
    {"Universal",
     SOURCE_HOSTED | SOURCE_CONFIG_NAME,
     {.name = "Universal", .items = universal_items, .count = COUNTOF(universal_items)},
     NULL},
};

const struct source_type *source_type_find(struct str name)
{
    for (size_t i = 0; i < COUNTOF(types); i++)
        if (str_eq(name, str_of(types[i].name)))
            return &types[i];
    return NULL;
}

const struct source_type *source_type_at(size_t index)
{
    return index < COUNTOF(types) ? &types[index] : NULL;
}
