/* namespace_calls: the RPCs about namespaces (temporal-surface.md 8.2). */
#include <string.h>

#include "base/uuid.h"
#include "frontend/namespace_change.h"
#include "frontend/norn_api_headers.h"

#define STATE(name) TEMPORAL__API__ENUMS__V1__NAMESPACE_STATE__NAMESPACE_STATE_##name
#define ARCHIVAL_DISABLED TEMPORAL__API__ENUMS__V1__ARCHIVAL_STATE__ARCHIVAL_STATE_DISABLED

typedef Temporal__Api__Namespace__V1__NamespaceInfo NamespaceInfo;
typedef Temporal__Api__Namespace__V1__NamespaceConfig NamespaceConfig;
typedef Temporal__Api__Replication__V1__NamespaceReplicationConfig ReplicationConfig;
typedef Temporal__Api__Replication__V1__ClusterReplicationConfig ClusterConfig;

enum { RETENTION_MIN_S = 3600, PAGE_SIZE_MAX = 1000 };

/* ---- what is shown ------------------------------------------------------------------------------------------------- */

/* Only what works is advertised (temporal-surface.md 1.2). */
static Temporal__Api__Namespace__V1__NamespaceInfo__Capabilities *capabilities(const struct frontend *frontend,
                                                                              struct arena *arena) {
    Temporal__Api__Namespace__V1__NamespaceInfo__Capabilities *out = arena_alloc(arena, sizeof *out);
    temporal__api__namespace__v1__namespace_info__capabilities__init(out);
    out->eager_workflow_start = true;
    out->poller_autoscaling = true;
    out->reported_problems_search_attribute = frontend->shared->reports_task_problems;
    return out;
}

static Temporal__Api__Namespace__V1__NamespaceInfo__Limits *limits(const struct frontend *frontend,
                                                                   struct arena *arena) {
    Temporal__Api__Namespace__V1__NamespaceInfo__Limits *out = arena_alloc(arena, sizeof *out);
    temporal__api__namespace__v1__namespace_info__limits__init(out);
    out->blob_size_limit_error = frontend->shared->blob_size_limit;
    out->memo_size_limit_error = frontend->shared->memo_size_limit;
    out->workflow_task_completion_size_limit_error = 40 << 20;
    return out;
}

static NamespaceInfo *shown_info(const struct frontend *frontend, const Norn__Node__Namespace *record,
                                 struct arena *arena) {
    NamespaceInfo *info = arena_copy(arena, record->info, sizeof *info);
    info->capabilities = capabilities(frontend, arena);
    info->limits = limits(frontend, arena);
    return info;
}

static ReplicationConfig *shown_replication(struct arena *arena) {
    ReplicationConfig *out = ARENA_NEW(arena, ReplicationConfig);
    temporal__api__replication__v1__namespace_replication_config__init(out);
    ClusterConfig *cluster = ARENA_NEW(arena, ClusterConfig);
    temporal__api__replication__v1__cluster_replication_config__init(cluster);
    cluster->cluster_name = arena_strdup(arena, "active");
    out->active_cluster_name = cluster->cluster_name;
    out->n_clusters = 1;
    out->clusters = ARENA_NEW(arena, ClusterConfig *);
    out->clusters[0] = cluster;
    out->state = TEMPORAL__API__ENUMS__V1__REPLICATION_STATE__REPLICATION_STATE_NORMAL;
    return out;
}

static WS(DescribeNamespaceResponse) *describe(const struct frontend *frontend, const struct namespace_info *info,
                                               struct arena *arena) {
    const Norn__Node__Namespace *record = namespaces_record(info);
    WS(DescribeNamespaceResponse) *out = arena_alloc(arena, sizeof *out);
    temporal__api__workflowservice__v1__describe_namespace_response__init(out);
    out->namespace_info = shown_info(frontend, record, arena);
    out->config = record->config;
    out->replication_config = shown_replication(arena);
    out->failover_version = record->failover_version;
    out->is_global_namespace = record->is_global;
    return out;
}

void api_describe_namespace(struct frontend *frontend, struct api_call *call) {
    const WS(DescribeNamespaceRequest) *request = (const void *)call->call.request;
    const struct namespace_info *info = NULL;
    uint8_t id[UUID_LEN];
    if (!request->namespace_[0] && !request->id[0]) {
        call_fail(&call->call, STATUS_INVALID_ARGUMENT, "Namespace not set on request.");
        return;
    }
    if (request->namespace_[0]) info = namespaces_by_name(frontend->namespaces, request->namespace_);
    else if (uuid_parse(request->id, id)) info = namespaces_by_id(frontend->namespaces, id);
    if (!info) {
        const char *name = request->namespace_[0] ? request->namespace_ : request->id;
        call_fail_status(&call->call, namespace_not_found(call->call.arena, name));
        return;
    }
    call_reply(&call->call, &describe(frontend, info, call->call.arena)->base);
}

