/* status: how a call ended, in gRPC's terms (grpc.io/docs/guides/status-codes). */
#ifndef NORN_BASE_STATUS_H
#define NORN_BASE_STATUS_H

#include "base/arena.h"
#include "base/bytes.h"

enum status_code {
    STATUS_OK = 0,
    STATUS_CANCELLED = 1,
    STATUS_UNKNOWN = 2,
    STATUS_INVALID_ARGUMENT = 3,
    STATUS_DEADLINE_EXCEEDED = 4,
    STATUS_NOT_FOUND = 5,
    STATUS_ALREADY_EXISTS = 6,
    STATUS_PERMISSION_DENIED = 7,
    STATUS_RESOURCE_EXHAUSTED = 8,
    STATUS_FAILED_PRECONDITION = 9,
    STATUS_ABORTED = 10,
    STATUS_OUT_OF_RANGE = 11,
    STATUS_UNIMPLEMENTED = 12,
    STATUS_INTERNAL = 13,
    STATUS_UNAVAILABLE = 14,
    STATUS_DATA_LOSS = 15,
    STATUS_UNAUTHENTICATED = 16,
};

/* A status; the texts belong to the arena it was made in. A zeroed one is OK. */
struct status {
    enum status_code code;
    const char *message;
    /* The one detail SDKs read: the full name of its message type ("temporal.api.errordetails.v1.NotFoundFailure")
     * and its encoded bytes. NULL when there is none. */
    const char *detail_type;
    struct bytes detail;
};

#define STATUS_GOOD ((struct status){0})

static inline bool status_ok(struct status status) { return status.code == STATUS_OK; }
/* "NOT_FOUND" and so on; for logs, metrics and the CLI. */
const char *status_code_name(enum status_code code);
struct status status_make(struct arena *arena, enum status_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with a detail message, which is packed into the arena. Its type name is the descriptor's. */
struct status status_detail(struct arena *arena, struct status status, const ProtobufCMessage *detail);

#endif
