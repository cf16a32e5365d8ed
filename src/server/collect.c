/* collect: the server's metrics, written onto a page at each scrape. */
#include <stdio.h>

#include "base/mem.h"
#include "server/internal.h"
#include "telemetry/metrics.h"

static void collect_calls(const struct frontend *frontend, struct metrics_page *page) {
    size_t count;
    const struct api_method *methods = api_table_methods(frontend->table, &count);
    for (size_t i = 0; i < count; i++) {
        uint64_t total = 0;
        for (unsigned code = 0; code < API_STATUS_CODES; code++) {
            uint64_t calls = frontend->requests[i * API_STATUS_CODES + code];
            if (!calls) continue;
            total += calls;
            struct metrics_label labels[] = {{"method", bytes_str(methods[i].name)},
                                             {"code", bytes_str(status_code_name((enum status_code)code))}, {0}};
            metrics_counter(page, "norn_requests", "API calls that ended, by method and gRPC status", labels,
                            (double)calls);
        }
        if (!total) continue;
        struct metrics_label labels[] = {{"method", bytes_str(methods[i].name)}, {0}};
        metrics_counter(page, "norn_request_seconds", "Time that API calls took, long polls included", labels,
                        (double)frontend->latency_ns[i] / 1e9);
    }
}

static void collect_turns(const struct fair *fair, struct metrics_page *page) {
    metrics_gauge(page, "norn_calls_waiting_turn", "Calls that wait for the turn of their namespace", NULL,
                  (double)fair->waiting);
    metrics_counter(page, "norn_calls_refused_turn", "Calls refused as too many of their namespace waited", NULL,
                    (double)fair->refused);
}

static void collect_engine(const struct engine *engine, struct metrics_page *page) {
    struct engine_stats stats = engine_stats(engine);
    metrics_gauge(page, "norn_executions_open", "Open executions in memory", NULL, (double)stats.open);
    metrics_gauge(page, "norn_executions_resident", "Executions in memory", NULL, (double)stats.resident);
    metrics_gauge(page, "norn_executions_resident_bytes", "Memory of executions, about", NULL, (double)stats.resident_bytes);
    metrics_gauge(page, "norn_deadlines", "Executions with a deadline", NULL, (double)stats.deadlines);
    metrics_counter(page, "norn_transitions", "Changes of executions", NULL, (double)stats.transitions);
    metrics_counter(page, "norn_workflows_started", "Runs that began", NULL, (double)stats.workflows_started);
    metrics_counter(page, "norn_workflows_closed", "Runs that ended", NULL, (double)stats.workflows_closed);
    metrics_counter(page, "norn_execution_loads", "Executions read back from the store", NULL, (double)stats.loads);
    metrics_counter(page, "norn_execution_loads_failed", "Reads of executions that failed", NULL, (double)stats.loads_failed);
    metrics_gauge(page, "norn_execution_loads_waiting", "Reads of executions that wait for memory", NULL,
                  (double)stats.loads_waiting);
    metrics_counter(page, "norn_execution_evictions", "Executions that left memory", NULL, (double)stats.evictions);
}

static void collect_queues(const struct queues *queues, struct metrics_page *page) {
    static const struct {
        enum queue_type type;
        const char *name;
    } types[] = {{QUEUE_WORKFLOW, "workflow"}, {QUEUE_ACTIVITY, "activity"}};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct queue_totals totals = queues_totals(queues, types[i].type);
        struct metrics_label labels[] = {{"task_type", bytes_str(types[i].name)}, {0}};
        metrics_gauge(page, "norn_task_queues", "Task queues in memory", labels, (double)totals.queues);
        metrics_gauge(page, "norn_task_queue_backlog", "Tasks that wait for a worker", labels, (double)totals.backlog);
        metrics_gauge(page, "norn_task_queue_polls", "Polls of workers that wait for a task", labels, (double)totals.polls);
        metrics_gauge_max(page, "norn_task_queue_backlog_age_seconds", "Age of the oldest task that waits for a worker", labels,
                          (double)totals.backlog_age_ns / 1e9);
    }
}

static void collect_net(const struct net_server *net, struct metrics_page *page) {
    struct net_stats stats = net_server_stats(net);
    metrics_gauge(page, "norn_connections_open", "Open connections", NULL, (double)stats.connections_open);
    metrics_counter(page, "norn_connections", "Connections accepted", NULL, (double)stats.connections_total);
    metrics_counter(page, "norn_connections_refused", "Connections refused at a limit", NULL, (double)stats.refused);
    metrics_gauge(page, "norn_calls_open", "Calls that wait for their answer", NULL, (double)stats.calls_open);
    metrics_counter(page, "norn_bytes_received", "Bytes from clients", NULL, (double)stats.bytes_in);
    metrics_counter(page, "norn_bytes_sent", "Bytes to clients", NULL, (double)stats.bytes_out);
}

