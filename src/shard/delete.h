/* delete: an execution goes for good. */
#ifndef NORN_SHARD_DELETE_H
#define NORN_SHARD_DELETE_H

#include "shard/core.h"

/* Appends the delete record of a closed run and leaves a tombstone until its rows are gone; gives the record's
 * number. */
uint64_t delete_execution(struct engine *engine, struct exec *exec);

#endif
