/* load_worker: takes workflow tasks and activity tasks, and does what the script says.
 *
 * What comes next is counted in the history that the task carries: of the events that the script asked for, and of
 * those that came. A task that is given twice is answered the same twice. Of a long history a task has the first page,
 * and the others are fetched, as a worker without a cache does. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "load.h"

#define COMMAND_TYPE(name) TEMPORAL__API__ENUMS__V1__COMMAND_TYPE__COMMAND_TYPE_##name
#define EVENT_TYPE(name) TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##name

enum { COMMANDS_MAX = 100 };
static const int64_t CALL_NS = 30 * SECOND, POLL_NS = 70 * SECOND, AGAIN_NS = 100 * MILLISECOND;

/* One poller; it polls again and again. */
struct poller {
    struct load *load;
    bool activity;
    struct io_op again;
};

static void poll(struct poller *poller);

/* ---- the end of a workflow -------------------------------------------------------------------------------------- */

static void one_completed(struct load *load, uint32_t number) {
    bool drains = load->options.scenario->phase == PHASE_BACKLOG;
    struct window *window = drains ? &load->second : &load->window;
    int64_t latency = io_now(load->io) - load_due(load, number);
    /* What a timer asks for is no fault of the server. */
    if (load->options.scenario->script.kind == SCRIPT_TIMER)
        latency -= SCRIPT_TIMER_MS * MILLISECOND * load->options.scenario->script.steps;
    if (load->open) load->open--;
    load->ended++;
    if (load->measures) {
        window->completed++;
        if (load->options.scenario->phase != PHASE_LISTS) hdr_add(&window->latency, latency);
    }
    if (drains) {
        if (load->open == 0) fiber_wake(load->io, load->fiber);
    } else if (load->starts && load->options.rate <= 0 && !load_has_all(load)) {
        load_start_one(load, io_now(load->io));
    }
}

/* ---- signals ---------------------------------------------------------------------------------------------------- */

static void signalled(struct io *io, void *ctx, struct grpc_result *result) {
    (void)io;
    if (!status_ok(result->status)) load_error(ctx, "SignalWorkflowExecution", result->status);
}

static void send_signal(struct load *load, uint32_t number) {
    char id[64];
    snprintf(id, sizeof id, "bench-%" PRIx64 "-%" PRIu32, load->run, number);
    Temporal__Api__Common__V1__WorkflowExecution execution = TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    WS(SignalWorkflowExecutionRequest) request = WS_INIT(SIGNAL_WORKFLOW_EXECUTION_REQUEST);
    execution.workflow_id = id;
    request.namespace_ = text_of(load->options.ns);
    request.workflow_execution = &execution;
    request.signal_name = text_of("go");
    request.identity = text_of("norn-bench");
    load_call(load, load->starter, "SignalWorkflowExecution", &request.base, CALL_NS, signalled, load);
}

/* ---- workflow tasks --------------------------------------------------------------------------------------------- */

/* A workflow task, from its poll until its answer was taken. */
struct task {
    struct load *load;
    uint32_t number, asked, came;
    bool closes, signals;
    struct arena arena;
    ProtobufCBinaryData token, page;
    char *workflow_id, *run_id;
};

static void task_free(struct task *task) {
    arena_free(&task->arena);
    mem_free(task);
}

static void answered(struct io *io, void *ctx, struct grpc_result *result) {
    (void)io;
    struct task task = *(struct task *)ctx;
    task_free(ctx);
    if (!status_ok(result->status)) {
        load_error(task.load, "RespondWorkflowTaskCompleted", result->status);
        return;
    }
    if (task.closes) one_completed(task.load, task.number);
    if (task.signals && task.load->options.scenario->phase == PHASE_IDLE) one_completed(task.load, task.number);
    else if (task.signals) send_signal(task.load, task.number);
}

static void read_history(const Temporal__Api__History__V1__History *history, struct task *task) {
    for (size_t i = 0; history && i < history->n_events; i++) {
        switch ((int)history->events[i]->event_type) {
        case EVENT_TYPE(ACTIVITY_TASK_SCHEDULED):
        case EVENT_TYPE(TIMER_STARTED): task->asked++; break;
        case EVENT_TYPE(ACTIVITY_TASK_COMPLETED):
        case EVENT_TYPE(TIMER_FIRED):
        case EVENT_TYPE(WORKFLOW_EXECUTION_SIGNALED): task->came++; break;
        default: break;
        }
    }
}

/* The parts that commands point to. */
struct commands {
    Temporal__Api__Command__V1__Command one[COMMANDS_MAX], *list[COMMANDS_MAX];
    Temporal__Api__Command__V1__ScheduleActivityTaskCommandAttributes activity[COMMANDS_MAX];
    Temporal__Api__Command__V1__StartTimerCommandAttributes timer;
    Temporal__Api__Command__V1__CompleteWorkflowExecutionCommandAttributes complete;
    Temporal__Api__Common__V1__ActivityType type;
    Temporal__Api__Taskqueue__V1__TaskQueue queue;
    Google__Protobuf__Duration timeout;
    char ids[COMMANDS_MAX][12];
    size_t count;
};

