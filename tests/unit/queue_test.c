/* Tasks and polls meet, in order, within the rules of a poll. */
#include "queue/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "fiber/fiber.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

#define MS INT64_C(1000000)

enum { CALLS_MAX = 16 };

/* What a test sees: matches in order, and calls that ended. */
struct world {
    struct io *io;
    struct queues *queues;
    uint64_t matched[CALLS_MAX];
    struct call *polls[CALLS_MAX];
    unsigned match_count, ended, cancelled;
    bool refuse;                     /* the engine finds every task stale */
    struct arena arena;
};

static void started(void *ctx, const struct queue_name *name, const struct queue_task *task, struct call *poll) {
    struct world *world = ctx;
    (void)name;
    assert_true(world->match_count < CALLS_MAX);
    world->polls[world->match_count] = poll;
    world->matched[world->match_count++] = task->execution;
    if (world->refuse) queues_poll_again(world->queues, poll);
}

static void ended(struct call *call) {
    struct world *world = (struct world *)(uintptr_t)call->request;
    world->ended++;
    if (call->status.code == STATUS_CANCELLED) world->cancelled++;
}

static struct queue_name name_of(const char *text, enum queue_type type) {
    return (struct queue_name){.type = type, .name = bytes_str(text)};
}

static struct call *poll(struct world *world, const char *queue, enum queue_type type, double rate, int64_t wait) {
    struct call *call = ARENA_NEW(&world->arena, struct call);
    *call = (struct call){.io = world->io, .arena = &world->arena, .end = ended, .deadline = io_now(world->io) + wait,
                          .request = (const ProtobufCMessage *)world};
    struct queue_poll options = {.name = name_of(queue, type), .identity = "me", .worker_instance_key = "key",
                                 .rate_per_second = rate};
    queues_poll(world->queues, call, &options);
    return call;
}

static void add(struct world *world, const char *queue, enum queue_type type, uint64_t execution, int64_t time,
                int32_t priority) {
    struct queue_name name = name_of(queue, type);
    struct queue_task task = {.execution = execution, .event_id = 5, .stamp = 1, .schedule_time = time,
                              .priority = priority};
    queues_add(world->queues, &name, &task);
}

static void wait(struct world *world, int64_t ns) { fiber_sleep_until(world->io, io_now(world->io) + ns); }

static void tasks_go_by_priority_then_time(struct world *world) {
    add(world, "q", QUEUE_WORKFLOW, 1, 30, 0);
    add(world, "q", QUEUE_WORKFLOW, 2, 20, 0);
    add(world, "q", QUEUE_WORKFLOW, 3, 40, 1);
    add(world, "q", QUEUE_WORKFLOW, 3, 40, 1);              /* there already */
    for (int i = 0; i < 4; i++) poll(world, "q", QUEUE_WORKFLOW, -1, 10000 * MS);
    wait(world, MS);
    assert_int_equal(world->match_count, 3);
    assert_int_equal(world->matched[0], 3);
    assert_int_equal(world->matched[1], 2);
    assert_int_equal(world->matched[2], 1);
    assert_int_equal(world->ended, 0);
}

static void a_poll_without_a_task_ends_before_its_deadline(struct world *world) {
    poll(world, "q", QUEUE_WORKFLOW, -1, 5000 * MS);
    poll(world, "other", QUEUE_WORKFLOW, -1, 100000 * MS);
    wait(world, 3900 * MS);
    assert_int_equal(world->ended, 0);
    wait(world, 200 * MS);
    assert_int_equal(world->ended, 1);
    wait(world, 56000 * MS);
    assert_int_equal(world->ended, 2);
    add(world, "q", QUEUE_WORKFLOW, 1, 1, 0);
    wait(world, MS);
    assert_int_equal(world->match_count, 0);
}

static void a_cancelled_poll_gets_no_task(struct world *world) {
    struct call *call = poll(world, "q", QUEUE_WORKFLOW, -1, 9000 * MS);
    call->cancelled = true;
    call->on_cancel(call);
    assert_int_equal(world->cancelled, 1);
    add(world, "q", QUEUE_WORKFLOW, 1, 1, 0);
    wait(world, MS);
    assert_int_equal(world->match_count, 0);
}

static void a_poll_whose_task_was_stale_waits_on(struct world *world) {
    world->refuse = true;
    struct call *call = poll(world, "q", QUEUE_WORKFLOW, -1, 9000 * MS);
    add(world, "q", QUEUE_WORKFLOW, 1, 1, 0);
    wait(world, MS);
    assert_int_equal(world->match_count, 1);
    world->refuse = false;
    add(world, "q", QUEUE_WORKFLOW, 2, 1, 0);
    wait(world, MS);
    assert_int_equal(world->match_count, 2);
    assert_ptr_equal(world->polls[1], call);
}

