/* recover: state from the store. */
#ifndef NORN_SHARD_RECOVER_H
#define NORN_SHARD_RECOVER_H

#include "shard/core.h"

/* A commit failed, or its outcome was lost: calls that wait for it end with UNAVAILABLE, memory is forgotten, and what
 * is durable is taken from the store again. */
void recover_after_failure(struct engine *engine);
/* The predecessor of a run in doubt was read; NULL: the store has none. */
void recover_settle(struct engine *engine, uint64_t successor, const struct exec *predecessor);

#endif
