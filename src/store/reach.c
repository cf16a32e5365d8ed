/* reach: its file. */
#include "store/reach.h"

#include <stdio.h>

#include "base/check.h"
#include "base/hash.h"

static const char magic[8] = {'N', 'O', 'R', 'N', 'R', 'E', 'A', 'C'};
enum { REACH_FORMAT = 1, SLOTS = 2 };

void reach_encode(const struct reach *reach, const uint8_t store_id[STORE_ID_LEN], uint8_t to[REACH_LEN]) {
    memcpy(to, magic, sizeof magic);
    store_u32(to + 8, REACH_FORMAT);
    store_u32(to + 12, 0);
    memcpy(to + 16, store_id, STORE_ID_LEN);
    store_u64(to + 32, reach->counter);
    store_u64(to + 40, reach->number);
    store_u64(to + 48, reach->limit);
    store_u64(to + 56, reach->first);
    store_u64(to + 64, hash64(to, 64));
}

bool reach_decode(const uint8_t from[REACH_LEN], const uint8_t store_id[STORE_ID_LEN], struct reach *out) {
    *out = (struct reach){0};
    if (memcmp(from, magic, sizeof magic) != 0 || load_u64(from + 64) != hash64(from, 64)) return false;
    if (load_u32(from + 8) != REACH_FORMAT || memcmp(from + 16, store_id, STORE_ID_LEN) != 0) return false;
    *out = (struct reach){.counter = load_u64(from + 32), .number = load_u64(from + 40), .limit = load_u64(from + 48),
                          .first = load_u64(from + 56)};
    return out->number != 0;
}

uint64_t reach_end(const struct reach *reach, uint64_t number, uint64_t size) {
    if (!reach->number || number < reach->number) return size;
    uint64_t end = number == reach->number ? reach->limit : number == reach->number + 1 ? reach->first : 0;
    return end < size ? end : size;
}

static const char *reach_path(const struct segment_folder *folder, char path[SEGMENT_PATH_MAX]) {
    int len = snprintf(path, SEGMENT_PATH_MAX, "%s/journal/reach", folder->dir);
    CHECK(len > 0 && len < SEGMENT_PATH_MAX);
    return path;
}

void reach_read(struct io *io, const struct segment_folder *folder, struct reach *out) {
    char path[SEGMENT_PATH_MAX];
    struct io_file file;
    *out = (struct reach){0};
    if (fiber_open(io, reach_path(folder, path), IO_OPEN_READ, &file) < 0) return;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        uint8_t data[REACH_LEN];
        struct reach one;
        bool whole = fiber_read(io, file, data, sizeof data, slot * JOURNAL_BLOCK) == (int64_t)sizeof data;
        if (whole && reach_decode(data, folder->store_id, &one) && one.counter >= out->counter) *out = one;
    }
    fiber_close(io, file);
}

int64_t reach_open(struct io *io, const struct segment_folder *folder, struct io_file *out) {
    char path[SEGMENT_PATH_MAX], other[SEGMENT_PATH_MAX];
    unsigned flags = IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE | IO_OPEN_DIRECT;
    int64_t result = fiber_open(io, reach_path(folder, path), flags, out);
    if (result < 0) return result;
    result = fiber_allocate(io, *out, 0, SLOTS * JOURNAL_BLOCK);
    if (result >= 0) result = fiber_dir_sync(io, segment_folder_path(folder, other));
    if (result < 0) fiber_close(io, *out);
    return result;
}

int64_t reach_write(struct io *io, const struct segment_folder *folder, struct io_file file, struct reach *reach) {
    struct block_buf block = {0};
    block_buf_reserve(&block, 0, JOURNAL_BLOCK);
    memset(block.data, 0, JOURNAL_BLOCK);
    reach->counter++;
    reach_encode(reach, folder->store_id, block.data);
    int64_t result = fiber_write(io, file, block.data, JOURNAL_BLOCK, reach->counter % SLOTS * JOURNAL_BLOCK);
    block_buf_free(&block);
    return result < 0 ? result : fiber_datasync(io, file);
}

int64_t reach_remove(struct io *io, const struct segment_folder *folder) {
    char path[SEGMENT_PATH_MAX], other[SEGMENT_PATH_MAX];
    int64_t result = fiber_unlink(io, reach_path(folder, path));
    if (result == -IO_ENOENT) return 0;
    return result < 0 ? result : fiber_dir_sync(io, segment_folder_path(folder, other));
}
