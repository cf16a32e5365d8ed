/* Reading histories: pages, long polls, the close event, backwards. */
#include "unit/shard_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

typedef Temporal__Api__Workflowservice__V1__GetWorkflowExecutionHistoryRequest Request;
typedef Temporal__Api__Workflowservice__V1__GetWorkflowExecutionHistoryResponse Response;
typedef Temporal__Api__Workflowservice__V1__GetWorkflowExecutionHistoryReverseRequest ReverseRequest;
typedef Temporal__Api__Workflowservice__V1__GetWorkflowExecutionHistoryReverseResponse ReverseResponse;

#define CLOSE_EVENT TEMPORAL__API__ENUMS__V1__HISTORY_EVENT_FILTER_TYPE__HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT

static const ProtobufCMessageDescriptor *const response_type =
    &temporal__api__workflowservice__v1__get_workflow_execution_history_response__descriptor;

static WorkflowExecution *target(struct bench *bench) {
    WorkflowExecution *out = ARENA_NEW(&bench->arena, WorkflowExecution);
    temporal__api__common__v1__workflow_execution__init(out);
    out->workflow_id = pb_text("w");
    return out;
}

static Request request(struct bench *bench) {
    Request out = TEMPORAL__API__WORKFLOWSERVICE__V1__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
    out.execution = target(bench);
    return out;
}

static Response *get(struct bench *bench, const Request *one) {
    return bench_ok(bench, engine_get_workflow_execution_history, &one->base, response_type);
}

static void pages_join(struct bench *bench) {
    bench_start(bench, "w");
    for (int i = 0; i < 7; i++) bench_signal(bench, "w", "one");
    for (int restarts = 0; restarts < 2; restarts++) {
        Request one = request(bench);
        one.maximum_page_size = 2;
        struct buf text = {0};
        int pages = 0;
        for (;; pages++) {
            Response *response = get(bench, &one);
            assert_true(response->history->n_events <= 2);
            buf_printf(&text, "%s ", bench_events(bench, response->history));
            if (!response->next_page_token.len) break;
            one.next_page_token = response->next_page_token;
        }
        assert_int_equal(pages, 4);
        assert_string_equal(buf_cstr(&text), "STARTED S SIGNALED SIGNALED SIGNALED SIGNALED SIGNALED SIGNALED SIGNALED ");
        buf_free(&text);
        bench_restart(bench, true);
    }
}

static void tokens_are_checked(struct bench *bench) {
    bench_start(bench, "w");
    Request one = request(bench);
    uint8_t junk[] = "junk";
    one.next_page_token.data = junk;
    one.next_page_token.len = 4;
    struct status status = bench_do(bench, engine_get_workflow_execution_history, &one.base);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(status.message, "Invalid NextPageToken.");
}

static void a_long_poll_sees_what_comes(struct bench *bench) {
    bench_start(bench, "w");
    Request one = request(bench);
    one.wait_new_event = true;
    Response *response = get(bench, &one);
    assert_int_equal(response->history->n_events, 2);
    one.next_page_token = response->next_page_token;
    struct bench_call *call = bench_begin(bench, engine_get_workflow_execution_history, &one.base);
    bench_wait(bench, SECONDS(5));
    assert_false(call->ended);
    bench_signal(bench, "w", "one");
    response = bench_response(bench, call, response_type);
    assert_string_equal(bench_events(bench, response->history), "SIGNALED");

    one.next_page_token = response->next_page_token;
    call = bench_begin(bench, engine_get_workflow_execution_history, &one.base);
    bench_wait(bench, SECONDS(21));
    assert_true(call->ended);
    response = bench_response(bench, call, response_type);
    assert_non_null(response->history);
    assert_int_equal(response->history->n_events, 0);
    assert_true(response->next_page_token.len > 0);

    one.next_page_token = response->next_page_token;
    call = bench_begin(bench, engine_get_workflow_execution_history, &one.base);
    assert_true(status_ok(bench_terminate(bench, "w")));
    response = bench_response(bench, call, response_type);
    assert_string_equal(bench_events(bench, response->history), "TERMINATED");
    assert_int_equal(response->next_page_token.len, 0);
}

static void the_close_event_is_waited_for(struct bench *bench) {
    const char *run_id = bench_start(bench, "w");
    Request one = request(bench);
    one.history_event_filter_type = CLOSE_EVENT;
    Response *response = get(bench, &one);
    assert_int_equal(response->history->n_events, 0);
    assert_int_equal(response->next_page_token.len, 0);

    one.wait_new_event = true;
    one.execution->run_id = pb_text(run_id);
    struct bench_call *call = bench_begin(bench, engine_get_workflow_execution_history, &one.base);
    bench_signal(bench, "w", "one");
    bench_wait(bench, SECONDS(1));
    assert_false(call->ended);
    assert_true(status_ok(bench_terminate(bench, "w")));
    response = bench_response(bench, call, response_type);
    assert_string_equal(bench_events(bench, response->history), "TERMINATED");
    assert_int_equal(response->history->events[0]->event_id, 4);
    response = get(bench, &one);
    assert_string_equal(bench_events(bench, response->history), "TERMINATED");
}

static void a_cancelled_long_poll_ends(struct bench *bench) {
    bench_start(bench, "w");
    Request one = request(bench);
    one.history_event_filter_type = CLOSE_EVENT;
    one.wait_new_event = true;
    struct bench_call *call = bench_begin(bench, engine_get_workflow_execution_history, &one.base);
    assert_non_null(call->call.on_cancel);
    call->call.cancelled = true;
    call->call.on_cancel(&call->call);
    assert_true(call->ended);
}

static void history_reads_backwards(struct bench *bench) {
    bench_start(bench, "w");
    for (int i = 0; i < 3; i++) bench_signal(bench, "w", "one");
    assert_true(status_ok(bench_terminate(bench, "w")));
    ReverseRequest one = TEMPORAL__API__WORKFLOWSERVICE__V1__GET_WORKFLOW_EXECUTION_HISTORY_REVERSE_REQUEST__INIT;
    one.execution = target(bench);
    one.maximum_page_size = 4;
    int64_t expected = 6;
    for (int page = 0; page < 2; page++) {
        ReverseResponse *response =
            bench_ok(bench, engine_get_workflow_execution_history_reverse, &one.base,
                     &temporal__api__workflowservice__v1__get_workflow_execution_history_reverse_response__descriptor);
        for (size_t i = 0; i < response->history->n_events; i++) {
            assert_int_equal(response->history->events[i]->event_id, expected--);
        }
        assert_int_equal(response->next_page_token.len > 0, page == 0);
        one.next_page_token = response->next_page_token;
    }
    assert_int_equal(expected, 0);
}

static void in_world(void **state) { assert_int_equal(bench_run((void (*)(struct bench *))*state), 0); }

#define TEST(function) {#function, in_world, NULL, NULL, (void *)function}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(pages_join),
        TEST(tokens_are_checked),
        TEST(a_long_poll_sees_what_comes),
        TEST(the_close_event_is_waited_for),
        TEST(a_cancelled_long_poll_ends),
        TEST(history_reads_backwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
