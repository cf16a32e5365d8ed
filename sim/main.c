/* norn-sim: finds bugs of the whole server by seed, and replays them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/commit.h"
#include "base/plant.h"
#include "failed.h"
#include "fleet.h"
#include "shrink.h"

const struct workload *const workloads[] = {&norn_workload, &small_workload, &ledger_workload, &canary_workload,
                                           &idle_workload, &load_workload, NULL};

const struct workload *workload_find(const char *name) {
    for (unsigned i = 0; workloads[i]; i++)
        if (strcmp(workloads[i]->name, name) == 0) return workloads[i];
    return NULL;
}

static const char exempt[] =
    "Outside of the simulation, so not covered by seeds:\n"
    "  the kernel, io_uring and src/io/uring*.c: the contract tests run the same scenarios on both backends\n"
    "  TLS (BoringSSL): simulated connections are clear text; HTTP/2 and all above it is simulated\n"
    "  PostgreSQL (libpq): not in the simulator\n"
    "Not injected, as nothing promises to find it:\n"
    "  bytes changed on the wire: clear text has TCP's checksum only\n"
    "  damage of the journal's last flight after a crash: it looks as one that was never finished\n"
    "  damage of norn.db: SQLite's pages have no checksum; damage is done to the journal\n"
    "  failed allocations that the server lives through: it claims none, and ends (src/base/mem.h)\n";

static _Noreturn void wrong(const char *what, const char *value) {
    fprintf(stderr, "norn-sim: %s %s\n'norn-sim --help' lists the options.\n", what, value);
    exit(WORLD_USAGE);
}

static uint64_t number(const char *text) {
    char *end;
    uint64_t value = strtoull(text, &end, 0);
    if (!*text || *end) wrong("not a number:", text);
    return value;
}

static int list_faults(void) {
    static const char *const groups[] = {"contract", "crash", "network", "disk", "clock", "process", "client"};
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

static int list_kinds(void) {
    log_list_kinds(stdout);
    return 0;
}

static int list_workloads(void) {
    for (unsigned i = 0; workloads[i]; i++) printf("%-10s %s\n", workloads[i]->name, workloads[i]->text);
    return 0;
}

/* ---- options ---- */

struct options {
    struct fleet_options fleet;
    bool many, one, twice, plants, shrink, in_file;
    unsigned shrink_seconds;
    const char *repro_to;
    int (*list)(void);
};

static int show_exempt(void) { return fputs(exempt, stdout) < 0; }

static void take_seed(struct options *options, const char *value) {
    options->one = true;
    options->fleet.run.seed = number(value);
}

static void take_seeds(struct options *options, const char *value) {
    options->many = true;
    options->fleet.count = number(value);
}

static void take_workload(struct options *options, const char *value) {
    options->fleet.run.workload = workload_find(value);
    if (!options->fleet.run.workload) wrong("unknown workload (--workloads lists them):", value);
}

static enum fault find_fault(const char *name, size_t len) {
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        const char *known = world_fault_name((enum fault)fault);
        if (strlen(known) == len && memcmp(known, name, len) == 0) return (enum fault)fault;
    }
    wrong("unknown kind of fault (--faults lists them):", name);
}

static void take_off(struct options *options, const char *value) {
    options->fleet.run.off[find_fault(value, strlen(value))] = 1;
}

static void take_on(struct options *options, const char *value) {
    options->fleet.run.off[find_fault(value, strlen(value))] = -1;
}

static void take_only(struct options *options, const char *value) {
    const char *colon = strchr(value, ':');
    if (!colon) wrong("--only is KIND:NUMBERS, as RESET:1,4-6; not", value);
    struct ranges *only = &options->fleet.run.only[find_fault(value, (size_t)(colon - value))];
    ranges_free(only);
    if (!ranges_parse(colon + 1, only)) wrong("not a list of numbers as 1,4-6:", value);
}

static void take_plant(struct options *options, const char *value) { options->fleet.run.plant = find_plant(value); }

static void take_calm_at(struct options *options, const char *value) {
    struct moment at;
    if (!moment_parse(value, &at) || at.is_event) wrong("--calm-at is a time as 12.5s; not", value);
    options->fleet.run.calm_at = at.time;
}

