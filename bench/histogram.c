/* histogram: slots by the highest bit and the seven bits below it. */
#include "histogram.h"

static unsigned slot_of(uint64_t value) {
    if (value < HDR_STEPS) return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HDR_STEP_BITS;
    return (shift + 1) * HDR_STEPS + (unsigned)(value >> shift & (HDR_STEPS - 1));
}

/* The middle of a slot. */
static uint64_t value_of(unsigned slot) {
    if (slot < HDR_STEPS) return slot;
    unsigned shift = slot / HDR_STEPS - 1;
    uint64_t low = (uint64_t)(HDR_STEPS + slot % HDR_STEPS) << shift;
    return low + (UINT64_C(1) << shift) / 2;
}

void hdr_add(struct hdr *histogram, int64_t value) {
    uint64_t most = (UINT64_C(1) << HDR_VALUE_BITS) - 1;
    uint64_t taken = value < 0 ? 0 : (uint64_t)value > most ? most : (uint64_t)value;
    histogram->slots[slot_of(taken)]++;
    histogram->count++;
    histogram->sum += taken;
    if (taken > histogram->largest) histogram->largest = taken;
}

uint64_t hdr_at(const struct hdr *histogram, double fraction) {
    uint64_t wanted = (uint64_t)(fraction * (double)histogram->count + 0.5), seen = 0;
    if (histogram->count == 0) return 0;
    if (wanted == 0) wanted = 1;
    for (unsigned slot = 0; slot < HDR_SLOTS; slot++) {
        seen += histogram->slots[slot];
        if (seen >= wanted) return value_of(slot) < histogram->largest ? value_of(slot) : histogram->largest;
    }
    return histogram->largest;
}

double hdr_mean(const struct hdr *histogram) {
    return histogram->count ? (double)histogram->sum / (double)histogram->count : 0;
}
