/* shrink: leaves out of a failing run, one after the other: kinds of fault, workflows, clients and workers, single
 * injections of the kinds that are left, and time. What is left must fail with the same code and the same oracle.
 *
 * An injection is known by its kind and its number within the kind, as the trace shows it (RESET:3). Leaving one out
 * shifts what the same generator gives after it, so each step is judged by running it, and all is tried again until
 * nothing more can go or time is up. */
#include "shrink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/commit.h"
#include "child.h"

enum { SECONDS_DEFAULT = 60, WORKFLOWS_MAX = 256, INJECTIONS_MAX = 4096, ROUNDS_MAX = 4, ORACLE_MAX = 32 };

struct shrink {
    const struct shrink_options *options;
    struct run_options best;
    int code;
    char oracle[ORACLE_MAX], path[128];
    uint64_t hits[FAULT_COUNT], asked[FAULT_COUNT], events;        /* of the best */
    unsigned tries, kept;
    int64_t until;
    bool stop;                           /* time is up */
    enum fault kind;                     /* whose injections are tried */
};

/* ---- delta debugging ---- */

size_t shrink_items(uint64_t *items, size_t count, shrink_fails_fn *fails, void *arg, const bool *stop) {
    if (count && fails(items, 0, arg)) return 0;
    uint64_t *rest = world_alloc((count + 1) * sizeof *rest);
    size_t part = count / 2;
    while (part && !*stop) {
        bool less = false;
        for (size_t from = 0; from < count && !*stop;) {
            size_t gone = count - from < part ? count - from : part;
            memcpy(rest, items, from * sizeof *items);
            memcpy(rest + from, items + from + gone, (count - from - gone) * sizeof *items);
            if (count - gone && fails(rest, count - gone, arg)) {
                count -= gone;
                memcpy(items, rest, count * sizeof *items);
                less = true;
            } else {
                from += gone;
            }
        }
        if (part == 1 && !less) break;
        part = part > 1 ? part / 2 : 1;
        if (part >= count) part = count / 2;
    }
    world_free(rest);
    return count;
}

/* ---- one try ---- */

static void take_numbers(const char *text, uint64_t numbers[FAULT_COUNT]) {
    memset(numbers, 0, FAULT_COUNT * sizeof *numbers);
    for (int fault = 0; fault < FAULT_COUNT && *text; fault++) {
        char *end;
        numbers[fault] = strtoull(text, &end, 10);
        text = end;
    }
}

static struct run_options copy_of(const struct run_options *run) {
    struct run_options copy = *run;
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        copy.only[fault] = (struct ranges){0};
        ranges_copy(&copy.only[fault], &run->only[fault]);
    }
    copy.workflows = (struct ranges){0};
    ranges_copy(&copy.workflows, &run->workflows);
    return copy;
}

static void drop(struct run_options *run) {
    for (int fault = 0; fault < FAULT_COUNT; fault++) ranges_free(&run->only[fault]);
    ranges_free(&run->workflows);
}

static void note_output(struct shrink *shrink, const char *text) {
    take_numbers(child_value(text, "\nhits "), shrink->hits);
    take_numbers(child_value(text, "\nasked "), shrink->asked);
    shrink->events = strtoull(child_value(text, " events="), NULL, 10);
}

static void oracle_of(const char *text, char oracle[ORACLE_MAX]) {
    const char *value = child_value(text, " oracle=");
    snprintf(oracle, ORACLE_MAX, "%.*s", (int)strcspn(value, " \n"), value);
}

/* Takes `run`, which is then the shrink's: as the best when it fails as it should. */
static bool try(struct shrink *shrink, struct run_options *run) {
    if (world_host_ns() > shrink->until) shrink->stop = true;
    bool same = false;
    if (!shrink->stop) {
        shrink->tries++;
        int code = child_run(&(struct child_options){.run = run, .output = shrink->path});
        char *text = child_output(shrink->path), oracle[ORACLE_MAX];
        oracle_of(text, oracle);
        same = code == shrink->code && strcmp(oracle, shrink->oracle) == 0;
        if (same) note_output(shrink, text);
        world_free(text);
    }
    if (same) {
        shrink->kept++;
        drop(&shrink->best);
        shrink->best = *run;
    } else {
        drop(run);
    }
    return same;
}

