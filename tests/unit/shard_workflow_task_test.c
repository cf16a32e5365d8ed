/* Histories of workflow tasks are those that SDKs were written against (temporal-surface 14). */
#include "shard/directory.h"
#include "shard/token.h"
#include "unit/shard_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define HISTORY(workflow_id) bench_history(bench, workflow_id, "")

static Command *command(struct bench *bench, int type) {
    Command *out = ARENA_NEW(&bench->arena, Command);
    temporal__api__command__v1__command__init(out);
    out->command_type = (Temporal__Api__Enums__V1__CommandType)type;
    return out;
}

static Command *complete_workflow(struct bench *bench) {
    Command *out = command(bench, COMMAND(COMPLETE_WORKFLOW_EXECUTION));
    out->attributes_case =
        TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
    out->complete_workflow_execution_command_attributes =
        ARENA_NEW(&bench->arena, Temporal__Api__Command__V1__CompleteWorkflowExecutionCommandAttributes);
    temporal__api__command__v1__complete_workflow_execution_command_attributes__init(
        out->complete_workflow_execution_command_attributes);
    return out;
}

static Command *start_timer(struct bench *bench, const char *id, int64_t ns) {
    Command *out = command(bench, COMMAND(START_TIMER));
    out->attributes_case = TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_START_TIMER_COMMAND_ATTRIBUTES;
    Temporal__Api__Command__V1__StartTimerCommandAttributes *a =
        ARENA_NEW(&bench->arena, Temporal__Api__Command__V1__StartTimerCommandAttributes);
    temporal__api__command__v1__start_timer_command_attributes__init(a);
    a->timer_id = pb_text(id);
    a->start_to_fire_timeout = pb_duration(&bench->arena, ns);
    out->start_timer_command_attributes = a;
    return out;
}

static Command *continue_as_new(struct bench *bench) {
    Command *out = command(bench, COMMAND(CONTINUE_AS_NEW_WORKFLOW_EXECUTION));
    out->attributes_case =
        TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_CONTINUE_AS_NEW_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
    out->continue_as_new_workflow_execution_command_attributes =
        ARENA_NEW(&bench->arena, Temporal__Api__Command__V1__ContinueAsNewWorkflowExecutionCommandAttributes);
    temporal__api__command__v1__continue_as_new_workflow_execution_command_attributes__init(
        out->continue_as_new_workflow_execution_command_attributes);
    return out;
}

static void ok(struct status status) {
    if (!status_ok(status)) fail_msg("%s: %s", status_code_name(status.code), status.message);
}

static void a_workflow_completes(struct bench *bench) {
    bench_start(bench, "w");
    PollWorkflowTaskQueueResponse *task = bench_poll(bench, "queue");
    assert_int_equal(task->started_event_id, 3);
    assert_int_equal(task->previous_started_event_id, 0);
    assert_string_equal(bench_events(bench, task->history), "STARTED S St");
    Command *commands[] = {complete_workflow(bench)};
    ok(bench_complete(bench, task, commands, 1));
    assert_string_equal(HISTORY("w"), "STARTED S St C COMPLETED");
    assert_int_equal(bench_complete(bench, task, commands, 1).code, STATUS_NOT_FOUND);
}

static void a_signal_during_a_task_waits_for_its_end(struct bench *bench) {
    bench_start(bench, "w");
    PollWorkflowTaskQueueResponse *task = bench_poll(bench, "queue");
    bench_signal(bench, "w", "one");
    assert_string_equal(HISTORY("w"), "STARTED S St");
    Command *commands[] = {start_timer(bench, "t", SECONDS(100))};
    ok(bench_complete(bench, task, commands, 1));
    assert_string_equal(HISTORY("w"), "STARTED S St C TIMER_STARTED SIGNALED S");
}

static void a_close_with_unseen_events_fails_the_task(struct bench *bench) {
    bench_start(bench, "w");
    PollWorkflowTaskQueueResponse *task = bench_poll(bench, "queue");
    bench_signal(bench, "w", "one");
    Command *commands[] = {complete_workflow(bench)};
    struct status status = bench_complete(bench, task, commands, 1);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(status.message, "UnhandledCommand");
    assert_string_equal(HISTORY("w"), "STARTED S St F SIGNALED S");
    task = bench_poll(bench, "queue");
    assert_int_equal(task->attempt, 1);
    ok(bench_complete(bench, task, commands, 1));
    assert_string_equal(HISTORY("w"), "STARTED S St F SIGNALED S St C COMPLETED");
}

