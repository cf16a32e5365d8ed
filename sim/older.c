/* older: a data folder that an earlier build of the server left when it was killed, tests/fixtures/simulated-1. In some
 * seeds the server's first start finds it. Its workflows must be there, event for event, through all that the seed does,
 * and those that are open must go on to their ends. They are in a namespace of their own, which no other client knows. */
#include "agent.h"
#include "base/mem.h"
#include "base/pbjson.h"
#include "base/pbpack.h"
#include "run.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

#define NAMESPACE "older"                /* and its task queue */
enum { SEGMENT_BYTES = 1 << 20, WORKFLOWS_MAX = 8, EVENTS_MAX = 16, CALL_SECONDS = 10, POLL_SECONDS = 5 };
#define EVENT_TYPE(name) ((int)TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##name)

static const uint8_t database[] = {
#embed "../tests/fixtures/simulated-1/norn.db"
};
static const uint8_t wal[] = {
#embed "../tests/fixtures/simulated-1/norn.db-wal"
};
static const uint8_t reach[] = {
#embed "../tests/fixtures/simulated-1/reach"
};
static const uint8_t segments[][SEGMENT_BYTES] = {{
#embed "../tests/fixtures/simulated-1/segment-1"
}, {
#embed "../tests/fixtures/simulated-1/segment-2"
}};
static const char expected[] = {
#embed "../tests/fixtures/simulated-1/expected" suffix(, 0)
};

/* ---- what is expected ---- */

struct older_workflow {
    char id[16], run_id[FLOW_RUN_MAX];
    const ProtobufCMessage *events[EVENTS_MAX];
    size_t count;
};

struct older {
    struct agent *agent;
    struct arena arena;
    struct older_workflow workflows[WORKFLOWS_MAX];
    unsigned count;
};

static void take_line(struct older *older, const char *line, size_t len) {
    char id[sizeof older->workflows[0].id], run_id[FLOW_RUN_MAX];
    int json = 0;
    CHECK(sscanf(line, "%15s %39s %n", id, run_id, &json) == 2 && json);
    if (!older->count || strcmp(older->workflows[older->count - 1].id, id) != 0) {
        CHECK(older->count < WORKFLOWS_MAX);
        struct older_workflow *workflow = &older->workflows[older->count++];
        snprintf(workflow->id, sizeof workflow->id, "%s", id);
        snprintf(workflow->run_id, sizeof workflow->run_id, "%s", run_id);
    }
    struct older_workflow *workflow = &older->workflows[older->count - 1];
    struct status status = STATUS_GOOD;
    CHECK(workflow->count < EVENTS_MAX);
    workflow->events[workflow->count++] =
        pbjson_read(bytes_of(line + json, len - (size_t)json),
                    &temporal__api__history__v1__history_event__descriptor, &older->arena, &status);
    CHECKF(status_ok(status), "%s", status.message);
}

static void take_expected(struct older *older) {
    for (const char *line = expected, *end; (end = strchr(line, '\n')); line = end + 1)
        take_line(older, line, (size_t)(end - line));
}

/* ---- is it there? ---- */

static void fail(const struct older *older, const struct older_workflow *workflow, const char *what) {
    world_fail_by(older->agent->truth->world, WORLD_INCORRECT, "older", "%s, run %s, of an older build's folder: %s",
                  workflow->id, workflow->run_id, what);
}

static void compare(const struct older *older, const struct older_workflow *workflow,
                    const PB(History__V1__History) *history) {
    struct arena arena = {0};
    if (!history || history->n_events < workflow->count) fail(older, workflow, "events are missing");
    for (size_t i = 0; i < workflow->count; i++)
        if (!bytes_equal(pbpack(&arena, workflow->events[i]), pbpack(&arena, &history->events[i]->base)))
            fail(older, workflow, arena_printf(&arena, "event %zu is another than it was", i + 1));
    arena_free(&arena);
}

