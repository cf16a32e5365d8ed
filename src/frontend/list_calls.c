/* list_calls: the RPCs that read visibility (temporal-surface.md 7). */
#include <string.h>

#include "base/json_text.h"
#include "base/uuid.h"
#include "frontend/frontend.h"
#include "frontend/norn_api_headers.h"
#include "visibility/filter.h"

#define STATUS(name) TEMPORAL__API__ENUMS__V1__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_##name

typedef Temporal__Api__Workflow__V1__WorkflowExecutionInfo ExecutionInfo;

enum { PAGE_SIZE_MAX = 1000, OLD_LIST_PARAMS_MAX = 4 };

static int32_t attribute_type(void *ctx, const char *name) {
    struct api_call *api = ctx;
    struct frontend *frontend = api->origin->shared->frontends[io_loop_index(api->call.io)];
    return namespaces_attribute_type(frontend->namespaces, api->call.ns->id, name);
}

/* ---- rows ---------------------------------------------------------------------------------------------------------- */

static Google__Protobuf__Timestamp *shown_time(int64_t ns, struct arena *arena) {
    if (ns == 0) return NULL;
    Google__Protobuf__Timestamp *out = ARENA_NEW(arena, Google__Protobuf__Timestamp);
    google__protobuf__timestamp__init(out);
    out->seconds = ns / INT64_C(1000000000);
    out->nanos = (int32_t)(ns % INT64_C(1000000000));
    return out;
}

static Temporal__Api__Common__V1__WorkflowExecution *shown_execution(const char *workflow_id, const char *run_id,
                                                                     struct arena *arena) {
    Temporal__Api__Common__V1__WorkflowExecution *out = arena_alloc(arena, sizeof *out);
    temporal__api__common__v1__workflow_execution__init(out);
    out->workflow_id = (char *)(uintptr_t)workflow_id;
    out->run_id = (char *)(uintptr_t)run_id;
    return out;
}

/* What is known of a closed run only. */
static void show_close(ExecutionInfo *info, const struct store_visibility *row, struct arena *arena) {
    if (row->close_time == 0) return;
    info->close_time = shown_time(row->close_time, arena);
    info->history_length = row->history_length;
    info->history_size_bytes = row->history_size;
    info->state_transition_count = row->state_transitions;
    int64_t duration = row->close_time - row->execution_time;
    info->execution_duration = ARENA_NEW(arena, Google__Protobuf__Duration);
    google__protobuf__duration__init(info->execution_duration);
    if (duration < 0) return;
    info->execution_duration->seconds = duration / INT64_C(1000000000);
    info->execution_duration->nanos = (int32_t)(duration % INT64_C(1000000000));
}

static ExecutionInfo *shown_row(const struct store_row *row, struct arena *arena) {
    const struct store_visibility *from = &row->visibility;
    ExecutionInfo *info = ARENA_NEW(arena, ExecutionInfo);
    temporal__api__workflow__v1__workflow_execution_info__init(info);
    char *run_id = arena_alloc(arena, UUID_TEXT_SIZE);
    uuid_text(row->run_id, run_id);
    info->execution = shown_execution(arena_text(arena, row->workflow_id), run_id, arena);
    info->type = arena_alloc(arena, sizeof *info->type);
    temporal__api__common__v1__workflow_type__init(info->type);
    info->type->name = arena_text(arena, from->workflow_type);
    info->start_time = shown_time(from->start_time, arena);
    info->execution_time = shown_time(from->execution_time, arena);
    info->status = (Temporal__Api__Enums__V1__WorkflowExecutionStatus)from->status;
    info->task_queue = arena_text(arena, from->task_queue);
    if (from->memo.len)
        info->memo = temporal__api__common__v1__memo__unpack(arena_pb(arena), from->memo.len, from->memo.data);
    if (from->search_attributes.len)
        info->search_attributes = temporal__api__common__v1__search_attributes__unpack(
            arena_pb(arena), from->search_attributes.len, from->search_attributes.data);
    if (from->parent_workflow_id.len)
        info->parent_execution = shown_execution(arena_text(arena, from->parent_workflow_id), "", arena);
    show_close(info, from, arena);
    return info;
}

/* The store's texts end with its answer, the call's with its reply. */
static void fail_with_copy(struct call *call, struct status status) {
    status.message = arena_strdup(call->arena, status.message);
    call_fail_status(call, status);
}

/* All list responses have executions and a page token, at the same field numbers: one message serves them all. */
static void listed(void *ctx, const struct store_rows *rows) {
    struct call *call = ctx;
    if (!status_ok(rows->status)) {
        fail_with_copy(call, rows->status);
        return;
    }
    WS(ListWorkflowExecutionsResponse) response = TEMPORAL__API__WORKFLOWSERVICE__V1__LIST_WORKFLOW_EXECUTIONS_RESPONSE__INIT;
    response.executions = arena_alloc(call->arena, rows->count * sizeof(void *));
    for (size_t i = 0; i < rows->count; i++) response.executions[i] = shown_row(&rows->rows[i], call->arena);
    response.n_executions = rows->count;
    response.next_page_token.data = (uint8_t *)(uintptr_t)rows->next.data;
    response.next_page_token.len = rows->next.len;
    call_reply(call, &response.base);
}

