/* pbjson_read: proto3 JSON into a message. Names are taken in lowerCamelCase or as in the .proto file; enums by name or
 * number; 64-bit numbers with or without quotes; null is an absent field. Errors give the path to the field. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/civil.h"
#include "base/pbjson_internal.h"

struct pb_reader {
    struct arena *arena;
    struct status status;
    char path[256];                        /* "workflowType.name" */
    size_t path_len;
};

static bool read_message(struct pb_reader *reader, const struct json *json, ProtobufCMessage *message);

static bool fail(struct pb_reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct pb_reader *reader, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(reader->arena, format, args);
    va_end(args);
    if (status_ok(reader->status))
        reader->status = status_make(reader->arena, STATUS_INVALID_ARGUMENT, "%s%s%.*s", text,
                                     reader->path_len ? " in " : "", (int)reader->path_len, reader->path);
    return false;
}

static bool expected(struct pb_reader *reader, const char *what, const struct json *json) {
    enum { SHOWN_MAX = 60 };
    bool cut = json->raw.len > SHOWN_MAX;
    return fail(reader, "expected %s, not %.*s%s", what, (int)(cut ? SHOWN_MAX : json->raw.len),
                (const char *)json->raw.data, cut ? "..." : "");
}

/* Appends ".name", as far as there is room; returns the length before. */
static size_t enter(struct pb_reader *reader, struct bytes name) {
    size_t before = reader->path_len, room = sizeof reader->path - before;
    int len = snprintf(reader->path + before, room, "%s%.*s", before ? "." : "", (int)name.len, (const char *)name.data);
    reader->path_len += (size_t)len < room ? (size_t)len : room - 1;
    return before;
}

/* ---- numbers and words -------------------------------------------------------------------------------------------------- */

/* The characters of a number, with or without quotes, NUL-terminated. */
static bool number_text(struct pb_reader *reader, const struct json *json, char text[64]) {
    struct bytes from = json->type == JSON_STRING ? json->text : json->raw;
    bool number = (json->type == JSON_NUMBER || json->type == JSON_STRING) && from.len > 0 && from.len < 64 &&
                  !memchr(from.data, 0, from.len);
    if (!number) return expected(reader, "a number", json);
    memcpy(text, from.data, from.len);
    text[from.len] = 0;
    return true;
}

static bool read_signed(struct pb_reader *reader, const struct json *json, int64_t least, int64_t most, int64_t *out) {
    char text[64], *end;
    if (!number_text(reader, json, text)) return false;
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (*end == '.' || *end == 'e' || *end == 'E') {              /* 1.0 and 1e3 are whole as well */
        double value = strtod(text, &end);
        if (!(fabs(value) < 9e15) || value != floor(value)) return expected(reader, "a whole number", json);
        *out = (int64_t)value;
    }
    bool good = *end == 0 && errno == 0 && text[0] != ' ' && *out >= least && *out <= most;
    return good || expected(reader, most == INT32_MAX ? "a whole number of 32 bits" : "a whole number of 64 bits", json);
}

static bool read_unsigned(struct pb_reader *reader, const struct json *json, uint64_t most, uint64_t *out) {
    char text[64], *end;
    if (!number_text(reader, json, text)) return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    bool good = *end == 0 && errno == 0 && text[0] >= '0' && text[0] <= '9' && *out <= most;
    return good || expected(reader, "a whole number that is not negative and fits", json);
}

static bool read_double(struct pb_reader *reader, const struct json *json, double *out) {
    char text[64], *end;
    if (!number_text(reader, json, text)) return false;
    *out = strtod(text, &end);
    return *end == 0 || expected(reader, "a number", json);
}

