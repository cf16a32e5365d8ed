/* replay: the third backend of io.h, which runs a recorded node again (io/tape.h). norn-replay is linked with it, and
 * `norn-sim --replay DIR` starts that.
 *
 * The node's code runs as it ships, in one thread. Each loop and each helper is a context with its log; the driver
 * resumes them in turn. A context goes on until it needs what another has not done yet (a message that is not sent, work
 * that is not finished, a helper's turn), or until its log is at its end. All that comes in is read from the log, and
 * nothing goes out; what the code asks for is mixed into the chain of effects, which the log's entries must agree with. */
#ifndef NORN_SIM_REPLAY_H
#define NORN_SIM_REPLAY_H

#include "base/bytes.h"
#include "base/check.h"
#include "base/list.h"
#include "fiber/context.h"
#include "io/tape.h"

enum { REPLAY_STACK = 8 << 20, EFFECTS_KEPT = 32, OP_BUCKETS = 4096, HELPERS_MAX = 64, HELPER_FILES_MAX = 4096, RECV_BUFS_MAX = 1 << 16 };

enum replay_verdict { REPLAY_SAME = 0, REPLAY_USAGE = 2, REPLAY_DIFFERS = 74 };

struct effect {
    enum tape_call call;
    uint64_t a, b, c;
};

/* What a context waits for, or why it is over. */
enum reel_state { REEL_RUNS, REEL_ENDED, REEL_CUT };

struct reel {
    struct io_node *node;
    char name[32];
    struct reader reader;
    size_t len;
    struct tape_entry entry;             /* the next one, when `ahead` */
    bool ahead;
    uint64_t taken;                      /* entries */
    char last[160];                      /* the one taken before, in words */
    uint64_t chain;
    struct effect effects[EFFECTS_KEPT]; /* since then; a ring */
    uint64_t effect_count;
    enum reel_state state;
    const char *waits_for;
    struct context context, outside;
    void *stack;
};

struct inbox {
    struct io_msg *first, *last;
};

struct io {
    struct reel reel;                      /* first: a log is its loop or helper */
    struct io_node *node;
    unsigned index;
    io_start_fn *start;
    void *arg;
    void *slots[IO_SLOT_COUNT];
    int64_t now, wall;
    uint64_t sequence;
    struct list ops[OP_BUCKETS];         /* under way, by sequence */
    struct list hooks;
    struct inbox inboxes[IO_LOOPS_MAX];
    uint8_t *bufs[RECV_BUFS_MAX];        /* lent, by number */
    unsigned helpers_started;
    struct io_stats stats;
};

struct io_helper {
    struct reel reel;
    struct io_node *node;
    uint64_t turn;
    uint64_t paths[HELPER_FILES_MAX];    /* hashes of names, by slot */
};

struct page {                            /* as tape_page says */
    uint64_t key;
    uint8_t *data;
};

struct io_node {
    const char *dir;
    struct io *loops[IO_LOOPS_MAX];
    unsigned loop_count;
    struct io_helper *helpers[HELPERS_MAX];
    unsigned helper_count;
    uint64_t turn;                       /* that a helper had last */
    struct page pages[TAPE_PAGES];
    struct reel *current;                 /* whose code runs; NULL in the driver */
    bool print, trace;
    const char *break_log;
    uint64_t break_entry;
};
/* The process's only mutable global: what libraries' calls of clocks are answered from. */
extern struct io_node *replay_node;

/* ---- replay_reel.c ---- */

void reel_open(struct reel *reel, struct io_node *node, const char *name, context_fn *fn);
/* The next entry, which stays next. Does not return when the log is at its end. */
const struct tape_entry *reel_peek(struct reel *reel);
/* Takes that entry, and compares the chain where the entry has it. */
void reel_take(struct reel *reel);
/* Lets the others go on. */
void reel_wait(struct reel *reel, const char *what);
void reel_effect(struct reel *reel, enum tape_call call, uint64_t a, uint64_t b, uint64_t c);
/* The next entry, which must be such an input; taken. */
uint64_t reel_value(struct reel *reel, enum tape_input what);
struct bytes reel_bytes(struct reel *reel, enum tape_input what);
const char *reel_text(struct reel *reel, enum tape_input what);       /* NULL when there was none */
/* The first difference: tells what the log has and what the code did, and ends the process. */
_Noreturn void reel_differs(struct reel *reel, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Resumes its context; true when that took an entry or ended. */
bool reel_resume(struct reel *reel);

/* ---- replay_loop.c, replay_helper.c ---- */

struct io *replay_loop(struct io_node *node, io_start_fn *start, void *arg);
void op_submit(struct io *io, struct io_op *op, enum tape_call call, uint64_t a, uint64_t b, uint64_t c);
struct io_op *op_find(struct io *io, uint64_t sequence);
/* Of a helper's op. */
bool helper_work_done(const struct io_op *op);

/* Puts what a read gave where it was to go. */
void reel_fill(struct reel *reel, const struct tape_entry *entry, void *data, size_t len);

void *replay_stack(size_t size);
void replay_stack_free(void *stack, size_t size);

#endif
