/* timer: user timers. */
#ifndef NORN_SHARD_TIMER_H
#define NORN_SHARD_TIMER_H

#include "shard/deadline.h"

/* apply_event for events 17..19. */
void timer_apply(struct exec *exec, const HistoryEvent *event);
void timer_deadline(struct item *timer, struct deadline *earliest);
/* Writes TimerFired and wakes the workflow. */
void timer_fire(struct txn *txn, struct item *timer);

#endif
