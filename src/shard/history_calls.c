/* history_calls: GetWorkflowExecutionHistory. A call is turned into a reading: a range of events of one run, and
 * whether it waits at the end of what there is. */
#include "shard/history_calls.h"

#include "base/mark.h"
#include "base/plant.h"
#include "shard/task_answer.h"
#include "shard/token.h"
#include "shard/workflow_task.h"

typedef Temporal__Api__Workflowservice__V1__GetWorkflowExecutionHistoryRequest HistoryRequest;
typedef Temporal__Api__Workflowservice__V1__GetWorkflowExecutionHistoryReverseRequest ReverseRequest;

enum { RESPONSE_HISTORY = 1, RESPONSE_NEXT_PAGE_TOKEN = 3 };
enum { CLOSE_EVENT = TEMPORAL__API__ENUMS__V1__HISTORY_EVENT_FILTER_TYPE__HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT };
#define LONG_POLL SECONDS(20)

struct reading {
    struct wait wait;                  /* while it waits: wait.link is in exec->history_waiters */
    struct exec *exec;
    HistoryToken *token;               /* where it goes on */
    size_t page;                       /* events at most */
    bool waits;
    bool shows_transient;
    bool follows_new_run;              /* the client follows new_execution_run_id by itself */
};

/* ---- the answer ---- */

static void answer(struct engine *engine, struct reading *reading, struct call *call, struct buf *events, bool more) {
    struct buf response = {0};
    pb_append_field(&response, RESPONSE_HISTORY, buf_bytes(events));
    buf_free(events);
    if (more) {
        ProtobufCBinaryData token = history_token_encode(call->arena, reading->token);
        pb_append_field(&response, RESPONSE_NEXT_PAGE_TOKEN, bytes_of(token.data, token.len));
    }
    struct bytes copy = bytes_of(arena_copy(call->arena, response.data, response.len), response.len);
    buf_free(&response);
    engine_reply_bytes(engine, reading->exec, call, copy);
}

/* Old clients know the next run of a chain only from continue-as-new: the close event, which is the last of *events, is
 * shown as one. */
static void show_as_continued(const struct exec *exec, struct arena *arena, struct buf *events) {
    int64_t last = history_last(&exec->history);
    HistoryEvent *close = history_decode(&exec->history, last, arena);
    struct buf one = {0};
    history_copy(&exec->history, last, last, 1, HISTORY_PAGE_BYTES, &one);
    events->len -= one.len;
    buf_free(&one);
    EVENT_NEW(WorkflowExecutionContinuedAsNew, workflow_execution_continued_as_new, continued);
    continued.new_execution_run_id = exec->info->new_run_id;
    EVENT_SET(close, WORKFLOW_EXECUTION_CONTINUED_AS_NEW, workflow_execution_continued_as_new, &continued);
    pb_append_field(events, 1, pbpack(arena, &close->base));
}

static bool must_show_as_continued(const struct reading *reading, int64_t next_event_id) {
    const struct exec *exec = reading->exec;
    return !reading->follows_new_run && !exec_open(exec) && !text_empty(exec->info->new_run_id) &&
           exec->info->status != STATUS_OF(CONTINUED_AS_NEW) && next_event_id > history_last(&exec->history);
}

static bool give_close_event(struct engine *engine, struct reading *reading, struct call *call) {
    struct exec *exec = reading->exec;
    struct buf events = {0};
    if (exec_open(exec)) {
        if (reading->waits) return false;
        answer(engine, reading, call, &events, false);
        return true;
    }
    int64_t last = history_last(&exec->history);
    history_copy(&exec->history, last, last, 1, HISTORY_PAGE_BYTES, &events);
    if (must_show_as_continued(reading, last + 1)) show_as_continued(exec, call->arena, &events);
    answer(engine, reading, call, &events, false);
    return true;
}

/* The events of a task that is not written yet belong to what its worker reads. */
static bool has_transient(const struct reading *reading) {
    const StateWorkflowTask *task = reading->exec->task;
    if (!task || !workflow_task_transient(task) || !exec_open(reading->exec)) return false;
    if (reading->token->task) return task->started_event_id && reading->token->stamp == task->stamp;
    return reading->shows_transient && task->scheduled_event_id == exec_next_event_id(reading->exec);
}

static bool give_range(struct engine *engine, struct reading *reading, struct call *call) {
    struct exec *exec = reading->exec;
    HistoryToken *token = reading->token;
    int64_t last = token->end_event_id ? token->end_event_id : history_last(&exec->history);
    if (reading->waits && token->next_event_id > last && exec_open(exec)) return false;
    struct buf events = {0};
    token->next_event_id = history_copy(&exec->history, token->next_event_id, last, reading->page, HISTORY_PAGE_BYTES, &events);
    bool more = token->next_event_id <= last || (reading->waits && exec_open(exec));
    if (events.len && must_show_as_continued(reading, token->next_event_id)) show_as_continued(exec, call->arena, &events);
    if (!more && has_transient(reading)) workflow_task_transient_events(exec, call->arena, &events);
    if (more && PLANT(engine->io, HISTORY_PAGE_GAP)) token->next_event_id++;
    answer(engine, reading, call, &events, more);
    return true;
}

/* Answers, if there is something to say; false when it has to wait. */
static bool give(struct engine *engine, struct reading *reading, struct call *call) {
    return reading->token->close_only ? give_close_event(engine, reading, call) : give_range(engine, reading, call);
}

/* ---- waiting ---- */

static void leave(struct reading *reading) {
    list_remove(&reading->wait.link);
    waits_remove(reading->wait.engine, &reading->wait);
    reading->wait.call->on_cancel = NULL;
}

