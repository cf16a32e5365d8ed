/* activity_calls: what workers tell about activities, by task token or by id (temporal-surface 4.3, 4.4).
 *
 * By token, the attempt must be the one that was handed out: same attempt, same dispatch. By id, whatever attempt is
 * there is meant. */
#include "base/mark.h"
#include "base/plant.h"
#include "shard/activity_end.h"
#include "shard/activity_start.h"
#include "shard/core.h"
#include "shard/failure.h"
#include "shard/token.h"
#include "shard/validate.h"

#define TASK_GONE "invalid activityID or activity already timed out or invoking workflow is completed"
#define ID_GONE "Can't find pending activity with such ID. Invalid activityID or activity already completed"
#define NOT_ASKED_TO_CANCEL "unable to mark activity as canceled without activity being request canceled first"

enum { BLOB_MAX = 2 * 1024 * 1024, FAILURE_KEPT = 512 * 1024 };

/* One call, with what it is about. */
struct act {
    struct engine *engine;
    struct call *call;
    const char *identity;
    struct exec *exec;
    struct item *item;
};

/* ---- finding ------------------------------------------------------------------------------------------------------- */

static bool refuse(struct act *act, struct status status) {
    engine_fail(act->engine, act->exec, act->call, status);
    return false;
}

static bool check_identity(struct act *act) {
    if (strlen(act->identity) <= limit_or(act->engine->limits.id_length_max, ID_LENGTH_MAX)) return true;
    call_fail(act->call, STATUS_INVALID_ARGUMENT, "Identity length exceeds limit.");
    return false;
}

static bool check_open(struct act *act) {
    if (exec_open(act->exec)) return true;
    return refuse(act, status_not_found(act->call->arena, "workflow execution already completed"));
}

/* False: the call is dealt with, or runs again later. */
static bool find_by_token(struct act *act, engine_call_fn *again, ProtobufCBinaryData encoded) {
    struct call *call = act->call;
    TaskToken *token = token_decode(call->arena, encoded);
    if (!token) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "Error deserializing task token.");
        return false;
    }
    if (!check_identity(act)) return false;
    act->exec = engine_find_token(act->engine, call, again, token);
    if (!act->exec || !check_open(act)) return false;
    act->item = exec_find(act->exec, STATE_ACTIVITY, token->scheduled_event_id);
    const StateActivity *a = act->item ? act->item->activity : NULL;
    bool current = a && a->started_time && a->attempt == token->attempt && a->epoch == token->epoch &&
                   a->dispatch == token->dispatch;
    if (a && a->started_time && PLANT(act->engine->io, STALE_ACTIVITY_TOKEN)) current = true;
    if (!current) mark(MARK_ACTIVITY_TOKEN_STALE);
    return current || refuse(act, status_not_found(call->arena, TASK_GONE));
}

static bool find_by_id(struct act *act, engine_call_fn *again, const char *workflow_id, const char *run_id,
                       const char *activity_id) {
    struct call *call = act->call;
    if (text_empty(workflow_id)) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "WorkflowId is not set on request.");
        return false;
    }
    if (text_empty(activity_id)) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "ActivityId is not set on request.");
        return false;
    }
    if (!check_identity(act)) return false;
    act->exec = engine_find(act->engine, call, again, workflow_id, run_id);
    if (!act->exec || !check_open(act)) return false;
    act->item = exec_find_text(act->exec, STATE_ACTIVITY, activity_id);
    return act->item || refuse(act, status_not_found(call->arena, ID_GONE));
}

static bool check_started(struct act *act) {
    if (act->item->activity->started_time) return true;
    return refuse(act, status_not_found(act->call->arena, TASK_GONE));
}

static bool admit(struct act *act, size_t size) {
    struct status status = store_admit(act->engine->store, STORE_NORMAL, size + 4096, act->call->arena);
    return status_ok(status) || refuse(act, status);
}

static bool too_large(const struct act *act, const void *message) {
    return pb_size(message) > limit_or(act->engine->limits.blob_size_limit_error, BLOB_MAX);
}

/* ---- what is done -------------------------------------------------------------------------------------------------- */

static void end_attempt_failed(struct txn *txn, const struct act *act, const Failure *failure) {
    RetryState state = activity_retry(txn, act->item, failure);
    if (state != RETRY_STATE(IN_PROGRESS)) activity_end_failed(txn, act->item, failure, state, act->identity);
}

