/* uring_mem: heap memory, by malloc, with a count of the bytes in use. Each thread counts on a cache line of its own. */
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum { COUNTERS = 64 };

/* A thread's counter may be negative: memory can be freed by another thread than the one that took it. */
static struct {
    _Alignas(64) atomic_int_fast64_t bytes;
} counters[COUNTERS];
static atomic_uint threads_seen;
static _Thread_local unsigned thread_counter;       /* index + 1 */

static void count(int64_t bytes) {
    if (!thread_counter) thread_counter = atomic_fetch_add(&threads_seen, 1) % COUNTERS + 1;
    atomic_fetch_add_explicit(&counters[thread_counter - 1].bytes, bytes, memory_order_relaxed);
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
    for (int i = 0; i < COUNTERS; i++) total += atomic_load_explicit(&counters[i].bytes, memory_order_relaxed);
    return total > 0 ? (uint64_t)total : 0;
}
