/* task_completed: the worker's answers to workflow tasks: RespondWorkflowTaskCompleted (temporal-surface 2.7),
 * RespondWorkflowTaskFailed, ResetStickyTaskQueue. */
#include "base/mark.h"
#include "base/plant.h"
#include "shard/close.h"
#include "shard/commands.h"
#include "shard/failure.h"
#include "shard/pb.h"
#include "shard/query.h"
#include "shard/task_answer.h"
#include "shard/token.h"
#include "shard/validate.h"
#include "shard/workflow_task.h"

typedef Temporal__Api__Workflowservice__V1__ResetStickyTaskQueueRequest ResetStickyRequest;
typedef Temporal__Api__Workflowservice__V1__ResetStickyTaskQueueResponse ResetStickyResponse;

enum { COMPLETED_WORKFLOW_TASK = 1, FAILURE_MAX = 2 * 1024 * 1024 };
#define HEARTBEAT_MAX ((uint64_t)SECONDS(30 * 60))

/* ---- the task that a token names ---- */

static TaskToken *token_of(struct engine *engine, struct call *call, ProtobufCBinaryData data) {
    TaskToken *token = data.len ? token_decode(call->arena, data) : NULL;
    if (!token) {
        const char *text = data.len ? "Error deserializing task token." : "Task token not set on request.";
        engine_fail(engine, NULL, call, status_invalid(call->arena, "%s", text));
    }
    return token;
}

/* The run whose started task this is; NULL: parked or refused. */
static struct exec *find_task(struct engine *engine, struct call *call, engine_call_fn *again, const TaskToken *token) {
    struct exec *exec = engine_find_token(engine, call, again, token);
    if (!exec) return NULL;
    if (!exec_open(exec)) {
        engine_fail(engine, exec, call, status_not_found(call->arena, "workflow execution already completed"));
        return NULL;
    }
    const StateWorkflowTask *task = exec->task;
    bool same = task && task->started_event_id && task->scheduled_event_id == token->scheduled_event_id &&
                task->started_event_id == token->started_event_id && task->attempt == token->attempt &&
                ((task->epoch == token->epoch && task->dispatch == token->dispatch) ||
                 PLANT(engine->io, STALE_TASK_TOKEN));
    if (same) return exec;
    mark(MARK_TASK_TOKEN_STALE);
    engine_fail(engine, exec, call, status_not_found(call->arena, "Workflow task not found."));
    return NULL;
}

static bool admit(struct engine *engine, struct exec *exec, struct call *call) {
    struct status status = store_admit(engine->store, STORE_NORMAL, call->request_bytes.len * 2 + 8192, call->arena);
    if (!status_ok(status)) engine_fail(engine, exec, call, status);
    return status_ok(status);
}

/* ---- completions that fail ---- */

static const char *failure_text(const struct completion *completion) {
    struct arena *arena = completion->call->arena;
    const char *cause = enum_text(arena, &temporal__api__enums__v1__workflow_task_failed_cause__descriptor,
                                  "WORKFLOW_TASK_FAILED_CAUSE_", completion->cause);
    return text_empty(completion->message) ? cause : arena_printf(arena, "%s: %s", cause, completion->message);
}

static void refuse(struct completion *completion) {
    struct engine *engine = completion->engine;
    struct exec *exec = completion->exec;
    struct call *call = completion->call;
    if (!completion->cause) {
        engine_fail(engine, exec, call, completion->refused);
        return;
    }
    const char *text = failure_text(completion);
    struct status status = status_invalid(call->arena, "%s", text);
    bool unhandled = completion->cause == WFT_CAUSE(UNHANDLED_COMMAND);
    if (unhandled) mark(MARK_CLOSE_UNHANDLED);
    if (workflow_task_transient(exec->task) && !unhandled && !completion->terminate) {
        engine_fail(engine, exec, call, status);       /* its timeout is the throttle */
        return;
    }
    struct txn txn;
    txn_begin(&txn, engine, exec);
    Failure *failure = failure_server(call->arena, true, "%s", text);
    const char *identity = completion->request->identity;
    if (completion->terminate) {
        workflow_task_end_by_force(&txn, completion->cause, failure, identity);
        close_terminate(&txn, text, NULL, "history-service");
    } else workflow_task_fail(&txn, completion->cause, failure, identity);
    if (unhandled) exec->info->close_attempted = true;
    txn_fail(&txn, call, status);
    txn_commit(&txn);
}

