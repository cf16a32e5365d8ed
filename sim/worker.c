/* worker: polls as an SDK does, runs flows from their histories, keeps sticky caches and loses them, and misbehaves as
 * workers do: it drops tasks, answers late or twice, fails a task, forgets a cache, dies. */
#include <stdio.h>
#include <stdlib.h>

#include "agent.h"
#include "base/mem.h"

enum { CACHED_MAX = 32, POLLERS_MAX = 3, RETRY_MS = 500, TRIES_MAX = 4 };

struct cached {                          /* the history of a run, as this worker saw it */
    struct list link;                    /* newest first */
    char run_id[FLOW_RUN_MAX];
    struct flow_event *events;
    size_t count, cap;
    bool in_use;                         /* by a task that waits for pages */
};

struct worker {
    struct agent agent;
    struct list cache;
    unsigned cached_count;
    char sticky[32], identity[32];
    bool slow;                           /* takes its time for most workflow tasks */
};

struct poller {                          /* one fiber that polls */
    struct worker *worker;
    const char *namespace;
    bool sticky;
};

struct task {                            /* one workflow task, from its poll to its answer */
    struct worker *worker;
    const char *namespace;
    struct arena *arena;
    const WS(PollWorkflowTaskQueueResponse) *poll;
    struct cached *cached;
    struct model_run *run;
    int64_t lasting;                     /* events up to this one can be read by anyone */
};

static struct truth *truth_of(struct worker *worker) { return worker->agent.truth; }

static unsigned life_of_server(struct worker *worker) {
    return world_incarnation(truth_of(worker)->world, truth_of(worker)->server);
}

/* ---- the cache ---- */

static void cached_free(struct worker *worker, struct cached *cached) {
    list_remove(&cached->link);
    mem_free(cached->events);
    mem_free(cached);
    worker->cached_count--;
}

static struct cached *cached_find(struct worker *worker, const char *run_id) {
    LIST_EACH(it, &worker->cache) {
        struct cached *cached = LIST_ENTRY(it, struct cached, link);
        if (strcmp(cached->run_id, run_id) == 0) return cached;
    }
    return NULL;
}

static struct cached *cached_get(struct worker *worker, const char *run_id) {
    struct cached *cached = cached_find(worker, run_id);
    if (cached) return cached;
    if (worker->cached_count >= CACHED_MAX)
        for (struct list *it = worker->cache.prev; it != &worker->cache; it = it->prev) {
            struct cached *oldest = LIST_ENTRY(it, struct cached, link);
            if (oldest->in_use) continue;
            cached_free(worker, oldest);
            break;
        }
    cached = MEM_NEW(struct cached);
    snprintf(cached->run_id, sizeof cached->run_id, "%s", run_id);
    list_push_front(&worker->cache, &cached->link);
    worker->cached_count++;
    return cached;
}

/* After a task that failed or timed out, the next is scheduled in history only when it starts, and so can be forgotten
 * with its start (docs/durability.md). */
static bool scheduled_by_start(const struct cached *cached, const struct flow_event *event) {
    if (event->type != FLOW_EVENT(WORKFLOW_TASK_SCHEDULED)) return false;
    for (size_t i = (size_t)event->id - 1; i-- > 0;) {
        int type = cached->events[i].type;
        if (type == FLOW_EVENT(WORKFLOW_TASK_FAILED) || type == FLOW_EVENT(WORKFLOW_TASK_TIMED_OUT)) return true;
        if (type == FLOW_EVENT(WORKFLOW_TASK_COMPLETED)) return false;
    }
    return false;
}

/* Adds events that follow what is there; those that were only virtual before are replaced. False on a gap. */
static bool cached_add(struct task *task, const PB(History__V1__History) *history) {
    struct cached *cached = task->cached;
    for (size_t i = 0; history && i < history->n_events; i++) {
        struct flow_event event;
        flow_event_of(history->events[i], &event);
        if (event.id < 1 || (size_t)event.id > cached->count + 1) return false;
        bool lasting = event.id < task->lasting || (event.id == task->lasting && !scheduled_by_start(cached, &event));
        if (lasting && (size_t)event.id <= model_seen(task->run) + 1)
            model_saw(task->run, history->events[i]);
        cached->count = (size_t)event.id - 1;
        if (cached->count == cached->cap) {
            cached->cap = cached->cap ? cached->cap * 2 : 32;
            cached->events = mem_realloc(cached->events, cached->cap * sizeof *cached->events);
        }
        cached->events[cached->count++] = event;
    }
    return true;
}

