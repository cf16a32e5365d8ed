/* activity_end: how attempts and activities end. Each function that ends one writes its events (the started one first,
 * temporal-surface 2.5), frees the item, and wakes the workflow. Messages are borrowed and only read. */
#ifndef NORN_SHARD_ACTIVITY_END_H
#define NORN_SHARD_ACTIVITY_END_H

#include "shard/pb.h"
#include "shard/txn.h"

void activity_end_completed(struct txn *txn, struct item *activity, const Payloads *result, const char *identity);
void activity_end_failed(struct txn *txn, struct item *activity, const Failure *failure, RetryState state,
                         const char *identity);
void activity_end_timed_out(struct txn *txn, struct item *activity, Failure *failure, RetryState state);
void activity_end_canceled(struct txn *txn, struct item *activity, const Payloads *details, const char *identity);

/* An attempt has failed: prepares the next one when there may be one (RETRY_STATE(IN_PROGRESS)), or says why not and
 * changes nothing. */
RetryState activity_retry(struct txn *txn, struct item *activity, const Failure *failure);

/* When all attempts must have ended; 0: never. */
int64_t activity_expires_at(const StateActivity *activity);

#endif