static Temporal__Api__Command__V1__Command *add(struct commands *commands) {
    Temporal__Api__Command__V1__Command *command = &commands->one[commands->count];
    temporal__api__command__v1__command__init(command);
    commands->list[commands->count++] = command;
    return command;
}

static void add_activity(struct commands *commands, uint32_t id) {
    size_t i = commands->count;
    Temporal__Api__Command__V1__Command *command = add(commands);
    Temporal__Api__Command__V1__ScheduleActivityTaskCommandAttributes *activity = &commands->activity[i];
    temporal__api__command__v1__schedule_activity_task_command_attributes__init(activity);
    snprintf(commands->ids[i], sizeof commands->ids[i], "%" PRIu32, id);
    activity->activity_id = commands->ids[i];
    activity->activity_type = &commands->type;
    activity->task_queue = &commands->queue;
    activity->start_to_close_timeout = &commands->timeout;
    command->command_type = COMMAND_TYPE(SCHEDULE_ACTIVITY_TASK);
    command->attributes_case =
        TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES;
    command->schedule_activity_task_command_attributes = activity;
}

static void add_timer(struct commands *commands, uint32_t id) {
    Temporal__Api__Command__V1__Command *command = add(commands);
    temporal__api__command__v1__start_timer_command_attributes__init(&commands->timer);
    snprintf(commands->ids[0], sizeof commands->ids[0], "%" PRIu32, id);
    commands->timeout.seconds = 0;
    commands->timeout.nanos = SCRIPT_TIMER_MS * (int32_t)MILLISECOND;
    commands->timer.timer_id = commands->ids[0];
    commands->timer.start_to_fire_timeout = &commands->timeout;
    command->command_type = COMMAND_TYPE(START_TIMER);
    command->attributes_case = TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_START_TIMER_COMMAND_ATTRIBUTES;
    command->start_timer_command_attributes = &commands->timer;
}

static void add_complete(struct commands *commands) {
    Temporal__Api__Command__V1__Command *command = add(commands);
    temporal__api__command__v1__complete_workflow_execution_command_attributes__init(&commands->complete);
    command->command_type = COMMAND_TYPE(COMPLETE_WORKFLOW_EXECUTION);
    command->attributes_case =
        TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
    command->complete_workflow_execution_command_attributes = &commands->complete;
}

/* The commands for what came so far; also what the answer leads to. */
static void decide(struct task *task, struct commands *commands) {
    struct load *load = task->load;
    const struct script *script = &load->options.scenario->script;
    commands->count = 0;
    temporal__api__common__v1__activity_type__init(&commands->type);
    temporal__api__taskqueue__v1__task_queue__init(&commands->queue);
    google__protobuf__duration__init(&commands->timeout);
    commands->type.name = text_of("bench");
    commands->queue.name = load->queue;
    commands->timeout.seconds = 30;
    if (task->came >= script->steps * script->wide) {
        add_complete(commands);
        task->closes = true;
        return;
    }
    if (script->kind == SCRIPT_SIGNAL) {
        task->signals = true;
        return;
    }
    if (task->asked > task->came) return;          /* the others of this step are still to come */
    for (uint32_t i = 0; i < script->wide; i++) {
        if (script->kind == SCRIPT_TIMER) add_timer(commands, task->asked + i);
        else add_activity(commands, task->asked + i);
    }
}

static void answer_workflow(struct task *task) {
    struct commands *commands = MEM_NEW(struct commands);
    WS(RespondWorkflowTaskCompletedRequest) request = WS_INIT(RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST);
    decide(task, commands);
    request.namespace_ = text_of(task->load->options.ns);
    request.identity = text_of("norn-bench");
    request.task_token = task->token;
    request.n_commands = commands->count;
    request.commands = commands->list;
    load_call(task->load, task->load->worker, "RespondWorkflowTaskCompleted", &request.base, CALL_NS, answered, task);
    mem_free(commands);
}

static void fetch_page(struct task *task);

static ProtobufCBinaryData keep(struct task *task, ProtobufCBinaryData from) {
    return (ProtobufCBinaryData){from.len, arena_copy(&task->arena, from.data, from.len)};
}

static void page_fetched(struct io *io, void *ctx, struct grpc_result *result) {
    (void)io;
    struct task *task = ctx;
    WS(GetWorkflowExecutionHistoryResponse) *page = !status_ok(result->status) ? NULL :
        temporal__api__workflowservice__v1__get_workflow_execution_history_response__unpack(
            arena_pb(&result->arena), result->message.len, result->message.data);
    if (!page) {
        load_error(task->load, "GetWorkflowExecutionHistory", result->status);
        task_free(task);
        return;
    }
    read_history(page->history, task);
    task->page = keep(task, page->next_page_token);
    fetch_page(task);
}

