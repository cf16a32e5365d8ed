/* activity: activities of workflows (temporal-surface 4.1-4.4), as the rest of the engine uses them. */
#ifndef NORN_SHARD_ACTIVITY_H
#define NORN_SHARD_ACTIVITY_H

#include "shard/deadline.h"

/* apply_event for events 10..16. */
void activity_apply(struct exec *exec, const HistoryEvent *event);
/* Takes the activity's earliest deadline, if it is earlier: a timeout, or the end of its backoff (which sends the task
 * to its queue). */
void activity_deadline(struct item *activity, struct deadline *earliest);
/* Runs a deadline of kind DEADLINE_ACTIVITY, which is due. */
void activity_run_deadline(struct txn *txn, const struct deadline *deadline);
/* The task of an activity that waits in its queue; false when it is started or backs off. Used after recovery. */
bool activity_task(const struct exec *exec, const struct item *activity, struct queue_name *name,
                   struct queue_task *task);
/* A queue matched the activity's task with a poll (PollActivityTaskQueueRequest). Answers the poll, or gives it back
 * with engine_poll_again when the task is stale. The execution is resident. */
void activity_start(struct engine *engine, struct exec *exec, const struct queue_name *name,
                    const struct queue_task *task, struct call *poll);

#endif
