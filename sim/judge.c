/* judge: is a workflow's history right, in itself and beside what its client knows?
 *
 * It shares no code with src/ but the decoding of events. Wall time can jump, so timers are judged by event times only
 * in runs without clock jumps. */
#include <stdio.h>

#include "base/check.h"

#include "truth.h"

struct judge {
    struct flow_script script;           /* of the run */
    struct truth *truth;
    struct truth_flow *flow;
    struct truth_run *run;
    const struct flow_event *event;
};

static void print_run(const struct truth_flow *flow, const struct truth_run *run, const char *what) {
    fprintf(stderr, "%s, %s %s, script %s\n", flow->id, what, run->run_id, flow->script);
    for (size_t i = 0; i < run->count; i++) {
        const struct flow_event *e = &run->events[i];
        const ProtobufCEnumValue *name =
            protobuf_c_enum_descriptor_get_value(&temporal__api__enums__v1__event_type__descriptor, e->type);
        fprintf(stderr, "  %3lld %-44s of %lld, %lld item %d attempt %d number %lld.%lld at %lld %s\n", (long long)e->id,
                name ? name->name + strlen("EVENT_TYPE_") : "?", (long long)e->ref, (long long)e->ref2, e->item,
                e->attempt, (long long)e->number, (long long)e->number2, (long long)e->time, e->text);
    }
}

static void print_history(const struct truth_flow *flow) {
    for (unsigned r = 0; r < flow->run_count; r++) print_run(flow, &flow->runs[r], "run");
}

static void require(const struct judge *judge, bool holds, const char *what) {
    if (holds) return;
    print_history(judge->flow);
    world_fail(judge->truth->world, WORLD_INCORRECT, "%s, run %s, event %lld: %s", judge->flow->id,
               judge->run ? judge->run->run_id : "-", judge->event ? (long long)judge->event->id : 0, what);
}

static const struct flow_event *find(const struct judge *judge, int64_t id) {
    return id >= 1 && (size_t)id <= judge->run->count ? &judge->run->events[id - 1] : NULL;
}

static bool refers(const struct judge *judge, int64_t id, int type) {
    const struct flow_event *event = find(judge, id);
    return event && event->type == type && event->id < judge->event->id;
}

/* How many events of this type have this ref. */
static unsigned count_refs(const struct judge *judge, int type, int64_t ref) {
    unsigned count = 0;
    for (size_t i = 0; i < judge->run->count; i++)
        count += judge->run->events[i].type == type && judge->run->events[i].ref == ref;
    return count;
}

static unsigned count_items(const struct judge *judge, int type, int item) {
    unsigned count = 0;
    for (size_t i = 0; i < judge->run->count; i++)
        count += judge->run->events[i].type == type && judge->run->events[i].item == item;
    return count;
}

/* ---- workflow tasks: one at a time ---- */

struct tasks {
    int64_t scheduled, started;          /* the one that is there; 0 is none */
};

static void judge_task(const struct judge *judge, struct tasks *tasks) {
    const struct flow_event *event = judge->event;
    switch (event->type) {
    case FLOW_EVENT(WORKFLOW_TASK_SCHEDULED):
        require(judge, !tasks->scheduled, "a second workflow task beside one that has not ended");
        tasks->scheduled = event->id;
        break;
    case FLOW_EVENT(WORKFLOW_TASK_STARTED):
        require(judge, tasks->scheduled && event->ref == tasks->scheduled, "started is not of the scheduled task");
        require(judge, !tasks->started, "a workflow task started twice");
        tasks->started = event->id;
        break;
    case FLOW_EVENT(WORKFLOW_TASK_COMPLETED):
        require(judge, event->ref == tasks->scheduled && event->ref2 == tasks->started && tasks->started,
                "completed is not of the started task");
        *tasks = (struct tasks){0};
        break;
    case FLOW_EVENT(WORKFLOW_TASK_FAILED):
    case FLOW_EVENT(WORKFLOW_TASK_TIMED_OUT):
        require(judge, event->ref == tasks->scheduled, "the end of another workflow task");
        *tasks = (struct tasks){0};
        break;
    default:
        require(judge, !tasks->started || flow_is_close(event->type), "an event between start and end of a task");
    }
}

/* ---- activities and timers ---- */

/* The end of one without success. */
static void judge_activity_end(const struct judge *judge) {
    const struct flow_event *event = judge->event;
    require(judge, refers(judge, event->ref, FLOW_EVENT(ACTIVITY_TASK_SCHEDULED)), "the end of no activity");
    const struct flow_event *scheduled = find(judge, event->ref);
    enum flow_kind kind = judge->script.items[scheduled->item].kind;
    require(judge, kind == FLOW_ONCE || kind == FLOW_LIMITED, "an activity with endless retries ended without success");
    for (int type = FLOW_EVENT(ACTIVITY_TASK_COMPLETED); type <= FLOW_EVENT(ACTIVITY_TASK_TIMED_OUT); type++)
        require(judge, count_refs(judge, type, event->ref) == (type == event->type), "an activity ended twice");
    if (kind == FLOW_LIMITED && judge->truth->strict)
        require(judge, event->time - scheduled->time <= (FLOW_LIMIT_SECONDS + 1) * SIM_SECOND,
                "an activity was retried longer than schedule-to-close allows");
}