/* ---- getting the history of a task whole ---- */

static bool read_page(struct task *task, struct buf *token) {
    struct agent *agent = &task->worker->agent;
    struct arena arena = {0};
    struct grpc_result result;
    WS(GetWorkflowExecutionHistoryResponse) *response;
    WS(GetWorkflowExecutionHistoryRequest) *request = AGENT_NEW(&arena, get_workflow_execution_history_request);
    request->namespace_ = agent_text(&arena, task->namespace);
    request->execution = task->poll->workflow_execution;
    request->next_page_token = pb_binary(buf_bytes(token));
    bool good = agent_call(agent, "GetWorkflowExecutionHistory", request,
                           AGENT_TYPE(get_workflow_execution_history_response), 10 * SIM_SECOND, &result, &response) &&
                cached_add(task, response->history);
    buf_clear(token);
    if (good) buf_append(token, response->next_page_token.data, response->next_page_token.len);
    grpc_result_free(&result);
    arena_free(&arena);
    return good;
}

/* The rest of the pages; with no token, the whole history from its start. */
static bool read_pages(struct task *task, ProtobufCBinaryData first) {
    struct buf token = {0};
    if (first.len)
        buf_append(&token, first.data, first.len);
    else
        task->cached->count = 0;
    bool good = true;
    do good = read_page(task, &token);
    while (good && token.len);
    buf_free(&token);
    return good;
}

static bool complete_history(struct task *task) {
    const WS(PollWorkflowTaskQueueResponse) *poll = task->poll;
    const PB(History__V1__History) *history = poll->history;
    bool whole = history && history->n_events && history->events[0]->event_id == 1;
    if (whole) task->cached->count = 0;
    bool fits = history && cached_add(task, history) && task->cached->count;
    if (fits && poll->next_page_token.len) fits = read_pages(task, poll->next_page_token);
    if (!fits) {
        ProtobufCBinaryData none = {0};
        fits = read_pages(task, none);
    }
    if (fits && poll->started_event_id && task->cached->count > (size_t)poll->started_event_id)
        task->cached->count = (size_t)poll->started_event_id;
    return fits && (!poll->started_event_id || task->cached->count == (size_t)poll->started_event_id);
}

/* ---- answers ---- */

static PB(Command__V1__Command) *item_command(struct arena *arena, const struct flow_item *item, unsigned index) {
    PB(Command__V1__Command) *command = PB_NEW(arena, temporal__api__command__v1__command);
    char *id = arena_printf(arena, "%u", index);
    if (item->kind == FLOW_TIMER) {
        command->command_type = FLOW_COMMAND(START_TIMER);
        command->attributes_case =
            TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_START_TIMER_COMMAND_ATTRIBUTES;
        PB(Command__V1__StartTimerCommandAttributes) *a =
            PB_NEW(arena, temporal__api__command__v1__start_timer_command_attributes);
        a->timer_id = id;
        a->start_to_fire_timeout = agent_duration(arena, item->arg * SIM_MS);
        command->start_timer_command_attributes = a;
    } else if (item->kind == FLOW_MARKER) {
        command->command_type = FLOW_COMMAND(RECORD_MARKER);
        command->attributes_case =
            TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_RECORD_MARKER_COMMAND_ATTRIBUTES;
        PB(Command__V1__RecordMarkerCommandAttributes) *a =
            PB_NEW(arena, temporal__api__command__v1__record_marker_command_attributes);
        a->marker_name = id;
        command->record_marker_command_attributes = a;
    } else {
        command->command_type = FLOW_COMMAND(SCHEDULE_ACTIVITY_TASK);
        command->attributes_case =
            TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES;
        PB(Command__V1__ScheduleActivityTaskCommandAttributes) *a =
            PB_NEW(arena, temporal__api__command__v1__schedule_activity_task_command_attributes);
        a->activity_id = id;
        a->activity_type = PB_NEW(arena, temporal__api__common__v1__activity_type);
        a->activity_type->name = agent_text(arena, "item");
        a->task_queue = agent_queue(arena, SIM_QUEUE, false);
        a->input = agent_payload(arena, "%c%u", FLOW_LETTERS[item->kind], item->arg);
        a->start_to_close_timeout = agent_duration(arena, 10 * SIM_SECOND);
        if (item->kind == FLOW_HEARTBEATS || item->kind == FLOW_CANCELLED) a->heartbeat_timeout = agent_duration(arena, 4 * SIM_SECOND);
        a->retry_policy = PB_NEW(arena, temporal__api__common__v1__retry_policy);
        a->retry_policy->initial_interval = agent_duration(arena, RETRY_MS * SIM_MS);
        a->retry_policy->backoff_coefficient = 2;
        a->retry_policy->maximum_interval = agent_duration(arena, 5 * SIM_SECOND);
        if (item->kind == FLOW_ONCE) a->retry_policy->maximum_attempts = 1;
        if (item->kind == FLOW_LIMITED) a->schedule_to_close_timeout = agent_duration(arena, FLOW_LIMIT_SECONDS * SIM_SECOND);
        command->schedule_activity_task_command_attributes = a;
    }
    return command;
}

