/* validate: what the API asks of single values. Texts are those that Temporal's servers answer with; some clients and
 * tests compare them (temporal-surface.md 3, 9). */
#ifndef NORN_SHARD_VALIDATE_H
#define NORN_SHARD_VALIDATE_H

#include "base/json_text.h"
#include "base/status.h"
#include "shard/pb.h"

enum { ID_LENGTH_MAX = 1000, FAIRNESS_KEY_MAX = 64, BUILD_ID_MAX = 255 };
/* About 100 years; longer lengths of time are cut to this. */
#define DURATION_MAX_NS (100LL * 365 * 24 * 3600 * 1000000000)

/* NULL when fine (also for an absent one), after cutting it to the longest; else why not. */
const char *duration_check(PbDuration *duration);

/* Any text of 36 characters in the form of a UUID, in lower or upper case. */
bool uuid_valid(const char *text);

/* Fills in kind and, when the name is empty, `fallback`; then checks the name. `limit` 0: ID_LENGTH_MAX. */
struct status task_queue_check(struct arena *arena, TaskQueue *queue, const char *fallback, uint32_t limit);
/* The same for a queue that a workflow on the queue `parent` names: only that may be one of the server's own. */
struct status task_queue_check_user(struct arena *arena, TaskQueue *queue, const char *parent, uint32_t limit);

/* NULL is fine. */
struct status priority_check(struct arena *arena, const Priority *priority);

#endif
