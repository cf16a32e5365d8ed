/* verify: live states against their histories and against the engine's own tables. */
#include "shard/verify.h"

#include "replay/rebuild.h"
#include "shard/core.h"
#include "shard/deadline.h"
#include "shard/directory.h"

const char *verify_difference(const struct exec *exec, struct arena *arena) {
    struct rebuild_ids ids = {exec->number, exec->hash, exec->start->namespace_id.data, exec_workflow_id(exec),
                              exec_run_id(exec)};
    struct exec *rebuilt = rebuild_state(&ids, &exec->history);
    if (!rebuilt) return "the history is malformed";
    rebuild_add_buffered(rebuilt, exec);
    const char *difference = rebuild_difference(exec, rebuilt, arena);
    exec_free(rebuilt);
    return difference;
}

static void verify_history(const struct exec *exec) {
    struct arena arena = {0};
    const char *difference = verify_difference(exec, &arena);
    CHECKF(!difference, "run %s of workflow %s: %s", exec_run_id(exec), exec_workflow_id(exec), difference);
    arena_free(&arena);
}

static void verify_one(struct engine *engine, const struct exec *exec) {
    CHECK(!exec->in_txn && !exec->marked_singles && list_empty(&exec->marked) && list_empty(&exec->removed));
    if (exec->deleted) return;
    CHECK(exec->info->next_event_id == history_last(&exec->history) + 1);
    CHECK(history_tail_count(&exec->history) == 0);
    CHECK(exec->version >= exec->imaged);
    CHECKF(!exec->task || exec_open(exec), "a closed run has a workflow task");
    CHECKF(exec_task_started(exec) || !exec_set_const(exec, STATE_BUFFERED)->count, "events are held back without a task");
    int64_t next = deadline_next(exec).at;
    if (engine->started && next) CHECKF(exec->queued_at && exec->queued_at <= next, "a deadline is not in the heap");
    verify_history(exec);
}

void engine_verify(struct engine *engine) {
    uint64_t resident = 0, open = 0;
    LIST_EACH(it, &engine->lru) {
        const struct exec *exec = LIST_ENTRY(it, struct exec, lru);
        verify_one(engine, exec);
        resident++;
        if (!exec->deleted && exec_open(exec)) open++;
    }
    CHECK(resident == engine->stats.resident && open == engine->stats.open);
}
