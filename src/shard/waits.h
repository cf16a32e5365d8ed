/* waits: what waits inside the engine until something happens or its time is over: calls, mostly. One timer serves all. */
#ifndef NORN_SHARD_WAITS_H
#define NORN_SHARD_WAITS_H

#include "base/heap.h"
#include "shard/call.h"

struct engine;

struct wait {
    struct heap_node node;             /* engine.waits, by io_now deadline */
    struct list link;                  /* whoever waits */
    struct engine *engine;
    struct call *call;                 /* NULL: something else waits */
    void (*expired)(struct engine *engine, struct wait *wait);   /* its time is over; it is in no heap any more */
};

/* `deadline` is io_now. The wait's memory must live until it was removed or expired. */
void waits_add(struct engine *engine, struct wait *wait, int64_t deadline);
void waits_remove(struct engine *engine, struct wait *wait);
void waits_stop(struct engine *engine);

#endif
