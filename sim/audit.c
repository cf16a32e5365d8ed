/* audit: once everything has ended, is what the server holds in memory what it has stored?
 *
 * For every run: the state that its history tells equals the live state. Then the server ends in order and starts again,
 * so that all comes from SQLite, and every answer must be as it was: descriptions, rows of lists, histories. */
#include <stdlib.h>

#include "agent.h"
#include "base/hash.h"
#include "base/mem.h"

enum { CALL_SECONDS = 10, PAGE = 40, EXPLAIN_SECONDS = 300 };

/* ---- what was answered before ---- */

static struct truth_answer *answer_of(struct truth *truth, const struct model_run *run) {
    for (unsigned i = 0; i < truth->answer_count; i++)
        if (truth->answers[i].run == run) return &truth->answers[i];
    truth->answers = world_realloc(truth->answers, (truth->answer_count + 1) * sizeof *truth->answers);
    truth->answers[truth->answer_count] = (struct truth_answer){.run = run};
    return &truth->answers[truth->answer_count++];
}

static uint64_t hash_message(const ProtobufCMessage *message) {
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = mem_alloc(len + 1);
    protobuf_c_message_pack(message, bytes);
    uint64_t hash = hash64(bytes, len);
    mem_free(bytes);
    return hash;
}

/* Keeps it before the restart, compares after it. */
static void compare(struct truth *truth, const struct model_run *run, uint64_t *known, const ProtobufCMessage *message,
                    const char *what) {
    uint64_t hash = hash_message(message);
    if (truth->audit != AUDIT_AFTER) *known = hash;
    else if (*known != hash)
        world_fail(truth->world, WORLD_INCORRECT, "run %s: %s after a restart from SQLite is not what it was before",
                   model_run_text(run), what);
}

/* ---- one run ---- */

static bool describe(struct agent *agent, const struct truth_flow *flow, struct model_run *run) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(DescribeWorkflowExecutionRequest) *request = AGENT_NEW(&arena, describe_workflow_execution_request);
    WS(DescribeWorkflowExecutionResponse) *response;
    request->namespace_ = agent_text(&arena, flow->namespace);
    request->execution = agent_execution(&arena, flow->id, model_run_text(run));
    bool good = agent_call(agent, "DescribeWorkflowExecution", request, AGENT_TYPE(describe_workflow_execution_response),
                           CALL_SECONDS * SIM_SECOND, &result, &response);
    if (good) compare(agent->truth, run, &answer_of(agent->truth, run)->description, &response->base, "its description");
    grpc_result_free(&result);
    arena_free(&arena);
    return good;
}

bool client_check_state(struct agent *agent, const struct truth_flow *flow, const char *run_id) {
    struct arena arena = {0};
    struct grpc_result result;
    Norn__Admin__V1__ExplainRequest *request = PB_NEW(&arena, norn__admin__v1__explain_request);
    Norn__Admin__V1__ExplainResponse *response;
    request->namespace_ = agent_text(&arena, flow->namespace);
    request->workflow_id = agent_text(&arena, flow->id);
    request->run_id = agent_text(&arena, run_id);
    request->check_state = true;
    bool good = agent_call_of(agent, "norn.admin.v1.AdminService", "Explain", request,
                              &norn__admin__v1__explain_response__descriptor, CALL_SECONDS * SIM_SECOND, &result, &response);
    if (good && response->difference[0])
        world_fail(agent->truth->world, WORLD_INCORRECT, "%s, run %s: its live state is not what its history tells: %s",
                   flow->id, response->run_id, response->difference);
    grpc_result_free(&result);
    arena_free(&arena);
    return good;
}

/* ---- lists ---- */

static bool list_page(struct agent *agent, const char *namespace, struct buf *token, size_t *rows) {
    struct arena arena = {0};
    struct grpc_result result;
    struct truth *truth = agent->truth;
    WS(ListWorkflowExecutionsRequest) *request = AGENT_NEW(&arena, list_workflow_executions_request);
    WS(ListWorkflowExecutionsResponse) *response;
    request->namespace_ = agent_text(&arena, namespace);
    request->page_size = PAGE;
    request->next_page_token = pb_binary(buf_bytes(token));
    bool good = agent_call(agent, "ListWorkflowExecutions", request, AGENT_TYPE(list_workflow_executions_response),
                           CALL_SECONDS * SIM_SECOND, &result, &response);
    buf_clear(token);
    for (size_t i = 0; good && i < response->n_executions; i++) {
        PB(Workflow__V1__WorkflowExecutionInfo) *row = response->executions[i];
        struct model_id *id = model_id(truth->model, namespace, row->execution->workflow_id);
        const struct model_run *run = model_run(id, row->execution->run_id);
        if (!model_seen(run))
            world_fail(truth->world, WORLD_INCORRECT, "%s: a list shows run %s, which nobody has started",
                       row->execution->workflow_id, row->execution->run_id);
        if (model_is_deleted(run))
            world_fail(truth->world, WORLD_INCORRECT, "%s: a list shows run %s, which was deleted", row->execution->workflow_id,
                       row->execution->run_id);
        compare(truth, run, &answer_of(truth, run)->row, &row->base, "its row in a list");
    }
    if (good) {
        *rows += response->n_executions;
        buf_append(token, response->next_page_token.data, response->next_page_token.len);
    }
    grpc_result_free(&result);
    arena_free(&arena);
    return good;
}

