/* deadline: what an execution does by itself as time passes. Deadlines are derived from state, never stored: the
 * earliest of them stands in the engine's heap. A due execution runs every deadline that is due, in order of time, in
 * one transaction. */
#ifndef NORN_SHARD_DEADLINE_H
#define NORN_SHARD_DEADLINE_H

#include "shard/txn.h"

enum deadline_kind {
    DEADLINE_NONE,
    DEADLINE_FIRST_TASK,               /* the first workflow task's backoff is over */
    DEADLINE_TASK_START_TO_CLOSE,
    DEADLINE_TASK_SCHEDULE_TO_START,
    DEADLINE_TIMER,                    /* item: the timer */
    DEADLINE_ACTIVITY,                 /* item: the activity; `detail` is activity.c's own */
    DEADLINE_RUN,                      /* run or execution timeout */
    DEADLINE_DELETE,                   /* retention is over */
};
struct deadline {
    int64_t at;                        /* wall ns; 0: none */
    enum deadline_kind kind;
    struct item *item;
    int detail;
};

/* Takes `candidate` when it is earlier than *earliest; at 0 is none. Ties keep the first. */
void deadline_take(struct deadline *earliest, struct deadline candidate);
struct deadline deadline_next(const struct exec *exec);
/* Runs what is due, in one transaction; nothing when nothing is. */
void deadline_run(struct engine *engine, struct exec *exec);

#endif
