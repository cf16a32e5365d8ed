/* The embedded store on the simulated disk: a random life, with crashes at random boundaries at which unsynced data is
 * lost or torn. After each, what was acknowledged is there, and nothing after a hole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "unit/store_toy.h"
#include "world.h"

enum { LOOPS_MAX = 3 };

struct life {
    struct toy_model models[LOOPS_MAX];
    struct store_options options;
    unsigned loops, steps;
    bool full_disk;
    unsigned ended_well;
    struct prng prng;
    /* inside the node: */
    struct toy toys[LOOPS_MAX];
    struct store *store;
    unsigned running;
    struct fiber *first;
    struct io *io;
};

static void live_on(struct toy *toy, struct io *io, struct life *life) {
    toy_attach(toy, life->store, io);
    for (unsigned i = 0; i < life->steps; i++) toy_step(toy);
    toy_list(toy);
    toy_settle(toy);
}

static void came_home(struct io *io, struct io_msg *msg) {
    struct life *life = io_slot(io, IO_SLOT_TEST);
    life->running--;
    fiber_wake(io, life->first);
    mem_free(msg);
}

/* The loop's fiber has ended. */
static void go_home(struct io *io, struct io_op *op) {
    fiber_shutdown(io);
    mem_free(op);
    struct io_msg *msg = MEM_NEW(struct io_msg);
    msg->receive = came_home;
    io_post(io, 0, msg);
}

static void live_elsewhere(void *arg) {
    struct io *io = arg;
    struct life *life = io_slot(io, IO_SLOT_TEST);
    live_on(&life->toys[io_loop_index(io)], io, life);
    struct io_op *op = MEM_NEW(struct io_op);
    op->done = go_home;
    io_timer(io, op, io_now(io) + SIM_MS);
}

static void start_elsewhere(struct io *io, void *arg) {
    io_set_slot(io, IO_SLOT_TEST, arg);
    fiber_start(io, "life", live_elsewhere, io, FIBER_STACK_LARGE);
}

static void leave(struct io *io, struct io_op *op) {
    fiber_shutdown(io);
    mem_free(op);
    io_exit(io, 0);
}

static void live(void *arg) {
    struct io *io = arg;
    struct life *life = io_slot(io, IO_SLOT_TEST);
    struct arena arena = {0};
    struct status status;
    for (;;) {
        status = toys_open(life->toys, life->loops, io, life->models, &life->options, &arena, &life->store);
        if (status.code != STATUS_RESOURCE_EXHAUSTED || !life->full_disk) break;
        fiber_sleep_until(io, io_now(io) + SIM_SECOND);
    }
    CHECKF(status_ok(status), "open: %s", status.message);
    life->first = fiber_current(io);
    life->running = life->loops - 1;
    for (unsigned i = 1; i < life->loops; i++) io_loop_start(io, start_elsewhere, life);
    live_on(&life->toys[0], io, life);
    while (life->running) fiber_park(io);
    store_close(life->store, prng_chance(&life->prng, 500000));
    for (unsigned i = 0; i < life->loops; i++) toy_free(&life->toys[i]);
    arena_free(&arena);
    life->ended_well++;
    struct io_op *op = MEM_NEW(struct io_op);
    op->done = leave;
    io_timer(io, op, io_now(io) + SIM_SECOND);
}

static void start(struct io *io, void *arg) {
    io_set_slot(io, IO_SLOT_TEST, arg);
    fiber_start(io, "life", live, io, FIBER_STACK_LARGE);
}

static void run(struct world *world, unsigned node) {
    world_start(world, node, 0);
    do {
        if (!world_step(world)) world_fail(world, WORLD_STUCK, "nothing is left to do");
    } while (world_node_state(world, node) != NODE_RUNNING);
}

static void run_to_end(struct world *world, unsigned node) {
    while (world_node_state(world, node) == NODE_RUNNING)
        if (!world_step(world)) world_fail(world, WORLD_STUCK, "nothing is left to do");
}

struct plan {
    unsigned loops, rounds, steps;
    bool full_disk;
    uint64_t segment_bytes, checkpoint_bytes;     /* 0: 128 and 192 KiB */
    int64_t boundary_max;                         /* 0: 6000 */
    bool kill_then_power;                         /* each second crash loses what the one before it left unsynced */
};

static void squeeze(struct world *world, void *arg) {
    struct life *life = arg;
    bool free_again = prng_chance(&life->prng, 500000);
    world_disk_limit(world, 0, free_again ? 64 << 20 : (uint64_t)prng_range(&life->prng, 1 << 20, 3 << 20));
    world_call_at(world, world_now(world) + prng_range(&life->prng, SIM_MS, 2 * SIM_SECOND), squeeze, life);
}

static struct life *life_begin(struct world *world, uint64_t seed, const struct plan *plan) {
    struct life *life = world_alloc(sizeof *life);
    life->loops = plan->loops;
    life->steps = plan->steps;
    life->full_disk = plan->full_disk;
    life->prng = prng_fork(seed, "life", 0);
    for (unsigned i = 0; i < plan->loops; i++) toy_model_init(&life->models[i], seed, i);
    life->options = (struct store_options){
        .dir = "/data", .loops = plan->loops, .reserve_bytes = 256 << 10,
        .segment_bytes = plan->segment_bytes ? plan->segment_bytes : 128 << 10,
        .checkpoint_bytes = plan->checkpoint_bytes ? plan->checkpoint_bytes : 192 << 10, .checkpoint_ns = SIM_SECOND};
    world_add_node(world, &(struct world_node){.name = "store", .start = start, .arg = life});
    world_check_leaks(world, true);
    return life;
}

