/* external_payloads: a walk through the messages of an event. */
#include "shard/external_payloads.h"

#include "shard/events.h"

struct sum {
    int64_t count, bytes;
};

static void visit(const ProtobufCMessage *message, struct sum *sum);

/* Sizes are a client's word: nonsense counts as none, and a sum that is too large stays at the most. */
static int64_t add_size(int64_t sum, int64_t size) {
    if (size <= 0) return sum;
    return size > INT64_MAX - sum ? INT64_MAX : sum + size;
}

static void visit_payload(const Payload *payload, struct sum *sum) {
    for (size_t i = 0; i < payload->n_external_payloads; i++)
        sum->bytes = add_size(sum->bytes, payload->external_payloads[i]->size_bytes);
    sum->count += (int64_t)payload->n_external_payloads;
}

static void visit_field(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, struct sum *sum) {
    if (field->type != PROTOBUF_C_TYPE_MESSAGE) return;
    const uint8_t *at = (const uint8_t *)message, *quantifier = at + field->quantifier_offset;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        const ProtobufCMessage *const *items = *(const ProtobufCMessage *const *const *)(const void *)(at + field->offset);
        size_t count = *(const size_t *)(const void *)quantifier;
        for (size_t i = 0; i < count; i++) visit(items[i], sum);
        return;
    }
    bool oneof = field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
    if (oneof && *(const uint32_t *)(const void *)quantifier != field->id) return;
    const ProtobufCMessage *one = *(const ProtobufCMessage *const *)(const void *)(at + field->offset);
    if (one) visit(one, sum);
}

static void visit(const ProtobufCMessage *message, struct sum *sum) {
    const ProtobufCMessageDescriptor *type = message->descriptor;
    if (type == &temporal__api__common__v1__payload__descriptor) visit_payload((const Payload *)(const void *)message, sum);
    else if (type != &temporal__api__common__v1__search_attributes__descriptor) {
        for (unsigned i = 0; i < type->n_fields; i++) visit_field(message, &type->fields[i], sum);
    }
}

void external_payloads_count(struct exec *exec, const HistoryEvent *event) {
    switch (event->event_type) {
    case EVENT(WORKFLOW_TASK_SCHEDULED):
    case EVENT(WORKFLOW_TASK_STARTED):
    case EVENT(WORKFLOW_TASK_COMPLETED):
    case EVENT(TIMER_STARTED):
    case EVENT(TIMER_FIRED): return;       /* the most frequent ones have none */
    default: break;
    }
    struct sum sum = {0};
    unsigned attributes = (unsigned)event->attributes_case;      /* the number of the field that is set */
    visit_field(&event->base, protobuf_c_message_descriptor_get_field(event->base.descriptor, attributes), &sum);
    if (event->user_metadata) visit(&event->user_metadata->base, &sum);
    if (!sum.count) return;
    exec->info->external_payload_count += sum.count;
    exec->info->external_payload_bytes = add_size(exec->info->external_payload_bytes, sum.bytes);
    exec_touch(exec, STATE_INFO);
}
