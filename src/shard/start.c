/* start: StartWorkflowExecution and SignalWithStartWorkflowExecution (temporal-surface 4.5). The second is turned into
 * the first, with a signal beside it. */
#include "base/mark.h"
#include "shard/close.h"
#include "shard/cron.h"
#include "shard/directory.h"
#include "shard/pb.h"
#include "shard/run.h"
#include "shard/search_attributes.h"
#include "shard/signal.h"
#include "shard/start_check.h"
#include "shard/task_answer.h"
#include "shard/workflow_task.h"

typedef Temporal__Api__Common__V1__Link Link;
typedef Temporal__Api__Common__V1__Link__WorkflowEvent LinkEvent;
typedef Temporal__Api__Common__V1__Link__WorkflowEvent__EventReference LinkEventReference;
typedef Temporal__Api__Common__V1__Link__WorkflowEvent__RequestIdReference LinkRequestReference;

enum { START_EAGER_TASK = 2 };         /* field eager_workflow_task of StartWorkflowExecutionResponse */

struct start {
    struct engine *engine;
    struct call *call;
    struct arena *arena;
    StartWorkflowExecutionRequest *request;
    const SignalWithStartWorkflowExecutionRequest *signal;      /* NULL: a plain start */
    struct exec *present;              /* the newest run of the id; NULL: none */
};

/* ---- answers ---- */

/* The event that the request made: the first of the run, or one that the request id finds (it may still wait for its
 * id). */
static Link *event_link(struct start *start, const struct exec *exec, bool attached) {
    Link *link = PB_NEW(start->arena, temporal__api__common__v1__link);
    LinkEvent *event = PB_NEW(start->arena, temporal__api__common__v1__link__workflow_event);
    link->variant_case = TEMPORAL__API__COMMON__V1__LINK__VARIANT_WORKFLOW_EVENT;
    link->workflow_event = event;
    event->namespace_ = pb_text(start->call->ns->name);
    event->workflow_id = exec->start->workflow_id;
    event->run_id = exec->start->run_id;
    if (attached) {
        event->reference_case = TEMPORAL__API__COMMON__V1__LINK__WORKFLOW_EVENT__REFERENCE_REQUEST_ID_REF;
        LinkRequestReference *by_id =
            PB_NEW(start->arena, temporal__api__common__v1__link__workflow_event__request_id_reference);
        by_id->request_id = start->request->request_id;
        by_id->event_type = EVENT(WORKFLOW_EXECUTION_OPTIONS_UPDATED);
        event->request_id_ref = by_id;
    } else {
        event->reference_case = TEMPORAL__API__COMMON__V1__LINK__WORKFLOW_EVENT__REFERENCE_EVENT_REF;
        LinkEventReference *first = PB_NEW(start->arena, temporal__api__common__v1__link__workflow_event__event_reference);
        first->event_id = 1;
        first->event_type = EVENT(WORKFLOW_EXECUTION_STARTED);
        event->event_ref = first;
    }
    return link;
}

enum outcome { OUTCOME_STARTED, OUTCOME_USED, OUTCOME_ATTACHED };

static struct bytes answer(struct start *start, const struct exec *exec, enum outcome outcome) {
    bool started = outcome == OUTCOME_STARTED;
    if (start->signal) {
        SignalWithStartWorkflowExecutionResponse response =
            TEMPORAL__API__WORKFLOWSERVICE__V1__SIGNAL_WITH_START_WORKFLOW_EXECUTION_RESPONSE__INIT;
        response.run_id = exec->start->run_id;
        response.first_execution_run_id = exec->start->first_run_id;
        response.started = started;
        return pbpack(start->arena, &response.base);
    }
    StartWorkflowExecutionResponse response = TEMPORAL__API__WORKFLOWSERVICE__V1__START_WORKFLOW_EXECUTION_RESPONSE__INIT;
    response.run_id = exec->start->run_id;
    response.first_execution_run_id = exec->start->first_run_id;
    response.started = started;
    response.status = (Temporal__Api__Enums__V1__WorkflowExecutionStatus)exec->info->status;
    response.link = event_link(start, exec, outcome == OUTCOME_ATTACHED);
    return pbpack(start->arena, &response.base);
}

static void refuse(struct start *start, struct status status) {
    engine_fail(start->engine, start->present, start->call, status);
}

