/* Starts: policies for ids in use, deduplication, delays, eager tasks, signals with starts. */
#include "unit/shard_bench.h"

#include "norn/admin.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

typedef Temporal__Api__Workflowservice__V1__RequestCancelWorkflowExecutionRequest CancelRequest;
typedef Temporal__Api__Workflowservice__V1__DescribeWorkflowExecutionRequest DescribeRequest;
typedef Temporal__Api__Workflowservice__V1__DescribeWorkflowExecutionResponse DescribeResponse;

static StartWorkflowExecutionRequest *request(struct bench *bench, const char *workflow_id) {
    StartWorkflowExecutionRequest *out = ARENA_NEW(&bench->arena, StartWorkflowExecutionRequest);
    temporal__api__workflowservice__v1__start_workflow_execution_request__init(out);
    out->workflow_id = pb_text(workflow_id);
    out->workflow_type = ARENA_NEW(&bench->arena, WorkflowType);
    temporal__api__common__v1__workflow_type__init(out->workflow_type);
    out->workflow_type->name = pb_text("type");
    out->task_queue = ARENA_NEW(&bench->arena, TaskQueue);
    temporal__api__taskqueue__v1__task_queue__init(out->task_queue);
    out->task_queue->name = pb_text("queue");
    return out;
}

static StartWorkflowExecutionResponse *start(struct bench *bench, const StartWorkflowExecutionRequest *request_) {
    return bench_ok(bench, engine_start_workflow_execution, &request_->base,
                    &temporal__api__workflowservice__v1__start_workflow_execution_response__descriptor);
}

static struct status refused(struct bench *bench, const StartWorkflowExecutionRequest *request_) {
    struct status status = bench_do(bench, engine_start_workflow_execution, &request_->base);
    assert_int_not_equal(status.code, STATUS_OK);
    return status;
}

static void an_id_in_use_is_refused(struct bench *bench) {
    StartWorkflowExecutionRequest *one = request(bench, "w");
    one->request_id = pb_text("a");
    const char *run_id = start(bench, one)->run_id;
    StartWorkflowExecutionResponse *again = start(bench, one);
    assert_true(again->started);
    assert_string_equal(again->run_id, run_id);

    one->request_id = pb_text("b");
    struct status status = refused(bench, one);
    assert_int_equal(status.code, STATUS_ALREADY_EXISTS);
    assert_string_equal(status.detail_type, "temporal.api.errordetails.v1.WorkflowExecutionAlreadyStartedFailure");
    Temporal__Api__Errordetails__V1__WorkflowExecutionAlreadyStartedFailure *detail =
        pb_unpack(&bench->arena, &temporal__api__errordetails__v1__workflow_execution_already_started_failure__descriptor,
                  status.detail);
    assert_string_equal(detail->run_id, run_id);
    assert_string_equal(detail->start_request_id, "a");
    assert_string_equal(detail->first_execution_run_id, run_id);

    one->workflow_id_conflict_policy = CONFLICT_POLICY(USE_EXISTING);
    again = start(bench, one);
    assert_false(again->started);
    assert_string_equal(again->run_id, run_id);

    one->workflow_id_conflict_policy = CONFLICT_POLICY(TERMINATE_EXISTING);
    one->request_id = pb_text("c");
    again = start(bench, one);
    assert_true(again->started);
    assert_string_not_equal(again->run_id, run_id);
    assert_string_equal(bench_history(bench, "w", run_id), "STARTED S TERMINATED");
    assert_string_equal(bench_history(bench, "w", ""), "STARTED S");
    bench_restart(bench, false);
    assert_string_equal(bench_history(bench, "w", ""), "STARTED S");
}

static void closed_ids_are_used_again_by_policy(struct bench *bench) {
    bench_start(bench, "w");
    assert_true(status_ok(bench_terminate(bench, "w")));
    StartWorkflowExecutionRequest *one = request(bench, "w");
    one->workflow_id_reuse_policy = REUSE_POLICY(REJECT_DUPLICATE);
    assert_int_equal(refused(bench, one).code, STATUS_ALREADY_EXISTS);
    bench_checkpoint(bench);                                     /* the run is in the tables only */
    assert_int_equal(refused(bench, one).code, STATUS_ALREADY_EXISTS);
    one->workflow_id_reuse_policy = REUSE_POLICY(ALLOW_DUPLICATE_FAILED_ONLY);
    assert_true(start(bench, one)->started);
}

