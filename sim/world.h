/* world: the simulator's own interface, for workloads and checkers.
 *
 * A world is a set of nodes (processes), the network between them, a disk for each, and virtual time. It runs in one
 * thread; everything in it follows from the seed. Code of a node runs only inside world_step; what calls the functions
 * here runs outside of any node, on memory that no crash drops.
 *
 * One world at a time in a process. */
#ifndef NORN_SIM_WORLD_H
#define NORN_SIM_WORLD_H

#include <stdio.h>

#include "io/io.h"
#include "faults.h"
#include "operations.h"
#include "prng.h"

struct world;
struct log;
struct log_filter;
struct moment;
struct ranges;

#define PRNG_STREAMS(X)                                                                                        \
    X(PRNG_WORKLOAD) X(PRNG_SCHEDULE) X(PRNG_NET) X(PRNG_DISK) X(PRNG_CRASH) X(PRNG_CLOCK) X(PRNG_CANCEL)       \
    X(PRNG_HELPER) X(PRNG_SWARM) X(PRNG_CHECK) X(PRNG_DAMAGE)
enum prng_stream {
#define X(name) name,
    PRNG_STREAMS(X)
#undef X
    PRNG_STREAM_COUNT
};

enum { WORLD_NODES_MAX = 64 };
#define SIM_US INT64_C(1000)
#define SIM_MS INT64_C(1000000)
#define SIM_SECOND INT64_C(1000000000)

/* How a run ends, also the exit code of norn-sim. */
enum world_verdict {
    WORLD_PASS = 0,
    WORLD_USAGE = 2,
    WORLD_DIED = 70,              /* a CHECK in a node failed */
    WORLD_INCORRECT = 71,         /* a checker found something wrong */
    WORLD_STUCK = 72,             /* liveness: something did not finish */
    WORLD_LEAK = 73,
    WORLD_DIVERGED = 74,          /* the same seed gave two traces */
    WORLD_UNREACHED = 75,         /* a batch never came to something that it should have */
};

/* Where the run traps: a moment, or the count-th event of a kind, on one node or any. */
struct world_break {
    const struct moment *at;      /* NULL: by kind */
    const char *node, *kind;      /* node: NULL is any */
    uint64_t count;
};

/* How a run came to its end before its last phase. */
struct world_end {
    enum world_verdict verdict;
    const char *oracle, *text;    /* the check that failed, and what it says; "" when it did not */
};

struct world_options {
    uint64_t seed;
    const struct log_filter *log; /* a log of what happens (log.h); NULL is none */
    bool log_io;                  /* it keeps io events, for --view */
    bool print;                   /* nodes' output goes to ours, each line with the node's name */
    bool print_raw;               /* nodes' output goes to ours as it is */
    uint8_t fill;                 /* what fresh memory holds where nothing promises zeros */
    const struct moment *until;   /* the run stops there and passes; NULL goes to its end */
    const struct world_break *stop;  /* SIGTRAP there, for a debugger; NULL is none */
    const struct ranges *only;    /* for each kind of fault: which injections may happen; NULL is all */
    /* Told when the run fails or stops at `until`, after the report; may be NULL. */
    void (*ended)(struct world *world, const struct world_end *end, void *arg);
    void *ended_arg;
    const char *command;          /* replays this run; printed when it fails */
    const char *record;           /* a file that takes each io event, 40 bytes each; NULL is none */
};

struct world *world_create(const struct world_options *options);
void world_destroy(struct world *world);
/* The one that exists; NULL when none. */
struct world *world_current(void);

int64_t world_now(const struct world *world);
uint64_t world_seed(const struct world *world);
unsigned world_node_count(const struct world *world);
struct prng *world_prng(struct world *world, enum prng_stream stream);
uint64_t world_events(const struct world *world);
struct world_trace {
    uint64_t high, low;
};
struct world_trace world_trace(const struct world *world);

/* ---- faults ---- */

