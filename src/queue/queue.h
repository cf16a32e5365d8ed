/* queue: matching. Task queues are derived state: a task is durable in its execution until it is started; a queue keeps
 * pollers, order and limits in memory, and is filled again by the engines after a restart.
 *
 * Each loop has one `struct queues` with the queues that hash to it. A task and a poller that meet go to the engine of
 * the task's execution (queue_host.start), which starts the task and answers the poll, or refuses a stale task, and the
 * poller waits on. Order: priority (1 highest), then schedule time, then execution and event id.
 *
 * Poll contract: temporal-surface.md 5.1. Sticky queues: 5.2. */
#ifndef NORN_QUEUE_QUEUE_H
#define NORN_QUEUE_QUEUE_H

#include "shard/call.h"

struct queues;

enum queue_type { QUEUE_WORKFLOW = 1, QUEUE_ACTIVITY = 2 };

struct queue_name {
    uint8_t namespace_id[NAMESPACE_ID_LEN];
    enum queue_type type;
    struct bytes name;                  /* text */
};

/* What waits to be started. The engine names it by (execution, event, stamp); another stamp is another dispatch. */
struct queue_task {
    uint64_t execution, hash;           /* hash: where its engine is */
    int64_t event_id;                   /* the scheduled event; 0 for a query */
    uint64_t stamp;                     /* changes with each new attempt or dispatch; for a query its number */
    int64_t schedule_time;              /* wall ns */
    int32_t priority;                   /* 1..5; 0 is 3 */
    bool query;
};

/* What the queues need of the rest; given by the server, which knows routes and posts between loops. */
struct queue_host {
    /* Brings the matched pair to the engine of task->hash. The engine ends the call, or gives it back by
     * queues_poll_again(call) when the task is stale. */
    void (*start)(void *ctx, const struct queue_name *name, const struct queue_task *task, struct call *poll);
    void *ctx;
};

/* Finds the loop of a queue (cluster/route.h). */
uint64_t queue_hash(const struct queue_name *name);

struct queues *queues_create(struct io *io, const struct queue_host *host);
/* Ends every waiting poll with its empty response, and its timer; before queues_destroy, which follows in a later
 * batch. */
void queues_stop(struct queues *queues);
void queues_destroy(struct queues *queues);

/* Adds a task, or hands it to a waiting poller at once (in a later batch, never nested). Adding one that is there
 * already (same execution, event, query, stamp) does nothing. On the loop that owns the queue. */
void queues_add(struct queues *queues, const struct queue_name *name, const struct queue_task *task);
/* Forgets a task, if it is there: cancelled, timed out, execution closed. Optional: stale tasks are refused anyway. */
void queues_remove(struct queues *queues, const struct queue_name *name, const struct queue_task *task);

/* A poll waits here until a task comes, its deadline less a second passes (a response without anything in it, which is
 * no bytes), or the client goes.
 * `rate` < 0: none asked. */
struct queue_poll {
    struct queue_name name;
    const char *identity;
    const char *worker_instance_key;
    double rate_per_second;
};
void queues_poll(struct queues *queues, struct call *call, const struct queue_poll *poll);
void queues_poll_again(struct queues *queues, struct call *call);
/* Ends all polls of one worker at once, with the empty response (ShutdownWorker); a sticky queue is forgotten. */
void queues_shutdown_worker(struct queues *queues, const struct queue_name *sticky, const char *worker_instance_key);
/* When a poll of this queue last waited or came, io_now ns; 0: never or unknown. Used for the sticky fallback. */
int64_t queues_last_poll(struct queues *queues, const struct queue_name *name);

/* For DescribeTaskQueue and metrics. */
struct queue_poller_info {
    const char *identity;
    int64_t last_access_time;           /* wall ns */
    double rate_per_second;
};
struct queue_info {
    uint64_t backlog;
    int64_t backlog_age_ns;
    double add_rate, dispatch_rate;
    struct queue_poller_info *pollers;  /* in the arena */
    size_t poller_count;
};
void queues_describe(struct queues *queues, const struct queue_name *name, struct arena *arena, struct queue_info *out);

/* All queues of one type on this loop. */
struct queue_totals {
    uint64_t queues, backlog, polls;    /* polls: that wait */
    int64_t backlog_age_ns;             /* of the oldest task */
};
struct queue_totals queues_totals(const struct queues *queues, enum queue_type type);

#endif
