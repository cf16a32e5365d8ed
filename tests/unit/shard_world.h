/* shard_world: one engine on the simulated backend, with a store in memory and queues that are lists. A test program
 * includes this once; each test runs on a fiber in a world of its own.
 *
 * Calls go straight to the engine's functions, and replies come back as a client would decode them. Commits become
 * durable one virtual millisecond after they are appended. When a test ends, every run in memory is rebuilt from its
 * history and compared (engine_verify). */
#ifndef NORN_TESTS_SHARD_WORLD_H
#define NORN_TESTS_SHARD_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fiber/fiber.h"
#include "shard/api.h"
#include "shard/engine.h"
#include "shard/events.h"
#include "shard/pb.h"
#include "shard/search_attributes.h"
#include "store/engine_side.h"

#pragma GCC diagnostic ignored "-Wunused-function"     /* no test program needs all of it */

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)

/* ---- the store ------------------------------------------------------------------------------------------------------ */

struct list_store {
    struct store_loop loop;
    struct store_engine engine;
    struct io *io;
    struct io_op timer;
    uint64_t appended, durable;
    bool full;
};
static struct list_store *list_store(const struct store_loop *loop) { return CONTAINER_OF(loop, struct list_store, loop); }

static void tick_later(struct list_store *store);
static void tick(struct io *io, struct io_op *op) {
    struct list_store *store = op->ctx;
    if (op->result < 0) return;
    store->durable = store->appended;
    store->engine.durable(store->engine.ctx, store->durable);
    tick_later(store);
}
static void tick_later(struct list_store *store) {
    if (store->timer.busy || store->durable == store->appended) return;
    store->timer.done = tick;
    store->timer.ctx = store;
    io_timer(store->io, &store->timer, io_now(store->io) + MS);
}
static uint64_t list_append(struct store_loop *loop, const struct store_record *record) {
    list_store(loop)->appended++;
    tick_later(list_store(loop));
    return list_store(loop)->appended;
}
static uint64_t list_appended(const struct store_loop *loop) { return list_store(loop)->appended; }
static uint64_t list_durable(const struct store_loop *loop) { return list_store(loop)->durable; }
static struct status list_admit(struct store_loop *loop, enum store_class class, size_t bytes, struct arena *arena) {
    if (!list_store(loop)->full || class == STORE_RESERVED) return STATUS_GOOD;
    return status_make(arena, STATUS_RESOURCE_EXHAUSTED, "the disk is full");
}
static bool list_may_have(const struct store_loop *loop, uint64_t hash) { return false; }
static void list_load(struct store_loop *loop, const struct store_key *key, store_loaded_fn *done,
                      void *ctx) {
    done(ctx, STATUS_GOOD, NULL);
}
static const struct store_ops list_ops = {
    .append = list_append, .appended = list_appended, .durable = list_durable, .admit = list_admit,
    .may_have = list_may_have, .load = list_load,
};

/* ---- the world ------------------------------------------------------------------------------------------------------ */

enum { TASKS_MAX = 64 };

struct queued {
    bool used, sticky_looks_dead;
    struct queue_name name;
    struct queue_task task;
    char text[64];
};

struct world {
    struct io *io;
    struct engine *engine;
    struct list_store store;
    struct arena arena;
    struct namespace_info ns;
    struct queued tasks[TASKS_MAX];
    bool given_back;                   /* the last poll was */
    const char *dead_queue;            /* nobody polls it */
};

static void wait(struct world *world, int64_t ns) { fiber_sleep_until(world->io, io_now(world->io) + ns); }