static bool read_enum(struct pb_reader *reader, const struct json *json, const ProtobufCEnumDescriptor *type, int32_t *out) {
    if (json->type == JSON_STRING) {
        const char *name = arena_text(reader->arena, json->text);
        const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value_by_name(type, name);
        if (!value) return fail(reader, "%s has no value \"%s\"", type->short_name, name);
        *out = value->value;
        return true;
    }
    int64_t number;
    if (!read_signed(reader, json, INT32_MIN, INT32_MAX, &number)) return false;
    *out = (int32_t)number;
    return true;
}

static bool read_text(struct pb_reader *reader, const struct json *json, char **out) {
    if (json->type != JSON_STRING) return expected(reader, "a string", json);
    if (json->text.len && memchr(json->text.data, 0, json->text.len)) return fail(reader, "a string with a NUL byte");
    *out = arena_text(reader->arena, json->text);
    return true;
}

static bool read_binary(struct pb_reader *reader, const struct json *json, ProtobufCBinaryData *out) {
    struct bytes data;
    if (json->type != JSON_STRING || !base64_read(json->text, reader->arena, &data))
        return expected(reader, "base64", json);
    *out = (ProtobufCBinaryData){data.len, (uint8_t *)(uintptr_t)data.data};
    return true;
}

static ProtobufCMessage *new_message(struct pb_reader *reader, const ProtobufCMessageDescriptor *type) {
    ProtobufCMessage *message = arena_alloc(reader->arena, type->sizeof_message);
    type->message_init(message);
    return message;
}

static bool read_value(struct pb_reader *reader, const struct json *json, const ProtobufCFieldDescriptor *field, void *at) {
    int64_t number = 0;
    uint64_t natural = 0;
    double real = 0;
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32: case PROTOBUF_C_TYPE_SINT32: case PROTOBUF_C_TYPE_SFIXED32:
        if (!read_signed(reader, json, INT32_MIN, INT32_MAX, &number)) return false;
        *(int32_t *)at = (int32_t)number;
        return true;
    case PROTOBUF_C_TYPE_INT64: case PROTOBUF_C_TYPE_SINT64: case PROTOBUF_C_TYPE_SFIXED64:
        if (!read_signed(reader, json, INT64_MIN, INT64_MAX, &number)) return false;
        *(int64_t *)at = number;
        return true;
    case PROTOBUF_C_TYPE_UINT32: case PROTOBUF_C_TYPE_FIXED32:
        if (!read_unsigned(reader, json, UINT32_MAX, &natural)) return false;
        *(uint32_t *)at = (uint32_t)natural;
        return true;
    case PROTOBUF_C_TYPE_UINT64: case PROTOBUF_C_TYPE_FIXED64:
        if (!read_unsigned(reader, json, UINT64_MAX, &natural)) return false;
        *(uint64_t *)at = natural;
        return true;
    case PROTOBUF_C_TYPE_FLOAT:
        if (!read_double(reader, json, &real)) return false;
        *(float *)at = (float)real;
        return true;
    case PROTOBUF_C_TYPE_DOUBLE: return read_double(reader, json, at);
    case PROTOBUF_C_TYPE_BOOL:
        if (json->type != JSON_TRUE && json->type != JSON_FALSE) return expected(reader, "true or false", json);
        *(protobuf_c_boolean *)at = json->type == JSON_TRUE;
        return true;
    case PROTOBUF_C_TYPE_ENUM: return read_enum(reader, json, field->descriptor, at);
    case PROTOBUF_C_TYPE_STRING: return read_text(reader, json, at);
    case PROTOBUF_C_TYPE_BYTES: return read_binary(reader, json, at);
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)at = new_message(reader, field->descriptor);
        return read_message(reader, json, *(ProtobufCMessage **)at);
    }
    UNREACHABLE("field type %d", (int)field->type);
}

/* ---- fields -------------------------------------------------------------------------------------------------------------- */

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *type, struct bytes key) {
    for (unsigned i = 0; i < type->n_fields; i++) {
        char name[PBJSON_NAME_MAX];
        size_t len = pbjson_name(type->fields[i].name, name);
        if (bytes_equal(key, bytes_of(name, len)) || bytes_equal(key, bytes_str(type->fields[i].name)))
            return &type->fields[i];
    }
    return NULL;
}

