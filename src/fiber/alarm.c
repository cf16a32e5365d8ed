/* alarm: a heap of deadlines under one io timer.
 *
 * The timer is left as it is when the first alarm is cleared: it then finds nothing due and is set anew. That costs one
 * wake-up at most, where canceling would cost one for each wait that ends in time. */
#include "fiber/alarm.h"

#include "base/check.h"
#include "base/mem.h"
#include "fiber/internal.h"

static void timer_done(struct io *io, struct io_op *op);

static struct alarms *alarms_of(struct io *io) {
    struct fibers *fibers = fibers_of(io);
    if (!fibers->alarms) {
        fibers->alarms = MEM_NEW(struct alarms);
        fibers->alarms->timer.done = timer_done;
        fibers->alarms->timer.ctx = fibers->alarms;
    }
    return fibers->alarms;
}

/* A timer that is too late is canceled, and set from its end. */
static void arm(struct io *io, struct alarms *alarms) {
    const struct heap_node *first = heap_top(&alarms->heap);
    if (!first) return;
    if (!alarms->timer.busy) {
        alarms->armed = first->key;
        io_timer(io, &alarms->timer, first->key);
    } else if (first->key < alarms->armed) {
        alarms->armed = first->key;
        io_cancel(io, &alarms->timer);
    }
}

/* Alarms that are set meanwhile wait for the next time, so that they cannot keep the loop here. */
static void fire_due(struct io *io, struct alarms *alarms) {
    uint64_t last = alarms->settings;
    int64_t now = io_now(io);
    for (struct heap_node *node; (node = heap_top(&alarms->heap)) && node->key <= now && node->tie <= last;) {
        heap_remove(&alarms->heap, node);
        struct alarm *alarm = CONTAINER_OF(node, struct alarm, node);
        alarm->fire(io, alarm);
    }
}

static void timer_done(struct io *io, struct io_op *op) {
    struct alarms *alarms = op->ctx;
    if (alarms->orphaned) {
        mem_free(alarms);
        return;
    }
    fire_due(io, alarms);
    arm(io, alarms);
}

void alarm_set(struct io *io, struct alarm *alarm, int64_t deadline) {
    CHECK(alarm->fire);
    struct alarms *alarms = alarms_of(io);
    heap_remove(&alarms->heap, &alarm->node);
    if (deadline == FOREVER) return;
    heap_push(&alarms->heap, &alarm->node, deadline, ++alarms->settings);
    arm(io, alarms);
}

void alarm_clear(struct io *io, struct alarm *alarm) {
    if (heap_contains(&alarm->node)) heap_remove(&alarms_of(io)->heap, &alarm->node);
}

void alarms_shutdown(struct io *io, struct alarms *alarms) {
    if (!alarms) return;
    CHECKF(!heap_top(&alarms->heap), "an alarm is still set");
    heap_free(&alarms->heap);
    alarms->orphaned = true;
    if (alarms->timer.busy)
        io_cancel(io, &alarms->timer);
    else
        mem_free(alarms);
}
