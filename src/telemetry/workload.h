/* workload: what workflows and task queues do, as metrics with labels, per loop. The layers report; nothing is counted
 * before metrics_open or after metrics_close, so tests and tools need no set-up. */
#ifndef NORN_TELEMETRY_WORKLOAD_H
#define NORN_TELEMETRY_WORKLOAD_H

#include "base/bytes.h"
#include "io/io.h"

/* A run has ended: `status` as "COMPLETED". */
void workload_workflow_closed(struct io *io, const char *namespace_name, const char *workflow_type, const char *status,
                              int64_t duration_ns);
/* A worker is sent a whole history, from which it rebuilds a run that it does not have cached. */
void workload_workflow_replayed(struct io *io, const char *namespace_name, const char *workflow_type);
/* A task has found a worker, after so long. */
void workload_task_matched(struct io *io, struct bytes queue_name, const char *task_type, int64_t waited_ns);

#endif
