/* The limit of memory: everything on the heap counts; loads wait in order; nothing that frees memory waits for ever. */
#include "unit/shard_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "frontend/norn_api_headers.h"
#include "shard/api.h"
#include "shard/directory.h"
#include "shard/memory.h"
#include "shard/pb.h"

typedef Temporal__Api__Workflowservice__V1__SignalWorkflowExecutionRequest SignalRequest;
typedef Temporal__Api__Workflowservice__V1__DescribeWorkflowExecutionRequest DescribeRequest;

enum { MIB = 1 << 20, RUNS = 12 };

static struct status try_start(struct bench *bench, const char *workflow_id) {
    StartWorkflowExecutionRequest request = TEMPORAL__API__WORKFLOWSERVICE__V1__START_WORKFLOW_EXECUTION_REQUEST__INIT;
    WorkflowType type = TEMPORAL__API__COMMON__V1__WORKFLOW_TYPE__INIT;
    TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    type.name = pb_text("type");
    queue.name = pb_text("queue");
    request.workflow_id = pb_text(workflow_id);
    request.workflow_type = &type;
    request.task_queue = &queue;
    return bench_do(bench, engine_start_workflow_execution, &request.base);
}

static struct status try_signal(struct bench *bench, const char *workflow_id, size_t len) {
    SignalRequest request = TEMPORAL__API__WORKFLOWSERVICE__V1__SIGNAL_WORKFLOW_EXECUTION_REQUEST__INIT;
    WorkflowExecution target = TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    Payload payload = TEMPORAL__API__COMMON__V1__PAYLOAD__INIT, *payloads[] = {&payload};
    Payloads input = TEMPORAL__API__COMMON__V1__PAYLOADS__INIT;
    payload.data.data = arena_alloc(&bench->arena, len);
    payload.data.len = len;
    input.payloads = payloads;
    input.n_payloads = 1;
    target.workflow_id = pb_text(workflow_id);
    request.workflow_execution = &target;
    request.signal_name = pb_text("s");
    request.input = &input;
    return bench_do(bench, engine_signal_workflow_execution, &request.base);
}

static struct bench_call *describe_begin(struct bench *bench, const char *workflow_id) {
    DescribeRequest request = TEMPORAL__API__WORKFLOWSERVICE__V1__DESCRIBE_WORKFLOW_EXECUTION_REQUEST__INIT;
    WorkflowExecution target = TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    target.workflow_id = pb_text(workflow_id);
    request.execution = &target;
    return bench_begin(bench, engine_describe_workflow_execution, &request.base);
}

static const char *id_of(struct bench *bench, int i) { return arena_printf(&bench->arena, "w%d", i); }

