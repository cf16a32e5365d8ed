/* model_work: what workers are given and what they answer: workflow tasks with their commands, activities with their
 * attempts, backoff and heartbeats. */
#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"

#include "model_internal.h"

typedef PB(History__V1__HistoryEvent) Event;
typedef PB(Command__V1__Command) Command;

static int64_t wall(const struct model_run *run) {
    return world_wall(run->id->model->world, run->id->model->server);
}

static uint64_t hash_token(ProtobufCBinaryData token) { return hash64(token.data, token.len); }

/* ---- commands and the events that they make ---- */

static uint64_t key_with(const char *id, const Google__Protobuf__Duration *duration) {
    return model_key_text(id) + (duration ? (uint64_t)duration->seconds * 1000000007 + (uint64_t)duration->nanos : 0);
}

static struct model_command of_command(const Command *command) {
    switch ((int)command->command_type) {
#define CASE(COMMAND, EVENT, key) case FLOW_COMMAND(COMMAND): return (struct model_command){FLOW_EVENT(EVENT), key};
    CASE(SCHEDULE_ACTIVITY_TASK, ACTIVITY_TASK_SCHEDULED,
         model_key_payloads(command->schedule_activity_task_command_attributes->activity_id,
                            command->schedule_activity_task_command_attributes->input))
    CASE(START_TIMER, TIMER_STARTED,
         key_with(command->start_timer_command_attributes->timer_id,
                  command->start_timer_command_attributes->start_to_fire_timeout))
    CASE(RECORD_MARKER, MARKER_RECORDED, model_key_text(command->record_marker_command_attributes->marker_name))
    CASE(REQUEST_CANCEL_ACTIVITY_TASK, ACTIVITY_TASK_CANCEL_REQUESTED,
         (uint64_t)command->request_cancel_activity_task_command_attributes->scheduled_event_id)
    CASE(COMPLETE_WORKFLOW_EXECUTION, WORKFLOW_EXECUTION_COMPLETED,
         model_key_payloads("", command->complete_workflow_execution_command_attributes->result))
    CASE(CANCEL_WORKFLOW_EXECUTION, WORKFLOW_EXECUTION_CANCELED,
         model_key_payloads("", command->cancel_workflow_execution_command_attributes->details))
    CASE(CONTINUE_AS_NEW_WORKFLOW_EXECUTION, WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
         model_key_payloads("", command->continue_as_new_workflow_execution_command_attributes->input))
#undef CASE
    default: CHECKF(false, "the model does not know command %d", (int)command->command_type);
    }
}

/* *completed is the event of the workflow task whose command made this one. */
static struct model_command of_event(const Event *event, int64_t *completed) {
    switch ((int)event->event_type) {
#define CASE(EVENT, attributes, key)                                                                           \
    case FLOW_EVENT(EVENT):                                                                                    \
        *completed = event->attributes->workflow_task_completed_event_id;                                      \
        return (struct model_command){FLOW_EVENT(EVENT), key};
    CASE(ACTIVITY_TASK_SCHEDULED, activity_task_scheduled_event_attributes,
         model_key_payloads(event->activity_task_scheduled_event_attributes->activity_id,
                            event->activity_task_scheduled_event_attributes->input))
    CASE(TIMER_STARTED, timer_started_event_attributes,
         key_with(event->timer_started_event_attributes->timer_id,
                  event->timer_started_event_attributes->start_to_fire_timeout))
    CASE(MARKER_RECORDED, marker_recorded_event_attributes,
         model_key_text(event->marker_recorded_event_attributes->marker_name))
    CASE(ACTIVITY_TASK_CANCEL_REQUESTED, activity_task_cancel_requested_event_attributes,
         (uint64_t)event->activity_task_cancel_requested_event_attributes->scheduled_event_id)
    CASE(WORKFLOW_EXECUTION_COMPLETED, workflow_execution_completed_event_attributes,
         model_key_payloads("", event->workflow_execution_completed_event_attributes->result))
    CASE(WORKFLOW_EXECUTION_CANCELED, workflow_execution_canceled_event_attributes,
         model_key_payloads("", event->workflow_execution_canceled_event_attributes->details))
    CASE(WORKFLOW_EXECUTION_CONTINUED_AS_NEW, workflow_execution_continued_as_new_event_attributes,
         model_key_payloads("", event->workflow_execution_continued_as_new_event_attributes->input))
#undef CASE
    default:
        *completed = 0;
        return (struct model_command){(int)event->event_type, 0};
    }
}

/* ---- batches: one completion must explain all of it ---- */