static void add_task(void *ctx, const struct queue_name *name, const struct queue_task *task) {
    struct world *world = ctx;
    for (int i = 0; i < TASKS_MAX; i++) {
        struct queued *queued = &world->tasks[i];
        if (queued->used) continue;
        *queued = (struct queued){.used = true, .name = *name, .task = *task};
        assert_true(name->name.len < sizeof queued->text);
        memcpy(queued->text, name->name.data, name->name.len);
        queued->name.name.data = (const uint8_t *)queued->text;
        return;
    }
    fail_msg("too many tasks");
}
static bool is_task(const struct queued *queued, enum queue_type type, const char *name) {
    return queued->used && queued->name.type == type && bytes_equal(queued->name.name, bytes_str(name));
}
static void remove_task(void *ctx, const struct queue_name *name, const struct queue_task *task) {
    struct world *world = ctx;
    for (int i = 0; i < TASKS_MAX; i++) {
        struct queued *queued = &world->tasks[i];
        if (queued->used && queued->task.stamp == task->stamp && queued->task.query == task->query &&
            bytes_equal(queued->name.name, name->name))
            queued->used = false;
    }
}
static void poll_again(void *ctx, const struct queue_name *name, struct call *poll) {
    ((struct world *)ctx)->given_back = true;
}
static bool sticky_alive(void *ctx, const struct queue_name *name) {
    struct world *world = ctx;
    return !world->dead_queue || !bytes_equal(name->name, bytes_str(world->dead_queue));
}
static const struct namespace_info *namespace_by_id(void *ctx, const uint8_t id[NAMESPACE_ID_LEN]) {
    return &((struct world *)ctx)->ns;
}
static int32_t attribute_type(void *ctx, const uint8_t id[NAMESPACE_ID_LEN], const char *name) {
    return strcmp(name, "CustomKeywordField") == 0 ? SA_KEYWORD : strcmp(name, "CustomIntField") == 0 ? SA_INT : 0;
}

/* ---- calls ---------------------------------------------------------------------------------------------------------- */

struct test_call {
    struct call call;
    struct arena arena;
    bool ended;
};
static void call_ended(struct call *call) { CONTAINER_OF(call, struct test_call, call)->ended = true; }

/* The request is packed and unpacked, as on the wire: handlers may change it. */
static struct test_call *begin(struct world *world, engine_call_fn *function, const ProtobufCMessage *request,
                               int64_t deadline) {
    struct test_call *test = arena_alloc(&world->arena, sizeof(*test));
    struct call *call = &test->call;
    struct bytes packed = pbpack(&world->arena, request);
    *call = (struct call){.io = world->io, .arena = &world->arena, .ns = &world->ns, .method = "Test",
                          .client_name = "temporal-cli", .client_version = "", .end = call_ended, .request_bytes = packed,
                          .deadline = io_now(world->io) + deadline};
    call->request = pb_unpack(&world->arena, request->descriptor, packed);
    assert_non_null(call->request);
    if (function) function(world->engine, call);
    return test;
}

static struct status run_call(struct world *world, engine_call_fn *function, const ProtobufCMessage *request,
                              const ProtobufCMessageDescriptor *type, void *response) {
    struct test_call *test = begin(world, function, request, 10 * SECOND);
    for (int i = 0; !test->ended && i < 100; i++) wait(world, MS);
    assert_true(test->ended);
    if (status_ok(test->call.status) && response)
        *(void **)response = pb_unpack(&world->arena, type, test->call.response);
    return test->call.status;
}

