/* client: starts workflows, signals, queries and cancels them, waits for their end, and reads their histories.
 *
 * What it knows is in the truth, so that it goes on after a crash where it was. Every call that changes something has a
 * request id of its own and is repeated until its answer is certain. */
#include <stdio.h>
#include <stdlib.h>

#include "agent.h"
#include "base/mem.h"

struct client {
    struct agent agent;
};

struct job {                             /* one fiber for each workflow */
    struct client *client;
    struct truth_flow *flow;
};

enum { CALL_SECONDS = 10 };

static void set_at(struct truth_flow *flow, const char *text) { snprintf(flow->at, sizeof flow->at, "%s", text); }

static struct model_id *model_of(struct agent *agent, const struct truth_flow *flow) {
    return model_id(agent->truth->model, flow->namespace, flow->id);
}

/* The run that a call without run id reaches, where it can be only one. */
static struct model_run *only_run(struct agent *agent, const struct truth_flow *flow) {
    return flow->run_id[0] && !flow->has_again ? model_run(model_of(agent, flow), flow->run_id) : NULL;
}

/* ---- start ---- */

static void fill_start(struct arena *arena, const struct truth_flow *flow, WS(StartWorkflowExecutionRequest) *request) {
    request->namespace_ = agent_text(arena, flow->namespace);
    request->workflow_id = agent_text(arena, flow->id);
    request->workflow_type = PB_NEW(arena, temporal__api__common__v1__workflow_type);
    request->workflow_type->name = agent_text(arena, "flow");
    request->task_queue = agent_queue(arena, SIM_QUEUE, false);
    request->input = agent_payload(arena, "%s%s", flow->script, agent_padding(arena, flow->padding));
    request->workflow_task_timeout = agent_duration(arena, 10 * SIM_SECOND);
    if (flow->delay_ms) request->workflow_start_delay = agent_duration(arena, flow->delay_ms * SIM_MS);
    request->identity = agent_text(arena, "client");
    request->request_id = arena_printf(arena, "start-%u", flow->number);
    request->workflow_id_reuse_policy =
        flow->before ? TEMPORAL__API__ENUMS__V1__WORKFLOW_ID_REUSE_POLICY__WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
                     : TEMPORAL__API__ENUMS__V1__WORKFLOW_ID_REUSE_POLICY__WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE;
}

static struct model_op *begin_start(struct agent *agent, struct truth_flow *flow, const char *request) {
    struct model_call call = {.kind = MODEL_START, .request = request,
                              .reuse = flow->before ? MODEL_REUSE_ALLOW : MODEL_REUSE_REJECT};
    return model_begins(model_of(agent, flow), world_node_of(agent->io), &call);
}

static void end_start(struct agent *agent, const struct truth_flow *flow, struct model_op *op, enum status_code code,
                      const char *run_id) {
    struct model_result result = model_result(code);
    if (run_id) result.run = model_run(model_of(agent, flow), run_id);
    model_ends(op, &result);
}

static void start_known(struct agent *agent, struct truth_flow *flow, const char *run_id) {
    struct truth *truth = agent->truth;
    if (flow->run_id[0] && run_id && strcmp(flow->run_id, run_id) != 0)
        world_fail(truth->world, WORLD_INCORRECT, "%s was started as run %s and as run %s with one request id",
                   flow->id, flow->run_id, run_id);
    if (run_id) snprintf(flow->run_id, sizeof flow->run_id, "%s", run_id);
    if (flow->started != KNOWN_YES) truth->starts++;
    flow->started = KNOWN_YES;
}