static void commit(struct txn *txn, struct act *act, const ProtobufCMessage *response) {
    txn_reply(txn, act->call, response);
    txn_commit(txn);
}

static void complete(struct act *act, const Payloads *result, const ProtobufCMessage *response) {
    if (!admit(act, pb_size(result))) return;
    struct txn txn;
    txn_begin(&txn, act->engine, act->exec);
    if (too_large(act, result)) {
        end_attempt_failed(&txn, act, failure_server(&txn.arena, true, "%s", "Complete result exceeds size limit."));
    } else {
        /* By id, an activity can be completed by someone who never got its task. */
        activity_withdraw(&txn, act->item);
        if (!act->item->activity->started_time) activity_begin(&txn, act->item, act->identity);
        activity_end_completed(&txn, act->item, result, act->identity);
    }
    commit(&txn, act, response);
}

/* `failures` of the response tells what was replaced because it was too large. */
struct replaced {
    size_t *count;
    Failure **failures;
};

static void replace(const struct replaced *replaced, Failure *by) { replaced->failures[(*replaced->count)++] = by; }

static void fail(struct act *act, const Failure *failure, const Payloads *heartbeat, const ProtobufCMessage *response,
                 const struct replaced *replaced) {
    struct arena *arena = act->call->arena;
    if (heartbeat && too_large(act, heartbeat)) {
        replace(replaced, failure_server(arena, true, "%s", "Heartbeat details exceed size limit."));
        heartbeat = NULL;
    }
    if (too_large(act, failure)) {
        Failure *shorter = failure_server(arena, true, "%s", "Failure exceeds size limit.");
        shorter->cause = failure_trim(arena, failure, FAILURE_KEPT);
        replace(replaced, shorter);
        failure = shorter;
    }
    if (!admit(act, pb_size(failure) + pb_size(heartbeat))) return;
    struct txn txn;
    txn_begin(&txn, act->engine, act->exec);
    if (heartbeat) {
        STATE_SET_MESSAGE(&act->item->activity->heartbeat_details, heartbeat);
        act->item->activity->heartbeat_time = txn.now;
        exec_touch_item(act->exec, act->item);
    }
    end_attempt_failed(&txn, act, failure);
    commit(&txn, act, response);
}

static void cancel(struct act *act, const Payloads *details, const ProtobufCMessage *response) {
    if (!act->item->activity->cancel_requested_event_id) {
        refuse(act, status_invalid(act->call->arena, NOT_ASKED_TO_CANCEL));
        return;
    }
    if (!admit(act, pb_size(details))) return;
    struct txn txn;
    txn_begin(&txn, act->engine, act->exec);
    if (too_large(act, details))
        end_attempt_failed(&txn, act, failure_server(&txn.arena, true, "%s", "Cancel details exceed size limit."));
    else activity_end_canceled(&txn, act->item, details, act->identity);
    commit(&txn, act, response);
}

static void heartbeat(struct act *act, const Payloads *details, const ProtobufCMessage *response,
                      protobuf_c_boolean *cancel_requested) {
    StateActivity *activity = act->item->activity;
    *cancel_requested = activity->cancel_requested_event_id != 0;
    if (!admit(act, pb_size(details))) return;
    struct txn txn;
    txn_begin(&txn, act->engine, act->exec);
    if (too_large(act, details)) {
        *cancel_requested = true;      /* it failed just now: the worker shall stop */
        end_attempt_failed(&txn, act, failure_server(&txn.arena, true, "%s", "Heartbeat details exceed size limit."));
    } else {
        STATE_SET_MESSAGE(&activity->heartbeat_details, details);
        activity->heartbeat_time = txn.now;
        if (!text_empty(act->identity)) state_set_text(&activity->last_identity, act->identity);
        exec_touch_item(act->exec, act->item);
    }
    commit(&txn, act, response);
}

/* ---- by token ------------------------------------------------------------------------------------------------------ */

#define REQUEST(Name) const Temporal__Api__Workflowservice__V1__##Name##Request *request = (const void *)call->request
#define RESPONSE(Name, name)                                                                                   \
    Temporal__Api__Workflowservice__V1__##Name##Response response;                                             \
    temporal__api__workflowservice__v1__##name##_response__init(&response)

