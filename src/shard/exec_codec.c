/* exec_codec: records and images. A Patch is written by hand: its value is a packed message, which needs no copy. */
#include "shard/exec_codec.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/plant.h"
#include "shard/core.h"

enum { RECORD_PATCHES = 1, RECORD_BATCHES = 2 };                              /* fields of ExecutionRecord */
enum { PATCH_KIND = 1, PATCH_KEY = 2, PATCH_VALUE = 3, PATCH_DELETED = 4 };   /* fields of Patch */
enum { BATCH_FIRST = 1, BATCH_LAST = 2, BATCH_EVENTS = 3 };                   /* fields of Batch */

static size_t varint_size(uint64_t value) {
    size_t size = 1;
    while (value >>= 7) size++;
    return size;
}

static void put_number(struct buf *out, unsigned field, uint64_t value) {
    buf_append_varint(out, (uint64_t)field << 3);
    buf_append_varint(out, value);
}

static void put_patch(struct buf *out, enum state_kind kind, int64_t key, const ProtobufCMessage *value) {
    size_t begin = pbpack_open(out, RECORD_PATCHES);
    put_number(out, PATCH_KIND, kind);
    if (key) put_number(out, PATCH_KEY, (uint64_t)key);
    if (value) pbpack_append_field(out, PATCH_VALUE, value);
    else put_number(out, PATCH_DELETED, 1);
    pbpack_close(out, begin);
}

static void put_batch(struct buf *out, const struct history_batch *batch) {
    size_t size = 1 + varint_size((uint64_t)batch->first) + 1 + varint_size((uint64_t)batch->last) + 1 +
                  varint_size(batch->len) + batch->len;
    buf_append_varint(out, RECORD_BATCHES << 3 | 2);
    buf_append_varint(out, size);
    put_number(out, BATCH_FIRST, (uint64_t)batch->first);
    put_number(out, BATCH_LAST, (uint64_t)batch->last);
    pb_append_field(out, BATCH_EVENTS, bytes_of(batch->data, batch->len));
}

static const ProtobufCMessage *single(const struct exec *exec, enum state_kind kind) {
    switch (kind) {
    case STATE_START: return &exec->start->base;
    case STATE_INFO: return &exec->info->base;
    case STATE_WORKFLOW_TASK: return exec->task ? &exec->task->base : NULL;
    case STATE_MEMO: return exec->memo ? &exec->memo->base : NULL;
    case STATE_SEARCH_ATTRIBUTES: return exec->search_attributes ? &exec->search_attributes->base : NULL;
    case STATE_WORKERS: return exec->workers ? &exec->workers->base : NULL;
    default: return NULL;
    }
}

void exec_pack_changes(struct exec *exec, struct buf *out) {
    for (enum state_kind kind = STATE_START; kind <= STATE_WORKERS; kind++) {
        if (exec->marked_singles & 1u << kind) put_patch(out, kind, 0, single(exec, kind));
    }
    exec->marked_singles = 0;
    for (struct list *it; (it = list_pop_front(&exec->removed));) {
        struct item *item = LIST_ENTRY(it, struct item, marked_link);
        bool told = item->kind != STATE_TIMER || !PLANT(exec->engine->io, TIMER_FIRES_TWICE);
        if (told) put_patch(out, item->kind, item->key, NULL);
        protobuf_c_message_free_unpacked(item->value, exec_pb());
        mem_free(item);
    }
    for (struct list *it; (it = list_pop_front(&exec->marked));) {
        struct item *item = LIST_ENTRY(it, struct item, marked_link);
        put_patch(out, item->kind, item->key, item->value);
        item->marked = item->fresh = false;
    }
    for (size_t i = 0; i < history_tail_count(&exec->history); i++) {
        struct history_batch batch = history_tail(&exec->history, i);
        put_batch(out, &batch);
    }
}

void exec_pack_image(const struct exec *exec, struct buf *out) {
    for (enum state_kind kind = STATE_START; kind <= STATE_WORKERS; kind++) {
        const ProtobufCMessage *value = single(exec, kind);
        if (value) put_patch(out, kind, 0, value);
    }
    for (enum state_kind kind = STATE_ACTIVITY; kind < STATE_KIND_COUNT; kind++) {
        ITEMS_EACH(item, exec, kind) put_patch(out, kind, item->key, item->value);
    }
}

/* ---- back ---- */

static bool apply_patch(struct exec *exec, const Norn__State__Patch *patch) {
    enum state_kind kind = (enum state_kind)patch->kind;
    const ProtobufCMessageDescriptor *type = state_type(kind);
    if (!type) return false;
    ProtobufCMessage *value = NULL;
    if (!patch->deleted) {
        static const uint8_t nothing[1];
        value = protobuf_c_message_unpack(type, exec_pb(), patch->value.len, patch->value.len ? patch->value.data : nothing);
        if (!value) return false;
    }
    if (!state_is_set(kind)) {
        exec_set_single(exec, kind, value);
        return true;
    }
    if (kind == STATE_SIGNAL_REQUEST && PLANT(exec->engine->io, SIGNAL_IDS_NOT_LOADED)) return true;
    struct item *item = exec_find(exec, kind, patch->key);
    if (item && value) {
        /* The text never changes, but its memory does: the index is by content. */
        protobuf_c_message_free_unpacked(item->value, exec_pb());
        item->value = value;
    } else if (item) {
        exec_remove(exec, item);
    } else if (value) {
        exec_add(exec, kind, patch->key, value);
    }
    return true;
}

/* Recovered values are not changes. */
static void forget_marks(struct exec *exec) {
    exec->marked_singles = 0;
    for (struct list *it; (it = list_pop_front(&exec->marked));) {
        struct item *item = LIST_ENTRY(it, struct item, marked_link);
        item->marked = item->fresh = false;
    }
    for (struct list *it; (it = list_pop_front(&exec->removed));) {
        struct item *item = LIST_ENTRY(it, struct item, marked_link);
        protobuf_c_message_free_unpacked(item->value, exec_pb());
        mem_free(item);
    }
}

bool exec_unpack(struct exec *exec, struct bytes record) {
    struct arena arena = {0};
    Norn__State__ExecutionRecord *decoded = pb_unpack(&arena, &norn__state__execution_record__descriptor, record);
    bool good = decoded != NULL;
    for (size_t i = 0; good && i < decoded->n_patches; i++) good = apply_patch(exec, decoded->patches[i]);
    for (size_t i = 0; good && i < decoded->n_batches; i++) {
        const Norn__State__Batch *batch = decoded->batches[i];
        good = batch->first_event_id == history_last(&exec->history) + 1 && batch->last_event_id >= batch->first_event_id;
        if (good) {
            history_add(&exec->history, batch->first_event_id, batch->last_event_id,
                        bytes_of(batch->events.data, batch->events.len), false);
        }
    }
    forget_marks(exec);
    arena_free(&arena);
    return good && exec->start && exec->info;
}
