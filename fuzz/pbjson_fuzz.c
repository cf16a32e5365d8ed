/* JSON into messages and back: any text is taken or refused with a message; what is taken can be packed, unpacked, and
 * written as JSON that reads back as the same. */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/json.h"
#include "base/pbjson.h"
#include "temporal/api/history/v1/message.pb-c.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const ProtobufCMessage *message, struct arena *arena) {
    struct buf first = {0}, second = {0}, packed = {0};
    struct status status = {0};
    pbjson_write(&first, message, PBJSON_SHORTHAND);
    ProtobufCMessage *again = pbjson_read(buf_bytes(&first), message->descriptor, arena, &status);
    CHECKF(again, "%s: %s", status.message, buf_cstr(&first));
    pbjson_write(&second, again, PBJSON_SHORTHAND);
    CHECKF(bytes_equal(buf_bytes(&first), buf_bytes(&second)), "\n%s\n%s", buf_cstr(&first), buf_cstr(&second));
    buf_reserve(&packed, protobuf_c_message_get_packed_size(message) + 1);
    packed.len = protobuf_c_message_pack(message, packed.data);
    CHECK(protobuf_c_message_unpack(message->descriptor, arena_pb(arena), packed.len, packed.data));
    buf_clear(&second);
    json_indent(buf_bytes(&first), &second);
    buf_free(&packed);
    buf_free(&first);
    buf_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const ProtobufCMessageDescriptor *const types[] = {
        &temporal__api__workflowservice__v1__start_workflow_execution_request__descriptor,
        &temporal__api__workflowservice__v1__describe_workflow_execution_response__descriptor,
        &temporal__api__history__v1__history__descriptor,
        &temporal__api__workflowservice__v1__update_namespace_request__descriptor,
    };
    if (size == 0) return 0;
    struct arena arena = {0};
    struct status status = {0};
    const ProtobufCMessageDescriptor *type = types[data[0] % ARRAY_LEN(types)];
    ProtobufCMessage *message = pbjson_read(bytes_of(data + 1, size - 1), type, &arena, &status);
    CHECK(message || (status.message && *status.message));
    if (message) check_again(message, &arena);
    arena_free(&arena);
    return 0;
}
