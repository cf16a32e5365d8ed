/* signal: signals to runs (temporal-surface 4.7). */
#ifndef NORN_SHARD_SIGNAL_H
#define NORN_SHARD_SIGNAL_H

#include "shard/core.h"

/* Whether a signal with this request id has come before. */
bool signal_known(const struct exec *exec, const char *request_id);
/* The same, and with this name. */
bool signal_same_known(const struct exec *exec, const char *request_id, const char *name);
/* What the state keeps of a signal's name. */
uint32_t signal_name_hash(const char *name);
/* The signal of a start that has just made the run of `txn`. */
void signal_add_from_start(struct txn *txn, const SignalWithStartWorkflowExecutionRequest *request);
/* The signal of a start that met a running run; answers with `response`. Ends the run's first backoff. */
void signal_running_from_start(struct engine *engine, struct exec *exec, struct call *call,
                               const SignalWithStartWorkflowExecutionRequest *request, struct bytes response);

#endif
