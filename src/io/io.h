/* io: the seam. Every input from outside and every effect on it passes here: clocks, entropy, timers, sockets, files,
 * directories, names, signals, messages between loops, work on helpers, memory, the process's arguments.
 *
 * Two backends, chosen when the executable is linked: src/io/uring*.c (production) and sim/io_*.c (the simulator).
 * Nothing else in src/ calls the kernel, reads a clock, draws entropy or makes a thread; a build check sees to it.
 *
 * A process is a `struct io_node`. It has loops (`struct io`, one thread and one ring each) and helpers (threads for
 * work that blocks: SQLite, name lookup). Code runs in callbacks of a loop and never waits there; code that waits is
 * written on fibers (fiber/fiber.h) or runs on a helper.
 *
 * Contract, proved on both backends by tests/contract:
 *  C1 An op and its buffers belong to io from the submitting call until `done` begins (multishot: until the call with
 *     more == false). `done` never runs inside the submitting call, even on failure.
 *  C2 Callbacks of one loop run one at a time, never nested.
 *  C3 A one-shot op calls `done` once. A multishot op calls it any number of times with more == true and then once
 *     with more == false. An op may be submitted again from its own `done`.
 *  C4 Submission cannot fail; a full queue is flushed by the backend. A result < 0 is a negative `enum io_err`.
 *  C5 No order is promised between ops, but: bytes of one socket keep their order (one io_send at a time for a
 *     socket), timers fire by (deadline, submission), io_defer and io_post are FIFO for each sender.
 *  C6 io_recv gives 1..n bytes, or 0 at the end of the stream. io_send may be short. File reads are short only at the
 *     end of the file; file writes are whole or an error.
 *  C7 io_cancel asks: the target completes with its true result or IO_ECANCELED. Closing a socket or file cancels its
 *     pending ops, waits for them, then closes.
 *  C8 io_datasync success: all writes to that file whose `done` ran before it was submitted are durable, with the
 *     file's size. A new or renamed file is durable only after io_dir_sync of its folder.
 *  C9 io_now is monotone and constant within one callback batch; io_wall may jump either way.
 *  C10 Direct files: offset, length and address are multiples of IO_DIRECT_ALIGN (checked at submission).
 */
#ifndef NORN_IO_IO_H
#define NORN_IO_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/bytes.h"
#include "base/list.h"

struct io;        /* one loop */
struct io_node;   /* one process */
struct io_op;

/* X(name, text). Results are the negated values. */
#define IO_ERRORS(X)                                                                                           \
    X(IO_ECANCELED, "canceled")                                                                                \
    X(IO_ERESET, "connection reset by peer")                                                                   \
    X(IO_EREFUSED, "connection refused")                                                                       \
    X(IO_ETIMEDOUT, "timed out")                                                                               \
    X(IO_EUNREACHABLE, "network unreachable")                                                                  \
    X(IO_EADDRINUSE, "address already in use")                                                                 \
    X(IO_EADDRNOTAVAIL, "address not available")                                                               \
    X(IO_EPIPE, "connection is shut down")                                                                     \
    X(IO_ENOENT, "no such file or directory")                                                                  \
    X(IO_EEXIST, "file exists")                                                                                \
    X(IO_EACCESS, "permission denied")                                                                         \
    X(IO_ENOTDIR, "not a directory")                                                                           \
    X(IO_EISDIR, "is a directory")                                                                             \
    X(IO_ENOTEMPTY, "directory not empty")                                                                     \
    X(IO_ENOSPC, "no space left on device")                                                                    \
    X(IO_EIO, "input/output error")                                                                            \
    X(IO_ELOCKED, "locked by another process")                                                                 \
    X(IO_EFILES, "too many open files")                                                                        \
    X(IO_ENOTSUP, "not supported here")                                                                        \
    X(IO_EINVAL, "invalid argument")                                                                           \
    X(IO_ENAME, "name not found")                                                                              \
    X(IO_ECRASHED, "the process has crashed")      /* simulator only: unwinds helpers after a crash */
