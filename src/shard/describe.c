/* describe: DescribeWorkflowExecution. */
#include "shard/activity_describe.h"
#include "shard/attributes.h"
#include "shard/core.h"
#include "shard/pb.h"
#include "shard/workflow_task.h"

typedef Temporal__Api__Workflowservice__V1__DescribeWorkflowExecutionRequest DescribeRequest;
typedef Temporal__Api__Workflowservice__V1__DescribeWorkflowExecutionResponse DescribeResponse;
typedef Temporal__Api__Workflow__V1__WorkflowExecutionInfo ExecutionInfo;
typedef Temporal__Api__Workflow__V1__WorkflowExecutionConfig ExecutionConfig;
typedef Temporal__Api__Workflow__V1__WorkflowExecutionExtendedInfo ExtendedInfo;
typedef Temporal__Api__Workflow__V1__WorkflowExecutionExtendedInfo__RequestIdInfosEntry RequestEntry;
typedef Temporal__Api__Workflow__V1__RequestIdInfo RequestIdInfo;
typedef Temporal__Api__Workflow__V1__PendingWorkflowTaskInfo PendingTask;

enum {
    TASK_SCHEDULED = TEMPORAL__API__ENUMS__V1__PENDING_WORKFLOW_TASK_STATE__PENDING_WORKFLOW_TASK_STATE_SCHEDULED,
    TASK_STARTED = TEMPORAL__API__ENUMS__V1__PENDING_WORKFLOW_TASK_STATE__PENDING_WORKFLOW_TASK_STATE_STARTED,
};

static WorkflowExecution *execution_of(struct arena *arena, const char *workflow_id, const char *run_id) {
    WorkflowExecution *execution = PB_NEW(arena, temporal__api__common__v1__workflow_execution);
    execution->workflow_id = pb_text(workflow_id);
    execution->run_id = pb_text(run_id);
    return execution;
}

static ExecutionInfo *info_of(const struct exec *exec, struct arena *arena) {
    const StateStart *start = exec->start;
    const StateInfo *info = exec->info;
    ExecutionInfo *out = PB_NEW(arena, temporal__api__workflow__v1__workflow_execution_info);
    out->execution = execution_of(arena, start->workflow_id, start->run_id);
    out->type = PB_NEW(arena, temporal__api__common__v1__workflow_type);
    out->type->name = start->workflow_type;
    out->start_time = pb_time(arena, start->start_time);
    out->execution_time = pb_time(arena, start->start_time + start->first_backoff);
    out->close_time = pb_time(arena, info->close_time);
    if (info->close_time) {
        out->execution_duration = pb_duration(arena, info->close_time - start->start_time - start->first_backoff);
    }
    out->status = (Temporal__Api__Enums__V1__WorkflowExecutionStatus)info->status;
    out->history_length = info->next_event_id - 1;
    out->history_size_bytes = info->history_size;
    out->state_transition_count = info->state_transitions;
    if (!text_empty(start->parent_workflow_id)) {
        out->parent_namespace_id = start->parent_namespace_id;
        out->parent_execution = execution_of(arena, start->parent_workflow_id, start->parent_run_id);
    }
    out->root_execution = execution_of(arena, start->root_workflow_id, start->root_run_id);
    out->memo = exec->memo ? exec->memo : PB_NEW(arena, temporal__api__common__v1__memo);
    /* Never absent: Go's DescribeWorkflow looks into it without asking. */
    out->search_attributes = attributes_shown(exec, arena);
    if (!out->search_attributes) out->search_attributes = PB_NEW(arena, temporal__api__common__v1__search_attributes);
    out->external_payload_count = info->external_payload_count;
    out->external_payload_size_bytes = info->external_payload_bytes;
    out->task_queue = start->task_queue;
    out->first_run_id = start->first_run_id;
    out->priority = start->priority;
    return out;
}

