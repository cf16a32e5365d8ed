/* map: hash table of intrusive nodes. */
#include "base/map.h"

#include "base/check.h"
#include "base/mem.h"

static struct map_node **bucket_of(const struct map *map, uint64_t hash) {
    return &map->buckets[(hash ^ map->salt) & (map->bucket_count - 1)];
}

struct map_node *map_find(const struct map *map, uint64_t hash, map_equal_fn *equal, const void *key) {
    if (!map->bucket_count) return NULL;
    struct map_node *node = *bucket_of(map, hash);
    while (node && !(node->hash == hash && equal(node, key))) node = node->next;
    return node;
}

static void grow(struct map *map) {
    size_t count = map->bucket_count ? map->bucket_count * 2 : 16;
    struct map grown = {.buckets = mem_alloc(count * sizeof *grown.buckets), .bucket_count = count,
                        .count = map->count, .salt = mem_salt()};
    for (size_t i = 0; i < map->bucket_count; i++) {
        for (struct map_node *node = map->buckets[i], *next; node; node = next) {
            next = node->next;
            struct map_node **bucket = bucket_of(&grown, node->hash);
            node->next = *bucket;
            *bucket = node;
        }
    }
    mem_free(map->buckets);
    *map = grown;
}

void map_insert(struct map *map, struct map_node *node, uint64_t hash) {
    if (map->count >= map->bucket_count) grow(map);
    struct map_node **bucket = bucket_of(map, hash);
    node->hash = hash;
    node->next = *bucket;
    *bucket = node;
    map->count++;
}

void map_remove(struct map *map, struct map_node *node) {
    CHECK(map->bucket_count);
    struct map_node **link = bucket_of(map, node->hash);
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