static void bad_requests_are_refused(struct bench *bench) {
    StartWorkflowExecutionRequest *one = request(bench, "");
    assert_string_equal(refused(bench, one).message, "WorkflowId is not set on request.");
    one = request(bench, "w");
    one->workflow_type = NULL;
    assert_string_equal(refused(bench, one).message, "WorkflowType is not set on request.");
    one = request(bench, "w");
    one->workflow_id_reuse_policy = REUSE_POLICY(TERMINATE_IF_RUNNING);
    one->workflow_id_conflict_policy = CONFLICT_POLICY(FAIL);
    assert_int_equal(refused(bench, one).code, STATUS_INVALID_ARGUMENT);
    one = request(bench, "w");
    one->cron_schedule = pb_text("never");
    assert_non_null(strstr(refused(bench, one).message, "Invalid CronSchedule: it needs five fields"));
}

static void a_delayed_start_waits(struct bench *bench) {
    StartWorkflowExecutionRequest *one = request(bench, "w");
    one->workflow_start_delay = pb_duration(&bench->arena, SECONDS(30));
    start(bench, one);
    assert_string_equal(bench_history(bench, "w", ""), "STARTED");
    bench_signal(bench, "w", "one");
    assert_string_equal(bench_history(bench, "w", ""), "STARTED SIGNALED");
    bench_restart(bench, true);
    bench_wait(bench, SECONDS(31));
    assert_string_equal(bench_history(bench, "w", ""), "STARTED SIGNALED S");
}

static void a_cancel_request_ends_a_delay(struct bench *bench) {
    StartWorkflowExecutionRequest *one = request(bench, "w");
    one->workflow_start_delay = pb_duration(&bench->arena, SECONDS(30));
    start(bench, one);
    CancelRequest cancel = TEMPORAL__API__WORKFLOWSERVICE__V1__REQUEST_CANCEL_WORKFLOW_EXECUTION_REQUEST__INIT;
    WorkflowExecution target = TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    target.workflow_id = pb_text("w");
    cancel.workflow_execution = &target;
    for (int i = 0; i < 2; i++) {                                /* the second does nothing */
        assert_true(status_ok(bench_do(bench, engine_request_cancel_workflow_execution, &cancel.base)));
        assert_string_equal(bench_history(bench, "w", ""), "STARTED CANCEL_REQUESTED S");
    }
    cancel.first_execution_run_id = pb_text("00000000-0000-4000-8000-000000000000");
    assert_int_equal(bench_do(bench, engine_request_cancel_workflow_execution, &cancel.base).code, STATUS_NOT_FOUND);
}

static void an_eager_start_brings_its_task(struct bench *bench) {
    StartWorkflowExecutionRequest *one = request(bench, "w");
    one->request_eager_execution = true;
    one->identity = pb_text("me");
    StartWorkflowExecutionResponse *response = start(bench, one);
    assert_non_null(response->eager_workflow_task);
    assert_string_equal(bench_events(bench, response->eager_workflow_task->history), "STARTED S St");
    assert_true(response->eager_workflow_task->history->events[0]
                    ->workflow_execution_started_event_attributes->eager_execution_accepted);
    assert_true(status_ok(bench_complete(bench, response->eager_workflow_task, NULL, 0)));
    assert_string_equal(bench_history(bench, "w", ""), "STARTED S St C");
}

static void a_run_times_out(struct bench *bench) {
    StartWorkflowExecutionRequest *one = request(bench, "w");
    one->workflow_run_timeout = pb_duration(&bench->arena, SECONDS(5));
    start(bench, one);
    bench_poll(bench, "queue");
    bench_wait(bench, SECONDS(4));
    bench_signal(bench, "w", "one");
    bench_wait(bench, SECONDS(2));
    assert_string_equal(bench_history(bench, "w", ""), "STARTED S St F SIGNALED TIMED_OUT");
}

static void a_timed_out_run_is_tried_again(struct bench *bench) {
    StartWorkflowExecutionRequest *one = request(bench, "w");
    RetryPolicy policy = TEMPORAL__API__COMMON__V1__RETRY_POLICY__INIT;
    policy.maximum_attempts = 2;
    one->retry_policy = &policy;
    one->workflow_run_timeout = pb_duration(&bench->arena, SECONDS(5));
    const char *first = start(bench, one)->run_id;
    bench_wait(bench, SECONDS(5) + SECONDS(1) / 2);
    assert_string_equal(bench_history(bench, "w", first), "STARTED S TIMED_OUT");
    assert_string_equal(bench_history(bench, "w", ""), "STARTED");
    bench_wait(bench, SECONDS(1));
    assert_string_equal(bench_history(bench, "w", ""), "STARTED S");
    bench_wait(bench, SECONDS(6));
    assert_string_equal(bench_history(bench, "w", ""), "STARTED S TIMED_OUT");
}

