/* close: the end of a run. Each writes the closing event; retries, cron and continue-as-new start the next run in the
 * same commit. The messages are the commands' attributes; they are only read. */
#ifndef NORN_SHARD_CLOSE_H
#define NORN_SHARD_CLOSE_H

#include "shard/commands.h"

/* Closing commands, called by commands_apply. `command` gives user_metadata and event_group_markers. */
void close_by_complete(struct completion *completion, const Command *command);
void close_by_fail(struct completion *completion, const Command *command);
void close_by_cancel(struct completion *completion, const Command *command);
void close_continue_as_new(struct completion *completion, const Command *command);

/* Ends a started workflow task by force (WorkflowTaskFailed with `cause`, unless transient), gives ids to held back
 * events, and writes WorkflowExecutionTerminated. */
void close_terminate(struct txn *txn, const char *reason, const Payloads *details, const char *identity);
void close_terminate_linked(struct txn *txn, const char *reason, const Payloads *details, const char *identity,
                            Temporal__Api__Common__V1__Link **links, size_t link_count);
/* Terminates a run whose history has become too long (limit.historyCount.error, limit.historySize.error). */
void close_if_too_long(struct txn *txn);
/* The run or execution timeout has passed. */
void close_timed_out(struct txn *txn);

#endif
