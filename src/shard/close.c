/* close: the closing events, and the run that follows. */
#include "shard/close.h"

#include "base/mem.h"
#include "shard/activity_start.h"
#include "shard/cron.h"
#include "shard/failure.h"
#include "shard/retry.h"
#include "shard/run.h"
#include "shard/start_check.h"
#include "shard/workflow_task.h"
#include "telemetry/workload.h"

enum { HISTORY_COUNT_MAX = 51200, HISTORY_SIZE_MAX = 50 * 1024 * 1024 };
#define RETENTION_DEFAULT SECONDS(24 * 3600)
#define RUN_INTERVAL_MIN SECONDS(1)

typedef EVENT_ATTRIBUTES(WorkflowExecutionStarted) StartedEvent;

/* "COMPLETED", for metrics. */
static const char *status_name(int32_t status) {
    static const char prefix[] = "WORKFLOW_EXECUTION_STATUS_";
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&temporal__api__enums__v1__workflow_execution_status__descriptor, status);
    return value ? value->name + sizeof prefix - 1 : "";
}

/* After the closing event. */
static void closed(struct txn *txn) {
    struct exec *exec = txn->exec;
    struct engine *engine = txn->engine;
    const struct namespace_info *ns = engine->host.namespace_by_id(engine->host.ctx, exec->start->namespace_id.data);
    int64_t retention = ns && ns->retention_ns ? ns->retention_ns : RETENTION_DEFAULT;
    exec->info->delete_at = exec->info->close_time + retention;
    exec_touch(exec, STATE_INFO);
    workload_workflow_closed(engine->io, ns ? ns->name : "", exec->start->workflow_type, status_name(exec->info->status),
                             exec->info->close_time - exec->start->start_time);
    engine->stats.workflows_closed++;
    engine->stats.open--;
}

static void add_closing(struct txn *txn, HistoryEvent *event, const Command *command) {
    workflow_task_withdraw(txn);
    ITEMS_EACH(item, txn->exec, STATE_ACTIVITY) activity_withdraw(txn, item);
    if (command) {
        event->user_metadata = command->user_metadata;
        event->event_group_markers = command->event_group_markers;
        event->n_event_group_markers = command->n_event_group_markers;
    }
    txn_add_event(txn, event);
    closed(txn);
}

/* ---- the run that follows ---- */

struct next {
    uint8_t run_id[RUN_ID_LEN];
    char text[UUID_TEXT_SIZE];
    StartedEvent *started;
    Temporal__Api__Sdk__V1__UserMetadata *user_metadata;
};

/* Starts from this run's own first event. */
static struct next next_run(struct txn *txn) {
    struct next next;
    engine_new_run_id(txn->engine, next.run_id);
    uuid_text(next.run_id, next.text);
    HistoryEvent *first = history_decode(&txn->exec->history, 1, &txn->arena);
    CHECK(first && first->event_type == EVENT(WORKFLOW_EXECUTION_STARTED));
    next.started = first->workflow_execution_started_event_attributes;
    next.user_metadata = first->user_metadata;
    next.started->continued_execution_run_id = txn->exec->start->run_id;
    next.started->original_execution_run_id = NULL;
    next.started->eager_execution_accepted = false;
    return next;
}

/* Makes it; its first task comes at once or after its backoff. It is committed with this run. */
static void start_next(struct txn *txn, struct next *next) {
    struct exec *exec = txn->exec;
    struct run_spec spec = {
        .namespace_id = exec->start->namespace_id.data,
        .workflow_id = exec->start->workflow_id,
        .hash = exec->hash,
        .request_id = next->text,
        .started = next->started,
        .user_metadata = next->user_metadata,
        .predecessor = exec->number,
    };
    memcpy(spec.run_id, next->run_id, RUN_ID_LEN);
    txn->successor = MEM_NEW(struct txn);
    struct exec *successor = run_create(txn->engine, &spec, txn->successor);
    run_supersede(txn);
    if (!successor->info->first_task_at) workflow_task_schedule(txn->successor);
}

/* Cron: the next slot; -1 when there is none any more. */
static int64_t next_slot(struct txn *txn) {
    const StateStart *start = txn->exec->start;
    if (text_empty(start->cron_schedule)) return -1;
    int64_t wait = cron_backoff(start->cron_schedule, start->start_time + start->first_backoff, txn->now);
    if (wait >= 0 && start->execution_expiration && txn->now + wait > start->execution_expiration) return -1;
    return wait;
}

static void set_next(struct txn *txn, struct next *next, int32_t initiator, int32_t attempt, int64_t wait) {
    next->started->initiator = (Temporal__Api__Enums__V1__ContinueAsNewInitiator)initiator;
    next->started->attempt = attempt;
    next->started->first_workflow_task_backoff = pb_duration(&txn->arena, wait);
}

/* After a failure or timeout: a retry, or the next slot of a cron schedule. Gives the retry state, and the new run's
 * id (in the transaction's arena) or NULL. */
