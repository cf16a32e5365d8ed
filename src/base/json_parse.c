/* json_parse: JSON text into a tree. Recursion is as deep as the text's nesting, which JSON_DEPTH_MAX limits. */
#include "base/json.h"
#include "base/json_text.h"

struct parser {
    struct bytes text;
    size_t at;
    struct arena *arena;
    unsigned depth;
    size_t values;
    const char *error;                     /* the first */
};

static bool parse_value(struct parser *parser, struct json *out);

static int peek(const struct parser *parser) {
    return parser->at < parser->text.len ? parser->text.data[parser->at] : -1;
}

static bool fail(struct parser *parser, const char *error) {
    if (!parser->error) parser->error = error;
    return false;
}

static void skip_space(struct parser *parser) {
    for (int c; (c = peek(parser)) == ' ' || c == '\t' || c == '\n' || c == '\r';) parser->at++;
}

static bool take(struct parser *parser, char c) {
    if (peek(parser) != (uint8_t)c) return false;
    parser->at++;
    return true;
}

/* ---- strings ---------------------------------------------------------------------------------------------------------- */

static bool read_hex4(struct parser *parser, uint32_t *out) {
    *out = 0;
    for (unsigned i = 0; i < 4; i++) {
        int c = peek(parser), lower = c | 0x20;
        if (c >= '0' && c <= '9') *out = *out << 4 | (uint32_t)(c - '0');
        else if (lower >= 'a' && lower <= 'f') *out = *out << 4 | (uint32_t)(lower - 'a' + 10);
        else return fail(parser, "expected four hexadecimal digits after \\u");
        parser->at++;
    }
    return true;
}

static size_t put_utf8(uint32_t c, uint8_t *out) {
    if (c < 0x80) return out[0] = (uint8_t)c, 1;
    if (c < 0x800) return out[0] = (uint8_t)(0xc0 | c >> 6), out[1] = (uint8_t)(0x80 | (c & 0x3f)), 2;
    size_t len = c < 0x10000 ? 3 : 4;
    out[0] = (uint8_t)(len == 3 ? 0xe0 | c >> 12 : 0xf0 | c >> 18);
    for (size_t i = 1; i < len; i++) out[i] = (uint8_t)(0x80 | ((c >> (6 * (len - 1 - i))) & 0x3f));
    return len;
}

