/* norn-bench: a load on a server that speaks Temporal's API, ours or a peer's; one scenario, one line of JSON.
 *
 *     norn-bench one --address 127.0.0.1:7233 --in-flight 100 --seconds 10 --pid PID
 *     norn-bench --help
 *
 * bench/run.py, which `./zig build bench` starts, runs it against several servers in turn. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "load.h"
#include "micro.h"

static const struct scenario scenarios[] = {
    {"one", "workflows of one activity (11 events)", PHASE_LOOP, {SCRIPT_ACTIVITY, 1, 1}},
    {"ten", "workflows of ten activities in sequence", PHASE_LOOP, {SCRIPT_ACTIVITY, 10, 1}},
    {"fan", "workflows of 100 activities at once", PHASE_LOOP, {SCRIPT_ACTIVITY, 1, 100}},
    {"timer", "workflows of one timer of 100 ms; latency is what comes on top", PHASE_LOOP, {SCRIPT_TIMER, 1, 1}},
    {"signal", "workflows that wait for a signal", PHASE_LOOP, {SCRIPT_SIGNAL, 1, 1}},
    {"bare", "workflows that complete at once", PHASE_LOOP, {SCRIPT_ACTIVITY, 0, 0}},
    {"backlog", "starts without a worker for --seconds, then a worker that drains them", PHASE_BACKLOG,
     {SCRIPT_ACTIVITY, 0, 0}},
    {"long", "workflows of 300 activities in sequence; each task carries a history of up to 2,700 events", PHASE_LOOP,
     {SCRIPT_ACTIVITY, 300, 1}},
    {"idle", "starts --count workflows that wait for a signal, and tells the memory that they take", PHASE_IDLE,
     {SCRIPT_SIGNAL, 1, 1}},
    {"fill", "starts --count workflows that complete at once", PHASE_LOOP, {SCRIPT_ACTIVITY, 0, 0}},
    {"lists", "lists of closed workflows while workflows of one activity run; the lists are measured", PHASE_LISTS,
     {SCRIPT_ACTIVITY, 1, 1}},
    {"polls", "--polls idle long polls, and the memory that they take", PHASE_POLLS, {SCRIPT_ACTIVITY, 0, 0}},
    {"serving", "asks until the server answers, and tells when that was", PHASE_SERVING, {SCRIPT_ACTIVITY, 0, 0}},
    {"micro", "what each part costs alone, without a server: micro [PART] [--seconds S | --rounds N]", PHASE_MICRO,
     {SCRIPT_ACTIVITY, 0, 0}},
    {"disk", "writes of --bytes to --file, each with its data sync", PHASE_DISK, {SCRIPT_ACTIVITY, 0, 0}},
};

static void print_help(void) {
    printf("norn-bench SCENARIO [--address IP:PORT] [--in-flight N | --rate STARTS_A_SECOND] [--pollers N]\n"
           "           [--seconds S] [--warm-up S] [--pid SERVER_PID] [--polls N] [--connections N]\n"
           "           [--count N] [--namespace NAME] [--file PATH] [--bytes N]\n\n");
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) printf("  %-8s %s\n", scenarios[i].name, scenarios[i].what);
    micro_help();
}

static double number(const char *name, const char *text, double least, double most) {
    char *end;
    double value = strtod(text, &end);
    if (*text == 0 || *end || !(value >= least && value <= most)) {
        fprintf(stderr, "norn-bench: %s is %s, but must be %g to %g\n", name, text, least, most);
        exit(2);
    }
    return value;
}

static bool take(struct load_options *options, const char *name, const char *value) {
    if (strcmp(name, "--address") == 0) return io_addr_parse(value, &options->address);
    if (strcmp(name, "--in-flight") == 0) options->in_flight = (uint32_t)number(name, value, 1, OPEN_MAX);
    else if (strcmp(name, "--pollers") == 0) options->pollers = (uint32_t)number(name, value, 1, POLLERS_MAX);
    else if (strcmp(name, "--polls") == 0) options->polls = (uint32_t)number(name, value, 1, 1000000);
    else if (strcmp(name, "--rate") == 0) options->rate = number(name, value, 0.001, 1000000);
    else if (strcmp(name, "--seconds") == 0) options->seconds = number(name, value, 0.1, 100000);
    else if (strcmp(name, "--warm-up") == 0) options->warm_up = number(name, value, 0, 100000);
    else if (strcmp(name, "--bytes") == 0) options->bytes = (uint32_t)number(name, value, 1, 1 << 20);
    else if (strcmp(name, "--pid") == 0) options->pid = value;
    else if (strcmp(name, "--file") == 0) options->file = value;
    else if (strcmp(name, "--connections") == 0) options->connections = (uint32_t)number(name, value, 1, 10000);
    else if (strcmp(name, "--count") == 0) options->count = (uint32_t)number(name, value, 1, COUNT_MAX);
    else if (strcmp(name, "--namespace") == 0) options->ns = value;
    else if (strcmp(name, "--rounds") == 0) options->rounds = (uint32_t)number(name, value, 1, 1e9);
    else return false;
    return true;
}

static void run(void *arg) {
    struct load *load = arg;
    load->fiber = fiber_current(load->io);
    bool good = load_run(load);
    fflush(stdout);
    io_exit(load->io, good ? 0 : 2);
}

static void on_start(struct io *io, void *arg) {
    struct load *load = arg;
    load->io = io;
    fiber_start(io, "bench", run, load, FIBER_STACK_LARGE);
}

int main(int argc, char **argv) {
    static struct load load;
    struct load_options *options = &load.options;
    *options = (struct load_options){.in_flight = 100, .pollers = 16, .polls = 10000, .connections = 100, .ns = "default",
                                     .seconds = 5, .warm_up = 1,
                                     .bytes = IO_DIRECT_ALIGN, .file = "norn-bench.disk"};
    io_addr_parse("127.0.0.1:7233", &options->address);
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(scenarios); i++)
        if (strcmp(argv[1], scenarios[i].name) == 0) options->scenario = &scenarios[i];
    if (!options->scenario) {
        print_help();
        return argc > 1 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    int from = 2;
    if (options->scenario->phase == PHASE_MICRO && argc > 2 && argv[2][0] != '-') options->part = argv[from++];
    for (int i = from; i < argc; i += 2) {
        if (i + 1 < argc && take(options, argv[i], argv[i + 1])) continue;
        fprintf(stderr, "norn-bench: bad option %s; see norn-bench --help\n", argv[i]);
        return 2;
    }
    return io_main(argc, argv, on_start, &load);
}
