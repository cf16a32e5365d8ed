/* coverage: which kinds of fault, marks of the code and operations the seeds of a batch came to.
 *
 * A run prints its counts as lines, the fleet adds them up. A thing that none of the seeds came to, though so many
 * should (its reach), fails the batch: a fault that is never injected tests nothing. */
#ifndef NORN_SIM_COVERAGE_H
#define NORN_SIM_COVERAGE_H

#include "world.h"

enum { COVERAGE_MARKS_MAX = 256 };

struct coverage {
    uint64_t seeds, faults[FAULT_COUNT], marks[COVERAGE_MARKS_MAX], operations[OPERATION_COUNT];
};

/* A run's counts, one line for each table, on stdout. */
void coverage_tell(const struct world *world);
/* Adds the counts in a run's output. */
void coverage_add(struct coverage *coverage, const char *text);
/* The tables. */
void coverage_print(const struct coverage *coverage);
/* How many things none came to that one should have, each told on stderr. */
unsigned coverage_gaps(const struct coverage *coverage);

#endif
