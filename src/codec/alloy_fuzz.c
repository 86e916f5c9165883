/* SPDX-License-Identifier: Apache-2.0 */
/* The Alloy configuration language: any bytes are taken or refused with a place, in memory that is
 * linear in them; a tree written down is read back as the same tree; quoted bytes come back. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "codec/alloy.h"

#define TEXT_MAX (64u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_expr(struct buf *b, const struct alloy_expr *e);

static void put_items(struct buf *b, const char *open, const struct alloy_expr *e,
                      const char *close)
{
    buf_put_str(b, str_of(open));
    for (size_t i = 0; i < e->count; i++) {
        if (e->kind == ALLOY_OBJECT) {
            alloy_quote(b, e->keys[i]);
            buf_put_byte(b, '=');
        }
        put_expr(b, e->items[i]);
        buf_put_byte(b, ',');
    }
    buf_put_str(b, str_of(close));
}

static void put_expr(struct buf *b, const struct alloy_expr *e)
{
    switch (e->kind) {
    case ALLOY_NULL:
    case ALLOY_BOOL:
    case ALLOY_NUMBER:
    case ALLOY_IDENT: buf_put_str(b, e->text); break;
    case ALLOY_STRING: alloy_quote(b, e->text); break;
    case ALLOY_ARRAY: put_items(b, "[", e, "]"); break;
    case ALLOY_OBJECT: put_items(b, "{", e, "}"); break;
    case ALLOY_CALL:
        put_expr(b, e->left);
        put_items(b, "(", e, ")");
        break;
    case ALLOY_ACCESS:
        put_expr(b, e->left);
        buf_put_str(b, STR(" . "));
        buf_put_str(b, e->text);
        break;
    case ALLOY_INDEX:
        put_expr(b, e->left);
        buf_put_byte(b, '[');
        put_expr(b, e->right);
        buf_put_byte(b, ']');
        break;
    case ALLOY_UNARY:
        buf_put_str(b, e->text);
        put_expr(b, e->left);
        break;
    case ALLOY_BINARY:
        put_expr(b, e->left);
        buf_put_byte(b, ' ');
        buf_put_str(b, e->text);
        buf_put_byte(b, ' ');
        put_expr(b, e->right);
        break;
    case ALLOY_PAREN:
        buf_put_byte(b, '(');
        put_expr(b, e->left);
        buf_put_byte(b, ')');
        break;
    }
}

static void put_body(struct buf *b, const struct alloy_body *body)
{
    for (size_t i = 0; i < body->count; i++) {
        const struct alloy_statement *s = body->items[i];

        assert(s->pos.line > 0 && s->pos.column > 0);
        buf_put_str(b, s->name);
        if (!s->is_block) {
            buf_put_byte(b, '=');
            put_expr(b, s->value);
            buf_put_byte(b, '\n');
            continue;
        }
        if (s->has_label) {
            assert(alloy_is_identifier(s->label));
            buf_put_byte(b, ' ');
            alloy_quote(b, s->label);
        }
        buf_put_str(b, STR("{\n"));
        put_body(b, s->body);
        buf_put_str(b, STR("}\n"));
    }
}

static struct str written(struct arena *a, const struct alloy_body *body)
{
    struct buf b;

    buf_init_arena(&b, a, TEXT_MAX);
    put_body(&b, body);
    assert(!b.overflow);
    return buf_str(&b);
}

static void check_tree(struct arena *a, const struct alloy_body *body)
{
    struct str first = written(a, body);
    struct alloy_body *again = NULL;
    struct fail f = {0};

    if (alloy_parse(a, first, &again, &f) < 0)
        abort();
    assert(str_eq(first, written(a, again)));
}

static void check_quote(struct arena *a, struct str text)
{
    struct alloy_body *body = NULL;
    struct fail f = {0};
    struct buf b;

    buf_init_arena(&b, a, TEXT_MAX);
    buf_put_str(&b, STR("a="));
    alloy_quote(&b, text);
    if (alloy_parse(a, buf_str(&b), &body, &f) < 0)
        abort();
    assert(body->count == 1 && body->items[0]->value->kind == ALLOY_STRING);
    assert(str_eq(body->items[0]->value->text, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(4096);
    struct str text = str_make(data, size);
    struct alloy_body *body = NULL;
    struct fail f = {0};
    int result = alloy_parse(a, text, &body, &f);

    assert(arena_used(a) <= 4096 + 256 * size);
    if (result == 0) {
        check_tree(a, body);
    } else {
        assert(!body && f.code == CODE_INVALID_ARGUMENT);
        assert(strcmp(f.reason, "bad_alloy") == 0 && strncmp(f.message, "line ", 5) == 0);
    }
    check_quote(a, text);
    arena_free(&a);
    return 0;
}
