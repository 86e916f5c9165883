/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes of an answer, cut in any way, give the same messages and the same verdict as when they
 * come at once; no message is larger than the limit. The first byte is the size of the pieces. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "rpc/grpc_inbox.h"

#define LIMIT ((size_t)300)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    unsigned messages;
    uint64_t sum;
    enum grpc_inbox_state verdict;
};

static void look(struct grpc_inbox *in, struct seen *seen, bool take)
{
    struct grpc_message m;

    while ((seen->verdict = grpc_inbox_peek(in, &m)) == GRPC_INBOX_WHOLE) {
        struct buf bytes = {.data = NULL};

        assert(m.payload.len <= LIMIT);
        if (take)
            grpc_inbox_take(in, &bytes, &m);
        for (size_t i = 0; i < m.payload.len; i++)
            seen->sum = seen->sum * 31 + (uint8_t)m.payload.p[i];
        seen->sum = seen->sum * 31 + m.gzip;
        seen->messages++;
        if (take)
            buf_done(&bytes);
        else
            grpc_inbox_drop(in);
    }
}

/* Ends early at a verdict that does not change any more. */
static struct seen run(struct str bytes, size_t piece, bool take)
{
    struct seen seen = {0, 0, GRPC_INBOX_EMPTY};
    struct grpc_inbox in;

    grpc_inbox_init(&in, LIMIT, bytes.len);
    while (bytes.len > 0 && seen.verdict != GRPC_INBOX_TOO_LARGE &&
           seen.verdict != GRPC_INBOX_BAD_FLAGS) {
        bool fits = grpc_inbox_put(&in, str_first(bytes, piece));

        assert(fits);
        bytes = str_skip(bytes, piece);
        look(&in, &seen, take);
    }
    grpc_inbox_done(&in);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;

    struct str bytes = str_make(data + 1, size - 1);
    struct seen whole = run(bytes, bytes.len + 1, false);
    struct seen cut = run(bytes, 1 + data[0] % 64u, true);

    assert(whole.messages == cut.messages && whole.sum == cut.sum && whole.verdict == cut.verdict);
    return 0;
}
