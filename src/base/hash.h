/* hash: XXH3 (github.com/Cyan4973/xxHash), the hash of shards, checksums and tables. */
#ifndef NORN_BASE_HASH_H
#define NORN_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* 64-bit XXH3 with seed 0; the same on every machine, so it may be stored. */
uint64_t hash64(const void *data, size_t len);
uint64_t hash64_seed(const void *data, size_t len, uint64_t seed);

#endif
