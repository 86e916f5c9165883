/* SPDX-License-Identifier: Apache-2.0 */
/* Parser of the Alloy configuration language: one function a rule, one token of foresight.
 *
 *   body      = [ statement { terminator statement } [ terminator ] ]
 *   statement = ident "=" expr  |  ident { "." ident } [ label ] "{" body "}"
 *   label     = string, whose text is an identifier or empty (which is no label)
 *   expr      = unary { operator unary }           || && (== != < <= > >=) (+ -) (* / %) ^
 *   unary     = { "!" | "-" } primary
 *   primary   = operand { "." ident | "[" expr "]" | "(" [ list ] ")" }
 *   operand   = null | bool | number | string | ident | "[" [ list ] "]" | "{" [ fields ] "}" |
 *               "(" expr ")"
 *   list      = expr { "," expr } [ "," ]
 *   fields    = ( ident | string ) "=" expr { "," ... } [ "," ]
 *
 * A line may end within brackets wherever nothing could end: after an opening bracket, a comma or
 * an operator, not after a value. So a list whose bracket closes on a line of its own has a comma
 * after its last item, as agents insist too.
 *
 * Where we differ from the agents: an escape in the key of an object means what it means elsewhere
 * (they keep the key as it was written); a byte order mark is refused also at the front, since the
 * text is going to stand within another; nesting and size are bounded. */
#include "codec/alloy_internal.h"

#include <string.h>

#include "base/buf.h"
#include "codec/utf8.h"

struct parser {
    struct alloy_lexer lexer; /* its token is the one to be looked at */
    unsigned depth;
    unsigned nodes;
};

/* Grows by doubling, in the arena. */
struct list {
    void **items;
    size_t count;
    size_t cap;
};

static struct alloy_expr *parse_expr(struct parser *p);
static struct alloy_body *parse_body(struct parser *p, enum alloy_token_kind until);

static enum alloy_token_kind kind_of(const struct parser *p)
{
    return p->lexer.token.kind;
}

static int next(struct parser *p)
{
    return alloy_lex_next(&p->lexer);
}

/* "expected X, found Y" where the parser stands. */
static int refuse(struct parser *p, const char *expected)
{
    struct alloy_token *t = &p->lexer.token;

    return alloy_lex_refuse(&p->lexer, t->pos, "expected %s, found %.*s", expected,
                            STR_ARG(alloy_lex_describe(&p->lexer, t)));
}

static int expect(struct parser *p, enum alloy_token_kind kind, const char *expected)
{
    return kind_of(p) == kind ? next(p) : refuse(p, expected);
}

/* Counts a level of nesting and what is about to be made; the caller takes the level off again. */
static int enter(struct parser *p)
{
    if (++p->depth > ALLOY_MAX_DEPTH)
        return alloy_lex_refuse(&p->lexer, p->lexer.token.pos, "this nests deeper than %d levels",
                                ALLOY_MAX_DEPTH);
    return 0;
}

static int count_node(struct parser *p)
{
    if (++p->nodes > ALLOY_MAX_NODES)
        return alloy_lex_refuse(&p->lexer, p->lexer.token.pos,
                                "the text has more than %d values and blocks", ALLOY_MAX_NODES);
    return 0;
}

static void push(struct parser *p, struct list *l, void *item)
{
    if (l->count == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 4;
        void **items = arena_new_array(p->lexer.arena, void *, cap);

        if (l->count)
            memcpy(items, l->items, l->count * sizeof(*items));
        l->items = items;
        l->cap = cap;
    }
    l->items[l->count++] = item;
}

/* NULL: refused, as are all of the functions that return something made. */
static struct alloy_expr *make(struct parser *p, enum alloy_expr_kind kind, struct alloy_pos pos)
{
    struct alloy_expr *e;

    if (count_node(p) < 0)
        return NULL;
    e = arena_new_type(p->lexer.arena, struct alloy_expr);
    e->kind = kind;
    e->pos = pos;
    return e;
}

/* --- expressions --- */

