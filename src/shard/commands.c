/* commands: the table of kinds, and the two passes over a completion's commands. */
#include "shard/commands.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/plant.h"
#include "shard/activity_start.h"
#include "shard/close.h"
#include "shard/command.h"
#include "shard/core.h"
#include "shard/validate.h"

#define ATTRIBUTES(NAME) TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_##NAME##_COMMAND_ATTRIBUTES
#define ABSENT(NAME, name, cause)                                                                              \
    {COMMAND(NAME), ATTRIBUTES(NAME), name, WFT_CAUSE(cause), false, command_absent_check, NULL}

static const struct command_kind kinds[] = {
    {COMMAND(SCHEDULE_ACTIVITY_TASK), ATTRIBUTES(SCHEDULE_ACTIVITY_TASK), "ScheduleActivityTask",
     WFT_CAUSE(BAD_SCHEDULE_ACTIVITY_ATTRIBUTES), false, command_schedule_activity_check,
     command_schedule_activity_apply},
    {COMMAND(REQUEST_CANCEL_ACTIVITY_TASK), ATTRIBUTES(REQUEST_CANCEL_ACTIVITY_TASK), "RequestCancelActivityTask",
     WFT_CAUSE(BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES), false, command_cancel_activity_check,
     command_cancel_activity_apply},
    {COMMAND(START_TIMER), ATTRIBUTES(START_TIMER), "StartTimer", WFT_CAUSE(BAD_START_TIMER_ATTRIBUTES), false,
     command_start_timer_check, command_start_timer_apply},
    {COMMAND(CANCEL_TIMER), ATTRIBUTES(CANCEL_TIMER), "CancelTimer", WFT_CAUSE(BAD_CANCEL_TIMER_ATTRIBUTES), false,
     command_cancel_timer_check, command_cancel_timer_apply},
    {COMMAND(RECORD_MARKER), ATTRIBUTES(RECORD_MARKER), "RecordMarker", WFT_CAUSE(BAD_RECORD_MARKER_ATTRIBUTES), false,
     command_marker_check, command_marker_apply},
    {COMMAND(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES), ATTRIBUTES(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES),
     "UpsertWorkflowSearchAttributes", WFT_CAUSE(BAD_SEARCH_ATTRIBUTES), false,
     command_upsert_search_attributes_check, command_upsert_search_attributes_apply},
    {COMMAND(MODIFY_WORKFLOW_PROPERTIES), ATTRIBUTES(MODIFY_WORKFLOW_PROPERTIES), "ModifyWorkflowProperties",
     WFT_CAUSE(BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES), false, command_modify_properties_check,
     command_modify_properties_apply},
    {COMMAND(COMPLETE_WORKFLOW_EXECUTION), ATTRIBUTES(COMPLETE_WORKFLOW_EXECUTION), "CompleteWorkflowExecution",
     WFT_CAUSE(BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES), true, command_complete_check, close_by_complete},
    {COMMAND(FAIL_WORKFLOW_EXECUTION), ATTRIBUTES(FAIL_WORKFLOW_EXECUTION), "FailWorkflowExecution",
     WFT_CAUSE(BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES), true, command_fail_check, close_by_fail},
    {COMMAND(CANCEL_WORKFLOW_EXECUTION), ATTRIBUTES(CANCEL_WORKFLOW_EXECUTION), "CancelWorkflowExecution",
     WFT_CAUSE(BAD_CANCEL_WORKFLOW_EXECUTION_ATTRIBUTES), true, command_cancel_check, close_by_cancel},
    {COMMAND(CONTINUE_AS_NEW_WORKFLOW_EXECUTION), ATTRIBUTES(CONTINUE_AS_NEW_WORKFLOW_EXECUTION),
     "ContinueAsNewWorkflowExecution", WFT_CAUSE(BAD_CONTINUE_AS_NEW_ATTRIBUTES), true, command_continue_as_new_check,
     close_continue_as_new},
    ABSENT(START_CHILD_WORKFLOW_EXECUTION, "StartChildWorkflowExecution", BAD_START_CHILD_EXECUTION_ATTRIBUTES),
    ABSENT(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION, "RequestCancelExternalWorkflowExecution",
           BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES),
    ABSENT(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION, "SignalExternalWorkflowExecution",
           BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES),
    ABSENT(PROTOCOL_MESSAGE, "ProtocolMessage", BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE),
    ABSENT(SCHEDULE_NEXUS_OPERATION, "ScheduleNexusOperation", BAD_SCHEDULE_NEXUS_OPERATION_ATTRIBUTES),
    ABSENT(REQUEST_CANCEL_NEXUS_OPERATION, "RequestCancelNexusOperation",
           BAD_REQUEST_CANCEL_NEXUS_OPERATION_ATTRIBUTES),
};

