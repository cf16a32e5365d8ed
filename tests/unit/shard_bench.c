#include "unit/shard_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"

#define MS INT64_C(1000000)

typedef Temporal__Api__Workflowservice__V1__GetWorkflowExecutionHistoryRequest HistoryRequest;
typedef Temporal__Api__Workflowservice__V1__GetWorkflowExecutionHistoryResponse HistoryResponse;

/* ---- the host ---- */

static void add_task(void *ctx, const struct queue_name *name, const struct queue_task *task) {
    queues_add(((struct bench *)ctx)->queues, name, task);
}
static void remove_task(void *ctx, const struct queue_name *name, const struct queue_task *task) {
    queues_remove(((struct bench *)ctx)->queues, name, task);
}
static void poll_again(void *ctx, const struct queue_name *name, struct call *poll) {
    queues_poll_again(((struct bench *)ctx)->queues, poll);
}
static bool sticky_alive(void *ctx, const struct queue_name *name) { return !((struct bench *)ctx)->sticky_dead; }
static const struct namespace_info *namespace_by_id(void *ctx, const uint8_t id[NAMESPACE_ID_LEN]) {
    return &((struct bench *)ctx)->ns;
}
static int32_t search_attribute_type(void *ctx, const uint8_t id[NAMESPACE_ID_LEN], const char *name) { return 0; }

static void start_task(void *ctx, const struct queue_name *name, const struct queue_task *task, struct call *poll) {
    engine_start_task(((struct bench *)ctx)->engine, name, task, poll);
}

/* ---- recovery ---- */

static void node_value(void *ctx, struct bytes name, struct bytes payload) {}
static void image(void *ctx, const struct store_image *given) {
    struct bench *bench = ctx;
    if (given->execution != bench->lost) engine_recover_image(bench->engine, given);
}
static void record(void *ctx, const struct store_record *given) {
    struct bench *bench = ctx;
    if (given->execution != bench->lost) engine_recover_record(bench->engine, given);
}
static void idle(void *ctx, uint64_t execution, uint64_t hash, int64_t next_at) {
    engine_recover_idle(((struct bench *)ctx)->engine, execution, hash, next_at);
}

static void open_all(struct bench *bench) {
    struct queue_host queue_host = {.start = start_task, .ctx = bench};
    bench->queues = queues_create(bench->io, &queue_host);
    struct engine_host host = {
        .add_task = add_task,
        .remove_task = remove_task,
        .poll_again = poll_again,
        .sticky_alive = sticky_alive,
        .namespace_by_id = namespace_by_id,
        .search_attribute_type = search_attribute_type,
        .ctx = bench,
    };
    bench->engine = engine_create(bench->io, &host, &bench->limits);
    struct store_options options = {.dir = "data", .segment_bytes = 4 << 20, .reserve_bytes = 4 << 20};
    if (bench->failing_seed) {
        options.memory = true;
        options.memory_seed = bench->failing_seed;
        options.memory_refused = options.memory_unknown = 50000;
    }
    if (bench->in_memory) {
        options.memory = true;
        options.memory_unreadable = &bench->unreadable;
    }
    struct store_recovery recovery = {node_value, image, record, idle, bench};
    struct status status = store_open(bench->io, &options, &recovery, &bench->arena, &bench->store);
    if (!status_ok(status)) fail_msg("the store does not open: %s", status.message);
    struct store_engine hooks = engine_store_hooks(bench->engine);
    bench->loop = store_attach(bench->store, bench->io, &hooks);
    engine_set_numbers(bench->engine, store_execution_max(bench->store) + 1, 1);
    engine_attach(bench->engine, bench->loop, store_epoch(bench->store));
    engine_start(bench->engine);
}

static void close_all(struct bench *bench, bool checkpoint) {
    engine_verify(bench->engine);
    queues_stop(bench->queues);
    engine_stop(bench->engine);
    bench_wait(bench, MS);
    store_close(bench->store, checkpoint);
    bench_wait(bench, MS);
    engine_destroy(bench->engine);
    queues_destroy(bench->queues);
}

void bench_restart(struct bench *bench, bool checkpoint) {
    close_all(bench, checkpoint);
    open_all(bench);
}

void bench_wait(struct bench *bench, int64_t ns) { fiber_sleep_until(bench->io, io_now(bench->io) + ns); }

