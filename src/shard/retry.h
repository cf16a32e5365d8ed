/* retry: retry policies of activities and workflows (temporal-surface.md 3 and 4.3). */
#ifndef NORN_SHARD_RETRY_H
#define NORN_SHARD_RETRY_H

#include "base/status.h"
#include "shard/pb.h"

/* Fills what is not set: 1 s, coefficient 2, at most 100 times the first interval, any number of attempts. */
void retry_policy_fill(struct arena *arena, RetryPolicy *policy);
/* INVALID_ARGUMENT when the policy makes no sense; NULL is fine. Too long intervals are cut to the longest. */
struct status retry_policy_check(struct arena *arena, RetryPolicy *policy);

/* Whether this failure may be retried at all. NULL may. */
bool retry_allowed(const Failure *failure, char *const *non_retryable_types, size_t type_count);

/* initial * coefficient^(attempt - 1), at most INT64_MAX. Only multiplications, each rounded as IEEE 754 says, so that
 * every machine finds the same. */
int64_t retry_backoff(int64_t initial_ns, double coefficient, int32_t attempt);

/* Decides about the attempt after `attempt` (the first is 1), which failed with `failure` at `now`. In progress:
 * *interval_ns is how long to wait. expires_at is when everything must have ended; 0: never. */
RetryState retry_next(const RetryPolicy *policy, int32_t attempt, int64_t now, int64_t expires_at,
                            const Failure *failure, int64_t *interval_ns);

#endif