static bool is_heartbeat(const RespondWorkflowTaskCompletedRequest *request) {
    return request->force_create_new_workflow_task && !request->n_commands && !request->n_messages;
}

/* Local activities that go on for too long. */
static void heartbeat_timed_out(struct engine *engine, struct exec *exec, struct call *call) {
    struct txn txn;
    txn_begin(&txn, engine, exec);
    workflow_task_time_out(&txn, TIMEOUT_TYPE(START_TO_CLOSE));
    txn_fail(&txn, call, status_not_found(call->arena, "workflow task heartbeat timeout"));
    txn_commit(&txn);
}

/* ---- completions that succeed ---- */

/* These go into the state, which records carry again and again. NULL: they are fine. */
static const char *check_names(struct engine *engine, const RespondWorkflowTaskCompletedRequest *request) {
    const TaskQueue *queue = request->sticky_attributes ? request->sticky_attributes->worker_task_queue : NULL;
    if (queue && strlen(queue->name) > limit_or(engine->limits.id_length_max, ID_LENGTH_MAX))
        return "TaskQueue length exceeds limit.";
    if (request->worker_version_stamp && strlen(request->worker_version_stamp->build_id) > BUILD_ID_MAX)
        return "Build ID exceeds configured limit.workerBuildIdSize, use a shorter build ID.";
    return NULL;
}

static void set_sticky(struct exec *exec, const RespondWorkflowTaskCompletedRequest *request) {
    const Temporal__Api__Taskqueue__V1__StickyExecutionAttributes *sticky = request->sticky_attributes;
    const TaskQueue *queue = sticky ? sticky->worker_task_queue : NULL;
    state_set_text(&exec->info->sticky_queue, queue ? queue->name : "");
    int64_t timeout = sticky ? duration_ns(sticky->schedule_to_start_timeout) : 0;
    exec->info->sticky_timeout = timeout > 0 ? timeout : 0;
    exec_touch(exec, STATE_INFO);
}

/* The next task, when one is needed; true when it goes to the worker with the answer. */
static bool next_task(struct completion *completion, int64_t original_scheduled_time) {
    struct txn *txn = completion->txn;
    struct exec *exec = completion->exec;
    const RespondWorkflowTaskCompletedRequest *request = completion->request;
    bool needed = request->force_create_new_workflow_task || completion->wants_task || txn_has_buffered(txn);
    txn_flush(txn);
    if (!needed) return false;
    bool here = request->return_new_workflow_task;
    if (here) mark(MARK_TASK_INLINE);
    if (here) workflow_task_schedule_inline(txn);
    else workflow_task_schedule(txn);
    if (is_heartbeat(request)) exec->task->original_scheduled_time = original_scheduled_time;
    if (here) workflow_task_start(txn, request->identity, "request-from-RespondWorkflowTaskCompleted");
    return here;
}

static struct bytes answer(struct completion *completion, bool with_task) {
    struct arena *arena = completion->call->arena;
    RespondWorkflowTaskCompletedResponse response =
        TEMPORAL__API__WORKFLOWSERVICE__V1__RESPOND_WORKFLOW_TASK_COMPLETED_RESPONSE__INIT;
    response.activity_tasks = completion->eager;
    response.n_activity_tasks = completion->eager_count;
    if (!with_task) return pbpack(arena, &response.base);
    struct buf out = {0};
    pbpack_append(&out, &response.base);
    /* The worker that has just completed a task has the run cached. */
    pb_append_field(&out, COMPLETED_WORKFLOW_TASK, task_answer(completion->engine, completion->exec, arena, true));
    struct bytes copy = bytes_of(arena_copy(arena, out.data, out.len), out.len);
    buf_free(&out);
    return copy;
}

