/* fair: turns of namespaces under load.
 *
 * A loop reads all that its sockets have and carries it out, so one busy namespace could hold every other back: a quiet
 * one's call would wait behind thousands. Here the calls that one batch of callbacks may carry out are bounded, and those
 * beyond wait in a queue of their namespace; each end of a batch carries out as many again, one of each namespace in turn.
 * A namespace whose queue is full is refused, as no server can keep up with a load above its capacity. Answers to tasks are
 * not refused, for they end work; only the streams of connections bound those.
 *
 * While a loop keeps up, nothing waits here, and a call passes by a comparison. */
#ifndef NORN_FRONTEND_FAIR_H
#define NORN_FRONTEND_FAIR_H

#include "base/map.h"
#include "shard/call.h"

enum {
    FAIR_BATCH = 128,                 /* calls of one batch */
    FAIR_WAITING_MAX = 8192,          /* of one namespace on one loop; more are refused */
    FAIR_BYTES_MAX = 16 << 20,        /* of their requests, likewise */
};

struct fair {
    struct io *io;
    struct io_hook hook;
    void (*run)(void *ctx, struct call *call);
    void *ctx;
    struct map queues;                /* by namespace; only those in which something waits */
    struct list turns;                /* the same, the next first */
    unsigned ran;                     /* in this batch */
    uint64_t waiting, refused;
};

void fair_init(struct fair *fair, struct io *io, void (*run)(void *ctx, struct call *call), void *ctx);
/* Nothing may wait any more. */
void fair_free(struct fair *fair);
/* Carries the call out, now or in its turn, or refuses it; a call with `must` is not refused. call->ns is set. While it
 * waits, its link, waiter and on_cancel are ours. */
void fair_take(struct fair *fair, struct call *call, bool must);

#endif
