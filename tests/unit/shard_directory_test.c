/* Which run an empty run id means, whatever was deleted, evicted or restarted meanwhile; what lists show; and what runs
 * that leave memory leave behind. */
#include "unit/shard_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "shard/directory.h"

typedef Temporal__Api__Workflowservice__V1__DescribeWorkflowExecutionRequest DescribeRequest;
typedef Temporal__Api__Workflowservice__V1__DescribeWorkflowExecutionResponse DescribeResponse;
typedef Temporal__Api__Workflowservice__V1__DeleteWorkflowExecutionRequest DeleteRequest;

static WorkflowExecution *target(struct bench *bench, const char *run_id) {
    WorkflowExecution *out = ARENA_NEW(&bench->arena, WorkflowExecution);
    temporal__api__common__v1__workflow_execution__init(out);
    out->workflow_id = pb_text("w");
    out->run_id = pb_text(run_id);
    return out;
}

static const DescribeResponse *describe(struct bench *bench, const char *run_id) {
    DescribeRequest request = TEMPORAL__API__WORKFLOWSERVICE__V1__DESCRIBE_WORKFLOW_EXECUTION_REQUEST__INIT;
    request.execution = target(bench, run_id);
    struct bench_call *call = bench_begin(bench, engine_describe_workflow_execution, &request.base);
    bench_end(bench, call);
    if (call->call.status.code == STATUS_NOT_FOUND) return NULL;
    return bench_response(bench, call,
                          &temporal__api__workflowservice__v1__describe_workflow_execution_response__descriptor);
}

/* The run that this run id (perhaps empty) finds; NULL: none. */
static const char *described(struct bench *bench, const char *run_id) {
    const DescribeResponse *response = describe(bench, run_id);
    return response ? response->workflow_execution_info->execution->run_id : NULL;
}

static int64_t transitions(struct bench *bench, const char *run_id) {
    return describe(bench, run_id)->workflow_execution_info->state_transition_count;
}

static void delete_run(struct bench *bench, const char *run_id) {
    DeleteRequest request = TEMPORAL__API__WORKFLOWSERVICE__V1__DELETE_WORKFLOW_EXECUTION_REQUEST__INIT;
    request.workflow_execution = target(bench, run_id);
    assert_true(status_ok(bench_do(bench, engine_delete_workflow_execution, &request.base)));
}

static void evict_all(struct bench *bench) {
    bench_checkpoint(bench);
    bench_checkpoint(bench);           /* the second one drops what the first one removed */
    LIST_EACH(it, &bench->engine->lru) {
        struct exec *exec = LIST_ENTRY(it, struct exec, lru);
        if (directory_evictable(bench->engine, exec)) directory_drop(bench->engine, exec);
    }
    assert_int_equal(bench->engine->stats.resident, 0);
}

/* ---- the newest run is deleted ---- */

enum { LATER_NOTHING, LATER_EVICTED, LATER_RESTARTED, LATER_CRASHED, LATER_COUNT };

static void go_on(struct bench *bench, int how) {
    if (how == LATER_EVICTED) evict_all(bench);
    if (how == LATER_RESTARTED) bench_restart(bench, true);
    if (how == LATER_CRASHED) bench_restart(bench, false);
}

static void assert_only_by_its_run_id(struct bench *bench, const char *old) {
    for (int how = 0; how < LATER_COUNT; how++) {
        go_on(bench, how);
        assert_null(described(bench, ""));
        assert_string_equal(described(bench, old), old);
        assert_null(described(bench, ""));
    }
}

static void an_id_used_again_after_the_close(struct bench *bench) {
    const char *old = bench_start(bench, "w");
    assert_true(status_ok(bench_terminate(bench, "w")));
    int64_t before = transitions(bench, old);
    const char *new = bench_start(bench, "w");
    assert_string_equal(described(bench, ""), new);
    assert_string_equal(described(bench, old), old);
    assert_int_equal(transitions(bench, old), before);
    delete_run(bench, new);
    assert_only_by_its_run_id(bench, old);
    const char *third = bench_start(bench, "w");
    assert_string_equal(described(bench, ""), third);
    assert_string_equal(described(bench, old), old);
}

static void the_older_one_evicted_before_the_deletion(struct bench *bench) {
    const char *old = bench_start(bench, "w");
    assert_true(status_ok(bench_terminate(bench, "w")));
    const char *new = bench_start(bench, "w");
    evict_all(bench);
    delete_run(bench, new);
    assert_only_by_its_run_id(bench, old);
}

