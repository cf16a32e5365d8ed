/* ranges: a set of numbers as people write it, "3,7-9". */
#ifndef NORN_SIM_RANGES_H
#define NORN_SIM_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
    uint64_t low, high;                  /* both are in it */
};

struct ranges {
    bool given;                          /* false: no set at all, which means everything */
    size_t count;
    struct range *items;                 /* in order, apart from each other */
};

/* Takes "3,7-9"; numbers are in order. False when the text is none; *out then has nothing. */
bool ranges_parse(const char *text, struct ranges *out);
/* True when it is in the set, or there is no set. */
bool ranges_have(const struct ranges *ranges, uint64_t number);
/* Adds a number that is larger than all in it. */
void ranges_add(struct ranges *ranges, uint64_t number);
/* How many numbers are in it. */
uint64_t ranges_size(const struct ranges *ranges);
/* The text, cut at `size`; how long it is in full, as snprintf. */
size_t ranges_print(const struct ranges *ranges, char *text, size_t size);
void ranges_copy(struct ranges *to, const struct ranges *from);
void ranges_free(struct ranges *ranges);

#endif
