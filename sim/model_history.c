/* model_history: which event may follow, in which state of a run. */
#include "base/check.h"
#include "base/hash.h"

#include "model_internal.h"

typedef PB(History__V1__HistoryEvent) Event;

static int64_t duration(const Google__Protobuf__Duration *d) { return d ? d->seconds * SIM_SECOND + d->nanos : 0; }
static int64_t time_of(const Event *event) {
    return event->event_time ? event->event_time->seconds * SIM_SECOND + event->event_time->nanos : 0;
}

/* ---- the table ---- */

/* Of the workflow task. In BATCH the commands of a completed one come, one event each. */
enum task_state { TASK_NONE = 1, TASK_SCHEDULED = 2, TASK_STARTED = 4, TASK_BATCH = 8 };
enum { NOT_STARTED = TASK_NONE | TASK_SCHEDULED | TASK_BATCH, NO_TASK = TASK_NONE | TASK_BATCH };

enum cause { BY_SERVER, BY_COMMAND };

static const struct rule {
    int type;
    unsigned when;                       /* in these states */
    enum cause cause;
} rules[] = {
    {FLOW_EVENT(WORKFLOW_EXECUTION_STARTED), TASK_NONE, BY_SERVER},
    {FLOW_EVENT(WORKFLOW_TASK_SCHEDULED), NO_TASK, BY_SERVER},
    {FLOW_EVENT(WORKFLOW_TASK_STARTED), TASK_SCHEDULED, BY_SERVER},
    {FLOW_EVENT(WORKFLOW_TASK_COMPLETED), TASK_STARTED, BY_SERVER},
    {FLOW_EVENT(WORKFLOW_TASK_FAILED), TASK_STARTED, BY_SERVER},
    {FLOW_EVENT(WORKFLOW_TASK_TIMED_OUT), TASK_SCHEDULED | TASK_STARTED, BY_SERVER},
    {FLOW_EVENT(ACTIVITY_TASK_SCHEDULED), TASK_BATCH, BY_COMMAND},
    {FLOW_EVENT(ACTIVITY_TASK_CANCEL_REQUESTED), TASK_BATCH, BY_COMMAND},
    {FLOW_EVENT(ACTIVITY_TASK_STARTED), NOT_STARTED, BY_SERVER},
    {FLOW_EVENT(ACTIVITY_TASK_COMPLETED), NOT_STARTED, BY_SERVER},
    {FLOW_EVENT(ACTIVITY_TASK_FAILED), NOT_STARTED, BY_SERVER},
    {FLOW_EVENT(ACTIVITY_TASK_TIMED_OUT), NOT_STARTED, BY_SERVER},
    {FLOW_EVENT(ACTIVITY_TASK_CANCELED), NOT_STARTED, BY_SERVER},
    {FLOW_EVENT(TIMER_STARTED), TASK_BATCH, BY_COMMAND},
    {FLOW_EVENT(TIMER_CANCELED), TASK_BATCH, BY_COMMAND},
    {FLOW_EVENT(TIMER_FIRED), NOT_STARTED, BY_SERVER},
    {FLOW_EVENT(MARKER_RECORDED), TASK_BATCH, BY_COMMAND},
    {FLOW_EVENT(WORKFLOW_EXECUTION_SIGNALED), NOT_STARTED, BY_SERVER},
    {FLOW_EVENT(WORKFLOW_EXECUTION_CANCEL_REQUESTED), NOT_STARTED, BY_SERVER},
    {FLOW_EVENT(WORKFLOW_EXECUTION_COMPLETED), TASK_BATCH, BY_COMMAND},
    {FLOW_EVENT(WORKFLOW_EXECUTION_FAILED), TASK_BATCH, BY_COMMAND},
    {FLOW_EVENT(WORKFLOW_EXECUTION_CANCELED), TASK_BATCH, BY_COMMAND},
    {FLOW_EVENT(WORKFLOW_EXECUTION_CONTINUED_AS_NEW), TASK_BATCH, BY_COMMAND},
    {FLOW_EVENT(WORKFLOW_EXECUTION_TERMINATED), NOT_STARTED, BY_SERVER},
    {FLOW_EVENT(WORKFLOW_EXECUTION_TIMED_OUT), NOT_STARTED, BY_SERVER},
};