static void list(struct frontend *frontend, struct call *call, const struct filter *filter, int32_t page_size,
                 ProtobufCBinaryData token) {
    struct store_list request = {.where = filter->where, .params = filter->params, .param_count = filter->param_count,
                                 .after = bytes_of(token.data, token.len)};
    if (page_size < 0 || page_size > PAGE_SIZE_MAX) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "PageSize is %d, but must be 0 to %d.", page_size, PAGE_SIZE_MAX);
        return;
    }
    request.limit = page_size ? (uint32_t)page_size : PAGE_SIZE_MAX;
    memcpy(request.namespace_id, call->ns->id, NAMESPACE_ID_LEN);
    store_list(frontend->store, &request, listed, call);
}

void api_list_workflow_executions(struct frontend *frontend, struct api_call *api) {
    /* ScanWorkflowExecutionsRequest has the same fields at the same places. */
    _Static_assert(sizeof(WS(ListWorkflowExecutionsRequest)) == sizeof(WS(ScanWorkflowExecutionsRequest)), "same fields");
    const WS(ListWorkflowExecutionsRequest) *request = (const void *)api->call.request;
    struct filter filter;
    struct status status = filter_parse(request->query, false, attribute_type, api, api->call.arena, &filter);
    if (status_ok(status)) list(frontend, &api->call, &filter, request->page_size, request->next_page_token);
    else call_fail_status(&api->call, status);
}

/* ---- the two old lists, with their fixed filters --------------------------------------------------------------------- */

struct old_list {
    struct buf where;
    struct store_param params[OLD_LIST_PARAMS_MAX];
    unsigned count;
};

static void old_text(struct old_list *old, const char *clause, const char *text) {
    buf_append_str(&old->where, clause);
    old->params[old->count++] = (struct store_param){.type = STORE_PARAM_TEXT, .text = bytes_str(text)};
}

static int64_t time_ns(const Google__Protobuf__Timestamp *time, int64_t absent) {
    return time ? time->seconds * INT64_C(1000000000) + time->nanos : absent;
}

static void old_times(struct old_list *old, const char *column, const Temporal__Api__Filter__V1__StartTimeFilter *filter) {
    if (!filter) return;
    buf_printf(&old->where, " AND %s BETWEEN ? AND ?", column);
    old->params[old->count++] = (struct store_param){.type = STORE_PARAM_INT,
                                                     .integer = time_ns(filter->earliest_time, 0)};
    old->params[old->count++] = (struct store_param){.type = STORE_PARAM_INT,
                                                     .integer = time_ns(filter->latest_time, INT64_MAX)};
}

static void old_send(struct frontend *frontend, struct call *call, struct old_list *old, int32_t page_size,
                     ProtobufCBinaryData token) {
    struct filter filter = {.where = arena_text(call->arena, buf_bytes(&old->where)), .params = old->params,
                            .param_count = old->count};
    buf_free(&old->where);
    list(frontend, call, &filter, page_size, token);
}

void api_list_open_workflow_executions(struct frontend *frontend, struct api_call *api) {
    const WS(ListOpenWorkflowExecutionsRequest) *request = (const void *)api->call.request;
    struct old_list *old = ARENA_NEW(api->call.arena, struct old_list);
    buf_append_str(&old->where, "close_time = 0");
    old_times(old, "start_time", request->start_time_filter);
    if (request->filters_case == TEMPORAL__API__WORKFLOWSERVICE__V1__LIST_OPEN_WORKFLOW_EXECUTIONS_REQUEST__FILTERS_EXECUTION_FILTER)
        old_text(old, " AND workflow_id = ?", request->execution_filter->workflow_id);
    if (request->filters_case == TEMPORAL__API__WORKFLOWSERVICE__V1__LIST_OPEN_WORKFLOW_EXECUTIONS_REQUEST__FILTERS_TYPE_FILTER)
        old_text(old, " AND workflow_type = ?", request->type_filter->name);
    old_send(frontend, &api->call, old, request->maximum_page_size, request->next_page_token);
}

