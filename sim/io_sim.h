/* io_sim: what the files of the simulated backend share. Not for workloads (world.h), not for src/. */
#ifndef NORN_SIM_IO_SIM_H
#define NORN_SIM_IO_SIM_H

#include "base/bytes.h"
#include "base/check.h"
#include "base/list.h"
#include "base/mark.h"
#include "fiber/context.h"
#include "io/io.h"
#include "world.h"

/* Kinds of op and of traced event. The first ones are io_op.kind. */
#define SIM_KINDS(X)                                                                                           \
    X(none) X(timer) X(defer) X(accept) X(connect) X(recv) X(send) X(sock_close) X(resolve) X(open) X(close)   \
    X(read) X(write) X(datasync) X(allocate) X(truncate) X(size) X(unlink) X(rename) X(mkdir) X(rmdir)         \
    X(dir_sync) X(dir_list) X(disk_free) X(lock) X(helper_run) X(signals)                                      \
    X(node_start) X(node_crash) X(node_exit) X(node_stop) X(loop_start) X(post) X(cancel) X(listen) X(shutdown) X(random)   \
    X(print) X(stack) X(help_open) X(help_close) X(help_read) X(help_write) X(help_sync) X(help_truncate)      \
    X(help_size) X(help_unlink) X(help_exists) X(help_dir_sync) X(help_range_lock) X(help_sleep) X(help_random) \
    X(arrive) X(reset) X(signal) X(pause) X(link) X(wall_jump) X(note) X(state)
enum sim_kind {
#define X(name) SIM_##name,
    SIM_KINDS(X)
#undef X
    SIM_KIND_COUNT
};
const char *sim_kind_name(uint32_t kind);

/* Where a busy op waits (io_op.args[7]). */
enum op_state {
    OP_HEAP = 1,       /* in the world's event heap: heap_index */
    OP_TIMER,          /* in its loop's timer heap: heap_index */
    OP_DEFERRED,       /* in its loop's FIFO: heap_index is the absolute position */
    OP_WAITING,        /* for something outside: bytes, a window, a peer, a helper */
    OP_READY,          /* in its loop's ready vector: heap_index */
    OP_SWALLOWED,      /* submitted after the crash of its node */
};
#define OP_STATE(op) ((op)->args[7])
#define OP_HASH(op) ((op)->args[6])                    /* of the caller's bytes at submission */
#define OP_PTR(op, index) ((void *)(uintptr_t)(op)->args[index])
#define OP_SET_PTR(op, index, pointer) ((op)->args[index] = (uint64_t)(uintptr_t)(pointer))

/* ---- events ---- */

struct event {
    void (*fire)(struct world *world, struct event *event);
    uint32_t heap_index;                               /* UINT32_MAX when not scheduled */
};
#define EVENT_IDLE UINT32_MAX

struct heap_entry {
    int64_t time;
    uint64_t sequence;
    uintptr_t what;                                    /* struct event *, or struct io_op * with the low bit set */
};

/* ---- memory ---- */

struct memory_piece;
enum { LATE_FREES = 61 };
struct memory {
    struct memory_piece *first;
    uint64_t bytes, count, allocated;
};
void memory_drop(struct memory *memory);
/* What is freed late. */
void memory_world_drop(struct world *world);
/* A line for each of the first few pieces, on stderr. */
void memory_report(const struct memory *memory);

/* ---- disk ---- */

struct inode;
struct disk;
struct disk *disk_create(struct world *world, uint64_t bytes);
void disk_destroy(struct disk *disk);
void disk_limit(struct disk *disk, uint64_t bytes);
uint64_t disk_used(const struct disk *disk);
int64_t disk_open(struct disk *disk, const char *path, unsigned flags, struct inode **out);    /* +1 handle */
void inode_release(struct disk *disk, struct inode *inode);                                    /* -1 handle */
int64_t disk_read(struct inode *inode, void *data, size_t len, uint64_t offset);
/* *extent tells the unsynced write to disk_done and may be NULL, which means done at once. */
int64_t disk_write(struct disk *disk, struct inode *inode, const void *data, size_t len, uint64_t offset,
                   uint64_t *extent);
