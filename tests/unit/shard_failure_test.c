/* When commits fail, what was acknowledged stays, and nothing else is believed. */
#include "unit/shard_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { WORKFLOWS = 60, SEEDS = 20 };

static unsigned failures;              /* of starts, over all seeds */

static StartWorkflowExecutionRequest *request(struct bench *bench, int i) {
    StartWorkflowExecutionRequest *out = ARENA_NEW(&bench->arena, StartWorkflowExecutionRequest);
    temporal__api__workflowservice__v1__start_workflow_execution_request__init(out);
    out->workflow_id = arena_printf(&bench->arena, "w%d", i);
    out->request_id = arena_printf(&bench->arena, "request %d", i);
    out->workflow_type = ARENA_NEW(&bench->arena, WorkflowType);
    temporal__api__common__v1__workflow_type__init(out->workflow_type);
    out->workflow_type->name = pb_text("type");
    out->task_queue = ARENA_NEW(&bench->arena, TaskQueue);
    temporal__api__taskqueue__v1__task_queue__init(out->task_queue);
    out->task_queue->name = pb_text("queue");
    return out;
}

/* A worker that completes what it gets; refused tokens are those of starts that were lost. */
static unsigned work(struct bench *bench) {
    unsigned done = 0;
    for (int i = 0; i < 2 * WORKFLOWS; i++) {
        struct bench_call *call = bench_poll_begin(bench, "queue", "worker");
        bench_wait(bench, 5000000);
        if (!call->ended) {
            call->call.cancelled = true;
            if (call->call.on_cancel) call->call.on_cancel(&call->call);
            break;
        }
        if (!status_ok(call->call.status)) continue;
        PollWorkflowTaskQueueResponse *task = bench_response(
            bench, call, &temporal__api__workflowservice__v1__poll_workflow_task_queue_response__descriptor);
        if (!task->task_token.len) continue;
        struct status status = bench_complete(bench, task, NULL, 0);
        if (status_ok(status)) done++;
        else assert_true(status.code == STATUS_UNAVAILABLE || status.code == STATUS_NOT_FOUND);
    }
    return done;
}

static void acknowledged_starts_stay(struct bench *bench) {
    const char *run_ids[WORKFLOWS] = {0};
    unsigned failed = 0;
    for (int i = 0; i < WORKFLOWS; i++) {
        struct bench_call *call = bench_begin(bench, engine_start_workflow_execution, &request(bench, i)->base);
        bench_end(bench, call);
        if (!status_ok(call->call.status)) {
            assert_int_equal(call->call.status.code, STATUS_UNAVAILABLE);
            failed++;
            failures++;
            continue;
        }
        StartWorkflowExecutionResponse *response = bench_response(
            bench, call, &temporal__api__workflowservice__v1__start_workflow_execution_response__descriptor);
        run_ids[i] = response->run_id;
    }
    work(bench);
    engine_verify(bench->engine);
    for (int i = 0; i < WORKFLOWS; i++) {
        struct exec *exec = bench_exec(bench, arena_printf(&bench->arena, "w%d", i));
        if (!run_ids[i]) continue;
        assert_non_null(exec);
        assert_string_equal(exec_run_id(exec), run_ids[i]);
    }
    /* A start that failed is started once by its retries. */
    for (int i = 0; i < WORKFLOWS; i++) {
        struct status status = {.code = STATUS_UNAVAILABLE};
        for (int tries = 0; tries < 20 && status.code == STATUS_UNAVAILABLE; tries++) {
            status = bench_do(bench, engine_start_workflow_execution, &request(bench, i)->base);
        }
        assert_int_equal(status.code, STATUS_OK);
    }
    work(bench);
    assert_true(failed < WORKFLOWS / 2);
}

static void commits_fail_under_many_seeds(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) assert_int_equal(bench_run_failing(acknowledged_starts_stay, seed), 0);
    assert_true(failures > SEEDS);     /* else nothing was tried */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(commits_fail_under_many_seeds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