static void expired(struct engine *engine, struct wait *wait) {
    struct reading *reading = CONTAINER_OF(wait, struct reading, wait);
    leave(reading);
    struct buf nothing = {0};
    answer(engine, reading, wait->call, &nothing, true);
}

static void cancelled(struct call *call) {
    struct reading *reading = call->waiter;
    leave(reading);
    call_fail(call, STATUS_CANCELLED, "the client went away");
}

static void begin_wait(struct engine *engine, struct reading *reading, struct call *call) {
    int64_t now = io_now(engine->io), until = now + LONG_POLL;
    if (call->deadline != INT64_MAX && call->deadline - SECONDS(1) < until) until = call->deadline - SECONDS(1);
    if (until <= now) {
        struct buf nothing = {0};
        answer(engine, reading, call, &nothing, true);
        return;
    }
    reading->wait.call = call;
    reading->wait.expired = expired;
    call->waiter = reading;
    call->on_cancel = cancelled;
    list_push_back(&reading->exec->history_waiters, &reading->wait.link);
    waits_add(engine, &reading->wait, until);
}

void history_wake(struct engine *engine, struct exec *exec) {
    LIST_EACH(it, &exec->history_waiters) {
        struct reading *reading = CONTAINER_OF(it, struct reading, wait.link);
        struct call *call = reading->wait.call;
        bool ready = reading->token->close_only ? !exec_open(exec)
                                                : !exec_open(exec) || reading->token->next_event_id <= history_last(&exec->history);
        if (!ready) continue;
        leave(reading);
        CHECK(give(engine, reading, call));
    }
}

void history_drop_waiters(struct engine *engine, struct exec *exec, struct status status) {
    LIST_EACH(it, &exec->history_waiters) {
        struct reading *reading = CONTAINER_OF(it, struct reading, wait.link);
        struct call *call = reading->wait.call;
        leave(reading);
        struct status own = status_make(call->arena, status.code, "%s", status.message);
        call_fail_status(call, own);
    }
}

/* ---- the calls ---- */

static size_t page_size(int32_t asked) {
    if (nudge(NUDGE_SHORT_PAGE)) return 1;
    return asked <= 0 || asked > HISTORY_PAGE_EVENTS ? HISTORY_PAGE_EVENTS : (size_t)asked;
}

/* The token of the request: NULL after refusing. A request without one gets a new token without a run. */
static HistoryToken *token_of(struct engine *engine, struct call *call, ProtobufCBinaryData data, const char *run_id) {
    if (!data.len) {
        HistoryToken *fresh = ARENA_NEW(call->arena, HistoryToken);
        norn__state__history_token__init(fresh);
        return fresh;
    }
    HistoryToken *token = history_token_decode(call->arena, data);
    if (!token) {
        engine_fail(engine, NULL, call, status_invalid(call->arena, "Invalid NextPageToken."));
        return NULL;
    }
    if (!text_empty(run_id) && !text_same(run_id, token->run_id)) {
        engine_fail(engine, NULL, call, status_invalid(call->arena, "RunId in the request does not match the NextPageToken."));
        return NULL;
    }
    return token;
}

/* Interfaces for people show what is in history, not what a worker is being shown. */
static bool is_worker(const struct call *call) {
    return !text_same(call->client_name, "temporal-cli") && !text_same(call->client_name, "temporal-ui");
}

void engine_get_workflow_execution_history(struct engine *engine, struct call *call) {
    const HistoryRequest *request = (const void *)call->request;
    const WorkflowExecution *execution = request->execution;
    const char *run_id = execution ? execution->run_id : "";
    HistoryToken *token = token_of(engine, call, request->next_page_token, run_id);
    if (!token) return;
    struct exec *exec = engine_find(engine, call, engine_get_workflow_execution_history,
                                    execution ? execution->workflow_id : "",
                                    text_empty(token->run_id) ? run_id : token->run_id);
    if (!exec) return;
    bool first = text_empty(token->run_id);
    struct reading *reading = ARENA_NEW(call->arena, struct reading);
    reading->exec = exec;
    reading->token = token;
    reading->page = page_size(request->maximum_page_size);
    reading->waits = request->wait_new_event && !token->task;
    reading->shows_transient = is_worker(call);
    reading->follows_new_run = call->supported_features && strstr(call->supported_features, "follows-next-run-id");
    if (first) {
        token->run_id = exec->start->run_id;
        token->execution = exec->number;
        token->next_event_id = 1;
        token->close_only = request->history_event_filter_type == (int)CLOSE_EVENT;
        if (!reading->waits) token->end_event_id = history_last(&exec->history);
    }
    if (!give(engine, reading, call)) begin_wait(engine, reading, call);
}

void engine_get_workflow_execution_history_reverse(struct engine *engine, struct call *call) {
    const ReverseRequest *request = (const void *)call->request;
    const WorkflowExecution *execution = request->execution;
    const char *run_id = execution ? execution->run_id : "";
    HistoryToken *token = token_of(engine, call, request->next_page_token, run_id);
    if (!token) return;
    struct exec *exec = engine_find(engine, call, engine_get_workflow_execution_history_reverse,
                                    execution ? execution->workflow_id : "",
                                    text_empty(token->run_id) ? run_id : token->run_id);
    if (!exec) return;
    if (text_empty(token->run_id)) {
        token->run_id = exec->start->run_id;
        token->execution = exec->number;
        token->next_event_id = history_last(&exec->history);
        token->reverse = true;
    }
    struct reading reading = {.exec = exec, .token = token};
    struct buf events = {0};
    if (token->next_event_id > 0) {
        token->next_event_id = history_copy_reverse(&exec->history, token->next_event_id, 1,
                                                    page_size(request->maximum_page_size), HISTORY_PAGE_BYTES, &events);
    }
    answer(engine, &reading, call, &events, token->next_event_id > 0);
}
