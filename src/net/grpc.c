/* grpc: timeouts, statuses and prefixes as bytes. */
#include "net/grpc.h"

#include <stdio.h>

#include "net/field.h"

/* ---- headers --------------------------------------------------------------------------------------------------- */

bool grpc_content_type(struct bytes value) {
    static const char name[] = "application/grpc";
    size_t len = sizeof name - 1;
    if (value.len < len || memcmp(value.data, name, len) != 0) return false;
    return value.len == len || value.data[len] == '+' || value.data[len] == ';';
}

static int64_t timeout_unit_ns(uint8_t unit) {
    switch (unit) {
    case 'H': return 3600 * INT64_C(1000000000);
    case 'M': return 60 * INT64_C(1000000000);
    case 'S': return INT64_C(1000000000);
    case 'm': return 1000000;
    case 'u': return 1000;
    case 'n': return 1;
    default: return 0;
    }
}

int64_t grpc_timeout_parse(struct bytes value) {
    if (value.len < 2 || value.len > 9) return -1;
    int64_t unit = timeout_unit_ns(value.data[value.len - 1]);
    if (!unit) return -1;
    int64_t count = 0;
    for (size_t i = 0; i + 1 < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') return -1;
        count = count * 10 + (value.data[i] - '0');
    }
    return count > INT64_MAX / unit ? INT64_MAX : count * unit;
}

void grpc_timeout_format(int64_t ns, char text[16]) {
    static const char units[] = "numSMH";
    if (ns < 0) ns = 0;
    for (const char *unit = units;; unit++) {
        int64_t size = timeout_unit_ns((uint8_t)*unit);
        int64_t count = ns / size + (ns % size != 0);
        if (count <= 99999999 || !unit[1]) {
            snprintf(text, 16, "%d%c", (int)count, *unit);
            return;
        }
    }
}

void grpc_prefix_store(uint8_t prefix[GRPC_PREFIX_LEN], bool compressed, uint32_t len) {
    prefix[0] = compressed;
    for (int i = 0; i < 4; i++) prefix[1 + i] = (uint8_t)(len >> (24 - 8 * i));
}

uint32_t grpc_prefix_len(const uint8_t prefix[GRPC_PREFIX_LEN]) {
    return (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16 | (uint32_t)prefix[3] << 8 | prefix[4];
}

/* ---- base64 ---------------------------------------------------------------------------------------------------- */

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct bytes grpc_base64_encode(struct arena *arena, struct bytes data) {
    uint8_t *out = arena_alloc(arena, data.len / 3 * 4 + 4);
    size_t len = 0;
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < data.len; i++) {
        bits = bits << 8 | data.data[i];
        for (count += 8; count >= 6; count -= 6) out[len++] = (uint8_t)base64_digits[bits >> (count - 6) & 63];
    }
    if (count) out[len++] = (uint8_t)base64_digits[bits << (6 - count) & 63];
    return bytes_of(out, len);
}

static int base64_value(uint8_t digit) {
    if (digit >= 'A' && digit <= 'Z') return digit - 'A';
    if (digit >= 'a' && digit <= 'z') return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9') return digit - '0' + 52;
    if (digit == '+') return 62;
    if (digit == '/') return 63;
    return -1;
}

bool grpc_base64_decode(struct arena *arena, struct bytes text, struct bytes *out) {
    for (int i = 0; i < 2 && text.len && text.data[text.len - 1] == '='; i++) text.len--;
    uint8_t *data = arena_alloc(arena, text.len / 4 * 3 + 3);
    size_t len = 0;
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = base64_value(text.data[i]);
        if (value < 0) return false;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            data[len++] = (uint8_t)(bits >> count);
        }
    }
    *out = bytes_of(data, len);
    return count < 6;                    /* a lone digit holds no byte */
}

/* ---- grpc-message ---------------------------------------------------------------------------------------------- */

