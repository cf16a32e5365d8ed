/* zone: two binary searches, by name and by time. */
#include "base/zone.h"

#include <string.h>

struct change {
    uint32_t at;
    int32_t offset;
};
struct zone {
    const char *name;
    const struct change *changes;      /* the first one is at 0 */
    size_t count;
};

#include "norn_zones.inc"

static int compare(struct bytes name, const char *other) {
    size_t len = strlen(other), less = name.len < len ? name.len : len;
    int order = less ? memcmp(name.data, other, less) : 0;
    return order ? order : (name.len > len) - (name.len < len);
}

const struct zone *zone_find(struct bytes name) {
    size_t low = 0, high = sizeof zones / sizeof *zones;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare(name, zones[middle].name);
        if (order == 0) return &zones[middle];
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return NULL;
}

struct zone_span zone_span_at(const struct zone *zone, int64_t seconds) {
    size_t low = 0, high = zone->count;        /* the last change that is not after `seconds`, or the first one */
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (zone->changes[middle].at <= seconds) low = middle;
        else high = middle;
    }
    return (struct zone_span){
        .begin = low ? (int64_t)zone->changes[low].at : INT64_MIN,
        .end = low + 1 < zone->count ? (int64_t)zone->changes[low + 1].at : INT64_MAX,
        .offset = zone->changes[low].offset,
    };
}
