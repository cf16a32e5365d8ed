/* workflow_task: the life of workflow tasks (temporal-surface 2.4, 2.6). At most one is pending in a run. */
#ifndef NORN_SHARD_WORKFLOW_TASK_H
#define NORN_SHARD_WORKFLOW_TASK_H

#include "shard/txn.h"

/* Something happened that workflow code must see: makes sure that a workflow task is pending. Does nothing when one is,
 * when the run is closed, or when its first task is still backing off. */
void workflow_task_wake(struct txn *txn);
/* Schedules a task (none is pending), after giving ids to what was held back. */
void workflow_task_schedule(struct txn *txn);

#endif
