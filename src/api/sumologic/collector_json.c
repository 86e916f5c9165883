/* SPDX-License-Identifier: Apache-2.0 */
/* Collectors as the dialect writes them: a table of members a kind, and the way between these and
 * what the domain keeps. Pure but for the clock that callers bring. */
#include "api/sumologic/installable.h"
#include "api/sumologic/internal.h"
#include "codec/utf8.h"

#define NAME_CHARS     128
#define TEXT_CHARS     1024
#define HOST_CHARS     128
#define ZONE_CHARS     100
#define CATEGORY_CHARS 1024

/* --- tables --- */

int sumo_check_name(struct str name, struct fail *f)
{
    do {
        if (utf8_has_control(str_cut(&name, '\t')))
            return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                               "The name must not contain control characters.");
    } while (name.len > 0);
    return 0;
}

static int check_name(struct arena *a, const struct json_value *v, struct fail *f)
{
    (void)a;
    return sumo_check_name(v->text, f);
}

static int check_mode(struct arena *a, const struct json_value *v, struct fail *f)
{
    (void)a;
    if (str_eq_nocase(v->text, STR("UI")) || str_eq_nocase(v->text, STR("Json")))
        return 0;
    return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                       "sourceSyncMode must be UI or Json.");
}

static int check_cpu(struct arena *a, const struct json_value *v, struct fail *f)
{
    int64_t n = 0;

    (void)a;
    if (json_num_i64(v->text, &n) == 0 && n != 0)
        return 0;
    return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                       "targetCpu must be a percentage from 1 to 100, or -1 for none.");
}

static int check_cutoff(struct arena *a, const struct json_value *v, struct fail *f)
{
    int64_t ms;

    (void)a;
    return sumo_cutoff(v->text, 0, &ms, f);
}

/* "UTC", "Europe/Berlin", "Etc/GMT+5"; which zones there are is the agents' affair. */
static int check_zone(struct arena *a, const struct json_value *v, struct fail *f)
{
    (void)a;
    for (size_t i = 0; i < v->text.len; i++) {
        char c = v->text.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '/' || c == '_' || c == '-' || c == '+' || c == ':' || c == '.'))
            return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                               "timeZone must be the name of a time zone.");
    }
    return 0;
}

/* In a request it is looked at by sumo_body_id(). */
static const struct member id_items[] = {
    {.name = "id", .type = MEMBER_ANY, .flags = MEMBER_SERVER},
};
static const struct member_table with_id = {
    .name = "collector", .items = id_items, .count = COUNTOF(id_items)};

/* What a PUT may change, and in what order all is shown. */
#define NAME_MEMBER                                                                                \
    {                                                                                              \
        .name = "name", .type = MEMBER_STRING, .flags = MEMBER_REQUIRED, .min = 1,                 \
        .max = NAME_CHARS, .check = check_name                                                     \
    }
#define TEXT_MEMBER(member, chars)                                                                 \
    {                                                                                              \
        .name = (member), .type = MEMBER_STRING, .flags = MEMBER_EMPTY_OUT, .max = (chars)         \
    }
#define OWN_MEMBER(member)                                                                         \
    {                                                                                              \
        .name = (member), .type = MEMBER_ANY, .flags = MEMBER_SERVER                               \
    }
#define DROPPED_MEMBER(member)                                                                     \
    {                                                                                              \
        .name = (member), .type = MEMBER_ANY, .flags = MEMBER_IGNORED                              \
    }
#define FIXED_MEMBER(member)                                                                       \
    {                                                                                              \
        .name = (member), .type = MEMBER_STRING, .flags = MEMBER_FIXED                             \
    }
#define CUTOFF_MEMBER                                                                              \
    {                                                                                              \
        .name = "cutoffTimestamp", .type = MEMBER_INT                                              \
    }
#define RELATIVE_MEMBER                                                                            \
    {                                                                                              \
        .name = "cutoffRelativeTime", .type = MEMBER_STRING,                                       \
        .flags = MEMBER_CREATE | MEMBER_EMPTY_OUT, .check = check_cutoff                           \
    }