static bool same_command(const struct model_command *a, const struct model_command *b) {
    return a->event_type == b->event_type && a->key == b->key;
}

/* The next completion of this started event that may be the one; an acknowledged one leaves no choice. */
static struct model_effect *candidate(const struct model_run *run, struct model_effect *from, int64_t started,
                                      const struct model_command *commands, unsigned count, bool whole) {
    for (struct model_effect *it = from; it; it = it->next) {
        if (it->kind != EFFECT_TASK_COMPLETED || it->run != run || it->major != started) continue;
        if (model_effect_known(it) == KNOWN_NOT || it->command_count < count) continue;
        if (whole && it->command_count != count) continue;
        bool same = true;
        for (unsigned i = 0; i < count; i++) same &= same_command(&commands[i], &it->commands[i]);
        if (same) return it;
    }
    return NULL;
}

void model_batch_begins(struct model_run *run, const Event *event) {
    int64_t started = event->workflow_task_completed_event_attributes->started_event_id;
    run->batch = event->event_id;
    run->command_at = 0;
    run->completion = candidate(run, run->id->effects, started, NULL, 0, false);
    REQUIRE(run, run->completion, "event %lld: no worker has completed this workflow task", (long long)event->event_id);
}

/* Goes on to the next candidate when this one does not fit any more. */
static void fit(struct model_run *run, const struct model_command *commands, unsigned count, bool whole) {
    struct model_effect *now = run->completion;
    run->completion = candidate(run, run->id->effects, now->major, commands, count, whole);
    REQUIRE(run, run->completion, "the events after event %lld are not what its completion asked for", (long long)run->batch);
}

void model_batch_event(struct model_run *run, const Event *event) {
    int64_t completed;
    struct model_command command = of_event(event, &completed), commands[MODEL_COMMANDS_MAX];
    REQUIRE(run, run->batch, "event %lld comes from a command, and there is no completed task", (long long)event->event_id);
    REQUIRE(run, completed == run->batch && run->command_at < MODEL_COMMANDS_MAX,
            "event %lld is not of the completed task before it", (long long)event->event_id);
    memcpy(commands, run->completion->commands, sizeof commands);
    commands[run->command_at++] = command;
    fit(run, commands, run->command_at, false);
}

void model_batch_ends(struct model_run *run) {
    struct model_command commands[MODEL_COMMANDS_MAX];
    memcpy(commands, run->completion->commands, sizeof commands);
    fit(run, commands, run->command_at, true);
    for (struct model_effect *it = run->id->effects; it; it = it->next) {
        if (it->kind != EFFECT_TASK_COMPLETED || it->run != run || it->major != run->completion->major) continue;
        REQUIRE(run, !it->acknowledged || candidate(run, it, it->major, commands, run->command_at, true) == it,
                "the events after event %lld are not what the acknowledged completion asked for", (long long)run->batch);
        model_shown_add(it, run, run->batch);
    }
    run->batch = 0;
}

/* ---- workflow tasks ---- */

void model_task_given(struct model_run *run, const ModelTask *task, unsigned life) {
    struct model_handout given = {.major = task->started_event_id, .attempt = task->attempt,
                                  .token = hash_token(task->task_token), .from = life,
                                  .to = world_incarnation(run->id->model->world, run->id->model->server)};
    model_handout_given(run, &run->task, &given, "a workflow task");
}

struct model_effect *model_task_completes(struct model_run *run, const ModelTask *task, const ModelCompletion *request) {
    uint64_t token = hash_token(task->task_token);
    struct model_effect *effect = model_ask(run->id, run, EFFECT_TASK_COMPLETED, token);
    CHECK(request->n_commands <= MODEL_COMMANDS_MAX);
    effect->major = task->started_event_id;
    effect->attempt = task->attempt;
    effect->token = token;
    effect->stale = model_handout_stale(&run->task, effect->major, effect->attempt, token);
    effect->command_count = (unsigned)request->n_commands;
    for (unsigned i = 0; i < effect->command_count; i++) effect->commands[i] = of_command(request->commands[i]);
    return effect;
}

void model_task_completed(struct model_effect *effect, enum status_code code) {
    struct model_run *run = effect->run;
    bool before = effect->acknowledged;
    model_answer(effect, code);
    if (code != STATUS_OK) return;
    REQUIRE(run, !before, "a workflow task was completed twice with one token");
    REQUIRE(run, !effect->stale, "a workflow task was completed by a token that a newer one had followed");
}

