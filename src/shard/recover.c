/* recover: state from the store, at start or after a failed commit, and what follows from it: tasks for queues,
 * deadlines. */
#include "shard/recover.h"

#include "base/mark.h"
#include "base/plant.h"
#include "shard/activity.h"
#include "shard/core.h"
#include "shard/deadline_heap.h"
#include "shard/delete.h"
#include "shard/directory.h"
#include "shard/effects.h"
#include "shard/exec_codec.h"
#include "shard/history_calls.h"
#include "shard/memory.h"
#include "shard/query.h"
#include "shard/workflow_task.h"

void engine_recover_image(struct engine *engine, const struct store_image *image) {
    struct exec *exec = directory_from_image(engine, image);
    CHECKF(exec, "the state of execution %llu in the store is malformed", (unsigned long long)image->execution);
}

static void malformed(const struct store_record *record) {
    UNREACHABLE("record %llu of execution %llu (sequence %llu) does not fit the state before it",
                (unsigned long long)record->version, (unsigned long long)record->execution,
                (unsigned long long)record->sequence);
}

static void recover_delete(struct engine *engine, const struct store_record *record) {
    struct exec *exec = directory_any(engine, record->execution);
    if (!exec) return;                 /* its rows are gone already */
    exec->version = record->version;
    if (!exec->deleted && exec_open(exec)) engine->stats.open--;
    exec->deleted = true;              /* a tombstone until the next checkpoint */
    directory_changed(engine, exec);
}

void engine_recover_record(struct engine *engine, const struct store_record *record) {
    if (record->kind == STORE_RECORD_DELETE) {
        recover_delete(engine, record);
        return;
    }
    if (record->kind != STORE_RECORD_EXECUTION) return;
    struct exec *exec = directory_any(engine, record->execution);
    if (exec && record->version <= exec->version) return;
    bool fresh = !exec, was_open = exec && exec_open(exec);
    if (fresh) exec = exec_create(engine, record->execution, record->hash);
    if (record->version != exec->version + 1 || !exec_unpack(exec, record->payload)) malformed(record);
    if (history_last(&exec->history) + 1 != exec->info->next_event_id) malformed(record);
    exec->version = record->version;
    if (fresh) directory_insert(engine, exec);
    else if (was_open && !exec_open(exec)) engine->stats.open--;
    directory_changed(engine, exec);
    if (!list_linked(&exec->visibility_link)) list_push_back(&engine->visibility, &exec->visibility_link);
}

void engine_recover_idle(struct engine *engine, uint64_t execution, uint64_t hash, int64_t next_at) {
    if (!PLANT(engine->io, IDLE_TIMERS_LOST)) deadline_add(engine, execution, next_at);
}

/* The commit of a run and its successor may have been cut between the two: then the successor never was
 * (Start.predecessor). */
static void drop(struct engine *engine, struct exec *successor) {
    mark(MARK_SUCCESSOR_DROPPED);
    delete_execution(engine, successor);
    successor->never_was = true;
}

/* An image holds durable state only, so a run that has one is not in doubt. Where nothing of the predecessor is in the
 * journal it is not in memory, and must be read: it may be idle and open, or deleted. */
static void drop_cut(struct engine *engine) {
    LIST_EACH(it, &engine->lru) {
        struct exec *exec = LIST_ENTRY(it, struct exec, lru);
        if (!exec->start->predecessor || exec->deleted || exec->imaged) continue;
        const struct exec *before = directory_any(engine, exec->start->predecessor);
        if (!before) {
            mark(MARK_SUCCESSOR_IN_DOUBT);
            directory_doubt(engine, exec);
        } else if (!before->deleted && exec_open(before)) drop(engine, exec);
    }
}

static void derive(struct engine *engine, struct exec *exec) {
    struct queue_name name;
    struct queue_task task;
    if (exec_open(exec)) {
        if (exec->task && !exec->task->started_event_id) {
            workflow_task_item(exec, &name, &task);
            effects_send(engine, send_create(&name, &task, exec->task->sticky ? exec->start->task_queue : NULL), 0);
        }
        ITEMS_EACH(item, exec, STATE_ACTIVITY) {
            if (!activity_task(exec, item, &name, &task) || PLANT(engine->io, TASKS_NOT_SENT_AGAIN)) continue;
            effects_send(engine, send_create(&name, &task, NULL), 0);
        }
    }
    deadline_changed(engine, exec);
}

void recover_settle(struct engine *engine, uint64_t number, const struct exec *predecessor) {
    struct exec *successor = engine_resident(engine, number);
    if (!successor || !successor->doubt) return;
    successor->doubt = NULL;
    successor->pins--;
    if (predecessor && exec_open(predecessor)) drop(engine, successor);
    else derive(engine, successor);
}

static void begin(struct engine *engine) {
    engine->started = true;
    drop_cut(engine);
    LIST_EACH(it, &engine->lru) {
        struct exec *exec = LIST_ENTRY(it, struct exec, lru);
        if (!exec->deleted && !exec->doubt) derive(engine, exec);
    }
    deadline_arm(engine);
    memory_look(engine);
}

void engine_start(struct engine *engine) {
    CHECK(engine->store && !engine->started);
    begin(engine);
}

/* ---- after a failed commit ---- */

static void image(void *ctx, const struct store_image *given) { engine_recover_image(ctx, given); }
static void record(void *ctx, const struct store_record *given) { engine_recover_record(ctx, given); }
static void idle(void *ctx, uint64_t execution, uint64_t hash, int64_t next_at) {
    engine_recover_idle(ctx, execution, hash, next_at);
}
static void node_value(void *ctx, struct bytes name, struct bytes payload) {}      /* not the engine's */

static void forget(struct engine *engine) {
    struct status status = {.code = STATUS_UNAVAILABLE, .message = "a write failed: the state is read again"};
    effects_drop(engine, status.message);
    LIST_EACH(it, &engine->lru) {
        struct exec *exec = LIST_ENTRY(it, struct exec, lru);
        history_drop_waiters(engine, exec, status);
        query_drop(engine, exec, status);
        if (exec->doubt) exec->pins--;
        directory_drop(engine, exec);
    }
    engine->heap_count = engine->heap_stale = 0;
}

void recover_after_failure(struct engine *engine) {
    if (engine->stopped) return;
    forget(engine);
    engine->started = false;
    struct store_recovery recovery = {node_value, image, record, idle, engine};
    store_reload(engine->store, &recovery);
    store_resume(engine->store);
    begin(engine);
}
