/* io_mem: a heap for each node, and stacks.
 *
 * Each piece carries a header with its heap, its place in the heap's list and its caller. A crash frees the whole list;
 * an exit reports what is left. A piece may only be freed by the node that owns it: memory handed from one node to
 * another is a bug, for in life they share none. Memory that no contract promises to be zero is filled with the run's
 * fill byte, which differs between the two runs of a seed, so that a use of uninitialised bytes shows in the trace. With
 * a fill byte pieces also move whenever they grow and are freed late, and tables have another order, so that addresses
 * and places differ between the two runs, not only by a constant.
 * Outside of any node memory is plain and counted nowhere. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "io_sim.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIM_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SIM_ASAN 1
#endif

#ifdef SIM_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_UNPOISON_MEMORY_REGION(start, size) ((void)(start), (void)(size))
#endif

struct memory_piece {
    struct memory_piece *next, **link;                  /* **link points here */
    struct memory *memory;
    void *caller;
    uint64_t size;
    uint64_t magic;
};
_Static_assert(sizeof(struct memory_piece) % 16 == 0, "pieces keep malloc's alignment");

enum { PIECE_MAGIC = 0x4e6f726e };

void *world_alloc(size_t size) {
    void *memory = calloc(1, size ? size : 1);
    if (!memory) abort();
    return memory;
}
void *world_realloc(void *pointer, size_t size) {
    void *memory = realloc(pointer, size ? size : 1);
    if (!memory) abort();
    return memory;
}
void world_free(void *pointer) { free(pointer); }

static uint8_t fill(void) { return sim_current.world ? sim_current.world->options.fill : 0; }

/* Under the sanitizer at once, for it has a way of its own to hold freed memory back. */
static void give_back(struct memory_piece *piece) {
#ifndef SIM_ASAN
    struct world *world = sim_current.world;
    if (fill()) {
        void **late = &world->late[world->late_next++ % LATE_FREES];
        void *due = *late;
        *late = piece;
        free(due);
        return;
    }
#endif
    free(piece);
}

void memory_world_drop(struct world *world) {
    for (unsigned i = 0; i < LATE_FREES; i++) free(world->late[i]);
}

static void attach(struct memory_piece *piece, struct memory *memory) {
    piece->memory = memory;
    if (!memory) return;
    piece->next = memory->first;
    piece->link = &memory->first;
    if (piece->next) piece->next->link = &piece->next;
    memory->first = piece;
    memory->bytes += piece->size;
    memory->count++;
    memory->allocated++;
}

static void detach(struct memory_piece *piece) {
    struct memory *memory = piece->memory;
    if (!memory) return;
    *piece->link = piece->next;
    if (piece->next) piece->next->link = piece->link;
    memory->bytes -= piece->size;
    memory->count--;
}

static struct memory *current(void) { return sim_current.node ? &sim_current.node->memory : NULL; }

/* No component claims to live on without memory (base/mem.h), so the process ends here. */
static void maybe_exhausted(void) {
    struct io_node *node = sim_current.node;
    if (!node || !node->allocations_left || node->crashed || sim_current.helper || !sim_current.io->running) return;
    if (--node->allocations_left == 0) node_stop(node, CRASH_KILL, "out of memory");
}

static struct memory_piece *piece_of(void *pointer) {
    struct memory_piece *piece = (struct memory_piece *)pointer - 1;
    CHECKF(piece->magic == PIECE_MAGIC, "freed or grown: memory that is not from mem_alloc, or twice");
    CHECKF(piece->memory == current(), "memory of one node was freed or grown by another");
    return piece;
}

void *mem_alloc(size_t size) {
    maybe_exhausted();
    struct memory_piece *piece = world_alloc(sizeof *piece + size);
    piece->size = size;
    piece->caller = __builtin_return_address(0);
    piece->magic = PIECE_MAGIC;
    attach(piece, current());
    return piece + 1;
}

static struct memory_piece *resize(struct memory_piece *piece, size_t size) {
    if (!fill()) return world_realloc(piece, sizeof *piece + size);
    struct memory_piece *moved = world_alloc(sizeof *piece + size);
    memcpy(moved, piece, sizeof *piece + (size < piece->size ? size : piece->size));
    memset(piece, fill(), sizeof *piece + piece->size);
    give_back(piece);
    return moved;
}

