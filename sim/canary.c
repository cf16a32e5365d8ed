/* canary: a node that does what no node may: it lets an address decide what it writes. Two runs of a seed must differ,
 * and norn-sim must say so; if it does not, its comparison is worth nothing. */
#include "base/mem.h"
#include "workload.h"

static void start(struct io *io, void *arg) {
    (void)arg;
    void *memory = mem_alloc(64);
    uint64_t address = (uint64_t)(uintptr_t)memory;
    io_print(io, IO_STDOUT, &address, sizeof address);
    mem_free(memory);
    io_exit(io, 0);
}

static void *begin(struct world *world, struct nemesis *nemesis, const struct run_options *options) {
    (void)options;
    (void)nemesis;
    world_start(world, world_add_node(world, &(struct world_node){.name = "canary", .start = start, .mute = true}), 0);
    return world;
}

static bool gone(void *world) { return world_node_state(world, 0) == NODE_EXITED; }
static void nothing(void *world) { (void)world; }

const struct workload canary_workload = {
    .name = "canary", .text = "a program whose two runs must differ (code 74)", .begin = begin, .finished = gone,
    .check = nothing, .ended = gone, .destroy = nothing,
};
