/* The search attributes that the server sets by itself, and what it counts of payloads that are kept elsewhere. */
#include "unit/shard_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "shard/attributes.h"

typedef Temporal__Api__Workflow__V1__WorkflowExecutionInfo ExecutionInfo;

static const ExecutionInfo *info(struct bench *bench) {
    Temporal__Api__Workflowservice__V1__DescribeWorkflowExecutionRequest request =
        TEMPORAL__API__WORKFLOWSERVICE__V1__DESCRIBE_WORKFLOW_EXECUTION_REQUEST__INIT;
    WorkflowExecution target = TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    target.workflow_id = pb_text("w");
    request.execution = &target;
    const Temporal__Api__Workflowservice__V1__DescribeWorkflowExecutionResponse *response =
        bench_ok(bench, engine_describe_workflow_execution, &request.base,
                 &temporal__api__workflowservice__v1__describe_workflow_execution_response__descriptor);
    return response->workflow_execution_info;
}

/* As filters see them. */
static const char *shown(struct bench *bench) {
    struct buf json = {0};
    const SearchAttributes *attributes = info(bench)->search_attributes;
    assert_non_null(attributes);       /* Go's DescribeWorkflow looks into it without asking */
    attributes_json(attributes, &json);
    const char *text = arena_text(&bench->arena, buf_bytes(&json));
    buf_free(&json);
    return text;
}

static RespondWorkflowTaskCompletedRequest completion(const PollWorkflowTaskQueueResponse *task) {
    RespondWorkflowTaskCompletedRequest request =
        TEMPORAL__API__WORKFLOWSERVICE__V1__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
    request.task_token = task->task_token;
    return request;
}

static struct status try_complete_as(struct bench *bench, const char *build_id) {
    Temporal__Api__Common__V1__WorkerVersionStamp stamp = TEMPORAL__API__COMMON__V1__WORKER_VERSION_STAMP__INIT;
    stamp.build_id = pb_text(build_id);
    RespondWorkflowTaskCompletedRequest request = completion(bench_poll(bench, "queue"));
    if (*build_id) request.worker_version_stamp = &stamp;
    return bench_do(bench, engine_respond_workflow_task_completed, &request.base);
}

static void complete_as(struct bench *bench, const char *build_id) {
    assert_true(status_ok(try_complete_as(bench, build_id)));
}

/* Twenty of them are kept with each run. */
static void build_ids_have_a_limit(struct bench *bench) {
    char id[257];
    memset(id, 'x', sizeof id);
    id[256] = 0;
    bench_start(bench, "w");
    struct status status = try_complete_as(bench, id);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, "Build ID"));
    bench_start(bench, "other");
    id[255] = 0;
    complete_as(bench, id);
}

static void who_worked_on_a_run(struct bench *bench) {
    bench_start(bench, "w");
    assert_string_equal(shown(bench), "{}");
    complete_as(bench, "");
    assert_string_equal(shown(bench), "{\"BuildIds\":[\"unversioned\"]}");
    static const char *const ids[] = {"1.0", "1.1", "1.0"};
    for (int i = 0; i < 3; i++) {
        bench_signal(bench, "w", "go");
        complete_as(bench, ids[i]);
    }
    bench_restart(bench, true);
    bench_signal(bench, "w", "go");
    assert_string_equal(shown(bench), "{\"BuildIds\":[\"unversioned\",\"unversioned:1.0\",\"unversioned:1.1\"]}");
    for (int i = 0; i < 30; i++) {
        complete_as(bench, arena_printf(&bench->arena, "2.%d", i));
        bench_signal(bench, "w", "go");
    }
    assert_null(strstr(shown(bench), "\"unversioned:2.9\""));       /* the oldest give way */
    assert_non_null(strstr(shown(bench), "\"unversioned:2.10\""));
}

#define PROBLEM(text) "{\"TemporalReportedProblems\":[" text "]}"

static void tasks_that_fail_again_and_again(struct bench *bench) {
    bench_start(bench, "w");
    for (int i = 0; i < 5; i++) {
        assert_string_equal(shown(bench), "{}");
        assert_true(status_ok(bench_fail_task(bench, bench_poll(bench, "queue"))));
    }
    const char *problem = PROBLEM("\"category=WorkflowTaskFailed\","
                                  "\"cause=WorkflowTaskFailedCauseWorkflowWorkerUnhandledFailure\"");
    assert_string_equal(shown(bench), problem);
    bench_signal(bench, "w", "go");        /* a fresh attempt, not a success */
    bench_restart(bench, true);
    assert_string_equal(shown(bench), problem);
    complete_as(bench, "");
    assert_string_equal(shown(bench), "{\"BuildIds\":[\"unversioned\"]}");
}

