/* segment: preparing, recycling and removing the journal's files. */
#include "store/segment.h"

#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"

const char *segment_folder_path(const struct segment_folder *folder, char path[SEGMENT_PATH_MAX]) {
    int len = snprintf(path, SEGMENT_PATH_MAX, "%s/journal", folder->dir);
    CHECK(len > 0 && len < SEGMENT_PATH_MAX);
    return path;
}

const char *segment_path(const struct segment_folder *folder, uint64_t number, char path[SEGMENT_PATH_MAX]) {
    int len = snprintf(path, SEGMENT_PATH_MAX, "%s/journal/%016llx.log", folder->dir, (unsigned long long)number);
    CHECK(len > 0 && len < SEGMENT_PATH_MAX);
    return path;
}

uint64_t segment_number(const char *name) {
    if (strlen(name) != 20 || strcmp(name + 16, ".log") != 0) return 0;
    uint64_t number = 0;
    for (int i = 0; i < 16; i++) {
        char c = name[i];
        bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
        if (!digit && !letter) return 0;
        number = number << 4 | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
    }
    return number;
}

void block_buf_reserve(struct block_buf *buf, size_t used, size_t cap) {
    if (cap <= buf->cap) return;
    size_t grown = buf->cap ? buf->cap * 2 : 16 * JOURNAL_BLOCK;
    while (grown < cap) grown *= 2;
    uint8_t *raw = mem_realloc(NULL, grown + JOURNAL_BLOCK);
    uint8_t *data = (uint8_t *)block_up((uintptr_t)raw);
    if (buf->data) memcpy(data, buf->data, used);
    mem_free(buf->raw);
    *buf = (struct block_buf){raw, data, grown};
}

void block_buf_free(struct block_buf *buf) {
    mem_free(buf->raw);
    *buf = (struct block_buf){0};
}

static int64_t write_header(struct io *io, const struct segment_folder *folder, const struct segment *segment) {
    struct segment_header header = {.format = JOURNAL_FORMAT, .number = segment->number, .size = segment->size};
    memcpy(header.store_id, folder->store_id, STORE_ID_LEN);
    struct block_buf block = {0};
    block_buf_reserve(&block, 0, JOURNAL_BLOCK);
    memset(block.data, 0, JOURNAL_BLOCK);
    segment_header_encode(&header, block.data);
    int64_t result = fiber_write(io, segment->file, block.data, JOURNAL_BLOCK, 0);
    block_buf_free(&block);
    return result < 0 ? result : fiber_datasync(io, segment->file);
}

int64_t segment_prepare(struct io *io, const struct segment_folder *folder, uint64_t recycled, struct segment *out) {
    char path[SEGMENT_PATH_MAX], other[SEGMENT_PATH_MAX];
    segment_path(folder, out->number, path);
    out->seed = segment_seed(folder->store_id, out->number);
    out->offset = JOURNAL_BLOCK;
    int64_t result = recycled ? fiber_rename(io, segment_path(folder, recycled, other), path) : 0;
    if (result < 0) return result;
    unsigned flags = IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE | IO_OPEN_DIRECT;
    result = fiber_open(io, path, flags, &out->file);
    if (result < 0) return result;
    result = fiber_allocate(io, out->file, 0, out->size);
    if (result >= 0) result = write_header(io, folder, out);
    if (result >= 0) result = fiber_dir_sync(io, segment_folder_path(folder, other));
    if (result >= 0) return 0;
    fiber_close(io, out->file);
    if (result == -IO_ENOSPC) fiber_unlink(io, path);
    return result;
}

int64_t segment_remove(struct io *io, const struct segment_folder *folder, uint64_t number) {
    char path[SEGMENT_PATH_MAX];
    int64_t result = fiber_unlink(io, segment_path(folder, number, path));
    return result == -IO_ENOENT ? 0 : result;
}
