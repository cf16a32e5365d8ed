/* fiber: stackful fibers, owned by one loop, which switch only when they wait.
 *
 * A fiber is code that is written straight down. It runs in callbacks of its loop, one at a time; while it waits, other
 * callbacks run, so no pointer into shared state is held across a wait: look it up again. Stacks have a guard page.
 * The sanitizers are told of each switch. */
#ifndef NORN_FIBER_FIBER_H
#define NORN_FIBER_FIBER_H

#include "io/io.h"

struct fiber;
typedef void fiber_fn(void *arg);

enum { FIBER_STACK_SIZE = 64 * 1024, FIBER_STACK_LARGE = 512 * 1024, FIBERS_PER_LOOP_MAX = 16384 };

/* Starts a fiber on this loop; it begins in a later batch. `name` is borrowed, for debuggers. stack_size 0 takes the
 * usual one. NULL when the loop has FIBERS_PER_LOOP_MAX of them, or the system allows no more stacks. */
struct fiber *fiber_start(struct io *io, const char *name, fiber_fn *fn, void *arg, size_t stack_size);
/* The running fiber; NULL outside of any. */
struct fiber *fiber_current(struct io *io);
const char *fiber_name(const struct fiber *fiber);
unsigned fiber_count(struct io *io);
/* Frees what the loop's fibers keep (pooled stacks). No fiber may be left. */
void fiber_shutdown(struct io *io);

/* Suspends the running fiber until fiber_wake. A wake before the wait is kept (one). */
void fiber_park(struct io *io);
/* Makes a parked fiber runnable, in a later step of the same batch or the next; never switches at once. */
void fiber_wake(struct io *io, struct fiber *fiber);
/* Lets others run. */
void fiber_yield(struct io *io);
/* Sleeps until io_now reaches the deadline. */
void fiber_sleep_until(struct io *io, int64_t deadline);

/* Submits nothing: waits for an op that the caller submitted with fiber_op_done as `done` and fiber_current as ctx.
 * Gives op->result. One-shot ops only. Use the wrappers below. */
int64_t fiber_await(struct io *io, struct io_op *op);
/* Prepares an op for the running fiber. */
void fiber_op_init(struct io *io, struct io_op *op);

/* Waiting forms of the ops in io.h, with the same results. */
int64_t fiber_open(struct io *io, const char *path, unsigned flags, struct io_file *out);
int64_t fiber_close(struct io *io, struct io_file file);
int64_t fiber_read(struct io *io, struct io_file file, void *data, size_t len, uint64_t offset);
int64_t fiber_write(struct io *io, struct io_file file, const void *data, size_t len, uint64_t offset);
int64_t fiber_datasync(struct io *io, struct io_file file);
int64_t fiber_allocate(struct io *io, struct io_file file, uint64_t offset, uint64_t len);
int64_t fiber_truncate(struct io *io, struct io_file file, uint64_t size);
int64_t fiber_size(struct io *io, struct io_file file);
int64_t fiber_unlink(struct io *io, const char *path);
int64_t fiber_rename(struct io *io, const char *from, const char *to);
int64_t fiber_mkdir(struct io *io, const char *path);
int64_t fiber_rmdir(struct io *io, const char *path);
int64_t fiber_dir_sync(struct io *io, const char *path);
int64_t fiber_dir_list(struct io *io, const char *path, struct buf *out);
int64_t fiber_disk_free(struct io *io, const char *path);
int64_t fiber_lock(struct io *io, struct io_file file);
int64_t fiber_connect(struct io *io, const struct io_addr *addr, struct io_sock *out);
int64_t fiber_resolve(struct io *io, const char *host, uint16_t port, struct io_addr *out);
int64_t fiber_sock_close(struct io *io, struct io_sock sock);
int64_t fiber_help(struct io *io, struct io_helper *helper, io_helper_fn *fn, void *arg);
/* Sends all of it: 0, or an error. */
int64_t fiber_send_all(struct io *io, struct io_sock sock, const void *data, size_t len);
/* A whole file, appended to *out. `limit` is the most that is taken; more gives IO_EINVAL. */
int64_t fiber_read_file(struct io *io, const char *path, size_t limit, struct buf *out);

#endif
