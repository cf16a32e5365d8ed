/* task_started: a queue has matched a task with a poll. */
#include "base/mark.h"
#include "base/plant.h"
#include "shard/activity.h"
#include "shard/directory.h"
#include "shard/query.h"
#include "shard/task_answer.h"
#include "shard/workflow_task.h"
#include "telemetry/workload.h"

/* The worker that waits on the run's sticky queue has the run cached. Any other needs all of it, and takes over. */
static bool is_sticky_worker(const struct exec *exec, const struct queue_name *name) {
    const char *sticky = exec->info->sticky_queue;
    return !text_empty(sticky) && bytes_equal(bytes_str(sticky), name->name);
}

/* A worker that gets a history with finished workflow tasks runs them again. */
static void count_replay(const struct engine *engine, const struct exec *exec) {
    const struct namespace_info *ns = engine->host.namespace_by_id(engine->host.ctx, exec->start->namespace_id.data);
    workload_workflow_replayed(engine->io, ns ? ns->name : "", exec->start->workflow_type);
}

static void start_workflow_task(struct engine *engine, struct exec *exec, const struct queue_name *name,
                                const struct queue_task *item, struct call *poll) {
    const StateWorkflowTask *task = exec->task;
    bool current = exec_open(exec) && task && !task->started_event_id && task->stamp == item->stamp;
    if (!current) {
        mark(MARK_TASK_STALE);
        engine_poll_again(engine, name, poll);
        return;
    }
    const PollWorkflowTaskQueueRequest *request = (const void *)poll->request;
    bool partial = is_sticky_worker(exec, name);
    /* That the task was started may be lost (docs/durability.md): the answer waits for what it shows, not for its own
     * record. */
    uint64_t seen = exec->commit;
    uint8_t raw[UUID_LEN];
    char request_id[UUID_TEXT_SIZE];
    engine_new_run_id(engine, raw);
    uuid_text(raw, request_id);
    if (!partial && exec->info->completed_started_id) count_replay(engine, exec);

    struct txn txn;
    txn_begin(&txn, engine, exec);
    if (!partial && !text_empty(exec->info->sticky_queue)) {
        mark(MARK_STICKY_TAKEN_OVER);
        state_set_text(&exec->info->sticky_queue, "");
        exec_touch(exec, STATE_INFO);
    }
    workflow_task_start(&txn, request->identity, request_id);
    call_set_reply_bytes(poll, task_answer(engine, exec, poll->arena, partial));
    txn_commit(&txn);
    engine_send_gated(engine, poll, seen);
}

void engine_start_task(struct engine *engine, const struct queue_name *name, const struct queue_task *task,
                       struct call *poll) {
    struct exec *exec;
    struct load *load;
    if (engine->stopped) {
        call_fail(poll, STATUS_UNAVAILABLE, "the server is shutting down");
        return;
    }
    switch (directory_find_number(engine, task->execution, task->hash, &exec, &load)) {
    case FOUND_NONE: engine_poll_again(engine, name, poll); return;
    case FOUND_LATER: directory_park_task(load, poll, name, task); return;
    case FOUND: break;
    }
    if (poll->cancelled && !PLANT(engine->io, CANCELLED_POLL_GETS_TASK)) {   /* nobody is there: the task goes back */
        mark(MARK_HANDOFF_GONE);
        if (!PLANT(engine->io, HANDOFF_LOST)) engine->host.add_task(engine->host.ctx, name, task);
        call_fail(poll, STATUS_CANCELLED, "the client went away");
        return;
    }
    struct status admitted = store_admit(engine->store, STORE_NORMAL, 8192, poll->arena);
    if (!status_ok(admitted)) {
        engine->host.add_task(engine->host.ctx, name, task);
        engine_fail(engine, exec, poll, admitted);
        return;
    }
    if (task->query) query_start(engine, exec, name, task, poll);
    else if (name->type == QUEUE_WORKFLOW) start_workflow_task(engine, exec, name, task, poll);
    else activity_start(engine, exec, name, task, poll);
}