static void start_flow(struct agent *agent, struct truth_flow *flow) {
    while (flow->started != KNOWN_YES && !agent->ending) {
        struct arena arena = {0};
        struct grpc_result result;
        WS(StartWorkflowExecutionRequest) *request = AGENT_NEW(&arena, start_workflow_execution_request);
        WS(StartWorkflowExecutionResponse) *response;
        fill_start(&arena, flow, request);
        flow->started = KNOWN_MAYBE;
        set_at(flow, "start");
        struct model_op *op = begin_start(agent, flow, request->request_id);
        bool good = agent_call(agent, "StartWorkflowExecution", request, AGENT_TYPE(start_workflow_execution_response),
                               CALL_SECONDS * SIM_SECOND, &result, &response);
        end_start(agent, flow, op, result.status.code, good ? response->run_id : NULL);
        if (good) start_known(agent, flow, response->run_id);
        else if (result.status.code == STATUS_ALREADY_EXISTS && !flow->before)
            start_known(agent, flow, NULL);              /* ours, and closed by now */
        else if (result.status.code == STATUS_NOT_FOUND || result.status.code == STATUS_ALREADY_EXISTS)
            world_fail(agent->truth->world, WORLD_INCORRECT, "%s (script %s, after script %s in run %s): its start was refused: %s",
                       flow->id, flow->script, flow->before ? flow->before->script : "-",
                       flow->before ? flow->before->run_id : "-", result.status.message);
        grpc_result_free(&result);
        arena_free(&arena);
        if (flow->started != KNOWN_YES) agent_sleep(agent, 200 * SIM_MS);
    }
}

/* An open workflow is started again with its own request id: the same run must answer. */
static void start_again(struct agent *agent, struct truth_flow *flow) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(StartWorkflowExecutionRequest) *request = AGENT_NEW(&arena, start_workflow_execution_request);
    WS(StartWorkflowExecutionResponse) *response;
    fill_start(&arena, flow, request);
    struct model_op *op = begin_start(agent, flow, request->request_id);
    bool good = agent_call(agent, "StartWorkflowExecution", request, AGENT_TYPE(start_workflow_execution_response),
                           CALL_SECONDS * SIM_SECOND, &result, &response);
    end_start(agent, flow, op, result.status.code, good ? response->run_id : NULL);
    if (good)
        start_known(agent, flow, response->run_id);
    else if (result.status.code == STATUS_ALREADY_EXISTS)
        world_fail(agent->truth->world, WORLD_INCORRECT, "%s: its own request id does not find its open run: %s", flow->id,
                   result.status.message);
    grpc_result_free(&result);
    arena_free(&arena);
}

/* ---- signals, cancel requests, queries ---- */

static void send_signal(struct agent *agent, struct truth_flow *flow, unsigned number) {
    while (flow->signals[number] != KNOWN_YES && !agent->ending) {
        struct arena arena = {0};
        struct grpc_result result;
        WS(SignalWorkflowExecutionRequest) *request = AGENT_NEW(&arena, signal_workflow_execution_request);
        WS(SignalWorkflowExecutionResponse) *response;
        request->namespace_ = agent_text(&arena, flow->namespace);
        request->workflow_execution = agent_execution(&arena, flow->id, "");
        request->signal_name = agent_text(&arena, "number");
        request->input = agent_payload(&arena, "%u%s", number + 1, agent_padding(&arena, flow->padding));
        request->request_id = arena_printf(&arena, "signal-%u-%u", flow->number, number);
        flow->signals[number] = KNOWN_MAYBE;
        set_at(flow, "signal");
        struct model_effect *effect = model_ask(model_of(agent, flow), NULL, EFFECT_SIGNAL,
                                                model_key_payloads(request->request_id, request->input));
        struct model_op *op = model_begins(model_of(agent, flow), world_node_of(agent->io),
                                           &(struct model_call){.kind = MODEL_SIGNAL});
        bool good = agent_call(agent, "SignalWorkflowExecution", request,
                               AGENT_TYPE(signal_workflow_execution_response), CALL_SECONDS * SIM_SECOND, &result,
                               &response);
        model_answer(effect, result.status.code);
        struct model_result outcome = model_result(result.status.code);
        model_ends(op, &outcome);
        if (good) model_reached(effect, only_run(agent, flow));
        if (good) flow->signals[number] = KNOWN_YES;
        agent->truth->signals += good;
        bool closed = result.status.code == STATUS_NOT_FOUND;
        grpc_result_free(&result);
        arena_free(&arena);
        if (closed) return;                              /* it ended before; an earlier try may be in it */
        if (!good) agent_sleep(agent, 200 * SIM_MS);
    }
}

