/* Every request's decoder: the first two bytes choose an RPC and what comes next decides nothing else; the rest is its
 * message. What was unpacked must be the same after it was packed and unpacked again. */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "frontend/frontend.h"
#include "frontend/wire_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bytes packed(const ProtobufCMessage *message, struct arena *arena) {
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *out = arena_alloc(arena, size + 1);
    CHECK(protobuf_c_message_pack(message, out) == size);
    return bytes_of(out, size);
}

static void check_again(struct bytes bytes, const ProtobufCMessageDescriptor *type, struct arena *arena) {
    ProtobufCMessage *message = protobuf_c_message_unpack(type, arena_pb(arena), bytes.len, bytes.data);
    /* protobuf-c cannot merge a message that comes twice in one field when it has a oneof that is not set; the frontend
     * answers such a request with an error. */
    if (!message) return;
    struct bytes first = packed(message, arena);
    const char *problem = wire_check(first, type, arena);
    CHECKF(!problem, "%s: our own encoding: %s", type->name, problem);
    message = protobuf_c_message_unpack(type, arena_pb(arena), first.len, first.data);
    CHECKF(message, "%s: our own encoding cannot be unpacked", type->name);
    CHECKF(bytes_equal(first, packed(message, arena)), "%s: not the same after a second round", type->name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct api_table *table;
    if (!table) table = api_table_create();
    if (size < 2) return 0;
    size_t count;
    const struct api_method *methods = api_table_methods(table, &count);
    const ProtobufCMessageDescriptor *type = methods[(data[0] | (size_t)data[1] << 8) % count].request;
    struct bytes message = bytes_of(data + 2, size - 2);
    struct arena arena = {0};
    const char *problem = wire_check(message, type, &arena);
    CHECK(!problem || *problem);
    if (!problem) check_again(message, type, &arena);
    arena_free(&arena);
    return 0;
}
