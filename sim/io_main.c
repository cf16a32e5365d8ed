/* io_main: a world with one node, for unit and contract tests: an empty disk (with /tmp), a network of its own, and
 * only such faults as io.h allows at any time.
 *
 * NORN_SIM_SEED chooses the seed (1), NORN_SIM_TRACE=1 shows each io event, NORN_SIM_LEAKS=1 makes it a failure to exit
 * with code 0 while ops, buffers, sockets, files or memory are left. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io_sim.h"
#include "log.h"

extern char **environ;

static const char *own_env(const char *name) { return getenv(name); }

int io_main(int argc, char **argv, io_start_fn *start, void *arg) {
    const char *seed = own_env("NORN_SIM_SEED"), *trace = own_env("NORN_SIM_TRACE"), *leaks = own_env("NORN_SIM_LEAKS");
    struct world *world = world_create(&(struct world_options){
        .seed = seed ? strtoull(seed, NULL, 0) : 1,
        .log = trace && *trace == '1' ? &(struct log_filter){.print = true} : NULL,
        .print_raw = true,
    });
    world_check_leaks(world, leaks && *leaks == '1');
    unsigned node = world_add_node(world, &(struct world_node){
        .name = "localhost", .start = start, .arg = arg, .argc = argc, .argv = argv, .env = environ});
    world_start(world, node, 0);
    while (world_node_state(world, node) != NODE_EXITED)
        if (!world_step(world)) world_fail(world, WORLD_STUCK, "nothing is left to do, and io_exit was not called");
    int code = world_exit_code(world, node);
    world_destroy(world);
    fflush(stdout);
    return code;
}
