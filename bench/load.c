/* load: connections, calls, and errors. */
#include "load.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/pbpack.h"

#define SERVICE "/temporal.api.workflowservice.v1.WorkflowService/"

char *text_of(const char *text) { return (char *)(uintptr_t)text; }

void load_connect(struct load *load) {
    struct grpc_client_options client = {.client_name = "norn-bench", .client_version = "1.0.0"};
    io_random(load->io, &load->run, sizeof load->run);
    snprintf(load->queue, sizeof load->queue, "bench-%" PRIx64, load->run);
    load->starter = grpc_client_create(load->io, &load->options.address, &client);
    load->worker = grpc_client_create(load->io, &load->options.address, &client);
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
