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

/* ---- start ---- */

static void fill_start(struct arena *arena, const struct truth_flow *flow, WS(StartWorkflowExecutionRequest) *request) {
    request->namespace_ = agent_text(arena, SIM_NAMESPACE);
    request->workflow_id = agent_text(arena, flow->id);
    request->workflow_type = PB_NEW(arena, temporal__api__common__v1__workflow_type);
    request->workflow_type->name = agent_text(arena, "flow");
    request->task_queue = agent_queue(arena, SIM_QUEUE, false);
    request->input = agent_payload(arena, "%s", flow->script);
    request->workflow_task_timeout = agent_duration(arena, 10 * SIM_SECOND);
    request->identity = agent_text(arena, "client");
    request->request_id = arena_printf(arena, "start-%s", flow->id);
    request->workflow_id_reuse_policy =
        TEMPORAL__API__ENUMS__V1__WORKFLOW_ID_REUSE_POLICY__WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE;
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
        if (agent_call(agent, "StartWorkflowExecution", request, AGENT_TYPE(start_workflow_execution_response),
                       CALL_SECONDS * SIM_SECOND, &result, &response))
            start_known(agent, flow, response->run_id);
        else if (result.status.code == STATUS_ALREADY_EXISTS)
            start_known(agent, flow, NULL);              /* ours, and closed by now */
        grpc_result_free(&result);
        arena_free(&arena);
        if (flow->started != KNOWN_YES) agent_sleep(agent, 200 * SIM_MS);
    }
}

/* ---- signals, cancel requests, queries ---- */

