/* load_polls: many idle long polls, each on a task queue with company, spread over connections. */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "load.h"

enum { POLLS_PER_QUEUE = 100 };
static const int64_t POLL_NS = 70 * SECOND, SETTLE_NS = 3 * SECOND;

static void ended(struct io *io, void *ctx, struct grpc_result *result) {
    (void)io;
    struct load *load = ctx;
    load->polls_open--;
    if (status_ok(result->status) || load->stopping) return;
    load->polls_failed++;
    load_error(load, "PollWorkflowTaskQueue", result->status);
}

static void poll(struct load *load, struct grpc_client *client, uint32_t number) {
    char name[80];
    Temporal__Api__Taskqueue__V1__TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    WS(PollWorkflowTaskQueueRequest) request = WS_INIT(POLL_WORKFLOW_TASK_QUEUE_REQUEST);
    snprintf(name, sizeof name, "%s-%" PRIu32, load->queue, number / POLLS_PER_QUEUE);
    queue.name = name;
    request.namespace_ = text_of(load->options.ns);
    request.identity = text_of("norn-bench");
    request.task_queue = &queue;
    load->polls_open++;
    load_call(load, client, "PollWorkflowTaskQueue", &request.base, POLL_NS, ended, load);
}

void load_polls(struct load *load) {
    struct grpc_client_options options = {.client_name = "norn-bench", .client_version = "1.0.0"};
    struct grpc_client *client = NULL;
    uint32_t each = (load->options.polls + load->options.connections - 1) / load->options.connections;
    load->window.from = process_sample(load->io, load->options.pid);
    for (uint32_t i = 0; i < load->options.polls; i++) {
        if (i % each == 0) {
            client = grpc_client_create(load->io, &load->options.address, &options);
            fiber_sleep_until(load->io, io_now(load->io) + 2 * MILLISECOND);
        }
        poll(load, client, i);
    }
    fiber_sleep_until(load->io, io_now(load->io) + SETTLE_NS);
    load->window.to = process_sample(load->io, load->options.pid);
    load->stopping = true;
}
