/* presence: a Bloom filter in layers. When a layer is full, a larger one is put before it. Each id sets its bits within
 * one cache line. */
#include "store/presence.h"

#include <stdatomic.h>

#include "base/mem.h"

enum { LINE_WORDS = 8, IDS_A_LINE = 48, BITS_AN_ID = 6, LINES_FIRST = 256 };

struct presence_layer {
    struct presence_layer *next;
    uint64_t line_count, left;               /* `left`: ids that may still be added */
    _Atomic uint64_t words[];
};

static struct presence_layer *layer_make(uint64_t lines) {
    struct presence_layer *layer = mem_alloc(sizeof *layer + lines * LINE_WORDS * sizeof(uint64_t));
    layer->line_count = lines;
    layer->left = lines * IDS_A_LINE;
    return layer;
}

static struct presence_layer *newest(const struct presence *presence) {
    return atomic_load_explicit(&((struct presence *)(uintptr_t)presence)->layers, memory_order_acquire);
}

static void push(struct presence *presence, uint64_t lines) {
    struct presence_layer *layer = layer_make(lines);
    layer->next = newest(presence);
    atomic_store_explicit(&presence->layers, layer, memory_order_release);
}

/* Remixed, because shards take the upper bits of the hash and tables the lower ones. */
static uint64_t remix(uint64_t hash) {
    hash ^= hash >> 32;
    hash *= 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static const _Atomic uint64_t *line_of(const struct presence_layer *layer, uint64_t mixed) {
    uint64_t line = (uint64_t)(((unsigned __int128)mixed * layer->line_count) >> 64);
    return layer->words + line * LINE_WORDS;
}

/* Bit numbers within the line, 9 bits each, from another mix than the line's number. */
static uint64_t bits_of(uint64_t mixed) { return mixed * 0xd6e8feb86659fd93u >> 8; }

static bool layer_has(const struct presence_layer *layer, uint64_t mixed) {
    const _Atomic uint64_t *line = line_of(layer, mixed);
    uint64_t bits = bits_of(mixed);
    for (int i = 0; i < BITS_AN_ID; i++, bits >>= 9) {
        uint64_t word = atomic_load_explicit((_Atomic uint64_t *)(uintptr_t)&line[bits >> 6 & 7], memory_order_relaxed);
        if (!(word >> (bits & 63) & 1)) return false;
    }
    return true;
}

bool presence_may_have(const struct presence *presence, uint64_t hash) {
    uint64_t mixed = remix(hash);
    for (const struct presence_layer *layer = newest(presence); layer; layer = layer->next) {
        if (layer_has(layer, mixed)) return true;
    }
    return false;
}

void presence_add(struct presence *presence, uint64_t hash) {
    if (presence_may_have(presence, hash)) return;
    struct presence_layer *layer = newest(presence);
    if (!layer || layer->left == 0) {
        push(presence, layer ? layer->line_count * 2 : LINES_FIRST);
        layer = newest(presence);
    }
    layer->left--;
    uint64_t mixed = remix(hash), bits = bits_of(mixed);
    _Atomic uint64_t *line = (_Atomic uint64_t *)(uintptr_t)line_of(layer, mixed);
    for (int i = 0; i < BITS_AN_ID; i++, bits >>= 9)
        atomic_fetch_or_explicit(&line[bits >> 6 & 7], (uint64_t)1 << (bits & 63), memory_order_relaxed);
}

void presence_reserve(struct presence *presence, uint64_t count) {
    struct presence_layer *layer = newest(presence);
    if (layer && layer->left >= count) return;
    uint64_t lines = count / IDS_A_LINE + 1;
    push(presence, lines < LINES_FIRST ? LINES_FIRST : lines);
}

void presence_free(struct presence *presence) {
    for (struct presence_layer *layer = newest(presence), *next; layer; layer = next) {
        next = layer->next;
        mem_free(layer);
    }
    atomic_store_explicit(&presence->layers, NULL, memory_order_relaxed);
}
