/* error_group: fibers that work on one thing. The first error cancels the rest.
 *
 *     struct error_group group;
 *     error_group_init(io, &group, ctx, 0);
 *     for (...) error_group_go(&group, "part", part, &parts[i]);
 *     int64_t error = error_group_wait(&group);       // always, before the group's memory goes
 *
 * Each function gets the group's context, which ends with the first error and with the parent. */
#ifndef NORN_FIBER_ERROR_GROUP_H
#define NORN_FIBER_ERROR_GROUP_H

#include "fiber/wait_group.h"

typedef int64_t error_group_fn(struct io *io, struct ctx *ctx, void *arg);

struct error_group {
    struct io *io;
    struct ctx ctx;
    struct wait_group running;
    int64_t error;              /* the first */
    unsigned limit;
    struct list starters;       /* that wait for room under the limit */
};

/* `limit` is the most that run at once; 0: any number. */
void error_group_init(struct io *io, struct error_group *group, struct ctx *parent, unsigned limit);
/* Starts fn on a fiber of its own; waits for room under the limit. 0; the group's error when it has ended meanwhile (fn
 * does not run then); -IO_EFILES when no fiber can be started, which ends the group like an error of fn. */
int64_t error_group_go(struct error_group *group, const char *name, error_group_fn *fn, void *arg);
/* Waits for all of them and gives the first error, or 0; without errors, the parent's when that ended. Closes the group's
 * context: the group is used no more. */
int64_t error_group_wait(struct error_group *group);

#endif
