/* deadline: a binary heap of deadlines, and one timer. */
#include "net/deadline.h"

#include "base/mem.h"

static void place(struct deadlines *d, struct deadline *deadline, uint32_t at) {
    d->heap[at] = deadline;
    deadline->place = at;
}

static void sift_up(struct deadlines *d, struct deadline *deadline, uint32_t hole) {
    while (hole > 1 && deadline->at < d->heap[hole / 2]->at) {
        place(d, d->heap[hole / 2], hole);
        hole /= 2;
    }
    place(d, deadline, hole);
}

static void sift_down(struct deadlines *d, struct deadline *deadline, uint32_t hole) {
    for (uint32_t child; (child = hole * 2) <= d->count; hole = child) {
        if (child < d->count && d->heap[child + 1]->at < d->heap[child]->at) child++;
        if (deadline->at <= d->heap[child]->at) break;
        place(d, d->heap[child], hole);
    }
    place(d, deadline, hole);
}

/* The timer is left alone when it fires too early: that costs one empty callback, once. */
static void arm(struct deadlines *d) {
    if (d->count == 0 || d->stopped) return;
    int64_t at = d->heap[1]->at;
    if (!d->timer.busy) {
        d->armed_at = at;
        io_timer(d->io, &d->timer, at);
    } else if (at < d->armed_at) {
        d->armed_at = at;                /* fired() arms it again */
        io_cancel(d->io, &d->timer);
    }
}

static void fired(struct io *io, struct io_op *op) {
    struct deadlines *d = op->ctx;
    if (d->stopped) {
        d->stopped(d);
        return;
    }
    int64_t now = io_now(io);
    while (d->count && d->heap[1]->at <= now) {
        struct deadline *deadline = d->heap[1];
        deadline_clear(d, deadline);
        deadline->passed(deadline);
    }
    arm(d);
}

void deadlines_init(struct deadlines *d, struct io *io) {
    *d = (struct deadlines){.io = io};
    d->timer.done = fired;
    d->timer.ctx = d;
}

void deadline_clear(struct deadlines *d, struct deadline *deadline) {
    uint32_t hole = deadline->place;
    if (!hole) return;
    CHECK(d->heap[hole] == deadline);
    deadline->place = 0;
    struct deadline *last = d->heap[d->count--];
    if (last == deadline) return;
    if (hole > 1 && last->at < d->heap[hole / 2]->at) sift_up(d, last, hole);
    else sift_down(d, last, hole);
}

void deadline_set(struct deadlines *d, struct deadline *deadline, int64_t at) {
    deadline_clear(d, deadline);
    if (at == INT64_MAX) return;
    if (d->count + 1 >= d->cap) {
        d->cap = d->cap ? d->cap * 2 : 64;
        d->heap = mem_realloc(d->heap, d->cap * sizeof *d->heap);
    }
    deadline->at = at;
    sift_up(d, deadline, ++d->count);
    arm(d);
}

void deadlines_stop(struct deadlines *d, void (*stopped)(struct deadlines *deadlines)) {
    CHECK(d->count == 0);
    mem_free(d->heap);
    d->heap = NULL;
    d->cap = 0;
    d->stopped = stopped;
    if (d->timer.busy) io_cancel(d->io, &d->timer);
    else stopped(d);
}