#define X(name, text) name,
enum io_err { IO_OK = 0, IO_ERRORS(X) IO_ERR_COUNT };
#undef X
/* Text of a result < 0, or of an enum io_err. */
const char *io_error_text(int64_t result);

enum {
    IO_DIRECT_ALIGN = 4096,
    IO_LOOPS_MAX = 256,
    IO_PATH_MAX = 4096,
    IO_SEND_IOV_MAX = 64,
};

/* Handles. A zeroed handle is no file or socket. A handle belongs to the loop or helper that opened it, and is void from
 * the call that closes it on; using it elsewhere or later stops the process. */
struct io_file {
    uint32_t slot, generation;
};
struct io_sock {
    uint32_t slot, generation;
};

struct io_addr {
    uint8_t family;                 /* 4 or 6; 0 is none */
    uint8_t ip[16];                 /* network order; IPv4 uses the first four */
    uint16_t port;                  /* host order */
};

/* Bytes lent by io_recv; given back with io_buf_done, at the latest before the socket is closed. */
struct io_buf {
    uint8_t *data;
    uint32_t len;
    uint32_t id;
};

typedef void io_done_fn(struct io *io, struct io_op *op);

struct io_op {
    io_done_fn *done;               /* set by the caller, with ctx, before submitting */
    void *ctx;
    int64_t result;                 /* >= 0 is a count; < 0 is a negated enum io_err */
    bool more;                      /* multishot: another call follows */
    bool busy;                      /* owned by io; read-only to callers */
    union {                         /* results beyond a count */
        struct io_buf buf;          /* io_recv */
        struct io_sock sock;        /* io_accept, io_connect */
        struct io_file file;        /* io_open */
        struct io_addr addr;        /* io_accept (the peer), io_resolve */
    };
    struct io_addr peer;            /* io_accept */
    struct list link;               /* the rest belongs to the backend while busy */
    uint64_t sequence;
    uint64_t args[8];
    uint32_t kind;
    uint32_t heap_index;
};

/* ---- the node and its loops ---------------------------------------------------------------------------------- */

typedef void io_start_fn(struct io *io, void *arg);

/* Runs a node to its end and gives its exit code; main() calls it once. Loop 0 calls start(io, arg) first. On the
 * simulated backend it is a world with this one node, an empty disk and a network of its own. When io_uring is not
 * allowed here, prints what to allow and gives 1. */
int io_main(int argc, char **argv, io_start_fn *start, void *arg);

/* What the process was started with. Borrowed, constant. */
int io_argc(struct io *io);
const char *io_arg(struct io *io, int index);
/* NULL when not set. */
const char *io_env(struct io *io, const char *name);
/* Of the variables whose names begin with `prefix`, in their order: number `index`, from 0, as "NAME=value"; NULL behind the
 * last. */
const char *io_env_at(struct io *io, const char *prefix, unsigned index);
unsigned io_cpu_count(struct io *io);
const char *io_hostname(struct io *io);
uint64_t io_pid(struct io *io);

/* Starts another loop that runs start(io, arg) first; returns its index (loop 0 is the one that the node began with).
 * Messages posted to it before it runs are kept. */
unsigned io_loop_start(struct io *io, io_start_fn *start, void *arg);
unsigned io_loop_index(const struct io *io);
unsigned io_loop_count(const struct io *io);
/* Ends the whole node with an exit code, once the present callback returns; no further callback runs on any loop. */
void io_exit(struct io *io, int code);

/* One pointer per layer and loop, so that nothing needs a global or a thread-local. */
enum io_slot { IO_SLOT_FIBERS, IO_SLOT_NET, IO_SLOT_ENGINE, IO_SLOT_QUEUE, IO_SLOT_STORE, IO_SLOT_LOG,
               IO_SLOT_METRICS, IO_SLOT_APP, IO_SLOT_TEST, IO_SLOT_PLANT, IO_SLOT_COUNT };
