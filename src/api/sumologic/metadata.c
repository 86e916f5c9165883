/* SPDX-License-Identifier: Apache-2.0 */
/* POST /api/v1/otCollectors/metadata: what an agent says of its host and itself when it starts. The
 * words become local attributes, its tags are kept apart from the fields that operators set. An
 * agent that is refused here does not start, so what does not fit is passed over. */
#include "api/sumologic/extras.h"
#include "api/sumologic/internal.h"
#include "api/sumologic/source_json.h"

#define TAGS_BYTES (16u << 10)

struct said {
    struct label words[8];
    size_t count;
    struct str version;
    struct str host;
    const struct json_value *tags; /* NULL: none, or too many */
};

/* Passed over when no attribute may be so. */
static void say(struct said *s, const char *key, struct str value)
{
    struct label word = {str_of(key), value};
    const struct attributes one = {&word, 1};
    struct fail f;

    if (value.len > 0 && s->count < COUNTOF(s->words) && agent_check_local(&one, 0, &f) == 0)
        s->words[s->count++] = word;
}

static bool tags_fit(struct arena *a, const struct json_value *tags)
{
    struct json_writer w;
    struct buf text;

    buf_init_arena(&text, a, TAGS_BYTES);
    json_writer_init(&w, &text);
    json_put_value(&w, tags);
    return !text.overflow;
}

static struct said *listen(struct arena *a, const struct json_value *body)
{
    struct said *s = arena_new_type(a, struct said);
    const struct json_value *host = json_find(body, STR("hostDetails"));
    const struct json_value *tags = json_find(body, STR("tagDetails"));

    s->version = source_text(json_find(body, STR("collectorDetails")), "runningVersion");
    s->host = source_text(host, "name");
    say(s, "collector.os", source_text(host, "osName"));
    say(s, "os.version", source_text(host, "osVersion"));
    say(s, "deployment.environment", source_text(host, "environment"));
    say(s, "collector.version", s->version);
    say(s, "host.ip", source_text(json_find(body, STR("networkDetails")), "hostIpAddress"));
    if (tags && tags->kind == JSON_KIND_OBJECT && tags_fit(a, tags))
        s->tags = tags;
    return s;
}

static struct label *find(const struct attributes *list, struct str key)
{
    for (size_t i = 0; i < list->count; i++) {
        if (str_eq(list->items[i].key, key))
            return &list->items[i];
    }
    return NULL;
}

/* The words take the place of those that it said before; others of its stay. */
static struct attributes merge(struct arena *a, const struct attributes *local,
                               const struct said *s)
{
    struct attributes out = {arena_new_array(a, struct label, local->count + s->count), 0};

    if (local->count > 0)
        memcpy(out.items, local->items, local->count * sizeof(*out.items));
    out.count = local->count;
    for (size_t i = 0; i < s->count; i++) {
        struct label *was = find(&out, s->words[i].key);

        if (was)
            *was = s->words[i];
        else
            out.items[out.count++] = s->words[i];
    }
    attributes_sort(&out);
    return out;
}

static int keep(struct call *c, struct fail *f)
{
    const struct said *s = c->carry;
    struct said words = *s;
    struct collector row = {0};
    struct agent agent = {0};
    struct extras extras;
    int64_t number = 0;

    if (sumo_caller_agent(c, &number, f) < 0)
        return -1;
    if (collector_get(c->tx, c->caller->tenant, number, &row, f) < 0)
        return f->code == CODE_NOT_FOUND ? sumo_agent_gone(f) : -1;
    if (agent_decode(c->arena, &row, &agent, f) < 0)
        return -1;
    if (!find(&agent.local, STR("host.name")))
        say(&words, "host.name", words.host);
    agent.local = merge(c->arena, &agent.local, &words);
    if (s->tags) {
        extras_read(c->arena, &agent, &extras);
        extras.tags = s->tags;
        extras_write(c->arena, &agent, &extras);
    }
    if (agent_update(c->tx, sumo_app(c)->registry, c->caller, &agent, f) < 0)
        return -1;
    return s->version.len > 0 ? upgrade_observe(c->tx, c->caller->tenant, number, s->version, f)
                              : 0;
}

int sumo_metadata(struct call *c, struct fail *f)
{
    const struct json_value *body = NULL;

    if (sumo_body(c, NULL, &body, f) < 0)
        return -1;
    c->carry = listen(c->arena, body);
    return call_move(c, LANE_WRITE, keep);
}
