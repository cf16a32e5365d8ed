/* civil: points in time as calendar dates in UTC, without the C library's time zones. */
#ifndef NORN_BASE_CIVIL_H
#define NORN_BASE_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum { CIVIL_TEXT_MAX = 40 };

struct civil {
    int64_t year;
    unsigned month, day, hour, minute, second, nanosecond;      /* month and day from 1 */
};

/* Of ns since 1970-01-01 UTC. */
struct civil civil_of(int64_t wall_ns);
/* RFC 3339 with milliseconds: "2026-11-21T10:20:30.123Z". Returns the length. */
unsigned civil_format(int64_t wall_ns, char text[CIVIL_TEXT_MAX]);
/* As protobuf's JSON has it: with 0, 3, 6 or 9 digits of a second, of seconds since 1970 and 0..999,999,999 ns. */
unsigned civil_format_exact(int64_t seconds, unsigned nanos, char text[CIVIL_TEXT_MAX]);
/* RFC 3339, with any offset and 0 to 9 digits. False when it is not that. */
bool civil_parse(struct bytes text, int64_t *seconds, unsigned *nanos);

#endif
