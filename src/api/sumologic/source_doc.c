/* SPDX-License-Identifier: Apache-2.0 */
/* See source_doc.h. */
#include "api/sumologic/source_doc.h"

#include "api/sumologic/internal.h"
#include "api/sumologic/source_json.h"
#include "api/sumologic/source_refs.h"
#include "api/sumologic/source_rules.h"
#include "base/id.h"
#include "base/random.h"
#include "codec/sha256.h"
#include "codec/utf8.h"
#include "core/seal.h"

#define TOKEN_LEN     52 /* 5 bits a character: 260 bits */
#define TAG_LEN       32
#define NAME_CHARS    128
#define RECEIVER_PATH "/receiver/v1/http"
#define STATE_PENDING "Pending" /* of a source that runs in the vendor's cloud, and not here */

/* --- from a request --- */

/* NULL: *f says why. */
static const struct source_type *type_take(const struct json_value *request, bool is_hosted,
                                           struct fail *f)
{
    const struct json_value *v = json_find(request, STR("sourceType"));
    struct str name = source_text(request, "sourceType");
    const struct source_type *type = source_type_find(name);

    if (type && ((type->flags & SOURCE_HOSTED) != 0) == is_hosted)
        return type;
    if (!v || v->kind == JSON_KIND_NULL || (v->kind == JSON_KIND_STRING && name.len == 0))
        IGNORE(
            fail_reason(f, CODE_INVALID_ARGUMENT, "source_type", "Please specify a source type"));
    else if (v->kind != JSON_KIND_STRING)
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "source_type",
                           "Invalid source type: it must be a string."));
    else if (!type)
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "source_type", "Invalid source type: '%.*s'",
                           STR_ARG(str_first(name, 100))));
    else
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "source_type",
                           "Invalid source type: '%.*s' does not belong on %s collector.",
                           STR_ARG(name), is_hosted ? "a hosted" : "an installed"));
    return NULL;
}

/* What is asked for relatively wins, and becomes a moment once: a document that is written again
 * must not move it, or what was collected is collected again. */
static int cutoff_take(struct arena *a, const struct json_value *request, int64_t now_us,
                       const struct json_value *was, struct json_value *tree, struct fail *f)
{
    struct str relative = source_text(request, "cutoffRelativeTime");
    const struct json_value *moment = json_find(was, STR("cutoffTimestamp"));
    int64_t ms = 0;

    if (relative.len == 0 || !json_find(tree, STR("cutoffTimestamp")))
        return 0;
    if (was) {
        if (moment && !json_find(request, STR("cutoffTimestamp")) &&
            json_num_i64(moment->text, &ms) == 0)
            json_set(tree, STR("cutoffTimestamp"), json_new_i64(a, ms));
        return 0;
    }
    if (sumo_cutoff(relative, now_us, &ms, f) < 0)
        return -1;
    json_set(tree, STR("cutoffTimestamp"), json_new_i64(a, ms));
    return 0;
}

/* ["a","b"] as "a,b"; nothing of what is empty. */
static void text_lists(struct arena *a, struct json_value *tree)
{
    for (size_t i = 0; source_text_lists[i]; i++) {
        struct str name = str_of(source_text_lists[i]);
        const struct json_value *v = json_find(tree, name);
        struct buf text;

        if (!v || v->kind != JSON_KIND_ARRAY)
            continue;
        buf_init_arena(&text, a, SOURCE_BODY_MAX);
        json_foreach (item, v) {
            if (text.len > 0)
                buf_put_byte(&text, ',');
            buf_put_str(&text, item->text);
        }
        json_remove(tree, name);
        if (text.len > 0)
            json_set(tree, name, json_new_str(a, buf_str(&text)));
    }
}

static int rules_take(struct arena *a, const struct source_type *type, struct json_value *tree,
                      struct fail *f)
{
    struct json_value *filters = json_find(tree, STR("filters"));

