/* workflow_task: scheduling, starting, completing, failing. */
#include "shard/workflow_task.h"

#include "base/mark.h"
#include "base/plant.h"
#include "shard/apply.h"
#include "shard/effects.h"

enum {
    BUFFERED_EVENTS_MAX = 100,
    BUFFERED_BYTES_MAX = 2 * 1024 * 1024,
    ATTEMPTS_PLAIN = 3,                    /* later ones get longer and longer timeouts */
    SUGGEST_EVENTS = 4096,
};
#define SUGGEST_BYTES (4 * 1024 * 1024)
#define RETRY_FIRST SECONDS(5)
#define RETRY_MAX SECONDS(600)

/* ---- scheduling ---- */

/* SDKs do not report failures of later attempts and let them time out: the timeout is the throttle. */
static int64_t task_timeout(const struct exec *exec, int32_t attempt) {
    int64_t extra = 0;
    if (attempt > ATTEMPTS_PLAIN) {
        int doublings = attempt - ATTEMPTS_PLAIN - 1;
        extra = doublings >= 7 ? RETRY_MAX : RETRY_FIRST << doublings;
        if (extra > RETRY_MAX) extra = RETRY_MAX;
    }
    return exec->start->task_timeout + extra;
}

static TaskQueue queue_message(const struct exec *exec, bool sticky) {
    TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    queue.name = pb_text(sticky ? exec->info->sticky_queue : exec->start->task_queue);
    queue.kind = sticky ? QUEUE_KIND(STICKY) : QUEUE_KIND(NORMAL);
    if (sticky) queue.normal_name = pb_text(exec->start->task_queue);
    return queue;
}

static void add_scheduled(struct txn *txn, int32_t attempt, bool sticky, int64_t at) {
    struct exec *exec = txn->exec;
    TaskQueue queue = queue_message(exec, sticky);
    HistoryEvent event = EVENT_INIT;
    EVENT_NEW(WorkflowTaskScheduled, workflow_task_scheduled, scheduled);
    scheduled.task_queue = &queue;
    scheduled.start_to_close_timeout = pb_duration(&txn->arena, task_timeout(exec, attempt));
    scheduled.attempt = attempt;
    EVENT_SET(&event, WORKFLOW_TASK_SCHEDULED, workflow_task_scheduled, &scheduled);
    event.event_time = pb_time(&txn->arena, at);
    txn_add_event(txn, &event);
}

/* A task without events: its ids are those that come next. */
static void set_transient(struct txn *txn, int32_t attempt) {
    struct exec *exec = txn->exec;
    StateWorkflowTask *task = state_new(&norn__state__workflow_task__descriptor);
    mark(MARK_TASK_TRANSIENT);
    task->scheduled_event_id = exec_next_event_id(exec);
    task->attempt = attempt;
    task->scheduled_time = task->original_scheduled_time = txn->now;
    task->timeout = task_timeout(exec, attempt);
    state_set_text(&task->task_queue, exec->start->task_queue);
    exec_set_single(exec, STATE_WORKFLOW_TASK, &task->base);
}

void workflow_task_item(const struct exec *exec, struct queue_name *name, struct queue_task *item) {
    const StateWorkflowTask *task = exec->task;
    *name = engine_queue(exec, QUEUE_WORKFLOW, task->task_queue);
    *item = (struct queue_task){
        .execution = exec->number,
        .hash = exec->hash,
        .event_id = task->scheduled_event_id,
        .stamp = task->stamp,
        .schedule_time = task->scheduled_time,
        .priority = exec->start->priority ? exec->start->priority->priority_key : 0,
    };
}

static void send_to_queue(struct txn *txn) {
    struct exec *exec = txn->exec;
    struct queue_name name;
    struct queue_task item;
    workflow_task_item(exec, &name, &item);
    struct send *send = send_create(&name, &item, exec->task->sticky ? exec->start->task_queue : NULL);
    list_push_back(&txn->sends, &send->link);
}

