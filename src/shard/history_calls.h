/* history_calls: GetWorkflowExecutionHistory and its reverse form (temporal-surface 4.11). */
#ifndef NORN_SHARD_HISTORY_CALLS_H
#define NORN_SHARD_HISTORY_CALLS_H

#include "shard/core.h"

/* The execution changed: answers the long polls that can be answered now. */
void history_wake(struct engine *engine, struct exec *exec);
/* Ends every long poll of an execution (deleted, or the engine stops). */
void history_drop_waiters(struct engine *engine, struct exec *exec, struct status status);

#endif
