/* exec_codec: records and images. What is around the values is written and read by hand: values and events need no copy
 * then, and a start reads back every record since the last checkpoint. */
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

/* A field on the wire: a number, or bytes, which stay where they are. */
struct field {
    unsigned number;
    uint64_t value;
    struct bytes bytes;
};

static bool next_field(struct reader *from, struct field *out) {
    enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };
    if (!from->left.len) return false;
    uint64_t tag = read_varint(from);
    *out = (struct field){.number = (unsigned)(tag >> 3)};
    switch (tag & 7) {
    case VARINT: out->value = read_varint(from); break;
    case FIXED64: out->value = read_u64(from); break;
    case BYTES: out->bytes = read_bytes(from, read_varint(from)); break;
    case FIXED32: out->value = read_u32(from); break;
    default: from->bad = true;
    }
    return !from->bad;
}

struct patch {
    enum state_kind kind;
    int64_t key;
    struct bytes value;
    bool deleted;
};

static bool read_patch(struct bytes from, struct patch *out) {
    struct reader reader = reader_of(from);
    struct field field;
    *out = (struct patch){0};
    while (next_field(&reader, &field)) {
        switch (field.number) {
        case PATCH_KIND: out->kind = (enum state_kind)field.value; break;
        case PATCH_KEY: out->key = (int64_t)field.value; break;
        case PATCH_VALUE: out->value = field.bytes; break;
        case PATCH_DELETED: out->deleted = field.value; break;
        default: break;
        }
    }
    return !reader.bad;
}

static bool apply_patch(struct exec *exec, struct bytes from) {
    struct patch patch;
    if (!read_patch(from, &patch)) return false;
    enum state_kind kind = patch.kind;
    const ProtobufCMessageDescriptor *type = state_type(kind);
    if (!type) return false;
    ProtobufCMessage *value = NULL;
    if (!patch.deleted) {
        static const uint8_t nothing[1];
        value = protobuf_c_message_unpack(type, exec_pb(), patch.value.len, patch.value.len ? patch.value.data : nothing);
        if (!value) return false;
    }
    if (!state_is_set(kind)) {
        exec_set_single(exec, kind, value);
        return true;
    }
    if (kind == STATE_SIGNAL_REQUEST && PLANT(exec->engine->io, SIGNAL_IDS_NOT_LOADED)) return true;
    struct item *item = exec_find(exec, kind, patch.key);
    if (item && value) {
        /* The text never changes, but its memory does: the index is by content. */
        protobuf_c_message_free_unpacked(item->value, exec_pb());
        item->value = value;
    } else if (item) {
        exec_remove(exec, item);
    } else if (value) {
        exec_add(exec, kind, patch.key, value);
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

static bool apply_batch(struct exec *exec, struct bytes from) {
    struct reader reader = reader_of(from);
    struct field field;
    int64_t first = 0, last = 0;
    struct bytes events = {0};
    while (next_field(&reader, &field)) {
        switch (field.number) {
        case BATCH_FIRST: first = (int64_t)field.value; break;
        case BATCH_LAST: last = (int64_t)field.value; break;
        case BATCH_EVENTS: events = field.bytes; break;
        default: break;
        }
    }
    if (reader.bad || first != history_last(&exec->history) + 1 || last < first) return false;
    history_add(&exec->history, first, last, events, false);
    return true;
}

bool exec_unpack(struct exec *exec, struct bytes record) {
    struct reader reader = reader_of(record);
    struct field field;
    bool good = true;
    while (good && next_field(&reader, &field)) {
        if (field.number == RECORD_PATCHES) good = apply_patch(exec, field.bytes);
        else if (field.number == RECORD_BATCHES) good = apply_batch(exec, field.bytes);
    }
    forget_marks(exec);
    return good && !reader.bad && exec->start && exec->info;
}
