/* pbjson_internal: what the writer and the reader of proto3 JSON share. */
#ifndef NORN_BASE_PBJSON_INTERNAL_H
#define NORN_BASE_PBJSON_INTERNAL_H

#include "base/check.h"
#include "base/json.h"
#include "base/pbjson.h"

enum { PBJSON_DEPTH_MAX = JSON_DEPTH_MAX, PBJSON_NAME_MAX = 128 };

/* Messages that JSON has in a form of their own. */
enum pbjson_special {
    PBJSON_PLAIN,
    PBJSON_TIMESTAMP,
    PBJSON_DURATION,
    PBJSON_FIELD_MASK,
    PBJSON_WRAPPER,                        /* google.protobuf.StringValue and so on: one field "value" */
    PBJSON_PAYLOAD,
    PBJSON_PAYLOADS,
};
enum pbjson_special pbjson_special(const ProtobufCMessageDescriptor *type);


/* snake_case -> lowerCamelCase; returns the length. */
size_t pbjson_name(const char *field, char out[PBJSON_NAME_MAX]);
/* Whether a repeated message field is a map: its type is the synthetic <Field>Entry {key = 1, value = 2}. */
bool pbjson_is_map(const ProtobufCMessageDescriptor *parent, const ProtobufCFieldDescriptor *field);
size_t pbjson_value_size(ProtobufCType type);

static inline void *pbjson_at(const ProtobufCMessage *message, unsigned offset) {
    return (char *)(uintptr_t)message + offset;
}

#endif
