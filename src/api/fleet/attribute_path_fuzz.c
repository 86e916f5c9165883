/* SPDX-License-Identifier: Apache-2.0 */
/* Paths: a key is text and no longer than its path; any key can be written in each of the ways and
 * is read as the same. The input is taken as a path and as a key. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "api/fleet/attribute_path.h"
#include "base/buf.h"
#include "codec/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(struct arena *a, struct str path)
{
    struct str key = {0};
    struct fail f = {0};

    if (attribute_path_parse(a, path, &key, &f) < 0) {
        assert(f.code == CODE_INVALID_ARGUMENT && utf8_is_valid(str_of(f.message)));
        return;
    }
    assert(key.len > 0 && key.len < path.len && utf8_is_valid(key));
}

static void check_same(struct arena *a, const struct buf *path, struct str key)
{
    struct str again = {0};
    struct fail f = {0};

    if (path->len > ATTRIBUTE_PATH_MAX)
        return;
    if (attribute_path_parse(a, buf_str(path), &again, &f) < 0)
        abort();
    assert(str_eq(again, key));
}

static void check_pointer(struct arena *a, struct str key)
{
    struct buf b;

    buf_init_arena(&b, a, 1 << 20);
    buf_put_str(&b, STR("/remote_attributes/"));
    for (size_t i = 0; i < key.len; i++) {
        if (key.p[i] == '~')
            buf_put_str(&b, STR("~0"));
        else if (key.p[i] == '/')
            buf_put_str(&b, STR("~1"));
        else
            buf_put_byte(&b, (uint8_t)key.p[i]);
    }
    check_same(a, &b, key);
}

/* Every other character that may be an escape sequence is one. */
static void check_brackets(struct arena *a, struct str key, char quote)
{
    struct buf b;

    buf_init_arena(&b, a, 1 << 20);
    buf_put_str(&b, STR("$.remoteAttributes["));
    buf_put_byte(&b, (uint8_t)quote);
    for (size_t i = 0; i < key.len; i++) {
        unsigned char c = (unsigned char)key.p[i];

        if (c == '\\' || c == (unsigned char)quote || (c < 0x80 && i % 2))
            buf_printf(&b, "\\u%04X", (unsigned)c);
        else
            buf_put_byte(&b, c);
    }
    buf_put_byte(&b, (uint8_t)quote);
    buf_put_byte(&b, ']');
    check_same(a, &b, key);
}

static void check_key(struct arena *a, struct str key)
{
    struct buf b;

    if (key.len == 0 || !utf8_is_valid(key))
        return;
    buf_init_arena(&b, a, 1 << 20);
    buf_put_str(&b, STR("remoteAttributes."));
    buf_put_str(&b, key);
    check_same(a, &b, key);
    check_pointer(a, key);
    check_brackets(a, key, '"');
    check_brackets(a, key, '\'');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(4096);
    struct str text = str_make(data, size);

    check_path(a, text);
    check_key(a, str_first(text, ATTRIBUTE_PATH_MAX));
    arena_free(&a);
    return 0;
}
