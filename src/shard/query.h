/* query: queries, which live in memory only (temporal-surface 4.9). Waiting ones of a run hang in exec->queries, and
 * exec->pins is raised for each. */
#ifndef NORN_SHARD_QUERY_H
#define NORN_SHARD_QUERY_H

#include "shard/txn.h"

/* A workflow task is being started for a worker: attaches the run's waiting queries to the answer. */
void query_attach(struct exec *exec, PollWorkflowTaskQueueResponse *response, struct arena *arena);
/* A completion came: ends the queries that it answers, gated by the commit number `gate`. */
void query_answer(struct engine *engine, struct exec *exec, const RespondWorkflowTaskCompletedRequest *request,
                  uint64_t gate);
/* No workflow task is pending any more (or the run closed), and queries still wait: sends them through queues. */
void query_dispatch_waiting(struct engine *engine, struct exec *exec);
/* Ends every query of a run (it is deleted) with this status. */
void query_drop(struct engine *engine, struct exec *exec, struct status status);
/* The engine stops: ends every waiting query with UNAVAILABLE. */
void query_stop(struct engine *engine);
/* A queue matched a query's task (task->query; its number is task->stamp) with a poll. */
void query_start(struct engine *engine, struct exec *exec, const struct queue_name *name, const struct queue_task *task,
                 struct call *poll);

#endif
