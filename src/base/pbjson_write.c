/* pbjson_write: a message as proto3 JSON. Fields that have their default value are left out; in a oneof, and messages,
 * are there when they are set. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/civil.h"
#include "base/json_text.h"
#include "base/pbjson_internal.h"

struct writer {
    struct buf *out;
    enum pbjson_payloads payloads;
    unsigned depth;
    struct arena arena;                    /* of payloads that are looked into */
};

static void write_message(struct writer *writer, const ProtobufCMessage *message);

/* ---- single values ---------------------------------------------------------------------------------------------------- */

/* The shortest of %.15g, %.16g, %.17g that reads back as the same. */
static void write_double(struct buf *out, double value, bool is_float) {
    if (isnan(value) || isinf(value)) {
        buf_append_str(out, isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    char text[40];
    for (int digits = is_float ? 6 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        double again = strtod(text, NULL);
        if (is_float ? (float)again == (float)value : again == value) break;
    }
    buf_append_str(out, text);
}

static void write_enum(struct buf *out, const ProtobufCEnumDescriptor *type, int32_t number) {
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);
    if (value)
        buf_printf(out, "\"%s\"", value->name);
    else
        buf_printf(out, "%d", number);
}

static void write_value(struct writer *writer, const ProtobufCFieldDescriptor *field, const void *at) {
    struct buf *out = writer->out;
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32: case PROTOBUF_C_TYPE_SINT32: case PROTOBUF_C_TYPE_SFIXED32:
        buf_printf(out, "%d", *(const int32_t *)at);
        return;
    case PROTOBUF_C_TYPE_UINT32: case PROTOBUF_C_TYPE_FIXED32: buf_printf(out, "%u", *(const uint32_t *)at); return;
    case PROTOBUF_C_TYPE_INT64: case PROTOBUF_C_TYPE_SINT64: case PROTOBUF_C_TYPE_SFIXED64:
        buf_printf(out, "\"%lld\"", (long long)*(const int64_t *)at);
        return;
    case PROTOBUF_C_TYPE_UINT64: case PROTOBUF_C_TYPE_FIXED64:
        buf_printf(out, "\"%llu\"", (unsigned long long)*(const uint64_t *)at);
        return;
    case PROTOBUF_C_TYPE_FLOAT: write_double(out, (double)*(const float *)at, true); return;
    case PROTOBUF_C_TYPE_DOUBLE: write_double(out, *(const double *)at, false); return;
    case PROTOBUF_C_TYPE_BOOL: buf_append_str(out, *(const protobuf_c_boolean *)at ? "true" : "false"); return;
    case PROTOBUF_C_TYPE_ENUM: write_enum(out, field->descriptor, *(const int32_t *)at); return;
    case PROTOBUF_C_TYPE_STRING: buf_append_json(out, bytes_str(*(const char *const *)at)); return;
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *data = at;
        buf_append_u8(out, '"');
        base64_append(out, bytes_of(data->data, data->len));
        buf_append_u8(out, '"');
        return;
    }
    case PROTOBUF_C_TYPE_MESSAGE: write_message(writer, *(const ProtobufCMessage *const *)at); return;
    }
}

/* ---- messages with a form of their own ---------------------------------------------------------------------------- */

static const void *value_of(const ProtobufCMessage *message, unsigned index) {
    return pbjson_at(message, message->descriptor->fields[index].offset);
}

static void write_timestamp(struct buf *out, const ProtobufCMessage *message) {
    char text[CIVIL_TEXT_MAX];
    int32_t nanos = *(const int32_t *)value_of(message, 1);
    civil_format_exact(*(const int64_t *)value_of(message, 0), nanos < 0 ? 0 : (unsigned)nanos, text);
    buf_printf(out, "\"%s\"", text);
}

static void write_duration(struct buf *out, const ProtobufCMessage *message) {
    int64_t seconds = *(const int64_t *)value_of(message, 0);
    int32_t nanos = *(const int32_t *)value_of(message, 1);
    bool negative = seconds < 0 || nanos < 0;
    uint64_t whole = seconds < 0 ? 0 - (uint64_t)seconds : (uint64_t)seconds;
    unsigned part = nanos < 0 ? 0u - (unsigned)nanos : (unsigned)nanos;
    buf_printf(out, "\"%s%llu", negative ? "-" : "", (unsigned long long)whole);
    if (part % 1000 != 0) buf_printf(out, ".%09u", part);
    else if (part % 1000000 != 0) buf_printf(out, ".%06u", part / 1000);
    else if (part != 0) buf_printf(out, ".%03u", part / 1000000);
    buf_append_str(out, "s\"");
}

