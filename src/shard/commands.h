/* commands: what a worker decided, in RespondWorkflowTaskCompleted (temporal-surface 3).
 *
 * The frame (task_completed.c) decodes the token, checks the task, and then
 *   1. commands_check: validates every command against the state and what earlier commands of the same completion will
 *      have done to it. Nothing is changed. It stops at the first command that fails.
 *   2. writes WorkflowTaskCompleted, takes the task off, sets or clears the sticky queue, sets txn->hold;
 *   3. commands_apply: one event per command, in order (transactions never roll back, so nothing fails here);
 *   4. flushes held back events, and schedules the next task when one is needed. */
#ifndef NORN_SHARD_COMMANDS_H
#define NORN_SHARD_COMMANDS_H

#include "shard/txn.h"

struct completion {
    struct engine *engine;
    struct exec *exec;
    struct call *call;                         /* its arena lives until the answer is sent */
    const RespondWorkflowTaskCompletedRequest *request;
    bool had_buffered_events;                  /* a closing command then fails with UNHANDLED_COMMAND */

    /* commands_check fills these when it returns false: a cause fails the workflow task, `refused` is a plain refusal
     * of the call that writes nothing (unknown command, command after a closing one). */
    int32_t cause;                             /* WFT_CAUSE(...); 0: see refused */
    const char *message;                       /* in the call's arena; IA text is "<Cause>: message" */
    bool terminate;                            /* an oversize payload: the run is terminated as well ("T") */
    struct status refused;

    /* For commands_apply. */
    struct txn *txn;
    int64_t completed_event_id;                /* of WorkflowTaskCompleted */
    bool wants_task;                           /* set: an activity that had not started was cancelled, ... */
    bool closed;                               /* set by the closing functions of close.h */
    PollActivityTaskQueueResponse **eager;     /* set: started eagerly, in the call's arena */
    size_t eager_count;
};

bool commands_check(struct completion *completion);
void commands_apply(struct completion *completion);

#endif
