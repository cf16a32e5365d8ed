/* layers: the statistics of each layer as metrics. */
#include "telemetry/layers.h"

#include "base/mem.h"

static double seconds(int64_t ns) { return (double)ns / 1e9; }

void metrics_of_process(struct io *io, struct metrics_page *page) {
    const struct metrics_label version[] = {{"version", bytes_str(NORN_VERSION)}, {NULL, {NULL, 0}}};
    metrics_gauge(page, "norn_build", "The program that runs; always 1", version, 1);
    metrics_gauge(page, "process_resident_memory_bytes", "Resident memory", NULL, (double)io_resident_bytes(io));
    metrics_gauge(page, "norn_memory_used_bytes", "Memory in use, as handed out", NULL, (double)mem_used());
    metrics_counter(page, "process_cpu_seconds", "User and system time", NULL, seconds(io_cpu_ns(io)));
    metrics_gauge(page, "norn_loops", "Loops that serve", NULL, io_loop_count(io));
}

void metrics_of_loop(struct io *io, struct metrics_page *page) {
    const struct io_stats *stats = io_stats(io);
    metrics_counter(page, "norn_io_turns", "Turns of the loops", NULL, (double)stats->turns);
    metrics_counter(page, "norn_io_enters", "Calls into the kernel's ring", NULL, (double)stats->enters);
    metrics_counter(page, "norn_io_ops", "Operations submitted", NULL, (double)stats->ops);
    metrics_counter(page, "norn_io_datasyncs", "Data syncs submitted", NULL, (double)stats->datasyncs);
    metrics_counter(page, "norn_io_written_bytes", "Bytes written to files", NULL, (double)stats->bytes_written);
    metrics_counter(page, "norn_io_sent_bytes", "Bytes sent to sockets", NULL, (double)stats->bytes_sent);
    metrics_counter(page, "norn_io_received_bytes", "Bytes received from sockets", NULL, (double)stats->bytes_received);
    metrics_counter(page, "norn_io_posts", "Messages between loops", NULL, (double)stats->posts);
}

void metrics_of_net(struct metrics_page *page, const struct net_stats *stats) {
    metrics_gauge(page, "norn_connections_open", "Open connections", NULL, (double)stats->connections_open);
    metrics_counter(page, "norn_connections", "Connections accepted", NULL, (double)stats->connections_total);
    metrics_counter(page, "norn_connections_refused", "Connections and calls refused by a limit of the wire", NULL,
                    (double)stats->refused);
    metrics_gauge(page, "norn_calls_open", "Calls without an answer yet, long polls among them", NULL,
                  (double)stats->calls_open);
    metrics_counter(page, "norn_calls", "Calls received", NULL, (double)stats->calls_total);
}

void metrics_of_engine(struct metrics_page *page, const struct engine_stats *stats) {
    metrics_gauge(page, "norn_cache_executions", "Executions in memory", NULL, (double)stats->resident);
    metrics_gauge(page, "norn_cache_bytes", "Memory that executions take", NULL, (double)stats->resident_bytes);
    metrics_counter(page, "norn_cache_loads", "Executions loaded from the database", NULL, (double)stats->loads);
    metrics_counter(page, "norn_cache_evictions", "Executions that left memory", NULL, (double)stats->evictions);
    metrics_gauge(page, "norn_workflows_open", "Open workflow runs", NULL, (double)stats->open);
    metrics_counter(page, "norn_workflows_started", "Workflow runs started", NULL, (double)stats->workflows_started);
    metrics_counter(page, "norn_workflows_closed", "Workflow runs closed", NULL, (double)stats->workflows_closed);
    metrics_counter(page, "norn_transitions", "State changes", NULL, (double)stats->transitions);
    metrics_gauge(page, "norn_deadlines", "Timers and timeouts that wait", NULL, (double)stats->deadlines);
}

void metrics_of_store(struct metrics_page *page, const struct store_stats *stats) {
    metrics_counter(page, "norn_journal_records", "Records appended", NULL, (double)stats->records);
    metrics_counter(page, "norn_commits", "Groups of records that became durable", NULL, (double)stats->commits);
    metrics_counter(page, "norn_datasyncs", "Data syncs of the journal", NULL, (double)stats->datasyncs);
    metrics_gauge(page, "norn_commit_last_seconds", "The last commit, from its first record", NULL,
                  seconds(stats->commit_ns_last));
    metrics_gauge(page, "norn_datasync_last_seconds", "The last data sync", NULL, seconds(stats->datasync_ns_last));
    metrics_gauge(page, "norn_journal_bytes", "Bytes of journal on the disk", NULL, (double)stats->journal_bytes);
    metrics_gauge(page, "norn_journal_segments", "Files of the journal", NULL, (double)stats->journal_segments);
    metrics_counter(page, "norn_checkpoints", "Checkpoints into the database", NULL, (double)stats->checkpoints);
    metrics_gauge(page, "norn_checkpoint_last_seconds", "The last checkpoint", NULL,
                  seconds(stats->checkpoint_ns_last));
    metrics_gauge(page, "norn_checkpoint_lag_seconds", "Age of the oldest change that only the journal holds", NULL,
                  seconds(stats->checkpoint_lag_ns));
    metrics_gauge(page, "norn_checkpoint_lag_bytes", "Journal since the last checkpoint", NULL,
                  (double)stats->bytes_since_checkpoint);
    metrics_counter(page, "norn_images", "Executions written to the database", NULL, (double)stats->images);
    metrics_gauge(page, "norn_disk_free_bytes", "Free space where the data is", NULL, (double)stats->disk_free);
    metrics_gauge(page, "norn_disk_full", "1: writes are refused, for the disk is full", NULL, stats->full);
}
