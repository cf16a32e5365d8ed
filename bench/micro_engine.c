/* micro_engine: state transitions of the engine alone. One is an accepted input (a start, a task that is handed out, an
 * answer) with its encoded events, its reply and its journal record; a one-activity workflow is seven of them.
 *
 * A round takes a wave of workflows from start to end, each step for all of them. What a worker would do between the
 * steps, reading its task, does not count. Each round has an engine of its own, so none grows from round to round. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "micro.h"
#include "micro_store.h"
#include "queue/queue.h"
#include "shard/api.h"
#include "shard/call.h"
#include "shard/engine.h"
#include "store/record.h"

#define WS(name) Temporal__Api__Workflowservice__V1__##name
#define WS_INIT(name) TEMPORAL__API__WORKFLOWSERVICE__V1__##name##__INIT

enum { WAVE = 2000 };

/* One call to the engine; its arena goes with it, as in the server. */
struct input {
    struct call call;
    struct arena arena;
    struct bytes response;            /* in `kept` of the wave, when it is asked for */
    bool ended;
};

struct wave {
    struct micro *micro;
    struct engine *engine;
    struct micro_store *store;
    struct namespace_info ns;
    struct queue_task tasks[WAVE];    /* sent to the queue and not started */
    size_t task_count;
    struct input inputs[WAVE];
    ProtobufCBinaryData tokens[WAVE];
    struct arena kept;
    struct arena_pool arenas;         /* of calls, as in the server */
    struct buf records;               /* for the case `recover`: those of one wave */
    bool keeps;                       /* replies are read */
    uint64_t failed;
};

/* ---- the engine's host ------------------------------------------------------------------------------------------ */

static void add_task(void *ctx, const struct queue_name *name, const struct queue_task *task) {
    struct wave *wave = ctx;
    CHECK(wave->task_count < WAVE);
    wave->tasks[wave->task_count++] = *task;
}
static void remove_task(void *ctx, const struct queue_name *name, const struct queue_task *task) {}
static void poll_again(void *ctx, const struct queue_name *name, struct call *poll) { UNREACHABLE("a stale task"); }
static bool sticky_alive(void *ctx, const struct queue_name *name) { return true; }
static const struct namespace_info *namespace_by_id(void *ctx, const uint8_t id[NAMESPACE_ID_LEN]) {
    return &((struct wave *)ctx)->ns;
}
static int32_t attribute_type(void *ctx, const uint8_t id[NAMESPACE_ID_LEN], const char *name) { return 0; }

static void begin(struct wave *wave) {
    struct engine_host host = {add_task, remove_task, poll_again, sticky_alive, namespace_by_id, attribute_type, wave};
    wave->engine = engine_create(wave->micro->io, &host, NULL);
    wave->store = micro_store_create();
    struct store_engine hooks = engine_store_hooks(wave->engine);
    struct store_loop *loop = store_attach(&wave->store->store, wave->micro->io, &hooks);
    engine_attach(wave->engine, loop, 1);
    engine_start(wave->engine);
}

static void end(struct wave *wave) {
    engine_stop(wave->engine);
    fiber_sleep_until(wave->micro->io, io_now(wave->micro->io) + 1000000);
    engine_destroy(wave->engine);
    micro_store_destroy(wave->store);
    arena_free(&wave->kept);
}

/* ---- calls ------------------------------------------------------------------------------------------------------ */

static void ended(struct call *call) {
    struct input *input = CONTAINER_OF(call, struct input, call);
    struct wave *wave = call->waiter;
    if (!status_ok(call->status)) wave->failed++;
    input->ended = true;
    if (wave->keeps)
        input->response = bytes_of(arena_copy(&wave->kept, call->response.data, call->response.len), call->response.len);
    arena_free(&input->arena);
}

static struct call *call_of(struct wave *wave, size_t i, const ProtobufCMessage *request) {
    struct input *input = &wave->inputs[i];
    *input = (struct input){.call = {.io = wave->micro->io, .arena = &input->arena, .request = request, .ns = &wave->ns,
                                     .method = "", .client_name = "", .client_version = "", .supported_features = "",
                                     .deadline = INT64_MAX, .end = ended, .waiter = wave}};
    arena_begin_pooled(&input->arena, &wave->arenas);
    return &input->call;
}