void world_fault_set(struct world *world, enum fault fault, bool on);
void world_fault_group_set(struct world *world, enum fault_group group, bool on);
bool world_fault_on(const struct world *world, enum fault fault);
/* True when any kind of NETWORK, DISK, CLOCK or PROCESS is on. */
bool world_faulty(const struct world *world);
/* For faults that the workload injects itself: counts it; false when it must not happen (--only). */
bool world_fault_happens(struct world *world, enum fault fault);
uint64_t world_fault_hits(const struct world *world, enum fault fault);
/* Hits, and those that --only left out: the numbers that it takes. */
uint64_t world_fault_asked(const struct world *world, enum fault fault);
const char *world_fault_name(enum fault fault);
const char *world_fault_text(enum fault fault);
enum fault_group world_fault_group(enum fault fault);
/* How many seeds of the default workload one must be injected in; 0: none need. */
unsigned world_fault_reach(enum fault fault);
/* Turns each kind of NETWORK, DISK, CLOCK and PROCESS on or off by the seed. */
void world_swarm(struct world *world);
/* No faults from here on: links heal, clocks stay. CONTRACT kinds stay on. */
void world_calm(struct world *world);
bool world_is_calm(const struct world *world);

/* Marks of the code (base/mark.h), and how often this world came there. */
unsigned world_mark_count(void);
const char *world_mark_name(unsigned mark);
const char *world_mark_text(unsigned mark);
unsigned world_mark_reach(unsigned mark);
/* How often the server has begun to serve. */
uint64_t world_serving(const struct world *world);
uint64_t world_mark_hits(const struct world *world, unsigned mark);

/* A call that was answered (operations.h). */
void world_operation_count(struct world *world, const char *method);
uint64_t world_operation_hits(const struct world *world, enum operation operation);
const char *world_operation_name(enum operation operation);
unsigned world_operation_reach(enum operation operation);

/* ---- nodes ---- */

struct world_node {
    const char *name;             /* host name; borrowed, as the rest */
    io_start_fn *start;
    void *arg;
    int argc;
    char **argv;
    char **env;                   /* "NAME=value", NULL at the end; may be NULL */
    unsigned cpus;                /* 0 is 2 */
    uint64_t disk_bytes;          /* 0 is 1 GiB */
    bool mute;                    /* its output is not shown */
};

enum node_state { NODE_NEW, NODE_RUNNING, NODE_DOWN, NODE_EXITED };
enum crash_mode {
    CRASH_POWER,                  /* unsynced data is kept, lost or torn */
    CRASH_KILL,                   /* the process ends; the disk keeps what was written */
};

/* Adds a node, which is not started. Its index; addresses are 10.0.0.(index + 1) and 127.0.0.1. */
unsigned world_add_node(struct world *world, const struct world_node *spec);
/* Starts a node that does not run, after `delay`. */
void world_start(struct world *world, unsigned node, int64_t delay);
enum node_state world_node_state(const struct world *world, unsigned node);
int world_exit_code(const struct world *world, unsigned node);
/* How often the node was started, and crashed. */
unsigned world_incarnation(const struct world *world, unsigned node);
unsigned world_crashes(const struct world *world, unsigned node);
/* Io boundaries since its last start. */
uint64_t world_boundary(const struct world *world, unsigned node);
void world_node_addr(const struct world *world, unsigned node, uint16_t port, struct io_addr *out);
/* Disk errors that were injected since its last start; with some, it may stop itself. */
uint64_t world_disk_errors(const struct world *world, unsigned node);
/* Crashes a running node now (outside of any node's code). */
void world_crash(struct world *world, unsigned node, enum crash_mode mode);
/* Crashes it when world_boundary reaches `boundary`; 0 takes that back. Lost when the node ends before. */
void world_crash_at_boundary(struct world *world, unsigned node, uint64_t boundary, enum crash_mode mode);
/* Stops its code from running for `duration`; its connections stay. */
void world_pause(struct world *world, unsigned node, int64_t duration);
void world_signal(struct world *world, unsigned node, int signal);
/* Its code takes `factor` times as long, for `duration`. */
void world_slow(struct world *world, unsigned node, int64_t factor, int64_t duration);
/* Memory is exhausted at the n-th allocation on a loop from now: the process ends there, as mem.h says. 0 takes it
 * back. */
