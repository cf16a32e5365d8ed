/* activity_start: queues, polls, eager starts. */
#include "shard/activity_start.h"

#include "base/plant.h"
#include "shard/core.h"
#include "shard/pb.h"
#include "shard/token.h"

/* ---- queues -------------------------------------------------------------------------------------------------------- */

Priority *activity_priority(const struct exec *exec, const StateActivity *activity, struct arena *arena) {
    const Priority *own = activity->priority, *workflow = exec->start->priority;
    if (!own && !workflow) return NULL;
    Priority *priority = pb_copy(arena, own ? own : workflow);
    if (!own || !workflow) return priority;
    if (priority->priority_key == 0) priority->priority_key = workflow->priority_key;
    if (text_empty(priority->fairness_key)) priority->fairness_key = arena_strdup(arena, workflow->fairness_key);
    if (priority->fairness_weight == 0) priority->fairness_weight = workflow->fairness_weight;
    return priority;
}

static void task_of(const struct exec *exec, const StateActivity *activity, struct queue_name *name,
                    struct queue_task *task) {
    const Priority *own = activity->priority, *workflow = exec->start->priority;
    *name = engine_queue(exec, QUEUE_ACTIVITY, activity->task_queue);
    *task = (struct queue_task){
        .execution = exec->number,
        .hash = exec->hash,
        .event_id = activity->scheduled_event_id,
        .stamp = activity->stamp,
        .schedule_time = activity->scheduled_time,
        .priority = own && own->priority_key ? own->priority_key : workflow ? workflow->priority_key : 0,
    };
}

bool activity_task(const struct exec *exec, const struct item *item, struct queue_name *name, struct queue_task *task) {
    const StateActivity *activity = item->activity;
    if (activity->started_time || !activity->dispatched) return false;
    task_of(exec, activity, name, task);
    return true;
}

void activity_dispatch(struct txn *txn, struct item *item) {
    struct queue_name name;
    struct queue_task task;
    item->activity->stamp = exec_next_stamp(txn->exec);
    item->activity->dispatched = true;
    exec_touch_item(txn->exec, item);
    task_of(txn->exec, item->activity, &name, &task);
    txn_send_task(txn, &name, &task);
}

void activity_withdraw(struct txn *txn, const struct item *item) {
    struct queue_name name;
    struct queue_task task;
    if (activity_task(txn->exec, item, &name, &task)) txn_withdraw_task(txn, &name, &task, NULL);
}

/* ---- starting ------------------------------------------------------------------------------------------------------ */

void activity_begin(struct txn *txn, struct item *item, const char *identity) {
    StateActivity *activity = item->activity;
    activity->started_time = txn->now;
    activity->epoch = txn->engine->epoch;
    activity->dispatch = ++txn->engine->dispatches;
    activity->heartbeat_time = 0;
    state_set_text(&activity->identity, identity);
    exec_touch_item(txn->exec, item);
}

static ProtobufCBinaryData token_of(const struct exec *exec, const StateActivity *activity, struct arena *arena) {
    TaskToken token = NORN__STATE__TASK_TOKEN__INIT;
    token.namespace_id = exec->start->namespace_id;
    token.workflow_id = exec->start->workflow_id;
    token.run_id = exec->start->run_id;
    token.execution = exec->number;
    token.hash = exec->hash;
    token.scheduled_event_id = activity->scheduled_event_id;
    token.attempt = activity->attempt;
    token.epoch = activity->epoch;
    token.dispatch = activity->dispatch;
    token.activity_id = activity->activity_id;
    token.activity_type = activity->activity_type;
    return token_encode(arena, &token);
}

PollActivityTaskQueueResponse *activity_poll_response(struct engine *engine, const struct exec *exec,
                                                      const struct item *item, struct arena *arena) {
    const StateActivity *activity = item->activity;
    PollActivityTaskQueueResponse *r = PB_NEW(arena, temporal__api__workflowservice__v1__poll_activity_task_queue_response);
    r->task_token = token_of(exec, activity, arena);
    r->workflow_namespace = arena_strdup(arena, engine_namespace_name(engine, exec));
    r->workflow_type = PB_NEW(arena, temporal__api__common__v1__workflow_type);
    r->workflow_type->name = exec->start->workflow_type;
    r->workflow_execution = PB_NEW(arena, temporal__api__common__v1__workflow_execution);
    r->workflow_execution->workflow_id = exec->start->workflow_id;
    r->workflow_execution->run_id = exec->start->run_id;
    r->activity_type = PB_NEW(arena, temporal__api__common__v1__activity_type);
    r->activity_type->name = activity->activity_type;
    r->activity_id = activity->activity_id;
    const HistoryEvent *scheduled = history_decode(&exec->history, activity->scheduled_event_id, arena);
    r->header = scheduled->activity_task_scheduled_event_attributes->header;
    r->input = scheduled->activity_task_scheduled_event_attributes->input;
    r->heartbeat_details = activity->heartbeat_details;
    r->scheduled_time = pb_time(arena, activity->first_scheduled_time);
    r->current_attempt_scheduled_time = pb_time(arena, activity->scheduled_time);
    r->started_time = pb_time(arena, activity->started_time);
    r->attempt = activity->attempt;
    r->schedule_to_close_timeout = pb_duration(arena, activity->schedule_to_close);
    r->start_to_close_timeout = pb_duration(arena, activity->start_to_close);
    r->heartbeat_timeout = pb_duration(arena, activity->heartbeat);
    r->retry_policy = activity->retry_policy;
    r->priority = activity_priority(exec, activity, arena);
    return r;
}

void activity_start(struct engine *engine, struct exec *exec, const struct queue_name *name,
                    const struct queue_task *task, struct call *poll) {
    struct item *item = exec_find(exec, STATE_ACTIVITY, task->event_id);
    bool current = exec_open(exec) && item && !item->activity->started_time && item->activity->dispatched &&
                   item->activity->stamp == task->stamp;
    if (!current) {
        engine_poll_again(engine, name, poll);
        return;
    }
    const PollActivityTaskQueueRequest *request = (const void *)poll->request;
    /* Where the policy allows more than one attempt, that this one was started may be lost in a crash: the answer then
     * waits for what it shows, not for its own record (docs/durability.md). */
    const RetryPolicy *policy = item->activity->retry_policy;
    bool once = policy && policy->maximum_attempts == 1;
    uint64_t seen = exec->commit;
    struct txn txn;
    txn_begin(&txn, engine, exec);
    activity_begin(&txn, item, request->identity);
    call_set_reply(poll, &activity_poll_response(engine, exec, item, poll->arena)->base);
    uint64_t own = txn_commit(&txn);
    engine_send_gated(engine, poll, once && !PLANT(engine->io, ONCE_STARTED_TWICE) ? own : seen);
}

void activity_start_eager(struct completion *completion) {
    const RespondWorkflowTaskCompletedRequest *request = completion->request;
    struct arena *arena = completion->call->arena;
    completion->eager = arena_alloc(arena, request->n_commands * sizeof(*completion->eager));
    ITEMS_EACH(item, completion->exec, STATE_ACTIVITY) {
        StateActivity *activity = item->activity;
        /* Only those of this completion are neither dispatched nor waiting for their next attempt. */
        if (activity->dispatched || activity->started_time || activity->attempt > 1) continue;
        activity_begin(completion->txn, item, request->identity);
        completion->eager[completion->eager_count++] =
            activity_poll_response(completion->engine, completion->exec, item, arena);
    }
}