static PB(Command__V1__Command) *stop_command(struct arena *arena, int64_t scheduled) {
    PB(Command__V1__Command) *command = PB_NEW(arena, temporal__api__command__v1__command);
    command->command_type = FLOW_COMMAND(REQUEST_CANCEL_ACTIVITY_TASK);
    command->attributes_case =
        TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_REQUEST_CANCEL_ACTIVITY_TASK_COMMAND_ATTRIBUTES;
    PB(Command__V1__RequestCancelActivityTaskCommandAttributes) *a =
        PB_NEW(arena, temporal__api__command__v1__request_cancel_activity_task_command_attributes);
    a->scheduled_event_id = scheduled;
    command->request_cancel_activity_task_command_attributes = a;
    return command;
}

static PB(Command__V1__Command) *end_command(struct arena *arena, const struct flow_state *state,
                                             enum flow_command what) {
    PB(Command__V1__Command) *command = PB_NEW(arena, temporal__api__command__v1__command);
    if (what == FLOW_COMPLETE) {
        command->command_type = FLOW_COMMAND(COMPLETE_WORKFLOW_EXECUTION);
        command->attributes_case =
            TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
        PB(Command__V1__CompleteWorkflowExecutionCommandAttributes) *a =
            PB_NEW(arena, temporal__api__command__v1__complete_workflow_execution_command_attributes);
        a->result = agent_payload(arena, "%lld.%lld", (long long)state->signals, (long long)state->sum);
        command->complete_workflow_execution_command_attributes = a;
    } else if (what == FLOW_CONTINUE) {
        command->command_type = FLOW_COMMAND(CONTINUE_AS_NEW_WORKFLOW_EXECUTION);
        command->attributes_case =
            TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_CONTINUE_AS_NEW_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
        PB(Command__V1__ContinueAsNewWorkflowExecutionCommandAttributes) *a =
            PB_NEW(arena, temporal__api__command__v1__continue_as_new_workflow_execution_command_attributes);
        a->input = agent_payload(arena, "%s", state->script.rest);
        command->continue_as_new_workflow_execution_command_attributes = a;
    } else {
        command->command_type = FLOW_COMMAND(CANCEL_WORKFLOW_EXECUTION);
        command->attributes_case =
            TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_CANCEL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
        command->cancel_workflow_execution_command_attributes =
            PB_NEW(arena, temporal__api__command__v1__cancel_workflow_execution_command_attributes);
    }
    return command;
}

static void fill_commands(struct task *task, WS(RespondWorkflowTaskCompletedRequest) *request) {
    struct flow_state state;
    struct flow_step steps[FLOW_ITEMS_MAX + 1];
    flow_fold(task->cached->events, task->cached->count, &state);
    struct truth *truth = truth_of(task->worker);
    if (!state.started || state.closed)
        world_fail(truth->world, WORLD_INCORRECT, "run %s: a workflow task for a history %s", task->cached->run_id,
                   state.closed ? "that has closed" : "without its start");
    unsigned count = flow_decide(&state, steps);
    request->commands = arena_alloc(task->arena, (count + 1) * sizeof *request->commands);
    for (unsigned i = 0; i < count; i++) {
        unsigned item = steps[i].item;
        request->commands[request->n_commands++] =
            steps[i].command == FLOW_DO_ITEM     ? item_command(task->arena, &state.script.items[item], item)
            : steps[i].command == FLOW_STOP_ITEM ? stop_command(task->arena, state.scheduled[item])
                                                 : end_command(task->arena, &state, steps[i].command);
    }
}

static Payloads *query_answer(struct task *task) {
    struct flow_state state;
    flow_fold(task->cached->events, task->cached->count, &state);
    return agent_payload(task->arena, "%lld", (long long)state.signals);
}

typedef WS(RespondWorkflowTaskCompletedRequest__QueryResultsEntry) QueryResultsEntry;