static void settle(struct wave *wave) {
    micro_store_flush(wave->store);
    micro_end(wave->micro, WAVE);
    CHECKF(!wave->failed, "the engine refused %llu inputs", (unsigned long long)wave->failed);
    for (size_t i = 0; i < WAVE; i++) CHECK(wave->inputs[i].ended);
}

static void start_all(struct wave *wave) {
    TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    WorkflowType type = TEMPORAL__API__COMMON__V1__WORKFLOW_TYPE__INIT;
    static char ids[WAVE][32];
    queue.name = pb_text("queue");
    type.name = pb_text("bench");
    for (size_t i = 0; i < WAVE; i++) snprintf(ids[i], sizeof ids[i], "workflow-%zu", i);
    micro_begin(wave->micro);
    for (size_t i = 0; i < WAVE; i++) {
        WS(StartWorkflowExecutionRequest) request = WS_INIT(START_WORKFLOW_EXECUTION_REQUEST);
        request.namespace_ = pb_text("default");
        request.workflow_id = request.request_id = ids[i];
        request.identity = pb_text("norn-bench");
        request.workflow_type = &type;
        request.task_queue = &queue;
        engine_start_workflow_execution(wave->engine, call_of(wave, i, &request.base));
    }
    settle(wave);
}

/* Hands every task out, and reads the tokens. */
static void take_all(struct wave *wave, enum queue_type type) {
    WS(PollWorkflowTaskQueueRequest) workflow = WS_INIT(POLL_WORKFLOW_TASK_QUEUE_REQUEST);
    WS(PollActivityTaskQueueRequest) activity = WS_INIT(POLL_ACTIVITY_TASK_QUEUE_REQUEST);
    struct queue_name name = {.type = type, .name = bytes_str("queue")};
    workflow.identity = activity.identity = pb_text("norn-bench");
    memcpy(name.namespace_id, wave->ns.id, NAMESPACE_ID_LEN);
    CHECK(wave->task_count == WAVE);
    wave->task_count = 0;
    wave->keeps = true;
    micro_begin(wave->micro);
    for (size_t i = 0; i < WAVE; i++) {
        struct queue_task task = wave->tasks[i];
        engine_start_task(wave->engine, &name, &task,
                          call_of(wave, i, type == QUEUE_WORKFLOW ? &workflow.base : &activity.base));
    }
    settle(wave);
    wave->keeps = false;
    for (size_t i = 0; i < WAVE; i++) {
        struct bytes response = wave->inputs[i].response;
        if (type == QUEUE_WORKFLOW) {
            WS(PollWorkflowTaskQueueResponse) *task = pb_unpack(
                &wave->kept, &temporal__api__workflowservice__v1__poll_workflow_task_queue_response__descriptor, response);
            wave->tokens[i] = task->task_token;
        } else {
            WS(PollActivityTaskQueueResponse) *task = pb_unpack(
                &wave->kept, &temporal__api__workflowservice__v1__poll_activity_task_queue_response__descriptor, response);
            wave->tokens[i] = task->task_token;
        }
    }
}

static void answer_tasks(struct wave *wave, Command *command) {
    micro_begin(wave->micro);
    for (size_t i = 0; i < WAVE; i++) {
        WS(RespondWorkflowTaskCompletedRequest) request = WS_INIT(RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST);
        request.namespace_ = pb_text("default");
        request.identity = pb_text("norn-bench");
        request.task_token = wave->tokens[i];
        request.commands = &command;
        request.n_commands = 1;
        engine_respond_workflow_task_completed(wave->engine, call_of(wave, i, &request.base));
    }
    settle(wave);
}

static void schedule_all(struct wave *wave) {
    Command command = TEMPORAL__API__COMMAND__V1__COMMAND__INIT;
    Temporal__Api__Command__V1__ScheduleActivityTaskCommandAttributes activity =
        TEMPORAL__API__COMMAND__V1__SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES__INIT;
    Temporal__Api__Common__V1__ActivityType type = TEMPORAL__API__COMMON__V1__ACTIVITY_TYPE__INIT;
    TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    PbDuration timeout = GOOGLE__PROTOBUF__DURATION__INIT;
    type.name = pb_text("bench");
    queue.name = pb_text("queue");
    timeout.seconds = 30;
    activity.activity_id = pb_text("0");
    activity.activity_type = &type;
    activity.task_queue = &queue;
    activity.start_to_close_timeout = &timeout;
    command.command_type = COMMAND(SCHEDULE_ACTIVITY_TASK);
    command.attributes_case = TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES;
    command.schedule_activity_task_command_attributes = &activity;
    answer_tasks(wave, &command);
}

