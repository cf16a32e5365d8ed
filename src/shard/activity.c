/* activity: the state that events of activities make, and what activities do as time passes. */
#include "shard/activity.h"

#include "base/check.h"
#include "shard/activity_end.h"
#include "shard/activity_start.h"
#include "shard/failure.h"
#include "shard/pb.h"

/* ---- events -------------------------------------------------------------------------------------------------------- */

static void apply_scheduled(struct exec *exec, const HistoryEvent *event) {
    const EVENT_ATTRIBUTES(ActivityTaskScheduled) *a = event->activity_task_scheduled_event_attributes;
    StateActivity *activity = state_new(&norn__state__activity__descriptor);
    activity->scheduled_event_id = event->event_id;
    state_set_text(&activity->activity_id, a->activity_id);
    state_set_text(&activity->activity_type, a->activity_type->name);
    state_set_text(&activity->task_queue, a->task_queue->name);
    activity->schedule_to_close = duration_ns(a->schedule_to_close_timeout);
    activity->schedule_to_start = duration_ns(a->schedule_to_start_timeout);
    activity->start_to_close = duration_ns(a->start_to_close_timeout);
    activity->heartbeat = duration_ns(a->heartbeat_timeout);
    STATE_SET_MESSAGE(&activity->retry_policy, a->retry_policy);
    STATE_SET_MESSAGE(&activity->priority, a->priority);
    activity->attempt = 1;
    activity->first_scheduled_time = activity->scheduled_time = time_ns(event->event_time);
    exec_add(exec, STATE_ACTIVITY, event->event_id, &activity->base);
}

static void apply_cancel_requested(struct exec *exec, const HistoryEvent *event) {
    int64_t id = event->activity_task_cancel_requested_event_attributes->scheduled_event_id;
    struct item *item = exec_find(exec, STATE_ACTIVITY, id);
    if (!item) return;     /* its result is held back: the state has it no more */
    item->activity->cancel_requested_event_id = event->event_id;
    exec_touch_item(exec, item);
}

static int64_t ended_activity(const HistoryEvent *event) {
    switch ((int)event->event_type) {
    case EVENT(ACTIVITY_TASK_COMPLETED): return event->activity_task_completed_event_attributes->scheduled_event_id;
    case EVENT(ACTIVITY_TASK_FAILED): return event->activity_task_failed_event_attributes->scheduled_event_id;
    case EVENT(ACTIVITY_TASK_TIMED_OUT): return event->activity_task_timed_out_event_attributes->scheduled_event_id;
    case EVENT(ACTIVITY_TASK_CANCELED): return event->activity_task_canceled_event_attributes->scheduled_event_id;
    default: UNREACHABLE("event %d is not an activity's", (int)event->event_type);
    }
}

void activity_apply(struct exec *exec, const HistoryEvent *event) {
    switch ((int)event->event_type) {
    case EVENT(ACTIVITY_TASK_SCHEDULED): apply_scheduled(exec, event); return;
    case EVENT(ACTIVITY_TASK_STARTED): return;
    case EVENT(ACTIVITY_TASK_CANCEL_REQUESTED): apply_cancel_requested(exec, event); return;
    default: break;
    }
    struct item *item = exec_find(exec, STATE_ACTIVITY, ended_activity(event));
    if (item) exec_remove(exec, item);
}

/* ---- time ---------------------------------------------------------------------------------------------------------- */

/* What of an activity is due; TIMEOUT_TYPE(...) or: */
enum { DUE_DISPATCH = 0 };

static void take(struct deadline *earliest, struct item *item, int64_t from, int64_t timeout, int detail) {
    if (timeout <= 0) return;
    deadline_take(earliest, (struct deadline){from + timeout, DEADLINE_ACTIVITY, item, detail});
}

void activity_deadline(struct item *item, struct deadline *earliest) {
    const StateActivity *a = item->activity;
    take(earliest, item, a->first_scheduled_time, a->schedule_to_close, TIMEOUT_TYPE(SCHEDULE_TO_CLOSE));
    if (a->started_time) {
        int64_t alive = a->heartbeat_time > a->started_time ? a->heartbeat_time : a->started_time;
        take(earliest, item, a->started_time, a->start_to_close, TIMEOUT_TYPE(START_TO_CLOSE));
        take(earliest, item, alive, a->heartbeat, TIMEOUT_TYPE(HEARTBEAT));
        return;
    }
    take(earliest, item, a->scheduled_time, a->schedule_to_start, TIMEOUT_TYPE(SCHEDULE_TO_START));
    if (!a->dispatched)
        deadline_take(earliest, (struct deadline){a->scheduled_time, DEADLINE_ACTIVITY, item, DUE_DISPATCH});
}

static void time_out(struct txn *txn, struct item *item, TimeoutType type) {
    Failure *failure = failure_timeout(&txn->arena, type, "activity %s timeout", timeout_type_text(type));
    RetryState state = activity_retry(txn, item, failure);
    if (state == RETRY_STATE(IN_PROGRESS)) return;
    /* That no attempt fits any more is told as the end of all of them, whichever timeout it was. */
    if (state == RETRY_STATE(TIMEOUT) && type != TIMEOUT_TYPE(SCHEDULE_TO_START))
        failure = failure_timeout(&txn->arena, TIMEOUT_TYPE(SCHEDULE_TO_CLOSE),
                                  "Not enough time to schedule next retry before activity ScheduleToClose timeout, "
                                  "giving up retrying");
    activity_end_timed_out(txn, item, failure, state);
}

void activity_run_deadline(struct txn *txn, const struct deadline *deadline) {
    if (deadline->detail == DUE_DISPATCH) activity_dispatch(txn, deadline->item);
    else time_out(txn, deadline->item, (TimeoutType)deadline->detail);
}
