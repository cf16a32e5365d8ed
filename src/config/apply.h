/* apply: settings in the terms of each layer. */
#ifndef NORN_CONFIG_APPLY_H
#define NORN_CONFIG_APPLY_H

#include "config/config.h"
#include "net/server.h"
#include "shard/engine.h"
#include "store/store.h"

struct net_limits config_net_limits(const struct config *config);
/* Of one of `loops` engines, which share the memory evenly. */
struct engine_limits config_engine_limits(const struct config *config, unsigned loops);
struct store_options config_store_options(const struct config *config);
/* Loops to run, when the machine has so many cores. */
unsigned config_loops(const struct config *config, unsigned cpu_count);

#endif
