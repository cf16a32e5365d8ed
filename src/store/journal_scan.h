/* journal_scan: reading a journal's segments: where it ends, and whether it is whole.
 *
 * What does not validate is one of three things:
 *  - the end of a segment: the next one goes on with the very next sequence;
 *  - the torn tail: nothing valid comes after it anywhere, and all that is known to be durable lies before it. It was
 *    never acknowledged, and is cut;
 *  - damage: anything else. It is reported with the segment, the offset and what to do, and never skipped. */
#ifndef NORN_STORE_JOURNAL_SCAN_H
#define NORN_STORE_JOURNAL_SCAN_H

#include "base/status.h"
#include "store/reach.h"
#include "store/segment.h"

struct scan_segment {
    uint64_t number, size;            /* from the name; of the file */
    enum segment_header_state state;
    uint8_t first_header[FLIGHT_HEADER_LEN];
    uint64_t first_sequence;          /* of its first flight; 0: that does not validate */
    uint64_t last_sequence;           /* scanned ones that have flights; else 0 */
    uint64_t end;                     /* scanned ones: offset after the last flight */
};

struct journal_scan {
    struct io *io;
    struct segment_folder folder;     /* store_id: taken from the journal when `store_id_known` is false */
    bool store_id_known;
    uint64_t applied;                 /* records up to this one are not needed */
    struct flight_place needed;       /* a flight to begin with, when it is there and the store id is known; or zero */
    struct reach reach;               /* what lies beyond is not read; number 0: everything is */
    bool checked;                     /* a run before ended well: what comes after the end is not read */
    uint64_t durable;                 /* a sequence that is known to be durable; at least `applied` */
    /* May be NULL. Everything is borrowed for the call. */
    void (*flight)(void *ctx, const struct scan_segment *segment, uint64_t offset, const struct flight_header *header);
    void (*record)(void *ctx, const struct store_record *record);
    void *ctx;

    struct buf segments;              /* of struct scan_segment, by number; made by journal_scan_list */
    size_t first, last;               /* indexes: where the scan begins; the segment that it ends in */
    uint64_t first_offset;            /* in that segment */
    uint64_t end_sequence;            /* the last valid record's; 0: none at all */
};

static inline struct scan_segment *scan_segments(const struct journal_scan *scan) {
    return (struct scan_segment *)(void *)scan->segments.data;
}
static inline size_t scan_count(const struct journal_scan *scan) {
    return scan->segments.len / sizeof(struct scan_segment);
}

/* Finds the segments and reads their headers. On a fiber, as the rest. */
struct status journal_scan_list(struct journal_scan *scan, struct arena *arena);
/* Sets `applied` so that the scan begins with the oldest record that is there. */
void journal_scan_from_oldest(struct journal_scan *scan);
/* Reads all flights from the first that is needed, checking everything; may be called again with other callbacks. */
struct status journal_scan_run(struct journal_scan *scan, struct arena *arena);
void journal_scan_free(struct journal_scan *scan);

#endif