static void later_attempts_are_not_written(struct bench *bench) {
    bench_start(bench, "w");
    for (int attempt = 1; attempt <= 3; attempt++) {
        PollWorkflowTaskQueueResponse *task = bench_poll(bench, "queue");
        assert_int_equal(task->attempt, attempt);
        if (attempt > 1) {
            assert_int_equal(task->started_event_id, 6);
            assert_string_equal(bench_events(bench, task->history), "STARTED S St F S St");
        }
        ok(bench_fail_task(bench, task));
    }
    assert_string_equal(HISTORY("w"), "STARTED S St F S");      /* the last is a scheduled transient one */
    PollWorkflowTaskQueueResponse *task = bench_poll(bench, "queue");
    assert_int_equal(task->attempt, 4);
    ok(bench_complete(bench, task, NULL, 0));
    assert_string_equal(HISTORY("w"), "STARTED S St F S St C");
}

static void an_event_between_attempts_makes_them_visible(struct bench *bench) {
    bench_start(bench, "w");
    ok(bench_fail_task(bench, bench_poll(bench, "queue")));
    bench_signal(bench, "w", "one");
    PollWorkflowTaskQueueResponse *task = bench_poll(bench, "queue");
    assert_int_equal(task->attempt, 1);
    assert_string_equal(bench_events(bench, task->history), "STARTED S St F SIGNALED S St");
}

static void a_task_times_out(struct bench *bench) {
    bench_start(bench, "w");
    bench_poll(bench, "queue");
    bench_wait(bench, SECONDS(11));
    assert_string_equal(HISTORY("w"), "STARTED S St T S");
    assert_int_equal(bench_poll(bench, "queue")->attempt, 2);
}

static void a_sticky_worker_gets_the_rest(struct bench *bench) {
    bench_start(bench, "w");
    ok(bench_complete_sticky(bench, bench_poll(bench, "queue"), "sticky"));
    bench_signal(bench, "w", "one");
    PollWorkflowTaskQueueResponse *task = bench_poll(bench, "sticky");
    assert_int_equal(task->previous_started_event_id, 3);
    assert_string_equal(bench_events(bench, task->history), "C SIGNALED S St");
    ok(bench_fail_task(bench, task));                            /* the next goes to the normal queue, attempt 1 */
    task = bench_poll(bench, "queue");
    assert_int_equal(task->attempt, 1);
    assert_string_equal(bench_events(bench, task->history), "STARTED S St C SIGNALED S St F S St");
}

static void a_gone_sticky_worker_is_given_up(struct bench *bench) {
    bench_start(bench, "w");
    ok(bench_complete_sticky(bench, bench_poll(bench, "queue"), "sticky"));
    bench_signal(bench, "w", "one");
    bench_wait(bench, SECONDS(6));
    assert_string_equal(HISTORY("w"), "STARTED S St C SIGNALED S T S");
    assert_string_equal(bench_events(bench, bench_poll(bench, "queue")->history), "STARTED S St C SIGNALED S T S St");
}

static void a_dead_sticky_queue_is_passed_over(struct bench *bench) {
    bench_start(bench, "w");
    ok(bench_complete_sticky(bench, bench_poll(bench, "queue"), "sticky"));
    bench->sticky_dead = true;
    bench_signal(bench, "w", "one");
    assert_string_equal(bench_events(bench, bench_poll(bench, "queue")->history), "STARTED S St C SIGNALED S St");
}

static void termination_ends_a_started_task(struct bench *bench) {
    bench_start(bench, "w");
    bench_poll(bench, "queue");
    bench_signal(bench, "w", "one");
    ok(bench_terminate(bench, "w"));
    assert_string_equal(HISTORY("w"), "STARTED S St F SIGNALED TERMINATED");
    assert_int_equal(bench_terminate(bench, "w").code, STATUS_NOT_FOUND);

    bench_start(bench, "v");
    ok(bench_terminate(bench, "v"));
    assert_string_equal(HISTORY("v"), "STARTED S TERMINATED");
}

