/* histogram: values from nothing to 2^42 (nanoseconds: over an hour), each kept within 0.8 %, in fixed room (as HDR
 * histograms do): 128 equal steps within each power of two. */
#ifndef NORN_BENCH_HISTOGRAM_H
#define NORN_BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HDR_STEP_BITS = 7, HDR_STEPS = 1 << HDR_STEP_BITS, HDR_VALUE_BITS = 42,
       HDR_SLOTS = (HDR_VALUE_BITS - HDR_STEP_BITS + 1) * HDR_STEPS };

/* A zeroed one is empty. */
struct hdr {
    uint64_t count, largest;
    uint64_t sum;
    uint64_t slots[HDR_SLOTS];
};

void hdr_add(struct hdr *histogram, int64_t value);      /* below 0 counts as 0 */
/* The value that `fraction` (0 to 1) of all are at or below; 0 when empty. */
uint64_t hdr_at(const struct hdr *histogram, double fraction);
double hdr_mean(const struct hdr *histogram);

#endif
