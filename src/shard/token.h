/* token: task tokens. They name the task and the place of its execution, so that the frontend routes without state. */
#ifndef NORN_SHARD_TOKEN_H
#define NORN_SHARD_TOKEN_H

#include "shard/api.h"

/* Decodes task_token; NULL when it is not one of ours ("Invalid TaskToken."). Texts are in the arena. */
TaskToken *token_decode(struct arena *arena, ProtobufCBinaryData token);
ProtobufCBinaryData token_encode(struct arena *arena, const TaskToken *token);
HistoryToken *history_token_decode(struct arena *arena, ProtobufCBinaryData token);
ProtobufCBinaryData history_token_encode(struct arena *arena, const HistoryToken *token);

#endif
