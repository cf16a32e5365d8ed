/* norn-bench: a load of one-activity workflows on a server that speaks Temporal's API, ours or a peer's.
 *
 *     norn-bench --address 127.0.0.1:7233 --workflows 10000 --in-flight 100 [--pollers 16] [--pid PID] [--warm-up 1000]
 *
 * Closed loop: as many workflows as --in-flight are open at any time. Clients and workers speak raw gRPC over one
 * connection each, in one thread, so that the load costs little beside the server. Latency is from the start call to
 * the acknowledged completion. With --pid the server's CPU time is read from /proc before and after. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fiber/fiber.h"
#include "net/client.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

#define WS(name) Temporal__Api__Workflowservice__V1__##name
#define WS_INIT(name) TEMPORAL__API__WORKFLOWSERVICE__V1__##name##__INIT
#define SERVICE "/temporal.api.workflowservice.v1.WorkflowService/"
#define SECOND INT64_C(1000000000)

enum { POLLERS_MAX = 1024, PROC_BYTES_MAX = 4096 };
static const int64_t CALL_NS = 30 * SECOND, POLL_NS = 70 * SECOND;

struct options {
    struct io_addr address;
    uint32_t workflows, in_flight, pollers, warm_up;
    const char *pid;
};

struct load {
    struct io *io;
    struct fiber *fiber;
    struct options options;
    struct grpc_client *starter, *worker;
    uint64_t run;                    /* a random number: ids of this run */
    uint32_t started, completed, failed;
    int64_t *start_times;            /* by workflow number; then its latency, once completed */
    uint32_t latencies;
    int64_t *latency;
    int64_t measured_from;           /* io_now when the warm-up ended */
    int64_t cpu_from;
    bool stopping;
};

static char *text_of(const char *text) { return (char *)(uintptr_t)text; }

static _Noreturn void fail(struct load *load, const char *what, struct status status) {
    fprintf(stderr, "norn-bench: %s: %s: %s\n", what, status_code_name(status.code), status.message);
    (void)load;
    exit(1);
}

static void call(struct load *load, struct grpc_client *client, const char *method, const ProtobufCMessage *request,
                 int64_t timeout, grpc_done_fn *done, void *ctx) {
    size_t len = protobuf_c_message_get_packed_size(request);
    uint8_t *packed = mem_alloc(len);
    char path[160];
    protobuf_c_message_pack(request, packed);
    snprintf(path, sizeof path, SERVICE "%s", method);
    grpc_call(client, path, bytes_of(packed, len), io_now(load->io) + timeout, done, ctx);
    mem_free(packed);
}

/* ---- the server's CPU time ----------------------------------------------------------------------------------------- */

/* utime + stime of /proc/PID/stat, in ns; 0 without --pid. */
static int64_t server_cpu(struct load *load) {
    if (!load->options.pid) return 0;
    char path[64], text[PROC_BYTES_MAX] = {0};
    struct io_file file;
    snprintf(path, sizeof path, "/proc/%s/stat", load->options.pid);
    if (fiber_open(load->io, path, IO_OPEN_READ, &file) < 0) return 0;
    int64_t len = fiber_read(load->io, file, text, sizeof text - 1, 0);
    fiber_close(load->io, file);
    const char *after = len > 0 ? strrchr(text, ')') : NULL;
    unsigned long user = 0, system = 0;
    if (!after || sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) return 0;
    return (int64_t)(user + system) * 10000000;      /* a tick is 10 ms on Linux */
}

/* ---- starting ------------------------------------------------------------------------------------------------------ */

static void start_one(struct load *load);

static void started(struct io *io, void *ctx, struct grpc_result *result) {
    (void)io;
    if (!status_ok(result->status)) fail(ctx, "StartWorkflowExecution", result->status);
}

static void start_one(struct load *load) {
    uint32_t number = load->started++;
    char id[64];
    snprintf(id, sizeof id, "bench-%" PRIx64 "-%" PRIu32, load->run, number);
    Temporal__Api__Common__V1__WorkflowType type = TEMPORAL__API__COMMON__V1__WORKFLOW_TYPE__INIT;
    Temporal__Api__Taskqueue__V1__TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    WS(StartWorkflowExecutionRequest) request = WS_INIT(START_WORKFLOW_EXECUTION_REQUEST);
    type.name = text_of("bench");
    queue.name = text_of("bench");
    request.namespace_ = text_of("default");
    request.workflow_id = id;
    request.request_id = id;
    request.identity = text_of("norn-bench");
    request.workflow_type = &type;
    request.task_queue = &queue;
    load->start_times[number] = io_now(load->io);
    call(load, load->starter, "StartWorkflowExecution", &request.base, CALL_NS, started, load);
}

