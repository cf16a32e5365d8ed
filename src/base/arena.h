/* arena: memory that is freed all at once (one per request). A zeroed arena is empty and valid. */
#ifndef NORN_BASE_ARENA_H
#define NORN_BASE_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stdarg.h>
#include <stddef.h>

#include "base/bytes.h"

struct arena_block;
struct arena {
    struct arena_block *blocks;      /* newest first */
    size_t used;                     /* in the newest block */
    size_t total;                    /* bytes of all blocks */
    ProtobufCAllocator allocator;    /* set by arena_pb */
};

void *arena_alloc(struct arena *arena, size_t size);      /* zeroed, aligned to 16 */
void *arena_copy(struct arena *arena, const void *data, size_t len);
char *arena_strdup(struct arena *arena, const char *text);
/* A NUL-terminated copy of bytes. */
char *arena_text(struct arena *arena, struct bytes bytes);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *arena, const char *format, va_list args);
/* An allocator for protobuf-c unpack; its free does nothing. Valid while the arena is. */
ProtobufCAllocator *arena_pb(struct arena *arena);
void arena_free(struct arena *arena);                     /* leaves it zeroed */

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))

#endif