void api_list_namespaces(struct frontend *frontend, struct api_call *call) {
    const WS(ListNamespacesRequest) *request = (const void *)call->call.request;
    struct arena *arena = call->call.arena;
    size_t count, limit = request->page_size > 0 && request->page_size < PAGE_SIZE_MAX ? (size_t)request->page_size
                                                                                       : PAGE_SIZE_MAX;
    const struct namespace_info *const *all = namespaces_all(frontend->namespaces, &count);
    /* A page token is the name after which the page begins. */
    const char *after = arena_text(arena, bytes_of(request->next_page_token.data, request->next_page_token.len));
    bool deleted = request->namespace_filter && request->namespace_filter->include_deleted;
    WS(ListNamespacesResponse) response = TEMPORAL__API__WORKFLOWSERVICE__V1__LIST_NAMESPACES_RESPONSE__INIT;
    response.namespaces = arena_alloc(arena, limit * sizeof *response.namespaces);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(all[i]->name, after) <= 0 && after[0]) continue;
        if (all[i]->state == STATE(DELETED) && !deleted) continue;
        if (response.n_namespaces == limit) {
            const char *last = response.namespaces[limit - 1]->namespace_info->name;
            response.next_page_token.data = (uint8_t *)(uintptr_t)last;
            response.next_page_token.len = strlen(last);
            break;
        }
        response.namespaces[response.n_namespaces++] = describe(frontend, all[i], arena);
    }
    call_reply(&call->call, &response.base);
}

/* ---- changes ------------------------------------------------------------------------------------------------------- */

static bool good_retention(struct call *call, const Google__Protobuf__Duration *retention) {
    if (retention && retention->seconds >= RETENTION_MIN_S) return true;
    call_fail(call, STATUS_INVALID_ARGUMENT, "A valid retention period is not set on request.");
    return false;
}

static void fail_exists(struct call *call) {
    Temporal__Api__Errordetails__V1__NamespaceAlreadyExistsFailure detail =
        TEMPORAL__API__ERRORDETAILS__V1__NAMESPACE_ALREADY_EXISTS_FAILURE__INIT;
    struct status status = status_make(call->arena, STATUS_ALREADY_EXISTS, "Namespace already exists.");
    call_fail_status(call, status_detail(call->arena, status, &detail.base));
}

static NamespaceInfo *new_info(struct frontend *frontend, const WS(RegisterNamespaceRequest) *request,
                               struct arena *arena) {
    uint8_t raw[UUID_LEN];
    NamespaceInfo *info = ARENA_NEW(arena, NamespaceInfo);
    temporal__api__namespace__v1__namespace_info__init(info);
    io_random(frontend->io, raw, sizeof raw);
    uuid_shape(raw);
    info->id = arena_alloc(arena, UUID_TEXT_SIZE);
    uuid_text(raw, info->id);
    info->name = request->namespace_;
    info->description = request->description;
    info->owner_email = request->owner_email;
    info->state = STATE(REGISTERED);
    info->n_data = request->n_data;
    info->data = arena_alloc(arena, request->n_data * sizeof *info->data);
    for (size_t i = 0; i < request->n_data; i++) {
        info->data[i] = arena_alloc(arena, sizeof *info->data[i]);
        temporal__api__namespace__v1__namespace_info__data_entry__init(info->data[i]);
        info->data[i]->key = request->data[i]->key;
        info->data[i]->value = request->data[i]->value;
    }
    return info;
}

void api_register_namespace(struct frontend *frontend, struct api_call *api) {
    struct call *call = &api->call;
    const WS(RegisterNamespaceRequest) *request = (const void *)call->request;
    size_t len = strlen(request->namespace_);
    if (len == 0) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "Namespace not set on request.");
        return;
    }
    if (len > NAMESPACE_NAME_MAX) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "Namespace length exceeds limit: %zu of %d.", len, NAMESPACE_NAME_MAX);
        return;
    }
    if (!good_retention(call, request->workflow_execution_retention_period)) return;
    if (request->is_global_namespace) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "Cannot register a global namespace when not enabled.");
        return;
    }
    if (namespaces_by_name(frontend->namespaces, request->namespace_)) {
        fail_exists(call);
        return;
    }
    if (!namespace_may_change(frontend, call, NULL, request->namespace_)) return;
    Norn__Node__Namespace record = NORN__NODE__NAMESPACE__INIT;
    NamespaceConfig config = TEMPORAL__API__NAMESPACE__V1__NAMESPACE_CONFIG__INIT;
    config.workflow_execution_retention_ttl = request->workflow_execution_retention_period;
    config.history_archival_state = ARCHIVAL_DISABLED;
    config.visibility_archival_state = ARCHIVAL_DISABLED;
    record.info = new_info(frontend, request, call->arena);
    record.config = &config;
    record.created_ns = io_wall(frontend->io);
    WS(RegisterNamespaceResponse) response = TEMPORAL__API__WORKFLOWSERVICE__V1__REGISTER_NAMESPACE_RESPONSE__INIT;
    node_changes_put(frontend->changes, &record, call, &response.base);
}

