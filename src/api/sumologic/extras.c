/* SPDX-License-Identifier: Apache-2.0 */
/* See extras.h. */
#include "api/sumologic/extras.h"

#include "codec/json_writer.h"

#define NAME STR("sumologic")

static struct label *find(const struct agent *agent)
{
    for (size_t i = 0; i < agent->extra_count; i++) {
        if (str_eq(agent->extras[i].key, NAME))
            return &agent->extras[i];
    }
    return NULL;
}

void extras_read(struct arena *a, const struct agent *agent, struct extras *out)
{
    const struct label *own = find(agent);
    const struct json_value *tags = NULL;
    struct json_value *v = NULL;
    struct fail f;

    *out = (struct extras){.there = own != NULL};
    if (!own || json_parse(a, own->value, NULL, &v, &f) < 0)
        return;
    IGNORE(json_get_str(v, "fleetId", &out->fleet_id, &f));
    IGNORE(json_get_str(v, "tokenKey", &out->token_key, &f));
    if (json_get_object(v, "tags", &tags, &f) == 1)
        out->tags = tags;
}

static struct str print(struct arena *a, const struct extras *e)
{
    struct json_writer w;
    struct buf text;

    buf_init_arena(&text, a, COLLECTOR_BODY_MAX);
    json_writer_init(&w, &text);
    json_obj_begin(&w);
    if (e->fleet_id.len > 0)
        json_key_str(&w, STR("fleetId"), e->fleet_id);
    if (e->token_key.len > 0)
        json_key_str(&w, STR("tokenKey"), e->token_key);
    if (e->tags) {
        json_key(&w, STR("tags"));
        json_put_value(&w, e->tags);
    }
    json_obj_end(&w);
    return buf_str(&text);
}

/* They are sorted by name. */
void extras_write(struct arena *a, struct agent *agent, const struct extras *e)
{
    const struct label *own = find(agent);
    size_t n = agent->extra_count, at = own ? (size_t)(own - agent->extras) : 0;
    struct label *list = arena_new_array(a, struct label, n + 1);

    while (!own && at < n && str_cmp(agent->extras[at].key, NAME) < 0)
        at++;
    if (at > 0)
        memcpy(list, agent->extras, at * sizeof(*list));
    list[at] = (struct label){NAME, print(a, e)};

    size_t from = at + (own ? 1 : 0);

    if (from < n)
        memcpy(list + at + 1, agent->extras + from, (n - from) * sizeof(*list));
    agent->extras = list;
    agent->extra_count = at + 1 + (n - from);
}