static void take_kind(struct options *options, const char *value) {
    struct log_filter *filter = &options->fleet.run.log;
    if (filter->kind_count == LOG_KINDS_MAX) wrong("too many of", "--kind");
    filter->kinds[filter->kind_count++] = value;
}

/* [NODE/]KIND:N, an event's number, or a time. */
static void take_break(struct options *options, const char *value) {
    struct run_options *run = &options->fleet.run;
    if (moment_parse(value, &run->break_at)) {
        run->stop = (struct world_break){.at = &run->break_at};
        return;
    }
    const char *slash = strchr(value, '/'), *kind = slash ? slash + 1 : value, *colon = strchr(kind, ':');
    if (!colon || colon == kind) wrong("--break is [NODE/]KIND:N, an event's number or a time as 12.5s; not", value);
    char *copy = world_alloc(strlen(value) + 1);                   /* lives as long as the options */
    memcpy(copy, value, strlen(value));
    copy[colon - value] = 0;
    if (slash) copy[slash - value] = 0;
    run->stop = (struct world_break){.node = slash ? copy : NULL, .kind = copy + (kind - value), .count = number(colon + 1)};
    if (!log_is_kind(run->stop.kind)) wrong("--break: no such kind of io event (--kinds lists them):", run->stop.kind);
}

static void take_repro(struct options *options, const char *value);
static int show_usage(void);

enum take { TAKE_BOOL, TAKE_NUMBER, TAKE_UNSIGNED, TAKE_BYTE, TAKE_TEXT, TAKE_MOMENT, TAKE_RANGES, TAKE_BY, TAKE_LIST };

struct option {
    const char *name, *value, *text;
    enum take take;
    size_t to;                           /* offset in struct options */
    void (*by)(struct options *options, const char *value);
    int (*list)(void);
};

#define AT(field) offsetof(struct options, fleet.field)
#define RUN(field) AT(run.field)

