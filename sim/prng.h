/* prng: small seeded generators (splitmix64). A world has one for each purpose, so that a draw added to one purpose
 * does not shift the others. */
#ifndef NORN_SIM_PRNG_H
#define NORN_SIM_PRNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct prng {
    uint64_t state;
};

static inline uint64_t prng_next(struct prng *prng) {
    uint64_t z = prng->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
/* 0 .. bound-1; 0 when bound is 0. */
static inline uint64_t prng_below(struct prng *prng, uint64_t bound) {
    return (uint64_t)(((unsigned __int128)prng_next(prng) * bound) >> 64);
}
/* low .. high, both possible. */
static inline int64_t prng_range(struct prng *prng, int64_t low, int64_t high) {
    return low + (int64_t)prng_below(prng, (uint64_t)(high - low) + 1);
}
/* True `per_million` times in a million. */
static inline bool prng_chance(struct prng *prng, uint32_t per_million) {
    return prng_below(prng, 1000000) < per_million;
}
/* low .. high, where each factor of two is as likely as the next: times and counts over many orders of magnitude. */
static inline int64_t prng_skewed(struct prng *prng, int64_t low, int64_t high) {
    int64_t base = low > 0 ? low : 1;
    if (high <= base) return low;
    unsigned doublings = 63 - (unsigned)__builtin_clzll((uint64_t)(high / base));
    int64_t from = base << prng_below(prng, doublings + 1);
    int64_t value = from + (int64_t)prng_below(prng, (uint64_t)from);
    value -= low > 0 ? 0 : 1;
    return value < high ? value : high;
}
static inline void prng_fill(struct prng *prng, void *to, size_t len) {
    uint8_t *at = to;
    while (len) {
        uint64_t word = prng_next(prng);
        size_t part = len < sizeof word ? len : sizeof word;
        memcpy(at, &word, part);
        at += part;
        len -= part;
    }
}
/* A generator of its own for (parent's seed, label, index). Draws nothing from the parent. */
struct prng prng_fork(uint64_t seed, const char *label, uint64_t index);

#endif
