/* wire_check: whether bytes may be decoded as a message (protobuf.dev/programming-guides/encoding). */
#include "frontend/wire_check.h"

#include <string.h>

#include "base/json_text.h"

enum wire_type { WIRE_VARINT = 0, WIRE_I64 = 1, WIRE_LEN = 2, WIRE_I32 = 5 };

bool wire_text_valid(struct bytes text) { return text.len == 0 || (!memchr(text.data, 0, text.len) && utf8_valid(text)); }

/* The one field's value, of this wire type, moved past. */
static struct bytes take_value(struct reader *reader, unsigned wire_type) {
    switch (wire_type) {
    case WIRE_VARINT: {
        const uint8_t *start = reader->left.data;
        read_varint(reader);
        return reader->bad ? (struct bytes){0} : bytes_of(start, (size_t)(reader->left.data - start));
    }
    case WIRE_I64: return read_bytes(reader, 8);
    case WIRE_LEN: {
        uint64_t len = read_varint(reader);
        if (len > reader->left.len) reader->bad = true;
        return read_bytes(reader, reader->bad ? 0 : (size_t)len);
    }
    case WIRE_I32: return read_bytes(reader, 4);
    default: reader->bad = true; return (struct bytes){0};
    }
}

/* The wire type of a field that is not packed. */
static unsigned wire_type_of(const ProtobufCFieldDescriptor *field) {
    switch (field->type) {
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

static bool wire_type_fits(const ProtobufCFieldDescriptor *field, unsigned wire_type) {
    unsigned own = wire_type_of(field);
    return wire_type == own || (wire_type == WIRE_LEN && field->label == PROTOBUF_C_LABEL_REPEATED && own != WIRE_LEN);
}

/* A run of values in one field. */
static bool packed_valid(struct bytes value, unsigned wire_type) {
    struct reader reader = reader_of(value);
    while (reader.left.len && !reader.bad) take_value(&reader, wire_type);
    return !reader.bad;
}

/* Messages that are still to be walked, innermost last; nesting is bounded, so is this. */
struct level {
    struct reader reader;
    const ProtobufCMessageDescriptor *type;
};

const char *wire_check(struct bytes message, const ProtobufCMessageDescriptor *type, struct arena *arena) {
    struct level levels[WIRE_DEPTH_MAX];
    unsigned depth = 0;
    levels[0] = (struct level){reader_of(message), type};
    for (;;) {
        struct level *level = &levels[depth];
        if (level->reader.left.len == 0) {
            if (depth == 0) return NULL;
            depth--;
            continue;
        }
        uint64_t key = read_varint(&level->reader);
        unsigned wire_type = key & 7;
        if (level->reader.bad || key >> 3 == 0 || key >> 3 > 0x1fffffff)
            return arena_printf(arena, "%s is cut short or malformed", level->type->name);
        struct bytes value = take_value(&level->reader, wire_type);
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(level->type, (unsigned)(key >> 3));
        if (level->reader.bad)
            return arena_printf(arena, "%s is cut short or malformed in %s", level->type->name,
                                field ? field->name : "an unknown field");
        if (!field) continue;
        if (!wire_type_fits(field, wire_type))
            return arena_printf(arena, "%s.%s has wire type %u, which is not its own", level->type->name, field->name,
                                wire_type);
        if (field->type == PROTOBUF_C_TYPE_STRING && !wire_text_valid(value))
            return arena_printf(arena, "%s.%s: string field contains invalid UTF-8 or a NUL character",
                                level->type->name, field->name);
        if (wire_type == WIRE_LEN && wire_type_of(field) != WIRE_LEN && !packed_valid(value, wire_type_of(field)))
            return arena_printf(arena, "%s.%s is cut short or malformed", level->type->name, field->name);
        if (field->type != PROTOBUF_C_TYPE_MESSAGE) continue;
        if (depth + 1 == WIRE_DEPTH_MAX)
            return arena_printf(arena, "%s is nested deeper than %d messages", type->name, WIRE_DEPTH_MAX);
        levels[++depth] = (struct level){reader_of(value), field->descriptor};
    }
}
