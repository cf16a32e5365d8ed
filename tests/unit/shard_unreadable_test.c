/* A store whose reads fail for a while: who asks for a run that is not in memory is told, and all else is done later. */
#include "unit/shard_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "shard/directory.h"

typedef Temporal__Api__Workflowservice__V1__DescribeWorkflowExecutionRequest DescribeRequest;
typedef Temporal__Api__Workflowservice__V1__DescribeWorkflowExecutionResponse DescribeResponse;

static struct bench_call *describe_begin(struct bench *bench, const char *run_id) {
    DescribeRequest request = TEMPORAL__API__WORKFLOWSERVICE__V1__DESCRIBE_WORKFLOW_EXECUTION_REQUEST__INIT;
    WorkflowExecution execution = TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    execution.workflow_id = pb_text("w");
    execution.run_id = pb_text(run_id);
    request.execution = &execution;
    return bench_begin(bench, engine_describe_workflow_execution, &request.base);
}

static struct status describe(struct bench *bench, const char *run_id) {
    struct bench_call *call = describe_begin(bench, run_id);
    bench_end(bench, call);
    return call->call.status;
}

static void expect_unread(struct status status, const char *name) {
    assert_int_equal(status.code, STATUS_UNAVAILABLE);
    assert_non_null(strstr(status.message, name));
    assert_non_null(strstr(status.message, "reads fail"));
}

static void evict(struct bench *bench) {
    bench_checkpoint(bench);
    LIST_EACH(it, &bench->engine->lru) {
        struct exec *exec = LIST_ENTRY(it, struct exec, lru);
        assert_true(directory_evictable(bench->engine, exec));
        directory_drop(bench->engine, exec);
    }
}

static uint64_t failed(struct bench *bench) { return engine_stats(bench->engine).loads_failed; }

static void a_request_is_told(struct bench *bench) {
    const char *run_id = bench_start(bench, "w");
    evict(bench);
    bench->unreadable = true;
    struct bench_call *both[] = {describe_begin(bench, ""), describe_begin(bench, "")};
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        bench_end(bench, both[i]);
        expect_unread(both[i]->call.status, "workflow execution w could not be read");
    }
    assert_int_equal(failed(bench), 1);
    expect_unread(describe(bench, run_id), run_id);
    assert_true(list_empty(&bench->engine->loads));
    bench->unreadable = false;
    assert_true(status_ok(describe(bench, run_id)));
    assert_true(status_ok(describe(bench, "")));
}

static void a_task_goes_back_to_its_queue(struct bench *bench) {
    bench_start(bench, "w");
    evict(bench);
    bench->unreadable = true;
    struct bench_call *poll = bench_poll_begin(bench, "queue", "worker");
    bench_wait(bench, SECONDS(20));
    assert_false(poll->ended);
    assert_in_range(failed(bench), 3, 10);       /* it neither gives up nor spins */
    bench->unreadable = false;
    bench_end(bench, poll);
    PollWorkflowTaskQueueResponse *task = bench_response(
        bench, poll, &temporal__api__workflowservice__v1__poll_workflow_task_queue_response__descriptor);
    assert_string_equal(task->workflow_execution->workflow_id, "w");
    assert_true(status_ok(bench_complete(bench, task, NULL, 0)));
}

/* While the task of one run is held, the poll takes that of another; without a poll the task waits in its queue. */
static void a_poll_waits_for_other_tasks(struct bench *bench) {
    bench_start(bench, "w");
    evict(bench);
    bench->unreadable = true;
    struct bench_call *poll = bench_poll_begin(bench, "queue", "worker");
    bench_wait(bench, SECONDS(1));
    bench_start(bench, "v");
    bench_end(bench, poll);
    PollWorkflowTaskQueueResponse *task = bench_response(
        bench, poll, &temporal__api__workflowservice__v1__poll_workflow_task_queue_response__descriptor);
    assert_string_equal(task->workflow_execution->workflow_id, "v");
    bench_wait(bench, SECONDS(60));
    assert_true(list_empty(&bench->engine->loads));
    bench->unreadable = false;
    task = bench_poll(bench, "queue");
    assert_string_equal(task->workflow_execution->workflow_id, "w");
}