static void judge_activity(const struct judge *judge) {
    const struct flow_event *event = judge->event;
    switch (event->type) {
    case FLOW_EVENT(ACTIVITY_TASK_SCHEDULED):
        require(judge, event->item >= 0 && (unsigned)event->item < judge->script.count, "an activity of no script");
        require(judge, count_items(judge, event->type, event->item) == 1, "an activity was scheduled twice");
        break;
    case FLOW_EVENT(ACTIVITY_TASK_STARTED):
        require(judge, refers(judge, event->ref, FLOW_EVENT(ACTIVITY_TASK_SCHEDULED)), "started is of no activity");
        require(judge, count_refs(judge, event->type, event->ref) == 1, "an activity started twice in history");
        if (judge->script.items[find(judge, event->ref)->item].kind == FLOW_ONCE)
            require(judge, event->attempt == 1, "a second attempt of an activity that has one");
        break;
    case FLOW_EVENT(ACTIVITY_TASK_COMPLETED): {
        require(judge, refers(judge, event->ref, FLOW_EVENT(ACTIVITY_TASK_SCHEDULED)), "completed is of no activity");
        require(judge, refers(judge, event->ref2, FLOW_EVENT(ACTIVITY_TASK_STARTED)), "completed without started");
        require(judge, count_refs(judge, event->type, event->ref) == 1, "an activity completed twice");
        const struct flow_event *scheduled = find(judge, event->ref), *started = find(judge, event->ref2);
        require(judge, started->ref == event->ref, "completed has the start of another activity");
        require(judge, event->number == scheduled->item, "an activity has the result of another");
        require(judge, judge->script.items[scheduled->item].kind != FLOW_LIMITED, "what always fails has completed");
        require(judge, event->number2 == started->attempt, "the result is of another attempt");
        break;
    }
    case FLOW_EVENT(ACTIVITY_TASK_FAILED):
    case FLOW_EVENT(ACTIVITY_TASK_TIMED_OUT):
        judge_activity_end(judge);
        break;
    case FLOW_EVENT(ACTIVITY_TASK_CANCELED):
        require(judge, false, "an activity was cancelled and nobody asked for that");
        break;
    default:
        break;
    }
}

static void judge_timer(const struct judge *judge) {
    const struct flow_event *event = judge->event;
    struct world *world = judge->truth->world;
    if (event->type == FLOW_EVENT(TIMER_STARTED)) {
        require(judge, event->item >= 0 && count_items(judge, event->type, event->item) == 1, "a timer twice");
    } else if (event->type == FLOW_EVENT(TIMER_FIRED)) {
        const struct flow_event *started = find(judge, event->ref);
        require(judge, refers(judge, event->ref, FLOW_EVENT(TIMER_STARTED)) && started->item == event->item,
                "a timer fired that was not started");
        require(judge, count_refs(judge, event->type, event->ref) == 1, "a timer fired twice");
        bool jumped = world_fault_hits(world, FAULT_JUMP_BACK) || world_fault_hits(world, FAULT_JUMP_FORWARD);
        int64_t early = started->time + started->number - event->time;
        int64_t allowed = SIM_MS + started->number / 1000;            /* clocks may drift by 500 ppm */
        if (!jumped) require(judge, early <= allowed, "a timer fired early");
        if (judge->truth->strict) require(judge, early >= -SIM_SECOND, "a timer fired late");
    }
}

/* ---- a run ---- */

static void judge_started(const struct judge *judge, const char *script) {
    const struct flow_event *first = &judge->run->events[0];
    require(judge, first->type == FLOW_EVENT(WORKFLOW_EXECUTION_STARTED), "the first event is not the start");
    require(judge, strcmp(first->text, script) == 0, "the run has another input");
    require(judge, strcmp(first->first_run, judge->flow->runs[0].run_id) == 0, "the first run of the chain is wrong");
}

/* Everything that the script asks for is there when the run has closed. */
static void judge_end(const struct judge *judge, const struct flow_state *state) {
    const struct flow_event *last = judge->event;
    struct flow_state copy = *state;
    struct flow_step steps[FLOW_ITEMS_MAX + 1];
    unsigned count = flow_decide(&copy, steps);
    require(judge, count == 1, "the run has closed before its script was done");
    switch (last->type) {
    case FLOW_EVENT(WORKFLOW_EXECUTION_COMPLETED):
        require(judge, steps[0].command == FLOW_COMPLETE, "the run completed and should not");
        require(judge, last->number == state->signals && last->number2 == state->sum, "the result is wrong");
        break;
    case FLOW_EVENT(WORKFLOW_EXECUTION_CONTINUED_AS_NEW):
        require(judge, steps[0].command == FLOW_CONTINUE, "the run continued as new and should not");
        break;
    case FLOW_EVENT(WORKFLOW_EXECUTION_CANCELED):
        require(judge, steps[0].command == FLOW_END_CANCELLED, "the run was cancelled and should not");
        break;
    default:
        require(judge, false, "the run closed in a way that no script has");
    }
}