static ExecutionConfig *config_of(const struct exec *exec, struct arena *arena) {
    const StateStart *start = exec->start;
    ExecutionConfig *config = PB_NEW(arena, temporal__api__workflow__v1__workflow_execution_config);
    config->task_queue = PB_NEW(arena, temporal__api__taskqueue__v1__task_queue);
    config->task_queue->name = start->task_queue;
    config->task_queue->kind = QUEUE_KIND(NORMAL);
    config->workflow_execution_timeout = pb_duration(arena, start->execution_timeout);
    config->workflow_run_timeout = pb_duration(arena, start->run_timeout);
    config->default_workflow_task_timeout = pb_duration(arena, start->task_timeout);
    const HistoryEvent *first = history_decode(&exec->history, 1, arena);
    if (first) config->user_metadata = first->user_metadata;
    return config;
}

static ExtendedInfo *extended_of(const struct exec *exec, struct arena *arena) {
    const StateStart *start = exec->start;
    ExtendedInfo *out = PB_NEW(arena, temporal__api__workflow__v1__workflow_execution_extended_info);
    out->execution_expiration_time = pb_time(arena, start->execution_expiration);
    out->run_expiration_time = pb_time(arena, start->run_expiration);
    out->original_start_time = pb_time(arena, start->start_time);
    out->cancel_requested = exec->info->cancel_requested;
    out->reset_run_id = exec->info->reset_run_id;
    out->request_id_infos = arena_alloc(arena, exec_set_const(exec, STATE_REQUEST)->count * sizeof *out->request_id_infos);
    ITEMS_EACH(item, exec, STATE_REQUEST) {
        RequestEntry *entry = PB_NEW(arena, temporal__api__workflow__v1__workflow_execution_extended_info__request_id_infos_entry);
        RequestIdInfo *value = PB_NEW(arena, temporal__api__workflow__v1__request_id_info);
        value->event_type = (Temporal__Api__Enums__V1__EventType)item->request->event_type;
        value->event_id = item->request->event_id;
        value->buffered = item->request->event_id == 0;
        entry->key = item->request->id;
        entry->value = value;
        out->request_id_infos[out->n_request_id_infos++] = entry;
    }
    return out;
}

static PendingTask *task_of(const struct exec *exec, struct arena *arena) {
    const StateWorkflowTask *task = exec->task;
    if (!task) return NULL;
    PendingTask *out = PB_NEW(arena, temporal__api__workflow__v1__pending_workflow_task_info);
    out->state = (Temporal__Api__Enums__V1__PendingWorkflowTaskState)(task->started_event_id ? (int)TASK_STARTED : (int)TASK_SCHEDULED);
    out->scheduled_time = pb_time(arena, task->scheduled_time);
    out->original_scheduled_time = pb_time(arena, task->original_scheduled_time);
    out->started_time = pb_time(arena, task->started_time);
    out->attempt = task->attempt;
    return out;
}

void engine_describe_workflow_execution(struct engine *engine, struct call *call) {
    const DescribeRequest *request = (const void *)call->request;
    const WorkflowExecution *execution = request->execution;
    struct exec *exec = engine_find(engine, call, engine_describe_workflow_execution,
                                    execution ? execution->workflow_id : "", execution ? execution->run_id : "");
    if (!exec) return;
    struct arena *arena = call->arena;
    DescribeResponse response = TEMPORAL__API__WORKFLOWSERVICE__V1__DESCRIBE_WORKFLOW_EXECUTION_RESPONSE__INIT;
    response.execution_config = config_of(exec, arena);
    response.workflow_execution_info = info_of(exec, arena);
    response.workflow_extended_info = extended_of(exec, arena);
    response.pending_workflow_task = task_of(exec, arena);
    unsigned count = exec_set_const(exec, STATE_ACTIVITY)->count;
    response.pending_activities = arena_alloc(arena, count * sizeof *response.pending_activities);
    ITEMS_EACH(item, exec, STATE_ACTIVITY) {
        response.pending_activities[response.n_pending_activities++] = activity_describe(item, arena);
    }
    engine_reply(engine, exec, call, &response.base);
}