static const struct command_kind *kind_find(int32_t type) {
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].type == type) return &kinds[i];
    }
    return NULL;
}

/* ---- refusing ------------------------------------------------------------------------------------------------------ */

bool command_fail(struct command_check *check, int32_t cause, const char *format, ...) {
    va_list args;
    va_start(args, format);
    check->completion->message = *format ? arena_vprintf(check->arena, format, args) : NULL;
    va_end(args);
    check->completion->cause = cause;
    return false;
}

bool command_fail_status(struct command_check *check, int32_t cause, struct status status) {
    return command_fail(check, cause, "%s", status.message);
}

bool command_terminate(struct command_check *check, int32_t cause, const char *format, ...) {
    va_list args;
    va_start(args, format);
    check->completion->message = arena_vprintf(check->arena, format, args);
    va_end(args);
    check->completion->cause = cause;
    check->completion->terminate = true;
    return false;
}

bool command_absent_check(struct command_check *check, const Command *command) {
    return command_fail(check, WFT_CAUSE(FEATURE_DISABLED), "%sCommand is not supported by this server.",
                        check->kind->name);
}

/* ---- limits -------------------------------------------------------------------------------------------------------- */

size_t command_blob_max(const struct command_check *check) {
    return limit_or(check->completion->engine->limits.blob_size_limit_error, 2 * 1024 * 1024);
}
size_t command_memo_max(const struct command_check *check) {
    return limit_or(check->completion->engine->limits.memo_size_limit_error, 2 * 1024 * 1024);
}
uint32_t command_id_max(const struct command_check *check) {
    return (uint32_t)limit_or(check->completion->engine->limits.id_length_max, ID_LENGTH_MAX);
}

bool command_check_size(struct command_check *check, int32_t cause, const void *message, const char *text) {
    if (pb_size(message) <= command_blob_max(check)) return true;
    return command_terminate(check, cause, "%s", text);
}

/* ---- the plan ------------------------------------------------------------------------------------------------------ */

struct plan_key {
    enum state_kind kind;
    const char *name;
};
static bool plan_same_name(const struct map_node *node, const void *key) {
    const struct planned *planned = CONTAINER_OF(node, struct planned, by_name);
    const struct plan_key *wanted = key;
    return planned->kind == wanted->kind && strcmp(planned->name, wanted->name) == 0;
}
static bool plan_same_id(const struct map_node *node, const void *key) {
    return CONTAINER_OF(node, struct planned, by_id)->event_id == *(const int64_t *)key;
}
static uint64_t plan_name_hash(const char *name) { return hash64(name, strlen(name)); }
static uint64_t plan_id_hash(int64_t id) { return hash64(&id, sizeof id); }

static struct planned *plan_insert(struct command_check *check, enum state_kind kind, const char *name, int64_t event_id) {
    struct planned *planned = ARENA_NEW(check->arena, struct planned);
    planned->kind = kind;
    planned->name = name;
    planned->event_id = event_id;
    planned->pending = true;
    map_insert(&check->by_name, &planned->by_name, plan_name_hash(name));
    map_insert(&check->by_id, &planned->by_id, plan_id_hash(event_id));
    return planned;
}

static struct planned *plan_known(struct command_check *check, enum state_kind kind, const char *name) {
    struct plan_key key = {kind, name};
    struct map_node *node = map_find(&check->by_name, plan_name_hash(name), plan_same_name, &key);
    return node ? CONTAINER_OF(node, struct planned, by_name) : NULL;
}

static struct planned *plan_from_state(struct command_check *check, const struct item *item) {
    if (item->kind == STATE_TIMER) return plan_insert(check, item->kind, item->timer->timer_id, item->key);
    struct planned *planned = plan_insert(check, item->kind, item->activity->activity_id, item->key);
    planned->started = item->activity->started_time != 0;
    planned->cancelled = item->activity->cancel_requested_event_id != 0;
    return planned;
}

struct planned *plan_find(struct command_check *check, enum state_kind kind, const char *name) {
    struct planned *planned = plan_known(check, kind, name);
    if (planned) return planned;
    struct item *item = exec_find_text(check->exec, kind, name);
    return item ? plan_from_state(check, item) : NULL;
}

