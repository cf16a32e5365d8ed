/* Histories of activities and timers, with their ids (temporal-surface.md 14). */
#include "shard/failure.h"
#include "shard_world.h"

/* Starts a workflow whose first task schedules an activity (event 5). */
static void start_with_activity(struct world *world, Command *activity) {
    start(world, "w");
    expect_ok(respond(world, poll_workflow(world, "tq"), NULL, activity, NULL));
}

/* a. One retry: the failed attempt leaves no trace but what the started event tells of it. */
static void an_activity_is_retried(struct world *world) {
    start(world, "w");
    expect_ok(respond(world, poll_workflow(world, "tq"), "sticky", schedule_activity(world, "a", 0, 10 * SECOND, 0), NULL));
    PollActivityTaskQueueResponse *first = poll_activity(world, "tq");
    assert_int_equal(first->attempt, 1);
    expect_ok(fail_activity(world, first, "no money", false));
    assert_null(poll_activity(world, "tq"));
    wait(world, SECOND);
    PollActivityTaskQueueResponse *second = poll_activity(world, "tq");
    assert_int_equal(second->attempt, 2);
    expect_status(complete_activity(world, first), STATUS_NOT_FOUND,
                  "invalid activityID or activity already timed out or invoking workflow is completed");
    expect_ok(complete_activity(world, second));
    PollWorkflowTaskQueueResponse *task = poll_workflow(world, "sticky");
    assert_int_equal(task->previous_started_event_id, 3);
    assert_int_equal(task->started_event_id, 9);
    assert_string_equal(events_text(world, task->history),
                        "4 WorkflowTaskCompleted\n5 ActivityTaskScheduled\n"
                        "6 ActivityTaskStarted scheduled 5 attempt 2 after no money\n"
                        "7 ActivityTaskCompleted scheduled 5 started 6\n8 WorkflowTaskScheduled sticky\n"
                        "9 WorkflowTaskStarted\n");
    expect_ok(respond(world, task, "sticky", complete_workflow(world), NULL));
    expect_history(world, "w",
                   "4 WorkflowTaskCompleted\n5 ActivityTaskScheduled\n"
                   "6 ActivityTaskStarted scheduled 5 attempt 2 after no money\n"
                   "7 ActivityTaskCompleted scheduled 5 started 6\n8 WorkflowTaskScheduled sticky\n"
                   "9 WorkflowTaskStarted\n10 WorkflowTaskCompleted\n11 WorkflowExecutionCompleted\n");
}

static void what_a_worker_gets(struct world *world) {
    start_with_activity(world, schedule_activity(world, "a", 60 * SECOND, 10 * SECOND, 3));
    PollActivityTaskQueueResponse *task = poll_activity(world, "tq");
    assert_string_equal(task->activity_id, "a");
    assert_string_equal(task->activity_type->name, "Charge");
    assert_string_equal(task->workflow_type->name, "Order");
    assert_string_equal(task->workflow_execution->workflow_id, "w");
    assert_string_equal(task->workflow_namespace, "default");
    assert_true(bytes_equal(pb_bytes(task->input->payloads[0]->data), bytes_str("\"input\"")));
    assert_int_equal(duration_ns(task->schedule_to_close_timeout), 60 * SECOND);
    assert_int_equal(duration_ns(task->start_to_close_timeout), 10 * SECOND);
    assert_non_null(task->heartbeat_timeout);
    assert_int_equal(task->retry_policy->maximum_attempts, 3);
    assert_int_equal(duration_ns(task->retry_policy->initial_interval), SECOND);
    assert_non_null(task->scheduled_time);
    assert_non_null(task->current_attempt_scheduled_time);
    assert_non_null(task->started_time);
}

static void attempts_end(struct world *world) {
    start_with_activity(world, schedule_activity(world, "a", 0, 10 * SECOND, 2));
    expect_ok(fail_activity(world, poll_activity(world, "tq"), "one", false));
    wait(world, SECOND);
    expect_ok(fail_activity(world, poll_activity(world, "tq"), "two", false));
    expect_history(world, "w",
                   "4 WorkflowTaskCompleted\n5 ActivityTaskScheduled\n"
                   "6 ActivityTaskStarted scheduled 5 attempt 2 after one\n"
                   "7 ActivityTaskFailed scheduled 5 started 6 retry 4: two\n8 WorkflowTaskScheduled\n");
}

