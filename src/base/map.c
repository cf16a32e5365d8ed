/* map: hash table of intrusive nodes. */
#include "base/map.h"

#include "base/check.h"
#include "base/mem.h"

struct map_node *map_find(const struct map *map, uint64_t hash, map_equal_fn *equal, const void *key) {
    if (!map->bucket_count) return NULL;
    struct map_node *node = map->buckets[hash & (map->bucket_count - 1)];
    while (node && !(node->hash == hash && equal(node, key))) node = node->next;
    return node;
}

static void grow(struct map *map) {
    size_t count = map->bucket_count ? map->bucket_count * 2 : 16;
    struct map_node **buckets = mem_alloc(count * sizeof *buckets);
    for (size_t i = 0; i < map->bucket_count; i++) {
        for (struct map_node *node = map->buckets[i], *next; node; node = next) {
            next = node->next;
            struct map_node **bucket = &buckets[node->hash & (count - 1)];
            node->next = *bucket;
            *bucket = node;
        }
    }
    mem_free(map->buckets);
    map->buckets = buckets;
    map->bucket_count = count;
}

void map_insert(struct map *map, struct map_node *node, uint64_t hash) {
    if (map->count >= map->bucket_count) grow(map);
    struct map_node **bucket = &map->buckets[hash & (map->bucket_count - 1)];
    node->hash = hash;
    node->next = *bucket;
    *bucket = node;
    map->count++;
}

void map_remove(struct map *map, struct map_node *node) {
    CHECK(map->bucket_count);
    struct map_node **link = &map->buckets[node->hash & (map->bucket_count - 1)];
    while (*link != node) {
        CHECK(*link);
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    map->count--;
}

void map_free(struct map *map) {
    mem_free(map->buckets);
    *map = (struct map){0};
}
