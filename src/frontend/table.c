/* table: every RPC, what it needs, and who serves it. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "frontend/frontend.h"
#include "frontend/norn_api_headers.h"

#define WORKFLOW_SERVICE "temporal.api.workflowservice.v1.WorkflowService"
#define ADMIN_SERVICE "norn.admin.v1.AdminService"
#define OPERATOR_SERVICE "temporal.api.operatorservice.v1.OperatorService"

/* What the generated list of RPCs gives. */
static const struct {
    const char *service, *name;
    const ProtobufCMessageDescriptor *request, *response;
} rpcs[] = {
#define NORN_RPC(service, method, request, response, client_streams, server_streams)                           \
    {service, method, &request, &response},
#include "norn_rpcs.inc"
#undef NORN_RPC
};

/* Those that are done. */
static const struct {
    const char *service, *name;
    enum api_route route;
    enum api_action action;
    api_fn *handler;
    engine_call_fn *engine;
} done[] = {
#define FRONT(name, route, action, function) {WORKFLOW_SERVICE, name, route, action, function, NULL},
#define ENGINE(name, route, action, function) {WORKFLOW_SERVICE, name, route, action, NULL, function},
#define OPERATOR(name, route, action, function) {OPERATOR_SERVICE, name, route, action, function, NULL},
    FRONT("GetSystemInfo", API_LOCAL, API_READ, api_get_system_info)
    FRONT("GetClusterInfo", API_LOCAL, API_READ, api_get_cluster_info)
    FRONT("GetSearchAttributes", API_LOCAL, API_READ, api_get_search_attributes)
    FRONT("RegisterNamespace", API_NODE, API_ADMIN, api_register_namespace)
    FRONT("DescribeNamespace", API_LOCAL, API_READ, api_describe_namespace)
    FRONT("ListNamespaces", API_LOCAL, API_READ, api_list_namespaces)
    FRONT("UpdateNamespace", API_NODE, API_ADMIN, api_update_namespace)
    FRONT("DeprecateNamespace", API_NODE, API_ADMIN, api_deprecate_namespace)
    FRONT("PollWorkflowTaskQueue", API_QUEUE, API_WORKER, api_poll_workflow_task_queue)
    FRONT("PollActivityTaskQueue", API_QUEUE, API_WORKER, api_poll_activity_task_queue)
    FRONT("DescribeTaskQueue", API_QUEUE, API_READ, api_describe_task_queue)
    FRONT("ListTaskQueuePartitions", API_QUEUE, API_READ, api_list_task_queue_partitions)
    FRONT("ShutdownWorker", API_LOCAL, API_WORKER, api_shutdown_worker)
    FRONT("ListWorkflowExecutions", API_LOCAL, API_READ, api_list_workflow_executions)
    FRONT("ScanWorkflowExecutions", API_LOCAL, API_READ, api_list_workflow_executions)
    FRONT("ListOpenWorkflowExecutions", API_LOCAL, API_READ, api_list_open_workflow_executions)
    FRONT("ListClosedWorkflowExecutions", API_LOCAL, API_READ, api_list_closed_workflow_executions)
    FRONT("ListArchivedWorkflowExecutions", API_LOCAL, API_READ, api_list_archived_workflow_executions)
    FRONT("CountWorkflowExecutions", API_LOCAL, API_READ, api_count_workflow_executions)
    ENGINE("StartWorkflowExecution", API_WORKFLOW, API_WRITE, engine_start_workflow_execution)
    ENGINE("SignalWithStartWorkflowExecution", API_WORKFLOW, API_WRITE, engine_signal_with_start_workflow_execution)
    ENGINE("SignalWorkflowExecution", API_WORKFLOW, API_WRITE, engine_signal_workflow_execution)
    ENGINE("RequestCancelWorkflowExecution", API_WORKFLOW, API_WRITE, engine_request_cancel_workflow_execution)
    ENGINE("TerminateWorkflowExecution", API_WORKFLOW, API_WRITE, engine_terminate_workflow_execution)
    ENGINE("DeleteWorkflowExecution", API_WORKFLOW, API_WRITE, engine_delete_workflow_execution)
    ENGINE("DescribeWorkflowExecution", API_WORKFLOW, API_READ, engine_describe_workflow_execution)
    ENGINE("GetWorkflowExecutionHistory", API_WORKFLOW, API_READ, engine_get_workflow_execution_history)
    ENGINE("GetWorkflowExecutionHistoryReverse", API_WORKFLOW, API_READ, engine_get_workflow_execution_history_reverse)
    ENGINE("QueryWorkflow", API_WORKFLOW, API_READ, engine_query_workflow)
    ENGINE("ResetStickyTaskQueue", API_WORKFLOW, API_WORKER, engine_reset_sticky_task_queue)
    ENGINE("RespondWorkflowTaskCompleted", API_TOKEN, API_WORKER, engine_respond_workflow_task_completed)
    ENGINE("RespondWorkflowTaskFailed", API_TOKEN, API_WORKER, engine_respond_workflow_task_failed)
    ENGINE("RespondQueryTaskCompleted", API_TOKEN, API_WORKER, engine_respond_query_task_completed)
    ENGINE("RespondActivityTaskCompleted", API_TOKEN, API_WORKER, engine_respond_activity_task_completed)
    ENGINE("RespondActivityTaskFailed", API_TOKEN, API_WORKER, engine_respond_activity_task_failed)
    ENGINE("RespondActivityTaskCanceled", API_TOKEN, API_WORKER, engine_respond_activity_task_canceled)
    ENGINE("RecordActivityTaskHeartbeat", API_TOKEN, API_WORKER, engine_record_activity_task_heartbeat)
    ENGINE("RespondActivityTaskCompletedById", API_WORKFLOW, API_WORKER, engine_respond_activity_task_completed_by_id)
    ENGINE("RespondActivityTaskFailedById", API_WORKFLOW, API_WORKER, engine_respond_activity_task_failed_by_id)
    ENGINE("RespondActivityTaskCanceledById", API_WORKFLOW, API_WORKER, engine_respond_activity_task_canceled_by_id)
    ENGINE("RecordActivityTaskHeartbeatById", API_WORKFLOW, API_WORKER, engine_record_activity_task_heartbeat_by_id)
    OPERATOR("AddSearchAttributes", API_NODE, API_ADMIN, api_add_search_attributes)
    OPERATOR("RemoveSearchAttributes", API_NODE, API_ADMIN, api_remove_search_attributes)
    OPERATOR("ListSearchAttributes", API_LOCAL, API_READ, api_list_search_attributes)
    OPERATOR("ListClusters", API_LOCAL, API_READ, api_list_clusters)
    {ADMIN_SERVICE, "Backup", API_NODE, API_MAINTAIN, api_backup, NULL},
    {ADMIN_SERVICE, "Checkpoint", API_NODE, API_MAINTAIN, api_checkpoint, NULL},
    {ADMIN_SERVICE, "Explain", API_WORKFLOW, API_READ, NULL, engine_explain},
#undef FRONT
#undef ENGINE
#undef OPERATOR
};

