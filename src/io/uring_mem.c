/* uring_mem: heap memory, by malloc, with a count of the bytes in use. Each thread counts on a cache line of its own. */
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum { COUNTERS = 512 };

/* A thread's counter may be negative: memory can be freed by another thread than the one that took it. */
static struct {
    _Alignas(64) atomic_int_fast64_t bytes;
} counters[COUNTERS];
static atomic_uint threads_seen;
static _Thread_local unsigned thread_counter;       /* index + 1 */

/* Only its thread writes a counter, so it needs no locked instruction; those that come too late share the last. */
static void count(int64_t bytes) {
    if (!thread_counter) {
        unsigned seen = atomic_fetch_add(&threads_seen, 1);
        thread_counter = (seen < COUNTERS ? seen : COUNTERS - 1) + 1;
    }
    atomic_int_fast64_t *own = &counters[thread_counter - 1].bytes;
    if (thread_counter == COUNTERS) {
        atomic_fetch_add_explicit(own, bytes, memory_order_relaxed);
        return;
    }
    atomic_store_explicit(own, atomic_load_explicit(own, memory_order_relaxed) + bytes, memory_order_relaxed);
}

static int64_t size_of(void *pointer) { return (int64_t)malloc_usable_size(pointer); }

void *mem_alloc(size_t size) {
    void *pointer = calloc(1, size ? size : 1);
    CHECKF(pointer, "out of memory (%zu bytes)", size);
    count(size_of(pointer));
    return pointer;
}

void *mem_realloc(void *pointer, size_t size) {
    int64_t before = pointer ? size_of(pointer) : 0;
    void *moved = realloc(pointer, size ? size : 1);
    CHECKF(moved, "out of memory (%zu bytes)", size);
    count(size_of(moved) - before);
    return moved;
}

void mem_free(void *pointer) {
    if (!pointer) return;
    count(-size_of(pointer));
    free(pointer);
}

uint64_t mem_used(void) {
    int64_t total = 0;
    unsigned seen = atomic_load_explicit(&threads_seen, memory_order_relaxed);
    for (unsigned i = 0; i < COUNTERS && i < seen; i++) total += atomic_load_explicit(&counters[i].bytes, memory_order_relaxed);
    return total > 0 ? (uint64_t)total : 0;
}

uint64_t mem_salt(void) { return 0; }

/* Large pieces are mapped one by one, up to a number that leaves the system's limit to others; the thresholds do not
 * move; and threads share heaps. */
void mem_keep_tight(void) {
    enum { MAPPED_FROM = 32 * 1024, MAPPED_MOST = 16 * 1024, KEPT_FREE = 128 * 1024, HEAPS = 2 };
    mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
    mallopt(M_MMAP_MAX, MAPPED_MOST);
    mallopt(M_TRIM_THRESHOLD, KEPT_FREE);
    mallopt(M_ARENA_MAX, HEAPS);
}

void mem_give_back(void) { malloc_trim(0); }
