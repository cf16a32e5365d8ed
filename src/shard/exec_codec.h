/* exec_codec: the state of an execution to bytes and back. */
#ifndef NORN_SHARD_EXEC_CODEC_H
#define NORN_SHARD_EXEC_CODEC_H

#include "shard/exec.h"

/* Appends an encoded norn.state.ExecutionRecord of what is marked and of the history's tail; forgets the marks. */
void exec_pack_changes(struct exec *exec, struct buf *out);
/* Appends an encoded norn.state.ExecutionImage: every sub-object. */
void exec_pack_image(const struct exec *exec, struct buf *out);
/* Applies patches and batches of a record or image. False when malformed. */
bool exec_unpack(struct exec *exec, struct bytes record);

#endif