/* False when the call failed; `closed`: its history ends. */
static bool look(const struct older *older, const struct older_workflow *workflow, bool *closed) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(GetWorkflowExecutionHistoryRequest) *request = AGENT_NEW(&arena, get_workflow_execution_history_request);
    WS(GetWorkflowExecutionHistoryResponse) *response;
    request->namespace_ = agent_text(&arena, NAMESPACE);
    request->execution = agent_execution(&arena, workflow->id, workflow->run_id);
    bool good = agent_call(older->agent, "GetWorkflowExecutionHistory", request,
                           AGENT_TYPE(get_workflow_execution_history_response), CALL_SECONDS * SIM_SECOND, &result, &response);
    if (result.status.code == STATUS_NOT_FOUND) fail(older, workflow, "it is not there");
    good = good && !response->next_page_token.len;       /* a nudge ends pages early */
    if (good) {
        compare(older, workflow, response->history);
        const PB(History__V1__HistoryEvent) *last = response->history->events[response->history->n_events - 1];
        *closed = (int)last->event_type == EVENT_TYPE(WORKFLOW_EXECUTION_COMPLETED);
    }
    grpc_result_free(&result);
    arena_free(&arena);
    return good;
}

static bool look_at_list(const struct older *older) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(ListWorkflowExecutionsRequest) *request = AGENT_NEW(&arena, list_workflow_executions_request);
    WS(ListWorkflowExecutionsResponse) *response;
    request->namespace_ = agent_text(&arena, NAMESPACE);
    bool good = agent_call(older->agent, "ListWorkflowExecutions", request,
                           AGENT_TYPE(list_workflow_executions_response), CALL_SECONDS * SIM_SECOND, &result, &response);
    for (unsigned w = 0; good && w < older->count; w++) {
        const struct older_workflow *workflow = &older->workflows[w];
        unsigned rows = 0;
        for (size_t i = 0; i < response->n_executions; i++)
            rows += strcmp(response->executions[i]->execution->run_id, workflow->run_id) == 0;
        if (rows != 1 || response->n_executions != older->count) fail(older, workflow, "a list does not show it once");
    }
    grpc_result_free(&result);
    arena_free(&arena);
    return good;
}

/* ---- going on ---- */

static void complete_workflow(const struct older *older, struct arena *arena, const ProtobufCBinaryData *token) {
    struct grpc_result result;
    WS(RespondWorkflowTaskCompletedRequest) *request = AGENT_NEW(arena, respond_workflow_task_completed_request);
    WS(RespondWorkflowTaskCompletedResponse) *response;
    PB(Command__V1__Command) *command = PB_NEW(arena, temporal__api__command__v1__command);
    command->command_type = TEMPORAL__API__ENUMS__V1__COMMAND_TYPE__COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION;
    command->attributes_case =
        TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
    command->complete_workflow_execution_command_attributes =
        PB_NEW(arena, temporal__api__command__v1__complete_workflow_execution_command_attributes);
    request->namespace_ = agent_text(arena, NAMESPACE);
    request->task_token = *token;
    request->commands = arena_copy(arena, &command, sizeof command);
    request->n_commands = 1;
    agent_call(older->agent, "RespondWorkflowTaskCompleted", request,
               AGENT_TYPE(respond_workflow_task_completed_response), CALL_SECONDS * SIM_SECOND, &result, &response);
    grpc_result_free(&result);
}

/* Whatever a workflow waited for, its next task is its last. */
static void serve_workflow(const struct older *older) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(PollWorkflowTaskQueueRequest) *request = AGENT_NEW(&arena, poll_workflow_task_queue_request);
    WS(PollWorkflowTaskQueueResponse) *response;
    request->namespace_ = agent_text(&arena, NAMESPACE);
    request->task_queue = agent_queue(&arena, NAMESPACE, false);
    bool good = agent_call(older->agent, "PollWorkflowTaskQueue", request, AGENT_TYPE(poll_workflow_task_queue_response),
                           POLL_SECONDS * SIM_SECOND, &result, &response);
    if (good && response->task_token.len) complete_workflow(older, &arena, &response->task_token);
    grpc_result_free(&result);
    arena_free(&arena);
}

