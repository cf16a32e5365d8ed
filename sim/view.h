/* view: the timeline of a run as one page for browsers. */
#ifndef NORN_SIM_VIEW_H
#define NORN_SIM_VIEW_H

#include "run.h"

/* Writes it. Says on stderr when that fails. `end` says how the run came to its end. */
void view_write(const struct run_options *options, struct world *world, const struct world_end *end);

#endif
