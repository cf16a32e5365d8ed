/* timer: user timers. */
#include "shard/timer.h"

#include "base/check.h"
#include "shard/workflow_task.h"

static void apply_started(struct exec *exec, const HistoryEvent *event) {
    const EVENT_ATTRIBUTES(TimerStarted) *a = event->timer_started_event_attributes;
    StateTimer *timer = state_new(&norn__state__timer__descriptor);
    timer->started_event_id = event->event_id;
    state_set_text(&timer->timer_id, a->timer_id);
    timer->started_at = time_ns(event->event_time);
    timer->fire_at = timer->started_at + duration_ns(a->start_to_fire_timeout);
    exec_add(exec, STATE_TIMER, event->event_id, &timer->base);
}

void timer_apply(struct exec *exec, const HistoryEvent *event) {
    struct item *timer;
    switch ((int)event->event_type) {
    case EVENT(TIMER_STARTED): apply_started(exec, event); return;
    case EVENT(TIMER_FIRED):
        timer = exec_find(exec, STATE_TIMER, event->timer_fired_event_attributes->started_event_id);
        break;
    case EVENT(TIMER_CANCELED):
        timer = exec_find(exec, STATE_TIMER, event->timer_canceled_event_attributes->started_event_id);
        break;
    default: UNREACHABLE("event %d is not a timer's", (int)event->event_type);
    }
    /* A timer that fired while a workflow task ran is gone already when its cancellation comes. */
    if (timer) exec_remove(exec, timer);
}

void timer_deadline(struct item *timer, struct deadline *earliest) {
    deadline_take(earliest, (struct deadline){.at = timer->timer->fire_at, .kind = DEADLINE_TIMER, .item = timer});
}

void timer_fire(struct txn *txn, struct item *timer) {
    EVENT_NEW(TimerFired, timer_fired, fired);
    /* Applying the event frees the timer. */
    fired.timer_id = arena_strdup(&txn->arena, timer->timer->timer_id);
    fired.started_event_id = timer->timer->started_event_id;
    HistoryEvent event = EVENT_INIT;
    EVENT_SET(&event, TIMER_FIRED, timer_fired, &fired);
    txn_add_event(txn, &event);
    workflow_task_wake(txn);
}
