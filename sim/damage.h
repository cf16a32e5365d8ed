/* damage: what a disk does to data at rest: rot, sectors that cannot be read, blocks written to the wrong place, files
 * that are cut, gone, or older than the rest.
 *
 * Damage is done to the journal of a server that has ended in order, so that it is always one that docs/on-disk-format.md
 * promises to find. The next start must either tell it and refuse, or serve as if nothing was there; the model sees the
 * latter. When it is told, the files are put back as they were, as from a copy, and the run goes on. */
#ifndef NORN_SIM_DAMAGE_H
#define NORN_SIM_DAMAGE_H

#include "world.h"

struct damage;

struct damage *damage_create(struct world *world, unsigned node);
void damage_destroy(struct damage *damage);
/* The server has ended in order: perhaps something is damaged now. */
void damage_strike(struct damage *damage);
/* The server refused to start and said `text`. True when it told the damage, which is undone then. */
bool damage_told(struct damage *damage, struct bytes text);

#endif
