/* apply: the state change of one event. */
#include "shard/apply.h"

#include "base/mem.h"
#include "shard/activity.h"
#include "shard/attributes.h"
#include "shard/events.h"
#include "shard/signal.h"
#include "shard/timer.h"

static int64_t earlier(int64_t a, int64_t b) { return !a ? b : !b ? a : a < b ? a : b; }

static void set_parent(StateStart *start, const EVENT_ATTRIBUTES(WorkflowExecutionStarted) *a) {
    const WorkflowExecution *parent = a->parent_workflow_execution, *root = a->root_workflow_execution;
    if (parent) {
        state_set_text(&start->parent_namespace, a->parent_workflow_namespace);
        state_set_text(&start->parent_namespace_id, a->parent_workflow_namespace_id);
        state_set_text(&start->parent_workflow_id, parent->workflow_id);
        state_set_text(&start->parent_run_id, parent->run_id);
        start->parent_initiated_event_id = a->parent_initiated_event_id;
    }
    state_set_text(&start->root_workflow_id, root ? root->workflow_id : start->workflow_id);
    state_set_text(&start->root_run_id, root ? root->run_id : start->run_id);
}

static void started(struct exec *exec, const HistoryEvent *event) {
    const EVENT_ATTRIBUTES(WorkflowExecutionStarted) *a = event->workflow_execution_started_event_attributes;
    StateStart *start = exec->start;
    state_set_text(&start->first_run_id, a->first_execution_run_id);
    state_set_text(&start->original_run_id, a->original_execution_run_id);
    state_set_text(&start->continued_run_id, a->continued_execution_run_id);
    state_set_text(&start->workflow_type, a->workflow_type ? a->workflow_type->name : "");
    state_set_text(&start->task_queue, a->task_queue ? a->task_queue->name : "");
    start->execution_timeout = duration_ns(a->workflow_execution_timeout);
    start->run_timeout = duration_ns(a->workflow_run_timeout);
    start->task_timeout = duration_ns(a->workflow_task_timeout);
    start->start_time = time_ns(event->event_time);
    start->first_backoff = duration_ns(a->first_workflow_task_backoff);
    start->execution_expiration = time_ns(a->workflow_execution_expiration_time);
    int64_t run_end = start->run_timeout ? start->start_time + start->first_backoff + start->run_timeout : 0;
    start->run_expiration = earlier(run_end, start->execution_expiration);
    STATE_SET_MESSAGE(&start->retry_policy, a->retry_policy);
    STATE_SET_MESSAGE(&start->priority, a->priority);
    start->attempt = a->attempt;
    state_set_text(&start->cron_schedule, a->cron_schedule);
    start->initiator = (int32_t)a->initiator;
    set_parent(start, a);
    exec_touch(exec, STATE_START);

    exec->info->status = STATUS_OF(RUNNING);
    if (start->first_backoff > 0) exec->info->first_task_at = start->start_time + start->first_backoff;
    if (a->memo && a->memo->n_fields) {
        STATE_SET_MESSAGE(&exec->memo, a->memo);
        exec_touch(exec, STATE_MEMO);
    }
    if (a->search_attributes && a->search_attributes->n_indexed_fields) {
        STATE_SET_MESSAGE(&exec->search_attributes, a->search_attributes);
        exec_touch(exec, STATE_SEARCH_ATTRIBUTES);
    }
}

/* ---- workflow tasks ---- */

static void task_scheduled(struct exec *exec, const HistoryEvent *event) {
    const EVENT_ATTRIBUTES(WorkflowTaskScheduled) *a = event->workflow_task_scheduled_event_attributes;
    exec_touch(exec, STATE_WORKFLOW_TASK);
    /* A transient task that becomes durable has its state already. */
    if (exec->task && exec->task->scheduled_event_id == event->event_id) return;
    CHECKF(!exec->task, "two workflow tasks in run %s", exec_run_id(exec));
    StateWorkflowTask *task = state_new(&norn__state__workflow_task__descriptor);
    task->scheduled_event_id = event->event_id;
    task->attempt = a->attempt;
    task->scheduled_time = task->original_scheduled_time = time_ns(event->event_time);
    task->timeout = duration_ns(a->start_to_close_timeout);
    state_set_text(&task->task_queue, a->task_queue ? a->task_queue->name : "");
    task->sticky = a->task_queue && a->task_queue->kind == QUEUE_KIND(STICKY);
    exec_set_single(exec, STATE_WORKFLOW_TASK, &task->base);
    exec->info->first_task_at = 0;
}