void engine_respond_activity_task_completed(struct engine *engine, struct call *call) {
    REQUEST(RespondActivityTaskCompleted);
    RESPONSE(RespondActivityTaskCompleted, respond_activity_task_completed);
    struct act act = {engine, call, request->identity};
    if (!find_by_token(&act, engine_respond_activity_task_completed, request->task_token)) return;
    complete(&act, request->result, &response.base);
}

void engine_respond_activity_task_failed(struct engine *engine, struct call *call) {
    REQUEST(RespondActivityTaskFailed);
    RESPONSE(RespondActivityTaskFailed, respond_activity_task_failed);
    struct act act = {engine, call, request->identity};
    if (!find_by_token(&act, engine_respond_activity_task_failed, request->task_token)) return;
    /* By id, any failure is taken: those calls are for whoever completes an activity from outside of a worker. */
    if (request->failure && request->failure->failure_info_case != FAILURE_INFO(APPLICATION)) {
        refuse(&act, status_invalid(call->arena, "Failure must have ApplicationFailureInfo."));
        return;
    }
    Failure *failures[2];
    response.failures = failures;
    struct replaced replaced = {&response.n_failures, failures};
    fail(&act, request->failure, request->last_heartbeat_details, &response.base, &replaced);
}

void engine_respond_activity_task_canceled(struct engine *engine, struct call *call) {
    REQUEST(RespondActivityTaskCanceled);
    RESPONSE(RespondActivityTaskCanceled, respond_activity_task_canceled);
    struct act act = {engine, call, request->identity};
    if (!find_by_token(&act, engine_respond_activity_task_canceled, request->task_token)) return;
    cancel(&act, request->details, &response.base);
}

void engine_record_activity_task_heartbeat(struct engine *engine, struct call *call) {
    REQUEST(RecordActivityTaskHeartbeat);
    RESPONSE(RecordActivityTaskHeartbeat, record_activity_task_heartbeat);
    struct act act = {engine, call, request->identity};
    if (!find_by_token(&act, engine_record_activity_task_heartbeat, request->task_token)) return;
    heartbeat(&act, request->details, &response.base, &response.cancel_requested);
}

/* ---- by id --------------------------------------------------------------------------------------------------------- */

void engine_respond_activity_task_completed_by_id(struct engine *engine, struct call *call) {
    REQUEST(RespondActivityTaskCompletedById);
    RESPONSE(RespondActivityTaskCompletedById, respond_activity_task_completed_by_id);
    struct act act = {engine, call, request->identity};
    if (!find_by_id(&act, engine_respond_activity_task_completed_by_id, request->workflow_id, request->run_id,
                    request->activity_id))
        return;
    complete(&act, request->result, &response.base);
}

void engine_respond_activity_task_failed_by_id(struct engine *engine, struct call *call) {
    REQUEST(RespondActivityTaskFailedById);
    RESPONSE(RespondActivityTaskFailedById, respond_activity_task_failed_by_id);
    struct act act = {engine, call, request->identity};
    if (!find_by_id(&act, engine_respond_activity_task_failed_by_id, request->workflow_id, request->run_id,
                    request->activity_id) ||
        !check_started(&act))
        return;
    Failure *failures[2];
    response.failures = failures;
    struct replaced replaced = {&response.n_failures, failures};
    fail(&act, request->failure, request->last_heartbeat_details, &response.base, &replaced);
}

void engine_respond_activity_task_canceled_by_id(struct engine *engine, struct call *call) {
    REQUEST(RespondActivityTaskCanceledById);
    RESPONSE(RespondActivityTaskCanceledById, respond_activity_task_canceled_by_id);
    struct act act = {engine, call, request->identity};
    if (!find_by_id(&act, engine_respond_activity_task_canceled_by_id, request->workflow_id, request->run_id,
                    request->activity_id) ||
        !check_started(&act))
        return;
    cancel(&act, request->details, &response.base);
}

void engine_record_activity_task_heartbeat_by_id(struct engine *engine, struct call *call) {
    REQUEST(RecordActivityTaskHeartbeatById);
    RESPONSE(RecordActivityTaskHeartbeatById, record_activity_task_heartbeat_by_id);
    struct act act = {engine, call, request->identity};
    if (!find_by_id(&act, engine_record_activity_task_heartbeat_by_id, request->workflow_id, request->run_id,
                    request->activity_id) ||
        !check_started(&act))
        return;
    heartbeat(&act, request->details, &response.base, &response.cancel_requested);
}