static void a_timer_fires(struct bench *bench) {
    bench_start(bench, "w");
    Command *commands[] = {start_timer(bench, "t", SECONDS(3))};
    ok(bench_complete(bench, bench_poll(bench, "queue"), commands, 1));
    PollWorkflowTaskQueueResponse *task = bench_poll(bench, "queue");
    assert_string_equal(bench_events(bench, task->history), "STARTED S St C TIMER_STARTED TIMER_FIRED S St");
}

static void a_run_continues_as_new(struct bench *bench) {
    const char *run_id = bench_start(bench, "w");
    Command *commands[] = {continue_as_new(bench)};
    ok(bench_complete(bench, bench_poll(bench, "queue"), commands, 1));
    assert_string_equal(bench_history(bench, "w", run_id), "STARTED S St C CONTINUED_AS_NEW");
    PollWorkflowTaskQueueResponse *task = bench_poll(bench, "queue");
    assert_string_equal(bench_events(bench, task->history), "STARTED S St");
    EVENT_ATTRIBUTES(WorkflowExecutionStarted) *started =
        task->history->events[0]->workflow_execution_started_event_attributes;
    assert_string_equal(started->continued_execution_run_id, run_id);
    assert_string_equal(started->first_execution_run_id, run_id);
    assert_string_equal(started->original_execution_run_id, task->workflow_execution->run_id);
    assert_string_not_equal(task->workflow_execution->run_id, run_id);
}

static void runs_of_a_chain_begin_a_second_apart(struct bench *bench) {
    bench_start(bench, "w");
    int64_t begun = io_now(bench->io);
    for (int run = 0; run < 4; run++) {
        Command *commands[] = {continue_as_new(bench)};
        ok(bench_complete(bench, bench_poll(bench, "queue"), commands, 1));
    }
    bench_poll(bench, "queue");
    assert_true(io_now(bench->io) - begun > SECONDS(4) - SECONDS(1) / 10);
}

static struct status signal_with(struct bench *bench, size_t bytes) {
    Temporal__Api__Workflowservice__V1__SignalWorkflowExecutionRequest request =
        TEMPORAL__API__WORKFLOWSERVICE__V1__SIGNAL_WORKFLOW_EXECUTION_REQUEST__INIT;
    WorkflowExecution target = TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    target.workflow_id = pb_text("w");
    request.workflow_execution = &target;
    request.signal_name = pb_text("large");
    Payload payload = TEMPORAL__API__COMMON__V1__PAYLOAD__INIT, *pointer = &payload;
    payload.data = (ProtobufCBinaryData){bytes, arena_alloc(&bench->arena, bytes)};
    Payloads input = TEMPORAL__API__COMMON__V1__PAYLOADS__INIT;
    input.n_payloads = 1;
    input.payloads = &pointer;
    request.input = &input;
    return bench_do(bench, engine_signal_workflow_execution, &request.base);
}

static void too_large_held_back_events_end_the_task(struct bench *bench) {
    bench_start(bench, "w");
    bench_poll(bench, "queue");
    ok(signal_with(bench, 1 << 20));
    assert_string_equal(HISTORY("w"), "STARTED S St");
    ok(signal_with(bench, 1 << 20));
    assert_string_equal(HISTORY("w"), "STARTED S St F SIGNALED SIGNALED S");
}

static RespondWorkflowTaskCompletedRequest heartbeat(const PollWorkflowTaskQueueResponse *task) {
    RespondWorkflowTaskCompletedRequest request =
        TEMPORAL__API__WORKFLOWSERVICE__V1__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
    request.task_token = task->task_token;
    request.force_create_new_workflow_task = request.return_new_workflow_task = true;
    return request;
}

static void a_heartbeat_ends(struct bench *bench) {
    bench->engine->limits.heartbeat_timeout_ns = (uint64_t)SECONDS(5);
    bench_start(bench, "w");
    const PollWorkflowTaskQueueResponse *task = bench_poll(bench, "queue");
    for (int i = 0; i < 2; i++) {
        RespondWorkflowTaskCompletedRequest request = heartbeat(task);
        RespondWorkflowTaskCompletedResponse *response =
            bench_ok(bench, engine_respond_workflow_task_completed, &request.base,
                     &temporal__api__workflowservice__v1__respond_workflow_task_completed_response__descriptor);
        task = response->workflow_task;
        bench_wait(bench, SECONDS(3));
    }
    RespondWorkflowTaskCompletedRequest request = heartbeat(task);
    assert_int_equal(bench_do(bench, engine_respond_workflow_task_completed, &request.base).code, STATUS_NOT_FOUND);
    assert_string_equal(HISTORY("w"), "STARTED S St C S St C S St T S");
}

