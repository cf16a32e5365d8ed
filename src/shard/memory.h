/* memory: the hard limit of memory.
 *
 * What is compared with the limit is all that this node's heap holds (mem_used): executions with their events,
 * payloads, heartbeat details, memos and held-back events; requests and answers under way; buffers of connections and
 * of the journal; SQLite's caches. Nothing is estimated. In sixteenths of the limit:
 *
 *  13 executions leave memory, closed ones first, then the longest unused, until 12; a checkpoint is asked for when
 *     what changed last must be written first
 *  14 starts are refused
 *  15 reads of executions from the store wait, in order: as many run as there is room for; and when none runs, one more
 *     each time that what the last one took is free again, or a checkpoint has ended, or nothing is left to write, so
 *     that whatever frees memory (an answer of a worker, a termination, a deletion) has its turn even while everything
 *     that is in memory is held there
 *  16 signals are refused too */
#ifndef NORN_SHARD_MEMORY_H
#define NORN_SHARD_MEMORY_H

#include "shard/core.h"

struct load;

/* Something may have grown, or may leave now: room is made at the end of this batch when it is needed. */
void memory_look(struct engine *engine);
/* An execution has left; it was about that large. What is free goes back to the system once it is worth the walk. */
void memory_freed(struct engine *engine, uint64_t bytes);
/* Makes room, lets waiting loads begin. */
void memory_relieve(struct engine *engine);

/* OK, or RESOURCE_EXHAUSTED that says what to do. */
struct status memory_admit_start(const struct engine *engine, struct arena *arena);
struct status memory_admit_signal(const struct engine *engine, struct arena *arena);

/* Begins the load (directory_begin_load), now or later; and when it has ended, with what it brought, or NULL. */
void memory_load(struct engine *engine, struct load *load);
void memory_load_ended(struct engine *engine, const struct store_image *image);

#endif
