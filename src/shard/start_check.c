/* start_check: validation of starts. Texts are those of Temporal's servers. */
#include "shard/start_check.h"

#include "shard/attributes.h"
#include "shard/cron.h"
#include "shard/memory.h"
#include "shard/pb.h"
#include "shard/retry.h"
#include "shard/search_attributes.h"
#include "shard/validate.h"

enum { BLOB_MAX = 2 * 1024 * 1024 };

static struct status check_text(struct engine *engine, struct arena *arena, const char *text, const char *name, bool needed) {
    if (needed && text_empty(text)) return status_invalid(arena, "%s is not set on request.", name);
    if (!text) return STATUS_GOOD;
    if (strlen(text) > limit_or(engine->limits.id_length_max, ID_LENGTH_MAX))
        return status_invalid(arena, "%s length exceeds limit.", name);
    if (!utf8_valid(bytes_str(text))) return status_invalid(arena, "%s is not a valid UTF-8 string.", name);
    return STATUS_GOOD;
}

static struct status check_duration(struct arena *arena, PbDuration *duration, const char *name) {
    const char *why = duration ? duration_check(duration) : NULL;
    return why ? status_invalid(arena, "An invalid %s is set on request: %s", name, why) : STATUS_GOOD;
}

#define TRY(expression)                                                                                        \
    do {                                                                                                       \
        struct status status_ = (expression);                                                                  \
        if (!status_ok(status_)) return status_;                                                               \
    } while (0)

static struct status check_policies(struct arena *arena, StartWorkflowExecutionRequest *request, bool signals) {
    int reuse = (int)request->workflow_id_reuse_policy, conflict = (int)request->workflow_id_conflict_policy;
    if (signals && conflict == CONFLICT_POLICY(FAIL)) {
        return status_invalid(arena, "Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported "
                                     "for this operation.");
    }
    if (reuse == REUSE_POLICY(TERMINATE_IF_RUNNING) && conflict != CONFLICT_POLICY(UNSPECIFIED)) {
        return status_invalid(arena, "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING cannot "
                                     "be used together with a WorkflowIDConflictPolicy.");
    }
    if (reuse == REUSE_POLICY(REJECT_DUPLICATE) && conflict == CONFLICT_POLICY(TERMINATE_EXISTING)) {
        return status_invalid(arena, "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE cannot be "
                                     "used together with WorkflowIdConflictPolicy "
                                     "WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING.");
    }
    if (reuse == REUSE_POLICY(TERMINATE_IF_RUNNING)) {
        request->workflow_id_reuse_policy = REUSE_POLICY(ALLOW_DUPLICATE);
        request->workflow_id_conflict_policy = CONFLICT_POLICY(TERMINATE_EXISTING);
    } else if (reuse == REUSE_POLICY(UNSPECIFIED)) {
        request->workflow_id_reuse_policy = REUSE_POLICY(ALLOW_DUPLICATE);
    }
    if (conflict == CONFLICT_POLICY(UNSPECIFIED) && reuse != REUSE_POLICY(TERMINATE_IF_RUNNING)) {
        request->workflow_id_conflict_policy = signals ? CONFLICT_POLICY(USE_EXISTING) : CONFLICT_POLICY(FAIL);
    }
    return STATUS_GOOD;
}

static struct status check_sizes(struct engine *engine, struct arena *arena, const StartWorkflowExecutionRequest *request,
                                 const SignalWithStartWorkflowExecutionRequest *signal) {
    size_t most = limit_or(engine->limits.blob_size_limit_error, BLOB_MAX);
    if (pb_size(request->input) > most || (signal && pb_size(signal->signal_input) > most))
        return status_invalid(arena, "Blob data size exceeds limit.");
    if (pb_size(request->memo) > limit_or(engine->limits.memo_size_limit_error, BLOB_MAX))
        return status_invalid(arena, "Memo size exceeds limit.");
    return STATUS_GOOD;
}

