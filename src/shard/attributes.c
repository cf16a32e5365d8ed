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

/* ---- the server's own ---- */

enum { OWN_MAX = 4, TASK_PROBLEMS_MIN = 5 };

/* Runs that a worker of no version has touched; the build ids of such workers. */
static void add_build_ids(const struct exec *exec, struct arena *arena, SearchAttributes *own) {
    if (!exec->info->completed_event_id) return;
    size_t count = exec->workers ? exec->workers->n_build_ids : 0;
    const char **texts = arena_alloc(arena, (count + 1) * sizeof *texts);
    texts[0] = "unversioned";
    for (size_t i = 0; i < count; i++) texts[i + 1] = arena_printf(arena, "unversioned:%s", exec->workers->build_ids[i]);
    search_attributes_add_keywords(arena, own, "BuildIds", texts, count + 1);
}

static void add_problems(const struct exec *exec, struct arena *arena, SearchAttributes *own) {
    const StateInfo *info = exec->info;
    if ((uint64_t)info->task_failures < limit_or(exec->engine->limits.task_problems_min, TASK_PROBLEMS_MIN)) return;
    bool failed = !info->timed_out_type;
    const char *kind = failed ? "WorkflowTaskFailed" : "WorkflowTaskTimedOut";
    const char *cause = failed ? enum_text(arena, &temporal__api__enums__v1__workflow_task_failed_cause__descriptor,
                                           "WORKFLOW_TASK_FAILED_CAUSE_", info->failed_cause)
                               : enum_text(arena, &temporal__api__enums__v1__timeout_type__descriptor, "TIMEOUT_TYPE_",
                                           info->timed_out_type);
    const char *texts[] = {arena_printf(arena, "category=%s", kind), arena_printf(arena, "cause=%sCause%s", kind, cause)};
    search_attributes_add_keywords(arena, own, "TemporalReportedProblems", texts, ARRAY_LEN(texts));
}

SearchAttributes *attributes_shown(const struct exec *exec, struct arena *arena) {
    SearchAttributes own = TEMPORAL__API__COMMON__V1__SEARCH_ATTRIBUTES__INIT;
    SearchAttributesEntry *fields[OWN_MAX];
    own.indexed_fields = fields;
    add_build_ids(exec, arena, &own);
    add_problems(exec, arena, &own);
    if (!exec_open(exec) && exec->info->external_payload_count) {
        search_attributes_add_int(arena, &own, "TemporalExternalPayloadCount", exec->info->external_payload_count);
        search_attributes_add_int(arena, &own, "TemporalExternalPayloadSizeBytes", exec->info->external_payload_bytes);
    }
    return own.n_indexed_fields ? search_attributes_merge(arena, exec->search_attributes, &own) : exec->search_attributes;
}

void attributes_json(const SearchAttributes *attributes, struct buf *out) {
    search_attributes_json(attributes, out);
}
