/* racer: several fibers of several clients race for one workflow id: they start it with every reuse and conflict policy,
 * signal it with and without a start, terminate and describe it. The model says whether some order explains what they
 * were answered. */
#include <stdlib.h>

#include "agent.h"
#include "base/mem.h"

enum { CALL_SECONDS = 5, TRIES_MAX = 4, LOST_MAX = 4 };

struct race_fiber {
    struct agent *agent;
    struct truth_racer *racer;
};

static struct model_id *id_of(struct agent *agent, const struct truth_race *race) {
    return model_id(agent->truth->model, race->flow.namespace, race->flow.id);
}

/* ---- answers ---- */

static enum model_status status_of(int status) {
    switch (status) {
    case TEMPORAL__API__ENUMS__V1__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_RUNNING: return MODEL_OPEN;
    case TEMPORAL__API__ENUMS__V1__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_COMPLETED: return MODEL_COMPLETED;
    case TEMPORAL__API__ENUMS__V1__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
        return MODEL_CONTINUED;
    default: return MODEL_FAILED;
    }
}

/* "... RunId: <id>." of a refusal. */
static struct model_run *run_in_text(struct model_id *id, const char *text) {
    enum { LEN = 36 };
    const char *at = text ? strstr(text, "RunId: ") : NULL;
    if (!at || strlen(at) < strlen("RunId: ") + LEN) return NULL;
    char run_id[LEN + 1];
    memcpy(run_id, at + strlen("RunId: "), LEN);
    run_id[LEN] = 0;
    return model_run(id, run_id);
}

/* ---- starts ---- */

/* Chooses a start; the same is tried again until its answer is certain. */
static void choose_start(struct agent *agent, struct truth_racer *racer) {
    struct truth_start *start = &racer->start;
    *start = (struct truth_start){.number = ++racer->race->requests, .with_signal = agent_dice(agent, 3) == 0};
    start->reuse = (enum model_reuse)agent_dice(agent, 3);
    start->conflict = (enum model_conflict)agent_dice(agent, 3);
    if (start->with_signal && start->conflict == MODEL_CONFLICT_FAIL) start->conflict = MODEL_CONFLICT_USE;
    if (start->reuse == MODEL_REUSE_REJECT && start->conflict == MODEL_CONFLICT_TERMINATE) start->reuse = MODEL_REUSE_ALLOW;
    start->script = agent_dice(agent, 6);
}

/* The two requests have the same fields by the same names. */
#define FILL(request)                                                                                          \
    do {                                                                                                       \
        (request)->namespace_ = agent_text(arena, race->flow.namespace);                                       \
        (request)->workflow_id = agent_text(arena, race->flow.id);                                             \
        (request)->workflow_type = PB_NEW(arena, temporal__api__common__v1__workflow_type);                    \
        (request)->workflow_type->name = agent_text(arena, "flow");                                            \
        (request)->task_queue = agent_queue(arena, SIM_QUEUE, false);                                          \
        (request)->input = agent_payload(arena, "%s", scripts[start->script]);                                 \
        (request)->workflow_task_timeout = agent_duration(arena, 10 * SIM_SECOND);                             \
        (request)->request_id = request_id;                                                                    \
        (request)->workflow_id_reuse_policy = reuse[start->reuse];                                             \
        (request)->workflow_id_conflict_policy = conflict[start->conflict];                                    \
    } while (0)

#define REUSE(name) TEMPORAL__API__ENUMS__V1__WORKFLOW_ID_REUSE_POLICY__WORKFLOW_ID_REUSE_POLICY_##name
#define CONFLICT(name) TEMPORAL__API__ENUMS__V1__WORKFLOW_ID_CONFLICT_POLICY__WORKFLOW_ID_CONFLICT_POLICY_##name
static const char *const scripts[] = {"t300", "a0", "s1", "t3000;m", "x", "a0;n;t100"};
static const PB(Enums__V1__WorkflowIdReusePolicy) reuse[] = {REUSE(ALLOW_DUPLICATE), REUSE(ALLOW_DUPLICATE_FAILED_ONLY),
                                                             REUSE(REJECT_DUPLICATE)};
static const PB(Enums__V1__WorkflowIdConflictPolicy) conflict[] = {CONFLICT(FAIL), CONFLICT(USE_EXISTING),
                                                                   CONFLICT(TERMINATE_EXISTING)};

struct started {
    struct model_run *run;
    bool started;
};

static bool call_start(struct agent *agent, struct arena *arena, const struct truth_race *race,
                       const struct truth_start *start, char *request_id, struct grpc_result *result,
                       struct started *out) {
    WS(StartWorkflowExecutionRequest) *request = AGENT_NEW(arena, start_workflow_execution_request);
    WS(StartWorkflowExecutionResponse) *response;
    FILL(request);
    bool good = agent_call(agent, "StartWorkflowExecution", request, AGENT_TYPE(start_workflow_execution_response),
                           CALL_SECONDS * SIM_SECOND, result, &response);
    if (good) *out = (struct started){model_run(id_of(agent, race), response->run_id), response->started};
    return good;
}