/* A signal that is held back while a workflow task is started is in no event of the history yet. */
static void what_is_held_back_counts(struct bench *bench) {
    bench_start(bench, "held");
    PollWorkflowTaskQueueResponse *task = bench_poll(bench, "queue");
    bench->engine->limits.memory_bytes = mem_used() + 8 * MIB;
    assert_true(status_ok(try_start(bench, "before")));
    struct status refused = STATUS_GOOD;
    for (int i = 0; i < 4 && status_ok(refused); i++) refused = try_signal(bench, "held", MIB / 2);
    assert_int_equal(refused.code, STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(try_start(bench, "refused").code, STATUS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(refused.message, "memory"));
    assert_true(status_ok(bench_complete(bench, task, NULL, 0)));      /* what ends work has its way */
    assert_true(status_ok(bench_terminate(bench, "held")));
    bench->engine->limits.memory_bytes = 0;
    assert_true(status_ok(try_start(bench, "let in")));
}

/* With runs that are held in memory and leave no room for any other. */
static void fill(struct bench *bench) {
    for (int i = 0; i < RUNS; i++) bench_start(bench, id_of(bench, i));
    bench_checkpoint(bench);
    bench->engine->limits.memory_bytes = mem_used() / 2;
    memory_look(bench->engine);
    bench_wait(bench, SECONDS(1));
    assert_int_equal(bench->engine->stats.resident, 0);
    assert_int_equal(bench->engine->stats.evictions, RUNS);
}

static void loads_wait_in_order(struct bench *bench) {
    struct bench_call *calls[RUNS];
    fill(bench);
    for (int i = 0; i < RUNS; i++) calls[i] = describe_begin(bench, id_of(bench, i));
    assert_int_equal(bench->engine->loads_begun + bench->engine->stats.loads_waiting, RUNS);
    for (int i = 0; i < RUNS; i++) {
        bench_end(bench, calls[i]);
        assert_true(status_ok(calls[i]->call.status));
        assert_true(bench->engine->stats.resident <= 1);
        assert_true(bench->engine->loads_begun <= 1);
        for (int later = i + 2; later < RUNS; later++) assert_false(calls[later]->ended);
    }
    assert_int_equal(bench->engine->stats.loads_waiting, 0);
}

/* Changes of what was read must be written before it may leave: a checkpoint for each, and the next has its turn. */
static void work_that_frees_memory_goes_on(struct bench *bench) {
    fill(bench);
    for (int i = 0; i < RUNS / 2; i++) {
        PollWorkflowTaskQueueResponse *task = bench_poll(bench, "queue");
        Command command = TEMPORAL__API__COMMAND__V1__COMMAND__INIT, *commands[] = {&command};
        Temporal__Api__Command__V1__CompleteWorkflowExecutionCommandAttributes attributes =
            TEMPORAL__API__COMMAND__V1__COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;
        command.command_type = TEMPORAL__API__ENUMS__V1__COMMAND_TYPE__COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION;
        command.attributes_case = TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
        command.complete_workflow_execution_command_attributes = &attributes;
        assert_true(status_ok(bench_complete(bench, task, commands, 1)));
    }
    int terminated = 0;
    for (int i = 0; i < RUNS; i++) terminated += status_ok(bench_terminate(bench, id_of(bench, i)));
    assert_int_equal(terminated, RUNS - RUNS / 2);
    bench_wait(bench, SECONDS(1));
    assert_int_equal(bench->engine->stats.resident, 0);
}

static Command *start_timer(struct bench *bench, int64_t ns) {
    Command *command = PB_NEW(&bench->arena, temporal__api__command__v1__command);
    command->command_type = TEMPORAL__API__ENUMS__V1__COMMAND_TYPE__COMMAND_TYPE_START_TIMER;
    command->attributes_case = TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_START_TIMER_COMMAND_ATTRIBUTES;
    command->start_timer_command_attributes = PB_NEW(&bench->arena, temporal__api__command__v1__start_timer_command_attributes);
    command->start_timer_command_attributes->timer_id = pb_text("t");
    command->start_timer_command_attributes->start_to_fire_timeout = pb_duration(&bench->arena, ns);
    return command;
}

/* A run that is loaded for its timer stays until the timer has fired: else it would come and go for ever. */
static void a_due_timer_fires_at_its_first_load(struct bench *bench) {
    for (int i = 0; i < RUNS; i++) {
        bench_start(bench, id_of(bench, i));
        Command *commands[] = {start_timer(bench, SECONDS(3))};
        assert_true(status_ok(bench_complete(bench, bench_poll(bench, "queue"), commands, 1)));
    }
    bench_checkpoint(bench);
    bench->engine->limits.memory_bytes = mem_used() / 2;
    memory_look(bench->engine);
    bench_wait(bench, SECONDS(1));
    assert_int_equal(bench->engine->stats.resident, 0);
    uint64_t loads = bench->engine->stats.loads;
    bench_wait(bench, SECONDS(4));
    assert_int_equal(bench->engine->stats.loads - loads, RUNS);
    bench->engine->limits.memory_bytes = 0;
    for (int i = 0; i < RUNS; i++) {
        const PollWorkflowTaskQueueResponse *task = bench_poll(bench, "queue");
        assert_non_null(strstr(bench_events(bench, task->history), "TIMER_FIRED"));
    }
}

/* A client that goes away while its load waits, and a server that stops. */
static void waiting_calls_end(struct bench *bench) {
    fill(bench);
    struct bench_call *first = describe_begin(bench, "w0"), *gone = describe_begin(bench, "w1");
    struct bench_call *stopped = describe_begin(bench, "w2");
    gone->call.on_cancel(&gone->call);
    bench_end(bench, gone);
    assert_int_equal(gone->call.status.code, STATUS_CANCELLED);
    bench_restart(bench, true);
    assert_true(first->ended && stopped->ended);
    assert_int_equal(stopped->call.status.code, STATUS_UNAVAILABLE);
    assert_true(status_ok(bench_terminate(bench, "w2")));
}

#define BENCH_TEST(name)                                                                                       \
    static void name##_runs(void **state) {                                                                    \
        (void)state;                                                                                           \
        assert_int_equal(bench_run(name), 0);                                                                  \
    }
BENCH_TEST(what_is_held_back_counts)
BENCH_TEST(loads_wait_in_order)
BENCH_TEST(work_that_frees_memory_goes_on)
BENCH_TEST(a_due_timer_fires_at_its_first_load)
BENCH_TEST(waiting_calls_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_held_back_counts_runs),
        cmocka_unit_test(loads_wait_in_order_runs),
        cmocka_unit_test(work_that_frees_memory_goes_on_runs),
        cmocka_unit_test(a_due_timer_fires_at_its_first_load_runs),
        cmocka_unit_test(waiting_calls_end_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