struct checkpoint_wait {
    struct io *io;
    struct fiber *fiber;
    bool done;
};
static void checkpointed(void *ctx) {
    struct checkpoint_wait *wait = ctx;
    wait->done = true;
    fiber_wake(wait->io, wait->fiber);
}
/* Messages take their time, up to 20 ms: the engine may learn later than the caller that images are written. */
static bool images_under_way(const struct bench *bench) {
    LIST_EACH(it, &bench->engine->lru) {
        const struct exec *exec = LIST_ENTRY(it, struct exec, lru);
        if (exec->image_given != exec->imaged) return true;
    }
    return false;
}

void bench_checkpoint(struct bench *bench) {
    struct checkpoint_wait wait = {bench->io, fiber_current(bench->io), false};
    store_checkpoint(bench->loop, checkpointed, &wait);
    while (!wait.done) fiber_park(bench->io);
    bench_wait(bench, MS);
    for (unsigned ms = 0; ms < 50 && images_under_way(bench); ms++) bench_wait(bench, MS);
}

/* ---- running ---- */

struct run {
    void (*test)(struct bench *bench);
    struct io *io;
    uint64_t failing_seed;
    bool in_memory;
};

static void on_fiber(void *arg) {
    struct run *run = arg;
    struct bench *bench = mem_alloc(sizeof *bench);
    bench->io = run->io;
    bench->failing_seed = run->failing_seed;
    bench->in_memory = run->in_memory;
    memset(bench->ns.id, 7, NAMESPACE_ID_LEN);
    bench->ns.name = "default";
    bench->ns.retention_ns = SECONDS(3600);
    uuid_text(bench->ns.id, bench->ns.id_text);
    open_all(bench);
    run->test(bench);
    close_all(bench, true);
    arena_free(&bench->arena);
    mem_free(bench);
    io_exit(run->io, 0);
}

static void on_start(struct io *io, void *arg) {
    struct run *run = arg;
    run->io = io;
    assert_non_null(fiber_start(io, "test", on_fiber, run, FIBER_STACK_LARGE));
}

static int run_in_world(struct run *run) {
    char name[] = "shard_test", *argv[] = {name, NULL};
    return io_main(1, argv, on_start, run);
}

int bench_run(void (*test)(struct bench *bench)) { return run_in_world(&(struct run){.test = test}); }

int bench_run_failing(void (*test)(struct bench *bench), uint64_t seed) {
    return run_in_world(&(struct run){.test = test, .failing_seed = seed});
}

int bench_run_unreadable(void (*test)(struct bench *bench)) {
    return run_in_world(&(struct run){.test = test, .in_memory = true});
}

/* ---- calls ---- */

static void ended(struct call *call) {
    struct bench_call *own = CONTAINER_OF(call, struct bench_call, call);
    own->ended = true;
    if (own->waiter) fiber_wake(call->io, own->waiter);
}

static struct bench_call *make_call(struct bench *bench, const ProtobufCMessage *request) {
    struct bench_call *call = ARENA_NEW(&bench->arena, struct bench_call);
    struct bytes packed = pbpack(&bench->arena, request);
    call->call = (struct call){
        .io = bench->io,
        .arena = &bench->arena,
        .request = pb_unpack(&bench->arena, request->descriptor, packed),
        .request_bytes = packed,
        .ns = &bench->ns,
        .method = "Test",
        .client_name = "temporal-go",
        .client_version = "1.50.0",
        .supported_features = "follows-next-run-id",
        .deadline = io_now(bench->io) + SECONDS(70),
        .end = ended,
    };
    return call;
}

struct bench_call *bench_begin(struct bench *bench, engine_call_fn *fn, const ProtobufCMessage *request) {
    struct bench_call *call = make_call(bench, request);
    fn(bench->engine, &call->call);
    return call;
}

static struct bench_call *poll_begin(struct bench *bench, enum queue_type type, const char *queue, const char *identity,
                                     const ProtobufCMessage *request) {
    struct bench_call *call = make_call(bench, request);
    struct queue_poll poll = {.name = {.type = type, .name = bytes_str(queue)}, .identity = identity,
                              .worker_instance_key = "", .rate_per_second = -1};
    memcpy(poll.name.namespace_id, bench->ns.id, NAMESPACE_ID_LEN);
    queues_poll(bench->queues, &call->call, &poll);
    return call;
}

