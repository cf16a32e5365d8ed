/* query_calls: between the calls about queries and their life (query.c). */
#ifndef NORN_SHARD_QUERY_CALLS_H
#define NORN_SHARD_QUERY_CALLS_H

#include "shard/query.h"

typedef Temporal__Api__Workflowservice__V1__QueryWorkflowRequest QueryWorkflowRequest;
typedef Temporal__Api__Query__V1__WorkflowQueryResult WorkflowQueryResult;

/* What a worker says. */
struct query_verdict {
    int32_t type;                  /* temporal.api.enums.v1.QueryResultType: 1 answered, 2 failed */
    const Payloads *answer;
    const char *error_message;
    const Failure *failure;
};

/* An answer that is larger than a blob may be becomes a failure. */
void query_limit(struct engine *engine, struct query_verdict *verdict);
/* Fills the caller's result in; sending it is the caller's business. */
void query_set_answer(struct call *call, const struct query_verdict *verdict);
/* The run closed before any worker saw it. */
struct status query_closed_early(struct arena *arena);

/* A new query of this run: `at_once` through the queues, else with the next workflow task. Takes the call. */
void query_add(struct engine *engine, struct exec *exec, struct call *call, bool at_once);
/* Queries that wait for a workflow task, or are with one. */
unsigned query_waiting(const struct exec *exec);
/* The run's workflow task fails again and again: no query will be answered. */
bool query_hopeless(const struct exec *exec);
/* Ends the query of a task token; false when it is gone. */
bool query_finish(struct engine *engine, const TaskToken *token, const struct query_verdict *verdict);

#endif
