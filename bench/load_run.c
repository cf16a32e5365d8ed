/* load_run: the phases of a scenario, on the fiber. */
#include "base/mem.h"
#include "load.h"
#include "micro.h"

enum { WARM_LEAST = 3, STEADY_LEAST = 20 };
static const int64_t LOOK_NS = 100 * MILLISECOND, MORE_NS = 15 * SECOND, LEFT_NS = 15 * SECOND;
static const int64_t DRAIN_NS = 600 * SECOND;

/* For `seconds`, and then until `least` have completed, but not for ever: a slow server has its figures too. */
static void wait_for(struct load *load, double seconds, uint64_t least, const char *phase) {
    int64_t now = io_now(load->io), end = now + (int64_t)(seconds * 1e9), last = end + MORE_NS;
    uint64_t goal = load->ended + least;
    while ((now = io_now(load->io)) < end || (load->ended < goal && now < last)) {
        int64_t next = now + LOOK_NS;
        fiber_sleep_until(load->io, now < end && end < next ? end : next);
        report_progress(load, phase);
    }
}

static void wait_until_done(struct load *load, int64_t longest, const char *phase) {
    int64_t end = io_now(load->io) + longest;
    while (load->open && io_now(load->io) < end) {
        fiber_sleep_until(load->io, io_now(load->io) + LOOK_NS);
        report_progress(load, phase);
    }
}

/* All of --count, however long that takes; the window is all of it. */
static void run_count(struct load *load) {
    load->window.from = process_sample(load->io, load->options.pid);
    load->measures = true;
    load_worker_begin(load);
    load_start_begin(load);
    while (!load_has_all(load) || load->open) {
        fiber_sleep_until(load->io, io_now(load->io) + LOOK_NS);
        report_progress(load, "all of them");
    }
    load->window.to = process_sample(load->io, load->options.pid);
}

/* Completions count from the first sample on until the last: the same stretch as the CPU and the bytes. */
static void run_loop(struct load *load) {
    load_worker_begin(load);
    load_start_begin(load);
    if (load->options.scenario->phase == PHASE_LISTS) load_list_begin(load);
    wait_for(load, load->options.warm_up, WARM_LEAST, "warm-up");
    load->window.from = process_sample(load->io, load->options.pid);
    load->measures = true;
    wait_for(load, load->options.seconds, STEADY_LEAST, "steady");
    load->measures = false;
    load->window.to = process_sample(load->io, load->options.pid);
    load->starts = false;
    wait_until_done(load, LEFT_NS, "ending");
}

static void run_backlog(struct load *load) {
    load->window.from = process_sample(load->io, load->options.pid);
    load->measures = true;
    load_start_begin(load);
    if (!load->options.count) wait_for(load, load->options.seconds, 0, "starts");
    while (load->options.count && !load_has_all(load)) {
        fiber_sleep_until(load->io, io_now(load->io) + LOOK_NS);
        report_progress(load, "starts");
    }
    load->starts = false;
    while (load->starting) fiber_sleep_until(load->io, io_now(load->io) + MILLISECOND);
    load->window.to = process_sample(load->io, load->options.pid);
    load->second.from = load->window.to;
    load_worker_begin(load);
    int64_t end = io_now(load->io) + DRAIN_NS;
    while (load->open && io_now(load->io) < end) fiber_sleep_until(load->io, io_now(load->io) + 10 * MILLISECOND);
    load->second.to = process_sample(load->io, load->options.pid);
}

/* Asks until somebody answers. */
static void run_serving(struct load *load) {
    struct grpc_client_options options = {.client_name = "norn-bench", .client_version = "1.0.0"};
    WS(GetSystemInfoRequest) request = WS_INIT(GET_SYSTEM_INFO_REQUEST);
    int64_t end = io_now(load->io) + 60 * SECOND;
    while (!load->serving_at && io_now(load->io) < end) {
        struct grpc_client *client = grpc_client_create(load->io, &load->options.address, &options);
        struct grpc_result result;
        ProtobufCMessage *response;
        grpc_call_wait(client, "/temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo", &request.base,
                       &temporal__api__workflowservice__v1__get_system_info_response__descriptor,
                       io_now(load->io) + SECOND, &result, &response);
        if (status_ok(result.status)) load->serving_at = (double)io_wall(load->io) / 1e9;
        grpc_result_free(&result);
        grpc_client_close(client, NULL, NULL);
        if (!load->serving_at) fiber_sleep_until(load->io, io_now(load->io) + MILLISECOND);
    }
}

bool load_run(struct load *load) {
    if (load->options.scenario->phase == PHASE_MICRO)
        return micro_run(load->io, load->options.part, load->options.seconds, load->options.rounds);
    switch (load->options.scenario->phase) {
    case PHASE_LOOP:
    case PHASE_LISTS:
        load_connect(load);
        if (load->options.count) run_count(load);
        else run_loop(load);
        break;
    case PHASE_IDLE: load_connect(load); run_count(load); break;
    case PHASE_BACKLOG: load_connect(load); run_backlog(load); break;
    case PHASE_POLLS: load_connect(load); load_polls(load); break;
    case PHASE_SERVING: run_serving(load); break;
    case PHASE_DISK: disk_run(load); break;
    case PHASE_MICRO: break;
    }
    load->stopping = true;
    report_print(load);
    return true;
}
