/* journal_keeper: the fiber that keeps the journal's segments, its reach and room; and the journal's side towards it. */
#ifndef NORN_STORE_JOURNAL_KEEPER_H
#define NORN_STORE_JOURNAL_KEEPER_H

#include "store/journal.h"

struct keeper_free {                  /* an entry of journal->free */
    uint64_t number, size;
};

int64_t keeper_start(struct journal *journal);
void keeper_stop(struct journal *journal);
/* Something is to be done: a segment to prepare or remove, the reserve. */
void keeper_wake(struct journal *journal);
/* The part of the segment at work that may be written to is short, or at its end. */
bool keeper_reach_is_due(const struct journal *journal);
/* Looks at the disk's free space when it has not for a while. */
void keeper_look_at_disk(struct journal *journal);
/* Computes room_normal, room_reserved and full. */
void keeper_reckon(struct journal *journal);
/* Closes a sealed segment's file, beside everything else. */
void keeper_close_file(struct journal *journal, struct io_file file);
/* The journal's: a segment came. */
void journal_kick(struct journal *journal);

#endif