void world_exhaust_memory(struct world *world, unsigned node, uint64_t allocation);
/* Moves its wall clock; which kind of fault that is, and that it struck, the caller knows. */
void world_wall_jump(struct world *world, unsigned node, int64_t ns);
/* The wall clock of a node. */
int64_t world_wall(const struct world *world, unsigned node);
/* Jumps of a node's wall clock forward: it showed `before`, then `after`. How many. */
enum { WORLD_JUMPS_MAX = 64 };
struct world_jump {
    int64_t before, after;
};
unsigned world_jumps(const struct world *world, unsigned node, const struct world_jump **out);
/* How long the node was down, frozen or slow in all, at most. */
int64_t world_outage(const struct world *world, unsigned node);
/* How far wall clocks were set back in all: so much later may things be that were due by them. */
int64_t world_wall_back(const struct world *world);
/* Its output since the node was added. */
struct bytes world_output(struct world *world, unsigned node, enum io_stream stream);
/* Memory that the node has not freed; pieces in *count (may be NULL). While it runs, or as it was when it exited. */
uint64_t world_node_memory(const struct world *world, unsigned node, uint64_t *count);
/* Readies a leak report at the next exit of any node: WORLD_LEAK when memory, ops or buffers are left at exit 0. */
void world_check_leaks(struct world *world, bool on);

/* ---- network and disk ---- */

/* Cuts the link for bytes from a to b. They wait, as a lost segment that is sent again. */
void world_link_cut(struct world *world, unsigned from, unsigned to, bool cut);
void world_link_latency(struct world *world, unsigned from, unsigned to, int64_t low, int64_t high);
void world_add_name(struct world *world, const char *host, const struct io_addr *addr);
/* Limits the node's disk; 0 is without limit. Takes effect at once. */
void world_disk_limit(struct world *world, unsigned node, uint64_t bytes);
/* Leaves the disk `room` bytes more than are in use. */
void world_disk_fill(struct world *world, unsigned node, uint64_t room);
/* Bytes of a file as the node sees it; -IO_ENOENT. Appends to *out. For checkers, while the node is down or not. */
int64_t world_disk_read(struct world *world, unsigned node, const char *path, struct buf *out);
/* Gives a file of a node that is down these bytes, durably, or removes it. */
void world_disk_put(struct world *world, unsigned node, const char *path, struct bytes bytes);
/* A folder, on a disk that has none by this name. */
void world_disk_mkdir(struct world *world, unsigned node, const char *path);
void world_disk_remove(struct world *world, unsigned node, const char *path);
/* Bytes of a file that cannot be read until they are written. */
void world_disk_spoil(struct world *world, unsigned node, const char *path, uint64_t offset, uint64_t len);
/* The names in a folder of the node's disk, each NUL-terminated. */
int64_t world_disk_list(struct world *world, unsigned node, const char *path, struct buf *out);

/* ---- running ---- */

/* Runs fn(world, arg) outside of any node, at `time`. */
typedef void world_fn(struct world *world, void *arg);
void world_call_at(struct world *world, int64_t time, world_fn *fn, void *arg);
/* One event; false when nothing is left to do. */
bool world_step(struct world *world);
/* When the next event is; INT64_MAX when there is none. */
int64_t world_next(const struct world *world);
/* Runs until virtual time reaches `time`, or nothing is left. */
void world_run_until(struct world *world, int64_t time);
/* Called after a node was dropped (crash or exit) and when it was started. */
struct world_hooks {
    void (*node_ended)(struct world *world, unsigned node, enum node_state state, void *arg);
    void (*node_started)(struct world *world, unsigned node, void *arg);
    void *arg;
};
void world_set_hooks(struct world *world, const struct world_hooks *hooks);

/* The node whose code runs now; -1 outside of any. Workload code in a node reports to checkers by this. */
int world_current_node(void);
struct world *world_of(struct io *io);
unsigned world_node_of(struct io *io);

/* Ends the run: prints what failed, and all that helps to understand it, and leaves with `verdict`. The check that fails
 * is known as its oracle: the name of its function. A workflow that the text names is the one that is reported on. */
#define world_fail(world, verdict, ...) world_fail_by((world), (verdict), __func__, __VA_ARGS__)
/* As world_fail, in the name of another function. */
_Noreturn void world_fail_by(struct world *world, enum world_verdict verdict, const char *oracle, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The log; NULL when there is none. */
struct log *world_log(const struct world *world);
/* Folds workload facts into the trace. */
void world_note(struct world *world, uint32_t kind, const void *data, size_t len);

/* Memory of the simulator itself; libc's, so that node heaps do not mix with it. */
void *world_alloc(size_t size);
void *world_realloc(void *pointer, size_t size);
void world_free(void *pointer);
/* Real time, for rates; never given to a node. */
int64_t world_host_ns(void);

#endif