/* After an item: 1 when another may follow, 0 when the list is at its closing bracket. */
static int after_item(struct parser *p, enum alloy_token_kind close, const char *expected)
{
    struct alloy_token *t = &p->lexer.token;

    if (t->kind == TOKEN_COMMA)
        return next(p) < 0 ? -1 : 1;
    if (t->kind == close)
        return 0;
    if (t->kind == TOKEN_TERMINATOR && t->text.len && t->text.p[0] == '\n')
        return alloy_lex_refuse(&p->lexer, t->pos, "expected %s before the end of the line",
                                expected);
    return refuse(p, expected);
}

/* Items up to the closing bracket, and past it. */
static int parse_list(struct parser *p, enum alloy_token_kind close, const char *expected,
                      struct alloy_expr *into)
{
    struct list items = {0};
    int more = 1;

    while (more > 0 && kind_of(p) != close) {
        struct alloy_expr *item = parse_expr(p);

        if (!item)
            return -1;
        push(p, &items, item);
        more = after_item(p, close, expected);
    }
    if (more < 0)
        return -1;
    into->items = (struct alloy_expr **)(void *)items.items;
    into->count = items.count;
    return next(p);
}

static int parse_field(struct parser *p, struct list *keys, struct list *values)
{
    struct alloy_token *t = &p->lexer.token;
    struct str *key = arena_new_type(p->lexer.arena, struct str);
    struct alloy_expr *value;

    if (t->kind != TOKEN_IDENT && t->kind != TOKEN_STRING)
        return refuse(p, "the name of a field or \"}\"");
    *key = t->kind == TOKEN_STRING ? t->value : t->text;
    if (next(p) < 0 || expect(p, TOKEN_ASSIGN, "\"=\" after the name of a field") < 0)
        return -1;
    value = parse_expr(p);
    if (!value)
        return -1;
    push(p, keys, key);
    push(p, values, value);
    return 0;
}

static struct alloy_expr *parse_object(struct parser *p)
{
    struct alloy_expr *e = make(p, ALLOY_OBJECT, p->lexer.token.pos);
    struct list keys = {0}, values = {0};
    int more = 1;

    if (!e || next(p) < 0)
        return NULL;
    while (more > 0 && kind_of(p) != TOKEN_RCURLY) {
        if (parse_field(p, &keys, &values) < 0)
            return NULL;
        more = after_item(p, TOKEN_RCURLY, "\",\" or \"}\"");
    }
    if (more < 0 || next(p) < 0)
        return NULL;
    e->items = (struct alloy_expr **)(void *)values.items;
    e->count = values.count;
    e->keys = arena_new_array(p->lexer.arena, struct str, keys.count);
    for (size_t i = 0; i < keys.count; i++)
        e->keys[i] = *(const struct str *)keys.items[i];
    return e;
}

static struct alloy_expr *parse_literal(struct parser *p, enum alloy_expr_kind kind)
{
    struct alloy_token *t = &p->lexer.token;
    struct alloy_expr *e = make(p, kind, t->pos);

    if (!e)
        return NULL;
    e->text = t->kind == TOKEN_STRING ? t->value : t->text;
    return next(p) < 0 ? NULL : e;
}

static struct alloy_expr *parse_array(struct parser *p)
{
    struct alloy_expr *e = make(p, ALLOY_ARRAY, p->lexer.token.pos);

    if (!e || next(p) < 0 || parse_list(p, TOKEN_RBRACK, "\",\" or \"]\"", e) < 0)
        return NULL;
    return e;
}

static struct alloy_expr *parse_paren(struct parser *p)
{
    struct alloy_expr *e = make(p, ALLOY_PAREN, p->lexer.token.pos);

    if (!e || next(p) < 0)
        return NULL;
    e->left = parse_expr(p);
    if (!e->left || expect(p, TOKEN_RPAREN, "\")\"") < 0)
        return NULL;
    return e;
}

static struct alloy_expr *parse_operand(struct parser *p)
{
    enum alloy_token_kind kind = kind_of(p);

    if (kind == TOKEN_IDENT)
        return parse_literal(p, ALLOY_IDENT);
    if (kind == TOKEN_STRING)
        return parse_literal(p, ALLOY_STRING);
    if (kind == TOKEN_NUMBER)
        return parse_literal(p, ALLOY_NUMBER);
    if (kind == TOKEN_BOOL)
        return parse_literal(p, ALLOY_BOOL);
    if (kind == TOKEN_NULL)
        return parse_literal(p, ALLOY_NULL);
    if (kind == TOKEN_LBRACK)
        return parse_array(p);
    if (kind == TOKEN_LCURLY)
        return parse_object(p);
    if (kind == TOKEN_LPAREN)
        return parse_paren(p);
    IGNORE(refuse(p, "a value"));
    return NULL;
}

