/* run: one seed from its first event to its verdict. */
#ifndef NORN_SIM_RUN_H
#define NORN_SIM_RUN_H

#include <stdint.h>

#include "workload.h"

struct run_options {
    const struct workload *workload;
    uint64_t seed;
    bool trace, print, calm;            /* calm: no faults but those of io.h and of crashes */
    bool summary;                       /* the table of faults after the run */
    bool counters;                      /* the same for the parent process, one line */
    uint8_t fill;
    const char *plant;                  /* a planted bug for the server; NULL is none */
    int64_t until;                      /* stops here; 0 does not */
    uint64_t crash_at, crash_again;     /* boundaries of the first node's first two lives; 0 is none */
    int64_t trace_from;
    const char *record;                 /* a file for the binary trace; NULL is none */
    int off[FAULT_COUNT];               /* 1 turns a kind off, -1 on, whatever the seed says */
};

/* Runs it, prints the last line, and gives the exit code. Leaves the process when a node dies. */
int run_seed(const struct run_options *options);

#endif
