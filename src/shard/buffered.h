/* buffered: looking among the events that wait for the end of the workflow task. */
#ifndef NORN_SHARD_BUFFERED_H
#define NORN_SHARD_BUFFERED_H

#include "shard/exec.h"

/* The held back TimerFired of this timer; NULL. *event: decoded, in the arena. */
struct item *buffered_timer_fired(const struct exec *exec, const char *timer_id, struct arena *arena,
                                  HistoryEvent **event);
/* Whether the result of this activity is held back. */
bool buffered_activity_result(const struct exec *exec, int64_t scheduled_event_id);

#endif
