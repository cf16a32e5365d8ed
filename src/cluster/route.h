/* route: which loop owns what. Shards are contiguous ranges of the 64-bit hash of (namespace id, kind, id); a queue
 * partition is found by the same kind of hash. Owners are loops today, nodes later; nothing else knows the map. */
#ifndef NORN_CLUSTER_ROUTE_H
#define NORN_CLUSTER_ROUTE_H

#include <stdint.h>

#include "base/bytes.h"

enum { SHARD_COUNT_DEFAULT = 512, SHARD_COUNT_MAX = 65536 };

enum route_kind { ROUTE_WORKFLOW = 1, ROUTE_WORKFLOW_QUEUE = 2, ROUTE_ACTIVITY_QUEUE = 3 };

struct route;

/* A map of `shard_count` equal ranges over `loop_count` loops, contiguous. */
struct route *route_create(unsigned shard_count, unsigned loop_count);
void route_destroy(struct route *route);
/* XXH3 of namespace id, kind and id: stored on disk, so it never changes. */
uint64_t route_hash(const uint8_t namespace_id[16], enum route_kind kind, struct bytes id);
unsigned route_shard(const struct route *route, uint64_t hash);
unsigned route_loop(const struct route *route, uint64_t hash);
unsigned route_shard_count(const struct route *route);

#endif
