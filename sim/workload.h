/* workload: what a run of norn-sim does in its world, and how it is judged. */
#ifndef NORN_SIM_WORKLOAD_H
#define NORN_SIM_WORKLOAD_H

#include "nemesis.h"
#include "world.h"

struct run_options;

struct workload {
    const char *name, *text;
    bool covers;                         /* a batch must come to every fault, mark and operation (coverage.h) */
    /* Adds nodes to the world and starts them; gives what the other functions take. */
    void *(*begin)(struct world *world, struct nemesis *nemesis, const struct run_options *options);
    /* True when the clients have done all that they wanted; asked often. */
    bool (*finished)(void *run);
    /* Told that faults have stopped: from here on all that can finish must. */
    void (*calmed)(void *run);
    /* Explains on stderr what is still missing; the id of a workflow that is, for the report; NULL when there is none. */
    const char *(*explain)(void *run);
    /* Checks what was stored; world_fail when it is wrong. Runs after everything finished, nodes up. */
    void (*check)(void *run);
    /* Ends the nodes in order; true when they have. Asked often, may do its part at each call. */
    bool (*ended)(void *run);
    void (*report)(void *run);           /* what was done, on stderr, with --summary; may be NULL */
    void (*destroy)(void *run);
};

extern const struct workload norn_workload, small_workload, ledger_workload, canary_workload, idle_workload,
    load_workload;

extern const struct workload *const workloads[];       /* NULL at the end; the first is the default */
const struct workload *workload_find(const char *name);
/* Sends SIGTERM to a node once in each of its lives (*told is the last one that was told); true when it has exited. */
bool workload_end_node(struct world *world, unsigned node, unsigned *told);

#endif
