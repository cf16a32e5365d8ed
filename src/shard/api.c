/* api: helpers for the generated messages. */
#include "shard/api.h"

#include <stdio.h>

#include "base/check.h"

enum { SECOND = 1000000000 };
static const int64_t duration_max = (int64_t)100 * 365 * 24 * 3600 * SECOND;

PbTimestamp *pb_time(struct arena *arena, int64_t wall_ns) {
    if (!wall_ns) return NULL;
    PbTimestamp *time = ARENA_NEW(arena, PbTimestamp);
    google__protobuf__timestamp__init(time);
    time->seconds = wall_ns / SECOND;
    time->nanos = (int32_t)(wall_ns % SECOND);
    return time;
}

PbDuration *pb_duration(struct arena *arena, int64_t ns) {
    PbDuration *duration = ARENA_NEW(arena, PbDuration);
    google__protobuf__duration__init(duration);
    duration->seconds = ns / SECOND;
    duration->nanos = (int32_t)(ns % SECOND);
    return duration;
}

static int64_t scaled(int64_t seconds, int32_t nanos) {
    if (seconds > duration_max / SECOND) return duration_max;
    if (seconds < -duration_max / SECOND) return -duration_max;
    return seconds * SECOND + nanos;
}

int64_t time_ns(const PbTimestamp *time) {
    if (!time) return 0;
    if (time->seconds > INT64_MAX / SECOND - 1) return INT64_MAX / SECOND * SECOND;
    if (time->seconds < 0) return 0;
    return time->seconds * SECOND + time->nanos;
}

int64_t duration_ns(const PbDuration *duration) {
    return duration ? scaled(duration->seconds, duration->nanos) : 0;
}

void *pb_unpack(struct arena *arena, const ProtobufCMessageDescriptor *type, struct bytes bytes) {
    static const uint8_t nothing[1];
    return protobuf_c_message_unpack(type, arena_pb(arena), bytes.len, bytes.data ? bytes.data : nothing);
}

void pb_append_field(struct buf *buf, unsigned number, struct bytes bytes) {
    buf_append_varint(buf, (uint64_t)number << 3 | 2);
    buf_append_varint(buf, bytes.len);
    buf_append_bytes(buf, bytes);
}

#define FORMAT(arena, format, text)                                                                            \
    va_list args;                                                                                              \
    va_start(args, format);                                                                                    \
    const char *text = arena_vprintf(arena, format, args);                                                     \
    va_end(args)

struct status status_not_found(struct arena *arena, const char *format, ...) {
    FORMAT(arena, format, text);
    Temporal__Api__Errordetails__V1__NotFoundFailure detail = TEMPORAL__API__ERRORDETAILS__V1__NOT_FOUND_FAILURE__INIT;
    return status_detail(arena, status_make(arena, STATUS_NOT_FOUND, "%s", text), &detail.base);
}

struct status status_invalid(struct arena *arena, const char *format, ...) {
    FORMAT(arena, format, text);
    return status_make(arena, STATUS_INVALID_ARGUMENT, "%s", text);
}

struct status status_exhausted(struct arena *arena, int cause, int scope, const char *format, ...) {
    FORMAT(arena, format, text);
    Temporal__Api__Errordetails__V1__ResourceExhaustedFailure detail =
        TEMPORAL__API__ERRORDETAILS__V1__RESOURCE_EXHAUSTED_FAILURE__INIT;
    detail.cause = (Temporal__Api__Enums__V1__ResourceExhaustedCause)cause;
    detail.scope = (Temporal__Api__Enums__V1__ResourceExhaustedScope)scope;
    return status_detail(arena, status_make(arena, STATUS_RESOURCE_EXHAUSTED, "%s", text), &detail.base);
}

struct status status_not_ready(struct arena *arena, const char *format, ...) {
    FORMAT(arena, format, text);
    Temporal__Api__Errordetails__V1__WorkflowNotReadyFailure detail =
        TEMPORAL__API__ERRORDETAILS__V1__WORKFLOW_NOT_READY_FAILURE__INIT;
    return status_detail(arena, status_make(arena, STATUS_FAILED_PRECONDITION, "%s", text), &detail.base);
}