static void complete_activities(struct wave *wave) {
    micro_begin(wave->micro);
    for (size_t i = 0; i < WAVE; i++) {
        WS(RespondActivityTaskCompletedRequest) request = WS_INIT(RESPOND_ACTIVITY_TASK_COMPLETED_REQUEST);
        request.namespace_ = pb_text("default");
        request.identity = pb_text("norn-bench");
        request.task_token = wave->tokens[i];
        engine_respond_activity_task_completed(wave->engine, call_of(wave, i, &request.base));
    }
    settle(wave);
}

static void close_all(struct wave *wave) {
    Command command = TEMPORAL__API__COMMAND__V1__COMMAND__INIT;
    Temporal__Api__Command__V1__CompleteWorkflowExecutionCommandAttributes complete =
        TEMPORAL__API__COMMAND__V1__COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;
    command.command_type = COMMAND(COMPLETE_WORKFLOW_EXECUTION);
    command.attributes_case =
        TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
    command.complete_workflow_execution_command_attributes = &complete;
    answer_tasks(wave, &command);
}

/* ---- the cases --------------------------------------------------------------------------------------------------- */

static void *create(struct micro *micro) {
    struct wave *wave = MEM_NEW(struct wave);
    wave->micro = micro;
    memset(wave->ns.id, 7, NAMESPACE_ID_LEN);
    wave->ns.name = "default";
    wave->ns.retention_ns = INT64_C(86400000000000);
    uuid_text(wave->ns.id, wave->ns.id_text);
    return wave;
}

static void run_wave(struct wave *wave) {
    start_all(wave);
    take_all(wave, QUEUE_WORKFLOW);
    schedule_all(wave);
    take_all(wave, QUEUE_ACTIVITY);
    complete_activities(wave);
    take_all(wave, QUEUE_WORKFLOW);
    close_all(wave);
    CHECK(engine_stats(wave->engine).workflows_closed == WAVE);
}

static void round_(struct micro *micro, void *state) {
    struct wave *wave = state;
    begin(wave);
    run_wave(wave);
    CHECK(engine_stats(wave->engine).transitions == micro->count);
    end(wave);
}

static void destroy(struct micro *micro, void *state) {
    arena_pool_free(&((struct wave *)state)->arenas);
    mem_free(state);
}

/* What a start does with the records of a wave, once they are read and their checksums are right. */
static void *create_recover(struct micro *micro) {
    struct wave *wave = create(micro);
    begin(wave);
    wave->store->kept = &wave->records;
    run_wave(wave);
    end(wave);
    return wave;
}

static void round_recover(struct micro *micro, void *state) {
    struct wave *wave = state;
    struct engine_host host = {add_task, remove_task, poll_again, sticky_alive, namespace_by_id, attribute_type, wave};
    wave->engine = engine_create(micro->io, &host, NULL);
    struct reader reader = reader_of(buf_bytes(&wave->records));
    uint64_t count = 0;
    micro_begin(micro);
    for (struct store_record record; reader.left.len; count++) {
        CHECK(record_decode(&reader, &record));
        engine_recover_record(wave->engine, &record);
    }
    micro_end(micro, count);
    CHECK(engine_stats(wave->engine).resident == WAVE && engine_stats(wave->engine).open == 0);
    engine_stop(wave->engine);
    engine_destroy(wave->engine);
}

static void destroy_recover(struct micro *micro, void *state) {
    buf_free(&((struct wave *)state)->records);
    destroy(micro, state);
}

const struct micro_case micro_recover = {
    "recover", "records", "journal records of closed workflows of one activity, given to an engine that starts",
    create_recover, round_recover, destroy_recover,
};

const struct micro_case micro_engine = {
    "engine", "transitions", "the engine: accepted inputs, with their events, replies and journal records", create, round_,
    destroy,
};
