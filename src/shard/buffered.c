#include "shard/buffered.h"

#include "shard/pb.h"

static HistoryEvent *decode(const struct item *item, struct arena *arena) {
    return pb_unpack(arena, &temporal__api__history__v1__history_event__descriptor, pb_bytes(item->buffered->event));
}

struct item *buffered_timer_fired(const struct exec *exec, const char *timer_id, struct arena *arena,
                                  HistoryEvent **event) {
    ITEMS_EACH(item, exec, STATE_BUFFERED) {
        HistoryEvent *held = *event = decode(item, arena);
        if (held && held->event_type == EVENT(TIMER_FIRED) &&
            strcmp(held->timer_fired_event_attributes->timer_id, timer_id) == 0)
            return item;
    }
    *event = NULL;
    return NULL;
}

/* 0: not the result of an activity. */
static int64_t result_of(const HistoryEvent *event) {
    if (event->event_type == EVENT(ACTIVITY_TASK_COMPLETED))
        return event->activity_task_completed_event_attributes->scheduled_event_id;
    if (event->event_type == EVENT(ACTIVITY_TASK_FAILED))
        return event->activity_task_failed_event_attributes->scheduled_event_id;
    if (event->event_type == EVENT(ACTIVITY_TASK_TIMED_OUT))
        return event->activity_task_timed_out_event_attributes->scheduled_event_id;
    if (event->event_type == EVENT(ACTIVITY_TASK_CANCELED))
        return event->activity_task_canceled_event_attributes->scheduled_event_id;
    return 0;
}

bool buffered_activity_result(const struct exec *exec, int64_t scheduled_event_id) {
    struct arena arena = {0};
    bool found = false;
    ITEMS_EACH(item, exec, STATE_BUFFERED) {
        HistoryEvent *event = decode(item, &arena);
        if (event && result_of(event) == scheduled_event_id) found = true;
    }
    arena_free(&arena);
    return found;
}