static void fill_queries(struct task *task, WS(RespondWorkflowTaskCompletedRequest) *request) {
    const WS(PollWorkflowTaskQueueResponse) *poll = task->poll;
    request->query_results = arena_alloc(task->arena, (poll->n_queries + 1) * sizeof *request->query_results);
    for (size_t i = 0; i < poll->n_queries; i++) {
        QueryResultsEntry *entry = AGENT_NEW(task->arena, respond_workflow_task_completed_request__query_results_entry);
        entry->key = poll->queries[i]->key;
        entry->value = PB_NEW(task->arena, temporal__api__query__v1__workflow_query_result);
        entry->value->result_type = TEMPORAL__API__ENUMS__V1__QUERY_RESULT_TYPE__QUERY_RESULT_TYPE_ANSWERED;
        entry->value->answer = query_answer(task);
        request->query_results[request->n_query_results++] = entry;
    }
}

static void fill_sticky(struct task *task, WS(RespondWorkflowTaskCompletedRequest) *request) {
    request->sticky_attributes = PB_NEW(task->arena, temporal__api__taskqueue__v1__sticky_execution_attributes);
    request->sticky_attributes->worker_task_queue = agent_queue(task->arena, task->worker->sticky, true);
    request->sticky_attributes->schedule_to_start_timeout = agent_duration(task->arena, 5 * SIM_SECOND);
}

static void handle(struct worker *worker, const char *namespace, const WS(PollWorkflowTaskQueueResponse) *poll,
                   unsigned life, unsigned depth);

/* When the commands close the run. */
static struct model_op *begin_close(struct task *task, const WS(RespondWorkflowTaskCompletedRequest) *request) {
    struct model_call call = {.kind = MODEL_CLOSE, .run = task->run};
    for (size_t i = 0; i < request->n_commands; i++) {
        switch ((int)request->commands[i]->command_type) {
        case FLOW_COMMAND(COMPLETE_WORKFLOW_EXECUTION): call.status = MODEL_COMPLETED; break;
        case FLOW_COMMAND(CANCEL_WORKFLOW_EXECUTION): call.status = MODEL_FAILED; break;
        case FLOW_COMMAND(CONTINUE_AS_NEW_WORKFLOW_EXECUTION): call.status = MODEL_CONTINUED; break;
        default: break;
        }
    }
    struct io *io = task->worker->agent.io;
    struct model_id *id = model_id(truth_of(task->worker)->model, task->namespace, task->poll->workflow_execution->workflow_id);
    return call.status ? model_begins(id, world_node_of(io), &call) : NULL;
}

/* Sends the completion; another task may come with the answer. */
static void complete(struct task *task, WS(RespondWorkflowTaskCompletedRequest) *request, unsigned depth) {
    struct agent *agent = &task->worker->agent;
    struct grpc_result result;
    WS(RespondWorkflowTaskCompletedResponse) *response;
    unsigned life = life_of_server(task->worker);
    struct model_op *close = begin_close(task, request);
    struct model_effect *effect = model_task_completes(task->run, task->poll, request);
    bool good = agent_call(agent, "RespondWorkflowTaskCompleted", request,
                           AGENT_TYPE(respond_workflow_task_completed_response), 10 * SIM_SECOND, &result, &response);
    model_task_completed(effect, result.status.code);
    unsigned tries = 0;                                   /* an answer was lost: asked again, as SDKs do */
    for (; !good && model_known(result.status.code) == KNOWN_MAYBE && tries < TRIES_MAX; tries++) {
        grpc_result_free(&result);
        agent_sleep(agent, (100 << tries) * SIM_MS);
        model_task_completes(task->run, task->poll, request);
        good = agent_call(agent, "RespondWorkflowTaskCompleted", request,
                          AGENT_TYPE(respond_workflow_task_completed_response), 10 * SIM_SECOND, &result, &response);
        model_task_completed(effect, result.status.code);
    }
    bool lost = !good && (tries || model_known(result.status.code) == KNOWN_MAYBE);
    if (close) model_ends(close, &(struct model_result){.lost = lost, .refused = !good && !lost});
    agent->truth->tasks += good;
    task->cached->in_use = false;
    if (!good) cached_free(task->worker, task->cached);   /* what the server has is not known */
    if (good && agent_mischief(agent, 30)) {
        struct grpc_result again;
        WS(RespondWorkflowTaskCompletedResponse) *ignored;
        model_task_completes(task->run, task->poll, request);
        agent_call(agent, "RespondWorkflowTaskCompleted", request, AGENT_TYPE(respond_workflow_task_completed_response),
                   10 * SIM_SECOND, &again, &ignored);
        model_task_completed(effect, again.status.code);
        grpc_result_free(&again);
        agent->truth->duplicates++;
    }
    if (good && response->workflow_task && response->workflow_task->task_token.len && depth < 8)
        handle(task->worker, task->namespace, response->workflow_task, life, depth + 1);
    grpc_result_free(&result);
}

