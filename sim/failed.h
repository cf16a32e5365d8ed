/* failed: a file of runs that failed, which the next batch runs first, until they pass.
 *
 * A line is the options that make a run what it is, so a batch takes those of its own kind, whatever their seeds. */
#ifndef NORN_SIM_FAILED_H
#define NORN_SIM_FAILED_H

#include "run.h"

#define FAILED_FILE ".cache/sim/failed"          /* unless --failed names another; "none" is none */

/* The seeds of runs in the file that are as `run` but for their seed; 0 without a file. *seeds is freed by world_free. */
size_t failed_read(const char *path, const struct run_options *run, uint64_t **seeds);
/* Adds a run, once. Makes the folders of FAILED_FILE. Errors are told on stderr. */
void failed_add(const char *path, const struct run_options *run);
void failed_remove(const char *path, const struct run_options *run);

#endif