static const struct option table[] = {
    {NULL, NULL, "what is run"},
    {"--seed", "N", "one seed", TAKE_BY, .by = take_seed},
    {"--seeds", "N", "N seeds, each twice in processes of their own", TAKE_BY, .by = take_seeds},
    {"--repro", "FILE", "what --shrink has written, or any file of options", TAKE_BY, .by = take_repro},
    {"--workload", "NAME", "what runs in the world", TAKE_BY, .by = take_workload},
    {"--plant", "NAME", "with a planted bug (norn-sim-planted)", TAKE_BY, .by = take_plant},
    {NULL, NULL, "what strikes it"},
    {"--calm", NULL, "no faults of network, disk, clock and process", TAKE_BOOL, RUN(calm)},
    {"--calm-at", "TIME", "faults stop then, if the seed does not stop them before", TAKE_BY, .by = take_calm_at},
    {"--off", "KIND", "a kind of fault off, whatever the seed says", TAKE_BY, .by = take_off},
    {"--on", "KIND", "a kind of fault on, whatever the seed says", TAKE_BY, .by = take_on},
    {"--only", "KIND:LIST", "of a kind only these injections, as RESET:1,4-6", TAKE_BY, .by = take_only},
    {"--workflows", "LIST", "only these workflows, by number", TAKE_RANGES, RUN(workflows)},
    {"--clients", "N", "at most N clients", TAKE_UNSIGNED, RUN(clients)},
    {"--workers", "N", "at most N workers", TAKE_UNSIGNED, RUN(workers)},
    {"--crash-at", "K", "lose power at the server's K-th io boundary", TAKE_NUMBER, RUN(crash_at)},
    {"--crash-again", "K", "and at the K-th after its restart", TAKE_NUMBER, RUN(crash_again)},
    {NULL, NULL, "one seed, looked at (a TIME is 12.5, 12.5s or 300ms; an EVENT is its number)"},
    {"--trace", NULL, "a line on stderr for each io event, call, workflow event and fault", TAKE_BOOL, RUN(log.print)},
    {"--from", "TIME|EVENT", "of the trace: not before", TAKE_MOMENT, RUN(log.from)},
    {"--node", "NAME", "of the trace: this node", TAKE_TEXT, RUN(log.node)},
    {"--workflow", "ID", "of the trace: calls and events of this workflow", TAKE_TEXT, RUN(log.workflow)},
    {"--connection", "N", "of the trace: this connection", TAKE_NUMBER, RUN(log.connection)},
    {"--kind", "KIND", "of the trace: these kinds (again for more; --kinds lists them)", TAKE_BY, .by = take_kind},
    {"--until", "TIME|EVENT", "stop there", TAKE_MOMENT, RUN(until)},
    {"--break", "WHERE", "SIGTRAP at TIME, EVENT or [NODE/]KIND:N, for gdb", TAKE_BY, .by = take_break},
    {"--view", "FILE", "write a page for browsers: the run's timeline", TAKE_TEXT, RUN(view)},
    {"--print", NULL, "what the nodes print, on stdout and stderr", TAKE_BOOL, RUN(print)},
    {"--summary", NULL, "the faults that were injected", TAKE_BOOL, RUN(summary)},
    {"--twice", NULL, "the seed twice, in two processes, and compare their traces", TAKE_BOOL,
     offsetof(struct options, twice)},
    {NULL, NULL, "many runs"},
    {"--first", "N", "the first seed (1)", TAKE_NUMBER, AT(first)},
    {"--jobs", "J", "at a time (2)", TAKE_UNSIGNED, AT(jobs)},
    {"--once", NULL, "each once", TAKE_BOOL, AT(once)},
    {"--failed", "FILE", "failing runs are kept there, and run first (" FAILED_FILE "; none: nowhere)", TAKE_TEXT, AT(failed_file)},
    {"--shrink", NULL, "of one failing seed: leave out what can be, and print what is left", TAKE_BOOL,
     offsetof(struct options, shrink)},
    {"--shrink-seconds", "N", "for so long at most (60)", TAKE_UNSIGNED, offsetof(struct options, shrink_seconds)},
    {"--repro-to", "FILE", "write what is left for --repro", TAKE_TEXT, offsetof(struct options, repro_to)},
    {"--sweep", NULL, "instead of seeds: one seed of workload small, with a crash at each io boundary", TAKE_BOOL,
     AT(sweep)},
    {"--pairs", NULL, "with --sweep: and another crash after the restart", TAKE_BOOL, AT(pairs)},
    {"--plants", NULL, "each planted bug in turn: after how many seeds is it found?", TAKE_BOOL,
     offsetof(struct options, plants)},
    {NULL, NULL, "lists"},
    {"--workloads", NULL, "what can run", TAKE_LIST, .list = list_workloads},
    {"--faults", NULL, "kinds of fault", TAKE_LIST, .list = list_faults},
    {"--kinds", NULL, "kinds of lines in a trace", TAKE_LIST, .list = list_kinds},
    {"--list-plants", NULL, "planted bugs", TAKE_LIST, .list = list_plants},
    {"--exempt", NULL, "what the simulator does not cover", TAKE_LIST, .list = show_exempt},
    {"--help", NULL, "this", TAKE_LIST, .list = show_usage},
    {NULL, NULL, "for the processes of a batch"},
    {"--brief", NULL, "no log of what happens: a failure is told without its workflow", TAKE_BOOL, RUN(brief)},
    {"--counters", NULL, "how often each kind of fault struck, in one line", TAKE_BOOL, RUN(counters)},
    {"--fill", "BYTE", "what fresh memory holds", TAKE_BYTE, RUN(fill)},
    {"--record", "FILE", "each io event, in binary", TAKE_TEXT, RUN(record)},
};

static int show_usage(void) {
    puts("norn-sim finds bugs of the whole server by seed, and replays them. docs/simulation.md shows how.");
    puts("norn-sim --replay DIR runs a recording of `norn server --record` again: see norn-sim --replay --help.");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct option *option = &table[i];
        char left[40];
        snprintf(left, sizeof left, "%s %s", option->name, option->value ? option->value : "");
        if (option->name)
            printf("  %-22s %s\n", left, option->text);
        else
            printf("\n%s:\n", option->text);
    }
    puts("\nExit codes: 0 passed, 2 wrong options, 70 a node died, 71 a checker found something wrong, 72 something did not\n"
         "finish, 73 a leak, 74 two runs of a seed differ, 75 a batch never came to what it should have.");
    return 0;
}

