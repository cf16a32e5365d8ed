/* deadline_heap: a binary heap of (time, execution number) and one timer for its top. */
#include "shard/deadline_heap.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/plant.h"
#include "shard/directory.h"
#include "shard/deadline.h"

/* Looks at the wall clock this often, in case that it jumped forward. */
#define WAKE_MAX SECONDS(60)
enum { RUNS_PER_BATCH = 256 };

static bool before(const struct heap_entry *a, const struct heap_entry *b) {
    return a->at != b->at ? a->at < b->at : a->number < b->number;
}

static void sift_up(struct engine *engine, size_t i) {
    struct heap_entry entry = engine->heap[i];
    while (i > 0 && before(&entry, &engine->heap[(i - 1) / 2])) {
        engine->heap[i] = engine->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    engine->heap[i] = entry;
}

static void sift_down(struct engine *engine, size_t i) {
    struct heap_entry entry = engine->heap[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= engine->heap_count) break;
        if (child + 1 < engine->heap_count && before(&engine->heap[child + 1], &engine->heap[child])) child++;
        if (!before(&engine->heap[child], &entry)) break;
        engine->heap[i] = engine->heap[child];
        i = child;
    }
    engine->heap[i] = entry;
}

static void push(struct engine *engine, struct heap_entry entry) {
    if (engine->heap_count == engine->heap_cap) {
        engine->heap_cap = engine->heap_cap ? engine->heap_cap * 2 : 64;
        engine->heap = mem_realloc(engine->heap, engine->heap_cap * sizeof *engine->heap);
    }
    engine->heap[engine->heap_count++] = entry;
    sift_up(engine, engine->heap_count - 1);
}

static struct heap_entry pop(struct engine *engine) {
    struct heap_entry top = engine->heap[0];
    engine->heap[0] = engine->heap[--engine->heap_count];
    if (engine->heap_count) sift_down(engine, 0);
    return top;
}

static int by_number(const void *a, const void *b) {
    const struct heap_entry *x = a, *y = b;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* Drops entries that are out of date, when there are many. One that is not in memory keeps its earliest. */
static void compact(struct engine *engine) {
    size_t few = PLANT(engine->io, HEAP_LOSES_EVICTED) ? 4 : 1024;
    if (engine->heap_stale < few || engine->heap_stale < engine->heap_count / 2) return;
    size_t kept = 0;
    qsort(engine->heap, engine->heap_count, sizeof *engine->heap, by_number);
    for (size_t i = 0; i < engine->heap_count; i++) {
        if (kept && engine->heap[kept - 1].number == engine->heap[i].number) continue;
        struct exec *exec = engine_resident(engine, engine->heap[i].number);
        if (exec ? exec->queued_at != engine->heap[i].at : PLANT(engine->io, HEAP_LOSES_EVICTED)) continue;
        engine->heap[kept++] = engine->heap[i];
    }
    engine->heap_count = kept;
    engine->heap_stale = 0;
    for (size_t i = kept / 2; i-- > 0;) sift_down(engine, i);
}

/* ---- the timer ---- */

static void timer_done(struct io *io, struct io_op *op);

void deadline_arm(struct engine *engine) {
    if (!engine->started || engine->stopped || !engine->heap_count) return;
    int64_t at = engine->heap[0].at;
    if (engine->timer.busy) {
        if (engine->timer_at <= at || PLANT(engine->io, TIMER_SET_LATE)) return;
        io_cancel(engine->io, &engine->timer);      /* it is set again when it has ended */
        return;
    }
    int64_t wait = at - engine_wall(engine);
    if (wait < 0) wait = 0;
    if (wait > WAKE_MAX && !PLANT(engine->io, CLOCK_JUMP_MISSED)) wait = WAKE_MAX;
    engine->timer_at = at;
    engine->timer.done = timer_done;
    engine->timer.ctx = engine;
    io_timer(engine->io, &engine->timer, io_now(engine->io) + wait);
}

void deadline_stop(struct engine *engine) {
    if (engine->timer.busy) io_cancel(engine->io, &engine->timer);
}

static void run_due(struct engine *engine, struct heap_entry entry) {
    struct exec *exec = engine_resident(engine, entry.number);
    if (!exec) {                       /* when it has come, deadline_changed puts it here again */
        directory_load_idle(engine, entry.number);
        return;
    }
    if (exec->queued_at != entry.at) {
        if (engine->heap_stale) engine->heap_stale--;
        return;
    }
    exec->queued_at = 0;
    engine->stats.deadlines++;
    deadline_run(engine, exec);
}

static void timer_done(struct io *io, struct io_op *op) {
    struct engine *engine = op->ctx;
    if (engine->stopped) return;
    int64_t wall = engine_wall(engine);
    for (int i = 0; i < RUNS_PER_BATCH && engine->heap_count && engine->heap[0].at <= wall; i++) {
        run_due(engine, pop(engine));
    }
    deadline_arm(engine);
}

/* ---- adding ---- */

void deadline_add(struct engine *engine, uint64_t number, int64_t at) {
    push(engine, (struct heap_entry){at, number});
    deadline_arm(engine);
}

/* It had an entry when it left memory, most likely. */
void deadline_loaded(struct engine *engine, struct exec *exec) {
    engine->heap_stale++;
    deadline_changed(engine, exec);
}

void deadline_changed(struct engine *engine, struct exec *exec) {
    int64_t at = exec->deleted ? 0 : deadline_next(exec).at;
    if (!at || (exec->queued_at && exec->queued_at <= at)) return;
    if (exec->queued_at) engine->heap_stale++;
    exec->queued_at = at;
    compact(engine);
    push(engine, (struct heap_entry){at, exec->number});
    deadline_arm(engine);
}