void workflow_task_withdraw(struct txn *txn) {
    const StateWorkflowTask *task = txn->exec->task;
    if (!task || task->started_event_id) return;
    struct queue_name name;
    struct queue_task item;
    workflow_task_item(txn->exec, &name, &item);
    txn_withdraw_task(txn, &name, &item, task->sticky ? txn->exec->start->task_queue : NULL);
}

/* The state of the next task, and its event unless it is transient. */
static void make_task(struct txn *txn, int32_t attempt) {
    struct exec *exec = txn->exec;
    CHECK(exec_open(exec) && !exec->task);
    if (txn_has_buffered(txn)) {           /* new information: a fresh, visible attempt */
        txn_flush(txn);
        attempt = 1;
    }
    bool sticky = attempt == 1 && !text_empty(exec->info->sticky_queue);
    if (attempt == 1) add_scheduled(txn, 1, sticky, txn->now);
    else set_transient(txn, attempt);
    StateWorkflowTask *task = exec->task;
    task->stamp = exec_next_stamp(exec);
    if (sticky && !PLANT(txn->engine->io, STICKY_NEVER_TIMES_OUT)) task->schedule_to_start = exec->info->sticky_timeout;
    exec->info->first_task_at = 0;
    exec_touch(exec, STATE_INFO);
    exec_touch(exec, STATE_WORKFLOW_TASK);
}

static void schedule(struct txn *txn, int32_t attempt) {
    make_task(txn, attempt);
    send_to_queue(txn);
}

void workflow_task_schedule(struct txn *txn) { schedule(txn, 1); }
void workflow_task_schedule_inline(struct txn *txn) { make_task(txn, 1); }

static bool too_many_buffered(struct txn *txn) {
    const struct engine_limits *limits = &txn->engine->limits;
    if (exec_set(txn->exec, STATE_BUFFERED)->count >= limit_or(limits->buffered_events_max, BUFFERED_EVENTS_MAX)) return true;
    size_t bytes = 0;
    ITEMS_EACH(item, txn->exec, STATE_BUFFERED) bytes += item->buffered->event.len;
    return bytes >= limit_or(limits->buffered_events_bytes_max, BUFFERED_BYTES_MAX);
}

void workflow_task_wake(struct txn *txn) {
    struct exec *exec = txn->exec;
    if (!exec_open(exec) || exec->info->first_task_at || txn->hold) return;
    if (!exec->task) schedule(txn, 1);
    else if (exec->task->started_event_id && too_many_buffered(txn)) {
        workflow_task_fail(txn, WFT_CAUSE(FORCE_CLOSE_COMMAND), NULL, "history-service");
    }
}

/* ---- starting ---- */

static void add_started(struct txn *txn, const StateWorkflowTask *task) {
    HistoryEvent event = EVENT_INIT;
    EVENT_NEW(WorkflowTaskStarted, workflow_task_started, started);
    started.scheduled_event_id = task->scheduled_event_id;
    started.identity = task->identity;
    started.request_id = task->request_id;
    started.history_size_bytes = task->history_size;
    started.suggest_continue_as_new = task->suggest_continue_as_new;
    started.n_suggest_continue_as_new_reasons = task->n_suggest_reasons;
    started.suggest_continue_as_new_reasons = (void *)task->suggest_reasons;
    EVENT_SET(&event, WORKFLOW_TASK_STARTED, workflow_task_started, &started);
    event.event_time = pb_time(&txn->arena, task->started_time);
    txn_add_event(txn, &event);
}

/* The task as its started event will tell it; the event itself is added (or not) by the caller. */
static void describe_start(struct txn *txn, const char *identity, const char *request_id) {
    struct exec *exec = txn->exec;
    StateWorkflowTask *task = exec->task;
    task->started_time = txn->now;
    state_set_text(&task->identity, identity);
    state_set_text(&task->request_id, request_id);
    task->history_size = exec->info->history_size;
    bool large = exec->info->history_size >= SUGGEST_BYTES, many = exec_next_event_id(exec) > SUGGEST_EVENTS;
    task->suggest_continue_as_new = large || many;
    if (large || many) {
        task->suggest_reasons = exec_pb()->alloc(NULL, 2 * sizeof *task->suggest_reasons);
        task->n_suggest_reasons = 0;
        if (large) task->suggest_reasons[task->n_suggest_reasons++] = 1;
        if (many) task->suggest_reasons[task->n_suggest_reasons++] = 2;
    }
    task->epoch = txn->engine->epoch;
    task->dispatch = ++txn->engine->dispatches;
    exec_touch(exec, STATE_WORKFLOW_TASK);
}

