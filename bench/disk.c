/* disk: one write and one data sync at a time, as a durable reply needs at the least. The file is written by O_DIRECT
 * and has its room beforehand, as the journal's segments have. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "load.h"

enum { FILE_BYTES = 64 << 20 };

static _Noreturn void fail(const char *what, int64_t result) {
    fprintf(stderr, "norn-bench: %s: %s\n", what, io_error_text(result));
    exit(1);
}

static uint8_t *aligned(size_t len) {
    uint8_t *raw = mem_alloc(len + IO_DIRECT_ALIGN);
    return raw + (IO_DIRECT_ALIGN - (uintptr_t)raw % IO_DIRECT_ALIGN) % IO_DIRECT_ALIGN;
}

void disk_run(struct load *load) {
    struct io *io = load->io;
    size_t len = (load->options.bytes + IO_DIRECT_ALIGN - 1) / IO_DIRECT_ALIGN * IO_DIRECT_ALIGN;
    uint8_t *block = aligned(len);
    struct io_file file;
    io_random(io, block, len);
    unsigned flags = IO_OPEN_WRITE | IO_OPEN_CREATE | IO_OPEN_TRUNCATE | IO_OPEN_DIRECT;
    int64_t result = fiber_open(io, load->options.file, flags, &file);
    if (result < 0) fail(load->options.file, result);
    if ((result = fiber_allocate(io, file, 0, FILE_BYTES)) < 0) fail("allocate", result);
    load->window.from = process_sample(io, NULL);
    int64_t end = io_now(io) + (int64_t)(load->options.seconds * 1e9);
    for (uint64_t offset = 0; io_now(io) < end; offset += len) {
        int64_t from = io_now(io);
        if (offset + len > FILE_BYTES) offset = 0;
        if ((result = fiber_write(io, file, block, len, offset)) < 0) fail("write", result);
        if ((result = fiber_datasync(io, file)) < 0) fail("data sync", result);
        hdr_add(&load->window.latency, io_now(io) - from);
        load->window.completed++;
    }
    load->window.to = process_sample(io, NULL);
    fiber_close(io, file);
    fiber_unlink(io, load->options.file);
}