void disk_done(struct inode *inode, uint64_t extent);
/* What a sync that is submitted now has to cover; given to disk_sync when it takes place. */
uint64_t disk_sync_mark(struct inode *inode);
void disk_sync(struct disk *disk, struct inode *inode, uint64_t mark);
void disk_put(struct disk *disk, const char *path, struct bytes bytes);
void disk_spoil(struct disk *disk, const char *path, uint64_t offset, uint64_t len);
int64_t disk_allocate(struct disk *disk, struct inode *inode, uint64_t offset, uint64_t len);
int64_t disk_truncate(struct disk *disk, struct inode *inode, uint64_t size);
int64_t disk_size(struct inode *inode);
int64_t disk_exists(struct disk *disk, const char *path);
int64_t disk_unlink(struct disk *disk, const char *path);
int64_t disk_rename(struct disk *disk, const char *from, const char *to);
int64_t disk_mkdir(struct disk *disk, const char *path);
int64_t disk_rmdir(struct disk *disk, const char *path);
int64_t disk_dir_sync(struct disk *disk, const char *path);
int64_t disk_dir_list(struct disk *disk, const char *path, struct buf *out);
int64_t disk_free_bytes(const struct disk *disk);
/* An exclusive lock of `owner` (not 0) on the whole file. */
int64_t disk_lock(struct disk *disk, struct inode *inode, uint64_t owner);
int64_t disk_range_lock(struct inode *inode, uint64_t owner, enum io_range_lock kind, uint64_t offset, uint64_t len);
void disk_unlock_all(struct inode *inode, uint64_t owner);
/* Power is lost: what was not synced is kept, lost or torn; no handle or lock is left. */
void disk_crash(struct disk *disk);
/* The process ended; the page cache stays. */
void disk_process_ended(struct disk *disk);
/* Makes everything durable (of folders prepared before a node starts). */
void disk_settle(struct disk *disk);

/* ---- network ---- */

struct sock;                                           /* one end of a connection, or a listener */
struct link {
    bool cut;
    int64_t latency_low, latency_high;
};
void net_loop_drop(struct io *io, bool silent);
/* The multishot op's next call; false when there is nothing to tell after all. */
bool net_recv_fire(struct io *io, struct io_op *op);
bool net_accept_fire(struct io *io, struct io_op *op);
void net_send_done(struct io *io, struct io_op *op);
void net_cancel(struct io *io, struct io_op *op);
/* One that waits in its pending op was told by the loop that it fires. */
void net_op_fired(struct io *io, struct io_op *op);
/* The number of the connection that an op is about; 0 when there is none. */
uint32_t net_connection(const struct io_op *op);
unsigned net_bufs_out(const struct io *io);
unsigned net_socks_open(const struct io *io);
void net_world_drop(struct world *world);
/* A link was restored: what waits is sent again soon. */
void net_link_changed(struct world *world);

/* ---- the objects ---- */

struct world_name {
    char *host;
    struct io_addr addr;
};

enum { TRACE_RING = 256 };
struct trace_line {
    int64_t time;
    uint64_t sequence, hash;
    int64_t result;
    uint16_t node, loop, kind, done;
};
_Static_assert(sizeof(struct trace_line) == 40, "written to files as it is");

struct world {
    struct world_options options;
    struct prng streams[PRNG_STREAM_COUNT];
    int64_t now;
    uint64_t sequence;
    struct heap_entry *heap;
    uint32_t heap_count, heap_cap;
    struct io_node *nodes[WORLD_NODES_MAX];
    unsigned node_count;
    struct link links[WORLD_NODES_MAX][WORLD_NODES_MAX];
    struct world_name *names;
    unsigned name_count;
    struct world_hooks hooks;
    bool fault_on[FAULT_COUNT];
    uint64_t fault_hits[FAULT_COUNT];
    uint64_t fault_asked[FAULT_COUNT];                 /* hits, and those that --only left out */
    uint64_t marks[MARK_COUNT], operations[OPERATION_COUNT];
    struct prng nudge_dice[NUDGE_COUNT];
    uint32_t nudge_rate[NUDGE_COUNT];                  /* per million; 0 is off */
    uint64_t events;
    struct world_trace trace;
    struct trace_line ring[TRACE_RING];
    bool check_leaks, calm;
    struct log *log;                                   /* NULL is none */
    uint64_t breaks_seen;                              /* events of the kind that --break names */
    bool trapped;
    int64_t wall_start, wall_back;
    void *record;                                      /* FILE */
    struct list scripted;                              /* struct scripted */
    struct list socks, pipes_free, socks_free;         /* io_net.c */
    uint32_t late_post_rate;                           /* how many in a million messages between loops are held */
    void *stacks_free;                                 /* io_mem.c */
    void *late[LATE_FREES];                            /* io_mem.c: freed by their owners */
    unsigned late_next;
    uint64_t connections;                              /* that were attempted */
};