static const struct member hosted_items[] = {
    NAME_MEMBER,
    TEXT_MEMBER("description", TEXT_CHARS),
    TEXT_MEMBER("hostName", HOST_CHARS),
    TEXT_MEMBER("category", CATEGORY_CHARS),
    {.name = "timeZone",
     .type = MEMBER_STRING,
     .flags = MEMBER_EMPTY_OUT,
     .value = "\"UTC\"",
     .max = ZONE_CHARS,
     .check = check_zone},
    {.name = "fields", .type = MEMBER_MAP, .value = "{}", .check = members_check_fields},
    OWN_MEMBER("links"),
    CUTOFF_MEMBER,
    RELATIVE_MEMBER,
    FIXED_MEMBER("collectorType"),
    OWN_MEMBER("collectorVersion"),
    OWN_MEMBER("lastSeenAlive"),
    OWN_MEMBER("alive"),
    DROPPED_MEMBER("ephemeral"),
    DROPPED_MEMBER("targetCpu"),
    DROPPED_MEMBER("sourceSyncMode"),
    DROPPED_MEMBER("osName"),
    DROPPED_MEMBER("osVersion"),
    DROPPED_MEMBER("osArch"),
    DROPPED_MEMBER("osTime"),
    DROPPED_MEMBER("status"),
};

static const struct member installed_items[] = {
    NAME_MEMBER,
    TEXT_MEMBER("description", TEXT_CHARS),
    TEXT_MEMBER("hostName", HOST_CHARS),
    TEXT_MEMBER("category", CATEGORY_CHARS),
    {.name = "timeZone",
     .type = MEMBER_STRING,
     .flags = MEMBER_EMPTY_OUT,
     .max = ZONE_CHARS,
     .check = check_zone},
    /* Bounds are looked at when they change: operators of other dialects may put more. */
    {.name = "fields", .type = MEMBER_MAP, .value = "{}"},
    OWN_MEMBER("links"),
    {.name = "ephemeral", .type = MEMBER_BOOL, .value = "false"},
    {.name = "targetCpu", .type = MEMBER_INT, .min = -1, .max = 100, .check = check_cpu},
    {.name = "sourceSyncMode",
     .type = MEMBER_STRING,
     .flags = MEMBER_EMPTY_OUT,
     .value = "\"UI\"",
     .check = check_mode},
    CUTOFF_MEMBER,
    RELATIVE_MEMBER,
    FIXED_MEMBER("collectorType"),
    OWN_MEMBER("collectorVersion"),
    FIXED_MEMBER("osVersion"),
    FIXED_MEMBER("osName"),
    FIXED_MEMBER("osArch"),
    DROPPED_MEMBER("osTime"),
    DROPPED_MEMBER("status"),
    OWN_MEMBER("lastSeenAlive"),
    OWN_MEMBER("alive"),
};

static const struct member_table hosted_table = {
    .name = "Hosted collector",
    .items = hosted_items,
    .count = COUNTOF(hosted_items),
    .base = &with_id,
};
static const struct member_table installed_table = {
    .name = "Installable collector",
    .items = installed_items,
    .count = COUNTOF(installed_items),
    .base = &with_id,
};

const struct member_table *sumo_collector_table(bool is_hosted)
{
    return is_hosted ? &hosted_table : &installed_table;
}

/* --- what is shown --- */

bool sumo_is_alive(const struct sumologic_app *app, const struct sumo_collector *col,
                   int64_t now_us)
{
    return col->is_hosted || (col->agent.row.last_seen_us != 0 &&
                              agent_inactive_at(&col->agent, now_us, app->settings.alive_us) == 0);
}

struct tree {
    struct arena *a;
    struct json_value *root;
};

static void add(struct tree *t, const char *name, struct json_value *v)
{
    json_set(t->root, str_of(name), v);
}

static void add_text(struct tree *t, const char *name, struct str text)
{
    if (text.len > 0)
        add(t, name, json_new_str(t->a, text));
}

/* "" stands for what is not known. */
static void add_known(struct tree *t, const char *name, struct str text)
{
    add(t, name, json_new_str(t->a, text.p ? text : STR("")));
}