static void fail_task(struct task *task) {
    struct grpc_result result;
    WS(RespondWorkflowTaskFailedResponse) *response;
    WS(RespondWorkflowTaskFailedRequest) *request = AGENT_NEW(task->arena, respond_workflow_task_failed_request);
    request->task_token = task->poll->task_token;
    request->namespace_ = agent_text(task->arena, task->namespace);
    request->identity = task->worker->identity;
    request->cause =
        TEMPORAL__API__ENUMS__V1__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE;
    request->failure = PB_NEW(task->arena, temporal__api__failure__v1__failure);
    request->failure->message = agent_text(task->arena, "told to fail");
    struct model_effect *effect = model_task_fails(task->run, task->poll);
    agent_call(&task->worker->agent, "RespondWorkflowTaskFailed", request,
               AGENT_TYPE(respond_workflow_task_failed_response), 10 * SIM_SECOND, &result, &response);
    model_answer(effect, result.status.code);
    grpc_result_free(&result);
}

static void answer_query(struct task *task) {
    struct grpc_result result;
    WS(RespondQueryTaskCompletedResponse) *response;
    WS(RespondQueryTaskCompletedRequest) *request = AGENT_NEW(task->arena, respond_query_task_completed_request);
    request->task_token = task->poll->task_token;
    request->namespace_ = agent_text(task->arena, task->namespace);
    request->completed_type = TEMPORAL__API__ENUMS__V1__QUERY_RESULT_TYPE__QUERY_RESULT_TYPE_ANSWERED;
    request->query_result = query_answer(task);
    agent_call(&task->worker->agent, "RespondQueryTaskCompleted", request,
               AGENT_TYPE(respond_query_task_completed_response), 10 * SIM_SECOND, &result, &response);
    grpc_result_free(&result);
    task->cached->in_use = false;
}

static void answer_task(struct task *task, unsigned depth) {
    WS(RespondWorkflowTaskCompletedRequest) *request = AGENT_NEW(task->arena, respond_workflow_task_completed_request);
    request->task_token = task->poll->task_token;
    request->namespace_ = agent_text(task->arena, task->namespace);
    request->identity = task->worker->identity;
    request->return_new_workflow_task = true;
    fill_commands(task, request);
    fill_queries(task, request);
    if (!agent_mischief(&task->worker->agent, 100)) fill_sticky(task, request);
    complete(task, request, depth);
}

/* `life`: in which the server was when this worker asked for a task. */
static void handle(struct worker *worker, const char *namespace, const WS(PollWorkflowTaskQueueResponse) *poll,
                   unsigned life, unsigned depth) {
    struct agent *agent = &worker->agent;
    struct arena arena = {0};
    if (!poll->workflow_execution || !poll->workflow_execution->run_id[0]) return;
    const char *run_id = poll->workflow_execution->run_id;
    struct task task = {worker, namespace, &arena, poll, NULL, NULL, 0};
    task.run = model_run(model_id(agent->truth->model, namespace, poll->workflow_execution->workflow_id), run_id);
    if (!poll->query) {
        model_task_given(task.run, poll, life);
        task.lasting = poll->started_event_id - (poll->attempt > 1 ? 2 : 1);
    }
    if (agent_mischief(agent, 20)) {
        agent->truth->dropped++;
        return;                                          /* it times out */
    }
    task.cached = cached_get(worker, run_id);
    if (task.cached->in_use) return;                     /* another fiber is at it: an old task of the same run */
    task.cached->in_use = true;
    if (!complete_history(&task)) {
        task.cached->in_use = false;
        cached_free(worker, task.cached);
    } else if (poll->query) {
        answer_query(&task);
    } else if (agent_mischief(agent, 20)) {
        task.cached->in_use = false;
        fail_task(&task);
    } else {
        if (agent_mischief(agent, 10)) agent_sleep(agent, 12 * SIM_SECOND);
        else if (agent_mischief(agent, worker->slow ? 700 : 100)) agent_sleep(agent, agent_dice(agent, 2000) * SIM_MS);
        answer_task(&task, depth);
    }
    arena_free(&arena);
}

