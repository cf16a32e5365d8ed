/* norn-sim: finds bugs of the whole server by seed, and replays them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plant.h"
#include "fleet.h"

#ifndef NORN_COMMIT
#define NORN_COMMIT "v" NORN_VERSION
#endif

const struct workload *const workloads[] = {&norn_workload, &small_workload, &ledger_workload, &canary_workload, NULL};

const struct workload *workload_find(const char *name) {
    for (unsigned i = 0; workloads[i]; i++)
        if (strcmp(workloads[i]->name, name) == 0) return workloads[i];
    return NULL;
}

static const char usage[] =
    "norn-sim --seed N           run one seed\n"
    "norn-sim --seeds N          run N seeds, each twice in processes of their own\n"
    "\n"
    "  --workload NAME           what runs in the world\n"
    "  --calm                    without faults of network, disk, clock and process\n"
    "  --off KIND, --on KIND     a kind of fault off or on, whatever the seed says (--faults lists them)\n"
    "for one seed:\n"
    "  --trace [--from NS]       a line for each io event on stderr, from a virtual time on\n"
    "  --print                   what the nodes print, on stdout and stderr\n"
    "  --until NS                stop at a virtual time\n"
    "  --summary                 the faults that were injected\n"
    "  --twice                   the seed twice, in two processes, and compare their traces\n"
    "  --crash-at K [--crash-again J]  lose power at the server's K-th io boundary, and J after its restart\n"
    "for many seeds:\n"
    "  --first N                 the first seed (1)\n"
    "  --jobs J                  at a time (2)\n"
    "  --once                    each once\n"
    "  --sweep [--pairs]         instead of seeds: one seed of workload small, with a crash at each io boundary\n"
    "  --failed FILE             failing seeds are kept there, and run first\n"
    "  --plant NAME              with a planted bug (norn-sim-planted)\n"
    "  --plants                  each planted bug in turn: after how many seeds is it found?\n"
    "  --faults, --workloads, --list-plants     list them\n"
    "  --exempt                  what the simulator does not cover\n"
    "\n"
    "Exit codes: 0 passed, 70 a node died, 71 a checker found something wrong, 72 something did not finish, 73 a\n"
    "leak, 74 two runs of a seed differ.\n";

static const char exempt[] =
    "Outside of the simulation, so not covered by seeds:\n"
    "  the kernel, io_uring and src/io/uring*.c: the contract tests run the same scenarios on both backends\n"
    "  TLS (BoringSSL): simulated connections are clear text; HTTP/2 and all above it is simulated\n"
    "  PostgreSQL (libpq): not in the simulator\n";

static _Noreturn void wrong(const char *what, const char *value) {
    fprintf(stderr, "norn-sim: %s %s\n%s", what, value, usage);
    exit(WORLD_USAGE);
}

static enum fault find_fault(const char *name) {
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        if (strcmp(world_fault_name(fault), name) == 0) return (enum fault)fault;
    wrong("unknown kind of fault", name);
}

static uint64_t number(const char *text) {
    char *end;
    uint64_t value = strtoull(text, &end, 0);
    if (!*text || *end) wrong("not a number:", text);
    return value;
}

static int list_faults(void) {
    static const char *const groups[] = {"contract", "crash", "network", "disk", "clock", "process"};
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        printf("%-9s %-18s %s\n", groups[world_fault_group(fault)], world_fault_name(fault), world_fault_text(fault));
    return 0;
}

static const char *const plants[] = {
#ifdef NORN_PLANTS
#define X(name, text, interleaving, what) text,
    PLANTS(X)
#undef X
#endif
    NULL,
};

static const char *find_plant(const char *name) {
    for (unsigned i = 0; plants[i]; i++)
        if (strcmp(plants[i], name) == 0) return plants[i];
    wrong(plants[0] ? "unknown planted bug" : "planted bugs are in norn-sim-planted only, not here:", name);
}

static int list_plants(void) {
    for (unsigned i = 0; plants[i]; i++) puts(plants[i]);
    return 0;
}

static int list_workloads(void) {
    for (unsigned i = 0; workloads[i]; i++) printf("%-10s %s\n", workloads[i]->name, workloads[i]->text);
    return 0;
}

struct options {
    struct fleet_options fleet;
    bool many, one, twice, plants;
    int (*list)(void);
};

static int show_exempt(void) { return fputs(exempt, stdout) < 0; }
static int show_usage(void) { return fputs(usage, stdout) < 0; }

/* Options without a value; false when `name` is none of them. */
static bool take_switch(struct options *options, const char *name) {
    struct run_options *run = &options->fleet.run;
    const struct {
        const char *name;
        bool *to;
    } switches[] = {{"--trace", &run->trace}, {"--print", &run->print}, {"--calm", &run->calm},
                    {"--summary", &run->summary}, {"--counters", &run->counters}, {"--once", &options->fleet.once},
                    {"--twice", &options->twice}, {"--sweep", &options->fleet.sweep},
                    {"--pairs", &options->fleet.pairs}, {"--plants", &options->plants}};
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
        if (strcmp(name, switches[i].name) == 0) return *switches[i].to = true;
    if (strcmp(name, "--faults") == 0) options->list = list_faults;
    if (strcmp(name, "--list-plants") == 0) options->list = list_plants;
    if (strcmp(name, "--workloads") == 0) options->list = list_workloads;
    if (strcmp(name, "--exempt") == 0) options->list = show_exempt;
    if (strcmp(name, "--help") == 0) options->list = show_usage;
    return options->list != NULL;
}

