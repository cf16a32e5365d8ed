#include "shard/activity_end.h"

#include "base/mark.h"
#include "base/plant.h"
#include "shard/activity_start.h"
#include "shard/failure.h"
#include "shard/retry.h"
#include "shard/workflow_task.h"

int64_t activity_expires_at(const StateActivity *activity) {
    return activity->schedule_to_close ? activity->first_scheduled_time + activity->schedule_to_close : 0;
}

/* The event of the last attempt's start, which is written only now; gives its id. 0: no attempt is running. */
static int64_t write_started(struct txn *txn, const StateActivity *activity) {
    if (!activity->started_time) return 0;
    EVENT_NEW(ActivityTaskStarted, activity_task_started, started);
    started.scheduled_event_id = activity->scheduled_event_id;
    started.identity = activity->identity;
    started.request_id = activity->request_id;
    started.attempt = activity->attempt;
    started.last_failure = activity->last_failure;
    HistoryEvent event = EVENT_INIT;
    EVENT_SET(&event, ACTIVITY_TASK_STARTED, activity_task_started, &started);
    event.event_time = pb_time(&txn->arena, activity->started_time);
    return txn_add_event(txn, &event);
}

void activity_end_completed(struct txn *txn, struct item *item, const Payloads *result, const char *identity) {
    EVENT_NEW(ActivityTaskCompleted, activity_task_completed, completed);
    completed.result = (Payloads *)(uintptr_t)result;
    completed.scheduled_event_id = item->key;
    completed.started_event_id = write_started(txn, item->activity);
    completed.identity = pb_text(identity);
    HistoryEvent event = EVENT_INIT;
    EVENT_SET(&event, ACTIVITY_TASK_COMPLETED, activity_task_completed, &completed);
    txn_add_event(txn, &event);
    workflow_task_wake(txn);
}

void activity_end_failed(struct txn *txn, struct item *item, const Failure *failure, RetryState state,
                         const char *identity) {
    activity_withdraw(txn, item);
    EVENT_NEW(ActivityTaskFailed, activity_task_failed, failed);
    failed.failure = (Failure *)(uintptr_t)failure;
    failed.scheduled_event_id = item->key;
    failed.started_event_id = write_started(txn, item->activity);
    failed.identity = pb_text(identity);
    failed.retry_state = state;
    HistoryEvent event = EVENT_INIT;
    EVENT_SET(&event, ACTIVITY_TASK_FAILED, activity_task_failed, &failed);
    txn_add_event(txn, &event);
    workflow_task_wake(txn);
}

void activity_end_timed_out(struct txn *txn, struct item *item, Failure *failure, RetryState state) {
    mark(MARK_ACTIVITY_TIMED_OUT);
    activity_withdraw(txn, item);
    /* Applying the event frees the item, so what the event shows of it is copied. */
    failure->timeout_failure_info->last_heartbeat_details = pb_copy(&txn->arena, item->activity->heartbeat_details);
    failure->cause = pb_copy(&txn->arena, item->activity->last_failure);
    EVENT_NEW(ActivityTaskTimedOut, activity_task_timed_out, timed_out);
    timed_out.failure = failure;
    timed_out.scheduled_event_id = item->key;
    timed_out.started_event_id = write_started(txn, item->activity);
    timed_out.retry_state = state;
    HistoryEvent event = EVENT_INIT;
    EVENT_SET(&event, ACTIVITY_TASK_TIMED_OUT, activity_task_timed_out, &timed_out);
    txn_add_event(txn, &event);
    workflow_task_wake(txn);
}

void activity_end_canceled(struct txn *txn, struct item *item, const Payloads *details, const char *identity) {
    activity_withdraw(txn, item);
    EVENT_NEW(ActivityTaskCanceled, activity_task_canceled, canceled);
    canceled.details = (Payloads *)(uintptr_t)details;
    canceled.latest_cancel_requested_event_id = item->activity->cancel_requested_event_id;
    canceled.scheduled_event_id = item->key;
    canceled.started_event_id = write_started(txn, item->activity);
    canceled.identity = pb_text(identity);
    HistoryEvent event = EVENT_INIT;
    EVENT_SET(&event, ACTIVITY_TASK_CANCELED, activity_task_canceled, &canceled);
    txn_add_event(txn, &event);
    workflow_task_wake(txn);
}

/* ---- retries ------------------------------------------------------------------------------------------------------- */

/* Deadlines of the server's own are no failures of an attempt: the next one could not begin earlier either. */
static bool is_schedule_timeout(const Failure *failure) {
    if (!failure || failure->failure_info_case != FAILURE_INFO(TIMEOUT)) return false;
    TimeoutType type = failure->timeout_failure_info->timeout_type;
    return type == TIMEOUT_TYPE(SCHEDULE_TO_START) || type == TIMEOUT_TYPE(SCHEDULE_TO_CLOSE);
}

static void next_attempt(struct txn *txn, struct item *item, const Failure *failure, int64_t interval) {
    StateActivity *activity = item->activity;
    mark(MARK_ACTIVITY_RETRIED);
    activity_withdraw(txn, item);
    STATE_SET_MESSAGE(&activity->last_failure, failure_for_retry(&txn->arena, failure));
    if (!text_empty(activity->identity)) state_set_text(&activity->last_identity, activity->identity);
    state_set_text(&activity->identity, "");
    state_set_text(&activity->request_id, "");
    activity->attempt++;
    activity->started_time = 0;
    activity->last_attempt_complete_time = txn->now;
    activity->retry_interval = interval;
    activity->scheduled_time = txn->now + interval;
    activity->dispatched = false;
    activity->epoch = activity->dispatch = 0;
    if (PLANT(txn->engine->io, SCHEDULE_TO_CLOSE_RESTARTS)) activity->first_scheduled_time = activity->scheduled_time;
    if (PLANT(txn->engine->io, HEARTBEAT_LOST_BY_RETRY)) STATE_SET_MESSAGE(&activity->heartbeat_details, NULL);
    exec_touch_item(txn->exec, item);
    if (interval == 0) activity_dispatch(txn, item);
}

RetryState activity_retry(struct txn *txn, struct item *item, const Failure *failure) {
    const StateActivity *activity = item->activity;
    if (!activity->retry_policy) return RETRY_STATE(RETRY_POLICY_NOT_SET);
    if (activity->cancel_requested_event_id) return RETRY_STATE(CANCEL_REQUESTED);
    if (is_schedule_timeout(failure)) return RETRY_STATE(TIMEOUT);
    int64_t interval;
    RetryState state = retry_next(activity->retry_policy, activity->attempt, txn->now, activity_expires_at(activity),
                                  failure, &interval);
    if (PLANT(txn->engine->io, BACKOFF_OF_NEXT_ATTEMPT))
        interval = retry_backoff(duration_ns(activity->retry_policy->initial_interval),
                                 activity->retry_policy->backoff_coefficient, activity->attempt + 1);
    if (state == RETRY_STATE(IN_PROGRESS)) next_attempt(txn, item, failure, interval);
    return state;
}
