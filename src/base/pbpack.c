/* pbpack: encoding of protobuf-c messages in one pass. A message inside another is written behind one byte for its
 * length, and moved when the length takes more. */
#include "base/pbpack.h"

#include "base/check.h"

enum wire_type { WIRE_VARINT = 0, WIRE_I64 = 1, WIRE_LEN = 2, WIRE_I32 = 5 };
enum { VARINT_MAX = 10, TAG_MAX = 5 };

/* `at` is NULL once there was no room. */
struct out {
    uint8_t *at, *end;
};

static bool has_room(struct out *out, size_t len) {
    if (out->at && (size_t)(out->end - out->at) >= len) return true;
    out->at = NULL;
    return false;
}

static inline uint8_t *put_varint(uint8_t *to, uint64_t value) {
    while (value >= 0x80) {
        *to++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
}

static inline uint8_t *put_tag(uint8_t *to, uint32_t id, enum wire_type type) {
    return put_varint(to, (uint64_t)id << 3 | type);
}

static void put_raw(struct out *out, const void *data, size_t len) {
    if (!has_room(out, len)) return;
    if (len) memcpy(out->at, data, len);
    out->at += len;
}

static void put_bytes(struct out *out, uint32_t id, const void *data, size_t len) {
    if (!has_room(out, TAG_MAX + VARINT_MAX + len)) return;
    out->at = put_varint(put_tag(out->at, id, WIRE_LEN), len);
    if (len) memcpy(out->at, data, len);
    out->at += len;
}

/* ---- lengths that follow from what was written ---- */

/* Leaves a byte for a length; gives where what is measured begins. */
static uint8_t *open_length(struct out *out, uint32_t id) {
    if (!has_room(out, TAG_MAX + 1)) return NULL;
    out->at = put_tag(out->at, id, WIRE_LEN) + 1;
    return out->at;
}

static void close_length(struct out *out, uint8_t *begin) {
    if (!out->at) return;
    size_t len = (size_t)(out->at - begin);
    if (len >= 0x80) {
        uint8_t size[VARINT_MAX];
        size_t more = (size_t)(put_varint(size, len) - size) - 1;
        if (!has_room(out, more)) return;
        memmove(begin + more, begin, len);
        out->at += more;
    }
    put_varint(begin - 1, len);
}

/* ---- values ---- */

static uint64_t zigzag32(int32_t value) { return ((uint32_t)value << 1) ^ (uint32_t)(value >> 31); }
static uint64_t zigzag64(int64_t value) { return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63); }

/* Of types that are a varint. */
static uint64_t varint_of(ProtobufCType type, const void *member) {
    switch (type) {
    case PROTOBUF_C_TYPE_BOOL: return *(const protobuf_c_boolean *)member != 0;
    case PROTOBUF_C_TYPE_UINT32: return *(const uint32_t *)member;
    case PROTOBUF_C_TYPE_SINT32: return zigzag32(*(const int32_t *)member);
    case PROTOBUF_C_TYPE_SINT64: return zigzag64(*(const int64_t *)member);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_ENUM: return (uint64_t)(int64_t)*(const int32_t *)member;
    default: return *(const uint64_t *)member;
    }
}

static size_t size_of(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE: return 8;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
    default: return 4;
    }
}

static enum wire_type wire_type_of(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT: return WIRE_I32;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE: return WIRE_I64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE: return WIRE_LEN;
    default: return WIRE_VARINT;
    }
}

/* A number without its tag; there is room. */
static uint8_t *put_number(uint8_t *to, ProtobufCType type, const void *member) {
    switch (wire_type_of(type)) {
    case WIRE_I32: store_u32(to, *(const uint32_t *)member); return to + 4;
    case WIRE_I64: store_u64(to, *(const uint64_t *)member); return to + 8;
    default: return put_varint(to, varint_of(type, member));
    }
}

static void put_message(struct out *out, const ProtobufCMessage *message);

static void put_inner(struct out *out, uint32_t id, const ProtobufCMessage *message) {
    uint8_t *begin = open_length(out, id);
    if (begin && message) put_message(out, message);
    close_length(out, begin);
}

/* A member with its tag; one that is zero or empty only with `zeros`, for proto3 leaves it out. */
static void put_member(struct out *out, const ProtobufCFieldDescriptor *field, const void *member, bool zeros) {
    ProtobufCType type = field->type;
    bool zero;
    switch (type) {
    case PROTOBUF_C_TYPE_STRING: {
        const char *text = *(const char *const *)member;
        if (zeros || (text && *text)) put_bytes(out, field->id, text, text ? strlen(text) : 0);
        return;
    }
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *bytes = member;
        if (zeros || bytes->len) put_bytes(out, field->id, bytes->data, bytes->len);
        return;
    }
    case PROTOBUF_C_TYPE_MESSAGE: {
        const ProtobufCMessage *message = *(const ProtobufCMessage *const *)member;
        if (zeros || message) put_inner(out, field->id, message);
        return;
    }
    case PROTOBUF_C_TYPE_FLOAT: zero = *(const float *)member == 0; break;
    case PROTOBUF_C_TYPE_DOUBLE: zero = *(const double *)member == 0; break;
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32: zero = *(const uint32_t *)member == 0; break;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64: zero = *(const uint64_t *)member == 0; break;
    default: {
        uint64_t value = varint_of(type, member);
        if ((zeros || value) && has_room(out, TAG_MAX + VARINT_MAX))
            out->at = put_varint(put_tag(out->at, field->id, WIRE_VARINT), value);
        return;
    }
    }
    if ((zeros || !zero) && has_room(out, TAG_MAX + VARINT_MAX))
        out->at = put_number(put_tag(out->at, field->id, wire_type_of(type)), type, member);
}