static struct status already_started(struct start *start, const char *format, ...) __attribute__((format(printf, 2, 3)));
static struct status already_started(struct start *start, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(start->arena, format, args);
    va_end(args);
    Temporal__Api__Errordetails__V1__WorkflowExecutionAlreadyStartedFailure detail =
        TEMPORAL__API__ERRORDETAILS__V1__WORKFLOW_EXECUTION_ALREADY_STARTED_FAILURE__INIT;
    detail.start_request_id = start->present->start->request_id;
    detail.run_id = start->present->start->run_id;
    detail.first_execution_run_id = start->present->start->first_run_id;
    return status_detail(start->arena, status_make(start->arena, STATUS_ALREADY_EXISTS, "%s", text), &detail.base);
}

/* ---- a new run ---- */

static EVENT_ATTRIBUTES(WorkflowExecutionStarted) *started_event(struct start *start) {
    StartWorkflowExecutionRequest *request = start->request;
    struct arena *arena = start->arena;
    int64_t now = engine_wall(start->engine);
    struct run_timeouts timeouts = run_timeouts(duration_ns(request->workflow_execution_timeout),
                                                duration_ns(request->workflow_run_timeout),
                                                duration_ns(request->workflow_task_timeout));
    int64_t backoff = text_empty(request->cron_schedule) ? duration_ns(request->workflow_start_delay)
                                                         : cron_backoff(request->cron_schedule, now, now);
    EVENT_ATTRIBUTES(WorkflowExecutionStarted) *started =
        PB_NEW(arena, temporal__api__history__v1__workflow_execution_started_event_attributes);
    started->workflow_type = request->workflow_type;
    started->task_queue = request->task_queue;
    started->input = request->input;
    started->workflow_execution_timeout = pb_duration(arena, timeouts.execution);
    started->workflow_run_timeout = pb_duration(arena, timeouts.run);
    started->workflow_task_timeout = pb_duration(arena, timeouts.task);
    started->continued_failure = request->continued_failure;
    started->last_completion_result = request->last_completion_result;
    started->identity = request->identity;
    started->retry_policy = request->retry_policy;
    started->attempt = 1;
    if (timeouts.execution) started->workflow_execution_expiration_time = pb_time(arena, now + timeouts.execution);
    started->cron_schedule = request->cron_schedule;
    started->first_workflow_task_backoff = pb_duration(arena, backoff);
    if (!text_empty(request->cron_schedule)) started->initiator = INITIATOR(CRON_SCHEDULE);
    started->memo = memo_merge(arena, NULL, request->memo);
    started->search_attributes = start_search_attributes(start->engine, start->call->ns->id, request->search_attributes, arena);
    started->header = request->header;
    started->versioning_override = request->versioning_override;
    started->priority = request->priority;
    started->time_skipping_config = request->time_skipping_config;
    started->propagated_nexus_serialization_context = request->propagated_nexus_serialization_context;
    return started;
}

static void start_eager_task(struct start *start, struct txn *txn) {
    uint8_t raw[UUID_LEN];
    char request_id[UUID_TEXT_SIZE];
    engine_new_run_id(start->engine, raw);
    uuid_text(raw, request_id);
    workflow_task_start(txn, start->request->identity, request_id);
}

/* The first task goes to the caller with the answer, as a poll would give it. */
static struct bytes add_eager_task(struct start *start, struct exec *exec, struct bytes response) {
    struct buf out = {0};
    buf_append_bytes(&out, response);
    pb_append_field(&out, START_EAGER_TASK, task_answer(start->engine, exec, start->arena, false));
    struct bytes copy = bytes_of(arena_copy(start->arena, out.data, out.len), out.len);
    buf_free(&out);
    return copy;
}

/* The run that is there gives way, in the commit of the new one; it is closed when it is still open. */
static void replace_present(struct start *start, struct txn *txn, const char *new_run_id) {
    txn_begin(txn, start->engine, start->present);
    run_supersede(txn);
    txn->aside = !exec_open(start->present);
    if (txn->aside) return;
    char *json = arena_printf(start->arena, "\"terminated by new runID: %s\"", new_run_id);
    Payload *payload = payload_json(start->arena, bytes_str(json));
    Payloads details = TEMPORAL__API__COMMON__V1__PAYLOADS__INIT;
    details.n_payloads = 1;
    details.payloads = &payload;
    close_terminate(txn, "TerminateIfRunning WorkflowIdReusePolicy", &details, "history-service");
}

