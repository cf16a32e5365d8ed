/* explain: what a run waits for, and since when (Explain of norn.admin.v1; `norn workflow explain`). */
#include "norn/admin.pb-c.h"
#include "shard/core.h"
#include "shard/pb.h"
#include "shard/verify.h"
#include "shard/workflow_task.h"

typedef Norn__Admin__V1__ExplainRequest ExplainRequest;
typedef Norn__Admin__V1__ExplainResponse ExplainResponse;
typedef Norn__Admin__V1__Wait Wait;

/* One more wait; `out` has room. */
static Wait *add(ExplainResponse *out, struct arena *arena, const char *what, int64_t since, int64_t until) {
    Wait *wait = PB_NEW(arena, norn__admin__v1__wait);
    wait->waits_for = pb_text(what);
    wait->since = pb_time(arena, since);
    wait->until = pb_time(arena, until);
    out->waits[out->n_waits++] = wait;
    return wait;
}

static void explain_task(const struct exec *exec, ExplainResponse *out, struct arena *arena) {
    const StateWorkflowTask *task = exec->task;
    Wait *wait;
    if (!task && !exec->info->first_task_at) return;
    if (!task) {
        add(out, arena, "its first workflow task, which is delayed", exec->start->start_time, exec->info->first_task_at);
        return;
    }
    if (task->started_event_id)
        wait = add(out, arena, "a worker to complete its workflow task", task->started_time, task->started_time + task->timeout);
    else
        wait = add(out, arena, "a worker to take its workflow task", task->scheduled_time,
                   task->schedule_to_start ? task->scheduled_time + task->schedule_to_start : 0);
    wait->task_queue = task->task_queue;
    wait->attempt = task->attempt;
    if (task->started_event_id && !text_empty(task->identity)) wait->worker_identity = task->identity;
}

static void explain_activity(const StateActivity *activity, int64_t now, ExplainResponse *out, struct arena *arena) {
    Wait *wait;
    if (activity->started_time)
        wait = add(out, arena, "a worker to complete an activity", activity->started_time,
                   activity->start_to_close ? activity->started_time + activity->start_to_close : 0);
    else if (activity->scheduled_time > now)
        wait = add(out, arena, "the next attempt of an activity", activity->last_attempt_complete_time,
                   activity->scheduled_time);
    else
        wait = add(out, arena, "a worker to take an activity", activity->scheduled_time,
                   activity->schedule_to_start ? activity->scheduled_time + activity->schedule_to_start : 0);
    wait->activity_id = activity->activity_id;
    wait->activity_type = activity->activity_type;
    wait->task_queue = activity->task_queue;
    wait->attempt = activity->attempt;
    wait->maximum_attempts = activity->retry_policy ? activity->retry_policy->maximum_attempts : 0;
    if (activity->started_time && !text_empty(activity->identity)) wait->worker_identity = activity->identity;
    wait->last_heartbeat_time = pb_time(arena, activity->heartbeat_time);
    if (activity->last_failure) wait->last_failure = activity->last_failure->message;
}

static size_t count_waits(struct exec *exec) {
    size_t count = 2;                    /* the workflow task, or an input */
    ITEMS_EACH(item, exec, STATE_ACTIVITY) count++;
    ITEMS_EACH(item, exec, STATE_TIMER) count++;
    return count;
}

static void explain_open(struct exec *exec, int64_t now, ExplainResponse *out, struct arena *arena) {
    out->waits = arena_alloc(arena, count_waits(exec) * sizeof *out->waits);
    explain_task(exec, out, arena);
    ITEMS_EACH(item, exec, STATE_ACTIVITY) explain_activity(item->activity, now, out, arena);
    ITEMS_EACH(item, exec, STATE_TIMER) {
        const StateTimer *timer = item->timer;
        add(out, arena, "a timer", timer->started_at, timer->fire_at)->timer_id = timer->timer_id;
    }
    if (out->n_waits == 0) add(out, arena, "a signal, a cancel request or another input", exec->info->last_event_time, 0);
}

void engine_explain(struct engine *engine, struct call *call) {
    const ExplainRequest *request = (const void *)call->request;
    struct exec *exec = engine_find(engine, call, engine_explain, request->workflow_id, request->run_id);
    if (!exec) return;
    ExplainResponse out = NORN__ADMIN__V1__EXPLAIN_RESPONSE__INIT;
    out.workflow_id = pb_text(exec_workflow_id(exec));
    out.run_id = pb_text(exec_run_id(exec));
    out.status = (Temporal__Api__Enums__V1__WorkflowExecutionStatus)exec->info->status;
    out.start_time = pb_time(call->arena, exec->start->start_time);
    out.close_time = pb_time(call->arena, exec->info->close_time);
    out.events = exec_next_event_id(exec) - 1;
    if (exec_open(exec)) explain_open(exec, engine_wall(engine), &out, call->arena);
    if (request->check_state) out.difference = pb_text(verify_difference(exec, call->arena));
    engine_reply(engine, exec, call, &out.base);
}