struct bytes grpc_percent_encode(struct arena *arena, const char *text) {
    static const char hex[] = "0123456789ABCDEF";
    size_t text_len = strnlen(text, GRPC_MESSAGE_TEXT_MAX), plain = 0;
    while (plain < text_len && text[plain] >= 0x20 && text[plain] <= 0x7e && text[plain] != '%') plain++;
    if (plain == text_len) return bytes_of(text, text_len);
    uint8_t *out = arena_alloc(arena, text_len * 3);
    size_t len = 0;
    for (size_t i = 0; i < text_len; i++) {
        uint8_t c = (uint8_t)text[i];
        if (c >= 0x20 && c <= 0x7e && c != '%') {
            out[len++] = c;
        } else {
            out[len++] = '%';
            out[len++] = (uint8_t)hex[c >> 4];
            out[len++] = (uint8_t)hex[c & 15];
        }
    }
    return bytes_of(out, len);
}

static int hex_value(uint8_t digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

const char *grpc_percent_decode(struct arena *arena, struct bytes text) {
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int high = -1, low = -1;
        if (text.data[i] == '%' && i + 2 < text.len) {
            high = hex_value(text.data[i + 1]);
            low = hex_value(text.data[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            out[len++] = (char)(high << 4 | low);
            i += 2;
        } else {
            out[len++] = (char)text.data[i];
        }
    }
    return out;
}

/* ---- google.rpc.Status ----------------------------------------------------------------------------------------- */

/* Three fields of two tiny messages: code = 1, message = 2, details = 3 { type_url = 1, value = 2 }. */

static const char type_prefix[] = "type.googleapis.com/";

static void put_field(struct buf *buf, unsigned field, struct bytes value) {
    buf_append_varint(buf, field << 3 | 2);
    buf_append_varint(buf, value.len);
    buf_append_bytes(buf, value);
}

struct bytes grpc_status_pack(struct arena *arena, struct status status) {
    struct buf any = {0}, out = {0};
    const char *message = status.message ? status.message : "";
    buf_append_varint(&out, 1 << 3 | 0);
    buf_append_varint(&out, status.code);
    if (message[0]) put_field(&out, 2, bytes_of(message, strnlen(message, GRPC_MESSAGE_TEXT_MAX)));
    if (status.detail_type) {
        buf_append_varint(&any, 1 << 3 | 2);
        buf_append_varint(&any, sizeof type_prefix - 1 + strlen(status.detail_type));
        buf_append_str(&any, type_prefix);
        buf_append_str(&any, status.detail_type);
        put_field(&any, 2, status.detail);
        put_field(&out, 3, buf_bytes(&any));
    }
    struct bytes packed = bytes_of(arena_copy(arena, out.data, out.len), out.len);
    buf_free(&any);
    buf_free(&out);
    return packed;
}

static void unpack_detail(struct arena *arena, struct bytes any, struct status *status) {
    struct reader reader = reader_of(any);
    struct bytes type = {0}, detail = {0};
    for (struct field field; field_next(&reader, &field);) {
        if (field.number == 1) type = field.bytes;
        if (field.number == 2) detail = field.bytes;
    }
    size_t skip = sizeof type_prefix - 1;
    if (reader.bad || type.len <= skip || memcmp(type.data, type_prefix, skip) != 0) return;
    status->detail_type = arena_text(arena, bytes_of(type.data + skip, type.len - skip));
    status->detail = bytes_of(arena_copy(arena, detail.data, detail.len), detail.len);
}

void grpc_status_unpack(struct arena *arena, struct bytes packed, struct status *status) {
    struct reader reader = reader_of(packed);
    for (struct field field; field_next(&reader, &field);)
        if (field.number == 3 && !status->detail_type) unpack_detail(arena, field.bytes, status);
}

/* github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md */
enum status_code grpc_code_of_http(unsigned http_status) {
    switch (http_status) {
    case 400: return STATUS_INTERNAL;
    case 401: return STATUS_UNAUTHENTICATED;
    case 403: return STATUS_PERMISSION_DENIED;
    case 404: return STATUS_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504: return STATUS_UNAVAILABLE;
    default: return STATUS_UNKNOWN;
    }
}