static void a_failure_may_forbid_retries(struct world *world) {
    start_with_activity(world, schedule_activity(world, "a", 0, 10 * SECOND, 0));
    expect_ok(fail_activity(world, poll_activity(world, "tq"), "never", true));
    expect_history(world, "w",
                   "4 WorkflowTaskCompleted\n5 ActivityTaskScheduled\n6 ActivityTaskStarted scheduled 5 attempt 1\n"
                   "7 ActivityTaskFailed scheduled 5 started 6 retry 2: never\n8 WorkflowTaskScheduled\n");
}

/* ---- timeouts ------------------------------------------------------------------------------------------------------- */

static void schedule_to_start_times_out(struct world *world) {
    Command *c = schedule_activity(world, "a", 0, 10 * SECOND, 0);
    c->schedule_activity_task_command_attributes->schedule_to_start_timeout = pb_duration(&world->arena, 2 * SECOND);
    start_with_activity(world, c);
    wait(world, 2100 * MS);
    assert_null(poll_activity(world, "tq"));
    expect_history(world, "w",
                   "4 WorkflowTaskCompleted\n5 ActivityTaskScheduled\n"
                   "6 ActivityTaskTimedOut scheduled 5 started 0 retry 3 type 2\n7 WorkflowTaskScheduled\n");
}

static void start_to_close_is_retried(struct world *world) {
    start_with_activity(world, schedule_activity(world, "a", 0, 2 * SECOND, 2));
    PollActivityTaskQueueResponse *lost = poll_activity(world, "tq");
    wait(world, 3100 * MS);
    PollActivityTaskQueueResponse *second = poll_activity(world, "tq");
    assert_int_equal(second->attempt, 2);
    expect_status(complete_activity(world, lost), STATUS_NOT_FOUND,
                  "invalid activityID or activity already timed out or invoking workflow is completed");
    wait(world, 2100 * MS);
    expect_history(world, "w",
                   "4 WorkflowTaskCompleted\n5 ActivityTaskScheduled\n"
                   "6 ActivityTaskStarted scheduled 5 attempt 2 after activity StartToClose timeout\n"
                   "7 ActivityTaskTimedOut scheduled 5 started 6 retry 4 type 1 after activity StartToClose timeout\n"
                   "8 WorkflowTaskScheduled\n");
}

/* r. The end of all attempts comes while the next one waits: no started event. */
static void schedule_to_close_ends_a_backoff(struct world *world) {
    Command *c = schedule_activity(world, "a", 3 * SECOND, 0, 0);
    c->schedule_activity_task_command_attributes->retry_policy = PB_NEW(&world->arena, temporal__api__common__v1__retry_policy);
    c->schedule_activity_task_command_attributes->retry_policy->initial_interval = pb_duration(&world->arena, 2900 * MS);
    start_with_activity(world, c);
    expect_ok(fail_activity(world, poll_activity(world, "tq"), "down", false));
    wait(world, 3100 * MS);
    expect_history(world, "w",
                   "4 WorkflowTaskCompleted\n5 ActivityTaskScheduled\n"
                   "6 ActivityTaskTimedOut scheduled 5 started 0 retry 3 type 3 after down\n7 WorkflowTaskScheduled\n");
}

static void no_time_for_another_attempt(struct world *world) {
    start_with_activity(world, schedule_activity(world, "a", 2500 * MS, 2 * SECOND, 0));
    poll_activity(world, "tq");
    wait(world, 2100 * MS);
    expect_history(world, "w",
                   "4 WorkflowTaskCompleted\n5 ActivityTaskScheduled\n6 ActivityTaskStarted scheduled 5 attempt 1\n"
                   "7 ActivityTaskTimedOut scheduled 5 started 6 retry 3 type 3\n8 WorkflowTaskScheduled\n");
}

static WS(RecordActivityTaskHeartbeatResponse) * beat(struct world *world, const PollActivityTaskQueueResponse *task,
                                                      const char *details) {
    WS(RecordActivityTaskHeartbeatRequest) *r = REQUEST_NEW(world, record_activity_task_heartbeat);
    WS(RecordActivityTaskHeartbeatResponse) * response;
    r->task_token = task->task_token;
    r->details = json(world, details);
    expect_ok(CALL(world, record_activity_task_heartbeat, r, &response));
    return response;
}