struct entry {
    struct map_node node;
    const struct api_method *method;
};

struct api_table {
    struct map by_path;
    struct api_method methods[ARRAY_LEN(rpcs)];
    struct entry entries[ARRAY_LEN(rpcs)];
};

static void merge_done(struct api_method *method) {
    for (size_t i = 0; i < ARRAY_LEN(done); i++) {
        if (strcmp(done[i].name, method->name) != 0 || strcmp(done[i].service, method->service) != 0) continue;
        method->done = true;
        method->route = done[i].route;
        method->action = done[i].action;
        method->handler = done[i].handler;
        method->engine = done[i].engine;
    }
}

struct api_table *api_table_create(void) {
    struct api_table *table = MEM_NEW(struct api_table);
    for (size_t i = 0; i < ARRAY_LEN(rpcs); i++) {
        struct api_method *method = &table->methods[i];
        *method = (struct api_method){.service = rpcs[i].service, .name = rpcs[i].name, .request = rpcs[i].request,
                                      .response = rpcs[i].response, .index = (uint32_t)i};
        merge_done(method);
        char path[256];
        int len = snprintf(path, sizeof path, "/%s/%s", method->service, method->name);
        CHECK(len > 0 && (size_t)len < sizeof path);
        table->entries[i].method = method;
        map_insert(&table->by_path, &table->entries[i].node, hash64(path, (size_t)len));
    }
    return table;
}

void api_table_destroy(struct api_table *table) {
    map_free(&table->by_path);
    mem_free(table);
}

const struct api_method *api_table_methods(const struct api_table *table, size_t *count) {
    *count = ARRAY_LEN(rpcs);
    return table->methods;
}

static bool path_equal(const struct map_node *node, const void *key) {
    const struct api_method *method = CONTAINER_OF(node, struct entry, node)->method;
    const char *path = key;
    size_t service = strlen(method->service);
    return path[0] == '/' && strncmp(path + 1, method->service, service) == 0 && path[service + 1] == '/' &&
           strcmp(path + service + 2, method->name) == 0;
}

const struct api_method *api_table_find(const struct api_table *table, const char *path) {
    struct map_node *node = map_find(&table->by_path, hash64(path, strlen(path)), path_equal, path);
    return node ? CONTAINER_OF(node, struct entry, node)->method : NULL;
}

bool api_table_has_service(const struct api_table *table, struct bytes service) {
    for (size_t i = 0; i < ARRAY_LEN(rpcs); i++)
        if (bytes_equal(bytes_str(table->methods[i].service), service)) return true;
    return false;
}