static void one_completed(struct load *load, const char *workflow_id) {
    uint32_t number = (uint32_t)strtoul(strrchr(workflow_id, '-') + 1, NULL, 10);
    if (++load->completed > load->options.warm_up)
        load->latency[load->latencies++] = io_now(load->io) - load->start_times[number];
    if (load->completed == load->options.warm_up || load->completed == load->options.workflows)
        fiber_wake(load->io, load->fiber);
    if (load->started < load->options.workflows) start_one(load);
}

/* ---- workflow tasks ------------------------------------------------------------------------------------------------ */

static void poll_workflow(struct load *load);

/* A completion under way that closes its workflow. */
struct closing {
    struct load *load;
    char *workflow_id;
};

static void responded(struct io *io, void *ctx, struct grpc_result *result) {
    (void)io;
    struct closing *closing = ctx;
    if (!status_ok(result->status)) fail(closing->load, "RespondWorkflowTaskCompleted", result->status);
    if (closing->workflow_id) one_completed(closing->load, closing->workflow_id);
    mem_free(closing->workflow_id);
    mem_free(closing);
}

static void respond_workflow(struct load *load, const WS(PollWorkflowTaskQueueResponse) *task) {
    bool first = task->previous_started_event_id == 0;
    Temporal__Api__Command__V1__Command command = TEMPORAL__API__COMMAND__V1__COMMAND__INIT, *commands = &command;
    Temporal__Api__Command__V1__ScheduleActivityTaskCommandAttributes activity =
        TEMPORAL__API__COMMAND__V1__SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES__INIT;
    Temporal__Api__Command__V1__CompleteWorkflowExecutionCommandAttributes complete =
        TEMPORAL__API__COMMAND__V1__COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;
    Temporal__Api__Common__V1__ActivityType type = TEMPORAL__API__COMMON__V1__ACTIVITY_TYPE__INIT;
    Temporal__Api__Taskqueue__V1__TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    Google__Protobuf__Duration timeout = GOOGLE__PROTOBUF__DURATION__INIT;
    WS(RespondWorkflowTaskCompletedRequest) request = WS_INIT(RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST);
    type.name = text_of("bench");
    queue.name = text_of("bench");
    timeout.seconds = 30;
    activity.activity_id = text_of("1");
    activity.activity_type = &type;
    activity.task_queue = &queue;
    activity.start_to_close_timeout = &timeout;
    if (first) {
        command.command_type = TEMPORAL__API__ENUMS__V1__COMMAND_TYPE__COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK;
        command.attributes_case = TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES;
        command.schedule_activity_task_command_attributes = &activity;
    } else {
        command.command_type = TEMPORAL__API__ENUMS__V1__COMMAND_TYPE__COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION;
        command.attributes_case = TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
        command.complete_workflow_execution_command_attributes = &complete;
    }
    request.namespace_ = text_of("default");
    request.identity = text_of("norn-bench");
    request.task_token = task->task_token;
    request.n_commands = 1;
    request.commands = &commands;
    struct closing *closing = MEM_NEW(struct closing);
    *closing = (struct closing){load, first ? NULL : mem_strdup(task->workflow_execution->workflow_id)};
    call(load, load->worker, "RespondWorkflowTaskCompleted", &request.base, CALL_NS, responded, closing);
}

static void workflow_polled(struct io *io, void *ctx, struct grpc_result *result) {
    (void)io;
    struct load *load = ctx;
    if (load->stopping) return;
    if (!status_ok(result->status)) fail(load, "PollWorkflowTaskQueue", result->status);
    WS(PollWorkflowTaskQueueResponse) *task = temporal__api__workflowservice__v1__poll_workflow_task_queue_response__unpack(
        arena_pb(&result->arena), result->message.len, result->message.data);
    if (task && task->task_token.len) respond_workflow(load, task);
    poll_workflow(load);
}

static void poll_workflow(struct load *load) {
    Temporal__Api__Taskqueue__V1__TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    WS(PollWorkflowTaskQueueRequest) request = WS_INIT(POLL_WORKFLOW_TASK_QUEUE_REQUEST);
    queue.name = text_of("bench");
    request.namespace_ = text_of("default");
    request.identity = text_of("norn-bench");
    request.task_queue = &queue;
    call(load, load->worker, "PollWorkflowTaskQueue", &request.base, POLL_NS, workflow_polled, load);
}

/* ---- activity tasks ------------------------------------------------------------------------------------------------ */

static void poll_activity(struct load *load);

static void activity_responded(struct io *io, void *ctx, struct grpc_result *result) {
    (void)io;
    if (!status_ok(result->status)) fail(ctx, "RespondActivityTaskCompleted", result->status);
}