static void take_value(struct options *options, const char *name, const char *value) {
    struct fleet_options *fleet = &options->fleet;
    struct run_options *run = &fleet->run;
    if (!value) wrong("unknown option, or one without its value:", name);
    if (strcmp(name, "--seed") == 0) options->one = true, run->seed = number(value);
    else if (strcmp(name, "--seeds") == 0) options->many = true, fleet->count = number(value);
    else if (strcmp(name, "--first") == 0) fleet->first = number(value);
    else if (strcmp(name, "--jobs") == 0) fleet->jobs = (unsigned)number(value);
    else if (strcmp(name, "--failed") == 0) fleet->failed_file = value;
    else if (strcmp(name, "--from") == 0) run->trace_from = (int64_t)number(value);
    else if (strcmp(name, "--until") == 0) run->until = (int64_t)number(value);
    else if (strcmp(name, "--plant") == 0) run->plant = find_plant(value);
    else if (strcmp(name, "--crash-at") == 0) run->crash_at = number(value);
    else if (strcmp(name, "--crash-again") == 0) run->crash_again = number(value);
    else if (strcmp(name, "--fill") == 0) run->fill = (uint8_t)number(value);
    else if (strcmp(name, "--record") == 0) run->record = value;
    else if (strcmp(name, "--off") == 0) run->off[find_fault(value)] = 1;
    else if (strcmp(name, "--on") == 0) run->off[find_fault(value)] = -1;
    else if (strcmp(name, "--workload") == 0) run->workload = workload_find(value);
    else wrong("unknown option", name);
    if (!run->workload) wrong("unknown workload", value);
}

int main(int argc, char **argv) {
    struct options options = {.fleet = {.run = {.workload = workloads[0]}, .first = 1, .jobs = 2, .program = argv[0]}};
    for (int i = 1; i < argc; i++)
        if (!take_switch(&options, argv[i])) {
            take_value(&options, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
            i++;
        }
    if (options.list) return options.list();
    if (options.fleet.sweep) {
        options.fleet.run.workload = &small_workload;
        options.fleet.run.calm = true;
        if (!options.one) options.fleet.run.seed = 1;
        return run_sweep(&options.fleet);
    }
    if (options.plants) {
        if (!plants[0]) wrong("planted bugs are in", "norn-sim-planted only");
        return run_plants(&options.fleet, plants, options.many ? options.fleet.count : 300);
    }
    if (options.one == options.many) wrong("one of", "--seed and --seeds is needed");
    if (!options.fleet.jobs || options.fleet.jobs > 64) wrong("--jobs is from 1 to", "64");
    const struct run_options *run = &options.fleet.run;
    printf("norn-sim commit=%s workload=%s %s=%llu\n", NORN_COMMIT, run->workload->name, options.one ? "seed" : "seeds",
           (unsigned long long)(options.one ? run->seed : options.fleet.count));
    fflush(stdout);
    if (options.one && !options.twice) return run_seed(run);
    if (options.one) options.fleet.first = run->seed, options.fleet.count = 1;
    return run_fleet(&options.fleet);
}