static void complete_activity(const struct older *older, struct arena *arena, const ProtobufCBinaryData *token) {
    struct grpc_result result;
    WS(RespondActivityTaskCompletedRequest) *request = AGENT_NEW(arena, respond_activity_task_completed_request);
    WS(RespondActivityTaskCompletedResponse) *response;
    request->namespace_ = agent_text(arena, NAMESPACE);
    request->task_token = *token;
    agent_call(older->agent, "RespondActivityTaskCompleted", request,
               AGENT_TYPE(respond_activity_task_completed_response), CALL_SECONDS * SIM_SECOND, &result, &response);
    grpc_result_free(&result);
}

static void serve_activity(const struct older *older) {
    struct arena arena = {0};
    struct grpc_result result;
    WS(PollActivityTaskQueueRequest) *request = AGENT_NEW(&arena, poll_activity_task_queue_request);
    WS(PollActivityTaskQueueResponse) *response;
    request->namespace_ = agent_text(&arena, NAMESPACE);
    request->task_queue = agent_queue(&arena, NAMESPACE, false);
    bool good = agent_call(older->agent, "PollActivityTaskQueue", request, AGENT_TYPE(poll_activity_task_queue_response),
                           POLL_SECONDS * SIM_SECOND, &result, &response);
    if (good && response->task_token.len) complete_activity(older, &arena, &response->task_token);
    grpc_result_free(&result);
    arena_free(&arena);
}

/* All are there; in the calm all have ended. */
static bool is_done(const struct older *older) {
    unsigned looked_at = 0, ended = 0;
    for (unsigned i = 0; i < older->count && !older->agent->ending; i++) {
        bool closed = false;
        looked_at += look(older, &older->workflows[i], &closed);
        ended += closed;
    }
    return look_at_list(older) && looked_at == older->count && ended == older->count && older->agent->truth->calm;
}

static void older_main(void *arg) {
    struct older *older = arg;
    struct agent *agent = older->agent;
    take_expected(older);
    while (!agent->ending && agent->truth->older == OLDER_WAITS) {
        if (is_done(older)) agent->truth->older = OLDER_DONE;
        else if (agent_dice(agent, 2)) serve_workflow(older);
        else serve_activity(older);
        agent_sleep(agent, (agent->truth->calm ? 100 : agent_dice(agent, 10000)) * SIM_MS);
    }
    arena_free(&older->arena);
    mem_free(older);
    agent_fiber_ends(agent);
}

void older_start(struct agent *agent) {
    if (agent->truth->older != OLDER_WAITS) return;
    struct older *older = MEM_NEW(struct older);
    older->agent = agent;
    agent_fiber(agent, "older", older_main, older);
}

/* ---- the folder ---- */

void older_put(struct truth *truth) {
    struct world *world = truth->world;
    if (!world_fault_on(world, FAULT_OLDER_FOLDER) || !world_fault_happens(world, FAULT_OLDER_FOLDER)) return;
    truth->older = OLDER_WAITS;
    world_disk_mkdir(world, truth->server, "/data");
    world_disk_mkdir(world, truth->server, "/data/journal");
    world_disk_put(world, truth->server, "/data/norn.db", bytes_of(database, sizeof database));
    world_disk_put(world, truth->server, "/data/norn.db-wal", bytes_of(wal, sizeof wal));
    world_disk_put(world, truth->server, "/data/journal/reach", bytes_of(reach, sizeof reach));
    for (unsigned i = 0; i < ARRAY_LEN(segments); i++) {
        char path[64];
        snprintf(path, sizeof path, "/data/journal/%016u.log", i + 1);
        world_disk_put(world, truth->server, path, bytes_of(segments[i], SEGMENT_BYTES));
    }
}
