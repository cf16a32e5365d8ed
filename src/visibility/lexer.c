/* lexer: the words of a list filter. */
#include "visibility/lexer.h"

#include <string.h>
#include <strings.h>

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c) || (unsigned char)c >= 0x80;
}

static void take(struct lexer *lexer, enum token_kind kind, size_t len) {
    lexer->token.kind = kind;
    lexer->token.text = arena_text(lexer->arena, bytes_of(lexer->text + lexer->at, len));
    lexer->at += len;
}

/* A string or a back-quoted name. A doubled quote, or one behind a backslash, stands for itself. */
static void take_quoted(struct lexer *lexer, char quote) {
    struct buf text = {0};
    size_t at = lexer->at + 1;
    lexer->token.kind = TOKEN_BAD;
    for (; lexer->text[at]; at++) {
        char c = lexer->text[at];
        if (c == quote && lexer->text[at + 1] != quote) {
            lexer->token.kind = quote == '`' ? TOKEN_NAME : TOKEN_STRING;
            at++;
            break;
        }
        if ((c == quote || (c == '\\' && quote != '`')) && lexer->text[at + 1]) c = lexer->text[++at];
        buf_append_u8(&text, (uint8_t)c);
    }
    lexer->token.text = arena_text(lexer->arena, buf_bytes(&text));
    lexer->token.quoted = true;
    lexer->at = at;
    buf_free(&text);
}

static void take_number(struct lexer *lexer) {
    size_t len = lexer->text[lexer->at] == '-' ? 1 : 0;
    const char *at = lexer->text + lexer->at;
    while (is_digit(at[len]) || at[len] == '.' || at[len] == 'e' || at[len] == 'E' ||
           ((at[len] == '-' || at[len] == '+') && len && (at[len - 1] == 'e' || at[len - 1] == 'E')))
        len++;
    take(lexer, TOKEN_NUMBER, len);
}

void lexer_next(struct lexer *lexer) {
    const char *text = lexer->text;
    while (is_space(text[lexer->at])) lexer->at++;
    lexer->token = (struct token){.at = lexer->at, .text = ""};
    char c = text[lexer->at];
    if (!c) return;
    if (c == '\'' || c == '"' || c == '`') take_quoted(lexer, c);
    else if (is_digit(c) || (c == '-' && is_digit(text[lexer->at + 1]))) take_number(lexer);
    else if (is_name(c)) {
        size_t len = 0;
        while (is_name(text[lexer->at + len])) len++;
        take(lexer, TOKEN_NAME, len);
    } else {
        static const char *const symbols[] = {"!=", "<=", ">=", "<>", "=", "<", ">", "(", ")", ",", "*"};
        for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
            if (strncmp(text + lexer->at, symbols[i], strlen(symbols[i])) != 0) continue;
            take(lexer, TOKEN_SYMBOL, strlen(symbols[i]));
            return;
        }
        take(lexer, TOKEN_BAD, 1);
    }
}

void lexer_init(struct lexer *lexer, const char *text, struct arena *arena) {
    *lexer = (struct lexer){.text = text, .arena = arena};
    lexer_next(lexer);
}

bool lexer_is(const struct lexer *lexer, const char *word) {
    const struct token *token = &lexer->token;
    if (token->kind == TOKEN_SYMBOL) return strcmp(token->text, word) == 0;
    return token->kind == TOKEN_NAME && !token->quoted && strcasecmp(token->text, word) == 0;
}

bool lexer_accept(struct lexer *lexer, const char *word) {
    if (!lexer_is(lexer, word)) return false;
    lexer_next(lexer);
    return true;
}
