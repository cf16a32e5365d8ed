/* token: task tokens and page tokens are packed messages. */
#include "shard/token.h"

static ProtobufCBinaryData encode(struct arena *arena, const ProtobufCMessage *message) {
    struct bytes packed = pbpack(arena, message);
    return (ProtobufCBinaryData){packed.len, (uint8_t *)(uintptr_t)packed.data};
}

TaskToken *token_decode(struct arena *arena, ProtobufCBinaryData token) {
    if (!token.len) return NULL;
    TaskToken *out = pb_unpack(arena, &norn__state__task_token__descriptor, bytes_of(token.data, token.len));
    bool good = out && out->namespace_id.len == 16 && !text_empty(out->workflow_id) && out->execution &&
                !out->base.n_unknown_fields;
    return good ? out : NULL;
}

ProtobufCBinaryData token_encode(struct arena *arena, const TaskToken *token) { return encode(arena, &token->base); }

HistoryToken *history_token_decode(struct arena *arena, ProtobufCBinaryData token) {
    HistoryToken *out = pb_unpack(arena, &norn__state__history_token__descriptor, bytes_of(token.data, token.len));
    bool good = out && !text_empty(out->run_id) && out->next_event_id >= 0 && !out->base.n_unknown_fields;
    return good ? out : NULL;
}

ProtobufCBinaryData history_token_encode(struct arena *arena, const HistoryToken *token) {
    return encode(arena, &token->base);
}
