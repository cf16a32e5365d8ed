/* Queries: with a workflow task, on their own, rejected, failed, unanswered (temporal-surface.md 4.9). */
#include "shard_world.h"

enum { ANSWERED = 1, FAILED = 2 };

static WS(QueryWorkflowRequest) * query_request(struct world *world, const char *id) {
    WS(QueryWorkflowRequest) *r = REQUEST_NEW(world, query_workflow);
    r->execution = execution(world, id);
    r->query = PB_NEW(&world->arena, temporal__api__query__v1__workflow_query);
    r->query->query_type = text_of(world, "state");
    return r;
}
static struct test_call *query(struct world *world, const char *id, int64_t deadline) {
    return begin(world, engine_query_workflow, &query_request(world, id)->base, deadline);
}
static WS(QueryWorkflowResponse) * answer_of(struct world *world, struct test_call *call) {
    for (int i = 0; !call->ended && i < 20; i++) wait(world, MS);
    assert_true(call->ended);
    expect_ok(call->call.status);
    return pb_unpack(&world->arena, &temporal__api__workflowservice__v1__query_workflow_response__descriptor,
                     call->call.response);
}
static void expect_answer(struct world *world, struct test_call *call, const char *json_text) {
    WS(QueryWorkflowResponse) *r = answer_of(world, call);
    assert_non_null(r->query_result);
    assert_true(bytes_equal(pb_bytes(r->query_result->payloads[0]->data), bytes_str(json_text)));
}
static struct status tell(struct world *world, const PollWorkflowTaskQueueResponse *task, const char *json_text) {
    WS(RespondQueryTaskCompletedRequest) *r = REQUEST_NEW(world, respond_query_task_completed);
    assert_non_null(task);
    r->task_token = task->task_token;
    r->completed_type = json_text ? ANSWERED : FAILED;
    if (json_text) r->query_result = json(world, json_text);
    else r->error_message = text_of(world, "unknown query");
    return CALL(world, respond_query_task_completed, r, NULL);
}

/* A workflow that has done one task and waits. */
static void start_idle(struct world *world, const char *sticky) {
    start(world, "w");
    expect_ok(respond(world, poll_workflow(world, "tq"), sticky, start_timer(world, "t", 3600 * SECOND), NULL));
}

static void an_idle_workflow_is_asked_directly(struct world *world) {
    start_idle(world, NULL);
    struct test_call *call = query(world, "w", 10 * SECOND);
    PollWorkflowTaskQueueResponse *task = poll_workflow(world, "tq");
    assert_string_equal(task->query->query_type, "state");
    assert_int_equal(task->started_event_id, 0);
    assert_int_equal(task->previous_started_event_id, 3);
    assert_int_equal(task->history->n_events, 5);
    expect_ok(tell(world, task, "\"idle\""));
    expect_answer(world, call, "\"idle\"");
    expect_status(tell(world, task, "\"again\""), STATUS_NOT_FOUND, "query task not found, or already expired");
    expect_history(world, "w", "4 WorkflowTaskCompleted\n5 TimerStarted\n");
}

static void the_sticky_worker_gets_no_history(struct world *world) {
    start_idle(world, "sticky");
    struct test_call *call = query(world, "w", 10 * SECOND);
    PollWorkflowTaskQueueResponse *task = poll_workflow(world, "sticky");
    assert_non_null(task->history);
    assert_int_equal(task->history->n_events, 0);
    expect_ok(tell(world, task, "1"));
    expect_answer(world, call, "1");
}

static void a_sticky_worker_that_is_gone_is_passed_over(struct world *world) {
    start_idle(world, "sticky");
    struct test_call *call = query(world, "w", 20 * SECOND);
    wait(world, 5100 * MS);
    assert_null(poll_workflow(world, "sticky"));
    PollWorkflowTaskQueueResponse *task = poll_workflow(world, "tq");
    assert_int_equal(task->history->n_events, 5);
    expect_ok(tell(world, task, "1"));
    expect_answer(world, call, "1");
    world->dead_queue = "sticky";
    call = query(world, "w", 20 * SECOND);
    expect_ok(tell(world, poll_workflow(world, "tq"), "2"));
    expect_answer(world, call, "2");
}

static void a_query_goes_with_the_workflow_task(struct world *world) {
    start(world, "w");
    struct test_call *call = query(world, "w", 10 * SECOND);
    struct test_call *second = query(world, "w", 10 * SECOND);
    for (int i = 0; !second->ended && i < 20; i++) wait(world, MS);
    assert_int_equal(second->call.status.code, STATUS_RESOURCE_EXHAUSTED);
    PollWorkflowTaskQueueResponse *task = poll_workflow(world, "tq");
    assert_int_equal(task->n_queries, 1);
    assert_null(task->query);
    RespondWorkflowTaskCompletedRequest *r = completion(world, task);
    r->n_query_results = 1;
    r->query_results = ARENA_NEW(&world->arena, WS(RespondWorkflowTaskCompletedRequest__QueryResultsEntry) *);
    r->query_results[0] =
        PB_NEW(&world->arena, temporal__api__workflowservice__v1__respond_workflow_task_completed_request__query_results_entry);
    r->query_results[0]->key = task->queries[0]->key;
    r->query_results[0]->value = PB_NEW(&world->arena, temporal__api__query__v1__workflow_query_result);
    r->query_results[0]->value->result_type = ANSWERED;
    r->query_results[0]->value->answer = json(world, "\"first\"");
    r->commands[r->n_commands++] = start_timer(world, "t", 60 * SECOND);
    expect_ok(CALL(world, respond_workflow_task_completed, r, NULL));
    expect_answer(world, call, "\"first\"");
}