static const struct rule *rule_of(int type) {
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].type == type) return &rules[i];
    return NULL;
}

static enum task_state state_of(const struct model_run *run) {
    if (run->task_started) return TASK_STARTED;
    if (run->task_scheduled) return TASK_SCHEDULED;
    return run->batch ? TASK_BATCH : TASK_NONE;
}

/* ---- workflow tasks ---- */

static void task_lost(struct model_run *run, const Event *event) {
    if (event->event_type == FLOW_EVENT(WORKFLOW_TASK_FAILED)) {
        bool by_worker = event->workflow_task_failed_event_attributes->cause == MODEL_TASK_CAUSE, twice;
        bool asked = model_show(run, EFFECT_TASK_FAILED, (uint64_t)run->task_started, event->event_id, &twice);
        REQUIRE(run, asked || !by_worker, "event %lld: no worker has failed this workflow task", (long long)event->event_id);
        return;
    }
    int64_t early = run->task_started_at + run->task_timeout - time_of(event);
    bool due = !run->task_started || early <= model_slack(run->task_timeout);
    REQUIRE(run, due || model_jumped(run->id->model), "event %lld: the workflow task timed out %lld ms early",
            (long long)event->event_id, (long long)(early / SIM_MS));
}

static void see_task(struct model_run *run, const Event *event) {
    struct flow_event flow;
    flow_event_of(event, &flow);
    switch ((int)event->event_type) {
    case FLOW_EVENT(WORKFLOW_TASK_SCHEDULED):
        if (!run->woken && !model_jumped(run->id->model))
            REQUIRE(run, time_of(event) >= run->first_task_at - SIM_MS, "the first workflow task came %lld ms early",
                    (long long)((run->first_task_at - time_of(event)) / SIM_MS));
        run->woken = true;
        run->task_scheduled = event->event_id;
        run->task_timeout = duration(event->workflow_task_scheduled_event_attributes->start_to_close_timeout);
        return;
    case FLOW_EVENT(WORKFLOW_TASK_STARTED):
        REQUIRE(run, flow.ref == run->task_scheduled, "event %lld starts another workflow task", (long long)flow.id);
        run->task_started = event->event_id;
        run->task_started_at = time_of(event);
        return;
    case FLOW_EVENT(WORKFLOW_TASK_COMPLETED):
    case FLOW_EVENT(WORKFLOW_TASK_FAILED):
    case FLOW_EVENT(WORKFLOW_TASK_TIMED_OUT):
        REQUIRE(run, flow.ref == run->task_scheduled && flow.ref2 == run->task_started,
                "event %lld ends another workflow task", (long long)flow.id);
        bool completed = event->event_type == FLOW_EVENT(WORKFLOW_TASK_COMPLETED);
        if (completed) model_batch_begins(run, event);
        else task_lost(run, event);
        run->task_scheduled = run->task_started = 0;
        return;
    default:
        return;
    }
}

/* ---- activities ---- */

static struct model_activity *activity_of(struct model_run *run, const Event *event, int64_t scheduled) {
    for (struct model_activity *it = run->activities; it; it = it->next)
        if (it->scheduled && it->scheduled == scheduled) return it;
    model_fail(run, "event %lld is of no scheduled activity", (long long)event->event_id);
}

static void activity_scheduled(struct model_run *run, const Event *event) {
    const PB(History__V1__ActivityTaskScheduledEventAttributes) *a = event->activity_task_scheduled_event_attributes;
    struct model_activity *activity = model_activity(run, a->activity_id);
    REQUIRE(run, !activity->scheduled, "activity %s was scheduled twice", a->activity_id);
    activity->scheduled = event->event_id;
    activity->scheduled_at = time_of(event);
    activity->schedule_to_start = duration(a->schedule_to_start_timeout);
    activity->schedule_to_close = duration(a->schedule_to_close_timeout);
    activity->start_to_close = duration(a->start_to_close_timeout);
    activity->heartbeat = duration(a->heartbeat_timeout);
    const PB(Common__V1__RetryPolicy) *policy = a->retry_policy;
    if (!policy) return;
    activity->initial = duration(policy->initial_interval);
    activity->maximum = duration(policy->maximum_interval);
    activity->coefficient = policy->backoff_coefficient;
    activity->attempts_max = policy->maximum_attempts;
}