static void texts_that_each_record_would_carry_have_a_limit(struct bench *bench) {
    char *text = arena_alloc(&bench->arena, 1002);
    memset(text, 'x', 1001);
    bench_start(bench, "w");
    Temporal__Api__Workflowservice__V1__RequestCancelWorkflowExecutionRequest request =
        TEMPORAL__API__WORKFLOWSERVICE__V1__REQUEST_CANCEL_WORKFLOW_EXECUTION_REQUEST__INIT;
    WorkflowExecution target = TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    target.workflow_id = pb_text("w");
    request.workflow_execution = &target;
    request.request_id = text;
    assert_int_equal(bench_do(bench, engine_request_cancel_workflow_execution, &request.base).code, STATUS_INVALID_ARGUMENT);
    PollWorkflowTaskQueueResponse *task = bench_poll(bench, "queue");
    assert_int_equal(bench_complete_sticky(bench, task, text).code, STATUS_INVALID_ARGUMENT);
    text[1000] = '\0';
    ok(bench_complete_sticky(bench, task, text));
    ok(bench_do(bench, engine_request_cancel_workflow_execution, &request.base));
}

static void a_page_of_a_completion_is_refused(struct bench *bench) {
    bench_start(bench, "w");
    const PollWorkflowTaskQueueResponse *task = bench_poll(bench, "queue");
    RespondWorkflowTaskCompletedRequest request =
        TEMPORAL__API__WORKFLOWSERVICE__V1__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
    request.task_token = task->task_token;
    request.intermediate_page = true;
    assert_int_equal(bench_do(bench, engine_respond_workflow_task_completed, &request.base).code,
                     STATUS_FAILED_PRECONDITION);
    ok(bench_complete(bench, task, NULL, 0));
}

static void a_held_back_event_that_code_does_not_see_gets_a_task_too(struct bench *bench) {
    bench_start(bench, "w");
    PollWorkflowTaskQueueResponse *task = bench_poll(bench, "queue");
    StartWorkflowExecutionRequest request = TEMPORAL__API__WORKFLOWSERVICE__V1__START_WORKFLOW_EXECUTION_REQUEST__INIT;
    WorkflowType type = TEMPORAL__API__COMMON__V1__WORKFLOW_TYPE__INIT;
    TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    Temporal__Api__Workflow__V1__OnConflictOptions options = TEMPORAL__API__WORKFLOW__V1__ON_CONFLICT_OPTIONS__INIT;
    type.name = pb_text("type");
    queue.name = pb_text("queue");
    options.attach_request_id = true;
    request.workflow_id = pb_text("w");
    request.workflow_type = &type;
    request.task_queue = &queue;
    request.request_id = pb_text("another");
    request.workflow_id_conflict_policy = CONFLICT_POLICY(USE_EXISTING);
    request.on_conflict_options = &options;
    ok(bench_do(bench, engine_start_workflow_execution, &request.base));
    ok(bench_complete(bench, task, NULL, 0));
    assert_string_equal(HISTORY("w"), "STARTED S St C OPTIONS_UPDATED S");
}

/* Whoever makes a token up cannot bring a run into a loop that does not own it, or reach another namespace's. */
static void a_forged_token_finds_nothing(struct bench *bench) {
    bench_start(bench, "w");
    PollWorkflowTaskQueueResponse *task = bench_poll(bench, "queue");
    ProtobufCBinaryData good = task->task_token;
    bench_restart(bench, true);
    for (int forgery = 0; forgery < 2; forgery++) {
        TaskToken *token = token_decode(&bench->arena, good);
        if (forgery == 0) token->hash ^= 1;
        else bench->ns.id[0] ^= 1;
        task->task_token = token_encode(&bench->arena, token);
        assert_int_equal(bench_complete(bench, task, NULL, 0).code, STATUS_NOT_FOUND);
        if (forgery == 0) assert_null(bench_exec(bench, "w"));
    }
    bench->ns.id[0] ^= 1;
    task->task_token = good;
    ok(bench_complete(bench, task, NULL, 0));
}