static const struct option *find_option(const char *name) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].name && strcmp(table[i].name, name) == 0) return &table[i];
    wrong("unknown option", name);
}

static void take_one(struct options *options, const struct option *option, const char *value) {
    void *to = (char *)options + option->to;
    switch (option->take) {
    case TAKE_BOOL: *(bool *)to = true; break;
    case TAKE_NUMBER: *(uint64_t *)to = number(value); break;
    case TAKE_UNSIGNED:
        if (number(value) > 1000000) wrong(option->name, "is too large");
        *(unsigned *)to = (unsigned)number(value);
        break;
    case TAKE_BYTE:
        if (number(value) > 255) wrong(option->name, "is from 0 to 255");
        *(uint8_t *)to = (uint8_t)number(value);
        break;
    case TAKE_TEXT: *(const char **)to = value; break;
    case TAKE_MOMENT:
        if (!moment_parse(value, to)) wrong("not a time as 12.5s, nor an event's number:", value);
        break;
    case TAKE_RANGES:
        if (!ranges_parse(value, to)) wrong("not a list of numbers as 1,4-6:", value);
        break;
    case TAKE_BY: option->by(options, value); break;
    case TAKE_LIST: options->list = option->list; break;
    }
}

/* Takes words, which must live as long as the options. */
static void take_words(struct options *options, char **words, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct option *option = find_option(words[i]);
        if (option->value && i + 1 == count) wrong(option->name, "needs a value");
        take_one(options, option, option->value ? words[++i] : NULL);
    }
}

/* Options in lines; from # on a line is a comment. */
static void take_repro(struct options *options, const char *value) {
    FILE *file = fopen(value, "r");
    if (!file) wrong("cannot read", value);
    if (options->in_file) wrong("a file of options within another:", value);
    options->in_file = true;
    char line[4096];
    struct words words = {0};                                      /* lives as long as the options */
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "#\r\n")] = 0;
        char *rest = NULL;
        for (char *word = strtok_r(line, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest))
            words_add(&words, "%s", word);
    }
    fclose(file);
    take_words(options, words.items, words.count);
    options->in_file = false;
}

/* Has a backend of its own, so it is a program of its own, beside this one. */
static _Noreturn void replay(char **argv) {
    char path[4096];
    const char *slash = strrchr(argv[0], '/');
    snprintf(path, sizeof path, "%.*snorn-replay", slash ? (int)(slash - argv[0] + 1) : 0, argv[0]);
    execvp(path, argv + 1);
    wrong("cannot start", path);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--replay") == 0) replay(argv);
    struct options options = {.fleet = {.run = {.workload = workloads[0]}, .first = 1, .jobs = 2, .program = argv[0],
                                        .failed_file = FAILED_FILE}};
    take_words(&options, argv + 1, (size_t)argc - 1);
    if (options.list) return options.list();
    if (!options.fleet.jobs || options.fleet.jobs > 64) wrong("--jobs is from 1 to", "64");
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
    const struct run_options *run = &options.fleet.run;
    if (options.shrink && !options.one) wrong("--shrink is of one", "--seed");
    printf("norn-sim commit=%s workload=%s %s=%llu\n", norn_commit, run->workload->name, options.one ? "seed" : "seeds",
           (unsigned long long)(options.one ? run->seed : options.fleet.count));
    fflush(stdout);
    if (options.shrink)
        return run_shrink(&(struct shrink_options){*run, options.shrink_seconds, options.repro_to, argv[0]});
    if (options.one && !options.twice) return run_seed(run);
    if (options.one) options.fleet.failed_file = NULL;
    if (options.one) options.fleet.first = run->seed, options.fleet.count = 1;
    return run_fleet(&options.fleet);
}