void api_list_closed_workflow_executions(struct frontend *frontend, struct api_call *api) {
    const WS(ListClosedWorkflowExecutionsRequest) *request = (const void *)api->call.request;
    struct old_list *old = ARENA_NEW(api->call.arena, struct old_list);
    buf_append_str(&old->where, "close_time > 0");
    old_times(old, "close_time", request->start_time_filter);
    if (request->filters_case == TEMPORAL__API__WORKFLOWSERVICE__V1__LIST_CLOSED_WORKFLOW_EXECUTIONS_REQUEST__FILTERS_EXECUTION_FILTER)
        old_text(old, " AND workflow_id = ?", request->execution_filter->workflow_id);
    if (request->filters_case == TEMPORAL__API__WORKFLOWSERVICE__V1__LIST_CLOSED_WORKFLOW_EXECUTIONS_REQUEST__FILTERS_TYPE_FILTER)
        old_text(old, " AND workflow_type = ?", request->type_filter->name);
    if (request->filters_case == TEMPORAL__API__WORKFLOWSERVICE__V1__LIST_CLOSED_WORKFLOW_EXECUTIONS_REQUEST__FILTERS_STATUS_FILTER) {
        int32_t status = (int32_t)request->status_filter->status;
        if (status <= STATUS(RUNNING)) {
            buf_free(&old->where);
            call_fail(&api->call, STATUS_INVALID_ARGUMENT, "Status must be specified and not Running.");
            return;
        }
        buf_append_str(&old->where, " AND status = ?");
        old->params[old->count++] = (struct store_param){.type = STORE_PARAM_INT, .integer = status};
    }
    old_send(frontend, &api->call, old, request->maximum_page_size, request->next_page_token);
}

/* ---- counting ------------------------------------------------------------------------------------------------------ */

static const char *status_name(int64_t status) {
    static const char *const names[] = {"", "Running", "Completed", "Failed", "Canceled", "Terminated", "ContinuedAsNew",
                                        "TimedOut", "Paused"};
    return status > 0 && (size_t)status < ARRAY_LEN(names) ? names[status] : "Unspecified";
}

typedef Temporal__Api__Common__V1__Payload Payload;
typedef Temporal__Api__Common__V1__Payload__MetadataEntry MetadataEntry;

static MetadataEntry *metadata(const char *key, const char *value, struct arena *arena) {
    MetadataEntry *entry = ARENA_NEW(arena, MetadataEntry);
    temporal__api__common__v1__payload__metadata_entry__init(entry);
    entry->key = (char *)(uintptr_t)key;
    entry->value.data = (uint8_t *)(uintptr_t)value;
    entry->value.len = strlen(value);
    return entry;
}

/* A value of a search attribute: a JSON string of type Keyword. */
static Payload *keyword_payload(const char *value, struct arena *arena) {
    Payload *payload = ARENA_NEW(arena, Payload);
    temporal__api__common__v1__payload__init(payload);
    payload->n_metadata = 2;
    payload->metadata = arena_alloc(arena, 2 * sizeof(void *));
    payload->metadata[0] = metadata("encoding", "json/plain", arena);
    payload->metadata[1] = metadata("type", "Keyword", arena);
    struct buf json = {0};
    buf_append_json(&json, bytes_str(value));
    payload->data.data = arena_copy(arena, json.data, json.len);
    payload->data.len = json.len;
    buf_free(&json);
    return payload;
}

static int64_t group_status(struct bytes text) {
    int64_t value = 0;
    for (size_t i = 0; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        value = value * 10 + (text.data[i] - '0');
    return value;
}

static void counted(void *ctx, struct status status, const struct store_count *counts, size_t count) {
    struct call *call = ctx;
    if (!status_ok(status)) {
        fail_with_copy(call, status);
        return;
    }
    const struct filter *filter = call->waiter;
    WS(CountWorkflowExecutionsResponse) response = TEMPORAL__API__WORKFLOWSERVICE__V1__COUNT_WORKFLOW_EXECUTIONS_RESPONSE__INIT;
    response.groups = arena_alloc(call->arena, count * sizeof(void *));
    for (size_t i = 0; i < count; i++) {
        response.count += counts[i].count;
        if (!filter->group_by) continue;
        WS(CountWorkflowExecutionsResponse__AggregationGroup) *group = arena_alloc(call->arena, sizeof *group);
        temporal__api__workflowservice__v1__count_workflow_executions_response__aggregation_group__init(group);
        group->count = counts[i].count;
        group->n_group_values = 1;
        group->group_values = arena_alloc(call->arena, sizeof(void *));
        const char *value = filter->group_by_status ? status_name(group_status(counts[i].group))
                                                    : arena_text(call->arena, counts[i].group);
        group->group_values[0] = keyword_payload(value, call->arena);
        response.groups[response.n_groups++] = group;
    }
    call_reply(call, &response.base);
}

void api_count_workflow_executions(struct frontend *frontend, struct api_call *api) {
    const WS(CountWorkflowExecutionsRequest) *request = (const void *)api->call.request;
    struct filter *filter = ARENA_NEW(api->call.arena, struct filter);
    struct status status = filter_parse(request->query, true, attribute_type, api, api->call.arena, filter);
    if (!status_ok(status)) {
        call_fail_status(&api->call, status);
        return;
    }
    struct store_list list = {.where = filter->where, .params = filter->params, .param_count = filter->param_count,
                              .group_by = filter->group_by};
    memcpy(list.namespace_id, api->call.ns->id, NAMESPACE_ID_LEN);
    api->call.waiter = filter;
    store_count(frontend->store, &list, counted, &api->call);
}

void api_list_archived_workflow_executions(struct frontend *frontend, struct api_call *api) {
    (void)frontend;
    call_fail(&api->call, STATUS_INVALID_ARGUMENT, "Cluster is not configured for visibility archival.");
}
