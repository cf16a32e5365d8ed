/* What ends leaves nothing behind: no task in a queue that nobody polls, for queues live in memory. */
#include "shard_world.h"

static unsigned tasks_in_queues(const struct world *world) {
    unsigned count = 0;
    for (int i = 0; i < TASKS_MAX; i++) count += world->tasks[i].used;
    return count;
}

static void settle(struct world *world) {
    for (int i = 0; i < 20; i++) wait(world, MS);
}

static void terminate(struct world *world, const char *id) {
    WS(TerminateWorkflowExecutionRequest) r = TEMPORAL__API__WORKFLOWSERVICE__V1__TERMINATE_WORKFLOW_EXECUTION_REQUEST__INIT;
    WorkflowExecution execution = TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    execution.workflow_id = pb_text(id);
    r.workflow_execution = &execution;
    expect_ok(CALL(world, terminate_workflow_execution, &r, NULL));
}

static void a_closed_run_has_no_tasks(struct world *world) {
    start(world, "w");
    assert_int_equal(tasks_in_queues(world), 1);
    terminate(world, "w");
    settle(world);
    assert_int_equal(tasks_in_queues(world), 0);

    start(world, "v");
    expect_ok(respond(world, poll_workflow(world, "tq"), NULL, schedule_activity(world, "a", 0, 10 * SECOND, 0), NULL));
    settle(world);
    assert_int_equal(tasks_in_queues(world), 1);
    terminate(world, "v");
    settle(world);
    assert_int_equal(tasks_in_queues(world), 0);
}

static void an_activity_that_nobody_took_leaves_its_queue(struct world *world) {
    start(world, "w");
    expect_ok(respond(world, poll_workflow(world, "tq"), NULL, schedule_activity(world, "a", 2 * SECOND, 0, 0), NULL));
    settle(world);
    assert_int_equal(tasks_in_queues(world), 1);
    wait(world, 3 * SECOND);
    assert_int_equal(tasks_in_queues(world), 1);       /* the workflow task that tells of the timeout */
    assert_non_null(poll_workflow(world, "tq"));
    assert_int_equal(tasks_in_queues(world), 0);
}

static void a_gone_sticky_worker_leaves_no_tasks(struct world *world) {
    start(world, "w");
    expect_ok(respond(world, poll_workflow(world, "tq"), "sticky", start_timer(world, "t", SECOND), NULL));
    wait(world, 20 * SECOND);
    assert_non_null(poll_workflow(world, "tq"));
    assert_int_equal(tasks_in_queues(world), 0);
}

static void a_query_whose_client_is_gone_leaves_its_queue(struct world *world) {
    start(world, "w");
    expect_ok(respond(world, poll_workflow(world, "tq"), NULL, start_timer(world, "t", 600 * SECOND), NULL));
    WS(QueryWorkflowRequest) *r = PB_NEW(&world->arena, temporal__api__workflowservice__v1__query_workflow_request);
    r->execution = PB_NEW(&world->arena, temporal__api__common__v1__workflow_execution);
    r->execution->workflow_id = pb_text("w");
    r->query = PB_NEW(&world->arena, temporal__api__query__v1__workflow_query);
    r->query->query_type = pb_text("state");
    struct test_call *call = begin(world, engine_query_workflow, &r->base, 10 * SECOND);
    settle(world);
    assert_int_equal(tasks_in_queues(world), 1);
    call->call.on_cancel(&call->call);
    assert_int_equal(tasks_in_queues(world), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_closed_run_has_no_tasks),
        TEST(an_activity_that_nobody_took_leaves_its_queue),
        TEST(a_gone_sticky_worker_leaves_no_tasks),
        TEST(a_query_whose_client_is_gone_leaves_its_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
