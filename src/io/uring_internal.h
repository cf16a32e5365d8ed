/* uring_internal: what the files of the io_uring backend share.
 *
 * The way of an op that the kernel works on:
 *   1. io_xxx() fills its arguments and calls op_begin and op_submit.
 *   2. op_submit writes an SQE, or queues the op in `backlog` while the submission queue is full.
 *   3. The turn enters the kernel once: it submits, waits, and gives completions to the kind's `complete`.
 *   4. `complete` submits again (a short write, an ended multishot) or calls op_finish, which runs `done`.
 * Ops that need no kernel, or end at once, go through op_ready, and end in the next round of the ready list.
 *
 * User data of a completion is the op's address, or, with the lowest bits set, a tag (enum uring_tag). */
#ifndef NORN_IO_URING_INTERNAL_H
#define NORN_IO_URING_INTERNAL_H

#include <liburing.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "base/check.h"
#include "io/io.h"
#include "io/uring_tape.h"

enum {
    URING_SQ_ENTRIES = 512,
    URING_CQ_ENTRIES = 4096,
    URING_COMPLETIONS_MAX = 1024,   /* that one turn fetches */
    URING_FIXED_FILES = 1024,       /* registered slots; files opened beyond them use plain descriptors */
    URING_RECV_BUFFERS = 256,       /* a power of two; the most receives of one turn, as small ones take one each too */
    URING_RECV_BUFFER_SIZE = 16384,
    URING_RECV_GROUP = 1,
    URING_READY_ROUNDS = 16,        /* rounds of the ready list between two visits to the kernel */
    URING_ENTROPY_SIZE = 8192,     /* drawn at a time */
};

enum op_kind {
    KIND_TIMER, KIND_DEFER, KIND_BELL, KIND_SIGNALS,
    KIND_ACCEPT, KIND_CONNECT, KIND_RECV, KIND_SEND, KIND_SOCK_CLOSE,
    KIND_OPEN, KIND_CLOSE, KIND_READ, KIND_WRITE, KIND_DATASYNC, KIND_ALLOCATE,
    KIND_UNLINK, KIND_RENAME, KIND_MKDIR, KIND_RMDIR,
    KIND_HELP,                      /* the caller's function on a helper */
    KIND_BLOCKING,                  /* a function of ours on a helper, on an open file */
    KIND_PATH_BLOCKING,             /* likewise, on a name */
    KIND_RESOLVE,
    KIND_COUNT
};

/* Where a busy op is. */
enum op_place { PLACE_IDLE, PLACE_READY, PLACE_BACKLOG, PLACE_KERNEL, PLACE_STARVED, PLACE_HEAP, PLACE_HELPER,
                PLACE_CLOSING };

/* op->kind holds the kind, the place and one flag. */
enum { OP_KIND_MASK = 0xff, OP_PLACE_SHIFT = 8, OP_PLACE_MASK = 0xff << OP_PLACE_SHIFT, OP_CANCELING = 1 << 16 };

static inline enum op_kind op_kind(const struct io_op *op) { return (enum op_kind)(op->kind & OP_KIND_MASK); }
static inline enum op_place op_place(const struct io_op *op) {
    return (enum op_place)((op->kind & OP_PLACE_MASK) >> OP_PLACE_SHIFT);
}
static inline void op_set_place(struct io_op *op, enum op_place place) {
    op->kind = (op->kind & ~(uint32_t)OP_PLACE_MASK) | (uint32_t)place << OP_PLACE_SHIFT;
}
static inline bool op_canceling(const struct io_op *op) { return op->kind & OP_CANCELING; }

enum uring_tag {
    TAG_OP = 0,
    TAG_IGNORE = 1,                 /* the answer to a cancel request */
    TAG_BELL = 2,                   /* another loop rang */
    TAG_BELL_FAILED = 3,            /* our ring did not reach loop (user_data >> 3) */
    TAG_MASK = 7,
};

struct op_class {
    void (*prepare)(struct io *io, struct io_op *op, struct io_uring_sqe *sqe);
    void (*complete)(struct io *io, struct io_op *op, int result, unsigned flags);
};

struct timer_entry {
    int64_t deadline;
    uint64_t sequence;
    struct io_op *op;
};

struct sock_slot {
    int fd;                         /* -1 when free */
    uint32_t generation;
    uint32_t next_free;
    struct io_op *reader;           /* busy accept or recv */
    struct io_op *writer;           /* busy send */
    struct io_op *closer;
};

struct file_slot {
    int fd;
    uint32_t generation;
    uint32_t next_free;
    unsigned pending;               /* busy ops, wherever they are */
    bool direct, fixed, locked;
    uint64_t path;                  /* hash of the name; of a helper's file while recording */
    struct io_op *closer;
};

