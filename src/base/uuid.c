/* uuid: text form of 16 bytes (RFC 9562). */
#include "base/uuid.h"

#include <stddef.h>

static const char digits[] = "0123456789abcdef";

static bool dash_before(unsigned byte) { return byte == 4 || byte == 6 || byte == 8 || byte == 10; }

void uuid_text(const uint8_t raw[UUID_LEN], char text[UUID_TEXT_SIZE]) {
    for (unsigned i = 0; i < UUID_LEN; i++) {
        if (dash_before(i)) *text++ = '-';
        *text++ = digits[raw[i] >> 4];
        *text++ = digits[raw[i] & 15];
    }
    *text = 0;
}

static int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool uuid_parse(const char *text, uint8_t raw[UUID_LEN]) {
    if (!text) return false;
    for (unsigned i = 0; i < UUID_LEN; i++) {
        if (dash_before(i) && *text++ != '-') return false;
        int high = digit(text[0]);
        if (high < 0) return false;
        int low = digit(text[1]);
        if (low < 0) return false;
        raw[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    return *text == 0;
}

void uuid_shape(uint8_t raw[UUID_LEN]) {
    raw[6] = (uint8_t)((raw[6] & 0x0f) | 0x40);
    raw[8] = (uint8_t)((raw[8] & 0x3f) | 0x80);
}

bool uuid_is_zero(const uint8_t raw[UUID_LEN]) {
    for (int i = 0; i < UUID_LEN; i++)
        if (raw[i]) return false;
    return true;
}
