/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of sources: one that creates, or an array of one that creates and others that replace
 * it. What is refused says why; what is accepted reads back from its row, can be sent again as it
 * is shown without a change, and can be posted anew as it is downloaded. */
#include <stdint.h>
#include <stdlib.h>

#include "api/sumologic/internal.h"
#include "api/sumologic/source_doc.h"

#define NOW_US INT64_C(1700000000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool right)
{
    if (!right)
        abort();
}

static const struct master_key master = {{7}};
static const struct json_limits limits = {.depth = 32, .nodes = 100000};

static struct str show(struct arena *a, const struct source_doc *doc, bool is_download)
{
    const struct source_view view = {.id = 7,
                                     .is_download = is_download,
                                     .is_alive = true,
                                     .base_url = STR("http://host"),
                                     .stats = {.requests = 1, .last_us = NOW_US}};
    struct json_writer w;
    struct buf out;

    buf_init_arena(&out, a, 2 * SOURCE_BODY_MAX);
    json_writer_init(&w, &out);
    source_doc_put(&w, a, doc, &view);
    expect(!out.overflow && json_is_complete(&w));
    return buf_str(&out);
}

static struct json_value *parse(struct arena *a, struct str text)
{
    struct json_value *v = NULL;
    struct fail f = {0};

    expect(json_parse(a, text, NULL, &v, &f) == 0);
    return v;
}

static void same(struct arena *a, const struct source_doc *x, const struct source_doc *y)
{
    expect(str_eq(source_doc_etag(a, x), source_doc_etag(a, y)));
    expect(str_eq(show(a, x, false), show(a, y, false)));
}

static void check_row(struct arena *a, const struct source_doc *stored, struct str body)
{
    struct source row = {.id = 7, .type = str_of(stored->type->name), .body = body};
    struct source_doc back = {0};
    struct inlet inlet = {0};
    struct rules *rules = NULL;
    struct fail f = {0};

    expect(source_doc_decode(a, &row, &back, &f) == 0);
    same(a, stored, &back);
    expect(sumo_source_inlet(a, &row, &inlet) == ((stored->type->flags & SOURCE_URL) != 0));
    if (inlet.code.len > 0)
        expect(rules_compile(a, inlet.rules, inlet.rule_count, inlet.hash, &rules, &f) == 0);
}

static void check_return(struct arena *a, const struct source_doc *stored, bool is_hosted)
{
    struct source_doc again = {0};
    struct fail f = {0};

    expect(source_doc_take(a, parse(a, show(a, stored, false)), is_hosted, NOW_US, stored, &again,
                           &f) == 0);
    again = source_doc_seal(a, &master, 7, &again, stored);
    same(a, stored, &again);
    expect(source_doc_take(a, parse(a, show(a, stored, true)), is_hosted, NOW_US, NULL, &again,
                           &f) == 0);
}

/* One request; *stored is replaced when it is accepted. */
static void step(struct arena *a, const struct json_value *request, bool is_hosted,
                 struct source_doc *stored)
{
    const struct source_doc *was = stored->type ? stored : NULL;
    struct source_doc doc = {0};
    struct str body = {NULL, 0};
    struct fail f = {0};

    if (source_doc_take(a, request, is_hosted, NOW_US, was, &doc, &f) < 0) {
        expect(f.code == CODE_INVALID_ARGUMENT && f.reason && f.message[0] != '\0');
        return;
    }
    doc = source_doc_seal(a, &master, 7, &doc, was);
    if (source_doc_encode(a, &doc, &body, &f) < 0)
        return; /* too large */
    expect(source_doc_name(&doc).len > 0 && source_doc_name(&doc).len <= SOURCE_NAME_MAX);
    check_row(a, &doc, body);
    check_return(a, &doc, is_hosted);
    *stored = doc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(4096);
    struct json_value *input = NULL;
    struct fail f = {0};

    if (json_parse(a, str_make(data, size), &limits, &input, &f) == 0) {
        for (int is_hosted = 0; is_hosted < 2; is_hosted++) {
            struct source_doc stored = {0};

            if (input->kind == JSON_KIND_OBJECT)
                step(a, input, is_hosted, &stored);
            for (struct json_value *v = input->first;
                 input->kind == JSON_KIND_ARRAY && v && v->kind == JSON_KIND_OBJECT; v = v->next)
                step(a, v, is_hosted, &stored);
        }
    }
    arena_free(&a);
    return 0;
}
