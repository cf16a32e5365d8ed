/* ctx_op: waiting for io ops under a context: when the context ends first, the op is canceled.
 *
 * An op that won the race against the cancellation keeps its true result (a connected socket, written bytes); one that
 * was canceled gives the context's error. In both cases the op is io's no more. */
#ifndef NORN_FIBER_CTX_OP_H
#define NORN_FIBER_CTX_OP_H

#include "fiber/ctx.h"
#include "fiber/fiber.h"

/* As fiber_await, for an op prepared with fiber_op_init and submitted by the caller. */
int64_t ctx_await(struct io *io, struct ctx *ctx, struct io_op *op);

/* As the fiber_ functions of the same names. A context that has ended gives its error, and nothing is submitted. */
int64_t ctx_sleep_until(struct io *io, struct ctx *ctx, int64_t deadline);      /* 0 at the deadline */
int64_t ctx_open(struct io *io, struct ctx *ctx, const char *path, unsigned flags, struct io_file *out);
int64_t ctx_read(struct io *io, struct ctx *ctx, struct io_file file, void *data, size_t len, uint64_t offset);
int64_t ctx_write(struct io *io, struct ctx *ctx, struct io_file file, const void *data, size_t len, uint64_t offset);
int64_t ctx_connect(struct io *io, struct ctx *ctx, const struct io_addr *addr, struct io_sock *out);
int64_t ctx_resolve(struct io *io, struct ctx *ctx, const char *host, uint16_t port, struct io_addr *out);
int64_t ctx_send_all(struct io *io, struct ctx *ctx, struct io_sock sock, const void *data, size_t len);

#endif