struct op_vec {
    struct io_op **items;
    uint32_t count, cap;
};

struct inbox {                                         /* messages from one sender, in order */
    struct io_msg *first, *last;
    uint32_t count;
};

struct recv_buf {
    struct recv_buf *next;                             /* free ones */
    uint32_t id;
    bool lent;
    uint8_t *data;
};

struct sock_slot {
    struct sock *sock;
    uint32_t generation, next_free;
};

struct io {
    struct io_node *node;
    unsigned index;
    io_start_fn *start;
    void *arg;
    bool started, running;                             /* running: its stack is the present one */
    int64_t now;                                       /* io_now of this batch */
    int64_t free_at;                                   /* world time until which the last batch takes */
    void *slots[IO_SLOT_COUNT];
    struct list busy;                                  /* ops that wait, by io_op.link */
    struct op_vec ready, timers, deferred;
    uint32_t deferred_first;                           /* position of deferred.items[0] in the FIFO's count */
    uint32_t deferred_head;
    struct list armed;                                 /* hooks */
    struct inbox *inboxes;                             /* by sender */
    unsigned inbox_count;
    uint32_t posts_waiting;
    int64_t posts_from;                                /* before that time those that wait are not there yet */
    struct event step, timer_event, posts_event;
    struct context context, outside;                   /* its callbacks run on a stack of their own */
    void *stack;
    uint64_t sequence;
    struct sock_slot *socks;
    uint32_t sock_count, sock_free, socks_open;
    struct recv_buf *bufs, *bufs_free;
    uint32_t bufs_lent;
    struct list recv_starved;                          /* socks whose receive waits for a buffer */
    struct io_op *signal_op;
    struct io_stats stats;
};

struct file_slot {
    struct inode *inode;
    const void *owner;                                 /* the loop or helper that opened it, and alone may use it */
    uint32_t generation, next_free;
    bool direct, read, write;
    uint32_t ops;                                      /* pending */
    struct io_op *closing;
};

struct io_helper {
    struct io_node *node;
    struct io *loop;                                   /* of the piece of work that runs */
    const char *name;
    unsigned index;
    struct context context, outside;
    void *stack;
    struct event event;
    struct io_op **queue;
    uint32_t queue_count, queue_cap;
    struct io_op *current;
    bool idle, unwinding, died;
    struct {                                           /* the write that is on its way, for a crash now */
        struct inode *inode;
        const void *data;
        size_t len;
        uint64_t offset;
    } inflight;
};

struct stack_piece;
struct io_node {
    struct world *world;
    unsigned index;
    struct world_node spec;
    enum node_state state;
    int exit_code;
    bool exiting, crashed;
    enum crash_mode crash_mode;
    unsigned incarnation, crashes;
    uint64_t boundary, crash_at;
    uint64_t disk_errors;                              /* injected since its start */
    uint64_t write_errors;                             /* of these, of writes and syncs: they may stop the node */
    struct memory memory;
    uint64_t left_bytes, left_count;                   /* at the last exit */
    struct io **loops;
    unsigned loop_count;
    struct io_helper **helpers;
    unsigned helper_count;
    struct file_slot *files;
    uint32_t file_count, file_free, files_open;
    struct disk *disk;
    struct stack_piece *stacks;
    struct prng entropy;
    int64_t mono_start, mono_origin;                   /* io_now at world time mono_origin */
    int64_t drift_ppm;
    int64_t wall_offset, wall_ppm;
    int64_t grain;                                     /* both clocks move by so much; 0 is 1 ns */
    int64_t slow_until, slow_factor;
    uint64_t allocations_left;                         /* until memory is exhausted; 0: it is not */
    struct world_jump jumps[WORLD_JUMPS_MAX];          /* of its wall clock, forward */
    unsigned jump_count;
    int64_t paused_until;
    int64_t ended_at, outage;                          /* outage: how long it was down, frozen or slow in all */
    uint16_t next_port;
    uint32_t signals_pending[8];
    unsigned signal_count;
    struct buf out[2];                                 /* world memory */
    struct event start_event;
    uint64_t stack_count;
    uint64_t interposed;                               /* calls of libraries that were answered here */
};

