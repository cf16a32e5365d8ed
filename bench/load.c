/* load: connections, calls, and errors. */
#include "load.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/pbpack.h"

#define SERVICE "/temporal.api.workflowservice.v1.WorkflowService/"

char *text_of(const char *text) { return (char *)(uintptr_t)text; }

/* So that a scenario can have a namespace of its own; one that is there already is as good. */
static void register_namespace(struct load *load) {
    WS(RegisterNamespaceRequest) request = WS_INIT(REGISTER_NAMESPACE_REQUEST);
    Google__Protobuf__Duration retention = GOOGLE__PROTOBUF__DURATION__INIT;
    struct grpc_result result;
    ProtobufCMessage *response;
    retention.seconds = 24 * 3600;
    request.namespace_ = text_of(load->options.ns);
    request.workflow_execution_retention_period = &retention;
    grpc_call_wait(load->starter, SERVICE "RegisterNamespace", &request.base,
                   &temporal__api__workflowservice__v1__register_namespace_response__descriptor,
                   io_now(load->io) + 10 * SECOND, &result, &response);
    if (!status_ok(result.status) && result.status.code != STATUS_ALREADY_EXISTS)
        load_error(load, "RegisterNamespace", result.status);
    grpc_result_free(&result);
}

void load_connect(struct load *load) {
    struct grpc_client_options client = {.client_name = "norn-bench", .client_version = "1.0.0"};
    io_random(load->io, &load->run, sizeof load->run);
    snprintf(load->queue, sizeof load->queue, "bench-%" PRIx64, load->run);
    load->starter = grpc_client_create(load->io, &load->options.address, &client);
    load->worker = grpc_client_create(load->io, &load->options.address, &client);
    if (strcmp(load->options.ns, "default") != 0) register_namespace(load);
}

void load_call(struct load *load, struct grpc_client *client, const char *method, const ProtobufCMessage *request,
               int64_t timeout, grpc_done_fn *done, void *ctx) {
    struct arena arena = {0};
    char path[160];
    snprintf(path, sizeof path, SERVICE "%s", method);
    grpc_call(client, path, pbpack(&arena, request), io_now(load->io) + timeout, done, ctx);
    arena_free(&arena);
}

/* A server may refuse under load; the run goes on, and its report says how often. */
void load_error(struct load *load, const char *what, struct status status) {
    if (load->errors++) return;
    snprintf(load->error, sizeof load->error, "%s: %s: %s", what, status_code_name(status.code),
             status.message ? status.message : "");
}