static void cron_starts_the_next_run(struct bench *bench) {
    StartWorkflowExecutionRequest *one = request(bench, "w");
    one->cron_schedule = pb_text("@every 10s");
    one->workflow_run_timeout = pb_duration(&bench->arena, SECONDS(3));
    start(bench, one);
    assert_string_equal(bench_history(bench, "w", ""), "STARTED");
    bench_wait(bench, SECONDS(11));
    assert_string_equal(bench_history(bench, "w", ""), "STARTED S");
    bench_wait(bench, SECONDS(4));
    assert_string_equal(bench_history(bench, "w", ""), "STARTED");
}

static void a_signal_with_start(struct bench *bench) {
    SignalWithStartWorkflowExecutionRequest both =
        TEMPORAL__API__WORKFLOWSERVICE__V1__SIGNAL_WITH_START_WORKFLOW_EXECUTION_REQUEST__INIT;
    StartWorkflowExecutionRequest *one = request(bench, "w");
    both.workflow_id = one->workflow_id;
    both.workflow_type = one->workflow_type;
    both.task_queue = one->task_queue;
    both.signal_name = pb_text("go");
    both.request_id = pb_text("a");
    const ProtobufCMessageDescriptor *type =
        &temporal__api__workflowservice__v1__signal_with_start_workflow_execution_response__descriptor;
    SignalWithStartWorkflowExecutionResponse *response =
        bench_ok(bench, engine_signal_with_start_workflow_execution, &both.base, type);
    assert_true(response->started);
    assert_string_equal(bench_history(bench, "w", ""), "STARTED SIGNALED S");
    response = bench_ok(bench, engine_signal_with_start_workflow_execution, &both.base, type);
    assert_string_equal(bench_history(bench, "w", ""), "STARTED SIGNALED S");
    both.request_id = pb_text("b");
    response = bench_ok(bench, engine_signal_with_start_workflow_execution, &both.base, type);
    assert_false(response->started);
    assert_string_equal(bench_history(bench, "w", ""), "STARTED SIGNALED S SIGNALED");
}

/* A client that lost the answer tries again, however much later. */
static void a_signal_with_start_that_is_tried_again_after_the_close(struct bench *bench) {
    SignalWithStartWorkflowExecutionRequest both =
        TEMPORAL__API__WORKFLOWSERVICE__V1__SIGNAL_WITH_START_WORKFLOW_EXECUTION_REQUEST__INIT;
    StartWorkflowExecutionRequest *one = request(bench, "w");
    both.workflow_id = one->workflow_id;
    both.workflow_type = one->workflow_type;
    both.task_queue = one->task_queue;
    both.signal_name = pb_text("go");
    const ProtobufCMessageDescriptor *type =
        &temporal__api__workflowservice__v1__signal_with_start_workflow_execution_response__descriptor;
    static const char *const ids[] = {"starts", "signals"};
    const char *run_id = NULL;
    for (int i = 0; i < 2; i++) {
        both.request_id = pb_text(ids[i]);
        SignalWithStartWorkflowExecutionResponse *response =
            bench_ok(bench, engine_signal_with_start_workflow_execution, &both.base, type);
        assert_int_equal(response->started, i == 0);
        run_id = response->run_id;
    }
    assert_true(status_ok(bench_terminate(bench, "w")));
    for (int i = 0; i < 4; i++) {
        if (i == 2) bench_restart(bench, true);
        both.request_id = pb_text(ids[i % 2]);
        SignalWithStartWorkflowExecutionResponse *response =
            bench_ok(bench, engine_signal_with_start_workflow_execution, &both.base, type);
        assert_string_equal(response->run_id, run_id);
        assert_false(response->started);
    }
    both.signal_name = pb_text("stop");        /* another signal, whatever its request id */
    SignalWithStartWorkflowExecutionResponse *response =
        bench_ok(bench, engine_signal_with_start_workflow_execution, &both.base, type);
    assert_true(response->started);
    assert_string_not_equal(response->run_id, run_id);
}