static void task_started(struct exec *exec, const HistoryEvent *event) {
    const EVENT_ATTRIBUTES(WorkflowTaskStarted) *a = event->workflow_task_started_event_attributes;
    StateWorkflowTask *task = exec->task;
    CHECK(task && task->scheduled_event_id == a->scheduled_event_id);
    exec_touch(exec, STATE_WORKFLOW_TASK);
    if (task->started_event_id == event->event_id) return;
    CHECK(!task->started_event_id);
    task->started_event_id = event->event_id;
    task->started_time = time_ns(event->event_time);
    state_set_text(&task->request_id, a->request_id);
    state_set_text(&task->identity, a->identity);
    task->history_size = a->history_size_bytes;
    task->suggest_continue_as_new = a->suggest_continue_as_new;
}

enum { BUILD_IDS_MAX = 20 };

static void worker_seen(struct exec *exec, const char *build_id) {
    if (text_empty(build_id)) return;
    StateWorkers *workers = exec->workers;
    for (size_t i = 0; workers && i < workers->n_build_ids; i++) if (text_same(workers->build_ids[i], build_id)) return;
    StateWorkers next = NORN__STATE__WORKERS__INIT;
    char *ids[BUILD_IDS_MAX];
    size_t count = workers ? workers->n_build_ids : 0, skip = count == BUILD_IDS_MAX;      /* the oldest gives way */
    for (size_t i = skip; i < count; i++) ids[next.n_build_ids++] = workers->build_ids[i];
    ids[next.n_build_ids++] = pb_text(build_id);
    next.build_ids = ids;
    ProtobufCMessage *copy = NULL;
    state_set_message(&copy, &next.base);
    exec_set_single(exec, STATE_WORKERS, copy);
    exec->visibility_changed = true;
}

static void task_completed(struct exec *exec, const HistoryEvent *event) {
    const EVENT_ATTRIBUTES(WorkflowTaskCompleted) *a = event->workflow_task_completed_event_attributes;
    CHECK(exec->task && exec->task->started_event_id == a->started_event_id);
    StateInfo *info = exec->info;
    if (info->task_failures || !info->completed_event_id) exec->visibility_changed = true;
    info->completed_started_id = a->started_event_id;
    info->completed_event_id = event->event_id;
    info->task_failures = info->failed_cause = info->timed_out_type = 0;
    if (a->worker_version) worker_seen(exec, a->worker_version->build_id);
    info->close_attempted = false;
    exec_set_single(exec, STATE_WORKFLOW_TASK, NULL);
}

/* The last of these is what TemporalReportedProblems tells. */
static void task_failed(struct exec *exec, const HistoryEvent *event) {
    exec->info->failed_cause = (int32_t)event->workflow_task_failed_event_attributes->cause;
    exec->info->timed_out_type = 0;
    exec_set_single(exec, STATE_WORKFLOW_TASK, NULL);
}

static void task_timed_out(struct exec *exec, const HistoryEvent *event) {
    int32_t type = (int32_t)event->workflow_task_timed_out_event_attributes->timeout_type;
    if (type != TIMEOUT_TYPE(SCHEDULE_TO_START)) {       /* that a sticky worker did not come is no problem of the run */
        exec->info->failed_cause = 0;
        exec->info->timed_out_type = type;
    }
    exec_set_single(exec, STATE_WORKFLOW_TASK, NULL);
}

/* ---- inputs ---- */

static void signaled(struct exec *exec, const HistoryEvent *event) {
    const EVENT_ATTRIBUTES(WorkflowExecutionSignaled) *a = event->workflow_execution_signaled_event_attributes;
    const char *id = a->request_id;
    exec->info->signal_count++;
    exec_touch(exec, STATE_INFO);
    if (text_empty(id) || exec_find_text(exec, STATE_SIGNAL_REQUEST, id)) return;
    StateSignalRequest *request = state_new(&norn__state__signal_request__descriptor);
    state_set_text(&request->id, id);
    request->name_hash = signal_name_hash(a->signal_name);
    exec_add(exec, STATE_SIGNAL_REQUEST, exec_next_sequence(exec), &request->base);
}