void workflow_task_start(struct txn *txn, const char *identity, const char *request_id) {
    struct exec *exec = txn->exec;
    StateWorkflowTask *task = exec->task;
    CHECK(task && !task->started_event_id);
    if (workflow_task_transient(task) && task->scheduled_event_id != exec_next_event_id(exec)) {
        /* Events came in between: the attempt is visible, and counts from 1. */
        int64_t at = task->scheduled_time;
        uint64_t stamp = task->stamp;
        exec_set_single(exec, STATE_WORKFLOW_TASK, NULL);
        add_scheduled(txn, 1, false, txn->now);
        exec->task->stamp = stamp;
        exec->task->original_scheduled_time = at;
        task = exec->task;
    }
    describe_start(txn, identity, request_id);
    if (workflow_task_transient(task)) task->started_event_id = task->scheduled_event_id + 1;
    else add_started(txn, task);
}

void workflow_task_transient_events(const struct exec *exec, struct arena *arena, struct buf *out) {
    const StateWorkflowTask *task = exec->task;
    TaskQueue queue = queue_message(exec, false);
    HistoryEvent event = EVENT_INIT;
    EVENT_NEW(WorkflowTaskScheduled, workflow_task_scheduled, scheduled);
    scheduled.task_queue = &queue;
    scheduled.start_to_close_timeout = pb_duration(arena, task->timeout);
    scheduled.attempt = task->attempt;
    EVENT_SET(&event, WORKFLOW_TASK_SCHEDULED, workflow_task_scheduled, &scheduled);
    event.event_id = task->scheduled_event_id;
    event.event_time = pb_time(arena, task->scheduled_time);
    pb_append_field(out, 1, pbpack(arena, &event.base));
    if (!task->started_event_id) return;

    event = (HistoryEvent)EVENT_INIT;
    EVENT_NEW(WorkflowTaskStarted, workflow_task_started, started);
    started.scheduled_event_id = task->scheduled_event_id;
    started.identity = task->identity;
    started.request_id = task->request_id;
    started.history_size_bytes = task->history_size;
    started.suggest_continue_as_new = task->suggest_continue_as_new;
    started.n_suggest_continue_as_new_reasons = task->n_suggest_reasons;
    started.suggest_continue_as_new_reasons = (void *)task->suggest_reasons;
    EVENT_SET(&event, WORKFLOW_TASK_STARTED, workflow_task_started, &started);
    event.event_id = task->started_event_id;
    event.event_time = pb_time(arena, task->started_time);
    pb_append_field(out, 1, pbpack(arena, &event.base));
}

/* ---- ending ---- */

/* Writes the events of a transient task that now becomes part of history. */
static void make_durable(struct txn *txn) {
    StateWorkflowTask *task = txn->exec->task;
    if (!workflow_task_transient(task)) return;
    CHECK(task->scheduled_event_id == exec_next_event_id(txn->exec));
    add_scheduled(txn, task->attempt, false, task->scheduled_time);
    add_started(txn, task);
}

int64_t workflow_task_complete(struct txn *txn, const RespondWorkflowTaskCompletedRequest *request) {
    make_durable(txn);
    const StateWorkflowTask *task = txn->exec->task;
    HistoryEvent event = EVENT_INIT;
    EVENT_NEW(WorkflowTaskCompleted, workflow_task_completed, completed);
    completed.scheduled_event_id = task->scheduled_event_id;
    completed.started_event_id = task->started_event_id;
    completed.identity = request->identity;
    completed.binary_checksum = request->binary_checksum;
    completed.worker_version = request->worker_version_stamp;
    completed.sdk_metadata = request->sdk_metadata;
    completed.metering_metadata = request->metering_metadata;
    completed.deployment = request->deployment;
    completed.versioning_behavior = request->versioning_behavior;
    EVENT_SET(&event, WORKFLOW_TASK_COMPLETED, workflow_task_completed, &completed);
    return txn_add_event(txn, &event);
}