/* Filled by other threads: two stacks, taken whole and turned around, so that each sender's order is kept. */
struct mailbox {
    _Atomic(struct io_msg *) posted;
    _Atomic(struct io_op *) completed;      /* work that a helper has done, linked by op->link.next */
    atomic_bool sleeping;                   /* set by the loop before it waits; who clears it rings */
    atomic_int ring_fd;                     /* -1 until the loop runs */
    int event_fd;
    uint64_t event_value;
    struct io_op bell;                      /* the read of event_fd */
};

struct recv_pool {
    struct io_uring_buf_ring *ring;
    uint8_t *data;
    unsigned lent;
    struct list starved;                    /* recv ops that found the pool empty, oldest first */
};

struct io {
    struct io_node *node;
    unsigned index;
    struct io_uring ring;
    bool ring_open;
    pthread_t thread;
    io_start_fn *start;
    void *start_arg;
    void *slots[IO_SLOT_COUNT];

    int64_t now, wall;
    uint64_t sequence;
    struct list ready, backlog, hooks;
    struct io_op **cancels;                 /* requests that found the submission queue full */
    uint32_t cancel_count, cancel_cap;
    struct timer_entry *timers;             /* a 4-ary heap */
    uint32_t timer_count, timer_cap;

    struct sock_slot *socks;
    uint32_t sock_count, sock_cap, sock_free;
    struct file_slot *files;
    uint32_t file_count, file_cap, file_free;
    struct list file_ops;                   /* file ops that the kernel works on */
    struct recv_pool recv;
    struct mailbox mail;

    uint8_t entropy[URING_ENTROPY_SIZE];
    size_t entropy_left;
    struct uring_trace *trace;
    struct tape_log *log;                 /* NULL: not recorded */
    unsigned helpers_started;               /* by the caller of io_helper_start */
    struct io_stats stats;
};

struct io_helper {
    struct io_node *node;
    struct io_helper *next;                 /* in node->helpers */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t work;
    struct list queue;                      /* ops */
    bool stop, working;
    char name[16];
    struct file_slot *files;
    uint32_t file_count, file_cap, file_free;
    struct tape_log *log;
};

/* What the backend has a second way for, where a kernel or a file system has it not (uring_without.c). */
#define URING_FEATURES(X)                                                                                      \
    X(RING_MESSAGES, "ring-messages")        /* messages between rings, which wake them: Linux 6.3 */          \
    X(RING_DELIVERY, "ring-delivery")        /* such a message arrives; else it fails with an error */         \
    X(REGISTERED_FILES, "registered-files")  /* there is room for the file in the ring's table */              \
    X(DIRECT_IO, "direct-io")                /* not on tmpfs before Linux 6.5 */                               \
    X(FALLOCATE, "fallocate")                /* not on every file system */
enum uring_feature {
#define X(name, text) URING_##name,
    URING_FEATURES(X)
#undef X
    URING_FEATURE_COUNT
};

struct io_node {
    unsigned without;                       /* bits of features that are not used */
    int argc;
    char **argv;
    char hostname[256];
    _Atomic(struct io *) loops[IO_LOOPS_MAX];
    atomic_uint loop_count;
    atomic_bool exiting;
    int exit_code;
    pthread_mutex_t mutex;                  /* starts of loops and helpers, exit code */
    struct io_helper *helpers;
    struct io_helper *file_helper;          /* for blocking calls on files and folders; started when first needed */
    struct io_helper *name_helper;          /* for name lookup, which can take many seconds */
    int signal_fd;
    struct signalfd_siginfo signal;
    atomic_long stacks;
    long stacks_max;
    struct uring_trace *trace;
    struct recording recording;
    struct io_node *previous;
};

static inline bool uring_without(const struct io_node *node, enum uring_feature feature) {
    return node->without >> feature & 1;
}

/* uring_without.c */
bool uring_without_read(struct io_node *node);      /* false: told on stderr what is wrong */

/* uring_error.c */
int64_t uring_error(int errno_value);       /* errno, of either sign, to a negated enum io_err */

/* uring_loop.c */
void op_begin(struct io *io, struct io_op *op, enum op_kind kind);
void op_submit(struct io *io, struct io_op *op);
void op_cancel(struct io *io, struct io_op *op);    /* io_cancel, of an op that is busy */
/* Completes in a later round. `result` is as the kernel gives it: 0 or a negated errno. Blocking kinds have theirs in
 * op->result already, as io gives it. */
void op_ready(struct io *io, struct io_op *op, int result);
/* Calls done, the last time; `result` as io gives it. */
void op_finish(struct io *io, struct io_op *op, int64_t result);
/* Calls done with more == true; the op stays busy. */
void op_deliver(struct io *io, struct io_op *op, int64_t result);
struct io_uring_sqe *uring_sqe(struct io *io);      /* NULL when the queue is full */
void uring_loop_run(struct io *io);
static inline bool uring_exiting(const struct io *io) {
    return atomic_load_explicit(&io->node->exiting, memory_order_acquire);
}

