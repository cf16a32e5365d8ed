/* mutex: one holder at a time, across waits; first come, first served. Between waits fibers of a loop cannot interrupt
 * each other, so a mutex is needed only where the holder waits. A zeroed one is free. */
#ifndef NORN_FIBER_MUTEX_H
#define NORN_FIBER_MUTEX_H

#include "fiber/wait.h"

struct mutex {
    struct fiber *holder;
    struct list waiters;        /* initialised by the first waiter */
};

/* 0 when held; the context's error when that ended first. Not recursive. */
int64_t mutex_lock(struct io *io, struct ctx *ctx, struct mutex *mutex);
bool mutex_try_lock(struct io *io, struct mutex *mutex);
/* By the fiber that holds it; the next in line holds it from then on. */
void mutex_unlock(struct io *io, struct mutex *mutex);

#endif
