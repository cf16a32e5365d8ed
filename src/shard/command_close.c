/* command_close: checks of the commands that end a run (close.c applies them). */
#include "shard/attributes.h"
#include "shard/command.h"
#include "shard/core.h"
#include "shard/retry.h"
#include "shard/validate.h"

bool command_complete_check(struct command_check *check, const Command *command) {
    return command_check_size(check, WFT_CAUSE(BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES),
                              command->complete_workflow_execution_command_attributes->result,
                              "CompleteWorkflowExecutionCommandAttributes.Result exceeds size limit.");
}

bool command_fail_check(struct command_check *check, const Command *command) {
    const int32_t bad = WFT_CAUSE(BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES);
    const Failure *failure = command->fail_workflow_execution_command_attributes->failure;
    if (!failure) return command_fail(check, bad, "Failure is not set on FailWorkflowExecutionCommand.");
    return command_check_size(check, bad, failure,
                              "FailWorkflowExecutionCommandAttributes.Failure exceeds size limit.");
}

bool command_cancel_check(struct command_check *check, const Command *command) {
    return command_check_size(check, WFT_CAUSE(BAD_CANCEL_WORKFLOW_EXECUTION_ATTRIBUTES),
                              command->cancel_workflow_execution_command_attributes->details,
                              "CancelWorkflowExecutionCommandAttributes.Details exceeds size limit.");
}

/* ---- ContinueAsNewWorkflowExecution -------------------------------------------------------------------------------- */

typedef Temporal__Api__Command__V1__ContinueAsNewWorkflowExecutionCommandAttributes ContinueAsNew;

static const int64_t task_timeout_max = 120LL * 1000000000;

/* The type and queue of this run, when the command names none. */
static bool check_names(struct command_check *check, ContinueAsNew *a) {
    const int32_t bad = WFT_CAUSE(BAD_CONTINUE_AS_NEW_ATTRIBUTES);
    const StateStart *start = check->exec->start;
    if (!a->workflow_type) a->workflow_type = PB_NEW(check->arena, temporal__api__common__v1__workflow_type);
    if (text_empty(a->workflow_type->name)) a->workflow_type->name = arena_strdup(check->arena, start->workflow_type);
    const char *type = a->workflow_type->name;
    if (strlen(type) > command_id_max(check))
        return command_fail(check, bad,
                            "WorkflowType on ContinueAsNewWorkflowExecutionCommand exceeds length limit. "
                            "WorkflowType=%s Length=%zu Limit=%u",
                            type, strlen(type), command_id_max(check));
    if (!a->task_queue) a->task_queue = PB_NEW(check->arena, temporal__api__taskqueue__v1__task_queue);
    struct status status = task_queue_check_user(check->arena, a->task_queue, start->task_queue, command_id_max(check));
    if (!status_ok(status))
        return command_fail(check, bad,
                            "error validating ContinueAsNewWorkflowExecutionCommand TaskQueue: %s. WorkflowType=%s "
                            "TaskQueue=%s",
                            status.message, type, a->task_queue->name);
    return true;
}

static bool check_timeout(struct command_check *check, const ContinueAsNew *a, PbDuration *timeout, const char *name) {
    const char *why = duration_check(timeout);
    if (!why) return true;
    return command_fail(check, WFT_CAUSE(BAD_CONTINUE_AS_NEW_ATTRIBUTES),
                        "Invalid %s on ContinueAsNewWorkflowExecutionCommand: %s. WorkflowType=%s TaskQueue=%s", name,
                        why, a->workflow_type->name, a->task_queue->name);
}

static int64_t within(int64_t timeout, int64_t limit) {
    return limit > 0 && (timeout == 0 || timeout > limit) ? limit : timeout;
}

static bool check_timeouts(struct command_check *check, ContinueAsNew *a) {
    const StateStart *start = check->exec->start;
    if (!check_timeout(check, a, a->workflow_run_timeout, "WorkflowRunTimeout") ||
        !check_timeout(check, a, a->workflow_task_timeout, "WorkflowTaskTimeout") ||
        !check_timeout(check, a, a->backoff_start_interval, "BackoffStartInterval"))
        return false;
    int64_t run = duration_ns(a->workflow_run_timeout), task = duration_ns(a->workflow_task_timeout);
    run = within(run ? run : start->run_timeout, start->execution_timeout);
    task = within(within(task ? task : start->task_timeout, task_timeout_max), run);
    a->workflow_run_timeout = pb_duration(check->arena, run);
    a->workflow_task_timeout = pb_duration(check->arena, task);
    return true;
}

static bool check_policy(struct command_check *check, ContinueAsNew *a) {
    if (!a->retry_policy) return true;
    retry_policy_fill(check->arena, a->retry_policy);
    struct status status = retry_policy_check(check->arena, a->retry_policy);
    if (status_ok(status)) return true;
    return command_fail(check, WFT_CAUSE(BAD_CONTINUE_AS_NEW_ATTRIBUTES),
                        "invalid WorkflowRetryPolicy on ContinueAsNewWorkflowExecutionCommand: %s. WorkflowType=%s "
                        "TaskQueue=%s",
                        status.message, a->workflow_type->name, a->task_queue->name);
}

static bool check_attributes(struct command_check *check, ContinueAsNew *a) {
    const int32_t bad = WFT_CAUSE(BAD_CONTINUE_AS_NEW_ATTRIBUTES);
    struct engine *engine = check->completion->engine;
    const uint8_t *namespace_id = check->exec->start->namespace_id.data;
    struct status status = attributes_check_values(engine, namespace_id, a->search_attributes, check->arena);
    if (!status_ok(status))
        return command_fail(check, WFT_CAUSE(BAD_SEARCH_ATTRIBUTES),
                            "invalid SearchAttributes on ContinueAsNewWorkflowExecutionCommand: %s. WorkflowType=%s "
                            "TaskQueue=%s",
                            status.message, a->workflow_type->name, a->task_queue->name);
    if (!command_check_size(check, bad, a->input,
                            "ContinueAsNewWorkflowExecutionCommandAttributes. Input exceeds size limit."))
        return false;
    if (pb_size(a->memo) > command_memo_max(check))
        return command_terminate(check, bad, "ContinueAsNewWorkflowExecutionCommandAttributes. Memo exceeds size limit.");
    status = search_attributes_check_size(check->arena, a->search_attributes);
    if (!status_ok(status)) return command_terminate(check, bad, "%s", status.message);
    a->search_attributes = attributes_typed(engine, namespace_id, a->search_attributes, check->arena);
    return true;
}

bool command_continue_as_new_check(struct command_check *check, const Command *command) {
    ContinueAsNew *a = command->continue_as_new_workflow_execution_command_attributes;
    return check_names(check, a) && check_timeouts(check, a) && check_policy(check, a) && check_attributes(check, a);
}
