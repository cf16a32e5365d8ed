/* uring_loop: a loop's turn, and the life of an op.
 *
 * One turn: enter the kernel once (submit, and wait when nothing is ready), read the clocks, run the callbacks of
 * completions, messages, timers and the ready list, then the hooks. */
#include <errno.h>

#include "base/mem.h"
#include "io/uring_internal.h"

static void ready_complete(struct io *io, struct io_op *op, int result, unsigned flags) {
    (void)flags;
    op_finish(io, op, result < 0 ? uring_error(result) : 0);
}

static const struct op_class classes[KIND_COUNT] = {
    [KIND_TIMER] = {NULL, ready_complete},
    [KIND_DEFER] = {NULL, ready_complete},
    [KIND_BELL] = {bell_prepare, bell_complete},
    [KIND_SIGNALS] = {signals_prepare, signals_complete},
    [KIND_ACCEPT] = {accept_prepare, accept_complete},
    [KIND_CONNECT] = {connect_prepare, connect_complete},
    [KIND_RECV] = {recv_prepare, recv_complete},
    [KIND_SEND] = {send_prepare, send_complete},
    [KIND_SOCK_CLOSE] = {sock_close_prepare, sock_close_complete},
    [KIND_OPEN] = {open_prepare, open_complete},
    [KIND_CLOSE] = {close_prepare, close_complete},
    [KIND_READ] = {file_prepare, file_complete},
    [KIND_WRITE] = {file_prepare, file_complete},
    [KIND_DATASYNC] = {file_prepare, file_complete},
    [KIND_ALLOCATE] = {file_prepare, file_complete},
    [KIND_UNLINK] = {path_prepare, path_complete},
    [KIND_RENAME] = {path_prepare, path_complete},
    [KIND_MKDIR] = {path_prepare, path_complete},
    [KIND_RMDIR] = {path_prepare, path_complete},
    [KIND_HELP] = {NULL, help_complete},
    [KIND_BLOCKING] = {NULL, blocking_complete},
    [KIND_PATH_BLOCKING] = {NULL, path_blocking_complete},
    [KIND_RESOLVE] = {NULL, resolve_complete},
};

/* ---- the life of an op ----------------------------------------------------------------------------------------- */

void op_begin(struct io *io, struct io_op *op, enum op_kind kind) {
    CHECKF(!op->busy, "an op was submitted while busy");
    CHECK(op->done);
    CHECK(uring_thread_loop() == io);
    op->busy = true;
    op->more = false;
    op->result = 0;
    op->kind = kind;
    op->link = (struct list){0};
    op->sequence = ++io->sequence;
    io->stats.ops++;
}

struct io_uring_sqe *uring_sqe(struct io *io) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);
    if (sqe) sqe->flags = 0;
    return sqe;
}

static void prepare(struct io *io, struct io_op *op, struct io_uring_sqe *sqe) {
    op_set_place(op, PLACE_KERNEL);
    classes[op_kind(op)].prepare(io, op, sqe);
    sqe->user_data = (uintptr_t)op;
    if (io->trace) trace_submit(io, op);
}

void op_submit(struct io *io, struct io_op *op) {
    struct io_uring_sqe *sqe = list_empty(&io->backlog) ? uring_sqe(io) : NULL;
    if (sqe) {
        prepare(io, op, sqe);
    } else {
        op_set_place(op, PLACE_BACKLOG);
        list_push_back(&io->backlog, &op->link);
    }
}

void op_ready(struct io *io, struct io_op *op, int result) {
    op->heap_index = (uint32_t)result;      /* not op->result: a multishot op may deliver once more before this */
    op_set_place(op, PLACE_READY);
    list_push_back(&io->ready, &op->link);
}

static void forget_cancel(struct io *io, const struct io_op *op) {
    for (uint32_t i = 0; i < io->cancel_count; i++)
        if (io->cancels[i] == op) io->cancels[i] = NULL;
}

void op_finish(struct io *io, struct io_op *op, int64_t result) {
    if (io->trace) trace_complete(io, op, result);
    if (io->log) tape_done(io, op, result, false);
    if (op_canceling(op) && io->cancel_count) forget_cancel(io, op);
    op->result = result;
    op->busy = false;
    op->more = false;
    op->kind = 0;
    op->done(io, op);
}

void op_deliver(struct io *io, struct io_op *op, int64_t result) {
    if (io->trace) trace_complete(io, op, result);
    if (io->log) tape_done(io, op, result, true);
    op->result = result;
    op->more = true;
    op->done(io, op);
}

void io_defer(struct io *io, struct io_op *op) {
    TAPE_EFFECT(io, defer, 0, 0, 0);
    op_begin(io, op, KIND_DEFER);
    op_ready(io, op, 0);
}