struct bench_call *bench_poll_begin(struct bench *bench, const char *queue, const char *identity) {
    PollWorkflowTaskQueueRequest request = TEMPORAL__API__WORKFLOWSERVICE__V1__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;
    request.identity = pb_text(identity);
    return poll_begin(bench, QUEUE_WORKFLOW, queue, identity, &request.base);
}

struct bench_call *bench_poll_activity_begin(struct bench *bench, const char *queue) {
    PollActivityTaskQueueRequest request = TEMPORAL__API__WORKFLOWSERVICE__V1__POLL_ACTIVITY_TASK_QUEUE_REQUEST__INIT;
    request.identity = pb_text("worker");
    return poll_begin(bench, QUEUE_ACTIVITY, queue, "worker", &request.base);
}

void bench_end(struct bench *bench, struct bench_call *call) {
    call->waiter = fiber_current(bench->io);
    while (!call->ended) fiber_park(bench->io);
    call->waiter = NULL;
}

void *bench_response(struct bench *bench, struct bench_call *call, const ProtobufCMessageDescriptor *type) {
    bench_end(bench, call);
    if (!status_ok(call->call.status)) {
        fail_msg("%s: %s", status_code_name(call->call.status.code), call->call.status.message);
    }
    void *response = pb_unpack(&bench->arena, type, call->call.response);
    assert_non_null(response);
    return response;
}

struct status bench_do(struct bench *bench, engine_call_fn *fn, const ProtobufCMessage *request) {
    struct bench_call *call = bench_begin(bench, fn, request);
    bench_end(bench, call);
    return call->call.status;
}

void *bench_ok(struct bench *bench, engine_call_fn *fn, const ProtobufCMessage *request,
               const ProtobufCMessageDescriptor *response) {
    return bench_response(bench, bench_begin(bench, fn, request), response);
}

/* ---- short cuts ---- */

static WorkflowExecution execution(const char *workflow_id, const char *run_id) {
    WorkflowExecution out = TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    out.workflow_id = pb_text(workflow_id);
    out.run_id = pb_text(run_id);
    return out;
}

const char *bench_start(struct bench *bench, const char *workflow_id) {
    StartWorkflowExecutionRequest request = TEMPORAL__API__WORKFLOWSERVICE__V1__START_WORKFLOW_EXECUTION_REQUEST__INIT;
    WorkflowType type = TEMPORAL__API__COMMON__V1__WORKFLOW_TYPE__INIT;
    TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    type.name = pb_text("type");
    queue.name = pb_text("queue");
    request.workflow_id = pb_text(workflow_id);
    request.workflow_type = &type;
    request.task_queue = &queue;
    StartWorkflowExecutionResponse *response =
        bench_ok(bench, engine_start_workflow_execution, &request.base,
                 &temporal__api__workflowservice__v1__start_workflow_execution_response__descriptor);
    assert_true(response->started);
    return response->run_id;
}

void bench_signal(struct bench *bench, const char *workflow_id, const char *name) {
    Temporal__Api__Workflowservice__V1__SignalWorkflowExecutionRequest request =
        TEMPORAL__API__WORKFLOWSERVICE__V1__SIGNAL_WORKFLOW_EXECUTION_REQUEST__INIT;
    WorkflowExecution target = execution(workflow_id, "");
    request.workflow_execution = &target;
    request.signal_name = pb_text(name);
    struct status status = bench_do(bench, engine_signal_workflow_execution, &request.base);
    if (!status_ok(status)) fail_msg("signal: %s", status.message);
}

PollWorkflowTaskQueueResponse *bench_poll(struct bench *bench, const char *queue) {
    return bench_response(bench, bench_poll_begin(bench, queue, "worker"),
                          &temporal__api__workflowservice__v1__poll_workflow_task_queue_response__descriptor);
}

PollActivityTaskQueueResponse *bench_poll_activity(struct bench *bench, const char *queue) {
    return bench_response(bench, bench_poll_activity_begin(bench, queue),
                          &temporal__api__workflowservice__v1__poll_activity_task_queue_response__descriptor);
}

struct status bench_complete(struct bench *bench, const PollWorkflowTaskQueueResponse *task, Command **commands, size_t count) {
    RespondWorkflowTaskCompletedRequest request =
        TEMPORAL__API__WORKFLOWSERVICE__V1__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
    request.task_token = task->task_token;
    request.identity = pb_text("worker");
    request.commands = commands;
    request.n_commands = count;
    return bench_do(bench, engine_respond_workflow_task_completed, &request.base);
}