static void request_cancel(struct agent *agent, struct truth_flow *flow) {
    while (flow->cancelled != KNOWN_YES && !agent->ending) {
        struct arena arena = {0};
        struct grpc_result result;
        WS(RequestCancelWorkflowExecutionRequest) *request =
            AGENT_NEW(&arena, request_cancel_workflow_execution_request);
        WS(RequestCancelWorkflowExecutionResponse) *response;
        request->namespace_ = agent_text(&arena, flow->namespace);
        request->workflow_execution = agent_execution(&arena, flow->id, "");
        request->request_id = request->reason = arena_printf(&arena, "cancel-%u", flow->number);
        flow->cancelled = KNOWN_MAYBE;
        set_at(flow, "cancel");
        struct model_effect *effect =
            model_ask(model_of(agent, flow), NULL, EFFECT_CANCEL, model_key_text(request->reason));
        bool good = agent_call(agent, "RequestCancelWorkflowExecution", request,
                               AGENT_TYPE(request_cancel_workflow_execution_response), CALL_SECONDS * SIM_SECOND,
                               &result, &response);
        model_answer(effect, result.status.code);
        if (good) model_reached(effect, only_run(agent, flow));
        if (good || result.status.code == STATUS_NOT_FOUND) flow->cancelled = KNOWN_YES;
        agent->truth->cancels += good;
        grpc_result_free(&result);
        arena_free(&arena);
        if (flow->cancelled != KNOWN_YES) agent_sleep(agent, 200 * SIM_MS);
    }
}

/* A query sees all signals that were acknowledged before it was asked. */
static void query(struct agent *agent, struct truth_flow *flow) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(QueryWorkflowRequest) *request = AGENT_NEW(&arena, query_workflow_request);
    WS(QueryWorkflowResponse) *response;
    request->namespace_ = agent_text(&arena, flow->namespace);
    request->execution = agent_execution(&arena, flow->id, "");
    request->query = PB_NEW(&arena, temporal__api__query__v1__workflow_query);
    request->query->query_type = agent_text(&arena, "signals");
    unsigned before = 0, after = 0;
    for (unsigned i = 0; i < flow->signal_next; i++) before += flow->signals[i] == KNOWN_YES;
    set_at(flow, "query");
    if (agent_call(agent, "QueryWorkflow", request, AGENT_TYPE(query_workflow_response), CALL_SECONDS * SIM_SECOND,
                   &result, &response) &&
        response->query_result && response->query_result->n_payloads) {
        const ProtobufCBinaryData *data = &response->query_result->payloads[0]->data;
        long seen = strtol(arena_text(&arena, bytes_of(data->data, data->len)), NULL, 10);
        for (unsigned i = 0; i < flow->signals_wanted; i++) after += flow->signals[i] != KNOWN_NOT;
        if (seen < (long)before || seen > (long)after)
            world_fail(agent->truth->world, WORLD_INCORRECT,
                       "%s: a query saw %ld signals; %u were acknowledged before it, %u were sent", flow->id, seen,
                       before, after);
        agent->truth->queries++;
    }
    grpc_result_free(&result);
    arena_free(&arena);
}

/* ---- histories ---- */

static WS(GetWorkflowExecutionHistoryRequest) *history_request(struct arena *arena, const struct truth_flow *flow, const char *run) {
    WS(GetWorkflowExecutionHistoryRequest) *request = AGENT_NEW(arena, get_workflow_execution_history_request);
    request->namespace_ = agent_text(arena, flow->namespace);
    request->execution = agent_execution(arena, flow->id, run);
    return request;
}

