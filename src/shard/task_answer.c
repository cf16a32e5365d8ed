/* task_answer: PollWorkflowTaskQueueResponse. */
#include "shard/task_answer.h"

#include "shard/query.h"
#include "shard/token.h"
#include "shard/workflow_task.h"

enum { POLL_HISTORY = 8, POLL_NEXT_PAGE_TOKEN = 9 };     /* fields of PollWorkflowTaskQueueResponse */

void task_answer_history(const struct exec *exec, struct arena *arena, int64_t first, struct buf *answer) {
    struct buf events = {0};
    int64_t last = history_last(&exec->history);
    int64_t next = history_copy(&exec->history, first, last, HISTORY_PAGE_EVENTS, HISTORY_PAGE_BYTES, &events);
    bool transient = exec_task_started(exec) && workflow_task_transient(exec->task);
    if (next > last && transient) workflow_task_transient_events(exec, arena, &events);
    pb_append_field(answer, POLL_HISTORY, buf_bytes(&events));
    buf_free(&events);
    if (next > last) return;

    HistoryToken token = NORN__STATE__HISTORY_TOKEN__INIT;
    token.run_id = exec->start->run_id;
    token.execution = exec->number;
    token.next_event_id = next;
    token.end_event_id = last;
    token.task = true;
    token.stamp = exec->task ? exec->task->stamp : 0;
    ProtobufCBinaryData encoded = history_token_encode(arena, &token);
    pb_append_field(answer, POLL_NEXT_PAGE_TOKEN, bytes_of(encoded.data, encoded.len));
}

static ProtobufCBinaryData token_of(const struct exec *exec, struct arena *arena) {
    const StateWorkflowTask *task = exec->task;
    TaskToken token = NORN__STATE__TASK_TOKEN__INIT;
    token.namespace_id = exec->start->namespace_id;
    token.workflow_id = exec->start->workflow_id;
    token.run_id = exec->start->run_id;
    token.execution = exec->number;
    token.hash = exec->hash;
    token.scheduled_event_id = task->scheduled_event_id;
    token.started_event_id = task->started_event_id;
    token.attempt = task->attempt;
    token.epoch = task->epoch;
    token.dispatch = task->dispatch;
    return token_encode(arena, &token);
}

struct bytes task_answer(struct engine *engine, struct exec *exec, struct arena *arena, bool partial) {
    const StateWorkflowTask *task = exec->task;
    CHECK(exec_task_started(exec));
    WorkflowExecution execution = TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    execution.workflow_id = exec->start->workflow_id;
    execution.run_id = exec->start->run_id;
    WorkflowType type = TEMPORAL__API__COMMON__V1__WORKFLOW_TYPE__INIT;
    type.name = exec->start->workflow_type;
    TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    queue.name = exec->start->task_queue;
    queue.kind = QUEUE_KIND(NORMAL);

    PollWorkflowTaskQueueResponse response = TEMPORAL__API__WORKFLOWSERVICE__V1__POLL_WORKFLOW_TASK_QUEUE_RESPONSE__INIT;
    response.task_token = token_of(exec, arena);
    response.workflow_execution = &execution;
    response.workflow_type = &type;
    response.previous_started_event_id = exec->info->completed_started_id;
    response.started_event_id = task->started_event_id;
    response.attempt = task->attempt;
    response.workflow_execution_task_queue = &queue;
    response.scheduled_time = pb_time(arena, task->scheduled_time);
    response.started_time = pb_time(arena, task->started_time);
    query_attach(exec, &response, arena);

    struct buf answer = {0};
    pbpack_append(&answer, &response.base);
    task_answer_history(exec, arena, partial ? exec->info->completed_started_id + 1 : 1, &answer);
    struct bytes copy = bytes_of(arena_copy(arena, answer.data, answer.len), answer.len);
    buf_free(&answer);
    return copy;
}