static void tasks_that_time_out(struct bench *bench) {
    bench_start(bench, "w");
    for (int i = 0; i < 5; i++) {
        bench_poll(bench, "queue");
        bench_wait(bench, SECONDS(120));
    }
    assert_string_equal(shown(bench), PROBLEM("\"category=WorkflowTaskTimedOut\","
                                              "\"cause=WorkflowTaskTimedOutCauseStartToClose\""));
}

/* The failure of a sticky worker is tried again elsewhere first. */
static void a_sticky_failure_does_not_count(struct bench *bench) {
    bench_start(bench, "w");
    for (int i = 0; i < 6; i++) {
        if (i) bench_signal(bench, "w", "go");
        assert_true(status_ok(bench_complete_sticky(bench, bench_poll(bench, i ? "sticky" : "queue"), "sticky")));
        bench_signal(bench, "w", "go");
        assert_true(status_ok(bench_fail_task(bench, bench_poll(bench, "sticky"))));
        assert_int_equal(bench_exec(bench, "w")->info->task_failures, 0);
        assert_true(status_ok(bench_complete_sticky(bench, bench_poll(bench, "queue"), "sticky")));
    }
}

static struct status signal_with(struct bench *bench, Payload **payload) {
    Payloads payloads = TEMPORAL__API__COMMON__V1__PAYLOADS__INIT;
    payloads.payloads = payload;
    payloads.n_payloads = 1;
    Temporal__Api__Workflowservice__V1__SignalWorkflowExecutionRequest signal =
        TEMPORAL__API__WORKFLOWSERVICE__V1__SIGNAL_WORKFLOW_EXECUTION_REQUEST__INIT;
    WorkflowExecution target = TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    target.workflow_id = pb_text("w");
    signal.workflow_execution = &target;
    signal.signal_name = pb_text("go");
    signal.input = &payloads;
    return bench_do(bench, engine_signal_workflow_execution, &signal.base);
}

static void payloads_kept_elsewhere(struct bench *bench) {
    Temporal__Api__Common__V1__Payload__ExternalPayloadDetails details =
        TEMPORAL__API__COMMON__V1__PAYLOAD__EXTERNAL_PAYLOAD_DETAILS__INIT, *all[] = {&details, &details};
    details.size_bytes = 1024;
    Payload payload = TEMPORAL__API__COMMON__V1__PAYLOAD__INIT, *one = &payload;
    payload.external_payloads = all;
    payload.n_external_payloads = 2;
    bench_start(bench, "w");
    for (int i = 0; i < 2; i++) {
        if (i) bench_poll(bench, "queue");        /* the second one is held back */
        assert_true(status_ok(signal_with(bench, &one)));
    }
    assert_true(status_ok(bench_terminate(bench, "w")));
    bench_restart(bench, true);
    assert_int_equal(info(bench)->external_payload_count, 4);
    assert_int_equal(info(bench)->external_payload_size_bytes, 4096);
    assert_string_equal(shown(bench), "{\"TemporalExternalPayloadCount\":4,\"TemporalExternalPayloadSizeBytes\":4096}");
}

/* Sizes are what the client says. */
static void sizes_of_payloads_that_cannot_be(struct bench *bench) {
    static const int64_t sizes[] = {INT64_MAX, INT64_MAX, -5, INT64_MIN};
    Temporal__Api__Common__V1__Payload__ExternalPayloadDetails details[ARRAY_LEN(sizes)], *all[ARRAY_LEN(sizes)];
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        temporal__api__common__v1__payload__external_payload_details__init(all[i] = &details[i]);
        details[i].size_bytes = sizes[i];
    }
    Payload payload = TEMPORAL__API__COMMON__V1__PAYLOAD__INIT, *one = &payload;
    payload.external_payloads = all;
    payload.n_external_payloads = ARRAY_LEN(all);
    bench_start(bench, "w");
    for (int i = 0; i < 2; i++) assert_true(status_ok(signal_with(bench, &one)));
    assert_int_equal(info(bench)->external_payload_count, 2 * ARRAY_LEN(sizes));
    assert_true(info(bench)->external_payload_size_bytes == INT64_MAX);
}

static void in_world(void **state) { assert_int_equal(bench_run((void (*)(struct bench *))*state), 0); }

#define TEST(function) {#function, in_world, NULL, NULL, (void *)function}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(who_worked_on_a_run),
        TEST(build_ids_have_a_limit),
        TEST(tasks_that_fail_again_and_again),
        TEST(tasks_that_time_out),
        TEST(a_sticky_failure_does_not_count),
        TEST(payloads_kept_elsewhere),
        TEST(sizes_of_payloads_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