/* Waits until the run has closed; another run may follow. True when the answer was a close event. */
static bool await_close(struct agent *agent, const struct truth_flow *flow, const char *run,
                        struct flow_event *close) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(GetWorkflowExecutionHistoryResponse) *response;
    WS(GetWorkflowExecutionHistoryRequest) *request = history_request(&arena, flow, run);
    request->wait_new_event = true;
    request->history_event_filter_type =
        TEMPORAL__API__ENUMS__V1__HISTORY_EVENT_FILTER_TYPE__HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT;
    bool closed = agent_call(agent, "GetWorkflowExecutionHistory", request,
                             AGENT_TYPE(get_workflow_execution_history_response), 30 * SIM_SECOND, &result, &response);
    if (result.status.code == STATUS_NOT_FOUND)
        world_fail(agent->truth->world, WORLD_INCORRECT, "%s, run %s: its start was acknowledged, and it is not there: %s",
                   flow->id, run, result.status.message);
    closed = closed && response->history && response->history->n_events == 1;
    if (closed) {
        flow_event_of(response->history->events[0], close);
        if (!flow_is_close(close->type))
            world_fail(agent->truth->world, WORLD_INCORRECT, "%s: event %lld of type %d was told as its close", flow->id,
                       (long long)close->id, close->type);
    }
    grpc_result_free(&result);
    arena_free(&arena);
    return closed;
}

/* Follows the chain to its end. */
static void await_end(struct agent *agent, struct truth_flow *flow) {
    char run[FLOW_RUN_MAX];
    snprintf(run, sizeof run, "%s", flow->run_id);
    if (flow->unwatched) agent_sleep(agent, (60 + agent_dice(agent, 180)) * SIM_SECOND);
    while (!agent->ending && !flow->closed) {
        struct flow_event close;
        set_at(flow, "await the end");
        if (!await_close(agent, flow, run, &close)) {
            agent_sleep(agent, 100 * SIM_MS);
        } else if (close.type == FLOW_EVENT(WORKFLOW_EXECUTION_CONTINUED_AS_NEW)) {
            snprintf(run, sizeof run, "%s", close.text);
        } else {
            flow->closed = true;
            agent->truth->closed_count++;
            set_at(flow, "closed");
        }
    }
}

void truth_run_add(struct truth_run *run, const struct flow_event *event) {
    if (run->count == run->cap) {
        run->cap = run->cap ? run->cap * 2 : 32;
        run->events = world_realloc(run->events, run->cap * sizeof *run->events);
    }
    run->events[run->count++] = *event;
}

/* One page; false when the call failed. */
static bool read_page(struct agent *agent, const struct truth_flow *flow, struct truth_run *run, struct buf *token, bool *more) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(GetWorkflowExecutionHistoryResponse) *response;
    WS(GetWorkflowExecutionHistoryRequest) *request = history_request(&arena, flow, run->run_id);
    request->maximum_page_size = (int32_t)(1 + agent_dice(agent, 40));
    request->next_page_token = pb_binary(buf_bytes(token));
    bool good = agent_call(agent, "GetWorkflowExecutionHistory", request,
                           AGENT_TYPE(get_workflow_execution_history_response), CALL_SECONDS * SIM_SECOND, &result,
                           &response) && response->history;
    if (good) {
        struct model_run *known = run->run_id[0] ? model_run(model_of(agent, flow), run->run_id) : NULL;
        for (size_t i = 0; i < response->history->n_events; i++) {
            struct flow_event event;
            if (known) model_saw(known, response->history->events[i]);
            flow_event_of(response->history->events[i], &event);
            truth_run_add(run, &event);
        }
        buf_clear(token);
        buf_append(token, response->next_page_token.data, response->next_page_token.len);
        *more = token->len > 0;
    }
    grpc_result_free(&result);
    arena_free(&arena);
    return good;
}

/* All pages; false when a call failed. */
static bool read_pages(struct agent *agent, const struct truth_flow *flow, struct truth_run *run) {
    struct buf token = {0};
    bool more = true, good = true;
    uint64_t from = model_now(agent->truth->model);
    run->count = 0;
    while (good && more) good = read_page(agent, flow, run, &token, &more);
    buf_free(&token);
    if (good && run->run_id[0]) model_read(model_run(model_of(agent, flow), run->run_id), from, run->count);
    return good;
}

static void read_run(struct agent *agent, const struct truth_flow *flow, struct truth_run *run) {
    while (!run->whole && !agent->ending) {
        run->whole = read_pages(agent, flow, run);
        if (!run->whole) agent_sleep(agent, 200 * SIM_MS);
    }
}

static void list(struct agent *agent, struct truth_flow *flow, bool closed);

