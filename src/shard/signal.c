/* signal: WorkflowExecutionSignaled. */
#include "shard/signal.h"

#include "base/hash.h"
#include "base/mark.h"
#include "shard/memory.h"
#include "shard/pb.h"
#include "shard/validate.h"
#include "shard/workflow_task.h"

typedef Temporal__Api__Workflowservice__V1__SignalWorkflowExecutionRequest SignalRequest;
typedef Temporal__Api__Workflowservice__V1__SignalWorkflowExecutionResponse SignalResponse;

enum { SIGNALS_MAX = 10000, BLOB_MAX = 2 * 1024 * 1024 };

struct input {
    const char *name, *identity, *request_id;
    Payloads *input;
    Header *header;
    Temporal__Api__Common__V1__Link **links;
    size_t link_count;
};

static void add(struct txn *txn, const struct input *input) {
    HistoryEvent event = EVENT_INIT;
    EVENT_NEW(WorkflowExecutionSignaled, workflow_execution_signaled, signaled);
    signaled.signal_name = pb_text(input->name);
    signaled.input = input->input;
    signaled.identity = pb_text(input->identity);
    signaled.header = input->header;
    signaled.request_id = pb_text(input->request_id);
    EVENT_SET(&event, WORKFLOW_EXECUTION_SIGNALED, workflow_execution_signaled, &signaled);
    event.links = input->links;
    event.n_links = input->link_count;
    txn_add_event(txn, &event);
}

bool signal_known(const struct exec *exec, const char *request_id) {
    bool known = !text_empty(request_id) && exec_find_text(exec, STATE_SIGNAL_REQUEST, request_id);
    if (known) mark(MARK_SIGNAL_KNOWN);
    return known;
}

uint32_t signal_name_hash(const char *name) { return (uint32_t)hash64(name, strlen(name)); }

bool signal_same_known(const struct exec *exec, const char *request_id, const char *name) {
    const struct item *known = text_empty(request_id) ? NULL : exec_find_text(exec, STATE_SIGNAL_REQUEST, request_id);
    return known && known->signal_request->name_hash == signal_name_hash(name);
}

/* Whether this run takes another signal now. */
static struct status check(struct engine *engine, const struct exec *exec, struct arena *arena) {
    if (!exec_open(exec)) return status_not_found(arena, "workflow execution already completed");
    if (exec->info->close_attempted && exec_task_started(exec)) {
        return status_exhausted(arena, EXHAUSTED_CAUSE(BUSY_WORKFLOW), EXHAUSTED_SCOPE(NAMESPACE),
                                "workflow operation can not be applied because workflow is closing");
    }
    if ((uint64_t)exec->info->signal_count >= limit_or(engine->limits.signals_per_execution_max, SIGNALS_MAX)) {
        return status_invalid(arena, "exceeded workflow execution limit for signal events");
    }
    struct status status = memory_admit_signal(engine, arena);
    return !status_ok(status) ? status : store_admit(engine->store, STORE_NORMAL, 8192, arena);
}

/* ---- with a start ---- */

static struct input of_start(const SignalWithStartWorkflowExecutionRequest *request) {
    return (struct input){request->signal_name, request->identity, request->request_id, request->signal_input,
                          request->header, request->links, request->n_links};
}

void signal_add_from_start(struct txn *txn, const SignalWithStartWorkflowExecutionRequest *request) {
    struct input input = of_start(request);
    add(txn, &input);
}

void signal_running_from_start(struct engine *engine, struct exec *exec, struct call *call,
                               const SignalWithStartWorkflowExecutionRequest *request, struct bytes response) {
    struct status status = check(engine, exec, call->arena);
    if (!status_ok(status)) {
        engine_fail(engine, exec, call, status);
        return;
    }
    struct txn txn;
    txn_begin(&txn, engine, exec);
    struct input input = of_start(request);
    add(&txn, &input);
    if (exec->info->first_task_at) workflow_task_schedule(&txn);
    else workflow_task_wake(&txn);
    txn_reply_bytes(&txn, call, response);
    txn_commit(&txn);
}

/* ---- alone ---- */

static struct status check_request(struct engine *engine, const SignalRequest *request, struct arena *arena) {
    uint64_t most = limit_or(engine->limits.id_length_max, ID_LENGTH_MAX);
    if (text_empty(request->signal_name)) return status_invalid(arena, "SignalName is not set on request.");
    if (strlen(request->signal_name) > most) return status_invalid(arena, "SignalName length exceeds limit.");
    if (strlen(request->request_id) > most) return status_invalid(arena, "RequestId length exceeds limit.");
    if (pb_size(request->input) > limit_or(engine->limits.blob_size_limit_error, BLOB_MAX))
        return status_invalid(arena, "Blob data size exceeds limit.");
    return STATUS_GOOD;
}

void engine_signal_workflow_execution(struct engine *engine, struct call *call) {
    const SignalRequest *request = (const void *)call->request;
    struct status status = check_request(engine, request, call->arena);
    if (!status_ok(status)) {
        engine_fail(engine, NULL, call, status);
        return;
    }
    const WorkflowExecution *execution = request->workflow_execution;
    struct exec *exec = engine_find(engine, call, engine_signal_workflow_execution,
                                    execution ? execution->workflow_id : "", execution ? execution->run_id : "");
    if (!exec) return;
    SignalResponse response = TEMPORAL__API__WORKFLOWSERVICE__V1__SIGNAL_WORKFLOW_EXECUTION_RESPONSE__INIT;
    if (exec_open(exec) && signal_known(exec, request->request_id)) {
        engine_reply(engine, exec, call, &response.base);
        return;
    }
    status = check(engine, exec, call->arena);
    if (!status_ok(status)) {
        engine_fail(engine, exec, call, status);
        return;
    }
    struct txn txn;
    txn_begin(&txn, engine, exec);
    struct input input = {request->signal_name, request->identity, request->request_id, request->input,
                          request->header, request->links, request->n_links};
    add(&txn, &input);
    workflow_task_wake(&txn);
    txn_reply(&txn, call, &response.base);
    txn_commit(&txn);
}