static void forget_some(struct worker *worker) {
    if (!agent_mischief(&worker->agent, 30)) return;
    LIST_EACH(it, &worker->cache) {
        struct cached *cached = LIST_ENTRY(it, struct cached, link);
        if (!cached->in_use) cached_free(worker, cached);
    }
}

/* Some polls are given up after a moment, just when a task may be on its way. */
static bool poll(struct agent *agent, const char *method, const void *request, const ProtobufCMessageDescriptor *type,
                 struct grpc_result *result, void *response) {
    int64_t timeout = (5 + agent_dice(agent, 60)) * SIM_SECOND;
    bool patient = agent_dice(agent, 1000) >= 150 || agent->truth->small;
    if (patient) return agent_call(agent, method, request, type, timeout, result, response);
    int64_t patience = (1 + agent_dice(agent, 1u << (5 + agent_dice(agent, 17)))) * SIM_US;     /* most are as short as a hand-off */
    return agent_call_cancel(agent, method, request, type, timeout, patience, result, response);
}

static void poll_workflows(void *arg) {
    struct poller *poller = arg;
    struct worker *worker = poller->worker;
    struct agent *agent = &worker->agent;
    while (!agent->ending) {
        struct arena arena = {0};
        struct grpc_result result;
        WS(PollWorkflowTaskQueueRequest) *request = AGENT_NEW(&arena, poll_workflow_task_queue_request);
        WS(PollWorkflowTaskQueueResponse) *response;
        request->namespace_ = agent_text(&arena, poller->namespace);
        request->task_queue = agent_queue(&arena, poller->sticky ? worker->sticky : SIM_QUEUE, poller->sticky);
        request->identity = worker->identity;
        unsigned life = life_of_server(worker);
        bool good = poll(agent, "PollWorkflowTaskQueue", request, AGENT_TYPE(poll_workflow_task_queue_response), &result,
                         &response);
        if (good && response->task_token.len) handle(worker, poller->namespace, response, life, 0);
        grpc_result_free(&result);
        arena_free(&arena);
        forget_some(worker);
        if (!good) agent_sleep(agent, 200 * SIM_MS);
    }
    mem_free(poller);
    agent_fiber_ends(agent);
}

/* ---- activities ---- */

typedef WS(PollActivityTaskQueueResponse) ActivityTask;

static struct model_run *run_of(struct worker *worker, const ActivityTask *task) {
    struct model_id *id = model_id(truth_of(worker)->model, task->workflow_namespace, task->workflow_execution->workflow_id);
    return model_run(id, task->workflow_execution->run_id);
}

enum beat { BEAT_GOES_ON, BEAT_CANCELLED, BEAT_GONE };

static enum beat heartbeat(struct worker *worker, const ActivityTask *task, unsigned count) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(RecordActivityTaskHeartbeatRequest) *request = AGENT_NEW(&arena, record_activity_task_heartbeat_request);
    WS(RecordActivityTaskHeartbeatResponse) *response;
    request->task_token = task->task_token;
    request->namespace_ = agent_text(&arena, task->workflow_namespace);
    request->details = agent_payload(&arena, "%u", count);
    model_activity_beats(run_of(worker, task), task, count);
    bool good = agent_call(&worker->agent, "RecordActivityTaskHeartbeat", request,
                           AGENT_TYPE(record_activity_task_heartbeat_response), 3 * SIM_SECOND, &result, &response);
    truth_of(worker)->heartbeats += good;
    model_activity_beat(run_of(worker, task), task, count, result.status.code);
    bool gone = result.status.code == STATUS_NOT_FOUND, cancelled = good && response->cancel_requested;
    grpc_result_free(&result);
    arena_free(&arena);
    return gone ? BEAT_GONE : cancelled ? BEAT_CANCELLED : BEAT_GOES_ON;
}