/* When the start was never answered with a run: the newest run names the first. */
static bool find_first_run(struct agent *agent, struct truth_flow *flow) {
    struct truth_run *run = &flow->runs[0];
    run->run_id[0] = 0;
    run->whole = false;
    read_run(agent, flow, run);
    if (!run->whole || !run->count) return false;
    snprintf(flow->run_id, sizeof flow->run_id, "%s", run->events[0].first_run);
    run->whole = false;
    return true;
}

/* ---- deleting ---- */

/* True when the run is not there any more. */
static bool is_gone(struct agent *agent, const struct truth_flow *flow) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(GetWorkflowExecutionHistoryResponse) *response;
    WS(GetWorkflowExecutionHistoryRequest) *request = history_request(&arena, flow, flow->run_id);
    bool there = agent_call(agent, "GetWorkflowExecutionHistory", request,
                            AGENT_TYPE(get_workflow_execution_history_response), CALL_SECONDS * SIM_SECOND, &result, &response);
    bool gone = result.status.code == STATUS_NOT_FOUND;
    if (there && flow->deleted == KNOWN_YES)
        world_fail(agent->truth->world, WORLD_INCORRECT, "%s, run %s: it was deleted, and is there again", flow->id, flow->run_id);
    grpc_result_free(&result);
    arena_free(&arena);
    return gone;
}

static void delete(struct agent *agent, struct truth_flow *flow) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(DeleteWorkflowExecutionResponse) *response;
    WS(DeleteWorkflowExecutionRequest) *request = AGENT_NEW(&arena, delete_workflow_execution_request);
    request->namespace_ = agent_text(&arena, flow->namespace);
    request->workflow_execution = agent_execution(&arena, flow->id, flow->run_id);
    flow->deleted = KNOWN_MAYBE;
    model_deleted(model_run(model_of(agent, flow), flow->run_id));
    set_at(flow, "delete");
    if (agent_call(agent, "DeleteWorkflowExecution", request, AGENT_TYPE(delete_workflow_execution_response),
                   CALL_SECONDS * SIM_SECOND, &result, &response))
        flow->deleted = KNOWN_YES;
    grpc_result_free(&result);
    arena_free(&arena);
}

/* A judged run goes for good, if its flow is one to be deleted. */
static void delete_at_last(struct agent *agent, struct truth_flow *flow) {
    while (!agent->ending && flow->delete_wanted && flow->deleted != KNOWN_YES) {
        delete(agent, flow);
        if (flow->deleted != KNOWN_YES && is_gone(agent, flow)) flow->deleted = KNOWN_YES;
        if (flow->deleted != KNOWN_YES) agent_sleep(agent, 200 * SIM_MS);
    }
    if (!agent->ending && flow->delete_wanted) is_gone(agent, flow);
}

/* ---- the whole chain ---- */

static void read_chain(struct agent *agent, struct truth_flow *flow) {
    set_at(flow, "read the history");
    if (!flow->run_id[0] && !find_first_run(agent, flow)) return;
    flow->run_count = 1;
    snprintf(flow->runs[0].run_id, sizeof flow->runs[0].run_id, "%s", flow->run_id);
    for (unsigned i = 0; i < flow->run_count && !agent->ending; i++) {
        struct truth_run *run = &flow->runs[i];
        read_run(agent, flow, run);
        if (!run->whole || !run->count) return;
        const struct flow_event *last = &run->events[run->count - 1];
        if (last->type != FLOW_EVENT(WORKFLOW_EXECUTION_CONTINUED_AS_NEW)) continue;
        if (flow->run_count == TRUTH_RUNS_MAX)
            world_fail(agent->truth->world, WORLD_INCORRECT, "%s continued as new too often", flow->id);
        snprintf(flow->runs[flow->run_count++].run_id, FLOW_RUN_MAX, "%s", last->text);
    }
    if (agent->ending || flow->judged) return;
    judge_flow(agent->truth, flow);
    if (!agent->truth->calm) return;
    list(agent, flow, true);
    if (agent->ending || flow->judged) return;
    delete_at_last(agent, flow);
    if (agent->ending || flow->judged) return;
    flow->judged = true;
    agent->truth->judged_count++;
    agent->truth->histories += flow->run_count;
    set_at(flow, "judged");
}

