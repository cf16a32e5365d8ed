/* verify: is a live state what its history tells? */
#ifndef NORN_SHARD_VERIFY_H
#define NORN_SHARD_VERIFY_H

#include "shard/exec.h"

/* Rebuilds the state from the history and compares: the first difference, in the arena, or NULL. */
const char *verify_difference(const struct exec *exec, struct arena *arena);

#endif