    if ((type->flags & SOURCE_URL) != 0 && source_boundary_check(a, tree, f) < 0)
        return -1;
    if (!filters || (type->flags & SOURCE_CONFIG_NAME) != 0)
        return 0;
    return source_rules_check(a, filters, (type->flags & SOURCE_URL) != 0, f);
}

static int ref_take(struct arena *a, const struct source_type *type, struct json_value *tree,
                    const struct json_value *stored, struct fail *f)
{
    const struct json_value *ref = json_find(tree, STR("thirdPartyRef"));
    enum ref_owner owner = (type->flags & SOURCE_POLLS) != 0 ? REF_POLLING : REF_HTTP;
    struct json_value *taken = NULL;

    if (!ref || (type->flags & (SOURCE_POLLS | SOURCE_REFERS)) == 0)
        return 0;
    if (refs_take(a, owner, source_text(tree, "contentType"), ref,
                  json_find(stored, STR("thirdPartyRef")), &taken, f) < 0)
        return -1;
    taken->next = NULL;
    json_set(tree, STR("thirdPartyRef"), taken);
    return 0;
}

static int name_take(struct arena *a, const struct source_type *type, struct json_value *tree,
                     struct fail *f)
{
    const struct json_value *name = json_find(json_find(tree, STR("config")), STR("name"));

    if ((type->flags & SOURCE_CONFIG_NAME) == 0)
        return 0;
    if (!name || name->kind == JSON_KIND_NULL)
        return source_missing(f, "name");
    if (name->kind != JSON_KIND_STRING)
        return source_invalid(f, "config.name", "it must be a string");
    if (name->text.len == 0)
        return source_missing(f, "name");
    if (utf8_count(name->text) > NAME_CHARS)
        return source_invalid(f, "config.name", "it is longer than 128 characters");
    json_set(tree, STR("name"), json_new_str(a, name->text));
    return 0;
}

int source_doc_take(struct arena *a, const struct json_value *request, bool is_hosted,
                    int64_t now_us, const struct source_doc *stored, struct source_doc *out,
                    struct fail *f)
{
    const struct json_value *was = stored ? stored->tree : NULL;
    const struct source_type *type = stored ? stored->type : type_take(request, is_hosted, f);
    struct json_value *tree = NULL;

    if (!type || members_take(a, &type->table, request, was, &tree, f) < 0)
        return -1;
    if ((type->flags & SOURCE_NO_HOST_NAME) != 0)
        json_remove(tree, STR("hostName"));
    if ((type->flags & SOURCE_TEXT_LISTS) != 0)
        text_lists(a, tree);
    if (cutoff_take(a, request, now_us, was, tree, f) < 0 || rules_take(a, type, tree, f) < 0 ||
        ref_take(a, type, tree, was, f) < 0 || name_take(a, type, tree, f) < 0 ||
        (type->check && type->check(tree, f) < 0))
        return -1;
    *out = (struct source_doc){.type = type, .tree = tree};
    return 0;
}

/* --- rows --- */

int source_doc_decode(struct arena *a, const struct source *row, struct source_doc *out,
                      struct fail *f)
{
    const struct source_type *type = source_type_find(row->type);
    struct json_value *tree = NULL;
    struct fail why = {0};

    if (type && json_parse(a, row->body, NULL, &tree, &why) == 0 &&
        tree->kind == JSON_KIND_OBJECT) {
        *out = (struct source_doc){.type = type, .tree = tree};
        return 0;
    }
    IGNORE(fail_reason(f, CODE_DATA_LOSS, "bad_source", "a stored source cannot be read"));
    return fail_detail(f, "source %lld of type '%.*s': %s", (long long)row->id,
                       STR_ARG(str_first(row->type, 64)), why.message);
}

int source_doc_encode(struct arena *a, const struct source_doc *doc, struct str *out,
                      struct fail *f)
{
    struct json_writer w;
    struct buf text;

