/* reach: how far the journal may have been written: the file journal/reach.
 *
 * A flight is written only when a durable reach covers it, so that a start need not read a segment's preallocated rest to
 * know that nothing lies there. It moves ahead of the journal by a good step at a time, beside the path of commits.
 *
 * Two blocks, written in turn, so that a torn write leaves the other one. A file that is missing, damaged, of another
 * store, or behind what the journal holds says nothing: then the rest is read. docs/on-disk-format.md has the layout. */
#ifndef NORN_STORE_REACH_H
#define NORN_STORE_REACH_H

#include "store/segment.h"

/* Nothing was written at or after `limit` in segment `number`, nor at or after `first` in the one that follows it, nor at
 * all in later ones. */
struct reach {
    uint64_t number;                  /* 0: not known */
    uint64_t limit, first;
    uint64_t counter;                 /* of the writes of the file */
};

enum { REACH_LEN = 72 };
void reach_encode(const struct reach *reach, const uint8_t store_id[STORE_ID_LEN], uint8_t to[REACH_LEN]);
/* False: damaged, of a later format, or of another store. */
bool reach_decode(const uint8_t from[REACH_LEN], const uint8_t store_id[STORE_ID_LEN], struct reach *out);

/* Where the part of a segment of `size` bytes ends that may have been written. */
uint64_t reach_end(const struct reach *reach, uint64_t number, uint64_t size);

/* Reads the newest; `number` is 0 when there is none that validates. An error of reading is none: see above. */
void reach_read(struct io *io, const struct segment_folder *folder, struct reach *out);
/* Opens the file, made and named durably when it is not there. 0 or an error of io. */
int64_t reach_open(struct io *io, const struct segment_folder *folder, struct io_file *out);
/* Removes it, durably. 0 or an error of io. */
int64_t reach_remove(struct io *io, const struct segment_folder *folder);
/* Makes `reach` durable; counts it up. 0 or an error of io. All on a fiber. */
int64_t reach_write(struct io *io, const struct segment_folder *folder, struct io_file file, struct reach *reach);

#endif
