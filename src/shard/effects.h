/* effects: what leaves the engine, in order, when the commit that it depends on is durable. */
#ifndef NORN_SHARD_EFFECTS_H
#define NORN_SHARD_EFFECTS_H

#include "shard/core.h"

/* A task on its way to a queue. Texts are owned. */
struct send {
    struct list link;
    uint64_t number;
    struct queue_task task;
    struct queue_name name;            /* name.name.data is `text` */
    char *fallback;                    /* a sticky queue's normal queue, taken when no worker polls it; or NULL */
    bool withdraw;                     /* the task is stale: it leaves its queue */
    char text[];
};
struct send *send_create(const struct queue_name *name, const struct queue_task *task, const char *fallback);

/* Queues it behind commit `gate` (taken). */
void effects_send(struct engine *engine, struct send *send, uint64_t gate);
/* Commits up to `number` are durable: lets go what waited for them. */
void effects_release(struct engine *engine, uint64_t number);
/* What waits will not be durable: calls end with UNAVAILABLE, tasks are dropped (they are derived again). */
void effects_drop(struct engine *engine, const char *why);

#endif
