/* command_activity: ScheduleActivityTask and RequestCancelActivityTask. */
#include "shard/activity_end.h"
#include "shard/activity_options.h"
#include "shard/activity_start.h"
#include "shard/buffered.h"
#include "shard/command.h"
#include "shard/core.h"

enum { PENDING_ACTIVITIES_MAX = 2000 };

/* ---- ScheduleActivityTask ------------------------------------------------------------------------------------------ */

bool command_schedule_activity_check(struct command_check *check, const Command *command) {
    const int32_t bad = WFT_CAUSE(BAD_SCHEDULE_ACTIVITY_ATTRIBUTES);
    const StateStart *start = check->exec->start;
    ScheduleActivity *a = command->schedule_activity_task_command_attributes;
    struct status status =
        activity_options_check(check->arena, a, start->run_timeout, start->task_queue, command_id_max(check));
    if (!status_ok(status)) return command_fail_status(check, bad, status);
    if (!command_check_size(check, bad, a->input, "ScheduleActivityTaskCommandAttributes.Input exceeds size limit."))
        return false;
    unsigned max = (unsigned)limit_or(check->completion->engine->limits.pending_activities_max, PENDING_ACTIVITIES_MAX);
    if (check->activities >= max)
        return command_fail(check, WFT_CAUSE(PENDING_ACTIVITIES_LIMIT_EXCEEDED),
                            "the number of pending activities, %u, has reached the per-workflow limit of %u",
                            check->activities, max);
    struct planned *same = plan_find(check, STATE_ACTIVITY, a->activity_id);
    if (same && same->pending)
        return command_fail(check, WFT_CAUSE(SCHEDULE_ACTIVITY_DUPLICATE_ID),
                            "invalid history builder state for action: add-activitytask-scheduled-event, "
                            "ActivityID: %s",
                            a->activity_id);
    plan_add(check, STATE_ACTIVITY, a->activity_id);
    check->activities++;
    return true;
}

void command_schedule_activity_apply(struct completion *completion, const Command *command) {
    const ScheduleActivity *a = command->schedule_activity_task_command_attributes;
    EVENT_NEW(ActivityTaskScheduled, activity_task_scheduled, scheduled);
    scheduled.activity_id = a->activity_id;
    scheduled.activity_type = a->activity_type;
    scheduled.task_queue = a->task_queue;
    scheduled.header = a->header;
    scheduled.input = a->input;
    scheduled.schedule_to_close_timeout = a->schedule_to_close_timeout;
    scheduled.schedule_to_start_timeout = a->schedule_to_start_timeout;
    scheduled.start_to_close_timeout = a->start_to_close_timeout;
    scheduled.heartbeat_timeout = a->heartbeat_timeout;
    scheduled.retry_policy = a->retry_policy;
    scheduled.use_workflow_build_id = a->use_workflow_build_id;
    scheduled.priority = a->priority;
    scheduled.workflow_task_completed_event_id = completion->completed_event_id;
    HistoryEvent event = EVENT_INIT;
    EVENT_SET(&event, ACTIVITY_TASK_SCHEDULED, activity_task_scheduled, &scheduled);
    int64_t id = command_add_event(completion, command, &event);
    /* One that is to be started by this very worker stays out of its queue: see activity_start_eager. */
    bool eager = a->request_eager_execution && text_same(a->task_queue->name, completion->exec->start->task_queue);
    if (!eager) activity_dispatch(completion->txn, exec_find(completion->exec, STATE_ACTIVITY, id));
}

/* ---- RequestCancelActivityTask ------------------------------------------------------------------------------------- */

bool command_cancel_activity_check(struct command_check *check, const Command *command) {
    const int32_t bad = WFT_CAUSE(BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES);
    int64_t id = command->request_cancel_activity_task_command_attributes->scheduled_event_id;
    if (id <= 0) return command_fail(check, bad, "ScheduledEventId is not set on RequestCancelActivityTaskCommand.");
    struct planned *activity = plan_find_activity(check, id);
    /* Its result may be held back: the workflow does not know it yet. */
    bool known = activity ? activity->pending && !activity->cancelled : buffered_activity_result(check->exec, id);
    if (!known)
        return command_fail(check, bad,
                            "invalid history builder state for action: add-activitytask-cancel-requested-event, "
                            "ScheduledEventID: %lld",
                            (long long)id);
    if (!activity) return true;
    activity->cancelled = true;
    if (!activity->started) {
        activity->pending = false;
        check->activities--;
    }
    return true;
}

void command_cancel_activity_apply(struct completion *completion, const Command *command) {
    int64_t id = command->request_cancel_activity_task_command_attributes->scheduled_event_id;
    EVENT_NEW(ActivityTaskCancelRequested, activity_task_cancel_requested, requested);
    requested.scheduled_event_id = id;
    requested.workflow_task_completed_event_id = completion->completed_event_id;
    HistoryEvent event = EVENT_INIT;
    EVENT_SET(&event, ACTIVITY_TASK_CANCEL_REQUESTED, activity_task_cancel_requested, &requested);
    command_add_event(completion, command, &event);
    struct item *activity = exec_find(completion->exec, STATE_ACTIVITY, id);
    if (!activity || activity->activity->started_time) return;
    /* Nobody has it: it is cancelled here and now. */
    struct bytes why = bytes_str("\"ACTIVITY_ID_NOT_STARTED\"");
    activity_end_canceled(completion->txn, activity, payloads_json(&completion->txn->arena, why),
                          completion->request->identity);
    completion->wants_task = true;
}