static void kinds_of_the_same_name_are_apart_and_tasks_can_go(struct world *world) {
    add(world, "q", QUEUE_ACTIVITY, 1, 1, 0);
    poll(world, "q", QUEUE_WORKFLOW, -1, 9000 * MS);
    wait(world, MS);
    assert_int_equal(world->match_count, 0);
    struct queue_name name = name_of("q", QUEUE_ACTIVITY);
    struct queue_task task = {.execution = 1, .event_id = 5, .stamp = 1};
    queues_remove(world->queues, &name, &task);
    poll(world, "q", QUEUE_ACTIVITY, -1, 9000 * MS);
    wait(world, MS);
    assert_int_equal(world->match_count, 0);
}

static void a_rate_limit_spaces_tasks(struct world *world) {
    for (uint64_t i = 1; i <= 4; i++) add(world, "q", QUEUE_ACTIVITY, i, (int64_t)i, 0);
    for (int i = 0; i < 4; i++) poll(world, "q", QUEUE_ACTIVITY, 2, 30000 * MS);
    wait(world, MS);
    assert_int_equal(world->match_count, 2);          /* a second's worth at once */
    wait(world, 520 * MS);
    assert_int_equal(world->match_count, 3);
    wait(world, 520 * MS);
    assert_int_equal(world->match_count, 4);
}

static void a_worker_that_leaves_frees_its_polls(struct world *world) {
    struct queue_name sticky = name_of("sticky", QUEUE_WORKFLOW);
    poll(world, "sticky", QUEUE_WORKFLOW, -1, 9000 * MS);
    assert_true(queues_last_poll(world->queues, &sticky) > 0);
    queues_shutdown_worker(world->queues, &sticky, "");
    assert_int_equal(world->ended, 1);
    assert_int_equal(queues_last_poll(world->queues, &sticky), 0);
}

static void a_queue_tells_of_itself(struct world *world) {
    struct queue_name name = name_of("q", QUEUE_WORKFLOW);
    struct queue_info info;
    add(world, "q", QUEUE_WORKFLOW, 1, io_wall(world->io), 0);
    add(world, "q", QUEUE_WORKFLOW, 2, io_wall(world->io), 0);
    wait(world, 2000 * MS);
    poll(world, "q", QUEUE_WORKFLOW, -1, 9000 * MS);
    wait(world, MS);
    queues_describe(world->queues, &name, &world->arena, &info);
    assert_int_equal(info.backlog, 1);
    assert_true(info.backlog_age_ns >= 2000 * MS);
    assert_int_equal(info.poller_count, 1);
    assert_string_equal(info.pollers[0].identity, "me");
}

/* ---- each test runs in a world of its own, on a fiber --------------------------------------------------------------- */

struct run {
    void (*test)(struct world *world);
    struct io *io;
};

static void on_fiber(void *arg) {
    struct run *run = arg;
    struct world world = {.io = run->io};
    struct queue_host host = {.start = started, .ctx = &world};
    world.queues = queues_create(run->io, &host);
    run->test(&world);
    queues_stop(world.queues);
    fiber_yield(run->io);
    wait(&world, MS);
    queues_destroy(world.queues);
    arena_free(&world.arena);
    io_exit(run->io, 0);
}

static void on_start(struct io *io, void *arg) {
    struct run *run = arg;
    run->io = io;
    assert_non_null(fiber_start(io, "test", on_fiber, run, FIBER_STACK_LARGE));
}

static void in_world(void **state) {
    struct run run = {.test = *(void (**)(struct world *))state};
    char name[] = "queue_test", *argv[] = {name, NULL};
    assert_int_equal(io_main(1, argv, on_start, &run), 0);
}

static void a_rate_that_is_no_number_is_no_limit(struct world *world) {
    const double rates[] = {__builtin_nan(""), __builtin_inf(), -3, 1e300};
    for (unsigned i = 0; i < ARRAY_LEN(rates); i++) {
        poll(world, "q", QUEUE_ACTIVITY, rates[i], 60 * 1000 * MS);
        add(world, "q", QUEUE_ACTIVITY, i + 1, 1, 0);
        fiber_sleep_until(world->io, io_now(world->io) + MS);
        assert_int_equal(world->match_count, i + 1);
    }
    /* One task in longer than time can tell. */
    poll(world, "q", QUEUE_ACTIVITY, 1e-300, 60 * 1000 * MS);
    poll(world, "q", QUEUE_ACTIVITY, 1e-300, 60 * 1000 * MS);
    add(world, "q", QUEUE_ACTIVITY, 11, 1, 0);
    add(world, "q", QUEUE_ACTIVITY, 12, 1, 0);
    fiber_sleep_until(world->io, io_now(world->io) + 1000 * MS);
    assert_int_equal(world->match_count, 5);
}

#define TEST(function) {#function, in_world, NULL, NULL, (void *)function}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(tasks_go_by_priority_then_time),
        TEST(a_poll_without_a_task_ends_before_its_deadline),
        TEST(a_cancelled_poll_gets_no_task),
        TEST(a_poll_whose_task_was_stale_waits_on),
        TEST(kinds_of_the_same_name_are_apart_and_tasks_can_go),
        TEST(a_rate_limit_spaces_tasks),
        TEST(a_rate_that_is_no_number_is_no_limit),
        TEST(a_worker_that_leaves_frees_its_polls),
        TEST(a_queue_tells_of_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
