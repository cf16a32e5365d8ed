/* workload: what workflows and task queues do, as metrics with labels. Names chosen by users are labels, so each family has a
 * limit of series; what comes beyond it is summed as "_other". */
#include "telemetry/workload.h"

#include "base/mem.h"
#include "telemetry/workload_internal.h"

enum { SERIES_MAX = 2000 };

struct workload {
    struct series_set durations, replays, latencies;
};

struct workload *workload_create(void) {
    struct workload *workload = MEM_NEW(struct workload);
    series_set_init(&workload->durations, true, SERIES_MAX,
                    (const char *const[]){"namespace", "workflow_type", "status", NULL});
    series_set_init(&workload->replays, false, SERIES_MAX, (const char *const[]){"namespace", "workflow_type", NULL});
    series_set_init(&workload->latencies, true, SERIES_MAX, (const char *const[]){"queue_name", "task_type", NULL});
    return workload;
}

void workload_destroy(struct workload *workload) {
    series_set_free(&workload->durations);
    series_set_free(&workload->replays);
    series_set_free(&workload->latencies);
    mem_free(workload);
}

void workload_collect(const struct workload *workload, struct metrics_page *page) {
    metrics_series(page, "workflow_duration_seconds", "Time from a run's start to its end", &workload->durations);
    metrics_series(page, "workflow_replay_count", "Workflow tasks that sent a worker the whole history", &workload->replays);
    metrics_series(page, "task_queue_latency_seconds", "Time from a task's schedule to its worker", &workload->latencies);
}

void workload_workflow_closed(struct io *io, const char *namespace_name, const char *workflow_type, const char *status,
                              int64_t duration_ns) {
    struct workload *workload = workload_of(io);
    const struct bytes values[] = {bytes_str(namespace_name), bytes_str(workflow_type), bytes_str(status)};
    if (workload) series_observe(&workload->durations, values, duration_ns);
}

void workload_workflow_replayed(struct io *io, const char *namespace_name, const char *workflow_type) {
    struct workload *workload = workload_of(io);
    const struct bytes values[] = {bytes_str(namespace_name), bytes_str(workflow_type)};
    if (workload) series_count(&workload->replays, values, 1);
}

void workload_task_matched(struct io *io, struct bytes queue_name, const char *task_type, int64_t waited_ns) {
    struct workload *workload = workload_of(io);
    const struct bytes values[] = {queue_name, bytes_str(task_type)};
    if (workload) series_observe(&workload->latencies, values, waited_ns > 0 ? waited_ns : 0);
}