/* ---- what can be left out ---- */

static bool without_kinds(const uint64_t *items, size_t count, void *arg) {
    struct shrink *shrink = arg;
    struct run_options run = copy_of(&shrink->best);
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        bool kept = !shrink->hits[fault] || run.off[fault] > 0;
        for (size_t i = 0; i < count && !kept; i++) kept = items[i] == (uint64_t)fault;
        if (!kept) run.off[fault] = 1, ranges_free(&run.only[fault]);
    }
    return try(shrink, &run);
}

static void shrink_kinds(struct shrink *shrink) {
    if (!shrink->best.calm) {
        struct run_options run = copy_of(&shrink->best);
        run.calm = true;
        for (int fault = 0; fault < FAULT_COUNT; fault++)
            if (world_fault_group((enum fault)fault) >= FAULT_GROUP_NETWORK) run.off[fault] = 0;
        try(shrink, &run);
    }
    uint64_t kinds[FAULT_COUNT];
    size_t count = 0;
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        if (shrink->hits[fault] && shrink->best.off[fault] <= 0) kinds[count++] = (uint64_t)fault;
    size_t left = shrink_items(kinds, count, without_kinds, shrink, &shrink->stop);
    printf("shrink: %zu of %zu kinds of fault are left", left, count);
    for (size_t i = 0; i < left; i++) printf("%s %s", i ? "," : ":", world_fault_name((enum fault)kinds[i]));
    printf("\n");
}

static bool with_workflows(const uint64_t *items, size_t count, void *arg) {
    struct shrink *shrink = arg;
    if (!count) return false;
    struct run_options run = copy_of(&shrink->best);
    ranges_free(&run.workflows);
    for (size_t i = 0; i < count; i++) ranges_add(&run.workflows, items[i]);
    return try(shrink, &run);
}

static void shrink_workflows(struct shrink *shrink) {
    uint64_t numbers[WORKFLOWS_MAX];
    size_t count = 0;
    for (uint64_t i = 0; i < WORKFLOWS_MAX; i++)
        if (ranges_have(&shrink->best.workflows, i)) numbers[count++] = i;
    size_t left = shrink_items(numbers, count, with_workflows, shrink, &shrink->stop);
    if (left < WORKFLOWS_MAX) printf("shrink: %zu workflows are left\n", left);
}

static void shrink_nodes(struct shrink *shrink) {
    struct run_options run = copy_of(&shrink->best);
    run.clients = 1;
    try(shrink, &run);
    run = copy_of(&shrink->best);
    run.workers = 1;
    try(shrink, &run);
    printf("shrink: %s, %s\n", shrink->best.clients ? "one client" : "as many clients",
           shrink->best.workers ? "one worker" : "as many workers");
}

static bool with_injections(const uint64_t *items, size_t count, void *arg) {
    struct shrink *shrink = arg;
    if (!count) return false;                                      /* without the kind it did not fail */
    struct run_options run = copy_of(&shrink->best);
    struct ranges *only = &run.only[shrink->kind];
    ranges_free(only);
    for (size_t i = 0; i < count; i++) ranges_add(only, items[i]);
    return try(shrink, &run);
}

static void shrink_injections(struct shrink *shrink, enum fault kind) {
    uint64_t *numbers = world_alloc(INJECTIONS_MAX * sizeof *numbers), asked = shrink->asked[kind];
    size_t count = 0;
    for (uint64_t i = 1; i <= asked && count < INJECTIONS_MAX; i++)
        if (ranges_have(&shrink->best.only[kind], i)) numbers[count++] = i;
    shrink->kind = kind;
    if (count && asked <= INJECTIONS_MAX) {
        size_t left = shrink_items(numbers, count, with_injections, shrink, &shrink->stop);
        printf("shrink: %zu of %zu injections of %s are left\n", left, count, world_fault_name(kind));
    }
    world_free(numbers);
}

