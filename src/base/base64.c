/* base64: RFC 4648. */
#include "base/base64.h"

void base64_append(struct buf *out, struct bytes data) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    buf_reserve(out, (data.len + 2) / 3 * 4);
    for (size_t at = 0; at < data.len; at += 3) {
        size_t have = data.len - at < 3 ? data.len - at : 3;
        uint32_t group = (uint32_t)data.data[at] << 16;
        if (have > 1) group |= (uint32_t)data.data[at + 1] << 8;
        if (have > 2) group |= data.data[at + 2];
        for (size_t i = 0; i < 4; i++)
            buf_append_u8(out, i <= have ? (uint8_t)letters[group >> (18 - 6 * i) & 63] : '=');
    }
}

static int digit(uint8_t c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    if (c == '/' || c == '_') return 63;
    return -1;
}

bool base64_read(struct bytes text, struct arena *arena, struct bytes *out) {
    size_t padding = 0;
    while (padding < 2 && padding < text.len && text.data[text.len - 1 - padding] == '=') padding++;
    if (padding && text.len % 4 != 0) return false;
    size_t digits = text.len - padding, len = 0;
    if (digits % 4 == 1) return false;
    uint8_t *data = arena_alloc(arena, digits / 4 * 3 + 3);
    uint32_t group = 0;
    for (size_t i = 0; i < digits; i++) {
        int value = digit(text.data[i]);
        if (value < 0) return false;
        group = group << 6 | (uint32_t)value;
        if (i % 4 == 1) data[len++] = (uint8_t)(group >> 4);
        if (i % 4 == 2) data[len++] = (uint8_t)(group >> 2);
        if (i % 4 == 3) data[len++] = (uint8_t)group;
    }
    *out = bytes_of(data, len);
    return true;
}
