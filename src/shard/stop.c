/* stop: RequestCancelWorkflowExecution and TerminateWorkflowExecution (temporal-surface 4.7). */
#include "shard/close.h"
#include "shard/core.h"
#include "shard/validate.h"
#include "shard/workflow_task.h"

typedef Temporal__Api__Workflowservice__V1__RequestCancelWorkflowExecutionRequest CancelRequest;
typedef Temporal__Api__Workflowservice__V1__RequestCancelWorkflowExecutionResponse CancelResponse;
typedef Temporal__Api__Workflowservice__V1__TerminateWorkflowExecutionRequest TerminateRequest;
typedef Temporal__Api__Workflowservice__V1__TerminateWorkflowExecutionResponse TerminateResponse;

/* False after refusing. What goes into the state is carried by each later record. */
static bool good_texts(struct engine *engine, struct call *call, const char *request_id, const char *reason,
                       const char *identity) {
    size_t most = limit_or(engine->limits.id_length_max, ID_LENGTH_MAX);
    const char *name = strlen(request_id) > most ? "RequestId"
                       : strlen(reason) > most   ? "Reason"
                       : strlen(identity) > most ? "Identity"
                                                 : NULL;
    if (name) engine_fail(engine, NULL, call, status_invalid(call->arena, "%s length exceeds limit.", name));
    return !name;
}

/* With the id of a chain's first run, its current run is meant, whatever the run id. */
static struct exec *find(struct engine *engine, struct call *call, engine_call_fn *again, const WorkflowExecution *execution,
                         const char *first_run_id) {
    bool chain = !text_empty(first_run_id);
    struct exec *exec = engine_find(engine, call, again, execution ? execution->workflow_id : "",
                                    chain || !execution ? "" : execution->run_id);
    if (!exec || !chain || text_same(exec->start->first_run_id, first_run_id)) return exec;
    engine_fail(engine, exec, call,
                status_not_found(call->arena, "workflow not found for ID: %s", exec_workflow_id(exec)));
    return NULL;
}

void engine_request_cancel_workflow_execution(struct engine *engine, struct call *call) {
    const CancelRequest *request = (const void *)call->request;
    if (!good_texts(engine, call, request->request_id, request->reason, request->identity)) return;
    struct exec *exec = find(engine, call, engine_request_cancel_workflow_execution, request->workflow_execution,
                             request->first_execution_run_id);
    if (!exec) return;
    CancelResponse response = TEMPORAL__API__WORKFLOWSERVICE__V1__REQUEST_CANCEL_WORKFLOW_EXECUTION_RESPONSE__INIT;
    if (!exec_open(exec) || exec->info->cancel_requested) {
        engine_reply(engine, exec, call, &response.base);
        return;
    }
    struct status status = store_admit(engine->store, STORE_NORMAL, 8192, call->arena);
    if (!status_ok(status)) {
        engine_fail(engine, exec, call, status);
        return;
    }
    struct txn txn;
    txn_begin(&txn, engine, exec);
    HistoryEvent event = EVENT_INIT;
    EVENT_NEW(WorkflowExecutionCancelRequested, workflow_execution_cancel_requested, requested);
    requested.cause = request->reason;
    requested.identity = request->identity;
    EVENT_SET(&event, WORKFLOW_EXECUTION_CANCEL_REQUESTED, workflow_execution_cancel_requested, &requested);
    event.links = request->links;
    event.n_links = request->n_links;
    txn_add_event(&txn, &event);
    state_set_text(&exec->info->cancel_request_id, request->request_id);
    if (exec->info->first_task_at) workflow_task_schedule(&txn);
    else workflow_task_wake(&txn);
    txn_reply(&txn, call, &response.base);
    txn_commit(&txn);
}

void engine_terminate_workflow_execution(struct engine *engine, struct call *call) {
    const TerminateRequest *request = (const void *)call->request;
    if (!good_texts(engine, call, "", request->reason, request->identity)) return;
    struct exec *exec = find(engine, call, engine_terminate_workflow_execution, request->workflow_execution,
                             request->first_execution_run_id);
    if (!exec) return;
    struct status status = exec_open(exec) ? store_admit(engine->store, STORE_RESERVED, 8192, call->arena)
                                           : status_not_found(call->arena, "workflow execution already completed");
    if (!status_ok(status)) {
        engine_fail(engine, exec, call, status);
        return;
    }
    struct txn txn;
    txn_begin(&txn, engine, exec);
    close_terminate_linked(&txn, request->reason, request->details, request->identity, request->links, request->n_links);
    TerminateResponse response = TEMPORAL__API__WORKFLOWSERVICE__V1__TERMINATE_WORKFLOW_EXECUTION_RESPONSE__INIT;
    txn_reply(&txn, call, &response.base);
    txn_commit(&txn);
}
