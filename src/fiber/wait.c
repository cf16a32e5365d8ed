/* wait: how a wait ends. */
#include "fiber/wait.h"

#include "base/check.h"

static void at_deadline(struct io *io, struct alarm *alarm) {
    (void)io;
    fiber_wait_end(CONTAINER_OF(alarm, struct fiber_wait, alarm), -IO_ETIMEDOUT);
}

static void with_context(struct ctx_watch *watch, struct ctx *ctx) {
    fiber_wait_end(CONTAINER_OF(watch, struct fiber_wait, watch), ctx_error(ctx));
}

void fiber_wait_begin(struct io *io, struct fiber_wait *wait) {
    *wait = (struct fiber_wait){
        .io = io, .fiber = fiber_current(io), .alarm.fire = at_deadline, .watch.ended = with_context};
    CHECKF(wait->fiber, "only a fiber can wait");
}

bool fiber_wait_end(struct fiber_wait *wait, int64_t result) {
    if (wait->ended) return false;
    wait->ended = true;
    wait->result = result;
    fiber_wake(wait->io, wait->fiber);
    return true;
}

int64_t fiber_wait(struct io *io, struct fiber_wait *wait, struct ctx *ctx, int64_t deadline) {
    CHECK(wait->fiber == fiber_current(io));
    if (!wait->ended) ctx_watch(ctx, &wait->watch);
    if (!wait->ended && deadline <= io_now(io)) fiber_wait_end(wait, -IO_ETIMEDOUT);
    if (!wait->ended) alarm_set(io, &wait->alarm, deadline);
    while (!wait->ended) fiber_park(io);
    alarm_clear(io, &wait->alarm);
    ctx_unwatch(&wait->watch);
    return wait->result;
}
