/* fleet: runs seeds in processes of their own, so that a node that dies ends one seed and not the batch.
 *
 * Each seed runs twice: with other addresses (the kernel randomises them), other bytes in fresh memory and on stacks,
 * and another environment. Both traces must be equal; when they are not, both runs are recorded and the first event
 * that differs is shown. */
#include "fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "coverage.h"
#include "failed.h"
#include "record.h"

enum { JOBS_MAX = 64, TRACE_TEXT = 33, SLOWEST = 5, REPORTS_MAX = 5, DIFFERENCE_TRIES = 16 };

struct job {
    pid_t pid;                          /* 0 is free */
    uint64_t seed;
    bool second, old;                   /* old: it has failed before */
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
    uint64_t events;
    struct coverage coverage;
    double virtual_seconds;
    int64_t began, told;
    bool terminal;                      /* progress is one line, written over and over */
    int code;
    struct slow slow[SLOWEST];
};

/* ---- children ---- */

/* Of a pair of crashes, in the next life: any boundary up to well after recovery. */
static uint64_t second_boundary(uint64_t first) {
    struct prng own = prng_fork(first, "second crash", 0);
    return 1 + prng_below(&own, 600);
}

/* The run of a seed, or of a boundary. */
static struct run_options run_of(const struct fleet_options *options, uint64_t seed) {
    struct run_options run = options->run;
    if (!options->sweep) run.seed = seed;
    if (options->sweep) run.crash_at = seed;
    if (options->pairs) run.crash_again = second_boundary(seed);
    return run;
}

/* Starts one run, its output into `path`. */
static pid_t spawn(const struct fleet_options *options, uint64_t seed, bool second, const char *path) {
    struct run_options run = run_of(options, seed);
    return child_start(&(struct child_options){.run = &run, .second = second, .output = path});
}

static void start_job(struct fleet *fleet, struct job *job, uint64_t seed, bool second) {
    job->seed = seed;
    job->second = second;
    job->began = world_host_ns();
    job->pid = spawn(fleet->options, seed, second, job->path);
}

/* ---- what a child printed ---- */