/* The worker does not answer it: it is asked on its own. */
static void a_query_that_is_left_out_is_asked_again(struct world *world) {
    start(world, "w");
    struct test_call *call = query(world, "w", 10 * SECOND);
    expect_ok(respond(world, poll_workflow(world, "tq"), NULL, start_timer(world, "t", 60 * SECOND), NULL));
    PollWorkflowTaskQueueResponse *task = poll_workflow(world, "tq");
    assert_non_null(task->query);
    expect_ok(tell(world, task, "1"));
    expect_answer(world, call, "1");
}

static void a_failed_query_tells_why(struct world *world) {
    start_idle(world, NULL);
    struct test_call *call = query(world, "w", 10 * SECOND);
    expect_ok(tell(world, poll_workflow(world, "tq"), NULL));
    for (int i = 0; !call->ended && i < 20; i++) wait(world, MS);
    expect_status(call->call.status, STATUS_INVALID_ARGUMENT, "unknown query");
    assert_string_equal(call->call.status.detail_type, "temporal.api.errordetails.v1.QueryFailedFailure");
}

static void a_closed_workflow_is_asked_with_its_whole_history(struct world *world) {
    start(world, "w");
    expect_ok(respond(world, poll_workflow(world, "tq"), NULL, complete_workflow(world), NULL));
    struct test_call *call = query(world, "w", 10 * SECOND);
    PollWorkflowTaskQueueResponse *task = poll_workflow(world, "tq");
    assert_int_equal(task->history->n_events, 5);
    expect_ok(tell(world, task, "1"));
    expect_answer(world, call, "1");

    WS(QueryWorkflowRequest) *r = query_request(world, "w");
    r->query_reject_condition = 2;
    WS(QueryWorkflowResponse) * response;
    expect_ok(CALL(world, query_workflow, r, &response));
    assert_int_equal(response->query_rejected->status, STATUS_OF(COMPLETED));
    r->query_reject_condition = 3;
    call = begin(world, engine_query_workflow, &r->base, 10 * SECOND);
    expect_ok(tell(world, poll_workflow(world, "tq"), "1"));
    expect_answer(world, call, "1");
}

static void without_a_worker_the_caller_is_told(struct world *world) {
    start_idle(world, NULL);
    world->dead_queue = "tq";
    struct test_call *call = query(world, "w", 5 * SECOND);
    wait(world, 3900 * MS);
    assert_false(call->ended);
    wait(world, 200 * MS);
    assert_true(call->ended);
    expect_status(call->call.status, STATUS_FAILED_PRECONDITION,
                  "no poller seen for task queue recently, worker may be down");
}

static void a_caller_that_goes_away_leaves_nothing(struct world *world) {
    start_idle(world, NULL);
    struct test_call *call = query(world, "w", 5 * SECOND);
    call->call.on_cancel(&call->call);
    assert_true(call->ended);
    assert_null(poll_workflow(world, "tq"));
}

static void a_query_of_a_failing_workflow_is_refused(struct world *world) {
    start(world, "w");
    for (int i = 0; i < 2; i++) {
        PollWorkflowTaskQueueResponse *task = poll_workflow(world, "tq");
        RespondWorkflowTaskFailedRequest *r = REQUEST_NEW(world, respond_workflow_task_failed);
        r->task_token = task->task_token;
        expect_ok(CALL(world, respond_workflow_task_failed, r, NULL));
    }
    struct status status = CALL(world, query_workflow, query_request(world, "w"), NULL);
    expect_status(status, STATUS_FAILED_PRECONDITION, "Unable to query workflow due to Workflow Task in failed state.");
    status = CALL(world, query_workflow, query_request(world, "nobody"), NULL);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_idle_workflow_is_asked_directly),
        TEST(the_sticky_worker_gets_no_history),
        TEST(a_sticky_worker_that_is_gone_is_passed_over),
        TEST(a_query_goes_with_the_workflow_task),
        TEST(a_query_that_is_left_out_is_asked_again),
        TEST(a_failed_query_tells_why),
        TEST(a_closed_workflow_is_asked_with_its_whole_history),
        TEST(without_a_worker_the_caller_is_told),
        TEST(a_caller_that_goes_away_leaves_nothing),
        TEST(a_query_of_a_failing_workflow_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