static void write_field_mask(struct buf *out, const ProtobufCMessage *message) {
    const ProtobufCFieldDescriptor *field = &message->descriptor->fields[0];
    size_t count = *(const size_t *)pbjson_at(message, field->quantifier_offset);
    char *const *paths = *(char *const *const *)pbjson_at(message, field->offset);
    struct buf text = {0};
    for (size_t i = 0; i < count; i++) {
        char name[PBJSON_NAME_MAX];
        if (strlen(paths[i]) >= sizeof name) continue;
        pbjson_name(paths[i], name);
        buf_printf(&text, "%s%s", i ? "," : "", name);
    }
    buf_append_json(out, buf_bytes(&text));
    buf_free(&text);
}

/* ---- payloads: metadata is a map<string, bytes> = 1, data is bytes = 2 ------------------------------------------- */

struct payload {
    struct bytes encoding, message_type, data;
    size_t metadata_count;
};

static struct payload payload_of(const ProtobufCMessage *message) {
    const ProtobufCFieldDescriptor *metadata = &message->descriptor->fields[0];
    const ProtobufCBinaryData *data = value_of(message, 1);
    struct payload out = {.data = bytes_of(data->data, data->len)};
    out.metadata_count = *(const size_t *)pbjson_at(message, metadata->quantifier_offset);
    ProtobufCMessage *const *entries = *(ProtobufCMessage *const *const *)pbjson_at(message, metadata->offset);
    for (size_t i = 0; i < out.metadata_count; i++) {
        const char *key = *(const char *const *)value_of(entries[i], 0);
        const ProtobufCBinaryData *value = value_of(entries[i], 1);
        if (strcmp(key, "encoding") == 0) out.encoding = bytes_of(value->data, value->len);
        if (strcmp(key, "messageType") == 0) out.message_type = bytes_of(value->data, value->len);
    }
    return out;
}

/* {"_protoMessageType": "...", members of the object} */
static void write_typed_object(struct buf *out, struct bytes type, const struct json *object) {
    buf_append_str(out, "{\"_protoMessageType\":");
    buf_append_json(out, type);
    for (const struct json *member = object->first; member; member = member->next) {
        buf_append_u8(out, ',');
        buf_append_json(out, member->key);
        buf_append_u8(out, ':');
        json_compact(member->raw, out);
    }
    buf_append_u8(out, '}');
}

/* False, and nothing written, when the payload has no short form. */
static bool write_short_payload(struct writer *writer, const ProtobufCMessage *message) {
    struct payload payload = payload_of(message);
    struct status ignored;
    if (bytes_equal(payload.encoding, bytes_str("binary/null"))) {
        buf_append_str(writer->out, "null");
        return true;
    }
    bool plain = bytes_equal(payload.encoding, bytes_str("json/plain")) && payload.metadata_count == 1;
    bool typed = bytes_equal(payload.encoding, bytes_str("json/protobuf")) && payload.metadata_count == 2 &&
                 payload.message_type.len;
    const struct json *value = plain || typed ? json_parse(payload.data, &writer->arena, &ignored) : NULL;
    if (!value || (typed && value->type != JSON_OBJECT)) return false;
    if (typed)
        write_typed_object(writer->out, payload.message_type, value);
    else
        json_compact(value->raw, writer->out);
    return true;
}

/* All of them in short form, or none. */
static bool write_short_payloads(struct writer *writer, const ProtobufCMessage *message) {
    const ProtobufCFieldDescriptor *field = &message->descriptor->fields[0];
    size_t count = *(const size_t *)pbjson_at(message, field->quantifier_offset);
    ProtobufCMessage *const *payloads = *(ProtobufCMessage *const *const *)pbjson_at(message, field->offset);
    size_t before = writer->out->len;
    buf_append_u8(writer->out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i) buf_append_u8(writer->out, ',');
        if (write_short_payload(writer, payloads[i])) continue;
        writer->out->len = before;
        return false;
    }
    buf_append_u8(writer->out, ']');
    return true;
}