/* {"key": value} of a map, as its entry message. Keys are written as strings whatever their type. */
static bool read_entry(struct pb_reader *reader, const struct json *member, const ProtobufCFieldDescriptor *field,
                       ProtobufCMessage **out) {
    const ProtobufCMessageDescriptor *type = field->descriptor;
    struct json key = {.type = JSON_STRING, .text = member->key, .raw = member->key};
    *out = new_message(reader, type);
    size_t before = enter(reader, member->key);
    bool good = read_value(reader, &key, &type->fields[0], pbjson_at(*out, type->fields[0].offset)) &&
                read_value(reader, member, &type->fields[1], pbjson_at(*out, type->fields[1].offset));
    if (good) reader->path_len = before;
    return good;
}

static bool read_repeated(struct pb_reader *reader, const struct json *json, ProtobufCMessage *message,
                          const ProtobufCFieldDescriptor *field) {
    bool map = pbjson_is_map(message->descriptor, field);
    if (json->type != (map ? JSON_OBJECT : JSON_ARRAY)) return expected(reader, map ? "an object" : "a list", json);
    size_t size = pbjson_value_size(field->type);
    char *values = arena_alloc(reader->arena, json->count * size);
    *(size_t *)pbjson_at(message, field->quantifier_offset) = json->count;
    *(char **)pbjson_at(message, field->offset) = values;
    for (const struct json *child = json->first; child; child = child->next, values += size) {
        bool good = map ? read_entry(reader, child, field, (ProtobufCMessage **)(void *)values)
                        : read_value(reader, child, field, values);
        if (!good) return false;
    }
    return true;
}

static bool read_field(struct pb_reader *reader, const struct json *member, ProtobufCMessage *message,
                       const ProtobufCFieldDescriptor *field) {
    if (field->label == PROTOBUF_C_LABEL_REPEATED) return read_repeated(reader, member, message, field);
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        uint32_t *which = pbjson_at(message, field->quantifier_offset);
        if (*which) return fail(reader, "two of the same choice");
        *which = field->id;
    }
    return read_value(reader, member, field, pbjson_at(message, field->offset));
}

static bool read_fields(struct pb_reader *reader, const struct json *json, ProtobufCMessage *message) {
    if (json->type != JSON_OBJECT) return expected(reader, "an object", json);
    for (const struct json *member = json->first; member; member = member->next) {
        const ProtobufCFieldDescriptor *field = find_field(message->descriptor, member->key);
        if (!field)
            return fail(reader, "%s has no field \"%.*s\"", message->descriptor->short_name, (int)member->key.len,
                        (const char *)member->key.data);
        bool nullable = field->type == PROTOBUF_C_TYPE_MESSAGE && field->label != PROTOBUF_C_LABEL_REPEATED &&
                        pbjson_special(field->descriptor) >= PBJSON_PAYLOAD;
        if (member->type == JSON_NULL && !nullable) continue;
        size_t before = enter(reader, member->key);
        if (!read_field(reader, member, message, field)) return false;
        reader->path_len = before;
    }
    return true;
}

/* ---- messages with a form of their own ---------------------------------------------------------------------------- */

static void set_time(ProtobufCMessage *message, int64_t seconds, int32_t nanos) {
    *(int64_t *)pbjson_at(message, message->descriptor->fields[0].offset) = seconds;
    *(int32_t *)pbjson_at(message, message->descriptor->fields[1].offset) = nanos;
}

static bool read_timestamp(struct pb_reader *reader, const struct json *json, ProtobufCMessage *message) {
    int64_t seconds;
    unsigned nanos;
    if (json->type != JSON_STRING || !civil_parse(json->text, &seconds, &nanos))
        return expected(reader, "a time such as \"2026-01-31T12:00:00Z\"", json);
    set_time(message, seconds, (int32_t)nanos);
    return true;
}