    buf_init_arena(&text, a, SOURCE_BODY_MAX);
    json_writer_init(&w, &text);
    json_put_value(&w, doc->tree);
    if (text.overflow)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid", "The source is too large.");
    *out = buf_str(&text);
    return 0;
}

struct str source_doc_name(const struct source_doc *doc)
{
    return source_text(doc->tree, "name");
}

struct str source_doc_token(const struct source_doc *doc)
{
    return (doc->type->flags & SOURCE_TOKEN) != 0 ? source_text(doc->tree, "token")
                                                  : (struct str){NULL, 0};
}

bool source_doc_listens(const struct source_doc *doc, struct str *protocol, int64_t *port)
{
    const struct json_value *v = json_find(doc->tree, STR("port"));

    if ((doc->type->flags & SOURCE_LISTENS) == 0 || !v || json_num_i64(v->text, port) < 0)
        return false;
    *protocol = source_text(doc->tree, "protocol");
    return true;
}

/* --- secrets --- */

static bool is_secret(const struct source_type *type, struct str name)
{
    for (const struct member_table *t = &type->table; t; t = t->base)
        for (size_t i = 0; i < t->count; i++)
            if ((t->items[i].flags & MEMBER_SECRET) != 0 && str_eq(name, str_of(t->items[i].name)))
                return true;
    return false;
}

/* A copy of the document with each secret replaced by what fn makes of it. */
static struct json_value *map_secrets(struct arena *a, const struct source_doc *doc, secret_fn fn,
                                      void *arg)
{
    struct json_value *made = json_new_object(a), **link = &made->first;

    json_foreach (v, doc->tree) {
        bool refers = (doc->type->flags & (SOURCE_POLLS | SOURCE_REFERS)) != 0 &&
                      str_eq(v->key, STR("thirdPartyRef"));
        struct json_value *copy;

        if (refers) {
            copy = refs_map_secrets(a, v, fn, arg);
            copy->key = v->key;
        } else {
            copy = arena_new_type(a, struct json_value);
            *copy = *v;
            if (v->kind == JSON_KIND_STRING && is_secret(doc->type, v->key))
                copy->text = fn(arg, v->key, v->text);
        }
        copy->next = NULL;
        *link = copy;
        link = &copy->next;
        made->last = copy;
        made->count++;
    }
    return made;
}

struct sealing {
    struct arena *arena;
    const struct master_key *master;
    int64_t id;
    const struct source_doc *stored;
    struct str wanted; /* the place that is looked for */
    struct str found;
};

static struct str note_secret(void *arg, struct str place, struct str secret)
{
    struct sealing *s = arg;

    if (str_eq(place, s->wanted))
        s->found = secret;
    return secret;
}

/* The sealed text at the same place of the stored document. */
static struct str stored_secret(struct sealing *s, struct str place)
{
    s->wanted = place;
    s->found = (struct str){NULL, 0};
    if (s->stored)
        IGNORE(map_secrets(s->arena, s->stored, note_secret, s));
    return s->found;
}

static struct str seal_secret(void *arg, struct str place, struct str secret)
{
    struct sealing *s = arg;
    struct str was = stored_secret(s, place), plain = {NULL, 0};
    struct str context =
        arena_printf(s->arena, "source %lld.%.*s", (long long)s->id, STR_ARG(place));
    struct fail ignored;

    if (was.p && (str_eq(was, secret) ||
                  (seal_open(s->arena, s->master, context, was, &plain, &ignored) == 0 &&
                   str_eq(plain, secret))))
        return was;
    return seal(s->arena, s->master, context, secret);
}

