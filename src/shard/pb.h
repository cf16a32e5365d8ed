/* pb: building, copying and reading API messages, beyond what api.h has. */
#ifndef NORN_SHARD_PB_H
#define NORN_SHARD_PB_H

#include "shard/api.h"

typedef Temporal__Api__Common__V1__Payload__MetadataEntry PayloadMetadata;
typedef Temporal__Api__Enums__V1__RetryState RetryState;
typedef Temporal__Api__Enums__V1__TimeoutType TimeoutType;

/* Which kind of failure: FAILURE_INFO(APPLICATION) and so on. */
#define FAILURE_INFO(NAME) TEMPORAL__API__FAILURE__V1__FAILURE__FAILURE_INFO_##NAME##_FAILURE_INFO

/* A new message in the arena, initialised. `name` is the descriptor's without "__descriptor". */
#define PB_NEW(arena, name) pb_new((arena), &name##__descriptor)
void *pb_new(struct arena *arena, const ProtobufCMessageDescriptor *descriptor);
/* A deep copy in the arena; unknown fields are kept. NULL gives NULL. */
void *pb_copy(struct arena *arena, const void *message);
/* Encoded size; 0 for NULL. */
static inline size_t pb_size(const void *message) { return message ? protobuf_c_message_get_packed_size(message) : 0; }

static inline struct bytes pb_bytes(ProtobufCBinaryData data) { return bytes_of(data.data, data.len); }
static inline ProtobufCBinaryData pb_binary(struct bytes bytes) {
    return (ProtobufCBinaryData){.len = bytes.len, .data = (uint8_t *)(uintptr_t)bytes.data};
}

/* One payload with encoding json/plain; and alone in a list. */
Payload *payload_json(struct arena *arena, struct bytes json);
Payloads *payloads_json(struct arena *arena, struct bytes json);
/* The metadata's value; empty when it is not there. */
struct bytes payload_metadata(const Payload *payload, const char *key);

/* The name of an enum's value as Temporal's servers print it: "RETRY_STATE_IN_PROGRESS" with its prefix cut off is
 * "InProgress". The value's number when it has no name. */
const char *enum_text(struct arena *arena, const ProtobufCEnumDescriptor *descriptor, const char *prefix, int value);

#endif
