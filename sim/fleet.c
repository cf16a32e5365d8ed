/* fleet: runs seeds in processes of their own, so that a node that dies ends one seed and not the batch.
 *
 * Each seed runs twice: with other addresses (the kernel randomises them), other bytes in fresh memory and on stacks,
 * and another environment. Both traces must be equal; when they are not, both runs are recorded and the first event
 * that differs is shown. */
#include "fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { JOBS_MAX = 64, TRACE_TEXT = 33, ARGS_MAX = 16 + 2 * FAULT_COUNT, SLOWEST = 5 };

struct job {
    pid_t pid;                          /* 0 is free */
    uint64_t seed;
    bool second;
    char trace[TRACE_TEXT];             /* of the first run */
    char path[64];                      /* what it printed */
    int64_t began;
};

struct slow {
    uint64_t seed;
    int64_t ns;
};

struct fleet {
    const struct fleet_options *options;
    struct job jobs[JOBS_MAX];
    uint64_t *old;                      /* seeds that failed before */
    uint64_t old_count, started, passed, failed;
    uint64_t events, hits[FAULT_COUNT];
    double virtual_seconds;
    int64_t began, told;
    int code;
    struct slow slow[SLOWEST];
};

/* ---- children ---- */

struct args {
    const char *items[ARGS_MAX];
    char text[ARGS_MAX][40];
    unsigned count;
};

static void add(struct args *args, const char *text) { args->items[args->count++] = text; }

static void add_number(struct args *args, const char *option, uint64_t value) {
    add(args, option);
    snprintf(args->text[args->count], sizeof args->text[0], "%llu", (unsigned long long)value);
    args->items[args->count] = args->text[args->count];
    args->count++;
}

/* Of a pair of crashes, in the next life: any boundary up to well after recovery. */
static uint64_t second_boundary(uint64_t first) {
    struct prng own = prng_fork(first, "second crash", 0);
    return 1 + prng_below(&own, 600);
}

static void make_args(const struct fleet_options *options, uint64_t seed, bool second, const char *record,
                      struct args *args) {
    args->count = 0;
    add(args, options->program);
    add(args, "--workload");
    add(args, options->run.workload->name);
    add_number(args, "--seed", options->sweep ? options->run.seed : seed);
    if (options->sweep) add_number(args, "--crash-at", seed);
    if (options->pairs) add_number(args, "--crash-again", second_boundary(seed));
    add_number(args, "--fill", second ? 0xa5 : 0);
    add(args, "--counters");
    if (options->run.calm) add(args, "--calm");
    if (options->run.plant) add(args, "--plant"), add(args, options->run.plant);
    if (record) add(args, "--record"), add(args, record);
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        if (options->run.off[fault])
            add(args, options->run.off[fault] < 0 ? "--on" : "--off"), add(args, world_fault_name(fault));
    args->items[args->count] = NULL;
}

/* Starts norn-sim for one run, its output into `path`. */
static pid_t spawn(const struct fleet_options *options, uint64_t seed, bool second, const char *path,
                   const char *record) {
    struct args args;
    make_args(options, seed, second, record, &args);
    static const char *const plain[] = {"NORN_SIM_RUN=1", NULL};
    static const char *const shifted[] = {"NORN_SIM_RUN=2", "NORN_SIM_PADDING=another length of the environment", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    pid_t pid;
    int error = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, (char *const *)(uintptr_t)args.items,
                            (char *const *)(uintptr_t)(second ? shifted : plain));
    posix_spawn_file_actions_destroy(&actions);
    if (error) {
        fprintf(stderr, "norn-sim: cannot start a run: %s\n", strerror(error));
        exit(WORLD_USAGE);
    }
    return pid;
}

static void start_job(struct fleet *fleet, struct job *job, uint64_t seed, bool second) {
    job->seed = seed;
    job->second = second;
    job->began = world_host_ns();
    job->pid = spawn(fleet->options, seed, second, job->path, NULL);
}

/* ---- what a child printed ---- */

static char *read_all(const char *path) {
    FILE *file = fopen(path, "rb");
    char *text = world_alloc(1);
    size_t len = 0;
    if (!file) return text;
    for (;;) {
        text = world_realloc(text, len + 65536 + 1);
        size_t part = fread(text + len, 1, 65536, file);
        if (!part) break;
        len += part;
    }
    fclose(file);
    text[len] = 0;
    return text;
}