static void options_updated(struct exec *exec, const HistoryEvent *event) {
    const char *id = event->workflow_execution_options_updated_event_attributes->attached_request_id;
    if (text_empty(id) || exec_find_text(exec, STATE_REQUEST, id)) return;
    StateRequest *request = state_new(&norn__state__request__descriptor);
    state_set_text(&request->id, id);
    request->event_type = (int32_t)event->event_type;
    request->event_id = event->event_id > 0 ? event->event_id : 0;
    exec_add(exec, STATE_REQUEST, exec_next_sequence(exec), &request->base);
}

/* ---- the end ---- */

static void closed(struct exec *exec, const HistoryEvent *event, int32_t status, const char *new_run_id) {
    StateInfo *info = exec->info;
    info->status = status;
    info->close_time = time_ns(event->event_time);
    info->first_task_at = 0;
    state_set_text(&info->new_run_id, new_run_id);
    state_set_text(&info->sticky_queue, "");
    exec_touch(exec, STATE_INFO);
    exec->visibility_changed = true;
    if (exec->task) exec_set_single(exec, STATE_WORKFLOW_TASK, NULL);
    exec_clear(exec, STATE_ACTIVITY);
    exec_clear(exec, STATE_TIMER);
    exec_clear(exec, STATE_BUFFERED);
}

void apply_event(struct exec *exec, const HistoryEvent *event) {
    switch (event->event_type) {
    case EVENT(WORKFLOW_EXECUTION_STARTED): started(exec, event); break;
    case EVENT(WORKFLOW_TASK_SCHEDULED): task_scheduled(exec, event); break;
    case EVENT(WORKFLOW_TASK_STARTED): task_started(exec, event); break;
    case EVENT(WORKFLOW_TASK_COMPLETED): task_completed(exec, event); break;
    case EVENT(WORKFLOW_TASK_TIMED_OUT): task_timed_out(exec, event); break;
    case EVENT(WORKFLOW_TASK_FAILED): task_failed(exec, event); break;

    case EVENT(ACTIVITY_TASK_SCHEDULED):
    case EVENT(ACTIVITY_TASK_STARTED):
    case EVENT(ACTIVITY_TASK_COMPLETED):
    case EVENT(ACTIVITY_TASK_FAILED):
    case EVENT(ACTIVITY_TASK_TIMED_OUT):
    case EVENT(ACTIVITY_TASK_CANCEL_REQUESTED):
    case EVENT(ACTIVITY_TASK_CANCELED): activity_apply(exec, event); break;

    case EVENT(TIMER_STARTED):
    case EVENT(TIMER_FIRED):
    case EVENT(TIMER_CANCELED): timer_apply(exec, event); break;

    case EVENT(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES):
    case EVENT(WORKFLOW_PROPERTIES_MODIFIED): attributes_apply(exec, event); break;

    case EVENT(WORKFLOW_EXECUTION_SIGNALED): signaled(exec, event); break;
    case EVENT(WORKFLOW_EXECUTION_CANCEL_REQUESTED):
        exec->info->cancel_requested = true;
        exec_touch(exec, STATE_INFO);
        break;
    case EVENT(WORKFLOW_EXECUTION_OPTIONS_UPDATED): options_updated(exec, event); break;

    case EVENT(WORKFLOW_EXECUTION_COMPLETED):
        closed(exec, event, STATUS_OF(COMPLETED),
               event->workflow_execution_completed_event_attributes->new_execution_run_id);
        break;
    case EVENT(WORKFLOW_EXECUTION_FAILED):
        closed(exec, event, STATUS_OF(FAILED), event->workflow_execution_failed_event_attributes->new_execution_run_id);
        break;
    case EVENT(WORKFLOW_EXECUTION_TIMED_OUT):
        closed(exec, event, STATUS_OF(TIMED_OUT),
               event->workflow_execution_timed_out_event_attributes->new_execution_run_id);
        break;
    case EVENT(WORKFLOW_EXECUTION_CANCELED): closed(exec, event, STATUS_OF(CANCELED), NULL); break;
    case EVENT(WORKFLOW_EXECUTION_TERMINATED): closed(exec, event, STATUS_OF(TERMINATED), NULL); break;
    case EVENT(WORKFLOW_EXECUTION_CONTINUED_AS_NEW):
        closed(exec, event, STATUS_OF(CONTINUED_AS_NEW),
               event->workflow_execution_continued_as_new_event_attributes->new_execution_run_id);
        break;
    default: break;
    }
}
