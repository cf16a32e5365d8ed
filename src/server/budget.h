/* budget: how the setting `memory` is split. The one place where it is. */
#ifndef NORN_SERVER_BUDGET_H
#define NORN_SERVER_BUDGET_H

#include <stdint.h>

struct memory_budget {
    uint64_t heap;                    /* what the heap may hold, all of it; 0: no limit */
    uint64_t sqlite_cache;            /* part of it: the page caches of SQLite's connections; 0: the usual */
};

static inline struct memory_budget memory_budget_of(uint64_t memory, unsigned loops) {
    /* Not heap: the program's pages, stacks, and for each loop its ring with the buffers that receives use. */
    enum { PROGRAM = 5 << 20, A_LOOP = 1 << 20 };
    if (!memory) return (struct memory_budget){0};
    uint64_t outside = PROGRAM + (uint64_t)loops * A_LOOP;
    if (outside > memory / 4) outside = memory / 4;
    uint64_t slack = memory / 16;     /* what the allocator cannot give back */
    return (struct memory_budget){.heap = memory - outside - slack, .sqlite_cache = memory / 16};
}

#endif
