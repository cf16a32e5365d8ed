/* heap: intrusive binary min-heap. */
#include "base/heap.h"

#include "base/check.h"
#include "base/mem.h"

static bool before(const struct heap_node *a, const struct heap_node *b) {
    return a->key != b->key ? a->key < b->key : a->tie < b->tie;
}

static void place(struct heap *heap, size_t index, struct heap_node *node) {
    heap->nodes[index] = node;
    node->position = index + 1;
}

static void sift_up(struct heap *heap, size_t index, struct heap_node *node) {
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (!before(node, heap->nodes[parent])) break;
        place(heap, index, heap->nodes[parent]);
        index = parent;
    }
    place(heap, index, node);
}

static void sift_down(struct heap *heap, size_t index, struct heap_node *node) {
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= heap->count) break;
        if (child + 1 < heap->count && before(heap->nodes[child + 1], heap->nodes[child])) child++;
        if (!before(heap->nodes[child], node)) break;
        place(heap, index, heap->nodes[child]);
        index = child;
    }
    place(heap, index, node);
}

void heap_push(struct heap *heap, struct heap_node *node, int64_t key, uint64_t tie) {
    CHECK(!heap_contains(node));
    if (heap->count == heap->cap) {
        heap->cap = heap->cap ? heap->cap * 2 : 16;
        heap->nodes = mem_realloc(heap->nodes, heap->cap * sizeof(struct heap_node *));
    }
    node->key = key;
    node->tie = tie;
    heap->count++;
    sift_up(heap, heap->count - 1, node);
}

void heap_remove(struct heap *heap, struct heap_node *node) {
    if (!heap_contains(node)) return;
    size_t index = node->position - 1;
    CHECK(heap->nodes[index] == node);
    node->position = 0;
    heap->count--;
    struct heap_node *last = heap->nodes[heap->count];
    if (last == node) return;
    if (index > 0 && before(last, heap->nodes[(index - 1) / 2])) sift_up(heap, index, last);
    else sift_down(heap, index, last);
}

void heap_free(struct heap *heap) {
    mem_free(heap->nodes);
    *heap = (struct heap){0};
}
