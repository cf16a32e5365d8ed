/* api: the generated messages under short names, and small helpers to read and build them.
 *
 * Built messages live in an arena or on the stack and borrow what they point to; unpacked ones in an arena keep fields
 * that this build does not know. Absent strings are "" in unpacked messages and may be NULL in built ones. */
#ifndef NORN_SHARD_API_H
#define NORN_SHARD_API_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/pbpack.h"
#include "base/status.h"
#include "norn/state.pb-c.h"
#include "temporal/api/command/v1/message.pb-c.h"
#include "temporal/api/common/v1/message.pb-c.h"
#include "temporal/api/enums/v1/common.pb-c.h"
#include "temporal/api/enums/v1/event_type.pb-c.h"
#include "temporal/api/enums/v1/failed_cause.pb-c.h"
#include "temporal/api/enums/v1/task_queue.pb-c.h"
#include "temporal/api/enums/v1/workflow.pb-c.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"
#include "temporal/api/failure/v1/message.pb-c.h"
#include "temporal/api/history/v1/message.pb-c.h"
#include "temporal/api/query/v1/message.pb-c.h"
#include "temporal/api/sdk/v1/user_metadata.pb-c.h"
#include "temporal/api/taskqueue/v1/message.pb-c.h"
#include "temporal/api/workflow/v1/message.pb-c.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

/* ---- our state ---- */
typedef Norn__State__Start StateStart;
typedef Norn__State__Info StateInfo;
typedef Norn__State__WorkflowTask StateWorkflowTask;
typedef Norn__State__Activity StateActivity;
typedef Norn__State__Timer StateTimer;
typedef Norn__State__Buffered StateBuffered;
typedef Norn__State__Workers StateWorkers;
typedef Norn__State__Request StateRequest;
typedef Norn__State__SignalRequest StateSignalRequest;
typedef Norn__State__TaskToken TaskToken;
typedef Norn__State__HistoryToken HistoryToken;

/* ---- API messages ---- */
typedef Google__Protobuf__Timestamp PbTimestamp;
typedef Google__Protobuf__Duration PbDuration;
typedef Temporal__Api__Common__V1__Payload Payload;
typedef Temporal__Api__Common__V1__Payloads Payloads;
typedef Temporal__Api__Common__V1__Header Header;
typedef Temporal__Api__Common__V1__Memo Memo;
typedef Temporal__Api__Common__V1__Memo__FieldsEntry MemoEntry;
typedef Temporal__Api__Common__V1__SearchAttributes SearchAttributes;
typedef Temporal__Api__Common__V1__SearchAttributes__IndexedFieldsEntry SearchAttributesEntry;
typedef Temporal__Api__Common__V1__RetryPolicy RetryPolicy;
typedef Temporal__Api__Common__V1__Priority Priority;
typedef Temporal__Api__Common__V1__WorkflowExecution WorkflowExecution;
typedef Temporal__Api__Common__V1__WorkflowType WorkflowType;
typedef Temporal__Api__Common__V1__ActivityType ActivityType;
typedef Temporal__Api__Taskqueue__V1__TaskQueue TaskQueue;
typedef Temporal__Api__Failure__V1__Failure Failure;
typedef Temporal__Api__Command__V1__Command Command;
typedef Temporal__Api__History__V1__History History;
typedef Temporal__Api__History__V1__HistoryEvent HistoryEvent;
typedef Temporal__Api__Workflowservice__V1__PollWorkflowTaskQueueRequest PollWorkflowTaskQueueRequest;
typedef Temporal__Api__Workflowservice__V1__PollWorkflowTaskQueueResponse PollWorkflowTaskQueueResponse;
typedef Temporal__Api__Workflowservice__V1__PollActivityTaskQueueRequest PollActivityTaskQueueRequest;
typedef Temporal__Api__Workflowservice__V1__PollActivityTaskQueueResponse PollActivityTaskQueueResponse;
typedef Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedRequest RespondWorkflowTaskCompletedRequest;
typedef Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedResponse RespondWorkflowTaskCompletedResponse;
typedef Temporal__Api__Workflowservice__V1__RespondWorkflowTaskFailedRequest RespondWorkflowTaskFailedRequest;
typedef Temporal__Api__Workflowservice__V1__RespondWorkflowTaskFailedResponse RespondWorkflowTaskFailedResponse;
typedef Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest StartWorkflowExecutionRequest;
typedef Temporal__Api__Workflowservice__V1__StartWorkflowExecutionResponse StartWorkflowExecutionResponse;
typedef Temporal__Api__Workflowservice__V1__SignalWithStartWorkflowExecutionRequest SignalWithStartWorkflowExecutionRequest;
typedef Temporal__Api__Workflowservice__V1__SignalWithStartWorkflowExecutionResponse
    SignalWithStartWorkflowExecutionResponse;

