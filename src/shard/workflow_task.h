/* workflow_task: the life of workflow tasks (temporal-surface 2.4, 2.6). At most one is pending in a run.
 *
 *     none --schedule--> scheduled --start--> started --complete, fail, time out--> none
 *
 * Attempt 1 is written to history as it goes. Later attempts are transient: their Scheduled and Started events have ids
 * but are shown to the worker only, and are written when the task completes. */
#ifndef NORN_SHARD_WORKFLOW_TASK_H
#define NORN_SHARD_WORKFLOW_TASK_H

#include "shard/core.h"

/* Something happened that workflow code must see: makes sure that a workflow task is pending. Does nothing when one is,
 * when the run is closed, or when its first task is still backing off. Call it after each event from outside. */
void workflow_task_wake(struct txn *txn);
/* Schedules a task (none is pending), after giving ids to what was held back. Ends a first backoff. */
void workflow_task_schedule(struct txn *txn);
/* The same for a task that is started in this transaction: no queue hears of it. */
void workflow_task_schedule_inline(struct txn *txn);

static inline bool workflow_task_transient(const StateWorkflowTask *task) { return task->attempt > 1; }

/* Starts the pending task: the event, or the state alone when it is transient. */
void workflow_task_start(struct txn *txn, const char *identity, const char *request_id);
/* Writes WorkflowTaskCompleted (and before it what was transient) and takes the task off. Gives the event's id. */
int64_t workflow_task_complete(struct txn *txn, const RespondWorkflowTaskCompletedRequest *request);
/* The started task failed: WorkflowTaskFailed, unless transient, and the next attempt. */
void workflow_task_fail(struct txn *txn, int32_t cause, const Failure *failure, const char *identity);
/* A timeout of the pending task, and the next attempt. */
void workflow_task_time_out(struct txn *txn, int32_t timeout_type);
/* The run closes: ends a started task with WorkflowTaskFailed (unless transient) and gives ids to what was held back.
 * A task that is only scheduled goes without an event. */
void workflow_task_end_by_force(struct txn *txn, int32_t cause, const Failure *failure, const char *identity);

/* Takes a pending task that is not started out of its queue: it will be replaced, or the run closes. */
void workflow_task_withdraw(struct txn *txn);

/* The queue item of the pending task, which is not started. */
void workflow_task_item(const struct exec *exec, struct queue_name *name, struct queue_task *item);

/* The Scheduled and Started events of a transient task that is started (or only scheduled: one event), encoded. */
void workflow_task_transient_events(const struct exec *exec, struct arena *arena, struct buf *out);

#endif
