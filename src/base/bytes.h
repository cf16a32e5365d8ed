/* bytes: borrowed slices and a growable buffer. */
#ifndef NORN_BASE_BYTES_H
#define NORN_BASE_BYTES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A borrowed run of bytes; not NUL-terminated. {NULL, 0} is the empty one. */
struct bytes {
    const uint8_t *data;
    size_t len;
};

static inline struct bytes bytes_of(const void *data, size_t len) { return (struct bytes){data, len}; }
static inline struct bytes bytes_str(const char *text) {
    return (struct bytes){(const uint8_t *)text, text ? strlen(text) : 0};
}
static inline bool bytes_equal(struct bytes a, struct bytes b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}
/* Lexicographic order, shorter first. */
int bytes_compare(struct bytes a, struct bytes b);

/* Takes the part of a list that comes before the next `separator` (or all) off *rest, without blanks around it; false when
 * nothing is left. */
bool bytes_split(struct bytes *rest, uint8_t separator, struct bytes *part);

/* A growable buffer. A zeroed one is empty and valid. buf_free leaves it zeroed. */
struct buf {
    uint8_t *data;
    size_t len, cap;
};

void buf_reserve(struct buf *buf, size_t extra);          /* room for `extra` more bytes */
void buf_append(struct buf *buf, const void *data, size_t len);
void buf_append_bytes(struct buf *buf, struct bytes bytes);
void buf_append_str(struct buf *buf, const char *text);
void buf_append_u8(struct buf *buf, uint8_t value);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list args);
/* Drops the first `count` bytes. */
void buf_consume(struct buf *buf, size_t count);
/* Makes it empty and keeps the memory. */
static inline void buf_clear(struct buf *buf) { buf->len = 0; }
void buf_free(struct buf *buf);
static inline struct bytes buf_bytes(const struct buf *buf) { return (struct bytes){buf->data, buf->len}; }
/* NUL-terminates (not counted in len) and borrows the text. */
const char *buf_cstr(struct buf *buf);

/* Little-endian fixed integers and protobuf varints (protobuf.dev/programming-guides/encoding). */
void buf_append_u32(struct buf *buf, uint32_t value);
void buf_append_u64(struct buf *buf, uint64_t value);
void buf_append_varint(struct buf *buf, uint64_t value);
uint32_t load_u32(const void *from);
uint64_t load_u64(const void *from);
void store_u32(void *to, uint32_t value);
void store_u64(void *to, uint64_t value);

/* A reader over bytes. Reads past the end set `bad` and give zeros; check `bad` once at the end. */
struct reader {
    struct bytes left;
    bool bad;
};
static inline struct reader reader_of(struct bytes bytes) { return (struct reader){bytes, false}; }
uint8_t read_u8(struct reader *reader);
uint32_t read_u32(struct reader *reader);
uint64_t read_u64(struct reader *reader);
uint64_t read_varint(struct reader *reader);
struct bytes read_bytes(struct reader *reader, size_t len);

#endif