/* A cancel request follows its target through the submission queue, so the address cannot yet mean another op. */
static bool request_cancel(struct io *io, struct io_op *op) {
    struct io_uring_sqe *sqe = uring_sqe(io);
    if (!sqe) return false;
    io_uring_prep_cancel64(sqe, (uintptr_t)op, 0);
    sqe->user_data = TAG_IGNORE;
    sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
    return true;
}

/* With a full submission queue the request is kept, as the target may wait for ever otherwise. */
static void cancel_in_kernel(struct io *io, struct io_op *op) {
    if (io->cancel_count == 0 && request_cancel(io, op)) return;
    if (io->cancel_count == io->cancel_cap) {
        io->cancel_cap = io->cancel_cap ? io->cancel_cap * 2 : 64;
        io->cancels = mem_realloc(io->cancels, io->cancel_cap * sizeof *io->cancels);
    }
    io->cancels[io->cancel_count++] = op;
}

static void request_kept_cancels(struct io *io) {
    uint32_t done = 0;
    while (done < io->cancel_count && (!io->cancels[done] || request_cancel(io, io->cancels[done]))) done++;
    io->cancel_count -= done;
    for (uint32_t i = 0; i < io->cancel_count; i++) io->cancels[i] = io->cancels[i + done];
}

void op_cancel(struct io *io, struct io_op *op) {
    if (op_canceling(op)) return;
    op->kind |= OP_CANCELING;
    switch (op_place(op)) {
    case PLACE_HEAP:
        timer_remove(io, op);
        op_ready(io, op, -ECANCELED);
        break;
    case PLACE_BACKLOG:
    case PLACE_STARVED:
        if (op_kind(op) == KIND_SOCK_CLOSE || op_kind(op) == KIND_CLOSE) break;
        list_remove(&op->link);
        op_ready(io, op, -ECANCELED);
        break;
    case PLACE_KERNEL:
        if (op_kind(op) != KIND_SOCK_CLOSE && op_kind(op) != KIND_CLOSE) cancel_in_kernel(io, op);
        break;
    case PLACE_IDLE:
    case PLACE_READY:
    case PLACE_HELPER:
    case PLACE_CLOSING:
        break;
    }
}

void io_cancel(struct io *io, struct io_op *op) {
    if (!op->busy) return;
    TAPE_EFFECT(io, cancel, op->sequence, 0, 0);
    op_cancel(io, op);
}

/* ---- the turn ---------------------------------------------------------------------------------------------------- */

static void read_clocks(struct io *io) {
    int64_t now = uring_clock_monotonic();
    if (now > io->now) io->now = now;
    io->wall = uring_clock_wall();
}

static void fill_from_backlog(struct io *io) {
    request_kept_cancels(io);
    while (!list_empty(&io->backlog)) {
        struct io_uring_sqe *sqe = uring_sqe(io);
        if (!sqe) return;
        prepare(io, LIST_ENTRY(list_pop_front(&io->backlog), struct io_op, link), sqe);
    }
}

/* Submits all that is queued; more than one entry into the kernel only when the submission queue was full. */
static int submit_all(struct io *io) {
    while (!list_empty(&io->backlog) || io->cancel_count) {
        int taken = io_uring_submit(&io->ring);
        io->stats.enters++;
        if (taken <= 0) return taken;
        fill_from_backlog(io);
    }
    return 0;
}

static int enter(struct io *io, bool wait) {
    io->stats.enters++;
    if (!wait) return io_uring_submit_and_get_events(&io->ring);
    int64_t deadline;
    if (!timer_next(io, &deadline)) return io_uring_submit_and_wait(&io->ring, 1);
    int64_t left = deadline - uring_clock_monotonic();
    if (left <= 0) return io_uring_submit_and_get_events(&io->ring);
    struct __kernel_timespec timeout = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    struct io_uring_cqe *cqe;
    return io_uring_submit_and_wait_timeout(&io->ring, &cqe, 1, &timeout, NULL);
}

/* Since Linux 6.13 one entry gives about 20 completions and leaves the rest, telling so by a flag: under load they are
 * fetched here, so that all sockets that are ready get their turn in this one. The kernel sets the flag after it has
 * queued the work, so it may stay set when that work was taken in between; it is cleared only when there is work again.
 * An entry that brings nothing therefore ends this, or completions that we hold would wait for ones that never come. */
