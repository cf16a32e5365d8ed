/* exec: state in memory. */
#include "shard/exec.h"

#include "base/hash.h"
#include "base/mem.h"

static void *pb_alloc(void *data, size_t size) { return mem_alloc(size); }
static void pb_free(void *data, void *pointer) { mem_free(pointer); }
const ProtobufCAllocator exec_allocator = {.alloc = pb_alloc, .free = pb_free};

struct exec *exec_create(struct engine *engine, uint64_t number, uint64_t hash) {
    struct exec *exec = MEM_NEW(struct exec);
    exec->engine = engine;
    exec->number = number;
    exec->hash = hash;
    for (size_t i = 0; i < ARRAY_LEN(exec->sets); i++) list_init(&exec->sets[i].order);
    list_init(&exec->marked);
    list_init(&exec->removed);
    list_init(&exec->queries);
    list_init(&exec->history_waiters);
    return exec;
}

static void message_free(void *message) {
    if (message) protobuf_c_message_free_unpacked(message, exec_pb());
}

static void item_free(struct item *item) {
    message_free(item->value);
    mem_free(item);
}

void exec_free(struct exec *exec) {
    for (size_t i = 0; i < ARRAY_LEN(exec->sets); i++) {
        struct items *set = &exec->sets[i];
        LIST_EACH(it, &set->order) item_free(LIST_ENTRY(it, struct item, link));
        map_free(&set->by_key);
        map_free(&set->by_text);
    }
    LIST_EACH(it, &exec->removed) item_free(LIST_ENTRY(it, struct item, marked_link));
    message_free(exec->start);
    message_free(exec->info);
    message_free(exec->task);
    message_free(exec->memo);
    message_free(exec->search_attributes);
    message_free(exec->workers);
    history_free(&exec->history);
    mem_free(exec);
}

/* ---- reading ---- */

static uint64_t key_hash(int64_t key) { return hash64(&key, sizeof key); }
static bool key_equal(const struct map_node *node, const void *key) {
    return CONTAINER_OF(node, struct item, by_key)->key == *(const int64_t *)key;
}

static const char *item_text(const struct item *item) {
    switch (item->kind) {
    case STATE_ACTIVITY: return item->activity->activity_id;
    case STATE_TIMER: return item->timer->timer_id;
    case STATE_REQUEST: return item->request->id;
    case STATE_SIGNAL_REQUEST: return item->signal_request->id;
    default: return NULL;
    }
}
static bool text_equal(const struct map_node *node, const void *key) {
    return strcmp(item_text(CONTAINER_OF(node, struct item, by_text)), key) == 0;
}

struct item *exec_find(const struct exec *exec, enum state_kind kind, int64_t key) {
    struct map_node *node = map_find(&exec_set_const(exec, kind)->by_key, key_hash(key), key_equal, &key);
    return node ? CONTAINER_OF(node, struct item, by_key) : NULL;
}

struct item *exec_find_text(const struct exec *exec, enum state_kind kind, const char *text) {
    if (!text) return NULL;
    uint64_t hash = hash64(text, strlen(text));
    struct map_node *node = map_find(&exec_set_const(exec, kind)->by_text, hash, text_equal, text);
    return node ? CONTAINER_OF(node, struct item, by_text) : NULL;
}

bool exec_open(const struct exec *exec) {
    return exec->info->status == STATUS_OF(RUNNING) || exec->info->status == STATUS_OF(PAUSED);
}

/* ---- changing ---- */

void state_set_text(char **field, const char *text) {
    char *old = *field;                /* may be `text` itself */
    *field = text_empty(text) ? (char *)(uintptr_t)protobuf_c_empty_string : mem_strdup(text);
    if (old && old != protobuf_c_empty_string) mem_free(old);
}

void state_set_message(ProtobufCMessage **field, const ProtobufCMessage *message) {
    ProtobufCMessage *old = *field;
    *field = NULL;
    if (message) {
        struct buf packed = {0};
        pbpack_append(&packed, message);
        static const uint8_t nothing[1];
        *field = protobuf_c_message_unpack(message->descriptor, exec_pb(), packed.len, packed.len ? packed.data : nothing);
        CHECK(*field);
        buf_free(&packed);
    }
    message_free(old);
}