static void activity_fails(struct worker *worker, const ActivityTask *task) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(RespondActivityTaskFailedRequest) *request = AGENT_NEW(&arena, respond_activity_task_failed_request);
    WS(RespondActivityTaskFailedResponse) *response;
    request->task_token = task->task_token;
    request->namespace_ = agent_text(&arena, task->workflow_namespace);
    request->identity = worker->identity;
    request->failure = PB_NEW(&arena, temporal__api__failure__v1__failure);
    request->failure->message = agent_text(&arena, "as the script says");
    request->failure->failure_info_case = FAILURE_INFO(APPLICATION);
    request->failure->application_failure_info = PB_NEW(&arena, temporal__api__failure__v1__application_failure_info);
    request->failure->application_failure_info->type = agent_text(&arena, "Scripted");
    struct model_effect *effect = model_activity_ends(run_of(worker, task), task, EFFECT_ACTIVITY_FAILED, NULL, true);
    agent_call(&worker->agent, "RespondActivityTaskFailed", request, AGENT_TYPE(respond_activity_task_failed_response),
               10 * SIM_SECOND, &result, &response);
    model_activity_ended(effect, result.status.code);
    grpc_result_free(&result);
    arena_free(&arena);
}

/* True when the server took it. */
static bool activity_completes(struct worker *worker, const ActivityTask *task) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(RespondActivityTaskCompletedRequest) *request = AGENT_NEW(&arena, respond_activity_task_completed_request);
    WS(RespondActivityTaskCompletedResponse) *response;
    request->task_token = task->task_token;
    request->namespace_ = agent_text(&arena, task->workflow_namespace);
    request->identity = worker->identity;
    request->result = agent_payload(&arena, "%s.%d%s", task->activity_id, task->attempt,
                                    agent_padding(&arena, agent_dice(&worker->agent, 8) ? 0 : 5000));
    struct model_effect *effect =
        model_activity_ends(run_of(worker, task), task, EFFECT_ACTIVITY_COMPLETED, request->result, true);
    bool good = agent_call(&worker->agent, "RespondActivityTaskCompleted", request,
                           AGENT_TYPE(respond_activity_task_completed_response), 10 * SIM_SECOND, &result, &response);
    model_activity_ended(effect, result.status.code);
    grpc_result_free(&result);
    arena_free(&arena);
    return good;
}

/* As someone does who knows the activity by its name only: whatever attempt runs is completed. */
static bool activity_completes_by_id(struct worker *worker, const ActivityTask *task) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(RespondActivityTaskCompletedByIdRequest) *request =
        AGENT_NEW(&arena, respond_activity_task_completed_by_id_request);
    WS(RespondActivityTaskCompletedByIdResponse) *response;
    request->namespace_ = agent_text(&arena, task->workflow_namespace);
    request->workflow_id = task->workflow_execution->workflow_id;
    request->run_id = task->workflow_execution->run_id;
    request->activity_id = task->activity_id;
    request->result = agent_payload(&arena, "%s.%d", task->activity_id, task->attempt);
    struct model_effect *effect =
        model_activity_ends(run_of(worker, task), task, EFFECT_ACTIVITY_COMPLETED, request->result, false);
    bool good = agent_call(&worker->agent, "RespondActivityTaskCompletedById", request,
                           AGENT_TYPE(respond_activity_task_completed_by_id_response), 10 * SIM_SECOND, &result, &response);
    model_activity_ended(effect, result.status.code);
    grpc_result_free(&result);
    arena_free(&arena);
    return good;
}

static void activity_is_cancelled(struct worker *worker, const ActivityTask *task) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(RespondActivityTaskCanceledRequest) *request = AGENT_NEW(&arena, respond_activity_task_canceled_request);
    WS(RespondActivityTaskCanceledResponse) *response;
    request->task_token = task->task_token;
    request->namespace_ = agent_text(&arena, task->workflow_namespace);
    request->identity = worker->identity;
    struct model_effect *effect = model_activity_ends(run_of(worker, task), task, EFFECT_ACTIVITY_CANCELED, NULL, true);
    agent_call(&worker->agent, "RespondActivityTaskCanceled", request, AGENT_TYPE(respond_activity_task_canceled_response),
               10 * SIM_SECOND, &result, &response);
    model_activity_ended(effect, result.status.code);
    grpc_result_free(&result);
    arena_free(&arena);
}

/* Beats until it is told to stop; fails when nobody told it for long. */
static void run_until_cancelled(struct worker *worker, const ActivityTask *task) {
    for (unsigned i = 0; i < 8 && !worker->agent.ending; i++) {
        enum beat beat = heartbeat(worker, task, i);
        if (beat == BEAT_GONE) return;
        if (beat == BEAT_CANCELLED) {
            activity_is_cancelled(worker, task);
            return;
        }
        agent_sleep(&worker->agent, SIM_SECOND);
    }
    activity_fails(worker, task);
}

/* Heartbeats fail the first attempt after all were sent, so that the second has the details. */
static bool has_to_fail(char kind, unsigned arg, const ActivityTask *task) {
    return (kind == 'a' && (unsigned)task->attempt <= arg) || kind == 'c' || (kind == 'h' && task->attempt == 1);
}

