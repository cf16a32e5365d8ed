/* activity_start: from scheduled to started. */
#ifndef NORN_SHARD_ACTIVITY_START_H
#define NORN_SHARD_ACTIVITY_START_H

#include "shard/activity.h"
#include "shard/commands.h"

/* Hands the activity to its queue, under a new stamp. */
void activity_dispatch(struct txn *txn, struct item *activity);

/* Takes it out of its queue, if it waits there: the attempt ends without a worker. */
void activity_withdraw(struct txn *txn, const struct item *activity);

/* Begins an attempt. */
void activity_begin(struct txn *txn, struct item *activity, const char *identity);

/* What a worker gets to run the started attempt; in the arena. */
PollActivityTaskQueueResponse *activity_poll_response(struct engine *engine, const struct exec *exec,
                                                      const struct item *activity, struct arena *arena);

/* Starts the activities that the completing worker asked to run itself, unless later commands ended them. */
void activity_start_eager(struct completion *completion);

/* The priority that counts: the activity's, where it says nothing the workflow's. NULL: neither does. */
Priority *activity_priority(const struct exec *exec, const StateActivity *activity, struct arena *arena);

#endif