static int32_t follow_failure(struct txn *txn, Failure *failure, bool keep_failure, const char **new_run_id,
                              struct next *next) {
    const StateStart *start = txn->exec->start;
    *new_run_id = NULL;
    int64_t wait = 0;
    int32_t state = RETRY_STATE(RETRY_POLICY_NOT_SET);
    if (start->retry_policy) {
        state = (int32_t)retry_next(start->retry_policy, start->attempt, txn->now, start->execution_expiration, failure, &wait);
    }
    bool retries = state == RETRY_STATE(IN_PROGRESS);
    if (!retries) wait = next_slot(txn);
    if (!retries && wait < 0) return state;
    *next = next_run(txn);
    set_next(txn, next, retries ? INITIATOR(RETRY) : INITIATOR(CRON_SCHEDULE), retries ? start->attempt + 1 : 1, wait);
    next->started->continued_failure = keep_failure ? failure : NULL;
    *new_run_id = next->text;
    return state;
}

/* ---- commands ---- */

static void end_of_run(struct completion *completion) {
    txn_flush(completion->txn);
    completion->closed = true;
}

void close_by_complete(struct completion *completion, const Command *command) {
    struct txn *txn = completion->txn;
    end_of_run(completion);
    HistoryEvent event = EVENT_INIT;
    EVENT_NEW(WorkflowExecutionCompleted, workflow_execution_completed, completed);
    completed.result = command->complete_workflow_execution_command_attributes->result;
    completed.workflow_task_completed_event_id = completion->completed_event_id;
    int64_t wait = next_slot(txn);
    struct next next;
    if (wait >= 0) {
        next = next_run(txn);
        set_next(txn, &next, INITIATOR(CRON_SCHEDULE), 1, wait);
        next.started->last_completion_result = completed.result;
        next.started->continued_failure = NULL;
        completed.new_execution_run_id = next.text;
    }
    EVENT_SET(&event, WORKFLOW_EXECUTION_COMPLETED, workflow_execution_completed, &completed);
    if (wait >= 0) start_next(txn, &next);
    add_closing(txn, &event, command);
}

void close_by_fail(struct completion *completion, const Command *command) {
    struct txn *txn = completion->txn;
    end_of_run(completion);
    HistoryEvent event = EVENT_INIT;
    EVENT_NEW(WorkflowExecutionFailed, workflow_execution_failed, failed);
    failed.failure = command->fail_workflow_execution_command_attributes->failure;
    failed.workflow_task_completed_event_id = completion->completed_event_id;
    const char *new_run_id;
    struct next next;
    failed.retry_state = (Temporal__Api__Enums__V1__RetryState)follow_failure(txn, failed.failure, true, &new_run_id, &next);
    failed.new_execution_run_id = pb_text(new_run_id);
    EVENT_SET(&event, WORKFLOW_EXECUTION_FAILED, workflow_execution_failed, &failed);
    if (new_run_id) start_next(txn, &next);
    add_closing(txn, &event, command);
}

void close_by_cancel(struct completion *completion, const Command *command) {
    end_of_run(completion);
    HistoryEvent event = EVENT_INIT;
    EVENT_NEW(WorkflowExecutionCanceled, workflow_execution_canceled, canceled);
    canceled.details = command->cancel_workflow_execution_command_attributes->details;
    canceled.workflow_task_completed_event_id = completion->completed_event_id;
    EVENT_SET(&event, WORKFLOW_EXECUTION_CANCELED, workflow_execution_canceled, &canceled);
    add_closing(completion->txn, &event, command);
}

/* ---- continue-as-new ---- */

typedef Temporal__Api__Command__V1__ContinueAsNewWorkflowExecutionCommandAttributes ContinueAttributes;

/* Runs of a chain begin at least a second apart; a run begins when its backoff ends. */
static int64_t continue_backoff(struct txn *txn, const ContinueAttributes *a) {
    const StateStart *start = txn->exec->start;
    int64_t wait = duration_ns(a->backoff_start_interval), lived = txn->now - start->start_time - start->first_backoff;
    if (a->initiator == INITIATOR(CRON_SCHEDULE) && !text_empty(a->cron_schedule)) {
        int64_t slot = cron_backoff(a->cron_schedule, start->start_time, txn->now);
        if (slot >= 0) wait = slot;
    }
    return lived + wait < RUN_INTERVAL_MIN ? RUN_INTERVAL_MIN - lived : wait;
}

static void fill_continued(struct completion *completion, struct next *next, const ContinueAttributes *a, int64_t wait) {
    struct txn *txn = completion->txn;
    const StateStart *start = txn->exec->start;
    StartedEvent *started = next->started;
    int64_t run = a->workflow_run_timeout ? duration_ns(a->workflow_run_timeout) : start->run_timeout;
    int64_t task = duration_ns(a->workflow_task_timeout) ? duration_ns(a->workflow_task_timeout) : start->task_timeout;
    if (start->execution_expiration) {
        int64_t left = start->execution_expiration - txn->now;
        if (left > 0 && (!run || run > left)) run = left;
    }
    struct run_timeouts timeouts = run_timeouts(start->execution_timeout, run, task);
    if (a->workflow_type && !text_empty(a->workflow_type->name)) started->workflow_type = a->workflow_type;
    if (a->task_queue && !text_empty(a->task_queue->name)) started->task_queue = a->task_queue;
    started->input = a->input;
    started->header = a->header;
    started->memo = a->memo;
    started->search_attributes =
        start_search_attributes(txn->engine, start->namespace_id.data, a->search_attributes, completion->call->arena);
    started->workflow_run_timeout = pb_duration(&txn->arena, timeouts.run);
    started->workflow_task_timeout = pb_duration(&txn->arena, timeouts.task);
    started->retry_policy = a->retry_policy;
    started->cron_schedule = a->cron_schedule;
    started->continued_failure = a->failure;
    started->last_completion_result = a->last_completion_result;
    set_next(txn, next, a->initiator ? (int32_t)a->initiator : INITIATOR(WORKFLOW), 1, wait);
}

