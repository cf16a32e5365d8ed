/* wait_group: a count, and who waits for its zero. */
#include "fiber/wait_group.h"

#include "base/check.h"

struct waiter {
    struct fiber_wait wait;
    struct list link;
};

void wait_group_add(struct wait_group *group, unsigned count) {
    CHECK(group->count + count >= group->count);
    group->count += count;
}

void wait_group_done(struct wait_group *group) {
    CHECKF(group->count > 0, "a wait group is done more often than it was added to");
    if (--group->count || !group->waiters.next) return;
    for (struct list *node; (node = list_pop_front(&group->waiters));)
        fiber_wait_end(&LIST_ENTRY(node, struct waiter, link)->wait, 0);
}

int64_t wait_group_wait(struct io *io, struct ctx *ctx, struct wait_group *group) {
    if (!group->count) return 0;
    if (!group->waiters.next) list_init(&group->waiters);
    struct waiter waiter = {0};
    fiber_wait_begin(io, &waiter.wait);
    list_push_back(&group->waiters, &waiter.link);
    int64_t result = fiber_wait(io, &waiter.wait, ctx, FOREVER);
    list_remove(&waiter.link);
    return result;
}
