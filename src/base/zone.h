/* zone: local time in the zones of the IANA database, from tables that are compiled in (tools/gen_zones.py): the same on
 * every machine, and in the simulator. They reach from 1970 to the end of 2105; the last offset holds after that. */
#ifndef NORN_BASE_ZONE_H
#define NORN_BASE_ZONE_H

#include "base/bytes.h"

struct zone;

/* By its name, such as "Europe/Berlin" or "UTC", as the database spells it; NULL: there is none. */
const struct zone *zone_find(struct bytes name);

/* A time in which a zone's offset is the same: from `begin` on, before `end`. Seconds since 1970, UTC. */
struct zone_span {
    int64_t begin, end;
    int32_t offset;                    /* seconds that local time is ahead of UTC */
};
struct zone_span zone_span_at(const struct zone *zone, int64_t seconds);

#endif
