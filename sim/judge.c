/* judge: is a workflow's history what its script asks for, and does it hold what its client knows? That it is a history
 * at all, the model has checked. */
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
    for (size_t i = 0; i < run->count; i++) flow_print_event(&run->events[i], stderr);
}

static void print_history(const struct truth_flow *flow) {
    for (unsigned r = 0; r < flow->run_count; r++) print_run(flow, &flow->runs[r], "run");
}

#define require(judge, holds, what)                                                                            \
    do {                                                                                                       \
        if (!(holds)) refuse((judge), __func__, (what));                                                       \
    } while (0)

static _Noreturn void refuse(const struct judge *judge, const char *oracle, const char *what) {
    print_history(judge->flow);
    world_fail_by(judge->truth->world, WORLD_INCORRECT, oracle, "%s, run %s, event %lld: %s", judge->flow->id,
               judge->run ? judge->run->run_id : "-", judge->event ? (long long)judge->event->id : 0, what);
}

static const struct flow_event *find(const struct judge *judge, int64_t id) {
    return id >= 1 && (size_t)id <= judge->run->count ? &judge->run->events[id - 1] : NULL;
}

static unsigned count_items(const struct judge *judge, int type, int item) {
    unsigned count = 0;
    for (size_t i = 0; i < judge->run->count; i++)
        count += judge->run->events[i].type == type && judge->run->events[i].item == item;
    return count;
}

/* ---- items: what the script has, once ---- */

/* The end of one without success. */
static void judge_activity_end(const struct judge *judge) {
    const struct flow_event *event = judge->event, *scheduled = find(judge, event->ref);
    enum flow_kind kind = judge->script.items[scheduled->item].kind;
    bool may = kind == FLOW_ONCE || kind == FLOW_LIMITED || kind == FLOW_CANCELLED;     /* once cancelled, no retries */
    require(judge, may, "an activity with endless retries ended without success");
    if (kind == FLOW_LIMITED && judge->truth->strict && !judge->truth->tight)
        require(judge, event->time - scheduled->time <= (FLOW_LIMIT_SECONDS + 1) * SIM_SECOND,
                "an activity was retried longer than schedule-to-close allows");
}

static void judge_item(const struct judge *judge) {
    const struct flow_event *event = judge->event;
    switch (event->type) {
    case FLOW_EVENT(ACTIVITY_TASK_SCHEDULED):
    case FLOW_EVENT(TIMER_STARTED):
    case FLOW_EVENT(MARKER_RECORDED):
        require(judge, event->item >= 0 && (unsigned)event->item < judge->script.count, "an item of no script");
        require(judge, count_items(judge, event->type, event->item) == 1, "an item was begun twice");
        break;
    case FLOW_EVENT(ACTIVITY_TASK_COMPLETED):
        require(judge, event->number == find(judge, event->ref)->item, "the result of another activity");
        break;
    case FLOW_EVENT(ACTIVITY_TASK_CANCELED):
        require(judge, judge->script.items[find(judge, event->ref)->item].kind == FLOW_CANCELLED,
                "an activity was cancelled that nobody cancels");
        break;
    case FLOW_EVENT(ACTIVITY_TASK_FAILED):
    case FLOW_EVENT(ACTIVITY_TASK_TIMED_OUT):
        judge_activity_end(judge);
        break;
    default:
        break;
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
    struct truth_run *run = judge->run;
    require(judge, run->count > 0, "the history is empty");
    judge_started(judge, script);
    require(judge, flow_parse(run->events[0].text, &judge->script), "the start event has no script");
    for (size_t i = 0; i < run->count; i++) {
        judge->event = &run->events[i];
        require(judge, flow_is_close(judge->event->type) == (i + 1 == run->count), "the close event is not the last");
        judge_item(judge);
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
}

void truth_free(struct truth *truth) {
    for (unsigned i = 0; i < truth->flow_count; i++)
        for (unsigned r = 0; r < TRUTH_RUNS_MAX; r++) world_free(truth->flows[i].runs[r].events);
    model_free(truth->model);
    world_free(truth->answers);
    world_free(truth);
}