struct model_effect *model_task_fails(struct model_run *run, const ModelTask *task) {
    struct model_effect *effect = model_ask_new(run->id, run, EFFECT_TASK_FAILED, (uint64_t)task->started_event_id);
    effect->attempt = task->attempt;
    return effect;
}

/* ---- activities ---- */

struct model_activity *model_activity(struct model_run *run, const char *name) {
    uint64_t id = model_key_text(name);
    for (struct model_activity *it = run->activities; it; it = it->next)
        if (it->id == id) return it;
    struct model_activity *activity = world_alloc(sizeof *activity);
    *activity = (struct model_activity){.next = run->activities, .id = id, .beat_low = -1, .beat_high = -1};
    snprintf(activity->name, sizeof activity->name, "%s", name);
    return run->activities = activity;
}

uint64_t model_activity_key(const struct model_activity *activity, enum model_kind kind,
                            const PB(Common__V1__Payloads) *payloads, int32_t attempt) {
    return model_key_payloads(activity->name, payloads) + (kind == EFFECT_ACTIVITY_FAILED ? (uint64_t)attempt : 0);
}

static int64_t duration(const Google__Protobuf__Duration *d) { return d ? d->seconds * SIM_SECOND + d->nanos : 0; }

/* Between this attempt and the next. */
static int64_t backoff(const PB(Common__V1__RetryPolicy) *policy, int32_t attempt) {
    double wait = (double)duration(policy->initial_interval) * pow(policy->backoff_coefficient, attempt - 1);
    double most = (double)duration(policy->maximum_interval);
    return (int64_t)(most > 0 && wait > most ? most : wait);
}

/* The server's clock goes on at the rate of the monotonic one where that is fast, and comes back at a restart. */
static int64_t drift(const struct model *model) { return world_now(model->world) / 1000; }

/* An attempt that follows one of which we know the end is scheduled by the backoff. */
static void check_backoff(struct model_run *run, const struct model_activity *activity, const ModelActivityTask *task) {
    const struct model *model = run->id->model;
    const struct model_effect *failure = activity->failure;
    const Google__Protobuf__Timestamp *at = task->current_attempt_scheduled_time;
    if (!failure || !failure->acknowledged || failure->attempt != activity->handout.attempt || !at || !task->retry_policy || model_jumped(model)) return;
    int64_t wait = backoff(task->retry_policy, activity->handout.attempt);
    int64_t scheduled = at->seconds * SIM_SECOND + at->nanos, early = failure->from + wait - scheduled;
    REQUIRE(run, early <= 2 * SIM_MS, "activity %s: attempt %d came %lld ms before its backoff ended", activity->name,
            task->attempt, (long long)(early / SIM_MS));
    int64_t late = scheduled - (failure->to + wait);
    REQUIRE(run, late <= 2 * SIM_MS + drift(model), "activity %s: attempt %d was scheduled %lld ms after its backoff",
            activity->name, task->attempt, (long long)(late / SIM_MS));
}

/* The details are those of a heartbeat not older than the last that was acknowledged. */
static void check_details(struct model_run *run, struct model_activity *activity, const ModelActivityTask *task) {
    bool there = task->heartbeat_details && task->heartbeat_details->n_payloads;
    long long number = -1;
    if (there) {
        char text[24] = "";
        const ProtobufCBinaryData *data = &task->heartbeat_details->payloads[0]->data;
        memcpy(text, data->data, data->len < sizeof text ? data->len : sizeof text - 1);
        number = atoll(text);
    }
    REQUIRE(run, number >= activity->beat_low && number <= activity->beat_high,
            "activity %s: attempt %d has heartbeat %lld; %lld was acknowledged and %lld sent last", activity->name,
            task->attempt, number, (long long)activity->beat_low, (long long)activity->beat_high);
    activity->beat_low = activity->beat_high = number;
    activity->beat_lost = false;
}

/* None is scheduled after schedule-to-close; the clock of that is the one that the server had then. */
static void check_limit(struct model_run *run, const ModelActivityTask *task) {
    const Google__Protobuf__Timestamp *first = task->scheduled_time, *at = task->current_attempt_scheduled_time;
    int64_t limit = duration(task->schedule_to_close_timeout);
    if (!first || !at || !limit || task->attempt < 2) return;
    int64_t late = (at->seconds - first->seconds) * SIM_SECOND + at->nanos - first->nanos - limit;
    REQUIRE(run, late <= 0, "activity %s: attempt %d was scheduled %lld ms after schedule-to-close", task->activity_id,
            task->attempt, (long long)(late / SIM_MS));
}

