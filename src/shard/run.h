/* run: a new run comes into being: event 1 and what belongs to it. */
#ifndef NORN_SHARD_RUN_H
#define NORN_SHARD_RUN_H

#include "shard/core.h"

struct run_spec {
    const uint8_t *namespace_id;
    const char *workflow_id;
    uint64_t hash;
    uint8_t run_id[RUN_ID_LEN];
    const char *request_id;            /* of the start */
    /* Event 1. run_create fills in workflow_id, first_execution_run_id and original_execution_run_id when empty. */
    EVENT_ATTRIBUTES(WorkflowExecutionStarted) *started;
    Temporal__Api__Sdk__V1__UserMetadata *user_metadata;
    Temporal__Api__Common__V1__Link **links;
    size_t link_count;
    uint64_t predecessor;              /* the execution that closes in the same commit; 0: none */
};

/* Makes the execution, begins `txn` on it and writes event 1. The caller schedules the first workflow task, unless the
 * start is to wait (exec->info->first_task_at), and commits. */
struct exec *run_create(struct engine *engine, struct run_spec *spec, struct txn *txn);

/* Another run takes the id of txn's: it stays reachable by its run id only, also when that other is deleted. */
void run_supersede(struct txn *txn);

/* The timeouts of a run by temporal-surface 4.5: run <= execution, task <= run, defaults. */
struct run_timeouts {
    int64_t execution, run, task;
};
struct run_timeouts run_timeouts(int64_t execution, int64_t run, int64_t task);

#endif
