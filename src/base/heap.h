/* heap: intrusive binary min-heap. Order is by (key, tie), so it never depends on addresses. A zeroed node is in no
 * heap; a zeroed heap is empty and valid. */
#ifndef NORN_BASE_HEAP_H
#define NORN_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t key;
    uint64_t tie;
    size_t position;               /* index + 1; 0: in no heap */
};

struct heap {
    struct heap_node **nodes;
    size_t count, cap;
};

static inline bool heap_contains(const struct heap_node *node) { return node->position != 0; }
/* The least node; NULL when empty. */
static inline struct heap_node *heap_top(const struct heap *heap) { return heap->count ? heap->nodes[0] : NULL; }
void heap_push(struct heap *heap, struct heap_node *node, int64_t key, uint64_t tie);
void heap_remove(struct heap *heap, struct heap_node *node);      /* one that is in no heap stays so */
/* Frees the array, not the nodes. */
void heap_free(struct heap *heap);

#endif
