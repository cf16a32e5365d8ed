/* segment: the files of the journal, by number: journal/0000000000000001.log and so on.
 *
 * A segment is prepared before it is needed: preallocated, its header written and synced, its name synced. One whose
 * records are all in SQLite's synced file is free, and is renamed to become the next one: recycling keeps the blocks, so
 * that a data sync has no metadata to write. */
#ifndef NORN_STORE_SEGMENT_H
#define NORN_STORE_SEGMENT_H

#include "fiber/fiber.h"
#include "store/record.h"

struct segment {
    uint64_t number, size;
    struct io_file file;
    uint64_t seed;
    uint64_t offset;                  /* where the next flight goes */
    uint64_t last_sequence;           /* sealed ones: of their last flight */
};

struct segment_folder {
    const char *dir;                  /* the data folder */
    uint8_t store_id[STORE_ID_LEN];
};

enum { SEGMENT_PATH_MAX = IO_PATH_MAX };
const char *segment_path(const struct segment_folder *folder, uint64_t number, char path[SEGMENT_PATH_MAX]);
const char *segment_folder_path(const struct segment_folder *folder, char path[SEGMENT_PATH_MAX]);
/* The number in a file's name; 0 when it is no segment's. */
uint64_t segment_number(const char *name);

/* Makes segment out->number of out->size bytes durable and opens it, by renaming the free segment `recycled` when that
 * is not 0. 0 or an error of io; on -IO_ENOSPC nothing of a new one is left. On a fiber. */
int64_t segment_prepare(struct io *io, const struct segment_folder *folder, uint64_t recycled, struct segment *out);
/* Removes a free segment. */
int64_t segment_remove(struct io *io, const struct segment_folder *folder, uint64_t number);

/* A buffer whose start suits direct IO. */
struct block_buf {
    uint8_t *raw, *data;
    size_t cap;
};
void block_buf_reserve(struct block_buf *buf, size_t used, size_t cap);
void block_buf_free(struct block_buf *buf);
/* A burst should not keep its memory: above this, what is far larger than the last use is given back. */
enum { BUF_KEPT = 1 << 20 };

#endif