void *mem_realloc(void *pointer, size_t size) {
    if (!pointer) {
        void *fresh = mem_alloc(size);
        ((struct memory_piece *)fresh - 1)->caller = __builtin_return_address(0);
        if (fill()) memset(fresh, fill(), size);
        return fresh;
    }
    struct memory_piece *piece = piece_of(pointer);
    uint64_t old = piece->size;
    detach(piece);
    piece = resize(piece, size);
    piece->size = size;
    attach(piece, current());
    if (size > old && fill()) memset((uint8_t *)(piece + 1) + old, fill(), size - old);
    return piece + 1;
}

void mem_free(void *pointer) {
    if (!pointer) return;
    struct memory_piece *piece = piece_of(pointer);
    detach(piece);
    piece->magic = 0;
    if (fill() && piece->size) memset(piece + 1, fill(), piece->size);
    give_back(piece);
}

uint64_t mem_used(void) {
    struct memory *memory = current();
    return memory ? memory->bytes : 0;
}

uint64_t mem_salt(void) { return fill() * UINT64_C(0x9e3779b97f4a7c15); }

void mem_keep_tight(void) {}
void mem_give_back(void) {}

void memory_drop(struct memory *memory) {
    for (struct memory_piece *piece = memory->first, *next; piece; piece = next) {
        next = piece->next;
        free(piece);
    }
    *memory = (struct memory){0};
}

void memory_report(const struct memory *memory) {
    enum { SHOWN = 20 };
    unsigned shown = 0;
    for (const struct memory_piece *piece = memory->first; piece && shown < SHOWN; piece = piece->next, shown++)
        fprintf(stderr, "memory left: %llu bytes, taken before %p\n", (unsigned long long)piece->size, piece->caller);
}

/* ---- stacks: kept for the next fiber, as mapping one costs more than a fiber's life ---- */

struct stack_piece {                                    /* a stack in use, in the node's list; world memory */
    struct stack_piece *next;
    void *stack;
    size_t size;
};

struct stack_free {                                     /* at the start of a free stack */
    struct stack_free *next;
    size_t size;
};

enum { GUARD = 4096 };

void *stack_take(struct world *world, size_t size) {
    CHECK(size && size % 4096 == 0);
    struct stack_free **at = (struct stack_free **)&world->stacks_free;
    while (*at && (*at)->size != size) at = &(*at)->next;
    if (*at) {
        struct stack_free *stack = *at;
        *at = stack->next;
        if (fill()) memset(stack, fill(), size);
        return stack;
    }
    uint8_t *mapped = mmap(NULL, size + GUARD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED || mprotect(mapped, GUARD, PROT_NONE) != 0) UNREACHABLE("no memory for a stack");
    if (fill()) memset(mapped + GUARD, fill(), size);
    return mapped + GUARD;
}

void stack_give(struct world *world, void *stack, size_t size) {
    ASAN_UNPOISON_MEMORY_REGION(stack, size);          /* frames that were left, not returned from */
    struct stack_free *entry = stack;
    *entry = (struct stack_free){world->stacks_free, size};
    world->stacks_free = entry;
}

void stacks_world_drop(struct world *world) {
    for (struct stack_free *stack = world->stacks_free, *next; stack; stack = next) {
        next = stack->next;
        munmap((uint8_t *)stack - GUARD, stack->size + GUARD);
    }
    world->stacks_free = NULL;
}

void *io_stack_alloc(struct io *io, size_t size) {
    struct io_node *node = io->node;
    struct stack_piece *piece = world_alloc(sizeof *piece);
    *piece = (struct stack_piece){node->stacks, stack_take(node->world, size), size};
    node->stacks = piece;
    node->stack_count++;
    return piece->stack;
}

void io_stack_free(struct io *io, void *stack, size_t size) {
    struct stack_piece **at = &io->node->stacks;
    while (*at && (*at)->stack != stack) at = &(*at)->next;
    CHECK(*at && (*at)->size == size);
    struct stack_piece *piece = *at;
    *at = piece->next;
    world_free(piece);
    io->node->stack_count--;
    stack_give(io->node->world, stack, size);
}

void stacks_drop(struct io_node *node) {
    for (struct stack_piece *piece = node->stacks, *next; piece; piece = next) {
        next = piece->next;
        stack_give(node->world, piece->stack, piece->size);
        world_free(piece);
    }
    node->stacks = NULL;
    node->stack_count = 0;
}
