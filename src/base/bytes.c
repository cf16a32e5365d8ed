/* bytes: borrowed slices and a growable buffer. */
#include "base/bytes.h"

#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"

int bytes_compare(struct bytes a, struct bytes b) {
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.data, b.data, shorter) : 0;
    if (order) return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool bytes_split(struct bytes *rest, uint8_t separator, struct bytes *part) {
    if (rest->len == 0) return false;
    const uint8_t *end = memchr(rest->data, separator, rest->len);
    size_t len = end ? (size_t)(end - rest->data) : rest->len;
    *part = bytes_of(rest->data, len);
    *rest = bytes_of(rest->data + len + (end != NULL), rest->len - len - (end != NULL));
    while (part->len && part->data[0] == ' ') *part = bytes_of(part->data + 1, part->len - 1);
    while (part->len && part->data[part->len - 1] == ' ') part->len--;
    return true;
}

void buf_reserve(struct buf *buf, size_t extra) {
    CHECK(extra <= SIZE_MAX / 2 - buf->len);
    size_t need = buf->len + extra;
    if (need <= buf->cap) return;
    size_t cap = buf->cap ? buf->cap * 2 : 64;
    while (cap < need) cap *= 2;
    buf->data = mem_realloc(buf->data, cap);
    buf->cap = cap;
}

void buf_append(struct buf *buf, const void *data, size_t len) {
    if (len == 0) return;
    buf_reserve(buf, len);
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
}

void buf_append_bytes(struct buf *buf, struct bytes bytes) { buf_append(buf, bytes.data, bytes.len); }
void buf_append_str(struct buf *buf, const char *text) { buf_append(buf, text, strlen(text)); }
void buf_append_u8(struct buf *buf, uint8_t value) { buf_append(buf, &value, 1); }

void buf_vprintf(struct buf *buf, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    CHECK(len >= 0);
    buf_reserve(buf, (size_t)len + 1);
    vsnprintf((char *)buf->data + buf->len, (size_t)len + 1, format, again);
    va_end(again);
    buf->len += (size_t)len;
}

void buf_printf(struct buf *buf, const char *format, ...) {
    va_list args;
    va_start(args, format);
    buf_vprintf(buf, format, args);
    va_end(args);
}

void buf_consume(struct buf *buf, size_t count) {
    CHECK(count <= buf->len);
    buf->len -= count;
    if (buf->len) memmove(buf->data, buf->data + count, buf->len);
}

void buf_free(struct buf *buf) {
    mem_free(buf->data);
    *buf = (struct buf){0};
}

const char *buf_cstr(struct buf *buf) {
    buf_reserve(buf, 1);
    buf->data[buf->len] = 0;
    return (const char *)buf->data;
}

uint32_t load_u32(const void *from) {
    const uint8_t *b = from;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}
uint64_t load_u64(const void *from) {
    const uint8_t *b = from;
    return (uint64_t)load_u32(b) | (uint64_t)load_u32(b + 4) << 32;
}
void store_u32(void *to, uint32_t value) {
    uint8_t *b = to;
    for (int i = 0; i < 4; i++) b[i] = (uint8_t)(value >> (8 * i));
}
void store_u64(void *to, uint64_t value) {
    uint8_t *b = to;
    for (int i = 0; i < 8; i++) b[i] = (uint8_t)(value >> (8 * i));
}

void buf_append_u32(struct buf *buf, uint32_t value) {
    uint8_t raw[4];
    store_u32(raw, value);
    buf_append(buf, raw, 4);
}
void buf_append_u64(struct buf *buf, uint64_t value) {
    uint8_t raw[8];
    store_u64(raw, value);
    buf_append(buf, raw, 8);
}
void buf_append_varint(struct buf *buf, uint64_t value) {
    while (value >= 0x80) {
        buf_append_u8(buf, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    buf_append_u8(buf, (uint8_t)value);
}

struct bytes read_bytes(struct reader *reader, size_t len) {
    if (reader->bad || len > reader->left.len) {
        reader->bad = true;
        return (struct bytes){0};
    }
    struct bytes out = {reader->left.data, len};
    reader->left.data += len;
    reader->left.len -= len;
    return out;
}
uint8_t read_u8(struct reader *reader) {
    struct bytes raw = read_bytes(reader, 1);
    return raw.len ? raw.data[0] : 0;
}
uint32_t read_u32(struct reader *reader) {
    struct bytes raw = read_bytes(reader, 4);
    return raw.len ? load_u32(raw.data) : 0;
}
uint64_t read_u64(struct reader *reader) {
    struct bytes raw = read_bytes(reader, 8);
    return raw.len ? load_u64(raw.data) : 0;
}
uint64_t read_varint(struct reader *reader) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = read_u8(reader);
        if (reader->bad) return 0;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return value;
    }
    reader->bad = true;
    return 0;
}
