/* unfinished: stands in for query.c until it comes; remove with it. */
#include "shard/core.h"
#include "shard/query.h"

void query_attach(struct exec *exec, PollWorkflowTaskQueueResponse *response, struct arena *arena) {}
void query_answer(struct engine *engine, struct exec *exec, const RespondWorkflowTaskCompletedRequest *request,
                  uint64_t gate) {}
void query_dispatch_waiting(struct engine *engine, struct exec *exec) {}
void query_stop(struct engine *engine) {}
void query_start(struct engine *engine, struct exec *exec, const struct queue_name *name, const struct queue_task *task,
                 struct call *poll) {
    engine_poll_again(engine, name, poll);
}
void engine_query_workflow(struct engine *engine, struct call *call) {
    call_fail(call, STATUS_UNIMPLEMENTED, "unknown method QueryWorkflow for service temporal.api.workflowservice.v1.WorkflowService");
}
void engine_respond_query_task_completed(struct engine *engine, struct call *call) {
    call_fail(call, STATUS_UNIMPLEMENTED,
              "unknown method RespondQueryTaskCompleted for service temporal.api.workflowservice.v1.WorkflowService");
}
