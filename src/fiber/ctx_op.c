/* ctx_op: io ops under a context. */
#include "fiber/ctx_op.h"

#include "base/check.h"
#include "fiber/wait.h"

struct canceler {
    struct ctx_watch watch;
    struct io *io;
    struct io_op *op;
};

static void cancel_op(struct ctx_watch *watch, struct ctx *ctx) {
    (void)ctx;
    struct canceler *canceler = CONTAINER_OF(watch, struct canceler, watch);
    io_cancel(canceler->io, canceler->op);
}

int64_t ctx_await(struct io *io, struct ctx *ctx, struct io_op *op) {
    struct canceler canceler = {.watch.ended = cancel_op, .io = io, .op = op};
    if (op->busy) ctx_watch(ctx, &canceler.watch);
    int64_t result = fiber_await(io, op);
    ctx_unwatch(&canceler.watch);
    bool by_context = result == -IO_ECANCELED && ctx_error(ctx);
    return by_context ? ctx_error(ctx) : result;
}

int64_t ctx_sleep_until(struct io *io, struct ctx *ctx, int64_t deadline) {
    struct fiber_wait wait;
    fiber_wait_begin(io, &wait);
    int64_t result = fiber_wait(io, &wait, ctx, deadline);
    return result == -IO_ETIMEDOUT && io_now(io) >= deadline && !ctx_error(ctx) ? 0 : result;
}

/* Begins a function: an op for the running fiber, unless the context has ended. */
#define UNDER_CTX()                                                                                            \
    struct io_op op;                                                                                           \
    if (ctx_error(ctx)) return ctx_error(ctx);                                                                 \
    fiber_op_init(io, &op)

int64_t ctx_open(struct io *io, struct ctx *ctx, const char *path, unsigned flags, struct io_file *out) {
    UNDER_CTX();
    io_open(io, &op, path, flags);
    int64_t result = ctx_await(io, ctx, &op);
    if (result >= 0) *out = op.file;
    return result;
}

int64_t ctx_read(struct io *io, struct ctx *ctx, struct io_file file, void *data, size_t len, uint64_t offset) {
    UNDER_CTX();
    io_read(io, &op, file, data, len, offset);
    return ctx_await(io, ctx, &op);
}

int64_t ctx_write(struct io *io, struct ctx *ctx, struct io_file file, const void *data, size_t len, uint64_t offset) {
    UNDER_CTX();
    io_write(io, &op, file, data, len, offset);
    return ctx_await(io, ctx, &op);
}

int64_t ctx_connect(struct io *io, struct ctx *ctx, const struct io_addr *addr, struct io_sock *out) {
    UNDER_CTX();
    io_connect(io, &op, addr);
    int64_t result = ctx_await(io, ctx, &op);
    if (result >= 0) *out = op.sock;
    return result;
}

int64_t ctx_resolve(struct io *io, struct ctx *ctx, const char *host, uint16_t port, struct io_addr *out) {
    UNDER_CTX();
    io_resolve(io, &op, host, port);
    int64_t result = ctx_await(io, ctx, &op);
    if (result >= 0) *out = op.addr;
    return result;
}

int64_t ctx_send_all(struct io *io, struct ctx *ctx, struct io_sock sock, const void *data, size_t len) {
    const uint8_t *at = data;
    while (len) {
        struct iovec iov = {(void *)(uintptr_t)at, len};
        UNDER_CTX();
        io_send(io, &op, sock, &iov, 1);
        int64_t sent = ctx_await(io, ctx, &op);
        if (sent < 0) return sent;
        at += sent;
        len -= (size_t)sent;
    }
    return 0;
}