/* The node whose code runs now, and the world: the process's only mutable globals. */
struct sim_current {
    struct world *world;
    struct io_node *node;
    struct io *io;
    struct io_helper *helper;
};
extern _Thread_local struct sim_current sim_current;

/* ---- io_world.c ---- */

void event_schedule(struct world *world, struct event *event, int64_t time);     /* moves one that is scheduled */
void event_cancel(struct world *world, struct event *event);
static inline bool event_scheduled(const struct event *event) { return event->heap_index != EVENT_IDLE; }
void op_schedule(struct world *world, struct io_op *op, int64_t time);
void op_unschedule(struct world *world, struct io_op *op);
void scripted_drop(struct world *world);
/* An io event of an op into the trace. */
void trace_op(const struct io_op *op, bool done, uint64_t hash);
/* Another io event into the trace. */
void trace_event(struct io_node *node, unsigned loop, enum sim_kind kind, bool done, uint64_t sequence, int64_t result,
                 uint64_t hash);
uint64_t sim_hash(const void *data, size_t len);
/* As trace_event, of a connection. */
void trace_connection(struct io_node *node, enum sim_kind kind, int64_t result, uint32_t connection);
/* True when the kind is on for this seed and the dice say so; counted. */
bool fault_strikes(struct world *world, enum fault fault, enum prng_stream stream, uint32_t per_million);

/* io_mark.c: which nudges this seed gives, and how often; after the swarm has chosen. */
void nudges_choose(struct world *world);

/* ---- io_node.c ---- */

/* One more io boundary of this node: true when it has crashed, now or before; the caller then does nothing. */
bool node_boundary(struct io_node *node);
/* Called when the node's code has returned: ends the node if it crashed or asked to exit. */
void node_settle(struct io_node *node);
/* The node stops itself here and now, as by abort: its stacks are left and dropped. */
_Noreturn void node_stop(struct io_node *node, enum crash_mode mode, const char *text);
/* A disk error that was injected. */
bool disk_error_strikes(struct io_node *node, enum fault fault);
int64_t node_mono(const struct io_node *node);
int64_t node_wall(const struct io_node *node);
/* The first world time at which node_mono reaches `deadline`. */
int64_t node_mono_to_world(const struct io_node *node, int64_t deadline);
struct io_node *world_node_at(const struct world *world, unsigned index);
void sim_enter(struct io_node *node, struct io *io, struct io_helper *helper);
void sim_leave(void);

/* ---- io_loop.c ---- */

struct io *loop_create(struct io_node *node, io_start_fn *start, void *arg);
void loop_drop(struct io *io);
void loop_wake(struct io *io);
/* Marks an op as submitted: false when the node is down and the op is swallowed. */
bool op_submit(struct io *io, struct io_op *op, enum sim_kind kind, uint64_t hash);
/* Has it wait for something that is not in the heap. */
static inline void op_wait(struct io_op *op) { OP_STATE(op) = OP_WAITING; }
/* Into the ready vector of its loop: the result is set here (one-shot) or when it fires (multishot). */
void op_ready(struct io *io, struct io_op *op);
void op_complete(struct io *io, struct io_op *op, int64_t result);
/* Takes it out of wherever it waits; it stays busy. */
void op_detach(struct io *io, struct io_op *op);

/* ---- io_file.c, io_helper.c, io_mem.c ---- */

void file_op_fire(struct io *io, struct io_op *op);
void file_op_finished(struct io *io, struct io_op *op);
void file_op_abandon(struct io *io, struct io_op *op);
struct file_slot *file_get(struct io_node *node, const void *owner, struct io_file file);
int64_t file_handle(struct io_node *node, const void *owner, struct inode *inode, unsigned flags, struct io_file *out);
uint64_t file_lock_owner(const struct io_node *node, struct io_file file);
void file_put(struct io_node *node, const void *owner, struct io_file file);
void files_drop(struct io_node *node);
void direct_check(const struct file_slot *slot, const void *data, size_t len, uint64_t offset);
int64_t disk_latency(struct world *world, enum sim_kind kind, size_t len);
void net_op_fire(struct io *io, struct io_op *op);

void helper_unwind(struct io_helper *helper);
void helper_drop(struct io_helper *helper);
void helper_cancel(struct io *io, struct io_op *op);
void stacks_drop(struct io_node *node);
void stacks_world_drop(struct world *world);
void *stack_take(struct world *world, size_t size);
void stack_give(struct world *world, void *stack, size_t size);

#endif