struct status bench_complete_sticky(struct bench *bench, const PollWorkflowTaskQueueResponse *task, const char *sticky) {
    RespondWorkflowTaskCompletedRequest request =
        TEMPORAL__API__WORKFLOWSERVICE__V1__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
    Temporal__Api__Taskqueue__V1__StickyExecutionAttributes attributes =
        TEMPORAL__API__TASKQUEUE__V1__STICKY_EXECUTION_ATTRIBUTES__INIT;
    TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    queue.name = pb_text(sticky);
    attributes.worker_task_queue = &queue;
    attributes.schedule_to_start_timeout = pb_duration(&bench->arena, SECONDS(5));
    request.task_token = task->task_token;
    request.identity = pb_text("worker");
    request.sticky_attributes = &attributes;
    return bench_do(bench, engine_respond_workflow_task_completed, &request.base);
}

struct status bench_fail_task(struct bench *bench, const PollWorkflowTaskQueueResponse *task) {
    RespondWorkflowTaskFailedRequest request = TEMPORAL__API__WORKFLOWSERVICE__V1__RESPOND_WORKFLOW_TASK_FAILED_REQUEST__INIT;
    request.task_token = task->task_token;
    request.cause = WFT_CAUSE(WORKFLOW_WORKER_UNHANDLED_FAILURE);
    request.identity = pb_text("worker");
    return bench_do(bench, engine_respond_workflow_task_failed, &request.base);
}

struct status bench_terminate(struct bench *bench, const char *workflow_id) {
    Temporal__Api__Workflowservice__V1__TerminateWorkflowExecutionRequest request =
        TEMPORAL__API__WORKFLOWSERVICE__V1__TERMINATE_WORKFLOW_EXECUTION_REQUEST__INIT;
    WorkflowExecution target = execution(workflow_id, "");
    request.workflow_execution = &target;
    request.reason = pb_text("because");
    return bench_do(bench, engine_terminate_workflow_execution, &request.base);
}

struct exec *bench_exec(struct bench *bench, const char *workflow_id) {
    LIST_EACH(it, &bench->engine->lru) {
        struct exec *exec = LIST_ENTRY(it, struct exec, lru);
        if (text_same(exec_workflow_id(exec), workflow_id)) return exec;
    }
    return NULL;
}

/* ---- histories ---- */

static const char *short_name(int32_t type) {
    switch (type) {
    case EVENT(WORKFLOW_TASK_SCHEDULED): return "S";
    case EVENT(WORKFLOW_TASK_STARTED): return "St";
    case EVENT(WORKFLOW_TASK_COMPLETED): return "C";
    case EVENT(WORKFLOW_TASK_FAILED): return "F";
    case EVENT(WORKFLOW_TASK_TIMED_OUT): return "T";
    default: break;
    }
    const char *name = event_name(type), *prefix = "WORKFLOW_EXECUTION_";
    return strncmp(name, prefix, strlen(prefix)) == 0 ? name + strlen(prefix) : name;
}

const char *bench_events(struct bench *bench, const History *history) {
    struct buf text = {0};
    for (size_t i = 0; i < history->n_events; i++) {
        const HistoryEvent *event = history->events[i];
        if (i) {
            buf_append_u8(&text, ' ');
            assert_int_equal(event->event_id, history->events[i - 1]->event_id + 1);
        }
        buf_printf(&text, "%s", short_name((int32_t)event->event_type));
        assert_non_null(event->event_time);
    }
    const char *out = arena_strdup(&bench->arena, text.len ? buf_cstr(&text) : "");
    buf_free(&text);
    return out;
}

const char *bench_history(struct bench *bench, const char *workflow_id, const char *run_id) {
    HistoryRequest request = TEMPORAL__API__WORKFLOWSERVICE__V1__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
    WorkflowExecution target = execution(workflow_id, run_id);
    request.execution = &target;
    HistoryResponse *response =
        bench_ok(bench, engine_get_workflow_execution_history, &request.base,
                 &temporal__api__workflowservice__v1__get_workflow_execution_history_response__descriptor);
    return bench_events(bench, response->history);
}