/* "-1.5s": only seconds, at most nine digits after the point. */
static bool parse_duration(struct bytes text, int64_t *seconds, int32_t *nanos) {
    size_t at = 0;
    bool negative = text.len > 0 && text.data[0] == '-';
    int64_t whole = 0;
    int32_t part = 0, scale = 1000000000;
    for (at = negative; at < text.len && text.data[at] >= '0' && text.data[at] <= '9'; at++) {
        if (whole > 315576000000) return false;             /* protobuf's limit: 10,000 years */
        whole = whole * 10 + (text.data[at] - '0');
    }
    if (at == negative) return false;
    if (at < text.len && text.data[at] == '.')
        for (at++; at < text.len && text.data[at] >= '0' && text.data[at] <= '9' && scale > 1; at++) {
            scale /= 10;
            part += (text.data[at] - '0') * scale;
        }
    *seconds = negative ? -whole : whole;
    *nanos = negative ? -part : part;
    return at + 1 == text.len && text.data[at] == 's';
}

static bool read_duration(struct pb_reader *reader, const struct json *json, ProtobufCMessage *message) {
    int64_t seconds;
    int32_t nanos;
    if (json->type != JSON_STRING || !parse_duration(json->text, &seconds, &nanos))
        return expected(reader, "a span of time such as \"1.5s\"", json);
    set_time(message, seconds, nanos);
    return true;
}

/* "retryPolicy.maximumAttempts,taskQueue": each path back to snake_case. */
static bool read_field_mask(struct pb_reader *reader, const struct json *json, ProtobufCMessage *message) {
    if (json->type != JSON_STRING) return expected(reader, "names of fields", json);
    const ProtobufCFieldDescriptor *field = &message->descriptor->fields[0];
    size_t count = json->text.len > 0;
    for (size_t i = 0; i < json->text.len; i++) count += json->text.data[i] == ',';
    char **paths = arena_alloc(reader->arena, count * sizeof(char *));
    struct bytes left = json->text;
    for (size_t i = 0; i < count; i++) {
        char *path = paths[i] = arena_alloc(reader->arena, left.len * 2 + 1);
        for (; left.len && left.data[0] != ','; left = bytes_of(left.data + 1, left.len - 1)) {
            bool hump = left.data[0] >= 'A' && left.data[0] <= 'Z';
            if (hump) *path++ = '_';
            *path++ = (char)(hump ? left.data[0] - 'A' + 'a' : left.data[0]);
        }
        if (left.len) left = bytes_of(left.data + 1, left.len - 1);
    }
    *(size_t *)pbjson_at(message, field->quantifier_offset) = count;
    *(char ***)pbjson_at(message, field->offset) = paths;
    return true;
}

/* ---- payloads ------------------------------------------------------------------------------------------------------------- */

static void add_metadata(struct pb_reader *reader, ProtobufCMessage *payload, const char *key, struct bytes value) {
    const ProtobufCFieldDescriptor *field = &payload->descriptor->fields[0];
    const ProtobufCMessageDescriptor *type = field->descriptor;
    size_t *count = pbjson_at(payload, field->quantifier_offset);
    ProtobufCMessage ***entries = pbjson_at(payload, field->offset);
    enum { METADATA_MAX = 2 };
    if (*count == 0) *entries = arena_alloc(reader->arena, METADATA_MAX * sizeof **entries);
    CHECK(*count < METADATA_MAX);
    ProtobufCMessage *entry = (*entries)[(*count)++] = new_message(reader, type);
    *(char **)pbjson_at(entry, type->fields[0].offset) = arena_strdup(reader->arena, key);
    *(ProtobufCBinaryData *)pbjson_at(entry, type->fields[1].offset) =
        (ProtobufCBinaryData){value.len, arena_copy(reader->arena, value.data, value.len)};
}

