/* start_check: what a start must be, before anything moves. */
#ifndef NORN_SHARD_START_CHECK_H
#define NORN_SHARD_START_CHECK_H

#include "shard/core.h"

/* Checks a start request and fills in its defaults, in place. `signal` is set for SignalWithStart. */
struct status start_check(struct engine *engine, struct call *call, StartWorkflowExecutionRequest *request,
                          const SignalWithStartWorkflowExecutionRequest *signal);
/* Room for a new run, in memory and on disk. */
struct status start_admit(struct engine *engine, struct call *call);
/* Search attributes with their types, as event 1 has them; NULL when there are none. */
SearchAttributes *start_search_attributes(struct engine *engine, const uint8_t namespace_id[NAMESPACE_ID_LEN],
                                          const SearchAttributes *attributes, struct arena *arena);

#endif