/* A crash between the two records of a commit, where the store's tables have the predecessor, and the journal has
 * nothing of it. */
static void a_successor_without_its_predecessors_end_never_was(struct bench *bench) {
    const char *run_id = bench_start(bench, "w");
    PollWorkflowTaskQueueResponse *task = bench_poll(bench, "queue");
    bench_checkpoint(bench);
    bench->lost = bench_exec(bench, "w")->number;
    Command *commands[] = {continue_as_new(bench)};
    ok(bench_complete(bench, task, commands, 1));
    bench_restart(bench, false);
    assert_string_equal(HISTORY("w"), "STARTED S St");
    assert_string_equal(bench_history(bench, "w", run_id), "STARTED S St");
    bench->lost = 0;
    ok(bench_complete(bench, task, commands, 1));
    assert_string_equal(bench_history(bench, "w", run_id), "STARTED S St C CONTINUED_AS_NEW");
    assert_string_equal(HISTORY("w"), "STARTED");
}

static void delete_run(struct bench *bench, const char *run_id) {
    Temporal__Api__Workflowservice__V1__DeleteWorkflowExecutionRequest request =
        TEMPORAL__API__WORKFLOWSERVICE__V1__DELETE_WORKFLOW_EXECUTION_REQUEST__INIT;
    WorkflowExecution target = TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    target.workflow_id = pb_text("w");
    target.run_id = pb_text(run_id);
    request.workflow_execution = &target;
    ok(bench_do(bench, engine_delete_workflow_execution, &request.base));
}

static void a_successor_of_a_deleted_run_stays(struct bench *bench) {
    const char *run_id = bench_start(bench, "w");
    PollWorkflowTaskQueueResponse *task = bench_poll(bench, "queue");
    bench_checkpoint(bench);
    Command *commands[] = {continue_as_new(bench)};
    ok(bench_complete(bench, task, commands, 1));
    delete_run(bench, run_id);
    bench_restart(bench, false);
    bench_poll(bench, "queue");
    assert_string_equal(HISTORY("w"), "STARTED S St");
}

static void count_rows(void *ctx, const struct store_rows *rows) {
    assert_true(status_ok(rows->status));
    *(int *)ctx = (int)rows->count;
}

static int listed(struct bench *bench) {
    struct store_list list = {.where = "", .limit = 10};
    memcpy(list.namespace_id, bench->ns.id, NAMESPACE_ID_LEN);
    int count = -1;
    store_list(bench->loop, &list, count_rows, &count);
    while (count < 0) bench_wait(bench, 1000000);
    return count;
}

static void a_deleted_run_is_listed_no_more(struct bench *bench) {
    const char *run_id = bench_start(bench, "w");
    assert_int_equal(listed(bench), 1);
    delete_run(bench, run_id);
    assert_int_equal(listed(bench), 0);
    bench_restart(bench, false);
    assert_int_equal(listed(bench), 0);
}

static void a_restart_keeps_everything(struct bench *bench) {
    bench_start(bench, "w");
    Command *commands[] = {start_timer(bench, "t", SECONDS(3))};
    ok(bench_complete(bench, bench_poll(bench, "queue"), commands, 1));
    bench_signal(bench, "w", "one");
    PollWorkflowTaskQueueResponse *task = bench_poll(bench, "queue");
    bench_signal(bench, "w", "two");
    for (int round = 0; round < 2; round++) {
        bench_restart(bench, round == 1);
        assert_string_equal(HISTORY("w"), "STARTED S St C TIMER_STARTED SIGNALED S St");
    }
    ok(bench_complete(bench, task, NULL, 0));                    /* the token outlives restarts */
    assert_string_equal(HISTORY("w"), "STARTED S St C TIMER_STARTED SIGNALED S St C SIGNALED S");
    bench_wait(bench, SECONDS(4));
    assert_string_equal(HISTORY("w"), "STARTED S St C TIMER_STARTED SIGNALED S St C SIGNALED S TIMER_FIRED");
    bench_restart(bench, true);
    task = bench_poll(bench, "queue");
    assert_string_equal(bench_events(bench, task->history),
                        "STARTED S St C TIMER_STARTED SIGNALED S St C SIGNALED S TIMER_FIRED St");
}