static void judge_run(struct judge *judge, const char *script, const char **rest) {
    struct tasks tasks = {0};
    struct truth_run *run = judge->run;
    require(judge, run->count > 0, "the history is empty");
    judge_started(judge, script);
    require(judge, flow_parse(run->events[0].text, &judge->script), "the start event has no script");
    for (size_t i = 0; i < run->count; i++) {
        judge->event = &run->events[i];
        require(judge, judge->event->id == (int64_t)i + 1, "event ids have a gap");
        require(judge, flow_is_close(judge->event->type) == (i + 1 == run->count), "the close event is not the last");
        judge_task(judge, &tasks);
        judge_activity(judge);
        judge_timer(judge);
    }
    struct flow_state state;
    flow_fold(run->events, run->count, &state);
    require(judge, state.started, "the start event has no script");
    judge_end(judge, &state);
    size_t used = strlen(run->events[0].text) - strlen(state.script.rest);
    *rest = script + used;
    judge->event = NULL;
}

/* ---- beside what the client knows ---- */

static void judge_signals(struct judge *judge) {
    const struct truth_flow *flow = judge->flow;
    unsigned seen[TRUTH_SIGNALS_MAX] = {0};
    judge->run = NULL;
    for (unsigned r = 0; r < flow->run_count; r++) {
        int64_t last = 0;                /* a request id is known to its run: tried again it can reach the next one */
        for (size_t i = 0; i < flow->runs[r].count; i++) {
            const struct flow_event *event = &flow->runs[r].events[i];
            if (event->type != FLOW_EVENT(WORKFLOW_EXECUTION_SIGNALED)) continue;
            judge->event = event;
            require(judge, event->number >= 1 && event->number <= flow->signals_wanted, "a signal that nobody sent");
            require(judge, event->number > last, "signals are out of order or twice");
            last = event->number;
            seen[event->number - 1]++;
        }
    }
    judge->event = NULL;
    for (unsigned i = 0; i < flow->signals_wanted; i++) {
        require(judge, flow->signals[i] != KNOWN_YES || seen[i] >= 1, "an acknowledged signal is not in history");
        require(judge, flow->signals[i] != KNOWN_NOT || seen[i] == 0, "a signal that was not sent is in history");
    }
}

void judge_flow(struct truth *truth, struct truth_flow *flow) {
    struct judge judge = {.truth = truth, .flow = flow};
    const char *script = flow->script;
    for (unsigned r = 0; r < flow->run_count; r++) {
        judge.run = &flow->runs[r];
        judge_run(&judge, script, &script);
    }
    judge_signals(&judge);
    judge_seen(truth, flow, &flow->runs[0]);
}

void judge_seen(struct truth *truth, struct truth_flow *flow, const struct truth_run *run) {
    struct judge judge = {.truth = truth, .flow = flow, .run = &flow->seen};
    for (size_t i = 0; i < flow->seen.count; i++) {
        const struct flow_event *before = &flow->seen.events[i], *now = i < run->count ? &run->events[i] : NULL;
        judge.event = before;
        bool same = now && now->type == before->type && now->id == before->id && now->time == before->time &&
                    now->ref == before->ref && now->number == before->number;
        if (!same) print_run(flow, &flow->seen, "as read before"), print_run(flow, run, "as read now");
        require(&judge, same, "an event that was read before is gone or changed");
    }
    for (size_t i = flow->seen.count; i < run->count; i++) truth_run_add(&flow->seen, &run->events[i]);
}

struct truth_attempt *truth_attempt(struct truth *truth, const char *run_id, int item) {
    for (unsigned i = 0; i < truth->attempt_count; i++) {
        struct truth_attempt *attempt = &truth->attempts[i];
        if (attempt->item == item && strcmp(attempt->run_id, run_id) == 0) return attempt;
    }
    CHECK(truth->attempt_count < TRUTH_ATTEMPTS_MAX);
    struct truth_attempt *attempt = &truth->attempts[truth->attempt_count++];
    attempt->item = item;
    snprintf(attempt->run_id, sizeof attempt->run_id, "%s", run_id);
    return attempt;
}

struct truth_task *truth_task(struct truth *truth, const char *run_id) {
    for (unsigned i = 0; i < truth->task_count; i++)
        if (strcmp(truth->newest[i].run_id, run_id) == 0) return &truth->newest[i];
    CHECK(truth->task_count < TRUTH_TASKS_MAX);
    struct truth_task *task = &truth->newest[truth->task_count++];
    snprintf(task->run_id, sizeof task->run_id, "%s", run_id);
    return task;
}

void truth_free(struct truth *truth) {
    for (unsigned i = 0; i < truth->flow_count; i++)
        for (unsigned r = 0; r < TRUTH_RUNS_MAX; r++) world_free(truth->flows[i].runs[r].events);
    for (unsigned i = 0; i < truth->flow_count; i++) world_free(truth->flows[i].seen.events);
    world_free(truth);
}