static void heartbeats_keep_an_attempt_alive(struct world *world) {
    Command *c = schedule_activity(world, "a", 0, 60 * SECOND, 2);
    c->schedule_activity_task_command_attributes->heartbeat_timeout = pb_duration(&world->arena, SECOND);
    start_with_activity(world, c);
    PollActivityTaskQueueResponse *task = poll_activity(world, "tq");
    for (int i = 0; i < 4; i++) {
        wait(world, 700 * MS);
        assert_false(beat(world, task, "\"half\"")->cancel_requested);
    }
    wait(world, 2100 * MS);
    task = poll_activity(world, "tq");
    assert_int_equal(task->attempt, 2);
    assert_true(bytes_equal(pb_bytes(task->heartbeat_details->payloads[0]->data), bytes_str("\"half\"")));
    wait(world, 1100 * MS);
    expect_history(world, "w",
                   "4 WorkflowTaskCompleted\n5 ActivityTaskScheduled\n"
                   "6 ActivityTaskStarted scheduled 5 attempt 2 after activity Heartbeat timeout\n"
                   "7 ActivityTaskTimedOut scheduled 5 started 6 retry 4 type 4 after activity Heartbeat timeout\n"
                   "8 WorkflowTaskScheduled\n");
}

/* ---- cancellation --------------------------------------------------------------------------------------------------- */

/* i. An activity that nobody has is cancelled at once. */
static void a_queued_activity_is_cancelled(struct world *world) {
    start(world, "w");
    expect_ok(respond(world, poll_workflow(world, "tq"), NULL, schedule_activity(world, "a", 0, 60 * SECOND, 0),
                      start_timer(world, "t", SECOND), NULL));
    wait(world, 1100 * MS);
    expect_ok(respond(world, poll_workflow(world, "tq"), NULL, cancel_activity(world, 5), NULL));
    expect_history(world, "w",
                   "4 WorkflowTaskCompleted\n5 ActivityTaskScheduled\n6 TimerStarted\n7 TimerFired t started 6\n"
                   "8 WorkflowTaskScheduled\n9 WorkflowTaskStarted\n10 WorkflowTaskCompleted\n"
                   "11 ActivityTaskCancelRequested\n12 ActivityTaskCanceled scheduled 5 started 0 request 11\n"
                   "13 WorkflowTaskScheduled\n");
    assert_null(poll_activity(world, "tq"));
}

static void a_started_activity_hears_of_its_cancellation(struct world *world) {
    start(world, "w");
    expect_ok(respond(world, poll_workflow(world, "tq"), NULL, schedule_activity(world, "a", 0, 60 * SECOND, 0), NULL));
    PollActivityTaskQueueResponse *task = poll_activity(world, "tq");
    WS(RespondActivityTaskCanceledRequest) *r = REQUEST_NEW(world, respond_activity_task_canceled);
    r->task_token = task->task_token;
    expect_status(CALL(world, respond_activity_task_canceled, r, NULL), STATUS_INVALID_ARGUMENT,
                  "unable to mark activity as canceled without activity being request canceled first");
    signal_workflow(world, "w", "stop");
    expect_ok(respond(world, poll_workflow(world, "tq"), NULL, cancel_activity(world, 5), NULL));
    assert_true(beat(world, task, "1")->cancel_requested);
    expect_ok(CALL(world, respond_activity_task_canceled, r, NULL));
    expect_history(world, "w",
                   "4 WorkflowTaskCompleted\n5 ActivityTaskScheduled\n6 WorkflowExecutionSignaled stop\n"
                   "7 WorkflowTaskScheduled\n8 WorkflowTaskStarted\n9 WorkflowTaskCompleted\n"
                   "10 ActivityTaskCancelRequested\n11 ActivityTaskStarted scheduled 5 attempt 1\n"
                   "12 ActivityTaskCanceled scheduled 5 started 11 request 10\n13 WorkflowTaskScheduled\n");
}

/* ---- held back events ----------------------------------------------------------------------------------------------- */

/* b. */
static void a_signal_waits_for_the_task(struct world *world) {
    start(world, "w");
    PollWorkflowTaskQueueResponse *task = poll_workflow(world, "tq");
    signal_workflow(world, "w", "hello");
    expect_ok(respond(world, task, NULL, start_timer(world, "t", SECOND), NULL));
    expect_history(world, "w",
                   "4 WorkflowTaskCompleted\n5 TimerStarted\n6 WorkflowExecutionSignaled hello\n"
                   "7 WorkflowTaskScheduled\n");
}

