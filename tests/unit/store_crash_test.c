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
#include "unit/store_toy.h"
#include "world.h"

struct life {
    struct toy_model model;
    struct store_options options;
    unsigned steps;
    unsigned ended_well;
};

static void live(void *arg) {
    struct io *io = arg;
    struct life *life = io_slot(io, IO_SLOT_TEST);
    struct toy toy;
    struct arena arena = {0};
    struct status status = toy_open(&toy, io, &life->model, &life->options, &arena);
    CHECKF(status_ok(status), "open: %s", status.message);
    for (unsigned i = 0; i < life->steps; i++) toy_step(&toy);
    toy_list(&toy);
    toy_close(&toy, prng_chance(&life->model.prng, 500000));
    arena_free(&arena);
    life->ended_well++;
    io_exit(io, 0);
}

static void start(struct io *io, void *arg) {
    io_set_slot(io, IO_SLOT_TEST, arg);
    fiber_start(io, "life", live, io, FIBER_STACK_LARGE);
}

static void run(struct world *world, unsigned node) {
    while (world_node_state(world, node) == NODE_RUNNING || world_node_state(world, node) == NODE_NEW)
        if (!world_step(world)) world_fail(world, WORLD_STUCK, "nothing is left to do");
}

/* Lives and crashes `rounds` times, then lives once to its end. */
static void one_seed(uint64_t seed, unsigned rounds, unsigned steps) {
    struct world *world = world_create(&(struct world_options){.seed = seed, .print = true});
    struct life life = {.steps = steps};
    toy_model_init(&life.model, seed);
    life.options = (struct store_options){
        .dir = "/data", .segment_bytes = 128 << 10, .reserve_bytes = 256 << 10, .checkpoint_bytes = 192 << 10,
        .checkpoint_ns = SIM_SECOND};
    unsigned node = world_add_node(world, &(struct world_node){.name = "store", .start = start, .arg = &life});
    struct prng prng = prng_fork(seed, "crashes", 0);
    for (unsigned i = 0; i < rounds; i++) {
        world_start(world, node, 0);
        world_step(world);
        while (world_node_state(world, node) != NODE_RUNNING) world_step(world);
        uint64_t boundary = (uint64_t)prng_skewed(&prng, 1, 4000);
        world_crash_at_boundary(world, node, world_boundary(world, node) + boundary,
                                prng_chance(&prng, 700000) ? CRASH_POWER : CRASH_KILL);
        run(world, node);
    }
    world_start(world, node, 0);
    world_step(world);
    while (world_node_state(world, node) != NODE_RUNNING) world_step(world);
    run(world, node);
    assert_int_equal(world_node_state(world, node), NODE_EXITED);
    assert_int_equal(world_exit_code(world, node), 0);
    assert_true(life.ended_well >= 1);
    if (getenv("STORE_VERBOSE"))
        printf("seed %llu: %llu starts, %llu records, %llu images compared, %llu loads, %llu lists, %llu refused\n",
               (unsigned long long)seed, (unsigned long long)life.model.starts, (unsigned long long)life.model.records,
               (unsigned long long)life.model.checks, (unsigned long long)life.model.loads,
               (unsigned long long)life.model.lists, (unsigned long long)life.model.refused);
    toy_model_free(&life.model);
    world_destroy(world);
}

static void crashes_lose_nothing_acknowledged(void **state) {
    (void)state;
    const char *seeds = getenv("STORE_SEEDS"), *first = getenv("STORE_FIRST_SEED");
    uint64_t from = first ? strtoull(first, NULL, 0) : 1, count = seeds ? strtoull(seeds, NULL, 0) : 60;
    for (uint64_t seed = from; seed < from + count; seed++) one_seed(seed, 12, 1000);
}

static void a_long_life_without_crashes(void **state) {
    (void)state;
    one_seed(1000, 0, 4000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_life_without_crashes),
        cmocka_unit_test(crashes_lose_nothing_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