static void take_counters(struct fleet *fleet, const char *text) {
    coverage_add(&fleet->coverage, text);
    fleet->events += strtoull(child_value(text, " events="), NULL, 10);
    fleet->virtual_seconds += strtod(child_value(text, " vtime="), NULL);
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

/* Makes room on a terminal for lines that stay. */
static void clear_progress(const struct fleet *fleet) {
    if (fleet->terminal) fputs("\r\x1b[K", stderr);
}

static void fail(struct fleet *fleet, uint64_t seed, int code) {
    fleet->failed++;
    if (!fleet->code) fleet->code = code;
    struct words words = {0};
    struct run_options run = run_of(fleet->options, seed);
    if (!fleet->options->sweep) failed_add(fleet->options->failed_file, &run);
    run_words(&run, &words);
    char *line = words_line(&words, fleet->options->program);
    fprintf(stderr, "%s %llu failed with code %d; again: %s%s\n", fleet->options->sweep ? "boundary" : "seed",
            (unsigned long long)seed, code, line, code == WORLD_DIVERGED ? " --twice" : "");
    world_free(line);
    words_free(&words);
}

static void pass(struct fleet *fleet, const struct job *job) {
    fleet->passed++;
    if (!job->old) return;
    struct run_options run = run_of(fleet->options, job->seed);
    failed_remove(fleet->options->failed_file, &run);
    clear_progress(fleet);
    fprintf(stderr, "seed %llu has failed before and passes now\n", (unsigned long long)job->seed);
}

/* Runs it again with a log, for its report. */
static void show_failure(const struct fleet *fleet, const struct job *job) {
    clear_progress(fleet);
    if (fleet->failed >= REPORTS_MAX) return;
    struct run_options run = run_of(fleet->options, job->seed);
    child_run(&(struct child_options){.run = &run, .second = job->second, .report = true, .output = job->path});
    char *text = child_output(job->path);
    fputs(text, stderr);
    world_free(text);
}

/* Runs both again with a record and shows where they part. What differs by chance may need some tries. */
static void show_difference(const struct fleet *fleet, uint64_t seed) {
    struct run_options run = run_of(fleet->options, seed);
    char paths[2][128];
    bool seen = false;
    for (unsigned i = 0; i < 2; i++) child_path(paths[i], sizeof paths[i], "record", i);
    clear_progress(fleet);
    fprintf(stderr, "seed %llu: its two runs differ.\n", (unsigned long long)seed);
    for (unsigned try = 0; try < DIFFERENCE_TRIES && !seen; try++) {
        for (unsigned i = try > 0; i < 2; i++)
            child_run(&(struct child_options){.run = &run, .second = i == 1, .record = paths[i], .output = "/dev/null"});
        seen = record_compare(paths[0], paths[1], stderr);
    }
    if (!seen) fprintf(stderr, "It comes by chance, and not in %d more tries.\n", DIFFERENCE_TRIES);
    for (unsigned i = 0; i < 2; i++) unlink(paths[i]);
}

/* One run has ended; gives true when the seed's second run was started. */
static bool judge(struct fleet *fleet, struct job *job, int status) {
    char *text = child_output(job->path);
    const char *trace = child_value(text, " trace=");
    bool again = false;
    if (status != 0) {
        show_failure(fleet, job);
        fail(fleet, job->seed, child_code(status));
    } else if (!job->second) {
        snprintf(job->trace, sizeof job->trace, "%.32s", trace);
        take_counters(fleet, text);
        note_slow(fleet, job->seed, world_host_ns() - job->began);
        again = !fleet->options->once;
        if (!again) pass(fleet, job);
        if (again) start_job(fleet, job, job->seed, true);
    } else if (strncmp(trace, job->trace, TRACE_TEXT - 1) != 0) {
        show_difference(fleet, job->seed);
        fail(fleet, job->seed, WORLD_DIVERGED);
    } else {
        pass(fleet, job);
    }
    world_free(text);
    return again;
}

/* ---- the batch ---- */

static bool next_seed(struct fleet *fleet, uint64_t *seed, bool *old) {
    uint64_t index = fleet->started;
    if (index >= fleet->old_count + fleet->options->count) return false;
    *old = index < fleet->old_count;
    *seed = *old ? fleet->old[index] : fleet->options->first + index - fleet->old_count;
    fleet->started++;
    return true;
}

static void tell(struct fleet *fleet) {
    int64_t now = world_host_ns();
    if (now - fleet->told < (fleet->terminal ? SIM_SECOND / 4 : 5 * SIM_SECOND)) return;
    fleet->told = now;
    uint64_t done = fleet->passed + fleet->failed, all = fleet->old_count + fleet->options->count;
    double seconds = (double)(now - fleet->began) / 1e9;
    fprintf(stderr, "%s%llu of %llu seeds, %llu failed, %.1f virtual hours in %.0f s, about %.0f s to go%s",
            fleet->terminal ? "\r" : "", (unsigned long long)done, (unsigned long long)all,
            (unsigned long long)fleet->failed, fleet->virtual_seconds / 3600, seconds,
            done ? seconds * (double)(all - done) / (double)done : 0, fleet->terminal ? "\x1b[K" : "\n");
}

static void print_slowest(const struct fleet *fleet) {
    printf("\nslowest seeds:");
    for (unsigned i = 0; i < SLOWEST && fleet->slow[i].ns; i++)
        printf(" %llu (%.2f s)", (unsigned long long)fleet->slow[i].seed, (double)fleet->slow[i].ns / 1e9);
    printf("\n");
}

/* Every seed of the default workload as it is, so that what was never reached can be told. */
static bool is_whole(const struct fleet_options *options) {
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        if (options->run.off[fault] || options->run.only[fault].given) return false;
    if (options->run.workflows.given || options->run.clients || options->run.workers || options->run.calm_at)
        return false;
    return options->run.workload->covers && !options->sweep && !options->run.calm && !options->run.plant;
}

static void summarize(struct fleet *fleet) {
    double seconds = (double)(world_host_ns() - fleet->began) / 1e9;
    if (fleet->options->count > 1) {
        coverage_print(&fleet->coverage);
        print_slowest(fleet);
    }
    unsigned gaps = is_whole(fleet->options) ? coverage_gaps(&fleet->coverage) : 0;
    if (gaps && !fleet->code) fleet->code = WORLD_UNREACHED;
    printf("%s seeds=%llu failed=%llu runs=%s events=%llu vtime=%.0f wall=%.1f seeds_per_hour=%.0f\n",
           fleet->code ? "FAIL" : "PASS", (unsigned long long)(fleet->passed + fleet->failed),
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
    fleet->terminal = isatty(2);
    if (!options->sweep) fleet->old_count = failed_read(options->failed_file, &options->run, &fleet->old);
    unsigned running = 0;
    for (unsigned i = 0; i < options->jobs && i < JOBS_MAX; i++) {
        struct job *job = &fleet->jobs[i];
        uint64_t seed;
        snprintf(job->path, sizeof job->path, "/tmp/norn-sim-%d-%u", (int)getpid(), i);
        if (!next_seed(fleet, &seed, &job->old)) break;
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
        if (next_seed(fleet, &seed, &job->old))
            start_job(fleet, job, seed, false);
        else
            running--;
    }
    for (unsigned i = 0; i < options->jobs && i < JOBS_MAX; i++) unlink(fleet->jobs[i].path);
    clear_progress(fleet);
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
    waitpid(spawn(&sweep, 0, false, path), &status, 0);        /* without a crash */
    char *text = child_output(path);
    unlink(path);
    if (status != 0) {
        child_print_tail(text, 60);
        world_free(text);
        return child_code(status);
    }
    sweep.first = 1;
    sweep.count = strtoull(child_value(text, " boundary="), NULL, 10);
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
    job->pid = spawn(&own, job->seed, false, job->path);
}

/* The line that tells what was found. */
static void print_found(const struct plant_job *job, const struct fleet_options *options) {
    char *text = child_output(job->path);
    const char *why = strstr(text, "simulation: "), *oracle = child_value(text, " oracle=");
    int len = why ? (int)strcspn(why += strlen("simulation: "), "\n") : 0;
    printf("%-28s seed %-4llu %-24.*s %.*s\n", job->plant, (unsigned long long)(job->seed - options->first + 1),
           (int)strcspn(oracle, " \n"), oracle, len > 120 ? 120 : len, why ? why : "");
    fflush(stdout);
    world_free(text);
}

int run_plants(const struct fleet_options *options, const char *const *plants, uint64_t limit) {
    struct plant_job jobs[JOBS_MAX] = {0};
    unsigned next = 0, running = 0, missed = 0, within_ten = 0, count = 0;
    while (plants[count]) count++;
    printf("%-28s %-9s %-24s %s\n", "planted bug", "found by", "oracle", "what it said");
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
            if (found) print_found(job, options);
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
