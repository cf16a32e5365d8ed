/* command_timer: StartTimer and CancelTimer. */
#include "shard/buffered.h"
#include "shard/command.h"
#include "shard/validate.h"

static bool check_id(struct command_check *check, int32_t cause, const char *timer_id) {
    const char *name = check->kind->name;
    if (text_empty(timer_id)) return command_fail(check, cause, "TimerId is not set on %sCommand.", name);
    size_t len = strlen(timer_id);
    if (len > command_id_max(check))
        return command_fail(check, cause, "TimerId on %sCommand exceeds length limit. TimerId=%s Length=%zu Limit=%u",
                            name, timer_id, len, command_id_max(check));
    return true;
}

bool command_start_timer_check(struct command_check *check, const Command *command) {
    const int32_t bad = WFT_CAUSE(BAD_START_TIMER_ATTRIBUTES);
    Temporal__Api__Command__V1__StartTimerCommandAttributes *a = command->start_timer_command_attributes;
    if (!check_id(check, bad, a->timer_id)) return false;
    const char *why = duration_check(a->start_to_fire_timeout);
    if (why)
        return command_fail(check, bad, "An invalid StartToFireTimeout is set on StartTimerCommand: %s. TimerId=%s",
                            why, a->timer_id);
    struct planned *timer = plan_find(check, STATE_TIMER, a->timer_id);
    if (timer && timer->pending)
        return command_fail(check, WFT_CAUSE(START_TIMER_DUPLICATE_ID),
                            "invalid history builder state for action: add-timer-started-event, TimerID: %s",
                            a->timer_id);
    plan_add(check, STATE_TIMER, a->timer_id);
    return true;
}

void command_start_timer_apply(struct completion *completion, const Command *command) {
    const Temporal__Api__Command__V1__StartTimerCommandAttributes *a = command->start_timer_command_attributes;
    EVENT_NEW(TimerStarted, timer_started, started);
    started.timer_id = a->timer_id;
    started.start_to_fire_timeout = a->start_to_fire_timeout;
    started.workflow_task_completed_event_id = completion->completed_event_id;
    HistoryEvent event = EVENT_INIT;
    EVENT_SET(&event, TIMER_STARTED, timer_started, &started);
    command_add_event(completion, command, &event);
}

bool command_cancel_timer_check(struct command_check *check, const Command *command) {
    const int32_t bad = WFT_CAUSE(BAD_CANCEL_TIMER_ATTRIBUTES);
    const char *timer_id = command->cancel_timer_command_attributes->timer_id;
    if (!check_id(check, bad, timer_id)) return false;
    struct planned *timer = plan_find(check, STATE_TIMER, timer_id);
    if (timer && timer->pending) {
        timer->pending = false;
        return true;
    }
    /* It fired while the workflow decided: the workflow does not know yet, and never will. */
    HistoryEvent *fired;
    bool taken = timer && timer->fire_taken;
    if (taken || !buffered_timer_fired(check->exec, timer_id, check->arena, &fired))
        return command_fail(check, bad,
                            "invalid history builder state for action: add-timer-canceled-event, TimerID: %s",
                            timer_id);
    if (!timer) timer = plan_add(check, STATE_TIMER, timer_id);
    timer->pending = false;
    timer->fire_taken = true;
    if (check->buffered > 0) check->buffered--;
    return true;
}

void command_cancel_timer_apply(struct completion *completion, const Command *command) {
    struct exec *exec = completion->exec;
    char *timer_id = command->cancel_timer_command_attributes->timer_id;
    EVENT_NEW(TimerCanceled, timer_canceled, canceled);
    canceled.timer_id = timer_id;
    canceled.identity = completion->request->identity;
    canceled.workflow_task_completed_event_id = completion->completed_event_id;
    struct item *timer = exec_find_text(exec, STATE_TIMER, timer_id);
    if (timer) canceled.started_event_id = timer->key;
    else {
        HistoryEvent *fired;
        struct item *held = buffered_timer_fired(exec, timer_id, &completion->txn->arena, &fired);
        canceled.started_event_id = fired->timer_fired_event_attributes->started_event_id;
        exec_remove(exec, held);
        if (!txn_has_buffered(completion->txn)) completion->had_buffered_events = false;
    }
    HistoryEvent event = EVENT_INIT;
    EVENT_SET(&event, TIMER_CANCELED, timer_canceled, &canceled);
    command_add_event(completion, command, &event);
}
