/* call: the end of an API request. */
#include "shard/call.h"

#include <stdarg.h>

#include "base/pbpack.h"

void call_set_reply(struct call *call, const ProtobufCMessage *response) {
    call_set_reply_bytes(call, pbpack(call->arena, response));
}

void call_set_reply_bytes(struct call *call, struct bytes response) {
    call->status = STATUS_GOOD;
    call->response = response;
}

void call_set_fail(struct call *call, struct status status) {
    CHECK(!status_ok(status));
    call->status = status;
}

void call_send(struct call *call) {
    call->on_cancel = NULL;
    call->end(call);
}

void call_reply(struct call *call, const ProtobufCMessage *response) {
    call_set_reply(call, response);
    call_send(call);
}

void call_reply_bytes(struct call *call, struct bytes response) {
    call_set_reply_bytes(call, response);
    call_send(call);
}

void call_fail_status(struct call *call, struct status status) {
    call_set_fail(call, status);
    call_send(call);
}

void call_fail(struct call *call, enum status_code code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *message = arena_vprintf(call->arena, format, args);
    va_end(args);
    call_fail_status(call, (struct status){.code = code, .message = message});
}