/* ---- what a client does with an open workflow ---- */

bool client_look(struct agent *agent, const struct truth_flow *flow, const char *run_id) {
    struct truth_run run = {0};
    snprintf(run.run_id, sizeof run.run_id, "%s", run_id);
    bool good = read_pages(agent, flow, &run);
    world_free(run.events);
    return good;
}

static void look(struct agent *agent, const struct truth_flow *flow) {
    if (flow->run_id[0]) client_look(agent, flow, flow->run_id);
}

/* Follows the open run for a while, as a reader does that waits for each new event. */
static void follow(struct agent *agent, const struct truth_flow *flow) {
    struct buf token = {0};
    bool good = flow->run_id[0] != 0, more = true;
    for (unsigned i = 0; good && more && i < 4; i++) {
        struct arena arena = {0};
        struct grpc_result result;
        WS(GetWorkflowExecutionHistoryResponse) *response;
        WS(GetWorkflowExecutionHistoryRequest) *request = history_request(&arena, flow, flow->run_id);
        request->wait_new_event = true;
        request->next_page_token = pb_binary(buf_bytes(&token));
        good = agent_call(agent, "GetWorkflowExecutionHistory", request,
                          AGENT_TYPE(get_workflow_execution_history_response), 30 * SIM_SECOND, &result, &response) &&
               response->history;
        struct model_run *run = model_run(model_of(agent, flow), flow->run_id);
        for (size_t e = 0; good && e < response->history->n_events; e++) model_saw(run, response->history->events[e]);
        buf_clear(&token);
        if (good) buf_append(&token, response->next_page_token.data, response->next_page_token.len);
        more = token.len > 0;
        grpc_result_free(&result);
        arena_free(&arena);
    }
    buf_free(&token);
}

/* A row of a list against the run's history, which has been read whole. */
static void check_row(struct agent *agent, const struct truth_flow *flow, const PB(Workflow__V1__WorkflowExecutionInfo) *row) {
    const struct model_run *run = model_run(model_of(agent, flow), row->execution->run_id);
    bool running = row->status == TEMPORAL__API__ENUMS__V1__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_RUNNING;
    if (running || !model_seen_closed(run) || (size_t)row->history_length != model_seen(run))
        world_fail(agent->truth->world, WORLD_INCORRECT, "%s, run %s: a list shows it %s with %lld events; it is %s with %zu",
                   flow->id, row->execution->run_id, running ? "open" : "closed", (long long)row->history_length,
                   model_seen_closed(run) ? "closed" : "open", model_seen(run));
}

bool client_look_at_all(struct agent *agent, const struct truth_flow *flow) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(ListWorkflowExecutionsRequest) *request = AGENT_NEW(&arena, list_workflow_executions_request);
    WS(ListWorkflowExecutionsResponse) *response;
    request->namespace_ = agent_text(&arena, flow->namespace);
    request->query = arena_printf(&arena, "WorkflowId = '%s'", flow->id);
    bool good = agent_call(agent, "ListWorkflowExecutions", request, AGENT_TYPE(list_workflow_executions_response),
                           CALL_SECONDS * SIM_SECOND, &result, &response);
    for (size_t i = 0; good && i < response->n_executions; i++) {
        good = client_look(agent, flow, response->executions[i]->execution->run_id);
        if (good) check_row(agent, flow, response->executions[i]);
    }
    size_t known = model_run_count(model_of(agent, flow));
    if (good && response->n_executions < known)
        world_fail(agent->truth->world, WORLD_INCORRECT, "%s: a list shows %zu runs, and %zu are known", flow->id,
                   response->n_executions, known);
    grpc_result_free(&result);
    arena_free(&arena);
    return good;
}

