/* run: one seed. First faults and work together, then calm, in which all that can finish must finish within bounded
 * virtual time, then the checks, then an orderly end, at which nothing may be left. */
#include "run.h"

#include <stdio.h>

#include "base/check.h"
#include "coverage.h"
#include "view.h"

enum { WORK_SECONDS_MAX = 300, LIVENESS_SECONDS = 900, END_SECONDS = 300 };

/* Runs until ask(run) or the limit of virtual time; asking may cost more than an event. */
static bool run_until(struct world *world, bool (*ask)(void *run), void *run, int64_t limit) {
    enum { EVENTS_BETWEEN = 16 };
    for (;;) {
        if (ask(run)) return true;
        unsigned steps = 0;
        while (steps < EVENTS_BETWEEN && world_next(world) <= limit && world_step(world)) steps++;
        if (!steps) return false;
    }
}

static void choose_faults(struct world *world, const struct run_options *options) {
    world_swarm(world);
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        if (options->calm && world_fault_group(fault) >= FAULT_GROUP_NETWORK) world_fault_set(world, fault, false);
        if (options->off[fault]) world_fault_set(world, fault, options->off[fault] < 0);
    }
}

static void print_faults(const struct world *world) {
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        fprintf(stderr, "%10llu  %-18s %s\n", (unsigned long long)world_fault_hits(world, fault),
                world_fault_name(fault), world_fault_text(fault));
}

bool workload_end_node(struct world *world, unsigned node, unsigned *told) {
    enum node_state state = world_node_state(world, node);
    if (state == NODE_RUNNING && *told != world_incarnation(world, node)) {
        *told = world_incarnation(world, node);
        world_signal(world, node, IO_SIGNAL_TERM);
    }
    return state == NODE_EXITED;
}

static void liveness(struct world *world, const struct workload *workload, void *run) {
    int64_t patience = LIVENESS_SECONDS * SIM_SECOND + world_wall_back(world), limit = world_now(world) + patience;
    if (run_until(world, workload->finished, run, limit)) return;
    const char *missing = workload->explain ? workload->explain(run) : NULL;
    world_fail(world, WORLD_STUCK, "%s%snot finished %lld virtual seconds after the last fault", missing ? missing : "",
               missing ? ": " : "", (long long)(patience / SIM_SECOND));
}

static void print_last(struct world *world, const struct run_options *options, int64_t host_ns) {
    struct world_trace trace = world_trace(world);
    double seconds = (double)host_ns / 1e9;
    printf("PASS seed=%llu workload=%s events=%llu vtime=%.3f wall=%.3f rate=%.0f boundary=%llu trace=%016llx%016llx\n",
           (unsigned long long)options->seed, options->workload->name, (unsigned long long)world_events(world),
           (double)world_now(world) / 1e9, seconds, (double)world_events(world) / seconds,
           (unsigned long long)world_boundary(world, 0),
           (unsigned long long)trace.high, (unsigned long long)trace.low);
}

static void run_phases(struct world *world, const struct run_options *options) {
    const struct workload *workload = options->workload;
    struct nemesis *nemesis = nemesis_create(world);
    void *run = workload->begin(world, nemesis, options);
    nemesis_begin(nemesis, WORK_SECONDS_MAX * SIM_SECOND);
    nemesis_crash_at(nemesis, 0, options->crash_at, options->crash_again);
    int64_t work = prng_range(world_prng(world, PRNG_SWARM), 5, WORK_SECONDS_MAX) * SIM_SECOND;
    if (options->calm_at && options->calm_at < work) work = options->calm_at;
    run_until(world, workload->finished, run, work);
    nemesis_calm(nemesis);
    if (workload->calmed) workload->calmed(run);
    liveness(world, workload, run);
    workload->check(run);
    nemesis_let_end(nemesis);
    if (!run_until(world, workload->ended, run, world_now(world) + END_SECONDS * SIM_SECOND))
        world_fail(world, WORLD_STUCK, "a node did not end within %d virtual seconds of SIGTERM", END_SECONDS);
    if (options->summary && workload->report) workload->report(run);
    nemesis_destroy(nemesis);
    workload->destroy(run);
}

/* What --shrink goes by: how often kinds of fault struck, and how often they would have. */
static void print_asked(const struct world *world) {
    printf("hits");
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        printf(" %llu", (unsigned long long)world_fault_hits(world, (enum fault)fault));
    printf("\nasked");
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        printf(" %llu", (unsigned long long)world_fault_asked(world, (enum fault)fault));
    printf("\n");
}

static void run_ended(struct world *world, const struct world_end *end, void *arg) {
    const struct run_options *options = arg;
    if (options->brief && options->counters && end->verdict != WORLD_PASS) print_asked(world);
    if (options->view && world_log(world)) view_write(options, world, end);
    fflush(stdout);
}

int run_seed(const struct run_options *options) {
    struct words words = {0};
    run_words(options, &words);
    char *command = words_line(&words, options->plant ? "norn-sim-planted" : "norn-sim");
    bool stops = options->stop.at || options->stop.kind;
    struct world *world = world_create(&(struct world_options){
        .seed = options->seed, .print = options->print, .fill = options->fill, .command = command,
        .log = options->brief ? NULL : &options->log, .record = options->record,
        .until = options->until.given ? &options->until : NULL, .stop = stops ? &options->stop : NULL,
        .only = options->only, .log_io = options->view != NULL, .ended = run_ended,
        .ended_arg = (void *)(uintptr_t)options});
    choose_faults(world, options);
    world_check_leaks(world, true);
    int64_t began = world_host_ns();
    run_phases(world, options);
    if (options->summary) print_faults(world);
    if (options->counters) coverage_tell(world);
    print_last(world, options, world_host_ns() - began);
    run_ended(world, &(struct world_end){WORLD_PASS, "", ""}, (void *)(uintptr_t)options);
    world_destroy(world);
    world_free(command);
    words_free(&words);
    return WORLD_PASS;
}
