/* SPDX-License-Identifier: Apache-2.0 */
/* The query of a Connect GET: what was read, written again in the plainest way, reads the same. */
#include <stdint.h>
#include <stdlib.h>

#include "codec/url.h"
#include "rpc/connect_get.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static void put(struct buf *out, const char *name, struct str value)
{
    if (!value.p)
        return;
    buf_printf(out, "&%s=", name);
    url_put_encoded(out, value);
}

static bool same(struct str x, struct str y)
{
    return (x.p != NULL) == (y.p != NULL) && str_eq(x, y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(4096);
    struct connect_query q, again;
    struct str message, message_again;
    struct buf text;
    struct fail f = {0};

    if (connect_query_read(a, str_make(data, size), &q, &f) == 0) {
        buf_init_arena(&text, a, size * 4 + 1000);
        put(&text, "encoding", q.encoding);
        put(&text, "message", q.message);
        put(&text, "base64", q.base64);
        put(&text, "compression", q.compression);
        put(&text, "connect", q.version);
        expect(connect_query_read(a, buf_str(&text), &again, &f) == 0);
        expect(same(q.encoding, again.encoding) && same(q.message, again.message) &&
               same(q.base64, again.base64) && same(q.compression, again.compression) &&
               same(q.version, again.version));

        int rc = connect_query_message(a, &q, &message, &f);

        expect(rc == connect_query_message(a, &again, &message_again, &f));
        expect(rc < 0 || str_eq(message, message_again));
        expect(rc < 0 || q.message.p);
    } else {
        expect(f.code == CODE_INVALID_ARGUMENT);
    }
    arena_free(&a);
    return 0;
}
