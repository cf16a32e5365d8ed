/* deadline_heap: when which execution is due, for all of the engine's executions, in memory or not. An entry may be out
 * of date: it is looked at when it comes up, and when there are many such they are dropped. */
#ifndef NORN_SHARD_DEADLINE_HEAP_H
#define NORN_SHARD_DEADLINE_HEAP_H

#include "shard/core.h"

/* The execution's state changed: makes sure that the heap has its next deadline. */
void deadline_changed(struct engine *engine, struct exec *exec);
/* The same for one that came back into memory. */
void deadline_loaded(struct engine *engine, struct exec *exec);
/* An execution that is not in memory. */
void deadline_add(struct engine *engine, uint64_t number, int64_t at);
/* Sets the timer. */
void deadline_arm(struct engine *engine);
void deadline_stop(struct engine *engine);

#endif
