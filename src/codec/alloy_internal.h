/* SPDX-License-Identifier: Apache-2.0 */
/* Between the lexer and the parser of the Alloy configuration language; for alloy*.c only. */
#ifndef CODEC_ALLOY_INTERNAL_H
#define CODEC_ALLOY_INTERNAL_H

#include "codec/alloy.h"

enum alloy_token_kind {
    TOKEN_END,
    TOKEN_TERMINATOR, /* a line's end after something that can end a statement, or ';' */
    TOKEN_IDENT,
    TOKEN_NULL,
    TOKEN_BOOL,
    TOKEN_NUMBER,
    TOKEN_STRING,
    TOKEN_ASSIGN,
    TOKEN_DOT,
    TOKEN_COMMA,
    TOKEN_LPAREN,
    TOKEN_RPAREN,
    TOKEN_LBRACK,
    TOKEN_RBRACK,
    TOKEN_LCURLY,
    TOKEN_RCURLY,
    TOKEN_NOT,
    TOKEN_OR,
    TOKEN_AND,
    TOKEN_EQ,
    TOKEN_NE,
    TOKEN_LT,
    TOKEN_LE,
    TOKEN_GT,
    TOKEN_GE,
    TOKEN_ADD,
    TOKEN_SUB,
    TOKEN_MUL,
    TOKEN_DIV,
    TOKEN_MOD,
    TOKEN_POW,
};

struct alloy_token {
    enum alloy_token_kind kind;
    struct alloy_pos pos;
    struct str text;  /* as written */
    struct str value; /* TOKEN_STRING: unescaped */
};

struct alloy_lexer {
    struct arena *arena;
    struct fail *fail;
    const char *at;
    const char *end;
    const char *mark; /* characters before it are counted in mark_pos */
    struct alloy_pos mark_pos;
    bool ends_line; /* a line's end here would be a TOKEN_TERMINATOR */
    struct alloy_token token;
};

/* Refuses text that is too long, not UTF-8, or has characters that may not stand anywhere. */
int alloy_lex_init(struct alloy_lexer *l, struct arena *a, struct str text, struct fail *f)
    MUST_CHECK;

/* Reads the next token into l->token; after the end it stays TOKEN_END. */
int alloy_lex_next(struct alloy_lexer *l) MUST_CHECK;

/* Says where and why; returns -1. */
int alloy_lex_refuse(struct alloy_lexer *l, struct alloy_pos pos, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* A token in words for a message, in the arena. */
struct str alloy_lex_describe(struct alloy_lexer *l, const struct alloy_token *t);

/* Length of the identifier at the front; 0 when there is none. Valid UTF-8 only. */
size_t alloy_lex_ident_len(struct str s);

/* TOKEN_IDENT unless the word is taken by the language. */
enum alloy_token_kind alloy_lex_word(struct str ident);

#endif