struct planned *plan_find_activity(struct command_check *check, int64_t id) {
    struct map_node *node = map_find(&check->by_id, plan_id_hash(id), plan_same_id, &id);
    if (node) {
        struct planned *planned = CONTAINER_OF(node, struct planned, by_id);
        return planned->kind == STATE_ACTIVITY ? planned : NULL;
    }
    struct item *item = exec_find(check->exec, STATE_ACTIVITY, id);
    return item ? plan_from_state(check, item) : NULL;
}

struct planned *plan_add(struct command_check *check, enum state_kind kind, const char *name) {
    struct planned *old = plan_known(check, kind, name);
    if (old) map_remove(&check->by_name, &old->by_name);
    struct planned *planned = plan_insert(check, kind, name, check->event_id);
    planned->fire_taken = old && old->fire_taken;
    return planned;
}

/* ---- checking ------------------------------------------------------------------------------------------------------ */

static const char *type_text(struct arena *arena, int32_t type) {
    return enum_text(arena, &temporal__api__enums__v1__command_type__descriptor, "COMMAND_TYPE_", type);
}

static struct status refuse_after_close(struct arena *arena, const RespondWorkflowTaskCompletedRequest *request,
                                        int32_t closing) {
    struct buf all = {0};
    for (size_t i = 0; i < request->n_commands; i++)
        buf_printf(&all, "%s%s", i ? ", " : "", type_text(arena, request->commands[i]->command_type));
    struct status status =
        status_invalid(arena, "invalid command sequence: [%s], command %s must be the last command.", buf_cstr(&all),
                       type_text(arena, closing));
    buf_free(&all);
    return status;
}

/* What can only come from a broken worker is refused without a trace in the history. */
static struct status check_sequence(struct arena *arena, const RespondWorkflowTaskCompletedRequest *request) {
    int32_t closing = 0;
    for (size_t i = 0; i < request->n_commands; i++) {
        if (closing) return refuse_after_close(arena, request, closing);
        const struct command_kind *kind = kind_find(request->commands[i]->command_type);
        if (!kind)
            return status_invalid(arena, "unknown command type: %s",
                                  type_text(arena, request->commands[i]->command_type));
        if (kind->closes) closing = kind->type;
    }
    return STATUS_GOOD;
}

static bool check_one(struct command_check *check, const Command *command) {
    const struct command_kind *kind = check->kind = kind_find(command->command_type);
    if ((int)command->attributes_case != kind->attributes_case)
        return command_fail(check, kind->bad_attributes, "%sCommandAttributes is not set on %sCommand.", kind->name,
                            kind->name);
    bool closes = kind->closes && !(kind->type == COMMAND(CONTINUE_AS_NEW_WORKFLOW_EXECUTION) &&
                                    PLANT(check->completion->engine->io, CONTINUE_LOSES_SIGNAL));
    if (closes && check->buffered > 0) return command_fail(check, WFT_CAUSE(UNHANDLED_COMMAND), "%s", "");
    return kind->check(check, command);
}

bool commands_check(struct completion *completion) {
    const RespondWorkflowTaskCompletedRequest *request = completion->request;
    struct exec *exec = completion->exec;
    struct arena *arena = completion->call->arena;
    completion->refused = check_sequence(arena, request);
    if (!status_ok(completion->refused)) return false;

    struct command_check check = {
        .completion = completion,
        .exec = exec,
        .arena = arena,
        .activities = exec_set(exec, STATE_ACTIVITY)->count,
        .buffered = completion->had_buffered_events ? exec_set(exec, STATE_BUFFERED)->count : 0,
        .search_attributes = exec->search_attributes,
        .memo = exec->memo,
        /* WorkflowTaskCompleted follows the started event at once, then come the commands' events. */
        .event_id = exec->task->started_event_id + 2,
    };
    bool good = true;
    for (size_t i = 0; good && i < request->n_commands; i++, check.event_id++)
        good = check_one(&check, request->commands[i]);
    map_free(&check.by_name);
    map_free(&check.by_id);
    return good;
}

/* ---- applying ------------------------------------------------------------------------------------------------------ */

int64_t command_add_event(struct completion *completion, const Command *command, HistoryEvent *event) {
    event->user_metadata = command->user_metadata;
    event->n_event_group_markers = command->n_event_group_markers;
    event->event_group_markers = command->event_group_markers;
    return txn_add_event(completion->txn, event);
}

void commands_apply(struct completion *completion) {
    const RespondWorkflowTaskCompletedRequest *request = completion->request;
    for (size_t i = 0; i < request->n_commands; i++) {
        const Command *command = request->commands[i];
        kind_find(command->command_type)->apply(completion, command);
    }
    if (!completion->closed) activity_start_eager(completion);
}