struct source_doc source_doc_seal(struct arena *a, const struct master_key *m, int64_t id,
                                  const struct source_doc *doc, const struct source_doc *stored)
{
    struct sealing s = {.arena = a, .master = m, .id = id, .stored = stored};
    struct source_doc out = {.type = doc->type, .tree = map_secrets(a, doc, seal_secret, &s)};

    if ((doc->type->flags & SOURCE_TOKEN) != 0 && source_doc_token(&out).len == 0) {
        char *token = arena_alloc_raw(a, TOKEN_LEN);

        random_text(token, TOKEN_LEN);
        json_set(out.tree, STR("token"), json_new_str(a, str_make(token, TOKEN_LEN)));
    }
    return out;
}

/* --- tags --- */

static struct str add_secret(void *arg, struct str place, struct str secret)
{
    struct buf *all = arg;

    buf_put_byte(all, '\n');
    buf_put_str(all, place);
    buf_put_byte(all, '=');
    buf_put_str(all, secret);
    return secret;
}

/* What is shown does not tell one secret from another; the tag has to. */
struct str source_doc_etag(struct arena *a, const struct source_doc *doc)
{
    struct str shown = members_etag(a, &doc->type->table, doc->tree);
    uint8_t hash[SHA256_LEN];
    struct buf all;

    buf_init_arena(&all, a, 2 * SOURCE_BODY_MAX);
    buf_put_str(&all, shown);
    IGNORE(map_secrets(a, doc, add_secret, &all));
    if (all.len == shown.len)
        return shown;
    sha256(buf_str(&all), hash);

    char *text = arena_alloc_raw(a, TAG_LEN);

    hex_print(hash, TAG_LEN / 2, text);
    return str_make(text, TAG_LEN);
}

/* --- showing --- */

static struct str hide_secret(void *arg, struct str place, struct str secret)
{
    (void)arg;
    (void)place;
    (void)secret;
    return SECRET_HIDDEN;
}

static struct json_value *new_u64(struct arena *a, uint64_t n)
{
    return json_new_i64(a, (int64_t)MIN(n, (uint64_t)INT64_MAX));
}

/* Nothing of what was never used. */
static void put_stats(struct arena *a, struct json_value *tree, const struct inlet_stats *s)
{
    struct json_value *v = json_new_object(a);

    if (s->last_us == 0)
        return;
    json_set(v, STR("requests"), new_u64(a, s->requests));
    json_set(v, STR("messages"), new_u64(a, s->messages));
    json_set(v, STR("bytes"), new_u64(a, s->bytes));
    json_set(v, STR("lastReceived"), json_new_i64(a, s->last_us / 1000));
    json_set(tree, STR("receiver"), v);
}

static void put_address(struct arena *a, const struct source_doc *doc, struct json_value *tree,
                        struct str server)
{
    struct str base = arena_printf(a, "%.*s" RECEIVER_PATH, STR_ARG(server));
    struct str token = source_doc_token(doc);

    json_set(tree, STR("url"),
             json_new_str(a, arena_printf(a, "%.*s/%.*s", STR_ARG(base), STR_ARG(token))));
    json_set(tree, STR("baseUrl"), json_new_str(a, base));
}

void source_doc_put(struct json_writer *w, struct arena *a, const struct source_doc *doc,
                    const struct source_view *view)
{
    struct json_value *tree = map_secrets(a, doc, hide_secret, NULL);

    if (view->is_download) {
        if ((doc->type->flags & SOURCE_TOKEN) != 0)
            json_remove(tree, STR("token"));
    } else {
        json_set(tree, STR("id"), json_new_i64(a, view->id));
        json_set(tree, STR("alive"), json_new_bool(a, view->is_alive));
        if ((doc->type->flags & SOURCE_URL) != 0) {
            put_address(a, doc, tree, view->base_url);
            put_stats(a, tree, &view->stats);
        }
        if ((doc->type->flags & SOURCE_CONFIG_NAME) != 0)
            json_set(tree, STR("state"), json_new_str(a, STR(STATE_PENDING)));
    }
    json_obj_begin(w);
    members_put(w, &doc->type->table, tree);
    json_obj_end(w);
}