static void closed_runs_leave_memory_and_come_back(struct bench *bench) {
    bench_start(bench, "w");
    ok(bench_terminate(bench, "w"));
    bench_checkpoint(bench);
    assert_null(bench_exec(bench, "w"));
    assert_string_equal(HISTORY("w"), "STARTED S TERMINATED");
    assert_non_null(bench_exec(bench, "w"));
    bench_start(bench, "w");
    assert_string_equal(HISTORY("w"), "STARTED S");
}

static void a_poll_that_leaves_while_its_run_is_loaded_loses_nothing(struct bench *bench) {
    bench_start(bench, "w");
    bench_checkpoint(bench);
    struct exec *exec = bench_exec(bench, "w");
    assert_true(directory_evictable(bench->engine, exec));
    directory_drop(bench->engine, exec);
    struct bench_call *call = bench_poll_begin(bench, "queue", "worker");
    while (list_empty(&bench->engine->loads)) fiber_yield(bench->io);
    call->call.cancelled = true;
    call->call.on_cancel(&call->call);
    assert_true(call->ended);
    assert_string_equal(bench_events(bench, bench_poll(bench, "queue")->history), "STARTED S St");
}

static void retention_deletes(struct bench *bench) {
    const char *run_id = bench_start(bench, "w");
    ok(bench_terminate(bench, "w"));
    bench_wait(bench, SECONDS(3700));
    Temporal__Api__Workflowservice__V1__DescribeWorkflowExecutionRequest request =
        TEMPORAL__API__WORKFLOWSERVICE__V1__DESCRIBE_WORKFLOW_EXECUTION_REQUEST__INIT;
    WorkflowExecution target = TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    target.workflow_id = pb_text("w");
    target.run_id = pb_text(run_id);
    request.execution = &target;
    assert_int_equal(bench_do(bench, engine_describe_workflow_execution, &request.base).code, STATUS_NOT_FOUND);
    bench_restart(bench, true);
    assert_int_equal(bench_do(bench, engine_describe_workflow_execution, &request.base).code, STATUS_NOT_FOUND);
}

static void too_long_a_history_ends_the_run(struct bench *bench) {
    bench->engine->limits.history_count_max = 5;
    bench_start(bench, "w");
    for (int i = 0; i < 4; i++) bench_signal(bench, "w", "one");
    assert_string_equal(HISTORY("w"), "STARTED S SIGNALED SIGNALED SIGNALED SIGNALED TERMINATED");
}

static void in_world(void **state) {
    assert_int_equal(bench_run((void (*)(struct bench *))*state), 0);
}

#define TEST(function) {#function, in_world, NULL, NULL, (void *)function}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_workflow_completes),
        TEST(a_signal_during_a_task_waits_for_its_end),
        TEST(a_close_with_unseen_events_fails_the_task),
        TEST(later_attempts_are_not_written),
        TEST(an_event_between_attempts_makes_them_visible),
        TEST(a_task_times_out),
        TEST(a_sticky_worker_gets_the_rest),
        TEST(a_gone_sticky_worker_is_given_up),
        TEST(a_dead_sticky_queue_is_passed_over),
        TEST(termination_ends_a_started_task),
        TEST(a_timer_fires),
        TEST(a_run_continues_as_new),
        TEST(runs_of_a_chain_begin_a_second_apart),
        TEST(too_large_held_back_events_end_the_task),
        TEST(a_heartbeat_ends),
        TEST(texts_that_each_record_would_carry_have_a_limit),
        TEST(a_page_of_a_completion_is_refused),
        TEST(a_held_back_event_that_code_does_not_see_gets_a_task_too),
        TEST(a_forged_token_finds_nothing),
        TEST(a_successor_without_its_predecessors_end_never_was),
        TEST(a_successor_of_a_deleted_run_stays),
        TEST(a_deleted_run_is_listed_no_more),
        TEST(a_restart_keeps_everything),
        TEST(closed_runs_leave_memory_and_come_back),
        TEST(a_poll_that_leaves_while_its_run_is_loaded_loses_nothing),
        TEST(retention_deletes),
        TEST(too_long_a_history_ends_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