static bool call_signal_with_start(struct agent *agent, struct arena *arena, const struct truth_race *race,
                                   const struct truth_start *start, char *request_id, struct grpc_result *result,
                                   struct started *out) {
    WS(SignalWithStartWorkflowExecutionRequest) *request =
        AGENT_NEW(arena, signal_with_start_workflow_execution_request);
    WS(SignalWithStartWorkflowExecutionResponse) *response;
    FILL(request);
    request->signal_name = agent_text(arena, "number");
    request->signal_input = agent_payload(arena, "%u", start->number);
    struct model_effect *signal = model_ask(id_of(agent, race), NULL, EFFECT_SIGNAL,
                                            model_key_payloads(request_id, request->signal_input));
    model_wakes(signal);
    bool good = agent_call(agent, "SignalWithStartWorkflowExecution", request,
                           AGENT_TYPE(signal_with_start_workflow_execution_response), CALL_SECONDS * SIM_SECOND, result,
                           &response);
    model_answer(signal, result->status.code);
    if (!good) return false;
    *out = (struct started){model_run(id_of(agent, race), response->run_id), response->started};
    model_reached(signal, out->run);
    return true;
}

/* True when its answer was certain. */
static bool try_start(struct agent *agent, struct truth_racer *racer) {
    struct truth_race *race = racer->race;
    struct truth_start *start = &racer->start;
    struct arena arena = {0};
    struct grpc_result result;
    struct started started = {0};
    struct model_id *id = id_of(agent, race);
    char *request_id = arena_printf(&arena, "%s-%u", race->flow.id, start->number);
    if (start->conflict == MODEL_CONFLICT_TERMINATE)
        model_ask(id, NULL, EFFECT_TERMINATE, model_key_text("TerminateIfRunning WorkflowIdReusePolicy"));
    struct model_op *op = model_begins(id, world_node_of(agent->io), &(struct model_call){
        .kind = MODEL_START, .request = request_id, .reuse = start->reuse, .conflict = start->conflict,
        .with_signal = start->with_signal});
    bool good = (start->with_signal ? call_signal_with_start : call_start)(agent, &arena, race, start, request_id, &result,
                                                                           &started);
    struct model_result outcome = model_result(result.status.code);
    outcome.run = good ? started.run : run_in_text(id, result.status.message);
    outcome.used = good && !started.started;
    model_ends(op, &outcome);
    agent->truth->starts += good;
    grpc_result_free(&result);
    arena_free(&arena);
    return !outcome.lost;
}

static void start(struct agent *agent, struct truth_racer *racer) {
    if (!racer->start.number || racer->start.tries >= TRIES_MAX) choose_start(agent, racer);
    while (!agent->ending && racer->start.tries++ < TRIES_MAX) {
        if (try_start(agent, racer)) racer->start.tries = TRIES_MAX;
        else agent_sleep(agent, 300 * SIM_MS);
    }
}

/* ---- other calls ---- */

static void send_signal(struct agent *agent, struct truth_race *race) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(SignalWorkflowExecutionRequest) *request = AGENT_NEW(&arena, signal_workflow_execution_request);
    WS(SignalWorkflowExecutionResponse) *response;
    unsigned number = ++race->requests;
    request->namespace_ = agent_text(&arena, race->flow.namespace);
    request->workflow_execution = agent_execution(&arena, race->flow.id, "");
    request->signal_name = agent_text(&arena, "number");
    request->input = agent_payload(&arena, "%u", number);
    request->request_id = arena_printf(&arena, "%s-%u", race->flow.id, number);
    struct model_effect *effect = model_ask(id_of(agent, race), NULL, EFFECT_SIGNAL,
                                            model_key_payloads(request->request_id, request->input));
    struct model_op *op = model_begins(id_of(agent, race), world_node_of(agent->io), &(struct model_call){.kind = MODEL_SIGNAL});
    agent_call(agent, "SignalWorkflowExecution", request, AGENT_TYPE(signal_workflow_execution_response),
               CALL_SECONDS * SIM_SECOND, &result, &response);
    struct model_result outcome = model_result(result.status.code);
    model_answer(effect, result.status.code);
    model_ends(op, &outcome);
    agent->truth->signals += result.status.code == STATUS_OK;
    grpc_result_free(&result);
    arena_free(&arena);
}

