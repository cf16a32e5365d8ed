/* hostile: the node of a hostile client. */
#ifndef NORN_SIM_HOSTILE_H
#define NORN_SIM_HOSTILE_H

#include "truth.h"

/* True when any of its attacks is on for this seed. */
bool hostile_is_on(const struct world *world);
/* Entry of the node; arg is the truth. */
void hostile_start(struct io *io, void *truth);

#endif