static void run_activity(struct worker *worker, const ActivityTask *task, unsigned life) {
    struct agent *agent = &worker->agent;
    struct truth *truth = agent->truth;
    if (!task->input || !task->input->n_payloads || task->attempt < 1)
        world_fail(truth->world, WORLD_INCORRECT, "an activity task without input or attempt");
    const ProtobufCBinaryData *input = &task->input->payloads[0]->data;
    char kind = (char)input->data[0];
    unsigned arg = (unsigned)(input->len > 1 ? input->data[1] - '0' : 0);
    model_activity_given(run_of(worker, task), task, life);
    if (agent_mischief(agent, 20)) {
        truth->dropped++;
        return;
    }
    if (kind == 'k') {
        run_until_cancelled(worker, task);
        return;
    }
    for (unsigned i = 0; kind == 'h' && i < arg; i++) {
        if (heartbeat(worker, task, i) == BEAT_GONE) return;
        agent_sleep(agent, agent_dice(agent, 2000) * SIM_MS);
    }
    if (has_to_fail(kind, arg, task)) {
        activity_fails(worker, task);
        return;
    }
    if (agent_mischief(agent, 10)) agent_sleep(agent, 12 * SIM_SECOND);
    bool by_id = agent_mischief(agent, 50);
    truth->activities += (by_id ? activity_completes_by_id : activity_completes)(worker, task);
    if (!agent_mischief(agent, 50)) return;
    truth->duplicates++;
    activity_completes(worker, task);
}

static void poll_activities(void *arg) {
    struct poller *poller = arg;
    struct worker *worker = poller->worker;
    struct agent *agent = &worker->agent;
    while (!agent->ending) {
        struct arena arena = {0};
        struct grpc_result result;
        WS(PollActivityTaskQueueRequest) *request = AGENT_NEW(&arena, poll_activity_task_queue_request);
        ActivityTask *response;
        request->namespace_ = agent_text(&arena, poller->namespace);
        request->task_queue = agent_queue(&arena, SIM_QUEUE, false);
        request->identity = worker->identity;
        unsigned life = life_of_server(worker);
        bool good = poll(agent, "PollActivityTaskQueue", request, AGENT_TYPE(poll_activity_task_queue_response), &result,
                         &response);
        if (good && response->task_token.len) run_activity(worker, response, life);
        grpc_result_free(&result);
        arena_free(&arena);
        if (!good) agent_sleep(agent, 200 * SIM_MS);
    }
    mem_free(poller);
    agent_fiber_ends(agent);
}

/* ---- the process ---- */

static void worker_ended(struct agent *agent) {
    struct worker *worker = CONTAINER_OF(agent, struct worker, agent);
    while (!list_empty(&worker->cache)) cached_free(worker, LIST_ENTRY(worker->cache.next, struct cached, link));
    mem_free(worker);
}

static void start_pollers(struct worker *worker, const char *namespace, unsigned count, bool sticky, fiber_fn *fn) {
    for (unsigned i = 0; i < count; i++) {
        struct poller *poller = MEM_NEW(struct poller);
        *poller = (struct poller){worker, namespace, sticky};
        agent_fiber(&worker->agent, "poll", fn, poller);
    }
}

void worker_start(struct io *io, void *arg) {
    struct worker *worker = MEM_NEW(struct worker);
    list_init(&worker->cache);
    agent_begin(&worker->agent, io, arg, "temporal-go");
    worker->agent.ended = worker_ended;
    worker->slow = agent_dice(&worker->agent, 4) == 0;
    unsigned long long life = (unsigned long long)io_pid(io);
    snprintf(worker->sticky, sizeof worker->sticky, "sticky-%u-%llu", world_node_of(io), life);
    snprintf(worker->identity, sizeof worker->identity, "worker-%u-%llu", world_node_of(io), life);
    struct truth *truth = arg;
    for (unsigned i = 0; i < truth->namespace_count; i++) {
        const char *namespace = truth->namespaces[i];
        unsigned most = i ? 1 : POLLERS_MAX;
        start_pollers(worker, namespace, 1 + agent_dice(&worker->agent, most), false, poll_workflows);
        start_pollers(worker, namespace, 1 + agent_dice(&worker->agent, most), true, poll_workflows);
        start_pollers(worker, namespace, 1 + agent_dice(&worker->agent, most), false, poll_activities);
    }
}
