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

void agent_begin(struct agent *agent, struct io *io, struct truth *truth, const char *client_name) {
    agent->io = io;
    agent->truth = truth;
    agent->signals = (struct io_op){.done = on_signal, .ctx = agent};
    io_signals(io, &agent->signals);
    struct io_addr addr;
    world_node_addr(truth->world, truth->server, GRPC_PORT, &addr);
    struct grpc_client_options options = {.client_name = client_name, .client_version = "1.0.0"};
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

/* Without faults the server has no excuse: every call is answered in time. A query depends on workers. */
static void check_strict(struct agent *agent, const char *method, const struct status *status) {
    bool late = status->code == STATUS_DEADLINE_EXCEEDED || status->code == STATUS_UNAVAILABLE;
    if (!late || !agent->truth->strict || agent->ending || strcmp(method, "QueryWorkflow") == 0) return;
    struct world *world = agent->truth->world;
    if (world_crashes(world, agent->truth->server) || world_now(world) < SIM_SECOND) return;
    world_fail(world, WORLD_INCORRECT, "%s ended with %s in a world without faults: %s", method,
               status_code_name(status->code), status->message);
}

bool agent_call_of(struct agent *agent, const char *service, const char *method, const void *request,
                   const ProtobufCMessageDescriptor *type, int64_t timeout, struct grpc_result *result, void *response) {
    *result = (struct grpc_result){.status = {STATUS_CANCELLED, "ending"}};
    ProtobufCMessage *message = NULL;
    if (agent->ending) return false;
    char path[128];
    snprintf(path, sizeof path, "/%s/%s", service, method);
    grpc_call_wait(agent->client, path, request, type, io_now(agent->io) + timeout, result, &message);
    *(ProtobufCMessage **)response = message;
    check_strict(agent, method, &result->status);
    bool good = status_ok(result->status) && message;
    if (good) world_operation_count(agent->truth->world, method);
    return good;
}

bool agent_call(struct agent *agent, const char *method, const void *request, const ProtobufCMessageDescriptor *type,
                int64_t timeout, struct grpc_result *result, void *response) {
    return agent_call_of(agent, "temporal.api.workflowservice.v1.WorkflowService", method, request, type, timeout, result,
                         response);
}

/* The call that is to be taken back, when it is still under way then. */
struct impatient {
    struct agent *agent;
    struct fiber *fiber;
    struct io_op timer;
    uint64_t call;
    bool done;
    enum status_code code;
    struct buf message;
};

static void on_impatient_done(struct io *io, void *ctx, struct grpc_result *result) {
    struct impatient *impatient = ctx;
    impatient->done = true;
    impatient->code = result->status.code;
    if (status_ok(result->status)) buf_append_bytes(&impatient->message, result->message);
    fiber_wake(io, impatient->fiber);
}

static void on_patience_ends(struct io *io, struct io_op *op) {
    struct impatient *impatient = op->ctx;
    if (!impatient->done && op->result == 0) grpc_cancel(impatient->agent->client, impatient->call);
    fiber_wake(io, impatient->fiber);
}

bool agent_call_cancel(struct agent *agent, const char *method, const void *request,
                       const ProtobufCMessageDescriptor *type, int64_t timeout, int64_t patience,
                       struct grpc_result *result, void *response) {
    *result = (struct grpc_result){.status = {STATUS_CANCELLED, "ending"}};
    if (agent->ending) return false;
    struct io *io = agent->io;
    struct impatient impatient = {.agent = agent, .fiber = fiber_current(io)};
    size_t len = protobuf_c_message_get_packed_size(request);
    uint8_t *bytes = arena_alloc(&result->arena, len + 1);
    protobuf_c_message_pack(request, bytes);
    char path[128];
    snprintf(path, sizeof path, "/temporal.api.workflowservice.v1.WorkflowService/%s", method);
    impatient.timer = (struct io_op){.done = on_patience_ends, .ctx = &impatient};
    io_timer(io, &impatient.timer, io_now(io) + patience);
    impatient.call = grpc_call(agent->client, path, bytes_of(bytes, len), io_now(io) + timeout, on_impatient_done,
                               &impatient);
    while (!impatient.done) fiber_park(io);
    io_cancel(io, &impatient.timer);
    while (impatient.timer.busy) fiber_park(io);
    ProtobufCMessage *message = NULL;
    if (impatient.code == STATUS_OK)
        message = protobuf_c_message_unpack(type, arena_pb(&result->arena), impatient.message.len,
                                            impatient.message.len ? impatient.message.data : (const uint8_t *)"");
    result->status = (struct status){impatient.code, "cancelled or not"};
    buf_free(&impatient.message);
    *(ProtobufCMessage **)response = message;
    if (message) world_operation_count(agent->truth->world, method);
    return message != NULL;
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

const char *agent_padding(struct arena *arena, unsigned bytes) {
    if (!bytes) return "";
    char *text = arena_alloc(arena, bytes + 1);
    memset(text, 'p', bytes);
    text[0] = ' ';
    return text;
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