/* ---- messages ------------------------------------------------------------------------------------------------------------ */

static bool is_default(const ProtobufCFieldDescriptor *field, const void *at) {
    static const char zeros[16];
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) return *(void *const *)at == NULL;
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(const char *const *)at;
        return !text || !*text;
    }
    if (field->type == PROTOBUF_C_TYPE_BYTES) return ((const ProtobufCBinaryData *)at)->len == 0;
    return memcmp(at, zeros, pbjson_value_size(field->type)) == 0;
}

static bool is_present(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field) {
    const void *at = pbjson_at(message, field->offset);
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *)pbjson_at(message, field->quantifier_offset) == field->id &&
               (field->type != PROTOBUF_C_TYPE_MESSAGE || *(void *const *)at);
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return *(const size_t *)pbjson_at(message, field->quantifier_offset) > 0;
    return !is_default(field, at);
}

static void write_map_entry(struct writer *writer, const ProtobufCMessage *entry) {
    const ProtobufCFieldDescriptor *key = &entry->descriptor->fields[0], *value = &entry->descriptor->fields[1];
    bool quoted = key->type == PROTOBUF_C_TYPE_STRING || pbjson_value_size(key->type) == 8;
    if (!quoted) buf_append_u8(writer->out, '"');
    write_value(writer, key, value_of(entry, 0));
    buf_append_str(writer->out, quoted ? ":" : "\":");
    const void *at = value_of(entry, 1);
    bool absent = value->type == PROTOBUF_C_TYPE_MESSAGE && *(void *const *)at == NULL;
    if (absent)
        buf_append_str(writer->out, "{}");
    else
        write_value(writer, value, at);
}

static void write_repeated(struct writer *writer, const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field) {
    bool map = pbjson_is_map(message->descriptor, field);
    size_t count = *(const size_t *)pbjson_at(message, field->quantifier_offset);
    const char *values = *(const char *const *)pbjson_at(message, field->offset);
    buf_append_u8(writer->out, map ? '{' : '[');
    for (size_t i = 0; i < count; i++, values += pbjson_value_size(field->type)) {
        if (i) buf_append_u8(writer->out, ',');
        if (map)
            write_map_entry(writer, *(const ProtobufCMessage *const *)(const void *)values);
        else
            write_value(writer, field, values);
    }
    buf_append_u8(writer->out, map ? '}' : ']');
}

static void write_fields(struct writer *writer, const ProtobufCMessage *message) {
    bool first = true;
    buf_append_u8(writer->out, '{');
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (!is_present(message, field)) continue;
        char name[PBJSON_NAME_MAX];
        pbjson_name(field->name, name);
        buf_printf(writer->out, "%s\"%s\":", first ? "" : ",", name);
        first = false;
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            write_repeated(writer, message, field);
        else
            write_value(writer, field, pbjson_at(message, field->offset));
    }
    buf_append_u8(writer->out, '}');
}

static void write_message(struct writer *writer, const ProtobufCMessage *message) {
    if (writer->depth == PBJSON_DEPTH_MAX) {          /* deeper than any reader goes */
        buf_append_str(writer->out, "{}");
        return;
    }
    writer->depth++;
    bool short_hand = writer->payloads == PBJSON_SHORTHAND;
    switch (pbjson_special(message->descriptor)) {
    case PBJSON_TIMESTAMP: write_timestamp(writer->out, message); break;
    case PBJSON_DURATION: write_duration(writer->out, message); break;
    case PBJSON_FIELD_MASK: write_field_mask(writer->out, message); break;
    case PBJSON_WRAPPER: write_value(writer, &message->descriptor->fields[0], value_of(message, 0)); break;
    case PBJSON_PAYLOAD:
        if (!short_hand || !write_short_payload(writer, message)) write_fields(writer, message);
        break;
    case PBJSON_PAYLOADS:
        if (!short_hand || !write_short_payloads(writer, message)) write_fields(writer, message);
        break;
    case PBJSON_PLAIN: write_fields(writer, message); break;
    }
    writer->depth--;
}

void pbjson_write(struct buf *out, const ProtobufCMessage *message, enum pbjson_payloads payloads) {
    struct writer writer = {.out = out, .payloads = payloads};
    write_message(&writer, message);
    arena_free(&writer.arena);
}
