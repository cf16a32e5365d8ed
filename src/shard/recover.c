/* recover: state from the store at start, and what follows from it: tasks for queues, deadlines. */
#include "shard/activity.h"
#include "shard/core.h"
#include "shard/deadline_heap.h"
#include "shard/delete.h"
#include "shard/directory.h"
#include "shard/effects.h"
#include "shard/exec_codec.h"
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
    bool fresh = !exec;
    if (fresh) exec = exec_create(engine, record->execution, record->hash);
    if (record->version != exec->version + 1 || !exec_unpack(exec, record->payload)) malformed(record);
    if (history_last(&exec->history) + 1 != exec->info->next_event_id) malformed(record);
    exec->version = record->version;
    if (fresh) directory_insert(engine, exec);
    directory_changed(engine, exec);
    if (!list_linked(&exec->visibility_link)) list_push_back(&engine->visibility, &exec->visibility_link);
}

void engine_recover_idle(struct engine *engine, uint64_t execution, uint64_t hash, int64_t next_at) {
    deadline_add(engine, execution, next_at);
}

/* The commit of a run and its successor was cut between the two: the successor never was (Start.predecessor). */
static bool is_cut(struct engine *engine, const struct exec *exec) {
    if (!exec->start->predecessor || exec->deleted) return false;
    const struct exec *before = engine_resident(engine, exec->start->predecessor);
    return before && exec_open(before);
}

static void drop_cut(struct engine *engine) {
    LIST_EACH(it, &engine->lru) {
        struct exec *exec = LIST_ENTRY(it, struct exec, lru);
        if (is_cut(engine, exec)) delete_execution(engine, exec);
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
            if (activity_task(exec, item, &name, &task)) effects_send(engine, send_create(&name, &task, NULL), 0);
        }
    }
    deadline_changed(engine, exec);
}

void engine_start(struct engine *engine) {
    CHECK(engine->store && !engine->started);
    engine->started = true;
    drop_cut(engine);
    LIST_EACH(it, &engine->lru) {
        struct exec *exec = LIST_ENTRY(it, struct exec, lru);
        if (!exec->deleted) derive(engine, exec);
    }
    deadline_arm(engine);
}
