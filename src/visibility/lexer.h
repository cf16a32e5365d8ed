/* lexer: the words of a list filter. */
#ifndef NORN_VISIBILITY_LEXER_H
#define NORN_VISIBILITY_LEXER_H

#include "base/arena.h"

enum token_kind { TOKEN_END, TOKEN_NAME, TOKEN_STRING, TOKEN_NUMBER, TOKEN_SYMBOL, TOKEN_BAD };

struct token {
    enum token_kind kind;
    const char *text;           /* NUL-terminated: the name, the string without quotes, the number, the symbol */
    size_t at;                  /* where it begins, for messages */
    bool quoted;                /* a name in back quotes is never a keyword */
};

struct lexer {
    const char *text;
    size_t at;
    struct arena *arena;
    struct token token;         /* the present one */
};

void lexer_init(struct lexer *lexer, const char *text, struct arena *arena);
/* Moves to the next token. */
void lexer_next(struct lexer *lexer);
/* Whether the present token is this keyword (any case) or this symbol. */
bool lexer_is(const struct lexer *lexer, const char *word);
/* The same, and moves past it. */
bool lexer_accept(struct lexer *lexer, const char *word);

#endif
