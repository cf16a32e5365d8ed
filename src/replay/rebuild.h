/* rebuild: the state of a run from its history, by the same apply_event that live transactions use. */
#ifndef NORN_REPLAY_REBUILD_H
#define NORN_REPLAY_REBUILD_H

#include "shard/exec.h"

struct rebuild_ids {
    uint64_t number, hash;
    const uint8_t *namespace_id;
    const char *workflow_id, *run_id;
};

/* What history alone tells (apply.h says what is missing). `history` is only read. The result is freed with exec_free;
 * NULL when the history is malformed. */
struct exec *rebuild_state(const struct rebuild_ids *ids, const struct history *history);
/* Applies the events that `live` holds back, which changed its state when they came. */
void rebuild_add_buffered(struct exec *exec, const struct exec *live);

/* Compares a live state with the one that its history tells; the first difference, in the arena, or NULL. */
const char *rebuild_difference(const struct exec *live, const struct exec *rebuilt, struct arena *arena);

#endif