/* Why there is another attempt: the one before failed, or had time enough to time out. */
static void check_reason(struct model_run *run, const struct model_activity *activity, const ModelActivityTask *task) {
    if (activity->failure && model_effect_known(activity->failure) != KNOWN_NOT) return;
    const Google__Protobuf__Timestamp *at = task->current_attempt_scheduled_time;
    int64_t least = duration(task->start_to_close_timeout), beat = duration(task->heartbeat_timeout);
    if (beat && beat < least) least = beat;
    int64_t lived = (at ? at->seconds * SIM_SECOND + at->nanos : 0) - activity->given_at;
    REQUIRE(run, lived + model_slack(least) + drift(run->id->model) >= least || model_jumped(run->id->model),
            "activity %s: attempt %d came %lld ms after attempt %d, which has not failed", activity->name, task->attempt,
            (long long)(lived / SIM_MS), activity->handout.attempt);
}

void model_activity_given(struct model_run *run, const ModelActivityTask *task, unsigned life) {
    struct model_activity *activity = model_activity(run, task->activity_id);
    const struct model *model = run->id->model;
    struct model_handout given = {.attempt = task->attempt, .token = hash_token(task->task_token), .from = life,
                                  .to = world_incarnation(model->world, model->server)};
    int32_t most = task->retry_policy ? task->retry_policy->maximum_attempts : 0;
    REQUIRE(run, !most || task->attempt <= most, "activity %s: attempt %d of %d was given out", activity->name,
            task->attempt, most);
    REQUIRE(run, most != 1 || !activity->handout.attempt, "activity %s may run once, and was given out twice",
            activity->name);
    check_limit(run, task);
    if (activity->handout.attempt && task->attempt == activity->handout.attempt + 1) {
        check_reason(run, activity, task);
        check_backoff(run, activity, task);
    }
    if (task->attempt > activity->handout.attempt) {
        check_details(run, activity, task);
        activity->failure = NULL;
    }
    const Google__Protobuf__Timestamp *began = task->started_time;
    if (task->attempt >= activity->handout.attempt && began)
        activity->given_at = began->seconds * SIM_SECOND + began->nanos;
    model_handout_given(run, &activity->handout, &given, activity->name);
}

struct model_effect *model_activity_ends(struct model_run *run, const ModelActivityTask *task, enum model_kind kind,
                                         const PB(Common__V1__Payloads) *payloads, bool by_token) {
    struct model_activity *activity = model_activity(run, task->activity_id);
    struct model_effect *effect =
        model_ask_new(run->id, run, kind, model_activity_key(activity, kind, payloads, task->attempt));
    effect->activity = activity;
    effect->attempt = task->attempt;
    effect->token = by_token ? hash_token(task->task_token) : 0;
    effect->stale = by_token && model_handout_stale(&activity->handout, 0, task->attempt, effect->token);
    effect->from = wall(run);
    /* The attempt may have been given out twice, and one of the two is refused: what may have failed it stays. */
    bool open = !activity->failure || model_effect_known(activity->failure) == KNOWN_NOT;
    if (kind == EFFECT_ACTIVITY_FAILED && task->attempt == activity->handout.attempt && open) activity->failure = effect;
    return effect;
}

void model_activity_ended(struct model_effect *effect, enum status_code code) {
    struct model_run *run = effect->run;
    struct model_activity *activity = effect->activity;
    model_answer(effect, code);
    effect->to = wall(run);
    if (code != STATUS_OK) return;
    REQUIRE(run, !effect->stale, "activity %s: attempt %d was ended, and a newer one had been given out", activity->name,
            effect->attempt);
    REQUIRE(run, !effect->token || activity->handout.accepted != effect->token, "activity %s: attempt %d was ended twice", activity->name,
            effect->attempt);
    if (effect->token) activity->handout.accepted = effect->token;
}

void model_activity_beats(struct model_run *run, const ModelActivityTask *task, int64_t number) {
    struct model_activity *activity = model_activity(run, task->activity_id);
    if (task->attempt < activity->handout.attempt) return;
    if (number > activity->beat_high) activity->beat_high = number;
    if (number < activity->beat_low) activity->beat_low = number;
}

void model_activity_beat(struct model_run *run, const ModelActivityTask *task, int64_t number, enum status_code code) {
    struct model_activity *activity = model_activity(run, task->activity_id);
    if (task->attempt < activity->handout.attempt) return;
    if (model_known(code) == KNOWN_MAYBE) activity->beat_lost = true;
    /* One whose answer was lost may still come, after this one. */
    if (code == STATUS_OK && !activity->beat_lost) activity->beat_low = number;
}
