#include "shard/pb.h"

void *pb_new(struct arena *arena, const ProtobufCMessageDescriptor *descriptor) {
    void *message = arena_alloc(arena, descriptor->sizeof_message);
    protobuf_c_message_init(descriptor, message);
    return message;
}

void *pb_copy(struct arena *arena, const void *message) {
    if (!message) return NULL;
    const ProtobufCMessageDescriptor *descriptor = ((const ProtobufCMessage *)message)->descriptor;
    return pb_unpack(arena, descriptor, pbpack(arena, message));
}

Payload *payload_json(struct arena *arena, struct bytes json) {
    PayloadMetadata *encoding = PB_NEW(arena, temporal__api__common__v1__payload__metadata_entry);
    encoding->key = arena_strdup(arena, "encoding");
    encoding->value = pb_binary(bytes_str("json/plain"));
    Payload *payload = PB_NEW(arena, temporal__api__common__v1__payload);
    payload->n_metadata = 1;
    payload->metadata = ARENA_NEW(arena, PayloadMetadata *);
    payload->metadata[0] = encoding;
    payload->data = pb_binary(bytes_of(arena_copy(arena, json.data, json.len), json.len));
    return payload;
}

Payloads *payloads_json(struct arena *arena, struct bytes json) {
    Payloads *payloads = PB_NEW(arena, temporal__api__common__v1__payloads);
    payloads->n_payloads = 1;
    payloads->payloads = ARENA_NEW(arena, Payload *);
    payloads->payloads[0] = payload_json(arena, json);
    return payloads;
}

struct bytes payload_metadata(const Payload *payload, const char *key) {
    if (!payload) return (struct bytes){0};
    for (size_t i = payload->n_metadata; i-- > 0;) {     /* of a key given twice the last one counts */
        if (strcmp(payload->metadata[i]->key, key) == 0) return pb_bytes(payload->metadata[i]->value);
    }
    return (struct bytes){0};
}

const char *enum_text(struct arena *arena, const ProtobufCEnumDescriptor *descriptor, const char *prefix, int value) {
    const ProtobufCEnumValue *entry = protobuf_c_enum_descriptor_get_value(descriptor, value);
    if (!entry) return arena_printf(arena, "%d", value);
    const char *name = entry->name;
    if (strncmp(name, prefix, strlen(prefix)) == 0) name += strlen(prefix);
    char *text = arena_alloc(arena, strlen(name) + 1), *to = text;
    bool upper = true;
    for (const char *from = name; *from; from++) {
        if (*from == '_') {
            upper = true;
            continue;
        }
        bool lower = !upper && *from >= 'A' && *from <= 'Z';
        *to++ = lower ? (char)(*from - 'A' + 'a') : *from;
        upper = false;
    }
    return text;
}