static void print_tail(const char *text, unsigned lines) {
    const char *at = text + strlen(text);
    while (at > text && lines)
        if (*--at == '\n' && at[1]) lines--;
    fputs(at, stderr);
}

static const char *value_of(const char *text, const char *name) {
    const char *found = NULL;
    for (const char *at = text; (at = strstr(at, name)); at++) found = at + strlen(name);
    return found ? found : "";
}

static void take_counters(struct fleet *fleet, const char *text) {
    const char *at = strstr(text, "\nfaults");
    at = at ? at + 1 : strncmp(text, "faults", 6) == 0 ? text : NULL;
    if (at) at += 6;
    for (int fault = 0; at && fault < FAULT_COUNT; fault++) {
        char *end;
        fleet->hits[fault] += strtoull(at, &end, 10);
        at = end;
    }
    fleet->events += strtoull(value_of(text, " events="), NULL, 10);
    fleet->virtual_seconds += strtod(value_of(text, " vtime="), NULL);
}

static void note_slow(struct fleet *fleet, uint64_t seed, int64_t ns) {
    for (unsigned i = 0; i < SLOWEST; i++) {
        if (fleet->slow[i].ns >= ns) continue;
        memmove(fleet->slow + i + 1, fleet->slow + i, (SLOWEST - 1 - i) * sizeof *fleet->slow);
        fleet->slow[i] = (struct slow){seed, ns};
        return;
    }
}

/* ---- judgement ---- */

static void remember(struct fleet *fleet, uint64_t seed) {
    if (!fleet->options->failed_file) return;
    FILE *file = fopen(fleet->options->failed_file, "a");
    if (!file) return;
    fprintf(file, "%llu\n", (unsigned long long)seed);
    fclose(file);
}

static void fail(struct fleet *fleet, uint64_t seed, int code) {
    fleet->failed++;
    if (!fleet->code) fleet->code = code;
    remember(fleet, seed);
    const struct run_options *run = &fleet->options->run;
    bool sweep = fleet->options->sweep;
    fprintf(stderr, "%s %llu failed with code %d; again: %s --workload %s --seed %llu%s", sweep ? "boundary" : "seed",
            (unsigned long long)seed, code, fleet->options->program, run->workload->name,
            (unsigned long long)(sweep ? run->seed : seed), run->calm ? " --calm" : "");
    if (sweep) fprintf(stderr, " --crash-at %llu", (unsigned long long)seed);
    if (fleet->options->pairs) fprintf(stderr, " --crash-again %llu", (unsigned long long)second_boundary(seed));
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        if (run->off[fault])
            fprintf(stderr, " --%s %s", run->off[fault] < 0 ? "on" : "off", world_fault_name((enum fault)fault));
    fputc('\n', stderr);
}

static void run_recorded(struct fleet *fleet, uint64_t seed, bool second, const char *record) {
    pid_t pid = spawn(fleet->options, seed, second, "/dev/null", record);
    waitpid(pid, NULL, 0);
}

/* Runs both again with a record and shows where they part. */
static void show_difference(struct fleet *fleet, uint64_t seed) {
    enum { RECORD = 40, BEFORE = 12 };
    char paths[2][64];
    FILE *files[2];
    for (int i = 0; i < 2; i++) {
        snprintf(paths[i], sizeof paths[i], "/tmp/norn-sim-%d-record-%d", (int)getpid(), i);
        run_recorded(fleet, seed, i == 1, paths[i]);
        files[i] = fopen(paths[i], "rb");
        if (!files[i]) return;
    }
    uint8_t line[2][RECORD], before[BEFORE][RECORD];
    uint64_t at = 0;
    for (;; at++) {
        bool have[2];
        for (int i = 0; i < 2; i++) have[i] = fread(line[i], RECORD, 1, files[i]) == 1;
        if (!have[0] || !have[1] || memcmp(line[0], line[1], RECORD) != 0) break;
        memcpy(before[at % BEFORE], line[0], RECORD);
    }
    fprintf(stderr, "seed %llu: the runs part at io event %llu:\n", (unsigned long long)seed, (unsigned long long)at);
    for (uint64_t i = at < BEFORE ? 0 : at - BEFORE; i < at; i++) world_print_record(before[i % BEFORE], stderr);
    for (int i = 0; i < 2; i++) {
        fprintf(stderr, "run %d: ", i + 1);
        world_print_record(line[i], stderr);
        fclose(files[i]);
        unlink(paths[i]);
    }
}

