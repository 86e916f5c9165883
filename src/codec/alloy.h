/* SPDX-License-Identifier: Apache-2.0 */
/* The Alloy configuration language: text in, a tree in the arena out. Lexer and recursive-descent
 * parser with bounded depth, nodes and bytes; pure. Every node knows its line and column (from 1,
 * columns in characters). What is refused with which words: codec/alloy_parse.c. */
#ifndef CODEC_ALLOY_H
#define CODEC_ALLOY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"

#define ALLOY_MAX_DEPTH 64
#define ALLOY_MAX_NODES 200000
#define ALLOY_MAX_BYTES (64u << 20)

struct alloy_pos {
    uint32_t line;
    uint32_t column;
};

enum alloy_expr_kind {
    ALLOY_NULL,
    ALLOY_BOOL,
    ALLOY_NUMBER,
    ALLOY_STRING, /* text: unescaped */
    ALLOY_ARRAY,
    ALLOY_OBJECT,
    ALLOY_IDENT,
    ALLOY_ACCESS, /* left.name */
    ALLOY_INDEX,  /* left[right] */
    ALLOY_CALL,   /* left(items...) */
    ALLOY_UNARY,
    ALLOY_BINARY,
    ALLOY_PAREN,
};

/* Chains of operators, accesses, indexes and calls lean to the left and may be as long as the text:
 * walk `left` in a loop. All other links are bounded by ALLOY_MAX_DEPTH. Strings are views of the
 * text where nothing had to be unescaped. */
struct alloy_expr {
    enum alloy_expr_kind kind;
    struct alloy_pos pos;
    struct str text; /* NUMBER, BOOL: as written; STRING: its value; IDENT, ACCESS: the name; UNARY,
                        BINARY: the operator */
    struct alloy_expr *left;
    struct alloy_expr *right;
    struct alloy_expr **items; /* ARRAY; CALL: arguments; OBJECT: values */
    struct str *keys;          /* OBJECT: their values, a key may come twice */
    size_t count;
};

struct alloy_body;

struct alloy_statement {
    struct alloy_pos pos;
    struct str name; /* of an attribute; of a block the parts joined by dots */
    bool is_block;
    struct alloy_expr *value; /* attributes */
    bool has_label;           /* false also for an empty one */
    struct str label;
    struct alloy_pos label_pos;
    struct alloy_body *body; /* blocks */
};

struct alloy_body {
    struct alloy_statement **items;
    size_t count;
};

/* INVALID_ARGUMENT "bad_alloy": "line 3, column 7: ..."; RESOURCE_EXHAUSTED is never said: what is
 * too deep or too large is a bad text as well. */
int alloy_parse(struct arena *a, struct str text, struct alloy_body **out, struct fail *f)
    MUST_CHECK;

/* Letters, digits and '_', not beginning with a digit; Unicode letters and digits count; null, true
 * and false do not. */
bool alloy_is_identifier(struct str s);

/* Appends text between double quotes, escaped for the language: any bytes, on one line. */
void alloy_quote(struct buf *out, struct str text);

#endif