static void activity_started(struct model_run *run, const Event *event) {
    const PB(History__V1__ActivityTaskStartedEventAttributes) *a = event->activity_task_started_event_attributes;
    struct model_activity *activity = activity_of(run, event, a->scheduled_event_id);
    REQUIRE(run, !activity->started && !activity->ended, "activity %s started twice", activity->name);
    REQUIRE(run, a->attempt >= 1 && (!activity->attempts_max || a->attempt <= activity->attempts_max),
            "activity %s: attempt %d of %d", activity->name, a->attempt, activity->attempts_max);
    REQUIRE(run, a->attempt >= activity->handout.attempt, "activity %s: attempt %d started last, and %d was given out",
            activity->name, a->attempt, activity->handout.attempt);
    activity->started = event->event_id;
    activity->started_at = time_of(event);
    activity->started_attempt = a->attempt;
}

/* A timeout is not before its time. */
static void check_timeout(struct model_run *run, const Event *event, const struct model_activity *activity) {
    const PB(Failure__V1__Failure) *failure = event->activity_task_timed_out_event_attributes->failure;
    REQUIRE(run, failure && failure->failure_info_case == TEMPORAL__API__FAILURE__V1__FAILURE__FAILURE_INFO_TIMEOUT_FAILURE_INFO,
            "activity %s timed out for no reason", activity->name);
    int64_t limit = 0, from = activity->started_at;
    switch (failure->timeout_failure_info->timeout_type) {
    case TEMPORAL__API__ENUMS__V1__TIMEOUT_TYPE__TIMEOUT_TYPE_START_TO_CLOSE: limit = activity->start_to_close; break;
    case TEMPORAL__API__ENUMS__V1__TIMEOUT_TYPE__TIMEOUT_TYPE_HEARTBEAT: limit = activity->heartbeat; break;
    case TEMPORAL__API__ENUMS__V1__TIMEOUT_TYPE__TIMEOUT_TYPE_SCHEDULE_TO_START:
        limit = activity->schedule_to_start;
        from = activity->scheduled_at;
        break;
    default:
        limit = activity->schedule_to_close;
        from = activity->scheduled_at;
    }
    REQUIRE(run, limit > 0, "activity %s has not the timeout that it ended with", activity->name);
    bool due = time_of(event) >= from + limit - model_slack(limit);
    /* No attempt may begin after schedule-to-close: then the last failure ends it at once. */
    REQUIRE(run, due || model_jumped(run->id->model), "activity %s timed out %lld ms early", activity->name,
            (long long)((from + limit - time_of(event)) / SIM_MS));
}

static void outcome(struct model_run *run, const Event *event, const struct model_activity *activity, enum model_kind kind,
                    const PB(Common__V1__Payloads) *payloads) {
    uint64_t key = model_activity_key(activity, kind, payloads, activity->started_attempt);
    bool twice;
    REQUIRE(run, model_show(run, kind, key, event->event_id, &twice),
            "event %lld: activity %s ended as no worker has told", (long long)event->event_id, activity->name);
}

static void activity_ended(struct model_run *run, const Event *event, int64_t scheduled, int64_t started) {
    struct model_activity *activity = activity_of(run, event, scheduled);
    REQUIRE(run, !activity->ended, "activity %s ended twice", activity->name);
    REQUIRE(run, started == activity->started, "event %lld ends another attempt of activity %s",
            (long long)event->event_id, activity->name);
    switch ((int)event->event_type) {
    case FLOW_EVENT(ACTIVITY_TASK_COMPLETED):
        outcome(run, event, activity, EFFECT_ACTIVITY_COMPLETED, event->activity_task_completed_event_attributes->result);
        break;
    case FLOW_EVENT(ACTIVITY_TASK_FAILED):
        outcome(run, event, activity, EFFECT_ACTIVITY_FAILED, NULL);
        break;
    case FLOW_EVENT(ACTIVITY_TASK_TIMED_OUT):
        check_timeout(run, event, activity);
        break;
    default:
        REQUIRE(run, activity->cancel_requested, "activity %s was cancelled, which nobody has asked for", activity->name);
        if (started)
            outcome(run, event, activity, EFFECT_ACTIVITY_CANCELED, event->activity_task_canceled_event_attributes->details);
    }
    activity->ended = event->event_id;
}

