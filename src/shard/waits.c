/* waits: a heap of deadlines and one timer for its top. */
#include "shard/waits.h"

#include "shard/core.h"

static void timer_done(struct io *io, struct io_op *op);

static void arm(struct engine *engine) {
    struct heap_node *top = heap_top(&engine->waits);
    if (!top || engine->stopped) return;
    if (engine->wait_timer.busy) {
        if (engine->wait_timer_at > top->key) io_cancel(engine->io, &engine->wait_timer);
        return;
    }
    engine->wait_timer_at = top->key;
    engine->wait_timer.done = timer_done;
    engine->wait_timer.ctx = engine;
    io_timer(engine->io, &engine->wait_timer, top->key);
}

static void timer_done(struct io *io, struct io_op *op) {
    struct engine *engine = op->ctx;
    struct heap_node *top;
    while (!engine->stopped && (top = heap_top(&engine->waits)) && top->key <= io_now(io)) {
        struct wait *wait = CONTAINER_OF(top, struct wait, node);
        heap_remove(&engine->waits, top);
        wait->expired(engine, wait);
    }
    arm(engine);
}

void waits_add(struct engine *engine, struct wait *wait, int64_t deadline) {
    wait->engine = engine;
    heap_push(&engine->waits, &wait->node, deadline, ++engine->wait_count);
    arm(engine);
}

void waits_remove(struct engine *engine, struct wait *wait) { heap_remove(&engine->waits, &wait->node); }

void waits_stop(struct engine *engine) {
    if (engine->wait_timer.busy) io_cancel(engine->io, &engine->wait_timer);
}
