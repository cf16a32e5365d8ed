/* record: the bytes of a journal: segment headers, flight headers, records. docs/on-disk-format.md describes them.
 *
 * A segment is a file: one block of header, then flights. A flight is what one write carries: a header, the records one
 * after another, and zeros up to the next block. Flights are written strictly one after another: a flight is written
 * only when the one before it is durable. So a valid flight proves that all before it were durable, and only the very
 * last one can be torn.
 *
 * Checksums are seeded with the store, the segment and the offset: what an earlier life of a recycled file left, or
 * what belongs elsewhere, never validates. */
#ifndef NORN_STORE_RECORD_H
#define NORN_STORE_RECORD_H

#include "base/bytes.h"
#include "store/store.h"

enum {
    JOURNAL_FORMAT = 1,
    JOURNAL_BLOCK = IO_DIRECT_ALIGN,
    STORE_ID_LEN = 16,
    SEGMENT_HEADER_LEN = 56,          /* in a block of its own */
    FLIGHT_HEADER_LEN = 48,
    FLIGHT_BODY_MAX = 1 << 30,
};

/* Where a flight is. */
struct flight_place {
    uint64_t segment, offset;         /* segment 0: none */
    uint64_t first_sequence;
};

/* Records that only the store writes and reads. */
enum { RECORD_EPOCH = 128, RECORD_CLOSED = 129 };

struct segment_header {
    uint32_t format;
    uint8_t store_id[STORE_ID_LEN];
    uint64_t number;
    uint64_t size;                    /* of the file */
};
void segment_header_encode(const struct segment_header *header, uint8_t to[SEGMENT_HEADER_LEN]);
enum segment_header_state {
    SEGMENT_HEADER_GOOD,
    SEGMENT_HEADER_NEWER,             /* a later format; only `format` is set */
    SEGMENT_HEADER_BAD,
};
enum segment_header_state segment_header_decode(const uint8_t from[SEGMENT_HEADER_LEN], struct segment_header *out);

struct flight_header {
    uint32_t body_len, count;
    uint64_t first_sequence;
    int64_t wall;                     /* ns; when it was written */
    uint64_t body_hash;
};
/* The seed of the flights of a segment. */
uint64_t segment_seed(const uint8_t store_id[STORE_ID_LEN], uint64_t number);
void flight_header_encode(const struct flight_header *header, uint64_t seed, uint64_t offset,
                          uint8_t to[FLIGHT_HEADER_LEN]);
/* False: no header that belongs here. */
bool flight_header_decode(const uint8_t from[FLIGHT_HEADER_LEN], uint64_t seed, uint64_t offset,
                          struct flight_header *out);
uint64_t flight_body_hash(const void *body, size_t len, uint64_t seed, uint64_t offset);

static inline uint64_t block_up(uint64_t len) { return (len + JOURNAL_BLOCK - 1) & ~(uint64_t)(JOURNAL_BLOCK - 1); }

/* Records. `record_size` is what `record_encode` writes; the sequence is not in it, it follows from the place. */
size_t record_size(const struct store_record *record);
void record_encode(const struct store_record *record, uint8_t *to);
/* Takes one from the reader; borrows from it. False: malformed. EPOCH records have their value in `version`. */
bool record_decode(struct reader *reader, struct store_record *out);

#endif