/* A list finds it right after its start, and shows how it is. */
static void list(struct agent *agent, struct truth_flow *flow, bool closed) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(ListWorkflowExecutionsRequest) *request = AGENT_NEW(&arena, list_workflow_executions_request);
    WS(ListWorkflowExecutionsResponse) *response;
    request->namespace_ = agent_text(&arena, flow->namespace);
    request->query = arena_printf(&arena, "WorkflowId = '%s'", flow->id);
    const char *run_id = flow->run_count ? flow->runs[flow->run_count - 1].run_id : flow->run_id;
    if (run_id[0] && agent_call(agent, "ListWorkflowExecutions", request, AGENT_TYPE(list_workflow_executions_response),
                                CALL_SECONDS * SIM_SECOND, &result, &response)) {
        const PB(Workflow__V1__WorkflowExecutionInfo) *info = NULL;
        for (size_t i = 0; i < response->n_executions; i++)
            if (strcmp(response->executions[i]->execution->run_id, run_id) == 0) info = response->executions[i];
        if (!info)
            world_fail(agent->truth->world, WORLD_INCORRECT, "%s, run %s: a list does not find it, only %zu others", flow->id,
                       run_id, response->n_executions);
        bool running = info->status ==
                       TEMPORAL__API__ENUMS__V1__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_RUNNING;
        if (closed && (running || (size_t)info->history_length != flow->runs[flow->run_count - 1].count))
            world_fail(agent->truth->world, WORLD_INCORRECT, "%s, run %s: a list shows %s, %lld events; it has %zu",
                       flow->id, run_id, running ? "it running" : "it closed", (long long)info->history_length,
                       flow->runs[flow->run_count - 1].count);
        agent->truth->lists++;
        grpc_result_free(&result);
    } else if (run_id[0]) {
        grpc_result_free(&result);
    }
    arena_free(&arena);
}

static void something(struct agent *agent, struct truth_flow *flow) {
    switch (agent_dice(agent, 8)) {
    case 0: look(agent, flow); break;
    case 1: list(agent, flow, false); break;
    case 2: if (flow->before) look(agent, flow->before); break;
    case 4: client_check_state(agent, flow, flow->run_id); break;
    case 5: follow(agent, flow); break;
    case 3: if (flow->cancel_wanted && flow->cancelled == KNOWN_NOT) start_again(agent, flow); break;
    default: if (!flow->has_again) query(agent, flow);
    }
}

static void work_on(struct agent *agent, struct truth_flow *flow) {
    unsigned pause = flow->has_again ? 300 : 3000;       /* in ms; often in the middle of a workflow task */
    while (flow->signal_next < flow->signals_wanted && !agent->ending) {
        agent_sleep(agent, agent_dice(agent, pause) * SIM_MS);
        if (agent_dice(agent, 3) == 0) something(agent, flow);
        if (agent->ending) return;
        send_signal(agent, flow, flow->signal_next);
        if (agent->ending) return;
        flow->signal_next++;
        if (agent_dice(agent, 2) == 0) something(agent, flow);
    }
    if (flow->cancel_wanted && flow->cancelled != KNOWN_YES) {
        agent_sleep(agent, agent_dice(agent, 10000) * SIM_MS);
        something(agent, flow);
        if (!agent->ending) request_cancel(agent, flow);
    }
}

/* ---- the process ---- */

/* Its namespace is there, and the workflow whose id it takes has ended and is known by its run: nothing but its place as the
 * newest tells which it was. */
static bool may_start(const struct truth *truth, const struct truth_flow *flow) {
    for (unsigned i = 0; i < truth->namespace_count; i++)
        if (flow->namespace == truth->namespaces[i] && truth->namespace_known[i] != KNOWN_YES) return false;
    return !flow->before || (flow->before->closed && flow->before->run_id[0]);
}

/* Who was told of a namespace finds it, whichever loop has what is asked for. */
static void probe_namespace(struct agent *agent, const char *namespace) {
    for (unsigned i = 0; i < 6; i++) {
        struct arena arena = {0};
        struct grpc_result result;
        WS(DescribeWorkflowExecutionRequest) *request = AGENT_NEW(&arena, describe_workflow_execution_request);
        WS(DescribeWorkflowExecutionResponse) *response;
        request->namespace_ = agent_text(&arena, namespace);
        request->execution = agent_execution(&arena, arena_printf(&arena, "nobody-%u", i), "");
        agent_call(agent, "DescribeWorkflowExecution", request, AGENT_TYPE(describe_workflow_execution_response),
                   CALL_SECONDS * SIM_SECOND, &result, &response);
        if (result.status.code == STATUS_NOT_FOUND && strstr(result.status.message, "Namespace"))
            world_fail(agent->truth->world, WORLD_INCORRECT, "namespace %s was acknowledged, and then: %s", namespace,
                       result.status.message);
        grpc_result_free(&result);
        arena_free(&arena);
    }
}

