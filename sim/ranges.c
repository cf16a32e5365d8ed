/* ranges: sets of numbers, kept as they are written. */
#include "ranges.h"

#include <stdio.h>
#include <stdlib.h>

#include "world.h"

static bool take_number(const char **at, uint64_t *out) {
    if (**at < '0' || **at > '9') return false;
    char *end;
    *out = strtoull(*at, &end, 10);
    *at = end;
    return true;
}

static void push(struct ranges *ranges, struct range range) {
    ranges->items = world_realloc(ranges->items, (ranges->count + 1) * sizeof *ranges->items);
    ranges->items[ranges->count++] = range;
    ranges->given = true;
}

bool ranges_parse(const char *text, struct ranges *out) {
    *out = (struct ranges){0};
    const char *at = text;
    for (;;) {
        struct range range;
        bool good = take_number(&at, &range.low);
        range.high = range.low;
        if (good && *at == '-') good = (at++, take_number(&at, &range.high)) && range.high >= range.low;
        good = good && (!out->count || range.low > out->items[out->count - 1].high);
        if (good) push(out, range);
        if (good && !*at) return true;
        if (good && *at++ == ',') continue;
        ranges_free(out);
        return false;
    }
}

bool ranges_have(const struct ranges *ranges, uint64_t number) {
    if (!ranges->given) return true;
    size_t low = 0, high = ranges->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges->items[middle].high < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ranges->count && ranges->items[low].low <= number;
}

void ranges_add(struct ranges *ranges, uint64_t number) {
    struct range *last = ranges->count ? &ranges->items[ranges->count - 1] : NULL;
    if (last && last->high + 1 == number)
        last->high = number;
    else
        push(ranges, (struct range){number, number});
}

uint64_t ranges_size(const struct ranges *ranges) {
    uint64_t size = 0;
    for (size_t i = 0; i < ranges->count; i++) size += ranges->items[i].high - ranges->items[i].low + 1;
    return size;
}

size_t ranges_print(const struct ranges *ranges, char *text, size_t size) {
    size_t len = 0;
    if (size) text[0] = 0;
    for (size_t i = 0; i < ranges->count; i++) {
        const struct range *range = &ranges->items[i];
        char part[48];
        int used = snprintf(part, sizeof part, range->low == range->high ? "%s%llu" : "%s%llu-%llu", i ? "," : "",
                            (unsigned long long)range->low, (unsigned long long)range->high);
        if (len < size) snprintf(text + len, size - len, "%s", part);
        len += (size_t)used;
    }
    return len;
}

void ranges_copy(struct ranges *to, const struct ranges *from) {
    ranges_free(to);
    for (size_t i = 0; i < from->count; i++) push(to, from->items[i]);
}

void ranges_free(struct ranges *ranges) {
    world_free(ranges->items);
    *ranges = (struct ranges){0};
}