static void create(struct start *start) {
    struct engine *engine = start->engine;
    StartWorkflowExecutionRequest *request = start->request;
    bool closes = start->present && exec_open(start->present);
    struct run_spec spec = {
        .namespace_id = start->call->ns->id,
        .workflow_id = request->workflow_id,
        .hash = route_hash(start->call->ns->id, ROUTE_WORKFLOW, bytes_str(request->workflow_id)),
        .request_id = request->request_id,
        .started = started_event(start),
        .user_metadata = request->user_metadata,
        .links = request->links,
        .link_count = request->n_links,
        .predecessor = closes ? start->present->number : 0,
    };
    engine_new_run_id(engine, spec.run_id);
    bool waits = duration_ns(spec.started->first_workflow_task_backoff) > 0;
    bool eager = request->request_eager_execution && !waits && text_empty(request->cron_schedule) && !start->signal;
    spec.started->eager_execution_accepted = eager;

    struct txn txn, old;
    struct exec *exec = run_create(engine, &spec, &txn);
    if (start->signal) signal_add_from_start(&txn, start->signal);
    if (eager) workflow_task_schedule_inline(&txn);
    else if (!waits) workflow_task_schedule(&txn);
    struct bytes response = answer(start, exec, OUTCOME_STARTED);
    if (eager) {
        start_eager_task(start, &txn);
        response = add_eager_task(start, exec, response);
    }
    txn_reply_bytes(&txn, start->call, response);
    if (start->present) {
        replace_present(start, &old, exec->start->run_id);
        txn_commit_pair(&txn, &old);
    } else txn_commit(&txn);
}

/* ---- when there is one already ---- */

/* Attaches the request to the running run (on_conflict_options): event 55. */
static void attach(struct start *start) {
    const Temporal__Api__Workflow__V1__OnConflictOptions *options = start->request->on_conflict_options;
    struct txn txn;
    txn_begin(&txn, start->engine, start->present);
    HistoryEvent event = EVENT_INIT;
    EVENT_NEW(WorkflowExecutionOptionsUpdated, workflow_execution_options_updated, updated);
    updated.identity = start->request->identity;
    if (options->attach_request_id) updated.attached_request_id = start->request->request_id;
    if (options->attach_links) {
        event.links = start->request->links;
        event.n_links = start->request->n_links;
    }
    EVENT_SET(&event, WORKFLOW_EXECUTION_OPTIONS_UPDATED, workflow_execution_options_updated, &updated);
    txn_add_event(&txn, &event);
    txn_reply_bytes(&txn, start->call, answer(start, start->present, OUTCOME_ATTACHED));
    txn_commit(&txn);
}

static void use_existing(struct start *start) {
    if (start->signal) {
        signal_running_from_start(start->engine, start->present, start->call, start->signal,
                                  answer(start, start->present, OUTCOME_USED));
        return;
    }
    const Temporal__Api__Workflow__V1__OnConflictOptions *options = start->request->on_conflict_options;
    if (options && (options->attach_request_id || options->attach_completion_callbacks || options->attach_links)) {
        attach(start);
        return;
    }
    engine_reply_bytes(start->engine, start->present, start->call, answer(start, start->present, OUTCOME_USED));
}

static void meets_running(struct start *start) {
    const struct exec *present = start->present;
    switch (start->request->workflow_id_conflict_policy) {
    case CONFLICT_POLICY(USE_EXISTING): use_existing(start); break;
    case CONFLICT_POLICY(TERMINATE_EXISTING): create(start); break;
    default:
        refuse(start, already_started(start, "Workflow execution is already running. WorkflowId: %s, RunId: %s.",
                                      exec_workflow_id(present), exec_run_id(present)));
    }
}

static bool ended_badly(const struct exec *exec) {
    int32_t status = exec->info->status;
    return status == STATUS_OF(FAILED) || status == STATUS_OF(CANCELED) || status == STATUS_OF(TERMINATED) ||
           status == STATUS_OF(TIMED_OUT);
}

static void meets_closed(struct start *start) {
    const struct exec *present = start->present;
    int policy = (int)start->request->workflow_id_reuse_policy;
    if (policy == REUSE_POLICY(REJECT_DUPLICATE)) {
        mark(MARK_START_REFUSED_CLOSED);
        refuse(start, already_started(start,
                                      "Workflow execution already finished. WorkflowId: %s, RunId: %s. Workflow Id reuse "
                                      "policy: reject duplicate workflow Id.",
                                      exec_workflow_id(present), exec_run_id(present)));
    } else if (policy == REUSE_POLICY(ALLOW_DUPLICATE_FAILED_ONLY) && !ended_badly(present)) {
        refuse(start, already_started(start,
                                      "Workflow execution already finished successfully. WorkflowId: %s, RunId: %s. "
                                      "Workflow Id reuse policy: allow duplicate workflow Id if last run failed.",
                                      exec_workflow_id(present), exec_run_id(present)));
    } else create(start);
}

