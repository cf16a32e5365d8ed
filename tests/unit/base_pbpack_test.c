/* Messages of every shape come out as protobuf-c packs them, in an arena, in a buffer, and as a field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/pbpack.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

static const ProtobufCMessageDescriptor *const types[] = {
    &temporal__api__history__v1__history_event__descriptor,
    &temporal__api__workflowservice__v1__start_workflow_execution_request__descriptor,
    &temporal__api__workflowservice__v1__poll_workflow_task_queue_response__descriptor,
    &temporal__api__workflowservice__v1__respond_workflow_task_completed_request__descriptor,
    &temporal__api__workflowservice__v1__describe_task_queue_response__descriptor,
    &google__protobuf__field_descriptor_proto__descriptor,       /* proto2: optional members with has_ */
    &google__protobuf__uninterpreted_option__descriptor,         /* required members, a double */
};

static uint64_t draw(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static ProtobufCMessage *make(struct arena *arena, const ProtobufCMessageDescriptor *type, uint64_t *seed, int depth);

static void fill_value(struct arena *arena, const ProtobufCFieldDescriptor *field, void *member, uint64_t *seed, int depth) {
    static const uint64_t numbers[] = {0, 1, 127, 128, 300, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX};
    uint64_t number = numbers[draw(seed) % ARRAY_LEN(numbers)];
    size_t len = draw(seed) % 8 == 0 ? draw(seed) % 20000 : draw(seed) % 40;
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL: *(protobuf_c_boolean *)member = number & 1; return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64: *(uint64_t *)member = number; return;
    case PROTOBUF_C_TYPE_DOUBLE: *(double *)member = (double)(number & 0xffff); return;
    case PROTOBUF_C_TYPE_FLOAT: *(float *)member = (float)(number & 0xff); return;
    case PROTOBUF_C_TYPE_STRING: {
        char *text = arena_alloc(arena, len + 1);
        memset(text, 'x', len);
        *(char **)member = text;
        return;
    }
    case PROTOBUF_C_TYPE_BYTES: *(ProtobufCBinaryData *)member = (ProtobufCBinaryData){len, arena_alloc(arena, len)}; return;
    case PROTOBUF_C_TYPE_MESSAGE: *(ProtobufCMessage **)member = make(arena, field->descriptor, seed, depth - 1); return;
    default: *(uint32_t *)member = (uint32_t)number; return;
    }
}

static size_t size_of(const ProtobufCFieldDescriptor *field) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_ENUM: return 4;
    default: return 8;
    }
}

static ProtobufCMessage *make(struct arena *arena, const ProtobufCMessageDescriptor *type, uint64_t *seed, int depth) {
    ProtobufCMessage *message = arena_alloc(arena, type->sizeof_message);
    protobuf_c_message_init(type, message);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        uint8_t *member = (uint8_t *)message + field->offset, *quantifier = (uint8_t *)message + field->quantifier_offset;
        bool required = field->label == PROTOBUF_C_LABEL_REQUIRED;
        if (!required && (draw(seed) % 3 || (depth == 0 && field->type == PROTOBUF_C_TYPE_MESSAGE))) continue;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t count = draw(seed) % 4;
            uint8_t *array = arena_alloc(arena, count * size_of(field));
            for (size_t j = 0; j < count; j++) fill_value(arena, field, array + j * size_of(field), seed, depth);
            *(size_t *)(void *)quantifier = count;
            *(uint8_t **)(void *)member = array;
            continue;
        }
        fill_value(arena, field, member, seed, depth);
        if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) *(uint32_t *)(void *)quantifier = field->id;
        else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->quantifier_offset)
            *(protobuf_c_boolean *)quantifier = draw(seed) & 1;
    }
    if (draw(seed) % 4 == 0) {
        message->n_unknown_fields = 1;
        message->unknown_fields = ARENA_NEW(arena, ProtobufCMessageUnknownField);
        message->unknown_fields[0] = (ProtobufCMessageUnknownField){4000, PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, 4,
                                                                   arena_copy(arena, "\3abc", 4)};
    }
    return message;
}

static void assert_same(struct bytes packed, struct bytes expected) {
    assert_int_equal(packed.len, expected.len);
    if (expected.len) assert_memory_equal(packed.data, expected.data, expected.len);
}

static void check(const ProtobufCMessageDescriptor *type, uint64_t seed) {
    struct arena arena = {0}, out = {0};
    ProtobufCMessage *message = make(&arena, type, &seed, 3);
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *data = arena_alloc(&arena, len + 16);
    protobuf_c_message_pack(message, data);
    struct bytes expected = bytes_of(data, len);
    assert_same(pbpack(&out, message), expected);
    assert_same(pbpack(&out, message), expected);                /* not at the beginning of a block */
    struct bytes behind = pbpack_behind(&out, 5, message);
    assert_same(bytes_of(behind.data + 5, behind.len - 5), expected);
    uint8_t *after = arena_alloc(&out, 64);                      /* zeroed, whatever was tried in its place */
    for (size_t i = 0; i < 64; i++) assert_int_equal(after[i], 0);
    struct buf buf = {0};
    pbpack_append(&buf, message);
    assert_same(buf_bytes(&buf), expected);
    pbpack_append_field(&buf, 7, message);
    struct reader reader = reader_of(bytes_of(buf.data + len, buf.len - len));
    assert_int_equal(read_varint(&reader), 7 << 3 | 2);
    assert_int_equal(read_varint(&reader), len);
    assert_same(reader.left, expected);
    buf_free(&buf);
    arena_free(&out);
    arena_free(&arena);
}

static void every_shape(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        for (uint64_t seed = 1; seed <= 150; seed++) check(types[i], seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_shape)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
