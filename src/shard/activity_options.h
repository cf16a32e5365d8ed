/* activity_options: checks and completes what a workflow asks of an activity (temporal-surface.md 4.2). */
#ifndef NORN_SHARD_ACTIVITY_OPTIONS_H
#define NORN_SHARD_ACTIVITY_OPTIONS_H

#include <temporal/api/command/v1/message.pb-c.h>

#include "base/status.h"
#include "shard/pb.h"

typedef Temporal__Api__Command__V1__ScheduleActivityTaskCommandAttributes ScheduleActivity;

/* Timeouts, each present when activity_options_normalise returns. */
struct activity_timeouts {
    PbDuration **schedule_to_close, **schedule_to_start, **start_to_close, **heartbeat;
};
/* Derives the timeouts that are not set, and keeps each within the run's timeout (0: none). `id` and `type` are for the
 * text of a refusal. */
struct status activity_timeouts_normalise(struct arena *arena, const struct activity_timeouts *timeouts,
                                          int64_t run_timeout_ns, const char *id, const char *type);

/* Checks the attributes and fills in what is absent, in place: retry policy, timeouts, task queue. */
struct status activity_options_check(struct arena *arena, ScheduleActivity *attributes, int64_t run_timeout_ns,
                                     const char *workflow_task_queue, uint32_t id_length_max);

#endif