void *state_new(const ProtobufCMessageDescriptor *type) {
    ProtobufCMessage *message = mem_alloc(type->sizeof_message);
    protobuf_c_message_init(type, message);
    return message;
}

const ProtobufCMessageDescriptor *state_type(enum state_kind kind) {
    switch (kind) {
    case STATE_START: return &norn__state__start__descriptor;
    case STATE_INFO: return &norn__state__info__descriptor;
    case STATE_WORKFLOW_TASK: return &norn__state__workflow_task__descriptor;
    case STATE_MEMO: return &temporal__api__common__v1__memo__descriptor;
    case STATE_SEARCH_ATTRIBUTES: return &temporal__api__common__v1__search_attributes__descriptor;
    case STATE_WORKERS: return &norn__state__workers__descriptor;
    case STATE_ACTIVITY: return &norn__state__activity__descriptor;
    case STATE_TIMER: return &norn__state__timer__descriptor;
    case STATE_BUFFERED: return &norn__state__buffered__descriptor;
    case STATE_REQUEST: return &norn__state__request__descriptor;
    case STATE_SIGNAL_REQUEST: return &norn__state__signal_request__descriptor;
    default: return NULL;
    }
}

void exec_touch(struct exec *exec, enum state_kind kind) { exec->marked_singles |= 1u << kind; }

static void *single_field(struct exec *exec, enum state_kind kind) {
    switch (kind) {
    case STATE_START: return &exec->start;
    case STATE_INFO: return &exec->info;
    case STATE_WORKFLOW_TASK: return &exec->task;
    case STATE_MEMO: return &exec->memo;
    case STATE_SEARCH_ATTRIBUTES: return &exec->search_attributes;
    case STATE_WORKERS: return &exec->workers;
    default: UNREACHABLE("no single of kind %d", kind);
    }
}

void exec_set_single(struct exec *exec, enum state_kind kind, ProtobufCMessage *value) {
    ProtobufCMessage **field = single_field(exec, kind);
    CHECK(!value || value->descriptor == state_type(kind));
    if (*field != value) message_free(*field);
    *field = value;
    exec_touch(exec, kind);
}

struct item *exec_add(struct exec *exec, enum state_kind kind, int64_t key, ProtobufCMessage *value) {
    CHECK(state_is_set(kind) && value->descriptor == state_type(kind));
    struct items *set = exec_set(exec, kind);
    struct item *item = MEM_NEW(struct item);
    item->kind = kind;
    item->key = key;
    item->value = value;
    item->fresh = true;
    CHECKF(!exec_find(exec, kind, key), "state kind %d has key %lld already", kind, (long long)key);
    list_push_back(&set->order, &item->link);
    map_insert(&set->by_key, &item->by_key, key_hash(key));
    const char *text = item_text(item);
    if (text) map_insert(&set->by_text, &item->by_text, hash64(text, strlen(text)));
    set->count++;
    exec_touch_item(exec, item);
    return item;
}

void exec_touch_item(struct exec *exec, struct item *item) {
    if (item->marked) return;
    item->marked = true;
    list_push_back(&exec->marked, &item->marked_link);
}

void exec_remove(struct exec *exec, struct item *item) {
    struct items *set = exec_set(exec, item->kind);
    list_remove(&item->link);
    list_remove(&item->marked_link);
    map_remove(&set->by_key, &item->by_key);
    if (item_text(item)) map_remove(&set->by_text, &item->by_text);
    set->count--;
    if (item->fresh) item_free(item);
    else list_push_back(&exec->removed, &item->marked_link);
}

void exec_clear(struct exec *exec, enum state_kind kind) {
    ITEMS_EACH(item, exec, kind) exec_remove(exec, item);
}

int64_t exec_next_sequence(struct exec *exec) {
    exec_touch(exec, STATE_INFO);
    return ++exec->info->sequence;
}

uint64_t exec_next_stamp(struct exec *exec) {
    exec_touch(exec, STATE_INFO);
    return ++exec->info->stamp;
}