/* c. */
static void a_workflow_does_not_end_unaware(struct world *world) {
    start(world, "w");
    PollWorkflowTaskQueueResponse *task = poll_workflow(world, "tq");
    signal_workflow(world, "w", "hello");
    expect_status(respond(world, task, NULL, complete_workflow(world), NULL), STATUS_INVALID_ARGUMENT, "UnhandledCommand");
    expect_history(world, "w",
                   "4 WorkflowTaskFailed cause 1\n5 WorkflowExecutionSignaled hello\n6 WorkflowTaskScheduled\n");
    expect_ok(respond(world, poll_workflow(world, "tq"), NULL, complete_workflow(world), NULL));
}

/* j. Results go behind everything else that was held back, each with its started event before. */
static void results_come_last(struct world *world) {
    start_with_activity(world, schedule_activity(world, "a", 0, 60 * SECOND, 0));
    PollActivityTaskQueueResponse *activity = poll_activity(world, "tq");
    signal_workflow(world, "w", "one");
    PollWorkflowTaskQueueResponse *task = poll_workflow(world, "tq");
    expect_ok(complete_activity(world, activity));
    signal_workflow(world, "w", "two");
    expect_status(respond(world, task, NULL, complete_workflow(world), NULL), STATUS_INVALID_ARGUMENT, "UnhandledCommand");
    expect_history(world, "w",
                   "4 WorkflowTaskCompleted\n5 ActivityTaskScheduled\n6 WorkflowExecutionSignaled one\n"
                   "7 WorkflowTaskScheduled\n8 WorkflowTaskStarted\n9 WorkflowTaskFailed cause 1\n"
                   "10 ActivityTaskStarted scheduled 5 attempt 1\n11 WorkflowExecutionSignaled two\n"
                   "12 ActivityTaskCompleted scheduled 5 started 10\n13 WorkflowTaskScheduled\n");
}

/* A timer that fired while its workflow decided to cancel it never fired. */
static void a_fired_timer_is_taken_back(struct world *world) {
    start(world, "w");
    expect_ok(respond(world, poll_workflow(world, "tq"), NULL, start_timer(world, "t", SECOND), NULL));
    signal_workflow(world, "w", "hello");
    PollWorkflowTaskQueueResponse *task = poll_workflow(world, "tq");
    wait(world, 1100 * MS);
    expect_ok(respond(world, task, NULL, cancel_timer(world, "t"), complete_workflow(world), NULL));
    expect_history(world, "w",
                   "4 WorkflowTaskCompleted\n5 TimerStarted\n6 WorkflowExecutionSignaled hello\n"
                   "7 WorkflowTaskScheduled\n8 WorkflowTaskStarted\n9 WorkflowTaskCompleted\n"
                   "10 TimerCanceled t started 5\n11 WorkflowExecutionCompleted\n");
}

/* ---- by id ---------------------------------------------------------------------------------------------------------- */

static void activities_are_ended_by_id(struct world *world) {
    start_with_activity(world, schedule_activity(world, "a", 0, 60 * SECOND, 0));
    WS(RespondActivityTaskFailedByIdRequest) *failed = REQUEST_NEW(world, respond_activity_task_failed_by_id);
    failed->workflow_id = text_of(world, "w");
    failed->activity_id = text_of(world, "a");
    expect_status(CALL(world, respond_activity_task_failed_by_id, failed, NULL), STATUS_NOT_FOUND,
                  "invalid activityID or activity already timed out or invoking workflow is completed");
    WS(RespondActivityTaskCompletedByIdRequest) *r = REQUEST_NEW(world, respond_activity_task_completed_by_id);
    r->workflow_id = text_of(world, "w");
    r->activity_id = text_of(world, "b");
    expect_status(CALL(world, respond_activity_task_completed_by_id, r, NULL), STATUS_NOT_FOUND,
                  "Can't find pending activity with such ID. Invalid activityID or activity already completed");
    r->activity_id = text_of(world, "a");
    expect_ok(CALL(world, respond_activity_task_completed_by_id, r, NULL));
    assert_null(poll_activity(world, "tq"));
    expect_history(world, "w",
                   "4 WorkflowTaskCompleted\n5 ActivityTaskScheduled\n6 ActivityTaskStarted scheduled 5 attempt 1\n"
                   "7 ActivityTaskCompleted scheduled 5 started 6\n8 WorkflowTaskScheduled\n");
}