static void add_fields(struct tree *t, const struct attributes *fields)
{
    struct json_value *map = json_new_object(t->a);

    for (size_t i = 0; i < fields->count; i++)
        json_set(map, fields->items[i].key, json_new_str(t->a, fields->items[i].value));
    add(t, "fields", map);
}

static void add_links(struct tree *t, int64_t id)
{
    struct json_value *links = json_new_array(t->a);
    struct json_value *link = json_new_object(t->a);

    json_set(link, STR("rel"), json_new_str(t->a, STR("sources")));
    json_set(link, STR("href"),
             json_new_str(t->a, arena_printf(t->a, "/v1/collectors/%lld/sources", (long long)id)));
    json_append(links, link);
    add(t, "links", links);
}

static void add_profile(struct tree *t, const struct profile *p, struct str host)
{
    add_text(t, "description", p->description);
    add_text(t, "hostName", host);
    add_text(t, "category", p->category);
    add_text(t, "timeZone", p->time_zone);
    if (p->cutoff_ms != 0)
        add(t, "cutoffTimestamp", json_new_i64(t->a, p->cutoff_ms));
}

static void add_installed(struct tree *t, const struct agent *agent)
{
    struct sumo_installable seen = sumo_installable_of(agent);

    add_profile(t, &agent->profile, seen.host_name);
    add_fields(t, &agent->remote);
    add(t, "ephemeral", json_new_bool(t->a, agent->ephemeral));
    if (agent->target_cpu != 0)
        add(t, "targetCpu", json_new_i64(t->a, agent->target_cpu));
    add(t, "sourceSyncMode", json_new_str(t->a, agent->sources_local ? STR("Json") : STR("UI")));
    add(t, "collectorType", json_new_str(t->a, STR("Installable")));
    add_known(t, "collectorVersion", seen.version);
    add_known(t, "osVersion", seen.os_version);
    add_known(t, "osName", seen.os_name);
    add_known(t, "osArch", seen.os_arch);
    if (agent->row.last_seen_us != 0)
        add(t, "lastSeenAlive", json_new_i64(t->a, agent->row.last_seen_us / 1000));
}

static void add_hosted(struct tree *t, const struct hosted *hosted, int64_t now_us)
{
    add_profile(t, &hosted->profile, hosted->profile.host_name);
    add_fields(t, &hosted->fields);
    add(t, "collectorType", json_new_str(t->a, STR("Hosted")));
    add(t, "collectorVersion", json_new_str(t->a, STR("")));
    add(t, "lastSeenAlive", json_new_i64(t->a, now_us / 1000));
}

/* What does not change by itself, and what does. */
static struct json_value *tree_make(struct arena *a, const struct sumo_collector *col,
                                    int64_t now_us)
{
    struct tree t = {.a = a, .root = json_new_object(a)};

    add(&t, "id", json_new_i64(a, col->id));
    add(&t, "name", json_new_str(a, col->name));
    add_links(&t, col->id);
    if (col->is_hosted)
        add_hosted(&t, &col->hosted, now_us);
    else
        add_installed(&t, &col->agent);
    return t.root;
}

struct json_value *sumo_collector_tree(struct arena *a, const struct sumologic_app *app,
                                       const struct sumo_collector *col, int64_t now_us)
{
    struct json_value *root = tree_make(a, col, now_us);

    json_set(root, STR("alive"), json_new_bool(a, sumo_is_alive(app, col, now_us)));
    return root;
}

void sumo_collector_put(struct json_writer *w, struct arena *a, const struct sumologic_app *app,
                        const struct sumo_collector *col, int64_t now_us)
{
    json_obj_begin(w);
    members_put(w, sumo_collector_table(col->is_hosted), sumo_collector_tree(a, app, col, now_us));
    json_obj_end(w);
}

struct str sumo_collector_etag(struct arena *a, const struct sumo_collector *col)
{
    return members_etag(a, sumo_collector_table(col->is_hosted), tree_make(a, col, 0));
}

/* --- what is taken --- */

/* p NULL when it is not there. */
static struct str text_at(const struct json_value *taken, const char *name)
{
    const struct json_value *v = json_find(taken, str_of(name));

    return v && v->kind == JSON_KIND_STRING ? v->text : (struct str){NULL, 0};
}