static void clear_sticky(struct txn *txn) {
    exec_touch(txn->exec, STATE_INFO);
    if (!PLANT(txn->engine->io, STICKY_NOT_CLEARED)) state_set_text(&txn->exec->info->sticky_queue, "");
}

/* The next attempt's number; a sticky worker gets no second chance, but its failure does not count. */
static int32_t next_attempt(struct txn *txn, int32_t attempt) {
    StateInfo *info = txn->exec->info;
    exec_touch(txn->exec, STATE_INFO);
    if (text_empty(info->sticky_queue)) {
        info->task_failures++;
        txn->exec->visibility_changed = true;      /* TemporalReportedProblems */
        return attempt + 1;
    }
    clear_sticky(txn);
    return attempt;
}

static void add_failed(struct txn *txn, int32_t cause, const Failure *failure, const char *identity) {
    const StateWorkflowTask *task = txn->exec->task;
    HistoryEvent event = EVENT_INIT;
    EVENT_NEW(WorkflowTaskFailed, workflow_task_failed, failed);
    failed.scheduled_event_id = task->scheduled_event_id;
    failed.started_event_id = task->started_event_id;
    failed.cause = (Temporal__Api__Enums__V1__WorkflowTaskFailedCause)cause;
    failed.failure = (Failure *)(uintptr_t)failure;
    failed.identity = pb_text(identity);
    EVENT_SET(&event, WORKFLOW_TASK_FAILED, workflow_task_failed, &failed);
    txn_add_event(txn, &event);
}

void workflow_task_fail(struct txn *txn, int32_t cause, const Failure *failure, const char *identity) {
    struct exec *exec = txn->exec;
    CHECK(exec_task_started(exec));
    int32_t attempt = exec->task->attempt;
    if (workflow_task_transient(exec->task)) exec_set_single(exec, STATE_WORKFLOW_TASK, NULL);
    else add_failed(txn, cause, failure, identity);
    if (PLANT(txn->engine->io, BUFFERED_LOST_BY_FAILURE)) exec_clear(exec, STATE_BUFFERED);
    schedule(txn, next_attempt(txn, attempt));
}

void workflow_task_time_out(struct txn *txn, int32_t timeout_type) {
    struct exec *exec = txn->exec;
    const StateWorkflowTask *task = exec->task;
    int32_t attempt = task->attempt;
    mark(timeout_type == TIMEOUT_TYPE(SCHEDULE_TO_START) ? MARK_STICKY_TIMED_OUT : MARK_TASK_TIMED_OUT);
    workflow_task_withdraw(txn);
    if (workflow_task_transient(task)) {
        exec_set_single(exec, STATE_WORKFLOW_TASK, NULL);
    } else {
        HistoryEvent event = EVENT_INIT;
        EVENT_NEW(WorkflowTaskTimedOut, workflow_task_timed_out, timed_out);
        timed_out.scheduled_event_id = task->scheduled_event_id;
        timed_out.started_event_id = task->started_event_id;
        timed_out.timeout_type = (Temporal__Api__Enums__V1__TimeoutType)timeout_type;
        EVENT_SET(&event, WORKFLOW_TASK_TIMED_OUT, workflow_task_timed_out, &timed_out);
        txn_add_event(txn, &event);
    }
    bool nobody_came = timeout_type == TIMEOUT_TYPE(SCHEDULE_TO_START);       /* of a sticky queue: nobody's failure */
    if (nobody_came) clear_sticky(txn);
    schedule(txn, nobody_came ? attempt : next_attempt(txn, attempt));
}

void workflow_task_end_by_force(struct txn *txn, int32_t cause, const Failure *failure, const char *identity) {
    struct exec *exec = txn->exec;
    if (exec_task_started(exec)) {
        if (workflow_task_transient(exec->task)) exec_set_single(exec, STATE_WORKFLOW_TASK, NULL);
        else add_failed(txn, cause, failure, identity);
    }
    txn_flush(txn);
}