static void see_activity(struct model_run *run, const Event *event) {
    switch ((int)event->event_type) {
    case FLOW_EVENT(ACTIVITY_TASK_SCHEDULED): activity_scheduled(run, event); return;
    case FLOW_EVENT(ACTIVITY_TASK_STARTED): activity_started(run, event); return;
    case FLOW_EVENT(ACTIVITY_TASK_CANCEL_REQUESTED): {
        int64_t scheduled = event->activity_task_cancel_requested_event_attributes->scheduled_event_id;
        activity_of(run, event, scheduled)->cancel_requested = event->event_id;
        return;
    }
#define ENDED(TYPE, attributes)                                                                                \
    case FLOW_EVENT(TYPE):                                                                                     \
        activity_ended(run, event, event->attributes->scheduled_event_id, event->attributes->started_event_id); \
        return;
    ENDED(ACTIVITY_TASK_COMPLETED, activity_task_completed_event_attributes)
    ENDED(ACTIVITY_TASK_FAILED, activity_task_failed_event_attributes)
    ENDED(ACTIVITY_TASK_TIMED_OUT, activity_task_timed_out_event_attributes)
    ENDED(ACTIVITY_TASK_CANCELED, activity_task_canceled_event_attributes)
#undef ENDED
    default: return;
    }
}

/* ---- timers ---- */

static struct model_timer *timer_of(struct model_run *run, const Event *event, int64_t started, const char *id) {
    for (struct model_timer *it = run->timers; it; it = it->next)
        if (it->started == started && it->id == model_key_text(id)) return it;
    model_fail(run, "event %lld is of no timer that was started", (long long)event->event_id);
}

static void end_timer(struct model_run *run, const Event *event, struct model_timer *timer) {
    REQUIRE(run, !timer->ended, "event %lld: the timer has ended before", (long long)event->event_id);
    timer->ended = event->event_id;
}

/* What a fault of the disk holds up has no bound. */
static bool disk_has_failed(const struct world *world) {
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        if (world_fault_group((enum fault)fault) == FAULT_GROUP_DISK && fault != FAULT_SLOW_DISK &&
            world_fault_hits(world, (enum fault)fault)) return true;
    return false;
}

/* A timer fires when the server's wall clock shows its time, or a minute after the clock jumped over that; later only by
 * as much as the server was down, starting or frozen. */
static void check_late(struct model_run *run, const struct model_timer *timer, int64_t fired) {
    enum { CLOCK_IS_READ_SECONDS = 60, START_SECONDS = 3, SLACK_SECONDS = 5 };
    const struct model *model = run->id->model;
    const struct world *world = model->world;
    if (world_wall_back(world) || disk_has_failed(world)) return;
    const struct world_jump *jumps;
    unsigned count = world_jumps(world, model->server, &jumps);
    int64_t allowed = world_outage(world, model->server) +
                      (SLACK_SECONDS + START_SECONDS * (int64_t)world_incarnation(world, model->server)) * SIM_SECOND;
    if (count) allowed += CLOCK_IS_READ_SECONDS * SIM_SECOND;
    int64_t due = timer->started_at + timer->duration;
    for (unsigned i = 0; i < count; i++)
        if (jumps[i].before <= due + allowed && jumps[i].after > due) due = jumps[i].after;
    REQUIRE(run, fired - due <= allowed, "a timer of %lld ms fired %lld ms late, and %lld are excused",
            (long long)(timer->duration / SIM_MS), (long long)((fired - due) / SIM_MS), (long long)(allowed / SIM_MS));
}

