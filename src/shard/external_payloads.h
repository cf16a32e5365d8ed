/* external_payloads: payloads that SDKs keep elsewhere, of which an event has only references with sizes. */
#ifndef NORN_SHARD_EXTERNAL_PAYLOADS_H
#define NORN_SHARD_EXTERNAL_PAYLOADS_H

#include "shard/exec.h"

/* Adds those of the event to the run's counts. */
void external_payloads_count(struct exec *exec, const HistoryEvent *event);

#endif
