/* status: how a call ended, in gRPC's terms. */
#include "base/status.h"

#include "base/check.h"
#include "base/pbpack.h"

const char *status_code_name(enum status_code code) {
    static const char *const names[] = {
        "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
        "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
        "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
    };
    return (unsigned)code < ARRAY_LEN(names) ? names[code] : "UNKNOWN";
}

struct status status_make(struct arena *arena, enum status_code code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    struct status status = {.code = code, .message = arena_vprintf(arena, format, args)};
    va_end(args);
    return status;
}

struct status status_detail(struct arena *arena, struct status status, const ProtobufCMessage *detail) {
    status.detail_type = detail->descriptor->name;
    status.detail = pbpack(arena, detail);
    return status;
}