static void merge_data(NamespaceInfo *info, const Temporal__Api__Namespace__V1__UpdateNamespaceInfo *update,
                       struct arena *arena) {
    Temporal__Api__Namespace__V1__NamespaceInfo__DataEntry **data =
        arena_alloc(arena, (info->n_data + update->n_data) * sizeof *data);
    memcpy(data, info->data, info->n_data * sizeof *data);
    info->data = data;
    for (size_t i = 0; i < update->n_data; i++) {
        size_t at = 0;
        while (at < info->n_data && strcmp(data[at]->key, update->data[i]->key) != 0) at++;
        if (at == info->n_data) {
            data[at] = arena_alloc(arena, sizeof *data[at]);
            temporal__api__namespace__v1__namespace_info__data_entry__init(data[at]);
            data[at]->key = update->data[i]->key;
            info->n_data++;
        }
        data[at]->value = update->data[i]->value;
    }
}

/* Registered, then deprecated, then deleted; never back. */
static bool merge_state(struct call *call, NamespaceInfo *info, int32_t state) {
    if (state == STATE(UNSPECIFIED) || state == (int32_t)info->state) return true;
    if (state < (int32_t)info->state || state > STATE(DELETED)) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "invalid namespace state transition from %d to %d", info->state, state);
        return false;
    }
    info->state = (Temporal__Api__Enums__V1__NamespaceState)state;
    return true;
}

static bool merge_config(struct call *call, NamespaceConfig *config, const NamespaceConfig *update) {
    if (update->workflow_execution_retention_ttl) {
        if (!good_retention(call, update->workflow_execution_retention_ttl)) return false;
        config->workflow_execution_retention_ttl = update->workflow_execution_retention_ttl;
    }
    if (update->history_archival_state > ARCHIVAL_DISABLED || update->visibility_archival_state > ARCHIVAL_DISABLED) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "Cannot set archival when it is not enabled on the cluster.");
        return false;
    }
    if (update->bad_binaries) config->bad_binaries = update->bad_binaries;
    if (update->n_custom_search_attribute_aliases) {
        config->n_custom_search_attribute_aliases = update->n_custom_search_attribute_aliases;
        config->custom_search_attribute_aliases = update->custom_search_attribute_aliases;
    }
    return true;
}

void api_update_namespace(struct frontend *frontend, struct api_call *api) {
    struct call *call = &api->call;
    const WS(UpdateNamespaceRequest) *request = (const void *)call->request;
    const struct namespace_info *info = namespace_find_to_change(frontend, call, request->namespace_);
    if (!info) return;
    if (request->promote_namespace) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "Cannot promote a namespace: this cluster has no global namespaces.");
        return;
    }
    Norn__Node__Namespace *record = namespace_copy_record(info, call->arena);
    if (request->update_info) {
        if (request->update_info->description[0]) record->info->description = request->update_info->description;
        if (request->update_info->owner_email[0]) record->info->owner_email = request->update_info->owner_email;
        merge_data(record->info, request->update_info, call->arena);
        if (!merge_state(call, record->info, (int32_t)request->update_info->state)) return;
    }
    if (request->config && !merge_config(call, record->config, request->config)) return;
    WS(UpdateNamespaceResponse) response = TEMPORAL__API__WORKFLOWSERVICE__V1__UPDATE_NAMESPACE_RESPONSE__INIT;
    response.namespace_info = shown_info(frontend, record, call->arena);
    response.config = record->config;
    response.replication_config = shown_replication(call->arena);
    response.failover_version = record->failover_version;
    node_changes_put(frontend->changes, record, call, &response.base);
}

void api_deprecate_namespace(struct frontend *frontend, struct api_call *api) {
    struct call *call = &api->call;
    const WS(DeprecateNamespaceRequest) *request = (const void *)call->request;
    const struct namespace_info *info = namespace_find_to_change(frontend, call, request->namespace_);
    if (!info) return;
    Norn__Node__Namespace *record = namespace_copy_record(info, call->arena);
    if (!merge_state(call, record->info, STATE(DEPRECATED))) return;
    WS(DeprecateNamespaceResponse) response = TEMPORAL__API__WORKFLOWSERVICE__V1__DEPRECATE_NAMESPACE_RESPONSE__INIT;
    node_changes_put(frontend->changes, record, call, &response.base);
}
