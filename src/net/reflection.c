/* reflection: tells clients such as grpcurl which services there are and how their messages look.
 *
 * v1 and v1alpha are the same messages under two names, so one code serves both. A file is sent alone; clients ask for
 * what it imports. */
#include <grpc/reflection/v1/reflection.pb-c.h>
#include <norn_descriptor_set.h>
#include <stdlib.h>

#include "net/field.h"
#include "net/internal.h"

typedef Grpc__Reflection__V1__ServerReflectionRequest Request;
typedef Grpc__Reflection__V1__ServerReflectionResponse Response;
typedef const struct norn_descriptor_file File;

enum { SERVICES_MAX = 32, EXTENSIONS_MAX = 256 };

/* Field numbers of google.protobuf.FileDescriptorProto and FieldDescriptorProto. */
enum { FILE_EXTENSION = 7, EXTENSION_EXTENDEE = 2, EXTENSION_NUMBER = 3 };

/* ---- the descriptors ------------------------------------------------------------------------------------------- */

static File *file_by_name(const char *name) {
    for (size_t i = 0; i < NORN_DESCRIPTOR_FILE_COUNT; i++)
        if (strcmp(norn_descriptor_files[i].name, name) == 0) return &norn_descriptor_files[i];
    return NULL;
}

static int compare_symbol(const void *name, const void *row) {
    return strcmp(name, ((const struct norn_descriptor_symbol *)row)->name);
}

static File *file_by_symbol(const char *name) {
    const struct norn_descriptor_symbol *row =
        bsearch(name, norn_descriptor_symbols, NORN_DESCRIPTOR_SYMBOL_COUNT, sizeof *row, compare_symbol);
    return row ? &norn_descriptor_files[row->file] : NULL;
}

/* The number of an encoded extension if it extends `type`; 0 otherwise. */
static int32_t extension_number(struct bytes extension, const char *type) {
    struct reader reader = reader_of(extension);
    struct bytes extendee = {0};
    int32_t number = 0;
    for (struct field field; field_next(&reader, &field);) {
        if (field.number == EXTENSION_EXTENDEE) extendee = field.bytes;
        if (field.number == EXTENSION_NUMBER) number = (int32_t)field.value;
    }
    bool same = extendee.len && extendee.data[0] == '.' &&
                bytes_equal(bytes_of(extendee.data + 1, extendee.len - 1), bytes_str(type));
    return same ? number : 0;
}

/* Numbers of the extensions of `type` in a file. */
static size_t extensions_of(File *file, const char *type, int32_t *numbers, size_t most) {
    struct reader reader = reader_of(bytes_of(file->data, file->size));
    size_t count = 0;
    for (struct field field; field_next(&reader, &field);) {
        int32_t number = field.number == FILE_EXTENSION ? extension_number(field.bytes, type) : 0;
        if (number && count < most) numbers[count++] = number;
    }
    return count;
}

static File *file_by_extension(const char *type, int32_t wanted) {
    int32_t numbers[EXTENSIONS_MAX];
    for (size_t i = 0; i < NORN_DESCRIPTOR_FILE_COUNT; i++) {
        size_t count = extensions_of(&norn_descriptor_files[i], type, numbers, EXTENSIONS_MAX);
        while (count--) if (numbers[count] == wanted) return &norn_descriptor_files[i];
    }
    return NULL;
}

/* ---- answers --------------------------------------------------------------------------------------------------- */

struct question {
    struct net_call *call;
    Request *request;
    struct arena arena;                  /* of this message: a stream may bring many */
};

static Response answer_to(struct question *q) {
    Response response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    response.valid_host = q->request->host;
    response.original_request = q->request;
    return response;
}

static void answer_error(struct question *q, enum status_code code, const char *text) {
    Response response = answer_to(q);
    Grpc__Reflection__V1__ErrorResponse error = GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;
    error.error_code = (int32_t)code;
    error.error_message = (char *)text;
    response.message_response_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    response.error_response = &error;
    net_call_stream_send(q->call, &response.base);
}