static void terminate(struct agent *agent, struct truth_race *race) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(TerminateWorkflowExecutionRequest) *request = AGENT_NEW(&arena, terminate_workflow_execution_request);
    WS(TerminateWorkflowExecutionResponse) *response;
    request->namespace_ = agent_text(&arena, race->flow.namespace);
    request->workflow_execution = agent_execution(&arena, race->flow.id, "");
    request->reason = arena_printf(&arena, "%s-%u", race->flow.id, ++race->requests);
    struct model_effect *effect = model_ask(id_of(agent, race), NULL, EFFECT_TERMINATE, model_key_text(request->reason));
    struct model_op *op =
        model_begins(id_of(agent, race), world_node_of(agent->io), &(struct model_call){.kind = MODEL_TERMINATE});
    agent_call(agent, "TerminateWorkflowExecution", request, AGENT_TYPE(terminate_workflow_execution_response),
               CALL_SECONDS * SIM_SECOND, &result, &response);
    struct model_result outcome = model_result(result.status.code);
    model_answer(effect, result.status.code);
    model_ends(op, &outcome);
    agent->truth->terminations += result.status.code == STATUS_OK;
    grpc_result_free(&result);
    arena_free(&arena);
}

/* MODEL_NONE when it is not known. */
static enum model_status describe(struct agent *agent, struct truth_race *race) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(DescribeWorkflowExecutionRequest) *request = AGENT_NEW(&arena, describe_workflow_execution_request);
    WS(DescribeWorkflowExecutionResponse) *response;
    request->namespace_ = agent_text(&arena, race->flow.namespace);
    request->execution = agent_execution(&arena, race->flow.id, "");
    struct model_op *op =
        model_begins(id_of(agent, race), world_node_of(agent->io), &(struct model_call){.kind = MODEL_DESCRIBE});
    bool good = agent_call(agent, "DescribeWorkflowExecution", request, AGENT_TYPE(describe_workflow_execution_response),
                           CALL_SECONDS * SIM_SECOND, &result, &response);
    struct model_result outcome = model_result(result.status.code);
    if (good) {
        outcome.status = status_of((int)response->workflow_execution_info->status);
        outcome.run = model_run(id_of(agent, race), response->workflow_execution_info->execution->run_id);
        snprintf(race->flow.run_id, sizeof race->flow.run_id, "%s", response->workflow_execution_info->execution->run_id);
    }
    race->absent = outcome.not_found;
    model_ends(op, &outcome);
    agent->truth->describes += good;
    grpc_result_free(&result);
    arena_free(&arena);
    return outcome.status;
}

/* ---- the race ---- */

unsigned truth_racing(const struct truth *truth, const struct truth_race *race) {
    unsigned count = 0;
    for (unsigned i = 0; i < truth->racer_count; i++) count += truth->racers[i].race == race && truth->racers[i].steps;
    return count;
}

static void step(struct agent *agent, struct truth_racer *racer) {
    struct truth_race *race = racer->race;
    switch (agent_dice(agent, 8)) {
    case 0: send_signal(agent, race); break;
    case 1: terminate(agent, race); break;
    case 2:
    case 3: describe(agent, race); break;
    case 4: if (race->flow.run_id[0]) client_look(agent, &race->flow, race->flow.run_id); break;
    default: start(agent, racer);
    }
}

/* The last racer closes what is open, and then reads every run of the id. */
static void end_race(struct agent *agent, struct truth_race *race) {
    while (!agent->ending && !race->over) {
        enum model_status status = describe(agent, race);
        bool settled = !model_lost(id_of(agent, race));      /* else a start may still come */
        if (race->absent && settled) race->over = true;
        else if (status == MODEL_OPEN || status == MODEL_CONTINUED) terminate(agent, race);
        else if (status != MODEL_NONE && settled) race->over = client_look_at_all(agent, &race->flow);
        if (!race->over) agent_sleep(agent, 200 * SIM_MS);
    }
}

static void racer_main(void *arg) {
    struct race_fiber *fiber = arg;
    struct agent *agent = fiber->agent;
    struct truth_racer *racer = fiber->racer;
    struct truth_race *race = racer->race;
    agent_sleep(agent, race->flow.start_at - world_now(agent->truth->world));
    while (!agent->ending && racer->steps) {
        agent_sleep(agent, agent_dice(agent, race->pace) * SIM_MS);
        while (!agent->ending && model_lost(id_of(agent, race)) > LOST_MAX) agent_sleep(agent, SIM_SECOND);
        if (agent->ending) break;
        step(agent, racer);
        if (!agent->ending) racer->steps--;
    }
    while (!agent->ending && racer->last && truth_racing(agent->truth, race)) agent_sleep(agent, 100 * SIM_MS);
    if (!agent->ending && racer->last) end_race(agent, race);
    mem_free(fiber);
    agent_fiber_ends(agent);
}

void racers_start(struct agent *agent) {
    struct truth *truth = agent->truth;
    for (unsigned i = 0; i < truth->racer_count; i++) {
        struct truth_racer *racer = &truth->racers[i];
        if (truth->clients[racer->client] != world_node_of(agent->io) || racer->race->over) continue;
        struct race_fiber *fiber = MEM_NEW(struct race_fiber);
        *fiber = (struct race_fiber){agent, racer};
        agent_fiber(agent, "racer", racer_main, fiber);
    }
}
