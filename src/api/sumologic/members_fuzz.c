/* SPDX-License-Identifier: Apache-2.0 */
/* Collectors and sources as clients write them. The first byte says which ('h', 'i': a hosted or an
 * installed collector, 'H', 'I': a source of one), the rest is the object. What is refused has to
 * say why; what is taken has to come back unchanged when it is written back as it was shown, under
 * the same tag. */
#include <stdint.h>
#include <stdlib.h>

#include "api/sumologic/internal.h"
#include "api/sumologic/source_doc.h"

#define NOW_US INT64_C(1700000000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void must_refuse_well(const struct fail *f)
{
    must(f->code == CODE_INVALID_ARGUMENT && f->reason && f->message[0] != '\0');
    must(error_find(f, 400).status == 400);
}

static struct json_value *parsed(struct arena *a, const struct buf *text)
{
    struct json_value *v = NULL;
    struct fail f;

    must(!text->overflow);
    must(json_parse(a, buf_str(text), NULL, &v, &f) == 0);
    return v;
}

/* --- collectors --- */

static struct json_value *shown(struct arena *a, const struct member_table *t,
                                const struct json_value *stored)
{
    struct json_writer w;
    struct buf out;

    buf_init_arena(&out, a, 16u << 20);
    json_writer_init(&w, &out);
    json_obj_begin(&w);
    members_put(&w, t, stored);
    json_obj_end(&w);
    return parsed(a, &out);
}

static void try_collector(struct arena *a, const struct json_value *request, bool is_hosted)
{
    const struct member_table *t = sumo_collector_table(is_hosted);
    struct sumo_collector col = {.is_hosted = is_hosted};
    struct json_value *taken = NULL, *again = NULL;
    struct fail f = {0};

    if (members_take(a, t, request, NULL, &taken, &f) < 0) {
        must_refuse_well(&f);
        return;
    }
    must(members_take(a, t, shown(a, t, taken), taken, &again, &f) == 0);
    must(str_eq(members_etag(a, t, taken), members_etag(a, t, again)));
    if (sumo_collector_apply(a, taken, &col, &f) < 0)
        must_refuse_well(&f);
    else
        must(col.name.len > 0);
}

/* --- sources --- */

static struct json_value *source_shown(struct arena *a, const struct source_doc *doc)
{
    const struct source_view view = {.id = 7, .is_alive = true, .base_url = STR("http://x")};
    struct json_writer w;
    struct buf out;

    buf_init_arena(&out, a, 16u << 20);
    json_writer_init(&w, &out);
    source_doc_put(&w, a, doc, &view);
    return parsed(a, &out);
}

static void try_source(struct arena *a, const struct json_value *request, bool is_hosted)
{
    static const struct master_key master;
    struct source_doc taken = {0}, again = {0}, read = {0};
    struct fail f = {0};
    struct str body = {NULL, 0};

    if (source_doc_take(a, request, is_hosted, NOW_US, NULL, &taken, &f) < 0) {
        must_refuse_well(&f);
        return;
    }

    struct source_doc stored = source_doc_seal(a, &master, 7, &taken, NULL);

    if (source_doc_encode(a, &stored, &body, &f) < 0) {
        must_refuse_well(&f);
        return;
    }

    const struct source row = {.tenant = 1,
                               .collector = 2,
                               .id = 7,
                               .type = str_of(stored.type->name),
                               .name = source_doc_name(&stored),
                               .body = body};

    must(source_doc_decode(a, &row, &read, &f) == 0);
    must(str_eq(source_doc_etag(a, &stored), source_doc_etag(a, &read)));
    must(source_doc_take(a, source_shown(a, &read), is_hosted, NOW_US, &read, &again, &f) == 0);

    struct source_doc kept = source_doc_seal(a, &master, 7, &again, &read);

    must(str_eq(source_doc_etag(a, &kept), source_doc_etag(a, &read)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct json_limits limits = {.depth = 32, .nodes = 10000};
    struct arena *a = arena_new(65536);
    struct json_value *request = NULL;
    struct fail f;

    if (size > 0 && json_parse(a, str_make(data + 1, size - 1), &limits, &request, &f) == 0 &&
        request->kind == JSON_KIND_OBJECT) {
        if (data[0] == 'h' || data[0] == 'i')
            try_collector(a, request, data[0] == 'h');
        else if (data[0] == 'H' || data[0] == 'I')
            try_source(a, request, data[0] == 'H');
    }
    arena_free(&a);
    return 0;
}