/* One run has ended; gives true when the seed's second run was started. */
static bool judge(struct fleet *fleet, struct job *job, int status) {
    char *text = read_all(job->path);
    const char *trace = value_of(text, " trace=");
    bool again = false;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        print_tail(text, 60);
        fail(fleet, job->seed, WIFEXITED(status) ? WEXITSTATUS(status) : WORLD_DIED);
    } else if (!job->second) {
        snprintf(job->trace, sizeof job->trace, "%.32s", trace);
        take_counters(fleet, text);
        note_slow(fleet, job->seed, world_host_ns() - job->began);
        again = !fleet->options->once;
        fleet->passed += !again;
        if (again) start_job(fleet, job, job->seed, true);
    } else if (strncmp(trace, job->trace, TRACE_TEXT - 1) != 0) {
        show_difference(fleet, job->seed);
        fail(fleet, job->seed, WORLD_DIVERGED);
    } else {
        fleet->passed++;
    }
    world_free(text);
    return again;
}

/* ---- the batch ---- */

static void read_old(struct fleet *fleet) {
    FILE *file = fleet->options->failed_file ? fopen(fleet->options->failed_file, "r") : NULL;
    if (!file) return;
    char line[64];
    while (fgets(line, sizeof line, file)) {
        fleet->old = world_realloc(fleet->old, (fleet->old_count + 1) * sizeof *fleet->old);
        fleet->old[fleet->old_count++] = strtoull(line, NULL, 0);
    }
    fclose(file);
}

static bool next_seed(struct fleet *fleet, uint64_t *seed) {
    uint64_t index = fleet->started;
    if (index >= fleet->old_count + fleet->options->count) return false;
    *seed = index < fleet->old_count ? fleet->old[index] : fleet->options->first + index - fleet->old_count;
    fleet->started++;
    return true;
}

static void tell(struct fleet *fleet) {
    int64_t now = world_host_ns();
    if (now - fleet->told < 5 * SIM_SECOND) return;
    fleet->told = now;
    fprintf(stderr, "%llu of %llu seeds, %llu failed, %.0f s\n", (unsigned long long)(fleet->passed + fleet->failed),
            (unsigned long long)(fleet->old_count + fleet->options->count), (unsigned long long)fleet->failed,
            (double)(now - fleet->began) / 1e9);
}

static void print_table(const struct fleet *fleet) {
    printf("\n  injected kind               what\n");
    unsigned missing = 0;
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        missing += !fleet->hits[fault];
        printf("%10llu %-18s %s\n", (unsigned long long)fleet->hits[fault], world_fault_name(fault),
               world_fault_text(fault));
    }
    printf("\nslowest seeds:");
    for (unsigned i = 0; i < SLOWEST && fleet->slow[i].ns; i++)
        printf(" %llu (%.2f s)", (unsigned long long)fleet->slow[i].seed, (double)fleet->slow[i].ns / 1e9);
    printf("\n%u kinds were never injected\n", missing);
}

static void summarize(struct fleet *fleet) {
    double seconds = (double)(world_host_ns() - fleet->began) / 1e9;
    if (fleet->options->count > 1) print_table(fleet);
    printf("%s seeds=%llu failed=%llu runs=%s events=%llu vtime=%.0f wall=%.1f seeds_per_hour=%.0f\n",
           fleet->failed ? "FAIL" : "PASS", (unsigned long long)(fleet->passed + fleet->failed),
           (unsigned long long)fleet->failed, fleet->options->once ? "once" : "twice",
           (unsigned long long)fleet->events, fleet->virtual_seconds, seconds,
           (double)(fleet->passed + fleet->failed) / seconds * 3600);
}

static struct job *find_job(struct fleet *fleet, pid_t pid) {
    for (unsigned i = 0; i < fleet->options->jobs; i++)
        if (fleet->jobs[i].pid == pid) return &fleet->jobs[i];
    return NULL;
}

int run_fleet(const struct fleet_options *options) {
    struct fleet *fleet = world_alloc(sizeof *fleet);
    fleet->options = options;
    fleet->began = fleet->told = world_host_ns();
    read_old(fleet);
    unsigned running = 0;
    for (unsigned i = 0; i < options->jobs && i < JOBS_MAX; i++) {
        struct job *job = &fleet->jobs[i];
        uint64_t seed;
        snprintf(job->path, sizeof job->path, "/tmp/norn-sim-%d-%u", (int)getpid(), i);
        if (!next_seed(fleet, &seed)) break;
        start_job(fleet, job, seed, false);
        running++;
    }
    while (running) {
        int status;
        struct job *job = find_job(fleet, waitpid(-1, &status, 0));
        if (!job) continue;
        tell(fleet);
        if (judge(fleet, job, status)) continue;
        job->pid = 0;
        uint64_t seed;
        if (next_seed(fleet, &seed))
            start_job(fleet, job, seed, false);
        else
            running--;
    }
    for (unsigned i = 0; i < options->jobs && i < JOBS_MAX; i++) unlink(fleet->jobs[i].path);
    summarize(fleet);
    int code = fleet->code;
    world_free(fleet->old);
    world_free(fleet);
    return code;
}

