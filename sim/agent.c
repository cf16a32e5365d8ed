/* agent: life of a simulated worker or client process. */
#include "agent.h"

#include <stdio.h>

#include "base/mem.h"

static void maybe_last(struct agent *agent);

static void on_last(struct io *io, struct io_op *op) {
    struct agent *agent = op->ctx;
    if (agent->signals.busy || fiber_count(io)) {
        maybe_last(agent);
        return;
    }
    fiber_shutdown(io);
    agent->ended(agent);
    io_exit(io, 0);
}

/* Once fibers and connection are gone. */
static void maybe_last(struct agent *agent) {
    if (!agent->ending || agent->fibers || !agent->client_closed || agent->last.busy) return;
    io_cancel(agent->io, &agent->signals);
    agent->last = (struct io_op){.done = on_last, .ctx = agent};
    io_timer(agent->io, &agent->last, io_now(agent->io) + SIM_MS);
}

static void on_client_closed(struct io *io, void *ctx) {
    (void)io;
    struct agent *agent = ctx;
    agent->client_closed = true;
    maybe_last(agent);
}

static void on_signal(struct io *io, struct io_op *op) {
    (void)io;
    struct agent *agent = op->ctx;
    if (!op->more || agent->ending) return;
    agent->ending = true;
    grpc_client_close(agent->client, on_client_closed, agent);
}

void agent_begin(struct agent *agent, struct io *io, struct truth *truth) {
    agent->io = io;
    agent->truth = truth;
    agent->signals = (struct io_op){.done = on_signal, .ctx = agent};
    io_signals(io, &agent->signals);
    struct io_addr addr;
    world_node_addr(truth->world, truth->server, GRPC_PORT, &addr);
    struct grpc_client_options options = {.client_name = "norn-sim", .client_version = "1.0.0"};
    agent->client = grpc_client_create(io, &addr, &options);
}

void agent_fiber(struct agent *agent, const char *name, fiber_fn *fn, void *arg) {
    agent->fibers++;
    CHECK(fiber_start(agent->io, name, fn, arg, FIBER_STACK_LARGE));
}

void agent_fiber_ends(struct agent *agent) {
    agent->fibers--;
    maybe_last(agent);
}

bool agent_call(struct agent *agent, const char *method, const void *request, const ProtobufCMessageDescriptor *type,
                int64_t timeout, struct grpc_result *result, void *response) {
    *result = (struct grpc_result){.status = {STATUS_CANCELLED, "ending"}};
    ProtobufCMessage *message = NULL;
    if (agent->ending) return false;
    char path[128];
    snprintf(path, sizeof path, "/temporal.api.workflowservice.v1.WorkflowService/%s", method);
    grpc_call_wait(agent->client, path, request, type, io_now(agent->io) + timeout, result, &message);
    *(ProtobufCMessage **)response = message;
    return status_ok(result->status) && message;
}

void agent_sleep(struct agent *agent, int64_t ns) {
    int64_t until = io_now(agent->io) + ns;
    while (!agent->ending && io_now(agent->io) < until) {
        int64_t next = io_now(agent->io) + SIM_SECOND;
        fiber_sleep_until(agent->io, next < until ? next : until);
    }
}

uint32_t agent_dice(struct agent *agent, uint32_t bound) {
    uint32_t word;
    io_random(agent->io, &word, sizeof word);
    return (uint32_t)(((uint64_t)word * bound) >> 32);
}

bool agent_mischief(struct agent *agent, uint32_t per_thousand) {
    return agent_dice(agent, 1000) < per_thousand && !agent->truth->calm && !agent->truth->small;
}

/* ---- small messages ---- */

char *agent_text(struct arena *arena, const char *text) { return arena_strdup(arena, text); }

Payloads *agent_payload(struct arena *arena, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(arena, format, args);
    va_end(args);
    return payloads_json(arena, bytes_str(text));
}

PB(Common__V1__WorkflowExecution) *agent_execution(struct arena *arena, const char *id, const char *run) {
    PB(Common__V1__WorkflowExecution) *execution = PB_NEW(arena, temporal__api__common__v1__workflow_execution);
    execution->workflow_id = arena_strdup(arena, id);
    execution->run_id = arena_strdup(arena, run);
    return execution;
}

PB(Taskqueue__V1__TaskQueue) *agent_queue(struct arena *arena, const char *name, bool sticky) {
    PB(Taskqueue__V1__TaskQueue) *queue = PB_NEW(arena, temporal__api__taskqueue__v1__task_queue);
    queue->name = arena_strdup(arena, name);
    queue->kind = sticky ? TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_STICKY
                         : TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
    if (sticky) queue->normal_name = arena_strdup(arena, SIM_QUEUE);
    return queue;
}

Google__Protobuf__Duration *agent_duration(struct arena *arena, int64_t ns) {
    Google__Protobuf__Duration *duration = PB_NEW(arena, google__protobuf__duration);
    duration->seconds = ns / SIM_SECOND;
    duration->nanos = (int32_t)(ns % SIM_SECOND);
    return duration;
}
