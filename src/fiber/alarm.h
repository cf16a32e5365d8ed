/* alarm: deadlines that can be set and cleared at once, by the thousand. All alarms of a loop share one io timer.
 *
 * Unlike an io_timer, which belongs to io until its `done`, a cleared alarm's memory is free at once: it may lie on the
 * stack of a fiber that stops waiting. A zeroed alarm is clear. */
#ifndef NORN_FIBER_ALARM_H
#define NORN_FIBER_ALARM_H

#include "base/heap.h"
#include "io/io.h"

struct alarm {
    struct heap_node node;
    void (*fire)(struct io *io, struct alarm *alarm);     /* in a callback of the loop; the alarm is clear again */
};

/* No deadline. */
#define FOREVER INT64_MAX

/* Fires once io_now reaches the deadline, never within the call. Alarms fire by (deadline, setting). Setting one that is
 * set moves it. FOREVER only clears. */
void alarm_set(struct io *io, struct alarm *alarm, int64_t deadline);
void alarm_clear(struct io *io, struct alarm *alarm);

#endif