static void a_run_is_described(struct bench *bench) {
    const char *run_id = bench_start(bench, "w");
    bench_poll(bench, "queue");
    DescribeRequest describe = TEMPORAL__API__WORKFLOWSERVICE__V1__DESCRIBE_WORKFLOW_EXECUTION_REQUEST__INIT;
    WorkflowExecution target = TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    target.workflow_id = pb_text("w");
    describe.execution = &target;
    DescribeResponse *response =
        bench_ok(bench, engine_describe_workflow_execution, &describe.base,
                 &temporal__api__workflowservice__v1__describe_workflow_execution_response__descriptor);
    assert_string_equal(response->workflow_execution_info->execution->run_id, run_id);
    assert_int_equal(response->workflow_execution_info->status, STATUS_OF(RUNNING));
    assert_int_equal(response->workflow_execution_info->history_length, 3);
    assert_int_equal(response->pending_workflow_task->attempt, 1);
    assert_non_null(response->pending_workflow_task->started_time);
    target.run_id = pb_text("not-a-uuid");
    assert_string_equal(bench_do(bench, engine_describe_workflow_execution, &describe.base).message, "Invalid RunId.");
    target.run_id = pb_text("");
    target.workflow_id = pb_text("nobody");
    struct status status = bench_do(bench, engine_describe_workflow_execution, &describe.base);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
}

static void a_run_is_explained(struct bench *bench) {
    bench_start(bench, "w");
    bench_poll(bench, "queue");
    Norn__Admin__V1__ExplainRequest explain = NORN__ADMIN__V1__EXPLAIN_REQUEST__INIT;
    explain.workflow_id = pb_text("w");
    Norn__Admin__V1__ExplainResponse *response =
        bench_ok(bench, engine_explain, &explain.base, &norn__admin__v1__explain_response__descriptor);
    assert_int_equal(response->status, STATUS_OF(RUNNING));
    assert_int_equal(response->n_waits, 1);
    assert_string_equal(response->waits[0]->waits_for, "a worker to complete its workflow task");
    assert_string_equal(response->waits[0]->task_queue, "queue");
    assert_non_null(response->waits[0]->since);
    explain.workflow_id = pb_text("nobody");
    assert_int_equal(bench_do(bench, engine_explain, &explain.base).code, STATUS_NOT_FOUND);
}

static void a_memo_field_of_nothing_is_left_out(struct bench *bench) {
    StartWorkflowExecutionRequest *one = request(bench, "w");
    Temporal__Api__Common__V1__Payload__MetadataEntry encoding =
        TEMPORAL__API__COMMON__V1__PAYLOAD__METADATA_ENTRY__INIT, *encodings = &encoding;
    encoding.key = pb_text("encoding");
    encoding.value = (ProtobufCBinaryData){strlen("binary/null"), (uint8_t *)(uintptr_t)"binary/null"};
    Payload payload = TEMPORAL__API__COMMON__V1__PAYLOAD__INIT;
    payload.n_metadata = 1;
    payload.metadata = &encodings;
    Temporal__Api__Common__V1__Memo__FieldsEntry field = TEMPORAL__API__COMMON__V1__MEMO__FIELDS_ENTRY__INIT, *fields = &field;
    field.key = pb_text("nothing");
    field.value = &payload;
    Memo memo = TEMPORAL__API__COMMON__V1__MEMO__INIT;
    memo.n_fields = 1;
    memo.fields = &fields;
    one->memo = &memo;
    start(bench, one);
    assert_null(bench_exec(bench, "w")->memo);
}

static void in_world(void **state) { assert_int_equal(bench_run((void (*)(struct bench *))*state), 0); }

#define TEST(function) {#function, in_world, NULL, NULL, (void *)function}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_memo_field_of_nothing_is_left_out),
        TEST(an_id_in_use_is_refused),
        TEST(closed_ids_are_used_again_by_policy),
        TEST(bad_requests_are_refused),
        TEST(a_delayed_start_waits),
        TEST(a_cancel_request_ends_a_delay),
        TEST(an_eager_start_brings_its_task),
        TEST(a_run_times_out),
        TEST(a_timed_out_run_is_tried_again),
        TEST(cron_starts_the_next_run),
        TEST(a_signal_with_start),
        TEST(a_signal_with_start_that_is_tried_again_after_the_close),
        TEST(a_run_is_described),
        TEST(a_run_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
