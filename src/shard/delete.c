/* delete: DeleteWorkflowExecution, and the end of retention. */
#include "shard/delete.h"

#include "shard/close.h"
#include "shard/deadline_heap.h"
#include "shard/directory.h"
#include "shard/history_calls.h"
#include "shard/query.h"

typedef Temporal__Api__Workflowservice__V1__DeleteWorkflowExecutionRequest DeleteRequest;
typedef Temporal__Api__Workflowservice__V1__DeleteWorkflowExecutionResponse DeleteResponse;

uint64_t delete_execution(struct engine *engine, struct exec *exec) {
    CHECK(!exec->deleted && !exec->in_txn);
    struct arena arena = {0};
    struct status gone = status_not_found(&arena, "workflow not found for ID: %s", exec_workflow_id(exec));
    history_drop_waiters(engine, exec, gone);
    query_drop(engine, exec, gone);
    arena_free(&arena);
    struct store_record record = {
        .kind = STORE_RECORD_DELETE,
        .execution = exec->number,
        .hash = exec->hash,
        .version = ++exec->version,
    };
    memcpy(record.namespace_id, exec->start->namespace_id.data, NAMESPACE_ID_LEN);
    if (exec_open(exec)) engine->stats.open--;     /* a successor that never was */
    exec->deleted = true;
    exec->commit = store_append(engine->store, &record);
    history_free(&exec->history);
    /* The id's newest run is gone, and with it what an empty run id means, until another run starts. */
    if (!list_linked(&exec->visibility_link)) list_push_back(&engine->visibility, &exec->visibility_link);
    directory_changed(engine, exec);
    return exec->commit;
}

void engine_delete_workflow_execution(struct engine *engine, struct call *call) {
    const DeleteRequest *request = (const void *)call->request;
    const WorkflowExecution *execution = request->workflow_execution;
    struct exec *exec = engine_find(engine, call, engine_delete_workflow_execution,
                                    execution ? execution->workflow_id : "", execution ? execution->run_id : "");
    if (!exec) return;
    struct status status = store_admit(engine->store, STORE_RESERVED, 4096, call->arena);
    if (!status_ok(status)) {
        engine_fail(engine, exec, call, status);
        return;
    }
    if (exec_open(exec)) {
        struct txn txn;
        txn_begin(&txn, engine, exec);
        close_terminate(&txn, "Delete workflow execution", NULL, "history-service");
        txn_commit(&txn);
    }
    uint64_t number = delete_execution(engine, exec);
    DeleteResponse response = TEMPORAL__API__WORKFLOWSERVICE__V1__DELETE_WORKFLOW_EXECUTION_RESPONSE__INIT;
    call_set_reply(call, &response.base);
    engine_send_gated(engine, call, number);
}
