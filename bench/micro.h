/* micro: what each part costs alone, on one core: `norn-bench micro [CASE]`. No server, no socket to another process.
 *
 * A case makes what it needs, and runs `round` until its time is up; only what lies between micro_begin and micro_end
 * counts, by the CPU clock of the process. The result is the best round, for the machine may do other things too. To
 * count instructions instead: `valgrind --tool=callgrind norn-bench micro CASE --rounds 1`.
 *
 *   micro.c         the table of cases, the clock, the report
 *   micro_store.c   a store without a disk: records are encoded and hashed as the journal does, and then forgotten
 *   micro_engine.c  the engine: one-activity workflows, as accepted inputs
 *   micro_parts.c   fibers, queue, journal records, protobuf, HTTP/2
 *   micro_sqlite.c  what a checkpoint writes */
#ifndef NORN_BENCH_MICRO_H
#define NORN_BENCH_MICRO_H

#include "base/arena.h"
#include "fiber/fiber.h"
#include "io/io.h"

struct micro {
    struct io *io;
    uint64_t rounds;                  /* done */
    uint64_t count;                   /* of what the case counts, in the round that runs */
    int64_t began, spent;             /* CPU ns of this round */
    double best_ns;                   /* of one, in the best round */
    uint64_t total;                   /* of all rounds */
};
void micro_begin(struct micro *micro);
void micro_end(struct micro *micro, uint64_t count);

struct micro_case {
    const char *name, *counts, *what;
    void *(*create)(struct micro *micro);
    void (*round)(struct micro *micro, void *state);     /* at most about 100 ms */
    void (*destroy)(struct micro *micro, void *state);
};
extern const struct micro_case micro_engine, micro_recover, micro_fiber, micro_queue, micro_record, micro_protobuf,
    micro_http2, micro_sqlite;

/* On a fiber. `name` NULL: all. False: there is no such case. */
bool micro_run(struct io *io, const char *name, double seconds, uint64_t rounds);
void micro_help(void);

#endif
