/* node_changes: changes of the node's values. */
#include "frontend/node_changes.h"

#include <string.h>

#include "base/mem.h"
#include "base/plant.h"
#include "base/uuid.h"

/* One change: from its append until every loop has it. */
struct change {
    struct list link;
    struct node_changes *changes;
    uint64_t number;                /* of the commit */
    char id_text[UUID_TEXT_SIZE];
    char *name;
    struct bytes payload;           /* owned */
    struct call *call;              /* NULL: none waits */
    unsigned loops_left;
};

/* A change on its way to a loop, and back. */
struct delivery {
    struct io_msg msg;
    struct change *change;
    struct frontend_shared *shared;
};

struct node_changes {
    struct frontend *frontend;
    struct list waiting;            /* for the commit, in order */
    struct list given;              /* to the loops */
};

struct node_changes *node_changes_create(struct frontend *frontend) {
    struct node_changes *changes = MEM_NEW(struct node_changes);
    changes->frontend = frontend;
    list_init(&changes->waiting);
    list_init(&changes->given);
    return changes;
}

static void free_change(struct change *change) {
    list_remove(&change->link);
    mem_free(change->name);
    mem_free((void *)(uintptr_t)change->payload.data);
    mem_free(change);
}

void node_changes_destroy(struct node_changes *changes) {
    LIST_EACH(node, &changes->waiting) free_change(LIST_ENTRY(node, struct change, link));
    LIST_EACH(node, &changes->given) free_change(LIST_ENTRY(node, struct change, link));
    mem_free(changes);
}

static void taken(struct io *io, struct io_msg *msg) {
    struct delivery *delivery = CONTAINER_OF(msg, struct delivery, msg);
    struct change *change = delivery->change;
    mem_free(delivery);
    unsigned left = --change->loops_left;
    if (change->call && (!left || PLANT(io, NAMESPACE_ACKED_EARLY))) {
        call_send(change->call);
        change->call = NULL;
    }
    if (left) return;
    free_change(change);
}

static void take(struct io *io, struct io_msg *msg) {
    struct delivery *delivery = CONTAINER_OF(msg, struct delivery, msg);
    namespaces_apply(delivery->shared->frontends[io_loop_index(io)]->namespaces, delivery->change->payload);
    msg->receive = taken;
    io_post(io, 0, msg);
}

static void give(struct node_changes *changes, struct change *change) {
    struct io *io = changes->frontend->io;
    list_remove(&change->link);
    list_push_back(&changes->given, &change->link);
    change->loops_left = PLANT(io, NAMESPACE_ON_ONE_LOOP) ? 1 : io_loop_count(io);
    for (unsigned loop = 0; loop < change->loops_left; loop++) {
        struct delivery *delivery = MEM_NEW(struct delivery);
        *delivery = (struct delivery){.msg.receive = take, .change = change, .shared = changes->frontend->shared};
        io_post(io, loop, &delivery->msg);
    }
}

void node_changes_durable(struct node_changes *changes, uint64_t number) {
    while (!list_empty(&changes->waiting)) {
        struct change *change = LIST_ENTRY(changes->waiting.next, struct change, link);
        if (change->number > number) return;
        give(changes, change);
    }
}

static bool touches(const struct list *list, const char *id_text, const char *name) {
    for (const struct list *node = list->next; node != list; node = node->next) {
        const struct change *change = LIST_ENTRY(node, const struct change, link);
        if ((id_text && strcmp(change->id_text, id_text) == 0) || strcmp(change->name, name) == 0) return true;
    }
    return false;
}

bool node_changes_busy(const struct node_changes *changes, const char *id_text, const char *name) {
    return touches(&changes->waiting, id_text, name) || touches(&changes->given, id_text, name);
}

bool node_changes_idle(const struct node_changes *changes) {
    return list_empty(&changes->waiting) && list_empty(&changes->given);
}

void node_changes_put(struct node_changes *changes, const Norn__Node__Namespace *record, struct call *call,
                      const ProtobufCMessage *response) {
    struct change *change = MEM_NEW(struct change);
    size_t len = norn__node__namespace__get_packed_size(record);
    uint8_t *payload = mem_alloc(len);
    norn__node__namespace__pack(record, payload);
    change->payload = bytes_of(payload, len);
    change->changes = changes;
    change->call = call;
    change->name = mem_strdup(record->info->name);
    CHECK(strlen(record->info->id) == (UUID_TEXT_SIZE - 1));
    memcpy(change->id_text, record->info->id, UUID_TEXT_SIZE);
    char name[UUID_TEXT_SIZE + 10] = "namespace/";
    memcpy(name + 10, change->id_text, UUID_TEXT_SIZE);
    struct store_record node = {.kind = STORE_RECORD_NODE, .name = bytes_str(name), .payload = change->payload};
    CHECK(uuid_parse(change->id_text, node.namespace_id));
    if (call) call_set_reply(call, response);
    change->number = store_append(changes->frontend->store, &node);
    list_push_back(&changes->waiting, &change->link);
}

static void put_first(struct node_changes *changes, const char *name, const char *id, const char *description) {
    struct frontend *frontend = changes->frontend;
    if (namespaces_by_name(frontend->namespaces, name)) return;
    Norn__Node__Namespace record = NORN__NODE__NAMESPACE__INIT;
    Temporal__Api__Namespace__V1__NamespaceInfo info = TEMPORAL__API__NAMESPACE__V1__NAMESPACE_INFO__INIT;
    Temporal__Api__Namespace__V1__NamespaceConfig config = TEMPORAL__API__NAMESPACE__V1__NAMESPACE_CONFIG__INIT;
    Google__Protobuf__Duration retention = GOOGLE__PROTOBUF__DURATION__INIT;
    retention.seconds = 86400;
    config.workflow_execution_retention_ttl = &retention;
    config.history_archival_state = TEMPORAL__API__ENUMS__V1__ARCHIVAL_STATE__ARCHIVAL_STATE_DISABLED;
    config.visibility_archival_state = TEMPORAL__API__ENUMS__V1__ARCHIVAL_STATE__ARCHIVAL_STATE_DISABLED;
    info.name = (char *)(uintptr_t)name;
    info.id = (char *)(uintptr_t)id;
    info.description = (char *)(uintptr_t)description;
    info.state = TEMPORAL__API__ENUMS__V1__NAMESPACE_STATE__NAMESPACE_STATE_REGISTERED;
    record.info = &info;
    record.config = &config;
    record.created_ns = io_wall(frontend->io);
    node_changes_put(changes, &record, NULL, NULL);
}

void node_changes_first_start(struct node_changes *changes) {
    uint8_t raw[UUID_LEN];
    char id[UUID_TEXT_SIZE];
    io_random(changes->frontend->io, raw, sizeof raw);
    uuid_shape(raw);
    uuid_text(raw, id);
    /* Temporal's own id for its system namespace: tools know it. */
    put_first(changes, "temporal-system", "32049b68-7872-4094-8e63-dd59896a83cb", "Temporal internal system namespace");
    put_first(changes, "default", id, "");
}