static void fill(struct engine *engine, struct call *call, StartWorkflowExecutionRequest *request) {
    if (text_empty(request->request_id)) {
        uint8_t raw[UUID_LEN];
        engine_new_run_id(engine, raw);
        request->request_id = arena_alloc(call->arena, UUID_TEXT_SIZE);
        uuid_text(raw, request->request_id);
    }
    if (request->retry_policy) retry_policy_fill(call->arena, request->retry_policy);
}

static struct status check_timing(struct engine *engine, struct arena *arena, StartWorkflowExecutionRequest *request) {
    TRY(check_duration(arena, request->workflow_execution_timeout, "WorkflowExecutionTimeout"));
    TRY(check_duration(arena, request->workflow_run_timeout, "WorkflowRunTimeout"));
    TRY(check_duration(arena, request->workflow_task_timeout, "WorkflowTaskTimeout"));
    TRY(check_duration(arena, request->workflow_start_delay, "WorkflowStartDelay"));
    if (text_empty(request->cron_schedule)) return STATUS_GOOD;
    if (duration_ns(request->workflow_start_delay) > 0)
        return status_invalid(arena, "CronSchedule and WorkflowStartDelay may not be used together.");
    const char *wrong = cron_check(request->cron_schedule, engine_wall(engine));
    return wrong ? status_invalid(arena, "Invalid CronSchedule: %s.", wrong) : STATUS_GOOD;
}

struct status start_check(struct engine *engine, struct call *call, StartWorkflowExecutionRequest *request,
                          const SignalWithStartWorkflowExecutionRequest *signal) {
    struct arena *arena = call->arena;
    if (request->n_completion_callbacks) {
        return status_make(arena, STATUS_UNIMPLEMENTED, "completion_callbacks: this server calls none; leave the field empty");
    }
    TRY(check_text(engine, arena, request->workflow_id, "WorkflowId", true));
    TRY(check_text(engine, arena, request->workflow_type ? request->workflow_type->name : "", "WorkflowType", true));
    TRY(check_text(engine, arena, request->request_id, "RequestId", false));
    TRY(check_text(engine, arena, request->identity, "Identity", false));
    if (signal) TRY(check_text(engine, arena, signal->signal_name, "SignalName", true));
    if (!request->task_queue) request->task_queue = PB_NEW(arena, temporal__api__taskqueue__v1__task_queue);
    TRY(task_queue_check_user(arena, request->task_queue, "", engine->limits.id_length_max));
    TRY(check_timing(engine, arena, request));
    fill(engine, call, request);
    TRY(retry_policy_check(arena, request->retry_policy));
    TRY(priority_check(arena, request->priority));
    TRY(check_policies(arena, request, signal != NULL));
    TRY(check_sizes(engine, arena, request, signal));
    if (request->search_attributes) {
        TRY(attributes_check(engine, call->ns->id, request->search_attributes, arena));
    }
    return STATUS_GOOD;
}

struct status start_admit(struct engine *engine, struct call *call) {
    TRY(memory_admit_start(engine, call->arena));
    return store_admit(engine->store, STORE_NORMAL, call->request_bytes.len * 2 + 8192, call->arena);
}

struct types {
    struct engine *engine;
    const uint8_t *namespace_id;
};
static int32_t type_of(void *ctx, const char *name) {
    struct types *types = ctx;
    return types->engine->host.search_attribute_type(types->engine->host.ctx, types->namespace_id, name);
}

SearchAttributes *start_search_attributes(struct engine *engine, const uint8_t namespace_id[NAMESPACE_ID_LEN],
                                          const SearchAttributes *attributes, struct arena *arena) {
    struct types types = {engine, namespace_id};
    struct search_attribute_types lookup = {type_of, &types};
    SearchAttributes *typed = search_attributes_typed(arena, &lookup, attributes);
    return search_attributes_merge(arena, NULL, typed);
}
