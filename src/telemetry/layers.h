/* layers: the statistics of each layer as metrics. The server registers a collector that calls these. */
#ifndef NORN_TELEMETRY_LAYERS_H
#define NORN_TELEMETRY_LAYERS_H

#include "net/server.h"
#include "shard/engine.h"
#include "store/store.h"
#include "telemetry/metrics.h"

/* Process-wide values; on one loop only. */
void metrics_of_process(struct io *io, struct metrics_page *page);
/* Of the calling loop. */
void metrics_of_loop(struct io *io, struct metrics_page *page);
void metrics_of_net(struct metrics_page *page, const struct net_stats *stats);
void metrics_of_engine(struct metrics_page *page, const struct engine_stats *stats);
/* On one loop only. */
void metrics_of_store(struct metrics_page *page, const struct store_stats *stats);

#endif
