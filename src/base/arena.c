/* arena: memory that is freed all at once. */
#include "base/arena.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

/* The first block is small, for the many calls that only wait; with each that follows the arena doubles. */
enum { ARENA_BLOCK_FIRST = 2048 - 32, ARENA_BLOCK_MAX = 64 * 1024 - 32, ARENA_ALIGN = 16 };

struct arena_block {
    struct arena_block *next;
    size_t cap;
    bool lent;
    _Alignas(ARENA_ALIGN) uint8_t data[];
};

static size_t next_block_size(const struct arena *arena) {
    if (!arena->blocks) return ARENA_BLOCK_FIRST;
    return arena->total < ARENA_BLOCK_FIRST ? ARENA_BLOCK_FIRST
           : arena->total < ARENA_BLOCK_MAX ? arena->total
                                            : ARENA_BLOCK_MAX;
}

static struct arena_block *take_pooled(struct arena_pool *pool) {
    struct arena_block *block = pool ? pool->blocks : NULL;
    if (!block) return NULL;
    pool->blocks = block->next;
    pool->count--;
    return block;
}

static void give_back(struct arena_pool *pool, struct arena_block *block) {
    if (!pool || block->cap != ARENA_BLOCK_FIRST || pool->count == ARENA_POOL_BLOCKS) {
        mem_free(block);
        return;
    }
    block->next = pool->blocks;
    pool->blocks = block;
    pool->count++;
}

void arena_pool_free(struct arena_pool *pool) {
    while (pool->count) mem_free(take_pooled(pool));
}

static void add_block(struct arena *arena, size_t size) {
    size_t usual = next_block_size(arena), cap = size > usual ? size : usual;
    struct arena_block *block = cap == ARENA_BLOCK_FIRST && !arena->blocks ? take_pooled(arena->pool) : NULL;
    if (!block) block = mem_realloc(NULL, sizeof *block + cap);
    block->cap = cap;
    block->lent = false;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->used = 0;
    arena->total += cap;
}

void arena_begin(struct arena *arena, struct arena_first *first) {
    _Static_assert(sizeof(struct arena_block) < sizeof *first / 4, "most of it is for what is allocated");
    struct arena_block *block = (struct arena_block *)(void *)first;
    *block = (struct arena_block){.cap = sizeof *first - sizeof *block, .lent = true};
    *arena = (struct arena){.blocks = block, .total = block->cap};
}

uint8_t *arena_rest(struct arena *arena, size_t *room) {
    *room = arena->blocks ? arena->blocks->cap - arena->used : 0;
    return arena->blocks ? arena->blocks->data + arena->used : NULL;
}

uint8_t *arena_reserve(struct arena *arena, size_t size, size_t *room) {
    CHECK(size <= SIZE_MAX / 4);
    if (!arena->blocks || arena->blocks->cap - arena->used < size) add_block(arena, size);
    return arena_rest(arena, room);
}

void arena_take(struct arena *arena, size_t size) {
    size_t left = arena->blocks->cap - arena->used;
    CHECK(size <= left);
    size = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    arena->used += size < left ? size : left;
}

static void *take(struct arena *arena, size_t size) {
    size_t room;
    uint8_t *out = arena_reserve(arena, size, &room);
    arena_take(arena, size);
    return out;
}

void *arena_alloc(struct arena *arena, size_t size) { return memset(take(arena, size), 0, size); }

void *arena_copy(struct arena *arena, const void *data, size_t len) {
    void *copy = take(arena, len);
    if (len) memcpy(copy, data, len);
    return copy;
}

char *arena_text(struct arena *arena, struct bytes bytes) {
    char *text = take(arena, bytes.len + 1);
    if (bytes.len) memcpy(text, bytes.data, bytes.len);
    text[bytes.len] = 0;
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
    char *text = take(arena, (size_t)len + 1);
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

static void *pb_alloc(void *arena, size_t size) { return take(arena, size); }      /* protobuf-c sets every byte */
static void pb_free(void *arena, void *pointer) { (void)arena, (void)pointer; }

ProtobufCAllocator *arena_pb(struct arena *arena) {
    arena->allocator = (ProtobufCAllocator){pb_alloc, pb_free, arena};
    return &arena->allocator;
}

void arena_free(struct arena *arena) {
    while (arena->blocks) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        if (!block->lent) give_back(arena->pool, block);
    }
    *arena = (struct arena){0};
}