static int64_t number_at(const struct json_value *taken, const char *name)
{
    const struct json_value *v = json_find(taken, str_of(name));
    int64_t n = 0;

    return v && v->kind == JSON_KIND_NUMBER && json_num_i64(v->text, &n) == 0 ? n : 0;
}

static bool flag_at(const struct json_value *taken, const char *name)
{
    const struct json_value *v = json_find(taken, str_of(name));

    return v && v->kind == JSON_KIND_BOOL && v->boolean;
}

static struct attributes fields_at(struct arena *a, const struct json_value *taken)
{
    const struct json_value *map = json_find(taken, STR("fields"));
    struct attributes out = {0};

    if (!map || map->count == 0)
        return out;
    out.items = arena_new_array(a, struct label, map->count);
    json_foreach (v, map) {
        out.items[out.count++] = (struct label){v->key, v->text};
    }
    attributes_sort(&out);
    return out;
}

static struct profile profile_at(const struct json_value *taken)
{
    return (struct profile){
        .description = text_at(taken, "description"),
        .category = text_at(taken, "category"),
        .time_zone = text_at(taken, "timeZone"),
        .host_name = text_at(taken, "hostName"),
        .cutoff_ms = number_at(taken, "cutoffTimestamp"),
    };
}

static int agent_apply(struct arena *a, const struct json_value *taken, struct sumo_collector *col,
                       struct fail *f)
{
    struct agent *agent = &col->agent;
    struct sumo_installable seen = sumo_installable_of(agent);
    struct profile profile = profile_at(taken);
    struct attributes fields = fields_at(a, taken);
    int64_t cpu = number_at(taken, "targetCpu");

    /* Written back as it was shown: it stays what the agent says. */
    if (seen.host_is_said && str_eq(profile.host_name, seen.host_name))
        profile.host_name = (struct str){NULL, 0};
    if (!attributes_equal(&fields, &agent->remote)) {
        const struct json_value *map = json_find(taken, STR("fields"));

        if (map && members_check_fields(a, map, f) < 0)
            return fail_field(f, "fields");
    }
    agent->profile = profile;
    agent->remote = fields;
    agent->ephemeral = flag_at(taken, "ephemeral");
    agent->target_cpu = cpu > 0 ? (int32_t)cpu : 0;
    agent->sources_local = str_eq_nocase(text_at(taken, "sourceSyncMode"), STR("Json"));
    return 0;
}

void sumo_collector_rename(struct sumo_collector *col, struct str name)
{
    if (!str_eq(name, col->name)) {
        col->agent.row.name = name;
        col->agent.row.unique_name = true;
    }
    col->name = name;
}

/* Any value as text: what is no scalar, as JSON. */
static struct str text_of(struct arena *a, const struct json_value *v)
{
    struct json_writer w;
    struct buf text;

    if (v->kind == JSON_KIND_STRING || v->kind == JSON_KIND_NUMBER)
        return v->text;
    buf_init_arena(&text, a, SUMO_COLLECTOR_BODY);
    json_writer_init(&w, &text);
    json_put_value(&w, v);
    return buf_str(&text);
}

int sumo_take_fields(struct arena *a, const struct json_value *map, struct attributes *out,
                     struct fail *f)
{
    struct attributes made = {arena_new_array(a, struct label, map->count), 0};

    json_foreach (v, map) {
        if (v->kind != JSON_KIND_NULL)
            made.items[made.count++] = (struct label){v->key, text_of(a, v)};
    }
    attributes_sort(&made);
    if (agent_check_fields(&made, f) < 0)
        return -1;
    *out = made;
    return 0;
}

int sumo_collector_apply(struct arena *a, const struct json_value *taken,
                         struct sumo_collector *col, struct fail *f)
{
    struct str name = text_at(taken, "name");

    if (!col->is_hosted && agent_apply(a, taken, col, f) < 0)
        return -1;
    if (col->is_hosted) {
        col->hosted.profile = profile_at(taken);
        col->hosted.fields = fields_at(a, taken);
        col->hosted.row.name = name;
        col->name = name;
    } else {
        sumo_collector_rename(col, name);
    }
    return 0;
}
