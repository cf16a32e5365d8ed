/* wait_group: waiting until a number of things are done. A zeroed one is at zero. */
#ifndef NORN_FIBER_WAIT_GROUP_H
#define NORN_FIBER_WAIT_GROUP_H

#include "fiber/wait.h"

struct wait_group {
    unsigned count;
    struct list waiters;        /* initialised by the first waiter */
};

void wait_group_add(struct wait_group *group, unsigned count);
/* Takes one off; at zero all that wait go on. */
void wait_group_done(struct wait_group *group);
/* Waits for zero: 0, or the context's error. At zero already, it does not wait. */
int64_t wait_group_wait(struct io *io, struct ctx *ctx, struct wait_group *group);

#endif