static void collect_store(const struct store *store, struct metrics_page *page) {
    struct store_stats stats = store_stats(store);
    metrics_counter(page, "norn_journal_records", "Records appended to the journal", NULL, (double)stats.records);
    metrics_counter(page, "norn_journal_bytes", "Bytes appended to the journal", NULL, (double)stats.journal_bytes);
    metrics_gauge(page, "norn_journal_segments", "Segments of the journal on disk", NULL, (double)stats.journal_segments);
    metrics_counter(page, "norn_commits", "Group commits", NULL, (double)stats.commits);
    metrics_counter(page, "norn_datasyncs", "Data syncs", NULL, (double)stats.datasyncs);
    metrics_gauge(page, "norn_commit_seconds", "Duration of the last group commit", NULL, (double)stats.commit_ns_last / 1e9);
    metrics_gauge(page, "norn_datasync_seconds", "Duration of the last data sync", NULL, (double)stats.datasync_ns_last / 1e9);
    metrics_counter(page, "norn_checkpoints", "Checkpoints completed", NULL, (double)stats.checkpoints);
    metrics_gauge(page, "norn_checkpoint_seconds", "Duration of the last checkpoint", NULL,
                  (double)stats.checkpoint_ns_last / 1e9);
    metrics_gauge(page, "norn_checkpoint_lag_seconds", "Age of the oldest change that only the journal holds", NULL,
                  (double)stats.checkpoint_lag_ns / 1e9);
    metrics_gauge(page, "norn_checkpoint_lag_bytes", "Journal bytes since the last checkpoint", NULL,
                  (double)stats.bytes_since_checkpoint);
    metrics_counter(page, "norn_store_read_errors", "Reads of the database that failed", NULL, (double)stats.read_errors);
    metrics_counter(page, "norn_images", "Images of executions written", NULL, (double)stats.images);
    metrics_gauge(page, "norn_disk_free_bytes", "Free space of the data folder's disk", NULL, (double)stats.disk_free);
    metrics_gauge(page, "norn_disk_full", "1 while writes are refused for want of space", NULL, stats.full);
}

/* Which shards this loop owns. */
static void collect_shards(struct io *io, const struct server *server, struct metrics_page *page) {
    unsigned count = route_shard_count(server->route);
    for (unsigned shard = 0; shard < count; shard++) {
        uint64_t hash = (uint64_t)(((unsigned __int128)shard << 64) / count) + 1;
        if (route_loop(server->route, hash) != io_loop_index(io)) continue;
        char number[16];
        snprintf(number, sizeof number, "%u", shard);
        struct metrics_label labels[] = {{"shard_id", bytes_str(number)}, {"host", bytes_str(io_hostname(io))}, {0}};
        metrics_gauge(page, "history_shard_ownership", "1: this host owns the shard", labels, 1);
    }
}

static void collect(struct io *io, void *ctx, struct metrics_page *page) {
    struct server_loop *loop = ctx;
    collect_calls(loop->frontend, page);
    collect_turns(&loop->frontend->fair, page);
    collect_engine(loop->engine, page);
    collect_queues(loop->queues, page);
    collect_shards(io, loop->server, page);
    if (loop->net) collect_net(loop->net, page);
    metrics_counter(page, "norn_io_turns", "Turns of the event loops", NULL, (double)io_stats(io)->turns);
    metrics_counter(page, "norn_io_ops", "Operations submitted", NULL, (double)io_stats(io)->ops);
    if (io_loop_index(io) != 0) return;
    collect_store(loop->server->store, page);
    metrics_gauge(page, "norn_resident_memory_bytes", "Resident memory of the process", NULL, (double)io_resident_bytes(io));
    metrics_gauge(page, "norn_heap_bytes", "Heap memory in use", NULL, (double)io_shared(io, mem_used()));
    metrics_counter(page, "norn_cpu_seconds", "CPU time of the process", NULL, (double)io_cpu_ns(io) / 1e9);
}

void server_collect(struct server_loop *loop) {
    loop->collector = (struct metrics_collector){.collect = collect, .ctx = loop};
    metrics_register(loop->io, &loop->collector);
}
