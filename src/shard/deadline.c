/* deadline: derived from state. */
#include "shard/deadline.h"

#include "shard/activity.h"
#include "shard/close.h"
#include "shard/core.h"
#include "shard/deadline_heap.h"
#include "shard/delete.h"
#include "shard/timer.h"
#include "shard/workflow_task.h"

void deadline_take(struct deadline *earliest, struct deadline candidate) {
    if (!candidate.at) return;
    if (!earliest->at || candidate.at < earliest->at) *earliest = candidate;
}

static void take(struct deadline *earliest, enum deadline_kind kind, int64_t at) {
    deadline_take(earliest, (struct deadline){.at = at, .kind = kind});
}

struct deadline deadline_next(const struct exec *exec) {
    struct deadline earliest = {0};
    const StateInfo *info = exec->info;
    if (!exec_open(exec)) {
        take(&earliest, DEADLINE_DELETE, info->delete_at);
        return earliest;
    }
    const StateWorkflowTask *task = exec->task;
    if (!task) take(&earliest, DEADLINE_FIRST_TASK, info->first_task_at);
    else if (task->started_event_id) take(&earliest, DEADLINE_TASK_START_TO_CLOSE, task->started_time + task->timeout);
    else if (task->schedule_to_start) {
        take(&earliest, DEADLINE_TASK_SCHEDULE_TO_START, task->scheduled_time + task->schedule_to_start);
    }
    take(&earliest, DEADLINE_RUN, exec->start->run_expiration);
    ITEMS_EACH(item, exec, STATE_TIMER) timer_deadline(item, &earliest);
    ITEMS_EACH(item, exec, STATE_ACTIVITY) activity_deadline(item, &earliest);
    return earliest;
}

static void run_one(struct txn *txn, const struct deadline *deadline) {
    switch (deadline->kind) {
    case DEADLINE_FIRST_TASK: workflow_task_schedule(txn); break;
    case DEADLINE_TASK_START_TO_CLOSE: workflow_task_time_out(txn, TIMEOUT_TYPE(START_TO_CLOSE)); break;
    case DEADLINE_TASK_SCHEDULE_TO_START: workflow_task_time_out(txn, TIMEOUT_TYPE(SCHEDULE_TO_START)); break;
    case DEADLINE_TIMER: timer_fire(txn, deadline->item); break;
    case DEADLINE_ACTIVITY: activity_run_deadline(txn, deadline); break;
    case DEADLINE_RUN: close_timed_out(txn); break;
    case DEADLINE_DELETE:
    case DEADLINE_NONE: UNREACHABLE("no such deadline in a transaction");
    }
}

void deadline_run(struct engine *engine, struct exec *exec) {
    int64_t wall = engine_wall(engine);
    struct deadline next = deadline_next(exec);
    if (!next.at || next.at > wall) {
        deadline_changed(engine, exec);
        return;
    }
    struct arena arena = {0};
    bool deletes = next.kind == DEADLINE_DELETE;
    struct status admitted = store_admit(engine->store, deletes ? STORE_RESERVED : STORE_NORMAL, 4096, &arena);
    arena_free(&arena);
    if (!status_ok(admitted)) {        /* the disk is full: time goes on when there is room */
        exec->queued_at = wall + SECONDS(1);
        deadline_add(engine, exec->number, exec->queued_at);
        return;
    }
    if (deletes) {
        delete_execution(engine, exec);
        return;
    }
    struct txn txn;
    txn_begin(&txn, engine, exec);
    while (next.at && next.at <= wall && exec_open(exec)) {
        run_one(&txn, &next);
        next = deadline_next(exec);
    }
    txn_commit(&txn);
}
