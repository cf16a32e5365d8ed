/* attributes: memo and search attributes in the state of a run. */
#include "shard/attributes.h"

#include "shard/core.h"
#include "shard/search_attributes.h"

struct lookup {
    const struct engine_host *host;
    const uint8_t *namespace_id;
};

static int32_t lookup_custom(void *ctx, const char *name) {
    const struct lookup *lookup = ctx;
    return lookup->host->search_attribute_type(lookup->host->ctx, lookup->namespace_id, name);
}

struct status attributes_check_values(struct engine *engine, const uint8_t namespace_id[NAMESPACE_ID_LEN],
                                      const SearchAttributes *attributes, struct arena *arena) {
    struct lookup lookup = {&engine->host, namespace_id};
    const struct namespace_info *ns = engine->host.namespace_by_id(engine->host.ctx, namespace_id);
    struct search_attribute_types types = {lookup_custom, &lookup, ns ? ns->name : NULL};
    return search_attributes_check(arena, &types, attributes);
}

struct status attributes_check(struct engine *engine, const uint8_t namespace_id[NAMESPACE_ID_LEN],
                               const SearchAttributes *attributes, struct arena *arena) {
    struct status status = attributes_check_values(engine, namespace_id, attributes, arena);
    return status_ok(status) ? search_attributes_check_size(arena, attributes) : status;
}

SearchAttributes *attributes_typed(struct engine *engine, const uint8_t namespace_id[NAMESPACE_ID_LEN],
                                   const SearchAttributes *attributes, struct arena *arena) {
    struct lookup lookup = {&engine->host, namespace_id};
    struct search_attribute_types types = {lookup_custom, &lookup};
    return search_attributes_typed(arena, &types, attributes);
}

static void set_single(struct exec *exec, enum state_kind kind, const ProtobufCMessage *value) {
    ProtobufCMessage *copy = NULL;
    state_set_message(&copy, value);
    exec_set_single(exec, kind, copy);
    exec->visibility_changed = true;
}

void attributes_apply(struct exec *exec, const HistoryEvent *event) {
    struct arena arena = {0};
    if (event->event_type == EVENT(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES)) {
        const SearchAttributes *changes = event->upsert_workflow_search_attributes_event_attributes->search_attributes;
        SearchAttributes *merged = search_attributes_merge(&arena, exec->search_attributes, changes);
        set_single(exec, STATE_SEARCH_ATTRIBUTES, merged ? &merged->base : NULL);
    } else {
        const Memo *changes = event->workflow_properties_modified_event_attributes->upserted_memo;
        Memo *merged = memo_merge(&arena, exec->memo, changes);
        set_single(exec, STATE_MEMO, merged ? &merged->base : NULL);
    }
    arena_free(&arena);
}

void attributes_json(const SearchAttributes *attributes, struct buf *out) {
    search_attributes_json(attributes, out);
}