/* Registers the namespaces, one after the other. */
static void namespaces_main(void *arg) {
    struct agent *agent = &((struct client *)arg)->agent;
    struct truth *truth = agent->truth;
    for (unsigned i = 0; i < truth->namespace_count; i++)
        while (!agent->ending && truth->namespace_known[i] != KNOWN_YES) {
            struct arena arena = {0};
            struct grpc_result result;
            WS(RegisterNamespaceRequest) *request = AGENT_NEW(&arena, register_namespace_request);
            WS(RegisterNamespaceResponse) *response;
            request->namespace_ = agent_text(&arena, truth->namespaces[i]);
            request->workflow_execution_retention_period = agent_duration(&arena, 86400 * 3 * SIM_SECOND);
            bool good = agent_call(agent, "RegisterNamespace", request, AGENT_TYPE(register_namespace_response),
                                   CALL_SECONDS * SIM_SECOND, &result, &response);
            if (good || (truth->namespace_known[i] == KNOWN_MAYBE && result.status.code == STATUS_ALREADY_EXISTS))
                truth->namespace_known[i] = KNOWN_YES;
            else
                truth->namespace_known[i] = KNOWN_MAYBE;
            grpc_result_free(&result);
            arena_free(&arena);
            if (truth->namespace_known[i] != KNOWN_YES) agent_sleep(agent, 200 * SIM_MS);
            else probe_namespace(agent, truth->namespaces[i]);
        }
    agent_fiber_ends(agent);
}

static void job_main(void *arg) {
    struct job *job = arg;
    struct agent *agent = &job->client->agent;
    struct truth_flow *flow = job->flow;
    int64_t wait = flow->start_at - world_now(agent->truth->world);
    if (wait > 0 && flow->started == KNOWN_NOT) agent_sleep(agent, wait);
    while (!agent->ending && !may_start(agent->truth, flow)) agent_sleep(agent, 100 * SIM_MS);
    start_flow(agent, flow);
    if (flow->started == KNOWN_YES && agent_dice(agent, 4) == 0) list(agent, flow, false);
    if (flow->started == KNOWN_YES && !flow->closed) work_on(agent, flow);
    if (flow->started == KNOWN_YES) await_end(agent, flow);
    if (flow->closed && agent_dice(agent, 2) == 0) read_chain(agent, flow);
    while (!agent->ending && !agent->truth->calm) agent_sleep(agent, SIM_SECOND);
    while (!agent->ending && !flow->judged) read_chain(agent, flow);
    mem_free(job);
    agent_fiber_ends(agent);
}

static void client_ended(struct agent *agent) { mem_free(CONTAINER_OF(agent, struct client, agent)); }

void client_start(struct io *io, void *arg) {
    struct truth *truth = arg;
    struct client *client = MEM_NEW(struct client);
    agent_begin(&client->agent, io, truth, "temporal-cli");   /* not shown what is only virtual */
    client->agent.ended = client_ended;
    if (truth->clients[0] == world_node_of(io)) agent_fiber(&client->agent, "namespaces", namespaces_main, client);
    if (truth->clients[0] == world_node_of(io) && !truth->small) audit_start(&client->agent);
    if (truth->clients[0] == world_node_of(io)) older_start(&client->agent);
    for (unsigned i = 0; i < truth->flow_count; i++) {
        struct truth_flow *flow = &truth->flows[i];
        if (truth->clients[flow->client] != world_node_of(io) || flow->judged) continue;
        struct job *job = MEM_NEW(struct job);
        *job = (struct job){client, flow};
        agent_fiber(&client->agent, "flow", job_main, job);
    }
    racers_start(&client->agent);
}
