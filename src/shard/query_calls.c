/* query_calls: QueryWorkflow and RespondQueryTaskCompleted (temporal-surface 4.9). */
#include "shard/query_calls.h"

#include "base/plant.h"
#include "shard/core.h"
#include "shard/pb.h"
#include "shard/token.h"

enum { ANSWERED = 1, FAILED = 2, BUFFERED_QUERIES_MAX = 1, BLOB_MAX = 2 * 1024 * 1024 };

void query_limit(struct engine *engine, struct query_verdict *verdict) {
    if (pb_size(verdict->answer) <= limit_or(engine->limits.blob_size_limit_error, BLOB_MAX)) return;
    *verdict = (struct query_verdict){.type = FAILED, .error_message = "Blob data size exceeds limit."};
}

void query_set_answer(struct call *call, const struct query_verdict *verdict) {
    if (verdict->type == ANSWERED) {
        Temporal__Api__Workflowservice__V1__QueryWorkflowResponse response =
            TEMPORAL__API__WORKFLOWSERVICE__V1__QUERY_WORKFLOW_RESPONSE__INIT;
        response.query_result = (Payloads *)(uintptr_t)verdict->answer;
        call_set_reply(call, &response.base);
        return;
    }
    Temporal__Api__Errordetails__V1__QueryFailedFailure detail =
        TEMPORAL__API__ERRORDETAILS__V1__QUERY_FAILED_FAILURE__INIT;
    detail.failure = (Failure *)(uintptr_t)verdict->failure;
    const char *text = text_empty(verdict->error_message) ? "query failed" : verdict->error_message;
    call_set_fail(call, status_detail(call->arena, status_invalid(call->arena, "%s", text), &detail.base));
}

struct status query_closed_early(struct arena *arena) {
    return status_not_ready(arena, "Workflow execution closed before WorkflowTaskStarted event");
}

/* ---- QueryWorkflow ------------------------------------------------------------------------------------------------- */

static bool check_request(struct call *call, const QueryWorkflowRequest *request) {
    const char *why = NULL;
    if (!request->execution) why = "Execution is not set on request.";
    else if (text_empty(request->execution->workflow_id)) why = "WorkflowId is not set on request.";
    else if (!request->query) why = "WorkflowQuery is not set on request.";
    else if (text_empty(request->query->query_type)) why = "QueryType is not set on request.";
    if (why) call_fail(call, STATUS_INVALID_ARGUMENT, "%s", why);
    return !why;
}

/* Whether the caller does not want an answer from a run in this status. */
static bool rejected(const QueryWorkflowRequest *request, int32_t status) {
    enum { NOT_OPEN = 2, NOT_COMPLETED_CLEANLY = 3 };
    if (status == STATUS_OF(PAUSED)) return true;
    if (status == STATUS_OF(RUNNING)) return false;
    if (request->query_reject_condition == NOT_OPEN) return true;
    return request->query_reject_condition == NOT_COMPLETED_CLEANLY && status != STATUS_OF(COMPLETED);
}

static void reject(struct engine *engine, struct exec *exec, struct call *call) {
    Temporal__Api__Query__V1__QueryRejected no = TEMPORAL__API__QUERY__V1__QUERY_REJECTED__INIT;
    no.status = exec->info->status;
    Temporal__Api__Workflowservice__V1__QueryWorkflowResponse response =
        TEMPORAL__API__WORKFLOWSERVICE__V1__QUERY_WORKFLOW_RESPONSE__INIT;
    response.query_rejected = &no;
    engine_reply(engine, exec, call, &response.base);
}

/* Why this run cannot be asked now. */
static struct status check_ready(struct engine *engine, const struct exec *exec, const struct call *call) {
    struct arena *arena = call->arena;
    if (!exec_open(exec)) return exec->info->completed_event_id ? STATUS_GOOD : query_closed_early(arena);
    if (exec->info->first_task_at) {
        int64_t wait = exec->info->first_task_at - engine_wall(engine);
        if (call->deadline == INT64_MAX || wait > call->deadline - io_now(engine->io))
            return status_not_ready(arena, "Workflow task is not scheduled yet.");
    }
    if (query_hopeless(exec)) return status_not_ready(arena, "Unable to query workflow due to Workflow Task in failed state.");
    return STATUS_GOOD;
}

void engine_query_workflow(struct engine *engine, struct call *call) {
    const QueryWorkflowRequest *request = (const void *)call->request;
    if (!check_request(call, request)) return;
    const WorkflowExecution *wanted = request->execution;
    struct exec *exec = engine_find(engine, call, engine_query_workflow, wanted->workflow_id, wanted->run_id);
    if (!exec) return;
    if (rejected(request, exec->info->status)) {
        reject(engine, exec, call);
        return;
    }
    struct status status = check_ready(engine, exec, call);
    bool at_once = exec->info->completed_event_id && (!exec_open(exec) || !exec->task || PLANT(engine->io, QUERY_OF_OLD_STATE));
    unsigned max = (unsigned)limit_or(engine->limits.buffered_queries_max, BUFFERED_QUERIES_MAX);
    if (status_ok(status) && !at_once && query_waiting(exec) >= max)
        status = status_exhausted(call->arena, EXHAUSTED_CAUSE(BUSY_WORKFLOW), EXHAUSTED_SCOPE(NAMESPACE),
                                  "consistent query buffer is full, this may be caused by too many queries and workflow "
                                  "not able to process query fast enough");
    if (!status_ok(status)) engine_fail(engine, exec, call, status);
    else query_add(engine, exec, call, at_once);
}

/* ---- RespondQueryTaskCompleted ------------------------------------------------------------------------------------- */

void engine_respond_query_task_completed(struct engine *engine, struct call *call) {
    const Temporal__Api__Workflowservice__V1__RespondQueryTaskCompletedRequest *request = (const void *)call->request;
    TaskToken *token = token_decode(call->arena, request->task_token);
    if (!token || !token->query) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "Invalid TaskToken.");
        return;
    }
    struct query_verdict verdict = {request->completed_type, request->query_result, request->error_message,
                                    request->failure};
    query_limit(engine, &verdict);
    if (!query_finish(engine, token, &verdict)) {
        call_fail_status(call, status_not_found(call->arena, "query task not found, or already expired"));
        return;
    }
    Temporal__Api__Workflowservice__V1__RespondQueryTaskCompletedResponse response =
        TEMPORAL__API__WORKFLOWSERVICE__V1__RESPOND_QUERY_TASK_COMPLETED_RESPONSE__INIT;
    engine_reply(engine, NULL, call, &response.base);
}