static void send_signal(struct agent *agent, struct truth_flow *flow, unsigned number) {
    while (flow->signals[number] != KNOWN_YES && !agent->ending) {
        struct arena arena = {0};
        struct grpc_result result;
        WS(SignalWorkflowExecutionRequest) *request = AGENT_NEW(&arena, signal_workflow_execution_request);
        WS(SignalWorkflowExecutionResponse) *response;
        request->namespace_ = agent_text(&arena, SIM_NAMESPACE);
        request->workflow_execution = agent_execution(&arena, flow->id, "");
        request->signal_name = agent_text(&arena, "number");
        request->input = agent_payload(&arena, "%u", number + 1);
        request->request_id = arena_printf(&arena, "signal-%s-%u", flow->id, number);
        flow->signals[number] = KNOWN_MAYBE;
        set_at(flow, "signal");
        bool good = agent_call(agent, "SignalWorkflowExecution", request,
                               AGENT_TYPE(signal_workflow_execution_response), CALL_SECONDS * SIM_SECOND, &result,
                               &response);
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
        request->namespace_ = agent_text(&arena, SIM_NAMESPACE);
        request->workflow_execution = agent_execution(&arena, flow->id, "");
        request->request_id = arena_printf(&arena, "cancel-%s", flow->id);
        flow->cancelled = KNOWN_MAYBE;
        set_at(flow, "cancel");
        bool good = agent_call(agent, "RequestCancelWorkflowExecution", request,
                               AGENT_TYPE(request_cancel_workflow_execution_response), CALL_SECONDS * SIM_SECOND,
                               &result, &response);
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
    request->namespace_ = agent_text(&arena, SIM_NAMESPACE);
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

static void work_on(struct agent *agent, struct truth_flow *flow) {
    while (flow->signal_next < flow->signals_wanted && !agent->ending) {
        agent_sleep(agent, agent_dice(agent, 3000) * SIM_MS);
        if (!flow->has_again && agent_dice(agent, 4) == 0) query(agent, flow);
        if (agent->ending) return;
        send_signal(agent, flow, flow->signal_next);
        if (agent->ending) return;
        flow->signal_next++;
        if (!flow->has_again && agent_dice(agent, 4) == 0) query(agent, flow);
    }
    if (flow->cancel_wanted && flow->cancelled != KNOWN_YES) {
        agent_sleep(agent, agent_dice(agent, 10000) * SIM_MS);
        request_cancel(agent, flow);
    }
}

/* ---- histories ---- */

static WS(GetWorkflowExecutionHistoryRequest) *history_request(struct arena *arena, const char *id, const char *run) {
    WS(GetWorkflowExecutionHistoryRequest) *request = AGENT_NEW(arena, get_workflow_execution_history_request);
    request->namespace_ = agent_text(arena, SIM_NAMESPACE);
    request->execution = agent_execution(arena, id, run);
    return request;
}

/* Waits until the run has closed; another run may follow. True when the answer was a close event. */
static bool await_close(struct agent *agent, const char *id, const char *run, struct flow_event *close) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(GetWorkflowExecutionHistoryResponse) *response;
    WS(GetWorkflowExecutionHistoryRequest) *request = history_request(&arena, id, run);
    request->wait_new_event = true;
    request->history_event_filter_type =
        TEMPORAL__API__ENUMS__V1__HISTORY_EVENT_FILTER_TYPE__HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT;
    bool closed = agent_call(agent, "GetWorkflowExecutionHistory", request,
                             AGENT_TYPE(get_workflow_execution_history_response), 30 * SIM_SECOND, &result, &response);
    if (result.status.code == STATUS_NOT_FOUND)
        world_fail(agent->truth->world, WORLD_INCORRECT, "%s, run %s: its start was acknowledged, and it is not there: %s",
                   id, run, result.status.message);
    closed = closed && response->history && response->history->n_events == 1;
    if (closed) {
        flow_event_of(response->history->events[0], close);
        if (!flow_is_close(close->type))
            world_fail(agent->truth->world, WORLD_INCORRECT, "%s: event %lld of type %d was told as its close", id,
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
    while (!agent->ending && !flow->closed) {
        struct flow_event close;
        set_at(flow, "await the end");
        if (!await_close(agent, flow->id, run, &close)) {
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
static bool read_page(struct agent *agent, const char *id, struct truth_run *run, struct buf *token, bool *more) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(GetWorkflowExecutionHistoryResponse) *response;
    WS(GetWorkflowExecutionHistoryRequest) *request = history_request(&arena, id, run->run_id);
    request->maximum_page_size = (int32_t)(1 + agent_dice(agent, 40));
    request->next_page_token = pb_binary(buf_bytes(token));
    bool good = agent_call(agent, "GetWorkflowExecutionHistory", request,
                           AGENT_TYPE(get_workflow_execution_history_response), CALL_SECONDS * SIM_SECOND, &result,
                           &response) && response->history;
    if (good) {
        for (size_t i = 0; i < response->history->n_events; i++) {
            struct flow_event event;
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

static void read_run(struct agent *agent, const char *id, struct truth_run *run) {
    while (!run->whole && !agent->ending) {
        struct buf token = {0};
        bool more = true, good = true;
        run->count = 0;
        while (good && more) good = read_page(agent, id, run, &token, &more);
        buf_free(&token);
        run->whole = good;
        if (!good) agent_sleep(agent, 200 * SIM_MS);
    }
}

/* When the start was never answered with a run: the newest run names the first. */
static bool find_first_run(struct agent *agent, struct truth_flow *flow) {
    struct truth_run *run = &flow->runs[0];
    run->run_id[0] = 0;
    run->whole = false;
    read_run(agent, flow->id, run);
    if (!run->whole || !run->count) return false;
    snprintf(flow->run_id, sizeof flow->run_id, "%s", run->events[0].first_run);
    run->whole = false;
    return true;
}

static void read_chain(struct agent *agent, struct truth_flow *flow) {
    set_at(flow, "read the history");
    if (!flow->run_id[0] && !find_first_run(agent, flow)) return;
    flow->run_count = 1;
    snprintf(flow->runs[0].run_id, sizeof flow->runs[0].run_id, "%s", flow->run_id);
    for (unsigned i = 0; i < flow->run_count && !agent->ending; i++) {
        struct truth_run *run = &flow->runs[i];
        read_run(agent, flow->id, run);
        if (!run->whole || !run->count) return;
        const struct flow_event *last = &run->events[run->count - 1];
        if (last->type != FLOW_EVENT(WORKFLOW_EXECUTION_CONTINUED_AS_NEW)) continue;
        if (flow->run_count == TRUTH_RUNS_MAX)
            world_fail(agent->truth->world, WORLD_INCORRECT, "%s continued as new too often", flow->id);
        snprintf(flow->runs[flow->run_count++].run_id, FLOW_RUN_MAX, "%s", last->text);
    }
    if (agent->ending || flow->judged) return;
    judge_flow(agent->truth, flow);
    flow->judged = true;
    agent->truth->judged_count++;
    agent->truth->histories += flow->run_count;
    set_at(flow, "judged");
}

/* ---- the process ---- */

static void job_main(void *arg) {
    struct job *job = arg;
    struct agent *agent = &job->client->agent;
    struct truth_flow *flow = job->flow;
    int64_t wait = flow->start_at - world_now(agent->truth->world);
    if (wait > 0 && flow->started == KNOWN_NOT) agent_sleep(agent, wait);
    start_flow(agent, flow);
    if (flow->started == KNOWN_YES && !flow->closed) work_on(agent, flow);
    if (flow->started == KNOWN_YES) await_end(agent, flow);
    while (!agent->ending && !agent->truth->calm) agent_sleep(agent, SIM_SECOND);
    while (!agent->ending && !flow->judged) read_chain(agent, flow);
    mem_free(job);
    agent_fiber_ends(agent);
}

static void client_ended(struct agent *agent) { mem_free(CONTAINER_OF(agent, struct client, agent)); }

void client_start(struct io *io, void *arg) {
    struct truth *truth = arg;
    struct client *client = MEM_NEW(struct client);
    agent_begin(&client->agent, io, truth);
    client->agent.ended = client_ended;
    for (unsigned i = 0; i < truth->flow_count; i++) {
        struct truth_flow *flow = &truth->flows[i];
        if (truth->clients[flow->client] != world_node_of(io) || flow->judged) continue;
        struct job *job = MEM_NEW(struct job);
        *job = (struct job){client, flow};
        agent_fiber(&client->agent, "flow", job_main, job);
    }
}
