/* nemesis: who does the crashing. It picks, by the seed, when which node is crashed, killed, frozen, told to end or cut
 * off, and starts again those that ended. */
#ifndef NORN_SIM_NEMESIS_H
#define NORN_SIM_NEMESIS_H

#include "world.h"

struct nemesis;

struct nemesis *nemesis_create(struct world *world);
/* Told of each node that exited by itself; may be NULL. */
typedef void nemesis_exited_fn(struct world *world, unsigned node, int code, void *arg);
void nemesis_set_exited(struct nemesis *nemesis, nemesis_exited_fn *exited, void *arg);
/* A node that it may do things to and that it keeps running. `weight`: how often, next to others. */
void nemesis_add(struct nemesis *nemesis, unsigned node, unsigned weight);
/* Crashes a node at an io boundary of its first life, and of its second; 0 is none. Before it has started. */
void nemesis_crash_at(struct nemesis *nemesis, unsigned node, uint64_t first, uint64_t second);
/* Faults of PROCESS, CLOCK and NETWORK that are on come from now until `until`. */
void nemesis_begin(struct nemesis *nemesis, int64_t until);
/* Ends what it did: links heal, frozen nodes go on, all its nodes are started. They are still started again. */
void nemesis_calm(struct nemesis *nemesis);
/* Nodes that exit from now on stay so; one that crashes is started again. */
void nemesis_let_end(struct nemesis *nemesis);
void nemesis_destroy(struct nemesis *nemesis);

#endif