static void carry_out(struct completion *completion) {
    struct engine *engine = completion->engine;
    struct exec *exec = completion->exec;
    const RespondWorkflowTaskCompletedRequest *request = completion->request;
    int64_t original_scheduled_time = exec->task->original_scheduled_time;
    struct txn txn;
    txn_begin(&txn, engine, exec);
    completion->txn = &txn;
    completion->completed_event_id = workflow_task_complete(&txn, request);
    set_sticky(exec, request);
    txn.hold = true;
    commands_apply(completion);
    txn.hold = false;
    bool with_task = exec_open(exec) && next_task(completion, original_scheduled_time);
    /* Queries that this completion answers must not go out with the next task. */
    if (with_task) query_answer(engine, exec, request, store_appended(engine->store) + 1);
    txn_reply_bytes(&txn, completion->call, answer(completion, with_task));
    uint64_t number = exec->query_count && !with_task ? store_appended(engine->store) + (txn.successor ? 2 : 1) : 0;
    if (number) query_answer(engine, exec, request, number);
    txn_commit(&txn);
}

void engine_respond_workflow_task_completed(struct engine *engine, struct call *call) {
    const RespondWorkflowTaskCompletedRequest *request = (const void *)call->request;
    TaskToken *token = token_of(engine, call, request->task_token);
    if (!token) return;
    if (request->intermediate_page) {  /* no worker sends one unless DescribeNamespace says that it may */
        call_fail(call, STATUS_FAILED_PRECONDITION, "Workflow task completion pagination is not enabled.");
        return;
    }
    const char *wrong = check_names(engine, request);
    if (wrong) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "%s", wrong);
        return;
    }
    struct exec *exec = find_task(engine, call, engine_respond_workflow_task_completed, token);
    if (!exec || !admit(engine, exec, call)) return;
    int64_t now = engine_wall(engine), longest = (int64_t)limit_or(engine->limits.heartbeat_timeout_ns, HEARTBEAT_MAX);
    if (is_heartbeat(request) && now - exec->task->original_scheduled_time > longest) {
        heartbeat_timed_out(engine, exec, call);
        return;
    }
    struct completion completion = {.engine = engine, .exec = exec, .call = call, .request = request};
    completion.had_buffered_events = exec_set(exec, STATE_BUFFERED)->count > 0;
    if (commands_check(&completion)) carry_out(&completion);
    else refuse(&completion);
}

/* ---- failures ---- */

void engine_respond_workflow_task_failed(struct engine *engine, struct call *call) {
    const RespondWorkflowTaskFailedRequest *request = (const void *)call->request;
    TaskToken *token = token_of(engine, call, request->task_token);
    if (!token) return;
    struct exec *exec = find_task(engine, call, engine_respond_workflow_task_failed, token);
    if (!exec || !admit(engine, exec, call)) return;
    const Failure *failure = request->failure;
    if (pb_size(failure) > FAILURE_MAX) failure = failure_trim(call->arena, failure, FAILURE_MAX / 2);
    struct txn txn;
    txn_begin(&txn, engine, exec);
    if (request->cause == WFT_CAUSE(GRPC_MESSAGE_TOO_LARGE)) {
        workflow_task_end_by_force(&txn, (int32_t)request->cause, failure, request->identity);
        close_terminate(&txn, "GrpcMessageTooLarge", NULL, "history-service");
    } else workflow_task_fail(&txn, (int32_t)request->cause, failure, request->identity);
    RespondWorkflowTaskFailedResponse response =
        TEMPORAL__API__WORKFLOWSERVICE__V1__RESPOND_WORKFLOW_TASK_FAILED_RESPONSE__INIT;
    txn_reply(&txn, call, &response.base);
    txn_commit(&txn);
}

void engine_reset_sticky_task_queue(struct engine *engine, struct call *call) {
    const ResetStickyRequest *request = (const void *)call->request;
    const WorkflowExecution *execution = request->execution;
    struct exec *exec = engine_find(engine, call, engine_reset_sticky_task_queue, execution ? execution->workflow_id : "",
                                    execution ? execution->run_id : "");
    if (!exec) return;
    if (!exec_open(exec)) {
        engine_fail(engine, exec, call, status_not_found(call->arena, "workflow execution already completed"));
        return;
    }
    if (!admit(engine, exec, call)) return;
    ResetStickyResponse response = TEMPORAL__API__WORKFLOWSERVICE__V1__RESET_STICKY_TASK_QUEUE_RESPONSE__INIT;
    if (text_empty(exec->info->sticky_queue)) {
        engine_reply(engine, exec, call, &response.base);
        return;
    }
    struct txn txn;
    txn_begin(&txn, engine, exec);
    state_set_text(&exec->info->sticky_queue, "");
    exec_touch(exec, STATE_INFO);
    txn_reply(&txn, call, &response.base);
    txn_commit(&txn);
}