static void activity_polled(struct io *io, void *ctx, struct grpc_result *result) {
    (void)io;
    struct load *load = ctx;
    if (load->stopping) return;
    if (!status_ok(result->status)) fail(load, "PollActivityTaskQueue", result->status);
    WS(PollActivityTaskQueueResponse) *task = temporal__api__workflowservice__v1__poll_activity_task_queue_response__unpack(
        arena_pb(&result->arena), result->message.len, result->message.data);
    if (task && task->task_token.len) {
        WS(RespondActivityTaskCompletedRequest) request = WS_INIT(RESPOND_ACTIVITY_TASK_COMPLETED_REQUEST);
        request.namespace_ = text_of("default");
        request.identity = text_of("norn-bench");
        request.task_token = task->task_token;
        call(load, load->worker, "RespondActivityTaskCompleted", &request.base, CALL_NS, activity_responded, load);
    }
    poll_activity(load);
}

static void poll_activity(struct load *load) {
    Temporal__Api__Taskqueue__V1__TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    WS(PollActivityTaskQueueRequest) request = WS_INIT(POLL_ACTIVITY_TASK_QUEUE_REQUEST);
    queue.name = text_of("bench");
    request.namespace_ = text_of("default");
    request.identity = text_of("norn-bench");
    request.task_queue = &queue;
    call(load, load->worker, "PollActivityTaskQueue", &request.base, POLL_NS, activity_polled, load);
}

/* ---- the run ------------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void report(struct load *load) {
    uint32_t count = load->latencies;
    double seconds = (double)(io_now(load->io) - load->measured_from) / 1e9;
    double cpu_ms = (double)(server_cpu(load) - load->cpu_from) / 1e6;
    qsort(load->latency, count, sizeof *load->latency, by_value);
    printf("{\"workflows\": %" PRIu32 ", \"in_flight\": %" PRIu32 ", \"seconds\": %.3f, \"workflows_per_second\": %.1f, "
           "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, \"server_cpu_ms_per_workflow\": %.4f}\n",
           count, load->options.in_flight, seconds, count / seconds, (double)load->latency[count / 2] / 1e6,
           (double)load->latency[(uint64_t)count * 99 / 100] / 1e6, (double)load->latency[count - 1] / 1e6,
           load->options.pid ? cpu_ms / count : -1);
}

static void run(void *arg) {
    struct load *load = arg;
    const struct options *options = &load->options;
    struct grpc_client_options client = {.client_name = "norn-bench", .client_version = "1.0.0"};
    load->fiber = fiber_current(load->io);
    io_random(load->io, &load->run, sizeof load->run);
    load->starter = grpc_client_create(load->io, &options->address, &client);
    load->worker = grpc_client_create(load->io, &options->address, &client);
    load->start_times = mem_alloc(options->workflows * sizeof(int64_t));
    load->latency = mem_alloc(options->workflows * sizeof(int64_t));
    load->measured_from = io_now(load->io);
    load->cpu_from = server_cpu(load);
    for (uint32_t i = 0; i < options->pollers; i++) {
        poll_workflow(load);
        poll_activity(load);
    }
    for (uint32_t i = 0; i < options->in_flight && i < options->workflows; i++) start_one(load);
    while (load->completed < options->warm_up) fiber_park(load->io);
    if (options->warm_up) {
        load->cpu_from = server_cpu(load);
        load->measured_from = io_now(load->io);
    }
    while (load->completed < options->workflows) fiber_park(load->io);
    load->stopping = true;
    report(load);
    fflush(stdout);
    io_exit(load->io, 0);
}

static void on_start(struct io *io, void *arg) {
    struct load *load = arg;
    load->io = io;
    fiber_start(io, "bench", run, load, FIBER_STACK_LARGE);
}

static uint32_t number(const char *name, const char *text, uint32_t least, uint32_t most) {
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*end || value < least || value > most) {
        fprintf(stderr, "norn-bench: %s is %s, but must be %" PRIu32 " to %" PRIu32 "\n", name, text, least, most);
        exit(2);
    }
    return (uint32_t)value;
}

int main(int argc, char **argv) {
    struct load load = {.options = {.workflows = 10000, .in_flight = 100, .pollers = 16, .warm_up = 1000}};
    struct options *options = &load.options;
    io_addr_parse("127.0.0.1:7233", &options->address);
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--address") == 0 && io_addr_parse(value, &options->address)) continue;
        if (strcmp(name, "--workflows") == 0) options->workflows = number(name, value, 1, 100000000);
        else if (strcmp(name, "--in-flight") == 0) options->in_flight = number(name, value, 1, 1000000);
        else if (strcmp(name, "--pollers") == 0) options->pollers = number(name, value, 1, POLLERS_MAX);
        else if (strcmp(name, "--warm-up") == 0) options->warm_up = number(name, value, 0, 100000000);
        else if (strcmp(name, "--pid") == 0) options->pid = value;
        else {
            fprintf(stderr, "norn-bench: bad option %s %s\n", name, value);
            return 2;
        }
    }
    if (argc % 2 == 0 || options->warm_up >= options->workflows) {
        fprintf(stderr, "norn-bench: every option has a value, and --warm-up is less than --workflows\n");
        return 2;
    }
    return io_main(argc, argv, on_start, &load);
}
