/* map: hash table of intrusive nodes, keyed by a 64-bit hash and compared by the caller.
 *
 * Order never comes from the table: to walk, keep a list beside it. Growth is by doubling. */
#ifndef NORN_BASE_MAP_H
#define NORN_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_node {
    struct map_node *next;     /* in its bucket */
    uint64_t hash;
};

struct map {                   /* a zeroed map is empty and valid */
    struct map_node **buckets;
    size_t bucket_count;       /* a power of two, or 0 */
    size_t count;
    uint64_t salt;             /* mem_salt */
};

typedef bool map_equal_fn(const struct map_node *node, const void *key);

/* The node with this hash for which equal(node, key) holds; NULL when none. */
struct map_node *map_find(const struct map *map, uint64_t hash, map_equal_fn *equal, const void *key);
/* Adds; the caller has made sure that no equal node is there. */
void map_insert(struct map *map, struct map_node *node, uint64_t hash);
/* Removes a node that is in the map. */
void map_remove(struct map *map, struct map_node *node);
/* Frees the table, not the nodes. */
void map_free(struct map *map);

#endif