int run_sweep(const struct fleet_options *options) {
    struct fleet_options sweep = *options;
    char path[64];
    snprintf(path, sizeof path, "/tmp/norn-sim-%d-sweep", (int)getpid());
    sweep.sweep = true;
    sweep.pairs = false;
    int status;
    waitpid(spawn(&sweep, 0, false, path, NULL), &status, 0);        /* without a crash */
    char *text = read_all(path);
    unlink(path);
    if (status != 0) {
        print_tail(text, 60);
        world_free(text);
        return WIFEXITED(status) ? WEXITSTATUS(status) : WORLD_DIED;
    }
    sweep.first = 1;
    sweep.count = strtoull(value_of(text, " boundary="), NULL, 10);
    sweep.pairs = options->pairs;
    world_free(text);
    printf("norn-sim: a crash at each of %llu io boundaries%s\n", (unsigned long long)sweep.count,
           sweep.pairs ? ", and another after the restart" : "");
    fflush(stdout);
    return run_fleet(&sweep);
}

/* ---- planted bugs ---- */

struct plant_job {
    pid_t pid;
    const char *plant;                  /* NULL: nothing left to do */
    uint64_t seed;
    int64_t began;
    char path[64];
};

static void start_plant(const struct fleet_options *options, struct plant_job *job) {
    struct fleet_options own = *options;
    own.run.plant = job->plant;
    job->pid = spawn(&own, job->seed, false, job->path, NULL);
}

/* The line that tells what was found. */
static void print_found(const struct plant_job *job, const struct fleet_options *options, int status) {
    static const char *const oracles[] = {"a node died", "incorrect", "stuck", "leak", "diverged"};
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : WORLD_DIED;
    char *text = read_all(job->path);
    const char *why = strstr(text, "simulation: ");
    int len = why ? (int)strcspn(why, "\n") : 0;
    printf("%-28s seed %-4llu %-12s %.*s\n", job->plant, (unsigned long long)(job->seed - options->first + 1),
           code >= WORLD_DIED && code <= WORLD_DIVERGED ? oracles[code - WORLD_DIED] : "?", len > 120 ? 120 : len,
           why ? why : "");
    fflush(stdout);
    world_free(text);
}

int run_plants(const struct fleet_options *options, const char *const *plants, uint64_t limit) {
    struct plant_job jobs[JOBS_MAX] = {0};
    unsigned next = 0, running = 0, missed = 0, within_ten = 0, count = 0;
    while (plants[count]) count++;
    printf("%-28s %-9s %-12s %s\n", "planted bug", "found by", "oracle", "what it said");
    for (;;) {
        for (unsigned i = 0; i < options->jobs; i++) {
            struct plant_job *job = &jobs[i];
            if (job->pid || !plants[next]) continue;
            *job = (struct plant_job){.plant = plants[next++], .seed = options->first};
            snprintf(job->path, sizeof job->path, "/tmp/norn-sim-%d-plant-%u", (int)getpid(), i);
            start_plant(options, job);
            running++;
        }
        if (!running) break;
        int status;
        pid_t pid = waitpid(-1, &status, 0);
        for (unsigned i = 0; i < options->jobs; i++) {
            struct plant_job *job = &jobs[i];
            if (job->pid != pid) continue;
            job->pid = 0;
            bool found = status != 0;
            if (found) print_found(job, options, status);
            if (found && job->seed - options->first < 10) within_ten++;
            if (!found && ++job->seed < options->first + limit) {
                start_plant(options, job);
                continue;
            }
            if (!found) printf("%-28s not found in %llu seeds\n", job->plant, (unsigned long long)limit), missed++;
            unlink(job->path);
            running--;
        }
    }
    printf("%s plants=%u found=%u within_ten=%u\n", missed ? "FAIL" : "PASS", count, count - missed, within_ten);
    return missed ? WORLD_INCORRECT : 0;
}