void close_continue_as_new(struct completion *completion, const Command *command) {
    const ContinueAttributes *a = command->continue_as_new_workflow_execution_command_attributes;
    struct txn *txn = completion->txn;
    end_of_run(completion);
    int64_t wait = continue_backoff(txn, a);
    struct next next = next_run(txn);
    fill_continued(completion, &next, a, wait);

    HistoryEvent event = EVENT_INIT;
    EVENT_NEW(WorkflowExecutionContinuedAsNew, workflow_execution_continued_as_new, continued);
    continued.new_execution_run_id = next.text;
    continued.workflow_type = next.started->workflow_type;
    continued.task_queue = next.started->task_queue;
    continued.input = a->input;
    continued.header = a->header;
    continued.memo = a->memo;
    continued.search_attributes = next.started->search_attributes;
    continued.workflow_run_timeout = next.started->workflow_run_timeout;
    continued.workflow_task_timeout = next.started->workflow_task_timeout;
    continued.workflow_task_completed_event_id = completion->completed_event_id;
    continued.backoff_start_interval = pb_duration(&txn->arena, wait);
    continued.initiator = next.started->initiator;
    continued.failure = a->failure;
    continued.last_completion_result = a->last_completion_result;
    continued.initial_versioning_behavior = a->initial_versioning_behavior;
    EVENT_SET(&event, WORKFLOW_EXECUTION_CONTINUED_AS_NEW, workflow_execution_continued_as_new, &continued);
    start_next(txn, &next);
    add_closing(txn, &event, command);
}

/* ---- from outside ---- */

void close_terminate(struct txn *txn, const char *reason, const Payloads *details, const char *identity) {
    close_terminate_linked(txn, reason, details, identity, NULL, 0);
}

void close_if_too_long(struct txn *txn) {
    const struct engine_limits *limits = &txn->engine->limits;
    const StateInfo *info = txn->exec->info;
    if (!exec_open(txn->exec)) return;
    const char *why = NULL;
    if ((uint64_t)info->next_event_id - 1 > limit_or(limits->history_count_max, HISTORY_COUNT_MAX))
        why = "Workflow history count exceeds limit.";
    else if ((uint64_t)info->history_size > limit_or(limits->history_size_max, HISTORY_SIZE_MAX))
        why = "Workflow history size exceeds limit.";
    if (why) close_terminate(txn, why, NULL, "history-service");
}

void close_terminate_linked(struct txn *txn, const char *reason, const Payloads *details, const char *identity,
                            Temporal__Api__Common__V1__Link **links, size_t link_count) {
    workflow_task_end_by_force(txn, WFT_CAUSE(FORCE_CLOSE_COMMAND), NULL, "history-service");
    HistoryEvent event = EVENT_INIT;
    EVENT_NEW(WorkflowExecutionTerminated, workflow_execution_terminated, terminated);
    terminated.reason = pb_text(reason);
    terminated.details = (Payloads *)(uintptr_t)details;
    terminated.identity = pb_text(identity);
    EVENT_SET(&event, WORKFLOW_EXECUTION_TERMINATED, workflow_execution_terminated, &terminated);
    event.links = links;
    event.n_links = link_count;
    add_closing(txn, &event, NULL);
}

void close_timed_out(struct txn *txn) {
    workflow_task_end_by_force(txn, WFT_CAUSE(FORCE_CLOSE_COMMAND), NULL, "history-service");
    const StateStart *start = txn->exec->start;
    HistoryEvent event = EVENT_INIT;
    EVENT_NEW(WorkflowExecutionTimedOut, workflow_execution_timed_out, timed_out);
    const char *new_run_id = NULL;
    struct next next;
    if (start->execution_expiration && txn->now >= start->execution_expiration) {
        timed_out.retry_state = RETRY_STATE(TIMEOUT);
    } else {
        Failure *failure = failure_timeout(&txn->arena, TIMEOUT_TYPE(START_TO_CLOSE), "workflow timeout");
        timed_out.retry_state = (Temporal__Api__Enums__V1__RetryState)follow_failure(txn, failure, true, &new_run_id, &next);
        timed_out.new_execution_run_id = pb_text(new_run_id);
    }
    EVENT_SET(&event, WORKFLOW_EXECUTION_TIMED_OUT, workflow_execution_timed_out, &timed_out);
    if (new_run_id) start_next(txn, &next);
    add_closing(txn, &event, NULL);
}
