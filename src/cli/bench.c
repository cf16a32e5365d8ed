/* bench: `norn bench`: the throughput of a running installation, of its first history shard alone and then of more of them.
 *
 * Workflows complete with their first task; three state transitions each. A workflow's shard follows from its id, so ids
 * are drawn until they fall where they should. They stay in the namespace as long as its retention says. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/pbpack.h"
#include "base/uuid.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cluster/route.h"
#include "fiber/fiber.h"
#include "net/client.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

#define WS(name) Temporal__Api__Workflowservice__V1__##name
#define WS_INIT(name) TEMPORAL__API__WORKFLOWSERVICE__V1__##name##__INIT
#define METHOD(name) "/temporal.api.workflowservice.v1.WorkflowService/" name
#define SECOND INT64_C(1000000000)

enum { POLLERS = 32, TRANSITIONS = 3 };
static const int64_t CALL_NS = 30 * SECOND, POLL_NS = 70 * SECOND, WARM_UP_NS = SECOND / 2;

/* One measurement. It lives as long as the command, for calls may end after it. */
struct run {
    struct cli *cli;
    struct grpc_client *client;
    struct route *route;
    uint8_t namespace_id[UUID_LEN];
    unsigned shards;                       /* ids fall into shards below this */
    char queue[64];
    uint64_t drawn, completed;
    uint64_t polls[POLLERS];
    bool stopping;
    struct status failed;
};

struct poller {
    struct run *run;
    unsigned index;
};

static char *text_of(const char *text) { return (char *)(uintptr_t)text; }

static uint64_t call(struct run *run, const char *path, const ProtobufCMessage *request, int64_t timeout, grpc_done_fn *done,
                     void *ctx) {
    struct arena arena = {0};
    uint64_t number = grpc_call(run->client, path, pbpack(&arena, request), io_now(run->cli->io) + timeout, done, ctx);
    arena_free(&arena);
    return number;
}

static void note(struct run *run, struct status status) {
    if (status_ok(status) || run->stopping || !status_ok(run->failed)) return;
    run->failed = status_make(&run->cli->arena, status.code, "%s", status.message ? status.message : "");
}

/* ---- starts ---- */

static void started(struct io *io, void *ctx, struct grpc_result *result) {
    (void)io;
    note(ctx, result->status);
}

static const char *draw_id(struct run *run, char text[96]) {
    do snprintf(text, 96, "%s-%" PRIu64, run->queue, run->drawn++);
    while (route_shard(run->route, route_hash(run->namespace_id, ROUTE_WORKFLOW, bytes_str(text))) >= run->shards);
    return text;
}

static void start_one(struct run *run) {
    char id[96];
    Temporal__Api__Common__V1__WorkflowType type = TEMPORAL__API__COMMON__V1__WORKFLOW_TYPE__INIT;
    Temporal__Api__Taskqueue__V1__TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    WS(StartWorkflowExecutionRequest) request = WS_INIT(START_WORKFLOW_EXECUTION_REQUEST);
    type.name = text_of("norn-bench");
    queue.name = run->queue;
    request.namespace_ = text_of(cli_namespace(run->cli));
    request.workflow_id = request.request_id = text_of(draw_id(run, id));
    request.identity = text_of("norn-bench");
    request.workflow_type = &type;
    request.task_queue = &queue;
    call(run, METHOD("StartWorkflowExecution"), &request.base, CALL_NS, started, run);
}

/* ---- the worker ---- */

static void poll(struct poller *poller);

static void answered(struct io *io, void *ctx, struct grpc_result *result) {
    struct run *run = ctx;
    (void)io;
    note(run, result->status);
    if (!status_ok(result->status) || run->stopping) return;
    run->completed++;
    start_one(run);
}

static void answer(struct run *run, ProtobufCBinaryData token) {
    Temporal__Api__Command__V1__Command command = TEMPORAL__API__COMMAND__V1__COMMAND__INIT, *commands = &command;
    Temporal__Api__Command__V1__CompleteWorkflowExecutionCommandAttributes complete =
        TEMPORAL__API__COMMAND__V1__COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;
    WS(RespondWorkflowTaskCompletedRequest) request = WS_INIT(RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST);
    command.command_type = TEMPORAL__API__ENUMS__V1__COMMAND_TYPE__COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION;
    command.attributes_case =
        TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
    command.complete_workflow_execution_command_attributes = &complete;
    request.namespace_ = text_of(cli_namespace(run->cli));
    request.identity = text_of("norn-bench");
    request.task_token = token;
    request.commands = &commands;
    request.n_commands = 1;
    call(run, METHOD("RespondWorkflowTaskCompleted"), &request.base, CALL_NS, answered, run);
}

