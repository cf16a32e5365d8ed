/* uring_timer: timers of a loop, a 4-ary heap by (deadline, submission). The kernel knows only the nearest deadline, as
 * the limit of the turn's wait. The heap's array grows by doubling and is kept. */
#include "base/mem.h"
#include "io/uring_internal.h"

enum { ARITY = 4 };

static bool before(const struct timer_entry *a, const struct timer_entry *b) {
    return a->deadline != b->deadline ? a->deadline < b->deadline : a->sequence < b->sequence;
}

static void place(struct io *io, uint32_t index, struct timer_entry entry) {
    io->timers[index] = entry;
    entry.op->heap_index = index;
}

static void sift_up(struct io *io, uint32_t index, struct timer_entry entry) {
    while (index) {
        uint32_t parent = (index - 1) / ARITY;
        if (!before(&entry, &io->timers[parent])) break;
        place(io, index, io->timers[parent]);
        index = parent;
    }
    place(io, index, entry);
}

static uint32_t first_child(const struct io *io, uint32_t index) {
    uint32_t begin = index * ARITY + 1, best = begin;
    for (uint32_t child = begin + 1; child < begin + ARITY && child < io->timer_count; child++)
        if (before(&io->timers[child], &io->timers[best])) best = child;
    return best;
}

static void sift_down(struct io *io, uint32_t index, struct timer_entry entry) {
    while (index * ARITY + 1 < io->timer_count) {
        uint32_t child = first_child(io, index);
        if (!before(&io->timers[child], &entry)) break;
        place(io, index, io->timers[child]);
        index = child;
    }
    place(io, index, entry);
}

void io_timer(struct io *io, struct io_op *op, int64_t deadline) {
    TAPE_EFFECT(io, timer, (uint64_t)deadline, 0, 0);
    op_begin(io, op, KIND_TIMER);
    op_set_place(op, PLACE_HEAP);
    if (io->timer_count == io->timer_cap) {
        io->timer_cap = io->timer_cap ? io->timer_cap * 2 : 256;
        io->timers = mem_realloc(io->timers, io->timer_cap * sizeof *io->timers);
    }
    sift_up(io, io->timer_count++, (struct timer_entry){deadline, op->sequence, op});
}

void timer_remove(struct io *io, struct io_op *op) {
    uint32_t index = op->heap_index;
    CHECK(index < io->timer_count && io->timers[index].op == op);
    struct timer_entry last = io->timers[--io->timer_count];
    if (index == io->timer_count) return;
    if (index && before(&last, &io->timers[(index - 1) / ARITY]))
        sift_up(io, index, last);
    else
        sift_down(io, index, last);
}

bool timer_next(const struct io *io, int64_t *deadline) {
    if (!io->timer_count) return false;
    *deadline = io->timers[0].deadline;
    return true;
}

void timers_expire(struct io *io) {
    while (io->timer_count && io->timers[0].deadline <= io->now) {
        struct io_op *op = io->timers[0].op;
        timer_remove(io, op);
        op_ready(io, op, 0);
    }
}
