/* arena: memory that is freed all at once (one per request). A zeroed arena is empty and valid. */
#ifndef NORN_BASE_ARENA_H
#define NORN_BASE_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stdarg.h>
#include <stddef.h>

#include "base/bytes.h"

struct arena_block;

/* Blocks that are kept for the next arena, of arenas that begin with arena_begin_pooled. A zeroed pool is empty. */
enum { ARENA_POOL_BLOCKS = 256 };
struct arena_pool {
    struct arena_block *blocks;
    unsigned count;
};
void arena_pool_free(struct arena_pool *pool);

struct arena {
    struct arena_block *blocks;      /* newest first */
    size_t used;                     /* in the newest block */
    size_t total;                    /* bytes of all blocks */
    struct arena_pool *pool;         /* where its first block is from, or NULL */
    ProtobufCAllocator allocator;    /* set by arena_pb */
};

/* Memory of the caller's for the first things in an arena: for one that lives only within a function and its callees. */
enum { ARENA_FIRST_BYTES = 1024 };
struct arena_first {
    _Alignas(16) uint8_t bytes[ARENA_FIRST_BYTES];
};
/* Begins an empty arena with it; arena_free leaves the memory to the caller. */
void arena_begin(struct arena *arena, struct arena_first *first);

/* Begins an empty arena whose first block comes from the pool. Small blocks go back there. In between the arena may be on
 * another thread than the pool's: what it needs there comes from the heap. */
static inline void arena_begin_pooled(struct arena *arena, struct arena_pool *pool) { *arena = (struct arena){.pool = pool}; }

void *arena_alloc(struct arena *arena, size_t size);      /* zeroed, aligned to 16 */
void *arena_copy(struct arena *arena, const void *data, size_t len);
char *arena_strdup(struct arena *arena, const char *text);
/* A NUL-terminated copy of bytes. */
char *arena_text(struct arena *arena, struct bytes bytes);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *arena, const char *format, va_list args);
/* For writers that learn how long something is while they write it: the room that is there, not zeroed; at least `size`
 * bytes of it; and taking of what was written there. */
uint8_t *arena_rest(struct arena *arena, size_t *room);
uint8_t *arena_reserve(struct arena *arena, size_t size, size_t *room);
void arena_take(struct arena *arena, size_t size);
/* An allocator for protobuf-c unpack; its free does nothing. Valid while the arena is. */
ProtobufCAllocator *arena_pb(struct arena *arena);
void arena_free(struct arena *arena);                     /* leaves it zeroed */

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))

#endif
