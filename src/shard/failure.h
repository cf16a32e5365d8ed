/* failure: failures that the server itself makes, and keeping stored ones small. */
#ifndef NORN_SHARD_FAILURE_H
#define NORN_SHARD_FAILURE_H

#include "shard/pb.h"

/* "StartToClose" and so on. */
const char *timeout_type_text(TimeoutType type);
/* Whether a policy's "TemporalTimeout:<text>" names one. */
bool timeout_type_known(const char *text);

Failure *failure_server(struct arena *arena, bool non_retryable, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
Failure *failure_timeout(struct arena *arena, TimeoutType type, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A copy of at most about `max_size` encoded bytes. What decides about retries (type, non_retryable) goes first, then
 * source, message, stack trace, and the same of its causes; details are dropped. NULL gives NULL. */
Failure *failure_trim(struct arena *arena, const Failure *failure, size_t max_size);

/* What is kept of an attempt's failure while an activity is retried: the failure itself when it is small, or a trimmed
 * copy. Borrowed from the argument or in the arena. */
const Failure *failure_for_retry(struct arena *arena, const Failure *failure);

#endif