/* What follows an operand: .name, [index], (arguments). */
static struct alloy_expr *parse_suffix(struct parser *p, struct alloy_expr *left)
{
    enum alloy_token_kind kind = kind_of(p);
    struct alloy_expr *e = make(p,
                                kind == TOKEN_DOT      ? ALLOY_ACCESS
                                : kind == TOKEN_LBRACK ? ALLOY_INDEX
                                                       : ALLOY_CALL,
                                left->pos);

    if (!e || next(p) < 0)
        return NULL;
    e->left = left;
    if (kind == TOKEN_DOT) {
        e->text = p->lexer.token.text;
        return expect(p, TOKEN_IDENT, "a name after \".\"") < 0 ? NULL : e;
    }
    if (kind == TOKEN_LPAREN)
        return parse_list(p, TOKEN_RPAREN, "\",\" or \")\"", e) < 0 ? NULL : e;
    e->right = parse_expr(p);
    if (!e->right || expect(p, TOKEN_RBRACK, "\"]\"") < 0)
        return NULL;
    return e;
}

static struct alloy_expr *parse_primary(struct parser *p)
{
    struct alloy_expr *e = parse_operand(p);

    while (e &&
           (kind_of(p) == TOKEN_DOT || kind_of(p) == TOKEN_LBRACK || kind_of(p) == TOKEN_LPAREN))
        e = parse_suffix(p, e);
    if (e && e->kind != ALLOY_STRING &&
        (kind_of(p) == TOKEN_LCURLY || kind_of(p) == TOKEN_STRING)) {
        IGNORE(alloy_lex_refuse(&p->lexer, e->pos,
                                "expected a value, found what looks like a block; a block has no "
                                "\"=\" and cannot be a value"));
        return NULL;
    }
    return e;
}

static struct alloy_expr *parse_unary(struct parser *p)
{
    struct alloy_token sign = p->lexer.token;
    struct alloy_expr *e;

    if (sign.kind != TOKEN_NOT && sign.kind != TOKEN_SUB)
        return parse_primary(p);
    e = make(p, ALLOY_UNARY, sign.pos);
    if (!e || enter(p) < 0 || next(p) < 0)
        return NULL;
    e->text = sign.text;
    e->left = parse_unary(p);
    p->depth--;
    return e->left ? e : NULL;
}

/* Binds tighter the higher it is; 0: no operator. */
static unsigned precedence(enum alloy_token_kind kind)
{
    if (kind == TOKEN_OR)
        return 1;
    if (kind == TOKEN_AND)
        return 2;
    if (kind >= TOKEN_EQ && kind <= TOKEN_GE)
        return 3;
    if (kind == TOKEN_ADD || kind == TOKEN_SUB)
        return 4;
    if (kind == TOKEN_MUL || kind == TOKEN_DIV || kind == TOKEN_MOD)
        return 5;
    return kind == TOKEN_POW ? 6 : 0;
}

/* Operators of `least` and above. "^" groups to the right, the others to the left. */
static struct alloy_expr *parse_binary(struct parser *p, unsigned least)
{
    struct alloy_expr *left = parse_unary(p);

    while (left && precedence(kind_of(p)) >= least) {
        struct alloy_token sign = p->lexer.token;
        unsigned level = precedence(sign.kind);
        struct alloy_expr *e = make(p, ALLOY_BINARY, left->pos);

        if (!e || enter(p) < 0 || next(p) < 0)
            return NULL;
        e->text = sign.text;
        e->left = left;
        e->right = parse_binary(p, sign.kind == TOKEN_POW ? level : level + 1);
        p->depth--;
        left = e->right ? e : NULL;
    }
    return left;
}

static struct alloy_expr *parse_expr(struct parser *p)
{
    struct alloy_expr *e;

    if (enter(p) < 0)
        return NULL;
    e = parse_binary(p, 1);
    p->depth--;
    return e;
}

/* --- statements --- */