static void answer_file(struct question *q, File *file, const char *asked) {
    if (!file) {
        answer_error(q, STATUS_NOT_FOUND, arena_printf(&q->arena, "not found: %s", asked));
        return;
    }
    Response response = answer_to(q);
    Grpc__Reflection__V1__FileDescriptorResponse files = GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
    ProtobufCBinaryData data = {file->size, (uint8_t *)file->data};
    files.n_file_descriptor_proto = 1;
    files.file_descriptor_proto = &data;
    response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    response.file_descriptor_response = &files;
    net_call_stream_send(q->call, &response.base);
}

static void answer_numbers(struct question *q, const char *type) {
    int32_t numbers[EXTENSIONS_MAX];
    size_t count = 0;
    if (!file_by_symbol(type)) {
        answer_error(q, STATUS_NOT_FOUND, arena_printf(&q->arena, "not found: %s", type));
        return;
    }
    for (size_t i = 0; i < NORN_DESCRIPTOR_FILE_COUNT; i++)
        count += extensions_of(&norn_descriptor_files[i], type, numbers + count, EXTENSIONS_MAX - count);
    Response response = answer_to(q);
    Grpc__Reflection__V1__ExtensionNumberResponse list = GRPC__REFLECTION__V1__EXTENSION_NUMBER_RESPONSE__INIT;
    list.base_type_name = (char *)type;
    list.n_extension_number = count;
    list.extension_number = numbers;
    response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ALL_EXTENSION_NUMBERS_RESPONSE;
    response.all_extension_numbers_response = &list;
    net_call_stream_send(q->call, &response.base);
}

static void answer_services(struct question *q) {
    Grpc__Reflection__V1__ServiceResponse services[SERVICES_MAX], *pointers[SERVICES_MAX];
    Grpc__Reflection__V1__ListServiceResponse list = GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
    Response response = answer_to(q);
    const char *name;
    while (list.n_service < SERVICES_MAX && (name = internal_service(q->call->server, list.n_service))) {
        services[list.n_service] =
            (Grpc__Reflection__V1__ServiceResponse)GRPC__REFLECTION__V1__SERVICE_RESPONSE__INIT;
        services[list.n_service].name = (char *)name;
        pointers[list.n_service] = &services[list.n_service];
        list.n_service++;
    }
    list.service = pointers;
    response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    response.list_services_response = &list;
    net_call_stream_send(q->call, &response.base);
}

static void answer(struct question *q) {
    const Request *request = q->request;
    switch (request->message_request_case) {
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
        answer_file(q, file_by_name(request->file_by_filename), request->file_by_filename);
        break;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        answer_file(q, file_by_symbol(request->file_containing_symbol), request->file_containing_symbol);
        break;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION: {
        const Grpc__Reflection__V1__ExtensionRequest *extension = request->file_containing_extension;
        answer_file(q, file_by_extension(extension->containing_type, extension->extension_number),
                    extension->containing_type);
        break;
    }
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
        answer_numbers(q, request->all_extension_numbers_of_type);
        break;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
        answer_services(q);
        break;
    default: answer_error(q, STATUS_INVALID_ARGUMENT, "the request asks for nothing that is known here");
    }
}

void reflection_message(struct net_call *call, struct bytes message) {
    enum { QUEUE_BYTES_MAX = 4 * 1024 * 1024 };
    struct status broken = {STATUS_INVALID_ARGUMENT, "grpc: error unmarshalling request"};
    struct status full = {STATUS_RESOURCE_EXHAUSTED, "the answers are not read"};
    struct question q = {.call = call};
    q.request = grpc__reflection__v1__server_reflection_request__unpack(arena_pb(&q.arena), message.len, message.data);
    if (!q.request) net_call_stream_end(call, broken);
    else if (call->reply.len > QUEUE_BYTES_MAX) net_call_stream_end(call, full);
    else answer(&q);
    arena_free(&q.arena);
}