static void set_data(struct pb_reader *reader, ProtobufCMessage *payload, struct bytes data) {
    *(ProtobufCBinaryData *)pbjson_at(payload, payload->descriptor->fields[1].offset) =
        (ProtobufCBinaryData){data.len, arena_copy(reader->arena, data.data, data.len)};
}

/* An object with metadata and data, which read as a payload, is one. */
static bool read_full_payload(struct pb_reader *reader, const struct json *json, ProtobufCMessage *payload) {
    if (!json_member(json, "metadata")) return false;
    struct pb_reader trial = {.arena = reader->arena};
    ProtobufCMessage *read = new_message(reader, payload->descriptor);
    bool good = read_fields(&trial, json, read);
    if (good) memcpy(payload, read, payload->descriptor->sizeof_message);
    return good;
}

static void read_short_payload(struct pb_reader *reader, const struct json *json, ProtobufCMessage *payload) {
    const struct json *type = json_member(json, "_protoMessageType");
    if (json->type == JSON_NULL) {
        add_metadata(reader, payload, "encoding", bytes_str("binary/null"));
        return;
    }
    struct buf data = {0};
    if (type && type->type == JSON_STRING) {
        add_metadata(reader, payload, "encoding", bytes_str("json/protobuf"));
        add_metadata(reader, payload, "messageType", type->text);
        buf_append_u8(&data, '{');
        for (const struct json *member = json->first; member; member = member->next) {
            if (member == type) continue;
            if (data.len > 1) buf_append_u8(&data, ',');
            /* From the key's own text, quotes and escapes included, to the value's end. */
            const uint8_t *end = member->raw.data + member->raw.len;
            const uint8_t *start = member->key_raw.data;
            json_compact(bytes_of(start, (size_t)(end - start)), &data);
        }
        buf_append_u8(&data, '}');
    } else {
        add_metadata(reader, payload, "encoding", bytes_str("json/plain"));
        json_compact(json->raw, &data);
    }
    set_data(reader, payload, buf_bytes(&data));
    buf_free(&data);
}

static bool read_payload(struct pb_reader *reader, const struct json *json, ProtobufCMessage *payload) {
    if (!read_full_payload(reader, json, payload)) read_short_payload(reader, json, payload);
    return true;
}

static bool read_payloads(struct pb_reader *reader, const struct json *json, ProtobufCMessage *message) {
    if (json->type == JSON_NULL) return true;
    if (json->type == JSON_ARRAY) return read_repeated(reader, json, message, &message->descriptor->fields[0]);
    return read_fields(reader, json, message);
}

static bool read_message(struct pb_reader *reader, const struct json *json, ProtobufCMessage *message) {
    switch (pbjson_special(message->descriptor)) {
    case PBJSON_TIMESTAMP: return read_timestamp(reader, json, message);
    case PBJSON_DURATION: return read_duration(reader, json, message);
    case PBJSON_FIELD_MASK: return read_field_mask(reader, json, message);
    case PBJSON_WRAPPER: {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[0];
        return read_value(reader, json, field, pbjson_at(message, field->offset));
    }
    case PBJSON_PAYLOAD: return read_payload(reader, json, message);
    case PBJSON_PAYLOADS: return read_payloads(reader, json, message);
    case PBJSON_PLAIN: return read_fields(reader, json, message);
    }
    UNREACHABLE("message %s", message->descriptor->name);
}

ProtobufCMessage *pbjson_read(struct bytes text, const ProtobufCMessageDescriptor *type, struct arena *arena,
                              struct status *status) {
    struct json *json = json_parse(text, arena, status);
    if (!json) return NULL;
    struct pb_reader reader = {.arena = arena};
    ProtobufCMessage *message = new_message(&reader, type);
    if (read_message(&reader, json, message)) return message;
    *status = reader.status;
    return NULL;
}
