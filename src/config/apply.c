/* apply: settings in the terms of each layer. The table's limits are within each field's range. */
#include "config/apply.h"

struct net_limits config_net_limits(const struct config *config) {
    return (struct net_limits){
        .connections_max = (uint32_t)config->net_connections_max,
        .streams_per_connection_max = (uint32_t)config->net_streams_max,
        .header_bytes_max = (uint32_t)config->net_header_bytes_max,
        .request_bytes_max = (uint32_t)config->net_request_bytes_max,
        .send_buffer_bytes_max = (uint32_t)config->net_send_buffer_bytes_max,
        .handshake_ns_max = config->net_handshake_max,
        .idle_ns_max = config->net_idle_max,
        .keepalive_ns = config->net_keepalive,
        .keepalive_answer_ns = config->net_keepalive_answer,
        .drain_ns_max = config->net_drain_max,
    };
}

struct engine_limits config_engine_limits(const struct config *config, unsigned loops) {
    CHECK(loops > 0);
    return (struct engine_limits){
        .memory_bytes = config->memory / loops,
        .blob_size_limit_error = (uint32_t)config->blob_size_error,
        .memo_size_limit_error = (uint32_t)config->memo_size_error,
        .id_length_max = (uint32_t)config->id_length_max,
        .pending_activities_max = (uint32_t)config->pending_activities_max,
        .pending_signals_max = (uint32_t)config->pending_signals_max,
        .signals_per_execution_max = (uint32_t)config->signals_per_execution_max,
        .history_count_max = (uint32_t)config->history_count_error,
        .history_size_max = config->history_size_error,
        .buffered_events_max = (uint32_t)config->buffered_events_max,
        .buffered_queries_max = (uint32_t)config->buffered_queries_max,
    };
}

struct store_options config_store_options(const struct config *config) {
    return (struct store_options){
        .dir = config->data,
        .segment_bytes = config->store_segment,
        .reserve_bytes = config->store_reserve,
        .checkpoint_bytes = config->store_checkpoint_bytes,
        .checkpoint_ns = config->store_checkpoint_interval,
        .no_datasync = config->store_no_datasync,
    };
}

unsigned config_loops(const struct config *config, unsigned cpu_count) {
    if (config->loops) return (unsigned)config->loops;
    return cpu_count < IO_LOOPS_MAX ? cpu_count : IO_LOOPS_MAX;
}
