/* wait: one wait of one fiber, which ends once: by fiber_wait_end, at a deadline, or with a context. What waits in this
 * folder, and what a caller builds of its own, stands on it.
 *
 * A waiter lies on the stack of its fiber, usually within a struct that is linked into a queue of what is waited for:
 *
 *     struct fiber_wait wait;
 *     fiber_wait_begin(io, &wait);
 *     list_push_back(&queue, &entry.link);
 *     int64_t result = fiber_wait(io, &wait, ctx, deadline);
 *     list_remove(&entry.link);          // it may still be linked: the wait can have ended otherwise
 *
 * Who hands something over asks fiber_wait_end first and goes to the next waiter when it says false. */
#ifndef NORN_FIBER_WAIT_H
#define NORN_FIBER_WAIT_H

#include "fiber/ctx.h"
#include "fiber/fiber.h"

struct fiber_wait {
    struct io *io;
    struct fiber *fiber;
    bool ended;
    int64_t result;
    struct alarm alarm;
    struct ctx_watch watch;
};

void fiber_wait_begin(struct io *io, struct fiber_wait *wait);
/* Waits. Gives what fiber_wait_end was told; -IO_ETIMEDOUT at the deadline (FOREVER: none); the context's error when that
 * ended. What ended it first counts, also when it ended before this call. */
int64_t fiber_wait(struct io *io, struct fiber_wait *wait, struct ctx *ctx, int64_t deadline);
/* Ends it with a result >= 0 or an error. False, and no effect, when it had ended. */
bool fiber_wait_end(struct fiber_wait *wait, int64_t result);

#endif
