/* load_failed: what follows when the store could not read an execution.
 *
 * Requests end with UNAVAILABLE; whoever asks again has it read again. What no client would ask for again is read again
 * after a pause, which grows with each failure: for a deadline, for a successor in doubt, and for tasks, which go back to
 * their queues then. The polls that had taken them wait for others at once. */
#ifndef NORN_SHARD_LOAD_FAILED_H
#define NORN_SHARD_LOAD_FAILED_H

#include "shard/directory.h"

/* Takes over a load that has begun and ended with `status`. */
void load_failed(struct engine *engine, struct load *load, struct status status);

#endif
