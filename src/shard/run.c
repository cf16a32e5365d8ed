/* run: event 1. */
#include "shard/run.h"

#include "base/plant.h"
#include "shard/directory.h"

#define TASK_TIMEOUT_DEFAULT SECONDS(10)
#define TASK_TIMEOUT_MAX SECONDS(120)

struct run_timeouts run_timeouts(int64_t execution, int64_t run, int64_t task) {
    if (execution && (!run || run > execution)) run = execution;
    if (!task) task = TASK_TIMEOUT_DEFAULT;
    if (task > TASK_TIMEOUT_MAX) task = TASK_TIMEOUT_MAX;
    if (run && task > run) task = run;
    return (struct run_timeouts){execution, run, task};
}

static void note_request(struct exec *exec, const char *id) {
    state_set_text(&exec->start->request_id, id);
    exec_touch(exec, STATE_START);
    if (text_empty(id)) return;
    StateRequest *request = state_new(&norn__state__request__descriptor);
    state_set_text(&request->id, id);
    request->event_type = EVENT(WORKFLOW_EXECUTION_STARTED);
    request->event_id = 1;
    struct item *item = exec_add(exec, STATE_REQUEST, exec_next_sequence(exec), &request->base);
    if (PLANT(exec->engine->io, REQUEST_ID_NOT_KEPT)) list_remove(&item->marked_link);
}

void run_supersede(struct txn *txn) {
    txn->exec->info->superseded = true;
    exec_touch(txn->exec, STATE_INFO);
}

struct exec *run_create(struct engine *engine, struct run_spec *spec, struct txn *txn) {
    struct exec *exec = directory_new(engine, spec->namespace_id, spec->workflow_id, spec->run_id, spec->hash);
    txn_begin(txn, engine, exec);
    EVENT_ATTRIBUTES(WorkflowExecutionStarted) *started = spec->started;
    started->workflow_id = exec->start->workflow_id;
    if (text_empty(started->first_execution_run_id)) started->first_execution_run_id = exec->start->run_id;
    if (text_empty(started->original_execution_run_id)) started->original_execution_run_id = exec->start->run_id;
    HistoryEvent event = EVENT_INIT;
    EVENT_SET(&event, WORKFLOW_EXECUTION_STARTED, workflow_execution_started, started);
    event.user_metadata = spec->user_metadata;
    event.links = spec->links;
    event.n_links = spec->link_count;
    txn_add_event(txn, &event);
    exec->start->predecessor = spec->predecessor;
    note_request(exec, spec->request_id);
    engine->stats.workflows_started++;
    return exec;
}