static void life_to_end(struct world *world, const struct life *life) {
    enum { NODE = 0 };
    run(world, NODE);
    run_to_end(world, NODE);
    assert_int_equal(world_node_state(world, NODE), NODE_EXITED);
    assert_int_equal(world_exit_code(world, NODE), 0);
    assert_true(life->ended_well >= 1);
}

static void life_free(struct world *world, struct life *life) {
    for (unsigned i = 0; i < life->loops; i++) toy_model_free(&life->models[i]);
    world_destroy(world);
    world_free(life);
}

/* Lives and crashes `rounds` times, then lives once to its end. */
static void one_seed(uint64_t seed, const struct plan *plan) {
    enum { node = 0 };
    struct world *world = world_create(&(struct world_options){.seed = seed, .print = true});
    struct life *life = life_begin(world, seed, plan);
    world_fault_set(world, FAULT_SLOW_DISK, seed % 2);
    world_fault_set(world, FAULT_DISK_STALL, seed % 8 == 1);
    if (plan->full_disk) world_call_at(world, 10 * SIM_MS, squeeze, life);
    for (unsigned i = 0; i < plan->rounds; i++) {
        run(world, node);
        uint64_t boundary = (uint64_t)prng_skewed(&life->prng, 1, plan->boundary_max ? plan->boundary_max : 6000);
        bool power = plan->kill_then_power ? i % 2 : prng_chance(&life->prng, 700000);
        world_crash_at_boundary(world, node, world_boundary(world, node) + boundary, power ? CRASH_POWER : CRASH_KILL);
        run_to_end(world, node);
    }
    life_to_end(world, life);
    const struct toy_model *model = &life->models[0];
    if (getenv("STORE_VERBOSE"))
        printf("seed %llu: %llu starts, %llu records, %llu images compared, %llu loads, %llu lists, %llu refused\n",
               (unsigned long long)seed, (unsigned long long)model->starts, (unsigned long long)model->records,
               (unsigned long long)model->checks, (unsigned long long)model->loads, (unsigned long long)model->lists,
               (unsigned long long)model->refused);
    life_free(world, life);
}

static void seeds(uint64_t count, const struct plan *plan) {
    const char *wanted = getenv("STORE_SEEDS"), *first = getenv("STORE_FIRST_SEED");
    uint64_t from = first ? strtoull(first, NULL, 0) : 1;
    if (wanted) count = strtoull(wanted, NULL, 0);
    for (uint64_t seed = from; seed < from + count; seed++) one_seed(seed, plan);
}

static void a_long_life_without_crashes(void **state) {
    (void)state;
    one_seed(1000, &(struct plan){.loops = 1, .steps = 2000});
}

static void crashes_lose_nothing_acknowledged(void **state) {
    (void)state;
    seeds(10, &(struct plan){.loops = 1, .rounds = 12, .steps = 1000});
}

static void crashes_while_recovering(void **state) {
    (void)state;
    seeds(6, &(struct plan){.loops = 1, .rounds = 40, .steps = 300, .boundary_max = 1500, .kill_then_power = true});
}

static void small_segments_come_and_go(void **state) {
    (void)state;
    seeds(6, &(struct plan){.loops = 1, .rounds = 30, .steps = 600, .segment_bytes = 16 << 10,
                             .checkpoint_bytes = 32 << 10});
}

static void several_loops_share_a_journal(void **state) {
    (void)state;
    seeds(5, &(struct plan){.loops = 3, .rounds = 8, .steps = 500});
}

static void a_full_disk_refuses_and_resumes(void **state) {
    (void)state;
    seeds(5, &(struct plan){.loops = 1, .rounds = 6, .steps = 1500, .full_disk = true});
}

/* After an error of a write or a sync nothing is known of what the disk holds: the process ends at once, and the next one
 * finds all that was acknowledged. */
static bool stops_at_error(uint64_t seed, enum fault fault) {
    enum { NODE = 0, OPENED = 100 * SIM_MS, AT_ONCE = SIM_SECOND };
    struct world *world = world_create(&(struct world_options){.seed = seed, .print = true});
    struct life *life = life_begin(world, seed, &(struct plan){.loops = 1 + seed % 2, .steps = 3000});
    run(world, NODE);
    while (world_now(world) < OPENED && world_node_state(world, NODE) == NODE_RUNNING) world_step(world);
    world_fault_set(world, fault, true);
    while (!world_disk_errors(world, NODE) && world_node_state(world, NODE) == NODE_RUNNING) world_step(world);
    bool struck = world_disk_errors(world, NODE) != 0 && !life->ended_well;
    int64_t until = world_now(world) + AT_ONCE;
    while (world_node_state(world, NODE) == NODE_RUNNING && world_now(world) < until) world_step(world);
    if (struck) assert_int_equal(world_node_state(world, NODE), NODE_DOWN);
    world_fault_set(world, fault, false);
    life_to_end(world, life);
    life_free(world, life);
    return struck;
}

static void errors_of_writes_and_syncs_stop_it(void **state) {
    (void)state;
    enum { SEEDS = 12 };
    unsigned writes = 0, syncs = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        writes += stops_at_error(seed, FAULT_WRITE_ERROR);
        syncs += stops_at_error(seed, FAULT_SYNC_ERROR);
    }
    assert_true(writes && syncs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_life_without_crashes),
        cmocka_unit_test(crashes_lose_nothing_acknowledged),
        cmocka_unit_test(crashes_while_recovering),
        cmocka_unit_test(small_segments_come_and_go),
        cmocka_unit_test(several_loops_share_a_journal),
        cmocka_unit_test(a_full_disk_refuses_and_resumes),
        cmocka_unit_test(errors_of_writes_and_syncs_stop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