/* Attributes of an event: EVENT_ATTRIBUTES(WorkflowTaskScheduled) and so on. */
#define EVENT_ATTRIBUTES(Name) Temporal__Api__History__V1__##Name##EventAttributes

/* ---- enums ---- */
#define EVENT(NAME) TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##NAME
#define COMMAND(NAME) TEMPORAL__API__ENUMS__V1__COMMAND_TYPE__COMMAND_TYPE_##NAME
#define STATUS_OF(NAME) TEMPORAL__API__ENUMS__V1__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_##NAME
#define WFT_CAUSE(NAME) TEMPORAL__API__ENUMS__V1__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_##NAME
#define RETRY_STATE(NAME) TEMPORAL__API__ENUMS__V1__RETRY_STATE__RETRY_STATE_##NAME
#define TIMEOUT_TYPE(NAME) TEMPORAL__API__ENUMS__V1__TIMEOUT_TYPE__TIMEOUT_TYPE_##NAME
#define REUSE_POLICY(NAME) TEMPORAL__API__ENUMS__V1__WORKFLOW_ID_REUSE_POLICY__WORKFLOW_ID_REUSE_POLICY_##NAME
#define CONFLICT_POLICY(NAME) TEMPORAL__API__ENUMS__V1__WORKFLOW_ID_CONFLICT_POLICY__WORKFLOW_ID_CONFLICT_POLICY_##NAME
#define INITIATOR(NAME) TEMPORAL__API__ENUMS__V1__CONTINUE_AS_NEW_INITIATOR__CONTINUE_AS_NEW_INITIATOR_##NAME
#define QUEUE_KIND(NAME) TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_##NAME
#define EXHAUSTED_CAUSE(NAME) TEMPORAL__API__ENUMS__V1__RESOURCE_EXHAUSTED_CAUSE__RESOURCE_EXHAUSTED_CAUSE_##NAME
#define EXHAUSTED_SCOPE(NAME) TEMPORAL__API__ENUMS__V1__RESOURCE_EXHAUSTED_SCOPE__RESOURCE_EXHAUSTED_SCOPE_##NAME

/* ---- small helpers ---- */
static inline bool text_empty(const char *text) { return !text || !*text; }
static inline bool text_same(const char *a, const char *b) { return strcmp(a ? a : "", b ? b : "") == 0; }
/* protobuf-c wants char *; it never writes. */
static inline char *pb_text(const char *text) { return (char *)(uintptr_t)(text ? text : ""); }

/* Times and durations; NULL is 0. Durations beyond about 100 years are capped. */
PbTimestamp *pb_time(struct arena *arena, int64_t wall_ns);           /* NULL for 0 */
PbDuration *pb_duration(struct arena *arena, int64_t ns);             /* never NULL */
int64_t time_ns(const PbTimestamp *time);
int64_t duration_ns(const PbDuration *duration);

/* Unpacks into the arena; NULL when malformed. */
void *pb_unpack(struct arena *arena, const ProtobufCMessageDescriptor *type, struct bytes bytes);
/* A field of type message or bytes: tag, length, bytes. */
void pb_append_field(struct buf *buf, unsigned number, struct bytes bytes);

/* Errors with their details (temporal-surface 9). */
struct status status_not_found(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct status status_invalid(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct status status_exhausted(struct arena *arena, int cause, int scope, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
struct status status_not_ready(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
