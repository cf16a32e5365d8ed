/* deadline: many deadlines on one timer of the loop.
 *
 * Nearly every call has a deadline that never passes, so setting and clearing one must cost little: it is a place in a
 * heap, and the loop's timer is armed only for a deadline that is earlier than the one it waits for. */
#ifndef NORN_NET_DEADLINE_H
#define NORN_NET_DEADLINE_H

#include "io/io.h"

struct deadline {
    int64_t at;                          /* io_now */
    void (*passed)(struct deadline *deadline);   /* it is no longer set then, and may be set again */
    uint32_t place;                      /* in the heap, from 1; 0 when not set */
};

struct deadlines {
    struct io *io;
    struct deadline **heap;              /* heap[1..count]; heap[0] is not used */
    uint32_t count, cap;
    struct io_op timer;
    int64_t armed_at;
    void (*stopped)(struct deadlines *deadlines);
};

void deadlines_init(struct deadlines *deadlines, struct io *io);
/* Sets or moves; INT64_MAX clears. */
void deadline_set(struct deadlines *deadlines, struct deadline *deadline, int64_t at);
void deadline_clear(struct deadlines *deadlines, struct deadline *deadline);
/* Ends the timer and frees; none may be set then. `stopped` runs once, perhaps at once. */
void deadlines_stop(struct deadlines *deadlines, void (*stopped)(struct deadlines *deadlines));

#endif
