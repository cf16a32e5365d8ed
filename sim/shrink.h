/* shrink: a failing run made as small as it still fails. */
#ifndef NORN_SIM_SHRINK_H
#define NORN_SIM_SHRINK_H

#include "run.h"

struct shrink_options {
    struct run_options run;
    unsigned seconds;                    /* real time at most; 0 is 60 */
    const char *file;                    /* what --repro takes is written there; NULL is not */
    const char *program;
};
/* Prints what was left out and the command of the smaller run. 0, or WORLD_USAGE when the run does not fail. */
int run_shrink(const struct shrink_options *options);

/* ---- for tests ---- */

/* Asked whether it still fails with these numbers only. */
typedef bool shrink_fails_fn(const uint64_t *items, size_t count, void *arg);
/* Leaves out what can be, in larger and then smaller parts; items[0 .. result) stay. False answers end it at `*stop`. */
size_t shrink_items(uint64_t *items, size_t count, shrink_fails_fn *fails, void *arg, const bool *stop);

#endif
