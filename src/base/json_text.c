/* json_text: strings as JSON writes them, and UTF-8. */
#include "base/json_text.h"

#include <stdio.h>

#include "base/check.h"

size_t utf8_next(struct bytes text, uint32_t *character) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = text.data[0];
    if (first < 0x80) {
        *character = first;
        return 1;
    }
    size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.len < len) return 0;
    uint32_t value = first & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((text.data[i] & 0xc0) != 0x80) return 0;
        value = value << 6 | (text.data[i] & 0x3f);
    }
    if (value < least[len] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return 0;
    *character = value;
    return len;
}

bool utf8_valid(struct bytes text) {
    for (uint32_t character; text.len;) {
        size_t len = utf8_next(text, &character);
        if (len == 0) return false;
        text = bytes_of(text.data + len, text.len - len);
    }
    return true;
}

size_t utf8_cut(struct bytes text, size_t max) {
    if (text.len <= max) return text.len;
    for (size_t len = max; len > 0 && max - len < 4; len--)
        if ((text.data[len] & 0xc0) != 0x80) return len;
    return max;
}

static size_t escape(uint32_t character, char *out) {
    static const char letters[] = "\b\t\n\f\r\"\\", escapes[] = "btnfr\"\\";
    const char *found = character ? strchr(letters, (int)character) : NULL;
    if (!found) return (size_t)sprintf(out, "\\u%04x", character);
    out[0] = '\\';
    out[1] = escapes[found - letters];
    return 2;
}

size_t json_quote(struct bytes text, char *out, size_t size) {
    CHECK(size >= 6 * text.len + 3);
    size_t len = 0;
    out[len++] = '"';
    while (text.len) {
        uint32_t character;
        size_t taken = utf8_next(text, &character);
        if (taken == 0) {
            memcpy(out + len, "\xef\xbf\xbd", 3);
            len += 3;
            taken = 1;
        } else if (taken == 1 && (character < ' ' || character == '"' || character == '\\' || character == 0x7f)) {
            len += escape(character, out + len);
        } else {
            memcpy(out + len, text.data, taken);
            len += taken;
        }
        text = bytes_of(text.data + taken, text.len - taken);
    }
    out[len++] = '"';
    return len;
}

void buf_append_json(struct buf *buf, struct bytes text) {
    buf_reserve(buf, 6 * text.len + 3);
    buf->len += json_quote(text, (char *)buf->data + buf->len, buf->cap - buf->len);
}