/* The next page, if there is one; then the answer. */
static void fetch_page(struct task *task) {
    Temporal__Api__Common__V1__WorkflowExecution execution = TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    WS(GetWorkflowExecutionHistoryRequest) request = WS_INIT(GET_WORKFLOW_EXECUTION_HISTORY_REQUEST);
    if (!task->page.len) {
        answer_workflow(task);
        return;
    }
    execution.workflow_id = task->workflow_id;
    execution.run_id = task->run_id;
    request.namespace_ = text_of(task->load->options.ns);
    request.execution = &execution;
    request.next_page_token = task->page;
    load_call(task->load, task->load->worker, "GetWorkflowExecutionHistory", &request.base, CALL_NS, page_fetched,
              task);
}

static void take_workflow(struct load *load, const WS(PollWorkflowTaskQueueResponse) *from) {
    struct task *task = MEM_NEW(struct task);
    const char *number = strrchr(from->workflow_execution->workflow_id, '-');
    *task = (struct task){.load = load, .number = (uint32_t)strtoul(number ? number + 1 : "0", NULL, 10)};
    task->token = keep(task, from->task_token);
    task->page = keep(task, from->next_page_token);
    task->workflow_id = arena_strdup(&task->arena, from->workflow_execution->workflow_id);
    task->run_id = arena_strdup(&task->arena, from->workflow_execution->run_id);
    read_history(from->history, task);
    fetch_page(task);
}

/* ---- activity tasks --------------------------------------------------------------------------------------------- */

static void activity_answered(struct io *io, void *ctx, struct grpc_result *result) {
    (void)io;
    if (!status_ok(result->status)) load_error(ctx, "RespondActivityTaskCompleted", result->status);
}

static void answer_activity(struct load *load, const WS(PollActivityTaskQueueResponse) *task) {
    WS(RespondActivityTaskCompletedRequest) request = WS_INIT(RESPOND_ACTIVITY_TASK_COMPLETED_REQUEST);
    request.namespace_ = text_of(load->options.ns);
    request.identity = text_of("norn-bench");
    request.task_token = task->task_token;
    load_call(load, load->worker, "RespondActivityTaskCompleted", &request.base, CALL_NS, activity_answered, load);
}

/* ---- polls ------------------------------------------------------------------------------------------------------ */

static void poll_again(struct io *io, struct io_op *op) {
    (void)io;
    poll(op->ctx);
}

static void polled(struct io *io, void *ctx, struct grpc_result *result) {
    struct poller *poller = ctx;
    struct load *load = poller->load;
    if (load->stopping) return;
    if (!status_ok(result->status)) {
        load_error(load, poller->activity ? "PollActivityTaskQueue" : "PollWorkflowTaskQueue", result->status);
        poller->again = (struct io_op){.done = poll_again, .ctx = poller};
        io_timer(io, &poller->again, io_now(io) + AGAIN_NS);
        return;
    }
    ProtobufCAllocator *memory = arena_pb(&result->arena);
    if (poller->activity) {
        WS(PollActivityTaskQueueResponse) *task =
            temporal__api__workflowservice__v1__poll_activity_task_queue_response__unpack(
                memory, result->message.len, result->message.data);
        if (task && task->task_token.len) answer_activity(load, task);
    } else {
        WS(PollWorkflowTaskQueueResponse) *task =
            temporal__api__workflowservice__v1__poll_workflow_task_queue_response__unpack(
                memory, result->message.len, result->message.data);
        if (task && task->task_token.len) take_workflow(load, task);
    }
    poll(poller);
}

static void poll(struct poller *poller) {
    struct load *load = poller->load;
    Temporal__Api__Taskqueue__V1__TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    WS(PollWorkflowTaskQueueRequest) workflow = WS_INIT(POLL_WORKFLOW_TASK_QUEUE_REQUEST);
    WS(PollActivityTaskQueueRequest) activity = WS_INIT(POLL_ACTIVITY_TASK_QUEUE_REQUEST);
    queue.name = load->queue;
    workflow.namespace_ = activity.namespace_ = text_of(load->options.ns);
    workflow.identity = activity.identity = text_of("norn-bench");
    workflow.task_queue = activity.task_queue = &queue;
    const ProtobufCMessage *request = poller->activity ? &activity.base : &workflow.base;
    const char *method = poller->activity ? "PollActivityTaskQueue" : "PollWorkflowTaskQueue";
    load_call(load, load->worker, method, request, POLL_NS, polled, poller);
}

/* Pollers live as long as the process. */
void load_worker_begin(struct load *load) {
    const struct script *script = &load->options.scenario->script;
    bool activities = script->kind == SCRIPT_ACTIVITY && script->steps > 0;
    for (uint32_t i = 0; i < load->options.pollers * (activities ? 2 : 1); i++) {
        struct poller *poller = MEM_NEW(struct poller);
        *poller = (struct poller){.load = load, .activity = i % 2 == 1};
        if (!activities) poller->activity = false;
        poll(poller);
    }
}
