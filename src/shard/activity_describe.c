/* activity_describe: PendingActivityInfo. */
#include "shard/activity_describe.h"

#include "shard/pb.h"
#include "temporal/api/activity/v1/message.pb-c.h"

typedef Temporal__Api__Workflow__V1__PendingActivityInfo PendingActivity;
typedef Temporal__Api__Enums__V1__PendingActivityState PendingState;

enum {
    SCHEDULED = TEMPORAL__API__ENUMS__V1__PENDING_ACTIVITY_STATE__PENDING_ACTIVITY_STATE_SCHEDULED,
    STARTED = TEMPORAL__API__ENUMS__V1__PENDING_ACTIVITY_STATE__PENDING_ACTIVITY_STATE_STARTED,
    CANCEL_REQUESTED = TEMPORAL__API__ENUMS__V1__PENDING_ACTIVITY_STATE__PENDING_ACTIVITY_STATE_CANCEL_REQUESTED,
};

static Temporal__Api__Activity__V1__ActivityOptions *options_of(const StateActivity *activity, struct arena *arena) {
    Temporal__Api__Activity__V1__ActivityOptions *options = PB_NEW(arena, temporal__api__activity__v1__activity_options);
    options->task_queue = PB_NEW(arena, temporal__api__taskqueue__v1__task_queue);
    options->task_queue->name = options->task_queue->normal_name = activity->task_queue;
    options->schedule_to_close_timeout = pb_duration(arena, activity->schedule_to_close);
    options->schedule_to_start_timeout = pb_duration(arena, activity->schedule_to_start);
    options->start_to_close_timeout = pb_duration(arena, activity->start_to_close);
    options->heartbeat_timeout = pb_duration(arena, activity->heartbeat);
    options->retry_policy = activity->retry_policy;
    options->priority = activity->priority;
    return options;
}

PendingActivity *activity_describe(const struct item *item, struct arena *arena) {
    const StateActivity *activity = item->activity;
    PendingActivity *out = PB_NEW(arena, temporal__api__workflow__v1__pending_activity_info);
    bool started = activity->started_time != 0;
    out->activity_id = activity->activity_id;
    out->activity_type = PB_NEW(arena, temporal__api__common__v1__activity_type);
    out->activity_type->name = activity->activity_type;
    out->state = (PendingState)(activity->cancel_requested_event_id ? (int)CANCEL_REQUESTED
                                : started                           ? (int)STARTED
                                                                    : (int)SCHEDULED);
    out->heartbeat_details = activity->heartbeat_details;
    out->last_heartbeat_time = pb_time(arena, activity->heartbeat_time);
    out->last_started_time = pb_time(arena, activity->started_time);
    out->attempt = activity->attempt;
    out->maximum_attempts = activity->retry_policy ? activity->retry_policy->maximum_attempts : 0;
    out->scheduled_time = pb_time(arena, activity->scheduled_time);
    if (activity->schedule_to_close) {
        out->expiration_time = pb_time(arena, activity->first_scheduled_time + activity->schedule_to_close);
    }
    out->last_failure = activity->last_failure;
    out->last_worker_identity = text_empty(activity->identity) ? activity->last_identity : activity->identity;
    out->last_attempt_complete_time = pb_time(arena, activity->last_attempt_complete_time);
    if (!started && !activity->dispatched) {     /* waits for its next attempt */
        out->current_retry_interval = pb_duration(arena, activity->retry_interval);
        out->next_attempt_schedule_time = pb_time(arena, activity->scheduled_time);
    }
    out->priority = activity->priority;
    out->activity_options = options_of(activity, arena);
    return out;
}