static void a_chain_of_runs(struct bench *bench) {
    const char *old = bench_start(bench, "w");
    Command command = TEMPORAL__API__COMMAND__V1__COMMAND__INIT, *commands = &command;
    Temporal__Api__Command__V1__ContinueAsNewWorkflowExecutionCommandAttributes again =
        TEMPORAL__API__COMMAND__V1__CONTINUE_AS_NEW_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;
    command.command_type = COMMAND(CONTINUE_AS_NEW_WORKFLOW_EXECUTION);
    command.attributes_case =
        TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_CONTINUE_AS_NEW_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
    command.continue_as_new_workflow_execution_command_attributes = &again;
    assert_true(status_ok(bench_complete(bench, bench_poll(bench, "queue"), &commands, 1)));
    const char *new = described(bench, "");
    assert_string_not_equal(new, old);
    delete_run(bench, new);
    assert_only_by_its_run_id(bench, old);
}

static void an_older_one_deleted(struct bench *bench) {
    const char *old = bench_start(bench, "w");
    assert_true(status_ok(bench_terminate(bench, "w")));
    const char *new = bench_start(bench, "w");
    delete_run(bench, old);
    for (int how = 0; how < LATER_COUNT; how++) {
        go_on(bench, how);
        assert_string_equal(described(bench, ""), new);
        assert_null(described(bench, old));
    }
}

/* ---- lists ---- */

struct listing {
    struct bench *bench;
    struct fiber *fiber;
    size_t count;
    int64_t status;
    bool done;
};

static void listed(void *ctx, const struct store_rows *rows) {
    struct listing *listing = ctx;
    assert_true(status_ok(rows->status));
    listing->count = rows->count;
    if (rows->count) listing->status = rows->rows[0].visibility.status;
    listing->done = true;
    fiber_wake(listing->bench->io, listing->fiber);
}

static struct listing list_all(struct bench *bench) {
    struct listing listing = {.bench = bench, .fiber = fiber_current(bench->io)};
    struct store_list list = {.where = "", .limit = 10};
    memcpy(list.namespace_id, bench->ns.id, NAMESPACE_ID_LEN);
    store_list(bench->loop, &list, listed, &listing);
    while (!listing.done) fiber_park(bench->io);
    return listing;
}

/* A start that was acknowledged is in every list after it, also while a newer change of the run is on its way. */
static void a_list_while_a_change_is_not_durable(struct bench *bench) {
    Temporal__Api__Workflowservice__V1__SignalWorkflowExecutionRequest signal =
        TEMPORAL__API__WORKFLOWSERVICE__V1__SIGNAL_WORKFLOW_EXECUTION_REQUEST__INIT;
    signal.workflow_execution = target(bench, "");
    signal.signal_name = pb_text("go");
    Temporal__Api__Workflowservice__V1__TerminateWorkflowExecutionRequest terminate =
        TEMPORAL__API__WORKFLOWSERVICE__V1__TERMINATE_WORKFLOW_EXECUTION_REQUEST__INIT;
    terminate.workflow_execution = target(bench, "");
    bench_start(bench, "w");
    struct bench_call *call = bench_begin(bench, engine_signal_workflow_execution, &signal.base);
    assert_false(call->ended);
    assert_int_equal(list_all(bench).count, 1);
    bench_end(bench, call);

    call = bench_begin(bench, engine_terminate_workflow_execution, &terminate.base);
    struct listing listing = list_all(bench);
    assert_int_equal(listing.count, 1);
    if (listing.status != STATUS_OF(RUNNING))        /* what is shown is durable */
        assert_true(bench_exec(bench, "w")->commit <= store_durable(bench->loop));
    bench_end(bench, call);
    assert_int_equal(list_all(bench).status, STATUS_OF(TERMINATED));
}

/* ---- the deadline heap ---- */

static void runs_that_come_and_go_leave_no_deadlines(struct bench *bench) {
    bench->ns.retention_ns = SECONDS(1000 * 3600);
    const char *run_id = bench_start(bench, "w");
    assert_true(status_ok(bench_terminate(bench, "w")));
    bench_checkpoint(bench);
    for (int i = 0; i < 5000; i++) {
        assert_string_equal(described(bench, run_id), run_id);
        struct exec *exec = bench_exec(bench, "w");
        assert_true(directory_evictable(bench->engine, exec));
        directory_drop(bench->engine, exec);
    }
    assert_in_range(bench->engine->heap_count, 1, 1100);
    bench_wait(bench, SECONDS(1001 * 3600));
    assert_null(described(bench, run_id));
}

static void in_world(void **state) { assert_int_equal(bench_run((void (*)(struct bench *))*state), 0); }

#define TEST(function) {#function, in_world, NULL, NULL, (void *)function}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_id_used_again_after_the_close),
        TEST(the_older_one_evicted_before_the_deletion),
        TEST(a_chain_of_runs),
        TEST(an_older_one_deleted),
        TEST(a_list_while_a_change_is_not_durable),
        TEST(runs_that_come_and_go_leave_no_deadlines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