static void polled(struct io *io, void *ctx, struct grpc_result *result) {
    struct poller *poller = ctx;
    struct run *run = poller->run;
    (void)io;
    note(run, result->status);
    if (run->stopping || !status_ok(run->failed)) return;
    WS(PollWorkflowTaskQueueResponse) *task = temporal__api__workflowservice__v1__poll_workflow_task_queue_response__unpack(
        arena_pb(&result->arena), result->message.len, result->message.data);
    if (task && task->task_token.len) answer(run, task->task_token);
    poll(poller);
}

static void poll(struct poller *poller) {
    struct run *run = poller->run;
    Temporal__Api__Taskqueue__V1__TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    WS(PollWorkflowTaskQueueRequest) request = WS_INIT(POLL_WORKFLOW_TASK_QUEUE_REQUEST);
    queue.name = run->queue;
    request.namespace_ = text_of(cli_namespace(run->cli));
    request.identity = text_of("norn-bench");
    request.task_queue = &queue;
    run->polls[poller->index] = call(run, METHOD("PollWorkflowTaskQueue"), &request.base, POLL_NS, polled, poller);
}

/* ---- measuring ---- */

/* Workflows a second; < 0: it failed, and run->failed says why. */
static double measure(struct run *run, uint64_t in_flight, double seconds) {
    struct io *io = run->cli->io;
    uint64_t random;
    io_random(io, &random, sizeof random);
    snprintf(run->queue, sizeof run->queue, "norn-bench-%016" PRIx64, random);
    for (unsigned i = 0; i < POLLERS; i++) {
        struct poller *poller = ARENA_NEW(&run->cli->arena, struct poller);
        *poller = (struct poller){run, i};
        poll(poller);
    }
    for (uint64_t i = 0; i < in_flight; i++) start_one(run);
    fiber_sleep_until(io, io_now(io) + WARM_UP_NS);
    int64_t from = io_now(io), end = from + (int64_t)(seconds * (double)SECOND);
    uint64_t before = run->completed;
    while (io_now(io) < end && status_ok(run->failed)) fiber_sleep_until(io, io_now(io) + SECOND / 20);
    double rate = (double)(run->completed - before) * (double)SECOND / (double)(io_now(io) - from);
    run->stopping = true;
    for (unsigned i = 0; i < POLLERS; i++) grpc_cancel(run->client, run->polls[i]);
    return status_ok(run->failed) ? rate : -1;
}

static bool number(struct cli *cli, const char *flag, double least, double most, double *out) {
    const char *text = cli_value(cli, flag);
    char *end;
    if (!text) return true;
    *out = strtod(text, &end);
    if (*text && !*end && *out >= least && *out <= most) return true;
    cli_usage(cli, "--%s is \"%s\"; expected %g to %g", flag, text, least, most);
    return false;
}

int cli_bench(struct cli *cli) {
    const WS(GetClusterInfoResponse) *cluster = (const void *)cli_call(cli, "GetClusterInfo", bytes_str("{}"));
    if (!cluster) return cli_exit_code(cli);
    char request[1100];
    snprintf(request, sizeof request, "{\"namespace\": \"%s\"}", cli_namespace(cli));
    const WS(DescribeNamespaceResponse) *ns = (const void *)cli_call(cli, "DescribeNamespace", bytes_str(request));
    if (!ns) return cli_exit_code(cli);
    unsigned all = cluster->history_shard_count > 0 ? (unsigned)cluster->history_shard_count : 1;
    double shards = all, seconds = 5, in_flight = 100;
    if (!number(cli, "shards", 1, all, &shards) || !number(cli, "seconds", 0.1, 3600, &seconds) ||
        !number(cli, "in-flight", 1, 10000, &in_flight))
        return CLI_USAGE;
    struct run base = {.cli = cli, .client = cli_client(cli), .route = route_create(all, 1)};
    bool known = uuid_parse(ns->namespace_info->id, base.namespace_id);
    static const char *const titles[] = {"Shards", "Workflows/s", "Transitions/s", NULL};
    struct table table = table_new(cli, titles);
    int code = known ? CLI_OK : cli_fail(cli, CLI_FAILED, "the namespace has no id that this build reads");
    unsigned counts[] = {1, (unsigned)shards};
    for (size_t i = shards > 1 ? 0 : 1; i < ARRAY_LEN(counts) && code == CLI_OK; i++) {
        struct run *run = ARENA_NEW(&cli->arena, struct run);
        *run = base;
        run->shards = counts[i];
        double rate = measure(run, (uint64_t)in_flight, seconds);
        if (rate < 0) {
            code = cli_fail(cli, CLI_FAILED, "%s: %s", status_code_name(run->failed.code), run->failed.message);
            break;
        }
        table_cellf(&table, "%u", run->shards);
        table_cellf(&table, "%.0f", rate);
        table_cellf(&table, "%.0f", rate * TRANSITIONS);
    }
    table_print(&table);
    fiber_sleep_until(cli->io, io_now(cli->io) + SECOND / 10);     /* the last calls end before their route goes */
    route_destroy(base.route);
    return code;
}