/* After "\u": one character, from one escape or a pair of surrogates; a lone surrogate is refused. */
static bool read_unicode(struct parser *parser, uint32_t *out) {
    if (!read_hex4(parser, out)) return false;
    if (*out < 0xd800 || *out > 0xdfff) return true;
    uint32_t low;
    bool paired = *out < 0xdc00 && take(parser, '\\') && take(parser, 'u') && read_hex4(parser, &low) && low >= 0xdc00 &&
                  low <= 0xdfff;
    if (!paired) return fail(parser, "half of a surrogate pair");
    *out = 0x10000 + ((*out - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static bool read_escape(struct parser *parser, uint32_t *out) {
    static const char letters[] = "\"\\/bfnrt", characters[] = "\"\\/\b\f\n\r\t";
    int c = peek(parser);
    if (c == 'u') {
        parser->at++;
        return read_unicode(parser, out);
    }
    const char *found = c > 0 ? strchr(letters, c) : NULL;
    if (!found) return fail(parser, "unknown escape");
    parser->at++;
    *out = (uint8_t)characters[found - letters];
    return true;
}

/* The end of a string, past its quote, and whether it has escapes. */
static bool scan_string(struct parser *parser, size_t *end, bool *escaped) {
    *escaped = false;
    for (size_t at = parser->at; at < parser->text.len; at++) {
        uint8_t c = parser->text.data[at];
        if (c < ' ') break;
        if (c == '"') {
            *end = at;
            return true;
        }
        if (c == '\\') *escaped = true, at++;
    }
    return fail(parser, "a string without an end");
}

static bool unescape(struct parser *parser, size_t end, struct bytes *out) {
    uint8_t *text = arena_alloc(parser->arena, end - parser->at + 4);      /* never longer than its source */
    size_t len = 0;
    while (parser->at < end) {
        uint32_t c;
        if (take(parser, '\\')) {
            if (!read_escape(parser, &c)) return false;
            len += put_utf8(c, text + len);
        } else {
            text[len++] = parser->text.data[parser->at++];
        }
    }
    *out = bytes_of(text, len);
    return true;
}

static bool parse_string(struct parser *parser, struct bytes *out) {
    size_t end;
    bool escaped;
    if (!take(parser, '"')) return fail(parser, "expected a string");
    if (!scan_string(parser, &end, &escaped)) return false;
    *out = bytes_of(parser->text.data + parser->at, end - parser->at);
    if (!utf8_valid(*out)) return fail(parser, "a string that is not UTF-8");
    if (escaped && !unescape(parser, end, out)) return false;
    parser->at = end + 1;
    return true;
}

/* ---- the other values ------------------------------------------------------------------------------------------------- */

static bool skip_digits(struct parser *parser) {
    size_t first = parser->at;
    while (peek(parser) >= '0' && peek(parser) <= '9') parser->at++;
    return parser->at > first;
}

static bool parse_number(struct parser *parser) {
    take(parser, '-');
    bool zero = peek(parser) == '0';
    size_t first = parser->at;
    bool good = skip_digits(parser) && !(zero && parser->at - first > 1);
    if (good && take(parser, '.')) good = skip_digits(parser);
    if (good && (take(parser, 'e') || take(parser, 'E'))) {
        if (!take(parser, '+')) take(parser, '-');
        good = skip_digits(parser);
    }
    return good || fail(parser, "a number that JSON does not have");
}

static bool parse_word(struct parser *parser, const char *word) {
    size_t len = strlen(word);
    bool same = parser->text.len - parser->at >= len && memcmp(parser->text.data + parser->at, word, len) == 0;
    if (!same) return fail(parser, "expected a value");
    parser->at += len;
    return true;
}

static bool parse_member(struct parser *parser, struct json *member) {
    skip_space(parser);
    size_t start = parser->at;
    if (!parse_string(parser, &member->key)) return false;
    member->key_raw = bytes_of(parser->text.data + start, parser->at - start);
    skip_space(parser);
    if (!take(parser, ':')) return fail(parser, "expected \":\"");
    return true;
}

/* What stands between the brackets, and the closing one. */
static bool parse_children(struct parser *parser, struct json *out, char close) {
    struct json **place = &out->first;
    if (parser->depth == JSON_DEPTH_MAX) return fail(parser, "nested too deeply");
    parser->depth++;
    skip_space(parser);
    for (bool more = !take(parser, close); more; more = !take(parser, close)) {
        if (out->count && !take(parser, ',')) return fail(parser, "expected \",\" or an end");
        if (++parser->values > JSON_VALUES_MAX) return fail(parser, "too many values");
        struct json *child = ARENA_NEW(parser->arena, struct json);
        if (close == '}' && !parse_member(parser, child)) return false;
        if (!parse_value(parser, child)) return false;
        *place = child;
        place = &child->next;
        out->count++;
        skip_space(parser);
    }
    parser->depth--;
    return true;
}

static bool parse_any(struct parser *parser, struct json *out) {
    switch (peek(parser)) {
    case '{': parser->at++; out->type = JSON_OBJECT; return parse_children(parser, out, '}');
    case '[': parser->at++; out->type = JSON_ARRAY; return parse_children(parser, out, ']');
    case '"': out->type = JSON_STRING; return parse_string(parser, &out->text);
    case 't': out->type = JSON_TRUE; return parse_word(parser, "true");
    case 'f': out->type = JSON_FALSE; return parse_word(parser, "false");
    case 'n': out->type = JSON_NULL; return parse_word(parser, "null");
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        out->type = JSON_NUMBER;
        return parse_number(parser);
    default: return fail(parser, "expected a value");
    }
}

static bool parse_value(struct parser *parser, struct json *out) {
    skip_space(parser);
    size_t start = parser->at;
    if (!parse_any(parser, out)) return false;
    out->raw = bytes_of(parser->text.data + start, parser->at - start);
    return true;
}

struct json *json_parse(struct bytes text, struct arena *arena, struct status *status) {
    struct parser parser = {.text = text, .arena = arena};
    struct json *out = ARENA_NEW(arena, struct json);
    if (parse_value(&parser, out)) {
        skip_space(&parser);
        if (parser.at < text.len) fail(&parser, "more text after the value");
    }
    if (!parser.error) return out;
    unsigned line = 1, column = 1;
    for (size_t i = 0; i < parser.at && i < text.len; i++) {
        column = text.data[i] == '\n' ? 1 : column + 1;
        line += text.data[i] == '\n';
    }
    *status = status_make(arena, STATUS_INVALID_ARGUMENT, "not JSON: line %u, column %u: %s", line, column, parser.error);
    return NULL;
}

const struct json *json_member(const struct json *object, const char *key) {
    const struct json *found = NULL;
    if (!object || object->type != JSON_OBJECT) return NULL;
    for (const struct json *member = object->first; member; member = member->next)
        if (bytes_equal(member->key, bytes_str(key))) found = member;
    return found;
}