/* uring_setup.c */
bool uring_ring_open(struct io *io);                /* false: it has told on stderr what is missing */
void uring_ring_close(struct io *io);

/* uring_timer.c */
bool timer_next(const struct io *io, int64_t *deadline);
void timers_expire(struct io *io);                  /* moves those that are due to the ready list */
void timer_remove(struct io *io, struct io_op *op);

/* uring_mailbox.c */
void mailbox_open(struct io *io);
void mailbox_close(struct io *io);
void mailbox_listen(struct io *io);                 /* once the ring is open */
bool mailbox_may_sleep(struct io *io);              /* false when something came */
void mailbox_awake(struct io *io);
void mailbox_deliver(struct io *io);
void mailbox_bell_failed(struct io *io, unsigned loop);
void mailbox_complete(struct io *io, struct io_op *op);     /* from a helper's thread */
void mailbox_ring(struct io *from, struct io *to);          /* `from` is NULL on threads that are no loop */
void bell_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe);
void bell_complete(struct io *io, struct io_op *op, int result, unsigned flags);

/* uring_sock.c, uring_recv.c */
struct io_addr uring_from_sockaddr(const struct sockaddr_storage *from);
struct sock_slot *sock_slot(struct io *io, struct io_sock sock);
void socks_close_all(struct io *io);
void sock_op_ended(struct io *io, uint32_t slot);
void accept_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe);
void accept_complete(struct io *io, struct io_op *op, int result, unsigned flags);
void connect_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe);
void connect_complete(struct io *io, struct io_op *op, int result, unsigned flags);
void send_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe);
void send_complete(struct io *io, struct io_op *op, int result, unsigned flags);
void sock_close_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe);
void sock_close_complete(struct io *io, struct io_op *op, int result, unsigned flags);
int recv_pool_open(struct io *io);                  /* 0, or a negated errno */
void recv_pool_close(struct io *io);
void recv_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe);
void recv_complete(struct io *io, struct io_op *op, int result, unsigned flags);

/* uring_file.c, uring_path.c */
void files_close_all(struct io *io);
void open_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe);
void open_complete(struct io *io, struct io_op *op, int result, unsigned flags);
void close_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe);
void close_complete(struct io *io, struct io_op *op, int result, unsigned flags);
void file_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe);
void file_complete(struct io *io, struct io_op *op, int result, unsigned flags);
void path_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe);
void path_complete(struct io *io, struct io_op *op, int result, unsigned flags);
void path_blocking_complete(struct io *io, struct io_op *op, int result, unsigned flags);
int64_t uring_dir_sync(const char *path);
void blocking_complete(struct io *io, struct io_op *op, int result, unsigned flags);
int uring_open_flags(unsigned flags);
void *file_read_into(const struct io_op *op);               /* of a read */
struct bytes path_list_given(const struct io_op *op);       /* of a dir_list; nothing for other calls on names */

/* uring_helper.c. A blocking op runs fn(helper, op) on a helper of the node; fn sets op->result. */
void blocking_submit(struct io *io, struct io_op *op, struct io_helper **helper, const char *name, io_helper_fn *fn);
void help_complete(struct io *io, struct io_op *op, int result, unsigned flags);
bool helpers_stop(struct io_node *node);            /* false when a name lookup still runs */

/* uring_resolve.c */
void resolve_complete(struct io *io, struct io_op *op, int result, unsigned flags);

/* uring_host.c */
void uring_entropy(void *buf, size_t len);
long uring_stacks_max(void);

/* uring_signal.c */
void signals_prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe);
void signals_complete(struct io *io, struct io_op *op, int result, unsigned flags);
void signals_stop(struct io_node *node);
int uring_thread_start(pthread_t *thread, const char *name, void *(*fn)(void *), void *arg);

/* uring_clock.c: the kernel's clocks, past the executable's own clock_gettime (uring_interpose.c). */
int uring_clock_real(int clock, void *out);         /* as clock_gettime */
int64_t uring_clock_monotonic(void);
int64_t uring_clock_wall(void);
/* The loop whose callbacks this thread runs; NULL elsewhere. */
struct io *uring_thread_loop(void);
void uring_set_thread_loop(struct io *io);
/* The helper whose thread this is; NULL elsewhere. */
struct io_helper *uring_thread_helper(void);
void uring_set_thread_helper(struct io_helper *helper);

/* uring_trace.c */
struct uring_trace *trace_open(const char *path);
void trace_submit(struct io *io, const struct io_op *op);
void trace_complete(struct io *io, const struct io_op *op, int64_t result);
void trace_flush(struct io *io);

#endif