/* All pages of all namespaces have as many rows as there are runs. */
static bool list_all(struct agent *agent) {
    struct truth *truth = agent->truth;
    size_t rows = 0;
    bool good = true;
    for (unsigned i = 0; good && i < truth->namespace_count; i++) {
        struct buf token = {0};
        do good = list_page(agent, truth->namespaces[i], &token, &rows);
        while (good && token.len);
        buf_free(&token);
    }
    size_t runs = model_runs(truth->model);
    if (good && rows != runs)
        world_fail(truth->world, WORLD_INCORRECT, "lists of all namespaces have %zu rows; there are %zu runs", rows, runs);
    return good;
}

/* ---- all ---- */

struct visit {
    struct agent *agent;
    bool good;
};

static void visit_run(struct model_run *run, const char *namespace, const char *workflow_id, void *arg) {
    struct visit *visit = arg;
    struct truth_flow flow = {.namespace = namespace};
    snprintf(flow.id, sizeof flow.id, "%s", workflow_id);
    if (visit->good) visit->good = client_check_state(visit->agent, &flow, model_run_text(run));
    if (visit->good) visit->good = describe(visit->agent, &flow, run);
    if (visit->good && visit->agent->truth->audit == AUDIT_AFTER)
        visit->good = client_look(visit->agent, &flow, model_run_text(run));
}

static bool visit_all(struct agent *agent) {
    struct visit visit = {agent, true};
    visit.good = list_all(agent);
    model_each_run(agent->truth->model, visit_run, &visit);
    return visit.good;
}

/* ---- what waits for what ---- */

static void explain_flow(struct agent *agent, struct truth_flow *flow) {
    struct arena arena = {0};
    struct grpc_result result;
    Norn__Admin__V1__ExplainRequest *request = PB_NEW(&arena, norn__admin__v1__explain_request);
    Norn__Admin__V1__ExplainResponse *response;
    request->namespace_ = agent_text(&arena, flow->namespace);
    request->workflow_id = agent_text(&arena, flow->id);
    bool good = agent_call_of(agent, "norn.admin.v1.AdminService", "Explain", request,
                              &norn__admin__v1__explain_response__descriptor, CALL_SECONDS * SIM_SECOND, &result, &response);
    int at = snprintf(flow->waits, sizeof flow->waits, "%s", good ? "" : result.status.message);
    for (size_t i = 0; good && i < response->n_waits; i++) {
        const Norn__Admin__V1__Wait *wait = response->waits[i];
        if (at < 0 || (size_t)at >= sizeof flow->waits) break;
        at += snprintf(flow->waits + at, sizeof flow->waits - (size_t)at, "%s%s (%s%s%s attempt %d)", i ? ", " : "",
                       wait->waits_for, wait->task_queue, wait->activity_id, wait->timer_id, wait->attempt);
    }
    grpc_result_free(&result);
    arena_free(&arena);
}

/* Long after the last fault: asks the server why, for the report of a run that is stuck. */
static void explain_late(struct agent *agent) {
    struct truth *truth = agent->truth;
    for (unsigned i = 0; i < truth->flow_count && !agent->ending; i++)
        if (!truth->flows[i].judged && !truth->flows[i].closed) explain_flow(agent, &truth->flows[i]);
    for (unsigned i = 0; i < truth->race_count && !agent->ending; i++)
        if (!truth->races[i].over) explain_flow(agent, &truth->races[i].flow);
    agent_sleep(agent, EXPLAIN_SECONDS * SIM_SECOND);
}

static void audit_main(void *arg) {
    struct agent *agent = arg;
    struct truth *truth = agent->truth;
    while (!agent->ending && truth->audit != AUDIT_DONE) {
        bool visits = truth->audit == AUDIT_BEFORE || truth->audit == AUDIT_AFTER;
        bool late = truth->calm && world_now(truth->world) > truth->calm_at + EXPLAIN_SECONDS * SIM_SECOND;
        if (visits && visit_all(agent)) truth->audit++;
        else if (truth->audit == AUDIT_WAITS && late) explain_late(agent);
        else agent_sleep(agent, 200 * SIM_MS);
    }
    agent_fiber_ends(agent);
}

void audit_start(struct agent *agent) { agent_fiber(agent, "audit", audit_main, agent); }
