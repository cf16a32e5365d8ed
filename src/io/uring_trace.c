/* uring_trace: a log of writes, data syncs and sends, to prove that no reply is submitted before the completion of the
 * data sync that covers its record. Written when NORN_IO_TRACE names a file; otherwise a test of one pointer.
 *
 * A line is: ORDER LOOP submit|done KIND OP SLOT OFFSET LEN RESULT
 * ORDER is one sequence for all loops; OP is the op's number on its loop. A line is in the file before the kernel gets
 * the submission, and before anything that a completion causes is submitted. */
#include <fcntl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "io/uring_internal.h"

struct uring_trace {
    int fd;
    atomic_uint_fast64_t order;
    struct buf pending[IO_LOOPS_MAX];
};

struct uring_trace *trace_open(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    CHECKF(fd >= 0, "NORN_IO_TRACE: %s cannot be written", path);
    struct uring_trace *trace = MEM_NEW(struct uring_trace);
    trace->fd = fd;
    return trace;
}

static const char *traced(const struct io_op *op) {
    switch (op_kind(op)) {
    case KIND_WRITE: return "write";
    case KIND_DATASYNC: return "datasync";
    case KIND_SEND: return "send";
    case KIND_RECV: return "recv";
    default: return NULL;
    }
}

static void line(struct io *io, const struct io_op *op, const char *event, int64_t result) {
    const char *kind = traced(op);
    if (!kind) return;
    struct uring_trace *trace = io->trace;
    unsigned long long order = atomic_fetch_add(&trace->order, 1) + 1;
    bool ranged = op_kind(op) == KIND_WRITE;
    buf_printf(&trace->pending[io->index], "%llu %u %s %s %llu %llu %llu %llu %lld\n", order, io->index, event, kind,
               (unsigned long long)op->sequence, (unsigned long long)op->args[0],
               ranged ? (unsigned long long)op->args[3] : 0, ranged ? (unsigned long long)op->args[2] : 0,
               (long long)result);
}

void trace_submit(struct io *io, const struct io_op *op) {
    if (op_kind(op) != KIND_RECV) line(io, op, "submit", 0);
}

void trace_complete(struct io *io, const struct io_op *op, int64_t result) { line(io, op, "done", result); }

void trace_flush(struct io *io) {
    struct buf *pending = &io->trace->pending[io->index];
    for (size_t at = 0; at < pending->len;) {
        ssize_t part = write(io->trace->fd, pending->data + at, pending->len - at);
        CHECKF(part > 0, "NORN_IO_TRACE: a write failed");
        at += (size_t)part;
    }
    buf_clear(pending);
}
