/* SPDX-License-Identifier: Apache-2.0 */
/* Data as nobody means to send it: metadata stays lines of "name=value" whatever the query says, no
 * message grows by being read, and what a rule hides does not come out. The first byte chooses; the
 * rest is query, defaults and body. */
#include <stdlib.h>

#include "api/sumologic/received.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static void check_metadata(struct arena *a, struct str text)
{
    const struct http_req req = {.query = text};
    struct str lines =
        received_metadata(a, &req, (struct received_defaults){text, text}, STR("logs"));
    size_t n = 0;

    expect(str_ends_with(lines, STR("signal=logs\n")));
    while (lines.len > 0) {
        struct str line = str_cut(&lines, '\n');

        expect(str_index(line, '=') > 0);
        n++;
    }
    expect(n <= 8);
}

static void check_rules(struct arena *a, struct str body, const struct boundary *by)
{
    const struct rule_spec specs[] = {
        {.kind = RULE_EXCLUDE, .pattern = STR("(?s)no.*")},
        {.kind = RULE_MASK, .pattern = STR("(x+)"), .mask = STR("#")}};
    struct rules *r = NULL;
    struct str out = {0};
    uint64_t messages = 0;
    struct fail f = {0};

    expect(rules_compile(a, specs, COUNTOF(specs), RULE_MD5, &r, &f) == 0);
    if (received_filter(a, r, by, STR("text/plain"), body, body.len * 3 + 1, &out, &messages, &f) <
        0)
        abort();
    expect(str_index(out, 'x') < 0);
    expect(messages <= received_count(by, STR(""), body));
    expect(by->kind != BOUNDARY_LINE || messages <= received_count(by, STR(""), out));
}

/* One behind the other, and nothing between them but line breaks. */
static void check_messages(struct str body, const struct boundary *by)
{
    const char *end = body.p;
    struct messages m;
    struct str message;

    messages_begin(&m, by, body);
    while (messages_next(&m, &message)) {
        expect(message.len > 0 && message.p >= end);
        for (; end < message.p; end++)
            expect(*end == '\n' || *end == '\r');
        end = message.p + message.len;
        expect(end <= body.p + body.len);
    }
    for (; end < body.p + body.len; end++)
        expect(*end == '\n' || *end == '\r');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(4096);
    struct str text = size > 0 ? str_make(data + 1, size - 1) : STR("");

    check_metadata(a, text);
    expect(received_query(a, text).len <= text.len);
    for (enum boundary_kind kind = BOUNDARY_LINE; kind <= BOUNDARY_PREFIX; kind++) {
        struct boundary by = {0};
        struct fail f = {0};

        expect(boundary_compile(a, kind, STR("\\[?\\d+"), &by, &f) == 0);
        check_messages(text, &by);
        if (size > 0 && data[0] % 4 == kind)
            check_rules(a, text, &by);
    }
    arena_free(&a);
    return 0;
}