/* From outside of a worker any failure is taken, and retried as any other. */
static void a_failure_by_id_is_retried(struct world *world) {
    start_with_activity(world, schedule_activity(world, "a", 0, 60 * SECOND, 2));
    PollActivityTaskQueueResponse *task = poll_activity(world, "tq");
    WS(RespondActivityTaskFailedRequest) *by_token = REQUEST_NEW(world, respond_activity_task_failed);
    by_token->task_token = task->task_token;
    by_token->failure = failure_server(&world->arena, false, "down");
    expect_status(CALL(world, respond_activity_task_failed, by_token, NULL), STATUS_INVALID_ARGUMENT,
                  "Failure must have ApplicationFailureInfo.");
    WS(RespondActivityTaskFailedByIdRequest) *r = REQUEST_NEW(world, respond_activity_task_failed_by_id);
    r->workflow_id = text_of(world, "w");
    r->activity_id = text_of(world, "a");
    r->failure = by_token->failure;
    expect_ok(CALL(world, respond_activity_task_failed_by_id, r, NULL));
    wait(world, SECOND);
    assert_int_equal(poll_activity(world, "tq")->attempt, 2);
}

/* ---- eager ---------------------------------------------------------------------------------------------------------- */

static void an_eager_activity_comes_with_the_answer(struct world *world) {
    start(world, "w");
    RespondWorkflowTaskCompletedRequest *r = completion(world, poll_workflow(world, "tq"));
    r->commands[r->n_commands++] = schedule_activity(world, "a", 0, 60 * SECOND, 0);
    r->commands[0]->schedule_activity_task_command_attributes->request_eager_execution = true;
    RespondWorkflowTaskCompletedResponse *response;
    expect_ok(CALL(world, respond_workflow_task_completed, r, &response));
    assert_int_equal(response->n_activity_tasks, 1);
    assert_null(poll_activity(world, "tq"));
    expect_ok(complete_activity(world, response->activity_tasks[0]));
    expect_history(world, "w",
                   "4 WorkflowTaskCompleted\n5 ActivityTaskScheduled\n6 ActivityTaskStarted scheduled 5 attempt 1\n"
                   "7 ActivityTaskCompleted scheduled 5 started 6\n8 WorkflowTaskScheduled\n");
}

/* Nothing else was held back: no further task is needed. */
static void a_timer_taken_back_wakes_nobody(struct world *world) {
    start(world, "w");
    expect_ok(respond(world, poll_workflow(world, "tq"), NULL, start_timer(world, "t", SECOND), NULL));
    signal_workflow(world, "w", "one");
    PollWorkflowTaskQueueResponse *task = poll_workflow(world, "tq");
    wait(world, 1100 * MS);
    expect_ok(respond(world, task, NULL, cancel_timer(world, "t"), NULL));
    signal_workflow(world, "w", "two");
    expect_ok(respond(world, poll_workflow(world, "tq"), NULL, complete_workflow(world), NULL));
    expect_history(world, "w",
                   "4 WorkflowTaskCompleted\n5 TimerStarted\n6 WorkflowExecutionSignaled one\n"
                   "7 WorkflowTaskScheduled\n8 WorkflowTaskStarted\n9 WorkflowTaskCompleted\n"
                   "10 TimerCanceled t started 5\n11 WorkflowExecutionSignaled two\n12 WorkflowTaskScheduled\n"
                   "13 WorkflowTaskStarted\n14 WorkflowTaskCompleted\n15 WorkflowExecutionCompleted\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_activity_is_retried),
        TEST(what_a_worker_gets),
        TEST(attempts_end),
        TEST(a_failure_may_forbid_retries),
        TEST(schedule_to_start_times_out),
        TEST(start_to_close_is_retried),
        TEST(schedule_to_close_ends_a_backoff),
        TEST(no_time_for_another_attempt),
        TEST(heartbeats_keep_an_attempt_alive),
        TEST(a_queued_activity_is_cancelled),
        TEST(a_started_activity_hears_of_its_cancellation),
        TEST(a_signal_waits_for_the_task),
        TEST(a_workflow_does_not_end_unaware),
        TEST(results_come_last),
        TEST(a_fired_timer_is_taken_back),
        TEST(a_timer_taken_back_wakes_nobody),
        TEST(activities_are_ended_by_id),
        TEST(a_failure_by_id_is_retried),
        TEST(an_eager_activity_comes_with_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
