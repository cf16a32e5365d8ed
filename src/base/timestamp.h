/* timestamp: times and durations as text, in nanoseconds. */
#ifndef NORN_BASE_TIMESTAMP_H
#define NORN_BASE_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

enum { TIMESTAMP_TEXT_MAX = 40 };

/* RFC 3339 with an offset or Z, as ns since 1970-01-01 UTC. False when malformed or out of range. */
bool timestamp_parse(const char *text, int64_t *ns);
/* RFC 3339 in UTC with nine digits always, so that comparing texts compares times (years 0 to 9999). */
const char *timestamp_format_fixed(int64_t ns, char text[TIMESTAMP_TEXT_MAX]);
/* Go's form ("1h30m", "1.5s", "100ms", also "d") or "HH:MM:SS", as ns. */
bool duration_parse(const char *text, int64_t *ns);

#endif
