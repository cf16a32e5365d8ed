/* arena: memory that is freed all at once. */
#include "base/arena.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

/* The first block is small, for the many calls that only wait; those that follow double. */
enum { ARENA_BLOCK_FIRST = 2048 - 32, ARENA_BLOCK_MAX = 64 * 1024 - 32, ARENA_ALIGN = 16 };

struct arena_block {
    struct arena_block *next;
    size_t cap;
    _Alignas(ARENA_ALIGN) uint8_t data[];
};

static size_t next_block_size(const struct arena *arena) {
    if (!arena->blocks) return ARENA_BLOCK_FIRST;
    return arena->total * 2 < ARENA_BLOCK_MAX ? arena->total * 2 : ARENA_BLOCK_MAX;
}

void *arena_alloc(struct arena *arena, size_t size) {
    CHECK(size <= SIZE_MAX / 4);
    size = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (!arena->blocks || arena->blocks->cap - arena->used < size) {
        size_t usual = next_block_size(arena), cap = size > usual ? size : usual;
        struct arena_block *block = mem_alloc(sizeof *block + cap);
        block->cap = cap;
        block->next = arena->blocks;
        arena->blocks = block;
        arena->used = 0;
        arena->total += cap;
    }
    void *out = arena->blocks->data + arena->used;
    arena->used += size;
    return out;
}

void *arena_copy(struct arena *arena, const void *data, size_t len) {
    void *copy = arena_alloc(arena, len);
    if (len) memcpy(copy, data, len);
    return copy;
}

char *arena_text(struct arena *arena, struct bytes bytes) {
    char *text = arena_alloc(arena, bytes.len + 1);
    if (bytes.len) memcpy(text, bytes.data, bytes.len);
    return text;
}

char *arena_strdup(struct arena *arena, const char *text) {
    return text ? arena_text(arena, bytes_str(text)) : NULL;
}

char *arena_vprintf(struct arena *arena, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    CHECK(len >= 0);
    char *text = arena_alloc(arena, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return text;
}

char *arena_printf(struct arena *arena, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}

static void *pb_alloc(void *arena, size_t size) { return arena_alloc(arena, size); }
static void pb_free(void *arena, void *pointer) { (void)arena, (void)pointer; }

ProtobufCAllocator *arena_pb(struct arena *arena) {
    arena->allocator = (ProtobufCAllocator){pb_alloc, pb_free, arena};
    return &arena->allocator;
}

void arena_free(struct arena *arena) {
    while (arena->blocks) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        mem_free(block);
    }
    *arena = (struct arena){0};
}