/* The request has come before. Its eager task goes out again while it is the caller's to complete. */
static void answer_again(struct start *start, const StateRequest *request) {
    struct exec *exec = start->present;
    mark(MARK_START_KNOWN);
    bool started = request->event_type == EVENT(WORKFLOW_EXECUTION_STARTED);
    struct bytes response = answer(start, exec, started ? OUTCOME_STARTED : OUTCOME_ATTACHED);
    bool eager = started && start->request->request_eager_execution && exec_task_started(exec) &&
                 exec->task->started_event_id == 3 && !workflow_task_transient(exec->task);
    if (eager) response = add_eager_task(start, exec, response);
    engine_reply_bytes(start->engine, exec, start->call, response);
}

/* True: it is answered. A signal is found by its request id. When its run has closed since it must have the same name too:
 * Temporal starts another run then, and there are clients that use one request id for several signals. */
static bool came_before(struct start *start) {
    const struct exec *present = start->present;
    if (start->signal) {
        const char *id = start->signal->request_id, *name = start->signal->signal_name;
        if (!(exec_open(present) ? signal_known(present, id) : signal_same_known(present, id, name))) return false;
        engine_reply_bytes(start->engine, start->present, start->call, answer(start, present, OUTCOME_USED));
        return true;
    }
    struct item *known = exec_find_text(present, STATE_REQUEST, start->request->request_id);
    if (known) answer_again(start, known->request);
    return known != NULL;
}

static void run(struct start *start, engine_call_fn *again) {
    struct engine *engine = start->engine;
    struct call *call = start->call;
    StartWorkflowExecutionRequest *request = start->request;
    struct status status = start_check(engine, call, request, start->signal);
    if (!status_ok(status)) {
        refuse(start, status);
        return;
    }
    struct load *load;
    static const uint8_t newest[RUN_ID_LEN];
    switch (directory_find(engine, call->ns->id, request->workflow_id, newest, &start->present, &load)) {
    case FOUND_LATER: directory_park(load, call, again); return;
    case FOUND_NONE: start->present = NULL; break;
    case FOUND: break;
    }
    if (start->present && came_before(start)) return;
    status = start_admit(engine, call);
    if (!status_ok(status)) refuse(start, status);
    else if (!start->present) create(start);
    else if (exec_open(start->present)) meets_running(start);
    else meets_closed(start);
}

/* ---- the two calls ---- */

void engine_start_workflow_execution(struct engine *engine, struct call *call) {
    struct start start = {.engine = engine, .call = call, .arena = call->arena};
    start.request = (StartWorkflowExecutionRequest *)(uintptr_t)call->request;
    run(&start, engine_start_workflow_execution);
}

static StartWorkflowExecutionRequest *as_start(struct arena *arena, const SignalWithStartWorkflowExecutionRequest *from) {
    StartWorkflowExecutionRequest *to = PB_NEW(arena, temporal__api__workflowservice__v1__start_workflow_execution_request);
#define TAKE(field) to->field = from->field
    TAKE(namespace_), TAKE(workflow_id), TAKE(workflow_type), TAKE(task_queue), TAKE(input);
    TAKE(workflow_execution_timeout), TAKE(workflow_run_timeout), TAKE(workflow_task_timeout), TAKE(identity);
    TAKE(request_id), TAKE(workflow_id_reuse_policy), TAKE(workflow_id_conflict_policy), TAKE(retry_policy);
    TAKE(cron_schedule), TAKE(memo), TAKE(search_attributes), TAKE(header), TAKE(workflow_start_delay);
    TAKE(user_metadata), TAKE(n_links), TAKE(links), TAKE(versioning_override), TAKE(priority);
    TAKE(time_skipping_config);
#undef TAKE
    return to;
}

void engine_signal_with_start_workflow_execution(struct engine *engine, struct call *call) {
    struct start start = {.engine = engine, .call = call, .arena = call->arena};
    start.signal = (const SignalWithStartWorkflowExecutionRequest *)(const void *)call->request;
    start.request = as_start(call->arena, start.signal);
    run(&start, engine_signal_with_start_workflow_execution);
}
