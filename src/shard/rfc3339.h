/* rfc3339: times as text, in UTC, without the system's calendar functions. */
#ifndef NORN_SHARD_RFC3339_H
#define NORN_SHARD_RFC3339_H

#include "base/arena.h"

/* "2026-01-02T03:04:05.6Z", or with an offset like +01:00. False when it is no such text, or outside of what int64
 * nanoseconds since 1970 can tell (years 1678 to 2261). */
bool rfc3339_parse(const char *text, int64_t *ns);
/* Of fixed width: nine digits of the second, and Z. */
const char *rfc3339_text(struct arena *arena, int64_t ns);

#endif
