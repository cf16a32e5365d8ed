/* journal: one append-only log for the node, on loop 0, with group commit.
 *
 * Records gather in one flight while the other is being written and synced; then that one goes out. One write and one
 * data sync are in flight at a time, so flights become durable in order. The keeper, a fiber, works beside the path of
 * commits: it prepares the next segment before it is needed, recycles and removes free ones, and watches the disk.
 *
 * When the disk is full nothing is lost: the segment at work and the next are preallocated; the journal waits with what
 * it has until there is room, and journal_room tells those who ask first. Any other error stops the process: what a
 * failed write or sync left on the disk is unknown. */
#ifndef NORN_STORE_JOURNAL_H
#define NORN_STORE_JOURNAL_H

#include <stdatomic.h>

#include "store/reach.h"
#include "store/segment.h"

struct flight {
    struct block_buf buf;             /* the header's room, then records */
    size_t len;
    uint32_t count;
    uint64_t first_sequence;
};

struct journal {
    struct io *io;
    struct segment_folder folder;
    uint64_t segment_bytes, reserve_bytes;
    bool no_datasync;
    /* Runs when all of flights[index] is durable. */
    void (*committed)(void *ctx, unsigned index);
    void *ctx;

    struct segment active, next;      /* next.number is 0: not ready */
    struct buf landmarks;             /* of struct flight_place, oldest first: 64 in a segment at most */
    struct reach reach;               /* durable; number is 0: the file could not be made, and nothing heeds it */
    struct io_file reach_file;
    bool waits_for_reach;
    struct buf sealed;                /* of struct segment, oldest first: full, not free yet */
    struct buf free;                  /* numbers of segments to recycle or remove */
    struct flight flights[2];
    unsigned gathering;               /* the index of the one that gathers */
    bool flying;
    bool waits_for_segment;
    uint64_t flying_bytes;
    uint64_t assigned, durable;       /* sequences: given out, known to be on the disk */
    struct io_op write, sync, retry;
    struct io_hook hook;
    int64_t submitted_at, written_at;

    struct fiber *keeper;
    struct io_op keeper_timer;
    bool keeper_waits, stopping;
    struct fiber *stopper;            /* waits for the journal to be still */
    unsigned closing;                 /* files of sealed segments that are being closed */
    uint64_t next_size;               /* what the next segment must hold; 0: the usual */
    bool blocked;                     /* no room to prepare a segment */
    bool has_reserve, wants_reserve;  /* the file `reserve`; someone needs its room */
    int64_t disk_free, disk_free_at;
    _Atomic int64_t room_normal, room_reserved;

    uint64_t records, commits, datasyncs, bytes;
    int64_t commit_ns_last, datasync_ns_last;
    _Atomic bool full;
};

/* The journal has its settings, and what recovery found: active (open, offset after the last flight) or active.number
 * == 0 for a new one; sealed; free; assigned == durable. Makes the first segment when there is none. On a fiber. 0, or
 * an error of io. */
int64_t journal_start(struct journal *journal);
/* Writes what is gathered, waits, closes the files. On a fiber. */
void journal_stop(struct journal *journal);

/* Room for `len` bytes that hold `count` encoded records, in the flight that gathers; they get the sequences up to
 * journal->assigned. Written when the batch of callbacks ends. */
uint8_t *journal_put(struct journal *journal, size_t len, uint32_t count);
/* Segments whose records are all <= sequence are free from now on. */
void journal_free_up_to(struct journal *journal, uint64_t sequence);
/* The last landmark at or before a sequence; what lies before it is forgotten. `segment` is 0 when there is none. */
struct flight_place journal_landmark(struct journal *journal, uint64_t sequence);
/* The checkpoint has no room: give it the reserve. */
void journal_want_reserve(struct journal *journal);
/* How many segments there are, free ones included. */
uint64_t journal_segment_count(const struct journal *journal);

#endif
