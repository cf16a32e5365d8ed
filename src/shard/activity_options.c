#include "shard/activity_options.h"

#include "base/check.h"
#include "shard/retry.h"
#include "shard/validate.h"

static struct status check_durations(struct arena *arena, const struct activity_timeouts *t) {
    const struct {
        PbDuration *duration;
        const char *name;
    } all[] = {
        {*t->schedule_to_close, "ScheduleToCloseTimeout"},
        {*t->schedule_to_start, "ScheduleToStartTimeout"},
        {*t->start_to_close, "StartToCloseTimeout"},
        {*t->heartbeat, "HeartbeatTimeout"},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        const char *why = duration_check(all[i].duration);
        if (why) return status_invalid(arena, "invalid %s: %s", all[i].name, why);
    }
    return STATUS_GOOD;
}

/* The smaller one of those that are set (not 0). */
static int64_t within(int64_t timeout, int64_t limit) {
    return limit > 0 && (timeout == 0 || timeout > limit) ? limit : timeout;
}

struct status activity_timeouts_normalise(struct arena *arena, const struct activity_timeouts *t, int64_t run_timeout_ns,
                                          const char *id, const char *type) {
    struct status status = check_durations(arena, t);
    if (!status_ok(status)) return status;
    int64_t close = duration_ns(*t->schedule_to_close), start = duration_ns(*t->schedule_to_start);
    int64_t run = duration_ns(*t->start_to_close), heartbeat = duration_ns(*t->heartbeat);
    if (close > 0) {
        start = within(start, close);
        run = within(run, close);
    } else if (run > 0) {
        close = run_timeout_ns;
        if (start == 0) start = run_timeout_ns;
    } else {
        return status_invalid(arena, "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity. "
                           "ActivityId=%s ActivityType=%s",
                           id, type);
    }
    close = within(close, run_timeout_ns);
    start = within(start, run_timeout_ns);
    run = within(run, run_timeout_ns);
    if (heartbeat > run) heartbeat = run;
    /* All four are made present: workers read a length of zero, never an absent one. */
    *t->schedule_to_close = pb_duration(arena, close);
    *t->schedule_to_start = pb_duration(arena, start);
    *t->start_to_close = pb_duration(arena, run);
    *t->heartbeat = pb_duration(arena, heartbeat);
    return STATUS_GOOD;
}

static struct status check_names(struct arena *arena, const char *id, const char *type, uint32_t limit) {
    if (strlen(id) > limit)
        return status_invalid(arena, "activityId exceeds length limit. Length=%zu Limit=%u",
                           strlen(id), limit);
    if (strlen(type) > limit)
        return status_invalid(arena, "activityType exceeds length limit. Length=%zu Limit=%u",
                           strlen(type), limit);
    return STATUS_GOOD;
}

struct status activity_options_check(struct arena *arena, ScheduleActivity *a, int64_t run_timeout_ns,
                                     const char *workflow_task_queue, uint32_t id_length_max) {
    uint32_t limit = id_length_max ? id_length_max : ID_LENGTH_MAX;
    if (!a->task_queue) a->task_queue = PB_NEW(arena, temporal__api__taskqueue__v1__task_queue);
    struct status status = task_queue_check_user(arena, a->task_queue, workflow_task_queue, limit);
    if (!status_ok(status)) return status;

    const char *type = a->activity_type ? a->activity_type->name : "";
    if (text_empty(a->activity_id)) return status_invalid(arena, "activityId is not set");
    if (text_empty(type)) return status_invalid(arena, "activityType is not set");
    if (!a->retry_policy) a->retry_policy = PB_NEW(arena, temporal__api__common__v1__retry_policy);
    retry_policy_fill(arena, a->retry_policy);
    status = retry_policy_check(arena, a->retry_policy);
    if (!status_ok(status)) return status;
    status = check_names(arena, a->activity_id, type, limit);
    if (!status_ok(status)) return status;
    status = priority_check(arena, a->priority);
    if (!status_ok(status))
        return status_invalid(arena, "invalid priorities: %s", status.message);
    struct activity_timeouts timeouts = {&a->schedule_to_close_timeout, &a->schedule_to_start_timeout,
                                         &a->start_to_close_timeout, &a->heartbeat_timeout};
    return activity_timeouts_normalise(arena, &timeouts, run_timeout_ns, a->activity_id, type);
}