void *io_slot(const struct io *io, enum io_slot slot);
void io_set_slot(struct io *io, enum io_slot slot, void *value);

/* Runs after each batch of callbacks, before the loop sleeps: the place for work that gathers (flush a connection's
 * frames, submit the journal's batch). `hook` stays registered; `run` is called when io_hook_arm was called since.
 * An owner that goes takes it out with list_remove(&hook->link). */
struct io_hook {
    void (*run)(struct io *io, struct io_hook *hook);
    struct list link;
};
void io_hook_arm(struct io *io, struct io_hook *hook);

/* ---- messages between loops ------------------------------------------------------------------------------------ */

struct io_msg {
    void (*receive)(struct io *io, struct io_msg *msg);   /* runs on the receiving loop, which owns msg from then on */
    struct io_msg *next;
    unsigned from;                  /* the sender's loop; set by io_post */
};
/* Never fails; a loop may post to itself. */
void io_post(struct io *io, unsigned to_loop, struct io_msg *msg);

/* ---- time and entropy -------------------------------------------------------------------------------------------- */

int64_t io_now(const struct io *io);     /* monotonic ns, starting anywhere > 0 */
int64_t io_wall(const struct io *io);    /* ns since 1970-01-01 UTC */
void io_random(struct io *io, void *buf, size_t len);

/* Completes with 0 at `deadline` (io_now), or IO_ECANCELED. A past deadline completes in the next batch. */
void io_timer(struct io *io, struct io_op *op, int64_t deadline);
/* Completes with 0 in a later batch. */
void io_defer(struct io *io, struct io_op *op);
/* Asks to cancel any busy op of this loop (C7). Not busy: no effect. */
void io_cancel(struct io *io, struct io_op *op);

/* ---- sockets --------------------------------------------------------------------------------------------------------- */

/* "1.2.3.4:80", "[::1]:80". Names are not looked up. False when malformed. */
bool io_addr_parse(const char *text, struct io_addr *out);
enum { IO_ADDR_TEXT_MAX = 64 };
const char *io_addr_text(const struct io_addr *addr, char text[IO_ADDR_TEXT_MAX]);
bool io_addr_is_loopback(const struct io_addr *addr);

/* Binds and listens, at once; port 0 takes a free one, told in *bound. 0 or a negated error. With `shared`, several
 * loops may listen on one address (SO_REUSEPORT) and connections are spread over them. */
int64_t io_listen(struct io *io, const struct io_addr *addr, bool shared, struct io_sock *out, struct io_addr *bound);
/* Multishot: each call has op->sock and op->peer. TCP_NODELAY is set. Ends with an error or IO_ECANCELED. IO_EFILES (no
 * descriptors left) is such an end: wait a little, and accept again. One at a time for a socket. */
void io_accept(struct io *io, struct io_op *op, struct io_sock listener);
/* op->sock is the connected socket. */
void io_connect(struct io *io, struct io_op *op, const struct io_addr *addr);
/* Multishot, one at a time for a socket: each call has op->buf, lent (C6). Ends with result 0 at the end of the stream, or an error. When the
 * pool of buffers is empty it pauses until some come back: back-pressure, not an error. */
void io_recv(struct io *io, struct io_op *op, struct io_sock sock);
void io_buf_done(struct io *io, struct io_buf buf);
/* Sends from up to IO_SEND_IOV_MAX pieces; result is the bytes taken, which may be fewer. The iovec array and the
 * bytes stay in place until done. */
void io_send(struct io *io, struct io_op *op, struct io_sock sock, const struct iovec *iov, unsigned count);
/* Ends our direction of the stream, at once. */
void io_shutdown(struct io *io, struct io_sock sock);
/* Cancels pending ops of the socket, lets them complete, then closes. Completes with 0. Bytes that have come and were not
 * received make it a reset for the peer. */
