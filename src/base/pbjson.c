/* pbjson: what the writer and the reader of proto3 JSON share. */
#include "base/pbjson_internal.h"

enum pbjson_special pbjson_special(const ProtobufCMessageDescriptor *type) {
    static const struct {
        const char *name;
        enum pbjson_special special;
    } specials[] = {
        {"google.protobuf.Timestamp", PBJSON_TIMESTAMP},    {"google.protobuf.Duration", PBJSON_DURATION},
        {"google.protobuf.FieldMask", PBJSON_FIELD_MASK},   {"google.protobuf.DoubleValue", PBJSON_WRAPPER},
        {"google.protobuf.FloatValue", PBJSON_WRAPPER},     {"google.protobuf.Int64Value", PBJSON_WRAPPER},
        {"google.protobuf.UInt64Value", PBJSON_WRAPPER},    {"google.protobuf.Int32Value", PBJSON_WRAPPER},
        {"google.protobuf.UInt32Value", PBJSON_WRAPPER},    {"google.protobuf.BoolValue", PBJSON_WRAPPER},
        {"google.protobuf.StringValue", PBJSON_WRAPPER},    {"google.protobuf.BytesValue", PBJSON_WRAPPER},
        {"temporal.api.common.v1.Payload", PBJSON_PAYLOAD}, {"temporal.api.common.v1.Payloads", PBJSON_PAYLOADS},
    };
    for (unsigned i = 0; i < ARRAY_LEN(specials); i++)
        if (strcmp(type->name, specials[i].name) == 0) return specials[i].special;
    return PBJSON_PLAIN;
}

static char upper(char c) { return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c; }

size_t pbjson_name(const char *field, char out[PBJSON_NAME_MAX]) {
    size_t len = 0;
    bool hump = false;
    for (; *field; field++) {
        CHECK(len + 1 < PBJSON_NAME_MAX);
        if (*field == '_') {
            hump = true;
            continue;
        }
        out[len++] = hump ? upper(*field) : *field;
        hump = false;
    }
    out[len] = 0;
    return len;
}

bool pbjson_is_map(const ProtobufCMessageDescriptor *parent, const ProtobufCFieldDescriptor *field) {
    if (field->label != PROTOBUF_C_LABEL_REPEATED || field->type != PROTOBUF_C_TYPE_MESSAGE) return false;
    const ProtobufCMessageDescriptor *entry = field->descriptor;
    size_t parent_len = strlen(parent->name);
    if (strncmp(entry->name, parent->name, parent_len) != 0 || entry->name[parent_len] != '.') return false;
    char name[PBJSON_NAME_MAX];
    size_t len = pbjson_name(field->name, name);
    name[0] = upper(name[0]);
    const char *entry_name = entry->name + parent_len + 1;
    return strncmp(entry_name, name, len) == 0 && strcmp(entry_name + len, "Entry") == 0 && entry->n_fields == 2 &&
           strcmp(entry->fields[0].name, "key") == 0 && strcmp(entry->fields[1].name, "value") == 0;
}

size_t pbjson_value_size(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_INT32: case PROTOBUF_C_TYPE_SINT32: case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32: case PROTOBUF_C_TYPE_FIXED32: case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_ENUM:
        return 4;
    case PROTOBUF_C_TYPE_INT64: case PROTOBUF_C_TYPE_SINT64: case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64: case PROTOBUF_C_TYPE_FIXED64: case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING: case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
    }
    UNREACHABLE("field type %d", (int)type);
}