static void shrink_time(struct shrink *shrink) {
    int64_t high = shrink->best.calm_at ? shrink->best.calm_at : 300 * SIM_SECOND, low = 0;
    for (unsigned i = 0; i < 8 && !shrink->stop; i++) {
        struct run_options run = copy_of(&shrink->best);
        run.calm_at = low + (high - low) / 2 + 1;
        if (try(shrink, &run))
            high = shrink->best.calm_at;
        else
            low = low + (high - low) / 2 + 1;
    }
    if (shrink->best.calm_at)
        printf("shrink: faults stop after %.3f s\n", (double)shrink->best.calm_at / 1e9);
}

/* ---- the result ---- */

static void write_file(const struct shrink *shrink) {
    FILE *file = fopen(shrink->options->file, "w");
    if (!file) {
        fprintf(stderr, "norn-sim: cannot write %s\n", shrink->options->file);
        return;
    }
    struct words words = {0};
    run_words(&shrink->best, &words);
    fprintf(file, "# Replayed by: norn-sim --repro %s\n# At commit %s it fails with code %d, oracle %s.\n",
            shrink->options->file, norn_commit, shrink->code, shrink->oracle);
    for (size_t i = 0; i < words.count; i++)
        fprintf(file, "%s%s", i && strncmp(words.items[i], "--", 2) == 0 ? "\n" : i ? " " : "", words.items[i]);
    fputc('\n', file);
    if (fclose(file) != 0) fprintf(stderr, "norn-sim: %s is not whole\n", shrink->options->file);
    words_free(&words);
}

static void show(const struct shrink *shrink, uint64_t events_before) {
    struct words words = {0};
    run_words(&shrink->best, &words);
    char *line = words_line(&words, shrink->options->program);
    printf("shrink: %llu io events, from %llu; %u runs, %u of them smaller%s\nreplay   %s\n",
           (unsigned long long)shrink->events, (unsigned long long)events_before, shrink->tries, shrink->kept,
           shrink->stop ? "; time was up (--shrink-seconds)" : "", line);
    if (shrink->options->file) write_file(shrink);
    world_free(line);
    words_free(&words);
}

/* The run as it is: must fail. */
static bool begin(struct shrink *shrink) {
    shrink->code = child_run(&(struct child_options){.run = &shrink->best, .output = shrink->path});
    char *text = child_output(shrink->path);
    oracle_of(text, shrink->oracle);
    note_output(shrink, text);
    world_free(text);
    bool fails = shrink->code >= WORLD_DIED && shrink->code <= WORLD_LEAK;
    if (fails) printf("shrink: it fails with code %d, oracle %s\n", shrink->code, shrink->oracle);
    if (!fails) fprintf(stderr, "norn-sim: --shrink: this run ends with code %d, which is no failure\n", shrink->code);
    return fails;
}

int run_shrink(const struct shrink_options *options) {
    struct shrink *shrink = world_alloc(sizeof *shrink);
    shrink->options = options;
    shrink->best = copy_of(&options->run);
    unsigned seconds = options->seconds ? options->seconds : SECONDS_DEFAULT;
    shrink->until = world_host_ns() + seconds * SIM_SECOND;
    child_path(shrink->path, sizeof shrink->path, "shrink", 0);
    bool fails = begin(shrink);
    uint64_t events = shrink->events;
    for (unsigned round = 0; fails && round < ROUNDS_MAX && !shrink->stop; round++) {
        unsigned before = shrink->kept;
        shrink_kinds(shrink);
        shrink_workflows(shrink);
        shrink_nodes(shrink);
        for (int fault = FAULT_COUNT - 1; fault >= 0; fault--)
            if (shrink->hits[fault]) shrink_injections(shrink, (enum fault)fault);
        if (!round && !shrink->best.calm) shrink_time(shrink);
        if (shrink->kept == before) break;
    }
    if (fails) show(shrink, events);
    unlink(shrink->path);
    drop(&shrink->best);
    world_free(shrink);
    return fails ? 0 : WORLD_USAGE;
}
