/* load_start: starting workflows.
 *
 * Closed loop: `in_flight` are open at any time. Open loop: workflow N is due at N / rate, whatever became of those
 * before it, and its latency counts from then, so a slow server is seen by all that it kept waiting (no coordinated
 * omission). */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "load.h"

static const int64_t CALL_NS = 30 * SECOND, AGAIN_NS = 100 * MILLISECOND, TICK_NS = MILLISECOND;

struct starting {
    struct load *load;
    int64_t due;
    struct io_op again;               /* a pause after a refusal */
};

int64_t load_due(const struct load *load, uint32_t number) {
    return number < load->due.len / sizeof(int64_t) ? ((const int64_t *)(const void *)load->due.data)[number] : 0;
}

static void start_again(struct io *io, struct io_op *op) {
    struct starting *starting = op->ctx;
    struct load *load = starting->load;
    mem_free(starting);
    if (load->starts) load_start_one(load, io_now(io));
}

static void started(struct io *io, void *ctx, struct grpc_result *result) {
    struct starting *starting = ctx;
    struct load *load = starting->load;
    bool backlog = load->options.scenario->phase == PHASE_BACKLOG;
    load->starting--;
    if (!status_ok(result->status)) {
        load_error(load, "StartWorkflowExecution", result->status);
        load->open--;
        starting->again = (struct io_op){.done = start_again, .ctx = starting};
        io_timer(io, &starting->again, io_now(io) + AGAIN_NS);
        return;
    }
    if (load->measures) load->window.started++;
    if (backlog && load->measures) hdr_add(&load->window.latency, io_now(io) - starting->due);
    mem_free(starting);
    if (backlog && load->starts && !load_has_all(load)) load_start_one(load, io_now(io));
}

void load_start_one(struct load *load, int64_t due) {
    uint32_t number = (uint32_t)(load->due.len / sizeof(int64_t));
    char id[64];
    snprintf(id, sizeof id, "bench-%" PRIx64 "-%" PRIu32, load->run, number);
    Temporal__Api__Common__V1__WorkflowType type = TEMPORAL__API__COMMON__V1__WORKFLOW_TYPE__INIT;
    Temporal__Api__Taskqueue__V1__TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    WS(StartWorkflowExecutionRequest) request = WS_INIT(START_WORKFLOW_EXECUTION_REQUEST);
    type.name = text_of("bench");
    queue.name = load->queue;
    request.namespace_ = text_of(load->options.ns);
    request.workflow_id = id;
    request.request_id = id;
    request.identity = text_of("norn-bench");
    request.workflow_type = &type;
    request.task_queue = &queue;
    struct starting *starting = MEM_NEW(struct starting);
    *starting = (struct starting){.load = load, .due = due};
    buf_append(&load->due, &due, sizeof due);
    load->open++;
    load->starting++;
    load_call(load, load->starter, "StartWorkflowExecution", &request.base, CALL_NS, started, starting);
}

static void tick(struct io *io, struct io_op *op) {
    struct load *load = op->ctx;
    if (!load->starts) return;
    int64_t now = io_now(io);
    for (;;) {
        int64_t due = load->opened_at + (int64_t)((double)load->opened * 1e9 / load->options.rate);
        if (due > now) break;
        load->opened++;
        if (load->open >= OPEN_MAX) load->overloaded++;
        else load_start_one(load, due);
    }
    io_timer(io, &load->tick, now + TICK_NS);
}

bool load_has_all(const struct load *load) {
    return load->options.count && load->due.len / sizeof(int64_t) >= load->options.count;
}

void load_start_begin(struct load *load) {
    load->starts = true;
    if (load->options.rate > 0) {
        load->opened_at = io_now(load->io);
        load->tick = (struct io_op){.done = tick, .ctx = load};
        io_timer(load->io, &load->tick, load->opened_at);
        return;
    }
    for (uint32_t i = 0; i < load->options.in_flight; i++) load_start_one(load, io_now(load->io));
}
