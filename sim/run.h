/* run: one seed from its first event to its verdict. */
#ifndef NORN_SIM_RUN_H
#define NORN_SIM_RUN_H

#include <stdint.h>

#include "log.h"
#include "ranges.h"
#include "workload.h"

struct run_options {
    const struct workload *workload;
    uint64_t seed;
    /* What makes the run what it is; run_command prints all of it. */
    bool calm;                          /* no faults but those of io.h and of crashes */
    const char *plant;                  /* a planted bug for the server; NULL is none */
    int off[FAULT_COUNT];               /* 1 turns a kind off, -1 on, whatever the seed says */
    struct ranges only[FAULT_COUNT];    /* which injections of a kind may happen */
    struct ranges workflows;            /* which of the workload's may be, by number */
    unsigned clients, workers;          /* at most so many nodes; 0: as the seed says */
    int64_t calm_at;                    /* when faults stop; 0: as the seed says */
    uint64_t crash_at, crash_again;     /* boundaries of the first node's first two lives; 0 is none */
    /* What is shown of it, and what no run depends on. */
    bool print;
    bool brief;                         /* no log: quicker, and a failure's report has no workflow */
    bool summary;                       /* the table of faults after the run */
    bool counters;                      /* the same for the parent process, one line */
    uint8_t fill;
    struct log_filter log;
    struct moment until;                /* stops there */
    struct moment break_at;
    struct world_break stop;            /* SIGTRAP there; with no kind and no moment: none */
    const char *record;                 /* a file for the binary trace; NULL is none */
    const char *view;                   /* a page for browsers; NULL is none */
};

/* Runs it, prints the last line, and gives the exit code. Leaves the process when a node dies. */
int run_seed(const struct run_options *options);

/* ---- a run as a command ---- */

struct words {
    char **items;                       /* NULL at the end */
    size_t count;
};
void words_add(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The options that make the run what it is. */
void run_words(const struct run_options *options, struct words *out);
/* One command line of `program` (or "") and these words. The caller frees it (world_free). */
char *words_line(const struct words *words, const char *program);
void words_free(struct words *words);

#endif
