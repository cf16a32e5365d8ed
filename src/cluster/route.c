/* route: which loop owns what. */
#include "cluster/route.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

struct route {
    unsigned shard_count, loop_count;
};

struct route *route_create(unsigned shard_count, unsigned loop_count) {
    CHECK(shard_count > 0 && shard_count <= SHARD_COUNT_MAX && loop_count > 0);
    struct route *route = MEM_NEW(struct route);
    *route = (struct route){shard_count, loop_count};
    return route;
}

void route_destroy(struct route *route) { mem_free(route); }

uint64_t route_hash(const uint8_t namespace_id[16], enum route_kind kind, struct bytes id) {
    /* The namespace and the kind seed the hash of the id, so that no copy is made to join the three. */
    uint8_t scope[17];
    memcpy(scope, namespace_id, 16);
    scope[16] = (uint8_t)kind;
    return hash64_seed(id.data, id.len, hash64(scope, sizeof scope));
}

/* Equal ranges of the 64-bit hash: the high half of hash * count. */
static unsigned range_of(uint64_t hash, unsigned count) {
    return (unsigned)(((unsigned __int128)hash * count) >> 64);
}

unsigned route_shard(const struct route *route, uint64_t hash) { return range_of(hash, route->shard_count); }

unsigned route_loop(const struct route *route, uint64_t hash) {
    return (unsigned)((uint64_t)route_shard(route, hash) * route->loop_count / route->shard_count);
}

unsigned route_shard_count(const struct route *route) { return route->shard_count; }