/* ---- fields ---- */

static bool is_pointer(ProtobufCType type) {
    return type == PROTOBUF_C_TYPE_STRING || type == PROTOBUF_C_TYPE_MESSAGE;
}

/* A member that is there or not by itself, of proto2 or of a oneof. */
static bool points_to_something(const ProtobufCFieldDescriptor *field, const void *member) {
    const void *pointer = *(const void *const *)member;
    return pointer && pointer != field->default_value;
}

static void put_repeated(struct out *out, const ProtobufCFieldDescriptor *field, size_t count, const uint8_t *array) {
    size_t step = size_of(field->type);
    if (!(field->flags & PROTOBUF_C_FIELD_FLAG_PACKED)) {
        for (size_t i = 0; i < count && out->at; i++) put_member(out, field, array + i * step, true);
        return;
    }
    uint8_t *begin = open_length(out, field->id);
    for (size_t i = 0; i < count && has_room(out, VARINT_MAX); i++)
        out->at = put_number(out->at, field->type, array + i * step);
    close_length(out, begin);
}

/* What is neither a plain member of proto3 nor of a oneof. */
static void put_other(struct out *out, const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field) {
    const uint8_t *member = (const uint8_t *)message + field->offset;
    const void *quantifier = (const uint8_t *)message + field->quantifier_offset;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = *(const size_t *)quantifier;
        if (count) put_repeated(out, field, count, *(const uint8_t *const *)(const void *)member);
    } else if (field->label == PROTOBUF_C_LABEL_REQUIRED) {
        put_member(out, field, member, true);
    } else if (is_pointer(field->type) ? points_to_something(field, member)
                                       : *(const protobuf_c_boolean *)quantifier) {
        put_member(out, field, member, true);
    }
}

static void put_message(struct out *out, const ProtobufCMessage *message) {
    const ProtobufCMessageDescriptor *type = message->descriptor;
    const ProtobufCFieldDescriptor *field = type->fields, *end = field + type->n_fields;
    for (; field < end; field++) {
        const uint8_t *member = (const uint8_t *)message + field->offset;
        if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
            /* Messages with a oneof often have dozens of members that are not it. */
            if (*(const uint32_t *)(const void *)((const uint8_t *)message + field->quantifier_offset) != field->id)
                continue;
            if (!is_pointer(field->type) || points_to_something(field, member)) put_member(out, field, member, true);
        } else if (field->label == PROTOBUF_C_LABEL_NONE) {
            put_member(out, field, member, false);
        } else {
            put_other(out, message, field);
        }
    }
    for (unsigned i = 0; i < message->n_unknown_fields && has_room(out, TAG_MAX); i++) {
        const ProtobufCMessageUnknownField *unknown = &message->unknown_fields[i];
        out->at = put_tag(out->at, unknown->tag, (enum wire_type)unknown->wire_type);
        put_raw(out, unknown->data, unknown->len);
    }
}

/* ---- where it goes ---- */

/* Room beyond its size that a field asks for before it is written (has_room). */
enum { SLACK = TAG_MAX + VARINT_MAX };
/* Most messages are smaller; for one that is not, the size is reckoned. */
enum { ROOM_FIRST = 512 };

static bool pack_into(const ProtobufCMessage *message, uint8_t *to, size_t room, size_t *len) {
    struct out out = {to, to + room};
    put_message(&out, message);
    *len = (size_t)(out.at - to);
    return out.at != NULL;
}

struct bytes pbpack_behind(struct arena *arena, size_t before, const ProtobufCMessage *message) {
    size_t room, len;
    uint8_t *rest = arena_rest(arena, &room);
    if (room < before + SLACK) rest = arena_reserve(arena, before + ROOM_FIRST, &room);
    if (!pack_into(message, rest + before, room - before, &len)) {
        rest = arena_reserve(arena, before + protobuf_c_message_get_packed_size(message) + SLACK, &room);
        CHECK(pack_into(message, rest + before, room - before, &len));
    }
    arena_take(arena, before + len);
    return bytes_of(rest, before + len);
}

struct bytes pbpack(struct arena *arena, const ProtobufCMessage *message) { return pbpack_behind(arena, 0, message); }

void pbpack_append(struct buf *buf, const ProtobufCMessage *message) {
    size_t len;
    if (buf->cap - buf->len < SLACK) buf_reserve(buf, ROOM_FIRST);
    if (!pack_into(message, buf->data + buf->len, buf->cap - buf->len, &len)) {
        buf_reserve(buf, protobuf_c_message_get_packed_size(message) + SLACK);
        CHECK(pack_into(message, buf->data + buf->len, buf->cap - buf->len, &len));
    }
    buf->len += len;
}

size_t pbpack_open(struct buf *buf, unsigned number) {
    buf_append_varint(buf, (uint64_t)number << 3 | WIRE_LEN);
    buf_append_u8(buf, 0);
    return buf->len;
}

void pbpack_close(struct buf *buf, size_t begin) {
    uint8_t size[VARINT_MAX];
    size_t len = buf->len - begin, more = (size_t)(put_varint(size, len) - size) - 1;
    if (more) {
        buf_reserve(buf, more);
        memmove(buf->data + begin + more, buf->data + begin, len);
        buf->len += more;
    }
    memcpy(buf->data + begin - 1, size, more + 1);
}

void pbpack_append_field(struct buf *buf, unsigned number, const ProtobufCMessage *message) {
    size_t begin = pbpack_open(buf, number);
    pbpack_append(buf, message);
    pbpack_close(buf, begin);
}
