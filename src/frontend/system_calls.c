/* system_calls: what clients ask when they connect, and about the cluster. */
#include "base/uuid.h"
#include "frontend/frontend.h"
#include "frontend/norn_api_headers.h"

/* SDKs and the web UI compare this with the Temporal versions that brought a feature. */
#define TEMPORAL_VERSION "1.32.0"

void api_get_system_info(struct frontend *frontend, struct api_call *call) {
    (void)frontend;
    WS(GetSystemInfoResponse__Capabilities) can =
        TEMPORAL__API__WORKFLOWSERVICE__V1__GET_SYSTEM_INFO_RESPONSE__CAPABILITIES__INIT;
    can.signal_and_query_header = true;
    can.internal_error_differentiation = true;
    can.activity_failure_include_heartbeat = true;
    can.encoded_failure_attributes = true;
    can.upsert_memo = true;
    can.eager_workflow_start = true;
    can.sdk_metadata = true;
    can.count_group_by_execution_status = true;
    WS(GetSystemInfoResponse) response = TEMPORAL__API__WORKFLOWSERVICE__V1__GET_SYSTEM_INFO_RESPONSE__INIT;
    response.server_version = (char *)(uintptr_t)TEMPORAL_VERSION;
    response.capabilities = &can;
    call_reply(&call->call, &response.base);
}

void api_get_cluster_info(struct frontend *frontend, struct api_call *call) {
    static const char *const clients[][2] = {
        {"temporal-cli", "<2.0.0"}, {"temporal-dotnet", "<2.0.0"}, {"temporal-go", "<2.0.0"},
        {"temporal-java", "<2.0.0"}, {"temporal-php", "<3.0.0"}, {"temporal-python", "<2.0.0"},
        {"temporal-ruby", "<2.0.0"}, {"temporal-server", "<2.0.0"}, {"temporal-typescript", "<3.0.0"},
        {"temporal-ui", "<3.0.0"},
    };
    WS(GetClusterInfoResponse) response = TEMPORAL__API__WORKFLOWSERVICE__V1__GET_CLUSTER_INFO_RESPONSE__INIT;
    WS(GetClusterInfoResponse__SupportedClientsEntry) entries[ARRAY_LEN(clients)];
    WS(GetClusterInfoResponse__SupportedClientsEntry) *pointers[ARRAY_LEN(clients)];
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        temporal__api__workflowservice__v1__get_cluster_info_response__supported_clients_entry__init(&entries[i]);
        entries[i].key = (char *)(uintptr_t)clients[i][0];
        entries[i].value = (char *)(uintptr_t)clients[i][1];
        pointers[i] = &entries[i];
    }
    char id[UUID_TEXT_SIZE];
    uuid_text(frontend->shared->cluster_id, id);
    response.n_supported_clients = ARRAY_LEN(clients);
    response.supported_clients = pointers;
    response.server_version = (char *)(uintptr_t)TEMPORAL_VERSION;
    response.cluster_id = id;
    response.cluster_name = (char *)(uintptr_t)"active";
    response.history_shard_count = (int32_t)route_shard_count(frontend->shared->route);
    response.persistence_store = (char *)(uintptr_t)"norn";
    response.visibility_store = (char *)(uintptr_t)"norn";
    response.initial_failover_version = 1;
    response.failover_version_increment = 10;
    call_reply(&call->call, &response.base);
}

void api_list_clusters(struct frontend *frontend, struct api_call *call) {
    char id[UUID_TEXT_SIZE];
    uuid_text(frontend->shared->cluster_id, id);
    OS(ClusterMetadata) self = TEMPORAL__API__OPERATORSERVICE__V1__CLUSTER_METADATA__INIT, *pointer = &self;
    self.cluster_name = (char *)(uintptr_t)"active";
    self.cluster_id = id;
    self.initial_failover_version = 1;
    self.history_shard_count = (int32_t)route_shard_count(frontend->shared->route);
    self.is_connection_enabled = true;
    OS(ListClustersResponse) response = TEMPORAL__API__OPERATORSERVICE__V1__LIST_CLUSTERS_RESPONSE__INIT;
    response.n_clusters = 1;
    response.clusters = &pointer;
    call_reply(&call->call, &response.base);
}
