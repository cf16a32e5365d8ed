/* micro_store: a store for measuring what stands on it. Records are encoded into a flight and hashed as the journal
 * does; then they count as durable and are forgotten. */
#ifndef NORN_BENCH_MICRO_STORE_H
#define NORN_BENCH_MICRO_STORE_H

#include "store/engine_side.h"

struct micro_store {
    struct store store;
    struct store_loop loop;
    struct store_engine engine;
    uint64_t appended, durable;
    uint64_t hash;                    /* so that the hashing cannot be left out */
    struct buf *kept;                 /* not NULL: every record is put there too */
    uint8_t *flight;
    size_t flight_len;
};

struct micro_store *micro_store_create(void);
/* Writes the flight: what was appended is durable, and the engine is told. */
void micro_store_flush(struct micro_store *store);
void micro_store_destroy(struct micro_store *store);

#endif