static void fetch_completions_left(struct io *io) {
    const unsigned *flags = io->ring.sq.kflags;
    unsigned had, has = io_uring_cq_ready(&io->ring);
    do {
        if (!(__atomic_load_n(flags, __ATOMIC_ACQUIRE) & IORING_SQ_TASKRUN) || has >= URING_COMPLETIONS_MAX) return;
        io->stats.enters++;
        if (io_uring_get_events(&io->ring) < 0) return;
        had = has;
        has = io_uring_cq_ready(&io->ring);
    } while (has > had);
}

static bool idle(const struct io *io) {
    return list_empty(&io->ready) && list_empty(&io->backlog) && list_empty(&io->hooks) &&
           io->cancel_count == 0 && io_uring_cq_ready(&io->ring) == 0;
}

static void enter_kernel(struct io *io) {
    if (io->trace) trace_flush(io);
    int result = submit_all(io);
    if (result >= 0) {
        bool wait = idle(io) && mailbox_may_sleep(io);
        result = enter(io, wait);
        if (wait) mailbox_awake(io);
    }
    /* EBUSY and EAGAIN: completions must be taken first; what was not submitted stays queued. */
    bool expected = result >= 0 || result == -ETIME || result == -EINTR || result == -EBUSY || result == -EAGAIN;
    CHECKF(expected, "io_uring_enter: error %d", -result);
    fetch_completions_left(io);
    read_clocks(io);
    if (io->log) tape_turn(io);
}

static void complete(struct io *io, uint64_t user_data, int result, unsigned flags) {
    switch (user_data & TAG_MASK) {
    case TAG_OP: {
        struct io_op *op = (struct io_op *)(uintptr_t)user_data;
        classes[op_kind(op)].complete(io, op, result, flags);
        break;
    }
    case TAG_BELL_FAILED: mailbox_bell_failed(io, (unsigned)(user_data >> 3)); break;
    default: break;
    }
}

static void run_completions(struct io *io) {
    for (unsigned count = io_uring_cq_ready(&io->ring); count && !uring_exiting(io); count--) {
        struct io_uring_cqe *cqe;
        if (io_uring_peek_cqe(&io->ring, &cqe) != 0) return;
        uint64_t user_data = cqe->user_data;
        int result = cqe->res;
        unsigned flags = cqe->flags;
        io_uring_cqe_seen(&io->ring, cqe);
        complete(io, user_data, result, flags);
    }
}

/* One round runs what was ready when it began, so that an op submitted again runs in a later one. */
static void run_ready_round(struct io *io) {
    struct list round;
    list_init(&round);
    list_splice(&round, &io->ready);
    while (!list_empty(&round) && !uring_exiting(io)) {
        struct io_op *op = LIST_ENTRY(list_pop_front(&round), struct io_op, link);
        op_set_place(op, PLACE_IDLE);
        classes[op_kind(op)].complete(io, op, (int)op->heap_index, 0);
    }
    list_splice(&io->ready, &round);
}

static void run_hooks(struct io *io) {
    struct list round;
    list_init(&round);
    list_splice(&round, &io->hooks);
    while (!list_empty(&round) && !uring_exiting(io)) {
        struct io_hook *hook = LIST_ENTRY(list_pop_front(&round), struct io_hook, link);
        if (io->log) tape_hook(io);
        hook->run(io, hook);
    }
    list_splice(&io->hooks, &round);
}

static void turn(struct io *io) {
    io->stats.turns++;
    enter_kernel(io);
    run_completions(io);
    mailbox_deliver(io);
    timers_expire(io);
    for (int i = 0; i < URING_READY_ROUNDS && !list_empty(&io->ready) && !uring_exiting(io); i++)
        run_ready_round(io);
    run_hooks(io);
}

void uring_loop_run(struct io *io) {
    io->log = tape_loop_log(io);
    read_clocks(io);
    if (io->log) tape_turn(io);
    mailbox_listen(io);
    io->start(io, io->start_arg);
    run_hooks(io);
    while (!uring_exiting(io)) turn(io);
    if (io->trace) trace_flush(io);
    if (io->log) tape_loop_end(io);
}

/* ---- what callers read ---------------------------------------------------------------------------------------------- */

void io_hook_arm(struct io *io, struct io_hook *hook) {
    if (!list_linked(&hook->link)) list_push_back(&io->hooks, &hook->link);
}

int64_t io_now(const struct io *io) { return io->now; }
int64_t io_wall(const struct io *io) { return io->wall; }
unsigned io_loop_index(const struct io *io) { return io->index; }
void *io_slot(const struct io *io, enum io_slot slot) { return io->slots[slot]; }
void io_set_slot(struct io *io, enum io_slot slot, void *value) { io->slots[slot] = value; }
const struct io_stats *io_stats(const struct io *io) {
    tape_bytes(io->log, TAPE_INPUT_stats, &io->stats, sizeof io->stats);
    return &io->stats;
}
