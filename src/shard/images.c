/* images: what the store asks of the engine: images of executions that changed, visibility rows. */
#include "base/mark.h"
#include "base/mem.h"
#include "base/plant.h"
#include "shard/activity.h"
#include "shard/attributes.h"
#include "shard/core.h"
#include "shard/deadline.h"
#include "shard/directory.h"
#include "shard/effects.h"
#include "shard/exec_codec.h"
#include "shard/memory.h"
#include "shard/recover.h"

static struct bytes pack(struct buf *buf, const ProtobufCMessage *message) {
    if (!message) return (struct bytes){0};
    pbpack_append(buf, message);
    return buf_bytes(buf);
}

/* Buffers that a row borrows from. */
struct row {
    struct buf memo, attributes, json;
    struct arena arena;
};

static void row_free(struct row *row) {
    buf_free(&row->memo);
    buf_free(&row->attributes);
    buf_free(&row->json);
    arena_free(&row->arena);
}

static struct store_visibility visibility_of(const struct exec *exec, struct row *row) {
    const StateStart *start = exec->start;
    const StateInfo *info = exec->info;
    bool closed = !exec_open(exec);
    const SearchAttributes *attributes = attributes_shown(exec, &row->arena);
    if (attributes) attributes_json(attributes, &row->json);
    else buf_append_str(&row->json, "{}");
    return (struct store_visibility){
        .workflow_type = bytes_str(start->workflow_type),
        .task_queue = bytes_str(start->task_queue),
        .parent_workflow_id = bytes_str(start->parent_workflow_id),
        .root_workflow_id = bytes_str(start->root_workflow_id),
        .status = info->status,
        .start_time = start->start_time,
        .execution_time = start->start_time + start->first_backoff,
        .close_time = info->close_time,
        .history_length = closed ? info->next_event_id - 1 : 0,
        .history_size = closed ? info->history_size : 0,
        .state_transitions = closed ? info->state_transitions : 0,
        .memo = pack(&row->memo, exec->memo ? &exec->memo->base : NULL),
        .search_attributes = pack(&row->attributes, attributes ? &attributes->base : NULL),
        .search_attributes_json = buf_bytes(&row->json),
    };
}

static bool has_tasks(const struct exec *exec) {
    if (exec->task && !exec->task->started_event_id) return true;
    struct queue_name name;
    struct queue_task task;
    ITEMS_EACH(item, exec, STATE_ACTIVITY) {
        if (activity_task(exec, item, &name, &task)) return !PLANT(exec->engine->io, IMAGE_FORGETS_TASKS);
    }
    return false;
}

static struct store_image image_of(const struct exec *exec, struct row *row) {
    struct store_image image = {
        .execution = exec->number,
        .hash = exec->hash,
        .version = exec->version + PLANT(exec->engine->io, IMAGE_VERSION_AHEAD),
        .kind = ROUTE_WORKFLOW,
        .workflow_id = bytes_str(exec->start->workflow_id),
        .open = exec_open(exec),
        .next_at = deadline_next(exec).at,
        .has_tasks = has_tasks(exec),
        .visibility = visibility_of(exec, row),
    };
    memcpy(image.namespace_id, exec->start->namespace_id.data, NAMESPACE_ID_LEN);
    memcpy(image.run_id, exec->run_id, RUN_ID_LEN);
    return image;
}

static size_t put_image(struct store_loop *loop, struct exec *exec) {
    struct row row = {0};
    struct store_image image = image_of(exec, &row);
    struct buf state = {0};
    exec_pack_image(exec, &state);
    image.state = buf_bytes(&state);
    struct history *history = &exec->history;
    size_t first = history->count, size = state.len;
    while (first > 0 && !history->batches[first - 1].imaged) first--;
    struct store_history_batch *batches = mem_alloc((history->count - first) * sizeof *batches);
    for (size_t i = first; i < history->count; i++) {
        struct history_batch *batch = &history->batches[i];
        batches[image.batch_count++] =
            (struct store_history_batch){batch->first, batch->last, bytes_of(batch->data, batch->len)};
        batch->imaged = true;
        size += batch->len;
    }
    image.batches = batches;
    store_image_put(loop, &image);
    list_remove(&exec->visibility_link);       /* an image brings its row */
    mem_free(batches);
    buf_free(&state);
    row_free(&row);
    return size;
}

/* ---- the hooks ---- */

static void durable(void *ctx, uint64_t number) { effects_release(ctx, number); }

static void failed(void *ctx, uint64_t number, bool unknown) { recover_after_failure(ctx); }

/* Rows of deleted executions are gone once the checkpoint that was told of them has ended. */
static void drop_tombstones(struct engine *engine) {
    LIST_EACH(it, &engine->lru) {
        struct exec *exec = LIST_ENTRY(it, struct exec, lru);
        if (exec->deleted && exec->image_given == exec->version) directory_drop(engine, exec);
    }
}

/* An image holds durable state only (S3): a younger one is given later in the same checkpoint. */
static bool images(void *ctx, struct store_loop *loop, bool first, size_t budget) {
    struct engine *engine = ctx;
    if (first) {
        drop_tombstones(engine);
        list_splice(&engine->checkpoint, &engine->dirty);
    }
    size_t given = 0;
    LIST_EACH(it, &engine->checkpoint) {
        if (given >= budget) return false;
        struct exec *exec = LIST_ENTRY(it, struct exec, dirty_link);
        if (exec->commit > engine->durable) continue;
        list_remove(&exec->dirty_link);
        exec->image_given = exec->version;
        if (exec->deleted) {
            list_remove(&exec->visibility_link);
            store_image_delete(loop, exec->number);
        } else given += put_image(loop, exec);
    }
    return list_empty(&engine->checkpoint);
}

static void imaged(void *ctx, uint64_t number, uint64_t version) {
    struct engine *engine = ctx;
    struct exec *exec = directory_any(engine, number);
    if (!exec) return;
    if (version > exec->imaged) exec->imaged = version;
    if (exec->deleted) return;
    /* Closed runs are seldom wanted again. */
    if ((!exec_open(exec) || nudge(NUDGE_EVICT_NOW)) && directory_evictable(engine, exec)) {
        mark(MARK_EVICTED);
        engine->stats.evictions++;
        directory_drop(engine, exec);
    } else memory_look(engine);
}

static void visibility(void *ctx, struct store_loop *loop) {
    struct engine *engine = ctx;
    LIST_EACH(it, &engine->visibility) {
        struct exec *exec = LIST_ENTRY(it, struct exec, visibility_link);
        list_remove(&exec->visibility_link);       /* the store writes it when all that was appended is durable */
        if (exec->deleted) {           /* its rows go now, so that no list shows it until the next checkpoint */
            store_image_delete(loop, exec->number);
            continue;
        }
        struct row row = {0};
        struct store_image image = image_of(exec, &row);
        if (PLANT(engine->io, VISIBILITY_OLD_VERSION) && exec->image_given) image.version = exec->image_given;
        store_visibility_put(loop, &image);
        row_free(&row);
    }
}

struct store_engine engine_store_hooks(struct engine *engine) {
    return (struct store_engine){
        .durable = durable,
        .failed = failed,
        .images = images,
        .imaged = imaged,
        .visibility = visibility,
        .ctx = engine,
    };
}