void io_sock_close(struct io *io, struct io_op *op, struct io_sock sock);
/* Looks a host up (helper thread, or the simulator's table): op->addr with the given port, or IO_ENAME. */
void io_resolve(struct io *io, struct io_op *op, const char *host, uint16_t port);

/* ---- files -------------------------------------------------------------------------------------------------------------- */

enum io_open_flags {
    IO_OPEN_READ = 1,
    IO_OPEN_WRITE = 2,
    IO_OPEN_CREATE = 4,
    IO_OPEN_EXCLUSIVE = 8,          /* with CREATE: IO_EEXIST when it is there */
    IO_OPEN_TRUNCATE = 16,
    IO_OPEN_DIRECT = 32,            /* O_DIRECT; falls back where the file system has none (tmpfs) */
};
/* Created files have mode 0600. op->file. `path` is copied. A folder gives IO_EISDIR. A file that is open only to read
 * gives IO_EINVAL when it is written, and the other way round; allocate, truncate and lock count as writing. */
void io_open(struct io *io, struct io_op *op, const char *path, unsigned flags);
void io_close(struct io *io, struct io_op *op, struct io_file file);
void io_read(struct io *io, struct io_op *op, struct io_file file, void *data, size_t len, uint64_t offset);
void io_write(struct io *io, struct io_op *op, struct io_file file, const void *data, size_t len, uint64_t offset);
void io_datasync(struct io *io, struct io_op *op, struct io_file file);
/* Makes sure that [offset, offset+len) has blocks; the file grows and the new bytes read as zeros. Nothing is IO_EINVAL. */
void io_allocate(struct io *io, struct io_op *op, struct io_file file, uint64_t offset, uint64_t len);
void io_truncate(struct io *io, struct io_op *op, struct io_file file, uint64_t size);
void io_size(struct io *io, struct io_op *op, struct io_file file);              /* result: bytes */
void io_unlink(struct io *io, struct io_op *op, const char *path);
void io_rename(struct io *io, struct io_op *op, const char *from, const char *to);
void io_mkdir(struct io *io, struct io_op *op, const char *path);                /* mode 0700 */
void io_rmdir(struct io *io, struct io_op *op, const char *path);
void io_dir_sync(struct io *io, struct io_op *op, const char *path);
/* Names in a folder (no "." and ".."), sorted by bytes, each NUL-terminated, appended to *out; result: how many. */
void io_dir_list(struct io *io, struct io_op *op, const char *path, struct buf *out);
/* Free bytes on the file system that holds `path`, for this user. */
void io_disk_free(struct io *io, struct io_op *op, const char *path);
/* An exclusive lock on the whole file, held until it is closed or the process ends; IO_ELOCKED when another has it. */
void io_lock(struct io *io, struct io_op *op, struct io_file file);

/* ---- helpers: work that blocks --------------------------------------------------------------------------------------- */

struct io_helper;
typedef void io_helper_fn(struct io_helper *helper, void *arg);

/* A helper runs one piece of work at a time, in order of submission. It lives until the node ends. */
struct io_helper *io_helper_start(struct io *io, const char *name);
/* Runs fn(helper, arg) there; completes with 0 on this loop. Memory that fn touches is its own until then. */
void io_helper_run(struct io *io, struct io_op *op, struct io_helper *helper, io_helper_fn *fn, void *arg);

/* Blocking calls, only inside fn. Results as those of the ops. In the simulator each is a scheduling point and a crash
 * boundary; after a crash all give IO_ECRASHED. */