#define WS(Name) Temporal__Api__Workflowservice__V1__##Name
#define REQUEST_NEW(world, name) PB_NEW(&(world)->arena, temporal__api__workflowservice__v1__##name##_request)
#define CALL(world, name, request, response)                                                                   \
    run_call((world), engine_##name, &(request)->base,                                                         \
             &temporal__api__workflowservice__v1__##name##_response__descriptor, (response))

static void expect_ok(struct status status) {
    if (!status_ok(status)) fail_msg("%s: %s", status_code_name(status.code), status.message);
}
static void expect_status(struct status status, enum status_code code, const char *message) {
    assert_int_equal(status.code, code);
    assert_string_equal(status.message, message);
}

static char *text_of(struct world *world, const char *text) { return arena_strdup(&world->arena, text); }
static Payloads *json(struct world *world, const char *text) { return payloads_json(&world->arena, bytes_str(text)); }

/* ---- workflows ------------------------------------------------------------------------------------------------------ */

static TaskQueue *queue(struct world *world, const char *name) {
    TaskQueue *q = PB_NEW(&world->arena, temporal__api__taskqueue__v1__task_queue);
    q->name = text_of(world, name);
    return q;
}
static WorkflowExecution *execution(struct world *world, const char *id) {
    WorkflowExecution *e = PB_NEW(&world->arena, temporal__api__common__v1__workflow_execution);
    e->workflow_id = text_of(world, id);
    return e;
}

static StartWorkflowExecutionRequest *start_request(struct world *world, const char *id) {
    StartWorkflowExecutionRequest *r = REQUEST_NEW(world, start_workflow_execution);
    r->namespace_ = text_of(world, "default");
    r->workflow_id = text_of(world, id);
    r->workflow_type = PB_NEW(&world->arena, temporal__api__common__v1__workflow_type);
    r->workflow_type->name = text_of(world, "Order");
    r->task_queue = queue(world, "tq");
    r->request_id = arena_printf(&world->arena, "start-%s", id);
    return r;
}
static void start(struct world *world, const char *id) { expect_ok(CALL(world, start_workflow_execution, start_request(world, id), NULL)); }

static void signal_workflow(struct world *world, const char *id, const char *name) {
    WS(SignalWorkflowExecutionRequest) *r = REQUEST_NEW(world, signal_workflow_execution);
    r->workflow_execution = execution(world, id);
    r->signal_name = text_of(world, name);
    expect_ok(CALL(world, signal_workflow_execution, r, NULL));
}

/* The next task of the queue goes to a poll. NULL: there is none. */
static void *poll_queue(struct world *world, enum queue_type type, const char *name, const ProtobufCMessage *request,
                        const ProtobufCMessageDescriptor *response) {
    for (int i = 0; i < TASKS_MAX; i++) {
        struct queued *queued = &world->tasks[i];
        if (!is_task(queued, type, name)) continue;
        struct queued taken = *queued;
        taken.name.name.data = (const uint8_t *)taken.text;
        queued->used = false;
        world->given_back = false;
        struct test_call *poll = begin(world, NULL, request, 60 * SECOND);
        engine_start_task(world->engine, &taken.name, &taken.task, &poll->call);
        if (world->given_back) continue;
        for (int n = 0; !poll->ended && n < 100; n++) wait(world, MS);
        assert_true(poll->ended);
        expect_ok(poll->call.status);
        return pb_unpack(&world->arena, response, poll->call.response);
    }
    return NULL;
}
static PollWorkflowTaskQueueResponse *poll_workflow(struct world *world, const char *name) {
    wait(world, 3 * MS);
    PollWorkflowTaskQueueRequest *r = REQUEST_NEW(world, poll_workflow_task_queue);
    r->task_queue = queue(world, name);
    r->identity = text_of(world, "worker");
    return poll_queue(world, QUEUE_WORKFLOW, name, &r->base,
                      &temporal__api__workflowservice__v1__poll_workflow_task_queue_response__descriptor);
}
static PollActivityTaskQueueResponse *poll_activity(struct world *world, const char *name) {
    wait(world, 3 * MS);
    PollActivityTaskQueueRequest *r = REQUEST_NEW(world, poll_activity_task_queue);
    r->task_queue = queue(world, name);
    r->identity = text_of(world, "worker");
    return poll_queue(world, QUEUE_ACTIVITY, name, &r->base,
                      &temporal__api__workflowservice__v1__poll_activity_task_queue_response__descriptor);
}

/* ---- commands ------------------------------------------------------------------------------------------------------- */

static Command *command(struct world *world, int32_t type) {
    Command *c = PB_NEW(&world->arena, temporal__api__command__v1__command);
    c->command_type = type;
    return c;
}
#define COMMAND_NEW(world, c, NAME, name)                                                                      \
    Command *c = command((world), COMMAND(NAME));                                                              \
    c->attributes_case = TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_##NAME##_COMMAND_ATTRIBUTES;          \
    c->name##_command_attributes = PB_NEW(&(world)->arena, temporal__api__command__v1__##name##_command_attributes)

static Command *schedule_activity(struct world *world, const char *id, int64_t close, int64_t run, int32_t attempts) {
    COMMAND_NEW(world, c, SCHEDULE_ACTIVITY_TASK, schedule_activity_task);
    Temporal__Api__Command__V1__ScheduleActivityTaskCommandAttributes *a = c->schedule_activity_task_command_attributes;
    a->activity_id = text_of(world, id);
    a->activity_type = PB_NEW(&world->arena, temporal__api__common__v1__activity_type);
    a->activity_type->name = text_of(world, "Charge");
    a->input = json(world, "\"input\"");
    if (close) a->schedule_to_close_timeout = pb_duration(&world->arena, close);
    if (run) a->start_to_close_timeout = pb_duration(&world->arena, run);
    if (attempts) {
        a->retry_policy = PB_NEW(&world->arena, temporal__api__common__v1__retry_policy);
        a->retry_policy->maximum_attempts = attempts;
    }
    return c;
}
static Command *cancel_activity(struct world *world, int64_t scheduled_event_id) {
    COMMAND_NEW(world, c, REQUEST_CANCEL_ACTIVITY_TASK, request_cancel_activity_task);
    c->request_cancel_activity_task_command_attributes->scheduled_event_id = scheduled_event_id;
    return c;
}
static Command *start_timer(struct world *world, const char *id, int64_t ns) {
    COMMAND_NEW(world, c, START_TIMER, start_timer);
    c->start_timer_command_attributes->timer_id = text_of(world, id);
    c->start_timer_command_attributes->start_to_fire_timeout = pb_duration(&world->arena, ns);
    return c;
}
static Command *cancel_timer(struct world *world, const char *id) {
    COMMAND_NEW(world, c, CANCEL_TIMER, cancel_timer);
    c->cancel_timer_command_attributes->timer_id = text_of(world, id);
    return c;
}
static Command *complete_workflow(struct world *world) {
    COMMAND_NEW(world, c, COMPLETE_WORKFLOW_EXECUTION, complete_workflow_execution);
    c->complete_workflow_execution_command_attributes->result = json(world, "\"done\"");
    return c;
}
static Command *marker(struct world *world, const char *name) {
    COMMAND_NEW(world, c, RECORD_MARKER, record_marker);
    c->record_marker_command_attributes->marker_name = text_of(world, name);
    return c;
}

static RespondWorkflowTaskCompletedRequest *completion(struct world *world, const PollWorkflowTaskQueueResponse *task) {
    assert_non_null(task);
    RespondWorkflowTaskCompletedRequest *r = REQUEST_NEW(world, respond_workflow_task_completed);
    r->task_token = task->task_token;
    r->identity = text_of(world, "worker");
    r->commands = arena_alloc(&world->arena, 64 * sizeof(*r->commands));
    return r;
}
static void stick(struct world *world, RespondWorkflowTaskCompletedRequest *r, const char *name) {
    r->sticky_attributes = PB_NEW(&world->arena, temporal__api__taskqueue__v1__sticky_execution_attributes);
    r->sticky_attributes->worker_task_queue = queue(world, name);
    r->sticky_attributes->schedule_to_start_timeout = pb_duration(&world->arena, 5 * SECOND);
}
/* Ends with NULL. */
static struct status respond(struct world *world, const PollWorkflowTaskQueueResponse *task, const char *sticky, ...) {
    RespondWorkflowTaskCompletedRequest *r = completion(world, task);
    if (sticky) stick(world, r, sticky);
    va_list args;
    va_start(args, sticky);
    for (Command *c; (c = va_arg(args, Command *));) r->commands[r->n_commands++] = c;
    va_end(args);
    return CALL(world, respond_workflow_task_completed, r, NULL);
}

/* ---- activities ----------------------------------------------------------------------------------------------------- */

static struct status complete_activity(struct world *world, const PollActivityTaskQueueResponse *task) {
    WS(RespondActivityTaskCompletedRequest) *r = REQUEST_NEW(world, respond_activity_task_completed);
    r->task_token = task->task_token;
    r->identity = text_of(world, "worker");
    r->result = json(world, "\"paid\"");
    return CALL(world, respond_activity_task_completed, r, NULL);
}
static Failure *application_failure(struct world *world, const char *message, bool non_retryable) {
    Failure *f = PB_NEW(&world->arena, temporal__api__failure__v1__failure);
    f->message = text_of(world, message);
    f->failure_info_case = FAILURE_INFO(APPLICATION);
    f->application_failure_info = PB_NEW(&world->arena, temporal__api__failure__v1__application_failure_info);
    f->application_failure_info->non_retryable = non_retryable;
    return f;
}
static struct status fail_activity(struct world *world, const PollActivityTaskQueueResponse *task, const char *message,
                                   bool non_retryable) {
    WS(RespondActivityTaskFailedRequest) *r = REQUEST_NEW(world, respond_activity_task_failed);
    r->task_token = task->task_token;
    r->identity = text_of(world, "worker");
    r->failure = application_failure(world, message, non_retryable);
    return CALL(world, respond_activity_task_failed, r, NULL);
}

/* ---- histories ------------------------------------------------------------------------------------------------------ */

/* What matters of an event beside its name. */
static void describe_event(const HistoryEvent *e, struct buf *out) {
#define A(name) const typeof(*e->name##_event_attributes) *a = e->name##_event_attributes
#define LL(value) (long long)(value)
    switch (e->event_type) {
    case EVENT(WORKFLOW_TASK_SCHEDULED): {
        A(workflow_task_scheduled);
        if (a->task_queue->kind == QUEUE_KIND(STICKY)) buf_printf(out, " sticky");
        if (a->attempt > 1) buf_printf(out, " attempt %d", a->attempt);
        break;
    }
    case EVENT(WORKFLOW_TASK_FAILED): {
        A(workflow_task_failed);
        buf_printf(out, " cause %d", (int)a->cause);
        break;
    }
    case EVENT(WORKFLOW_TASK_TIMED_OUT): {
        A(workflow_task_timed_out);
        buf_printf(out, " type %d started %lld", (int)a->timeout_type, LL(a->started_event_id));
        break;
    }
    case EVENT(ACTIVITY_TASK_STARTED): {
        A(activity_task_started);
        buf_printf(out, " scheduled %lld attempt %d%s%s", LL(a->scheduled_event_id), a->attempt,
                   a->last_failure ? " after " : "", a->last_failure ? a->last_failure->message : "");
        break;
    }
    case EVENT(ACTIVITY_TASK_COMPLETED): {
        A(activity_task_completed);
        buf_printf(out, " scheduled %lld started %lld", LL(a->scheduled_event_id), LL(a->started_event_id));
        break;
    }
    case EVENT(ACTIVITY_TASK_FAILED): {
        A(activity_task_failed);
        buf_printf(out, " scheduled %lld started %lld retry %d: %s", LL(a->scheduled_event_id), LL(a->started_event_id),
                   (int)a->retry_state, a->failure->message);
        break;
    }
    case EVENT(ACTIVITY_TASK_TIMED_OUT): {
        A(activity_task_timed_out);
        buf_printf(out, " scheduled %lld started %lld retry %d type %d%s%s", LL(a->scheduled_event_id),
                   LL(a->started_event_id), (int)a->retry_state, (int)a->failure->timeout_failure_info->timeout_type,
                   a->failure->cause ? " after " : "", a->failure->cause ? a->failure->cause->message : "");
        break;
    }
    case EVENT(ACTIVITY_TASK_CANCELED): {
        A(activity_task_canceled);
        buf_printf(out, " scheduled %lld started %lld request %lld", LL(a->scheduled_event_id), LL(a->started_event_id),
                   LL(a->latest_cancel_requested_event_id));
        break;
    }
    case EVENT(TIMER_FIRED): {
        A(timer_fired);
        buf_printf(out, " %s started %lld", a->timer_id, LL(a->started_event_id));
        break;
    }
    case EVENT(TIMER_CANCELED): {
        A(timer_canceled);
        buf_printf(out, " %s started %lld", a->timer_id, LL(a->started_event_id));
        break;
    }
    case EVENT(WORKFLOW_EXECUTION_SIGNALED): {
        A(workflow_execution_signaled);
        buf_printf(out, " %s", a->signal_name);
        break;
    }
    default: break;
    }
#undef A
#undef LL
}

static const char *events_text(struct world *world, const History *history) {
    struct buf out = {0};
    for (size_t i = 0; history && i < history->n_events; i++) {
        const HistoryEvent *e = history->events[i];
        buf_printf(&out, "%lld %s", (long long)e->event_id,
                   enum_text(&world->arena, &temporal__api__enums__v1__event_type__descriptor, "EVENT_TYPE_",
                             (int)e->event_type));
        describe_event(e, &out);
        buf_append_u8(&out, '\n');
    }
    const char *text = arena_text(&world->arena, buf_bytes(&out));
    buf_free(&out);
    return text;
}

static const char *history_text(struct world *world, const char *id) {
    WS(GetWorkflowExecutionHistoryRequest) *r = REQUEST_NEW(world, get_workflow_execution_history);
    WS(GetWorkflowExecutionHistoryResponse) * response;
    r->execution = execution(world, id);
    expect_ok(CALL(world, get_workflow_execution_history, r, &response));
    return events_text(world, response->history);
}
/* The history from its fifth event on: every test begins alike. */
static void expect_history(struct world *world, const char *id, const char *expected) {
    const char *begins = "1 WorkflowExecutionStarted\n2 WorkflowTaskScheduled\n3 WorkflowTaskStarted\n";
    const char *text = history_text(world, id);
    if (strncmp(text, begins, strlen(begins)) != 0) fail_msg("the history is\n%s", text);
    assert_string_equal(text + strlen(begins), expected);
}

/* ---- each test in a world of its own -------------------------------------------------------------------------------- */

struct world_run {
    void (*test)(struct world *world);
    struct io *io;
};

static void world_on_fiber(void *arg) {
    struct world_run *run = arg;
    struct world *world = MEM_NEW(struct world);
    world->io = run->io;
    memset(world->ns.id, 7, sizeof world->ns.id);
    world->ns.name = "default";
    world->ns.state = 1;
    world->ns.retention_ns = 3600 * 24 * SECOND;
    struct engine_host host = {add_task, remove_task, poll_again, sticky_alive, namespace_by_id, attribute_type, world};
    world->engine = engine_create(run->io, &host, &(struct engine_limits){0});
    world->store.loop.ops = &list_ops;
    world->store.io = run->io;
    world->store.engine = engine_store_hooks(world->engine);
    engine_attach(world->engine, &world->store.loop, 1);
    engine_set_numbers(world->engine, 1, 1);
    engine_start(world->engine);
    run->test(world);
    wait(world, 10 * MS);
    engine_verify(world->engine);
    engine_stop(world->engine);
    wait(world, 10 * MS);
    engine_destroy(world->engine);
    arena_free(&world->arena);
    mem_free(world);
    io_exit(run->io, 0);
}
static void world_on_start(struct io *io, void *arg) {
    struct world_run *run = arg;
    run->io = io;
    assert_non_null(fiber_start(io, "test", world_on_fiber, run, FIBER_STACK_LARGE));
}
static void in_world(void **state) {
    struct world_run run = {.test = *(void (**)(struct world *))state};
    char name[] = "shard_test", *argv[] = {name, NULL};
    assert_int_equal(io_main(1, argv, world_on_start, &run), 0);
}
#define TEST(function) {#function, in_world, NULL, NULL, (void *)function}

#endif