static void timer_fired(struct model_run *run, const Event *event) {
    const PB(History__V1__TimerFiredEventAttributes) *a = event->timer_fired_event_attributes;
    struct model_timer *timer = timer_of(run, event, a->started_event_id, a->timer_id);
    end_timer(run, event, timer);
    check_late(run, timer, time_of(event));
    if (model_jumped(run->id->model)) return;
    int64_t early = timer->started_at + timer->duration - time_of(event);
    REQUIRE(run, early <= model_slack(timer->duration), "timer %s fired %lld ms early", a->timer_id, (long long)(early / SIM_MS));
    REQUIRE(run, !run->id->model->strict || early >= -SIM_SECOND, "timer %s fired %lld ms late", a->timer_id,
            (long long)(-early / SIM_MS));
}

static void see_timer(struct model_run *run, const Event *event) {
    switch ((int)event->event_type) {
    case FLOW_EVENT(TIMER_STARTED): {
        struct model_timer *timer = world_alloc(sizeof *timer);
        const PB(History__V1__TimerStartedEventAttributes) *a = event->timer_started_event_attributes;
        *timer = (struct model_timer){.next = run->timers, .id = model_key_text(a->timer_id), .started = event->event_id,
                                      .started_at = time_of(event), .duration = duration(a->start_to_fire_timeout)};
        run->timers = timer;
        return;
    }
    case FLOW_EVENT(TIMER_FIRED):
        timer_fired(run, event);
        return;
    case FLOW_EVENT(TIMER_CANCELED): {
        const PB(History__V1__TimerCanceledEventAttributes) *a = event->timer_canceled_event_attributes;
        end_timer(run, event, timer_of(run, event, a->started_event_id, a->timer_id));
        return;
    }
    default:
        return;
    }
}

/* ---- what clients ask for ---- */

static void see_effect(struct model_run *run, const Event *event, enum model_kind kind, uint64_t key, const char *what) {
    bool twice, asked = model_show(run, kind, key, event->event_id, &twice);
    REQUIRE(run, asked, "event %lld: a %s that nobody asked for", (long long)event->event_id, what);
    REQUIRE(run, !twice, "event %lld: a %s is there twice", (long long)event->event_id, what);
}

static void see_request(struct model_run *run, const Event *event) {
    switch ((int)event->event_type) {
    case FLOW_EVENT(WORKFLOW_EXECUTION_STARTED):
        run->first_task_at = time_of(event) + duration(event->workflow_execution_started_event_attributes->first_workflow_task_backoff);
        return;
    case FLOW_EVENT(WORKFLOW_EXECUTION_SIGNALED):
        see_effect(run, event, EFFECT_SIGNAL,
                   model_key_payloads(event->workflow_execution_signaled_event_attributes->request_id,
                                      event->workflow_execution_signaled_event_attributes->input), "signal");
        return;
    case FLOW_EVENT(WORKFLOW_EXECUTION_CANCEL_REQUESTED):
        REQUIRE(run, !run->cancel_requested, "event %lld: cancelling was asked for twice", (long long)event->event_id);
        run->cancel_requested = run->woken = true;
        see_effect(run, event, EFFECT_CANCEL,
                   model_key_text(event->workflow_execution_cancel_requested_event_attributes->cause), "cancel request");
        return;
    case FLOW_EVENT(WORKFLOW_EXECUTION_TERMINATED):
        see_effect(run, event, EFFECT_TERMINATE,
                   model_key_text(event->workflow_execution_terminated_event_attributes->reason), "termination");
        return;
    default:
        return;
    }
}

/* ---- events ---- */

static void see_new(struct model_run *run, const Event *event) {
    long long id = (long long)event->event_id;
    const struct rule *rule = rule_of((int)event->event_type);
    REQUIRE(run, rule, "event %lld has a type that the model does not know", id);
    REQUIRE(run, !run->closed, "event %lld comes after the close event", id);
    REQUIRE(run, (event->event_type == FLOW_EVENT(WORKFLOW_EXECUTION_STARTED)) == (id == 1),
            "event %lld: the start event is the first and the only one", id);
    if (rule->cause == BY_COMMAND) model_batch_event(run, event);
    else if (run->batch) model_batch_ends(run);
    REQUIRE(run, rule->when & state_of(run), "event %lld may not come here", id);
    see_task(run, event);
    see_activity(run, event);
    see_timer(run, event);
    see_request(run, event);
    run->closed = flow_is_close((int)event->event_type);
    if (run->closed && run->batch) model_batch_ends(run);
}