int64_t io_help_open(struct io_helper *helper, const char *path, unsigned flags, struct io_file *out);
int64_t io_help_close(struct io_helper *helper, struct io_file file);
int64_t io_help_read(struct io_helper *helper, struct io_file file, void *data, size_t len, uint64_t offset);
int64_t io_help_write(struct io_helper *helper, struct io_file file, const void *data, size_t len, uint64_t offset);
int64_t io_help_sync(struct io_helper *helper, struct io_file file);
int64_t io_help_truncate(struct io_helper *helper, struct io_file file, uint64_t size);
int64_t io_help_size(struct io_helper *helper, struct io_file file);
int64_t io_help_unlink(struct io_helper *helper, const char *path);
int64_t io_help_exists(struct io_helper *helper, const char *path);              /* 1 or 0 */
int64_t io_help_dir_sync(struct io_helper *helper, const char *path);
/* Byte-range locks as SQLite's unix VFS takes them (fcntl), so that an outside sqlite3 is refused. 0 or IO_ELOCKED. */
enum io_range_lock { IO_RANGE_UNLOCK, IO_RANGE_SHARED, IO_RANGE_EXCLUSIVE };
int64_t io_help_range_lock(struct io_helper *helper, struct io_file file, enum io_range_lock kind, uint64_t offset,
                           uint64_t len);
int64_t io_help_wall(struct io_helper *helper);
void io_help_random(struct io_helper *helper, void *buf, size_t len);
void io_help_sleep(struct io_helper *helper, int64_t ns);

/* ---- the rest -------------------------------------------------------------------------------------------------------------- */

/* Multishot, on loop 0: op->result is the signal (IO_SIGNAL_*). Signals have their usual effect before this is called and
 * after it is canceled. */
enum { IO_SIGNAL_TERM = 15, IO_SIGNAL_INT = 2, IO_SIGNAL_HUP = 1, IO_SIGNAL_USR1 = 10 };
void io_signals(struct io *io, struct io_op *op);

/* Standard output and error: whole, at once, errors ignored; for start-up lines, logs and the CLI. */
enum io_stream { IO_STDOUT = 1, IO_STDERR = 2 };
void io_print(struct io *io, enum io_stream stream, const void *data, size_t len);
bool io_is_terminal(struct io *io, enum io_stream stream);
unsigned io_terminal_width(struct io *io);       /* 80 when unknown */

/* Stacks for fibers, with a guard page below. `size` is a multiple of 4096. NULL when the system allows this process no
 * more of them (each takes two of vm.max_map_count). */
void *io_stack_alloc(struct io *io, size_t size);
void io_stack_free(struct io *io, void *stack, size_t size);
/* Resident memory of the process and user+system CPU time, for metrics; 0 in the simulator. */
uint64_t io_resident_bytes(struct io *io);
int64_t io_cpu_ns(struct io *io);

/* Opens a shared object that stands beside the executable (../lib/norn/NAME) and gives one symbol; NULL, and a text in
 * *error, when it cannot. */
void *io_library(struct io *io, const char *name, const char *symbol, const char **error);

/* `value`, taken from memory that other threads write; also of a count of memory. Such a value is an input of this loop:
 * all others come through the calls above. */
uint64_t io_shared(struct io *io, uint64_t value);

/* Counters of a loop, for metrics and benchmarks. */
struct io_stats {
    uint64_t turns, enters, ops, sends, receives, datasyncs, bytes_written, bytes_sent, bytes_received, posts;
};
const struct io_stats *io_stats(const struct io *io);

/* ---- recording --------------------------------------------------------------------------------------------------------- */

struct io_record {
    const char *dir;                /* the recording's folder, which must not be there yet */
    const char *data;               /* a folder that is copied into it; it may be missing */
    const char *lock;               /* a file in that folder, locked meanwhile; it may be missing */
    uint64_t bytes_max;             /* of the logs; about there the recording ends */
    void (*ended)(struct io *io, const char *why);     /* on loop 0, when it ends before the node does */
};
/* Records every input of this node, from its first callback on, so that it can be run again (tape.h). Loop 0 calls it
 * before it starts loops or helpers. Blocks. 0 or a negated error; -IO_ENOTSUP in the simulator. */
int64_t io_record(struct io *io, const struct io_record *record);

#endif
