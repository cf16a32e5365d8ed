/* fleet: many seeds, each in processes of its own, each twice. */
#ifndef NORN_SIM_FLEET_H
#define NORN_SIM_FLEET_H

#include "run.h"

struct fleet_options {
    struct run_options run;
    uint64_t first, count;
    unsigned jobs;
    bool once;                          /* not twice */
    bool sweep, pairs;                  /* one seed, crashed at each boundary */
    const char *failed_file;            /* failing runs are added here and run first (failed.h); NULL is none */
    const char *program;                /* argv[0] */
};
/* Runs them, prints progress and a summary. The exit code is that of the first failure, or 0. */
int run_fleet(const struct fleet_options *options);
/* Each planted bug: seeds from `first` on until one fails, `limit` at most. A table; 0 when all were found. */
int run_plants(const struct fleet_options *options, const char *const *plants, uint64_t limit);
/* One seed, with a crash of its server at each io boundary; with `pairs` a second crash follows in its next life. */
int run_sweep(const struct fleet_options *options);

#endif