/* A closed run is deleted after its retention, though it could not be read when that was over. */
static void a_deadline_is_met_later(struct bench *bench) {
    const char *run_id = bench_start(bench, "w");
    assert_true(status_ok(bench_terminate(bench, "w")));
    bench_checkpoint(bench);
    evict(bench);
    bench->unreadable = true;
    bench_wait(bench, bench->ns.retention_ns + SECONDS(300));
    assert_in_range(failed(bench), 3, 30);
    expect_unread(describe(bench, run_id), run_id);
    bench->unreadable = false;
    bench_wait(bench, SECONDS(30));
    assert_int_equal(describe(bench, run_id).code, STATUS_NOT_FOUND);
}

static void a_successor_stays_in_doubt(struct bench *bench) {
    bench_start(bench, "w");
    Command command = TEMPORAL__API__COMMAND__V1__COMMAND__INIT, *commands = &command;
    Temporal__Api__Command__V1__ContinueAsNewWorkflowExecutionCommandAttributes again =
        TEMPORAL__API__COMMAND__V1__CONTINUE_AS_NEW_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;
    command.command_type = COMMAND(CONTINUE_AS_NEW_WORKFLOW_EXECUTION);
    command.attributes_case =
        TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_CONTINUE_AS_NEW_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
    command.continue_as_new_workflow_execution_command_attributes = &again;
    assert_true(status_ok(bench_complete(bench, bench_poll(bench, "queue"), &commands, 1)));
    bench_checkpoint(bench);
    struct exec *successor = bench_exec(bench, "w");
    uint64_t before = successor->start->predecessor;
    assert_int_not_equal(before, 0);
    assert_null(engine_resident(bench->engine, before));       /* closed, so the checkpoint let it go */

    bench->unreadable = true;
    directory_doubt(bench->engine, successor);
    expect_unread(describe(bench, ""), arena_printf(&bench->arena, "number %llu", (unsigned long long)before));
    bench_wait(bench, SECONDS(20));
    assert_non_null(successor->doubt);
    bench->unreadable = false;
    assert_true(status_ok(describe(bench, "")));
    assert_null(successor->doubt);
    assert_false(successor->deleted);
}

static void listed(void *ctx, const struct store_rows *rows) {
    *(enum status_code *)ctx = rows->status.code;
}

static void a_list_is_told(struct bench *bench) {
    struct store_list list = {.where = "", .limit = 10};
    for (int i = 0; i < 2; i++) {
        enum status_code code = STATUS_UNKNOWN;
        bench->unreadable = i == 0;
        store_list(bench->loop, &list, listed, &code);
        bench_wait(bench, SECONDS(1));
        assert_int_equal(code, bench->unreadable ? STATUS_UNAVAILABLE : STATUS_OK);
    }
    assert_int_equal(store_stats(bench->store).read_errors, 1);
}

/* The server stops while tasks are held and loads wait for their next try. */
static void an_end_meanwhile(struct bench *bench) {
    bench_start(bench, "w");
    evict(bench);
    bench->unreadable = true;
    struct bench_call *poll = bench_poll_begin(bench, "queue", "worker");
    bench_wait(bench, SECONDS(1));
    assert_false(poll->ended);
    assert_false(list_empty(&bench->engine->loads));
}

static void in_world(void **state) { assert_int_equal(bench_run_unreadable((void (*)(struct bench *))*state), 0); }

#define TEST(function) {#function, in_world, NULL, NULL, (void *)function}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_told),
        TEST(a_task_goes_back_to_its_queue),
        TEST(a_poll_waits_for_other_tasks),
        TEST(a_deadline_is_met_later),
        TEST(a_successor_stays_in_doubt),
        TEST(a_list_is_told),
        TEST(an_end_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