/* The name with its dots, which need not stand next to its parts. */
static int parse_name(struct parser *p, struct str *name, bool *dotted)
{
    struct buf joined;

    *name = p->lexer.token.text;
    *dotted = false;
    if (expect(p, TOKEN_IDENT, "the name of an attribute or a block") < 0)
        return -1;
    buf_init_arena(&joined, p->lexer.arena, ALLOY_MAX_BYTES);
    while (kind_of(p) == TOKEN_DOT) {
        if (!*dotted)
            buf_put_str(&joined, *name);
        *dotted = true;
        if (next(p) < 0)
            return -1;
        buf_put_byte(&joined, '.');
        buf_put_str(&joined, p->lexer.token.text);
        if (expect(p, TOKEN_IDENT, "a name after \".\"") < 0)
            return -1;
    }
    if (*dotted)
        *name = buf_str(&joined);
    return 0;
}

/* What stands between the quotes must be an identifier as it is: escapes make none. */
static int parse_label(struct parser *p, struct alloy_statement *s)
{
    struct alloy_token *t = &p->lexer.token;
    struct str cut = str_first(t->text, 60);

    if (t->kind == TOKEN_IDENT)
        return refuse(p, "\"=\", \"{\" or a label in double quotes");
    if (t->kind != TOKEN_STRING)
        return 0;
    s->label = str_make(t->text.p + 1, t->text.len - 2);
    s->has_label = s->label.len > 0;
    s->label_pos = t->pos;
    cut.len = utf8_valid_len(cut);
    if (s->has_label && !alloy_is_identifier(s->label))
        return alloy_lex_refuse(&p->lexer, t->pos,
                                "the label of a block must be an identifier (letters, digits and "
                                "\"_\", no digit first), found %.*s%s",
                                STR_ARG(cut), cut.len < t->text.len ? "..." : "");
    return next(p);
}

static int parse_block(struct parser *p, struct alloy_statement *s)
{
    s->is_block = true;
    if (enter(p) < 0 || next(p) < 0)
        return -1;
    s->body = parse_body(p, TOKEN_RCURLY);
    p->depth--;
    return s->body ? next(p) : -1;
}

static struct alloy_statement *parse_statement(struct parser *p)
{
    struct alloy_statement *s = arena_new_type(p->lexer.arena, struct alloy_statement);
    bool dotted = false;

    s->pos = p->lexer.token.pos;
    if (count_node(p) < 0 || parse_name(p, &s->name, &dotted) < 0 || parse_label(p, s) < 0)
        return NULL;
    if (kind_of(p) == TOKEN_LCURLY)
        return parse_block(p, s) < 0 ? NULL : s;
    if (kind_of(p) != TOKEN_ASSIGN || dotted || s->label_pos.line > 0) {
        if (kind_of(p) == TOKEN_ASSIGN)
            IGNORE(alloy_lex_refuse(&p->lexer, s->pos, "the name of an attribute has no %s",
                                    dotted ? "dots" : "label"));
        else
            IGNORE(refuse(p, dotted || s->label_pos.line > 0
                                 ? "\"{\""
                                 : "\"=\", or \"{\" with or without a label before it"));
        return NULL;
    }
    if (next(p) < 0)
        return NULL;
    s->value = parse_expr(p);
    return s->value ? s : NULL;
}

static struct alloy_body *parse_body(struct parser *p, enum alloy_token_kind until)
{
    struct alloy_body *body = arena_new_type(p->lexer.arena, struct alloy_body);
    struct list items = {0};

    while (kind_of(p) != until) {
        struct alloy_statement *s = parse_statement(p);

        if (!s)
            return NULL;
        push(p, &items, s);
        if (kind_of(p) == until)
            break;
        if (expect(p, TOKEN_TERMINATOR,
                   until == TOKEN_END ? "the end of the line" : "the end of the line or \"}\"") < 0)
            return NULL;
    }
    body->items = (struct alloy_statement **)(void *)items.items;
    body->count = items.count;
    return body;
}

int alloy_parse(struct arena *a, struct str text, struct alloy_body **out, struct fail *f)
{
    struct parser p = {0};
    struct alloy_body *body;

    if (alloy_lex_init(&p.lexer, a, text, f) < 0 || next(&p) < 0)
        return -1;
    body = parse_body(&p, TOKEN_END);
    if (!body)
        return -1;
    *out = body;
    return 0;
}
