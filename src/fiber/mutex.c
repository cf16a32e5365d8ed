/* mutex: the holder hands it to the next in line, so that nobody comes in between. */
#include "fiber/mutex.h"

#include "base/check.h"

struct waiter {
    struct fiber_wait wait;
    struct list link;
};

bool mutex_try_lock(struct io *io, struct mutex *mutex) {
    if (mutex->holder) return false;
    mutex->holder = fiber_current(io);
    CHECK(mutex->holder);
    return true;
}

int64_t mutex_lock(struct io *io, struct ctx *ctx, struct mutex *mutex) {
    int64_t error = ctx_error(ctx);
    if (error) return error;
    CHECKF(mutex->holder != fiber_current(io), "a mutex was locked twice by one fiber");
    if (mutex_try_lock(io, mutex)) return 0;
    if (!mutex->waiters.next) list_init(&mutex->waiters);
    struct waiter waiter = {0};
    fiber_wait_begin(io, &waiter.wait);
    list_push_back(&mutex->waiters, &waiter.link);
    int64_t result = fiber_wait(io, &waiter.wait, ctx, FOREVER);
    list_remove(&waiter.link);
    return result;
}

void mutex_unlock(struct io *io, struct mutex *mutex) {
    CHECKF(mutex->holder == fiber_current(io), "a mutex was unlocked by another fiber than its holder");
    mutex->holder = NULL;
    if (!mutex->waiters.next) return;
    for (struct list *node; !mutex->holder && (node = list_pop_front(&mutex->waiters));) {
        struct waiter *next = LIST_ENTRY(node, struct waiter, link);
        if (fiber_wait_end(&next->wait, 0)) mutex->holder = next->wait.fiber;
    }
}