static uint64_t hash_event(struct model *model, const Event *event) {
    size_t len = protobuf_c_message_get_packed_size(&event->base);
    if (len > model->scratch_cap) {
        model->scratch_cap = len * 2;
        model->scratch = world_realloc(model->scratch, model->scratch_cap);
    }
    protobuf_c_message_pack(&event->base, model->scratch);
    return hash64(model->scratch, len);
}

void model_saw(struct model_run *run, const Event *event) {
    REQUIRE(run, event->event_id >= 1 && (size_t)event->event_id <= run->count + 1, "event ids have a gap before %lld",
            (long long)event->event_id);
    uint64_t hash = hash_event(run->id->model, event);
    if ((size_t)event->event_id <= run->count) {
        const struct model_event *before = &run->events[event->event_id - 1];
        if (before->hash == hash) return;
        struct flow_event now;
        flow_event_of(event, &now);
        fprintf(stderr, "as read before:\n"), flow_print_event(&before->flow, stderr);
        fprintf(stderr, "as read now:\n"), flow_print_event(&now, stderr);
        model_fail(run, "event %lld was read before, and is different now", (long long)event->event_id);
    }
    if (run->count == run->cap) {
        run->cap = run->cap ? run->cap * 2 : 32;
        run->events = world_realloc(run->events, run->cap * sizeof *run->events);
    }
    struct model_event *kept = &run->events[run->count];
    kept->hash = hash;
    flow_event_of(event, &kept->flow);
    see_new(run, event);
    run->count++;
}

bool model_seen_closed(const struct model_run *run) { return run->closed; }
size_t model_seen(const struct model_run *run) { return run->count; }
void model_deleted(struct model_run *run) { run->deleted = true; }
bool model_is_deleted(const struct model_run *run) { return run->deleted; }
size_t model_run_count(const struct model_id *id) { return id->run_count; }

/* ---- whole reads ---- */

/* While a workflow task runs, events wait until it has ended. It may be one that history does not show: then the one
 * before it failed or timed out. */
static bool task_may_run(const struct model_run *run, size_t count) {
    while (count--) {
        switch (run->events[count].flow.type) {
        case FLOW_EVENT(WORKFLOW_TASK_STARTED):
        case FLOW_EVENT(WORKFLOW_TASK_FAILED):
        case FLOW_EVENT(WORKFLOW_TASK_TIMED_OUT): return true;
        case FLOW_EVENT(WORKFLOW_TASK_COMPLETED): return false;
        default: break;
        }
    }
    return false;
}

/* As the first `count` events are, with which a read ended. */
static bool may_hold_back(const struct model_run *run, enum model_kind kind, size_t count) {
    bool closed = run->closed && count == run->count;
    return !closed && kind != EFFECT_TASK_COMPLETED && kind != EFFECT_TERMINATE && task_may_run(run, count);
}

static bool is_shown(const struct model_run *run, const struct model_effect *effect, size_t count) {
    int64_t shown = model_shown_as(effect, run);
    switch (effect->kind) {
    case EFFECT_ACTIVITY_FAILED: return true;            /* the next attempt leaves no trace of it */
    case EFFECT_CANCEL: return run->cancel_requested || run->closed;     /* a closed run takes it, and does nothing */
    case EFFECT_TASK_FAILED: return effect->attempt > 1 || shown;
    default: return (shown && (size_t)shown <= count) || may_hold_back(run, effect->kind, count);
    }
}

void model_read(struct model_run *run, uint64_t from, size_t count) {
    static const char *const names[] = {"signal", "cancel request", "termination", "completed workflow task",
                                        "failed workflow task", "result of an activity", "failed attempt",
                                        "cancelled activity"};
    REQUIRE(run, count <= run->count, "%zu events were read, and %zu seen", count, run->count);
    if (run->batch && count == run->count) model_batch_ends(run);
    for (const struct model_effect *it = run->id->effects; it; it = it->next) {
        if (it->run != run || !it->acknowledged || it->answered_at >= from) continue;
        REQUIRE(run, is_shown(run, it, count), "an acknowledged %s is not in history", names[it->kind]);
    }
}
